/* SPDX-License-Identifier: ISC */
/* Reads by the owner over its own connection, each an index look-up, besides the directory
 * (directory.h) and the folders (folders.h). DB_OK, or an error with the results unchanged. */
#ifndef QASID_STORE_SQL_OWNER_READS_H
#define QASID_STORE_SQL_OWNER_READS_H

#include "lib/db/db.h"

/* Accounts' own limits. */
enum own_limit { OWN_LOGIN_DELAY, OWN_EXPIRE, OWN_EXPIRE_DAYS /* without -1, never */ };
struct own_limits {
  int64_t least, most; /* least > most: no account has one */
};
enum db_result read_own_limits(struct db *db, enum own_limit which, struct own_limits *ret);

/* True if any deleted message is kept. */
enum db_result read_keeps_deleted(struct db *db, bool *ret);
/* The folder that keeps most octets of deleted messages, if these are more than `most`; 0: none
 * does. */
enum db_result read_too_much_kept(struct db *db, uint64_t most, uint64_t *ret_folder);

/* The secret for rewritten reverse-paths (mail/srs.h): `n` octets. */
enum db_result read_secret(struct db *db, uint8_t *to, size_t n);

#endif
