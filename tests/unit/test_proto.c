/* SPDX-License-Identifier: ISC */
/* What a shell does next for its session: every rule of proto_next() as a row, the first that
 * applies wins. And that a session with much to do gives way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/proto/proto.h"

struct row {
  const char *name;
  /* the session */
  size_t out; /* octets that wait; out_high is 8 */
  enum proto_want want;
  bool asks, sent, more, holds, duplex;
  /* the shell */
  size_t in;
  bool fed, blocked;
  enum proto_action next;
};

static const struct row rows[] = {
  { "a question", .asks = true, .out = 9, .in = 5, .next = PROTO_DO_ASK },
  { "its answer", .asks = true, .sent = true, .out = 9, .in = 5, .next = PROTO_DO_AWAIT },
  { "its answer, at the end", .asks = true, .sent = true, .want = PROTO_CLOSE,
    .next = PROTO_DO_AWAIT },
  { "much output", .out = 9, .more = true, .in = 5, .next = PROTO_DO_FLUSH },
  { "much output, which the peer does not take", .out = 9, .more = true, .in = 5, .blocked = true,
    .next = PROTO_DO_DRAIN },
  { "little output waits for more of it", .out = 8, .more = true, .next = PROTO_DO_PRODUCE },
  { "little output waits for what is at hand", .out = 8, .in = 5, .next = PROTO_DO_INPUT },
  { "output before input is taken", .more = true, .in = 5, .next = PROTO_DO_PRODUCE },
  { "the end, when all is sent", .want = PROTO_CLOSE, .in = 5, .next = PROTO_DO_CLOSE },
  { "the end, before", .want = PROTO_CLOSE, .out = 1, .in = 5, .next = PROTO_DO_FLUSH },
  { "the end of a peer that reads nothing", .want = PROTO_CLOSE, .out = 1, .blocked = true,
    .next = PROTO_DO_DRAIN },
  { "TLS, when all is sent", .want = PROTO_TLS, .next = PROTO_DO_TLS },
  { "TLS, before", .want = PROTO_TLS, .out = 1, .in = 5, .next = PROTO_DO_FLUSH },
  { "octets in front of TLS", .want = PROTO_TLS, .in = 5, .next = PROTO_DO_INJECTED },
  { "octets in front of TLS that were seen", .want = PROTO_TLS, .in = 5, .fed = true,
    .next = PROTO_DO_INJECTED },
  { "it needs more, and what it said goes out", .out = 1, .in = 5, .fed = true,
    .next = PROTO_DO_FLUSH },
  { "it needs more", .in = 5, .fed = true, .next = PROTO_DO_READ },
  { "nothing at hand", .next = PROTO_DO_READ },
  { "nothing is read for a client that reads nothing", .out = 1, .blocked = true,
    .next = PROTO_DO_DRAIN },
  { "a sink holds", .holds = true, .in = 5, .next = PROTO_DO_AWAIT },
  { "a sink holds, and what was said goes out", .holds = true, .out = 1, .in = 5,
    .next = PROTO_DO_FLUSH },
  { "a sink holds, and the server reads nothing", .holds = true, .duplex = true, .out = 1,
    .blocked = true, .in = 5, .next = PROTO_DO_AWAIT },
  { "a sink holds, and it is over", .holds = true, .want = PROTO_CLOSE, .next = PROTO_DO_CLOSE },
  { "a server may speak while it reads nothing", .duplex = true, .out = 9, .more = true,
    .blocked = true, .next = PROTO_DO_READ },
  { "and is heard", .duplex = true, .out = 9, .more = true, .blocked = true, .in = 5,
    .next = PROTO_DO_INPUT },
  { "but what ends waits for its last words", .duplex = true, .out = 1, .blocked = true,
    .want = PROTO_CLOSE, .in = 5, .next = PROTO_DO_DRAIN },
};

static void make(struct proto *p, const struct row *r) {
  static const uint8_t octets[16];
  proto_init(p, &(struct proto_start){ .now_ms = 1 });
  p->out_high = 8;
  buf_put(&p->out, slice_of(octets, r->out));
  if (r->asks) proto_ask(p, 1, 1, true);
  p->ask.sent = r->sent;
  p->want = r->want;
  p->more = r->more;
  p->holds = r->holds;
  p->duplex = r->duplex;
}

static void first_rule_wins(void **state) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct proto p;
    struct proto_turn t = { .in = rows[i].in, .fed = rows[i].fed, .blocked = rows[i].blocked };
    make(&p, &rows[i]);
    enum proto_action next = proto_next(&p, &t);
    if (next != rows[i].next) fail_msg("%s: %d", rows[i].name, next);
    proto_done(&p);
  }
}

/* Input that the session did not take is shown to it again once it has produced or asked, before
 * more is read: it may have had no room. */
static void input_is_shown_again(void **state) {
  static const struct row acts[] = { { "a notification", .asks = true },
                                     { "a question", .asks = true, .sent = true },
                                     { "output", .more = true } };
  for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
    struct proto p;
    struct proto_turn t = { .in = 5, .fed = true };
    make(&p, &acts[i]);
    proto_next(&p, &t);
    p.ask.type = 0;
    p.more = false;
    if (proto_next(&p, &t) != PROTO_DO_INPUT) fail_msg("%s: not shown again", acts[i].name);
    proto_done(&p);
  }
}

static void memory_runs_out(void **state) {
  struct proto p;
  struct proto_turn t = { 0 };
  make(&p, &rows[0]);
  p.ask.body.failed = true; /* a question that is cut short is never sent */
  assert_int_equal(proto_next(&p, &t), PROTO_DO_FAIL);
  p.ask.type = 0;
  assert_int_not_equal(proto_next(&p, &t), PROTO_DO_FAIL);
  p.out.failed = true;
  assert_int_equal(proto_next(&p, &t), PROTO_DO_FAIL);
  proto_done(&p);
}

static unsigned works(const struct row *r) {
  struct proto p;
  struct proto_turn t = { .in = r->in };
  unsigned n = 0;
  make(&p, r);
  while (n < 1000 && proto_next(&p, &t) != PROTO_DO_PAUSE) n++;
  proto_done(&p);
  return n;
}

static void who_works_for_long_gives_way(void **state) {
  assert_int_equal(works(&(struct row){ .more = true }), PROTO_TURN_MOST);
  assert_int_equal(works(&(struct row){ .in = 5 }), PROTO_TURN_MOST);
  assert_int_equal(works(&(struct row){ .in = 0 }), PROTO_TURN_MOST);
  /* what ends it, or waits, needs no turn */
  assert_int_equal(works(&(struct row){ .want = PROTO_CLOSE }), 1000);
  assert_int_equal(works(&(struct row){ .asks = true, .sent = true }), 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(first_rule_wins),
    cmocka_unit_test(input_is_shown_again),
    cmocka_unit_test(memory_runs_out),
    cmocka_unit_test(who_works_for_long_gives_way),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
