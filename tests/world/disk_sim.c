/* SPDX-License-Identifier: ISC */
#include "tests/world/disk_sim.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "tests/world/disk_names.h"
#include "tests/world/must.h"

struct disk_sim {
  struct disk disk; /* first: a struct disk * is a struct disk_sim * */
  struct rng rng;
  struct names names;
  struct node *nodes;
  struct disk_plan plan;
  uint64_t ops, syncs, writes;
  uint64_t space;
  size_t handles;
  bool dead, dying, full;
  void (*trace)(void *arg, const char *line);
  void *trace_arg;
};

struct disk_file {
  struct disk_sim *sim;
  struct node *node;
  bool writable;
  bool failed; /* its sync has failed: it says no from then on, as the real disk's file does */
};

static struct disk_sim *sim_of(struct disk *d) { return (struct disk_sim *)(void *)d; }

__attribute__((format(printf, 2, 3))) static void trace(struct disk_sim *s, const char *fmt, ...) {
  if (!s->trace) return;
  char line[256];
  int n = snprintf(line, sizeof line, "%5llu ", (unsigned long long)s->ops);
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
  va_end(ap);
  s->trace(s->trace_arg, line);
}

/* Counts an operation. False: the disk is dead. When this one is the fatal one it is done or not
 * done, by chance, and the disk is dead after it. */
static bool begin(struct disk_sim *s) {
  if (s->dead) return false;
  s->ops++;
  if (s->plan.full_at && s->ops == s->plan.full_at) s->full = true;
  if (!s->plan.die_at || s->ops != s->plan.die_at) return true;
  s->dying = rng_chance(&s->rng, 1, 2);
  s->dead = !s->dying;
  trace(s, "-- the disk dies %s this --", s->dying ? "after" : "before");
  return s->dying;
}

static int end(struct disk_sim *s, int result) {
  if (!s->dying) return result;
  s->dying = false;
  s->dead = true;
  return -EIO;
}

/* -- nodes and space -- */

static struct node *node_new(struct disk_sim *s, bool is_dir) {
  struct node *n = must_alloc(sizeof *n);
  n->is_dir = is_dir;
  n->next = s->nodes;
  s->nodes = n;
  return n;
}

static void sweep(struct disk_sim *s) {
  for (struct node **at = &s->nodes; *at;) {
    struct node *n = *at;
    if (n->names || n->handles || n->durable_names) {
      at = &n->next;
    } else {
      *at = n->next;
      node_free(n);
    }
  }
}

uint64_t disk_sim_used(const struct disk_sim *s) {
  uint64_t used = 0;
  for (const struct node *n = s->nodes; n; n = n->next)
    if (n->names || n->handles) used += n->now.size;
  return used;
}

static bool room_for(const struct disk_sim *s, const struct node *n, uint64_t size) {
  if (size <= n->now.size) return true;
  if (s->full) return false;
  return s->space == UINT64_MAX || disk_sim_used(s) + (size - n->now.size) <= s->space;
}

/* -- the table of operations -- */

static bool good_name(const char *name) {
  size_t n = strlen(name);
  if (!n || n >= DISK_NAME_MAX || name[0] == '/' || strstr(name, "..")) return false;
  for (size_t i = 0; i < n; i++)
    if (!ascii_is_alnum(name[i]) && !strchr("._/-", name[i])) return false;
  return true;
}

/* Is the folder that `name` would be in there? */
static bool has_folder(const struct disk_sim *s, const char *name) {
  struct slice f = names_folder(name);
  char path[DISK_NAME_MAX];
  memcpy(path, f.p, f.n);
  path[f.n] = 0;
  struct node *dir = f.n ? names_find(&s->names.now, path) : NULL;
  return !f.n || (dir && dir->is_dir);
}

static int create(struct disk_sim *s, const char *name, struct node **ret) {
  if (!has_folder(s, name)) return -ENOENT;
  if (!begin(s)) return -EIO;
  trace(s, "create %s", name);
  if (s->full && rng_chance(&s->rng, 1, 2)) return end(s, -ENOSPC);
  *ret = node_new(s, false);
  names_link(&s->names, name, *ret);
  return end(s, 0);
}

static int sim_open(struct disk *d, const char *name, enum disk_open how, struct disk_file **ret) {
  struct disk_sim *s = sim_of(d);
  if (!good_name(name)) return -EINVAL;
  if (s->dead) return -EIO;
  struct node *n = names_find(&s->names.now, name);
  if (n && n->is_dir) return -EISDIR;
  if (n && how == DISK_CREATE) return -EEXIST;
  if (!n && how == DISK_READ) return -ENOENT;
  if (!n) {
    int e = create(s, name, &n);
    if (e) return e;
  }
  struct disk_file *f = must_alloc(sizeof *f);
  if (n->stale && !n->handles) node_reread(n);
  n->handles++;
  s->handles++;
  *f = (struct disk_file){ .sim = s, .node = n, .writable = how != DISK_READ };
  *ret = f;
  return 0;
}

static void sim_close(struct disk_file **f) {
  if (!*f) return;
  struct disk_sim *s = (*f)->sim;
  s->handles--;
  (*f)->node->handles--;
  free(*f);
  *f = NULL;
  sweep(s);
}

static int64_t sim_read(struct disk_file *f, void *to, size_t n, uint64_t at) {
  if (f->sim->dead) return -EIO;
  size_t size = f->node->now.size;
  if (at >= size) return 0;
  if (n > size - at) n = size - at;
  memcpy(to, f->node->now.p + at, n);
  return (int64_t)n;
}

/* What a write that does not succeed has left behind: some of its front. */
static void write_some(struct disk_sim *s, struct node *n, struct slice data, uint64_t at) {
  struct slice part = slice_first(data, rng_below(&s->rng, data.n + 1));
  if (room_for(s, n, at + part.n)) node_write(n, part, at);
}

static int sim_write(struct disk_file *f, struct slice data, uint64_t at) {
  struct disk_sim *s = f->sim;
  if (!f->writable) return -EBADF;
  if (f->failed) return -EIO;
  if (!begin(s)) {
    if (s->plan.die_at && s->ops == s->plan.die_at) write_some(s, f->node, data, at);
    return -EIO;
  }
  s->writes++;
  trace(s, "write %zu at %llu", data.n, (unsigned long long)at);
  if (s->plan.fail_write_at && s->writes == s->plan.fail_write_at) {
    trace(s, "-- EIO --");
    write_some(s, f->node, data, at);
    return end(s, -EIO);
  }
  if (!room_for(s, f->node, at + data.n)) {
    trace(s, "-- ENOSPC --");
    write_some(s, f->node, data, at);
    return end(s, -ENOSPC);
  }
  node_write(f->node, data, at);
  return end(s, 0);
}

static int sim_truncate(struct disk_file *f, uint64_t size) {
  struct disk_sim *s = f->sim;
  if (!f->writable) return -EBADF;
  if (!begin(s)) return -EIO;
  trace(s, "truncate to %llu", (unsigned long long)size);
  if (!room_for(s, f->node, size)) return end(s, -ENOSPC);
  node_truncate(f->node, size);
  return end(s, 0);
}

static int64_t sim_size(struct disk_file *f) {
  return f->sim->dead ? -EIO : (int64_t)f->node->now.size;
}

/* Some of the octets reached the disk; the kernel thinks that all did. */
static void lose(struct disk_sim *s, struct node *n) {
  if (!n->count) return;
  node_settle(n, &s->rng);
  n->stale = true;
}

static bool sync_fails(struct disk_sim *s) {
  bool fails = ++s->syncs == s->plan.fail_sync_at;
  if (fails) trace(s, "-- EIO --");
  return fails;
}

static int sim_sync(struct disk_file *f) {
  struct disk_sim *s = f->sim;
  if (f->failed || !begin(s)) return -EIO;
  trace(s, "sync");
  if (sync_fails(s)) {
    f->failed = true;
    lose(s, f->node);
    return end(s, -EIO);
  }
  node_sync(f->node);
  return end(s, 0);
}

/* syncfs(2) that failed: each file was lost, was synced, or still waits. */
static void sync_all_failed(struct disk_sim *s) {
  for (struct node *n = s->nodes; n; n = n->next) {
    uint64_t fate = rng_below(&s->rng, 3);
    if (fate == 0) lose(s, n);
    if (fate == 1) node_sync(n);
  }
}

static int sim_sync_all(struct disk *d) {
  struct disk_sim *s = sim_of(d);
  if (!begin(s)) return -EIO;
  trace(s, "sync_all");
  if (sync_fails(s)) {
    sync_all_failed(s);
    return end(s, -EIO);
  }
  for (struct node *n = s->nodes; n; n = n->next) node_sync(n);
  names_sync(&s->names, NULL);
  sweep(s);
  return end(s, 0);
}

static int sim_rename(struct disk *d, const char *from, const char *to) {
  struct disk_sim *s = sim_of(d);
  if (!good_name(from) || !good_name(to)) return -EINVAL;
  if (!begin(s)) return -EIO;
  trace(s, "rename %s to %s", from, to);
  struct node *n = names_find(&s->names.now, from), *there = names_find(&s->names.now, to);
  if (!n || !has_folder(s, to)) return end(s, -ENOENT);
  if (n->is_dir || (there && there->is_dir)) return end(s, -EISDIR); /* nobody renames folders */
  if (n != there) names_move(&s->names, from, to);
  sweep(s);
  return end(s, 0);
}

static int sim_remove(struct disk *d, const char *name) {
  struct disk_sim *s = sim_of(d);
  if (!good_name(name)) return -EINVAL;
  if (!begin(s)) return -EIO;
  trace(s, "remove %s", name);
  struct node *n = names_find(&s->names.now, name);
  if (!n) return end(s, -ENOENT);
  if (n->is_dir) return end(s, -EISDIR);
  names_unlink(&s->names, name);
  sweep(s);
  return end(s, 0);
}

static int sim_exists(struct disk *d, const char *name) {
  struct disk_sim *s = sim_of(d);
  if (!good_name(name)) return -EINVAL;
  if (s->dead) return -EIO;
  return names_find(&s->names.now, name) != NULL;
}

static int sim_make_dir(struct disk *d, const char *name) {
  struct disk_sim *s = sim_of(d);
  if (!good_name(name)) return -EINVAL;
  struct node *n = names_find(&s->names.now, name);
  if (n && !s->dead) return n->is_dir ? 0 : -EEXIST;
  if (!begin(s)) return -EIO;
  trace(s, "make_dir %s", name);
  if (!has_folder(s, name)) return end(s, -ENOENT);
  if (s->full) return end(s, -ENOSPC);
  names_link(&s->names, name, node_new(s, true));
  return end(s, 0);
}

/* "" and "." are the data folder itself. */
static const char *folder_name(const char *name) { return strcmp(name, ".") ? name : ""; }

static bool folder_there(const struct disk_sim *s, const char *name) {
  struct node *n = *name ? names_find(&s->names.now, name) : NULL;
  return !*name || (n && n->is_dir);
}

static int sim_sync_dir(struct disk *d, const char *name) {
  struct disk_sim *s = sim_of(d);
  name = folder_name(name);
  if (!folder_there(s, name)) return s->dead ? -EIO : -ENOENT;
  if (!begin(s)) return -EIO;
  trace(s, "sync_dir %s", name);
  if (sync_fails(s)) return end(s, -EIO);
  names_sync(&s->names, name);
  sweep(s);
  return end(s, 0);
}

static int sim_list(struct disk *d, const char *name, void (*fn)(void *arg, const char *entry),
                    void *arg) {
  struct disk_sim *s = sim_of(d);
  name = folder_name(name);
  if (s->dead) return -EIO;
  if (!folder_there(s, name)) return -ENOENT;
  /* A copy: fn may remove what it is shown. */
  struct table *now = &s->names.now;
  size_t count = 0, room = 0, skip = *name ? strlen(name) + 1 : 0;
  char(*entries)[DISK_NAME_MAX] = NULL;
  for (size_t i = 0; i < now->count; i++) {
    if (!slice_eq(names_folder(now->items[i].path), slice_str(name))) continue;
    entries = must_fit(entries, count, &room, sizeof *entries);
    memcpy(entries[count++], now->items[i].path + skip, strlen(now->items[i].path + skip) + 1);
  }
  for (size_t i = 0; i < count; i++) fn(arg, entries[i]);
  free(entries);
  return 0;
}

static int sim_share(struct disk_file *f) {
  (void)f;
  return -ENOTSUP;
}

static int64_t sim_free_space(struct disk *d) {
  struct disk_sim *s = sim_of(d);
  if (s->dead) return -EIO;
  if (s->full) return 0;
  if (s->space == UINT64_MAX) return INT64_MAX;
  uint64_t used = disk_sim_used(s);
  return used < s->space ? (int64_t)(s->space - used) : 0;
}

static const struct disk_ops sim_ops = {
  .open = sim_open,
  .close = sim_close,
  .read = sim_read,
  .write = sim_write,
  .truncate = sim_truncate,
  .size = sim_size,
  .sync = sim_sync,
  .sync_all = sim_sync_all,
  .rename = sim_rename,
  .remove = sim_remove,
  .exists = sim_exists,
  .make_dir = sim_make_dir,
  .sync_dir = sim_sync_dir,
  .list = sim_list,
  .share = sim_share,
  .free_space = sim_free_space,
};

/* -- the hand from outside -- */

struct disk_sim *disk_sim_new(uint64_t seed) {
  struct disk_sim *s = must_alloc(sizeof *s);
  s->disk.ops = &sim_ops;
  s->rng = rng_from(seed);
  s->space = UINT64_MAX;
  return s;
}

void disk_sim_free(struct disk_sim **s) {
  if (!*s) return;
  for (struct node *n = (*s)->nodes, *next; n; n = next) {
    next = n->next;
    node_free(n);
  }
  names_free(&(*s)->names);
  free(*s);
  *s = NULL;
}

struct disk_sim *disk_sim_clone(const struct disk_sim *s, uint64_t seed) {
  struct disk_sim *c = disk_sim_new(seed);
  for (size_t i = 0; i < s->names.now.count; i++) {
    const struct name *from = &s->names.now.items[i];
    struct node *n = node_new(c, from->node->is_dir);
    node_write(n, slice_of(from->node->now.p, from->node->now.size), 0);
    node_sync(n);
    names_link(&c->names, from->path, n);
  }
  names_sync(&c->names, NULL);
  return c;
}

struct disk *disk_sim_disk(struct disk_sim *s) {
  return &s->disk;
}

void disk_sim_plan(struct disk_sim *s, const struct disk_plan *plan) {
  s->plan = *plan;
  s->ops = s->syncs = s->writes = 0;
}

void disk_sim_space(struct disk_sim *s, uint64_t octets) {
  s->space = octets;
  s->full = false;
}

bool disk_sim_dead(const struct disk_sim *s) { return s->dead; }

uint64_t disk_sim_ops(const struct disk_sim *s) { return s->ops; }

uint64_t disk_sim_syncs(const struct disk_sim *s) { return s->syncs; }

size_t disk_sim_handles(const struct disk_sim *s) { return s->handles; }

void disk_sim_halt(struct disk_sim *s) { s->dead = true; }

void disk_sim_wake(struct disk_sim *s) { s->dead = false; }

void disk_sim_restart(struct disk_sim *s) {
  s->dead = s->dying = false;
  s->plan = (struct disk_plan){ 0 };
}

void disk_sim_power_loss(struct disk_sim *s) {
  names_settle(&s->names, &s->rng);
  for (struct node *n = s->nodes; n; n = n->next) {
    if (!n->count && !n->stale) continue;
    node_settle(n, &s->rng);
    node_reread(n);
  }
  sweep(s);
  disk_sim_restart(s);
}

bool disk_sim_flip(struct disk_sim *s, const char *name, uint64_t at) {
  struct node *n = names_find(&s->names.now, name);
  if (!n || at >= n->now.size) return false;
  n->now.p[at] ^= 1;
  if (at < n->durable.size) n->durable.p[at] ^= 1;
  return true;
}

void disk_sim_trace(struct disk_sim *s, void (*fn)(void *arg, const char *line), void *arg) {
  s->trace = fn;
  s->trace_arg = arg;
}
