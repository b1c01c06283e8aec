/* SPDX-License-Identifier: ISC */
/* The pickup-smtpd pair: the encoders, decoders and rule table of the messages in pickup_smtpd.h,
 * all generated from its rows. */
#include "ipc/pickup_smtpd.h"

PICKUP_SMTPD_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_pickup_smtpd, "pickup-smtpd", PICKUP_SMTPD_MESSAGES);
