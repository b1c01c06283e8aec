/* SPDX-License-Identifier: ISC */
/* Outgoing connections: which addresses are everybody's, and what becomes of a connection that
 * meets trouble. The servers are sockets of this program; a session is a few octets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/dial/dial.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- where --- */

static bool is_public(const char *text) {
  struct dial_address a;
  if (!dial_address_parse(text, 995, &a)) fail_msg("%s is not an address", text);
  return dial_address_is_public(&a);
}

static void inside_and_outside(void **state) {
  static const char *const inside[] = {
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fdff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
  };
  static const char *const outside[] = {
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.0.1",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2000::1",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2002:808:808::1",
    "2a00::1",
    "2c0f::1",
    "64:ff9b::8.8.8.8",
    "::ffff:8.8.8.8",
  };
  for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
    if (is_public(inside[i])) fail_msg("%s is not everybody's", inside[i]);
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
    if (!is_public(outside[i])) fail_msg("%s is everybody's", outside[i]);
}

static void no_addresses(void **state) {
  static const char *const none[] = { "",       "localhost",  "1.2.3",      "1.2.3.4.5", "[::1]",
                                      "::1%lo", "0x7f000001", "2130706433", " 1.2.3.4" };
  struct dial_address a;
  for (size_t i = 0; i < sizeof none / sizeof *none; i++)
    assert_false(dial_address_parse(none[i], 1, &a));
}

/* --- connections --- */

struct test {
  struct proto proto; /* the session */
  struct loop *loop;
  struct loop_timer *patience;
  struct buf heard;
  bool was_gone;
  size_t leave; /* octets that the session does not take */
  bool ends;    /* it ends by what it saw and left */
  enum dial_end end;
  char why[DIAL_WHY_MAX];
  unsigned overs;
  struct dial *dial;
};

static struct proto *on_ready(void *arg) {
  struct test *t = arg;
  proto_client_init(&t->proto, &(struct proto_start){ .now_ms = loop_now(t->loop) });
  buf_put(&t->proto.out, SLICE("hello"));
  return &t->proto;
}

static void session_input(struct proto *p, struct slice *in) {
  struct test *t = (struct test *)p;
  if (t->ends) proto_close(p, CLOSE_PEER_GONE);
  if (in->n <= t->leave) return;
  buf_put(&t->heard, slice_first(*in, in->n - t->leave));
  *in = slice_from(*in, in->n - t->leave);
  if (slice_search(buf_slice(&t->heard), SLICE("bye")) >= 0) proto_close(p, CLOSE_QUIT);
}

static void session_tick(struct proto *p) { proto_close(p, CLOSE_IDLE); }

static void session_gone(struct proto *p, enum close_reason why) {
  ((struct test *)p)->was_gone = true;
  proto_close(p, why);
}

static const struct proto_ops session = { .input = session_input,
                                          .tick = session_tick,
                                          .gone = session_gone };

static void on_over(void *arg, enum dial_end end, const char *why) {
  struct test *t = arg;
  t->end = end;
  t->overs++;
  snprintf(t->why, sizeof t->why, "%s", why);
  loop_stop(t->loop);
}

static void too_long(void *arg) { fail_msg("nothing happens"); }

static void play(struct test *t, const struct dial_address *addresses, size_t count) {
  const struct dial_ops ops = { on_ready, on_over, t, &session };
  t->loop = loop_new();
  buf_init(&t->heard, 1024 * 1024);
  t->patience = loop_timer_new(t->loop, too_long, NULL);
  loop_timer_set(t->patience, loop_now(t->loop) + 60000);
  t->dial =
      dial_new(t->loop, &(struct dial_target){ addresses, count, "localhost", false, NULL }, &ops);
  assert_non_null(t->dial);
  assert_int_equal(t->overs, 0);
  loop_run(t->loop);
  assert_int_equal(t->overs, 1);
}

static void end(struct test *t) {
  dial_free(&t->dial);
  if (t->proto.out.max) proto_done(&t->proto);
  buf_free(&t->heard);
  loop_timer_free(&t->patience);
  loop_free(&t->loop);
}

/* A listener on loopback whose backlog holds the connection; nobody accepts it but the test. */
static int listen_at(struct dial_address *ret) {
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t n = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
  assert_int_equal(listen(fd, 8), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
  assert_true(dial_address_parse("127.0.0.1", ntohs(a.sin_port), ret));
  return fd;
}

/* A child that accepts one connection, reads "hello", sends `words` and closes, unless it `stays`.
 */
static pid_t server_that(int listener, const char *words, size_t times, bool stays) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  char got[8];
  int fd = accept(listener, NULL, NULL);
  if (recv(fd, got, 5, MSG_WAITALL) != 5) _exit(1);
  for (size_t i = 0; i < times; i++)
    if (send(fd, words, strlen(words), MSG_NOSIGNAL) < 0) break;
  if (!stays) shutdown(fd, SHUT_WR);
  while (recv(fd, got, sizeof got, 0) > 0) {
  }
  _exit(0);
}

static pid_t server(int listener, const char *words, size_t times) {
  return server_that(listener, words, times, false);
}

static void the_next_address(void **state) {
  struct dial_address a[3];
  struct test t = { .leave = 0 };
  int gone = listen_at(&a[0]), listener = listen_at(&a[2]);
  close(gone); /* nobody listens there any more */
  assert_true(dial_address_parse("::1", a[0].port, &a[1]));
  pid_t pid = server(listener, "bye", 1);
  play(&t, a, 3);
  assert_int_equal(t.end, DIAL_SESSION_ENDED);
  assert_int_equal(dial_peer(t.dial).port, a[2].port);
  assert_true(slice_eq(buf_slice(&t.heard), SLICE("bye")));
  end(&t);
  close(listener);
  assert_true(pid > 0);
}

static void nobody_answers(void **state) {
  struct dial_address a;
  struct test t = { .leave = 0 };
  close(listen_at(&a));
  play(&t, &a, 1);
  assert_int_equal(t.end, DIAL_NO_ANSWER);
  assert_non_null(strstr(t.why, "127.0.0.1 port"));
  assert_non_null(strstr(t.why, "refused"));
  end(&t);
}

static void lost(void **state) {
  struct dial_address a;
  struct test t = { .leave = 0 };
  int listener = listen_at(&a);
  server(listener, "some", 1);
  play(&t, &a, 1);
  assert_true(t.was_gone);
  assert_int_equal(t.end, DIAL_SESSION_ENDED);
  assert_non_null(strstr(t.why, "closed the connection"));
  assert_true(slice_eq(buf_slice(&t.heard), SLICE("some")));
  end(&t);
  close(listener);
}

/* A session that takes nothing is not drowned. */
static void without_end(void **state) {
  struct dial_address a;
  struct test t = { .leave = SIZE_MAX };
  int listener = listen_at(&a);
  server(listener, "0123456789abcdef0123456789abcdef", 40000);
  play(&t, &a, 1);
  assert_true(t.was_gone);
  assert_non_null(strstr(t.why, "without end"));
  end(&t);
  close(listener);
}

/* A session that ends by octets that it did not take is over, though the server says no more and
 * stays. */
static void ends_untaken(void **state) {
  struct dial_address a;
  struct test t = { .leave = SIZE_MAX, .ends = true };
  int listener = listen_at(&a);
  server_that(listener, "?", 1, true);
  play(&t, &a, 1);
  assert_int_equal(t.end, DIAL_SESSION_ENDED);
  assert_false(t.was_gone);
  end(&t);
  close(listener);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(inside_and_outside),
    cmocka_unit_test(no_addresses),
    cmocka_unit_test(the_next_address),
    cmocka_unit_test(nobody_answers),
    cmocka_unit_test(lost),
    cmocka_unit_test(without_end),
    cmocka_unit_test(ends_untaken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
