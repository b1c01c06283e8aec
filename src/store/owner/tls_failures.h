/* SPDX-License-Identifier: ISC */
/* Addresses of other servers whose TLS failed, kept for the senders: a sender tells each as it
 * happens, and one that is new (after a reload, a death, a restart of the server) is told all.
 *
 *   send_no_tls → memory → one write job at a time with the whole table → table no_tls
 *
 * At most SEND_NO_TLS_MAX of them; the one that ends first makes room. Without memory, or where the
 * job fails, one is forgotten: the next session there tries TLS again. */
#ifndef QASID_STORE_OWNER_TLS_FAILURES_H
#define QASID_STORE_OWNER_TLS_FAILURES_H

#include "src/store/jobs/tls_failures.h"

struct store;
struct peer;

struct tls_failures {
  struct tls_failure *rows;
  size_t count, cap;
  bool out, changed; /* its job is under way; there is more to be written */
};

enum db_result tls_failures_load(struct store *s, struct db *db);
void tls_failures_free(struct tls_failures *t);
/* send_no_tls. False: malformed. */
bool tls_failures_take(struct store *s, const struct ipc_msg *m, int64_t now_s);
/* All of them, to a sender that is new. */
void tls_failures_send(struct store *s, const struct peer *p, int64_t now_s);

#endif
