/* SPDX-License-Identifier: ISC */
/* The commands of `qasid` that are the store's: a table of verbs (verbs.def), each run as a job.
 *
 * Its answer (columns, rows, octets) gathers in the job as encoded messages and goes out when the
 * slice is finished; long work sets `again` and is called once more. What it changes in the
 * directory is noted beside, and the owner forgets it once it is durable. */
#ifndef QASID_STORE_JOBS_ADMIN_H
#define QASID_STORE_JOBS_ADMIN_H

#include "ipc/cli_process.h"
#include "lib/base/arena.h"
#include "src/store/jobs/job.h"
#include "src/store/jobs/queue_view.h"

enum { ADMIN_WORDS_MAX = 1024 };

enum admin_where {
  ADMIN_READ,  /* by a reader's thread */
  ADMIN_WRITE, /* in the writer's, inside a group's transaction; may be run twice, see job.h */
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
  CHANGE_QUEUE_TO_FAIL,   /* recipients are to end now */
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
  struct buf bulk;     /* rows that were put for it (admin_bulk.c) */
  bool keep;           /* what is deleted can be brought back (undelete_time) */
  uint64_t quota;      /* the option's, as it is now */
  bool dotless, sends; /* the options dotless_domains, send */
  /* the answer */
  struct buf out;                    /* whole messages with their heads */
  bool columns_sent, columns_before; /* before: the present slice */
  enum cli_code code;
  struct buf text;
  struct arena memory; /* of this slice */
  struct change *changes, **changes_end;
  bool undone;    /* the slice ran before, and was rolled back then: it begins where it began */
  bool to_reader; /* result: the next slices are a reader's */
  /* the words for an error of a connection of its own; or NULL */
  const char *(*why)(struct admin_job *a);
  void *state; /* a long command's own, and what frees it */
  void (*state_free)(void *state);
  struct queue_view *view; /* a command of the queue's: why rows wait. Owned; NULL: no memory */
  bool holding;            /* result: body files are held until the command ends (sql/whole.h) */
};

/* Forgets the answer of the slice before. */
void admin_begin_slice(struct admin_job *a);
/* Discards what was gathered; only the reason is sent. */
void admin_trouble(struct admin_job *a, const char *why);

/* --- for handlers --- */

/* A long command's own memory; freed with the job. */
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
/* A number as a value; lives as long as admin_copy's. */
struct slice admin_num(struct admin_job *a, uint64_t n);
/* A row of a name and a number, as `status` has them. */
void admin_fact(struct admin_job *a, const char *name, uint64_t n);
/* Octets of a stream; at most IPC_CHUNK. */
void admin_output(struct admin_job *a, struct slice octets);
struct change *admin_change(struct admin_job *a, enum change_kind kind);
/* DB_OK, or DB_NOMEM. The text is to live until the slice is finished. */
enum db_result admin_changed(struct admin_job *a, enum change_kind kind, struct slice text);
enum db_result admin_changed_id(struct admin_job *a, enum change_kind kind, uint64_t id);
/* A copy that lives until the slice is finished. */
struct slice admin_copy(struct admin_job *a, struct slice s);

#endif
