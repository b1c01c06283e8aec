/* SPDX-License-Identifier: ISC */
/* Remote maildrops, each on a POP3 server of its own, and the ledger of what the collector may do
 * there.
 *
 * A server misbehaves in one way (its temper) for some minutes. It is well (no faults); flaky (it
 * cuts the connection at any octet, stalls, or answers "try later"); a cutter (it truncates
 * messages, does not stuff a leading dot, refuses RETR); a liar (it lists wrong sizes, answers +OK
 * to a QUIT but deletes nothing, or deletes without a QUIT); dead; or silent. It may reuse a UIDL
 * after a deletion, and two messages may have the same one.
 *
 * Each text that a RETR has sent whole (up to its ".") is a *version* of that message. Then
 *
 *   1. the collector sends DELE only for a message that arrived whole in the same session, and not
 * shorter than listed, and only if the collection does not leave its mail on the server; that
 * version is in our mailbox from then on, whichever process dies;
 *   2. the mailbox holds versions only, octet for octet behind our trace field, and each once, but
 * for once more each time that the server answered QUIT with +OK and kept the message (then we
 * forgot it, rightly: RFC 1939 §7). Those are counted;
 *   3. at the end of some stories all servers are well: then every message comes whole, whatever
 * was in its way, and is deleted on the server unless the collection leaves its mail there. One
 * server never stuffs a leading dot: a message that begins with one can't arrive, nor can one with
 * the same UIDL (the collector skips that UIDL); all others do. */
#ifndef QASID_WORLD_OUTSIDE_DROPS_H
#define QASID_WORLD_OUTSIDE_DROPS_H

#include "tests/world/outside/net.h"

enum { DROPS = 4, DROP_MAIL_MAX = 512 };

enum drop_temper { DROP_WELL, DROP_FLAKY, DROP_CUTTER, DROP_LIAR, DROP_DEAD, DROP_SILENT };
enum drop_tls { DROP_IMPLICIT, DROP_STARTED, DROP_NONE };

struct drop_mail {
  uint32_t id, size; /* size: in octets, approximate */
  uint64_t seed;
  char uidl[24];
  bool dot_first, gone;
  unsigned kept_after_ok; /* QUITs answered with +OK that did not delete it */
};

struct drop_version {
  uint32_t id;
  uint64_t hash;
  size_t length;
  bool whole, must, due; /* must: DELE was sent for it; due: before the present look began */
  unsigned seen;         /* in the present look */
  unsigned most;         /* at any look */
};

struct drop {
  struct drops *all;
  unsigned index;
  enum drop_tls tls;
  bool stays; /* the collection leaves its mail there for good */
  /* it never stuffs a leading dot, in any temper: such a message desynchronizes each session */
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
/* New mail arrives on the servers. */
void drops_mail(struct drops *d);

/* Looks at our mailboxes, at a quiet moment: begin, each message, end. */
void drop_look_begins(struct drop *d);
void drop_seen(struct drop *d, struct slice octets);
void drop_look_ends(struct drop *d);
/* Checks rule 3 after a look. NULL, or a description of the first message that violates it. */
const char *drop_misses(struct drop *d);

#endif
