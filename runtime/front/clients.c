/* SPDX-License-Identifier: ISC */
/* The clients of this process: connections are accepted, counted, and closed to make room for
 * others.
 *
 * Invariants:
 *   1. A connection is in the list, in by_id and in per_address from conn_new() to conn_unlink(),
 *      which conn.c calls once.
 *   2. There are at most `most` connections, and at most conf->connections_per_address from one
 *      address; at most parked_limit octets are held for clients. The least valuable makes room. */
#include "runtime/front/private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/pickup_smtpd.h"

/* --- whose it is --- */

void conn_address_text(const struct conn *c, char *to, size_t n) {
  if (c->local)
    snprintf(to, n, "uid:%u", c->uid);
  else if (!inet_ntop(c->peer_len == 4 ? AF_INET : AF_INET6, c->peer, to, (socklen_t)n))
    snprintf(to, n, "unknown");
}

/* One counter for each address; IPv6 hosts own a /64. Multicast prefixes, which no client has, mark
 * IPv4 addresses and local users. */
uint64_t conn_address_key(const struct conn *c) {
  uint64_t key = 0;
  if (c->local) return c->uid | 0xff01000000000000u;
  for (size_t i = 0; i < (c->peer_len == 4 ? 4u : 8u); i++) key = key << 8 | c->peer[i];
  return c->peer_len == 4 ? key | 0xff00000000000000u : key;
}

static void set_local_address(struct conn *c) {
  static const uint8_t loopback[] = { 127, 0, 0, 1 };
  c->local = true;
  c->peer_len = sizeof loopback;
  memcpy(c->peer, loopback, sizeof loopback);
}

/* If the user cannot be determined: an id that no user has. */
static void set_local_peer(struct conn *c) {
  struct ucred who = { .uid = (uid_t)-1 };
  socklen_t len = sizeof who;
  if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0) who.uid = (uid_t)-1;
  set_local_address(c);
  c->uid = who.uid;
}

/* pickup has determined the owner of the file. */
static void set_dropper(struct conn *c, const struct pickup_submit *m) {
  set_local_address(c);
  c->uid = m->uid;
  c->has_drop = true;
  memcpy(c->drop, m->id.p, sizeof c->drop);
}

static void set_peer(struct conn *c, const struct sockaddr_storage *from) {
  if (from->ss_family == AF_UNIX) {
    set_local_peer(c);
  } else if (from->ss_family == AF_INET6) {
    const struct sockaddr_in6 *a = (const void *)from;
    bool mapped = IN6_IS_ADDR_V4MAPPED(&a->sin6_addr);
    c->peer_len = mapped ? 4 : 16;
    memcpy(c->peer, a->sin6_addr.s6_addr + (mapped ? 12 : 0), c->peer_len);
    c->peer_port = ntohs(a->sin6_port);
  } else {
    const struct sockaddr_in *a = (const void *)from;
    c->peer_len = 4;
    memcpy(c->peer, &a->sin_addr, 4);
    c->peer_port = ntohs(a->sin_port);
  }
}

/* --- the list --- */

static bool count_address(struct conn *c, int by) {
  uint64_t n = 0;
  map_get(&c->front->per_address, conn_address_key(c), &n);
  n += (uint64_t)(int64_t)by;
  if (n) return map_put(&c->front->per_address, conn_address_key(c), n);
  map_remove(&c->front->per_address, conn_address_key(c));
  return true;
}

static bool link_conn(struct conn *c) {
  struct front *f = c->front;
  if (!conn_wait_reserve(f) || !map_put_ptr(&f->by_id, c->id, c)) return false;
  if (!count_address(c, 1)) {
    map_remove(&f->by_id, c->id);
    return false;
  }
  c->older = f->newest;
  *(f->newest ? &f->newest->newer : &f->oldest) = c;
  f->newest = c;
  f->count++;
  f->accepted++;
  return true;
}

void conn_unlink(struct conn *c) {
  struct front *f = c->front;
  *(c->older ? &c->older->newer : &f->oldest) = c->newer;
  *(c->newer ? &c->newer->older : &f->newest) = c->older;
  map_remove(&f->by_id, c->id);
  count_address(c, -1);
  conn_wait_no_more(c);
  f->count--;
  if (!f->count) front_housekeeping(f);
}

/* `from`: the client's address; NULL: the connection comes from pickup. */
static struct conn *conn_new(struct front_listener *l, int fd, const struct sockaddr_storage *from,
                             const struct pickup_submit *drop) {
  struct front *f = l->front;
  struct conn *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  *c = (struct conn){ .front = f, .fd = fd, .listener = l->index, .id = ++f->next_id };
  if (drop)
    set_dropper(c, drop);
  else
    set_peer(c, from);
  c->io = loop_io_new(f->process->loop, fd, conn_on_io, c);
  if (!c->io || !link_conn(c)) {
    loop_io_free(&c->io);
    free(c);
    return NULL;
  }
  buf_init(&c->in, FRONT_IN_MAX);
  c->generation = f->generation;
  c->generation->refs++;
  c->since_ms = loop_now(f->process->loop);
  process_session_name(f->process, f->process->number, c->id, c->name);
  return c;
}

/* --- connections closed to make room --- */

/* Of the clients that occupy memory and do not read, the one blocked for longest; one that has
 * neither logged in nor a message under way is chosen first. */
static struct conn *longest_blocked(struct front *f) {
  struct conn *worst = NULL;
  bool worst_valuable = false;
  for (struct conn *c = f->oldest; c; c = c->newer) {
    if (!c->parked || !c->blocked) continue;
    bool valuable = c->proto && f->role->ops->valuable(c->proto);
    bool worse = !worst || (worst_valuable && !valuable) ||
                 (worst_valuable == valuable && c->blocked_ms < worst->blocked_ms);
    if (!worse) continue;
    worst = c;
    worst_valuable = valuable;
  }
  return worst;
}

void conn_relieve(struct front *f) {
  while (f->parked > f->generation->conf->parked_limit) {
    struct conn *worst = longest_blocked(f);
    if (!worst) return;
    conn_end(worst, CLOSE_PARKED);
  }
}

/* The oldest that has neither logged in nor begun a message is closed to make room; NULL: there is
 * none. */
static struct conn *least_valuable(struct front *f) {
  for (struct conn *c = f->oldest; c; c = c->newer) {
    if (!c->proto) return c;
    c->proto->now_ms = loop_now(f->process->loop);
    if (!f->role->ops->valuable(c->proto)) return c;
  }
  return NULL;
}

/* Without TLS, and if the socket takes it. */
static void send_busy(const struct front_listener *l, int fd) {
  if (l->implicit_tls) return;
  struct buf b;
  buf_init(&b, 1024);
  l->front->role->busy(l->front->generation->services[l - l->front->listeners], &b);
  ssize_t n = send(fd, buf_slice(&b).p, buf_len(&b), MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)n;
  buf_free(&b);
}

static void refuse(struct front_listener *l, int fd, enum close_reason why) {
  l->front->refused++;
  l->front->closed_by[why]++;
  notice_limit(l->front, NULL, l->service, why);
  send_busy(l, fd);
  close(fd);
}

static bool over_address_limit(struct conn *c) {
  uint64_t n = 0;
  map_get(&c->front->per_address, conn_address_key(c), &n);
  return n > c->generation->conf->connections_per_address;
}

static void welcome(struct front_listener *l, int fd, const struct sockaddr_storage *from,
                    const struct pickup_submit *drop) {
  struct front *f = l->front;
  struct conn *worst = f->count >= f->most ? least_valuable(f) : NULL;
  if (worst) conn_end(worst, CLOSE_CONNECTION_LIMIT);
  struct conn *c = f->count < f->most ? conn_new(l, fd, from, drop) : NULL;
  if (!c) {
    refuse(l, fd, CLOSE_CONNECTION_LIMIT);
    return;
  }
  if (conn_is_offender(c)) {
    conn_finish(c, CLOSE_OFFENDER);
  } else if (over_address_limit(c)) {
    send_busy(l, fd);
    conn_finish(c, CLOSE_ADDRESS_LIMIT);
  } else {
    conn_begin(c);
  }
}

bool conn_take_drop(struct front *f, struct slice payload, int fd) {
  struct pickup_submit m;
  if (!pickup_submit_get(payload, &m) || m.id.n != sizeof((struct conn *)NULL)->drop) {
    close(fd);
    return false;
  }
  for (size_t i = 0; i < f->listener_count; i++) {
    if (strcmp(f->listeners[i].service, "local") != 0 || f->stop_at) continue;
    welcome(&f->listeners[i], fd, NULL, &m);
    return true;
  }
  close(fd); /* it is accepted again later */
  return true;
}

void conn_accept(struct front_listener *l) {
  for (int i = 0; i < FRONT_ACCEPTS; i++) {
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    int fd = accept4(l->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      welcome(l, fd, &from, NULL);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE) {
      struct conn *worst = least_valuable(l->front);
      if (worst) conn_end(worst, CLOSE_NO_DESCRIPTORS);
      if (worst) continue;
      loop_io_want(l->io, 0); /* housekeeping listens again */
      front_housekeeping(l->front);
      notice_no_descriptors(l->front);
    }
    return;
  }
}
