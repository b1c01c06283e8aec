/* SPDX-License-Identifier: ISC */
/* `qasid plan --probe`: EHLO … RCPT, then RSET and QUIT; DATA is never sent. The connection is this
 * process's own, as that of `qasid send`. The server's replies are shown whatever they are. */
#include "src/cli/client/probe.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "src/cli/base/terminal.h"

enum { PROBE_CONNECT_MS = 15000, PROBE_REPLY_MS = 30000, PROBE_TEXT_MAX = 2048 };

static void probe_trouble(const struct probe *p, const char *command, struct smtp_run *s) {
  p->say(p->arg, command, 0, slice_str(s->net.error));
}

/* A command, or NULL for the greeting; `word` for people. False: the connection is over. */
static bool probe_ask(const struct probe *p, struct smtp_run *s, const char *word,
                      const char *line) {
  struct buf text;
  if (!smtp_client_exchange(s, line)) {
    probe_trouble(p, word, s);
    return false;
  }
  buf_init(&text, PROBE_TEXT_MAX);
  for (struct slice rest = buf_slice(&s->reply.text); rest.p;) {
    struct slice one = slice_split(&rest, '\n');
    buf_put(&text, slice_first(one, buf_room(&text)));
    if (rest.p && buf_room(&text) >= 3) buf_put_str(&text, " / ");
  }
  p->say(p->arg, word, s->reply.code, buf_slice(&text));
  buf_free(&text);
  return true;
}

static bool probe_good(const struct smtp_run *s) { return s->reply.code / 100 == 2; }

static bool probe_ehlo(const struct probe *p, struct smtp_run *s) {
  char line[300];
  const char *word = p->lmtp ? "LHLO" : "EHLO";
  snprintf(line, sizeof line, "%s %.255s", word, p->hello);
  if (!probe_ask(p, s, word, line)) return false;
  if (probe_good(s)) smtp_client_take_ehlo(s);
  return probe_good(s);
}

/* As the policy wants it; false: the session ends. */
static bool probe_secure(const struct probe *p, struct smtp_run *s) {
  bool must = strcmp(p->tls, "required") == 0 || strcmp(p->tls, "verified") == 0;
  if (s->net.tls || strcmp(p->tls, "none") == 0) return true;
  if (!s->starttls) {
    if (must) p->say(p->arg, "STARTTLS", 0, SLICE("it is not offered, and the route requires TLS"));
    return !must;
  }
  if (!probe_ask(p, s, "STARTTLS", "STARTTLS")) return false;
  if (!probe_good(s)) return !must;
  if (!net_start_tls(&s->net)) {
    probe_trouble(p, "TLS", s);
    return false;
  }
  p->say(p->arg, "TLS", 0, SLICE("secured"));
  return probe_ehlo(p, s);
}

static bool probe_envelope(const struct probe *p, struct smtp_run *s) {
  char line[1200];
  bool utf8 = slice_has_high(slice_str(p->from)) || slice_has_high(slice_str(p->to));
  snprintf(line, sizeof line, "MAIL FROM:<%.500s>%s", p->from, utf8 ? " SMTPUTF8" : "");
  if (!probe_ask(p, s, "MAIL", line)) return false;
  if (!probe_good(s)) return true;
  snprintf(line, sizeof line, "RCPT TO:<%.1000s>", p->to);
  return probe_ask(p, s, "RCPT", line) && probe_ask(p, s, "RSET", "RSET");
}

/* Options of the command line stand for the policy. */
static void probe_options(struct cli *c, const struct probe *p) {
  bool verified = strcmp(p->tls, "verified") == 0 || strcmp(p->tls, "implicit") == 0;
  c->given[c->given_count++] = verified ? (struct cli_given){ "ca", c->conf->tls_authorities }
                                        : (struct cli_given){ "insecure", "" };
}

bool probe_run(struct cli *c, const struct probe *p) {
  struct smtp_run s = { .lmtp = p->lmtp };
  struct url url = { .scheme = "smtp", .port = p->port, .tls = strcmp(p->tls, "implicit") == 0 };
  struct dns_host at = { .address_count = 1, .addresses = { p->address } };
  bool replied = false;
  if (c->given_count == CLI_GIVEN_MAX) return false;
  snprintf(url.host, sizeof url.host, "%s", p->host);
  smtp_reply_init(&s.reply);
  probe_options(c, p);
  if (net_try_at(&s.net, c, &url, "smtp", &at, PROBE_CONNECT_MS, p->source.n ? &p->source : NULL) !=
      CLI_EXIT_OK) {
    probe_trouble(p, "connect", &s);
  } else {
    s.net.timeout_ms = PROBE_REPLY_MS;
    bool ready = probe_ask(p, &s, "greeting", NULL) && probe_good(&s) && probe_ehlo(p, &s) &&
                 probe_secure(p, &s);
    replied = ready && probe_envelope(p, &s);
    if (!s.net.over) probe_ask(p, &s, "QUIT", "QUIT");
  }
  c->given_count--;
  net_close(&s.net);
  smtp_reply_free(&s.reply);
  return replied;
}
