/* SPDX-License-Identifier: ISC */
/* Fetching mail: the sink that `qasid fetch` gives a POP3 client session.
 *
 * A message is deleted at the server only after it was safe at its destination, and (if there is a
 * memory) after it was recorded. A message recorded in an earlier run is fetched once more before
 * it is deleted, and compared with the recorded digest: its UIDL may belong to another message by
 * now. */
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
  struct fetch_place *place; /* the server to connect to (cmd_fetch.c) */
  /* what is wished */
  bool remove;          /* --delete */
  bool all;             /* --all: known messages too */
  uint64_t largest;     /* octets of one message; larger ones are left at the server */
  int64_t delete_after; /* seconds; -1: never */
  int64_t now;          /* when it began */
  /* complete messages that are not safe yet */
  struct pop3_item *batch[FETCH_BATCH];
  struct buf marks[FETCH_BATCH];
  uint8_t digests[FETCH_BATCH][DIGEST_SHA256_SIZE];
  struct digest_run *digest; /* of the current message */
  size_t count;
  uint64_t octets;
  /* across sessions: messages at which one ended, which the next skips */
  struct stepped stepped;
  struct fetched here;
  unsigned lists; /* that were taken */
  /* totals; known, too_large and nameless from the first list, refused from the last */
  uint64_t fetched, fetched_octets, deleted, known, refused, nameless, too_large;
  bool fresh; /* no octet of this message has come */
  int code;
};

/* The session's sink; arg is the struct fetch. */
struct pop3_sink fetch_sink(struct fetch *f);
/* Makes complete messages safe, records them, settles them. */
void fetch_settle(void *fetch);
/* The session is over, and what it fetched is settled: true if it ended at a message that another
 * session can skip. Prints which. */
bool fetch_step_over(struct fetch *f);
/* Completes what an earlier process began. False: the reason was printed. */
bool fetch_take_up(struct fetch *f);
/* Forgets messages whose deletion the server confirmed: their UIDLs may be reused (RFC 1939 §7). */
void fetch_forget_deleted(struct fetch *f);
/* "pop3s://USER@HOST:PORT": includes the port because two servers may share a name. */
void fetch_put_maildrop(const struct fetch *f, struct buf *out);
/* The default path of the memory for a maildrop and a destination, without --state. False: no home
 * directory. */
bool fetch_state_path(struct slice of, char *to, size_t room);

#endif
