/* SPDX-License-Identifier: ISC */
/* The collector asks auth for work: auth knows what is collected from where, with which password,
 * and when.
 *
 * auth replies to `collect_ready` when a collection is due, which may be hours later; the tag is
 * the run's number, which the collector never reuses. Before it replies, auth has sent store the
 * grant that says into whose inbox this run may deliver (ipc/auth_store.h), so the collector names
 * no account in any message. It holds the password of a collection only during its run. */
#ifndef QASID_IPC_COLLECTOR_AUTH_H
#define QASID_IPC_COLLECTOR_AUTH_H

#include "ipc/ipc.h"

/* A run, as auth sees it. */
enum { COLLECT_NO_RUN, COLLECT_WAITS, COLLECT_RUNS };

enum {
  COLLECT_HOST_MAX = 255,
  COLLECT_USER_MAX = 320,
  COLLECT_SECRET_MAX = 511,
  COLLECT_TEXT_MAX = 400,
  COLLECT_UIDLS_MAX = 1200, /* octets of a list of UIDLs, separated by single spaces */
  COLLECT_RUNS_MAX = 200,   /* waiting and running, in one collector */
};

/* How TLS is used; the certificate is always verified against the host's name. */
enum collect_tls {
  COLLECT_TLS_IMPLICIT,
  COLLECT_TLS_STARTED /* STLS or nothing */,
  COLLECT_TLS_NONE,
  COLLECT_TLS_KINDS
};

enum collect_verdict {
  COLLECT_WENT_WELL, /* every message in the maildrop was examined */
  COLLECT_LATER,     /* the other server, or the network, has a temporary failure */
  COLLECT_HERE,      /* a temporary failure on this side: no space, a process that restarts */
  /* the login was refused, without a statement that the credentials are wrong */
  COLLECT_DOUBTED,
  /* the name or the password is wrong: further attempts would lock the account there */
  COLLECT_LOGIN_WRONG,
  COLLECT_BROKEN, /* a permanent failure: the configuration here or there must change */
  COLLECT_VERDICTS
};

/* clang-format off */
#define collect_ready_FIELDS(F)
/* account: the owner of the collected mail, for the trace line. leave_s: how long a collected
 * message stays at the other server; COLLECT_LEAVE: for good; 0: until it is durable here.
 * discover: `host` is a domain whose SRV records name the server (RFC 6186). number: as `collect
 * list` shows it. left_out: UIDLs that the operator excluded. stepped: UIDLs at which earlier runs
 * were stuck, or that came short: each is tried in a session of its own, after all others. */
#define COLLECT_LEAVE UINT64_MAX
#define collect_job_FIELDS(F) \
  F(u64, number, ) F(bytes, account, 320) F(bytes, host, COLLECT_HOST_MAX) F(u16, port, ) \
  F(flag, discover, ) F(u8, tls, ) F(bytes, user, COLLECT_USER_MAX) F(bytes, mechanism, 32) \
  F(bytes, secret, COLLECT_SECRET_MAX) F(u64, leave_s, ) \
  F(bytes, left_out, COLLECT_UIDLS_MAX) F(bytes, stepped, COLLECT_UIDLS_MAX)
/* The collection was removed or paused: end the run. Its result is still reported. */
#define collect_halt_FIELDS(F)
/* words: one sentence for the operator, including the other server's text where it sent any.
 * stepped: as in the job, for the next run. */
#define collect_result_FIELDS(F) \
  F(u8, verdict, ) F(u32, fetched, ) F(u32, deleted, ) F(u32, left, ) F(u64, octets, ) \
  F(bytes, words, COLLECT_TEXT_MAX) F(bytes, stepped, COLLECT_UIDLS_MAX)

#define COLLECTOR_AUTH_MESSAGES(M) \
  /* type name         from       allowed in              next             max    fds kind */ \
  M(1,  collect_ready,  IPC_LEFT,  1 << COLLECT_NO_RUN,    COLLECT_WAITS,   0,     0, IPC_ASK) \
  M(2,  collect_result, IPC_LEFT,  1 << COLLECT_RUNS,      COLLECT_NO_RUN,  2048,  0, IPC_SEND) \
  M(64, collect_job,    IPC_RIGHT, 1 << COLLECT_WAITS,     COLLECT_RUNS,    4608,  0, IPC_TO(1)) \
  M(65, collect_halt,   IPC_RIGHT, IPC_ANY,                IPC_SAME,        0,     0, IPC_NOTIFY)

COLLECTOR_AUTH_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_collector_auth;
/* clang-format on */

#endif
