/* SPDX-License-Identifier: ISC */
/* A long command that reads the whole store while mail is delivered: on a connection of its own, in
 * one snapshot, with no body file removed meanwhile.
 *
 *   first slice   in the writer's thread: whole_begin(), from now on files are kept
 *   the others    in a reader's thread: whole_connect(), then some work each
 *   the end       the owner enqueues KIND_RELEASE: files may be removed again */
#ifndef QASID_STORE_SQL_ADMIN_WHOLE_H
#define QASID_STORE_SQL_ADMIN_WHOLE_H

#include "src/store/sql/admin.h"

/* The first member of the command's own state. */
struct whole {
  struct disk *disk;
  struct db *db;
  uint64_t number;              /* unique among such commands */
  void (*end)(struct whole *w); /* frees what the command itself holds; may be NULL */
};

/* To be called while a->state is NULL or a->holding is false; creates the state of `size` octets,
 * zeroed. The next slice is a reader's. NULL without memory. */
struct whole *whole_begin(struct store_engine *e, struct admin_job *a, size_t size);
/* Sets w->db, from the second slice on. The command begins the snapshot. */
enum db_result whole_connect(struct whole *w);

enum db_result check_run(struct store_engine *e, struct admin_job *a);
enum db_result backup_run(struct store_engine *e, struct admin_job *a);

#endif
