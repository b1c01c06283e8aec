/* SPDX-License-Identifier: ISC */
/* When the mail port is taken for blocked: src/sender/blocked.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "src/sender/blocked.h"

static struct blocked b;

static void fail_at(uint8_t host, int why, uint64_t now_ms) {
  const struct dial_address to = { .n = 4, .octets = { 8, 8, 8, host }, .port = 25 };
  blocked_failed(&b, &to, why, now_ms);
}

static void many(uint8_t hosts, int why, uint64_t from_ms, uint64_t step_ms) {
  for (uint8_t i = 0; i < hosts; i++) fail_at(i, why, from_ms + i * step_ms);
}

static void many_hosts_for_long(void **state) {
  blocked_connected(&b);
  assert_false(blocked_is(&b, 1));
  many(BLOCKED_HOSTS, ETIMEDOUT, 1000, 1000);
  assert_false(blocked_is(&b, 6000)); /* not for long yet */
  fail_at(0, ETIMEDOUT, 1000 + BLOCKED_MS);
  assert_true(blocked_is(&b, 1000 + BLOCKED_MS));
  assert_false(blocked_is(&b, 1000 + BLOCKED_MS + BLOCKED_FORGET_MS)); /* an end */
  blocked_connected(&b);
  assert_false(blocked_is(&b, 1000 + BLOCKED_MS));
}

static void not_blocked(void **state) {
  blocked_connected(&b);
  many(BLOCKED_HOSTS, ECONNREFUSED, 1000, BLOCKED_MS); /* somebody answers */
  assert_false(blocked_is(&b, 10 * BLOCKED_MS));
  /* one dead host */
  for (unsigned i = 0; i < 1000; i++) fail_at(7, ETIMEDOUT, 1000 + i * 60000ull);
  assert_false(blocked_is(&b, 1000 + 1000 * 60000ull));
  blocked_connected(&b);
  many(BLOCKED_HOSTS - 1, ENETUNREACH, 1000, BLOCKED_MS);
  blocked_connected(&b); /* one that worked is enough */
  fail_at(9, ETIMEDOUT, 20 * BLOCKED_MS);
  assert_false(blocked_is(&b, 20 * BLOCKED_MS));
}

/* Failures of a year ago and of today are not one row. */
static void forgotten(void **state) {
  blocked_connected(&b);
  many(BLOCKED_HOSTS - 1, ETIMEDOUT, 1000, 1000);
  uint64_t later = 5000 + BLOCKED_FORGET_MS;
  fail_at(9, ETIMEDOUT, later);
  assert_false(blocked_is(&b, later));
  assert_int_equal(b.count, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = { cmocka_unit_test(many_hosts_for_long),
                                      cmocka_unit_test(not_blocked), cmocka_unit_test(forgotten) };
  return cmocka_run_group_tests_name("blocked", tests, NULL, NULL);
}
