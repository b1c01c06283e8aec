/* SPDX-License-Identifier: ISC */
/* Delivery reports: which characters they have, and where (RFC 6533). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/report.h"

static struct buf text;

static const char *orcpt = "";

static void put(const char *to, const char *address, const char *words, bool smtputf8) {
  const struct report_rcpt rcpt = { .action = REPORT_FAILED,
                                    .address = slice_str(address),
                                    .orcpt = slice_str(orcpt),
                                    .enhanced = { 5, 1, 1 },
                                    .code = 550,
                                    .text = slice_str(words),
                                    .host = SLICE("mx.test") };
  const struct report r = { .reporter = SLICE("mx.example.org"),
                            .to = slice_str(to),
                            .id = SLICE("r1"),
                            .header = SLICE("Subject: x\r\n\r\n"),
                            .smtputf8 = smtputf8,
                            .rcpts = &rcpt,
                            .count = 1 };
  buf_free(&text);
  buf_init(&text, 100000);
  report_put(&text, &r);
  assert_false(text.failed);
}

static bool has(const char *what) { return slice_search(buf_slice(&text), slice_str(what)) >= 0; }

static void ascii(void **state) {
  put("a@b.test", "bob@c.test", "no such user", true);
  /* a reply reaches somebody (RFC 3464 §2) */
  assert_true(has("From: Mail Delivery System <postmaster@mx.example.org>\r\nTo: <a@b.test>\r\n"));
  assert_true(has("\r\n\r\nReporting-MTA: dns; mx.example.org\r\n"
                  "Arrival-Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n\r\n"
                  "Final-Recipient: rfc822; bob@c.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
                  "Remote-MTA: dns; mx.test\r\n"
                  "Diagnostic-Code: smtp; 550 no such user\r\n\r\n--"));
  assert_true(has("Content-Type: text/plain; charset=us-ascii\r\n"));
  assert_true(has("Content-Type: message/delivery-status\r\n"));
  assert_false(has("8bit"));
}

/* Fields that are there only where there is what they say. */
static void sometimes(void **state) {
  static const struct report_rcpt rcpts[] = {
    { .action = REPORT_DELAYED, .tried_s = 86400, .until_s = 172800 },
    { .action = REPORT_FAILED, .tried_s = 86400, .until_s = 172800 },
    { .action = REPORT_DELIVERED },
  };
  static const char *const want[] = {
    "Action: delayed\r\nStatus: 4.0.0\r\nLast-Attempt-Date: Fri, 02 Jan 1970 00:00:00 +0000\r\n"
    "Will-Retry-Until: Sat, 03 Jan 1970 00:00:00 +0000\r\n\r\n--",
    "Action: failed\r\nStatus: 5.0.0\r\nLast-Attempt-Date: Fri, 02 Jan 1970 00:00:00 "
    "+0000\r\n\r\n--",
    "Action: delivered\r\nStatus: 2.0.0\r\n\r\n--",
  };
  for (size_t i = 0; i < 3; i++) {
    struct report_rcpt rcpt = rcpts[i];
    rcpt.address = SLICE("Bob@c.test");
    const struct report r = { .reporter = SLICE("printer"),
                              .to = SLICE("a@b.test"),
                              .id = SLICE("r1"),
                              .header = SLICE("Subject: x\r\n\r\nbody\r\n"),
                              .whole = i == 1,
                              .rcpts = &rcpt,
                              .count = 1 };
    buf_free(&text);
    buf_init(&text, 100000);
    report_put(&text, &r);
    assert_true(has(want[i]));
    assert_true(has("Final-Recipient: rfc822; Bob@c.test\r\n"));
    assert_true(has("Reporting-MTA: x-local-hostname; printer\r\n"));
    assert_true(has(i == 1 ? "Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nbody\r\n"
                           : "Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n"));
    assert_int_equal(has("body"), i == 1);
  }
}

/* People read it as it is; programs get 7 bits unless SMTPUTF8 can be assumed. */
static void utf8(void **state) {
  put("a@b.test", "j\xc3\xb6rg@c.test", "550 kein Postfach f\xc3\xbcr J\xc3\xb6rg", false);
  assert_true(has("MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n"));
  assert_true(has("Content-Type: text/plain; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: 8bit\r\n"));
  assert_true(has("    <j\xc3\xb6rg@c.test>\r\n"));
  assert_true(has("kein Postfach f\xc3\xbcr J\xc3\xb6rg\r\n"));
  assert_true(has("Content-Type: message/delivery-status\r\n"));
  assert_true(has("Final-Recipient: utf-8; j\\x{F6}rg@c.test\r\n"));
  for (int way = 0; way < 2; way++) {
    put(way ? "\xc3\xa4@b.test" : "a@b.test", "j\xc3\xb6rg@c.test", "nicht f\xc3\xbcr J\xc3\xb6rg",
        !way);
    assert_true(has("Content-Type: message/global-delivery-status\r\n"
                    "Content-Transfer-Encoding: 8bit\r\n"));
    assert_true(has("Final-Recipient: utf-8; j\xc3\xb6rg@c.test\r\n"));
    assert_true(has("Diagnostic-Code: smtp; 550 nicht f\xc3\xbcr J\xc3\xb6rg\r\n"));
  }
}

/* The original recipient is an address for who knows SMTPUTF8, in its 7-bit form for others; what
 * is not of that form, or would break the line, is not touched (RFC 6533 §3, §4.1). */
static void original(void **state) {
  static const struct {
    const char *orcpt, *global;
  } rows[] = {
    { "utf-8;j\\x{F6}rg@c.test", "j\xc3\xb6rg@c.test" },
    { "UTF-8;\\x{6F22}\\x{1F4E7}\\x{2B}x@c.test", "\xe6\xbc\xa2\xf0\x9f\x93\xa7+x@c.test" },
    { "utf-8;a@c.test", "a@c.test" },
    { "utf-8;j\\x{f6}@c.test", "j\xc3\xb6@c.test" },
    { "utf-8;a\\x{0D}\\x{0A}X:y@c.test", "a\\x{0D}\\x{0A}X:y@c.test" },
    { "utf-8;a\\x{202E}b@c.test", "a\\x{202E}b@c.test" },
    { "utf-8;a\\x{D800}\\x{E9}@c.test", "a\\x{D800}\\x{E9}@c.test" },
    { "utf-8;a\\x{110000}@c.test", "a\\x{110000}@c.test" },
    { "utf-8;\\x{E9@c.test", "\\x{E9@c.test" },
    { "utf-8;\\x{0000E9}\\x{00000E9}@c.test", "\\x{0000E9}\\x{00000E9}@c.test" },
    { "utf-8;a\\b\\x{E9}@c.test", "a\\b\\x{E9}@c.test" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char line[200];
    for (int global = 0; global < 2; global++) {
      orcpt = rows[i].orcpt;
      put("a@b.test", "j\xc3\xb6rg@d.test", "no", global);
      snprintf(line, sizeof line, "Original-Recipient: %.5s; %s\r\nFinal-", orcpt,
               global ? rows[i].global : orcpt + 6);
      if (!has(line)) fail_msg("%s", line);
    }
  }
  orcpt = "";
}

/* What is no UTF-8, and what moves a terminal's cursor, is not passed on. */
static void hostile(void **state) {
  put("a@b.test", "bob@c.test",
      "a\xff\x62\xc3(\xc2\x9b"
      "31m\x1b[2J\r\nX: y",
      false);
  assert_true(has("a?b?(??31m?[2J? X: y\r\n"));
  assert_false(has("\xff"));
  assert_false(has("\x1b"));
}

static int end(void **state) {
  buf_free(&text);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(ascii),    cmocka_unit_test(sometimes), cmocka_unit_test(utf8),
    cmocka_unit_test(original), cmocka_unit_test(hostile),
  };
  return cmocka_run_group_tests(tests, NULL, end);
}
