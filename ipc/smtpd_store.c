/* SPDX-License-Identifier: ISC */
/* The smtpd-store pair: the encoders, decoders and rule table of the messages in smtpd_store.h,
 * all generated from its rows. */
#include "ipc/smtpd_store.h"

SMTPD_STORE_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_smtpd_store, "smtpd-store", SMTPD_STORE_MESSAGES);
