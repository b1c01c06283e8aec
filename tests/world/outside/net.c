/* SPDX-License-Identifier: ISC */
#include "tests/world/outside/net.h"

#include <errno.h>

#include "lib/base/sys.h"
#include "runtime/dial/socket.h"
#include "lib/ev/loop.h"
#include "tests/world/must.h"

enum tls_state { CLEAR, HELLO, SECURE, BROKEN };

struct net_conn {
  struct net *net;
  int fd;
  struct loop_io *io;
  void *actor;       /* NULL: nobody is there */
  int error;         /* of connecting, or after a reset */
  bool open;         /* connected */
  bool ended, reset; /* the far side said so; seen by us once `in` is empty */
  enum tls_state tls;
  bool hello_came; /* the far side has answered the handshake; not seen yet */
  struct buf out, coming, in;
  uint64_t put, taken;
  bool ready_due, out_due, coming_due;
  char connect, ready, leave, come, hello; /* names of its events */
};

static struct net *network;

void net_use(struct net *n) { network = n; }

#define CONN(arg, event) \
  ((struct net_conn *)(void *)((char *)(arg)-offsetof(struct net_conn, event)))

static struct net_conn *conn_of(int fd) {
  size_t at = (size_t)(fd - NET_FIRST_FD);
  return network && fd >= NET_FIRST_FD && at < NET_CONNS_MAX ? network->conns[at] : NULL;
}

static bool chance(struct net_conn *c, unsigned of, unsigned in) {
  return rng_chance(&c->net->rng, of, in);
}

static uint64_t moment(struct net_conn *c) {
  return chance(c, 1, 12) ? rng_below(&c->net->rng, 400) : rng_below(&c->net->rng, 3);
}

/* --- readiness --- */

static int ready(const struct net_conn *c) {
  int r = 0;
  if (buf_len(&c->in) || c->ended || c->error) r |= LOOP_READ;
  if ((c->open && buf_len(&c->out) < NET_PIPE) || c->ended || c->error) r |= LOOP_WRITE;
  if (c->hello_came) r |= LOOP_READ;
  return r;
}

static void on_ready(void *arg);

static void poke(struct net_conn *c) {
  if (c->ready_due || !c->io || !(ready(c) & guest_io_wants(c->io))) return;
  c->ready_due = true;
  world_after(c->net->w, 0, on_ready, &c->ready);
}

static void on_ready(void *arg) {
  struct net_conn *c = CONN(arg, ready);
  struct net *n = c->net;
  int fd = c->fd;
  c->ready_due = false;
  if (!c->io || !(ready(c) & guest_io_wants(c->io))) return;
  guest_io(c->io, ready(c) & guest_io_wants(c->io));
  if (n->conns[fd - NET_FIRST_FD] == c) poke(c);
}

void net_watch(int fd, struct loop_io *io) {
  struct net_conn *c = conn_of(fd);
  if (!c) return;
  c->io = io;
  poke(c);
}

/* --- the far side --- */

static void come(void *arg);

void net_put(struct net_conn *c, struct slice octets) {
  if (c->ended) return;
  buf_put(&c->coming, octets);
  c->put += octets.n;
  if (c->coming_due || !buf_len(&c->coming)) return;
  c->coming_due = true;
  world_after(c->net->w, moment(c), come, &c->come);
}

uint64_t net_put_total(const struct net_conn *c) { return c->put; }

static void come(void *arg) {
  struct net_conn *c = CONN(arg, come);
  c->coming_due = false;
  size_t n = buf_len(&c->coming);
  if (n > 1 && chance(c, 1, 3)) n = rng_between(&c->net->rng, 1, n);
  buf_put(&c->in, slice_first(buf_slice(&c->coming), n));
  buf_drop(&c->coming, n);
  if (buf_len(&c->coming)) {
    c->coming_due = true;
    world_after(c->net->w, moment(c), come, &c->come);
  }
  poke(c);
}

void net_end(struct net_conn *c, bool reset) {
  if (c->ended) return;
  c->ended = true;
  buf_put(&c->in, buf_slice(&c->coming));
  buf_reset(&c->coming);
  if (reset) {
    c->reset = true;
    if (chance(c, 1, 2)) buf_reset(&c->in);
  }
  poke(c);
}

bool net_ended(const struct net_conn *c) { return c->ended; }

static void leave(void *arg) {
  struct net_conn *c = CONN(arg, leave);
  struct net *n = c->net;
  size_t at = (size_t)(c->fd - NET_FIRST_FD);
  c->out_due = false;
  size_t most = buf_len(&c->out);
  if (most > 1 && chance(c, 1, 2))
    most = rng_between(&n->rng, 1, chance(c, 1, 3) && most > 8 ? 8 : most);
  struct buf some;
  buf_init(&some, NET_PIPE);
  buf_put(&some, slice_first(buf_slice(&c->out), most));
  buf_drop(&c->out, most);
  if (!c->ended) n->far.input(c->actor, buf_slice(&some));
  buf_free(&some);
  if (n->conns[at] != c) return;
  if (buf_len(&c->out) && !c->out_due) {
    c->out_due = true;
    world_after(n->w, moment(c), leave, &c->leave);
  }
  poke(c);
}

/* --- runtime/dial/socket.h --- */

static void on_connect(void *arg) {
  struct net_conn *c = CONN(arg, connect);
  if (!c->error) {
    c->open = true;
    c->net->far.open(c->actor);
  }
  poke(c);
}

static struct net_conn *conn_new(void) {
  struct net_conn *c = must_alloc(sizeof *c);
  c->net = network;
  buf_init(&c->out, NET_PIPE);
  buf_init(&c->coming, SIZE_MAX / 4);
  buf_init(&c->in, SIZE_MAX / 4);
  for (size_t i = 0; i < NET_CONNS_MAX; i++) {
    if (network->conns[i]) continue;
    network->conns[i] = c;
    network->open++;
    c->fd = NET_FIRST_FD + (int)i;
    return c;
  }
  abort();
}

int dial_connect(const struct dial_address *to, const struct dial_address *from) {
  struct net_conn *c = conn_new();
  switch (network->far.connect(network->far.arg, to, c, &c->actor)) {
  case NET_REFUSES: c->error = ECONNREFUSED; break;
  case NET_UNREACHABLE:
    dial_socket_close(c->fd);
    errno = ENETUNREACH;
    return -1;
  case NET_SILENT: return c->fd;
  case NET_TAKES: break;
  }
  world_after(network->w, moment(c), on_connect, &c->connect);
  return c->fd;
}

int dial_socket_error(int fd) { return conn_of(fd)->error; }

ssize_t dial_socket_read(int fd, void *to, size_t n) {
  struct net_conn *c = conn_of(fd);
  size_t have = buf_len(&c->in);
  if (!have && c->reset) errno = ECONNRESET;
  if (!have) {
    if (!c->ended) errno = EAGAIN;
    return c->ended && !c->reset ? 0 : -1;
  }
  if (n > have) n = have;
  if (n > 1 && chance(c, 1, 4)) n = rng_between(&c->net->rng, 1, n);
  memcpy(to, buf_slice(&c->in).p, n);
  buf_drop(&c->in, n);
  c->taken += n;
  c->net->far.taken(c->actor, c->taken);
  return (ssize_t)n;
}

ssize_t dial_socket_write(int fd, struct slice s) {
  struct net_conn *c = conn_of(fd);
  size_t room = NET_PIPE - buf_len(&c->out);
  if (c->ended) { /* the far kernel answers with a reset: a write or two pass */
    if (!c->reset && chance(c, 1, 2)) return (ssize_t)s.n;
    errno = c->reset ? ECONNRESET : EPIPE;
    return -1;
  }
  if (!room) {
    errno = EAGAIN;
    return -1;
  }
  size_t n = s.n < room ? s.n : room;
  if (n > 1 && chance(c, 1, 6)) n = rng_between(&c->net->rng, 1, n);
  buf_put(&c->out, slice_first(s, n));
  if (!c->out_due) {
    c->out_due = true;
    world_after(c->net->w, moment(c), leave, &c->leave);
  }
  return (ssize_t)n;
}

/* What was written before may still arrive. */
void dial_socket_close(int fd) {
  struct net_conn *c = conn_of(fd);
  struct net *n = c->net;
  if (c->open && !c->ended && buf_len(&c->out) && chance(c, 3, 4))
    n->far.input(c->actor, buf_slice(&c->out));
  char *events[] = { &c->connect, &c->ready, &c->leave, &c->come, &c->hello };
  for (size_t i = 0; i < sizeof events / sizeof *events; i++) world_cancel(n->w, events[i]);
  if (c->actor) n->far.gone(c->actor);
  n->conns[fd - NET_FIRST_FD] = NULL;
  n->open--;
  buf_free(&c->out), buf_free(&c->coming), buf_free(&c->in);
  free(c);
}

/* --- lib/tls/tls.h, the client's side --- */

struct tls_client {
  char any;
};

struct tls_client *tls_client_new(const struct tls_client_options *options, struct buf *err) {
  return must_alloc(sizeof(struct tls_client));
}

void tls_client_free(struct tls_client **c) {
  free(*c);
  *c = NULL;
}

struct tls_conn {
  int fd;
};

struct tls_conn *tls_connect(struct tls_client *c, int fd, const char *host) {
  struct tls_conn *t = must_alloc(sizeof *t);
  t->fd = fd;
  return t;
}

void tls_conn_free(struct tls_conn **t) {
  free(*t);
  *t = NULL;
}

static void on_hello(void *arg) {
  struct net_conn *c = CONN(arg, hello);
  if (c->ended) return;
  enum net_tls says = c->net->far.hello(c->actor);
  if (says == NET_STALLS) return;
  c->tls = says == NET_SECURE ? SECURE : BROKEN;
  c->hello_came = true;
  poke(c);
}

enum tls_result tls_handshake(struct tls_conn *t) {
  struct net_conn *c = conn_of(t->fd);
  c->hello_came = false;
  if (c->tls == SECURE) return TLS_DONE;
  if (c->tls == BROKEN || c->ended) return TLS_ERROR;
  if (c->tls == CLEAR) {
    c->tls = HELLO;
    world_after(c->net->w, moment(c), on_hello, &c->hello);
  }
  return TLS_WANT_READ;
}

enum tls_result tls_read(struct tls_conn *t, void *to, size_t n, size_t *ret_n) {
  ssize_t got = dial_socket_read(t->fd, to, n);
  *ret_n = got > 0 ? (size_t)got : 0;
  if (got > 0) return TLS_DONE;
  if (got == 0) return TLS_CLOSED;
  return errno == EAGAIN ? TLS_WANT_READ : TLS_ERROR;
}

enum tls_result tls_write(struct tls_conn *t, struct slice s, size_t *ret_n) {
  ssize_t sent = dial_socket_write(t->fd, s);
  *ret_n = sent > 0 ? (size_t)sent : 0;
  if (sent < 0) return errno == EAGAIN ? TLS_WANT_WRITE : TLS_ERROR;
  return (size_t)sent == s.n ? TLS_DONE : TLS_WANT_WRITE;
}

enum tls_result tls_shutdown(struct tls_conn *t) { return TLS_DONE; }
const char *tls_reason(const struct tls_conn *t) { return "the connection was lost"; }
const char *tls_cipher_name(const struct tls_conn *t) { return "TLS_AES_256_GCM_SHA384"; }
const char *tls_version_name(const struct tls_conn *t) { return "TLSv1.3"; }
bool tls_binds(const struct tls_conn *t) { return false; }
size_t tls_binding_exporter(struct tls_conn *t, uint8_t *to) { return 0; }
size_t tls_binding_end_point(struct tls_conn *t, uint8_t *to) { return 0; }

/* --- lib/base/sys.h: the world's clock, and chance of the run's own seed, so that a run can be had
 * again --- */

uint64_t sys_mono_ms(void) { return network ? world_now(network->w) : 0; }
int64_t sys_wall_s(void) { return network ? world_wall_s(network->w) : 0; }
int64_t sys_wall_us(void) { return sys_wall_s() * 1000000; }

void sys_random(void *p, size_t n) {
  static struct rng before = { { 1, 2, 3, 4 } }; /* there is no network yet */
  struct rng *rng = network ? &network->rng : &before;
  for (size_t i = 0; i < n; i++) ((uint8_t *)p)[i] = (uint8_t)rng_next(rng);
}
