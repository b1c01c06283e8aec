/* SPDX-License-Identifier: ISC */
/* Deleted messages that can be restored: moving them into and out of the table `deleted`. */
#ifndef QASID_STORE_SQL_DELETED_H
#define QASID_STORE_SQL_DELETED_H

#include "ipc/pop3d_store.h"
#include "src/store/sql/engine.h"

struct deleted_row {
  uint64_t folder, body, size;
  uint32_t uid;
  bool imported;  /* its UIDL */
  uint8_t uidl_n; /* 0: derived from the uid */
  uint8_t uidl[UIDL_MAX];
};

/* Moves the message from its folder to `deleted`. *ret_size is 0 if it did not exist. The caller
 * shrinks the folder, as with message_delete. */
enum db_result message_keep(struct store_engine *e, struct folder *f, uint32_t uid, int64_t now_s,
                            uint64_t *ret_size);
/* Moves it back into its folder, with a new uid and its former UIDL. The folder must have a uid
 * left. */
enum db_result message_restore(struct store_engine *e, struct folder *f,
                               const struct deleted_row *row, int64_t now_s, uint32_t *ret_uid);
/* Deletes it for good, and its body if nothing else refers to that. */
enum db_result message_purge(struct store_engine *e, struct folder *f,
                             const struct deleted_row *row);

/* At most `most` of a folder's deleted messages by uid that were deleted since then; or of all that
 * were deleted by then, the oldest first. */
enum db_result deleted_of_folder(struct store_engine *e, uint64_t folder, int64_t since_s,
                                 struct deleted_row *rows, size_t most, size_t *ret_count);
enum db_result deleted_before(struct store_engine *e, int64_t before_s, struct deleted_row *rows,
                              size_t most, size_t *ret_count);
enum db_result deleted_find(struct store_engine *e, uint64_t folder, uint32_t uid,
                            struct deleted_row *ret, bool *ret_there);

#endif
