/* SPDX-License-Identifier: ISC */
/* A stored message as its readers see it: one row of the table body, its head and its octets as one
 * (docs/design/message.md). Offsets count from the head's first octet, and `size` is that of both.
 * No other code needs to know that a message has two parts, or where its octets are. */
#ifndef QASID_STORE_BODY_ROW_H
#define QASID_STORE_BODY_ROW_H

#include "lib/db/db.h"
#include "src/store/sql/bodies.h"

/* The columns for body_row_get(), in a statement in which the table body is named b. */
#define BODY_ROW "b.id, b.size, b.start, b.head, b.data"
enum { BODY_ROW_COLUMNS = 5 };

/* Slices are borrowed from the statement until it is stepped or reset. */
struct body_row {
  uint64_t id, size;
  struct slice head; /* prepended to the octets */
  bool in_file;
  uint64_t start;    /* in_file: the offset of the octets in the file */
  struct slice data; /* otherwise the octets themselves */
};

void body_row_get(struct body_row *ret, struct db_stmt *s, int column);

/* All return 0 or a negative errno: body_is_damage(). */

/* Opens the file of a message that is in one, verifying that all of it is there. */
int body_row_open(struct disk *d, const struct body_row *b, struct disk_file **ret);
/* Appends at most `n` octets from `at` on to `out`; fewer only at the message's end. `f` is its
 * file, or NULL: then it is opened if needed. */
int body_row_read(struct disk *d, const struct body_row *b, struct disk_file *f, uint64_t at,
                  size_t n, struct buf *out);
/* All of it, some at a time; an error may be returned after `put` was called. */
int body_row_each(struct disk *d, const struct body_row *b,
                  void (*put)(void *arg, struct slice piece), void *arg);
/* Its CRC-32C, computed from its octets. */
int body_row_sum(struct disk *d, const struct body_row *b, uint32_t *ret);

#endif
