/* SPDX-License-Identifier: ISC */
/* The choice of a login mechanism by a client, from one table in the order of preference.
 * Invariants: nothing that reveals a password is chosen without TLS unless the rules allow it; each
 * refusal rules out at least one row, so the sequence of attempts ends; tokens and certificates are
 * used only by name. */
#include "mail/sasl/login.h"

const struct sasl_way sasl_ways[] = {
  /* name                 kind               shows  named only */
  { "SCRAM-SHA-256-PLUS", SASL_WAY_AUTH, false, false },
  { "SCRAM-SHA-1-PLUS", SASL_WAY_AUTH, false, false },
  { "SCRAM-SHA-256", SASL_WAY_AUTH, false, false },
  { "SCRAM-SHA-1", SASL_WAY_AUTH, false, false },
  { "PLAIN", SASL_WAY_AUTH, true, false },
  { "LOGIN", SASL_WAY_AUTH, true, false },
  { "USER", SASL_WAY_USER, true, false },
  { "CRAM-MD5", SASL_WAY_AUTH, false, false },
  { "APOP", SASL_WAY_APOP, false, false },
  { "OAUTHBEARER", SASL_WAY_AUTH, true, true },
  { "XOAUTH2", SASL_WAY_AUTH, true, true },
  { "EXTERNAL", SASL_WAY_AUTH, false, true },
  { NULL, SASL_WAY_AUTH, false, false },
};
enum { UNKNOWN_MOST = 2 };

const struct sasl_mechanism *sasl_way_mechanism(const struct sasl_way *w) {
  return w->kind == SASL_WAY_AUTH ? sasl_find(slice_str(w->name)) : NULL;
}

static uint32_t bit_of(const struct sasl_way *w) { return 1u << (w - sasl_ways); }

static bool may_show(const struct sasl_login_rules *r) { return r->secure || r->may_show; }

bool sasl_login_allowed(const struct sasl_login_rules *r) { return may_show(r) || r->clear; }

/* Whether the channel permits it, whatever is offered. */
static bool is_possible(const struct sasl_login_rules *r, const struct sasl_way *w) {
  const struct sasl_mechanism *m = sasl_way_mechanism(w);
  return sasl_login_allowed(r) && (may_show(r) || !w->shows) && (!m || !m->binds || r->binds);
}

static bool is_offered(const struct sasl_login_offer *o, const struct sasl_way *w) {
  if (w->kind == SASL_WAY_USER) return o->user;
  if (w->kind == SASL_WAY_APOP) return o->apop;
  return sasl_offers(o->mechanisms, w->name);
}

/* APOP needs the greeting's timestamp, announced or not. */
static const struct sasl_way *choose_named(const struct sasl_login_rules *r,
                                           const struct sasl_login_offer *o) {
  for (const struct sasl_way *w = sasl_ways; w->name; w++)
    if (slice_caseeq(r->named, slice_str(w->name)))
      return is_possible(r, w) && (w->kind != SASL_WAY_APOP || o->apop) ? w : NULL;
  return NULL;
}

const struct sasl_way *sasl_login_choose(const struct sasl_login_rules *r,
                                         const struct sasl_login_offer *o,
                                         const struct sasl_login_past *past) {
  if (r->named.n) return past->out ? NULL : choose_named(r, o);
  for (const struct sasl_way *w = sasl_ways; w->name; w++) {
    bool out = (past->out & bit_of(w)) || (past->second && !w->shows) ||
               (past->unknown >= UNKNOWN_MOST && w->kind == SASL_WAY_AUTH);
    if (!out && !w->named_only && is_possible(r, w) && is_offered(o, w)) return w;
  }
  return NULL;
}

const struct sasl_way *sasl_login_again(const struct sasl_login_rules *r,
                                        const struct sasl_login_offer *o,
                                        struct sasl_login_past *past, const struct sasl_way *w,
                                        enum sasl_refusal why) {
  bool hash_only =
      why == SASL_REFUSED_WRONG && !w->shows && r->secure && r->second_try && !past->second;
  past->out |= bit_of(w);
  if (why == SASL_REFUSED_MECHANISM && past->unknown < UNKNOWN_MOST) past->unknown++;
  if (why == SASL_REFUSED_COMMAND) past->unknown = UNKNOWN_MOST;
  if (why == SASL_REFUSED_OTHERWISE || (why == SASL_REFUSED_WRONG && !hash_only)) return NULL;
  if (hash_only) past->second = true;
  return sasl_login_choose(r, o, past);
}
