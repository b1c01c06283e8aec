/* SPDX-License-Identifier: ISC */
/* An SMTP client session on the command line (smtp_shell.h): its policy from the options, its
 * source, its end and its verdicts in words. src/cli/link/net_run.c drives it.
 *
 * Invariant: between two calls the session is idle, or it has ended. */
#include "src/cli/client/smtp_shell.h"

#include <stdio.h>
#include <unistd.h>

#include "lib/base/sys.h"
#include "src/cli/client/had_tls.h"

/* Between two messages any time may pass that the other side of a fetch needs. */
#define NO_LIMIT_MS (UINT64_C(365) * 24 * 3600 * 1000)

/* --- the source --- */

static struct smtp_letter *on_next(void *arg) {
  struct smtp_shell *s = arg;
  struct smtp_letter *l = s->next;
  s->next = NULL;
  return l;
}

static void print_changes(const struct mail_changes *c) {
  struct buf b;
  if (!mail_changes_any(c)) return;
  buf_init(&b, 256);
  mail_changes_report(&b, 1, c);
  cli_fail(0, "%.*s", SLICE_ARG(buf_slice(&b)));
  buf_free(&b);
}

static enum smtp_source_verdict on_read(void *arg, struct smtp_letter *l, struct buf *out,
                                        size_t most) {
  struct smtp_shell *s = arg;
  size_t piece = (most - MAIL_CLEAN_ROOM) / 2;
  if (s->rest.n == s->message.n) net_show_text(&s->net, "C", s->message);
  mail_clean_put(&s->clean, slice_first(s->rest, piece), out);
  s->rest = slice_from(s->rest, piece);
  if (s->rest.n) return SMTP_SOURCE_MORE;
  mail_clean_end(&s->clean, out);
  mail_changes_add(&s->clean.changed, &s->changed);
  s->changed = (struct mail_changes){ 0 };
  print_changes(&s->clean.changed);
  return SMTP_SOURCE_END;
}

static void on_done(void *arg, struct smtp_letter *l) {}

/* RFC 5321 §4.1.1.1: the reply to EHLO begins with the server's name. */
static void on_reply(void *arg, const char *command, unsigned code, struct slice text) {
  struct smtp_shell *s = arg;
  size_t n = 0;
  if (code / 100 != 2 || (strcmp(command, "EHLO") != 0 && strcmp(command, "HELO") != 0)) return;
  while (n < text.n && text.p[n] != ' ' && !ascii_is_control(text.p[n])) n++;
  snprintf(s->server, sizeof s->server, "%.*s", SLICE_ARG(slice_first(text, n)));
}

/* --- driving --- */

static enum net_idle on_idle(void *arg) {
  const struct smtp_shell *s = arg;
  return s->session->idle ? NET_STOP : NET_WAIT;
}

static void run(struct smtp_shell *s) {
  net_run(&s->net, &(struct net_driven){ &smtp_client_ops, &s->session->proto, on_idle, s });
}

bool smtp_shell_is_over(const struct smtp_shell *s) {
  return !s->session || s->session->end != SMTP_END_NONE;
}

/* --- words --- */

/* The command that a reply at this stage answers. */
static void put_command(const struct smtp_shell *s, struct buf *out, const struct smtp_verdict *v,
                        const struct smtp_letter *l, const struct smtp_letter_rcpt *r) {
  if (v->stage <= SMTP_STAGE_GREETING)
    buf_put_str(out, s->net.url.host);
  else if (v->stage >= SMTP_STAGE_BODY)
    buf_put_str(out, "the message");
  else
    buf_put_str(out, smtp_stage_command(v->stage));
  if (l && v->stage == SMTP_STAGE_MAIL) buf_printf(out, " FROM:<%.*s>", SLICE_ARG(l->return_path));
  if (r && v->stage == SMTP_STAGE_RCPT) buf_printf(out, " TO:<%.*s>", SLICE_ARG(r->address));
}

static int code_of(const struct smtp_verdict *v) {
  return v->code / 100 == 4 ? CLI_EXIT_TEMPORARY : CLI_EXIT_UNAVAILABLE;
}

static int print_reply(struct smtp_shell *s, const struct smtp_verdict *v,
                       const struct smtp_letter *l, const struct smtp_letter_rcpt *r) {
  struct buf what;
  buf_init(&what, 4096);
  put_command(s, &what, v, l, r);
  buf_put_str(&what, ": ");
  if (v->code) buf_printf(&what, "%u ", v->code);
  buf_put(&what, buf_slice(&v->text));
  int code = cli_fail(code_of(v), "%.*s", SLICE_ARG(buf_slice(&what)));
  buf_free(&what);
  return code;
}

static int print_no_tls(const struct smtp_shell *s) {
  if (!s->had_tls) return cli_fail(CLI_EXIT_REFUSED, "%s has no STARTTLS", s->net.url.host);
  return cli_fail(CLI_EXIT_REFUSED,
                  "%s had TLS before: nothing is said to it without; if it has none any more, "
                  "--tls-is-gone",
                  s->net.url.host);
}

/* Even a challenge-response proof can be attacked by guessing, with a challenge chosen by an
 * attacker who removed STARTTLS from the list. */
static int print_no_login(const struct smtp_shell *s) {
  struct slice why = buf_slice(&s->session->last.text);
  if (!s->net.tls && !s->net.plain)
    return cli_fail(
        CLI_EXIT_REFUSED,
        "%s offers no TLS, and logins are not sent in the clear; --no-starttls allows it",
        s->net.url.host);
  return cli_fail(CLI_EXIT_REFUSED, "%s: %.*s", s->net.url.host, SLICE_ARG(why));
}

/* The session ended early. */
static int print_end(struct smtp_shell *s) {
  const struct smtp_client *p = s->session;
  struct slice why = buf_slice(&p->last.text);
  const char *host = s->net.url.host;
  switch (p->end) {
  case SMTP_END_NONE:
  case SMTP_END_DONE: return CLI_EXIT_OK;
  case SMTP_END_NOT_WELCOME:
  case SMTP_END_EHLO_REFUSED:
  case SMTP_END_TLS_REFUSED:
  case SMTP_END_SHUT_DOWN: return print_reply(s, &p->last, NULL, NULL);
  case SMTP_END_NO_TLS: return print_no_tls(s);
  case SMTP_END_INJECTION:
  case SMTP_END_TLS_FAILED:
    return cli_fail(CLI_EXIT_REFUSED, "%s",
                    s->net.error[0] ? s->net.error : smtp_end_meaning(p->end));
  case SMTP_END_NO_MECHANISM: return print_no_login(s);
  case SMTP_END_LOGIN_WRONG:
  case SMTP_END_UNPROVEN:
    return cli_fail(CLI_EXIT_REFUSED, "the login was refused: %.*s", SLICE_ARG(why));
  case SMTP_END_NO_MEMORY: return cli_fail(CLI_EXIT_SYSTEM, "no memory");
  case SMTP_END_PROTOCOL:
    return cli_fail(CLI_EXIT_UNAVAILABLE, "%s does not speak it as it is meant", host);
  default: break;
  }
  if (s->net.error[0]) return cli_fail(CLI_EXIT_UNAVAILABLE, "%s", s->net.error);
  return cli_fail(CLI_EXIT_UNAVAILABLE, "%s: %s", host, smtp_end_meaning(p->end));
}

/* --- opening --- */

int smtp_shell_open(struct smtp_shell *s, const struct cli *c, const struct url *url, bool lmtp) {
  *s = (struct smtp_shell){ .lmtp = lmtp };
  return net_open(&s->net, c, url, lmtp ? NULL : "smtp");
}

static enum smtp_client_tls tls_of(const struct smtp_shell *s) {
  if (s->net.tls) return SMTP_TLS_IMPLICIT;
  if (s->net.plain) return SMTP_TLS_NEVER;
  return s->net.strict || s->had_tls ? SMTP_TLS_MUST : SMTP_TLS_ONCE_OFFERED;
}

static struct smtp_client *new_session(struct smtp_shell *s, const struct smtp_shell_start *how,
                                       const char *hello) {
  struct smtp_client_start start = {
    .hello = hello,
    .host = s->net.url.host,
    .port = s->net.url.port,
    .user = slice_str(s->net.url.user),
    .secret = how->password,
    .mechanism = how->mechanism,
    .policy = { .tls = tls_of(s),
                .lmtp = s->lmtp,
                .may_show = s->net.plain,
                .second_try = !s->net.insecure,
                .all_or_none = how->all_or_none },
    .limits = { .idle_ms = NO_LIMIT_MS, .session_ms = NO_LIMIT_MS, .letters = UINT32_MAX },
    .source = { on_next, on_read, on_done, s },
    .watch = { on_reply, s },
    .now_ms = sys_mono_ms(),
  };
  sys_random(start.nonce, sizeof start.nonce);
  net_equip(&s->net, &start.trace, &start.channel);
  return smtp_client_new(&start);
}

int smtp_shell_start(struct smtp_shell *s, const struct smtp_shell_start *how) {
  char hello[256] = "";
  s->had_tls = !how->tls_is_gone && had_tls_before(&s->net.url);
  if (s->had_tls && s->net.plain && !s->net.tls) return print_no_tls(s);
  if (gethostname(hello, sizeof hello - 1) != 0 || !hello[0])
    snprintf(hello, sizeof hello, "localhost");
  s->session = new_session(s, how, hello);
  if (!s->session) return cli_fail(CLI_EXIT_SYSTEM, "no memory");
  run(s);
  if (s->net.tls && s->session->end != SMTP_END_TLS_FAILED) had_tls_note(&s->net.url);
  return print_end(s);
}

/* --- messages --- */

void smtp_shell_send(struct smtp_shell *s, struct smtp_letter *l, struct slice message) {
  mail_is_clean(message, &l->size);
  s->message = s->rest = message;
  s->clean = (struct mail_clean){ .octets = 0 };
  s->next = l;
  s->session->proto.now_ms = sys_mono_ms();
  smtp_client_wake(s->session);
  run(s);
  s->next = NULL;
}

bool smtp_shell_has_eight_bit(struct slice message) {
  return slice_has_high(message) || slice_find(message, 0) >= 0;
}

static int print_obstacle(struct smtp_shell *s, const struct smtp_letter *l,
                          const struct smtp_verdict *v) {
  const char *host = s->net.url.host;
  if (v->obstacle == SMTP_LACKS_8BITMIME)
    return cli_fail(CLI_EXIT_DATA, "%s takes no message with 8-bit characters", host);
  if (v->obstacle == SMTP_LACKS_SIZE)
    return cli_fail(CLI_EXIT_DATA, "the message has %llu octets, %s takes %llu",
                    (unsigned long long)l->size, host, (unsigned long long)s->session->size_limit);
  return cli_fail(CLI_EXIT_DATA, "%s: %.*s", host, SLICE_ARG(buf_slice(&v->text)));
}

/* By a reply, or here; not by the end of the connection. */
static bool is_decided(const struct smtp_verdict *v) {
  return v->fate == SMTP_DELIVERED || v->fate == SMTP_PERMANENT || v->obstacle ||
         (v->fate == SMTP_TEMPORARY && v->code);
}

/* Verdicts of RCPT are printed for each recipient; any other concerns all, and is printed once. */
static void report_one(struct smtp_shell *s, const struct smtp_letter *l,
                       const struct smtp_letter_rcpt *r, struct smtp_shell_result *ret) {
  const struct smtp_verdict *v = &r->verdict;
  bool own = v->stage == SMTP_STAGE_RCPT;
  ret->taken += v->fate == SMTP_DELIVERED;
  ret->left += !is_decided(v);
  if (v->fate == SMTP_DELIVERED || !is_decided(v) || (!own && ret->whole != CLI_EXIT_OK)) return;
  int code = v->obstacle ? print_obstacle(s, l, v) : print_reply(s, v, l, r);
  if (!own)
    ret->whole = code;
  else if (ret->refused != CLI_EXIT_TEMPORARY)
    ret->refused = code == CLI_EXIT_UNAVAILABLE ? CLI_EXIT_NOT_FOUND : code;
}

struct smtp_shell_result smtp_shell_report(struct smtp_shell *s, const struct smtp_letter *l) {
  struct smtp_shell_result ret = { .whole = CLI_EXIT_OK };
  bool doubtful = false;
  for (size_t i = 0; i < l->count; i++) {
    report_one(s, l, &l->rcpts[i], &ret);
    doubtful |= l->rcpts[i].verdict.doubtful;
  }
  if (ret.left && ret.whole == CLI_EXIT_OK) ret.whole = print_end(s);
  if (doubtful) cli_fail(0, "it had all of the message and may have taken it");
  if (!ret.taken && ret.whole == CLI_EXIT_OK && ret.refused == CLI_EXIT_OK)
    ret.whole = cli_fail(CLI_EXIT_TEMPORARY, "%s accepted it for no recipient", s->net.url.host);
  return ret;
}

void smtp_shell_close(struct smtp_shell *s) {
  if (!smtp_shell_is_over(s)) {
    s->session->proto.now_ms = sys_mono_ms();
    smtp_client_finish(s->session);
    run(s);
  }
  smtp_client_free(&s->session);
  net_close(&s->net);
}
