/* SPDX-License-Identifier: ISC */
/* Lives of a store on a simulated disk: a story is run again and again, and the disk dies, fails
 * or fills up at each of its operations in turn. Then the test reopens the store and checks it. */
#ifndef QASID_TESTS_LIFE_KIT_H
#define QASID_TESTS_LIFE_KIT_H

#include "tests/unit/sample.h"
#include "tests/unit/store_kit.h"
#include "tests/world/disk_sim.h"

enum { WHOLE_MAX = 90000 };
enum ending { POWER_LOSS, PROCESS_DEATH, GOES_ON };
enum fault { DIE, FAIL_SYNC, FAIL_WRITE, FULL };

struct plot; /* what the test remembers of a life; all zero at its beginning */
struct life {
  struct kit k;
  struct disk_sim *sim;
  const struct story *story;
  struct plot *plot;
};

struct story {
  size_t plot;      /* its size */
  enum role brings; /* the process that submits the mail */
  uint32_t number;
  void (*settings)(struct conf *conf);
  void (*before)(struct life *l); /* runs once, without faults */
  void (*course)(struct life *l);
  void (*judge)(struct life *l); /* checks the reopened store */
};

/* Message `n`: its number, then filling; every fourth is spooled, every second is a file. Valid
 * until the next one. */
static struct slice message(unsigned n) {
  static uint8_t mem[WHOLE_MAX];
  static const size_t sizes[] = { 300, 40000, 4000, 80000 };
  size_t size = sizes[n % 4] + n;
  int head = snprintf((char *)mem, 64, "Subject: %04u\r\n\r\n", n);
  for (size_t i = (size_t)head; i < size; i++) mem[i] = (uint8_t)('a' + (i * 7 + n) % 26);
  memcpy(mem + size - 2, "\r\n", 2);
  return slice_of(mem, size);
}

static bool open_store(struct life *l) {
  struct kit *k = &l->k;
  const struct store_shell shell = {
    k, kit_send, kit_enqueue, kit_set_state, NULL, NULL, kit_random
  };
  struct buf err;
  buf_init(&err, 4096);
  k->broken = false;
  k->store = store_new(k->disk, k->conf, &shell, &err);
  if (k->store) k->writer = store_engine_open(k->disk, k->conf, true, &err);
  if (k->writer) k->reader = store_engine_open(k->disk, k->conf, false, &err);
  buf_free(&err);
  return k->reader != NULL;
}

static void close_store(struct life *l) {
  struct kit *k = &l->k;
  if (k->store) {
    store_process_lost(k->store, l->story->brings, l->story->number);
    store_process_lost(k->store, ROLE_POP3D, POP3D);
    store_process_lost(k->store, ROLE_CLI, CLI);
  }
  if (k->reader) kit_pump(k);
  store_free(&k->store);
  store_engine_close(&k->reader);
  store_engine_close(&k->writer);
  kit_forget_said(k);
}

/* Runs the store's idle housekeeping until none is left. */
static void rest(struct life *l) {
  for (int i = 0;
       i < 400 && !l->k.broken && store_housekeeping_when(l->k.writer) != STORE_NO_CHORES; i++)
    if (!store_idle(l->k.writer)) l->k.broken = true;
}

static void life_begin(struct life *l, const struct story *story, struct disk_sim *sim,
                       struct conf *conf) {
  *l = (struct life){ .sim = sim, .story = story, .plot = calloc(1, story->plot) };
  assert_non_null(l->plot);
  l->k.conf = conf;
  l->k.disk = disk_sim_disk(sim);
  l->k.said_end = &l->k.said;
  l->k.now_s = 1700000000;
}

static struct disk_sim *prepared(const struct story *story, struct conf *conf) {
  struct life l;
  life_begin(&l, story, disk_sim_new(1), conf);
  assert_true(open_store(&l));
  story->before(&l);
  close_store(&l);
  assert_int_equal(disk_sim_handles(l.sim), 0);
  free(l.plot);
  return l.sim;
}

/* True: the fault occurred before the life ended. */
static bool one_life(const struct story *story, const struct disk_sim *from, struct conf *conf,
                     const struct disk_plan *plan, enum ending ending, uint64_t seed) {
  struct life l;
  life_begin(&l, story, disk_sim_clone(from, seed), conf);
  disk_sim_plan(l.sim, plan);
  if (open_store(&l)) story->course(&l);
  uint64_t at = plan->fail_sync_at ? disk_sim_syncs(l.sim) : disk_sim_ops(l.sim);
  bool reached = at >= plan->die_at + plan->fail_sync_at + plan->fail_write_at + plan->full_at;
  if (ending != GOES_ON)
    disk_sim_halt(l.sim);
  else
    disk_sim_plan(l.sim, &(struct disk_plan){ 0 });
  disk_sim_space(l.sim, UINT64_MAX);
  close_store(&l);
  assert_int_equal(disk_sim_handles(l.sim), 0);
  if (ending == POWER_LOSS) disk_sim_power_loss(l.sim);
  if (ending == PROCESS_DEATH) disk_sim_restart(l.sim);
  disk_sim_plan(l.sim, &(struct disk_plan){ 0 });
  assert_true(open_store(&l));
  story->judge(&l);
  close_store(&l);
  disk_sim_free(&l.sim);
  free(l.plot);
  return reached;
}

static void every_operation_of(const struct story *story, enum fault fault, enum ending ending) {
  struct sample some = sample_next();
  struct conf *conf = conf_defaults();
  conf->store_free_space = 0;
  story->settings(conf);
  struct disk_sim *from = prepared(story, conf);
  uint64_t lives = 0;
  bool reached = true;
  for (uint64_t n = some.first; reached && n < 5000; n += some.step, lives++) {
    struct disk_plan plan = { 0 };
    *(fault == DIE          ? &plan.die_at
      : fault == FAIL_SYNC  ? &plan.fail_sync_at
      : fault == FAIL_WRITE ? &plan.fail_write_at
                            : &plan.full_at) = n;
    print_message(" %llu", (unsigned long long)n);
    reached = one_life(story, from, conf, &plan, ending, n * 7919 + fault * 31 + ending);
  }
  print_message(": %llu lives\n", (unsigned long long)lives);
  assert_true(lives * some.step > 10);
  disk_sim_free(&from);
  conf_free(&conf);
}

#endif
