/* SPDX-License-Identifier: ISC */
/* The network between a process of ours and hosts elsewhere: what runtime/dial stands on (socket.h,
 * the client's side of tls.h, sys.h), in the place of the real ones. TLS is a word: who is told to
 * secure a connection does.
 *
 * Octets of ours wait in `out` until the far side takes them, in pieces; its own are on their way
 * (`coming`), then in `in` until they are read, in pieces. A connection that the far side closes
 * gives what came before; one that it resets may lose what was not read yet. */
#ifndef QASID_WORLD_OUTSIDE_NET_H
#define QASID_WORLD_OUTSIDE_NET_H

#include "runtime/dial/dial.h"
#include "tests/world/world.h"

enum { NET_PIPE = 64 * 1024, NET_CONNS_MAX = 4096, NET_FIRST_FD = 100000 };

struct net_conn;

enum net_says { NET_TAKES, NET_REFUSES, NET_SILENT, NET_UNREACHABLE };
enum net_tls { NET_SECURE, NET_NOT_SECURE, NET_STALLS };

/* Who is elsewhere. `actor` is what connect() gave. */
struct net_far {
  enum net_says (*connect)(void *arg, const struct dial_address *to, struct net_conn *c,
                           void **ret_actor);
  void (*open)(void *actor);
  void (*input)(void *actor, struct slice octets);
  enum net_tls (*hello)(void *actor);
  /* We have read so many of its octets. */
  void (*taken)(void *actor, uint64_t octets);
  /* Our side has closed it: the last call, once for each actor. */
  void (*gone)(void *actor);
  void *arg;
};

struct net {
  struct world *w;
  struct rng rng;
  struct net_far far;
  struct net_conn *conns[NET_CONNS_MAX];
  size_t open;
};

/* One at a time is the network; NULL: none. */
void net_use(struct net *n);

/* What the far side does. */
void net_put(struct net_conn *c, struct slice octets);
uint64_t net_put_total(const struct net_conn *c);
bool net_ended(const struct net_conn *c);
/* It closes, or resets: nothing comes in any more. */
void net_end(struct net_conn *c, bool reset);

/* --- for process.c --- */
struct loop_io;
void net_watch(int fd, struct loop_io *io);
int guest_io_wants(const struct loop_io *io);
void guest_io(struct loop_io *io, int ready);

#endif
