/* SPDX-License-Identifier: ISC */
/* The collector-auth pair: the encoders, decoders and rule table of the messages in
 * collector_auth.h, all generated from its rows. */
#include "ipc/collector_auth.h"

COLLECTOR_AUTH_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_collector_auth, "collector-auth", COLLECTOR_AUTH_MESSAGES);
