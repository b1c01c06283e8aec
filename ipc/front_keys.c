/* SPDX-License-Identifier: ISC */
/* The front-keys pair: the encoders, decoders and rule table of the messages in front_keys.h,
 * all generated from its rows. */
#include "ipc/front_keys.h"

FRONT_KEYS_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_front_keys, "front-keys", FRONT_KEYS_MESSAGES);
