/* SPDX-License-Identifier: ISC */
/* The resource limits of a role (RLIMIT_NOFILE, _AS, _FSIZE, _NPROC). */
#ifndef QASID_ROLE_LIMITS_H
#define QASID_ROLE_LIMITS_H

#include "runtime/role/process.h"
#include "runtime/sandbox/sandbox.h"

/* Sets the profile's limits for this process; r->conf is set. */
void process_limits(const struct process *r, struct sandbox_profile *p);

#endif
