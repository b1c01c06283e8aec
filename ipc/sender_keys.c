/* SPDX-License-Identifier: ISC */
/* The sender-keys pair: the encoders, decoders and rule table of the messages in sender_keys.h,
 * all generated from its rows. */
#include "ipc/sender_keys.h"

SENDER_KEYS_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_sender_keys, "sender-keys", SENDER_KEYS_MESSAGES);
