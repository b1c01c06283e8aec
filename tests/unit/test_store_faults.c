/* SPDX-License-Identifier: ISC */
/* A small life of a store (messages of every kind, deletions, housekeeping) on a simulated disk
 * that dies, fails or fills up at each of its operations in turn. Whatever happens, once the store
 * is opened again:
 *
 *  1. every message that was acknowledged is there, once, octet for octet;
 *  2. none is there that was not handed in, and none only half;
 *  3. what an acknowledged QUIT deleted is gone; what no QUIT deleted is not; a QUIT that was never
 *     answered deleted all it named or nothing;
 *  4. what a QUIT deleted can be brought back, octet for octet, until it was purged; an undelete
 * and a purge that were answered stay, those that were not did all or nothing;
 *  5. `check` finds no damage. */
#include "tests/unit/sample.h"
#include "tests/unit/store_kit.h"

#include "src/store/sql/engine.h"

#include "tests/world/disk_sim.h"

enum {
  WINDOW_S = 3600,
  ROUNDS = 4,
  A_ROUND = 4,
  MESSAGES = ROUNDS * A_ROUND,
  DELETES = 3,
  WHOLE_MAX = 90000
};

/* DELETED can be brought back, PURGED can't. */
enum fate { NOT_SENT, MAYBE, KEPT, MAYBE_DELETED, DELETED, MAYBE_BACK, MAYBE_PURGED, PURGED };

enum ending { POWER_LOSS, PROCESS_DEATH, GOES_ON };

struct life {
  struct kit k;
  struct disk_sim *sim;
  enum fate fate[MESSAGES];
  uint32_t uid[MESSAGES]; /* as listed, 0: not seen yet */
  uint64_t seed;
};

/* Message `n`: its number, then filling; every fourth is spooled, every second is a file. */
static struct slice message(unsigned n) {
  static uint8_t mem[WHOLE_MAX];
  static const size_t sizes[A_ROUND] = { 300, 40000, 4000, 80000 };
  size_t size = sizes[n % A_ROUND] + n;
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
    store_process_lost(k->store, ROLE_SMTPD, SMTPD);
    store_process_lost(k->store, ROLE_POP3D, POP3D);
    store_process_lost(k->store, ROLE_CLI, CLI);
  }
  if (k->reader) kit_pump(k);
  store_free(&k->store);
  store_engine_close(&k->reader);
  store_engine_close(&k->writer);
  kit_forget_said(k);
}

/* --- the life --- */

/* Spools what is too much for a commit, and says how much. False: refused. */
static bool spool(struct life *l, unsigned n, size_t *ret_spooled) {
  struct slice s = message(n);
  size_t whole = s.n;
  while (s.n > IPC_CHUNK) {
    assert_true(KIT_SAY(&l->k, ROLE_SMTPD, SMTPD, smtp_spool, n, slice_first(s, 30000)));
    if (KIT_HEAR(&l->k, smtp_spooled).outcome != COMMIT_DONE) return false;
    s = slice_from(s, 30000);
  }
  *ret_spooled = whole - s.n;
  return true;
}

/* Four messages in one group. */
static void deliver_round(struct life *l, unsigned round) {
  unsigned first = round * A_ROUND;
  size_t spooled[A_ROUND];
  for (unsigned n = first; n < first + A_ROUND; n++)
    if (spool(l, n, &spooled[n - first]))
      l->fate[n] = MAYBE;
    else
      assert_true(KIT_SAY(&l->k, ROLE_SMTPD, SMTPD, smtp_discard, n, ));
  for (unsigned n = first; n < first + A_ROUND; n++) {
    if (l->fate[n] != MAYBE) continue;
    struct slice tail = slice_from(message(n), spooled[n - first]);
    assert_true(kit_commit(&l->k, n, "s@example.com", "alice@example.org", tail));
  }
  kit_pump(&l->k);
  while (l->k.said && l->k.said->type == smtp_committed_type) {
    enum commit_outcome outcome = KIT_HEAR(&l->k, smtp_committed).outcome;
    uint64_t n = l->k.last->tag;
    if (outcome == COMMIT_DONE)
      l->fate[n] = KEPT;
    else if (!l->k.broken)
      l->fate[n] = NOT_SENT; /* refused by a store that goes on: not kept */
  }
}

static int number_of(struct life *l, uint64_t tag, uint32_t uid, struct buf *whole) {
  int n = -1;
  buf_reset(whole);
  if (kit_read(&l->k, tag, uid, whole) != POP_DONE) return -1;
  struct slice s = buf_slice(whole);
  ptrdiff_t at = slice_search(s, SLICE("Subject: "));
  if (at < 0 || sscanf((const char *)s.p + at, "Subject: %4d", &n) != 1 || n < 0 || n >= MESSAGES)
    return -1;
  return n;
}

/* The oldest messages go. */
static void delete_round(struct life *l, unsigned round) {
  static struct drop d;
  struct buf whole;
  int named[DELETES];
  uint32_t count = 0;
  uint64_t tag = 1000 + round;
  kit_grant(&l->k, POP3D, tag, 1);
  if (kit_drop_open(&l->k, POP3D, tag, &d) != POP_DONE) return;
  buf_init(&whole, WHOLE_MAX + 1000);
  for (; count < DELETES && count < d.opened.count; count++) {
    named[count] = number_of(l, tag, d.uid[count], &whole);
    if (named[count] < 0) break;
    kit_delete(&l->k, tag, d.uid[count]);
  }
  buf_free(&whole);
  struct pop_done done = kit_quit(&l->k, tag);
  bool unsure = done.outcome != POP_DONE && l->k.broken;
  for (uint32_t i = 0; i < count; i++)
    if (named[i] >= 0 && done.outcome == POP_DONE)
      l->fate[named[i]] = DELETED;
    else if (named[i] >= 0 && unsure)
      l->fate[named[i]] = MAYBE_DELETED;
}

static void rest(struct life *l) {
  for (int i = 0;
       i < 400 && !l->k.broken && store_housekeeping_when(l->k.writer) != STORE_NO_CHORES; i++)
    if (!store_idle(l->k.writer)) l->k.broken = true;
}

static void all_become(struct life *l, enum fate from, enum fate to) {
  for (unsigned n = 0; n < MESSAGES; n++)
    if (l->fate[n] == from) l->fate[n] = to;
}

static void undelete_round(struct life *l) {
  struct answer a = kit_command(&l->k, "mail undelete alice@example.org --all");
  if (a.code == CLI_OK)
    all_become(l, DELETED, KEPT);
  else if (l->k.broken)
    all_become(l, DELETED, MAYBE_BACK);
}

static void purge_round(struct life *l) {
  l->k.now_s += WINDOW_S;
  all_become(l, DELETED, MAYBE_PURGED);
  store_housekeeping(l->k.store, l->k.now_s);
  kit_pump(&l->k);
  struct answer a = kit_command(&l->k, "status");
  if (!l->k.broken && strstr(a.rows, "deleted-kept 0")) all_become(l, MAYBE_PURGED, PURGED);
}

/* All that is left is too old by now: it goes, and can be brought back. */
static void expire_round(struct life *l) {
  l->k.now_s += 2 * 86400;
  l->k.conf->undelete_time = 3 * 86400;
  l->k.conf->pop3_expire = 1;
  store_reconfigure(l->k.store, l->k.conf);
  all_become(l, KEPT, MAYBE_DELETED);
  store_housekeeping(l->k.store, l->k.now_s);
  kit_pump(&l->k);
  struct answer a = kit_command(&l->k, "status");
  if (!l->k.broken && strstr(a.rows, "\nmessages 0")) all_become(l, MAYBE_DELETED, DELETED);
  l->k.conf->pop3_expire = CONF_NEVER;
  l->k.conf->undelete_time = WINDOW_S;
}

/* The process starts again. False: it does not come up. */
static bool compact_round(struct life *l) {
  kit_command(&l->k, "compact");
  if (l->k.broken || !store_restarts(l->k.store)) return !l->k.broken;
  close_store(l);
  return open_store(l);
}

static void live(struct life *l) {
  for (unsigned round = 0; round < ROUNDS && !l->k.broken; round++) {
    deliver_round(l, round);
    if (!l->k.broken && round % 2 == 1) delete_round(l, round);
    if (!l->k.broken && round == 1) undelete_round(l);
    if (!l->k.broken && round == 3) purge_round(l);
    if (round % 3 == 2) rest(l);
  }
  if (!l->k.broken) delete_round(l, ROUNDS);
  if (!l->k.broken) expire_round(l);
}

/* A short one: what comes free is given back, then the databases are rewritten. */
static void give_back(struct life *l) {
  l->k.writer->giving.least = 2;
  deliver_round(l, 0);
  if (!l->k.broken) delete_round(l, 0);
  if (!l->k.broken) purge_round(l);
  rest(l);
  if (l->k.broken || !compact_round(l)) return;
  deliver_round(l, 1);
  rest(l);
}

/* --- afterwards --- */

static void look_at(struct life *l, uint64_t tag, uint32_t uid, unsigned *seen) {
  struct buf whole;
  buf_init(&whole, WHOLE_MAX + 1000);
  int n = number_of(l, tag, uid, &whole);
  if (n < 0) fail_msg("message %u can't be read", uid);
  struct slice want = message((unsigned)n), got = buf_slice(&whole);
  static const char head[] = "Return-Path: <s@example.com>\r\n";
  assert_int_equal(got.n, want.n + sizeof head - 1);
  assert_memory_equal(got.p, head, sizeof head - 1);
  assert_memory_equal(got.p + sizeof head - 1, want.p, want.n);
  assert_int_not_equal(l->fate[n], NOT_SENT);
  assert_int_not_equal(l->fate[n], PURGED);
  seen[n]++;
  buf_free(&whole);
}

static void look_at_all(struct life *l, uint64_t tag, unsigned *seen) {
  static struct drop d;
  kit_grant(&l->k, POP3D, tag, 1);
  assert_int_equal(kit_drop_open(&l->k, POP3D, tag, &d), POP_DONE);
  for (uint32_t i = 0; i < d.opened.count; i++) look_at(l, tag, d.uid[i], seen);
  kit_quit(&l->k, tag);
}

/* All or none of what had that fate was seen. */
static void all_or_none(const struct life *l, enum fate fate, const unsigned *seen) {
  unsigned maybe = 0, there = 0;
  for (unsigned n = 0; n < MESSAGES; n++)
    if (l->fate[n] == fate) maybe++, there += seen[n];
  assert_true(there == 0 || there == maybe);
}

static void judge_mailbox(struct life *l, const unsigned *seen) {
  for (unsigned n = 0; n < MESSAGES; n++) {
    assert_true(seen[n] <= 1);
    if (l->fate[n] == KEPT) assert_int_equal(seen[n], 1);
    if (l->fate[n] == DELETED || l->fate[n] == MAYBE_PURGED) assert_int_equal(seen[n], 0);
  }
  all_or_none(l, MAYBE_DELETED, seen);
  all_or_none(l, MAYBE_BACK, seen);
}

/* Everything that was deleted, for certain or not, is there again, but for what may have been
 * purged. */
static void judge_undeleted(struct life *l, const unsigned *seen) {
  for (unsigned n = 0; n < MESSAGES; n++) {
    bool back = l->fate[n] == DELETED || l->fate[n] == MAYBE_DELETED || l->fate[n] == MAYBE_BACK;
    assert_true(seen[n] <= 1);
    if (back || l->fate[n] == KEPT) assert_int_equal(seen[n], 1);
  }
  all_or_none(l, MAYBE_PURGED, seen);
}

static void check(struct life *l) {
  rest(l);
  struct answer a = kit_command(&l->k, "check");
  if (a.code != CLI_OK || a.count) fail_msg("check: %s\n%s", a.text, a.rows);
}

static void judge(struct life *l) {
  unsigned seen[MESSAGES] = { 0 }, seen_then[MESSAGES] = { 0 };
  look_at_all(l, 5000, seen);
  judge_mailbox(l, seen);
  check(l);
  assert_int_equal(kit_command(&l->k, "mail undelete alice@example.org --all").code, CLI_OK);
  look_at_all(l, 5001, seen_then);
  judge_undeleted(l, seen_then);
  check(l);
}

/* --- all of it --- */

static struct disk_sim *prepared(struct conf *conf) {
  struct life l = { .sim = disk_sim_new(1) };
  l.k.conf = conf;
  l.k.disk = disk_sim_disk(l.sim);
  l.k.said_end = &l.k.said;
  l.k.now_s = 1700000000;
  assert_true(open_store(&l));
  assert_int_equal(kit_command(&l.k, "domain add example.org").code, CLI_OK);
  assert_int_equal(kit_account(&l.k, "alice@example.org"), 1);
  close_store(&l);
  assert_int_equal(disk_sim_handles(l.sim), 0);
  return l.sim;
}

/* True: the fault came before the life was over. */
static bool one_life(const struct disk_sim *from, struct conf *conf, void (*course)(struct life *l),
                     const struct disk_plan *plan, enum ending ending, uint64_t seed) {
  struct life l = { .sim = disk_sim_clone(from, seed), .seed = seed };
  l.k.conf = conf;
  l.k.disk = disk_sim_disk(l.sim);
  l.k.said_end = &l.k.said;
  l.k.now_s = 1700000000;
  disk_sim_plan(l.sim, plan);
  if (open_store(&l)) course(&l);
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
  judge(&l);
  close_store(&l);
  disk_sim_free(&l.sim);
  return reached;
}

enum what { DIE, FAIL_SYNC, FAIL_WRITE, FULL };

static void every_operation_of(void (*course)(struct life *l), enum what what, enum ending ending) {
  struct sample some = sample_next();
  struct conf *conf = conf_defaults();
  conf->store_free_space = 0;
  conf->undelete_time = WINDOW_S;
  struct disk_sim *from = prepared(conf);
  uint64_t lives = 0;
  bool reached = true;
  for (uint64_t n = some.first; reached && n < 5000; n += some.step, lives++) {
    struct disk_plan plan = { 0 };
    *(what == DIE          ? &plan.die_at
      : what == FAIL_SYNC  ? &plan.fail_sync_at
      : what == FAIL_WRITE ? &plan.fail_write_at
                           : &plan.full_at) = n;
    print_message(" %llu", (unsigned long long)n);
    reached = one_life(from, conf, course, &plan, ending, n * 7919 + what * 31 + ending);
  }
  print_message(": %llu lives\n", (unsigned long long)lives);
  assert_true(lives * some.step > 10);
  disk_sim_free(&from);
  conf_free(&conf);
}

static void every_operation(enum what what, enum ending ending) {
  every_operation_of(live, what, ending);
}

static void giving_back(void **state) {
  every_operation_of(give_back, DIE, POWER_LOSS);
  every_operation_of(give_back, FAIL_SYNC, POWER_LOSS);
  every_operation_of(give_back, FULL, GOES_ON);
}
static void power_loss(void **state) { every_operation(DIE, POWER_LOSS); }
static void process_death(void **state) { every_operation(DIE, PROCESS_DEATH); }
static void failing_syncs(void **state) { every_operation(FAIL_SYNC, GOES_ON); }
static void failing_syncs_then_power_loss(void **state) { every_operation(FAIL_SYNC, POWER_LOSS); }
static void failing_writes(void **state) { every_operation(FAIL_WRITE, POWER_LOSS); }
static void full_disk(void **state) { every_operation(FULL, GOES_ON); }
static void full_disk_then_power_loss(void **state) { every_operation(FULL, POWER_LOSS); }

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(giving_back),
    cmocka_unit_test(power_loss),
    cmocka_unit_test(process_death),
    cmocka_unit_test(failing_syncs),
    cmocka_unit_test(failing_syncs_then_power_loss),
    cmocka_unit_test(failing_writes),
    cmocka_unit_test(full_disk),
    cmocka_unit_test(full_disk_then_power_loss),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
