/* SPDX-License-Identifier: ISC */
/* Two senders at a time, as after a reload: each has its own letters, what one gives back goes to
 * the other at once, and what is known of servers' TLS outlives them. */
#include "tests/unit/queue_kit.h"

static bool says(struct kit *k, const char *words, const char *what) {
  struct answer a = kit_command(k, words);
  bool found = strstr(a.rows, what) != NULL;
  if (!found) print_message("%s: %s\n", words, a.rows);
  return found;
}

static void send_three(struct kit *k) {
  submit_grant(k, SESSION, alice(k));
  for (int i = 0; i < 3; i++) assert_int_equal(commit(k, "bob@elsewhere.example"), COMMIT_DONE);
}

/* The former one's letters stay with it, and count; the new one gets the others. */
static void each_has_its_own(void **state) {
  struct kit *k = *state;
  send_three(k);
  ready(k, SENDER, 2);
  struct got a = letter(k), b = letter(k);
  ready(k, SENDER_2, 10);
  struct got c = letter(k);
  nothing(k);
  /* what is the former one's is not the new one's to speak of, nor the other way round */
  assert_false(report(k, SENDER_2, &a, SEND_DELIVERED, 250, "ok"));
  assert_false(report(k, SENDER, &c, SEND_DELIVERED, 250, "ok"));
  assert_false(KIT_SAY(k, ROLE_SENDER, SENDER_2, send_read, b.tag, 0));
  ready(k, SENDER, 5); /* too late: it is not the one with work any more */
  assert_true(report(k, SENDER, &a, SEND_DELIVERED, 250, "ok"));
  assert_true(report(k, SENDER_2, &c, SEND_DELIVERED, 250, "ok"));
  assert_int_equal(waiting(k), 1);
  assert_int_equal(commit(k, "dora@elsewhere.example"), COMMIT_DONE);
  struct got d = letter(k);
  assert_true(report(k, SENDER_2, &d, SEND_DELIVERED, 250, "ok"));
  /* the former one ends: the new one goes on */
  store_process_lost(k->store, ROLE_SENDER, SENDER);
  struct got again = letter(k);
  assert_int_equal(again.rows[0], b.rows[0]);
  assert_true(report(k, SENDER_2, &again, SEND_DELIVERED, 250, "ok"));
  assert_int_equal(waiting(k), 0);
  assert_sound(k);
}

/* What comes back untried is due at once, though other letters for the destination, due after it,
 * are in hands still; no attempt counts. */
static void comes_back_untried(void **state) {
  struct kit *k = *state;
  send_three(k);
  ready(k, SENDER, 3);
  struct got a = letter(k), b = letter(k), c = letter(k);
  ready(k, SENDER_2, 10);
  nothing(k);
  assert_true(report(k, SENDER, &a, SEND_UNTRIED, 0, ""));
  struct got again = letter(k);
  assert_int_equal(again.rows[0], a.rows[0]);
  assert_true(report(k, SENDER, &b, SEND_UNTRIED, 0, ""));
  again = letter(k);
  assert_int_equal(again.rows[0], b.rows[0]);
  nothing(k);
  assert_int_equal(kit_command(k, "queue history bob@elsewhere.example").count, 0);
  assert_true(says(k, "queue list reason=sending", "bob@elsewhere.example"));
  assert_true(report(k, SENDER, &c, SEND_DELIVERED, 250, "ok"));
  assert_int_equal(waiting(k), 2);
  assert_sound(k);
}

/* Some recipients were decided, the others come back. */
static void comes_back_in_part(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(commit(k, "bob@elsewhere.example dora@elsewhere.example"), COMMIT_DONE);
  ready(k, SENDER, 1);
  struct got g = letter(k);
  struct buf list;
  buf_init(&list, SEND_ROWS_MAX);
  send_outcome_put(&list, &(struct send_outcome){ .row = g.rows[0], .fate = SEND_DELIVERED });
  send_outcome_put(&list, &(struct send_outcome){ .row = g.rows[1], .fate = SEND_UNTRIED });
  assert_true(KIT_SAY(k, ROLE_SENDER, SENDER, send_result, g.tag, .results = buf_slice(&list)));
  buf_free(&list);
  ready(k, SENDER_2, 1);
  struct got h = letter(k);
  assert_int_equal(h.count, 1);
  assert_string_equal(h.to[0], "dora@elsewhere.example");
  assert_int_equal(kit_command(k, "queue history Q1").count, 1);
}

/* An attempt that a sender's death cut is in the history, with what may have become of it. */
static void deaths_are_told(void **state) {
  struct kit *k = *state;
  send_three(k);
  ready(k, SENDER, 3);
  struct got a = letter(k), b = letter(k), c = letter(k);
  assert_true(KIT_SAY(k, ROLE_SENDER, SENDER, send_where, a.tag, SEND_AT_END_OF_DATA, 1));
  assert_true(KIT_SAY(k, ROLE_SENDER, SENDER, send_where, b.tag, SEND_WAITS_FOR_DNS, 0));
  assert_true(KIT_SAY(k, ROLE_SENDER, SENDER, send_where, c.tag, SEND_IN_SESSION, 2));
  store_process_lost(k->store, ROLE_SENDER, SENDER);
  ready(k, SENDER_2, 3);
  letter(k), letter(k), letter(k);
  assert_int_equal(kit_command(k, "queue history bob@elsewhere.example").count, 2);
  assert_true(says(k, "queue history bob@elsewhere.example", "may have taken"));
  assert_true(says(k, "queue history bob@elsewhere.example", "cut"));
  assert_true(says(k, "why Q1", "while it sent the message"));
  assert_int_equal(waiting(k), 3);
  assert_sound(k);
}

static void say_no_tls(struct kit *k, uint32_t sender, struct slice address, const char *why) {
  assert_true(KIT_SAY(k, ROLE_SENDER, sender, send_no_tls, 0, .address = address, .port = 25,
                      .destination = SLICE("elsewhere.example"), .why = slice_str(why),
                      .seconds = SEND_NO_TLS_S));
}

static void tls_is_remembered(void **state) {
  struct kit *k = *state;
  uint8_t address[4] = { 192, 0, 2, 1 }, six[16] = { 0x20, 1 };
  ready(k, SENDER, 1);
  nothing(k);
  say_no_tls(k, SENDER, slice_of(address, 4), "it was no TLS");
  say_no_tls(k, SENDER, slice_of(six, 16), "the handshake failed");
  say_no_tls(k, SENDER, slice_of(address, 4), "it stalled");
  assert_false(KIT_SAY(k, ROLE_SENDER, SENDER, send_no_tls, 0, .address = slice_of(address, 3),
                       .seconds = 1));
  assert_false(KIT_SAY(k, ROLE_SENDER, SENDER, send_no_tls, 0, .address = slice_of(address, 4),
                       .seconds = SEND_NO_TLS_S + 1));
  k->now_s += 1000;
  ready(k, SENDER_2, 1);
  struct send_known_no_tls m = KIT_HEAR(k, send_known_no_tls);
  assert_true(slice_eq(m.address, slice_of(address, 4)));
  assert_true(slice_eq(m.why, SLICE("it stalled")));
  assert_true(slice_eq(m.destination, SLICE("elsewhere.example")));
  assert_int_equal(m.port, 25);
  assert_int_equal(m.seconds, SEND_NO_TLS_S - 1000);
  m = KIT_HEAR(k, send_known_no_tls);
  assert_true(slice_eq(m.address, slice_of(six, 16)));
  ready(k, SENDER_2, 1); /* it knows them */
  nothing(k);
  kit_reopen(k);
  ready(k, SENDER, 1);
  m = KIT_HEAR(k, send_known_no_tls);
  m = KIT_HEAR(k, send_known_no_tls);
  nothing(k);
  k->now_s += SEND_NO_TLS_S;
  ready(k, SENDER_2, 1);
  nothing(k);
  /* the table is bounded: the one that ends first goes */
  for (int i = 0; i <= SEND_NO_TLS_MAX; i++) {
    uint8_t some[4] = { 10, 0, (uint8_t)(i >> 8), (uint8_t)i };
    k->now_s += i < 2;
    say_no_tls(k, SENDER_2, slice_of(some, 4), "no");
  }
  kit_reopen(k);
  ready(k, SENDER, 1);
  for (int i = 0; i < SEND_NO_TLS_MAX; i++) {
    m = KIT_HEAR(k, send_known_no_tls);
    assert_false(slice_eq(m.address, SLICE("\x0a\0\0\0")));
  }
  nothing(k);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(each_has_its_own), TEST(comes_back_untried), TEST(comes_back_in_part),
    TEST(deaths_are_told),  TEST(tls_is_remembered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
