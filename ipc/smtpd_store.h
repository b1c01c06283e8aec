/* SPDX-License-Identifier: ISC */
/* smtpd asks store whether addresses are local, and delivers messages to it.
 *
 * An SMTP front-end can add mail and nothing else: no message of this pair reads a mailbox. The tag
 * is the SMTP session. One request is open at a time; `smtp_spool` and `smtp_commit` wait for their
 * reply, so a large message is paced by the replies and never accumulates in memory. A reply may
 * permit some chunks without a reply of their own (`smtp_more`): one wake-up for all of them. */
#ifndef QASID_IPC_SMTPD_STORE_H
#define QASID_IPC_SMTPD_STORE_H

#include "ipc/envelope.h"
#include "mail/smtp/reply.h"

/* A session, as store sees it. */
enum { SMTP_AT_REST, SMTP_SPOOLING };

/* Chunks without a reply of their own: with the one that gets a reply, a quarter of a megabyte. */
enum { SMTP_AHEAD_MAX = 3 };

/* Octets of a message's authors; of the list of addresses that a login may use, shown to the
 * user. */
enum { SMTP_AUTHORS_MAX = 4096, SMTP_YOURS_MAX = 400 };

/* The verdict on one recipient: in the answer to RCPT, the expected one; in the answer to a commit,
 * the outcome. smtp_of_verdict() gives the reply for each. */
enum rcpt_verdict {
  RCPT_OURS,       /* local; after a commit: in all its mailboxes: 250 */
  RCPT_UNKNOWN,    /* our domain, no such address: 550 5.1.1 */
  RCPT_ELSEWHERE,  /* not our domain, and this session may not relay: 550 5.7.1 */
  RCPT_LEAVES,     /* not our domain: it is queued, 250 */
  RCPT_INCOMPLETE, /* not our domain, and without a dot: 554 5.1.2 (RFC 6409 §4.2) */
  RCPT_NOT_YOURS,  /* the login may not use this reverse-path: 553 5.7.1 */
  RCPT_FULL,       /* this message would put it over quota: 452 4.2.2 */
  RCPT_TOO_BIG,    /* larger than the whole quota: 552 5.2.2 */
  RCPT_NO_SPACE,   /* the disk is nearly full: 452 4.3.1 */
  RCPT_TROUBLE,    /* could not be looked up now: 451 4.3.0 */
  RCPT_VERDICTS
};

enum { SMTP_VERDICTS_MAX = 1024 };

/* The reply for the whole message: smtp_of_commit(). src/store/owner/recipients.h has the rule by
 * which the recipients' verdicts lead to it. */
enum commit_outcome {
  /* durable: every recipient has it, is queued, or has its failure reported: 250 2.0.0 */
  COMMIT_DONE,
  COMMIT_TROUBLE,   /* nothing stored, try again: 451 4.3.0 */
  COMMIT_NO_SPACE,  /* nothing stored, the disk is full: 452 4.3.1 */
  COMMIT_TOO_BIG,   /* nothing stored, above the store's limit: 552 5.3.4 */
  COMMIT_FULL,      /* nothing stored, every mailbox is full: 452 4.2.2 */
  COMMIT_SOME_FULL, /* durable in every mailbox that has room; if sent again, none of those gets it
                     * twice: 452 4.2.2 */
  COMMIT_NEVER,     /* nothing stored, larger than every mailbox's whole quota: 552 5.2.2 */
  /* durable in the other mailboxes, larger than the whole quota of the rest, and no report can be
   * sent: 552 5.2.2 */
  COMMIT_SOME_NEVER,
  COMMIT_NOT_YOURS, /* nothing stored, an author is not one of the login's addresses: 550 5.7.1 */
  COMMIT_OUTCOMES
};

/* clang-format off */
/* The envelope's recipients are the ones to be checked. trusted: the client is in relay_networks.
 * login: the client has logged in. Only auth's grant says as whom; but while a restarted store has
 * no grant for such a session, every recipient gets RCPT_TROUBLE, so that none is treated as a
 * stranger's. */
#define smtp_rcpt_FIELDS(F) F(envelope, envelope, ) F(flag, trusted, ) F(flag, login, )
/* One octet, an enum rcpt_verdict, for each recipient, in order. yours: with RCPT_NOT_YOURS, the
 * addresses that the login may use. */
#define smtp_verdicts_FIELDS(F) \
  F(bytes, verdicts, SMTP_VERDICTS_MAX) F(bytes, yours, SMTP_YOURS_MAX)
/* The next octets of the message being received, beyond what fits a commit. */
#define smtp_spool_FIELDS(F) F(rest, chunk, IPC_CHUNK)
/* ahead: how many chunks may follow as smtp_more before the next smtp_spool or smtp_commit, at most
 * SMTP_AHEAD_MAX. The next reply reports an error with any of them. */
#define smtp_spooled_FIELDS(F) F(u8, outcome, ) F(u8, ahead, )
#define smtp_more_FIELDS(F) F(rest, chunk, IPC_CHUNK)
/* The message is complete: everything spooled before, then the end's tail. Its head follows store's
 * Return-Path:. `print`: the fingerprint of the reverse-path and of what the client sent, by which
 * store recognises a message that is sent again (src/store/owner/partly.h); empty for a message
 * without Message-ID. `once`: `print` is the identity of a message of the drop folder, with which
 * the recipients that got it are recorded (src/store/sql/dropped.h). `authors`: the addresses in
 * the From and Sender fields of a login's message; `login` as in smtp_rcpt; `local`: a program of
 * this machine submitted it. An envelope with ENVELOPE_OURS or more than SMTP_VERDICTS_MAX
 * recipients is a breach. */
#define smtp_commit_FIELDS(F) \
  F(envelope, envelope, ) F(message, end, ) F(bytes, print, 16) F(list, authors, SMTP_AUTHORS_MAX) \
  F(flag, trusted, ) F(flag, once, ) F(flag, login, ) F(flag, local, )
/* verdicts: one octet, an enum rcpt_verdict, for each recipient, in order; empty if the outcome
 * applies to all. yours: with COMMIT_NOT_YOURS, the addresses that the login may use. */
#define smtp_committed_FIELDS(F) \
  F(u8, outcome, ) F(bytes, verdicts, SMTP_VERDICTS_MAX) F(bytes, yours, SMTP_YOURS_MAX)
/* A session with a login is over: the grant ends. */
#define smtp_bye_FIELDS(F)
/* Discard what was spooled (RSET, lost connection). */
#define smtp_discard_FIELDS(F)

/* Any octets are a valid chunk; therefore no message of another pair has the number of smtp_spool
 * or smtp_more. */
#define SMTPD_STORE_MESSAGES(M) \
  /* type name from allowed in next max fds kind */ \
  M(1, smtp_rcpt, IPC_LEFT, 1 << SMTP_AT_REST, IPC_SAME, ENVELOPE_MAX + 16, 0, IPC_ASK) \
  M(32, smtp_spool, IPC_LEFT, 1 << SMTP_AT_REST | 1 << SMTP_SPOOLING, SMTP_SPOOLING, 66 * 1024, \
    0, IPC_ASK) \
  M(3, smtp_commit, IPC_LEFT, 1 << SMTP_AT_REST | 1 << SMTP_SPOOLING, SMTP_AT_REST, \
    IPC_PAYLOAD_MAX, 0, IPC_ASK) \
  M(4, smtp_discard, IPC_LEFT, 1 << SMTP_AT_REST | 1 << SMTP_SPOOLING, SMTP_AT_REST, 0, 0, \
    IPC_SEND) \
  M(5, smtp_bye, IPC_LEFT, 1 << SMTP_AT_REST | 1 << SMTP_SPOOLING, SMTP_AT_REST, 0, 0, IPC_SEND) \
  M(33, smtp_more, IPC_LEFT, 1 << SMTP_SPOOLING, IPC_SAME, 66 * 1024, 0, IPC_SEND) \
  M(64, smtp_verdicts, IPC_RIGHT, IPC_ANY, IPC_SAME, 2048, 0, IPC_TO(1)) \
  M(65, smtp_spooled, IPC_RIGHT, IPC_ANY, IPC_SAME, 16, 0, IPC_TO(32)) \
  M(66, smtp_committed, IPC_RIGHT, IPC_ANY, IPC_SAME, 2048, 0, IPC_TO(3))

SMTPD_STORE_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_smtpd_store;
/* clang-format on */

/* The reply, log line and report for a verdict or an outcome; "trouble" for an invalid number. */
enum smtp_outcome smtp_of_verdict(uint8_t verdict);
enum smtp_outcome smtp_of_commit(uint8_t outcome);

#endif
