/* SPDX-License-Identifier: ISC */
/* Classes of replies: how many of the known ones are found, and how a rule is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/smtp/class.h"

static enum smtp_class class_of(const struct smtp_class_rules *own, const char *line) {
  uint16_t code;
  uint8_t enhanced[3];
  struct slice text;
  assert_true(smtp_class_split(slice_str(line), &code, enhanced, &text));
  return smtp_class_of(own, code, enhanced, text);
}

/* A second class: where a reply speaks of two things, or its provider uses one word for both. */
#define REPLY(...) REPLY_(__VA_ARGS__, UNKNOWN, )
#define REPLY_(class, line, other, ...) { SMTP_CLASS_##class, SMTP_CLASS_##other, line },
static const struct {
  enum smtp_class class, other;
  const char *line;
} replies[] = {
#include "tests/unit/replies.def"
};

/* Nine of ten at least; what is not found right is named. */
static void agreement(void **state) {
  size_t n = sizeof replies / sizeof *replies, right = 0;
  for (size_t i = 0; i < n; i++) {
    enum smtp_class c = class_of(NULL, replies[i].line);
    bool fine = c == replies[i].class || (replies[i].other && c == replies[i].other);
    right += fine;
    if (!fine)
      print_message("%s, not %s: %s\n", smtp_class_word(c), smtp_class_word(replies[i].class),
                    replies[i].line);
  }
  print_message("%zu of %zu replies\n", right, n);
  assert_true(n >= 140);
  assert_true(right * 100 >= n * 90);
}

static void our_own_words(void **state) {
  static const struct {
    uint8_t enhanced[3];
    const char *text;
    enum smtp_class class;
  } cases[] = {
    { { 4, 4, 1 }, "Connection refused", SMTP_CLASS_NETWORK },
    { { 4, 4, 2 }, "the connection ended before the message was taken", SMTP_CLASS_NETWORK },
    { { 4, 4, 3 }, "a.example: DNS did not answer", SMTP_CLASS_DNS },
    { { 5, 1, 2 }, "a.example: there is no such domain", SMTP_CLASS_NO_DOMAIN },
    { { 5, 1, 10 },
      "a.example: the domain says that it takes no mail (null MX)",
      SMTP_CLASS_NO_DOMAIN },
    { { 5, 4, 6 }, "its mail would loop back", SMTP_CLASS_LOOP },
    { { 5, 3, 4 }, "the message is larger than the server's SIZE", SMTP_CLASS_TOO_BIG },
    { { 5, 6, 7 }, "the server does not offer SMTPUTF8", SMTP_CLASS_UNSUPPORTED },
    { { 4, 4, 7 }, "its time in the queue is over", SMTP_CLASS_EXPIRED },
    { { 4, 3, 5 }, "the option routes has a wrong line", SMTP_CLASS_SYSTEM },
    { { 0, 0, 0 }, "", SMTP_CLASS_UNKNOWN },
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_int_equal(smtp_class_of(NULL, 0, cases[i].enhanced, slice_str(cases[i].text)),
                     cases[i].class);
}

/* What stands within the words counts where no enhanced code stands in its place; an address is
 * none. */
static void enhanced_within(void **state) {
  assert_int_equal(class_of(NULL, "550 gone (#5.2.2)"), SMTP_CLASS_FULL);
  assert_int_equal(class_of(NULL, "554 no mail from 5.2.2.9"), SMTP_CLASS_POLICY);
  assert_int_equal(class_of(NULL, "554 error 15.2.2"), SMTP_CLASS_POLICY);
}

static void own_rules(void **state) {
  static const char *const lines[] = { "rate 421 * come back * tomorrow",
                                       "content * 5.7.1 LIST RULE", "nonsense 1 2 3" };
  struct smtp_class_rules own = { lines, 3 };
  assert_int_equal(class_of(&own, "421 Come  back\r\n please, tomorrow"), SMTP_CLASS_RATE);
  assert_int_equal(class_of(&own, "421 tomorrow come back"), SMTP_CLASS_SYSTEM);
  assert_true(smtp_class_rule_is_good(SLICE("rate 421 * come back * tomorrow")));
  assert_true(smtp_class_rule_is_good(SLICE("tls * x.7.30")));
  assert_false(smtp_class_rule_is_good(SLICE("nonsense 421 * a")));
  assert_false(smtp_class_rule_is_good(SLICE("rate")));
  assert_false(smtp_class_rule_is_good(SLICE("rate * *")));
  assert_false(smtp_class_rule_is_good(SLICE("rate 4210 * a")));
  assert_false(smtp_class_rule_is_good(SLICE("rate many * a")));
  assert_false(smtp_class_rule_is_good(SLICE("")));
}

static void splitting(void **state) {
  uint16_t code;
  uint8_t e[3];
  struct slice text;
  assert_true(smtp_class_split(SLICE("550-5.1.1 no"), &code, e, &text));
  assert_int_equal(code, 550);
  assert_memory_equal(e, ((uint8_t[]){ 5, 1, 1 }), 3);
  assert_true(slice_eq(text, SLICE("no")));
  assert_true(smtp_class_split(SLICE("421"), &code, e, &text));
  assert_int_equal(text.n, 0);
  assert_false(smtp_class_split(SLICE("5500 no"), &code, e, &text));
  assert_false(smtp_class_split(SLICE("no"), &code, e, &text));
  assert_false(smtp_class_split(SLICE(""), &code, e, &text));
}

/* Names are there and back; longer words than are looked at hurt nothing. */
static void names(void **state) {
  for (int c = 0; c < SMTP_CLASSES; c++)
    assert_int_equal(smtp_class_named(slice_str(smtp_class_word((enum smtp_class)c))), c);
  assert_int_equal(smtp_class_named(SLICE("x")), SMTP_CLASSES);
  char text[4000];
  memset(text, 'a', sizeof text);
  assert_int_equal(smtp_class_of(NULL, 421, (uint8_t[3]){ 0 }, slice_of(text, sizeof text)),
                   SMTP_CLASS_SYSTEM);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(agreement), cmocka_unit_test(our_own_words), cmocka_unit_test(enhanced_within),
    cmocka_unit_test(own_rules), cmocka_unit_test(splitting),     cmocka_unit_test(names)
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
