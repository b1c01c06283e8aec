/* SPDX-License-Identifier: ISC */
/* Fetching mail: what `qasid fetch` gives a POP3 client session as its sink.
 *
 * A message is deleted at the server only after it was safe at its destination, and (where there is
 * a memory) after it was noted. What was noted in an earlier run is fetched once more before it is
 * deleted, and compared with the digest that was noted: its UIDL may belong to another one by now.
 */
#ifndef QASID_CLI_FETCH_H
#define QASID_CLI_FETCH_H

#include "lib/tls/digest.h"
#include "src/cli/client/dest.h"
#include "src/cli/client/fetched.h"
#include "src/cli/client/memory.h"
#include "src/cli/client/pop3_shell.h"
#include "src/cli/base/progress.h"
#include "src/cli/client/stepped.h"

enum { FETCH_BATCH = 64, FETCH_BATCH_OCTETS = 8 * 1024 * 1024 };

struct fetch {
  struct cli *c;
  struct net net;
  struct pop3_client *pop;
  struct dest *dest;
  struct memory *memory; /* NULL: none */
  struct progress progress;
  const char *user;
  struct fetch_place *place; /* where to connect (cmd_fetch.c) */
  /* what is wished */
  bool remove;          /* --delete */
  bool all;             /* --all: known ones too */
  uint64_t largest;     /* octets of one message; a larger one is left */
  int64_t delete_after; /* seconds; -1: never */
  int64_t now;          /* when it began */
  /* messages that have ended and are not safe yet */
  struct pop3_item *batch[FETCH_BATCH];
  struct buf marks[FETCH_BATCH];
  uint8_t digests[FETCH_BATCH][DIGEST_SHA256_SIZE];
  struct digest_run *digest; /* of the message that comes */
  size_t count;
  uint64_t octets;
  /* from one session to the next: each message at which one ended is stepped over by another */
  struct stepped stepped;
  struct fetched here;
  unsigned lists; /* that were taken */
  /* the sum of it; known, too_large and nameless by the first list, refused by the last */
  uint64_t fetched, fetched_octets, deleted, known, refused, nameless, too_large;
  bool fresh; /* nothing of this message has come */
  int code;
};

/* The session's sink; arg is the struct fetch. */
struct pop3_sink fetch_sink(struct fetch *f);
/* Makes what has ended safe, notes it, settles it. */
void fetch_settle(void *fetch);
/* The session is over, and what it fetched is settled: did it end at a message that another session
 * can step over? Says which. */
bool fetch_step_over(struct fetch *f);
/* Finishes what an earlier process began. False: the reason was printed. */
bool fetch_take_up(struct fetch *f);
/* What the server has answered that it deleted is forgotten: its UIDL may come again (RFC 1939 §7).
 */
void fetch_forget_deleted(struct fetch *f);
/* "pop3s://USER@HOST:PORT": two servers may stand behind one name. */
void fetch_put_maildrop(const struct fetch *f, struct buf *out);
/* Where the memory of a maildrop and a destination is when no --state says so. False: no home. */
bool fetch_state_path(struct slice of, char *to, size_t room);

#endif
