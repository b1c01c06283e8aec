/* SPDX-License-Identifier: ISC */
/* A process that dials asks the resolver: which hosts, at which addresses, in which order?
 *
 * The tag is the question. Each question gets one answer, within `dns_timeout` and a little:
 * whoever has no use for it any more drops it. When the resolver is gone, what was open there is
 * "try later". A process that asks more than it may (the options dns_questions_per_second,
 * dns_open_questions) is told "try later" at once. */
#ifndef QASID_IPC_DIALER_RESOLVER_H
#define QASID_IPC_DIALER_RESOLVER_H

#include "ipc/ipc.h"

/* A question, as the resolver sees it. */
enum { DNS_AT_REST, DNS_ASKED };

/* clang-format off */
/* kind: enum dns_kind. name: what is to be looked up, as somebody wrote it; a wrong one is answered
 * so. */
#define dns_ask_FIELDS(F) F(u8, kind, ) F(bytes, name, 254)
/* answer: lib/dns/dns.h, dns_answer_get(). */
#define dns_reply_FIELDS(F) F(bytes, answer, 8192)

#define DIALER_RESOLVER_MESSAGES(M) \
  /* type name       from       allowed in          next         max   fds */ \
  M(1,  dns_ask,      IPC_LEFT,  1 << DNS_AT_REST,   DNS_ASKED,   512,  0) \
  M(64, dns_reply,     IPC_RIGHT, 1 << DNS_ASKED,     DNS_AT_REST, 8200, 0)

DIALER_RESOLVER_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_dialer_resolver;
/* clang-format on */

#endif
