/* SPDX-License-Identifier: ISC */
/* libunbound's context on our loop, with small caches and no log. Its types appear only in
 * unbound.c and events.c. */
#ifndef QASID_DNS_UNBOUND_H
#define QASID_DNS_UNBOUND_H

#include "lib/dns/packet.h"

struct unbound;

/* `servers`: "IP@port" each. `anchor`: a file, or NULL. Everything is opened and read at once. */
struct unbound *unbound_new(struct loop *l, const char *const *servers, size_t count,
                            const char *anchor, struct buf *err);
void unbound_free(struct unbound **u);

/* A message, or none (packet.n == 0) with the reason in `why`, which may contain text of a foreign
 * server. */
struct unbound_reply {
  struct slice packet;
  bool secure, bogus;
  struct slice why;
};
/* Kept by the caller until the reply: the first member of a larger struct. */
struct unbound_query {
  void (*reply)(struct unbound_query *q, const struct unbound_reply *reply);
};

/* q->reply is called once, perhaps before this returns, unless the context is freed first. False:
 * it is never called. */
bool unbound_ask(struct unbound *u, const char *name, enum dns_type type, struct unbound_query *q);

#endif
