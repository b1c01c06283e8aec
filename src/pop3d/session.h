/* SPDX-License-Identifier: ISC */
/* A POP3 session as a pure machine (runtime/proto/proto.h).
 *
 *   AUTHORIZATION ──AUTH──> SASL ──> AUTHORIZATION
 *        │ USER+PASS, APOP, AUTH: auth accepts it, store opens and lists the maildrop
 *        v
 *   TRANSACTION ──QUIT──> UPDATE: deletions are made, all or none, then +OK
 *
 * Invariants:
 *  1. A message's number, size and UIDL stay as they were when the maildrop was opened, until the
 *     end.
 *  2. Only QUIT deletes; "+OK" to it is sent only after store has answered that it is durable.
 *  3. A multi-line response has its final "." only if every announced octet was sent before it.
 *  4. STLS discards everything received before it, except the counts against limits.
 *  5. A client cannot find out which accounts exist: USER always gets +OK, and all failed logins
 *     get
 *     the same reply. */
#ifndef QASID_POP3D_SESSION_H
#define QASID_POP3D_SESSION_H

#include "conf/conf.h"
#include "ipc/pop3d_store.h"
#include "lib/base/seldom.h"
#include "runtime/proto/proto.h"

/* Facts that other processes reported independently of any session: one struct for all sessions of
 * a process. */
struct pop3d_facts {
  bool apop;        /* from auth: at least one account could log in by APOP */
  bool rules_known; /* from store: these rules are valid until it reports a change */
  struct pop_rules_are rules;
  struct seldom damages; /* the times of the last log lines, by account */
};
/* A message without a session; type 0: the process was lost. */
void pop3d_facts_take(struct pop3d_facts *f, unsigned role, uint16_t type, struct slice payload);

/* What all sessions of one listener share. Borrows conf, name and facts, which outlive it. */
struct pop3d_service {
  const struct conf *conf;
  const char *name; /* "pop3" or "pop3s" */
  /* conf->hostname, or "localhost" if that is empty; main may set another */
  const char *hostname;
  bool has_cert; /* a certificate is loaded: STLS can be offered */
  struct pop3d_facts *facts;
};

void pop3d_service_init(struct pop3d_service *shared, const struct conf *conf, const char *name,
                        bool has_cert, struct pop3d_facts *facts);

/* `service` of new() is a struct pop3d_service. */
extern const struct proto_ops pop3d_session_ops;
/* The answer to the open pop_read, not encoded. `m->data` is borrowed for the call. */
void pop3d_session_chunk(struct proto *p, const struct pop_chunk *m);

#endif
