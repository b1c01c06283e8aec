/* SPDX-License-Identifier: ISC */
#include "ipc/front_keys.h"

FRONT_KEYS_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_front_keys, "front-keys", FRONT_KEYS_MESSAGES);
