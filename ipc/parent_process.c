/* SPDX-License-Identifier: ISC */
#include "ipc/parent_process.h"

PARENT_PROCESS_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_parent_process, "parent-process", PARENT_PROCESS_MESSAGES);
