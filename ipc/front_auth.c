/* SPDX-License-Identifier: ISC */
#include "ipc/front_auth.h"

FRONT_AUTH_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_front_auth, "front-auth", FRONT_AUTH_MESSAGES);
