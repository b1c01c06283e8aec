/* SPDX-License-Identifier: ISC */
/* The owner's side of the queue: which letters are in a sender's hands, and what follows from its
 * reports.
 *
 *   new rows, due times → schedule → take job → send_letter → send_result → result job → schedule
 *
 * A letter is in exactly one of these states:
 *   in hands   the sender has it; freed by its result, the loss of the sender, or SEND_PATIENCE_S
 *   settling its result job is outstanding; the schedule is updated when that is durable. A letter
 *              whose sender is lost settles here too, if an attempt may have been in progress: the
 *              history records that it was interrupted
 *   overdue    it was taken back by settling it here: settling too until that is durable, then out
 *              of hands; a later report of the sender is ignored, and ends this state
 *
 * A letter whose recipients have expired by the time it is taken is never handed over: it is
 * settling at once. So nothing is tried past its deadline, however it was returned.
 *
 * After a reload the previous sender finishes its sessions beside the new one, which gets the new
 * work (ipc/sender_store.h); each has its own letters, and reports those.
 *
 * A row is in at most one letter in hands (`hands`). The schedule's cursor alone does not ensure
 * that: the administrator can make a row due again while a sender has it, and then it lies beyond
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

/* The scan of expired recipients (outbound_expire.c), in slices:
 *
 *   resting --outbound_expire--> reading --its letters end here--> writing --durable--> reading the
 *   next slice, or resting */
struct expire_walk {
  bool reading;     /* its job is out */
  uint64_t writing; /* letters that end here and are not durable yet */
  bool more;        /* there may be more after `from` */
  bool again;       /* requested meanwhile: scan again from the beginning */
  bool away;        /* some are in hands: look again when they are back */
  struct queue_cursor from;
};

struct peer;

struct outbound {
  struct schedule schedule;
  struct map by_tag;
  struct hands hands; /* rows of letters in hands or settling, and of letters ending here */
  uint64_t next_tag;
  uint8_t secret[SRS_SECRET]; /* for rewritten reverse-paths */
  uint32_t sender;            /* the process that takes letters, 0: none */
  uint32_t newest;            /* the greatest number of such a process so far */
  uint64_t credit;            /* letters that it has room for */
  uint64_t given;             /* letters that it has */
  int64_t now_s;              /* time of the last event */
  int64_t notice_wake;        /* the wake-up last requested from the shell */
  struct map reports_to;      /* hash of a destination → reports of the current day */
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
/* Reads the waiting rows. */
enum db_result outbound_load(struct store *s, struct db *db);
void outbound_free(struct store *s);
/* The queue has new rows of a message that are due now. */
void outbound_fresh(struct store *s, const struct queue_rcpt *rcpts, size_t count, int64_t now_s);
/* Some rows of the destination were made due by the administrator. False without memory. */
bool outbound_due(struct store *s, struct slice destination);
/* Hands over what is due and fits. */
void outbound_run(struct store *s, int64_t now_s);
bool outbound_message(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s);
void outbound_sender_lost(struct store *s, uint32_t number, int64_t now_s);
/* Each minute. */
void outbound_housekeeping(struct store *s, int64_t now_s);
/* Some recipients are to end now: runs that part of housekeeping at once. */
void outbound_expire(struct store *s, int64_t now_s);
/* A letter that ended by expiry is durable. */
void outbound_expired(struct store *s, int64_t now_s);
struct view_row;
/* Rows in a sender's hands: at most `most` of them into `rows`; returns how many there are. */
size_t outbound_rows(const struct outbound *o, struct view_row *rows, size_t most);
/* True if a sender has that row, or it ends here by an outstanding job. */
bool outbound_has_row(const struct store *s, uint64_t row);

#endif
