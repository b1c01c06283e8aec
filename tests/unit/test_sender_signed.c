/* SPDX-License-Identifier: ISC */
/* Signatures that are used again: src/sender/signed.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "src/sender/signed.h"

static struct signed_cache cache;

static const uint8_t *key_of(unsigned n) {
  static uint8_t key[DKIM_HASH];
  memset(key, 7, sizeof key);
  key[DKIM_HASH - 1] = (uint8_t)n;
  key[0] = (uint8_t)(n >> 8);
  return key;
}

static bool has(unsigned n, const char *text, uint64_t now_ms) {
  return slice_eq(signed_find(&cache, key_of(n), now_ms), slice_str(text));
}

/* The very question, for a minute. */
static void found(void **state) {
  assert_true(has(1, "", 0));
  signed_keep(&cache, key_of(1), SLICE("one"), 1000);
  signed_keep(&cache, key_of(2), SLICE("two"), 1000);
  assert_true(has(1, "one", 1000) && has(2, "two", 1000) && has(257, "", 1000));
  assert_true(has(1, "one", 1000 + SIGNED_MS - 1));
  assert_true(has(1, "", 1000 + SIGNED_MS));
  signed_free(&cache);
  assert_true(has(1, "", 1000));
}

/* It has an end: the oldest goes. */
static void bounded(void **state) {
  for (unsigned n = 0; n < SIGNED_KEPT + 1; n++) signed_keep(&cache, key_of(n), SLICE("x"), 0);
  assert_true(has(0, "", 0) && has(1, "x", 0) && has(SIGNED_KEPT, "x", 0));
  signed_keep(&cache, key_of(1000), SLICE(""), 0); /* nothing to be kept takes no place */
  assert_true(has(1, "x", 0));
  signed_free(&cache);
}

int main(void) {
  const struct CMUnitTest tests[] = { cmocka_unit_test(found), cmocka_unit_test(bounded) };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
