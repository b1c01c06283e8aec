/* SPDX-License-Identifier: ISC */
/* libunbound's context, small and quiet, on our loop. Its types appear only in unbound.c and
 * events.c. */
#ifndef QASID_DNS_UNBOUND_H
#define QASID_DNS_UNBOUND_H

#include "lib/dns/packet.h"

struct unbound;

/* `servers`: "IP@port" each. `anchor`: a file, or NULL. Everything is opened and read at once. */
struct unbound *unbound_new(struct loop *l, const char *const *servers, size_t count,
                            const char *anchor, struct buf *err);
void unbound_free(struct unbound **u);

/* A message, or none (packet.n == 0) with the reason in `why`, which may hold a stranger's words.
 */
struct unbound_reply {
  struct slice packet;
  bool secure, bogus;
  struct slice why;
};
/* What the asker keeps until its reply: the first member of something larger. */
struct unbound_query {
  void (*reply)(struct unbound_query *q, const struct unbound_reply *reply);
};

/* q->reply is called once, perhaps before this returns, unless the context is freed first. False:
 * never. */
bool unbound_ask(struct unbound *u, const char *name, enum dns_type type, struct unbound_query *q);

#endif
