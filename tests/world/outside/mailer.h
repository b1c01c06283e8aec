/* SPDX-License-Identifier: ISC */
/* Those who send: one of ours (from a network that may), or a stranger to an address here that
 * leads elsewhere. */
#ifndef QASID_WORLD_OUTSIDE_MAILER_H
#define QASID_WORLD_OUTSIDE_MAILER_H

#include "tests/world/outside/post.h"

enum { MAILERS_MAX = 12 };

struct mailers;

struct mailer_out {
  struct mailers *all;
  struct world_conn *conn; /* NULL: nobody */
  unsigned step, letters_left, rcpts, named;
  unsigned domains[POST_RCPTS_MAX];
  uint32_t letter;
  bool body_sent;
};

struct mailers {
  struct world *w;
  struct post *post;
  struct rng rng;
  bool unsure; /* what is refused may be there all the same */
  struct mailer_out them[MAILERS_MAX];
};

void mailers_init(struct mailers *m, struct world *w, struct post *post, uint64_t seed);
void mailers_come(struct mailers *m);
/* All connections are lost. */
void mailers_gone(struct mailers *m);

#endif
