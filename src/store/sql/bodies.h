/* SPDX-License-Identifier: ISC */
/* Message bodies that are files, and the spool where they grow.
 *
 *   spool/N        a message on its way in; N is counted from 1 at each start
 *   bodies/xx/ID   the body with that number in the database; xx are its lowest eight bits in hex
 *
 *   (no file) --spool_open---> spool/N --body_take_spool, in a write group--> bodies/xx/ID
 *                                 |                                              | deletion durable
 *                                 +--spool_drop--> (no file) <--body_remove------+
 *
 * No file stays open between two writes: thousands of slow senders must not take the descriptors
 * that reading needs.
 *
 * A file has a message's octets and nothing of its head, which is in the row (body_row.h reads
 * both). A crash may leave a file in bodies/ without its row (never a row without its file); the
 * sweep finds those. */
#ifndef QASID_STORE_SQL_BODIES_H
#define QASID_STORE_SQL_BODIES_H

#include "lib/base/buf.h"
#include "lib/disk/disk.h"
#include "src/store/format.h"
#include "src/store/jobs/spool.h"

enum { BODY_NAME_MAX = 40 };

/* Creates missing folders and removes what an earlier process left in the spool. */
int bodies_prepare(struct disk *d);

/* All return 0 or a negative errno. spool_open creates the file the first time; the pieces are then
 * appended until it is closed. */
int spool_open(struct disk *d, struct spool *s, struct disk_file **ret);
int spool_write(struct disk *d, struct disk_file *f, struct spool *s, struct slice octets);
/* Removes the file. */
void spool_drop(struct disk *d, struct spool *s);

/* The name of the database's copy while a backup is sent. */
void spool_backup_name(char out[BODY_NAME_MAX], uint64_t number);

void body_name(char out[BODY_NAME_MAX], uint64_t id);
/* Appends `tail` to the spooled octets, and gives the file its place. Not durable until
 * disk->sync_all. May be done again after body_return_spool. */
int body_take_spool(struct disk *d, struct spool *s, uint64_t id, struct slice tail);
/* The transaction was rolled back: the file returns to the spool. */
int body_return_spool(struct disk *d, struct spool *s, uint64_t id);
/* A file written as one piece. */
int body_write(struct disk *d, uint64_t id, struct slice octets);
int body_remove(struct disk *d, uint64_t id);
/* Appends `n` octets of the file from `at` on to `out`. -ENOENT: no file, or it is too short. */
int body_read_some(struct disk *d, uint64_t id, uint64_t at, size_t n, struct buf *out);

/* Where a message's octets are in its file. */
struct body_place {
  uint64_t id, start, size;
};
/* Opens the file; verifies that all of the octets are in it. 0, or a negative errno: see
 * body_is_damage(). */
int body_open(struct disk *d, const struct body_place *b, struct disk_file **ret);
/* Reads all of it, some at a time; an error may be returned after `put` was called. */
int body_read(struct disk *d, const struct body_place *b,
              void (*put)(void *arg, struct slice piece), void *arg);
/* True if such an error is a property of the message. All others (no descriptors, no memory, a
 * failing disk) are temporary: a retry may succeed. */
bool body_is_damage(int error);

/* A disk's errno as a database error, to be handled alike. */
enum db_result db_result_of(int negative_errno);
/* The same for a body's file, whose failure proves nothing about the database: it is damaged, or
 * try later. */
enum db_result db_result_of_body(int negative_errno);

/* Calls fn for each body file in folder number `folder`; `id` is 0 for an invalid name. */
int bodies_list(struct disk *d, unsigned folder,
                void (*fn)(void *arg, uint64_t id, const char *entry), void *arg);

#endif
