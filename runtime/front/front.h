/* SPDX-License-Identifier: ISC */
/* The shell around protocol sessions: sockets, TLS, limits, and the channels to auth, store and
 * keys. smtpd and pop3d are this shell with their own session machine and verb table.
 *
 * It follows the contract of runtime/proto/proto.h exactly. It knows no verb. */
#ifndef QASID_FRONT_H
#define QASID_FRONT_H

#include "runtime/proto/proto.h"
#include "runtime/role/process.h"

/* What the sessions of a role that reads stored messages have in common. */
struct front_readers {
  size_t now,
      most;        /* connections that may have files opened ahead: how many do, and how many may */
  uint8_t *octets; /* memory for one piece, IPC_CHUNK octets */
};

enum front_file {
  FRONT_FILE_MALFORMED, /* a breach by store; the descriptor is not taken over */
  FRONT_FILE_KEPT,
  FRONT_FILE_ANSWERED, /* and the session has its answer */
};

struct front_role {
  enum role kind;
  const struct proto_ops *ops;
  /* For a role that reads stored messages, which store may pass as descriptors; all NULL for
   * others. `own` is the role's part of a connection, NULL at first. */
  struct {
    unsigned ahead; /* the most files that one connection has open beside the one it reads */
    /* A question is about to be sent to store, and may be modified. True: it was answered from an
     * open file. */
    bool (*ask)(struct front_readers *all, void **own, struct proto *p);
    /* store has passed a file to this session. */
    enum front_file (*take)(struct front_readers *all, void **own, struct proto *p,
                            struct slice payload, int fd);
    void (*free)(struct front_readers *all, void **own);
  } files;
  /* The reply to a notification that another session waits for a resource of this one: it is in use
   * (proto_ops.yield). 0: sessions of this role hold none. */
  uint16_t in_use_type;
  const char *alpn; /* "smtp", "pop3" */
  /* What the sessions of one listener share, made from the configuration; `conf` outlives it. NULL
   * without memory. */
  void *(*service_new)(const struct conf *conf, const char *service, bool has_certificate);
  void (*service_free)(void **service);
  /* Puts the reply that a client gets instead of a greeting if it cannot be served now. */
  void (*busy)(const void *service, struct buf *out);
  /* A message without a session (its tag is 0); type 0: the process was lost. NULL: the role has
   * none. */
  void (*notice)(unsigned role, uint16_t type, struct slice payload);
};

/* Runs the process; returns the process' exit code. */
int front_run(const struct front_role *role);

#endif
