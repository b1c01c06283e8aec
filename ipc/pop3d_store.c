/* SPDX-License-Identifier: ISC */
/* The pop3d-store pair: the encoders, decoders and rule table of the messages in pop3d_store.h,
 * all generated from its rows. */
#include "ipc/pop3d_store.h"

POP3D_STORE_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_pop3d_store, "pop3d-store", POP3D_STORE_MESSAGES);
