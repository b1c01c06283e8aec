/* SPDX-License-Identifier: ISC */
/* The SMTP client of the command line (smtp_client.h): RFC 5321, 3207, 4954; RFC 2033 for LMTP. */
#include "src/cli/client/smtp_client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/num.h"
#include "lib/base/sys.h"
#include "mail/smtp/data.h"
#include "src/cli/client/had_tls.h"
#include "src/cli/client/login.h"

static int over(struct smtp_run *s) { return cli_fail(CLI_EXIT_UNAVAILABLE, "%s", s->net.error); }

/* --- replies --- */

static void show_reply(struct smtp_run *s) {
  struct slice rest = buf_slice(&s->reply.text);
  struct buf line;
  buf_init(&line, 4096);
  do {
    struct slice text = slice_split(&rest, '\n');
    buf_reset(&line);
    buf_printf(&line, "%u%c", s->reply.code, rest.p ? '-' : ' ');
    buf_put(&line, text);
    net_show(&s->net, "S", buf_slice(&line));
  } while (rest.p);
  buf_free(&line);
}

/* More of a reply that has to be whole at `end_ms`. */
static bool fill(struct net *n, uint64_t end_ms) {
  int whole = n->timeout_ms;
  uint64_t now = sys_mono_ms();
  n->timeout_ms = end_ms > now ? (int)(end_ms - now) : 0;
  bool more = net_fill(n);
  n->timeout_ms = whole;
  return more;
}

/* The next reply. False: the connection is over. */
static bool receive_reply(struct smtp_run *s) {
  uint64_t end_ms = sys_mono_ms() + (uint64_t)s->net.timeout_ms;
  smtp_reply_reset(&s->reply);
  for (;;) {
    struct slice in = buf_slice(&s->net.in);
    enum smtp_read r = smtp_reply_read(&s->reply, &in);
    buf_drop(&s->net.in, buf_len(&s->net.in) - in.n);
    if (r == SMTP_READ_DONE) {
      show_reply(s);
      return true;
    }
    if (r == SMTP_READ_MORE && fill(&s->net, end_ms)) continue;
    if (!s->net.over)
      snprintf(s->net.error, sizeof s->net.error, "%s does not speak it as it is meant",
               s->net.url.host);
    s->net.over = true;
    return false;
  }
}

static int refused(struct smtp_run *s, const char *what) {
  struct slice words = buf_slice(&s->reply.text);
  int code = s->reply.code / 100 == 4 ? CLI_EXIT_TEMPORARY : CLI_EXIT_UNAVAILABLE;
  return cli_fail(code, "%s: %u %.*s", what, s->reply.code, SLICE_ARG(words));
}

bool smtp_client_exchange(struct smtp_run *s, const char *line) {
  return (!line || net_line(&s->net, slice_str(line), NULL)) && receive_reply(s);
}

/* A command and a reply of that class (2 or 3). No argument can end the command's line. */
int smtp_client_ask(struct smtp_run *s, const char *line, unsigned class) {
  if (line[strcspn(line, "\r\n")])
    return cli_fail(CLI_EXIT_USAGE, "%s: a command is one line", line);
  if (!net_line(&s->net, slice_str(line), NULL) || !receive_reply(s)) return over(s);
  return s->reply.code / 100 == class ? CLI_EXIT_OK : refused(s, line);
}

/* --- the greeting's part --- */

static void take_keyword(struct smtp_run *s, struct slice line) {
  struct slice word = slice_split(&line, ' ');
  if (slice_caseeq(word, SLICE("STARTTLS"))) s->starttls = true;
  if (slice_caseeq(word, SLICE("8BITMIME"))) s->eight_bit = true;
  if (slice_caseeq(word, SLICE("SIZE"))) {
    s->has_size = true;
    if (!num_parse(line, UINT64_MAX, &s->size_limit)) s->size_limit = 0;
  }
  if (slice_caseeq(word, SLICE("AUTH")) && line.n < sizeof s->mechanisms)
    snprintf(s->mechanisms, sizeof s->mechanisms, "%.*s", SLICE_ARG(line));
}

void smtp_client_take_ehlo(struct smtp_run *s) {
  struct slice rest = buf_slice(&s->reply.text);
  s->starttls = s->eight_bit = s->has_size = false;
  s->mechanisms[0] = 0;
  slice_split(&rest, '\n'); /* the first line greets */
  while (rest.p) take_keyword(s, slice_split(&rest, '\n'));
}

static int send_ehlo(struct smtp_run *s) {
  char host[256] = "", line[300];
  if (gethostname(host, sizeof host - 1) != 0 || !host[0]) snprintf(host, sizeof host, "localhost");
  snprintf(line, sizeof line, "%s %s", s->lmtp ? "LHLO" : "EHLO", host);
  int code = smtp_client_ask(s, line, 2);
  if (code == CLI_EXIT_OK) smtp_client_take_ehlo(s);
  return code;
}

static int go_without_tls(struct smtp_run *s) {
  if (s->tls_is_gone || !had_tls_before(&s->net.url)) return CLI_EXIT_OK;
  return cli_fail(CLI_EXIT_REFUSED,
                  "%s had TLS before: nothing is said to it without; if it has none any more, "
                  "--tls-is-gone",
                  s->net.url.host);
}

int smtp_client_secure(struct smtp_run *s) {
  if (s->net.tls) had_tls_note(&s->net.url);
  if (s->net.tls) return CLI_EXIT_OK;
  if (s->net.plain || (!s->starttls && !s->net.strict)) return go_without_tls(s);
  if (!s->starttls) return cli_fail(CLI_EXIT_REFUSED, "%s has no STARTTLS", s->net.url.host);
  int code = smtp_client_ask(s, "STARTTLS", 2);
  if (code != CLI_EXIT_OK) return code;
  if (!net_start_tls(&s->net)) return cli_fail(CLI_EXIT_REFUSED, "%s", s->net.error);
  had_tls_note(&s->net.url);
  return send_ehlo(s); /* RFC 3207 §4.2 */
}

static enum login_answer receive_sasl(struct net *n, struct buf *ret) {
  struct smtp_run *s = (struct smtp_run *)n;
  if (!receive_reply(s)) return LOGIN_OVER;
  buf_put(ret, buf_slice(&s->reply.text));
  if (s->reply.code == 334) return LOGIN_CHALLENGE;
  return s->reply.code / 100 == 2 ? LOGIN_ACCEPTED : LOGIN_REFUSED;
}

static enum sasl_refusal refusal_of(const struct smtp_run *s, enum login_answer a) {
  if (a == LOGIN_UNABLE) return SASL_REFUSED_HERE;
  return a == LOGIN_REFUSED ? smtp_login_refusal(s->reply.code) : SASL_REFUSED_OTHERWISE;
}

/* One way after the other (mail/sasl/login.h). `why` is of the last. */
static enum login_answer try_ways(struct smtp_run *s, const struct sasl_login_rules *r,
                                  struct slice password, struct buf *why) {
  struct sasl_login_offer o = { .mechanisms = slice_str(s->mechanisms) };
  struct sasl_login_past tried = { 0 };
  enum login_answer a = LOGIN_UNABLE;
  const struct sasl_way *w = sasl_login_choose(r, &o, &tried);
  if (!w || w->kind != SASL_WAY_AUTH)
    buf_printf(why, "%s offers no mechanism that may be used here", s->net.url.host);
  while (w && w->kind == SASL_WAY_AUTH) {
    buf_reset(why);
    a = login_sasl(&s->net, sasl_way_mechanism(w), slice_str(s->net.url.user), o.mechanisms,
                   password, SASL_MESSAGE_MAX, receive_sasl, why);
    if (a == LOGIN_ACCEPTED || a == LOGIN_OVER) break;
    w = sasl_login_again(r, &o, &tried, w, refusal_of(s, a));
  }
  return a;
}

int smtp_client_login(struct smtp_run *s, const char *named, struct slice password) {
  struct sasl_login_rules r = {
    .named = slice_str(named),
    .secure = s->net.tls != NULL,
    .binds = s->net.tls && tls_binds(s->net.tls),
    .may_show = s->net.plain,
    .second_try = !s->net.insecure,
  };
  /* A proof can be guessed at too, over a challenge chosen by an attacker who took STARTTLS out of
   * the list. */
  if (!sasl_login_allowed(&r))
    return cli_fail(
        CLI_EXIT_REFUSED,
        "%s offers no TLS, and nothing of a login goes in the clear; --no-starttls lets it",
        s->net.url.host);
  struct buf why;
  buf_init(&why, 4096);
  enum login_answer a = try_ways(s, &r, password, &why);
  int code = CLI_EXIT_OK;
  if (a == LOGIN_OVER)
    code = over(s);
  else if (a == LOGIN_UNABLE)
    code = cli_fail(CLI_EXIT_REFUSED, "%.*s", SLICE_ARG(buf_slice(&why)));
  else if (a != LOGIN_ACCEPTED)
    code = cli_fail(CLI_EXIT_REFUSED, "the login was refused: %.*s", SLICE_ARG(buf_slice(&why)));
  buf_free(&why);
  return code;
}

/* --- the transaction --- */

int smtp_client_mail(struct smtp_run *s, const char *from, uint64_t octets, bool eight_bit) {
  char line[800], size[40] = "";
  if (eight_bit && !s->eight_bit)
    return cli_fail(CLI_EXIT_DATA, "%s takes no message with 8-bit characters", s->net.url.host);
  if (s->size_limit && octets > s->size_limit)
    return cli_fail(CLI_EXIT_DATA, "the message has %llu octets, %s takes %llu",
                    (unsigned long long)octets, s->net.url.host, (unsigned long long)s->size_limit);
  if (s->has_size) snprintf(size, sizeof size, " SIZE=%llu", (unsigned long long)octets);
  snprintf(line, sizeof line, "MAIL FROM:<%s>%s%s", from, size, eight_bit ? " BODY=8BITMIME" : "");
  return smtp_client_ask(s, line, 2);
}

int smtp_client_rcpt(struct smtp_run *s, const char *to) {
  char line[400];
  snprintf(line, sizeof line, "RCPT TO:<%s>", to);
  int code = smtp_client_ask(s, line, 2);
  return code == CLI_EXIT_UNAVAILABLE && !s->net.over ? CLI_EXIT_NOT_FOUND : code;
}

static void print_changes(const struct mail_changes *c) {
  struct buf b;
  if (!mail_changes_any(c)) return;
  buf_init(&b, 256);
  mail_changes_report(&b, 1, c);
  cli_fail(0, "%.*s", SLICE_ARG(buf_slice(&b)));
  buf_free(&b);
}

int smtp_client_data(struct smtp_run *s, struct slice message) {
  enum { PIECE = 64 * 1024 };
  struct smtp_stuff stuff = { .any = false };
  struct mail_clean clean = { .octets = 0 };
  struct buf piece, out;
  int code = smtp_client_ask(s, "DATA", 3);
  if (code != CLI_EXIT_OK) return code;
  bool ok = true;
  buf_init(&piece, 2 * PIECE + MAIL_CLEAN_ROOM);
  buf_init(&out, 4 * PIECE);
  for (struct slice rest = message; ok && rest.n; rest = slice_from(rest, PIECE)) {
    mail_clean_put(&clean, slice_first(rest, PIECE), &piece);
    if (rest.n <= PIECE) mail_clean_end(&clean, &piece);
    smtp_stuff_put(&stuff, &out, buf_slice(&piece));
    ok = !piece.failed && !out.failed && net_write(&s->net, buf_slice(&out));
    buf_reset(&piece);
    buf_reset(&out);
  }
  buf_free(&piece);
  mail_changes_add(&clean.changed, &s->changed);
  s->changed = (struct mail_changes){ 0 };
  print_changes(&clean.changed);
  smtp_stuff_end(&stuff, &out);
  net_show_text(&s->net, "C", message);
  net_show(&s->net, "C", SLICE("."));
  ok = ok && !out.failed && net_write(&s->net, buf_slice(&out)) && receive_reply(s);
  buf_free(&out);
  if (!ok) return over(s);
  if (s->reply.code / 100 != 2) return refused(s, "the message");
  return CLI_EXIT_OK;
}

/* --- the whole --- */

int smtp_client_open(struct smtp_run *s, const struct cli *c, const struct url *url, bool lmtp) {
  *s = (struct smtp_run){ .lmtp = lmtp, .tls_is_gone = cli_given(c, "tls-is-gone") };
  smtp_reply_init(&s->reply);
  int code = net_open(&s->net, c, url, lmtp ? NULL : "smtp");
  if (code == CLI_EXIT_OK && !receive_reply(s)) code = over(s);
  if (code == CLI_EXIT_OK && s->reply.code / 100 != 2) code = refused(s, s->net.url.host);
  if (code == CLI_EXIT_OK) code = send_ehlo(s);
  return code;
}

void smtp_client_close(struct smtp_run *s) {
  if (!s->net.over && s->net.fd >= 0) smtp_client_ask(s, "QUIT", 2);
  net_close(&s->net);
  smtp_reply_free(&s->reply);
}
