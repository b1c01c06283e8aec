/* SPDX-License-Identifier: ISC */
/* How our own clients choose a login mechanism, and the next one after a refusal. One table and one
 * function for the POP3 session (fetch, migrate, the collector) and the SMTP session (the sender,
 * send).
 *
 * A way is a SASL mechanism, or one of POP3's own commands. The order of preference, among those
 * offered:
 *
 *   1. mechanisms that do not reveal the password and authenticate the server too: SCRAM, with
 *      channel binding first
 *   2. those that reveal the password: PLAIN, LOGIN, USER; they work with every account
 *   3. CRAM-MD5, APOP
 *
 * Tokens and certificates are used only if they are named: a password is not a token.
 *
 * Without TLS: none, unless the rules have `clear` (mechanisms that do not reveal the password) or
 * `may_show` (all). Otherwise an attacker who strips TLS would get a digest over a challenge of his
 * own. */
#ifndef QASID_SASL_LOGIN_H
#define QASID_SASL_LOGIN_H

#include "mail/sasl/sasl.h"

enum sasl_way_kind { SASL_WAY_AUTH, SASL_WAY_USER, SASL_WAY_APOP };

struct sasl_way {
  const char *name; /* in logs, and what a user calls it */
  enum sasl_way_kind kind;
  bool shows; /* the password, or a token */
  bool named_only;
};
/* In the order of preference; ends with a row whose name is NULL. */
extern const struct sasl_way sasl_ways[];
/* The mechanism of a way by AUTH; NULL for the others. */
const struct sasl_mechanism *sasl_way_mechanism(const struct sasl_way *w);

struct sasl_login_rules {
  struct slice named; /* the only way to use, announced or not: some servers announce incompletely;
                         empty: the best that is offered */
  bool secure;        /* TLS is there */
  bool binds;         /* its exporter is known */
  bool clear, may_show;
  bool second_try; /* if a way that does not reveal the password is refused, try one that does: the
                    * server may keep only a hash of it. Only if the certificate was verified */
};
struct sasl_login_offer {
  struct slice mechanisms; /* announced for AUTH, separated by spaces */
  bool user, apop;
};
/* What was tried; all zero at first. */
struct sasl_login_past {
  uint32_t out;    /* bit i: row i was refused */
  uint8_t unknown; /* refusals of an unknown mechanism */
  bool second;     /* only ways that show the password are still tried */
};

enum sasl_refusal {
  SASL_REFUSED_WRONG,     /* wrong credentials, or an unknown reason */
  SASL_REFUSED_MECHANISM, /* announced, but not supported or not possible for this account */
  SASL_REFUSED_COMMAND,   /* AUTH itself is not supported */
  SASL_REFUSED_HERE,      /* nothing was sent: the mechanism cannot carry this name or password */
  SASL_REFUSED_OTHERWISE, /* for a reason that another way would not change */
};

/* Whether any part of a login may be sent here. */
bool sasl_login_allowed(const struct sasl_login_rules *r);
/* The way to try now; NULL: none is left. */
const struct sasl_way *sasl_login_choose(const struct sasl_login_rules *r,
                                         const struct sasl_login_offer *o,
                                         const struct sasl_login_past *past);
/* `w` was refused: records it in `past` and returns the way to try next; NULL: none. A named way is
 * tried once. The sequence ends: each call excludes a way, and a second unknown mechanism excludes
 * all of AUTH. */
const struct sasl_way *sasl_login_again(const struct sasl_login_rules *r,
                                        const struct sasl_login_offer *o,
                                        struct sasl_login_past *past, const struct sasl_way *w,
                                        enum sasl_refusal why);

#endif
