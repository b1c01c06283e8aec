/* SPDX-License-Identifier: ISC */
/* pop3d asks store to open the maildrop that auth granted to this session, to read it, and to
 * delete messages at QUIT.
 *
 * pop3d never names an account: `pop_open` opens what auth granted to the tag's session on this
 * very channel, and without a grant it is a breach. Messages are named by their uid in that
 * maildrop. */
#ifndef QASID_IPC_POP3D_STORE_H
#define QASID_IPC_POP3D_STORE_H

#include "ipc/ipc.h"
#include "mail/uidl.h"

/* A session, as store sees it. auth's grant moves it from POP_STRANGER to POP_GRANTED. */
enum { POP_STRANGER, POP_GRANTED, POP_OPEN };

enum pop_outcome {
  POP_DONE,
  POP_IN_USE,  /* another session has the maildrop: [IN-USE] */
  POP_TROUBLE, /* try later: [SYS/TEMP] */
  POP_DAMAGED, /* this message or maildrop can't be read: [SYS/PERM] */
  POP_OUTCOMES
};

/* Instead of a delay: LOGIN-DELAY is not announced. */
#define POP_NO_DELAY UINT32_MAX
/* Instead of a number of days: messages are not removed by age. */
#define POP_NEVER UINT32_MAX

/* A row of pop_listing: the bits of the octet that has the UIDL's length. */
enum { POP_ROW_UIDL = 0x7f, POP_ROW_SURROGATE = 0x80 };

enum { POP_DELETES_MAX = 16384, POP_AHEAD_MAX = 7, POP_BEGUN_MAX = 8 };

/* clang-format off */
/* What CAPA announces about maildrops before the login (RFC 2449 §6.5, §6.7). The reply is valid
 * until pop_rules_changed, which has no session (tag 0). */
#define pop_rules_FIELDS(F)
#define pop_rules_changed_FIELDS(F)
/* login_delay: the longest of any account, in seconds, or POP_NO_DELAY; login_delay_differs: an
 * account may have another value, which pop_opened gives. expire: likewise the shortest, in days,
 * or POP_NEVER. */
#define pop_rules_are_FIELDS(F) \
  F(u32, login_delay, ) F(flag, login_delay_differs, ) F(u32, expire, ) F(flag, expire_differs, )

#define pop_open_FIELDS(F)
/* When outcome is POP_DONE, `count` messages follow in pop_listing parts: at least one part, also
 * when there is no message. Otherwise the grant is used up: the session must log in again.
 * login_delay: the account's own; POP_NO_DELAY when no account has to wait. expire: its own; 0:
 * QUIT is to delete what was fetched. taken: the maildrop was taken over from an idle session. */
#define pop_opened_FIELDS(F) \
  F(u8, outcome, ) F(u32, count, ) F(u64, octets, ) F(u32, uidvalidity, ) F(u32, login_delay, ) \
  F(u32, expire, ) F(flag, taken, )
/* rows: for each message, oldest first: uid u32, size in octets as RETR sends them before dot-
 * stuffing u64, length of an imported UIDL u8 (0: the UIDL is uidvalidity and uid in hexadecimal,
 * eight digits each), that UIDL. With POP_ROW_SURROGATE in that octet a u64 follows it: the size of
 * the message's surrogate in the encoding of mail/surrogate.h, or 0 for unknown; without it, the
 * message is its own surrogate. `last` is set on the last part. */
#define pop_listing_FIELDS(F) F(flag, last, ) F(bytes, rows, IPC_CHUNK)
/* Reads up to `most` octets of message `uid` from `offset`. ahead: uids (u32 each, ascending) of
 * messages that the client is likely to read next; those that are files may be sent along.
 *
 * begun: uids (u32 each) of messages that the session has begun to read from files sent ahead,
 * which store does not see otherwise; here, in pop_quit and in pop_close. */
#define pop_read_FIELDS(F) \
  F(u32, uid, ) F(u64, offset, ) F(u32, most, ) F(bytes, ahead, 4 * POP_AHEAD_MAX) \
  F(bytes, begun, 4 * POP_BEGUN_MAX)
/* `data` is empty only at the end of the message. sum: the CRC-32C of the whole message, if
 * `summed`. */
#define pop_chunk_FIELDS(F) \
  F(u8, outcome, ) F(flag, summed, ) F(u32, sum, ) F(bytes, data, IPC_CHUNK)
/* In place of a pop_chunk for a message whose octets are a file: the file itself, read-only. The
 * message is `size` octets: `head`, then the file's from `start` on. Files read ahead precede the
 * requested one, which ends the reply. */
#define pop_file_FIELDS(F) \
  F(u32, uid, ) F(u64, start, ) F(u64, size, ) F(flag, summed, ) F(u32, sum, ) \
  F(bytes, head, MESSAGE_HEAD_MAX)
/* uids (u32 each) that the pop_quit which follows is to delete; may be sent several times. */
#define pop_delete_FIELDS(F) F(bytes, uids, 4 * POP_DELETES_MAX)
/* Delete what pop_delete named, durably, all or nothing, and release the maildrop. */
#define pop_quit_FIELDS(F) F(bytes, begun, 4 * POP_BEGUN_MAX)
#define pop_done_FIELDS(F) F(u8, outcome, ) F(u32, deleted, )
/* The session ends without QUIT: nothing is deleted, the maildrop is released. Also ends a
 * grant. */
#define pop_close_FIELDS(F) F(bytes, begun, 4 * POP_BEGUN_MAX)

/* To the session that has the maildrop: another login waits for it (the option pop3_steal_after). A
 * session that was idle for so long replies with pop_close, one that was not with pop_keep; one
 * that is closing does not reply. */
#define pop_wanted_FIELDS(F)
#define pop_keep_FIELDS(F)

#define POP3D_STORE_MESSAGES(M) \
  /* type name      from       allowed in                       next           max       fds */ \
  M(1,  pop_open,    IPC_LEFT,  1 << POP_GRANTED,                POP_OPEN,      0,         0, \
    IPC_ASK) \
  M(2,  pop_read,    IPC_LEFT,  1 << POP_OPEN,                   IPC_SAME,      96,        0, \
    IPC_ASK) \
  M(3,  pop_delete,  IPC_LEFT,  1 << POP_OPEN,                   IPC_SAME,      66 * 1024, 0, \
    IPC_SEND) \
  M(4,  pop_quit,    IPC_LEFT,  1 << POP_OPEN,                   POP_STRANGER,  36,        0, \
    IPC_ASK) \
  M(5,  pop_close,   IPC_LEFT,  IPC_ANY,                         POP_STRANGER,  36,        0, \
    IPC_SEND) \
  M(6,  pop_rules,   IPC_LEFT,  1 << POP_STRANGER,               IPC_SAME,      0,         0, \
    IPC_ASK) \
  M(64, pop_opened,  IPC_RIGHT, IPC_ANY,                         IPC_SAME,      32,        0, \
    IPC_TO(1)) \
  M(65, pop_listing, IPC_RIGHT, IPC_ANY,                         IPC_SAME,      66 * 1024, 0, \
    IPC_TO(1)) \
  M(66, pop_chunk,   IPC_RIGHT, IPC_ANY,                         IPC_SAME,      66 * 1024, 0, \
    IPC_TO(2)) \
  M(67, pop_done,    IPC_RIGHT, IPC_ANY,                         IPC_SAME,      16,        0, \
    IPC_TO(4)) \
  M(68, pop_file,    IPC_RIGHT, IPC_ANY,                         IPC_SAME,      17 * 1024, 1, \
    IPC_TO(2)) \
  M(7,  pop_keep,    IPC_LEFT,  IPC_ANY,                         IPC_SAME,      0,         0, \
    IPC_SEND) \
  M(70, pop_wanted,  IPC_RIGHT, IPC_ANY,                         IPC_SAME,      0,         0, \
    IPC_NOTIFY) \
  M(69, pop_rules_are, IPC_RIGHT, IPC_ANY,                       IPC_SAME,      16,        0, \
    IPC_TO(6)) \
  M(71, pop_rules_changed, IPC_RIGHT, IPC_ANY,                   IPC_SAME,      0,         0, \
    IPC_NOTIFY)

POP3D_STORE_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_pop3d_store;
/* clang-format on */

#endif
