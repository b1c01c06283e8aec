/* SPDX-License-Identifier: ISC */
/* src/cli/link/net.c, net_run.c: servers that say an octet now and then, or take one. The time is
 * for the whole of it, whatever the session waits for. */
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
#include "mail/smtp/client.h"
#include "src/cli/link/net.h"

enum { TIME_MS = 300, STEP_MS = 20, MOST_MS = 5000, BODY_OCTETS = 8 * 1024 * 1024 };

struct peer {
  struct net net;
  pid_t pid;
};

/* In the child: octets of `text` without end, each some time after the one before; or (`reads`) the
 * text at once, and what comes is read as slowly. */
static void trickle(int fd, struct slice text, bool reads) {
  char one[256];
  if (reads && write(fd, text.p, text.n) != (ssize_t)text.n) _exit(1);
  for (size_t i = 0;; i++) {
    ssize_t n =
        reads ? read(fd, one, sizeof one) : write(fd, text.p + (i < text.n ? i : text.n - 1), 1);
    if (n <= 0) _exit(0);
    usleep(STEP_MS * 1000);
  }
}

static struct peer peer_open(struct slice text, bool reads) {
  int fds[2], small = 4096;
  struct peer p = { .net = { .secure_ms = TIME_MS } };
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
  assert_true(n->over);
  assert_in_range(sys_mono_ms() - began_ms, TIME_MS, MOST_MS);
}

/* --- a session with one letter, of much text --- */

struct one {
  struct smtp_letter l;
  struct smtp_letter_rcpt rcpt;
  bool given;
  size_t left;
};

static struct smtp_letter *on_next(void *arg) {
  struct one *o = arg;
  if (o->given) return NULL;
  o->given = true;
  return &o->l;
}

static enum smtp_source_verdict on_read(void *arg, struct smtp_letter *l, struct buf *out,
                                        size_t most) {
  struct one *o = arg;
  for (size_t i = 0; i + 2 <= most && o->left; i += 2, o->left -= 2) buf_put_str(out, "\r\n");
  return o->left ? SMTP_SOURCE_MORE : SMTP_SOURCE_END;
}

static void on_done(void *arg, struct smtp_letter *l) { smtp_letter_free_verdicts(l); }

static struct smtp_client *session(struct one *o) {
  const struct smtp_client_start start = {
    .hello = "us.example",
    .host = "server.example",
    .limits = { .greeting_ms = TIME_MS, .command_ms = TIME_MS, .block_ms = TIME_MS },
    .source = { on_next, on_read, on_done, o },
    .now_ms = sys_mono_ms(),
  };
  *o = (struct one){ .rcpt.address = SLICE("b@server.example"), .left = BODY_OCTETS };
  o->l = (struct smtp_letter){ .rcpts = &o->rcpt, .count = 1, .size = BODY_OCTETS };
  struct smtp_client *c = smtp_client_new(&start);
  assert_non_null(c);
  return c;
}

static void assert_session_late(struct slice text, bool reads, enum smtp_stage stage) {
  struct one o;
  struct peer p = peer_open(text, reads);
  uint64_t began = sys_mono_ms();
  struct smtp_client *c = session(&o);
  net_run(&p.net, &(struct net_driven){ .ops = &smtp_client_ops, .session = &c->proto });
  assert_late(&p.net, c->end != SMTP_END_TIMEOUT, began);
  assert_int_equal(c->stage, stage);
  smtp_client_free(&c);
  peer_close(&p);
}

static void a_reply_of_octets(void **state) {
  assert_session_late(SLICE("220 x"), false, SMTP_STAGE_GREETING);
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

/* The replies are there before the commands; of the message it takes 256 octets now and then. */
static void a_server_that_hardly_reads(void **state) {
  assert_session_late(SLICE("220 x\r\n250 x\r\n250 ok\r\n250 ok\r\n354 go\r\n"), true,
                      SMTP_STAGE_BODY);
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
