/* SPDX-License-Identifier: ISC */
/* The outside: domains with their DNS, hosts with an SMTP server each, written by the seed.
 *
 * Each host has a temper for some minutes: well, flaky (cuts at any octet, stalls, defers), surly
 * (refuses), odd (rubbish, replies out of step, 421), greylisting, dead, silent. Its word counts:
 * whatever it has answered 250 behind the end of data it keeps, and tells the ledger (post.h),
 * whether or not we hear it. */
#ifndef QASID_WORLD_OUTSIDE_MX_H
#define QASID_WORLD_OUTSIDE_MX_H

#include "lib/dns/dns.h"
#include "tests/world/outside/net.h"
#include "tests/world/outside/post.h"

enum { MX_HOSTS = 8, TEMPER_MS = 4 * 60 * 1000 };

enum temper { WELL, FLAKY, SURLY, ODD, GREY, DEAD, SILENT, TEMPERS };

struct mx_host {
  enum temper temper;
  uint64_t until_ms;
  bool pipelining, tls, size, dsn, eight_bit, enhanced, esmtp;
};

struct mx {
  struct world *w;
  struct post *post;
  struct rng rng;
  bool calm; /* all is well from now on */
  bool verbose;
  struct mx_host hosts[MX_HOSTS];
  unsigned long long connections, cuts, refused, deferred, lies;
};

void mx_init(struct mx *m, struct world *w, struct post *post, uint64_t seed);
struct net_far mx_far(struct mx *m);
/* What DNS says of a domain now. */
void mx_answer(struct mx *m, const char *name, enum dns_kind kind, struct dns_answer *ret);
/* Addresses that nobody may dial, of which DNS lies: ours among them. */
enum { MX_OWN_ADDRESS = 0x05090001 };

#endif
