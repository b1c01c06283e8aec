/* SPDX-License-Identifier: ISC */
/* The two bounded caches of lib/base: whatever they remember is what was put last, they stay within
 * their memory, and what is asked for stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/id_cache.h"
#include "lib/base/recall.h"

enum { KEYS = 4000, ROUNDS = 200000 };

static struct slice key_of(uint32_t n, char text[32]) {
  return slice_of((uint8_t *)text, (size_t)snprintf(text, 32, "user%u@example.org", n));
}

static uint32_t next_random(uint32_t *seed) { return *seed = *seed * 1664525 + 1013904223; }

/* The value: the version, and so many octets behind it as the key says. */
static struct slice value_of(uint32_t key, uint32_t version, uint8_t mem[1024]) {
  size_t n = 4 + key % 700;
  memset(mem, (int)(key ^ version), n);
  memcpy(mem, &version, 4);
  return slice_of(mem, n);
}

static void remembers_what_was_put_last(void **state) {
  static uint32_t versions[KEYS];
  struct recall c;
  uint8_t mem[1024];
  char text[32];
  uint32_t seed = 1, known = 0;
  struct slice got;
  recall_init(&c, 16 * RECALL_ENTRY_MAX);
  memset(versions, 0, sizeof versions);
  for (uint32_t i = 1; i <= ROUNDS; i++) {
    uint32_t key = next_random(&seed) >> 8, what = next_random(&seed) >> 28;
    key %= what & 1 ? KEYS : 50; /* some are asked for often */
    struct slice name = key_of(key, text);
    if (recall_get(&c, name, &got)) {
      assert_int_not_equal(versions[key], 0);
      struct slice want = value_of(key, versions[key], mem);
      assert_true(slice_eq(got, want));
      known++;
    }
    if (what < 6) {
      recall_put(&c, name, value_of(key, i, mem));
      versions[key] = i;
    } else if (what == 6) {
      recall_remove(&c, name);
      versions[key] = 0;
      assert_false(recall_get(&c, name, &got));
    }
  }
  assert_true(known > ROUNDS / 4);
  recall_free(&c);
  assert_false(recall_get(&c, SLICE("user1@example.org"), &got));
}

/* What is asked for in between outlives any number of others. */
static void what_is_asked_for_stays(void **state) {
  struct recall c;
  char text[32];
  struct slice got;
  recall_init(&c, 16 * RECALL_ENTRY_MAX);
  recall_put(&c, SLICE("kept"), SLICE("value"));
  recall_put(&c, SLICE("lost"), SLICE("value"));
  for (uint32_t i = 0; i < 100000; i++) {
    recall_put(&c, key_of(i, text), slice_of((uint8_t[60]){ 1 }, 60));
    if (i % 100 == 0) {
      assert_true(recall_get(&c, SLICE("kept"), &got));
      assert_true(slice_eq(got, SLICE("value")));
    }
  }
  assert_false(recall_get(&c, SLICE("lost"), &got));
  recall_put(&c, SLICE("large"), slice_of((uint8_t[RECALL_ENTRY_MAX]){ 0 }, RECALL_ENTRY_MAX));
  assert_false(recall_get(&c, SLICE("large"), &got));
  recall_free(&c);
}

static void numbers_by_key(void **state) {
  struct id_cache c;
  char text[32];
  uint32_t got, known = 0;
  id_cache_init(&c, 2000);
  assert_false(id_cache_get(&c, SLICE("x"), &got));
  id_cache_remove(&c, SLICE("x"));
  for (uint32_t i = 0; i < 100000; i++) {
    id_cache_put(&c, key_of(i, text), i);
    assert_true(id_cache_get(&c, key_of(i, text), &got));
    assert_int_equal(got, i);
    if (i % 3 == 0) id_cache_remove(&c, key_of(i, text));
  }
  for (uint32_t i = 0; i < 100000; i++)
    if (id_cache_get(&c, key_of(i, text), &got)) {
      assert_int_equal(got, i);
      assert_true(i % 3);
      known++;
    }
  assert_true(known > 1000 && known <= c.buckets * ID_CACHE_WAYS);
  assert_true(c.buckets * ID_CACHE_WAYS < 8000);
  id_cache_put(&c, SLICE("x"), 1);
  id_cache_put(&c, SLICE("x"), 2);
  assert_true(id_cache_get(&c, SLICE("x"), &got) && got == 2);
  id_cache_remove(&c, SLICE("x"));
  assert_false(id_cache_get(&c, SLICE("x"), &got));
  id_cache_free(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(remembers_what_was_put_last),
    cmocka_unit_test(what_is_asked_for_stays),
    cmocka_unit_test(numbers_by_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
