/* SPDX-License-Identifier: ISC */
#include "tests/world/outside/voyage.h"

#include <stdio.h>

#include "ipc/cli_process.h"
#include "tests/world/must.h"
#include "tests/world/outside/mailer.h"
#include "tests/world/outside/roles.h"
#include "tests/world/people.h"
#include "tests/world/trouble.h"

enum {
  BOOTS_MAX = 8,
  KILLS_MAX = 3,
  ACCOUNT_FIRST = 1,
  CALM_ROUNDS = 24, /* looks at a queue that must come to its end */
  CALM_ROUND_MS = 5 * 60 * 1000,
};

struct voyage {
  struct world *w;
  struct rng rng;
  struct net net;
  struct mx mx;
  struct post post;
  struct roles roles;
  struct mailers mailers;
  struct voyage_tally *tally;
  enum trouble trouble;
  unsigned life;
  unsigned reopened;            /* times that store was, so far */
  uint32_t highest[POST_BOXES]; /* uid of the last report that was read */
  uint64_t steer_ms; /* when the administrator does something next; 0: not in this life */
};

static const char options[] =
    "smtp_junk_limit = 1000\nauth_penalty_most = 0\nrelay_networks = { \"192.0.2.0/24\" }\n"
    "queue_lifetime = 1h\nreport_lifetime = 30d\nqueue_warn_after = 10m\nretry_first = "
    "20s\nretry_most = 5m\n"
    "destination_connections = 4\nsender_connections = 30\nreports_per_destination = 0\n";

/* -- the beginning of all stories -- */

static bool make_scene(struct people *people, struct world *w) {
  bool ok = true;
  for (unsigned i = 0; ok && i < POST_BOXES; i++) {
    char name[64];
    snprintf(name, sizeof name, "box%u@example.org", i);
    ok = people_add(people, w, slice_str(name), SLICE("secret"), true);
  }
  for (unsigned i = 0; ok && i < POST_DOMAINS; i++) {
    char name[64], target[64];
    snprintf(name, sizeof name, "fwd%u@example.org", i);
    snprintf(target, sizeof target, "f%u@d%u.test", i, i);
    ok = people_alias(people, w, slice_str(name), slice_str(target));
  }
  return ok;
}

struct disk_sim *voyage_begin(struct buf *err) {
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

/* -- a life -- */

static uint64_t some_operation(struct rng *rng) {
  static const uint64_t most[] = { 8, 30, 80, 200 };
  return rng_between(rng, 1, most[rng_below(rng, 4)]);
}

static void plan_trouble(struct voyage *v) {
  struct disk_plan plan = { 0 };
  static const enum trouble often[] = {
    TROUBLE_POWER,   TROUBLE_POWER,   TROUBLE_POWER, TROUBLE_POWER, TROUBLE_POWER,
    TROUBLE_PROCESS, TROUBLE_PROCESS, TROUBLE_ONE,   TROUBLE_ONE,   TROUBLE_ONE,
    TROUBLE_SYNC,    TROUBLE_WRITE,   TROUBLE_FULL,
  };
  v->trouble = often[rng_below(&v->rng, sizeof often / sizeof *often)];
  uint64_t at = some_operation(&v->rng);
  if (v->trouble == TROUBLE_POWER || v->trouble == TROUBLE_PROCESS) plan.die_at = at;
  if (v->trouble == TROUBLE_SYNC) plan.fail_sync_at = rng_between(&v->rng, 1, 20);
  if (v->trouble == TROUBLE_WRITE) plan.fail_write_at = at;
  disk_sim_plan(world_disk(v->w), &plan);
  post_life(&v->post, v->trouble >= TROUBLE_SYNC);
  v->mailers.unsure = v->trouble >= TROUBLE_ONE;
}

static void come_mailer(void *arg) {
  struct voyage *v = arg;
  mailers_come(&v->mailers);
}

static void kill_process(void *arg) {
  static const enum role roles[] = { ROLE_STORE,    ROLE_STORE,  ROLE_STORE,
                                     ROLE_SENDER,   ROLE_SENDER, ROLE_SENDER,
                                     ROLE_RESOLVER, ROLE_KEYS,   ROLE_SMTPD };
  struct voyage *v = arg;
  enum role role = roles[rng_below(&v->rng, sizeof roles / sizeof *roles)];
  if (role == ROLE_SENDER && rng_chance(&v->rng, 1, 3)) { /* nothing is sent twice for it */
    roles_retire_sender(&v->roles);
    return;
  }
  if (role == ROLE_STORE || role == ROLE_SENDER) post_loss(&v->post);
  v->tally->kills++;
  world_kill(v->w, role);
}

static void fill_disk(void *arg) {
  struct voyage *v = arg;
  struct disk_sim *d = world_disk(v->w);
  disk_sim_space(d, disk_sim_used(d) + rng_below(&v->rng, 3) * 500 * 1024);
}

/* Mostly short: what is slow needs minutes, what expires an hour. */
static uint64_t some_time(struct rng *rng) {
  static const uint64_t most[] = { 5000,   20000,  60000,  60000,      180000,
                                   180000, 600000, 600000, 20 * 60000, 90 * 60000 };
  return rng_between(rng, 1000, most[rng_below(rng, sizeof most / sizeof *most)]);
}

static void schedule_life(struct voyage *v) {
  for (uint64_t n = rng_below(&v->rng, 4); n; n--)
    world_after(v->w, rng_below(&v->rng, 2000), come_mailer, v);
  v->steer_ms = rng_chance(&v->rng, 1, 3) ? world_now(v->w) + rng_below(&v->rng, 5000) : 0;
  if (v->trouble == TROUBLE_ONE)
    for (unsigned i = 0; i < KILLS_MAX; i++)
      world_after(v->w, rng_below(&v->rng, rng_chance(&v->rng, 1, 2) ? 1500 : 90000), kill_process,
                  v);
  if (v->trouble == TROUBLE_FULL) world_after(v->w, rng_below(&v->rng, 1500), fill_disk, v);
}

static bool boot(struct voyage *v) {
  struct buf err;
  buf_init(&err, 1024);
  bool ok = false;
  for (unsigned i = 0; !ok && i < BOOTS_MAX; i++) {
    buf_reset(&err);
    ok = world_boot(v->w, &err);
    if (ok || !world_died(v->w)) break;
    v->tally->deaths++;
    v->tally->in_recovery++;
    world_power_loss(v->w);
    if (rng_chance(&v->rng, 1, 2) && i < 4)
      disk_sim_plan(world_disk(v->w), &(struct disk_plan){ .die_at = rng_between(&v->rng, 1, 12) });
  }
  if (!ok) world_fail(v->w, "it does not open: %s", buf_cstr(&err));
  buf_free(&err);
  return ok;
}

/* -- the administrator -- */

/* A letter's recipient, or all of a domain. */
static void choose(struct voyage *v, char *to, size_t room, struct post_rcpt **ret,
                   unsigned *ret_domain) {
  struct post_letter *l = v->post.count ? v->post.letters[rng_below(&v->rng, v->post.count)] : NULL;
  *ret = NULL;
  *ret_domain = (unsigned)rng_below(&v->rng, POST_DOMAINS);
  if (l && l->count && !l->forwarded && rng_chance(&v->rng, 2, 3)) {
    *ret = &l->rcpts[rng_below(&v->rng, l->count)];
    snprintf(to, room, "to=%s", (*ret)->address);
  } else {
    snprintf(to, room, "to=d%u.test", *ret_domain);
  }
}

static void allow_to_go(struct voyage *v, struct post_rcpt *one, unsigned domain) {
  char end[32];
  snprintf(end, sizeof end, "@d%u.test", domain);
  if (one) one->may_go = true;
  for (size_t i = 0; !one && i < v->post.count; i++)
    for (unsigned k = 0; k < v->post.letters[i]->count; k++) {
      struct post_rcpt *r = &v->post.letters[i]->rcpts[k];
      if (strlen(r->address) > strlen(end) &&
          strcmp(r->address + strlen(r->address) - strlen(end), end) == 0)
        r->may_go = true;
    }
}

static void steer(struct voyage *v) {
  static const char *const verbs[] = {
    "hold", "hold", "release", "retry", "retry", "drop", "fail"
  };
  const char *words[] = { "queue", verbs[rng_below(&v->rng, sizeof verbs / sizeof *verbs)], NULL };
  char selector[100];
  struct post_rcpt *one;
  unsigned domain;
  choose(v, selector, sizeof selector, &one, &domain);
  words[2] = selector;
  if (strcmp(words[1], "drop") == 0) allow_to_go(v, one, domain);
  v->tally->steered++;
  world_admin(v->w, ROLE_STORE, words, 3, SLICE_NONE, NULL);
  v->steer_ms = rng_chance(&v->rng, 1, 2) ? world_now(v->w) + rng_below(&v->rng, 60000) : 0;
}

static void run_life(struct voyage *v) {
  uint64_t until = world_now(v->w) + some_time(&v->rng);
  schedule_life(v);
  while (!world_failure(v->w) && world_step(v->w, until)) {
    if (world_store_reopened(v->w) != v->reopened) post_loss(&v->post);
    v->reopened = world_store_reopened(v->w);
    if (v->steer_ms && world_now(v->w) >= v->steer_ms && !world_died(v->w)) steer(v);
  }
}

/* -- after a death -- */

static void die(struct voyage *v) {
  world_cancel(v->w, v);
  v->tally->deaths++;
  post_loss(&v->post);
  if (v->trouble == TROUBLE_PROCESS)
    world_revive(v->w);
  else
    world_power_loss(v->w);
  disk_sim_space(world_disk(v->w), UINT64_MAX);
  disk_sim_plan(world_disk(v->w), &(struct disk_plan){ 0 });
  mailers_gone(&v->mailers);
}

static void look_at_queue(struct voyage *v) {
  const char *words[] = { "queue", "list" };
  struct buf rows;
  buf_init(&rows, 4 << 20);
  int code = world_admin(v->w, ROLE_STORE, words, 2, SLICE_NONE, &rows);
  if (v->mx.verbose) fprintf(stderr, "queue:\n%s", buf_cstr(&rows));
  if (code != CLI_OK) world_fail(v->w, "the queue can't be looked at: %d", code);
  for (struct slice rest = buf_slice(&rows); rest.n && !world_failure(v->w);) {
    struct slice row = slice_split(&rest, '\n');
    slice_split(&row, ' '); /* a reply of several lines is several here */
    struct slice from = slice_split(&row, ' '), to = slice_split(&row, ' ');
    if (slice_find(to, '@') >= 0) post_queue_row(&v->post, from, to);
  }
  buf_free(&rows);
}

static void look_at_box(struct voyage *v, unsigned box) {
  struct world_box *b = world_look(v->w, ACCOUNT_FIRST + box, false);
  if (!b) world_fail(v->w, "box %u can't be looked at", box);
  for (size_t i = 0; b && i < b->count && !world_failure(v->w); i++) {
    if (b->mails[i].uid <= v->highest[box]) continue;
    post_reported(&v->post, box, b->mails[i].octets);
    v->highest[box] = b->mails[i].uid;
  }
  world_box_free(&b);
}

static void look(struct voyage *v) {
  post_look_begins(&v->post);
  look_at_queue(v);
  for (unsigned i = 0; i < POST_BOXES && !world_failure(v->w); i++) look_at_box(v, i);
  if (!world_failure(v->w)) post_look_ends(&v->post);
}

static void live(struct voyage *v) {
  plan_trouble(v);
  run_life(v);
  if (world_failure(v->w)) return;
  die(v);
  if (rng_chance(&v->rng, 1, 3))
    disk_sim_plan(world_disk(v->w), &(struct disk_plan){ .die_at = rng_between(&v->rng, 1, 12) });
  if (!boot(v)) return;
  disk_sim_plan(world_disk(v->w), &(struct disk_plan){ 0 });
  post_life(&v->post, false);
  look(v);
}

/* The outside is well: whatever waits has to end now, by its own clock. */
static void end_all(struct voyage *v) {
  const char *release[] = { "queue", "release", "state=held" };
  struct people nobody = { 0 };
  v->mx.calm = true;
  world_admin(v->w, ROLE_STORE, release, 3, SLICE_NONE, NULL);
  for (unsigned i = 0; i < CALM_ROUNDS && !world_failure(v->w); i++) {
    look(v);
    if (post_all_ended(&v->post)) break;
    if (i + 1 == CALM_ROUNDS)
      world_fail(v->w, "all is well outside, and the queue does not come to its end");
    world_run(v->w, world_now(v->w) + CALM_ROUND_MS);
  }
  if (!world_failure(v->w)) people_check_store(&nobody, v->w);
  v->tally->ended++;
}

static void add_up(struct voyage *v) {
  struct voyage_tally *t = v->tally;
  t->stories++;
  t->letters += v->post.count;
  t->accepted += v->post.accepted;
  t->delivered += v->post.delivered;
  t->again += v->post.again;
  t->failed += v->post.failed;
  t->delayed += v->post.delayed;
  t->both += v->post.both;
  t->connections += v->mx.connections;
  t->cuts += v->mx.cuts;
  t->refused += v->mx.refused;
  t->deferred += v->mx.deferred;
  t->lies += v->mx.lies;
}

static void show(void *arg, const char *line) { fprintf(stderr, "disk %s\n", line); }

static void play(struct voyage *v, unsigned lives) {
  if (!boot(v)) return;
  for (v->life = 1; v->life <= lives && !world_failure(v->w); v->life++) live(v);
  if (!world_failure(v->w) && rng_chance(&v->rng, 1, 4)) end_all(v);
}

bool voyage_story(const struct disk_sim *start, uint64_t seed, unsigned lives, bool verbose,
                  struct voyage_tally *tally, struct buf *err) {
  struct voyage *v = must_alloc(sizeof *v);
  v->rng = rng_from(seed ^ 0x0ceaa);
  v->tally = tally;
  v->w = world_new(seed, true, slice_str(options), disk_sim_clone(start, seed), err);
  bool ok = v->w != NULL;
  if (ok) {
    v->net = (struct net){ .w = v->w, .rng = rng_fork(&v->rng) };
    v->post.w = v->w;
    mx_init(&v->mx, v->w, &v->post, rng_next(&v->rng));
    v->net.far = mx_far(&v->mx);
    net_use(&v->net);
    roles_join(&v->roles, v->w, &v->mx);
    mailers_init(&v->mailers, v->w, &v->post, rng_next(&v->rng));
    v->mx.verbose = verbose;
    if (verbose) world_verbose(v->w), disk_sim_trace(world_disk(v->w), show, NULL);
    play(v, lives);
    add_up(v);
    ok = !world_failure(v->w);
    if (!ok)
      buf_printf(err, "voyage, seed %llu, life %u (%s), operation %llu, %llu ms: %s",
                 (unsigned long long)seed, v->life, trouble_name(v->trouble),
                 (unsigned long long)disk_sim_ops(world_disk(v->w)),
                 (unsigned long long)world_now(v->w), world_failure(v->w));
    world_cancel(v->w, v);
  }
  mailers_gone(&v->mailers);
  world_free(&v->w);
  if (ok && v->net.open) {
    buf_printf(err, "voyage, seed %llu: %zu connections left open", (unsigned long long)seed,
               v->net.open);
    ok = false;
  }
  net_use(NULL);
  post_free(&v->post);
  free(v);
  return ok;
}
