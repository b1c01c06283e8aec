/* SPDX-License-Identifier: ISC */
/* The collections: rows of auth.db beside the accounts, each with a sealed password.
 *
 * `id` is the number that the administrator uses. `source` identifies the collection to store: a
 * random number, so that a restored backup cannot give it to another collection. The password is
 * sealed for exactly this account, server and user: it cannot be moved into a row that sends it
 * elsewhere. */
#ifndef QASID_AUTH_COLLECTIONS_H
#define QASID_AUTH_COLLECTIONS_H

#include "ipc/collector_auth.h"
#include "src/auth/accounts.h"

enum {
  /* all are in memory, some 60 octets each, and scanned for each run */
  COLLECTIONS_MAX = 10000,
  COLLECT_SEALED_MAX = SEAL_NONCE + COLLECT_SECRET_MAX + SEAL_TAG,
  COLLECT_EVERY_LEAST = 60,
  COLLECT_EVERY_MOST = 7 * 24 * 3600,
};

struct collection {
  uint64_t id, source;
  uint8_t account[AUTH_NAME_MAX]; /* folded, as in look-ups of accounts */
  uint8_t host[COLLECT_HOST_MAX], user[COLLECT_USER_MAX], mechanism[32], sealed[COLLECT_SEALED_MAX];
  uint8_t last_words[COLLECT_TEXT_MAX];                            /* about the last run */
  uint8_t stepped[COLLECT_UIDLS_MAX], left_out[COLLECT_UIDLS_MAX]; /* ipc/collector_auth.h */
  size_t account_n, host_n, user_n, mechanism_n, sealed_n, last_words_n, stepped_n, left_out_n;
  uint16_t port;
  bool discover, paused;
  uint8_t tls; /* enum collect_tls */
  uint64_t every_s;
  uint64_t leave_s;         /* COLLECT_LEAVE: for good */
  int64_t made, last, next; /* seconds since 1970; last 0: never */
  uint64_t failures;        /* in a row */
  uint64_t fetched, total;  /* the last time, and ever */
};

#define COLLECTIONS_SCHEMA                        \
  "CREATE TABLE collection ("                     \
  " id INTEGER PRIMARY KEY AUTOINCREMENT,"        \
  " source INTEGER NOT NULL UNIQUE,"              \
  " account TEXT NOT NULL,"                       \
  " host TEXT NOT NULL,"                          \
  " user TEXT NOT NULL,"                          \
  " mechanism TEXT NOT NULL,"                     \
  " sealed BLOB NOT NULL,"                        \
  " said TEXT NOT NULL,"                          \
  " port INTEGER NOT NULL,"                       \
  " discover INTEGER NOT NULL,"                   \
  " paused INTEGER NOT NULL,"                     \
  " tls INTEGER NOT NULL,"                        \
  " every_s INTEGER NOT NULL,"                    \
  " leave_s INTEGER NOT NULL," /* -1: for good */ \
  " made INTEGER NOT NULL,"                       \
  " last INTEGER NOT NULL,"                       \
  " next INTEGER NOT NULL,"                       \
  " failures INTEGER NOT NULL,"                   \
  " fetched INTEGER NOT NULL,"                    \
  " total INTEGER NOT NULL,"                      \
  " UNIQUE (account, host, port, user)"           \
  ") STRICT"
#define COLLECTIONS_STEPPED                                             \
  "ALTER TABLE collection ADD COLUMN stepped TEXT NOT NULL DEFAULT '';" \
  "ALTER TABLE collection ADD COLUMN left_out TEXT NOT NULL DEFAULT ''"

/* OK, NONE, or TROUBLE. */
enum account_result collections_find(struct accounts *a, uint64_t id, struct collection *ret);
/* EXISTS if that account already collects from there. Sets c->id. */
enum account_result collections_add(struct accounts *a, struct collection *c);
/* Replaces the columns changed by runs and by the administrator: sealed, said, paused, last, next,
 * failures, fetched, total, stepped, left_out. */
enum account_result collections_update(struct accounts *a, const struct collection *c);
/* Replaces the columns changed by renaming its account: account, sealed. */
enum account_result collections_move(struct accounts *a, const struct collection *c);
enum account_result collections_delete(struct accounts *a, uint64_t id);
/* In the order of accounts. */
enum account_result collections_each(struct accounts *a,
                                     void (*fn)(void *arg, const struct collection *c), void *arg);

/* As account_seal and account_unseal. */
bool collection_seal(const struct accounts *a, struct collection *c, struct slice secret,
                     const uint8_t nonce[SEAL_NONCE]);
bool collection_unseal(const struct accounts *a, const struct collection *c, struct buf *out);

/* The URL that a person would write. */
void collection_url(const struct collection *c, struct buf *out);

#endif
