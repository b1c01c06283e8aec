/* SPDX-License-Identifier: ISC */
/* What must be in the mailboxes, by what the clients were told.
 *
 * A letter is one message that a client sends; a copy is that letter in one mailbox. A copy is
 *
 *   COPY_NEVER ──all octets sent──> COPY_MAY ──250, or seen in the mailbox──> COPY_MUST
 *        ^                             │                                       │    ^
 *        └── refused, or absent after ─┘         QUIT sent with it as deleted ─┤    │ still there
 *            a death                                                           v    │ after a
 *   COPY_GONE <───────────+OK, or absent──────────────────────────── COPY_LEAVING ──┘ death, or
 *     │  ^                                                                            was read
 *     │  └── not among what came back, or absent
 *     └──undelete asked──> COPY_RETURNING ──answered, or seen──> COPY_MUST
 *
 * Each look at a mailbox compares: what must be there is there once, octet for octet behind our
 * trace header; what may be there is whole; nothing else is there; uids rise, never change their
 * message and are never used again; a UIDL stays with its message; deletions of one QUIT were made
 * all or none. */
#ifndef QASID_WORLD_LEDGER_H
#define QASID_WORLD_LEDGER_H

#include "tests/world/world.h"

enum { BOXES = 4, UIDS_MAX = 4096 };

enum copy { COPY_NEVER, COPY_MAY, COPY_MUST, COPY_LEAVING, COPY_GONE, COPY_RETURNING };

struct letter {
  uint32_t id;
  uint32_t size;  /* octets wanted, more or less */
  uint64_t seed;  /* of its text */
  unsigned boxes; /* bit i: box i has been named and accepted */
  enum copy copies[BOXES];
  uint32_t quits[BOXES]; /* the QUIT by which it leaves */
  char uidls[BOXES][72]; /* "": not known yet */
};

/* One mailbox, as it has been seen. */
struct seen {
  uint32_t uidvalidity, highest;
  struct {
    uint32_t uid, letter;
  } uids[UIDS_MAX];
  size_t count;
};

struct ledger {
  struct letter *letters;
  size_t count, room;
  struct seen seen[BOXES];
  uint32_t next_quit;
};

void ledger_free(struct ledger *l);
struct letter *ledger_letter(struct ledger *l, uint32_t id);
/* A new letter; the pointer is valid until the next one. */
struct letter *ledger_write(struct ledger *l, struct rng *rng);
/* The letter's text in wire form, dots not doubled. */
void letter_put(const struct letter *m, struct buf *out);

/* Every octet of it has left the client. */
void ledger_sent(struct ledger *l, uint32_t id);
/* The answer to it: 250 or a refusal. `unsure`: a refusal after which it may be there all the same
 * (the disk failed while it was kept). */
void ledger_answered(struct ledger *l, uint32_t id, bool accepted, bool unsure);
/* A session has read octets of a message with that uid; `surrogate`: it did not say UTF8. Failures
 * go to the world. A message that an unanswered QUIT was to delete is there still, and with it all
 * of that QUIT's. */
uint32_t ledger_see(struct ledger *l, struct world *w, unsigned box, uint32_t uid,
                    struct slice octets, bool surrogate);
/* QUIT is said with these letters marked: they leave. Returns the number of the QUIT. */
uint32_t ledger_leave(struct ledger *l, unsigned box, const uint32_t *letters, size_t count);
/* What it was answered. */
void ledger_left(struct ledger *l, unsigned box, uint32_t quit, bool ok, bool unsure);
/* All that is gone from that box is asked back, while no client is there. */
void ledger_undelete(struct ledger *l, unsigned box);
bool ledger_any_gone(const struct ledger *l, unsigned box);
/* The answer: what had that UIDL is back, and has a uid that none had. */
void ledger_back(struct ledger *l, struct world *w, unsigned box, uint32_t uid, struct slice uidl);
/* No more of them: the rest stays gone. */
void ledger_undeleted(struct ledger *l, unsigned box);
/* The whole mailbox, when no session is open: compares, and settles what was open. */
void ledger_compare(struct ledger *l, struct world *w, unsigned box, const struct world_box *b);

#endif
