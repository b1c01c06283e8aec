/* SPDX-License-Identifier: ISC */
#include "tests/world/outside/gather.h"

#include <stdio.h>

#include "ipc/cli_process.h"
#include "src/collector/collector.h"
#include "tests/world/must.h"
#include "tests/world/outside/drops.h"
#include "tests/world/outside/guest.h"
#include "tests/world/people.h"
#include "tests/world/trouble.h"

enum {
  BOOTS_MAX = 8,
  ACCOUNT_FIRST = 1,
  /* short rounds, then long ones: what came short again and again is tried once a day only */
  CALM_SOON = 12,
  CALM_SOON_MS = 5 * 60 * 1000,
  CALM_ROUNDS = 40,
  CALM_ROUND_MS = 4 * 3600 * 1000,
};

struct gather {
  struct world *w;
  struct rng rng;
  struct net net;
  struct drops drops;
  struct guest guest;
  struct collector collector;
  struct gather_tally *tally;
  enum trouble trouble;
  unsigned life;
};

static const char options[] = "auth_penalty_most = 0\nsend = no\n";

/* --- the beginning of all stories --- */

static bool add_collection(struct world *w, unsigned i) {
  static const char *const how[] = { "implicit", "none", "started", "none" };
  static const char *const leave[] = { "0", "0", "-", "1800" };
  char name[40], host[20];
  snprintf(name, sizeof name, "box%u@example.org", i);
  snprintf(host, sizeof host, "5.2.0.%u", i);
  const char *words[] = { "collect", "add", name, host, i ? "110" : "995", how[i],
                          "no",      "me",  "-",  "60", leave[i],          "secret" };
  return world_admin(w, ROLE_AUTH, words, sizeof words / sizeof *words, SLICE_NONE, NULL) == CLI_OK;
}

static bool make_scene(struct people *people, struct world *w) {
  bool ok = true;
  for (unsigned i = 0; ok && i < DROPS; i++) {
    char name[64];
    snprintf(name, sizeof name, "box%u@example.org", i);
    ok = people_add(people, w, slice_str(name), SLICE("secret"), false) && add_collection(w, i);
  }
  return ok;
}

struct disk_sim *gather_begin(struct buf *err) {
  struct people people = { 0 };
  struct world *w = world_new(1, false, slice_str(options), NULL, err);
  bool ok = w && world_boot(w, err);
  if (ok && !make_scene(&people, w)) {
    buf_printf(err, "the scene: %s", people.why);
    ok = false;
  }
  if (ok) world_run(w, world_now(w) + 1000);
  if (w) world_revive(w);
  struct disk_sim *disk = ok ? disk_sim_clone(world_disk(w), 1) : NULL;
  world_free(&w);
  return disk;
}

/* --- the collector --- */

static void make_collector(struct guest *p) {
  struct gather *g = (struct gather *)(void *)((char *)p - offsetof(struct gather, guest));
  struct buf err;
  buf_init(&err, 256);
  collector_open(&g->collector);
  buf_put_str(&g->collector.authorities, "any");
  p->process.arg = &g->collector;
  if (!collector_ops.start(&p->process, &err))
    world_fail(p->world, "the collector does not start: %s", buf_cstr(&err));
  buf_free(&err);
}

static void end_collector(struct guest *p) { collector_close(p->process.arg); }

/* --- a life --- */

static void plan_trouble(struct gather *g) {
  static const enum trouble often[] = { TROUBLE_POWER, TROUBLE_POWER,   TROUBLE_POWER,
                                        TROUBLE_POWER, TROUBLE_PROCESS, TROUBLE_PROCESS,
                                        TROUBLE_ONE,   TROUBLE_ONE,     TROUBLE_ONE,
                                        TROUBLE_SYNC,  TROUBLE_WRITE,   TROUBLE_FULL };
  static const uint64_t most[] = { 8, 30, 80, 200 };
  struct disk_plan plan = { 0 };
  uint64_t at = rng_between(&g->rng, 1, most[rng_below(&g->rng, 4)]);
  g->trouble = often[rng_below(&g->rng, sizeof often / sizeof *often)];
  if (g->trouble == TROUBLE_POWER || g->trouble == TROUBLE_PROCESS) plan.die_at = at;
  if (g->trouble == TROUBLE_SYNC) plan.fail_sync_at = rng_between(&g->rng, 1, 20);
  if (g->trouble == TROUBLE_WRITE) plan.fail_write_at = at;
  disk_sim_plan(world_disk(g->w), &plan);
}

static void come_mail(void *arg) {
  struct gather *g = arg;
  drops_mail(&g->drops);
}

static void kill_process(void *arg) {
  static const enum role roles[] = { ROLE_STORE,     ROLE_STORE,     ROLE_COLLECTOR,
                                     ROLE_COLLECTOR, ROLE_COLLECTOR, ROLE_AUTH };
  struct gather *g = arg;
  g->tally->kills++;
  world_kill(g->w, roles[rng_below(&g->rng, sizeof roles / sizeof *roles)]);
}

static void fill_disk(void *arg) {
  struct gather *g = arg;
  struct disk_sim *d = world_disk(g->w);
  disk_sim_space(d, disk_sim_used(d) + rng_below(&g->rng, 3) * 500 * 1024);
}

static void schedule_life(struct gather *g) {
  for (uint64_t n = rng_below(&g->rng, 4); n; n--)
    world_after(g->w, rng_below(&g->rng, 90000), come_mail, g);
  if (g->trouble == TROUBLE_ONE)
    for (unsigned i = 0; i < 3; i++)
      world_after(g->w, rng_below(&g->rng, rng_chance(&g->rng, 1, 2) ? 3000 : 180000), kill_process,
                  g);
  if (g->trouble == TROUBLE_FULL) world_after(g->w, rng_below(&g->rng, 3000), fill_disk, g);
}

static bool boot(struct gather *g) {
  struct buf err;
  buf_init(&err, 1024);
  bool ok = false;
  for (unsigned i = 0; !ok && i < BOOTS_MAX; i++) {
    buf_reset(&err);
    ok = world_boot(g->w, &err);
    if (ok || !world_died(g->w)) break;
    g->tally->deaths++;
    g->tally->in_recovery++;
    world_power_loss(g->w);
    if (rng_chance(&g->rng, 1, 2) && i < 4)
      disk_sim_plan(world_disk(g->w), &(struct disk_plan){ .die_at = rng_between(&g->rng, 1, 12) });
  }
  if (!ok) world_fail(g->w, "it does not open: %s", buf_cstr(&err));
  buf_free(&err);
  return ok;
}

static void run_life(struct gather *g) {
  static const uint64_t most[] = { 5000, 60000, 180000, 180000, 600000, 20 * 60000 };
  uint64_t until = world_now(g->w) +
                   rng_between(&g->rng, 1000, most[rng_below(&g->rng, sizeof most / sizeof *most)]);
  schedule_life(g);
  while (!world_failure(g->w) && world_step(g->w, until)) {
  }
}

/* --- after a death --- */

static void die(struct gather *g) {
  world_cancel(g->w, g);
  g->tally->deaths++;
  if (g->trouble == TROUBLE_PROCESS)
    world_revive(g->w);
  else
    world_power_loss(g->w);
  disk_sim_space(world_disk(g->w), UINT64_MAX);
  disk_sim_plan(world_disk(g->w), &(struct disk_plan){ 0 });
}

static void look(struct gather *g) {
  for (unsigned i = 0; i < DROPS && !world_failure(g->w); i++) {
    struct drop *d = &g->drops.drops[i];
    drop_look_begins(d); /* what comes while one looks need not be seen */
    struct world_box *b = world_look(g->w, ACCOUNT_FIRST + i, false);
    if (!b) world_fail(g->w, "box %u can't be looked at", i);
    for (size_t k = 0; b && k < b->count && !world_failure(g->w); k++)
      drop_seen(d, b->mails[k].octets);
    if (!world_failure(g->w)) drop_look_ends(d);
    world_box_free(&b);
  }
}

static void live(struct gather *g) {
  plan_trouble(g);
  run_life(g);
  if (world_failure(g->w)) return;
  die(g);
  if (rng_chance(&g->rng, 1, 3))
    disk_sim_plan(world_disk(g->w), &(struct disk_plan){ .die_at = rng_between(&g->rng, 1, 12) });
  if (!boot(g)) return;
  disk_sim_plan(world_disk(g->w), &(struct disk_plan){ 0 });
  look(g);
}

static const char *missing(struct gather *g) {
  const char *words = NULL;
  for (unsigned i = 0; i < DROPS && !words; i++) words = drop_misses(&g->drops.drops[i]);
  return words;
}

/* All servers are well: what was in the way is not any more, and nobody needs to say so. */
static void end_all(struct gather *g) {
  struct people nobody = { 0 };
  g->drops.calm = true;
  for (unsigned i = 0; i < CALM_ROUNDS && !world_failure(g->w); i++) {
    look(g);
    if (world_failure(g->w) || !missing(g)) break;
    if (i + 1 == CALM_ROUNDS) world_fail(g->w, "all is well outside, and still: %s", missing(g));
    world_run(g->w, world_now(g->w) + (i < CALM_SOON ? CALM_SOON_MS : CALM_ROUND_MS));
  }
  if (!world_failure(g->w)) people_check_store(&nobody, g->w);
  g->tally->ended++;
}

static void play(struct gather *g, unsigned lives) {
  drops_mail(&g->drops);
  if (!boot(g)) return;
  for (g->life = 1; g->life <= lives && !world_failure(g->w); g->life++) live(g);
  if (!world_failure(g->w) && rng_chance(&g->rng, 1, 2)) end_all(g);
}

static void add_up(struct gather *g) {
  struct gather_tally *t = g->tally;
  const struct drops *d = &g->drops;
  t->stories++;
  t->mails += d->ids, t->came += d->came, t->deles += d->deles, t->deleted += d->deleted,
      t->again += d->again;
  t->connections += d->connections, t->cuts += d->cuts, t->short_ones += d->short_ones,
      t->lies += d->lies;
}

static void show(void *arg, const char *line) { fprintf(stderr, "disk %s\n", line); }

bool gather_story(const struct disk_sim *start, uint64_t seed, unsigned lives, bool verbose,
                  struct gather_tally *tally, struct buf *err) {
  struct gather *g = must_alloc(sizeof *g);
  memset(g, 0, sizeof *g);
  g->rng = rng_from(seed ^ 0x6a74e2);
  g->tally = tally;
  g->w = world_new(seed, true, slice_str(options), disk_sim_clone(start, seed), err);
  bool ok = g->w != NULL;
  if (ok) {
    g->net = (struct net){ .w = g->w, .rng = rng_fork(&g->rng) };
    drops_init(&g->drops, g->w, rng_next(&g->rng));
    g->drops.verbose = verbose;
    g->net.far = drops_far(&g->drops);
    net_use(&g->net);
    g->guest = (struct guest){
      .world = g->w, .ops = &collector_ops, .make = make_collector, .end = end_collector
    };
    guest_join(&g->guest);
    if (verbose) world_verbose(g->w), disk_sim_trace(world_disk(g->w), show, NULL);
    play(g, lives);
    add_up(g);
    ok = !world_failure(g->w);
    if (!ok)
      buf_printf(err, "gather, seed %llu, life %u (%s), operation %llu, %llu ms: %s",
                 (unsigned long long)seed, g->life, trouble_name(g->trouble),
                 (unsigned long long)disk_sim_ops(world_disk(g->w)),
                 (unsigned long long)world_now(g->w), world_failure(g->w));
    world_cancel(g->w, g);
  }
  world_free(&g->w);
  if (ok && g->net.open) {
    buf_printf(err, "gather, seed %llu: %zu connections left open", (unsigned long long)seed,
               g->net.open);
    ok = false;
  }
  net_use(NULL);
  drops_free(&g->drops);
  free(g);
  return ok;
}
