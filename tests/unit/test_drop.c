/* SPDX-License-Identifier: ISC */
/* The file of a message that waits for the server (mail/smtp/drop.h): written and read back; every
 * other text is refused with its reason; no prefix of a good one is good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "mail/smtp/drop.h"
#include "mail/smtp/dsn.h"

#define HERE SLICE("example.org")
#define GOOD                                                       \
  "qasid-drop 1\nFROM:<a@example.org> RET=HDRS ENVID=x\nTO:<bob> " \
  "NOTIFY=NEVER\nTO:<c@d.example>\n4\n\nhi\r\n"

static void written_and_read_back(void **state) {
  struct buf out;
  struct drop again;
  struct smtp_mail mail;
  struct smtp_recipient to;
  buf_init(&out, 4096);
  struct drop d = { .from = SLICE("FROM:<a@example.org> RET=HDRS ENVID=x"),
                    .recipients = SLICE("TO:<bob> NOTIFY=NEVER\nTO:<c@d.example>\n"),
                    .size = 4 };
  drop_put(&out, &d);
  buf_put_str(&out, "hi\r\n");
  assert_true(slice_eq(buf_slice(&out), SLICE(GOOD)));
  assert_null(drop_read(buf_slice(&out), buf_len(&out), HERE, &again));
  assert_int_equal(again.count, 2);
  assert_int_equal(again.size, 4);
  assert_int_equal(again.head + 4, buf_len(&out));
  assert_true(drop_from(&again, HERE, &mail));
  assert_int_equal(mail.ret, SMTP_RET_HDRS);
  assert_true(drop_next(&again.recipients, HERE, &to));
  assert_int_equal(to.notify, SMTP_NOTIFY_NEVER);
  assert_true(slice_eq(address_domain(&to.address), HERE));
  assert_true(drop_next(&again.recipients, HERE, &to));
  assert_false(drop_next(&again.recipients, HERE, &to));
  buf_free(&out);
}

static void half_written(void **state) {
  struct drop d;
  size_t whole = sizeof GOOD - 1;
  for (size_t n = 0; n < whole; n++)
    assert_non_null(drop_read(slice_first(SLICE(GOOD), n), n, HERE, &d));
  assert_non_null(drop_read(SLICE(GOOD), whole + 1, HERE, &d));
  /* its beginning is enough where the file is as long as it should be */
  assert_null(drop_read(slice_first(SLICE(GOOD), whole - 4), whole, HERE, &d));
}

static void malformed(void **state) {
  static const struct {
    const char *text, *wrong;
  } rows[] = {
    { "qasid-drop 2\nFROM:<>\nTO:<b>\n0\n\n", "the first line" },
    { "qasid-drop 1\nMAIL FROM:<>\nTO:<b>\n0\n\n", "the line of the sender" },
    { "qasid-drop 1\nFROM:<a\nTO:<b>\n0\n\n", "the line of the sender" },
    { "qasid-drop 1\nFROM:<> SIZE=3\nTO:<b>\n0\n\n", "the line of the sender" },
    { "qasid-drop 1\nFROM:<>\n0\n\n", "no recipient" },
    { "qasid-drop 1\nFROM:<>\nTO:<b>\nTO:<b> X=1\n0\n\n", "the line of a recipient" },
    { "qasid-drop 1\nFROM:<>\nTO:<b>\r\n0\n\n", "the line of a recipient" },
    { "qasid-drop 1\nFROM:<>\nRCPT TO:<b>\n0\n\n", "the size" },
    { "qasid-drop 1\nFROM:<>\nTO:<b>\n-1\n\n", "the size" },
    { "qasid-drop 1\nFROM:<>\nTO:<b>\n99999999999999999999\n\n", "the size" },
    { "qasid-drop 1\nFROM:<>\nTO:<b>\n0\nx\n", "the empty line" },
    { "qasid-drop 1\nFROM:<>\nTO:<b>\n18446744073709551615\n\n",
      "the message is not as long as it should be" },
  };
  struct drop d;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const char *wrong = drop_read(slice_str(rows[i].text), strlen(rows[i].text), HERE, &d);
    assert_non_null(wrong);
    assert_string_equal(wrong, rows[i].wrong);
  }
}

static void recipients_have_a_bound(void **state) {
  struct drop d;
  for (size_t more = 0; more < 2; more++) {
    struct buf text;
    buf_init(&text, DROP_HEAD_MAX);
    buf_put_str(&text, "qasid-drop 1\nFROM:<>\n");
    for (size_t i = 0; i < DROP_RECIPIENTS_MAX + more; i++) buf_put_str(&text, "TO:<b>\n");
    buf_put_str(&text, "0\n\n");
    const char *wrong = drop_read(buf_slice(&text), buf_len(&text), HERE, &d);
    if (more)
      assert_string_equal(wrong, "too many recipients");
    else
      assert_null(wrong);
    buf_free(&text);
  }
}

static void names(void **state) {
  uint8_t id[DROP_ID];
  assert_true(drop_is_name(SLICE("00112233445566778899aabbccddeeff"), id));
  assert_int_equal(id[0], 0);
  assert_int_equal(id[15], 0xff);
  assert_false(drop_is_name(SLICE("00112233445566778899AABBCCDDEEFF"), id));
  assert_false(drop_is_name(SLICE("00112233445566778899aabbccddeef"), id));
  assert_false(drop_is_name(SLICE("00112233445566778899aabbccddeeff0"), id));
  assert_false(drop_is_name(SLICE("tmp-112233445566778899aabbccddee"), id));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(written_and_read_back),
    cmocka_unit_test(half_written),
    cmocka_unit_test(malformed),
    cmocka_unit_test(recipients_have_a_bound),
    cmocka_unit_test(names),
  };
  return cmocka_run_group_tests_name("drop", tests, NULL, NULL);
}
