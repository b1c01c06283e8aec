/* SPDX-License-Identifier: ISC */
/* The collector asks store which messages it already has, and delivers new ones for the collection
 * that was granted.
 *
 * The collector never names an account: auth's grant (ipc/auth_store.h) says into whose inbox, and
 * for which collection, the tag's run may deliver; without a grant every message here is a breach.
 * A compromised collector can add mail to accounts whose collections run, but can read none: no
 * message of this pair returns mail.
 *
 * A message is added to the inbox, and its UIDL, its size and a digest of it to store's records, in
 * one durable transaction, so it arrives exactly once, whichever process dies and when: a run that
 * repeats the same octets under the same UIDL gets COLLECT_THERE. Other octets under a UIDL that
 * was used before are another message. Only after collect_committed may the collector delete the
 * message at the other server; once that server has confirmed, the UIDL is forgotten, because it
 * may be used again (RFC 1939 §7). */
#ifndef QASID_IPC_COLLECTOR_STORE_H
#define QASID_IPC_COLLECTOR_STORE_H

#include "ipc/envelope.h"
#include "mail/uidl.h"

/* A run, as store sees it. auth's grant moves it from COLLECT_STRANGER to COLLECT_GRANTED. */
enum { COLLECT_STRANGER, COLLECT_GRANTED, COLLECT_SPOOLING };

enum {
  COLLECT_ASK_MAX = 1024, /* UIDLs in one question */
  /* messages of one maildrop: bounds what store remembers of a listing */
  COLLECT_LIST_MAX = 2 * 1000 * 1000,
};

enum collect_outcome {
  COLLECT_DONE,     /* durable, and in the inbox */
  COLLECT_THERE,    /* these octets were stored under that UIDL before: nothing was added */
  COLLECT_TROUBLE,  /* nothing stored, try later */
  COLLECT_NO_SPACE, /* nothing stored: the disk is full */
  COLLECT_FULL,     /* nothing stored: the account is over quota */
  COLLECT_TOO_BIG,  /* nothing stored: above message_size_limit, or the account's whole quota */
  COLLECT_GONE,     /* the account no longer exists */
  COLLECT_OUTCOMES
};

/* clang-format off */
/* At most COLLECT_ASK_MAX UIDLs, each of 1 to 70 octets from 0x21 to 0x7E. sizes: for each its size
 * as the other server lists it, u64, and how many messages of the listing have this UIDL and this
 * size, u32. */
#define collect_ask_FIELDS(F) \
  F(list, uidls, 80 * COLLECT_ASK_MAX) F(bytes, sizes, 12 * COLLECT_ASK_MAX)
/* For each UIDL, in order, when it was collected, in seconds since 1970, u64. 0: fetch it, because
 * it is new, was not listed for a while, or came short. COLLECT_SHORT: it came short repeatedly and
 * is to be left for now. No dates unless outcome is COLLECT_DONE. */
#define COLLECT_SHORT UINT64_MAX
#define collect_dates_FIELDS(F) F(u8, outcome, ) F(bytes, dates, 8 * COLLECT_ASK_MAX)
/* The next octets of the message being received, beyond what fits a commit. */
#define collect_spool_FIELDS(F) F(bytes, chunk, IPC_CHUNK)
#define collect_spooled_FIELDS(F) F(u8, outcome, )
/* The message is complete: everything spooled before, then the end's tail. size: as listed; octets:
 * as received; digest: SHA-256 of those; copy: how many messages of this listing with this UIDL and
 * this size are stored, this one included. */
#define collect_commit_FIELDS(F) \
  F(message, end, ) F(bytes, uidl, UIDL_MAX) F(u64, size, ) F(u64, octets, ) \
  F(bytes, digest, 32) F(u32, copy, )
/* row: store's key of its record; 0 unless DONE or THERE. */
#define collect_committed_FIELDS(F) F(u8, outcome, ) F(u64, row, )
/* These were deleted at the other server, and it has confirmed QUIT: rows of collect_committed, u64
 * each, at most COLLECT_ASK_MAX. */
#define collect_deleted_FIELDS(F) F(bytes, rows, 8 * COLLECT_ASK_MAX)
#define collect_forgotten_FIELDS(F) F(u8, outcome, )
/* Discard what was spooled. */
#define collect_discard_FIELDS(F)
/* Every UIDL that the other server lists was asked about in this run: store may forget those that
 * it has not listed for COLLECTED_KEEP_S (src/store/jobs/collected.h). */
#define collect_listed_FIELDS(F)
#define collect_tidied_FIELDS(F) F(u8, outcome, )
/* The run is over: the grant ends. */
#define collect_end_FIELDS(F)

#define COLLECTOR_STORE_MESSAGES(M) \
  /* type name from allowed in next max fds kind */ \
  M(1, collect_ask, IPC_LEFT, 1 << COLLECT_GRANTED, IPC_SAME, 96 * 1024, 0, IPC_ASK) \
  M(2, collect_spool, IPC_LEFT, 1 << COLLECT_GRANTED | 1 << COLLECT_SPOOLING, COLLECT_SPOOLING, \
    66 * 1024, 0, IPC_ASK) \
  M(3, collect_commit, IPC_LEFT, 1 << COLLECT_GRANTED | 1 << COLLECT_SPOOLING, COLLECT_GRANTED, \
    66 * 1024 + MESSAGE_FIELDS_MAX, 0, IPC_ASK) \
  M(4, collect_discard, IPC_LEFT, 1 << COLLECT_GRANTED | 1 << COLLECT_SPOOLING, COLLECT_GRANTED, \
    0, 0, IPC_SEND) \
  M(5, collect_listed, IPC_LEFT, 1 << COLLECT_GRANTED, IPC_SAME, 0, 0, IPC_ASK) \
  M(6, collect_end, IPC_LEFT, IPC_ANY, COLLECT_STRANGER, 0, 0, IPC_SEND) \
  M(7, collect_deleted, IPC_LEFT, 1 << COLLECT_GRANTED, IPC_SAME, 16 * 1024, 0, IPC_ASK) \
  M(64, collect_dates, IPC_RIGHT, IPC_ANY, IPC_SAME, 16 * 1024, 0, IPC_TO(1)) \
  M(65, collect_spooled, IPC_RIGHT, IPC_ANY, IPC_SAME, 16, 0, IPC_TO(2)) \
  M(66, collect_committed, IPC_RIGHT, IPC_ANY, IPC_SAME, 16, 0, IPC_TO(3)) \
  M(67, collect_tidied, IPC_RIGHT, IPC_ANY, IPC_SAME, 16, 0, IPC_TO(5)) \
  M(68, collect_forgotten, IPC_RIGHT, IPC_ANY, IPC_SAME, 16, 0, IPC_TO(7))

COLLECTOR_STORE_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_collector_store;
/* clang-format on */

#endif
