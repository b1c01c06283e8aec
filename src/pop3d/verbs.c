/* SPDX-License-Identifier: ISC */
/* POP3, verb by verb. Dispatch, CAPA and the test of every verb in every state come from these
 * rows.
 *
 * Dispatch checks, in this order: the verb exists, the state allows it, its precondition is true,
 * its arguments are valid; a handler only implements the meaning of the verb. */
#include "src/pop3d/state.h"

enum { ST_BOTH = ST_AUTHORIZATION | ST_TRANSACTION };

static const struct pop3d_verb verbs[] = {
  /* verb    arguments              allowed in        flags                      handler     CAPA
     spec */
  { "CAPA", POP3_ARG_NONE, ST_BOTH, 0, pop3_capa, NULL, "RFC 2449 §5" },
  { "STLS", POP3_ARG_NONE, ST_AUTHORIZATION, V_STLS, pop3_stls, "STLS", "RFC 2595 §4" },
  { "USER", POP3_ARG_NAME, ST_AUTHORIZATION, V_PASSWORD, pop3_user, "USER", "RFC 1939 §7" },
  { "PASS", POP3_ARG_PASSWORD, ST_AUTHORIZATION, V_PASSWORD | V_SECRET | V_KEEPS_USER, pop3_pass,
    NULL, "RFC 1939 §7" },
  { "APOP", POP3_ARG_APOP, ST_AUTHORIZATION, V_SECRET, pop3_apop, NULL, "RFC 1939 §7" },
  { "AUTH", POP3_ARG_AUTH, ST_AUTHORIZATION, V_SECRET | V_MECHANISMS, pop3_auth, "SASL",
    "RFC 5034 §4" },
  { "STAT", POP3_ARG_NONE, ST_TRANSACTION, 0, pop3_stat, NULL, "RFC 1939 §5" },
  { "LIST", POP3_ARG_MAYBE_NUMBER, ST_TRANSACTION, 0, pop3_list, NULL, "RFC 1939 §5" },
  { "UIDL", POP3_ARG_MAYBE_NUMBER, ST_TRANSACTION, 0, pop3_uidl, "UIDL", "RFC 1939 §7" },
  { "RETR", POP3_ARG_NUMBER, ST_TRANSACTION, 0, pop3_retr, NULL, "RFC 1939 §5" },
  { "TOP", POP3_ARG_TOP, ST_TRANSACTION, 0, pop3_top, "TOP", "RFC 1939 §7" },
  { "DELE", POP3_ARG_NUMBER, ST_TRANSACTION, 0, pop3_dele, NULL, "RFC 1939 §5" },
  { "NOOP", POP3_ARG_NONE, ST_TRANSACTION, 0, pop3_noop, NULL, "RFC 1939 §5" },
  { "RSET", POP3_ARG_NONE, ST_TRANSACTION, 0, pop3_rset, NULL, "RFC 1939 §5" },
  { "LANG", POP3_ARG_LANG, ST_BOTH, 0, pop3_lang, "LANG", "RFC 6856 §3" },
  { "UTF8", POP3_ARG_NONE, ST_AUTHORIZATION, 0, pop3_utf8, "UTF8", "RFC 6856 §2.1" },
  { "LAST", POP3_ARG_NONE, ST_TRANSACTION, V_LAST, pop3_last, NULL, "RFC 1460" },
  { "QUIT", POP3_ARG_NONE, ST_BOTH, 0, pop3_quit, NULL, "RFC 1939 §4, §6" },
};

const struct pop3d_verb *verb_at(size_t i) {
  return i < sizeof verbs / sizeof *verbs ? &verbs[i] : NULL;
}

const struct pop3d_verb *verb_find(const struct pop3d_session *s, struct slice name) {
  for (const struct pop3d_verb *v = verbs; v < verbs + sizeof verbs / sizeof *verbs; v++)
    if (slice_caseeq(slice_str(v->name), name))
      return !(v->flags & V_LAST) || s->service->conf->pop3_last ? v : NULL;
  return NULL;
}
