/* SPDX-License-Identifier: ISC */
/* The commands of `qasid` that the store implements: a table of verbs (verbs.def), each run as a
 * job.
 *
 * The answer (columns, rows, octets) is collected in the job as encoded messages and sent when the
 * slice is finished; long work sets `again` and is called once more. Changes to the directory are
 * recorded in the job, and the owner drops the affected cache entries once they are durable. */
#ifndef QASID_STORE_JOBS_ADMIN_H
#define QASID_STORE_JOBS_ADMIN_H

#include "ipc/cli_process.h"
#include "lib/base/arena.h"
#include "src/store/jobs/job.h"
#include "src/store/jobs/queue_view.h"

enum { ADMIN_WORDS_MAX = 1024 };

enum admin_where {
  ADMIN_READ,  /* by a reader's thread */
  ADMIN_WRITE, /* by the writer's thread, inside a group's transaction; may be run twice, see
                * job.h */
  ADMIN_OWNER, /* at once, on the owner's thread */
};

enum admin_verb {
#define VERB(name, ...) VERB_##name,
#include "src/store/jobs/verbs.def"
#undef VERB
  ADMIN_VERBS
};

/* A command that held body files has ended: KIND_RELEASE. */
struct release_job {
  struct store_job job;
  bool released; /* result */
};

/* What a command changed in the tables, so that the owner can drop the affected cache entries. */
enum change_kind {
  CHANGE_DOMAIN,          /* text */
  CHANGE_ADDRESS,         /* text: the address, or one of its targets */
  CHANGE_ACCOUNT,         /* id: its limits */
  CHANGE_QUOTA,           /* id: a new account, with a quota */
  CHANGE_ACCOUNT_REMOVED, /* id */
  CHANGE_CONTENT,         /* id: the amount of its mail */
  CHANGE_RESTORED,        /* id: likewise; `messages` of it were restored */
  CHANGE_QUEUE_DUE,       /* text: a destination, some of whose recipients were made due */
  CHANGE_QUEUE_TO_FAIL,   /* some recipients are to fail now */
};

struct change {
  struct change *next;
  enum change_kind kind;
  uint64_t id, messages;
  struct slice text;
};

struct admin_job {
  struct store_job job;
  enum admin_verb verb;
  struct slice words[ADMIN_WORDS_MAX]; /* arguments */
  size_t count;
  struct buf bulk;     /* rows sent ahead for it (admin_bulk.c) */
  bool keep;           /* deleted mail can be restored (undelete_time) */
  uint64_t quota;      /* the option's current value */
  bool dotless, sends; /* the options dotless_domains, send */
  /* the answer */
  struct buf out;                    /* whole messages with their heads */
  bool columns_sent, columns_before; /* before: as of the start of this slice */
  enum cli_code code;
  struct buf text;
  struct arena memory; /* of this slice */
  struct change *changes, **changes_end;
  bool undone;    /* the slice was run before and rolled back: it starts again from the same
                   * point */
  bool to_reader; /* result: the following slices are for a reader */
  /* the text for an error of a connection of its own; or NULL */
  const char *(*why)(struct admin_job *a);
  void *state; /* the state of a long command, and the function that frees it */
  void (*state_free)(void *state);
  struct queue_view *view; /* for a queue command: why rows wait. Owned; NULL: no memory */
  bool holding;            /* result: body files are kept until the command ends (sql/whole.h) */
};

/* Discards the answer of the previous slice. */
void admin_begin_slice(struct admin_job *a);
/* Discards the collected answer; only the reason is sent. */
void admin_trouble(struct admin_job *a, const char *why);

/* --- for handlers --- */

/* Sets a long command's state; freed with the job. */
void admin_set_state(struct admin_job *a, void *state, void (*state_free)(void *state));

/* Ends the command with a sentence. Returns DB_OK, so that a handler can return it. */
enum db_result admin_send(struct admin_job *a, enum cli_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Column names separated by spaces; sent once, even if later slices repeat it. */
void admin_columns(struct admin_job *a, const char *names);
void admin_row(struct admin_job *a, const struct slice *values, size_t count);
#define ADMIN_ROW(a, ...)                               \
  admin_row((a), (const struct slice[]){ __VA_ARGS__ }, \
            sizeof((const struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice))
/* A number as a value; valid as long as admin_copy()'s. */
struct slice admin_num(struct admin_job *a, uint64_t n);
/* A row of a name and a number, as in `status`. */
void admin_fact(struct admin_job *a, const char *name, uint64_t n);
/* Octets of a stream; at most IPC_CHUNK. */
void admin_output(struct admin_job *a, struct slice octets);
struct change *admin_change(struct admin_job *a, enum change_kind kind);
/* DB_OK, or DB_NOMEM. The text must stay valid until the slice is finished. */
enum db_result admin_changed(struct admin_job *a, enum change_kind kind, struct slice text);
enum db_result admin_changed_id(struct admin_job *a, enum change_kind kind, uint64_t id);
/* A copy that lives until the slice is finished. */
struct slice admin_copy(struct admin_job *a, struct slice s);

#endif
