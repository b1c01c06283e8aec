/* SPDX-License-Identifier: ISC */
/* Whose input ends front-ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/parent/offender.h"

enum { TIME = 60000 };

static struct front_note v4(unsigned n) {
  return (struct front_note){ 4, { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n } };
}

/* A process dies at `now_ms` while it serves client `now` (0: none); `recent`: the clients before,
 * up to a 0. */
static const struct offender *death(struct offenders *o, uint64_t now_ms, unsigned now,
                                    const unsigned *recent) {
  struct front_notes n = { .now = { 0 } };
  if (now) n.now = v4(now);
  for (size_t i = 0; recent && recent[i] && i < FRONT_NOTES_RECENT; i++)
    n.recent[i] = v4(recent[i]);
  return find_offender(o, &n, now_ms, TIME);
}

static struct offenders *none(void) {
  struct offenders *o = calloc(1, sizeof *o);
  assert_non_null(o);
  return o;
}

static void twice_caught(void **state) {
  struct offenders *o = none();
  assert_null(death(o, 1000, 1, NULL));
  assert_null(death(o, 2000, 2, NULL)); /* another's */
  const struct offender *found = death(o, 3000, 1, NULL);
  assert_non_null(found);
  assert_int_equal(found->who.address[3], 1);
  assert_int_equal(found->until_ms, 3000 + TIME);
  assert_null(death(o, 4000, 1, NULL)); /* it is refused already: a connection that was open */
  /* Its time is over, and it begins anew. */
  assert_null(death(o, 3000 + TIME, 1, NULL));
  assert_non_null(death(o, 3001 + TIME, 1, NULL));
  free(o);
}

static void long_ago(void **state) {
  struct offenders *o = none();
  assert_null(death(o, 1000, 1, NULL));
  assert_null(death(o, 1001 + OFFENDER_FORGET_MS, 2, NULL));
  assert_null(death(o, 1002 + OFFENDER_FORGET_MS, 1, NULL));
  free(o);
}

static void an_ipv6_network_is_one(void **state) {
  struct offenders *o = none();
  struct front_notes n = { .now = { 16, { 0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5 } } };
  assert_null(find_offender(o, &n, 1000, TIME));
  n.now.address[8] = 77;
  const struct offender *found = find_offender(o, &n, 2000, TIME);
  assert_non_null(found);
  assert_int_equal(found->who.address[7], 4);
  assert_int_equal(found->who.address[8], 0);
  free(o);
}

/* What damages memory kills in another's turn. */
static void alone_in_each_death(void **state) {
  struct offenders *o = none();
  const unsigned first[] = { 1, 2, 9, 0 }, second[] = { 9, 3, 2, 0 }, third[] = { 4, 9, 0 },
                 fourth[] = { 5, 9, 9, 0 };
  assert_null(death(o, 1, 0, first));
  assert_null(death(o, 2, 3, second));
  assert_null(death(o, 3, 0, third));
  const struct offender *found = death(o, 4, 5, fourth);
  assert_non_null(found);
  assert_int_equal(found->who.address[3], 9);
  free(o);
}

static void no_innocents(void **state) {
  struct offenders *o = none();
  /* The only client was present each time, which proves nothing. */
  const unsigned only[] = { 9, 0 }, both[] = { 1, 2, 9, 8, 0 }, others[] = { 3, 4, 8, 9, 0 };
  for (uint64_t t = 1; t < 20; t++) assert_null(death(o, t, 0, only));
  free(o);
  o = none();
  /* 8 and 9: which? */
  for (uint64_t t = 1; t < 20; t++) assert_null(death(o, t, 0, t % 2 ? both : others));
  /* Nonsense in the notes names nobody. */
  struct front_notes n;
  memset(&n, 0xff, sizeof n);
  for (uint64_t t = 20; t < 40; t++) assert_null(find_offender(o, &n, t, TIME));
  free(o);
  o = none();
  n = (struct front_notes){ .now = v4(1) };
  for (uint64_t t = 1; t < 9; t++) assert_null(find_offender(o, &n, t, 0)); /* offender_time = 0 */
  free(o);
}

/* The table filled with suspects again and again: each crash names others. */
static void fill(struct offenders *o, uint64_t t, unsigned crashes) {
  unsigned recent[FRONT_NOTES_RECENT + 1] = { 0 };
  for (unsigned k = 0; k < crashes; k++) {
    for (unsigned i = 0; i < FRONT_NOTES_RECENT; i++)
      recent[i] = 1000 + (k + 1) * FRONT_NOTES_RECENT + i;
    assert_null(death(o, t + k, 100000 + k, recent));
  }
}

static size_t count_refused(const struct offenders *o) {
  size_t n = 0;
  for (size_t i = 0; i < OFFENDERS_MAX; i++) n += o->rows[i].until_ms != 0;
  return n;
}

/* More addresses than there are rows: the latest are known, and who is refused is so until its time
 * is over. */
static void bounded(void **state) {
  struct offenders *o = none();
  const unsigned crashes = 2 * OFFENDERS_MAX / FRONT_NOTES_RECENT + 2;
  assert_null(death(o, 1, 7, NULL));
  assert_non_null(death(o, 2, 7, NULL));
  fill(o, 3, crashes);
  size_t rows = 0;
  for (size_t i = 0; i < OFFENDERS_MAX; i++) rows += o->rows[i].who.n != 0;
  assert_int_equal(rows, OFFENDERS_MAX); /* the bound was reached */
  assert_int_equal(count_refused(o), 1);
  assert_null(death(o, 300, 7, NULL)); /* it is refused already */
  assert_non_null(death(o, 301, 100000 + crashes - 1, NULL));
  assert_int_equal(count_refused(o), 2);
  free(o);
}

/* More offenders than there are rows for them: there is always room for suspects. */
static void bounded_refused(void **state) {
  struct offenders *o = none();
  const unsigned most = OFFENDERS_MAX - OFFENDERS_SUSPECTED;
  for (unsigned n = 1; n <= most + 10; n++) {
    assert_null(death(o, 2 * n, n, NULL));
    assert_non_null(death(o, 2 * n + 1, n, NULL));
    assert_int_equal(count_refused(o), n < most ? n : most);
  }
  fill(o, 2 * most + 100, OFFENDERS_MAX);
  assert_int_equal(count_refused(o), most);
  assert_null(death(o, 30000, most + 10, NULL)); /* the latest are refused still */
  assert_int_equal(count_refused(o), most);
  assert_null(death(o, 30001, 1, NULL)); /* the first made room */
  assert_non_null(death(o, 30002, 1, NULL));
  free(o);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(twice_caught),           cmocka_unit_test(long_ago),
    cmocka_unit_test(an_ipv6_network_is_one), cmocka_unit_test(alone_in_each_death),
    cmocka_unit_test(no_innocents),           cmocka_unit_test(bounded),
    cmocka_unit_test(bounded_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
