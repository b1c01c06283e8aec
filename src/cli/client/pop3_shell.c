/* SPDX-License-Identifier: ISC */
/* A POP3 client session on the command line (pop3_shell.h): its policy from the options, its end in
 * words. src/cli/link/net_run.c drives it. */
#include "src/cli/client/pop3_shell.h"

#include <stdio.h>

#include "lib/base/sys.h"
#include "src/cli/base/terminal.h"

void pop3_shell_start(struct net *n, const struct cli *c, struct pop3_client_start *ret) {
  ret->host = n->url.host;
  ret->port = n->url.port;
  ret->mechanism = cli_given(c, "auth");
  /* An attacker between client and server can strip STLS: without --no-tls no credentials are sent
   * in the clear. */
  ret->policy.tls = n->tls ? POP3_TLS_IMPLICIT : n->plain ? POP3_TLS_NEVER : POP3_TLS_MUST;
  ret->policy.may_show = n->plain;
  ret->policy.second_try = !n->insecure;
  sys_random(ret->nonce, sizeof ret->nonce);
  net_equip(n, &ret->trace, &ret->channel);
  ret->now_ms = sys_mono_ms();
}

struct pop3_driving {
  struct pop3_client *session;
  void (*settle)(void *arg);
  void *arg;
};

/* Before waiting for the server, the session gets what it is waiting for from us. */
static enum net_idle on_idle(void *arg) {
  const struct pop3_driving *d = arg;
  if (d->session->proto.holds)
    pop3_client_resume(d->session);
  else if (d->session->settling && d->settle)
    d->settle(d->arg);
  else
    return NET_WAIT;
  return NET_GO;
}

void pop3_shell_run(struct net *n, struct pop3_client *p, void (*settle)(void *arg), void *arg) {
  struct pop3_driving driving = { p, settle, arg };
  net_run(n, &(struct net_driven){ &pop3_client_ops, &p->proto, on_idle, &driving });
}

static int exit_code(enum pop3_end end) {
  switch (end) {
  case POP3_END_DONE: return CLI_EXIT_OK;
  case POP3_END_NO_TLS:
  case POP3_END_STLS_REFUSED:
  case POP3_END_INJECTION:
  case POP3_END_TLS_FAILED:
  case POP3_END_NO_MECHANISM:
  case POP3_END_UNSENDABLE:
  case POP3_END_UNPROVEN:
  case POP3_END_LOGIN_WRONG: return CLI_EXIT_REFUSED;
  case POP3_END_PROTOCOL:
  case POP3_END_TOO_MUCH: return CLI_EXIT_PROTOCOL;
  case POP3_END_IN_USE:
  case POP3_END_LOGIN_DELAY:
  case POP3_END_TROUBLE: return CLI_EXIT_TEMPORARY;
  case POP3_END_NO_MEMORY: return CLI_EXIT_SYSTEM;
  default: return CLI_EXIT_UNAVAILABLE;
  }
}

/* Errors of the connection are reported by n->error, replies of the server by the session. */
static bool has_words(enum pop3_end end) {
  return end != POP3_END_GONE && end != POP3_END_IDLE && end != POP3_END_TLS_FAILED &&
         end != POP3_END_NO_TLS && end != POP3_END_NO_MECHANISM && end != POP3_END_UNSENDABLE &&
         end != POP3_END_QUIT_UNHEARD;
}

int pop3_shell_report(const struct net *n, const struct pop3_client *p) {
  struct buf b;
  int code = exit_code(p->end);
  if (p->end == POP3_END_DONE || p->end == POP3_END_SINK) return code;
  buf_init(&b, 8192);
  buf_printf(&b, "%s: %s", n->url.host, pop3_end_meaning(p->end));
  if (has_words(p->end) && p->text_n) {
    buf_put_str(&b, ": ");
    text_put_safe(&b, slice_of(p->text, p->text_n));
  } else if (n->error[0]) {
    buf_printf(&b, " (%s)", n->error);
  }
  if (p->end == POP3_END_NO_TLS && !n->plain)
    buf_put_str(&b, "; --no-tls allows the password to be sent in the clear");
  cli_fail(code, "%.*s", SLICE_ARG(buf_slice(&b)));
  buf_free(&b);
  return code;
}
