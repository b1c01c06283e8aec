/* SPDX-License-Identifier: ISC */
/* The collector asks store: which of these do you have; keep this one for the collection that was
 * granted.
 *
 * The collector never names an account: auth's grant (ipc/auth_store.h) says into whose inbox, and
 * for which collection, the tag's run may deliver; without a grant every row here is a breach. A
 * collector that was taken over can add mail to accounts whose collections run, and read nobody's:
 * no row of this table gives mail back.
 *
 * A message is put into the inbox, and its UIDL, its size and a digest of it into store's memory,
 * in one durable transaction, so it comes exactly once, whoever dies when: a run that repeats the
 * same octets under the same UIDL is told that they are there. Other octets under a UIDL that was
 * used before are another message. Only then, after collect_committed, may the other server be told
 * to delete it; and once it has answered that it did, the UIDL is forgotten, for it may be used
 * again (RFC 1939 §7). */
#ifndef QASID_IPC_COLLECTOR_STORE_H
#define QASID_IPC_COLLECTOR_STORE_H

#include "ipc/ipc.h"

/* A run, as store sees it. auth's grant moves it from COLLECT_STRANGER to COLLECT_GRANTED. */
enum { COLLECT_STRANGER, COLLECT_GRANTED, COLLECT_SPOOLING };

enum {
  COLLECT_UIDL_MAX = 70,  /* RFC 1939 §7 */
  COLLECT_ASK_MAX = 1024, /* UIDLs in one question */
  /* messages of one drop: what store remembers of a listing is bounded */
  COLLECT_LIST_MAX = 2 * 1000 * 1000,
};

enum collect_outcome {
  COLLECT_DONE,     /* durable, and in the inbox */
  COLLECT_THERE,    /* these octets were kept under that UIDL before: nothing was added */
  COLLECT_TROUBLE,  /* nothing kept, try later */
  COLLECT_NO_SPACE, /* nothing kept: the disk is full */
  COLLECT_FULL,     /* nothing kept: the account's quota */
  COLLECT_TOO_BIG,  /* nothing kept: above message_size_limit */
  COLLECT_GONE,     /* the account is no more */
  COLLECT_OUTCOMES
};

/* clang-format off */
/* At most COLLECT_ASK_MAX UIDLs, each of 1 to 70 octets from 0x21 to 0x7E. sizes: for each its size
 * as the other server lists it, u64, and how many messages of the listing have this UIDL and this
 * size, u32. */
#define collect_ask_FIELDS(F) \
  F(list, uidls, 80 * COLLECT_ASK_MAX) F(bytes, sizes, 12 * COLLECT_ASK_MAX)
/* For each in its order, when it was collected: seconds since 1970, u64; 0: it is to be fetched,
 * because it is new, because it was not listed for a while, or because it came short;
 * COLLECT_SHORT: it came short, again and again, and is to be left for now. Without dates when
 * outcome is not COLLECT_DONE. */
#define COLLECT_SHORT UINT64_MAX
#define collect_dates_FIELDS(F) F(u8, outcome, ) F(bytes, dates, 8 * COLLECT_ASK_MAX)
/* The next octets of the message now coming in, beyond what fits a commit. */
#define collect_spool_FIELDS(F) F(bytes, chunk, IPC_CHUNK)
#define collect_spooled_FIELDS(F) F(u8, outcome, )
/* The whole message: everything spooled before, then `tail`. `dots`: some line begins with ".".
 * `id` names it in logs. size: as listed; octets: as came; digest: SHA-256 of those; copy: how many
 * messages of this listing with this UIDL and this size are kept, this one included. */
#define collect_commit_FIELDS(F) \
  F(bytes, id, 64) F(bytes, uidl, COLLECT_UIDL_MAX) F(u64, size, ) F(u64, octets, ) \
  F(bytes, digest, 32) F(u32, copy, ) F(flag, dots, ) F(bytes, tail, IPC_CHUNK)
/* row: what store remembers it by; 0 unless DONE or THERE. */
#define collect_committed_FIELDS(F) F(u8, outcome, ) F(u64, row, )
/* These were deleted there, and QUIT was answered: rows of collect_committed, u64 each, at most
 * COLLECT_ASK_MAX. */
#define collect_deleted_FIELDS(F) F(bytes, rows, 8 * COLLECT_ASK_MAX)
#define collect_forgotten_FIELDS(F) F(u8, outcome, )
/* What was spooled is not wanted any more. */
#define collect_discard_FIELDS(F)
/* Every UIDL that the other server lists was asked for in this run: those it has not listed for
 * COLLECTED_KEEP_S (src/store/collected.h) may be forgotten. */
#define collect_listed_FIELDS(F)
#define collect_tidied_FIELDS(F) F(u8, outcome, )
/* The run is over: the grant is spent. */
#define collect_end_FIELDS(F)

#define COLLECTOR_STORE_MESSAGES(M) \
  /* type name from allowed in next max fds */ \
  M(1, collect_ask, IPC_LEFT, 1 << COLLECT_GRANTED, IPC_SAME, 96 * 1024, 0) \
  M(2, collect_spool, IPC_LEFT, 1 << COLLECT_GRANTED | 1 << COLLECT_SPOOLING, COLLECT_SPOOLING, \
    66 * 1024, 0) \
  M(3, collect_commit, IPC_LEFT, 1 << COLLECT_GRANTED | 1 << COLLECT_SPOOLING, COLLECT_GRANTED, \
    66 * 1024, 0) \
  M(4, collect_discard, IPC_LEFT, 1 << COLLECT_GRANTED | 1 << COLLECT_SPOOLING, COLLECT_GRANTED, \
    0, 0) \
  M(5, collect_listed, IPC_LEFT, 1 << COLLECT_GRANTED, IPC_SAME, 0, 0) \
  M(6, collect_end, IPC_LEFT, IPC_ANY, COLLECT_STRANGER, 0, 0) \
  M(7, collect_deleted, IPC_LEFT, 1 << COLLECT_GRANTED, IPC_SAME, 16 * 1024, 0) \
  M(64, collect_dates, IPC_RIGHT, IPC_ANY, IPC_SAME, 16 * 1024, 0) \
  M(65, collect_spooled, IPC_RIGHT, IPC_ANY, IPC_SAME, 16, 0) \
  M(66, collect_committed, IPC_RIGHT, IPC_ANY, IPC_SAME, 16, 0) \
  M(67, collect_tidied, IPC_RIGHT, IPC_ANY, IPC_SAME, 16, 0) \
  M(68, collect_forgotten, IPC_RIGHT, IPC_ANY, IPC_SAME, 16, 0)

COLLECTOR_STORE_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_collector_store;
/* clang-format on */

#endif
