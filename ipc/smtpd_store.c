/* SPDX-License-Identifier: ISC */
#include "ipc/smtpd_store.h"

SMTPD_STORE_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_smtpd_store, "smtpd-store", SMTPD_STORE_MESSAGES);
