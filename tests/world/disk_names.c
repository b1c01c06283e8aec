/* SPDX-License-Identifier: ISC */
#include "tests/world/disk_names.h"

#include "tests/world/must.h"

static void copy_path(char *to, const char *from) {
  size_t n = strlen(from);
  if (n >= DISK_NAME_MAX) abort(); /* disk_sim.c refuses such names */
  memcpy(to, from, n + 1);
}

struct slice names_folder(const char *path) {
  struct slice s = slice_str(path);
  ptrdiff_t at = slice_rfind(s, '/');
  return slice_first(s, at < 0 ? 0 : (size_t)at);
}

static uint32_t hash_of(const char *path) {
  uint32_t h = 2166136261u; /* FNV-1a */
  for (; *path; path++) h = (h ^ (uint8_t)*path) * 16777619u;
  return h;
}

static struct name *find(const struct table *t, const char *path) {
  uint32_t hash = hash_of(path);
  for (size_t i = 0; i < t->count; i++)
    if (t->items[i].hash == hash && !strcmp(t->items[i].path, path)) return &t->items[i];
  return NULL;
}

struct node *names_find(const struct table *t, const char *path) {
  struct name *n = find(t, path);
  return n ? n->node : NULL;
}

/* The counter of this table's holds on a node. */
static unsigned *holds(const struct names *t, const struct table *which, struct node *node) {
  return which == &t->now ? &node->names : &node->durable_names;
}

static void table_remove(struct names *t, struct table *which, const char *path) {
  struct name *n = find(which, path);
  if (!n) return;
  (*holds(t, which, n->node))--;
  *n = which->items[--which->count];
}

static void table_set(struct names *t, struct table *which, const char *path, struct node *node) {
  (*holds(t, which, node))++;
  table_remove(t, which, path);
  which->items = must_fit(which->items, which->count, &which->room, sizeof *which->items);
  struct name *n = &which->items[which->count++];
  copy_path(n->path, path);
  n->hash = hash_of(path);
  n->node = node;
}

static void queue(struct names *t, int kind, const char *path, const char *to, struct node *node) {
  t->ops = must_fit(t->ops, t->count, &t->room, sizeof *t->ops);
  struct name_op *op = &t->ops[t->count++];
  op->kind = kind;
  copy_path(op->path, path);
  copy_path(op->to, to);
  op->node = node;
  node->durable_names++;
}

void names_link(struct names *t, const char *path, struct node *node) {
  queue(t, NAME_LINK, path, "", node);
  table_set(t, &t->now, path, node);
}

void names_unlink(struct names *t, const char *path) {
  queue(t, NAME_UNLINK, path, "", names_find(&t->now, path));
  table_remove(t, &t->now, path);
}

void names_move(struct names *t, const char *from, const char *to) {
  struct node *node = names_find(&t->now, from);
  queue(t, NAME_MOVE, from, to, node);
  table_set(t, &t->now, to, node);
  table_remove(t, &t->now, from);
}

static void make_durable(struct names *t, const struct name_op *op) {
  if (op->kind == NAME_LINK) table_set(t, &t->durable, op->path, op->node);
  if (op->kind == NAME_MOVE) table_set(t, &t->durable, op->to, op->node);
  if (op->kind != NAME_LINK && names_find(&t->durable, op->path) == op->node)
    table_remove(t, &t->durable, op->path);
}

static bool touches(const struct name_op *op, struct slice folder) {
  return slice_eq(names_folder(op->path), folder) ||
         (op->kind == NAME_MOVE && slice_eq(names_folder(op->to), folder));
}

static bool crosses(const struct name_op *op) {
  return op->kind == NAME_MOVE && !slice_eq(names_folder(op->path), names_folder(op->to));
}

static bool any_crosses(const struct names *t) {
  for (size_t i = 0; i < t->count; i++)
    if (crosses(&t->ops[i])) return true;
  return false;
}

void names_sync(struct names *t, const char *folder) {
  bool all = !folder || any_crosses(t); /* a rename across folders ties their journals together */
  size_t kept = 0;
  for (size_t i = 0; i < t->count; i++) {
    struct name_op op = t->ops[i];
    if (!all && !touches(&op, slice_str(folder))) {
      t->ops[kept++] = op;
      continue;
    }
    make_durable(t, &op);
    op.node->durable_names--;
  }
  t->count = kept;
}

/* A prefix of the operations, for each folder on its own when `apart`. A folder whose prefix has
 * ended is remembered by the place of the operation that ended it. */
static void apply_prefixes(struct names *t, struct rng *rng, bool apart) {
  static const unsigned ends[] = { 0, 100, 20, 5, 50 };
  unsigned percent = ends[rng_below(rng, sizeof ends / sizeof *ends)];
  size_t *ended = must_alloc((t->count + 1) * sizeof *ended), n = 0;
  for (size_t i = 0; i < t->count; i++) {
    bool stop = false;
    for (size_t k = 0; k < n && !stop; k++)
      stop = !apart || slice_eq(names_folder(t->ops[ended[k]].path), names_folder(t->ops[i].path));
    if (!stop && rng_chance(rng, percent, 100)) stop = true, ended[n++] = i;
    if (!stop) make_durable(t, &t->ops[i]);
  }
  free(ended);
}

/* A file whose folder did not survive is gone with it. */
static void drop_orphans(struct names *t) {
  for (size_t i = 0; i < t->durable.count;) {
    char folder[DISK_NAME_MAX];
    struct slice s = names_folder(t->durable.items[i].path);
    memcpy(folder, s.p, s.n);
    folder[s.n] = 0;
    if (s.n && !find(&t->durable, folder))
      table_remove(t, &t->durable, t->durable.items[i].path), i = 0;
    else
      i++;
  }
}

static void show_durable(struct names *t) {
  while (t->now.count) table_remove(t, &t->now, t->now.items[t->now.count - 1].path);
  for (size_t i = 0; i < t->durable.count; i++)
    table_set(t, &t->now, t->durable.items[i].path, t->durable.items[i].node);
}

void names_settle(struct names *t, struct rng *rng) {
  apply_prefixes(t, rng, !any_crosses(t) && rng_chance(rng, 1, 2));
  for (size_t i = 0; i < t->count; i++) t->ops[i].node->durable_names--;
  t->count = 0;
  drop_orphans(t);
  show_durable(t);
}

void names_free(struct names *t) {
  free(t->now.items);
  free(t->durable.items);
  free(t->ops);
}
