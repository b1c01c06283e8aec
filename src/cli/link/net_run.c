/* SPDX-License-Identifier: ISC */
/* The loop around a client session over a blocking connection (net.h): it carries out what
 * proto_next() says, and waits in poll() if there is nothing to do.
 *
 * Invariants:
 *   1. What the server sent before TLS is never given to the session after it (attack TL-1).
 *   2. The session's deadline ends each wait. Once the session has ended, NET_CLOSE_MS does.
 *   3. When the connection is over nothing more is sent, and the session has been notified. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "lib/base/bug.h"
#include "lib/base/sys.h"
#include "src/cli/link/net.h"

enum { PIECE = 32 * 1024 };

/* --- octets --- */

/* The connection is over; the reason is in n->error. */
static void lose(struct net *n, const struct net_driven *d, enum close_reason reason) {
  if (d->session->want != PROTO_CLOSE) d->ops->gone(d->session, reason);
  buf_reset(&d->session->out);
}

static void lose_tls(struct net *n, const struct net_driven *d) {
  net_fail(n, "%s: TLS: %s", n->url.host, tls_reason(n->tls));
  lose(n, d, CLOSE_PEER_GONE);
}

static void lose_socket(struct net *n, const struct net_driven *d) {
  net_fail(n, "%s: %s", n->url.host, strerror(errno));
  lose(n, d, CLOSE_PEER_GONE);
}

/* The number of octets of `s` that were sent. */
static size_t write_some(struct net *n, const struct net_driven *d, struct slice s) {
  n->write_wants = POLLOUT;
  if (n->tls) {
    size_t done = 0;
    enum tls_result r = tls_write(n->tls, s, &done);
    if (r == TLS_WANT_READ) n->write_wants = POLLIN;
    if (r == TLS_ERROR || r == TLS_CLOSED) lose_tls(n, d);
    return r == TLS_DONE ? s.n : done;
  }
  ssize_t r = send(n->fd, s.p, s.n, MSG_NOSIGNAL);
  if (r < 0 && errno != EAGAIN && errno != EINTR) lose_socket(n, d);
  return r > 0 ? (size_t)r : 0;
}

/* True: something came, or the connection is lost. */
static bool read_tls(struct net *n, const struct net_driven *d, uint8_t *to) {
  size_t got = 0;
  enum tls_result r = tls_read(n->tls, to, PIECE, &got);
  buf_added(&n->in, got);
  n->read_wants = r == TLS_WANT_WRITE ? POLLOUT : POLLIN;
  if (r == TLS_WANT_READ || r == TLS_WANT_WRITE) return false;
  if (r != TLS_DONE) lose_tls(n, d);
  return true;
}

static bool read_plain(struct net *n, const struct net_driven *d, uint8_t *to) {
  ssize_t r = recv(n->fd, to, PIECE, 0);
  n->read_wants = POLLIN;
  if (r < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (r < 0) lose_socket(n, d);
  if (r > 0) buf_added(&n->in, (size_t)r);
  if (r != 0) return true;
  net_fail(n, "%s closed the connection", n->url.host);
  lose(n, d, CLOSE_PEER_GONE);
  return true;
}

static bool read_some(struct net *n, const struct net_driven *d) {
  uint8_t *to = buf_reserve(&n->in, PIECE);
  if (to) return n->tls ? read_tls(n, d, to) : read_plain(n, d, to);
  net_fail(n, "%s sends more than is asked for", n->url.host);
  lose(n, d, CLOSE_PEER_GONE);
  return true;
}

/* If the session has no deadline of its own, that of a handshake is used. */
static void wait_for_peer(struct net *n, const struct net_driven *d, int events) {
  uint64_t deadline = n->closing ? n->end_ms : d->session->deadline_ms;
  uint64_t until = deadline ? deadline : sys_mono_ms() + (uint64_t)n->secure_ms;
  if (net_poll(n, (short)events, until) || (deadline && !n->closing)) return;
  net_fail(n, "%s did not answer in time", n->url.host);
  lose(n, d, CLOSE_PEER_GONE);
}

/* --- what proto_next() asks for; false: net_run() returns --- */

static bool do_await(struct net *n, const struct net_driven *d, struct proto_turn *t) {
  enum net_idle what = d->idle ? d->idle(d->arg) : NET_WAIT;
  BUG_IF(what == NET_WAIT, "%s: the session waits for us", n->url.host);
  *t = (struct proto_turn){ 0 };
  return what == NET_GO;
}

static bool do_flush(struct net *n, const struct net_driven *d, struct proto_turn *t) {
  struct buf *out = &d->session->out;
  size_t done = write_some(n, d, buf_slice(out));
  t->blocked = done == 0;
  if (!n->over) buf_drop(out, done);
  return true;
}

static bool do_drain(struct net *n, const struct net_driven *d, struct proto_turn *t) {
  wait_for_peer(n, d, n->write_wants);
  t->blocked = false;
  return true;
}

static bool do_produce(struct net *n, const struct net_driven *d, struct proto_turn *t) {
  d->ops->produce(d->session);
  return true;
}

static bool do_input(struct net *n, const struct net_driven *d, struct proto_turn *t) {
  struct slice in = buf_slice(&n->in);
  size_t before = in.n;
  d->ops->input(d->session, &in);
  buf_drop(&n->in, before - in.n);
  t->fed = in.n == before;
  return true;
}

static bool do_read(struct net *n, const struct net_driven *d, struct proto_turn *t) {
  enum net_idle what = d->idle ? d->idle(d->arg) : NET_WAIT;
  if (what != NET_WAIT) {
    *t = (struct proto_turn){ 0 };
    return what == NET_GO;
  }
  if (read_some(n, d)) {
    t->fed = false;
    return true;
  }
  wait_for_peer(n, d, n->read_wants | (t->blocked ? n->write_wants : 0));
  t->blocked = false;
  return true;
}

static bool do_tls(struct net *n, const struct net_driven *d, struct proto_turn *t) {
  if (!net_start_tls(n)) {
    d->ops->gone(d->session, CLOSE_TLS_FAILED);
    return true;
  }
  const struct proto_secured tls = { tls_version_name(n->tls), tls_cipher_name(n->tls) };
  d->session->now_ms = sys_mono_ms();
  d->ops->secured(d->session, &tls);
  return true;
}

static bool do_injected(struct net *n, const struct net_driven *d, struct proto_turn *t) {
  net_fail(n, "%s spoke before TLS was there; someone may sit in between", n->url.host);
  lose(n, d, CLOSE_TLS_INJECTION);
  return true;
}

static bool do_close(struct net *n, const struct net_driven *d, struct proto_turn *t) {
  return false;
}

static bool do_fail(struct net *n, const struct net_driven *d, struct proto_turn *t) {
  net_fail(n, "no memory");
  lose(n, d, CLOSE_NO_MEMORY);
  return true;
}

/* There are no other sessions to yield to. */
static bool do_pause(struct net *n, const struct net_driven *d, struct proto_turn *t) {
  t->work = 0;
  return true;
}

static bool (*const actions[PROTO_ACTIONS])(struct net *, const struct net_driven *,
                                            struct proto_turn *) = {
  [PROTO_DO_ASK] = do_await, /* a client session asks nothing */
  [PROTO_DO_AWAIT] = do_await,       [PROTO_DO_FLUSH] = do_flush, [PROTO_DO_DRAIN] = do_drain,
  [PROTO_DO_PRODUCE] = do_produce,   [PROTO_DO_INPUT] = do_input, [PROTO_DO_READ] = do_read,
  [PROTO_DO_TLS] = do_tls,           [PROTO_DO_CLOSE] = do_close, [PROTO_DO_FAIL] = do_fail,
  [PROTO_DO_INJECTED] = do_injected, [PROTO_DO_PAUSE] = do_pause,
};

/* --- the loop --- */

/* A session that ended by time-out has nothing more to send. */
static void keep_time(struct net *n, const struct net_driven *d) {
  struct proto *p = d->session;
  p->now_ms = sys_mono_ms();
  if (p->want == PROTO_CLOSE || !p->deadline_ms || p->now_ms < p->deadline_ms) return;
  d->ops->tick(p);
  if (p->want != PROTO_CLOSE) return;
  n->over = true;
  buf_reset(&p->out);
}

void net_run(struct net *n, const struct net_driven *d) {
  struct proto_turn turn = { 0 };
  bool goes_on = true;
  while (goes_on) {
    keep_time(n, d);
    if (d->session->want == PROTO_CLOSE && !n->closing) {
      n->closing = true;
      n->end_ms = sys_mono_ms() + NET_CLOSE_MS;
    }
    turn.in = buf_len(&n->in);
    goes_on = actions[proto_next(d->session, &turn)](n, d, &turn);
  }
}
