/* SPDX-License-Identifier: ISC */
/* The auth-store pair: the encoders, decoders and rule table of the messages in auth_store.h,
 * all generated from its rows. */
#include "ipc/auth_store.h"

AUTH_STORE_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_auth_store, "auth-store", AUTH_STORE_MESSAGES);
