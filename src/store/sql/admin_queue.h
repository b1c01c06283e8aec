/* SPDX-License-Identifier: ISC */
/* Selects the recipients that a queue command is about.
 *
 * Selectors are words, all of which must match: an id (of the message), an address (of the
 * recipient or the sender), to=ADDRESS|DOMAIN, from=ADDRESS|DOMAIN, account=ADDRESS,
 * state=waiting|held, reason=WORD (queue_reasons.def, or a class of mail/smtp/classes.def),
 * older=TIME, newer=TIME. Each may be given once.
 *
 *   words → the index that narrows it most → row numbers, in slices → each row is read, and checked
 *   against all words
 *
 * A slice reads a bounded number of rows, so that a million of them delay nothing else. */
#ifndef QASID_STORE_SQL_ADMIN_QUEUE_H
#define QASID_STORE_SQL_ADMIN_QUEUE_H

#include "mail/smtp/class.h"
#include "src/store/jobs/queue.h"
#include "src/store/jobs/queue_view.h"
#include "src/store/sql/admin.h"

enum { SELECT_STAGES = 3 };

struct selection {
  const struct queue_view *view; /* the job's */
  bool parsed;
  unsigned given;                     /* a bit for each selector given */
  struct slice id, address, to, from; /* p NULL: any; the text is the command's */
  int64_t account;                    /* -1: any */
  int64_t state;                      /* -1: any */
  int64_t came_by, came_from;         /* INT64_MAX, 0: any */
  enum queue_reason reason;           /* QUEUE_REASONS: any */
  struct slice class;                 /* p NULL: any */
  /* gathering */
  uint8_t stages[SELECT_STAGES], stage_count, stage;
  int64_t cursor[3], last;
  /* the destination of the current stage: that of to=DOMAIN, or one with a route selector */
  uint8_t destination[QUEUE_DESTINATION_MAX];
  size_t destination_n;
  uint8_t sender[ENVELOPE_PATH_MAX]; /* of from=DOMAIN */
  size_t sender_n;
  int64_t *rows;
  size_t count, cap;
  bool gathered;
  /* its progress; before: at the start of the current slice */
  struct selection_place {
    size_t at;
    uint64_t done;  /* changed */
    uint64_t hands; /* of those: in a sender's hands */
    uint64_t held;  /* skipped because they are held */
  } now, before;
};

/* A matching row, valid until the next call. */
struct selected {
  int64_t row, body, came, due, tries, code, size, expires, held_by;
  uint8_t kind;               /* enum queue_kind */
  bool held, to_fail, warned; /* held: by the administrator or a limit, not to be failed */
  struct slice name, return_path, address, reply, class, destination;
  struct queue_why why;
};

/* Prepares the selection so that rows can be read. False: the slice is over (again is set), it was
 * answered, or *r is an error. */
bool selection_ready(struct store_engine *e, struct admin_job *a, struct selection **ret,
                     enum db_result *r);
/* The next matching row, of at most `most` examined in a slice (*looked counts). False: none in
 * this slice, or an error in *r; sets again while there are more. */
bool selection_next(struct store_engine *e, struct admin_job *a, struct selection *x, size_t most,
                    size_t *looked, struct selected *ret, enum db_result *r);

#endif
