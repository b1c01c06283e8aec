/* SPDX-License-Identifier: ISC */
/* ustar headers: written as tar(1) reads them, read with care. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/tar/tar.h"

static void round_trip(const char *path, uint64_t size, bool folder) {
  struct tar_entry e = { .mode = 0600, .size = size, .mtime = 1795723629, .folder = folder }, got;
  struct buf out;
  snprintf(e.path, sizeof e.path, "%s", path);
  buf_init(&out, TAR_BLOCK);
  assert_true(tar_put_header(&out, &e));
  assert_int_equal(buf_len(&out), TAR_BLOCK);
  assert_int_equal(tar_read_header(buf_slice(&out).p, &got), TAR_ENTRY);
  assert_string_equal(got.path, path);
  assert_int_equal(got.size, folder ? 0 : size);
  assert_int_equal(got.mtime, e.mtime);
  assert_int_equal(got.mode, 0600);
  assert_int_equal(got.folder, folder);
  buf_free(&out);
}

static void there_and_back(void **state) {
  char deep[TAR_PATH_MAX + 1];
  round_trip("store/database.sqlite", 12345, false);
  round_trip("a", 0, false);
  round_trip("bodies/ff", 0, true);
  round_trip("x", TAR_SIZE_MAX, false);
  round_trip("x", TAR_SIZE_MAX + 1, false);
  round_trip("x", INT64_MAX, false);
  snprintf(deep, sizeof deep, "%0150d/%0100d", 1, 2);
  round_trip(deep, 1, false);
}

static void paths_that_do_not_fit(void **state) {
  struct tar_entry e = { .mode = 0600 };
  struct buf out;
  buf_init(&out, TAR_BLOCK);
  assert_false(tar_put_header(&out, &e));
  snprintf(e.path, sizeof e.path, "%0101d", 1);
  assert_false(tar_put_header(&out, &e));
  snprintf(e.path, sizeof e.path, "%0120d/%0101d", 1, 2);
  assert_false(tar_put_header(&out, &e));
  assert_int_equal(buf_len(&out), 0);
  buf_free(&out);
}

/* A header whose path was changed by hand, its sum made right again. */
static enum tar_read with_path(const char *path, uint8_t type) {
  struct tar_entry e = { .path = "file", .mode = 0600 }, got;
  struct buf out;
  uint8_t block[TAR_BLOCK];
  buf_init(&out, TAR_BLOCK);
  tar_put_header(&out, &e);
  memcpy(block, buf_slice(&out).p, TAR_BLOCK);
  buf_free(&out);
  memset(block, 0, 100);
  memcpy(block, path, strlen(path));
  block[156] = type;
  unsigned sum = 0;
  char text[8];
  memset(block + 148, ' ', 8);
  for (size_t i = 0; i < TAR_BLOCK; i++) sum += block[i];
  snprintf(text, sizeof text, "%06o", sum);
  memcpy(block + 148, text, 7);
  return tar_read_header(block, &got);
}

static void hostile_headers(void **state) {
  static const char *const paths[] = { "/etc/passwd", "../x", "a/../x", "a/..",  "..",  ".",
                                       "a//b",        "./a",  "",       "a/./b", "a\\b" };
  struct tar_entry got;
  uint8_t block[TAR_BLOCK] = { 0 };
  assert_int_equal(tar_read_header(block, &got), TAR_END);
  assert_int_equal(with_path("fine/file", '0'), TAR_ENTRY);
  assert_int_equal(with_path("folder/", '5'), TAR_ENTRY);
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
    assert_int_equal(with_path(paths[i], '0'), TAR_BAD);
  for (const char *type = "12346xgLKS"; *type; type++)
    assert_int_equal(with_path("link", (uint8_t)*type), TAR_BAD);
  block[0] = 'x';
  assert_int_equal(tar_read_header(block, &got), TAR_BAD);
}

/* No single changed octet goes unnoticed. */
static void sums_are_checked(void **state) {
  struct tar_entry e = { .path = "store/database.sqlite", .mode = 0600, .size = 4711 }, got;
  struct buf out;
  uint8_t block[TAR_BLOCK];
  buf_init(&out, TAR_BLOCK);
  assert_true(tar_put_header(&out, &e));
  for (size_t i = 0; i < 345; i++) {
    if (i == 155) continue; /* the space behind the sum */
    memcpy(block, buf_slice(&out).p, TAR_BLOCK);
    block[i] ^= 0x55;
    assert_int_equal(tar_read_header(block, &got), TAR_BAD);
  }
  buf_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(there_and_back),
    cmocka_unit_test(paths_that_do_not_fit),
    cmocka_unit_test(hostile_headers),
    cmocka_unit_test(sums_are_checked),
  };
  return cmocka_run_group_tests_name("tar", tests, NULL, NULL);
}
