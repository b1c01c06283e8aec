/* SPDX-License-Identifier: ISC */
/* The parent sets a process up and stops it; the process reports when it is ready.
 *
 * Before `process_go` the process has its full rights; it uses them to open what it was given,
 * confines itself, and replies with `process_ready`. Channels to other processes come and go while
 * it runs: when a process is restarted, each of its neighbours gets a new `process_channel`. The
 * tag is unused (0). */
#ifndef QASID_IPC_PARENT_PROCESS_H
#define QASID_IPC_PARENT_PROCESS_H

#include "ipc/ipc.h"

/* A process, as both sides see it. It becomes ready once, and fails once: a second time is a
 * breach. */
enum { PROCESS_STARTS, PROCESS_RUNS, PROCESS_FAILS };

/* clang-format off */
/* The receiver's identity: its role, and its number, unique over the life of the parent. If started
 * by root, the process switches to uid and gid and makes `root_dir` its root folder; `folder` is
 * the one folder it works in (empty: none). started_s: when the parent started, seconds since
 * 1970. */
#define process_hello_FIELDS(F) \
  F(u8, kind, ) F(u32, number, ) F(flag, started_as_root, ) F(u32, uid, ) F(u32, gid, ) \
  F(bytes, folder, 1100) F(bytes, root_dir, 1100) F(u32, started_s, )
/* The options that the role is sent (roles.def), as conf_pack_only() encodes them; sent again at
 * each reload. */
#define process_config_FIELDS(F) F(bytes, packed, IPC_PAYLOAD_MAX - 64)
/* A bound, listening socket. service: the option that named it ("smtp", "submission", …). */
#define process_listener_FIELDS(F) F(bytes, service, 32) F(flag, implicit_tls, )
/* One end of a channel to another process (or to a `qasid` command line), and the role and number
 * of that process. */
#define process_channel_FIELDS(F) F(u8, kind, ) F(u32, number, )
/* Certificate `index`: the PEM chain for front-ends, the PEM private key for keys. A reload sends
 * all of them again; `last` makes the set take effect. */
#define process_certificate_FIELDS(F) F(u16, index, ) F(flag, last, ) F(bytes, pem, 64 * 1024)
/* Session-ticket keys of this service, newest first, TICKET_KEY_SIZE octets each. */
#define process_tickets_FIELDS(F) F(bytes, keys, 256)
/* To auth: the key set that access tokens are verified with (RFC 7517), as read from the file that
 * oauth_keys names; empty: no tokens are accepted. Sent again at each reload. */
#define process_token_keys_FIELDS(F) F(bytes, keys, 64 * 1024)
/* Everything that belongs to reload `number` was sent: reply once it has taken effect. */
#define process_apply_FIELDS(F) F(u32, number, )
/* To a front-end, before `process_go`: the page where it records whom it serves
 * (ipc/front_notes.h). */
#define process_notes_FIELDS(F)
/* To a front-end: refuse connections from that address (IPv6: its /64) for so long. */
#define process_refuse_FIELDS(F) F(bytes, address, 16) F(u32, seconds, )
/* Set-up is complete: confine yourself and start. */
#define process_go_FIELDS(F)
/* Another process has replaced you: take no new work, return at once what is not begun, finish the
 * rest, then exit. process_stop may follow. */
#define process_retire_FIELDS(F)
/* Finish what was acknowledged to clients, then exit. */
#define process_stop_FIELDS(F)

/* missing: the sandbox facilities that this system lacks, in words; empty when all are in force. */
#define process_ready_FIELDS(F) F(bytes, missing, 512)
/* The process cannot work: what is wrong and what to do. It exits after this message. */
#define process_failed_FIELDS(F) F(bytes, text, 1024)
/* The process at the other end of a channel broke a rule: the parent is to end it. */
#define process_breach_FIELDS(F) F(u8, kind, ) F(u32, number, ) F(bytes, text, 256)
/* The reload has taken effect, except for what `refused` names; empty: nothing was refused. */
#define process_applied_FIELDS(F) F(u32, number, ) F(bytes, refused, 1024)

/* A long start is making progress: the time limit starts again. At most one a second. */
#define process_advances_FIELDS(F)
/* The process exits with code 0 after this message and is to be started again, as an administrator
 * requested; this is not a failure. */
#define process_again_FIELDS(F)

#define PARENT_PROCESS_MESSAGES(M) \
  /* type name from allowed in next max fds kind */ \
  M(1, process_hello, IPC_LEFT, IPC_ANY, IPC_SAME, 2400, 0, IPC_SEND) \
  M(2, process_config, IPC_LEFT, IPC_ANY, IPC_SAME, IPC_PAYLOAD_MAX, 0, IPC_SEND) \
  M(3, process_listener, IPC_LEFT, IPC_ANY, IPC_SAME, 64, 1, IPC_SEND) \
  M(4, process_channel, IPC_LEFT, IPC_ANY, IPC_SAME, 16, 1, IPC_SEND) \
  M(5, process_certificate, IPC_LEFT, IPC_ANY, IPC_SAME, 66 * 1024, 0, IPC_SEND) \
  M(6, process_tickets, IPC_LEFT, IPC_ANY, IPC_SAME, 512, 0, IPC_SEND) \
  M(9, process_token_keys, IPC_LEFT, IPC_ANY, IPC_SAME, 66 * 1024, 0, IPC_SEND) \
  M(10, process_apply, IPC_LEFT, IPC_ANY, IPC_SAME, 16, 0, IPC_SEND) \
  M(11, process_notes, IPC_LEFT, 1 << PROCESS_STARTS, IPC_SAME, 0, 1, IPC_SEND) \
  M(12, process_refuse, IPC_LEFT, IPC_ANY, IPC_SAME, 64, 0, IPC_SEND) \
  M(13, process_retire, IPC_LEFT, IPC_ANY, IPC_SAME, 0, 0, IPC_SEND) \
  M(7, process_go, IPC_LEFT, 1 << PROCESS_STARTS | 1 << PROCESS_FAILS, IPC_SAME, 0, 0, IPC_SEND) \
  M(8, process_stop, IPC_LEFT, IPC_ANY, IPC_SAME, 0, 0, IPC_SEND) \
  M(64, process_ready, IPC_RIGHT, 1 << PROCESS_STARTS, PROCESS_RUNS, 1024, 0, IPC_SEND) \
  M(65, process_failed, IPC_RIGHT, 1 << PROCESS_STARTS | 1 << PROCESS_RUNS, PROCESS_FAILS, 2048, \
    0, IPC_SEND) \
  M(66, process_breach, IPC_RIGHT, 1 << PROCESS_RUNS | 1 << PROCESS_FAILS, IPC_SAME, 512, 0, \
    IPC_SEND) \
  M(67, process_applied, IPC_RIGHT, 1 << PROCESS_RUNS, IPC_SAME, 2048, 0, IPC_SEND) \
  M(68, process_advances, IPC_RIGHT, 1 << PROCESS_STARTS, IPC_SAME, 0, 0, IPC_SEND) \
  M(69, process_again, IPC_RIGHT, 1 << PROCESS_RUNS, PROCESS_FAILS, 0, 0, IPC_SEND)

PARENT_PROCESS_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_parent_process;
/* clang-format on */

#endif
