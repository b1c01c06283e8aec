/* mbox files (mboxrd): cut apart, quoted, unquoted, and both ways through wire form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/cli/mbox.h"

static void to_wire(struct slice raw, bool unquote, struct buf *out) {
  struct to_wire w = to_wire_open(raw, unquote);
  while (to_wire_next(&w, out, 7)) {
  }
  assert_int_equal(buf_len(out), to_wire_size(raw, unquote));
}

/* In pieces of every size, the result is the same. */
static void from_wire_is(const char *wire, bool quote, const char *wanted) {
  for (size_t step = 1; step < strlen(wire) + 2; step++) {
    struct buf out;
    buf_init(&out, 4096);
    struct from_wire w = from_wire_open(quote);
    for (struct slice s = slice_str(wire); s.n; s = slice_from(s, step))
      from_wire_put(&w, slice_first(s, step), &out);
    from_wire_end(&w, &out);
    assert_string_equal(buf_cstr(&out), wanted);
    buf_free(&out);
  }
}

static void to_wire_is(const char *raw, bool unquote, const char *wanted) {
  struct buf out;
  buf_init(&out, 4096);
  to_wire(slice_str(raw), unquote, &out);
  assert_string_equal(buf_len(&out) ? buf_cstr(&out) : "", wanted);
  buf_free(&out);
}

static void cuts_messages(void **state) {
  static const char box[] = "From a@example.org Thu Nov 26 20:07:09 2026\n"
                            "Subject: one\n\nhello\n>From me\nFrom here on, no blank line before\n\n"
                            "From MAILER-DAEMON nonsense\n\nbody\n\n\n"
                            "From x Sat Jan  2 03:04:05 1971\n\n"
                            "From y Sat Jan  2 03:04:05 1971\nlast: line";
  struct slice rest = slice_str(box);
  struct mbox_message m;
  assert_true(mbox_next(&rest, &m));
  assert_int_equal(m.date, 1795723629);
  assert_true(
      slice_eq(m.raw, SLICE("Subject: one\n\nhello\n>From me\nFrom here on, no blank line before\n")));
  assert_true(mbox_next(&rest, &m));
  assert_int_equal(m.date, 0);
  assert_true(slice_eq(m.raw, SLICE("\nbody\n\n")));
  assert_true(mbox_next(&rest, &m));
  assert_int_equal(m.raw.n, 0);
  assert_true(mbox_next(&rest, &m));
  assert_true(slice_eq(m.raw, SLICE("last: line")));
  assert_false(mbox_next(&rest, &m));
  assert_int_equal(rest.n, 0);
}

static void not_an_mbox(void **state) {
  struct mbox_message m;
  struct slice rest = SLICE("Subject: no\n\nFrom a b\n");
  assert_false(mbox_next(&rest, &m));
  assert_true(rest.n > 0);
  rest = SLICE("");
  assert_false(mbox_next(&rest, &m));
  rest = SLICE("\n\n\n");
  assert_false(mbox_next(&rest, &m));
  assert_int_equal(rest.n, 0);
}

static void into_wire_form(void **state) {
  to_wire_is("a\nb\r\nc\rd\n\n", false, "a\r\nb\r\nc\r\nd\r\n\r\n");
  to_wire_is("no end", false, "no end\r\n");
  to_wire_is("", false, "");
  to_wire_is("\r\r\n", false, "\r\n\r\n");
  to_wire_is(">From a\n>>From b\nFrom c\n>Fro\n> From\n", true,
             "From a\r\n>From b\r\nFrom c\r\n>Fro\r\n> From\r\n");
  to_wire_is(">From a\n", false, ">From a\r\n");
}

static void out_of_wire_form(void **state) {
  from_wire_is("a\r\nb\r\n", false, "a\nb\n");
  from_wire_is("From a\r\n>From b\r\n>>From c\r\nFrom\r\nFro", true,
               ">From a\n>>From b\n>>>From c\nFrom\nFro");
  from_wire_is("From a\r\n", false, "From a\n");
  from_wire_is("x From a\r\n From b\r\n>>x\r\n", true, "x From a\n From b\n>>x\n");
  from_wire_is("a\rb\r\r\n", true, "a\rb\r\n");
}

static void there_and_back(void **state) {
  static const char wire[] =
      "Return-Path: <a@example.org>\r\nSubject: x\r\n\r\nFrom me\r\n>From you\r\n\r\n\r\n";
  struct buf file, back;
  buf_init(&file, 4096), buf_init(&back, 4096);
  for (int i = 0; i < 3; i++) {
    struct from_wire w = from_wire_open(true);
    mbox_put_from(&file, slice_str(wire), 1795723629);
    from_wire_put(&w, slice_str(wire), &file);
    from_wire_end(&w, &file);
    buf_put_u8(&file, '\n');
  }
  assert_true(
      slice_starts(buf_slice(&file), SLICE("From a@example.org Thu Nov 26 20:07:09 2026\nReturn-Path")));
  struct slice rest = buf_slice(&file);
  struct mbox_message m;
  int n = 0;
  for (; mbox_next(&rest, &m); n++) {
    buf_reset(&back);
    to_wire(m.raw, true, &back);
    assert_string_equal(buf_cstr(&back), wire);
    assert_int_equal(m.date, 1795723629);
  }
  assert_int_equal(n, 3);
  buf_free(&file), buf_free(&back);
}

static void senders(void **state) {
  static const struct {
    const char *message, *from;
  } rows[] = {
    { "", "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n" },
    { "Return-Path: <>\r\n", "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n" },
    { "Return-Path: <a b@c>\r\n", "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n" },
    { "Return-Path: <a\nFrom b>\r\n", "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n" },
    { "return-path: <a@b>\r\n", "From a@b Thu Jan  1 00:00:00 1970\n" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf out;
    buf_init(&out, 4096);
    mbox_put_from(&out, slice_str(rows[i].message), 0);
    assert_string_equal(buf_cstr(&out), rows[i].from);
    buf_free(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(cuts_messages),    cmocka_unit_test(not_an_mbox),    cmocka_unit_test(into_wire_form),
    cmocka_unit_test(out_of_wire_form), cmocka_unit_test(there_and_back), cmocka_unit_test(senders),
  };
  return cmocka_run_group_tests_name("mbox", tests, NULL, NULL);
}
