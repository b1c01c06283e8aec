/* SPDX-License-Identifier: ISC */
/* Whether this mail may be relayed, and under which sender address. Only this decides; it is asked
 * at RCPT and again at commit.
 *
 * It identifies a session by auth's grant, not by a claim of the front-end. */
#ifndef QASID_STORE_OWNER_RELAY_H
#define QASID_STORE_OWNER_RELAY_H

#include "ipc/smtpd_store.h"
#include "src/store/owner/owner.h"

struct relay_asked {
  const struct session *session; /* NULL: none, or one without a grant */
  /* its client is in relay_networks, or the message is our own report */
  bool trusted;
  struct slice return_path; /* empty: <> */
  int64_t now_s;
};
/* Where `address` leads, added to s->found, after dir_begin:
 *   RCPT_OURS       local mailboxes, and the remote addresses to which they or aliases lead
 *   RCPT_INCOMPLETE remote, but its domain has no dot
 *   RCPT_LEAVES     *ret_to, remote, and allowed: the session has logged in, the client is trusted,
 *                   or it is a bounce (RFC 5321 §4.5.5) to a reverse-path that was rewritten here,
 *                   and goes back to its origin
 *   RCPT_ELSEWHERE  remote, and not allowed
 *   RCPT_UNKNOWN, RCPT_TROUBLE
 * `memory` holds *ret_to if it is not `address`. */
enum rcpt_verdict relay_find(struct store *s, const struct relay_asked *asked, struct slice address,
                             struct slice *ret_to, struct buf *memory);
/* False: smtpd says that the client logged in, and auth's grant has not been repeated to this store
 * yet; what the session may do is not known. */
bool relay_login_known(const struct session *session, bool login);
/* True if the session's login may use that reverse-path: sender_check is off, nobody logged in, or
 * the path leads to the login's own mailbox (its address, an alias, a subaddress), or was delegated
 * to it (account sendas). */
bool relay_sender_ok(struct store *s, const struct session *session, struct slice return_path);
/* The same for all addresses in the message's fields From and Sender, if sender_check is reject:
 * then a login's message must have at least one. */
bool relay_authors_ok(struct store *s, const struct session *session, struct slice authors);
/* For people: the addresses that the login may use. */
void relay_put_yours(struct store *s, const struct session *session, struct buf *out);
/* True if mail with that address in From: may be signed as that account's: by the rule above, but
 * never for account 0. */
bool relay_may_use(struct store *s, uint64_t account, struct slice address);
/* Adds a remote recipient to the job. `plain`: in the front-ends' form; notify, orcpt: RFC 3461;
 * forwarder: see struct queue_rcpt. False without memory. */
bool relay_add(struct deliver_job *d, struct slice plain, uint8_t notify, struct slice orcpt,
               struct slice forwarder);

#endif
