/* SPDX-License-Identifier: ISC */
/* The owner's side of the queue: which letters are in a sender's hands, and what follows from what
 * it reports.
 *
 *   fresh rows, due times → schedule → take job → send_letter → send_result → result job → schedule
 *
 * A letter is in exactly one of these conditions:
 *   in hands   the sender has it; freed by its result, the loss of the sender, or SEND_PATIENCE_S
 *   settling   its result job is out; the schedule is updated when that is durable. A letter whose
 *              sender is lost settles here too, when an attempt may have been under way: the
 *              history tells that it was cut
 *   overdue    it was taken back by settling it here: settling too until that is durable, then out
 *              of hands; what the sender still reports is ignored, and ends it
 *
 * A letter whose recipients' time is over when it is taken is never handed over: it is settling at
 * once. So nothing is tried past its deadline, whoever gave it back.
 *
 * After a reload the sender from before it finishes its sessions beside the new one, which has the
 * work (ipc/sender_store.h); each has its own letters, and reports those.
 *
 * A row is in one letter in hands at most (`hands`). The schedule's cursor alone does not ensure
 * that: the administrator can make a row due anew while a sender has it, and then it lies beyond
 * the cursor again. */
#ifndef QASID_STORE_OWNER_OUTBOUND_H
#define QASID_STORE_OWNER_OUTBOUND_H

#include "mail/srs.h"
#include "src/store/owner/hands.h"
#include "src/store/owner/outbound_late.h"
#include "src/store/owner/schedule.h"

enum {
  SEND_PATIENCE_S = 4 * 3600, /* a letter in hands; the sender's own time-outs are far below */
};

/* The walk over what has expired (outbound_expire.c), in slices:
 *
 *   resting --outbound_expire--> reading --its letters end here--> writing --durable--> reading the
 *   next slice, or resting */
struct expire_walk {
  bool reading;     /* its job is out */
  uint64_t writing; /* letters that end here and are not durable yet */
  bool more;        /* behind `from` there may be more */
  bool again;       /* asked for meanwhile: from the beginning, once more */
  bool away;        /* some are in hands: looked for again when they are back */
  struct queue_cursor from;
};

struct peer;

struct outbound {
  struct schedule schedule;
  struct map by_tag;
  struct hands hands; /* rows of letters in hands or settling, and what ends here */
  uint64_t next_tag;
  uint8_t secret[SRS_SECRET]; /* of rewritten reverse-paths */
  uint32_t sender;            /* the process that takes letters, 0: none */
  uint32_t newest;            /* the greatest number of such a process so far */
  uint64_t credit;            /* letters that it has room for */
  uint64_t given;             /* letters that it has */
  int64_t now_s;              /* when something happened last */
  int64_t notice_wake;        /* what the shell was last asked for */
  struct map reports_to;      /* hash of a destination → reports of the present day */
  int64_t reports_day;
  struct result_job
      *parked; /* results that could not be written: retried by the next housekeeping */
  struct expire_walk expire;
  struct late_walk late;
  /* for `status` */
  uint64_t dropped_reports; /* beyond reports_per_destination */
  uint64_t in_hands, delivered, failed, deferred, reports;
};

void outbound_init(struct store *s);
/* Reads what is waiting. */
enum db_result outbound_load(struct store *s, struct db *db);
void outbound_free(struct store *s);
/* The queue has rows of a message that are due now. */
void outbound_fresh(struct store *s, const struct queue_rcpt *rcpts, size_t count, int64_t now_s);
/* Some rows of the destination were made due by the administrator. False without memory. */
bool outbound_due(struct store *s, struct slice destination);
/* Hands over what is due and fits. */
void outbound_run(struct store *s, int64_t now_s);
bool outbound_message(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s);
void outbound_sender_lost(struct store *s, uint32_t number, int64_t now_s);
/* Each minute. */
void outbound_housekeeping(struct store *s, int64_t now_s);
/* Recipients are to be ended now: runs that part of housekeeping at once. */
void outbound_expire(struct store *s, int64_t now_s);
/* A letter that ended by it is durable. */
void outbound_expired(struct store *s, int64_t now_s);
struct view_row;
/* Rows in a sender's hands: at most `most` of them into `rows`; how many there are. */
size_t outbound_rows(const struct outbound *o, struct view_row *rows, size_t most);
/* A sender has that row, or it ends here by a job that is out. */
bool outbound_has_row(const struct store *s, uint64_t row);

#endif
