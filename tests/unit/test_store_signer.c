/* SPDX-License-Identifier: ISC */
/* Which domain signs a message that goes out: whose From: it is, and who may use it. */
#include "tests/unit/queue_kit.h"

enum { LOGGED_IN = SESSION, MACHINE = 6, STRANGER = 7 };

/* The message goes out, and store names its signer. */
static void signer_is(struct kit *k, uint64_t session, const char *to, const char *header,
                      const char *want) {
  struct buf list, text;
  buf_init(&text, 4096);
  buf_printf(&text, "%s\r\nSubject: x\r\n\r\nFrom: body@example.org\r\n", header);
  kit_rcpts(&list, to);
  assert_true(KIT_SAY(
      k, ROLE_SMTPD, SMTPD, smtp_commit, session,
      .envelope = { .return_path = SLICE("alice@example.org"), .rcpts = buf_slice(&list) },
      .end = { .id = SLICE("Q1"), .tail = buf_slice(&text) }, .trusted = session == MACHINE));
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_DONE);
  struct got g = letter(k);
  if (!slice_eq(g.m.signer, slice_str(want)))
    fail_msg("%s: signed by [%.*s], not [%s]", header, SLICE_ARG(g.m.signer), want);
  assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
  buf_free(&list), buf_free(&text);
}

static struct kit *house(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  /* so that others' names come as far as here */
  k->conf->sender_check = CONF_SENDER_CHECK_ENVELOPE;
  kit_account(k, "ceo@example.org");
  assert_int_equal(kit_command(k, "domain add other.example").code, CLI_OK);
  assert_int_equal(kit_command(k, "alias add sales@example.org alice@example.org").code, CLI_OK);
  assert_int_equal(kit_command(k, "alias add alice@other.example alice@example.org").code, CLI_OK);
  assert_int_equal(kit_command(k, "alias add away@example.org x@elsewhere.example").code, CLI_OK);
  submit_grant(k, LOGGED_IN, id);
  ready(k, SENDER, 100);
  return k;
}

static void a_login(void **state) {
  static const struct {
    const char *header, *want;
  } rows[] = {
    { "From: alice@example.org", "example.org" },
    { "Received: x\r\nfrom:\r\n \"A, B\" (c)\r\n\t<Alice+x@EXAMPLE.org>", "example.org" },
    { "From: sales@example.org", "example.org" },
    { "From: alice@other.example", "other.example" },
    { "From: alice@example.org, sales@example.org", "example.org" },
    { "From: Team: alice@example.org;", "example.org" },
    { "From: ceo@example.org", "" },
    { "From: alice@example.org, ceo@example.org", "" },
    { "From: alice@example.org, alice@other.example", "" },
    { "From: alice@example.org, boss@bank.example", "" },
    { "From: boss@bank.example", "" },
    { "From: alice@sub.example.org", "" },
    { "From: nobody@example.org", "" },
    { "From: alice@example.org\r\nFrom: alice@example.org", "" },
    { "From: alice@example.org\r\nFROM: boss@bank.example", "" },
    { "From: Undisclosed:;", "" },
    { "From: alice@", "" },
    { "From:", "" },
    { "Sender: alice@example.org", "" },
    { "X: y\r\n\r\nFrom: alice@example.org", "" },
  };
  struct kit *k = house(state);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    signer_is(k, LOGGED_IN, "bob@elsewhere.example", rows[i].header, rows[i].want);
  k->conf->sender_check = CONF_SENDER_CHECK_OFF; /* then any login may use any address of ours */
  signer_is(k, LOGGED_IN, "bob@elsewhere.example", "From: ceo@example.org", "example.org");
  signer_is(k, LOGGED_IN, "bob@elsewhere.example", "From: boss@bank.example", "");
  k->conf->dkim = false;
  signer_is(k, LOGGED_IN, "bob@elsewhere.example", "From: alice@example.org", "");
}

static void a_machine(void **state) {
  struct kit *k = house(state);
  signer_is(k, MACHINE, "bob@elsewhere.example", "From: cron@example.org", "example.org");
  signer_is(k, MACHINE, "bob@elsewhere.example", "From: boss@bank.example", "");
}

/* A stranger writes to an address that leads elsewhere: what it claims in From: is not signed,
 * whoever that is. */
static void a_stranger(void **state) {
  struct kit *k = house(state);
  signer_is(k, STRANGER, "away@example.org", "From: ceo@example.org", "");
  signer_is(k, STRANGER, "away@example.org", "From: alice@example.org", "");
  signer_is(k, LOGGED_IN, "away@example.org", "From: alice@example.org", "example.org");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
  const struct CMUnitTest tests[] = { TEST(a_login), TEST(a_machine), TEST(a_stranger) };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
