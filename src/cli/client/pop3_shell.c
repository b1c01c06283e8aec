/* SPDX-License-Identifier: ISC */
/* The blocking shell of a POP3 client session (pop3_shell.h): runs what the session asks for (send,
 * read, TLS, close) over a struct net until it ends. Invariant: what the server sent before TLS is
 * never given to the session after it. */
#include "src/cli/client/pop3_shell.h"

#include <stdio.h>

#include "lib/base/sys.h"
#include "src/cli/base/terminal.h"

static void show(void *arg, char direction, struct slice line) {
  char who[2] = { direction, 0 };
  net_show(arg, who, line);
}

static void bindings(void *arg, struct proto_bindings *ret) {
  const struct net *n = arg;
  if (n->tls && tls_binds(n->tls)) ret->exporter_n = tls_binding_exporter(n->tls, ret->exporter);
}

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
  if (n->verbose) ret->trace = (struct proto_trace){ show, n };
  ret->channel = (struct proto_channel){ bindings, n };
  ret->now_ms = sys_mono_ms();
}

static bool flush(struct net *n, struct pop3_client *p) {
  struct buf *out = &p->proto.out;
  bool ok = buf_len(out) == 0 || net_write(n, buf_slice(out));
  buf_reset(out);
  return ok;
}

/* TL-12: what the server sent before is no part of what it sends under TLS. */
static void secure(struct net *n, struct pop3_client *p) {
  bool spoke = buf_len(&n->in) > 0;
  if (net_start_tls(n))
    pop3_client_secured(p);
  else
    pop3_client_gone(p, spoke ? POP3_END_INJECTION : POP3_END_TLS_FAILED);
}

/* Gives it what is in hand. False: it wants more before it can go on. */
static bool feed(struct net *n, struct pop3_client *p) {
  struct slice in = buf_slice(&n->in);
  size_t before = in.n;
  if (before) pop3_client_input(p, &in);
  buf_drop(&n->in, before - in.n);
  return in.n < before;
}

static int patience(const struct pop3_client *p) {
  uint64_t at = p->proto.deadline_ms, now = p->proto.now_ms;
  if (!at || at > now + NET_TIMEOUT_MS) return NET_TIMEOUT_MS;
  return at > now ? (int)(at - now) + 1 : 1;
}

void pop3_shell_run(struct net *n, struct pop3_client *p, void (*settle)(void *arg), void *arg) {
  while (p->end == POP3_END_NONE) {
    p->proto.now_ms = sys_mono_ms();
    if (!flush(n, p)) {
      pop3_client_gone(p, POP3_END_GONE);
    } else if (p->proto.want == PROTO_TLS) {
      secure(n, p);
    } else if (p->proto.holds) {
      pop3_client_resume(p);
    } else if (p->settling && settle) {
      settle(arg);
    } else if (!feed(n, p)) {
      int whole = n->timeout_ms;
      n->timeout_ms = patience(p);
      bool more = net_fill(n);
      n->timeout_ms = whole;
      p->proto.now_ms = sys_mono_ms();
      if (!more) pop3_client_gone(p, n->late ? POP3_END_IDLE : POP3_END_GONE);
    }
    if (p->proto.deadline_ms && p->proto.now_ms >= p->proto.deadline_ms) pop3_client_tick(p);
  }
  flush(n, p); /* a QUIT without an answer */
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
    buf_put_str(&b, "; --no-tls lets the password go in the clear");
  cli_fail(code, "%.*s", SLICE_ARG(buf_slice(&b)));
  buf_free(&b);
  return code;
}
