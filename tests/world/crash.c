/* SPDX-License-Identifier: ISC */
#include "tests/world/crash.h"

#include <stdio.h>

#include "ipc/cli_process.h"
#include "lib/base/num.h"
#include "tests/world/must.h"
#include "tests/world/people.h"
#include "tests/world/trouble.h"

enum {
  LIFE_MS = 10 * 60 * 1000, /* by then every client of a life has gone (virtual time) */
  BOOTS_MAX = 8,            /* deaths in a row in start-up */
  ACCOUNT_FIRST = 1,
};

struct story {
  struct world *w;
  struct rng rng;
  struct ledger ledger;
  struct crowd crowd;
  struct crash_tally *tally;
  uint64_t accounts[BOXES];
  unsigned life;
  enum trouble trouble;
  uint64_t ops;
};

static const char options[] =
    "smtp_junk_limit = 1000\npop3_error_limit = 1000\nauth_penalty_most = 0\n"
    "undelete_time = 20m\n"
    "auth_mechanisms = { \"PLAIN\", \"SCRAM-SHA-256\", \"CRAM-MD5\" }\n";

/* -- the beginning of all stories -- */

struct disk_sim *crash_begin(struct buf *err) {
  struct people people = { 0 };
  struct world *w = world_new(1, false, slice_str(options), NULL, err);
  bool ok = w && world_boot(w, err);
  for (unsigned i = 0; ok && i < BOXES; i++) {
    char name[64];
    snprintf(name, sizeof name, "box%u@example.org", i);
    ok = people_add(&people, w, slice_str(name), SLICE("secret"), true);
  }
  ok = ok && people_alias(&people, w, SLICE("all@example.org"),
                          SLICE("box0@example.org box1@example.org box2@example.org"));
  if (w && !ok) buf_printf(err, "the scene: %s", people.why);
  if (ok) world_run(w, world_now(w) + 1000);
  if (w) world_revive(w);
  struct disk_sim *disk = ok ? disk_sim_clone(world_disk(w), 1) : NULL;
  world_free(&w);
  return disk;
}

/* -- a life -- */

/* Which operation: early ones (start-up, recovery) as often as late ones. */
static uint64_t some_operation(struct rng *rng) {
  static const uint64_t most[] = { 8, 40, 150, 400 };
  return rng_between(rng, 1, most[rng_below(rng, 4)]);
}

static void plan_trouble(struct story *s) {
  struct disk_plan plan = { 0 };
  static const enum trouble often[] = {
    TROUBLE_POWER,   TROUBLE_POWER, TROUBLE_POWER, TROUBLE_POWER, TROUBLE_PROCESS,
    TROUBLE_PROCESS, TROUBLE_ONE,   TROUBLE_SYNC,  TROUBLE_WRITE, TROUBLE_FULL,
  };
  s->trouble = often[rng_below(&s->rng, sizeof often / sizeof *often)];
  uint64_t at = some_operation(&s->rng);
  if (s->trouble == TROUBLE_POWER || s->trouble == TROUBLE_PROCESS) plan.die_at = at;
  if (s->trouble == TROUBLE_SYNC) plan.fail_sync_at = rng_between(&s->rng, 1, 20);
  if (s->trouble == TROUBLE_WRITE) plan.fail_write_at = at;
  /* A disk that has failed once may also lose its power. */
  if ((s->trouble == TROUBLE_SYNC || s->trouble == TROUBLE_WRITE) && rng_chance(&s->rng, 1, 3))
    plan.die_at = at + rng_below(&s->rng, 100);
  disk_sim_plan(world_disk(s->w), &plan);
  s->crowd.unsure =
      s->trouble == TROUBLE_SYNC || s->trouble == TROUBLE_WRITE || s->trouble == TROUBLE_ONE;
}

static void come_mailer(void *arg) {
  struct story *s = arg;
  crowd_mailer(&s->crowd);
}

static void come_reader(void *arg) {
  struct story *s = arg;
  crowd_reader(&s->crowd, (unsigned)rng_below(&s->rng, BOXES));
}

static void come_mover(void *arg) {
  struct story *s = arg;
  crowd_mover(&s->crowd, (unsigned)rng_below(&s->rng, BOXES));
}

static void kill_process(void *arg) {
  static const enum role roles[] = { ROLE_STORE, ROLE_STORE, ROLE_AUTH, ROLE_SMTPD, ROLE_POP3D };
  struct story *s = arg;
  world_kill(s->w, roles[rng_below(&s->rng, 5)]);
}

static void fill_disk(void *arg) {
  struct story *s = arg;
  struct disk_sim *d = world_disk(s->w);
  disk_sim_space(d, disk_sim_used(d) + rng_below(&s->rng, 3) * 700 * 1024);
  s->tally->full++;
}

static void schedule_life(struct story *s) {
  uint64_t mailers = rng_between(&s->rng, 1, 5), readers = rng_below(&s->rng, 4),
           movers = rng_below(&s->rng, 4);
  while (mailers--) world_after(s->w, rng_below(&s->rng, 600), come_mailer, s);
  while (readers--) world_after(s->w, rng_below(&s->rng, 1200), come_reader, s);
  while (movers--) world_after(s->w, rng_below(&s->rng, 1500), come_mover, s);
  if (s->trouble == TROUBLE_ONE)
    for (unsigned i = 0; i < 3; i++) world_after(s->w, rng_below(&s->rng, 800), kill_process, s);
  if (s->trouble == TROUBLE_FULL) world_after(s->w, rng_below(&s->rng, 500), fill_disk, s);
}

/* Opens everything; the disk may die in it, as often as it likes. False: it can't be opened. */
static bool boot(struct story *s, bool may_die) {
  struct buf err;
  buf_init(&err, 1024);
  bool ok = false;
  for (unsigned i = 0; !ok && i < BOOTS_MAX; i++) {
    buf_reset(&err);
    ok = world_boot(s->w, &err);
    if (ok) break;
    if (world_died(s->w)) {
      s->tally->deaths++;
      s->tally->in_recovery++;
      world_power_loss(s->w);
      if (may_die && rng_chance(&s->rng, 1, 2) && i < 4)
        disk_sim_plan(world_disk(s->w),
                      &(struct disk_plan){ .die_at = rng_between(&s->rng, 1, 12) });
    } else if (!s->crowd.unsure) {
      break;
    }
  }
  if (!ok) world_fail(s->w, "it does not open: %s", buf_cstr(&err));
  buf_free(&err);
  return ok;
}

static void run_life(struct story *s) {
  uint64_t until = world_now(s->w) + LIFE_MS;
  schedule_life(s);
  while (!world_failure(s->w) && world_step(s->w, until)) continue;
  s->ops = disk_sim_ops(world_disk(s->w));
  if (!world_died(s->w) && !crowd_gone(&s->crowd))
    world_fail(s->w, "a client is still there after %d s", LIFE_MS / 1000);
}

/* Deleted mail comes back, before any client is there. */
static void undelete(struct story *s) {
  char name[64];
  unsigned box = (unsigned)rng_below(&s->rng, BOXES);
  for (unsigned i = 0; i < BOXES && !ledger_any_gone(&s->ledger, box); i++) box = (box + 1) % BOXES;
  const char *words[] = { "mail", "undelete", name, "--all" };
  struct buf said;
  snprintf(name, sizeof name, "box%u@example.org", box);
  buf_init(&said, 1 << 20);
  ledger_undelete(&s->ledger, box);
  int code = world_admin(s->w, ROLE_STORE, words, 4, SLICE_NONE, &said);
  struct slice rows = buf_slice(&said);
  while (code == CLI_OK && rows.n) {
    struct slice row = slice_split(&rows, '\n');
    uint64_t uid = 0;
    if (!num_parse(slice_split(&row, ' '), UINT32_MAX, &uid)) continue;
    slice_split(&row, ' '); /* its size */
    ledger_back(&s->ledger, s->w, box, (uint32_t)uid, slice_split(&row, ' '));
    s->tally->undeleted++;
  }
  /* Of one that was not answered, or by a disk that failed, the mailbox will tell. */
  if (code == CLI_OK || (code > 0 && !s->crowd.unsure)) ledger_undeleted(&s->ledger, box);
  buf_free(&said);
}

/* -- after a death -- */

static void die(struct story *s) {
  world_cancel(s->w, s);
  s->tally->deaths++;
  if (s->trouble == TROUBLE_PROCESS)
    world_revive(s->w);
  else
    world_power_loss(s->w);
  disk_sim_space(world_disk(s->w), UINT64_MAX);
  disk_sim_plan(world_disk(s->w), &(struct disk_plan){ 0 });
}

static void compare(struct story *s) {
  for (unsigned i = 0; i < BOXES && !world_failure(s->w); i++) {
    struct world_box *b = world_look(s->w, ACCOUNT_FIRST + i, false);
    if (!b)
      world_fail(s->w, "box %u can't be looked at", i);
    else
      ledger_compare(&s->ledger, s->w, i, b);
    world_box_free(&b);
  }
}

/* The service is back: a letter is taken and a mailbox is opened. */
static void prove_service(struct story *s) {
  s->crowd.patient = true;
  s->crowd.unsure = false;
  crowd_mailer(&s->crowd);
  world_run(s->w, world_now(s->w) + 60 * 1000);
  crowd_reader(&s->crowd, (unsigned)rng_below(&s->rng, BOXES));
  world_run(s->w, world_now(s->w) + 60 * 1000);
  crowd_mover(&s->crowd, (unsigned)rng_below(&s->rng, BOXES));
  world_run(s->w, world_now(s->w) + 60 * 1000);
  if (!crowd_gone(&s->crowd)) world_fail(s->w, "no service after recovery");
  s->crowd.patient = false;
}

static void live(struct story *s) {
  struct people nobody = { 0 };
  plan_trouble(s);
  bool lives = boot(s, true);
  if (lives && rng_chance(&s->rng, 1, 3)) undelete(s);
  if (lives) run_life(s);
  if (world_failure(s->w)) return;
  die(s);
  if (rng_chance(&s->rng, 1, 3))
    disk_sim_plan(world_disk(s->w), &(struct disk_plan){ .die_at = rng_between(&s->rng, 1, 12) });
  if (!boot(s, true)) return;
  disk_sim_plan(world_disk(s->w), &(struct disk_plan){ 0 });
  compare(s);
  if (!world_failure(s->w) && rng_chance(&s->rng, 1, 3)) prove_service(s);
  if (!world_failure(s->w) && rng_chance(&s->rng, 1, 4)) people_check_store(&nobody, s->w);
  if (world_failure(s->w)) return;
  s->trouble = TROUBLE_POWER;
  die(s);
}

static void add_up(struct story *s) {
  struct crash_tally *t = s->tally;
  t->stories++;
  t->letters += s->ledger.count;
  t->accepted += s->crowd.accepted;
  t->refused += s->crowd.refused;
  t->fetched += s->crowd.fetched;
  t->deleted += s->crowd.deleted;
  t->moved += s->crowd.moved;
  t->reopened += world_store_reopened(s->w);
}

static void show(void *arg, const char *line) {
  (void)arg;
  fprintf(stderr, "disk %s\n", line);
}

bool crash_story(const struct disk_sim *start, uint64_t seed, unsigned lives, bool verbose,
                 struct crash_tally *tally, struct buf *err) {
  struct story *s = must_alloc(sizeof *s);
  s->rng = rng_from(seed ^ 0x5eed);
  s->tally = tally;
  s->w = world_new(seed, true, slice_str(options), disk_sim_clone(start, seed), err);
  bool ok = s->w != NULL;
  if (ok) {
    if (verbose) world_verbose(s->w), disk_sim_trace(world_disk(s->w), show, NULL);
    s->crowd.w = s->w;
    s->crowd.ledger = &s->ledger;
    s->crowd.rng = rng_fork(&s->rng);
    for (s->life = 1; s->life <= lives && !world_failure(s->w); s->life++) live(s);
    add_up(s);
    ok = !world_failure(s->w);
    if (!ok)
      buf_printf(err, "seed %llu, life %u (%s), operation %llu: %s", (unsigned long long)seed,
                 s->life - 1, trouble_name(s->trouble),
                 (unsigned long long)disk_sim_ops(world_disk(s->w)), world_failure(s->w));
    world_cancel(s->w, s);
  }
  world_free(&s->w);
  crowd_free(&s->crowd);
  ledger_free(&s->ledger);
  free(s);
  return ok;
}
