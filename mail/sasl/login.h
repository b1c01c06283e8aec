/* SPDX-License-Identifier: ISC */
/* How our own clients log in: which way is tried first, and which after a refusal. One table and
 * one function for the POP3 session (fetch, migrate, the collector), the SMTP session (the sender)
 * and the command line's SMTP client (send, sendmail, fetch to another server).
 *
 * A way is a SASL mechanism, or one of POP3's own commands. In the order of preference, of what is
 * offered:
 *   1. what shows nothing and proves the server too: SCRAM, bound to the channel first
 *   2. what shows the password: PLAIN, LOGIN, USER; they work with every account
 *   3. CRAM-MD5, APOP
 * Tokens and certificates are used only when they are named: a password is no token.
 *
 * Without TLS: nothing, unless the rules have `clear` (what shows nothing may be tried) or
 * `may_show` (everything). Whoever strips TLS off would otherwise get a digest over a challenge of
 * his own. */
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
  struct slice named; /* the only way that is to be used, announced or not: some servers do not know
                       * themselves; empty: the best that is offered */
  bool secure;        /* TLS is there */
  bool binds;         /* its exporter is known */
  bool clear, may_show;
  bool second_try; /* when a way that shows nothing is refused, try one that shows the password: the
                    * server may keep only a hash of it. Where the certificate was verified */
};
struct sasl_login_offer {
  struct slice mechanisms; /* announced for AUTH, separated by spaces */
  bool user, apop;
};
/* What was tried; all zero at first. */
struct sasl_login_past {
  uint32_t out;    /* bit i: row i was refused */
  uint8_t unknown; /* refusals that said so */
  bool second;     /* only what shows the password is tried any more */
};

enum sasl_refusal {
  SASL_REFUSED_WRONG,     /* the credentials, or nothing that is known */
  SASL_REFUSED_MECHANISM, /* announced, and not known or not possible for this account */
  SASL_REFUSED_COMMAND,   /* AUTH itself is not known */
  SASL_REFUSED_HERE,      /* nothing was sent: this name or password does not fit into it */
  SASL_REFUSED_OTHERWISE, /* for a reason that another way does not change */
};

/* May anything of a login be sent here? */
bool sasl_login_allowed(const struct sasl_login_rules *r);
/* The way to try now; NULL: none (any more). */
const struct sasl_way *sasl_login_choose(const struct sasl_login_rules *r,
                                         const struct sasl_login_offer *o,
                                         const struct sasl_login_past *past);
/* `w` was refused: the way to try after it, noted in `past`; NULL: this was the last word. What was
 * named is tried once. Ends: each call takes a way out, and a second unknown one takes all of AUTH
 * out. */
const struct sasl_way *sasl_login_again(const struct sasl_login_rules *r,
                                        const struct sasl_login_offer *o,
                                        struct sasl_login_past *past, const struct sasl_way *w,
                                        enum sasl_refusal why);

#endif
