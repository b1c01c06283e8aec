/* SPDX-License-Identifier: ISC */
/* The dialer-resolver pair: the encoders, decoders and rule table of the messages in
 * dialer_resolver.h, all generated from its rows. */
#include "ipc/dialer_resolver.h"

DIALER_RESOLVER_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_dialer_resolver, "dialer-resolver", DIALER_RESOLVER_MESSAGES);
