/* SPDX-License-Identifier: ISC */
/* The commands of `qasid` that are the store's: a table of verbs.
 *
 * A verb runs as a job. Its answer (columns, rows, octets) gathers in the job as encoded messages
 * and goes out when the slice is finished; long work sets `again` and is called once more. What it
 * changes in the directory is noted beside, and the owner forgets it once it is durable. */
#ifndef QASID_STORE_ADMIN_H
#define QASID_STORE_ADMIN_H

#include "ipc/cli_process.h"
#include "lib/base/arena.h"
#include "src/store/engine.h"
#include "src/store/owner.h"

enum { ADMIN_WORDS_MAX = 1024 };

enum admin_where {
  ADMIN_READ,  /* by a reader's thread */
  ADMIN_WRITE, /* in the writer's, inside a group's transaction; may be run twice, see job.h */
  ADMIN_OWNER, /* at once, on the owner's thread */
};

struct admin_job;
struct admin_verb {
  const char *words;    /* "account add" */
  const char *usage;    /* what follows them */
  uint16_t least, most; /* arguments */
  enum admin_where where;
  enum db_result (*run)(struct store_engine *e, struct admin_job *a);
  /* ADMIN_OWNER: the command; else it may refuse it, or NULL */
  void (*at_once)(struct store *s, struct admin_job *a);
  /* after the last slice; gives `state` back */
  void (*ended)(struct store *s, struct admin_job *a);
  void (*begins)(struct store *s, struct admin_job *a); /* before the first */
};

/* What a command changed in the tables, so that the owner forgets what it remembers of it. */
enum change_kind {
  CHANGE_DOMAIN,          /* text */
  CHANGE_ADDRESS,         /* text: it, or where it leads */
  CHANGE_ACCOUNT,         /* id: its limits */
  CHANGE_QUOTA,           /* id: it is new, and has a quota */
  CHANGE_ACCOUNT_REMOVED, /* id */
  CHANGE_CONTENT,         /* id: how much mail it has */
  CHANGE_RESTORED,        /* id: the same; `messages` of it are back */
  CHANGE_QUEUE_DUE,       /* text: a destination, some of whose recipients are due now */
};

struct change {
  struct change *next;
  enum change_kind kind;
  uint64_t id, messages;
  struct slice text;
};

struct admin_job {
  struct store_job job;
  const struct admin_verb *verb;
  struct slice words[ADMIN_WORDS_MAX]; /* arguments */
  size_t count;
  struct buf bulk;     /* rows that were put for it (admin_bulk.c) */
  bool keep;           /* what is deleted can be brought back (undelete_time) */
  uint64_t quota;      /* the option's, as it is now */
  bool dotless, sends; /* the options dotless_domains, send */
  /* the answer */
  struct buf out; /* whole messages with their heads */
  bool columns_sent, columns_before; /* before: the present slice */
  enum cli_code code;
  struct buf text;
  struct arena memory; /* of this slice */
  struct change *changes, **changes_end;
  bool undone;    /* the slice ran before, and was rolled back then: it begins where it began */
  bool to_reader; /* result: the next slices are a reader's */
  /* the words for an error of a connection of its own; or NULL */
  const char *(*why)(struct admin_job *a);
  void *state; /* a long command's own */
};

/* --- for handlers --- */

/* Ends the command with a sentence. Returns DB_OK, so that a handler can return it. */
enum db_result admin_send(struct admin_job *a, enum cli_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Column names separated by spaces; sent once, even if later slices repeat it. */
void admin_columns(struct admin_job *a, const char *names);
void admin_row(struct admin_job *a, const struct slice *values, size_t count);
#define ADMIN_ROW(a, ...)                               \
  admin_row((a), (const struct slice[]){ __VA_ARGS__ }, \
            sizeof((const struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice))
/* A number as a value; lives as long as admin_copy's. */
struct slice admin_num(struct admin_job *a, uint64_t n);
/* Octets of a stream; at most IPC_CHUNK. */
void admin_output(struct admin_job *a, struct slice octets);
struct change *admin_change(struct admin_job *a, enum change_kind kind);
/* DB_OK, or DB_NOMEM. The text is to live until the slice is finished. */
enum db_result admin_changed(struct admin_job *a, enum change_kind kind, struct slice text);
enum db_result admin_changed_id(struct admin_job *a, enum change_kind kind, uint64_t id);
/* A copy that lives until the slice is finished. */
struct slice admin_copy(struct admin_job *a, struct slice s);

/* --- accounts by name; also used by mail, export, import --- */

struct named_account {
  uint64_t id, inbox;
  uint32_t uidvalidity;
};
/* `address` as typed. DB_OK with id 0: there is none (and admin_send has answered so). */
enum db_result admin_account(struct store_engine *e, struct admin_job *a, struct slice address,
                             struct named_account *ret);

/* Deletes some hundreds of the account's messages; when none is left its folders, and *ret_empty.
 */
enum db_result admin_empty_account(struct store_engine *e, struct admin_job *a, int64_t account,
                                   bool *ret_empty);

/* Some of those that could be brought back go for good. *ret_count 0: there was none
 * (admin_deleted.c). */
enum db_result admin_purge_folder(struct store_engine *e, uint64_t folder, size_t *ret_count);

/* import.c: makes ss->import, or answers why not. */
void import_begin(struct store *s, struct admin_job *a);

/* --- the tables --- */

extern const struct admin_verb admin_directory_verbs[], admin_account_verbs[], admin_mail_verbs[],
    admin_deleted_verbs[], admin_whole_verbs[], admin_queue_verbs[], admin_alias_verbs[],
    admin_bulk_verbs[], admin_rename_verbs[], admin_steer_verbs[], admin_sendas_verbs[],
    admin_why_verbs[], admin_plan_verbs[];
extern const size_t admin_directory_count, admin_account_count, admin_mail_count,
    admin_deleted_count, admin_whole_count, admin_queue_count, admin_alias_count, admin_bulk_count,
    admin_rename_count, admin_steer_count, admin_sendas_count, admin_why_count, admin_plan_count;

#endif
