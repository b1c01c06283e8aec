/* SPDX-License-Identifier: ISC */
/* Random clients of the long run: they send letters, fetch and delete them, and leave at any point.
 * What they are told goes to the ledger. */
#ifndef QASID_WORLD_CLIENTS_H
#define QASID_WORLD_CLIENTS_H

#include "mail/pop3/client.h"
#include "tests/world/ledger.h"

enum { CLIENTS_MAX = 24, MOVERS_MAX = 8 };

struct crowd;

/* The common part of a client: lines. */
struct client {
  struct crowd *crowd;
  struct world_conn *conn; /* NULL: over */
  bool used;
  void (*line)(struct client *c, struct slice line);
  void (*lost)(struct client *c);
};

struct mailer {
  struct client client;
  unsigned step, letters_left, rcpts, sent, answered;
  unsigned names[4];
  bool pipelines, more_lines;
  uint32_t letter;
  bool body_sent;
};

struct reader {
  struct client client;
  unsigned step, box, number, count;
  bool inside; /* a multi-line response */
  bool utf8;   /* it has said UTF8 */
  uint32_t uids[512], letters[512];
  uint64_t sizes[512];
  bool marked[512];
  unsigned asked; /* the message that RETR was said for */
  uint64_t announced;
  unsigned acts_left;
  struct buf text;
  uint32_t quit;
  char greeting[300];
};

/* Who moves mail to a disk of its own by the real client session (movers.c). */
struct mover {
  struct crowd *crowd;
  struct world_conn *conn;
  struct pop3_client *pop; /* NULL: nobody */
  unsigned box;
  struct buf text;             /* the message that comes */
  struct pop3_item *ended[16]; /* not settled yet, the oldest first */
  size_t ended_n;
  bool kept_first; /* the oldest of them is on its disk */
  bool quit_said;
  uint32_t quit;
};

struct crowd {
  struct world *w;
  struct ledger *ledger;
  struct rng rng;
  bool unsure;  /* the disk fails or a process dies in this life: what was refused may be there */
  bool patient; /* nobody leaves early and everybody must succeed */
  struct mailer mailers[CLIENTS_MAX];
  struct reader readers[CLIENTS_MAX];
  struct mover movers[MOVERS_MAX];
  /* the movers' disk: the letter of each uid that is safe there; 0: none */
  uint32_t kept[BOXES][UIDS_MAX];
  unsigned long long accepted, refused, fetched, deleted, moved; /* for the summary */
};

/* Names of the boxes at login, "box0@example.org" …; all have the password "secret". */
void crowd_mailer(struct crowd *c);
void crowd_reader(struct crowd *c, unsigned box);
void crowd_mover(struct crowd *c, unsigned box);
void crowd_movers_free(struct crowd *c);
/* The number in a UIDL of ours. */
uint32_t crowd_uid_of(struct slice uidl);
/* True when nobody is connected any more. */
bool crowd_gone(const struct crowd *c);
void crowd_free(struct crowd *c);

#endif
