/* SPDX-License-Identifier: ISC */
/* src/cli/client/net.c, smtp_client.c: servers that say an octet now and then, or take one. The
 * time is for the whole of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/sys.h"
#include "src/cli/client/smtp_client.h"

enum { TIME_MS = 300, STEP_MS = 20, MOST_MS = 5000 };

struct peer {
  struct net net;
  pid_t pid;
};

/* In the child: octets of `text` without end, each some time after the one before; or it reads as
 * slowly. */
static void trickle(int fd, struct slice text, bool reads) {
  char one[256];
  for (size_t i = 0;; i++) {
    ssize_t n =
        reads ? read(fd, one, sizeof one) : write(fd, text.p + (i < text.n ? i : text.n - 1), 1);
    if (n <= 0) _exit(0);
    usleep(STEP_MS * 1000);
  }
}

static struct peer peer_open(struct slice text, bool reads) {
  int fds[2], small = 4096;
  struct peer p = { .net = { .timeout_ms = TIME_MS, .least_rate = 1024 * 1024 } };
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  p.pid = fork();
  assert_true(p.pid >= 0);
  if (p.pid == 0) {
    close(fds[0]);
    trickle(fds[1], text, reads);
  }
  close(fds[1]);
  assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
  p.net.fd = fds[0];
  buf_init(&p.net.in, NET_IN_MAX);
  return p;
}

static void peer_close(struct peer *p) {
  kill(p->pid, SIGKILL);
  waitpid(p->pid, NULL, 0);
  net_close(&p->net);
}

/* It failed, because the time was over, and not long after. */
static void assert_late(const struct net *n, bool result, uint64_t began_ms) {
  assert_false(result);
  assert_true(n->over && n->late);
  assert_in_range(sys_mono_ms() - began_ms, TIME_MS, MOST_MS);
}

static void a_reply_of_octets(void **state) {
  struct smtp_run s = { .lmtp = false };
  struct peer p = peer_open(SLICE("220 x"), false);
  smtp_reply_init(&s.reply);
  s.net = p.net;
  uint64_t began = sys_mono_ms();
  assert_late(&s.net, smtp_client_exchange(&s, NULL), began);
  smtp_reply_free(&s.reply);
  p.net = s.net;
  peer_close(&p);
}

/* A record of 16 KB, an octet at a time: nothing that OpenSSL could finish comes, and something
 * always does. */
static void a_handshake_of_octets(void **state) {
  struct buf err;
  buf_init(&err, 256);
  struct peer p = peer_open(SLICE("\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03"), false);
  snprintf(p.net.url.host, sizeof p.net.url.host, "server.example");
  p.net.client = tls_client_new(&(struct tls_client_options){ .trust = TLS_TRUST_ANYONE }, &err);
  assert_non_null(p.net.client);
  uint64_t began = sys_mono_ms();
  assert_late(&p.net, net_start_tls(&p.net), began);
  peer_close(&p);
  buf_free(&err);
}

static void a_server_that_hardly_reads(void **state) {
  static const uint8_t much[256 * 1024];
  struct peer p = peer_open(SLICE_NONE, true);
  uint64_t began = sys_mono_ms();
  assert_late(&p.net, net_write(&p.net, slice_of(much, sizeof much)), began);
  peer_close(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_reply_of_octets),
    cmocka_unit_test(a_handshake_of_octets),
    cmocka_unit_test(a_server_that_hardly_reads),
  };
  signal(SIGPIPE, SIG_IGN);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
