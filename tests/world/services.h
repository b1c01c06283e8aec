/* SPDX-License-Identifier: ISC */
/* What clients can connect to, by the name of its listener: the sessions' own services, set up from
 * the world's configuration as the processes' main.c would. */
#ifndef QASID_WORLD_SERVICES_H
#define QASID_WORLD_SERVICES_H

#include "conf/conf.h"
#include "ipc/roles.h"
#include "runtime/proto/proto.h"

struct services;

struct service {
  const char *name;
  enum role role;
  bool implicit_tls;
  const struct proto_ops *ops;
  const void *state; /* for ops->new() */
};

struct services *services_new(const struct conf *conf);
void services_free(struct services **s);
/* NULL: there is none of that name. */
const struct service *services_find(const struct services *s, const char *name);

/* What a process said of no session in particular; type 0: it was lost. */
void services_notice(struct services *s, unsigned role, uint16_t type, struct slice payload);

#endif
