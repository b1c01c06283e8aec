/* SPDX-License-Identifier: ISC */
#include "ipc/pop3d_store.h"

POP3D_STORE_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_pop3d_store, "pop3d-store", POP3D_STORE_MESSAGES);
