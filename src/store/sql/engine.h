/* SPDX-License-Identifier: ISC */
/* One connection to the database with its state, as the jobs see it. The writer's engine also
 * caches the folders it has touched: it is the only one that changes them, so its cache agrees with
 * the database, until a rollback empties it. */
#ifndef QASID_STORE_SQL_ENGINE_H
#define QASID_STORE_SQL_ENGINE_H

#include "lib/base/map.h"
#include "mail/surrogate.h"
#include "src/store/jobs/spool.h"
#include "src/store/sql/bodies.h"

/* A folder's counters in the writer's memory; written once a group. */
struct folder {
  uint64_t id, account;
  uint32_t uidvalidity;
  uint64_t uidnext; /* 2^32 - 1: used up */
  uint64_t modseq, messages, octets;
  uint64_t deleted, deleted_octets; /* messages that can be restored */
  bool dirty;
  struct folder *next_dirty;
};

/* What the group changes in the queue's counts: queue_count.h. */
struct queue_change {
  struct queue_change *next;
  uint8_t kind; /* enum queue_kind */
  uint64_t account;
  int64_t recipients, messages;
};

struct id_list {
  uint64_t *ids;
  size_t count, cap;
};

struct store_engine {
  struct disk *disk;
  struct db *db;
  bool writer, broken;
  struct db *history;    /* history.h; NULL: not open */
  unsigned history_jobs; /* written */
  uint64_t body_threshold;
  enum surrogate_way surrogates; /* the kind that is measured */

  /* the transaction */
  struct map folders; /* id → struct folder, all of them kept until `forget` */
  struct folder *dirty;
  uint64_t next_body, next_body_saved;
  uint32_t uidvalidity, uidvalidity_saved;
  bool files_moved; /* sync_all before the commit */
  struct queue_change *queue_changes;
  struct id_list freed_now; /* bodies in files whose last reference is removed by this commit */

  uint64_t (*clock_ms)(void); /* NULL: slices end by count */
  uint64_t slice_ms;          /* when the current slice began */

  /* between transactions */
  uint64_t groups;
  struct id_list freed;  /* files to be removed */
  unsigned holds;        /* a backup reads the files: none is removed */
  unsigned checkpointed; /* pages of the log that were already checkpointed */
  bool unmeasured;       /* there may be entries without a surrogate's size: measure.c */
  bool unsummed;         /* there may be bodies without a checksum: sum.c */
  unsigned page;         /* octets of the database's pages */
  struct db_giving giving;
  unsigned sweep_folder; /* the next folder to be searched for orphans; STORE_BODY_FOLDERS: done */
  int64_t space_checked_s;
  int64_t space; /* free octets at that time */
};

/* The folder for writing, from memory or the database. DB_OK with *ret NULL: there is none. */
enum db_result engine_folder(struct store_engine *e, uint64_t id, struct folder **ret);
/* It was changed: written at the group's end, with its modseq raised once a group. */
void engine_touch(struct store_engine *e, struct folder *f);
/* Subtracts messages and octets that were removed from it. */
void folder_shrink(struct store_engine *e, struct folder *f, uint64_t messages, uint64_t octets);
/* The folder is deleted in this transaction. */
void engine_drop_folder(struct store_engine *e, uint64_t id);
/* A UIDVALIDITY that no folder had before. */
uint32_t engine_new_uidvalidity(struct store_engine *e, int64_t now_s);
/* Deletes one message of a folder, and its body if nothing else refers to it (maildrop.c).
 * *ret_size is 0 if it did not exist. The caller shrinks the folder. */
enum db_result message_delete(struct store_engine *e, uint64_t folder, uint32_t uid,
                              uint64_t *ret_size);
/* Removes its row only: the caller moves the reference to the body elsewhere. Its imported UIDL is
 * recorded. */
enum db_result message_take_out(struct store_engine *e, uint64_t folder, uint32_t uid,
                                uint64_t *ret_size);
/* Removes one reference to the body. */
enum db_result engine_unref_body(struct store_engine *e, uint64_t body);
/* True if there is less space than the job's free_least; the disk is asked once a second. */
bool engine_low_space(struct store_engine *e, struct store_job *j);

/* Slices of some milliseconds for long work: whether the current one is over, after so many
 * items. */
void engine_slice_begins(struct store_engine *e);
bool engine_slice_is_over(const struct store_engine *e, size_t items);

/* queue_count.c: writes the group's changes, or discards them. */
enum db_result engine_flush_queue(struct store_engine *e);
void engine_forget_queue(struct store_engine *e);

/* Discards the sizes of surrogates of the other kind. */
enum db_result engine_forget_measures(struct store_engine *e);
/* Measures some entries that are unmeasured and clears `unmeasured` when there are no more. False:
 * the disk failed. */
bool engine_measure(struct store_engine *e);

/* The same for bodies without a checksum, and `unsummed`. */
bool engine_sum(struct store_engine *e);

/* Takes one step of returning space to the file system, or finds that there is none to return,
 * which clears `giving.unknown`. False: the disk failed. */
bool engine_give_back(struct store_engine *e);

bool id_list_add(struct id_list *l, uint64_t id);
void id_list_free(struct id_list *l);

#endif
