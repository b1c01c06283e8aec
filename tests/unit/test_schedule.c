/* SPDX-License-Identifier: ISC */
/* The schedule against what docs/design/queue.md says of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "src/store/owner/schedule.h"

static struct schedule s;

static int setup(void **state) {
  sched_init(&s, 100);
  return 0;
}

static int teardown(void **state) {
  sched_free(&s);
  return 0;
}

static struct slice name(char to[32], int i) {
  snprintf(to, 32, "d%d.example", i);
  return slice_str(to);
}

/* The earliest is first, and a head is offered only while its window has room. */
static void order(void **state) {
  char n[32];
  for (int i = 0; i < 1000; i++) assert_true(sched_due(&s, name(n, i), 1000 + (i * 7919) % 1000));
  uint64_t last = 0;
  for (int i = 0; i < 1000; i++) {
    assert_int_equal(sched_wake(&s), sched_ready(&s, INT64_MAX - 1)->ready.key);
    struct sched_head *h = sched_ready(&s, 5000);
    assert_true(h->ready.key >= last);
    last = h->ready.key;
    assert_int_equal(sched_take(&s, h), SCHED_WINDOW_FIRST);
    sched_taken(&s, h, 0, (struct sched_cursor){ 0, 0 }, SCHED_NEVER);
  }
  assert_null(sched_ready(&s, INT64_MAX - 1));
  assert_int_equal(s.heads, 0); /* nothing waits, nothing is kept */
}

static void windows(void **state) {
  struct slice d = SLICE("d.example");
  sched_due(&s, d, 10);
  struct sched_head *h = sched_ready(&s, 10);
  uint32_t most = sched_take(&s, h);
  assert_null(sched_ready(&s, 10)); /* a take is under way */
  sched_taken(&s, h, most, (struct sched_cursor){ 10, 5 }, 10);
  assert_null(sched_ready(&s, 10)); /* the window is full */
  sched_back(&s, h, SCHED_DELIVERED, 0);
  assert_ptr_equal(sched_ready(&s, 10), h);
  assert_int_equal(h->window, SCHED_WINDOW_FIRST + 1);
  for (int i = 0; i < 500; i++) {
    sched_take(&s, h);
    sched_taken(&s, h, 1, (struct sched_cursor){ 10, 6 }, 10);
    sched_back(&s, h, SCHED_DELIVERED, 0);
  }
  assert_int_equal(h->window, 100);
  sched_take(&s, h);
  sched_taken(&s, h, 1, (struct sched_cursor){ 10, 7 }, 10);
  sched_back(&s, h, SCHED_DEFERRED, 0);
  assert_int_equal(h->window, 50);
}

/* A row that comes back untried lies before the cursor: the next take begins at the beginning, and
 * goes on behind the rows in hands that it meets. */
static void rewinds(void **state) {
  struct slice d = SLICE("d.example");
  sched_due(&s, d, 10);
  struct sched_head *h = sched_ready(&s, 10);
  sched_take(&s, h);
  sched_taken(&s, h, 3, (struct sched_cursor){ 10, 3 }, SCHED_NEVER);
  sched_due(&s, d, 20);
  sched_rewind(&s, h);
  sched_back(&s, h, SCHED_LOST, 0);
  assert_int_equal(h->cursor.row, 0);
  assert_ptr_equal(sched_ready(&s, 20), h);
  sched_take(&s, h);
  sched_taken(&s, h, 0, (struct sched_cursor){ 10, 2 }, 10); /* those were in hands */
  assert_int_equal(h->cursor.row, 2);
  assert_int_equal(h->in_hands, 2);
  /* while a take is under way, which may have passed it */
  sched_take(&s, h);
  sched_due(&s, d, 20);
  sched_rewind(&s, h);
  sched_back(&s, h, SCHED_LOST, 0);
  sched_taken(&s, h, 1, (struct sched_cursor){ 10, 3 }, SCHED_NEVER);
  assert_int_equal(h->cursor.row, 0);
  assert_ptr_equal(sched_ready(&s, 20), h);
}

/* A dead destination is left alone until its time; the others go on. */
static void dead(void **state) {
  sched_due(&s, SLICE("dead.example"), 10);
  sched_due(&s, SLICE("live.example"), 11);
  struct sched_head *h = sched_ready(&s, 10);
  sched_take(&s, h);
  sched_taken(&s, h, 1, (struct sched_cursor){ 10, 1 }, 10);
  sched_due(&s, SLICE("dead.example"), 310);
  sched_back(&s, h, SCHED_UNREACHABLE, 310);
  assert_true(slice_eq(sched_ready(&s, 12)->name, SLICE("live.example")));
  sched_take(&s, sched_ready(&s, 12));
  sched_taken(&s, sched_find(&s, SLICE("live.example")), 0, (struct sched_cursor){ 0, 0 },
              SCHED_NEVER);
  assert_null(sched_ready(&s, 309));
  assert_int_equal(sched_wake(&s), 310);
  h = sched_find(&s, SLICE("dead.example"));
  sched_revive(&s, h);
  assert_ptr_equal(sched_ready(&s, 12), h);
}

/* Rows that became due before the cursor, by a clock set back, are found once nothing is in hands.
 */
static void clock_back(void **state) {
  struct slice d = SLICE("d.example");
  sched_due(&s, d, 100);
  struct sched_head *h = sched_ready(&s, 100);
  sched_take(&s, h);
  sched_taken(&s, h, 1, (struct sched_cursor){ 100, 1 }, SCHED_NEVER);
  sched_due(&s, d, 50);
  h = sched_ready(&s, 60);
  assert_non_null(h);
  sched_take(&s, h);
  sched_taken(&s, h, 0, h->cursor, SCHED_NEVER); /* hidden by the cursor */
  assert_null(sched_ready(&s, 200));
  sched_back(&s, h, SCHED_DELIVERED, 0);
  h = sched_ready(&s, 200);
  assert_non_null(h);
  assert_int_equal(h->cursor.row, 0);
}

/* What becomes due while a take reads is not forgotten, though the take has not seen it. */
static void due_meanwhile(void **state) {
  struct slice d = SLICE("d.example");
  sched_due(&s, d, 10);
  struct sched_head *h = sched_ready(&s, 10);
  sched_take(&s, h);
  sched_due(&s, d, 11);
  /* what was due is held or gone by now */
  sched_taken(&s, h, 0, (struct sched_cursor){ 0, 0 }, SCHED_NEVER);
  assert_ptr_equal(sched_ready(&s, 11), h);
  sched_take(&s, h);
  sched_due(&s, d, 20);
  sched_taken(&s, h, 1, (struct sched_cursor){ 11, 1 }, SCHED_NEVER);
  assert_ptr_equal(sched_ready(&s, 20), h); /* nor does it wait until what is in hands is back */
}

static void delays(void **state) {
  for (uint32_t chance = 0; chance < 5000; chance += 7) {
    uint32_t last = 0;
    uint64_t sum = 0;
    for (int i = 0; i < 12; i++) {
      uint32_t d = sched_delay(last, 300, 14400, chance * 2654435761u);
      assert_in_range(d, 240, 14400 + 2880);
      if (last && last < 7000) assert_true(d > last);
      sum += last = d;
    }
    assert_true(sum > 3600);
  }
  assert_int_equal(sched_delay(0, 1, 1, 12345), 1);
  for (uint32_t chance = 0; chance < 5000; chance += 7) {
    /* another class: at least its first */
    assert_in_range(sched_delay(300, 3600, 14400, chance * 2654435761u), 2880, 4320);
    /* and at most its longest */
    assert_in_range(sched_delay(14400, 300, 900, chance * 2654435761u), 720, 1080);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(order, setup, teardown),
    cmocka_unit_test_setup_teardown(windows, setup, teardown),
    cmocka_unit_test_setup_teardown(rewinds, setup, teardown),
    cmocka_unit_test_setup_teardown(dead, setup, teardown),
    cmocka_unit_test_setup_teardown(clock_back, setup, teardown),
    cmocka_unit_test_setup_teardown(due_meanwhile, setup, teardown),
    cmocka_unit_test_setup_teardown(delays, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
