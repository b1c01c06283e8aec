/* SPDX-License-Identifier: ISC */
/* What the two files share that play a conversation: conv_play.c (the steps) and conv_expect.c. */
#ifndef QASID_WORLD_CONV_IN_H
#define QASID_WORLD_CONV_IN_H

#include "tests/world/conv.h"
#include "tests/world/conv_text.h"

enum {
  ACTORS = 16,
  PATIENCE_MS = 60 * 1000, /* how long a client waits for a line; held-back logins take seconds */
};

struct play;

/* One client. */
struct actor {
  struct play *play;
  char name[16];
  struct world_conn *conn; /* NULL: not connected, or over */
  bool connected, closed;
  bool pop;
  struct buf text;  /* what came and was not read yet */
  struct buf reply; /* the last S*: reply */
  enum close_reason reason;
};

struct play {
  struct conv *c;
  const struct conv_run *how;
  struct conv_outcome *outcome;
  struct world *w;
  struct actor actors[ACTORS];
  size_t actor_count;
  struct conv_memory memory;
  const struct conv_step *step;
  bool disturbed, stop;
};

/* The first thing that is not as the text says ends the play; in a disturbed one that is allowed.
 */
void conv_differ(struct play *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Lets the world go on until that is so. */
bool conv_wait(struct play *p, bool (*so)(const struct actor *a), const struct actor *a);
/* Does some line of `text` look like `pattern`? */
bool conv_any_line(struct play *p, struct slice text, struct slice pattern);
/* The step `expect`. */
bool conv_expect(struct play *p, struct actor *a);

#endif
