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
#include "tests/unit/life_kit.h"

#include "src/store/sql/engine.h"

enum {
  WINDOW_S = 3600,
  ROUNDS = 4,
  A_ROUND = 4,
  MESSAGES = ROUNDS * A_ROUND,
  DELETES = 3,
};

/* DELETED can be brought back, PURGED can't. */
enum fate { NOT_SENT, MAYBE, KEPT, MAYBE_DELETED, DELETED, MAYBE_BACK, MAYBE_PURGED, PURGED };

struct plot {
  enum fate fate[MESSAGES];
};

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
      l->plot->fate[n] = MAYBE;
    else
      assert_true(KIT_SAY(&l->k, ROLE_SMTPD, SMTPD, smtp_discard, n, ));
  for (unsigned n = first; n < first + A_ROUND; n++) {
    if (l->plot->fate[n] != MAYBE) continue;
    struct slice tail = slice_from(message(n), spooled[n - first]);
    assert_true(kit_commit(&l->k, n, "s@example.com", "alice@example.org", tail));
  }
  kit_pump(&l->k);
  while (l->k.said && l->k.said->type == smtp_committed_type) {
    enum commit_outcome outcome = KIT_HEAR(&l->k, smtp_committed).outcome;
    uint64_t n = l->k.last->tag;
    if (outcome == COMMIT_DONE)
      l->plot->fate[n] = KEPT;
    else if (!l->k.broken)
      l->plot->fate[n] = NOT_SENT; /* refused by a store that goes on: not kept */
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
      l->plot->fate[named[i]] = DELETED;
    else if (named[i] >= 0 && unsure)
      l->plot->fate[named[i]] = MAYBE_DELETED;
}

static void all_become(struct life *l, enum fate from, enum fate to) {
  for (unsigned n = 0; n < MESSAGES; n++)
    if (l->plot->fate[n] == from) l->plot->fate[n] = to;
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
  assert_int_not_equal(l->plot->fate[n], NOT_SENT);
  assert_int_not_equal(l->plot->fate[n], PURGED);
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
    if (l->plot->fate[n] == fate) maybe++, there += seen[n];
  assert_true(there == 0 || there == maybe);
}

static void judge_mailbox(struct life *l, const unsigned *seen) {
  for (unsigned n = 0; n < MESSAGES; n++) {
    assert_true(seen[n] <= 1);
    if (l->plot->fate[n] == KEPT) assert_int_equal(seen[n], 1);
    if (l->plot->fate[n] == DELETED || l->plot->fate[n] == MAYBE_PURGED)
      assert_int_equal(seen[n], 0);
  }
  all_or_none(l, MAYBE_DELETED, seen);
  all_or_none(l, MAYBE_BACK, seen);
}

/* Everything that was deleted, for certain or not, is there again, but for what may have been
 * purged. */
static void judge_undeleted(struct life *l, const unsigned *seen) {
  for (unsigned n = 0; n < MESSAGES; n++) {
    bool back = l->plot->fate[n] == DELETED || l->plot->fate[n] == MAYBE_DELETED ||
                l->plot->fate[n] == MAYBE_BACK;
    assert_true(seen[n] <= 1);
    if (back || l->plot->fate[n] == KEPT) assert_int_equal(seen[n], 1);
  }
  all_or_none(l, MAYBE_PURGED, seen);
}

static void check(struct life *l) {
  rest(l);
  must_be_sound(&l->k);
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

static void settings(struct conf *conf) { conf->undelete_time = WINDOW_S; }

static void before(struct life *l) { assert_int_equal(alice(&l->k), 1); }

#define STORY(course) \
  { sizeof(struct plot), ROLE_SMTPD, SMTPD, settings, before, course, judge }
static const struct story whole = STORY(live), short_one = STORY(give_back);

static void every_operation(enum fault fault, enum ending ending) {
  every_operation_of(&whole, fault, ending);
}

static void giving_back(void **state) {
  every_operation_of(&short_one, DIE, POWER_LOSS);
  every_operation_of(&short_one, FAIL_SYNC, POWER_LOSS);
  every_operation_of(&short_one, FULL, GOES_ON);
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
