/* SPDX-License-Identifier: ISC */
/* `qasid plan --probe`: a client session that sends only the envelope: EHLO … RCPT, then RSET and
 * QUIT. The connection is made by this process, as in `qasid send`. The server's replies are always
 * shown. */
#include "src/cli/client/probe.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/sys.h"
#include "mail/smtp/client.h"
#include "src/cli/link/net.h"

enum { PROBE_CONNECT_MS = 15000, PROBE_REPLY_MS = 30000, PROBE_TEXT_MAX = 2048 };

struct probing {
  const struct probe *p;
  struct net net;
  struct smtp_client *session;
  struct smtp_letter letter;
  struct smtp_letter_rcpt rcpt;
  bool given;   /* the letter */
  bool secured; /* this was shown */
  bool replied; /* to MAIL with a refusal, or to RCPT */
};

static void probe_show(struct probing *x, const char *command, struct slice text) {
  x->p->say(x->p->arg, command, 0, text);
}

/* --- what the session asks for, and shows --- */

static struct smtp_letter *on_next(void *arg) {
  struct probing *x = arg;
  struct smtp_letter *l = x->given ? NULL : &x->letter;
  x->given = true;
  return l;
}

static enum smtp_source_verdict on_read(void *arg, struct smtp_letter *l, struct buf *out,
                                        size_t most) {
  return SMTP_SOURCE_BROKEN; /* no DATA, no octets */
}

static void on_done(void *arg, struct smtp_letter *l) {
  const struct smtp_verdict *v = &l->rcpts[0].verdict;
  if (!v->code && buf_len(&v->text)) probe_show(arg, "MAIL", buf_slice(&v->text));
  smtp_letter_free_verdicts(l);
}

static void on_reply(void *arg, const char *command, unsigned code, struct slice reply) {
  struct probing *x = arg;
  struct buf text;
  if (x->net.tls && !x->net.url.tls && !x->secured) probe_show(x, "TLS", SLICE("secured"));
  x->secured |= x->net.tls != NULL;
  x->replied |= strcmp(command, "RCPT") == 0 || (strcmp(command, "MAIL") == 0 && code / 100 != 2);
  buf_init(&text, PROBE_TEXT_MAX);
  for (struct slice rest = reply; rest.p;) {
    struct slice one = slice_split(&rest, '\n');
    buf_put(&text, slice_first(one, buf_room(&text)));
    if (rest.p && buf_room(&text) >= 3) buf_put_str(&text, " / ");
  }
  x->p->say(x->p->arg, command, code, buf_slice(&text));
  buf_free(&text);
}

/* --- the whole --- */

static struct smtp_client *probe_session(struct probing *x) {
  const struct probe *p = x->p;
  bool must = strcmp(p->tls, "required") == 0 || strcmp(p->tls, "verified") == 0;
  struct smtp_client_start start = {
    .hello = p->hello,
    .host = p->host,
    .port = p->port,
    .policy = { .tls = x->net.tls                    ? SMTP_TLS_IMPLICIT
                       : strcmp(p->tls, "none") == 0 ? SMTP_TLS_NEVER
                       : must                        ? SMTP_TLS_MUST
                                                     : SMTP_TLS_IF_OFFERED,
                .lmtp = p->lmtp,
                .no_pipeline = true,
                .envelope_only = true },
    .limits = { .greeting_ms = PROBE_REPLY_MS, .command_ms = PROBE_REPLY_MS },
    .source = { on_next, on_read, on_done, x },
    .watch = { on_reply, x },
    .now_ms = sys_mono_ms(),
  };
  x->rcpt = (struct smtp_letter_rcpt){ .address = slice_str(p->to) };
  x->letter =
      (struct smtp_letter){ .return_path = slice_str(p->from), .rcpts = &x->rcpt, .count = 1 };
  net_equip(&x->net, &start.trace, &start.channel);
  return smtp_client_new(&start);
}

/* A result of the session that is not a reply. */
static void probe_show_end(struct probing *x) {
  const struct smtp_client *s = x->session;
  const char *why = x->net.error[0] ? x->net.error : smtp_end_meaning(s->end);
  if (s->end == SMTP_END_NO_TLS)
    probe_show(x, "STARTTLS", SLICE("it is not offered, and the route requires TLS"));
  else if (s->end == SMTP_END_TLS_FAILED || s->end == SMTP_END_INJECTION)
    probe_show(x, "TLS", slice_str(why));
  else if (smtp_end_class(s->end) != SMTP_END_IS_DONE && !s->last.code)
    probe_show(x, smtp_stage_command(s->stage), slice_str(why));
}

static void probe_talk(struct probing *x) {
  x->net.secure_ms = PROBE_REPLY_MS;
  x->session = probe_session(x);
  if (!x->session) {
    probe_show(x, "connect", SLICE("no memory"));
    return;
  }
  net_run(&x->net, &(struct net_driven){ .ops = &smtp_client_ops, .session = &x->session->proto });
  probe_show_end(x);
  smtp_client_free(&x->session);
}

/* Command line options override the policy. */
static void probe_options(struct cli *c, const struct probe *p) {
  bool verified = strcmp(p->tls, "verified") == 0 || strcmp(p->tls, "implicit") == 0;
  c->given[c->given_count++] = verified ? (struct cli_given){ "ca", c->conf->tls_authorities }
                                        : (struct cli_given){ "insecure", "" };
}

bool probe_run(struct cli *c, const struct probe *p) {
  struct probing x = { .p = p };
  struct url url = { .scheme = "smtp", .port = p->port, .tls = strcmp(p->tls, "implicit") == 0 };
  struct dns_host at = { .address_count = 1, .addresses = { p->address } };
  if (c->given_count == CLI_GIVEN_MAX) return false;
  snprintf(url.host, sizeof url.host, "%s", p->host);
  probe_options(c, p);
  if (net_try_at(&x.net, c, &url, "smtp", &at, PROBE_CONNECT_MS, p->source.n ? &p->source : NULL) ==
      CLI_EXIT_OK)
    probe_talk(&x);
  else
    probe_show(&x, "connect", slice_str(x.net.error));
  c->given_count--;
  net_close(&x.net);
  return x.replied;
}
