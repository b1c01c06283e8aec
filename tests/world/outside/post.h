/* SPDX-License-Identifier: ISC */
/* What must be true of mail for elsewhere, by what its senders and the servers elsewhere were told.
 *
 * A letter (X-World: in its header says which) has recipients elsewhere. Of each:
 *
 *   NEVER ──all octets sent──> MAY ──250, or a trace of it──> MUST
 *
 * and each one that MUST be somewhere is, whenever one looks, in exactly one of these: in the
 * queue, at a server elsewhere whose 250 went out behind its whole octets, in a failure report, or
 * gone by the administrator's word.
 *
 * It may be at a server twice, or there and in a failure report or in the queue, only where that
 * 250 was lost on its way to us, or where a death came behind it before our commit: at most
 * WINDOW_MS later, or before the life's end when its disk fails, or when the letter had recipients
 * that waited for another session (then no result was written yet). Those are counted. A report is
 * written once, and sent once but for the same window. */
#ifndef QASID_WORLD_OUTSIDE_POST_H
#define QASID_WORLD_OUTSIDE_POST_H

#include "tests/world/world.h"

enum { POST_RCPTS_MAX = 4, WINDOW_MS = 8000, POST_DOMAINS = 6, POST_BOXES = 2, POST_LOSSES = 32 };

enum post_state { POST_NEVER, POST_MAY, POST_MUST };

/* What the far side knows of a delivery: sure once we have read its whole answer. */
struct post_copy {
  unsigned count;
  bool sure, alone; /* alone: nothing else of its letter was still open in that session */
  uint64_t at_ms;   /* of the last: when it became sure, or was answered */
};

struct post_rcpt {
  char address[64];
  struct post_copy there;
  unsigned failed, delayed; /* reports that were seen */
  bool failed_before;       /* the present look */
  bool queued;              /* when last looked at */
  bool may_go;              /* the administrator was asked to drop it */
};

struct post_letter {
  uint32_t id, size;
  uint64_t seed;
  bool forwarded; /* by an address here; else one of ours sent it */
  unsigned box;   /* whose it is; reports go there */
  enum post_state state;
  unsigned count;
  struct post_rcpt rcpts[POST_RCPTS_MAX];
  struct {
    uint64_t name; /* hash of its Message-ID */
    struct post_copy there;
  } reports[2 * POST_RCPTS_MAX]; /* those that left for elsewhere */
  unsigned report_count;
  bool report_queued; /* one of them is in the queue */
};

struct post {
  struct world *w;
  struct post_letter **letters;
  size_t count, room;
  struct {
    /* what became sure from then on may not have been written by the death at `ms` */
    uint64_t from_ms, ms;
  } losses[POST_LOSSES]; /* the last deaths of store, the sender or all */
  size_t loss_count;
  /* the disk fails in this life: a result may wait for long before it is written */
  bool unsure;
  uint64_t life_ms; /* when it began */
  uint64_t look_ms; /* when the present look began */
  unsigned long long accepted, delivered, again, failed, delayed, both, dropped;
};

void post_free(struct post *p);
struct post_letter *post_letter(struct post *p, uint32_t id);
struct post_letter *post_write(struct post *p, struct rng *rng);
/* Its text in wire form. */
void post_put(const struct post_letter *l, struct buf *out);
/* Every octet has left the client; what it was answered. */
void post_sent(struct post *p, uint32_t id);
void post_answered(struct post *p, uint32_t id, bool accepted, bool unsure);

/* A life begins. */
void post_life(struct post *p, bool unsure);
/* A death of store, of the sender, or of all. */
void post_loss(struct post *p);

/* A server elsewhere has answered 250 (or will at once) to these octets for that recipient; `open`:
 * recipients of the same transaction that were put off. NULL: it is none of ours, which is a
 * failure. */
struct post_copy *post_arrived(struct post *p, struct slice octets, struct slice path,
                               struct slice rcpt, unsigned open);
/* We have read that 250. */
void post_sure(struct post *p, struct post_copy *c);

/* A report in the mailbox of that box. */
void post_reported(struct post *p, unsigned box, struct slice octets);

/* What the mailboxes and the queue hold, at a quiet moment. The queue first, then the boxes. */
void post_look_begins(struct post *p);
void post_queue_row(struct post *p, struct slice from, struct slice to);
void post_look_ends(struct post *p);
/* None is open any more. */
bool post_all_ended(const struct post *p);

#endif
