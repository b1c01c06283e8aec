/* SPDX-License-Identifier: ISC */
#include "ipc/dialer_resolver.h"

DIALER_RESOLVER_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_dialer_resolver, "dialer-resolver", DIALER_RESOLVER_MESSAGES);
