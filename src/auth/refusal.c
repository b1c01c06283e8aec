/* SPDX-License-Identifier: ISC */
/* The log line of a failed login: name, address, service, mechanism, and reason. Never the secret,
 * nor anything derived from it. */
#include "src/auth/core.h"

const char *auth_service(enum role kind, struct slice name) {
  static const struct {
    enum role kind;
    const char *name;
  } services[] = {
    { ROLE_SMTPD, "smtp" },  { ROLE_SMTPD, "submission" }, { ROLE_SMTPD, "submissions" },
    { ROLE_SMTPD, "local" }, { ROLE_POP3D, "pop3" },       { ROLE_POP3D, "pop3s" },
  };
  for (size_t i = 0; i < sizeof services / sizeof *services; i++)
    if (services[i].kind == kind && slice_eq(name, slice_str(services[i].name)))
      return services[i].name;
  return NULL;
}

/* A refused token names nobody: then the name that the client asked for. */
static struct slice name_tried(const struct login *l) {
  if (!l->sasl.mech) return SLICE_NONE;
  return buf_slice(buf_len(&l->sasl.name) ? &l->sasl.name : &l->sasl.authzid);
}

void auth_report(struct auth *a, const struct login *l, const char *why) {
  if (!a->shell.refused) return;
  const struct auth_refusal r = {
    .kind = l->kind,
    .front = l->front_number,
    .session = l->tag,
    .peer = slice_of(l->peer, l->peer_n),
    .service = l->service,
    .name = name_tried(l),
    .mechanism = l->mechanism ? l->mechanism : "",
    .why = why,
  };
  a->shell.refused(a->shell.arg, &r);
}

const char *auth_wrong_words(const struct login *l) {
  if (l->token_why) return l->token_why;
  if (!l->known) return "no such account, or it is disabled or has no secret for this mechanism";
  return l->mismatch ? "asked to act for another account" : "wrong password";
}

const char *auth_failure_words(enum auth_failure why) {
  static const char *const words[AUTH_FAILURES] = {
    [AUTH_WRONG] = "the account has changed meanwhile", [AUTH_MALFORMED] = "malformed",
    [AUTH_UNAVAILABLE] = "mechanism not allowed here",  [AUTH_TROUBLE] = "told to try later",
    [AUTH_TOO_SOON] = "too soon after the last login",
  };
  return words[why];
}
