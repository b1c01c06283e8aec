/* SPDX-License-Identifier: ISC */
/* The collector's side of the store: what may be asked without a grant (nothing), what is
 * remembered, and a life of runs on a simulated disk that dies, fails or fills up at each of its
 * operations in turn. The other server is a ledger here. Whatever happens, after a last run that
 * nothing disturbs:
 *
 *  1. every message that the other server ever had is in the inbox, once, octet for octet;
 *  2. none was deleted there before it was here (looked at after each death);
 *  3. `check` finds no damage. */
#include "tests/unit/life_kit.h"

#include "ipc/collector_store.h"
#include "lib/tls/digest.h"
#include "src/store/jobs/collected.h"

enum { COLLECTOR = 21, MESSAGES = 12, A_RUN = 4 };
#define SOURCE 0x1122334455667788u
#define DIGEST "0123456789abcdef0123456789abcdef"

/* --- one run, in pieces --- */

static bool grant(struct kit *k, uint64_t run, uint64_t account, uint64_t source) {
  assert_true(KIT_SAY(k, ROLE_AUTH, AUTH, auth_grant, 5, COLLECTOR, run, account, GRANT_COLLECTION,
                      source));
  return KIT_HEAR(k, auth_granted).known;
}

static void end_run(struct kit *k, uint64_t run) {
  assert_true(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_end, run, ));
  kit_pump(k);
}

/* The dates of UIDLs "u0 u1 …", one after another, each listed with this size, `alike` times. */
static enum collect_outcome ask_sized(struct kit *k, uint64_t run, const char *uidls, uint64_t size,
                                      uint32_t alike, uint64_t *dates, size_t count) {
  struct buf list, sizes;
  kit_list(&list, uidls);
  buf_init(&sizes, 12 * COLLECT_ASK_MAX);
  for (size_t i = 0; i < count; i++) wire_put_u64(&sizes, size), wire_put_u32(&sizes, alike);
  assert_true(
      KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_ask, run, buf_slice(&list), buf_slice(&sizes)));
  buf_free(&list), buf_free(&sizes);
  struct collect_dates d = KIT_HEAR(k, collect_dates);
  if (d.outcome != COLLECT_DONE) return d.outcome;
  struct wire w = wire_open(d.dates);
  for (size_t i = 0; i < count; i++) dates[i] = wire_get_u64(&w);
  assert_true(wire_done(&w));
  return COLLECT_DONE;
}

static enum collect_outcome ask(struct kit *k, uint64_t run, const char *uidls, uint64_t *dates,
                                size_t count) {
  return ask_sized(k, run, uidls, 0, 1, dates, count);
}

static uint64_t last_row;

/* Prepended to each kept message. */
static struct slice head_kept;

static enum collect_outcome keep_sized(struct kit *k, uint64_t run, const char *uidl, uint64_t size,
                                       uint32_t copy, struct slice whole) {
  uint8_t digest[DIGEST_SHA256_SIZE];
  struct slice all = whole;
  assert_true(digest_of(DIGEST_SHA256, whole, digest));
  while (whole.n > 60000) {
    assert_true(
        KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_spool, run, slice_first(whole, 30000)));
    KIT_HEAR(k, collect_spooled); /* the answer to the commit repeats it */
    whole = slice_from(whole, 30000);
  }
  assert_true(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_commit, run,
                      { .id = SLICE("C1"), .head = head_kept, .tail = whole }, slice_str(uidl),
                      size, all.n, slice_of(digest, sizeof digest), copy));
  struct collect_committed m = KIT_HEAR(k, collect_committed);
  last_row = m.row;
  if (m.outcome == COLLECT_DONE || m.outcome == COLLECT_THERE) assert_int_not_equal(m.row, 0);
  return m.outcome;
}

static enum collect_outcome keep(struct kit *k, uint64_t run, const char *uidl,
                                 struct slice whole) {
  return keep_sized(k, run, uidl, 0, 1, whole);
}

static enum collect_outcome forget(struct kit *k, uint64_t run, uint64_t row) {
  struct buf rows;
  buf_init(&rows, 8);
  wire_put_u64(&rows, row);
  assert_true(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_deleted, run, buf_slice(&rows)));
  buf_free(&rows);
  return KIT_HEAR(k, collect_forgotten).outcome;
}

static enum collect_outcome housekeeping(struct kit *k, uint64_t run) {
  assert_true(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_listed, run, ));
  return KIT_HEAR(k, collect_tidied).outcome;
}

static uint32_t inbox_count(struct kit *k, uint64_t tag, uint64_t account) {
  uint32_t n = kit_open_drop(k, tag, account)->opened.count;
  kit_quit(k, tag);
  return n;
}

/* --- tests --- */

static void nothing_without_grant(void **state) {
  struct kit *k = *state;
  alice(k);
  struct buf list;
  kit_list(&list, "u1");
  assert_false(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_ask, 1, buf_slice(&list),
                       SLICE("0123456789ab")));
  assert_false(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_deleted, 1, SLICE("01234567")));
  assert_false(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_spool, 1, SLICE("x")));
  assert_false(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_commit, 1,
                       { .id = SLICE("C"), .head = SLICE("x") }, SLICE("u"), 1, 1, SLICE(DIGEST),
                       1));
  assert_false(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_listed, 1, ));
  assert_true(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_end, 1, ));
  buf_free(&list);
}

/* A maildrop's grant opens no collection, a collection's no maildrop. */
static void grants_are_of_one_kind(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k);
  assert_true(grant(k, 3, account, SOURCE));
  assert_false(KIT_SAY(k, ROLE_POP3D, COLLECTOR, pop_open, 3, ));
  kit_grant(k, POP3D, 4, account);
  struct buf list;
  kit_list(&list, "u1");
  assert_false(
      KIT_SAY(k, ROLE_COLLECTOR, POP3D, collect_ask, 4, buf_slice(&list), SLICE("0123456789ab")));
  buf_free(&list);
  assert_false(grant(k, 5, account + 77, SOURCE));
}

static void revoked_or_ended_is_over(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k), date;
  assert_true(grant(k, 1, account, SOURCE));
  assert_int_equal(k->state, COLLECT_GRANTED);
  assert_false(grant(k, 1, account, SOURCE + 1)); /* a run has one collection */
  assert_int_equal(ask(k, 1, "u1", &date, 1), COLLECT_DONE);
  assert_true(KIT_SAY(k, ROLE_AUTH, AUTH, auth_revoke, 0, COLLECTOR, 1));
  assert_int_equal(k->state, COLLECT_STRANGER);
  assert_false(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_listed, 1, ));
  assert_true(grant(k, 2, account, SOURCE));
  end_run(k, 2);
  assert_false(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_listed, 2, ));
  assert_true(grant(k, 3, account, SOURCE));
  store_process_lost(k->store, ROLE_COLLECTOR, COLLECTOR);
  assert_false(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_listed, 3, ));
}

static void kept_once_and_as_it_was(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k), dates[3];
  assert_true(grant(k, 1, account, SOURCE));
  assert_int_equal(ask(k, 1, "u1 u2 u3", dates, 3), COLLECT_DONE);
  assert_int_equal(dates[0] | dates[1] | dates[2], 0);
#define TRACE "Received: from pop.example.net\r\n\tby mx; a date\r\n"
#define COLLECTED "Return-Path: <x@example.com>\r\nSubject: 1\r\n\r\none\r\n"
  head_kept = SLICE(TRACE);
  assert_int_equal(keep(k, 1, "u1", SLICE(COLLECTED)), COLLECT_DONE);
  head_kept = SLICE_NONE; /* it is the same message, whatever was put in front of it */
  assert_int_equal(keep(k, 1, "u1", SLICE(COLLECTED)), COLLECT_THERE);
  assert_int_equal(keep(k, 1, "u2", SLICE("Subject: no end")), COLLECT_DONE);
  end_run(k, 1);
  struct drop *d = kit_open_drop(k, 9, account);
  assert_int_equal(d->opened.count, 2);
  struct buf got;
  buf_init(&got, 1000);
  assert_int_equal(kit_read(k, 9, d->uid[0], &got), POP_DONE);
  assert_int_equal(d->size[0], sizeof TRACE COLLECTED - 1);
  assert_true(slice_eq(buf_slice(&got), SLICE(TRACE COLLECTED)));
  buf_reset(&got);
  assert_int_equal(kit_read(k, 9, d->uid[1], &got), POP_DONE);
  assert_true(slice_eq(buf_slice(&got), SLICE("Subject: no end\r\n\r\n")));
  buf_free(&got);
  kit_delete(k, 9, d->uid[0]);
  assert_int_equal(kit_quit(k, 9).deleted, 1);
  /* What its owner deleted here is not collected again; another collection of the same account
   * knows nothing of it. */
  assert_true(grant(k, 2, account, SOURCE));
  assert_int_equal(ask(k, 2, "u1 u2 u3", dates, 3), COLLECT_DONE);
  assert_int_equal(dates[0], (uint64_t)k->now_s);
  assert_int_equal(dates[1], (uint64_t)k->now_s);
  assert_int_equal(dates[2], 0);
  assert_true(grant(k, 3, account, SOURCE + 1));
  assert_int_equal(ask(k, 3, "u1", dates, 1), COLLECT_DONE);
  assert_int_equal(dates[0], 0);
}

/* Two runs of one collection at once (auth was restarted): still once. */
static void two_runs_at_once(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k);
  assert_true(grant(k, 1, account, SOURCE) && grant(k, 2, account, SOURCE));
  for (uint64_t run = 1; run <= 2; run++)
    assert_true(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_commit, run,
                        { .id = SLICE("C"), .head = SLICE("A: b\r\n") }, SLICE("u"), 6, 6,
                        SLICE(DIGEST), 1));
  assert_int_equal(KIT_HEAR(k, collect_committed).outcome, COLLECT_DONE);
  assert_int_equal(KIT_HEAR(k, collect_committed).outcome, COLLECT_THERE);
  assert_int_equal(inbox_count(k, 9, account), 1);
}

static void refusals(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k);
  k->conf->message_size_limit = 100000;
  struct slice big = slice_of(calloc(1, 300000), 300000);
  assert_true(grant(k, 1, account, SOURCE));
  assert_int_equal(keep(k, 1, "big", big), COLLECT_TOO_BIG);
  assert_int_equal(keep(k, 1, "u", SLICE("A: b\r\n\r\n")), COLLECT_DONE); /* the run goes on */
  k->conf->quota = 10; /* it never fits: the messages behind it come */
  assert_int_equal(keep(k, 1, "v", SLICE("A: b\r\n\r\nhello")), COLLECT_TOO_BIG);
  k->conf->quota = 20;
  assert_int_equal(keep(k, 1, "v", SLICE("A: b\r\n\r\nhello")), COLLECT_FULL);
  k->conf->quota = 0;
  k->conf->store_free_space = UINT64_MAX;
  k->now_s++;
  assert_int_equal(keep(k, 1, "v", SLICE("A: b\r\n\r\nhello")), COLLECT_NO_SPACE);
  k->conf->store_free_space = 0;
  assert_int_equal(kit_command(k, "account delete alice@example.org").code, CLI_OK);
  assert_int_equal(keep(k, 1, "v", SLICE("A: b\r\n\r\nhello")), COLLECT_GONE);
  struct answer a = kit_command(k, "check");
  assert_int_equal(a.count, 0);
  struct buf bad;
  kit_list(&bad, "ok bad\tuidl");
  assert_false(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_ask, 1, buf_slice(&bad),
                       SLICE("0123456789ab0123456789ab")));
  buf_free(&bad);
  kit_list(&bad, "u1 u2");
  assert_false(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_ask, 1, buf_slice(&bad),
                       SLICE("0123456789ab")));
  buf_free(&bad);
  assert_false(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_deleted, 1, SLICE("0123456")));
  assert_false(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_commit, 1,
                       { .id = SLICE("C"), .head = SLICE("A: b\r\n") }, SLICE("u"), 6, 6,
                       SLICE("short"), 1));
  assert_false(KIT_SAY(k, ROLE_COLLECTOR, COLLECTOR, collect_commit, 1,
                       { .id = SLICE("C"), .head = SLICE("A: b\r\n") }, SLICE("u"), 6, 6,
                       SLICE(DIGEST), 0));
  free((void *)(uintptr_t)big.p);
}

static bool is_known(struct kit *k, uint64_t run, const char *uidl) {
  uint64_t date;
  assert_int_equal(ask(k, run, uidl, &date, 1), COLLECT_DONE);
  return date != 0;
}

/* A UIDL that is listed no longer is remembered for a month more. Listed again it is fetched again,
 * for it may be another message's by now; the same octets add nothing. */
static void memory_fades(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k), dates[2];
  assert_true(grant(k, 1, account, SOURCE));
  assert_int_equal(keep(k, 1, "u1", SLICE("A: b\r\n\r\n")), COLLECT_DONE);
  assert_int_equal(keep(k, 1, "u2", SLICE("A: c\r\n\r\n")), COLLECT_DONE);
  assert_int_equal(housekeeping(k, 1), COLLECT_DONE); /* new ones count as listed */
  end_run(k, 1);
  for (uint64_t run = 2; run < 5; run++) { /* u2 is away for a while, u1 for good */
    k->now_s += COLLECTED_KEEP_S - 10;
    assert_true(grant(k, run, account, SOURCE));
    if (run == 3) {
      assert_int_equal(ask(k, run, "u2", dates, 1), COLLECT_DONE);
      assert_int_equal(dates[0], 0);
      assert_int_equal(keep(k, run, "u2", SLICE("A: c\r\n\r\n")), COLLECT_THERE);
    }
    assert_int_equal(housekeeping(k, run), COLLECT_DONE);
    end_run(k, run);
  }
  assert_true(grant(k, 9, account, SOURCE));
  assert_int_equal(keep(k, 9, "u1", SLICE("A: b\r\n\r\n")), COLLECT_DONE);
  assert_int_equal(keep(k, 9, "u2", SLICE("A: c\r\n\r\n")), COLLECT_THERE);
  assert_int_equal(inbox_count(k, 99, account), 3);
}

/* RFC 1939 §7: once a message is gone its UIDL may be another's. */
static void a_uidl_that_is_used_again(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k);
  struct slice first = SLICE("A: first\r\n\r\n"), second = SLICE("A: second\r\n\r\n");
  assert_true(grant(k, 1, account, SOURCE) && grant(k, 2, account, SOURCE + 1));
  assert_int_equal(keep_sized(k, 1, "id-1", first.n, 1, first), COLLECT_DONE);
  uint64_t row = last_row;
  assert_int_equal(forget(k, 2, row), COLLECT_DONE); /* another collection's: nothing happens */
  assert_int_equal(keep_sized(k, 1, "id-1", first.n, 1, first), COLLECT_THERE);
  assert_int_equal(last_row, row);
  /* though nobody forgot it */
  assert_int_equal(keep_sized(k, 1, "id-1", second.n, 1, second), COLLECT_DONE);
  assert_int_equal(forget(k, 1, row), COLLECT_DONE);
  assert_int_equal(keep_sized(k, 1, "id-1", first.n, 1, first), COLLECT_DONE);
  assert_int_equal(inbox_count(k, 9, account), 3);
}

static uint64_t date_of(struct kit *k, uint64_t size, uint32_t alike) {
  uint64_t date;
  assert_int_equal(ask_sized(k, 1, "u", size, alike, &date, 1), COLLECT_DONE);
  return date;
}

/* Several messages have one UIDL: each is known by its own size, and copies by their number. */
static void twins(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k), now = (uint64_t)k->now_s;
  struct slice a = SLICE("A: a\r\n\r\n"), b = SLICE("A: bb\r\n\r\n"), c = SLICE("A: c\r\n\r\n");
  assert_true(grant(k, 1, account, SOURCE));
  assert_int_equal(keep_sized(k, 1, "u", a.n, 1, a), COLLECT_DONE);
  assert_int_equal(date_of(k, a.n, 1), now);
  assert_int_equal(date_of(k, b.n, 1), 0);
  assert_int_equal(keep_sized(k, 1, "u", b.n, 1, b), COLLECT_DONE);
  assert_int_equal(date_of(k, b.n, 1), now);
  assert_int_equal(date_of(k, a.n, 2), 0); /* one more of that size: which is which? */
  assert_int_equal(keep_sized(k, 1, "u", a.n, 1, a), COLLECT_THERE);
  assert_int_equal(date_of(k, a.n, 2), 0); /* the run ended before the second */
  assert_int_equal(keep_sized(k, 1, "u", c.n, 2, c), COLLECT_DONE);
  assert_int_equal(date_of(k, a.n, 2), now);
  assert_int_equal(date_of(k, a.n, 3), 0);
  assert_int_equal(keep_sized(k, 1, "u", a.n, 3, a), COLLECT_THERE); /* a copy indeed */
  assert_int_equal(date_of(k, a.n, 3), now);
  assert_int_equal(inbox_count(k, 9, account), 3);
}

static void another_size(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k), now = (uint64_t)k->now_s;
  struct slice a = SLICE("A: a\r\n\r\n");
  assert_true(grant(k, 1, account, SOURCE));
  assert_int_equal(keep_sized(k, 1, "u", 5, 1, a), COLLECT_DONE);
  assert_int_equal(date_of(k, 6, 1), 0);
  assert_int_equal(keep_sized(k, 1, "u", 6, 1, a), COLLECT_THERE);
  assert_int_equal(date_of(k, 6, 1), now);
  assert_int_equal(keep_sized(k, 1, "u", UINT64_MAX, 1, SLICE("B: b\r\n\r\n")), COLLECT_DONE);
  assert_int_equal(date_of(k, UINT64_MAX, 1), 0); /* short: fetched again */
  assert_int_equal(inbox_count(k, 9, account), 2);
}

/* The row of the size that is listed is the one that is found again. */
static void another_size_that_was_missing(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k), date;
  struct slice a = SLICE("A: a\r\n\r\n");
  for (uint64_t run = 1; run <= 4; run++) {
    assert_true(grant(k, run, account, SOURCE));
    uint64_t size = run == 2 ? 9999 : 6;
    if (run == 1) assert_int_equal(keep_sized(k, run, "u", 5, 1, a), COLLECT_DONE);
    assert_int_equal(ask_sized(k, run, "u", size, 1, &date, 1), COLLECT_DONE);
    assert_int_equal(date, run == 4 ? (uint64_t)k->now_s : 0);
    if (run == 1 || run == 3) assert_int_equal(keep_sized(k, run, "u", 6, 1, a), COLLECT_THERE);
    assert_int_equal(housekeeping(k, run), COLLECT_DONE);
    end_run(k, run);
  }
}

/* It came short once, whole with a size that was a lie, and is then listed as it is. */
static void short_then_another_size(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k), now = (uint64_t)k->now_s;
  struct slice cut = SLICE("A: a\r\n\r\n"), whole = SLICE("A: a\r\n\r\nwhole\r\n");
  assert_true(grant(k, 1, account, SOURCE));
  assert_int_equal(keep_sized(k, 1, "u", whole.n, 1, cut), COLLECT_DONE);
  assert_int_equal(keep_sized(k, 1, "u", 9, 1, whole), COLLECT_DONE);
  assert_int_equal(date_of(k, whole.n, 1), 0);
  assert_int_equal(keep_sized(k, 1, "u", whole.n, 1, whole), COLLECT_THERE);
  assert_int_equal(date_of(k, whole.n, 1), now);
  assert_int_equal(inbox_count(k, 9, account), 2);
}

/* Who lists a new size each time gets no row for each. */
static void ever_new_sizes(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k), highest = 0;
  struct slice a = SLICE("A: a\r\n\r\n");
  assert_true(grant(k, 1, account, SOURCE));
  assert_int_equal(keep_sized(k, 1, "u", 0, 1, a), COLLECT_DONE);
  for (unsigned i = 1; i < 10 * SIZES_MAX; i++) {
    assert_int_equal(keep_sized(k, 1, "u", i % a.n, 1, a), COLLECT_THERE);
    assert_int_equal(keep_sized(k, 1, "u", a.n + i, 1, a), COLLECT_THERE);
    if (last_row > highest) highest = last_row;
  }
  assert_in_range(highest, 1, 1 + SIZES_MAX);
  assert_int_equal(inbox_count(k, 9, account), 1);
}

/* One UIDL for ever new messages: the oldest are forgotten. */
static void one_uidl_for_all(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k);
  char text[60];
  assert_true(grant(k, 1, account, SOURCE));
  for (unsigned i = 0; i <= UIDL_ROWS_MAX; i++) {
    snprintf(text, sizeof text, "A: %u\r\n\r\n", i);
    assert_int_equal(keep_sized(k, 1, "u", 1000 + i, 1, slice_str(text)), COLLECT_DONE);
  }
  assert_int_equal(keep_sized(k, 1, "u", 1001, 1, SLICE("A: 1\r\n\r\n")), COLLECT_THERE);
  assert_int_equal(keep_sized(k, 1, "u", 1000, 1, SLICE("A: 0\r\n\r\n")), COLLECT_DONE);
}

/* What came short is fetched again in each run, for some runs; then once a day. Whole, it is
 * another message. */
static void short_ones(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k);
  struct slice cut = SLICE("A: a\r\n\r\n"), whole = SLICE("A: a\r\n\r\nwhole\r\n");
  assert_true(grant(k, 1, account, SOURCE));
  assert_int_equal(keep_sized(k, 1, "u", whole.n, 1, cut), COLLECT_DONE);
  for (int i = 1; i < SHORT_TRIES; i++) {
    assert_int_equal(date_of(k, whole.n, 1), 0);
    assert_int_equal(keep_sized(k, 1, "u", whole.n, 1, cut), COLLECT_THERE);
  }
  assert_true(date_of(k, whole.n, 1) == COLLECT_SHORT);
  k->now_s += SHORT_REST_S;
  assert_int_equal(date_of(k, whole.n, 1), 0);
  assert_int_equal(keep_sized(k, 1, "u", whole.n, 1, whole), COLLECT_DONE);
  assert_int_equal(date_of(k, whole.n, 1), (uint64_t)k->now_s);
  assert_int_equal(inbox_count(k, 9, account), 2);
}

static void a_collection_ends(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k);
  char uidl[16];
  assert_true(grant(k, 1, account, SOURCE) && grant(k, 2, account, SOURCE + 1));
  for (int i = 0; i < FORGOTTEN_MAX + 5; i++) {
    snprintf(uidl, sizeof uidl, "u%d", i);
    assert_int_equal(keep(k, 1, uidl, SLICE("A: b\r\n\r\n")), COLLECT_DONE);
  }
  assert_int_equal(keep(k, 2, "u1", SLICE("A: b\r\n\r\n")), COLLECT_DONE);
  assert_true(KIT_SAY(k, ROLE_AUTH, AUTH, auth_uncollect, 0, account, SOURCE));
  kit_pump(k);
  assert_false(is_known(k, 1, "u1"));
  assert_false(is_known(k, 1, uidl));
  assert_true(is_known(k, 2, "u1"));
}

/* --- a life with deaths --- */

struct plot {
  bool gone[MESSAGES];    /* from the other server */
  bool durable[MESSAGES]; /* acknowledged */
  uint64_t runs;
};

static void collect_one(struct life *l, unsigned n, uint64_t date) {
  char uidl[16];
  snprintf(uidl, sizeof uidl, "u%u", n);
  enum collect_outcome outcome =
      date ? COLLECT_THERE : keep(&l->k, l->plot->runs, uidl, message(n));
  if (outcome != COLLECT_DONE && outcome != COLLECT_THERE) return;
  l->plot->durable[n] = true;
  l->plot->gone[n] = n % 3 != 0; /* every third is left there */
}

/* What is there at most: the first `most` messages; the others have not come yet. */
static void run(struct life *l, unsigned most) {
  char uidls[16 * MESSAGES] = "";
  unsigned numbers[MESSAGES], count = 0;
  uint64_t dates[MESSAGES];
  l->plot->runs++;
  if (!grant(&l->k, l->plot->runs, 1, SOURCE)) return;
  for (unsigned n = 0; n < most; n++) {
    if (l->plot->gone[n]) continue;
    snprintf(uidls + strlen(uidls), 16, "%su%u", count ? " " : "", n);
    numbers[count++] = n;
  }
  bool fine = !count || ask(&l->k, l->plot->runs, uidls, dates, count) == COLLECT_DONE;
  for (unsigned i = 0; fine && i < count && !l->k.broken; i++) collect_one(l, numbers[i], dates[i]);
  if (fine && !l->k.broken) housekeeping(&l->k, l->plot->runs);
  end_run(&l->k, l->plot->runs);
}

static void look(struct life *l, bool all) {
  static struct drop d;
  struct buf whole;
  unsigned seen[MESSAGES] = { 0 }, n = 0;
  uint64_t tag = 5000 + ++l->plot->runs;
  kit_grant(&l->k, POP3D, tag, 1);
  assert_int_equal(kit_drop_open(&l->k, POP3D, tag, &d), POP_DONE);
  buf_init(&whole, WHOLE_MAX + 1000);
  for (uint32_t i = 0; i < d.opened.count; i++) {
    buf_reset(&whole);
    assert_int_equal(kit_read(&l->k, tag, d.uid[i], &whole), POP_DONE);
    assert_int_equal(sscanf((const char *)buf_cstr(&whole), "Subject: %4u", &n), 1);
    assert_true(n < MESSAGES && slice_eq(buf_slice(&whole), message(n)));
    seen[n]++;
  }
  buf_free(&whole);
  kit_quit(&l->k, tag);
  for (n = 0; n < MESSAGES; n++) {
    assert_true(seen[n] <= 1);
    if (all || l->plot->durable[n] || l->plot->gone[n]) assert_int_equal(seen[n], 1);
  }
}

static void live(struct life *l) {
  for (unsigned most = A_RUN; most <= MESSAGES && !l->k.broken; most += A_RUN) {
    run(l, most);
    rest(l);
  }
}

static void settings(struct conf *conf) {}
static void before(struct life *l) { assert_int_equal(alice(&l->k), 1); }

static void judge(struct life *l) {
  look(l, false);
  run(l, MESSAGES);
  look(l, true);
  must_be_sound(&l->k);
}

static void every_operation(enum fault fault, enum ending ending) {
  static const struct story story = {
    sizeof(struct plot), ROLE_COLLECTOR, COLLECTOR, settings, before, live, judge
  };
  every_operation_of(&story, fault, ending);
}

static void power_loss(void **state) { every_operation(DIE, POWER_LOSS); }
static void process_death(void **state) { every_operation(DIE, PROCESS_DEATH); }
static void failing_syncs(void **state) { every_operation(FAIL_SYNC, GOES_ON); }
static void failing_syncs_then_power_loss(void **state) { every_operation(FAIL_SYNC, POWER_LOSS); }
static void failing_writes(void **state) { every_operation(FAIL_WRITE, POWER_LOSS); }
static void full_disk(void **state) { every_operation(FULL, GOES_ON); }

#define KIT_TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    KIT_TEST(nothing_without_grant),
    KIT_TEST(grants_are_of_one_kind),
    KIT_TEST(revoked_or_ended_is_over),
    KIT_TEST(kept_once_and_as_it_was),
    KIT_TEST(two_runs_at_once),
    KIT_TEST(refusals),
    KIT_TEST(memory_fades),
    KIT_TEST(a_uidl_that_is_used_again),
    KIT_TEST(twins),
    KIT_TEST(another_size),
    KIT_TEST(another_size_that_was_missing),
    KIT_TEST(short_then_another_size),
    KIT_TEST(ever_new_sizes),
    KIT_TEST(one_uidl_for_all),
    KIT_TEST(short_ones),
    KIT_TEST(a_collection_ends),
    cmocka_unit_test(power_loss),
    cmocka_unit_test(process_death),
    cmocka_unit_test(failing_syncs),
    cmocka_unit_test(failing_syncs_then_power_loss),
    cmocka_unit_test(failing_writes),
    cmocka_unit_test(full_disk),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
