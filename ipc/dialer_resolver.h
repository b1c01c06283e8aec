/* SPDX-License-Identifier: ISC */
/* A process that makes outgoing connections asks the resolver for a domain's hosts: which, at which
 * addresses, in which order.
 *
 * The tag is the question. Each question gets one reply, within `dns_timeout` and a short margin;
 * an asker that no longer needs it ignores the reply. When the resolver is lost, the asker treats
 * its open questions as "try later". A process that exceeds its limits (the options
 * dns_questions_per_second, dns_open_questions) gets "try later" at once. */
#ifndef QASID_IPC_DIALER_RESOLVER_H
#define QASID_IPC_DIALER_RESOLVER_H

#include "ipc/ipc.h"

/* A question, as the resolver sees it. */
enum { DNS_AT_REST, DNS_ASKED };

/* clang-format off */
/* kind: enum dns_kind. name: the name to look up, unchecked; an invalid one gets a reply that says
 * so. */
#define dns_ask_FIELDS(F) F(u8, kind, ) F(bytes, name, 254)
/* answer: encoded by dns_answer_put(), decoded by dns_answer_get() (lib/dns/dns.h). */
#define dns_reply_FIELDS(F) F(bytes, answer, 8192)

#define DIALER_RESOLVER_MESSAGES(M) \
  /* type name       from       allowed in          next         max   fds kind */ \
  M(1,  dns_ask,      IPC_LEFT,  1 << DNS_AT_REST,   DNS_ASKED,   512,  0, IPC_ASK) \
  M(64, dns_reply,     IPC_RIGHT, 1 << DNS_ASKED,     DNS_AT_REST, 8200, 0, IPC_TO(1))

DIALER_RESOLVER_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_dialer_resolver;
/* clang-format on */

#endif
