/* The rooms' processes: store with its writer and readers, auth with its pool of threads. Their jobs
 * run here one at a time; what would be chance between threads is drawn from the seed. */
#include "tests/world/world_in.h"

#include <stdio.h>

/* -- store -- */

static void schedule_store(struct world *w);

static void jobs_add(struct jobs *q, struct store_job *job) {
  q->items = must_fit(q->items, q->count, &q->room, sizeof *q->items);
  q->items[q->count++] = job;
}

static struct store_job *jobs_take(struct jobs *q, size_t at) {
  struct store_job *job = q->items[at];
  memmove(q->items + at, q->items + at + 1, (--q->count - at) * sizeof *q->items);
  return job;
}

static void store_send(void *arg, enum room_kind kind, uint32_t number, uint16_t type, uint64_t tag,
                       struct slice payload, int fd) {
  struct world *w = arg;
  unsigned was = alloc_out();
  enum ipc_side far;
  struct link *l = world_died(w) ? NULL : link_find(w, ROOM_STORE, kind, number, &far);
  if (fd >= 0) world_fail(w, "store sent a descriptor of the simulated disk");
  if (l) link_send(l, far, type, tag, payload);
  alloc_back(was);
}

static void store_enqueue(void *arg, struct store_job *job, bool is_write) {
  struct world *w = arg;
  unsigned was = alloc_out();
  jobs_add(is_write ? &w->store.writes : &w->store.reads, job);
  schedule_store(w);
  alloc_back(was);
}

static void store_set_state(void *arg, enum room_kind kind, uint32_t number, uint64_t tag, uint8_t state) {
  struct world *w = arg;
  unsigned was = alloc_out();
  enum ipc_side far;
  struct link *l = link_find(w, ROOM_STORE, kind, number, &far);
  if (l) link_set_state(l, !far, tag, state);
  alloc_back(was);
}

static void finish(struct world *w, struct store_job *job) {
  alloc_enter();
  store_finish(w->store.core, job);
  alloc_leave();
}

/* The disk failed under the store: what is done is answered, then its process ends and another one
 * opens what is on the disk. */
static void reopen_store(struct world *w) {
  while (w->store.done.count) finish(w, jobs_take(&w->store.done, 0));
  w->reopened++;
  world_kill(w, ROOM_STORE);
}

static void finish_some(struct world *w) {
  struct jobs *done = &w->store.done;
  if (!done->count) return;
  finish(w, jobs_take(done, w->chaos ? rng_below(&w->rng, done->count) : 0));
}

/* The writer takes what waits: all of it, as the real one does when it wakes, or (chaos) what had
 * come by then. */
static void write_group(struct world *w) {
  struct jobs *q = &w->store.writes;
  if (!q->count) return;
  size_t n = w->chaos && rng_chance(&w->rng, 1, 3) ? rng_between(&w->rng, 1, q->count) : q->count;
  for (size_t i = 0; i < n; i++) store_job_link(q->items[i], i + 1 < n ? q->items[i + 1] : NULL);
  alloc_enter();
  bool ok = store_write_group(w->store.writer, q->items[0]);
  alloc_leave();
  if (!ok) w->store.broken = true;
  while (n--) {
    struct store_job *job = jobs_take(q, 0);
    store_job_link(job, NULL);
    jobs_add(&w->store.done, job);
  }
}

static void read_one(struct world *w) {
  struct jobs *q = &w->store.reads;
  if (!q->count) return;
  struct store_job *job = jobs_take(q, w->chaos ? rng_below(&w->rng, q->count) : 0);
  alloc_enter();
  store_read(w->store.reader, job);
  alloc_leave();
  jobs_add(&w->store.done, job);
}

/* One turn of the room: some thread gets on with its work. */
static void store_turn(void *arg) {
  struct store_room *r = arg;
  struct world *w = r->world;
  r->due = false;
  switch (w->chaos ? rng_below(&w->rng, 3) : 3) {
  case 0: write_group(w); break;
  case 1: read_one(w); break;
  case 2: finish_some(w); break;
  default:
    write_group(w);
    while (r->reads.count && !world_died(w)) read_one(w);
    while (r->done.count && !world_died(w)) finish_some(w);
  }
  if (world_died(w)) return;
  if (r->broken) reopen_store(w);
  else schedule_store(w);
}

/* Nothing waits: the writer keeps house. */
static void store_rest(void *arg) {
  struct world_ref *ref = arg;
  struct world *w = ref->world;
  struct store_room *r = &w->store;
  r->idle_due = false;
  if (r->writes.count) return;
  alloc_enter();
  bool ok = store_idle(r->writer);
  alloc_leave();
  if (!ok && !world_died(w)) reopen_store(w);
}

static void schedule_store(struct world *w) {
  struct store_room *r = &w->store;
  bool busy = r->writes.count || r->reads.count || r->done.count;
  if (busy && !r->due) {
    r->due = true;
    world_after(w, world_moment(w), store_turn, r);
  }
  if (!busy && !r->idle_due && (!w->chaos || rng_chance(&w->rng, 1, 2))) {
    r->idle_due = true;
    world_after(w, world_moment(w), store_rest, &r->idle);
  }
}

/* kill -9: what the process still does below, to give its memory back, must not reach the disk. */
static bool halt(struct world *w) {
  bool lived = !world_died(w);
  disk_sim_halt(w->disk);
  return lived;
}

static void unhalt(struct world *w, bool lived) {
  if (lived) disk_sim_wake(w->disk);
}

static void run_everything(struct world *w) {
  struct store_room *r = &w->store;
  for (size_t i = 0; i < WORLD_STEPS_MAX && (r->writes.count || r->reads.count || r->done.count); i++) {
    write_group(w);
    read_one(w);
    finish_some(w);
  }
}

static void store_close(struct world *w) {
  struct store_room *r = &w->store;
  bool lived = halt(w);
  alloc_enter();
  for (struct link *l = w->links; r->core && l; l = l->next)
    for (int side = 0; side < 2; side++)
      if (l->ends[!side].kind == ROOM_STORE)
        store_room_lost(r->core, l->ends[side].kind, l->ends[side].number);
  alloc_leave();
  if (r->core && r->writer && r->reader) run_everything(w);
  alloc_enter();
  store_free(&r->core);
  store_engine_close(&r->writer);
  store_engine_close(&r->reader);
  alloc_leave();
  unhalt(w, lived);
  world_cancel(w, r);
  world_cancel(w, &r->idle);
  world_cancel(w, &r->tidy);
  free(r->writes.items);
  free(r->reads.items);
  free(r->done.items);
  *r = (struct store_room){ .world = w, .idle = { w }, .tidy = { w } };
}

/* As main.c's timer. */
static void store_by_clock(void *arg) {
  struct world_ref *ref = arg;
  struct world *w = ref->world;
  alloc_enter();
  store_tidy(w->store.core, world_wall(w));
  alloc_leave();
  world_after(w, STORE_TIDY_EVERY_S * 1000, store_by_clock, ref);
}

static bool store_boot(struct world *w, struct buf *err) {
  const struct store_shell shell = { w, store_send, store_enqueue, store_set_state };
  struct disk *disk = disk_sim_disk(w->disk);
  struct store_room *r = &w->store;
  *r = (struct store_room){ .world = w, .idle = { w }, .tidy = { w } };
  alloc_enter();
  r->core = store_new(disk, w->conf, &shell, err);
  if (r->core) r->writer = store_engine_open(disk, w->conf, true, err);
  if (r->writer) r->reader = store_engine_open(disk, w->conf, false, err);
  alloc_leave();
  if (r->reader) world_after(w, STORE_TIDY_EVERY_S * 1000, store_by_clock, &r->tidy);
  return r->reader != NULL;
}

bool store_take(struct world *w, const struct link_end *from, const struct ipc_msg *msg) {
  alloc_enter();
  bool ok = store_message(w->store.core, from->kind, from->number, msg, world_wall(w));
  alloc_leave();
  return ok;
}

/* -- auth -- */

static void auth_turn(void *arg);

static void auth_send(void *arg, enum room_kind kind, uint32_t number, uint16_t type, uint64_t tag,
                      struct slice payload) {
  struct world *w = arg;
  unsigned was = alloc_out();
  enum ipc_side far;
  if (kind == ROOM_STORE) number = 0; /* there is one */
  struct link *l = world_died(w) ? NULL : link_find(w, ROOM_AUTH, kind, number, &far);
  if (l) link_send(l, far, type, tag, payload);
  alloc_back(was);
}

static void auth_enqueue(void *arg, struct auth_job *job) {
  struct world *w = arg;
  struct auth_room *r = &w->auth;
  unsigned was = alloc_out();
  r->jobs = must_fit(r->jobs, r->count, &r->room, sizeof *r->jobs);
  r->jobs[r->count++] = job;
  world_after(w, world_moment(w), auth_turn, r);
  alloc_back(was);
}

static void auth_random(void *arg, void *to, size_t n) {
  struct world *w = arg;
  uint8_t *p = to;
  for (size_t i = 0; i < n; i++) p[i] = (uint8_t)rng_next(&w->rng);
}

static int64_t auth_wall(void *arg) {
  return world_wall(arg);
}

static void auth_timer(void *arg);

static void auth_look_at_clock(struct world *w) {
  world_cancel(w, &w->auth.timer);
  if (!w->auth.core) return;
  alloc_enter();
  uint64_t next = auth_tick(w->auth.core, w->now);
  alloc_leave();
  if (next) world_after(w, next > w->now ? next - w->now : 1, auth_timer, &w->auth.timer);
}

static void auth_timer(void *arg) {
  struct world_ref *ref = arg;
  auth_look_at_clock(ref->world);
}

/* Some thread of the pool has finished some job. */
static void auth_turn(void *arg) {
  struct auth_room *r = arg;
  struct world *w = r->timer.world;
  if (!r->count) return;
  size_t at = w->chaos ? rng_below(&w->rng, r->count) : 0;
  struct auth_job *job = r->jobs[at];
  memmove(r->jobs + at, r->jobs + at + 1, (--r->count - at) * sizeof *r->jobs);
  alloc_enter();
  auth_work(job);
  auth_finish(r->core, job, w->now);
  alloc_leave();
  auth_look_at_clock(w);
}

static void auth_close(struct world *w) {
  struct auth_room *r = &w->auth;
  bool lived = halt(w);
  world_cancel(w, r);
  world_cancel(w, &r->timer);
  alloc_enter();
  while (r->core && r->count) auth_finish(r->core, r->jobs[--r->count], w->now);
  auth_free(&r->core);
  alloc_leave();
  unhalt(w, lived);
  free(r->jobs);
  *r = (struct auth_room){ .timer = { w } };
}

/* What the parent would read of the file; in tests/conv whatever its folder. */
static bool give_token_keys(struct world *w, struct buf *err) {
  char path[256];
  static char text[64 * 1024];
  const char *name = strrchr(w->conf->oauth_keys, '/');
  if (!name) return true;
  snprintf(path, sizeof path, "tests/conv%s", name);
  FILE *f = fopen(path, "r");
  size_t n = f ? fread(text, 1, sizeof text, f) : 0;
  if (f) fclose(f);
  alloc_enter();
  bool ok = n && auth_token_keys(w->auth.core, slice_of((const uint8_t *)text, n), err);
  alloc_leave();
  return ok;
}

static bool auth_boot(struct world *w, struct buf *err) {
  const struct auth_shell shell = {
    .arg = w, .send = auth_send, .enqueue = auth_enqueue, .random = auth_random,
    .wall = auth_wall, .threads = 2,
  };
  w->auth = (struct auth_room){ .timer = { w } };
  alloc_enter();
  w->auth.core = auth_new(disk_sim_disk(w->disk), w->conf, &shell, err);
  alloc_leave();
  return w->auth.core && give_token_keys(w, err);
}

bool auth_take(struct world *w, const struct link_end *from, const struct ipc_msg *msg) {
  alloc_enter();
  bool ok = auth_message(w->auth.core, from->kind, from->number, msg, w->now);
  alloc_leave();
  auth_look_at_clock(w);
  return ok;
}

/* -- who is joined to whom -- */

static bool simulated(enum room_kind kind) {
  return kind != ROOM_PARENT && kind != ROOM_KEYS;
}

static void join(struct world *w) {
  enum ipc_side side;
  for (size_t i = 0; i < ipc_wire_count; i++) {
    const struct ipc_wire *wire = &ipc_wires[i];
    if (!simulated(wire->left) || !simulated(wire->right)) continue;
    if (!link_find(w, wire->left, wire->right, 0, &side)) link_new(w, wire->pair, wire->left, wire->right);
  }
}

bool rooms_open(struct world *w, struct buf *err) {
  for (int k = 0; k < ROOM_KINDS; k++) w->numbers[k] = w->next_number++;
  if (!store_boot(w, err) || !auth_boot(w, err)) return false;
  join(w);
  auth_look_at_clock(w);
  return true;
}

void rooms_close(struct world *w) {
  store_close(w);
  auth_close(w);
  links_cut(w, ROOM_KINDS);
}

static void tell_neighbours(struct world *w, enum room_kind room, uint32_t number) {
  alloc_enter();
  if (room != ROOM_STORE && w->store.core) store_room_lost(w->store.core, room, number);
  if (room != ROOM_AUTH && w->auth.core) auth_room_lost(w->auth.core, room, number);
  alloc_leave();
  if (room == ROOM_STORE) shell_room_lost(w, PROTO_ASK_STORE);
  if (room == ROOM_AUTH) shell_room_lost(w, PROTO_ASK_AUTH);
}

bool room_restart(struct world *w, enum room_kind room, struct buf *err) {
  if (w->verbose) fprintf(stderr, "%8llu room %d restarts\n", (unsigned long long)w->now, room);
  uint32_t number = w->numbers[room];
  if (room == ROOM_SMTPD || room == ROOM_POP3D) shell_drop_sessions(w, room);
  if (room == ROOM_STORE) store_close(w);
  if (room == ROOM_AUTH) auth_close(w);
  links_cut(w, room);
  w->numbers[room] = w->next_number++;
  if (room == ROOM_STORE && !store_boot(w, err)) return false;
  if (room == ROOM_AUTH && !auth_boot(w, err)) return false;
  join(w);
  tell_neighbours(w, room, number);
  return true;
}

static void end_breached(void *arg) {
  struct world_ref *ref = arg;
  world_kill(ref->world, ref->world->breached);
}

void room_breach(struct world *w, enum room_kind room) {
  w->breached = room;
  world_after(w, 0, end_breached, &w->breach);
}
