/* SPDX-License-Identifier: ISC */
/* Maildrops elsewhere, each at a POP3 server of its own, and the ledger of what the collector may
 * do there.
 *
 * A server has a temper for some minutes: well; flaky (cuts at any octet, stalls, "try later"); a
 * cutter (ends messages before their end, does not stuff a first dot, refuses RETR); a liar (sizes,
 * +OK to a QUIT that deletes nothing, deletions without a QUIT); dead; silent. Its UIDLs may come
 * again after a deletion, and two messages may have one.
 *
 * Each text that a RETR has sent whole (up to its ".") is a *version* of that message. Then
 *
 *   1. DELE is said only of what came whole in that very session, and not shorter than listed, by a
 * collection that does not leave its mail there; that version is in our mailbox from then on,
 * whatever dies;
 *   2. the mailbox holds versions only, octet for octet behind our trace field, and each once, but
 * for once more each time that the server answered QUIT with +OK and kept the message (then we
 * forgot it, rightly: RFC 1939 §7). Those are counted;
 *   3. at the end of some stories all servers are well: then every message comes whole, whatever
 * was in its way, and where mail is not to stay it is gone there. One server never stuffs a first
 * dot: such messages can't come, nor what has the same UIDL (that is what is stepped over); all
 * others do. */
#ifndef QASID_WORLD_OUTSIDE_DROPS_H
#define QASID_WORLD_OUTSIDE_DROPS_H

#include "tests/world/outside/net.h"

enum { DROPS = 4, DROP_MAIL_MAX = 512 };

enum drop_temper { DROP_WELL, DROP_FLAKY, DROP_CUTTER, DROP_LIAR, DROP_DEAD, DROP_SILENT };
enum drop_tls { DROP_IMPLICIT, DROP_STARTED, DROP_NONE };

struct drop_mail {
  uint32_t id, size; /* size: octets wanted, more or less */
  uint64_t seed;
  char uidl[24];
  bool dot_first, gone;
  unsigned kept_after_ok; /* QUITs that were answered with +OK, and left it there */
};

struct drop_version {
  uint32_t id;
  uint64_t hash;
  size_t length;
  bool whole, must, due; /* must: DELE was said of it; due: before the present look began */
  unsigned seen;         /* in the present look */
  unsigned most;         /* at any look */
};

struct drop {
  struct drops *all;
  unsigned index;
  enum drop_tls tls;
  bool stays; /* the collection leaves its mail there for good */
  /* a first dot, however well it is: such a message puts each session out of step */
  bool never_stuffs;
  enum drop_temper temper;
  uint64_t until_ms;
  struct drop_mail mails[DROP_MAIL_MAX];
  size_t count;
  struct drop_version *versions;
  size_t version_count, version_process;
  bool locked;
};

struct drops {
  struct world *w;
  struct rng rng;
  bool calm, verbose;
  uint32_t ids;
  struct drop drops[DROPS];
  unsigned long long connections, cuts, short_ones, lies, deles, deleted, again, came;
};

void drops_init(struct drops *d, struct world *w, uint64_t seed);
void drops_free(struct drops *d);
struct net_far drops_far(struct drops *d);
/* New mail comes in there. */
void drops_mail(struct drops *d);

/* Looks at our mailboxes, at a quiet moment: begin, each message, end. */
void drop_look_begins(struct drop *d);
void drop_seen(struct drop *d, struct slice octets);
void drop_look_ends(struct drop *d);
/* Rule 3, after a look. NULL, or the first that is not so yet, in words. */
const char *drop_misses(struct drop *d);

#endif
