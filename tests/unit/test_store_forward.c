/* SPDX-License-Identifier: ISC */
/* Aliases and accounts that lead elsewhere, domains that are caught whole, and the reverse-paths of
 * what is forwarded. */
#include "tests/unit/queue_kit.h"

static void say(struct kit *k, const char *words) {
  struct answer a = kit_command(k, words);
  if (a.code != CLI_OK) fail_msg("%s: %s", words, a.rows);
}

static enum commit_outcome from(struct kit *k, const char *sender, const char *to) {
  return commit_dsn(k, SESSION, sender, to, SLICE("Subject: hello\r\n\r\nhi\r\n"), 0, 0);
}

static void is(struct slice got, const char *want) {
  if (!slice_eq(got, slice_str(want))) fail_msg("%.*s, and not %s", SLICE_ARG(got), want);
}

static void starts(struct slice got, const char *want) {
  if (!slice_starts(got, slice_str(want)))
    fail_msg("%.*s does not begin with %s", SLICE_ARG(got), want);
}

/* An alias leads to an account, an address elsewhere, and another alias with one. */
static void alias_elsewhere(void **state) {
  struct kit *k = *state;
  alice(k);
  say(k, "alias add more@example.org Carl@Elsewhere.example");
  say(k, "alias add team@example.org alice@example.org bob@elsewhere.example more@example.org");
  assert_int_equal(rcpt(k, SESSION, "x@y.example", "team@example.org", false), RCPT_OURS);
  assert_int_equal(from(k, "x@y.example", "team@example.org"), COMMIT_DONE);
  assert_int_equal(waiting(k), 2);
  assert_int_equal(mails(k, "alice@example.org"), 1);
  assert_sound(k);
  ready(k, SENDER, 10);
  struct got g = letter(k); /* two letters: each has its own forwarder */
  assert_int_equal(g.count, 1);
  assert_string_equal(g.to[0], "bob@elsewhere.example");
  starts(g.m.envelope.return_path, "SRS0=");
  starts(g.m.octets, "Delivered-To: team@example.org\r\nSubject: hello\r\n");
  assert_int_equal(g.m.envelope.size, g.m.octets.n);
  g = letter(k);
  /* a local part's case is the other server's business */
  assert_string_equal(g.to[0], "Carl@elsewhere.example");
  starts(g.m.octets, "Delivered-To: more@example.org\r\n");
  nothing(k);
}

/* RFC 3461 §5.2.7.2: what is asked of an alias with one address is asked of that. Of several, one
 * answers for all: the first, or the mailbox here. So there is one report, "relayed" or
 * "delivered". */
static void reports_of_aliases(void **state) {
  static const struct {
    const char *alias;
    size_t count;
    unsigned asked, first, others;
  } t[] = {
    { "one@example.org", 1, SMTP_NOTIFY_SUCCESS, SMTP_NOTIFY_SUCCESS, 0 },
    { "far@example.org", 2, SMTP_NOTIFY_SUCCESS, SMTP_NOTIFY_SUCCESS, SMTP_NOTIFY_NEVER },
    { "far@example.org", 2, SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE,
      SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE, SMTP_NOTIFY_FAILURE },
    { "far@example.org", 2, SMTP_NOTIFY_NEVER, SMTP_NOTIFY_NEVER, SMTP_NOTIFY_NEVER },
    { "far@example.org", 2, 0, 0, 0 },
    { "both@example.org", 2, SMTP_NOTIFY_SUCCESS, SMTP_NOTIFY_NEVER, SMTP_NOTIFY_NEVER },
  };
  struct kit *k = *state;
  alice(k);
  kit_account(k, "sender@example.org");
  say(k, "alias add one@example.org bob@elsewhere.example");
  say(k, "alias add far@example.org bob@elsewhere.example carl@elsewhere.example");
  say(k, "alias add both@example.org bob@elsewhere.example alice@example.org "
         "carl@elsewhere.example");
  ready(k, SENDER, 1000);
  size_t reports = 0;
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    assert_int_equal(commit_orcpt(k, SESSION, "sender@example.org", t[i].alias,
                                  SLICE("Subject: hello\r\n\r\nhi\r\n"), (uint8_t)t[i].asked,
                                  SMTP_RET_HDRS, "rfc822;An+2BAlias@Example.org", "my+20id"),
                     COMMIT_DONE);
    struct got g = letter(k);
    struct slice list = g.m.envelope.rcpts;
    struct envelope_rcpt r;
    assert_int_equal(g.count, t[i].count);
    for (size_t n = 0; envelope_rcpt_next(&list, &r); n++) {
      assert_int_equal(r.notify, n ? t[i].others : t[i].first);
      is(r.orcpt, "rfc822;An+2BAlias@Example.org");
    }
    is(g.m.envelope.envid, "my+20id");
    assert_int_equal(g.m.envelope.ret, SMTP_RET_HDRS);
    assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
    reports += (t[i].asked & SMTP_NOTIFY_SUCCESS) != 0;
    assert_int_equal(mails(k, "sender@example.org"), reports);
  }
}

/* The message is not ours to relay but for the alias: everybody else's rule stays. */
static void opens_no_relay(void **state) {
  struct kit *k = *state;
  alice(k);
  say(k, "alias add team@example.org bob@elsewhere.example");
  assert_int_equal(rcpt(k, SESSION, "x@y.example", "bob@elsewhere.example", false), RCPT_ELSEWHERE);
  assert_int_equal(from(k, "x@y.example", "team@example.org bob@elsewhere.example"),
                   COMMIT_TROUBLE);
  assert_int_equal(waiting(k), 0);
  assert_int_equal(kit_command(k, "alias add other@example.org localhost").code, CLI_USAGE);
  assert_int_equal(kit_command(k, "alias add other@example.org bob@localhost").code, CLI_USAGE);
  assert_int_equal(kit_command(k, "alias add other@example.org nobody@example.org").code,
                   CLI_NOT_FOUND);
}

static void account_forward(void **state) {
  struct kit *k = *state;
  alice(k);
  kit_account(k, "bob@example.org");
  say(k, "account forward alice@example.org bob@example.org a@elsewhere.example");
  assert_int_equal(from(k, "x@y.example", "alice+detail@example.org"), COMMIT_DONE);
  assert_int_equal(mails(k, "alice@example.org"), 0);
  assert_int_equal(mails(k, "bob@example.org"), 1);
  assert_int_equal(waiting(k), 1);
  say(k, "account forward alice@example.org a@elsewhere.example --keep");
  assert_int_equal(kit_command(k, "account forward alice@example.org").count, 2);
  assert_int_equal(from(k, "x@y.example", "alice@example.org"), COMMIT_DONE);
  assert_int_equal(mails(k, "alice@example.org"), 1);
  assert_int_equal(waiting(k), 2);
  say(k, "account forward alice@example.org none");
  assert_int_equal(from(k, "x@y.example", "alice@example.org"), COMMIT_DONE);
  assert_int_equal(mails(k, "alice@example.org"), 2);
  assert_int_equal(waiting(k), 2);
  assert_int_equal(kit_command(k, "alias list").count, 0);
  assert_sound(k);
}

/* What a forward leads to is deleted: the mail stays here, and the account too. */
static void target_deleted(void **state) {
  struct kit *k = *state;
  alice(k);
  kit_account(k, "bob@example.org");
  say(k, "account forward alice@example.org bob@example.org");
  say(k, "account delete bob@example.org");
  assert_int_equal(from(k, "x@y.example", "alice@example.org"), COMMIT_DONE);
  assert_int_equal(mails(k, "alice@example.org"), 1);
  assert_sound(k);
}

static void circles(void **state) {
  struct kit *k = *state;
  alice(k);
  kit_account(k, "bob@example.org");
  say(k, "alias add team@example.org alice@example.org");
  say(k, "account forward bob@example.org team@example.org");
  assert_int_equal(kit_command(k, "account forward alice@example.org bob@example.org").code,
                   CLI_USAGE);
  assert_int_equal(kit_command(k, "account forward alice@example.org --keep").code, CLI_USAGE);
  /* keep, in other words */
  say(k, "account forward alice@example.org alice@example.org x@elsewhere.example");
  assert_int_equal(from(k, "x@y.example", "alice@example.org"), COMMIT_DONE);
  assert_int_equal(mails(k, "alice@example.org"), 1);
  assert_sound(k);
}

static void catch_all(void **state) {
  struct kit *k = *state;
  alice(k);
  kit_account(k, "bob@example.org");
  assert_int_equal(rcpt(k, SESSION, "x@y.example", "any@example.org", false), RCPT_UNKNOWN);
  assert_int_equal(kit_command(k, "alias add *@example.org alice@example.org").code, CLI_USAGE);
  assert_int_equal(kit_command(k, "account add @example.org").code, CLI_USAGE);
  say(k, "alias add @example.org alice@example.org");
  assert_int_equal(from(k, "x@y.example", "any@example.org"), COMMIT_DONE);
  assert_int_equal(from(k, "x@y.example", "bob+x@example.org"), COMMIT_DONE);
  assert_int_equal(mails(k, "alice@example.org"), 1);
  assert_int_equal(mails(k, "bob@example.org"), 1);
  assert_int_equal(kit_command(k, "alias list").count, 1);
  assert_sound(k);
  say(k, "alias delete @example.org");
  assert_int_equal(rcpt(k, SESSION, "x@y.example", "any@example.org", false), RCPT_UNKNOWN);
  assert_sound(k);
}

/* The sender's own server hears of a failure at the far end, over the address that was made here,
 * and nobody else comes in by it. */
static void bounces_go_back(void **state) {
  struct kit *k = *state;
  char path[256];
  alice(k);
  say(k, "alias add team@example.org bob@elsewhere.example");
  assert_int_equal(from(k, "x@y.example", "team@example.org"), COMMIT_DONE);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  snprintf(path, sizeof path, "%.*s", SLICE_ARG(g.m.envelope.return_path));
  assert_non_null(strstr(path, "@example.org"));
  assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
  assert_int_equal(rcpt(k, SESSION, "", path, false), RCPT_LEAVES);
  assert_int_equal(rcpt(k, SESSION, "spam@y.example", path, false), RCPT_UNKNOWN);
  assert_int_equal(from(k, "spam@y.example", path), COMMIT_TROUBLE);
  assert_int_equal(from(k, "", path), COMMIT_DONE);
  g = letter(k);
  assert_string_equal(g.to[0], "x@y.example");
  is(g.m.envelope.return_path, "");
  path[6] ^= 1;
  assert_int_equal(rcpt(k, SESSION, "", path, false), RCPT_UNKNOWN);
}

/* Our own report of a forwarded recipient goes to who sent the message, and not round by the
 * rewritten path. */
static void our_report(void **state) {
  struct kit *k = *state;
  alice(k);
  say(k, "alias add team@example.org bob@elsewhere.example");
  assert_int_equal(from(k, "x@y.example", "team@example.org"), COMMIT_DONE);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_true(report(k, SENDER, &g, SEND_PERMANENT, 550, "no such user"));
  g = letter(k);
  assert_string_equal(g.to[0], "x@y.example");
  is(g.m.envelope.return_path, "");
}

/* A reverse-path of ours needs no other. */
static void own_senders(void **state) {
  struct kit *k = *state;
  alice(k);
  say(k, "alias add team@example.org bob@elsewhere.example");
  assert_int_equal(from(k, "alice@example.org", "team@example.org"), COMMIT_DONE);
  assert_int_equal(from(k, "", "team@example.org"), COMMIT_DONE);
  ready(k, SENDER, 10);
  is(letter(k).m.envelope.return_path, "alice@example.org");
  is(letter(k).m.envelope.return_path, "");
}

/* It comes back from where it was forwarded to: once, and that ends it. */
static void loops(void **state) {
  struct kit *k = *state;
  alice(k);
  say(k, "account forward alice@example.org bob@elsewhere.example");
  assert_int_equal(
      commit_dsn(
          k, SESSION, "x@y.example", "alice@example.org",
          SLICE("Received: from a\r\nDelivered-To: Alice@example.org\r\nSubject: x\r\n\r\nhi\r\n"),
          0, 0),
      COMMIT_DONE);
  ready(k, SENDER, 10);
  struct got g = letter(k); /* the report */
  assert_string_equal(g.to[0], "x@y.example");
  is(g.m.envelope.return_path, "");
  assert_int_equal(kit_command(k, "queue history bob@elsewhere.example").count, 1);
  nothing(k);
  assert_sound(k);
}

/* A domain becomes ours while something leads into it: it is not lost unseen. */
static void domains_come(void **state) {
  struct kit *k = *state;
  alice(k);
  say(k, "alias add team@example.org bob@elsewhere.example");
  assert_int_equal(kit_command(k, "domain add elsewhere.example").code, CLI_EXISTS);
  say(k, "alias delete team@example.org");
  say(k, "domain add elsewhere.example");
}

/* More than fits with the first octets, and all of it asked for: the field that comes before is
 * counted once. */
static void large(void **state) {
  struct kit *k = *state;
  alice(k);
  say(k, "alias add team@example.org bob@elsewhere.example");
  struct buf text;
  buf_init(&text, 200000);
  buf_put_str(&text, "Subject: x\r\n\r\n");
  for (int i = 0; i < 1000; i++)
    buf_printf(&text, "line %d of a message that is longer than what comes with its letter\r\n", i);
  buf_put_str(&text, "the last line\r\n");
  struct slice whole = buf_slice(&text);
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_spool, SESSION, slice_first(whole, 60000)));
  assert_int_equal(KIT_HEAR(k, smtp_spooled).outcome, COMMIT_DONE);
  assert_int_equal(
      commit_dsn(k, SESSION, "x@y.example", "team@example.org", slice_from(whole, 60000), 0, 0),
      COMMIT_DONE);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  size_t before = sizeof "Delivered-To: team@example.org\r\n" - 1, had = g.m.octets.n;
  uint64_t size = g.m.envelope.size;
  assert_int_equal(size, before + whole.n);
  assert_true(slice_eq(slice_from(g.m.octets, before), slice_first(whole, had - before)));
  assert_true(KIT_SAY(k, ROLE_SENDER, SENDER, send_read, g.tag, had));
  struct slice rest = KIT_HEAR(k, send_octets).octets;
  assert_true(slice_eq(rest, slice_from(whole, had - before)));
  /* never asked by a sender in its senses */
  assert_false(KIT_SAY(k, ROLE_SENDER, SENDER, send_read, g.tag, before - 1));
  buf_free(&text);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, kit_setup, kit_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(alias_elsewhere), TEST(reports_of_aliases),
    TEST(opens_no_relay),  TEST(account_forward),
    TEST(target_deleted),  TEST(circles),
    TEST(catch_all),       TEST(bounces_go_back),
    TEST(our_report),      TEST(own_senders),
    TEST(loops),           TEST(domains_come),
    TEST(large),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
