/* SPDX-License-Identifier: ISC */
/* Channels: the messages that one process may send, enforced by the other. The hostile end is a
 * bare socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/front_auth.h"
#include "ipc/parent_process.h"
#include "ipc/pop3d_store.h"
#include "ipc/roles.h"
#include "runtime/channel/channel.h"

struct seen {
  struct loop *loop;
  size_t messages;
  uint64_t last_tag;
  size_t last_payload, octets;
  bool out_of_order;
  int fd;
  bool lost;
  const char *breach;
  bool refuse;
};

static bool on_message(void *arg, struct channel *ch, const struct ipc_msg *msg, uint8_t state) {
  struct seen *s = arg;
  s->messages++;
  s->octets += msg->payload.n;
  s->out_of_order |= msg->tag <= s->last_tag;
  s->last_tag = msg->tag;
  s->last_payload = msg->payload.n;
  if (msg->fd >= 0) s->fd = msg->fd;
  return !s->refuse;
}

static void on_lost(void *arg, struct channel *ch, const char *breach) {
  struct seen *s = arg;
  s->lost = true;
  s->breach = breach;
  loop_stop(s->loop);
}

static const struct channel_ops ops = { on_message, on_lost };

static void stop_loop(void *arg) { loop_stop(arg); }

static void turn(struct loop *l) {
  struct loop_timer *t = loop_timer_new(l, stop_loop, l);
  loop_refresh(l);
  loop_timer_set(t, loop_now(l) + 30);
  loop_run(l);
  loop_timer_free(&t);
}

struct pair {
  struct loop *loop;
  int ends[2];
};

static struct pair make(void) {
  struct pair p = { .loop = loop_new() };
  assert_non_null(p.loop);
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p.ends), 0);
  return p;
}

/* Sends raw messages of pop3d's as one packet to a store's end; returns what the store's end saw.
 */
static struct seen attack(struct slice packet, uint8_t granted_state) {
  struct pair p = make();
  struct seen s = { .loop = p.loop, .fd = -1 };
  struct channel *store = channel_new(p.loop, p.ends[1], &ipc_pop3d_store, IPC_RIGHT, &ops, &s);
  channel_set_state(store, 7, granted_state);
  assert_int_equal(send(p.ends[0], packet.p, packet.n, 0), packet.n);
  turn(p.loop);
  channel_free(&store);
  close(p.ends[0]);
  loop_free(&p.loop);
  return s;
}

static struct seen attack_message(uint16_t type, uint64_t tag, struct slice payload,
                                  uint8_t granted_state) {
  struct buf b;
  buf_init(&b, IPC_PACKET_MAX);
  size_t at = ipc_open(&b, type, tag, 0);
  buf_put(&b, payload);
  ipc_close(&b, at);
  struct seen s = attack(buf_slice(&b), granted_state);
  buf_free(&b);
  return s;
}

static void a_session_without_a_grant_opens_nothing(void **state) {
  /* 7 has the grant, 8 asks */
  struct seen s = attack_message(pop_open_type, 8, SLICE_NONE, POP_GRANTED);
  assert_int_equal(s.messages, 0);
  assert_string_equal(s.breach, "message not allowed now");
  s = attack_message(pop_open_type, 7, SLICE_NONE, POP_GRANTED);
  assert_int_equal(s.messages, 1);
  assert_false(s.lost);
}

static void reading_before_opening_is_a_breach(void **state) {
  struct seen s = attack_message(pop_read_type, 7, SLICE("0123456789abcdef"), POP_GRANTED);
  assert_int_equal(s.messages, 0);
  assert_true(s.lost);
}

static void opening_twice_is_a_breach(void **state) {
  struct buf b;
  buf_init(&b, 1000);
  ipc_close(&b, ipc_open(&b, pop_open_type, 7, 0));
  ipc_close(&b, ipc_open(&b, pop_open_type, 7, 0));
  struct seen s = attack(buf_slice(&b), POP_GRANTED);
  assert_int_equal(s.messages, 1);
  assert_string_equal(s.breach, "message not allowed now");
  buf_free(&b);
}

static void wrong_direction_unknown_type_and_size_are_breaches(void **state) {
  assert_true(attack_message(pop_opened_type, 7, SLICE_NONE, POP_OPEN).lost);
  assert_true(attack_message(999, 7, SLICE_NONE, POP_OPEN).lost);
  assert_string_equal(attack_message(pop_keep_type, 7, SLICE("x"), POP_OPEN).breach,
                      "message too large");
}

static void malformed_packets_are_breaches(void **state) {
  assert_string_equal(attack(SLICE("short"), POP_OPEN).breach, "malformed packet");
  struct buf b;
  buf_init(&b, 1000);
  size_t at = ipc_open(&b, pop_read_type, 7, 0);
  buf_put(&b, SLICE("0123456789abcdef"));
  ipc_close(&b, at);
  /* Cut anywhere it is malformed, and so is a claim of descriptors that did not come. */
  for (size_t n = 1; n < buf_len(&b); n++)
    assert_true(attack(slice_first(buf_slice(&b), n), POP_OPEN).lost);
  b.mem[2] = 1;
  assert_string_equal(attack(buf_slice(&b), POP_OPEN).breach, "wrong number of descriptors");
  b.mem[2] = 200;
  assert_true(attack(buf_slice(&b), POP_OPEN).lost);
  buf_free(&b);
}

static void many_messages_arrive_in_order_whatever_their_size(void **state) {
  struct pair p = make();
  struct seen s = { .loop = p.loop, .fd = -1 }, mine = { .loop = p.loop };
  struct channel *front = channel_new(p.loop, p.ends[0], &ipc_pop3d_store, IPC_LEFT, &ops, &mine);
  struct channel *store = channel_new(p.loop, p.ends[1], &ipc_pop3d_store, IPC_RIGHT, &ops, &s);
  static uint8_t big[IPC_CHUNK];
  size_t octets = 0;
  for (uint64_t i = 1; i <= 200; i++) { /* each third in a buffer that the channel takes */
    struct buf b, *to = i % 3 ? channel_begin(store, pop_chunk_type, i) : &b;
    if (!(i % 3)) buf_init(&b, IPC_PAYLOAD_MAX);
    size_t before = buf_len(to);
    pop_chunk_put(to, &(struct pop_chunk){ POP_DONE, .data = slice_of(big, i * 300) });
    octets += buf_len(to) - before;
    if (i % 3) {
      channel_end(store);
      continue;
    }
    channel_send_buf(store, pop_chunk_type, i, &b);
    assert_null(b.mem);
  }
  for (int i = 0; i < 20 && mine.messages < 200; i++) turn(p.loop);
  assert_int_equal(mine.messages, 200);
  assert_int_equal(mine.last_tag, 200);
  assert_int_equal(mine.octets, octets);
  assert_false(mine.out_of_order);
  assert_int_equal(channel_backlog(store), 0);
  channel_free(&front);
  turn(p.loop);
  assert_true(s.lost);
  assert_null(s.breach);
  channel_free(&store);
  loop_free(&p.loop);
}

static void descriptors_travel_with_their_message(void **state) {
  struct pair p = make();
  struct seen s = { .loop = p.loop, .fd = -1 }, mine = { .loop = p.loop };
  struct channel *parent =
      channel_new(p.loop, p.ends[0], &ipc_parent_process, IPC_LEFT, &ops, &mine);
  struct channel *process =
      channel_new(p.loop, p.ends[1], &ipc_parent_process, IPC_RIGHT, &ops, &s);
  int pipe_ends[2];
  assert_int_equal(pipe(pipe_ends), 0);
  struct buf *b = channel_begin_fd(parent, process_channel_type, 0, pipe_ends[1]);
  process_channel_put(b, &(struct process_channel){ ROLE_STORE, 3 });
  channel_end(parent);
  turn(p.loop);
  assert_int_equal(s.messages, 1);
  assert_true(s.fd >= 0);
  assert_true(fcntl(s.fd, F_GETFD) & FD_CLOEXEC);
  assert_int_equal(write(s.fd, "x", 1), 1);
  close(s.fd);
  /* Ours was closed when it was sent: the pipe has no writer left. */
  char c[2];
  assert_int_equal(read(pipe_ends[0], c, 2), 1);
  assert_int_equal(read(pipe_ends[0], c, 2), 0);
  close(pipe_ends[0]);
  channel_free(&parent);
  channel_free(&process);
  loop_free(&p.loop);
}

/* --- what a taken-over process may try --- */

/* Each question is answered with the most there is, as store answers pop_read. */
static bool answer_chunk(void *arg, struct channel *ch, const struct ipc_msg *msg, uint8_t state) {
  static uint8_t big[IPC_CHUNK];
  struct seen *s = arg;
  s->messages++;
  pop_chunk_put(channel_begin(ch, pop_chunk_type, msg->tag),
                &(struct pop_chunk){ POP_DONE, .data = slice_of(big, sizeof big) });
  channel_end(ch);
  return true;
}

static void who_reads_no_answers_is_not_heard_for_ever(void **state) {
  static const struct channel_ops chunk_ops = { answer_chunk, on_lost };
  struct pair p = make();
  struct seen s = { .loop = p.loop };
  struct channel *store =
      channel_new(p.loop, p.ends[1], &ipc_pop3d_store, IPC_RIGHT, &chunk_ops, &s);
  channel_set_state(store, 7, POP_OPEN);
  struct buf b;
  buf_init(&b, 1000);
  size_t at = ipc_open(&b, pop_read_type, 7, 0), asked = 0;
  pop_read_put(&b, &(struct pop_read){ 1, 0, IPC_CHUNK });
  ipc_close(&b, at);
  for (int i = 0; i < 20; i++) {
    while (asked < 2000 && send(p.ends[0], b.mem, buf_len(&b), MSG_DONTWAIT) > 0) asked++;
    turn(p.loop);
  }
  assert_true(s.messages < asked);
  assert_true(channel_backlog(store) <= CHANNEL_HIGH + 2 * IPC_CHUNK);
  /* It is heard again once it has read. */
  static uint8_t packet[IPC_PACKET_MAX];
  size_t before = s.messages;
  for (int i = 0; i < 200; i++) {
    while (recv(p.ends[0], packet, sizeof packet, MSG_DONTWAIT) > 0) {
    }
    if (s.messages > before) break;
    turn(p.loop);
  }
  assert_true(s.messages > before);
  assert_false(s.lost);
  buf_free(&b);
  channel_free(&store);
  close(p.ends[0]);
  loop_free(&p.loop);
}

static void sessions_without_end_are_a_breach(void **state) {
  struct pair p = make();
  struct seen s = { .loop = p.loop };
  struct channel *auth = channel_new(p.loop, p.ends[1], &ipc_front_auth, IPC_RIGHT, &ops, &s);
  for (uint64_t i = 0; i <= CHANNEL_SESSIONS_MAX; i++) channel_set_state(auth, i, AUTH_EXCHANGE);
  turn(p.loop);
  assert_string_equal(s.breach, "too many sessions");
  assert_false(channel_failed(auth));
  channel_free(&auth);
  close(p.ends[0]);
  loop_free(&p.loop);
}

/* Sends `packet` with `count` copies of a pipe's writing end to a process; then the pipe has no
 * writer. */
static struct seen smuggle(struct slice packet, size_t count, bool refuse) {
  struct pair p = make();
  struct seen s = { .loop = p.loop, .fd = -1, .refuse = refuse };
  struct channel *process =
      channel_new(p.loop, p.ends[1], &ipc_parent_process, IPC_RIGHT, &ops, &s);
  int pipe_ends[2], fds[IPC_FDS_MAX];
  assert_int_equal(pipe(pipe_ends), 0);
  for (size_t i = 0; i < count; i++) fds[i] = pipe_ends[1];
  union {
    char mem[CMSG_SPACE(sizeof fds)];
    struct cmsghdr align;
  } control = { { 0 } };
  struct iovec iov = { (void *)(uintptr_t)packet.p, packet.n };
  struct msghdr msg = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.mem,
                        .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                         .cmsg_type = SCM_RIGHTS,
                         .cmsg_len = CMSG_LEN(count * sizeof(int)) };
  memcpy(CMSG_DATA(c), fds, count * sizeof(int));
  assert_int_equal(sendmsg(p.ends[0], &msg, 0), packet.n);
  close(pipe_ends[1]);
  turn(p.loop);
  char octet;
  fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK);
  assert_int_equal(read(pipe_ends[0], &octet, 1), 0); /* -1 with EAGAIN: a descriptor was kept */
  close(pipe_ends[0]);
  channel_free(&process);
  close(p.ends[0]);
  loop_free(&p.loop);
  return s;
}

static void descriptors_that_nobody_asked_for_are_closed(void **state) {
  struct buf b;
  buf_init(&b, 1000);
  ipc_close(&b, ipc_open(&b, process_go_type, 0, 0));
  struct seen s = smuggle(buf_slice(&b), 3, false);
  assert_string_equal(s.breach, "wrong number of descriptors");
  assert_true(smuggle(SLICE_NONE, IPC_FDS_MAX, false).lost); /* with a packet of nothing */
  buf_reset(&b);
  size_t at = ipc_open(&b, process_channel_type, 0, 1);
  process_channel_put(&b, &(struct process_channel){ ROLE_STORE, 3 });
  ipc_close(&b, at);
  s = smuggle(buf_slice(&b), 1, true); /* with a message that its handler refuses */
  assert_string_equal(s.breach, "malformed message");
  buf_free(&b);
}

/* A process that has no descriptor left is in trouble itself; its neighbour broke no rule. */
static void to_have_no_descriptors_is_no_breach_of_the_others(void **state) {
  struct pair p = make();
  struct seen s = { .loop = p.loop, .fd = -1 }, mine = { .loop = p.loop };
  struct channel *parent =
      channel_new(p.loop, p.ends[0], &ipc_parent_process, IPC_LEFT, &ops, &mine);
  struct channel *process =
      channel_new(p.loop, p.ends[1], &ipc_parent_process, IPC_RIGHT, &ops, &s);
  struct buf *b = channel_begin_fd(parent, process_channel_type, 0, dup(p.ends[0]));
  process_channel_put(b, &(struct process_channel){ ROLE_STORE, 3 });
  channel_end(parent);
  channel_flush(parent);
  struct rlimit before, none;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = (struct rlimit){ 3, before.rlim_max };
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  turn(p.loop);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_int_equal(s.messages, 0);
  assert_true(s.lost);
  assert_null(s.breach);
  assert_true(channel_failed(process));
  channel_free(&parent);
  channel_free(&process);
  loop_free(&p.loop);
}

static void what_was_heard_is_wiped(void **state) {
  struct pair p = make();
  struct seen s = { .loop = p.loop }, mine = { .loop = p.loop };
  struct channel *front = channel_new(p.loop, p.ends[0], &ipc_front_auth, IPC_LEFT, &ops, &mine);
  struct channel *auth = channel_new(p.loop, p.ends[1], &ipc_front_auth, IPC_RIGHT, &ops, &s);
  struct buf *b = channel_begin(front, auth_login_type, 1);
  auth_login_put(b, &(struct auth_login){ .name = SLICE("alice"), .password = SLICE("hunter2") });
  channel_end(front);
  turn(p.loop);
  assert_int_equal(s.messages, 1);
  assert_int_equal(slice_search(slice_of(loop_scratch(p.loop, 1), 4096), SLICE("hunter2")), -1);
  channel_free(&front);
  channel_free(&auth);
  loop_free(&p.loop);
}

/* A second notification is dropped until the session's other side has sent a message, as it would
 * only repeat the first; with tag 0 each is sent. */
static void notifications_are_one_at_a_time(void **state) {
  struct pair p = make();
  struct seen s = { .loop = p.loop }, mine = { .loop = p.loop };
  struct channel *pop = channel_new(p.loop, p.ends[0], &ipc_pop3d_store, IPC_LEFT, &ops, &s);
  struct channel *store = channel_new(p.loop, p.ends[1], &ipc_pop3d_store, IPC_RIGHT, &ops, &mine);
  channel_set_state(store, 7, POP_OPEN), channel_set_state(store, 8, POP_OPEN);
  for (int i = 0; i < 3; i++) {
    channel_send(store, pop_wanted_type, 7, SLICE_NONE);
    channel_send(store, pop_wanted_type, 8, SLICE_NONE);
    channel_send(store, pop_rules_changed_type, 0, SLICE_NONE);
    turn(p.loop);
  }
  assert_int_equal(s.messages, 2 + 3);
  channel_send(pop, pop_keep_type, 7, SLICE_NONE);
  turn(p.loop);
  assert_int_equal(mine.messages, 1);
  for (int i = 0; i < 2; i++) {
    channel_send(store, pop_wanted_type, 7, SLICE_NONE);
    channel_send(store, pop_wanted_type, 8, SLICE_NONE);
  }
  channel_send(store, pop_opened_type, 8, SLICE_NONE); /* no notification: it is sent */
  turn(p.loop);
  assert_int_equal(s.messages, 5 + 1 + 1);
  channel_free(&pop);
  channel_free(&store);
  loop_free(&p.loop);
}

static bool has_answer(const struct ipc_pair *pair, const struct ipc_rule *question) {
  for (size_t i = 0; i < pair->count; i++)
    if (ipc_rule_answers(&pair->rules[i], question->type)) return true;
  return false;
}

/* Each question has an answer from the other side; each answer names such questions alone; a
 * notification has no data. */
static void assert_kind(const struct ipc_pair *pair, const struct ipc_rule *r) {
  uint64_t answers = r->kind & ~(IPC_ASK | IPC_NOTIFY);
  if (r->kind & IPC_ASK) assert_true(has_answer(pair, r));
  if (r->kind & IPC_NOTIFY) assert_true(!r->max && !r->fds && r->next == IPC_SAME);
  assert_true((r->kind & IPC_ASK) == r->kind || (r->kind & IPC_NOTIFY) == r->kind ||
              answers == r->kind);
  for (uint16_t type = 0; type < 62; type++) {
    const struct ipc_rule *question = ipc_rule_named(pair, type);
    if (!ipc_rule_answers(r, type)) continue;
    assert_true(question && question->kind & IPC_ASK && question->from != r->from);
  }
}

/* No pair lets a front-end name an account to store, and each type is one row. */
static void the_tables_are_sound(void **state) {
  for (size_t i = 0; i < ipc_wire_count; i++) {
    const struct ipc_pair *pair = ipc_wires[i].pair;
    for (size_t k = 0; k < pair->count; k++) {
      assert_ptr_equal(ipc_rule_named(pair, pair->rules[k].type), &pair->rules[k]);
      assert_true(pair->rules[k].max <= IPC_PAYLOAD_MAX && pair->rules[k].fds <= 1 &&
                  pair->rules[k].allowed != 0);
      assert_kind(pair, &pair->rules[k]);
    }
  }
  assert_null(ipc_wire_between(ROLE_SMTPD, ROLE_POP3D));
  assert_null(ipc_wire_between(ROLE_KEYS, ROLE_STORE));
  assert_null(ipc_wire_between(ROLE_SMTPD, ROLE_SENDER));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_session_without_a_grant_opens_nothing),
    cmocka_unit_test(reading_before_opening_is_a_breach),
    cmocka_unit_test(opening_twice_is_a_breach),
    cmocka_unit_test(wrong_direction_unknown_type_and_size_are_breaches),
    cmocka_unit_test(malformed_packets_are_breaches),
    cmocka_unit_test(many_messages_arrive_in_order_whatever_their_size),
    cmocka_unit_test(descriptors_travel_with_their_message),
    cmocka_unit_test(the_tables_are_sound),
    cmocka_unit_test(notifications_are_one_at_a_time),
    cmocka_unit_test(who_reads_no_answers_is_not_heard_for_ever),
    cmocka_unit_test(sessions_without_end_are_a_breach),
    cmocka_unit_test(descriptors_that_nobody_asked_for_are_closed),
    cmocka_unit_test(to_have_no_descriptors_is_no_breach_of_the_others),
    cmocka_unit_test(what_was_heard_is_wiped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
