/* SPDX-License-Identifier: ISC */
/* The shell around sessions, as a process of its own in its sandbox, with a session that does what
 * its client says. The test is the parent, auth, store and the clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/front_auth.h"
#include "ipc/parent_process.h"
#include "ipc/pop3d_store.h"
#include "lib/base/num.h"
#include "runtime/front/front.h"

/* --- a session that does what its client says, a word and a number a line --- */

struct puppet {
  struct proto proto;
  uint64_t left;    /* lines that produce() has to write */
  size_t fullest;   /* the most that ever waited in `out` when more was made */
  bool holds, deaf; /* sends pop_close at its end; takes no answer */
};

static struct proto *puppet_new(const void *service, const struct proto_start *start) {
  struct puppet *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  proto_init(&s->proto, start);
  buf_put_str(&s->proto.out, "hello\n");
  return &s->proto;
}

static void puppet_free(struct proto **p) {
  proto_done(*p);
  free(*p);
  *p = NULL;
}

static void ask_store(struct puppet *s) {
  pop_read_put(proto_ask(&s->proto, ROLE_STORE, pop_read_type, true),
               &(struct pop_read){ 1, 0, 100 });
}

static void ask_auth(struct puppet *s) {
  auth_step_put(proto_ask(&s->proto, ROLE_AUTH, auth_step_type, true),
                &(struct auth_step){ SLICE("x") });
}

static void ask_too_much(struct puppet *s) {
  static uint8_t big[IPC_PAYLOAD_MAX];
  struct buf *b = proto_ask(&s->proto, ROLE_STORE, pop_read_type, true);
  buf_put(b, SLICE("begun"));
  buf_put(b, slice_of(big, sizeof big));
}

static void obey(struct puppet *s, struct slice line) {
  struct proto *p = &s->proto;
  struct slice word = slice_split(&line, ' ');
  if (slice_eq(word, SLICE("echo")))
    buf_printf(&p->out, "%.*s\n", SLICE_ARG(line));
  else if (slice_eq(word, SLICE("store")))
    ask_store(s);
  else if (slice_eq(word, SLICE("auth")))
    ask_auth(s);
  else if (slice_eq(word, SLICE("toomuch")))
    ask_too_much(s);
  else if (slice_eq(word, SLICE("forget")))
    pop_close_put(proto_ask(p, ROLE_STORE, pop_close_type, false),
                  &(struct pop_close){ SLICE_NONE });
  else if (slice_eq(word, SLICE("hold")))
    s->holds = true;
  else if (slice_eq(word, SLICE("deaf")))
    s->deaf = true;
  else if (slice_eq(word, SLICE("more")))
    p->more = true, s->left = 5000;
  else if (slice_eq(word, SLICE("fullest")))
    buf_printf(&p->out, "%zu\n", s->fullest);
  else if (slice_eq(word, SLICE("tick")))
    p->deadline_ms = p->now_ms + 10;
  else if (slice_eq(word, SLICE("tls")))
    p->want = PROTO_TLS;
  else
    proto_close(p, CLOSE_QUIT);
}

static void puppet_input(struct proto *p, struct slice *in) {
  while (in->n && !p->ask.type && !p->more && p->want == PROTO_READ) {
    if (slice_find(*in, '\n') < 0) return;
    obey((struct puppet *)p, slice_split(in, '\n'));
  }
}

static void puppet_answer(struct proto *p, uint16_t type, struct slice payload) {
  struct puppet *s = (struct puppet *)p;
  if (s->deaf) return;
  p->ask.type = 0;
  buf_printf(&p->out, "answer %u\n", type);
}

static void puppet_produce(struct proto *p) {
  struct puppet *s = (struct puppet *)p;
  static const uint8_t line[999] = { 'x' };
  if (buf_len(&p->out) > s->fullest) s->fullest = buf_len(&p->out);
  buf_put(&p->out, slice_of(line, sizeof line));
  buf_put_u8(&p->out, '\n');
  p->more = --s->left > 0;
}

static void puppet_secured(struct proto *p, const struct proto_secured *tls) {
  buf_put_str(&p->out, "secured\n");
}

static void puppet_tick(struct proto *p) {
  p->deadline_ms = 0;
  buf_put_str(&p->out, "tick\n");
}

static void puppet_gone(struct proto *p, enum close_reason why) {
  struct puppet *s = (struct puppet *)p;
  proto_close(p, why);
  if (s->holds)
    pop_close_put(proto_ask(p, ROLE_STORE, pop_close_type, false),
                  &(struct pop_close){ SLICE_NONE });
}

static void puppet_role_lost(struct proto *p, unsigned role) {
  buf_put_str(&p->out, role == ROLE_AUTH ? "lost auth\n" : "lost store\n");
}

static void puppet_summary(struct proto *p, void (*put)(void *, const char *, struct slice),
                           void *arg) {}
static bool puppet_valuable(const struct proto *p) { return ((const struct puppet *)p)->holds; }

static void *service_new(const struct conf *conf, const char *service, bool has_certificate) {
  return calloc(1, 1);
}
static void service_free(void **service) {
  free(*service);
  *service = NULL;
}

static const struct proto_ops puppet_ops = {
  .name = "puppet",
  .new = puppet_new,
  .free = puppet_free,
  .input = puppet_input,
  .answer = puppet_answer,
  .produce = puppet_produce,
  .secured = puppet_secured,
  .tick = puppet_tick,
  .gone = puppet_gone,
  .role_lost = puppet_role_lost,
  .summary = puppet_summary,
  .valuable = puppet_valuable,
};
static void say_busy(const void *service, struct buf *out) { buf_put_str(out, "busy\n"); }

static const struct front_role role = {
  .kind = ROLE_POP3D,
  .ops = &puppet_ops,
  .alpn = "puppet",
  .service_new = service_new,
  .service_free = service_free,
  .busy = say_busy,
};

/* --- the processes around it --- */

struct house {
  pid_t pid;
  int parent, auth, store; /* our ends */
  uint16_t port;
};

/* One packet with one message; `fd` goes with it and is closed here. */
static void say(int to, uint16_t type, uint64_t tag, struct slice payload, int fd) {
  struct buf b;
  union {
    char mem[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = { { 0 } };
  buf_init(&b, IPC_PACKET_MAX);
  size_t at = ipc_open(&b, type, tag, fd >= 0);
  buf_put(&b, payload);
  ipc_close(&b, at);
  struct iovec iov = { b.mem, buf_len(&b) };
  struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
  if (fd >= 0) {
    msg.msg_control = control.mem;
    msg.msg_controllen = sizeof control.mem;
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                           .cmsg_type = SCM_RIGHTS,
                           .cmsg_len = CMSG_LEN(sizeof fd) };
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
  }
  /* A process that has already exited receives nothing; finish() checks its exit status. */
  if (sendmsg(to, &msg, MSG_NOSIGNAL) < 0) assert_int_equal(errno, EPIPE);
  if (fd >= 0) close(fd);
  buf_free(&b);
}

#define SAY(to, name, fd, ...)                         \
  do {                                                 \
    struct buf say_b;                                  \
    buf_init(&say_b, IPC_PAYLOAD_MAX);                 \
    name##_put(&say_b, &(struct name){ __VA_ARGS__ }); \
    say(to, name##_type, 0, buf_slice(&say_b), fd);    \
    buf_free(&say_b);                                  \
  } while (0)

/* The next message within `ms`; false: none, or the end. */
static bool hear(int from, int ms, uint16_t *ret_type, uint64_t *ret_tag) {
  static uint8_t packet[IPC_PACKET_MAX];
  struct pollfd p = { .fd = from, .events = POLLIN };
  struct ipc_msg m;
  uint8_t fds;
  if (poll(&p, 1, ms) <= 0) return false;
  ssize_t n = recv(from, packet, sizeof packet, 0);
  struct slice s = slice_of(packet, n > 0 ? (size_t)n : 0);
  if (!ipc_next(&s, &m, &fds)) return false;
  *ret_type = m.type;
  *ret_tag = m.tag;
  return true;
}

static uint64_t receive_question(int from, uint16_t type) {
  uint16_t got = 0;
  uint64_t tag = 0;
  assert_true(hear(from, 5000, &got, &tag));
  assert_int_equal(got, type);
  return tag;
}

static void no_question(int from) {
  uint16_t type;
  uint64_t tag;
  assert_false(hear(from, 100, &type, &tag));
}

static void answer(int to, uint16_t type, uint64_t tag) { say(to, type, tag, SLICE_NONE, -1); }

static int join(struct house *h, enum role kind, uint32_t number) {
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  SAY(h->parent, process_channel, ends[1], (uint8_t)kind, number);
  return ends[0];
}

static int listen_somewhere(uint16_t *ret_port) {
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t len = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(listen(fd, 16), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
  *ret_port = ntohs(at.sin_port);
  return fd;
}

static void tell_config(struct house *h) {
  struct conf *conf = conf_defaults();
  struct buf packed;
  buf_init(&packed, IPC_PAYLOAD_MAX - 64);
  assert_non_null(conf);
  conf_pack(conf, &packed);
  SAY(h->parent, process_config, -1, buf_slice(&packed));
  buf_free(&packed);
  conf_free(&conf);
}

static struct house start(void) {
  struct house h = { 0 };
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  fflush(NULL);
  h.pid = fork();
  assert_true(h.pid >= 0);
  if (h.pid == 0) {
    close(ends[0]);
    if (ends[1] != PROCESS_PARENT_FD) dup2(ends[1], PROCESS_PARENT_FD);
    close_range(PROCESS_PARENT_FD + 1, ~0u, 0);
    _exit(front_run(&role));
  }
  close(ends[1]);
  h.parent = ends[0];
  SAY(h.parent, process_hello, -1, ROLE_POP3D, 5, false, 1, 1, SLICE_NONE, SLICE_NONE);
  tell_config(&h);
  int listener = listen_somewhere(&h.port);
  SAY(h.parent, process_listener, listener, SLICE("pop3"), false);
  h.auth = join(&h, ROLE_AUTH, 1);
  h.store = join(&h, ROLE_STORE, 2);
  SAY(h.parent, process_go, -1, );
  receive_question(h.parent, process_ready_type);
  return h;
}

/* Stops it as the parent does; it must exit with status 0. */
static void finish(struct house *h) {
  int status = -1;
  SAY(h->parent, process_stop, -1, );
  assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  close(h->parent);
  close(h->auth);
  close(h->store);
}

/* --- a client --- */

static void expect(int fd, const char *text);

static int client(const struct house *h) {
  struct sockaddr_in to = { .sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons(h->port) };
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
  struct timeval patience = { 5, 0 };
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
  expect(fd, "hello\n");
  return fd;
}

static void tell(int fd, const char *text) {
  assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void expect(int fd, const char *text) {
  char got[256] = { 0 };
  size_t n = 0, want = strlen(text);
  while (n < want) {
    ssize_t r = recv(fd, got + n, want - n, 0);
    if (r <= 0) break;
    n += (size_t)r;
  }
  assert_string_equal(got, text);
}

static void expect_silence(int fd) {
  struct pollfd p = { .fd = fd, .events = POLLIN };
  assert_int_equal(poll(&p, 1, 100), 0);
}

static void expect_end(int fd) {
  char c;
  ssize_t n = recv(fd, &c, 1, 0);
  assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
  close(fd);
}

static void still_serves(const struct house *h) {
  int fd = client(h);
  tell(fd, "echo here\n");
  expect(fd, "here\n");
  tell(fd, "quit\n");
  expect_end(fd);
}

/* --- the tests --- */

static void what_comes_behind_a_question_waits_in_order(void **state) {
  struct house h = start();
  int c = client(&h);
  tell(c, "echo before\nstore\necho a\nauth\necho b\nforget\necho c\nec");
  uint64_t tag = receive_question(h.store, pop_read_type);
  expect_silence(c); /* replies to what came together leave together */
  answer(h.store, pop_chunk_type, tag);
  assert_int_equal(receive_question(h.auth, auth_step_type), tag);
  no_question(h.store);
  answer(h.auth, auth_ok_type, tag);
  expect(c, "before\nanswer 66\na\nanswer 65\nb\nc\n");
  assert_int_equal(receive_question(h.store, pop_close_type), tag);
  tell(c, "ho d\n");
  expect(c, "d\n");
  close(c);
  finish(&h);
}

static void answers_to_nobody_change_nothing(void **state) {
  struct house h = start();
  int c = client(&h);
  tell(c, "store\n");
  uint64_t tag = receive_question(h.store, pop_read_type);
  answer(h.store, pop_chunk_type, tag + 1000);
  answer(h.auth, auth_fail_type, tag); /* auth was not asked; its 66 is no pop_chunk */
  expect_silence(c);
  answer(h.store, pop_chunk_type, tag);
  expect(c, "answer 66\n");
  answer(h.store, pop_chunk_type, tag); /* once more */
  expect_silence(c);
  tell(c, "store\n");
  receive_question(h.store, pop_read_type);
  close(c); /* leaves while it waits */
  answer(h.store, pop_chunk_type, tag);
  answer(h.store, pop_chunk_type, tag);
  still_serves(&h);
  finish(&h);
}

static void a_room_that_dies_answers_what_was_asked(void **state) {
  struct house h = start();
  int c = client(&h), idle = client(&h);
  tell(c, "store\n");
  receive_question(h.store, pop_read_type);
  close(h.store);
  expect(c, "answer 0\n");
  expect(idle, "lost store\n");
  tell(c, "store\nforget\necho on\n"); /* nobody is there to be asked */
  expect(c, "answer 0\non\n");
  h.store = join(&h, ROLE_STORE, 3);
  expect_silence(idle); /* until it is joined */
  tell(c, "store\n");
  answer(h.store, pop_chunk_type, receive_question(h.store, pop_read_type));
  expect(c, "answer 66\n");
  close(c);
  close(idle);
  finish(&h);
}

static void a_new_store_means_that_the_former_is_gone(void **state) {
  struct house h = start();
  int c = client(&h), former = h.store;
  tell(c, "store\n");
  uint64_t tag = receive_question(former, pop_read_type);
  h.store = join(&h, ROLE_STORE, 3); /* the end of the former was not seen yet */
  expect(c, "answer 0\n");
  tell(c, "store\n");
  assert_int_equal(receive_question(h.store, pop_read_type), tag);
  char octet;
  assert_int_equal(recv(former, &octet, 1, 0), 0);
  close(former);
  expect_silence(c);
  answer(h.store, pop_chunk_type, tag);
  expect(c, "answer 66\n");
  close(c);
  finish(&h);
}

static void who_takes_no_answer_is_not_asked_for_ever(void **state) {
  struct house h = start();
  int c = client(&h);
  close(h.store);
  expect(c, "lost store\n");
  tell(c, "deaf\nstore\necho on\n");
  expect(c, "on\n");
  close(c);
  h.store = join(&h, ROLE_STORE, 3);
  finish(&h);
}

static void a_question_that_was_cut_short_is_not_sent(void **state) {
  struct house h = start();
  int c = client(&h);
  tell(c, "toomuch\n");
  expect_end(c);
  no_question(h.store);
  still_serves(&h);
  finish(&h);
}

static void who_reads_nothing_is_not_written_for(void **state) {
  struct house h = start();
  int c = client(&h);
  tell(c, "more\necho end\n");
  expect_silence(h.parent);
  still_serves(&h);
  char got[10000];
  size_t n = 0;
  while (n < 5000 * 1000) {
    ssize_t r = recv(c, got, sizeof got < 5000 * 1000 - n ? sizeof got : 5000 * 1000 - n, 0);
    assert_true(r > 0);
    n += (size_t)r;
  }
  expect(c, "end\n");
  tell(c, "fullest\n");
  memset(got, 0, sizeof got);
  assert_true(recv(c, got, 20, 0) > 0);
  assert_in_range(strtoul(got, NULL, 10), 1000, PROTO_OUT_HIGH);
  close(c);
  finish(&h);
}

/* RFC 3207 §6: the server must not treat cleartext input as received inside TLS. */
static void nothing_is_slipped_in_before_tls(void **state) {
  struct house h = start();
  int c = client(&h);
  tell(c, "tls\necho evil\n");
  expect_end(c);
  still_serves(&h);
  finish(&h);
}

static void a_deadline_is_kept(void **state) {
  struct house h = start();
  int c = client(&h);
  tell(c, "tick\n");
  expect(c, "tick\n");
  close(c);
  finish(&h);
}

static void who_leaves_lets_go(void **state) {
  struct house h = start();
  int c = client(&h);
  tell(c, "hold\necho held\n");
  expect(c, "held\n");
  close(c);
  receive_question(h.store, pop_close_type);
  finish(&h);
}

static void a_stop_that_is_said_again_waits_for_what_is_under_way(void **state) {
  struct house h = start();
  int busy = client(&h), idle = client(&h);
  tell(busy, "store\n");
  uint64_t tag = receive_question(h.store, pop_read_type);
  for (int i = 0; i < 3; i++) SAY(h.parent, process_stop, -1, );
  expect_end(idle);
  expect_silence(busy);
  answer(h.store, pop_chunk_type, tag);
  expect(busy, "answer 66\n");
  expect_end(busy);
  finish(&h);
}

/* An answer to questions of another type than the open one, whatever is in it. */
static void an_answer_to_another_question_is_a_breach(void **state) {
  struct house h = start();
  int c = client(&h);
  tell(c, "store\n");
  answer(h.store, pop_done_type, receive_question(h.store, pop_read_type));
  receive_question(h.parent, process_breach_type);
  expect(c, "answer 0\n");
  close(c);
  finish(&h);
}

static void a_breach_is_told_to_the_parent(void **state) {
  struct house h = start();
  int c = client(&h);
  send(h.store, "nonsense", 8, 0);
  receive_question(h.parent, process_breach_type);
  expect(c, "lost store\n");
  close(c);
  finish(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_comes_behind_a_question_waits_in_order),
    cmocka_unit_test(answers_to_nobody_change_nothing),
    cmocka_unit_test(a_room_that_dies_answers_what_was_asked),
    cmocka_unit_test(a_new_store_means_that_the_former_is_gone),
    cmocka_unit_test(who_takes_no_answer_is_not_asked_for_ever),
    cmocka_unit_test(a_question_that_was_cut_short_is_not_sent),
    cmocka_unit_test(who_reads_nothing_is_not_written_for),
    cmocka_unit_test(nothing_is_slipped_in_before_tls),
    cmocka_unit_test(a_deadline_is_kept),
    cmocka_unit_test(who_leaves_lets_go),
    cmocka_unit_test(a_stop_that_is_said_again_waits_for_what_is_under_way),
    cmocka_unit_test(a_breach_is_told_to_the_parent),
    cmocka_unit_test(an_answer_to_another_question_is_a_breach),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
