/* SPDX-License-Identifier: ISC */
/* Open files of stored messages: who owns which descriptor, and what a piece is when the file is
 * not what store said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/body/body_files.h"

static int file_of(const char *text) {
  char name[] = "/tmp/test_body_files.XXXXXX";
  int fd = mkstemp(name);
  assert_true(fd >= 0);
  unlink(name);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  return fd;
}

static bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

static void pieces(void **state) {
  uint8_t to[16];
  size_t n;
  struct body_file f = { .fd = file_of("headMESSAGEtail"), .start = 4, .size = 7 };
  assert_int_equal(body_file_read(&f, 0, 4, to, &n), BODY_READ);
  assert_int_equal(n, 4);
  assert_memory_equal(to, "MESS", 4);
  assert_int_equal(body_file_read(&f, 4, sizeof to, to, &n), BODY_READ);
  assert_int_equal(n, 3); /* and nothing of what stands behind it */
  assert_int_equal(body_file_read(&f, 7, sizeof to, to, &n), BODY_READ);
  assert_int_equal(n, 0);
  assert_int_equal(body_file_read(&f, UINT64_MAX, sizeof to, to, &n), BODY_READ);
  assert_int_equal(n, 0);
  f.size = 12;
  assert_int_equal(body_file_read(&f, 0, sizeof to, to, &n), BODY_READ_SHORT);
  close(f.fd);
  assert_int_equal(body_file_read(&f, 0, 1, to, &n), BODY_READ_TROUBLE);
}

/* What is in front of the file's octets, across its end; the one who gave it may forget it. */
static void heads(void **state) {
  uint8_t to[16];
  size_t n;
  struct body_files b = { 0 };
  char head[] = "HEAD";
  struct body_file *f = body_files_keep(
      &b,
      &(struct body_file){
          .id = 1, .fd = file_of("xMESSAGE"), .head = slice_str(head), .start = 1, .size = 11 });
  memset(head, 'x', sizeof head - 1);
  static const struct {
    uint64_t at;
    size_t most;
    const char *want;
  } rows[] = { { 0, 16, "HEADMESSAGE" }, { 0, 2, "HE" },  { 2, 2, "AD" }, { 3, 2, "DM" },
               { 4, 16, "MESSAGE" },     { 10, 16, "E" }, { 11, 16, "" } };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_int_equal(body_file_read(f, rows[i].at, rows[i].most, to, &n), BODY_READ);
    assert_int_equal(n, strlen(rows[i].want));
    assert_memory_equal(to, rows[i].want, n);
  }
  f->size = 12;
  assert_int_equal(body_file_read(f, 0, sizeof to, to, &n), BODY_READ_SHORT);
  body_files_close_all(&b);
}

static void owners(void **state) {
  struct body_files b = { 0 };
  int fds[BODY_FILES_MAX + 1];
  for (uint32_t i = 0; i <= BODY_FILES_MAX; i++) {
    fds[i] = file_of("x");
    struct body_file *kept = body_files_keep(&b, &(struct body_file){ .id = i + 1, .fd = fds[i] });
    assert_int_equal(kept->fd, fds[i]);
  }
  assert_int_equal(b.count, BODY_FILES_MAX); /* one gave its place */
  size_t open = 0;
  for (size_t i = 0; i <= BODY_FILES_MAX; i++) open += is_open(fds[i]);
  assert_int_equal(open, BODY_FILES_MAX);

  int again = file_of("y");
  int former = body_files_find(&b, 5)->fd;
  body_files_keep(&b, &(struct body_file){ .id = 5, .fd = again });
  assert_false(is_open(former));
  assert_int_equal(body_files_find(&b, 5)->fd, again);

  body_files_close_below(&b, 6);
  assert_null(body_files_find(&b, 5));
  assert_non_null(body_files_find(&b, 6));
  body_files_close_all(&b);
  assert_false(is_open(again));
  for (size_t i = 0; i <= BODY_FILES_MAX; i++) assert_false(is_open(fds[i]));
}

int main(void) {
  const struct CMUnitTest tests[] = { cmocka_unit_test(pieces), cmocka_unit_test(heads),
                                      cmocka_unit_test(owners) };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
