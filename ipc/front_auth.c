/* SPDX-License-Identifier: ISC */
/* The front-auth pair: the encoders, decoders and rule table of the messages in front_auth.h,
 * all generated from its rows. */
#include "ipc/front_auth.h"

FRONT_AUTH_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_front_auth, "front-auth", FRONT_AUTH_MESSAGES);
