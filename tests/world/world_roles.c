/* SPDX-License-Identifier: ISC */
/* The processes' processes: store with its writer and readers, auth with its pool of threads. Their
 * jobs run here one at a time; what would be chance between threads is drawn from the seed. */
#include "tests/world/world_in.h"

#include <stdio.h>

#include "src/store/sql/engine.h"

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

static void store_send(void *arg, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                       struct slice payload, int fd) {
  struct world *w = arg;
  unsigned was = alloc_out();
  enum ipc_side far;
  struct link *l = world_died(w) ? NULL : link_find(w, ROLE_STORE, kind, number, &far);
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

static void store_set_state(void *arg, enum role kind, uint32_t number, uint64_t tag,
                            uint8_t state) {
  struct world *w = arg;
  unsigned was = alloc_out();
  enum ipc_side far;
  struct link *l = link_find(w, ROLE_STORE, kind, number, &far);
  if (l) link_set_state(l, !far, tag, state);
  alloc_back(was);
}

/* Of the run's own seed, so that a run can be had again. */
static void store_random(void *arg, void *to, size_t n) {
  struct world *w = arg;
  for (size_t i = 0; i < n; i++) ((uint8_t *)to)[i] = (uint8_t)rng_below(&w->rng, 256);
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
  world_kill(w, ROLE_STORE);
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

/* One turn of the process: some thread gets on with its work. */
static void store_turn(void *arg) {
  struct store_process *r = arg;
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
  if (r->broken || store_broken(r->core))
    reopen_store(w);
  else
    schedule_store(w);
}

/* Nothing waits: the writer keeps house. */
static void store_rest(void *arg) {
  struct world_ref *ref = arg;
  struct world *w = ref->world;
  struct store_process *r = &w->store;
  r->idle_due = false;
  if (r->writes.count) return;
  alloc_enter();
  bool ok = store_idle(r->writer);
  alloc_leave();
  if (!ok && !world_died(w)) reopen_store(w);
}

static void schedule_store(struct world *w) {
  struct store_process *r = &w->store;
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
  struct store_process *r = &w->store;
  for (size_t i = 0; i < WORLD_STEPS_MAX && (r->writes.count || r->reads.count || r->done.count);
       i++) {
    write_group(w);
    read_one(w);
    finish_some(w);
  }
}

static void store_close(struct world *w) {
  struct store_process *r = &w->store;
  bool lived = halt(w);
  alloc_enter();
  for (struct link *l = w->links; r->core && l; l = l->next)
    for (int side = 0; side < 2; side++)
      if (l->ends[!side].kind == ROLE_STORE)
        store_process_lost(r->core, l->ends[side].kind, l->ends[side].number);
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
  world_cancel(w, &r->housekeeping);
  world_cancel(w, &r->tick);
  world_cancel(w, &r->wake);
  free(r->writes.items);
  free(r->reads.items);
  free(r->done.items);
  *r = (struct store_process){
    .world = w, .idle = { w }, .housekeeping = { w }, .tick = { w }, .wake = { w }
  };
}

/* As main.c: what the owner could not read ends the process, once what it does is done. */
static void look_at_failure(struct world *w) {
  struct store_process *r = &w->store;
  if (!store_broken(r->core) || r->due) return;
  r->due = true;
  world_after(w, world_moment(w), store_turn, r);
}

/* As main.c's timer. */
static void store_by_clock(void *arg) {
  struct world_ref *ref = arg;
  struct world *w = ref->world;
  alloc_enter();
  store_housekeeping(w->store.core, world_wall(w));
  alloc_leave();
  look_at_failure(w);
  world_after(w, STORE_TIDY_EVERY_S * 1000, store_by_clock, ref);
}

static void store_on_tick(void *arg);

/* As main.c's look_at_waiters. */
static void look_at_waiters(struct world *w) {
  struct store_process *r = &w->store;
  if (r->ticking || !r->core || !store_waits(r->core)) return;
  r->ticking = true;
  world_after(w, 1000, store_on_tick, &r->tick);
}

static void store_on_tick(void *arg) {
  struct world_ref *ref = arg;
  struct world *w = ref->world;
  w->store.ticking = false;
  alloc_enter();
  store_tick(w->store.core);
  alloc_leave();
  look_at_waiters(w);
}

static void store_on_due(void *arg) {
  struct world_ref *ref = arg;
  struct world *w = ref->world;
  alloc_enter();
  store_due(w->store.core, world_wall(w));
  alloc_leave();
}

static void store_wake_at(void *arg, int64_t at_s) {
  struct world *w = arg;
  unsigned was = alloc_out();
  int64_t wait_s = at_s - world_wall(w);
  world_cancel(w, &w->store.wake);
  if (at_s != INT64_MAX)
    world_after(w, (uint64_t)(wait_s > 0 ? wait_s : 0) * 1000, store_on_due, &w->store.wake);
  alloc_back(was);
}

static bool store_boot(struct world *w, struct buf *err) {
  const struct store_shell shell = { w,    store_send,    store_enqueue, store_set_state,
                                     NULL, store_wake_at, store_random };
  struct disk *disk = disk_sim_disk(w->disk);
  struct store_process *r = &w->store;
  *r = (struct store_process){
    .world = w, .idle = { w }, .housekeeping = { w }, .tick = { w }, .wake = { w }
  };
  alloc_enter();
  r->core = store_new(disk, w->conf, &shell, err);
  if (r->core) r->writer = store_engine_open(disk, w->conf, true, err);
  if (r->writer) r->writer->giving.least = 8; /* small stores give space back too */
  if (r->writer) r->reader = store_engine_open(disk, w->conf, false, err);
  alloc_leave();
  if (r->reader) world_after(w, STORE_TIDY_EVERY_S * 1000, store_by_clock, &r->housekeeping);
  return r->reader != NULL;
}

bool store_take(struct world *w, const struct link_end *from, const struct ipc_msg *msg) {
  alloc_enter();
  bool ok = store_message(w->store.core, from->kind, from->number, msg, world_wall(w));
  alloc_leave();
  look_at_waiters(w);
  look_at_failure(w);
  return ok;
}

/* -- auth -- */

static void auth_turn(void *arg);

static void auth_send(void *arg, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                      struct slice payload) {
  struct world *w = arg;
  unsigned was = alloc_out();
  enum ipc_side far;
  if (kind == ROLE_STORE) number = 0;   /* there is one */
  if (kind == ROLE_POP3D && tag == 0) { /* of no session: it is there before the first client is */
    services_notice(w->services, ROLE_AUTH, type, payload);
    alloc_back(was);
    return;
  }
  struct link *l = world_died(w) ? NULL : link_find(w, ROLE_AUTH, kind, number, &far);
  if (l) link_send(l, far, type, tag, payload);
  alloc_back(was);
}

static void auth_enqueue(void *arg, struct auth_job *job) {
  struct world *w = arg;
  struct auth_process *r = &w->auth;
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

static int64_t auth_wall(void *arg) { return world_wall(arg); }

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
  struct auth_process *r = arg;
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
  struct auth_process *r = &w->auth;
  bool lived = halt(w);
  world_cancel(w, r);
  world_cancel(w, &r->timer);
  alloc_enter();
  while (r->core && r->count) auth_finish(r->core, r->jobs[--r->count], w->now);
  auth_free(&r->core);
  alloc_leave();
  unhalt(w, lived);
  free(r->jobs);
  *r = (struct auth_process){ .timer = { w } };
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
    .arg = w,
    .send = auth_send,
    .enqueue = auth_enqueue,
    .random = auth_random,
    .wall = auth_wall,
    .threads = 2,
    .refused = world_log_login,
  };
  w->auth = (struct auth_process){ .timer = { w } };
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

/* -- guests -- */

bool guest_take(struct world *w, enum role kind, const struct link_end *from,
                const struct ipc_msg *msg) {
  const struct world_guest *g = w->guests[kind];
  return g && g->message(g->arg, from->kind, from->number, msg);
}

void world_guest_send(struct world *w, enum role from, enum role to, uint32_t number, uint16_t type,
                      uint64_t tag, struct slice payload) {
  enum ipc_side far;
  struct link *l = world_died(w) || !number ? NULL : link_find(w, from, to, number, &far);
  if (l) link_send(l, far, type, tag, payload);
}

uint32_t world_neighbour(struct world *w, enum role from, enum role to) {
  enum ipc_side far;
  struct link *l = link_find(w, from, to, 0, &far);
  return l ? l->ends[far].number : 0;
}

static void guest_halt(struct world *w, enum role kind) {
  if (w->guests[kind]) w->guests[kind]->halt(w->guests[kind]->arg);
}

static void guest_boot(struct world *w, enum role kind) {
  if (w->guests[kind]) w->guests[kind]->boot(w->guests[kind]->arg);
}

static void guest_joined(struct world *w, enum role kind, enum role to) {
  if (w->guests[kind]) w->guests[kind]->joined(w->guests[kind]->arg, to, w->numbers[to]);
}

/* -- who is joined to whom -- */

static bool simulated(const struct world *w, enum role kind) {
  return kind != ROLE_PARENT && (kind != ROLE_KEYS || w->guests[kind]);
}

static void join(struct world *w) {
  enum ipc_side side;
  for (size_t i = 0; i < ipc_wire_count; i++) {
    const struct ipc_wire *wire = &ipc_wires[i];
    if (!simulated(w, wire->left) || !simulated(w, wire->right) || wire->blocking) continue;
    if (link_find(w, wire->left, wire->right, 0, &side)) continue;
    link_new(w, wire->pair, wire->left, wire->right);
    guest_joined(w, wire->left, wire->right);
    guest_joined(w, wire->right, wire->left);
    if ((wire->right != ROLE_AUTH && wire->left != ROLE_AUTH) || !w->auth.core) continue;
    enum role other = wire->right == ROLE_AUTH ? wire->left : wire->right;
    alloc_enter();
    auth_process_connected(w->auth.core, other, w->numbers[other]);
    alloc_leave();
  }
}

bool roles_open(struct world *w, struct buf *err) {
  for (int k = 0; k < ROLE_COUNT; k++) w->numbers[k] = w->next_number++;
  if (!store_boot(w, err) || !auth_boot(w, err)) return false;
  for (int k = 0; k < ROLE_COUNT; k++) guest_boot(w, (enum role)k);
  join(w);
  auth_look_at_clock(w);
  return true;
}

void roles_close(struct world *w) {
  for (int k = 0; k < ROLE_COUNT; k++) guest_halt(w, (enum role)k);
  for (int k = 0; k < ROLE_COUNT; k++) world_cancel(w, &w->breach[k]);
  store_close(w);
  auth_close(w);
  links_cut(w, ROLE_COUNT);
}

static void tell_neighbours(struct world *w, enum role role, uint32_t number) {
  alloc_enter();
  if (role != ROLE_STORE && w->store.core) store_process_lost(w->store.core, role, number);
  if (role != ROLE_AUTH && w->auth.core) auth_process_lost(w->auth.core, role, number);
  alloc_leave();
  if (role == ROLE_STORE) shell_role_lost(w, ROLE_STORE);
  if (role == ROLE_AUTH) shell_role_lost(w, ROLE_AUTH);
}

/* As runtime/role does, they hear of it before they hear of the new one. */
static void tell_guests(struct world *w, enum role role, uint32_t number) {
  for (int k = 0; k < ROLE_COUNT; k++)
    if (w->guests[k] && k != (int)role && ipc_wire_between((enum role)k, role))
      w->guests[k]->lost(w->guests[k]->arg, role, number);
}

bool process_restart(struct world *w, enum role role, struct buf *err) {
  if (w->verbose)
    fprintf(stderr, "%8llu process %s restarts\n", (unsigned long long)w->now, role_name(role));
  uint32_t number = w->numbers[role];
  if (role == ROLE_SMTPD || role == ROLE_POP3D) shell_drop_sessions(w, role);
  if (role == ROLE_STORE) store_close(w);
  if (role == ROLE_AUTH) auth_close(w);
  guest_halt(w, role);
  links_cut(w, role);
  w->numbers[role] = w->next_number++;
  if (role == ROLE_STORE && !store_boot(w, err)) return false;
  if (role == ROLE_AUTH && !auth_boot(w, err)) return false;
  tell_guests(w, role, number);
  guest_boot(w, role);
  join(w);
  tell_neighbours(w, role, number);
  return true;
}

static void end_soon(void *arg) {
  struct world_ref *ref = arg;
  struct world *w = ref->world;
  world_kill(w, (enum role)(ref - w->breach));
}

void world_kill_soon(struct world *w, enum role role) {
  world_cancel(w, &w->breach[role]);
  world_after(w, 0, end_soon, &w->breach[role]);
}
