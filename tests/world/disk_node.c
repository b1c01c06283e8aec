/* SPDX-License-Identifier: ISC */
#include "tests/world/disk_node.h"

#include "tests/world/must.h"

/* Room for so many octets; what is behind `size` is anything. */
/* Memory of images that are gone, by size: a disk is made for every fault, and large blocks that a
 * sanitizer returns to the kernel each time were half of the CPU. */
static struct spare { struct spare *next; } * spares[64];

static struct spare **spares_of(size_t cap) { return &spares[__builtin_ctzll(cap)]; }

static void *image_memory(size_t cap) {
  struct spare **list = spares_of(cap), *spare = *list;
  if (spare) *list = spare->next;
  void *p = spare ? spare : aligned_alloc(16, cap);
  if (!p) abort();
  return p;
}

static void image_free(struct image *m) {
  if (!m->p) return;
  struct spare **list = spares_of(m->cap), *spare = (struct spare *)m->p;
  spare->next = *list;
  *list = spare;
}

static void image_room(struct image *m, size_t size) {
  if (size <= m->cap) return;
  size_t cap = m->cap ? m->cap : 32 * 1024;
  while (cap < size) cap *= 2;
  uint8_t *p = image_memory(cap);
  if (m->size) memcpy(p, m->p, m->size);
  image_free(m);
  m->p = p;
  m->cap = cap;
}

static void image_size(struct image *m, size_t size) {
  image_room(m, size);
  if (size > m->size) memset(m->p + m->size, 0, size - m->size);
  m->size = size;
}

static void image_write(struct image *m, struct slice s, size_t at) {
  if (!s.n) return;
  if (at > m->size) image_size(m, at);
  image_room(m, at + s.n);
  memcpy(m->p + at, s.p, s.n);
  if (at + s.n > m->size) m->size = at + s.n;
}

static void forget(struct node *n) {
  for (size_t i = 0; i < n->count; i++) free(n->changes[i].data);
  n->count = 0;
}

void node_free(struct node *n) {
  forget(n);
  free(n->changes);
  image_free(&n->now);
  image_free(&n->durable);
  free(n);
}

static struct change *add(struct node *n) {
  n->changes = must_fit(n->changes, n->count, &n->room, sizeof *n->changes);
  struct change *c = &n->changes[n->count++];
  *c = (struct change){ 0 };
  return c;
}

void node_write(struct node *n, struct slice s, size_t at) {
  if (!s.n) return;
  image_write(&n->now, s, at);
  struct change *c = add(n);
  c->data = aligned_alloc(16, (s.n + 15) / 16 * 16);
  if (!c->data) abort();
  memcpy(c->data, s.p, s.n);
  c->at = at;
  c->n = s.n;
}

void node_truncate(struct node *n, size_t size) {
  image_size(&n->now, size);
  add(n)->at = size;
}

static void apply(struct image *m, const struct change *c) {
  if (c->data)
    image_write(m, slice_of(c->data, c->n), c->at);
  else
    image_size(m, c->at);
}

void node_sync(struct node *n) {
  for (size_t i = 0; i < n->count; i++) apply(&n->durable, &n->changes[i]);
  forget(n);
}

/* The sectors of one write, each with its own fate. */
static void apply_torn(struct image *m, const struct change *c, struct rng *rng, unsigned percent) {
  for (size_t done = 0; done < c->n;) {
    size_t end = ((c->at + done) / SECTOR + 1) * SECTOR - c->at;
    if (end > c->n) end = c->n;
    if (rng_chance(rng, percent, 100))
      image_write(m, slice_of(c->data + done, end - done), c->at + done);
    done = end;
  }
}

void node_settle(struct node *n, struct rng *rng) {
  static const unsigned densities[] = { 0, 100, 50, 90, 10, 97 };
  unsigned percent = densities[rng_below(rng, sizeof densities / sizeof *densities)];
  for (size_t i = 0; i < n->count; i++) {
    const struct change *c = &n->changes[i];
    if (c->data)
      apply_torn(&n->durable, c, rng, percent);
    else if (rng_chance(rng, percent, 100))
      apply(&n->durable, c);
    /* The new size may be there without the octets. */
    if (c->data && c->at + c->n > n->durable.size && rng_chance(rng, percent, 200))
      image_size(&n->durable, c->at + c->n);
  }
  forget(n);
}

void node_reread(struct node *n) {
  image_size(&n->now, n->durable.size);
  if (n->durable.size) memcpy(n->now.p, n->durable.p, n->durable.size);
  for (size_t i = 0; i < n->count; i++) apply(&n->now, &n->changes[i]);
  n->stale = false;
}
