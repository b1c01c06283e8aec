/* SPDX-License-Identifier: ISC */
/* The names of the simulated disk: what can be seen, what is durable, and the operations between.
 * Only disk_sim.c uses this; its header has the model. */
#ifndef QASID_WORLD_DISK_NAMES_H
#define QASID_WORLD_DISK_NAMES_H

#include "tests/world/disk_node.h"

enum { DISK_NAME_MAX = 120 };

struct name {
  uint32_t hash; /* of path: a store has hundreds of folders */
  char path[DISK_NAME_MAX];
  struct node *node;
};

struct table {
  struct name *items;
  size_t count, room;
};

/* An operation that is not durable yet. The node's durable_names counts it. */
struct name_op {
  enum { NAME_LINK, NAME_UNLINK, NAME_MOVE } kind;
  char path[DISK_NAME_MAX], to[DISK_NAME_MAX];
  struct node *node;
};

struct names {
  struct table now, durable;
  struct name_op *ops;
  size_t count, room;
};

void names_free(struct names *t);
struct node *names_find(const struct table *t, const char *path);
/* The folder of a path ("" for one at the top), as a slice of it. */
struct slice names_folder(const char *path);

void names_link(struct names *t, const char *path, struct node *node);
void names_unlink(struct names *t, const char *path);
void names_move(struct names *t, const char *from, const char *to);
/* Operations in that folder are durable; with NULL all are. */
void names_sync(struct names *t, const char *folder);
/* A power loss: part of the waiting operations became durable; that is what is seen from now on. */
void names_settle(struct names *t, struct rng *rng);

#endif
