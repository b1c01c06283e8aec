/* SPDX-License-Identifier: ISC */
/* The shell around protocol sessions: sockets, TLS, limits, and the channels to auth, store and
 * keys. smtpd and pop3d are this shell with their own session machine and verb table.
 *
 * It follows the contract of runtime/proto/proto.h exactly. It knows no verb. */
#ifndef QASID_FRONT_H
#define QASID_FRONT_H

#include "runtime/proto/proto.h"
#include "runtime/role/process.h"

struct pop_chunk;

struct front_role {
  enum role kind;
  const struct proto_ops *ops;
  /* Passes the session a pop_chunk that the shell has read from the message's file itself, without
   * encoding it. NULL for a role that reads no messages. */
  void (*chunk)(struct proto *p, const struct pop_chunk *m);
  const char *alpn; /* "smtp", "pop3" */
  /* What sessions of one listener share, made from the configuration; `conf` outlives it. NULL
   * without memory. */
  void *(*service_new)(const struct conf *conf, const char *service, bool has_certificate);
  void (*service_free)(void **service);
  /* Puts what a client gets in place of a greeting when it cannot be served now. */
  void (*busy)(const void *service, struct buf *out);
  /* A message that belongs to no session (its tag is 0); type 0: the process was lost. NULL: the
   * role has none. */
  void (*notice)(enum proto_role role, uint16_t type, struct slice payload);
};

/* Runs the process; returns the process' exit code. */
int front_run(const struct front_role *role);

#endif
