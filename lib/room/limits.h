/* The limits on resources of a role (RLIMIT_NOFILE, _AS, _FSIZE, _NPROC). */
#ifndef QASID_ROOM_LIMITS_H
#define QASID_ROOM_LIMITS_H

#include "lib/room/room.h"
#include "lib/sandbox/sandbox.h"

/* Sets the profile's limits for this process; r->conf is set. */
void room_limits(const struct room *r, struct sandbox_profile *p);

#endif
