/* SPDX-License-Identifier: ISC */
/* Addresses of other servers whose TLS failed, kept for the senders: a sender reports each as it
 * happens, and a new one (after a reload, a crash, a restart of the server) gets all of them.
 *
 *   send_no_tls → memory → one write job at a time with the whole table → table no_tls
 *
 * At most SEND_NO_TLS_MAX of them; the one that expires first is replaced. Without memory, or if
 * the job fails, one is lost: the next session there tries TLS again. */
#ifndef QASID_STORE_OWNER_TLS_FAILURES_H
#define QASID_STORE_OWNER_TLS_FAILURES_H

#include "src/store/jobs/tls_failures.h"

struct store;
struct peer;

struct tls_failures {
  struct tls_failure *rows;
  size_t count, cap;
  bool out, changed; /* its job is outstanding; there is more to write */
};

enum db_result tls_failures_load(struct store *s, struct db *db);
void tls_failures_free(struct tls_failures *t);
/* Handles send_no_tls. False: malformed. */
bool tls_failures_take(struct store *s, const struct ipc_msg *m, int64_t now_s);
/* Sends all of them to a new sender. */
void tls_failures_send(struct store *s, const struct peer *p, int64_t now_s);

#endif
