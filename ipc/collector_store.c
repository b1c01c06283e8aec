/* SPDX-License-Identifier: ISC */
/* The collector-store pair: the encoders, decoders and rule table of the messages in
 * collector_store.h, all generated from its rows. */
#include "ipc/collector_store.h"

COLLECTOR_STORE_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_collector_store, "collector-store", COLLECTOR_STORE_MESSAGES);
