/* SPDX-License-Identifier: ISC */
#include "ipc/collector_auth.h"

COLLECTOR_AUTH_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_collector_auth, "collector-auth", COLLECTOR_AUTH_MESSAGES);
