/* SPDX-License-Identifier: ISC */
/* spec: RFC 8265 §3.5, §4.3, RFC 4013 §3: names and passwords as they are compared */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/unicode/prepare.h"

#include <string.h>

static const char *made(bool (*prepare)(struct slice, struct buf *), const char *text) {
  static struct buf out;
  static char copy[PREPARE_MAX + 1];
  buf_init(&out, PREPARE_MAX);
  bool ok = prepare(slice_str(text), &out);
  memcpy(copy, ok ? buf_cstr(&out) : "", ok ? buf_len(&out) + 1 : 1);
  assert_true(ok || buf_len(&out) == 0); /* all or nothing */
  buf_free(&out);
  return ok ? copy : NULL;
}

#define assert_made(prepare, from, to) assert_string_equal(made(prepare, from), to)

static bool is_refused(const char *local) {
  uint32_t which;
  return prepare_name_refused(slice_str(local), &which) != NULL;
}

/* RFC 8265 §3.5, tables 1 and 2. */
static void names(void **state) {
  assert_made(prepare_name, "juliet@example.com", "juliet@example.com");
  assert_made(prepare_name, "fussball", "fussball");
  assert_made(prepare_name,
              "fu\xc3\x9f"
              "ball",
              "fu\xc3\x9f"
              "ball");
  assert_made(prepare_name, "\xcf\x80", "\xcf\x80");
  assert_made(prepare_name, "\xce\xa3", "\xcf\x83"); /* capital sigma */
  assert_made(prepare_name, "\xcf\x83", "\xcf\x83");
  assert_made(prepare_name, "\xcf\x82", "\xcf\x82"); /* final sigma */
  assert_false(is_refused("\xcf\x80"));
  assert_false(is_refused("\xce\xa3"));
  assert_true(is_refused("henry\xe2\x85\xa3")); /* ROMAN NUMERAL FOUR */
  assert_true(is_refused("\xe2\x88\x9e"));      /* INFINITY */
  assert_true(is_refused("\xc3\xbc mrose"));    /* "space not allowed in the userpart" */
}

static void one_spelling(void **state) {
  assert_made(prepare_name, "J\xc3\xbcrgen@Example.ORG", "j\xc3\xbcrgen@example.org");
  assert_made(prepare_name, "ju\xcc\x88rgen@example.org", "j\xc3\xbcrgen@example.org"); /* NFD */
  assert_made(prepare_name, "J\xc3\x9cRGEN@example.org", "j\xc3\xbcrgen@example.org");
  /* wide J */
  assert_made(prepare_name, "\xef\xbc\xaa\xc3\xbcrgen@example.org", "j\xc3\xbcrgen@example.org");
  /* narrow HA and its mark: PA */
  assert_made(prepare_name, "\xef\xbe\x8a\xef\xbe\x9f", "\xe3\x83\x91");
  assert_made(prepare_name, "\xe2\x84\xaa", "k");      /* KELVIN SIGN */
  assert_made(prepare_name, "\xc4\xb0", "i\xcc\x87");  /* no locale: Turkish rules do not apply */
  assert_made(prepare_name, "J\xfcRGEN", "j\xfcrgen"); /* no UTF-8 */
  assert_made(prepare_name, "", "");
}

static void refused(void **state) {
  uint32_t which;
  assert_null(prepare_name_refused(SLICE("any.thing+at=all"), &which));
  assert_null(prepare_name_refused(SLICE("j\xc3\xbcrgen.m\xc3\xbcller-1+x"), &which));
  assert_true(is_refused("a\xe2\x80\x8b\xc3\xbc")); /* ZERO WIDTH SPACE */
  assert_true(is_refused("\xf0\x9f\x98\x80"));      /* a face */
  assert_true(is_refused("\xef\xac\x81"));          /* the ligature fi */
  assert_true(is_refused("\xc3\xbc\xfe"));          /* no UTF-8 */
  assert_true(is_refused("\xcd\xb8"));              /* not assigned */
  assert_true(is_refused("\xe1\x84\x80"));          /* a jamo by itself */
  assert_false(is_refused("l\xc2\xb7l"));           /* RFC 5892 appendix A.3 */
  assert_true(is_refused("a\xc2\xb7"
                         "b"));
  assert_false(is_refused("\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d")); /* ZWJ behind a virama */
  assert_true(is_refused("a\xe2\x80\x8d\xc3\xbc"));
  assert_false(is_refused("\xd8\xa8\xe2\x80\x8c\xd8\xa8")); /* ZWNJ between letters that join */
  assert_true(is_refused("\xd9\xa1\xdb\xb1"));              /* both kinds of Arabic digits */
  assert_false(is_refused("\xe3\x82\xab\xe3\x83\xbb")); /* KATAKANA MIDDLE DOT behind katakana */
  assert_true(is_refused("\xc3\xbc\xe3\x83\xbb"));
  assert_false(is_refused("\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d")); /* Hebrew */
  assert_true(is_refused("a\xd7\xa9"));                         /* RFC 5893 §2, rule 5 */
  assert_true(is_refused("\xd7\xa9"
                         "a")); /* rule 2 */
  prepare_name_refused(SLICE("ab\xe2\x88\x9e"), &which);
  assert_int_equal(which, 0x221e);
}

/* RFC 8265 §4.3, tables 3 and 4. */
static void passwords(void **state) {
  assert_made(prepare_password, "correct horse battery staple", "correct horse battery staple");
  assert_made(prepare_password, "Correct Horse Battery Staple", "Correct Horse Battery Staple");
  assert_made(prepare_password, "\xcf\x80\xc3\x9f\xc3\xa5", "\xcf\x80\xc3\x9f\xc3\xa5");
  assert_made(prepare_password, "Jack of \xe2\x99\xa6s", "Jack of \xe2\x99\xa6s");
  assert_made(prepare_password,
              "foo\xe1\x9a\x80"
              "bar",
              "foo bar"); /* OGHAM SPACE MARK */
  assert_null(made(prepare_password, ""));
  assert_null(made(prepare_password, "my cat is a \tby"));
  /* NFD; the case stays */
  assert_made(prepare_password,
              "Gru\xcc\x88\xc3\x9f"
              "e",
              "Gr\xc3\xbc\xc3\x9f"
              "e");
  assert_made(prepare_password, "\xef\xbc\xa1", "\xef\xbc\xa1"); /* no width mapping */
  assert_null(made(prepare_password, "gr\xfc\xdf"
                                     "e")); /* no UTF-8 */
}

/* RFC 4013 §3. */
static void saslprep(void **state) {
  assert_made(prepare_sasl, "I\xc2\xadX", "IX");
  assert_made(prepare_sasl, "user", "user");
  assert_made(prepare_sasl, "USER", "USER");
  assert_made(prepare_sasl, "\xc2\xaa", "a");
  assert_made(prepare_sasl, "\xe2\x85\xa8", "IX");
  assert_null(made(prepare_sasl, "\x07"));
  assert_null(made(prepare_sasl, "\xd8\xa7"
                                 "1"));
  assert_made(prepare_sasl,
              "\xd8\xa7"
              "1"
              "\xd8\xa8",
              "\xd8\xa7"
              "1"
              "\xd8\xa8");
  assert_made(prepare_sasl, "gru\xcc\x88\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
  assert_made(prepare_sasl,
              "a\xc2\xa0"
              "b",
              "a b");
  assert_null(made(prepare_sasl, "\xc2\xad")); /* nothing is left */
  assert_null(made(prepare_sasl, "a\xef\xbf\xbd"));
}

/* What grows past the process is refused whole; and the longest text is taken. */
static void sizes(void **state) {
  static uint8_t text[2 * PREPARE_MAX];
  struct buf out;
  buf_init(&out, 8);
  assert_true(prepare_name(SLICE("\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"), &out));
  buf_reset(&out);
  assert_false(prepare_name(SLICE("\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"), &out));
  assert_false(prepare_name(SLICE("123456789"), &out));
  assert_int_equal(buf_len(&out), 0);
  buf_free(&out);
  buf_init(&out, 2 * PREPARE_MAX);
  memset(text, 'x', sizeof text);
  assert_true(prepare_password(slice_of(text, PREPARE_MAX), &out));
  assert_int_equal(buf_len(&out), PREPARE_MAX);
  assert_false(prepare_password(slice_of(text, PREPARE_MAX + 1), &out));
  /* One that becomes three: U+FB2C is "shin", "dagesh", "shin dot" in NFC. */
  buf_reset(&out);
  for (size_t i = 0; i + 3 <= PREPARE_MAX; i += 3) memcpy(text + i, "\xef\xac\xac", 3);
  assert_false(prepare_password(slice_of(text, PREPARE_MAX / 3 * 3), &out));
  assert_int_equal(buf_len(&out), 0);
  buf_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(names),     cmocka_unit_test(one_spelling), cmocka_unit_test(refused),
    cmocka_unit_test(passwords), cmocka_unit_test(saslprep),     cmocka_unit_test(sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
