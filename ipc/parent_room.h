/* The parent sets a room up and stops it; the room says when it is ready.
 *
 * Before `room_go` the room has its full rights; it uses them to open what it was given, confines
 * itself, and answers `room_ready`. Channels to other rooms come and go while it runs: when a room
 * is restarted, each of its neighbours gets a new `room_channel`. The tag is unused (0). */
#ifndef QASID_IPC_PARENT_ROOM_H
#define QASID_IPC_PARENT_ROOM_H

#include "ipc/ipc.h"

/* A process, as both sides see it. It is ready once, and fails once: a second time is a breach. */
enum { ROOM_STARTS, ROOM_RUNS, ROOM_FAILS };

/* Who you are: the room's kind, and its number, unique over the life of the parent. Started by root,
 * the room becomes uid and gid and `root_dir` its root folder; `folder` is the one folder it works in
 * (empty: none). started_s: when the parent started, seconds since 1970. */
#define room_hello_FIELDS(F)                                                                      \
  F(u8, kind, ) F(u32, number, ) F(flag, started_as_root, ) F(u32, uid, ) F(u32, gid, )           \
  F(bytes, folder, 1100) F(bytes, root_dir, 1100) F(u32, started_s, )
/* The whole configuration, as conf_pack() lays it out; again at each reload. */
#define room_config_FIELDS(F) F(bytes, packed, IPC_PAYLOAD_MAX - 64)
/* A bound, listening socket. service: the option that named it ("smtp", "submission", …). */
#define room_listener_FIELDS(F) F(bytes, service, 32) F(flag, implicit_tls, )
/* One end of a channel to another room (or to a `qasid` command line), and which one it is. */
#define room_channel_FIELDS(F) F(u8, kind, ) F(u32, number, )
/* Certificate `index`: the PEM chain for front-ends, the PEM private key for keys. A reload sends
 * all of them again; `last` makes the set take effect. */
#define room_certificate_FIELDS(F) F(u16, index, ) F(flag, last, ) F(bytes, pem, 64 * 1024)
/* Session-ticket keys of this service, newest first, TICKET_KEY_SIZE octets each. */
#define room_tickets_FIELDS(F) F(bytes, keys, 256)
/* To auth: the key set that access tokens are verified with (RFC 7517), as it stands in the file that
 * oauth_keys names;
 * empty: no tokens are taken. Again at each reload. */
#define room_token_keys_FIELDS(F) F(bytes, keys, 64 * 1024)
/* All of reload `number` has been said: answer once it has taken effect. */
#define room_apply_FIELDS(F) F(u32, number, )
/* To a front-end, before `room_go`: where it notes whom it serves (ipc/front_notes.h). */
#define room_notes_FIELDS(F)
/* To a front-end: nothing is to be taken from that address (IPv6: its /64) for so long. */
#define room_refuse_FIELDS(F) F(bytes, address, 16) F(u32, seconds, )
/* Everything you need has been said. */
#define room_go_FIELDS(F)
/* Finish what was acknowledged, then exit. */
#define room_stop_FIELDS(F)

/* missing: the sandbox facilities that this system did not give, in words; empty when all hold. */
#define room_ready_FIELDS(F) F(bytes, missing, 512)
/* The room can't work: what is wrong and what to do. It exits after this. */
#define room_failed_FIELDS(F) F(bytes, text, 1024)
/* A channel broke a rule: the process at its other end is to be ended. */
#define room_breach_FIELDS(F) F(u8, kind, ) F(u32, number, ) F(bytes, text, 256)
/* It has taken effect, but for what `refused` says; empty: nothing was refused. */
#define room_applied_FIELDS(F) F(u32, number, ) F(bytes, refused, 1024)

#define PARENT_ROOM_MESSAGES(M)                                                                   \
  /* type name           from       allowed in  next      max              fds */                   \
  M(1,  room_hello,       IPC_LEFT,  IPC_ANY,    IPC_SAME, 2400,             0)                      \
  M(2,  room_config,      IPC_LEFT,  IPC_ANY,    IPC_SAME, IPC_PAYLOAD_MAX, 0)                      \
  M(3,  room_listener,    IPC_LEFT,  IPC_ANY,    IPC_SAME, 64,              1)                      \
  M(4,  room_channel,     IPC_LEFT,  IPC_ANY,    IPC_SAME, 16,              1)                      \
  M(5,  room_certificate, IPC_LEFT,  IPC_ANY,    IPC_SAME, 66 * 1024,       0)                      \
  M(6,  room_tickets,     IPC_LEFT,  IPC_ANY,    IPC_SAME, 512,             0)                      \
  M(9,  room_token_keys,  IPC_LEFT,  IPC_ANY,    IPC_SAME, 66 * 1024,       0)                      \
  M(10, room_apply,       IPC_LEFT,  IPC_ANY,    IPC_SAME, 16,              0)                      \
  M(11, room_notes,       IPC_LEFT,  1 << ROOM_STARTS, IPC_SAME, 0,             1)                      \
  M(12, room_refuse,      IPC_LEFT,  IPC_ANY,    IPC_SAME, 64,              0)                      \
  M(7,  room_go,          IPC_LEFT,  1 << ROOM_STARTS | 1 << ROOM_FAILS, IPC_SAME, 0,               0)                      \
  M(8,  room_stop,        IPC_LEFT,  IPC_ANY,    IPC_SAME, 0,               0)                      \
  M(64, room_ready,       IPC_RIGHT, 1 << ROOM_STARTS, ROOM_RUNS, 1024,            0)                      \
  M(65, room_failed,      IPC_RIGHT, 1 << ROOM_STARTS | 1 << ROOM_RUNS, ROOM_FAILS, 2048,            0)                      \
  M(66, room_breach,      IPC_RIGHT, 1 << ROOM_RUNS | 1 << ROOM_FAILS, IPC_SAME, 512,             0)                      \
  M(67, room_applied,     IPC_RIGHT, 1 << ROOM_RUNS, IPC_SAME, 2048,            0)

PARENT_ROOM_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_parent_room;

#endif
