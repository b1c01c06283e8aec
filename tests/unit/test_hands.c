/* SPDX-License-Identifier: ISC */
/* Which rows a take may have (src/store/owner/hands.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/store/owner/hands.h"

static struct hands h;

static int setup(void **state) {
  hands_init(&h);
  return 0;
}

static int teardown(void **state) {
  hands_done(&h);
  return 0;
}

/* Would that take get row `n`, of a letter with that row alone? */
static bool gets(const struct take_job *t, uint64_t n) {
  struct taken_rcpt r = { .row = n };
  struct taken_letter l = { .rcpts = &r, .count = 1 };
  return hands_leave_out(&h, t, &l) && l.count == 1;
}

static void takes(uint64_t n, uint64_t tag) {
  struct taken_rcpt r = { .row = n };
  assert_true(hands_take(&h, &(struct taken_letter){ .rcpts = &r, .count = 1 }, tag));
}

static void frees(uint64_t n, uint64_t tag) {
  struct taken_rcpt r = { .row = n };
  hands_free(&h, &(struct taken_letter){ .rcpts = &r, .count = 1 }, tag);
}

static void in_one_letter(void **state) {
  struct take_job t = { .number = 0 };
  takes(1, 7);
  takes(2, 0);
  hands_take_begins(&h, &t);
  assert_false(gets(&t, 1));
  assert_false(gets(&t, 2));
  assert_true(gets(&t, 3));
  frees(1, 8); /* another letter's: nothing */
  assert_true(hands_has(&h, 1));
  struct taken_rcpt r[] = { { .row = 1 }, { .row = 3 }, { .row = 2 }, { .row = 4 } };
  struct taken_letter l = { .rcpts = r, .count = 4 };
  assert_true(hands_leave_out(&h, &t, &l));
  assert_int_equal(l.count, 2);
  assert_int_equal(l.rcpts[0].row, 3);
  assert_int_equal(l.rcpts[1].row, 4);
}

/* A take that began before a row ended may have read it; one that begins later sees what is. */
static void ended_meanwhile(void **state) {
  struct take_job old = { .number = 0 }, young = { .number = 0 };
  takes(1, 7);
  hands_take_begins(&h, &old);
  frees(1, 7);
  assert_false(hands_has(&h, 1));
  hands_take_begins(&h, &young);
  assert_false(gets(&old, 1));
  assert_true(gets(&young, 1));
  hands_take_ends(&h, &young); /* the old one is still out */
  assert_false(gets(&old, 1));
  hands_take_ends(&h, &old);
  assert_int_equal(h.ended[0].count + h.ended[1].count, 0);
}

/* Takes overlap without end: what is remembered stays in bounds, and is never forgotten too early.
 */
static void without_a_pause(void **state) {
  enum { OUT = 10, ROUNDS = 20000 };
  struct take_job t[OUT] = { { .number = 0 } };
  uint64_t row_of[OUT] = { 0 };
  for (int i = 0; i < ROUNDS; i++) {
    int at = i * 7 % OUT;
    if (t[at].number) {
      assert_false(gets(&t[at], row_of[at]));
      hands_take_ends(&h, &t[at]);
    }
    hands_take_begins(&h, &t[at]);
    row_of[at] = (uint64_t)i + 1;
    takes(row_of[at], 5);
    frees(row_of[at], 5); /* after that take began */
    assert_true(h.ended[0].count + h.ended[1].count <= 3 * OUT);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(in_one_letter, setup, teardown),
    cmocka_unit_test_setup_teardown(ended_meanwhile, setup, teardown),
    cmocka_unit_test_setup_teardown(without_a_pause, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
