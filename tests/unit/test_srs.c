/* SPDX-License-Identifier: ISC */
/* The sender rewriting scheme, held against addresses that Mail::SRS (libmail-srs-perl) made and
 * understands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mail/srs.h"

#define KEY SLICE("0123456789abcdef0123456789abcdef")
enum { DAY = 86400, WHEN = 20785 * DAY }; /* day 20785: "JR" */

static bool forward(const char *path, char *ret, size_t size) {
  struct buf out;
  buf_init(&out, 1024);
  bool fine = srs_forward(&out, KEY, slice_str(path), SLICE("ours.example"), WHEN, 254);
  snprintf(ret, size, "%.*s", SLICE_ARG(buf_slice(&out)));
  buf_free(&out);
  return fine;
}

static bool back(const char *address, int64_t now_s, char *ret, size_t size) {
  struct buf out;
  buf_init(&out, 1024);
  bool fine = srs_back(&out, KEY, slice_str(address), now_s);
  snprintf(ret, size, "%.*s", SLICE_ARG(buf_slice(&out)));
  buf_free(&out);
  return fine;
}

/* A row is a reverse-path, and what Mail::SRS makes of it with that secret, a hash of eight digits,
 * on that day. */
static void as_mail_srs(void **state) {
  static const struct {
    const char *path, *rewritten, *back;
  } rows[] = {
    { "alice@example.net", "SRS0=h2qQYIQj=JR=example.net=alice@ours.example", "alice@example.net" },
    { "SRS0=9PDZ=JR=dest.example=bob@first.example",
      "SRS1=CW02m66o=first.example==9PDZ=JR=dest.example=bob@ours.example",
      "SRS0=9PDZ=JR=dest.example=bob@first.example" },
  };
  char text[300];
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_true(forward(rows[i].path, text, sizeof text));
    assert_string_equal(text, rows[i].rewritten);
    assert_true(srs_is(slice_str(text)));
    assert_true(back(rows[i].rewritten, WHEN, text, sizeof text));
    assert_string_equal(text, rows[i].back);
  }
}

static void odd_paths(void **state) {
  char text[300], longer[400];
  (void)state;
  assert_true(forward("", text, sizeof text));
  assert_string_equal(text, "");
  assert_true(forward("a=b=c+d@example.net", text, sizeof text));
  assert_true(back(text, WHEN, text, sizeof text));
  assert_string_equal(text, "a=b=c+d@example.net");
  static const char *const none[] = {
    "no-domain", "@example.net",         "\"a b\"@example.net",
    "alice@",    "SRS1=abc@example.net", "SRS1=abc=@example.net"
  };
  for (size_t i = 0; i < sizeof none / sizeof *none; i++)
    assert_false(forward(none[i], text, sizeof text));
  memset(longer, 'a', 230);
  strcpy(longer + 230, "@example.net");
  assert_false(forward(longer, text, sizeof text)); /* longer than others take */
}

/* From SRS1 of another server: its hash goes, ours comes, the first host stays. */
static void a_third_server(void **state) {
  char text[300];
  (void)state;
  assert_true(forward("SRS1=zzzz=first.example==9PDZ=JR=dest.example=bob@second.example", text,
                      sizeof text));
  assert_string_equal(text, "SRS1=CW02m66o=first.example==9PDZ=JR=dest.example=bob@ours.example");
}

static void forged(void **state) {
  static const char *const none[] = {
    "SRS0=h2qQYIQk=JR=example.net=alice@ours.example",
    "SRS0=h2qQYIQj=JQ=example.net=alice@ours.example",
    "SRS0=h2qQYIQj=JR=example.com=alice@ours.example",
    "SRS0=h2qQYIQj=JR=example.net=alicf@ours.example",
    "SRS0=h2qQ=JR=example.net=alice@ours.example",
    "SRS0==JR=example.net=alice@ours.example",
    "SRS0=h2qQYIQj=JR=example.net@ours.example",
    "SRS0@ours.example",
    "SRS0=@ours.example",
    "SRS2=h2qQYIQj=JR=example.net=alice@ours.example",
    "SRS1=CW02m66o=other.example==9PDZ=JR=dest.example=bob@ours.example",
    "SRS1=CW02m66o=first.example@ours.example",
    "SRS1==@ours.example",
    "alice@ours.example",
    "",
    "@",
  };
  char text[300];
  (void)state;
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    assert_false(back(none[i], WHEN, text, sizeof text));
    assert_string_equal(text, "");
  }
}

/* On the way back some servers write all in lower case. */
static void case_is_lost(void **state) {
  char text[300];
  (void)state;
  assert_true(back("srs0=h2qqyiqj=jr=example.net=alice@ours.example", WHEN, text, sizeof text));
  assert_string_equal(text, "alice@example.net");
}

static void old_ones_end(void **state) {
  static const char path[] = "SRS0=h2qQYIQj=JR=example.net=alice@ours.example";
  char text[300];
  (void)state;
  assert_true(back(path, WHEN + SRS_DAYS_MAX * (int64_t)DAY, text, sizeof text));
  assert_false(back(path, WHEN + (SRS_DAYS_MAX + 1) * (int64_t)DAY, text, sizeof text));
  assert_true(back(path, WHEN - DAY, text, sizeof text)); /* a clock that is behind */
  assert_false(back(path, WHEN - 2 * DAY, text, sizeof text));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(as_mail_srs), cmocka_unit_test(odd_paths),    cmocka_unit_test(a_third_server),
    cmocka_unit_test(forged),      cmocka_unit_test(case_is_lost), cmocka_unit_test(old_ones_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
