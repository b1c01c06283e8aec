/* What fetch remembers: through torn lines, several names for one message, forgetting, and two at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/cli/cli.h"
#include "src/cli/memory.h"

static char folder[] = "/tmp/qasid-memory.XXXXXX", path[128];

static int make_folder(void **state) {
  if (!mkdtemp(folder)) return -1;
  snprintf(path, sizeof path, "%s/state/fetch", folder);
  return 0;
}

static int remove_folder(void **state) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command);
}

static struct memory *open_it(int want) {
  struct buf err;
  int code = CLI_EXIT_OK;
  buf_init(&err, 8192);
  struct memory *m = memory_open(path, SLICE("me@there to here"), &code, &err);
  assert_int_equal(code, want);
  assert_int_equal(m != NULL, want == CLI_EXIT_OK);
  assert_int_equal(buf_len(&err) == 0, m != NULL);
  buf_free(&err);
  return m;
}

static void write_file(const char *text, size_t n) {
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  assert_int_equal(fwrite(text, 1, n, f), n);
  fclose(f);
}

static void file_is(const char *want) {
  char got[4096];
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  size_t n = fread(got, 1, sizeof got - 1, f);
  got[n] = 0;
  fclose(f);
  assert_string_equal(got, want);
}

#define HEAD "qasid-fetch 1 me@there to here\n"

static void remembers(void **state) {
  struct memory *m = open_it(CLI_EXIT_OK);
  memory_add(m, SLICE("abc"), SLICE_NONE, 100);
  memory_add(m, SLICE("def"), SLICE("tmp-name"), 200);
  assert_true(memory_sync(m));
  memory_free(&m);
  file_is(HEAD "100 abc\n200 def tmp-name\n");
  m = open_it(CLI_EXIT_OK);
  assert_int_equal(memory_find(m, SLICE("abc"))->since, 100);
  assert_int_equal(memory_find(m, SLICE("def"))->mark.n, 8);
  assert_null(memory_find(m, SLICE("ab")));
  memory_free(&m);
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 077, 0);
}

/* However much of the last line a death has left, it never was, and the next one is whole. */
static void a_torn_line_never_was(void **state) {
  static const char whole[] = HEAD "100 abc\n200 def\n";
  for (size_t n = 0; n < sizeof whole; n++) {
    write_file(whole, n);
    struct memory *m = open_it(CLI_EXIT_OK);
    assert_int_equal(memory_find(m, SLICE("abc")) != NULL, n >= sizeof HEAD - 1 + 8);
    assert_int_equal(memory_find(m, SLICE("def")) != NULL, n >= sizeof HEAD - 1 + 16);
    assert_null(memory_find(m, SLICE("de")));
    memory_add(m, SLICE("new"), SLICE_NONE, 300);
    assert_true(memory_sync(m));
    memory_free(&m);
    m = open_it(CLI_EXIT_OK);
    assert_non_null(memory_find(m, SLICE("new")));
    memory_free(&m);
  }
}

static void forgets_what_the_server_has_not(void **state) {
  static const char text[] = HEAD "100 abc\n150 gone\n200 def tmp-name\n250 lost other\n270 def\n";
  write_file(text, sizeof text - 1);
  struct memory *m = open_it(CLI_EXIT_OK);
  assert_int_equal(memory_find(m, SLICE("def"))->since, 270); /* the last word counts */
  memory_lose(m, SLICE("lost"));
  assert_null(memory_find(m, SLICE("lost")));
  memory_keep(m, SLICE("abc")), memory_keep(m, SLICE("def")), memory_keep(m, SLICE("lost"));
  memory_add(m, SLICE("new"), SLICE("its-mark"), 300);
  assert_true(memory_sync(m));
  assert_true(memory_forget(m));
  memory_free(&m);
  file_is(HEAD "100 abc\n270 def\n300 new\n");
}

static void of_something_else(void **state) {
  write_file("qasid-fetch 1 other@there to here\n", 34);
  open_it(CLI_EXIT_USAGE);
  write_file("From: a mail\n\nthat somebody named by mistake\n", 45);
  open_it(CLI_EXIT_USAGE);
  file_is("From: a mail\n\nthat somebody named by mistake\n");
  write_file("one line", 8);
  open_it(CLI_EXIT_USAGE);
  file_is("one line");
  write_file(HEAD "1 a", sizeof HEAD - 1 + 3);
  memory_free(&(struct memory *){ open_it(CLI_EXIT_OK) });
  unlink(path);
}

static void one_at_a_time(void **state) {
  struct memory *m = open_it(CLI_EXIT_OK);
  open_it(CLI_EXIT_TEMPORARY);
  memory_free(&m);
  m = open_it(CLI_EXIT_OK);
  memory_free(&m);
}

static void nonsense_is_passed_over(void **state) {
  static const char text[] = HEAD "\nx\n-1 a\n99999999999999999999 b\n1\n2 \n3  c\n4 good\n5 b\x01" "ad\n";
  size_t n;
  write_file(text, sizeof text - 1);
  struct memory *m = open_it(CLI_EXIT_OK);
  assert_non_null(memory_find(m, SLICE("good")));
  memory_all(m, &n);
  assert_int_equal(n, 1);
  memory_free(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(remembers),
    cmocka_unit_test(a_torn_line_never_was),
    cmocka_unit_test(forgets_what_the_server_has_not),
    cmocka_unit_test(of_something_else),
    cmocka_unit_test(one_at_a_time),
    cmocka_unit_test(nonsense_is_passed_over),
  };
  return cmocka_run_group_tests_name("memory", tests, make_folder, remove_folder);
}
