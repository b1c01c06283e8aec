/* SPDX-License-Identifier: ISC */
/* lib/base: the pieces everything stands on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/bug.h"
#include "lib/base/siphash.h"
#include "lib/base/arena.h"
#include "lib/base/array.h"
#include "lib/base/codec.h"
#include "lib/base/crc32c.h"
#include "lib/base/map.h"
#include "lib/base/num.h"
#include "lib/base/wire.h"

static void slices_split_and_compare(void **state) {
  struct slice s = SLICE("a::b");
  assert_true(slice_eq(slice_split(&s, ':'), SLICE("a")));
  assert_true(slice_eq(slice_split(&s, ':'), SLICE("")));
  assert_true(slice_eq(slice_split(&s, ':'), SLICE("b")));
  assert_null(s.p);
  assert_true(slice_caseeq(SLICE("StArTtLs"), SLICE("STARTTLS")));
  assert_false(slice_caseeq(SLICE("STARTTL"), SLICE("STARTTLS")));
  assert_false(slice_caseeq(SLICE("["), SLICE("{"))); /* letters only */
  assert_true(slice_secret_eq(SLICE(""), SLICE_NONE));
  assert_false(slice_secret_eq(SLICE("abc"), SLICE("abd")));
  assert_int_equal(slice_search(SLICE("xx\r\n.\r\n"), SLICE("\r\n.\r\n")), 2);
  assert_int_equal(slice_search(SLICE("abc"), SLICE("abcd")), -1);
  assert_true(slice_eq(slice_trim(SLICE(" \t x y\t ")), SLICE("x y")));
  assert_int_equal(slice_at(SLICE("a"), 1), -1);
  assert_true(slice_cmp(SLICE("ab"), SLICE("abc")) < 0);
}

static void buffers_keep_their_maximum(void **state) {
  struct buf b;
  buf_init(&b, 10);
  buf_put(&b, SLICE("12345"));
  buf_put(&b, SLICE("678901")); /* eleven: refused whole */
  assert_true(b.failed);
  buf_put(&b, SLICE("x"));
  assert_true(slice_eq(buf_slice(&b), SLICE("12345")));
  buf_reset(&b);
  buf_put(&b, SLICE("1234567890"));
  assert_false(b.failed);
  assert_int_equal(buf_room(&b), 0);
  assert_non_null(buf_reserve(&b, 0)); /* NULL means that there is no room */
  buf_free(&b);
  assert_non_null(buf_reserve(&b, 0));
  assert_int_equal(buf_len(&b), 0);
  buf_free(&b);
}

static void buffers_drop_from_the_front(void **state) {
  struct buf b;
  buf_init(&b, 100000);
  for (int i = 0; i < 2000; i++) {
    buf_put(&b, SLICE("0123456789"));
    buf_drop(&b, 9);
  }
  assert_int_equal(buf_len(&b), 2000);
  buf_drop(&b, 5000);
  assert_int_equal(buf_len(&b), 0);
  buf_release_if_empty(&b);
  assert_null(b.mem);
  buf_put_dec(&b, UINT64_MAX);
  buf_printf(&b, " %s %d", "and", -1);
  assert_string_equal(buf_cstr(&b), "18446744073709551615 and -1");
  buf_truncate(&b, 3);
  assert_true(slice_eq(buf_slice(&b), SLICE("184")));
  buf_wipe(&b);
}

static void buffers_fit_and_know_what_was_written(void **state) {
  static uint8_t chunk[64 * 1024];
  struct buf b;
  buf_init(&b, 160 * 1024);
  buf_put(&b, SLICE("a head"));
  assert_int_equal(b.used, 6);
  buf_put(&b, slice_of(chunk, sizeof chunk));
  assert_int_equal(b.cap, 6 + sizeof chunk); /* not rounded up to twice a chunk */
  buf_put(&b, slice_of(chunk, sizeof chunk));
  assert_true(b.cap <= 160 * 1024); /* nor beyond the maximum */
  buf_truncate(&b, 3);
  buf_drop(&b, 3);
  buf_put(&b, SLICE("x"));
  assert_int_equal(b.used, 6 + 2 * sizeof chunk); /* a wipe goes over what is not shown any more */
  buf_reset(&b);
  buf_put(&b, slice_of(chunk, sizeof chunk));
  for (int i = 0; i < 100; i++) { /* at its maximum it moves, and does not grow */
    buf_put(&b, slice_of(chunk, sizeof chunk));
    buf_drop(&b, sizeof chunk - 1);
    buf_truncate(&b, sizeof chunk);
  }
  assert_false(b.failed);
  assert_true(b.cap <= 160 * 1024 && b.used <= b.cap);
  struct buf small;
  buf_init(&small, 10);
  buf_put(&small, SLICE("gone"));
  buf_move(&small, &b);
  assert_true(small.failed); /* more than it may hold */
  assert_null(b.mem);
  buf_wipe(&small);
  assert_int_equal(small.used, 0);
  buf_put(&b, SLICE("12345"));
  buf_move(&small, &b);
  assert_true(slice_eq(buf_slice(&small), SLICE("12345")) && small.max == 10 &&
              buf_room(&b) == 160 * 1024);
  buf_wipe(&small);
}

static void numbers_are_digits_only(void **state) {
  uint64_t v = 7;
  assert_true(num_parse(SLICE("18446744073709551615"), UINT64_MAX, &v));
  assert_true(v == UINT64_MAX);
  assert_true(num_parse(SLICE("007"), 7, &v));
  assert_int_equal(v, 7);
  const char *bad[] = { "",
                        "18446744073709551616",
                        "99999999999999999999999",
                        "-1",
                        "+5",
                        "5x",
                        " 5",
                        "0x10",
                        "1e3",
                        "\xd9\xa1" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(num_parse(slice_str(bad[i]), UINT64_MAX, &v));
  assert_false(num_parse(SLICE("8"), 7, &v));
  assert_int_equal(v, 7);
}

/* RFC 4648 §10. */
static void base64_vectors(void **state) {
  static const char *const pairs[][2] = { { "", "" },
                                          { "f", "Zg==" },
                                          { "fo", "Zm8=" },
                                          { "foo", "Zm9v" },
                                          { "foob", "Zm9vYg==" },
                                          { "fooba", "Zm9vYmE=" },
                                          { "foobar", "Zm9vYmFy" } };
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    struct buf b;
    buf_init(&b, 100);
    base64_put(&b, slice_str(pairs[i][0]));
    assert_true(slice_eq(buf_slice(&b), slice_str(pairs[i][1])));
    buf_reset(&b);
    assert_true(base64_decode(&b, slice_str(pairs[i][1])));
    assert_true(slice_eq(buf_slice(&b), slice_str(pairs[i][0])));
    buf_free(&b);
  }
  const char *bad[] = { "Z",        "Zg",   "Zg=",  "Zh==",       "Zm9=", "====",
                        "Zg==Zg==", "Z===", "Zm 9", "Zm9v\r\n==", "=m9v", "Zm9v=" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct buf b;
    buf_init(&b, 100);
    assert_false(base64_decode(&b, slice_str(bad[i])));
    buf_free(&b);
  }
}

static void wire_errors_stick(void **state) {
  struct buf b;
  buf_init(&b, 1000);
  wire_put_u16(&b, 0xabcd);
  wire_put_u64(&b, 1);
  wire_put_bool(&b, true);
  wire_put_bytes(&b, SLICE("a\0b"));
  struct wire w = wire_open(buf_slice(&b));
  assert_int_equal(wire_get_u16(&w), 0xabcd);
  assert_int_equal(wire_get_u64(&w), 1);
  assert_true(wire_get_bool(&w));
  assert_true(slice_eq(wire_get_bytes(&w, 3), SLICE("a\0b")));
  assert_true(wire_done(&w));
  /* Cut anywhere, it fails and stays failed. */
  for (size_t n = 0; n < buf_len(&b); n++) {
    w = wire_open(slice_first(buf_slice(&b), n));
    wire_get_u16(&w), wire_get_u64(&w), wire_get_bool(&w), wire_get_bytes(&w, 3);
    assert_false(wire_done(&w));
  }
  w = wire_open(SLICE("\xff\xff\xff\xff"));
  assert_int_equal(wire_get_bytes(&w, SIZE_MAX).n, 0);
  assert_true(w.bad);
  w = wire_open(SLICE("abc"));
  assert_int_equal(wire_get_rest(&w, 3).n, 3);
  assert_true(wire_done(&w));
  w = wire_open(SLICE("abc"));
  assert_int_equal(wire_get_rest(&w, 2).n, 0);
  assert_false(wire_done(&w));
  buf_free(&b);
}

static void arenas_give_until_their_maximum(void **state) {
  struct arena a;
  arena_init(&a, 10000);
  struct slice s = arena_copy(&a, SLICE("hello"));
  assert_string_equal(arena_cstr(&a, s), "hello");
  for (int i = 0; i < 90; i++) assert_non_null(arena_alloc(&a, 100));
  assert_null(arena_alloc(&a, 5000));
  assert_null(arena_alloc(&a, 1)); /* failed stays failed */
  arena_reset(&a);
  assert_non_null(arena_alloc(&a, 10000));
  arena_reset(&a);
}

static void maps_survive_much_coming_and_going(void **state) {
  struct map m;
  map_init(&m);
  for (uint64_t i = 0; i < 20000; i++) {
    assert_true(map_put(&m, i * 4096, i));
    if (i >= 50) map_remove(&m, (i - 50) * 4096);
  }
  assert_int_equal(m.count, 50);
  assert_true(m.cap <= 128);
  for (uint64_t i = 0; i < 20000; i++) assert_int_equal(map_get(&m, i * 4096, NULL), i >= 19950);
  uint64_t key, value, sum = 0;
  for (size_t i = 0; map_each(&m, &i, &key, &value);) sum += value;
  assert_int_equal(sum, 50 * 19950 + 49 * 50 / 2);
  map_free(&m);
  assert_false(map_get(&m, 1, NULL));
}

/* RFC 3720 B.4, and the value that every description of the checksum names. */
static void crc32c_is_that_of_the_standard(void **state) {
  uint8_t b[32];
  assert_int_equal(crc32c(0, SLICE("123456789")), 0xe3069283);
  assert_int_equal(crc32c(0, SLICE_NONE), 0);
  memset(b, 0, sizeof b);
  assert_int_equal(crc32c(0, slice_of(b, 32)), 0x8a9136aa);
  memset(b, 0xff, sizeof b);
  assert_int_equal(crc32c(0, slice_of(b, 32)), 0x62a8ab43);
  for (uint8_t i = 0; i < 32; i++) b[i] = i;
  assert_int_equal(crc32c(0, slice_of(b, 32)), 0x46dd794e);
}

static void crc32c_of_pieces_is_that_of_the_whole(void **state) {
  uint8_t b[200];
  for (size_t i = 0; i < sizeof b; i++) b[i] = (uint8_t)(i * 167 + i / 7);
  for (size_t n = 0; n <= sizeof b; n++) {
    struct slice first = slice_of(b, n), rest = slice_of(b + n, sizeof b - n);
    uint32_t whole = crc32c(0, slice_of(b, sizeof b));
    assert_int_equal(crc32c(crc32c(0, first), rest), whole);
    assert_int_equal(crc32c_join(crc32c(0, first), crc32c(0, rest), rest.n), whole);
    assert_int_equal(crc32c_by_table(0, first), crc32c(0, first));
    assert_int_equal(crc32c_by_table(crc32c_by_table(0, first), rest), whole);
  }
}

/* The reference's vectors of SipHash-128: key 00..0f, message 00, 01, …; however it is cut. */
static void siphash_vectors(void **state) {
  static const uint8_t none[16] = { 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
                                    0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93 };
  static const uint8_t one[16] = { 0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44,
                                   0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45 };
  uint8_t key[16], text[64], got[16], whole[16];
  struct siphash h;
  for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)i;
  memcpy(key, text, sizeof key);
  siphash_start(&h, key);
  siphash_end(&h, got);
  assert_memory_equal(got, none, 16);
  siphash_start(&h, key);
  siphash_put(&h, slice_of(text, 1));
  siphash_end(&h, got);
  assert_memory_equal(got, one, 16);
  for (size_t n = 0; n <= sizeof text; n++) {
    siphash_start(&h, key);
    siphash_put(&h, slice_of(text, n));
    siphash_end(&h, whole);
    for (size_t step = 1; step < 20; step++) {
      siphash_start(&h, key);
      for (struct slice rest = slice_of(text, n); rest.n; rest = slice_from(rest, step))
        siphash_put(&h, slice_first(rest, step));
      siphash_end(&h, got);
      assert_memory_equal(got, whole, 16);
    }
  }
}

/* --- states that cannot be --- */

static void arrays_grow_and_refuse_what_no_memory_holds(void **state) {
  uint64_t *numbers = NULL;
  size_t cap = 0, grown = 0;
  for (size_t i = 0; i < 1000; i++) {
    size_t before = cap;
    assert_true(array_reserve(&numbers, &cap, i + 1, sizeof *numbers));
    grown += cap != before;
    numbers[i] = i;
  }
  for (size_t i = 0; i < 1000; i++) assert_int_equal(numbers[i], i);
  assert_int_equal(cap, 1024);
  assert_int_equal(grown, 7); /* 16, 32, ... 1024 */
  assert_true(array_reserve(&numbers, &cap, 5000, sizeof *numbers));
  assert_int_equal(cap, 5000);
  uint64_t *same = numbers;
  assert_false(array_reserve(&numbers, &cap, SIZE_MAX / 4, sizeof *numbers));
  assert_ptr_equal(numbers, same);
  assert_int_equal(cap, 5000);
  free(numbers);
}

static void a_bug_ends_the_process_with_a_line_about_the_object(void **state) {
  int ends[2], status;
  char text[1024];
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    signal(SIGABRT, SIG_DFL);
    dup2(ends[1], STDERR_FILENO);
    BUG_IF(ends[1] < 0, "not this one");
    BUG_IF(child == 0, "session %d in state %s\n", 17, "\x1b[31mlost");
    _exit(0);
  }
  close(ends[1]);
  ssize_t n = read(ends[0], text, sizeof text - 1);
  close(ends[0]);
  assert_true(n > 0);
  text[n] = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  assert_non_null(strstr(text, "bug: tests/unit/test_base.c:"));
  assert_non_null(strstr(text, ": child == 0: session 17 in state ?[31mlost?\n"));
  assert_null(strstr(text, "not this one"));
}

/* Every octet, alone: RFC 5234's CTL, VCHAR and what is neither. */
static void kinds_of_octets(void **state) {
  for (int c = 0; c < 256; c++) {
    uint8_t octet = (uint8_t)c;
    struct slice one = slice_of(&octet, 1);
    bool control = c <= 0x1f || c == 0x7f, graph = c >= 0x21 && c <= 0x7e;
    assert_true(ascii_is_control(c) == control && slice_has_control(one) == control);
    assert_true(ascii_is_graph(c) == graph && slice_is_graph(one) == graph);
    assert_true(ascii_is_print(c) == (graph || c == ' '));
  }
  assert_false(ascii_is_control(-1) || ascii_is_graph(-1));
  assert_true(slice_is_graph(SLICE_NONE) && !slice_has_control(SLICE_NONE));
  assert_false(slice_is_graph(SLICE("ab c")));
  assert_true(slice_has_control(SLICE("ab\nc")) && !slice_has_control(SLICE("\xc3\xa9")));
}

static void hexadecimal(void **state) {
  struct buf b;
  uint8_t octet = 0xaf;
  buf_init(&b, 100);
  hex_put_upper(&b, octet), hex_put_upper(&b, 0x09), hex_put(&b, slice_of(&octet, 1));
  assert_true(slice_eq(buf_slice(&b), SLICE("AF09af")));
  buf_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(kinds_of_octets),
    cmocka_unit_test(hexadecimal),
    cmocka_unit_test(siphash_vectors),
    cmocka_unit_test(crc32c_is_that_of_the_standard),
    cmocka_unit_test(crc32c_of_pieces_is_that_of_the_whole),
    cmocka_unit_test(slices_split_and_compare),
    cmocka_unit_test(buffers_keep_their_maximum),
    cmocka_unit_test(buffers_drop_from_the_front),
    cmocka_unit_test(buffers_fit_and_know_what_was_written),
    cmocka_unit_test(numbers_are_digits_only),
    cmocka_unit_test(base64_vectors),
    cmocka_unit_test(wire_errors_stick),
    cmocka_unit_test(arenas_give_until_their_maximum),
    cmocka_unit_test(maps_survive_much_coming_and_going),
    cmocka_unit_test(arrays_grow_and_refuse_what_no_memory_holds),
    cmocka_unit_test(a_bug_ends_the_process_with_a_line_about_the_object),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
