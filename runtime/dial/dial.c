/* SPDX-License-Identifier: ISC */
/* An outgoing connection: the shell around a client session. The states are in dial.h.
 *
 * Invariants:
 *   1. over() is called once, as the last act of a turn; it is the last call of dial_ops.
 *   2. The session is never called from inside dial_new() or dial_wake().
 *   3. Octets that were received before a handshake never reach the session after it.
 *   4. A turn does a bounded amount of work, then yields to other connections. */
#include "runtime/dial/dial.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/dial/socket.h"

enum { READ_MOST = 32 * 1024 };

enum state { CONNECTING, SECURING, TALKING, CLOSING, OVER };

struct dial {
  struct loop *loop;
  struct loop_io *io;
  struct loop_timer *timer;
  struct loop_later wake;
  struct dial_ops ops;
  struct dial_address addresses[DIAL_ADDRESSES_MAX], peer;
  size_t count, next;
  struct dial_address source; /* n 0: any */
  char host[256];
  bool tls_first;
  struct tls_client *client;
  struct tls_conn *tls;
  int fd;
  enum state state;
  bool secure;           /* the handshake is done */
  bool lost;             /* nothing more can be read or sent */
  struct proto *session; /* its owner frees it */
  struct buf in;
  int read_wants, write_wants; /* what the last read and the last write wait for */
  char tls_version[16];
  uint64_t until_ms; /* of the state */
  uint64_t connect_ms;
  int failure; /* errno of the last connect() that failed */
  char why[DIAL_WHY_MAX];
};

/* --- words, and the end --- */

__attribute__((format(printf, 2, 3))) static void set_error(struct dial *d, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(d->why, sizeof d->why, fmt, ap);
  va_end(ap);
}

static void report_address(struct dial *d, const char *what) {
  struct buf b;
  buf_init(&b, 64);
  dial_address_put(&d->peer, &b);
  set_error(d, "%.*s port %u: %s", SLICE_ARG(buf_slice(&b)), d->peer.port, what);
  buf_free(&b);
}

static void close_socket(struct dial *d) {
  loop_io_free(&d->io);
  tls_conn_free(&d->tls);
  if (d->fd >= 0) dial_socket_close(d->fd);
  d->fd = -1;
  d->secure = false;
}

static void end(struct dial *d, enum dial_end how) {
  if (d->state == OVER) return;
  d->state = OVER;
  close_socket(d);
  loop_timer_cancel(d->timer);
  loop_later_cancel(d->loop, &d->wake);
  d->ops.over(d->ops.arg, how, d->why);
}

static void wait_for(struct dial *d, int what) {
  if (d->io) loop_io_want(d->io, what);
}

static void enter(struct dial *d, enum state state, uint64_t ms) {
  d->state = state;
  d->until_ms = loop_now(d->loop) + ms;
}

/* --- connecting --- */

static void drive(struct dial *d);
static void on_io(void *arg, int ready) { drive(arg); }

/* Tries the next address, or ends. */
static void try_next(struct dial *d) {
  while (d->next < d->count) {
    close_socket(d);
    d->tls_version[0] = 0;
    d->peer = d->addresses[d->next++];
    d->fd = dial_connect(&d->peer, d->source.n ? &d->source : NULL);
    if (d->fd >= 0) d->io = loop_io_new(d->loop, d->fd, on_io, d);
    if (d->io) {
      enter(d, CONNECTING, d->connect_ms);
      wait_for(d, LOOP_WRITE);
      loop_timer_set(d->timer, d->until_ms);
      return;
    }
    d->failure = d->fd >= 0 ? ENOMEM : errno;
    report_address(d, d->fd >= 0 ? "no memory" : strerror(errno));
  }
  end(d, DIAL_NO_ANSWER);
}

static void talk(struct dial *d) {
  d->state = TALKING;
  if (d->session) {
    const struct proto_secured tls = { tls_version_name(d->tls), tls_cipher_name(d->tls) };
    d->ops.session->secured(d->session, &tls);
    return;
  }
  d->session = d->ops.ready(d->ops.arg);
  if (!d->session) end(d, DIAL_NO_SESSION);
}

static void connected(struct dial *d) {
  int why = dial_socket_error(d->fd);
  if (why) {
    d->failure = why;
    report_address(d, strerror(why));
    try_next(d);
  } else if (d->tls_first) {
    enter(d, SECURING, DIAL_SECURE_MS);
  } else {
    talk(d);
  }
}

/* --- TLS --- */

static void not_secure(struct dial *d, const char *why) {
  set_error(d, "TLS with %s: %s", d->host, why);
  if (!d->session) {
    end(d, DIAL_NOT_SECURE);
    return;
  }
  d->lost = true;
  d->state = TALKING;
  d->ops.session->gone(d->session, CLOSE_TLS_FAILED);
}

/* False: it has to wait. */
static bool secure(struct dial *d) {
  if (!d->tls) d->tls = d->client ? tls_connect(d->client, d->fd, d->host) : NULL;
  if (!d->tls) {
    not_secure(d, "no memory");
    return true;
  }
  enum tls_result r = tls_handshake(d->tls);
  if (r == TLS_WANT_READ || r == TLS_WANT_WRITE) {
    wait_for(d, r == TLS_WANT_READ ? LOOP_READ : LOOP_WRITE);
    return false;
  }
  if (r == TLS_DONE) {
    d->secure = true;
    snprintf(d->tls_version, sizeof d->tls_version, "%s", tls_version_name(d->tls));
    talk(d);
  } else {
    not_secure(d, tls_reason(d->tls));
  }
  return true;
}

void dial_bindings(struct dial *d, struct proto_bindings *ret) {
  *ret = (struct proto_bindings){ 0 };
  if (!d->secure) return;
  ret->exporter_n = tls_binds(d->tls) ? tls_binding_exporter(d->tls, ret->exporter) : 0;
  ret->end_point_n = tls_binding_end_point(d->tls, ret->end_point);
}

const char *dial_tls_version(const struct dial *d) { return d->tls_version; }

/* --- octets --- */

/* Nothing more can be read or sent. */
static void lose(struct dial *d, enum close_reason reason, const char *why) {
  if (d->lost) return;
  d->lost = true;
  set_error(d, "%s: %s", d->host, why);
  if (d->session->want != PROTO_CLOSE) d->ops.session->gone(d->session, reason);
}

/* The number of octets of `s` that were sent. */
static size_t write_some(struct dial *d, struct slice s) {
  d->write_wants = LOOP_WRITE;
  if (d->secure) {
    size_t n = 0;
    enum tls_result r = tls_write(d->tls, s, &n);
    if (r == TLS_WANT_READ) d->write_wants = LOOP_READ;
    if (r == TLS_ERROR || r == TLS_CLOSED) lose(d, CLOSE_PEER_GONE, tls_reason(d->tls));
    return r == TLS_DONE ? s.n : n;
  }
  ssize_t n = dial_socket_write(d->fd, s);
  if (n >= 0) return (size_t)n;
  if (errno != EAGAIN && errno != EINTR) lose(d, CLOSE_PEER_GONE, strerror(errno));
  return 0;
}

/* True: there are octets, or the connection is lost. */
static bool read_plain(struct dial *d, uint8_t *to, size_t *ret_n) {
  ssize_t n = dial_socket_read(d->fd, to, READ_MOST);
  d->read_wants = LOOP_READ;
  *ret_n = n > 0 ? (size_t)n : 0;
  if (n > 0) return true;
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  lose(d, CLOSE_PEER_GONE, n == 0 ? "the server closed the connection" : strerror(errno));
  return true;
}

static bool read_tls(struct dial *d, uint8_t *to, size_t *ret_n) {
  enum tls_result r = tls_read(d->tls, to, READ_MOST, ret_n);
  d->read_wants = r == TLS_WANT_WRITE ? LOOP_WRITE : LOOP_READ;
  if (r == TLS_DONE) return true;
  if (r == TLS_WANT_READ || r == TLS_WANT_WRITE) return false;
  lose(d, CLOSE_PEER_GONE, tls_reason(d->tls));
  return true;
}

static bool read_some(struct dial *d) {
  size_t n = 0;
  if (buf_room(&d->in) < READ_MOST) {
    lose(d, CLOSE_PEER_GONE, "it sends lines without end");
    return true;
  }
  uint8_t *to = buf_reserve(&d->in, READ_MOST);
  if (!to) {
    lose(d, CLOSE_NO_MEMORY, "no memory");
    return true;
  }
  bool got = d->secure ? read_tls(d, to, &n) : read_plain(d, to, &n);
  buf_added(&d->in, n);
  return got;
}

/* --- what proto_next() asks for; false: it waits, or is over --- */

static bool do_wait(struct dial *d, struct proto_turn *t) {
  wait_for(d, t->blocked ? d->write_wants : 0);
  return false;
}

static bool do_flush(struct dial *d, struct proto_turn *t) {
  struct buf *out = &d->session->out;
  size_t before = buf_len(out);
  buf_drop(out, write_some(d, buf_slice(out)));
  t->blocked = buf_len(out) == before;
  return true;
}

static bool do_produce(struct dial *d, struct proto_turn *t) {
  d->ops.session->produce(d->session);
  return true;
}

static bool do_input(struct dial *d, struct proto_turn *t) {
  struct slice in = buf_slice(&d->in);
  size_t before = in.n;
  d->ops.session->input(d->session, &in);
  buf_drop(&d->in, before - in.n);
  t->fed = in.n == before;
  return true;
}

static bool do_read(struct dial *d, struct proto_turn *t) {
  if (read_some(d)) {
    t->fed = false;
    return true;
  }
  wait_for(d, (t->blocked ? d->write_wants : 0) | d->read_wants);
  return false;
}

static bool do_tls(struct dial *d, struct proto_turn *t) {
  enter(d, SECURING, DIAL_SECURE_MS);
  return true;
}

static bool do_injected(struct dial *d, struct proto_turn *t) {
  d->lost = true;
  d->ops.session->gone(d->session, CLOSE_TLS_INJECTION);
  return true;
}

static bool do_close(struct dial *d, struct proto_turn *t) {
  if (d->secure) tls_shutdown(d->tls); /* RFC 8446 §6.1: also in answer to the server's */
  end(d, DIAL_SESSION_ENDED);
  return false;
}

static bool do_fail(struct dial *d, struct proto_turn *t) {
  lose(d, CLOSE_NO_MEMORY, "no memory"); /* `out` is emptied by the next step */
  return true;
}

static bool (*const actions[PROTO_ACTIONS])(struct dial *d, struct proto_turn *t) = {
  [PROTO_DO_ASK] = do_wait, /* a client session asks nothing */
  [PROTO_DO_AWAIT] = do_wait,      [PROTO_DO_FLUSH] = do_flush,       [PROTO_DO_DRAIN] = do_wait,
  [PROTO_DO_PRODUCE] = do_produce, [PROTO_DO_INPUT] = do_input,       [PROTO_DO_READ] = do_read,
  [PROTO_DO_TLS] = do_tls,         [PROTO_DO_INJECTED] = do_injected, [PROTO_DO_CLOSE] = do_close,
  [PROTO_DO_FAIL] = do_fail,
};

/* --- the loop around the session --- */

/* One action. *ret_pause: it has more to do, in the loop's next turn. */
static bool step(struct dial *d, struct proto_turn *t, bool *ret_pause) {
  struct proto *p = d->session;
  if (d->lost) buf_reset(&p->out);
  if (p->want == PROTO_CLOSE && d->state != CLOSING) enter(d, CLOSING, DIAL_CLOSE_MS);
  if (d->lost && p->want != PROTO_CLOSE) { /* until its sink allows it to end */
    wait_for(d, 0);
    return false;
  }
  t->in = buf_len(&d->in);
  enum proto_action next = proto_next(p, t);
  *ret_pause = next == PROTO_DO_PAUSE;
  return !*ret_pause && actions[next](d, t);
}

static uint64_t session_deadline(const struct dial *d) {
  return d->state == TALKING && d->session ? d->session->deadline_ms : d->until_ms;
}

static void keep_time(struct dial *d, bool busy) {
  if (d->state == OVER) return;
  uint64_t at = busy ? loop_now(d->loop) : session_deadline(d);
  if (at)
    loop_timer_set(d->timer, at);
  else
    loop_timer_cancel(d->timer);
}

static void late(struct dial *d) {
  if (d->state == CONNECTING) {
    d->failure = ETIMEDOUT;
    report_address(d, "it did not answer in time");
    try_next(d);
  } else if (d->state == SECURING) {
    not_secure(d, "it did not answer in time");
  } else if (d->state == CLOSING) {
    d->lost = true;
  } else if (d->session) {
    d->ops.session->tick(d->session);
  }
}

static void drive(struct dial *d) {
  struct proto_turn turn = { 0 };
  bool goes_on = true, pause = false;
  while (goes_on && d->state != OVER) {
    if (d->session) d->session->now_ms = loop_now(d->loop);
    if (d->state == CONNECTING)
      connected(d);
    else if (d->state == SECURING)
      goes_on = secure(d);
    else
      goes_on = step(d, &turn, &pause);
    if (d->state == CONNECTING) goes_on = false; /* another attempt has begun */
  }
  keep_time(d, pause);
}

static void on_timer(void *arg) {
  struct dial *d = arg;
  uint64_t now = loop_now(d->loop), at = session_deadline(d);
  if (d->session) d->session->now_ms = now;
  if (at && now >= at) late(d);
  if (d->state != OVER && d->state != CONNECTING) drive(d);
}

static void on_wake(void *arg) {
  struct dial *d = arg;
  if (d->state == TALKING || d->state == CLOSING) drive(d);
}

void dial_wake(struct dial *d) {
  if (d->state != OVER) loop_later(d->loop, &d->wake);
}

/* --- life --- */

static void first_try(void *arg) {
  struct dial *d = arg;
  d->wake.fn = on_wake;
  try_next(d);
}

struct dial *dial_new(struct loop *loop, const struct dial_target *target,
                      const struct dial_ops *ops) {
  struct dial *d = calloc(1, sizeof *d);
  size_t host = strlen(target->host);
  if (!d || !target->count || host >= sizeof d->host) {
    free(d);
    return NULL;
  }
  d->loop = loop;
  d->ops = *ops;
  d->fd = -1;
  d->count = target->count < DIAL_ADDRESSES_MAX ? target->count : DIAL_ADDRESSES_MAX;
  memcpy(d->addresses, target->addresses, d->count * sizeof *d->addresses);
  memcpy(d->host, target->host, host + 1);
  d->tls_first = target->tls_first;
  d->connect_ms = target->connect_ms ? target->connect_ms : DIAL_CONNECT_MS;
  d->client = target->tls;
  if (target->source) d->source = *target->source;
  d->wake = (struct loop_later){ .fn = first_try, .arg = d };
  buf_init(&d->in, DIAL_IN + READ_MOST);
  d->timer = loop_timer_new(loop, on_timer, d);
  if (!d->timer) {
    free(d);
    return NULL;
  }
  loop_later(loop, &d->wake);
  return d;
}

void dial_free(struct dial **ptr) {
  struct dial *d = *ptr;
  if (!d) return;
  *ptr = NULL;
  loop_later_cancel(d->loop, &d->wake);
  close_socket(d);
  loop_timer_free(&d->timer);
  buf_wipe(&d->in);
  free(d);
}

int dial_failure(const struct dial *d) { return d->failure; }

struct dial_address dial_peer(const struct dial *d) {
  return d->peer;
}
