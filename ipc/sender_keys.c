/* SPDX-License-Identifier: ISC */
#include "ipc/sender_keys.h"

SENDER_KEYS_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_sender_keys, "sender-keys", SENDER_KEYS_MESSAGES);
