/* SPDX-License-Identifier: ISC */
/* The parent-process pair: the encoders, decoders and rule table of the messages in
 * parent_process.h, all generated from its rows. */
#include "ipc/parent_process.h"

PARENT_PROCESS_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_parent_process, "parent-process", PARENT_PROCESS_MESSAGES);
