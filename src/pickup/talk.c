/* SPDX-License-Identifier: ISC */
/* A session with smtpd: a socket pair, an SMTP client session (mail/smtp/client.h), and the shell
 * around it, which has no TLS and makes no connections.
 *
 *   talk_begin() ──▶ the session ──▶ over (by QUIT, a lost connection, no memory) ──▶
 * about.over() */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/pickup_smtpd.h"
#include "lib/base/sys.h"
#include "mail/smtp/client.h"
#include "src/pickup/pickup.h"

enum { READ_MOST = 32 * 1024 };

struct talk {
  struct pickup *pickup;
  struct talk_about about;
  int socket;
  struct loop_io *io;
  struct smtp_client *client;
  struct buf in;
  bool lost, over;
};

/* --- the shell --- */

static void lose(struct talk *s, enum close_reason why) {
  struct proto *p = &s->client->proto;
  s->lost = true;
  if (p->want != PROTO_CLOSE) smtp_client_ops.gone(p, why);
}

static void flush(struct talk *s, struct proto_turn *t) {
  struct buf *out = &s->client->proto.out;
  ssize_t n = send(s->socket, buf_slice(out).p, buf_len(out), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n > 0) buf_drop(out, (size_t)n);
  if (n < 0 && errno != EAGAIN && errno != EINTR) lose(s, CLOSE_PEER_GONE);
  t->blocked = n < 0 && errno == EAGAIN;
}

static void input(struct talk *s, struct proto_turn *t) {
  struct slice in = buf_slice(&s->in);
  size_t before = in.n;
  smtp_client_input(s->client, &in);
  buf_drop(&s->in, before - in.n);
  t->fed = in.n == before;
}

/* False: there is no input. */
static bool receive(struct talk *s, struct proto_turn *t) {
  uint8_t *to = buf_reserve(&s->in, READ_MOST);
  ssize_t n = to ? recv(s->socket, to, READ_MOST, MSG_DONTWAIT) : -1;
  if (to && n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n > 0) buf_added(&s->in, (size_t)n);
  if (n <= 0) lose(s, to ? CLOSE_PEER_GONE : CLOSE_NO_MEMORY);
  t->fed = false;
  return true;
}

/* False: it has to wait. */
static bool step(struct talk *s, struct proto_turn *t, int *want, bool *pause) {
  struct proto *p = &s->client->proto;
  t->in = buf_len(&s->in);
  switch (proto_next(p, t)) {
  case PROTO_DO_FLUSH: flush(s, t); return true;
  case PROTO_DO_PRODUCE: smtp_client_produce(s->client); return true;
  case PROTO_DO_INPUT: input(s, t); return true;
  case PROTO_DO_READ:
    if (receive(s, t)) return true;
    *want = LOOP_READ | (t->blocked ? LOOP_WRITE : 0);
    return false;
  case PROTO_DO_CLOSE: s->over = true; return false;
  case PROTO_DO_FAIL: lose(s, CLOSE_NO_MEMORY); return true;
  case PROTO_DO_PAUSE: *pause = true; return false;
  default: *want = t->blocked ? LOOP_WRITE : 0; return false;
  }
}

static void end(struct talk *s) {
  const struct talk_about about = s->about;
  talk_free(&s->pickup->talk);
  about.over(about.arg);
}

static void drive(struct talk *s) {
  struct proto_turn turn = { 0 };
  int want = 0;
  struct proto *p = &s->client->proto;
  bool pause = false;
  p->now_ms = loop_now(s->pickup->process->loop);
  while (!s->lost && step(s, &turn, &want, &pause)) {
  }
  if (s->over || s->lost) {
    end(s);
    return;
  }
  loop_io_want(s->io, want);
  if (pause || p->deadline_ms)
    loop_timer_set(s->pickup->talk_timer, pause ? p->now_ms : p->deadline_ms);
  else
    loop_timer_cancel(s->pickup->talk_timer);
}

static void on_io(void *arg, int ready) { drive(arg); }

void talk_on_timer(void *arg) {
  struct talk *s = ((struct pickup *)arg)->talk;
  if (!s) return;
  s->client->proto.now_ms = loop_now(s->pickup->process->loop);
  smtp_client_tick(s->client);
  drive(s);
}

/* --- the beginning and the end --- */

static bool open_session(struct talk *s) {
  struct pickup *p = s->pickup;
  struct smtp_client_start start = {
    .hello = p->process->conf->hostname,
    .host = "smtpd",
    .policy = { .tls = SMTP_TLS_NEVER },
    .source = s->about.source,
    .now_ms = loop_now(p->process->loop),
  };
  sys_random(start.nonce, sizeof start.nonce);
  s->client = smtp_client_new(&start);
  if (s->client) s->io = loop_io_new(p->process->loop, s->socket, on_io, s);
  return s->io != NULL;
}

static bool connect_to_smtpd(struct talk *s) {
  struct process *r = s->pickup->process;
  struct buf b;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return false;
  s->socket = ends[0];
  if (!open_session(s)) {
    close(ends[1]);
    return false;
  }
  buf_init(&b, 64);
  pickup_submit_put(
      &b, &(struct pickup_submit){ s->about.uid, slice_of(s->about.id, sizeof s->about.id) });
  process_send(r, ROLE_SMTPD, process_single(r, ROLE_SMTPD), pickup_submit_type, 0, buf_slice(&b),
               ends[1]);
  buf_free(&b);
  return true;
}

bool talk_begin(struct pickup *p, const struct talk_about *about) {
  struct talk *s = calloc(1, sizeof *s);
  if (!s) return false;
  *s = (struct talk){ .pickup = p, .about = *about, .socket = -1 };
  buf_init(&s->in, READ_MOST + SMTP_CLIENT_IN);
  p->talk = s;
  if (connect_to_smtpd(s)) return true;
  talk_free(&p->talk);
  return false;
}

void talk_free(struct talk **talk) {
  struct talk *s = *talk;
  if (!s) return;
  *talk = NULL;
  loop_timer_cancel(s->pickup->talk_timer);
  smtp_client_free(&s->client);
  loop_io_free(&s->io);
  if (s->socket >= 0) close(s->socket);
  buf_free(&s->in);
  free(s);
}
