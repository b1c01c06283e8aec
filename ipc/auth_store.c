/* SPDX-License-Identifier: ISC */
#include "ipc/auth_store.h"

AUTH_STORE_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_auth_store, "auth-store", AUTH_STORE_MESSAGES);
