/* SPDX-License-Identifier: ISC */
/* What fetch remembers: through torn lines, several names for one message, forgetting, and two at
 * once. */
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

#include "src/cli/base/cli.h"
#include "src/cli/client/memory.h"

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
  struct memory *m = memory_open(path, SLICE("pop3s://me@there:995 to here"),
                                 SLICE("me@there to here"), &code, &err);
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

#define HEAD "qasid-fetch 2 pop3s://me@there:995 to here\n"
#define OLD_HEAD "qasid-fetch 1 me@there to here\n"
/* The proof of a message of five octets whose digest is 32 times this octet. */
#define D16(o) o o o o o o o o o o o o o o o o
#define PROOF(o) " 5 5 " D16(o) D16(o)

static struct memory_entry entry(const char *uidl, const char *mark, int64_t since,
                                 uint8_t digest) {
  struct memory_entry e = {
    .uidl = slice_str(uidl), .mark = slice_str(mark), .since = since, .size = 5, .octets = 5
  };
  memset(e.digest, digest, sizeof e.digest);
  return e;
}

static void note(struct memory *m, const char *uidl, const char *mark, int64_t since,
                 uint8_t digest) {
  struct memory_entry e = entry(uidl, mark, since, digest);
  assert_int_not_equal(memory_add(m, &e), 0);
}

/* When it came; -1: it is not known. */
static int64_t since(const struct memory *m, const char *uidl) {
  int64_t at;
  return memory_knows(m, slice_str(uidl), 5, 1, &at) ? at : -1;
}

static size_t same(const struct memory *m, const char *uidl, uint8_t digest, bool twin) {
  struct memory_entry e = entry(uidl, NULL, 0, digest);
  return memory_same(m, e.uidl, e.digest, twin);
}

static void remembers(void **state) {
  struct memory *m = open_it(CLI_EXIT_OK);
  note(m, "abc", NULL, 100, 0xaa);
  note(m, "def", "tmp-name", 200, 0xbb);
  assert_true(memory_sync(m));
  memory_free(&m);
  file_is(HEAD "100 abc" PROOF("aa") "\n200 def" PROOF("bb") " tmp-name\n");
  m = open_it(CLI_EXIT_OK);
  size_t n = 0;
  assert_int_equal(since(m, "abc"), 100);
  assert_int_equal(memory_all(m, &n)[1].mark.n, 8);
  assert_int_equal(since(m, "ab"), -1);
  memory_free(&m);
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 077, 0);
}

/* However much of the last line a death has left, it never was, and the next one is whole. */
static void a_torn_line_never_was(void **state) {
  static const char whole[] = HEAD "100 abc" PROOF("aa") "\n200 def" PROOF("bb") "\n";
  size_t line = (sizeof whole - sizeof HEAD) / 2;
  for (size_t n = 0; n < sizeof whole; n++) {
    write_file(whole, n);
    struct memory *m = open_it(CLI_EXIT_OK);
    assert_int_equal(since(m, "abc") >= 0, n >= sizeof HEAD - 1 + line);
    assert_int_equal(since(m, "def") >= 0, n >= sizeof HEAD - 1 + 2 * line);
    assert_int_equal(since(m, "de"), -1);
    note(m, "new", NULL, 300, 0xcc);
    assert_true(memory_sync(m));
    memory_free(&m);
    m = open_it(CLI_EXIT_OK);
    assert_int_equal(since(m, "new"), 300);
    memory_free(&m);
  }
}

static void forgets_what_the_server_has_not(void **state) {
  static const char text[] = HEAD "100 abc" PROOF("aa") "\n150 gone" PROOF("aa") "\n200 def" PROOF(
      "bb") " tmp-name\n"
            "250 lost" PROOF("cc") " other\n270 def" PROOF("bb") "\ntls 7\n";
  write_file(text, sizeof text - 1);
  struct memory *m = open_it(CLI_EXIT_OK);
  assert_int_equal(since(m, "def"), 270); /* the last line counts */
  memory_lose(m, same(m, "lost", 0xcc, false));
  assert_int_equal(since(m, "lost"), -1);
  memory_keep(m, SLICE("abc"), 5), memory_keep(m, SLICE("def"), 5),
      memory_keep(m, SLICE("lost"), 5);
  memory_keep(m, SLICE("gone"), 6); /* of another size now: another message */
  note(m, "new", "its-mark", 300, 0xdd);
  assert_true(memory_sync(m));
  assert_true(memory_forget(m));
  memory_free(&m);
  file_is(HEAD "tls 7\n100 abc" PROOF("aa") "\n270 def" PROOF("bb") "\n300 new" PROOF("dd") "\n");
}

/* What was fetched and deleted in one run: its UIDL may be another's at once. */
static void deleted_at_once(void **state) {
  unlink(path);
  struct memory *m = open_it(CLI_EXIT_OK);
  struct memory_entry e = entry("abc", NULL, 100, 0xaa);
  memory_lose(m, memory_add(m, &e));
  note(m, "stays", NULL, 100, 0xaa);
  assert_true(memory_sync(m));
  assert_int_equal(same(m, "abc", 0xaa, true), 0);
  assert_true(memory_forget(m));
  memory_free(&m);
  file_is(HEAD "100 stays" PROOF("aa") "\n");
}

/* Several messages under one UIDL, some of one size. */
static void twins(void **state) {
  int64_t at;
  write_file(HEAD, sizeof HEAD - 1);
  struct memory *m = open_it(CLI_EXIT_OK);
  note(m, "u", NULL, 100, 0xaa), note(m, "u", NULL, 110, 0xbb);
  assert_int_not_equal(same(m, "u", 0xaa, true), 0);
  assert_int_equal(same(m, "u", 0xcc, true), 0);
  assert_int_equal(memory_count(m, SLICE("u"), 5, true), 2);
  assert_int_equal(memory_at(m, same(m, "u", 0xbb, true))->since, 110);
  assert_true(memory_sync(m));
  memory_free(&m);
  m = open_it(CLI_EXIT_OK);
  assert_true(memory_knows(m, SLICE("u"), 5, 2, &at));
  assert_int_equal(at, 110);
  assert_false(memory_knows(m, SLICE("u"), 5, 3, &at));
  assert_false(memory_knows(m, SLICE("u"), 6, 1, &at));
  assert_int_not_equal(same(m, "u", 0xaa, false), 0);
  memory_free(&m);
}

/* What came short is not known, so it is fetched again. */
static void short_ones(void **state) {
  int64_t at;
  write_file(HEAD, sizeof HEAD - 1);
  struct memory *m = open_it(CLI_EXIT_OK);
  struct memory_entry e = entry("u", NULL, 100, 0xaa);
  e.size = 5000;
  memory_add(m, &e);
  assert_true(memory_sync(m));
  memory_free(&m);
  m = open_it(CLI_EXIT_OK);
  assert_false(memory_knows(m, SLICE("u"), 5000, 1, &at));
  assert_int_not_equal(same(m, "u", 0xaa, false), 0);
  memory_free(&m);
}

/* A file of version 1 lists known UIDLs, but cannot show that a message is the same. */
static void the_first_version(void **state) {
  int64_t at;
  static const char text[] = OLD_HEAD "100 abc\n200 def tmp-name\n300 def\n";
  write_file(text, sizeof text - 1);
  struct memory *m = open_it(CLI_EXIT_OK);
  file_is(HEAD "100 abc - - -\n300 def - - -\n");
  assert_true(memory_knows(m, SLICE("abc"), 77, 2, &at));
  assert_int_equal(at, 100);
  assert_int_equal(same(m, "abc", 0, true), 0);
  open_it(CLI_EXIT_TEMPORARY); /* still locked */
  note(m, "new", NULL, 400, 0xaa);
  assert_true(memory_sync(m));
  memory_keep(m, SLICE("abc"), 77);
  assert_true(memory_forget(m));
  memory_free(&m);
  file_is(HEAD "100 abc - - -\n400 new" PROOF("aa") "\n");
}

static void tls_is_remembered(void **state) {
  write_file(HEAD, sizeof HEAD - 1);
  struct memory *m = open_it(CLI_EXIT_OK);
  assert_false(memory_had_tls(m));
  assert_true(memory_note_tls(m, 700));
  assert_true(memory_note_tls(m, 800));
  memory_free(&m);
  m = open_it(CLI_EXIT_OK);
  assert_true(memory_had_tls(m));
  memory_free(&m);
  file_is(HEAD "tls 700\n");
}

static void of_something_else(void **state) {
  write_file("qasid-fetch 1 other@there to here\n", 34);
  open_it(CLI_EXIT_USAGE);
  /* another server behind the same name */
  write_file("qasid-fetch 2 pop3s://me@there:996 to here\n", 43);
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
  static const char text[] = HEAD "\nx\n-1 a\n99999999999999999999 b\n1\n2 \n3  c\n3 bad\n3 bad 5 "
                                  "5\n3 bad 5 5 aa\n3 bad x 5" PROOF("aa") "\n3 bad 5 5 " D16("zz")
                                      D16("zz") "\ntls x\n4 good" PROOF("aa") "\n5 b\x01"
                                                                              "ad" PROOF("aa") "\n";
  size_t n;
  write_file(text, sizeof text - 1);
  struct memory *m = open_it(CLI_EXIT_OK);
  assert_int_equal(since(m, "good"), 4);
  assert_false(memory_had_tls(m));
  memory_all(m, &n);
  assert_int_equal(n, 1);
  memory_free(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(remembers),
    cmocka_unit_test(a_torn_line_never_was),
    cmocka_unit_test(forgets_what_the_server_has_not),
    cmocka_unit_test(deleted_at_once),
    cmocka_unit_test(twins),
    cmocka_unit_test(short_ones),
    cmocka_unit_test(the_first_version),
    cmocka_unit_test(tls_is_remembered),
    cmocka_unit_test(of_something_else),
    cmocka_unit_test(one_at_a_time),
    cmocka_unit_test(nonsense_is_passed_over),
  };
  return cmocka_run_group_tests_name("memory", tests, make_folder, remove_folder);
}
