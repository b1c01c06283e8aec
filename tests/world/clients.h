/* Random clients of the long run: they send letters, fetch and delete them, and leave at any point.
 * What they are told goes to the ledger. */
#ifndef QASID_WORLD_CLIENTS_H
#define QASID_WORLD_CLIENTS_H

#include "tests/world/ledger.h"

enum { CLIENTS_MAX = 24 };

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

struct crowd {
  struct world *w;
  struct ledger *ledger;
  struct rng rng;
  bool unsure;  /* the disk fails or a room dies in this life: what was refused may be there */
  bool patient; /* nobody leaves early and everybody must succeed */
  struct mailer mailers[CLIENTS_MAX];
  struct reader readers[CLIENTS_MAX];
  unsigned long long accepted, refused, fetched, deleted; /* for the summary */
};

/* Names of the boxes at login, "box0@example.org" …; all have the password "secret". */
void crowd_mailer(struct crowd *c);
void crowd_reader(struct crowd *c, unsigned box);
/* True when nobody is connected any more. */
bool crowd_gone(const struct crowd *c);
void crowd_free(struct crowd *c);

#endif
