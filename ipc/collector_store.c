/* SPDX-License-Identifier: ISC */
#include "ipc/collector_store.h"

COLLECTOR_STORE_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_collector_store, "collector-store", COLLECTOR_STORE_MESSAGES);
