/* SPDX-License-Identifier: ISC */
/* A message for several recipients of whom some get it: the verdict of each, the one answer, and
 * the report (src/store/owner/recipients.h). */
#include "tests/unit/queue_kit.h"

#define PRINT "0123456789abcdef"
static const char large[] =
    "Subject: large\r\n\r\n"
    "0123456789012345678901234567890123456789012345678901234567890123456789"
    "0123456789012345678901234567890123456789012345678901234567890123456789"
    "0123456789012345678901234567890123456789012345678901234567890123456789\r\n";

/* bob has room, full has none left, tiny never had; dave, who is returned, sends. */
static uint64_t people(struct kit *k) {
  char words[100];
  alice(k);
  kit_account(k, "bob@example.org");
  kit_account(k, "full@example.org");
  kit_account(k, "tiny@example.org");
  assert_int_equal(kit_deliver(k, "full@example.org", slice_of(large, sizeof large - 1)),
                   COMMIT_DONE);
  snprintf(words, sizeof words, "account quota full@example.org %zu",
           sizeof "Return-Path: <sender@example.com>\r\n" - 1 + sizeof large - 1);
  assert_int_equal(kit_command(k, words).code, CLI_OK);
  assert_int_equal(kit_command(k, "account quota tiny@example.org 100").code, CLI_OK);
  return kit_account(k, "dave@example.org");
}

static bool say(struct kit *k, uint64_t tag, const char *from, struct slice rcpts,
                const char *print, uint8_t flags) {
  return KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_commit, tag,
                 .envelope = { .return_path = slice_str(from), .flags = flags, .rcpts = rcpts },
                 .end = { .id = SLICE("Q1"), .tail = slice_of(large, sizeof large - 1) },
                 .print = slice_str(print));
}

/* The answer to a message to `to`, and the verdicts in `verdicts`, a letter each. */
static enum commit_outcome send_to(struct kit *k, uint64_t tag, const char *from, const char *to,
                                   uint8_t notify, const char *print, char verdicts[8]) {
  static const char letters[RCPT_VERDICTS + 1] = "OUELINFTS?"; /* in the order of the enum */
  struct buf rcpts;
  kit_rcpts_with(&rcpts, to, notify, "");
  assert_true(say(k, tag, from, buf_slice(&rcpts), print, 0));
  buf_free(&rcpts);
  struct smtp_committed m = KIT_HEAR(k, smtp_committed);
  assert_true(m.verdicts.n < 8);
  for (size_t i = 0; i < m.verdicts.n; i++) verdicts[i] = letters[m.verdicts.p[i]];
  verdicts[m.verdicts.n] = 0;
  return m.outcome;
}

/* Some message of the mailbox has that text in a line. */
static bool tells(struct kit *k, const char *who, const char *line) {
  struct buf stream;
  char words[100];
  buf_init(&stream, 1 << 20);
  snprintf(words, sizeof words, "export %s", who);
  kit_command_stream(k, words, &stream);
  bool found = slice_search(buf_slice(&stream), slice_str(line)) >= 0;
  buf_free(&stream);
  return found;
}

/* A message that will not be recognised: 250, and one report of both. */
static void the_others_are_reported(void **state) {
  struct kit *k = *state;
  char v[8];
  people(k);
  const char *to = "full@example.org bob@example.org tiny@example.org";
  assert_int_equal(send_to(k, 9, "dave@example.org", to, 0, "", v), COMMIT_DONE);
  assert_string_equal(v, "FOT");
  assert_int_equal(mails(k, "bob@example.org"), 1);
  assert_int_equal(mails(k, "full@example.org"), 1);
  assert_int_equal(mails(k, "tiny@example.org"), 0);
  assert_int_equal(mails(k, "dave@example.org"), 1);
  assert_true(tells(k, "dave@example.org", "Final-Recipient: rfc822; full@example.org"));
  assert_true(tells(k, "dave@example.org", "Final-Recipient: rfc822; tiny@example.org"));
  assert_false(tells(k, "dave@example.org", "bob@example.org"));
  /* nobody has room: nothing is written, and to come again may help */
  to = "full@example.org tiny@example.org";
  assert_int_equal(send_to(k, 9, "dave@example.org", to, 0, "", v), COMMIT_FULL);
  assert_string_equal(v, "FT");
  assert_int_equal(send_to(k, 9, "dave@example.org", "tiny@example.org", 0, "", v), COMMIT_NEVER);
  assert_int_equal(mails(k, "dave@example.org"), 1);
  assert_sound(k);
}

/* What will be recognised comes again for the full one; who was reported is settled. */
static void a_retry_is_asked_for(void **state) {
  struct kit *k = *state;
  char v[8];
  people(k);
  const char *to = "full@example.org bob@example.org tiny@example.org";
  for (int i = 0; i < 2; i++) {
    assert_int_equal(send_to(k, 9, "dave@example.org", to, 0, PRINT, v), COMMIT_SOME_FULL);
    assert_int_equal(mails(k, "bob@example.org"), 1);
    assert_int_equal(mails(k, "dave@example.org"), 1);
  }
  assert_true(tells(k, "dave@example.org", "Final-Recipient: rfc822; tiny@example.org"));
  assert_false(tells(k, "dave@example.org", "Final-Recipient: rfc822; full@example.org"));
  assert_int_equal(kit_command(k, "account quota full@example.org none").code, CLI_OK);
  assert_int_equal(send_to(k, 9, "dave@example.org", to, 0, PRINT, v), COMMIT_DONE);
  assert_int_equal(mails(k, "full@example.org"), 2);
  assert_int_equal(mails(k, "bob@example.org"), 1);
  assert_int_equal(mails(k, "tiny@example.org"), 0);
  assert_int_equal(mails(k, "dave@example.org"), 1);
}

/* A logged-in client gets the outcome at once: on a retry its program may use another
 * Message-ID. */
static void a_login_is_told(void **state) {
  struct kit *k = *state;
  char v[8];
  submit_grant(k, 12, people(k));
  k->conf->sender_check = CONF_SENDER_CHECK_OFF;
  const char *to = "full@example.org bob@example.org";
  assert_int_equal(send_to(k, 12, "dave@example.org", to, 0, PRINT, v), COMMIT_DONE);
  assert_string_equal(v, "FO");
  assert_true(tells(k, "dave@example.org", "Final-Recipient: rfc822; full@example.org"));
  assert_int_equal(mails(k, "bob@example.org"), 1);
}

/* Where nobody can be told, 250 is not said of what is missing, unless it was asked for. */
static void nobody_can_be_told(void **state) {
  struct kit *k = *state;
  char v[8];
  people(k);
  const char *full = "full@example.org bob@example.org", *tiny = "tiny@example.org bob@example.org";
  assert_int_equal(send_to(k, 9, "", full, 0, "", v), COMMIT_SOME_FULL);
  assert_int_equal(send_to(k, 9, "", tiny, 0, "", v), COMMIT_SOME_NEVER);
  assert_string_equal(v, "TO");
  assert_int_equal(send_to(k, 9, "nobody@example.org", tiny, 0, "", v), COMMIT_SOME_NEVER);
  assert_int_equal(send_to(k, 9, "dave@example.org", full, SMTP_NOTIFY_NEVER, "", v),
                   COMMIT_SOME_FULL);
  assert_int_equal(send_to(k, 9, "dave@example.org", tiny, SMTP_NOTIFY_NEVER, "", v), COMMIT_DONE);
  assert_int_equal(send_to(k, 9, "dave@example.org", tiny, SMTP_NOTIFY_SUCCESS, "", v),
                   COMMIT_DONE);
  assert_int_equal(mails(k, "bob@example.org"), 6);
  assert_int_equal(mails(k, "dave@example.org"), 1); /* bob's delivery, which was asked for */
  assert_true(tells(k, "dave@example.org", "Action: delivered"));
  assert_false(tells(k, "dave@example.org", "Action: failed"));
}

/* A recipient cannot be looked up now, or is not permitted: nothing is written; RCPT shows which
 * one. */
static void nothing_is_written(void **state) {
  struct kit *k = *state;
  char v[8];
  people(k);
  const char *to = "bob@example.org gone@example.org";
  assert_int_equal(send_to(k, 9, "dave@example.org", to, 0, PRINT, v), COMMIT_TROUBLE);
  assert_string_equal(v, "");
  to = "bob@example.org x@elsewhere.example";
  assert_int_equal(send_to(k, 9, "dave@example.org", to, 0, PRINT, v), COMMIT_TROUBLE);
  assert_int_equal(mails(k, "bob@example.org"), 0);
  assert_int_equal(mails(k, "dave@example.org"), 0);
}

/* Only store says that a message is ours; more recipients than verdicts are a breach. */
static void breaches(void **state) {
  struct kit *k = *state;
  struct buf rcpts;
  people(k);
  kit_rcpts(&rcpts, "bob@example.org");
  assert_false(say(k, 9, "dave@example.org", buf_slice(&rcpts), "", ENVELOPE_OURS));
  buf_reset(&rcpts);
  for (int i = 0; i <= SMTP_VERDICTS_MAX; i++)
    envelope_rcpt_put(&rcpts, &(struct envelope_rcpt){ .address = SLICE("bob@example.org") });
  assert_false(say(k, 9, "dave@example.org", buf_slice(&rcpts), "", 0));
  buf_free(&rcpts);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(the_others_are_reported, kit_setup, kit_teardown),
    cmocka_unit_test_setup_teardown(a_retry_is_asked_for, kit_setup, kit_teardown),
    cmocka_unit_test_setup_teardown(a_login_is_told, kit_setup, kit_teardown),
    cmocka_unit_test_setup_teardown(nobody_can_be_told, kit_setup, kit_teardown),
    cmocka_unit_test_setup_teardown(nothing_is_written, kit_setup, kit_teardown),
    cmocka_unit_test_setup_teardown(breaches, kit_setup, kit_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
