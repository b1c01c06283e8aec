/* SPDX-License-Identifier: ISC */
/* The command line's requests to the resolver: `dns lookup NAME KIND`, whose answer comes as octets
 * (dns_answer_put), and its part of `status`. */
#ifndef QASID_RESOLVER_ADMIN_H
#define QASID_RESOLVER_ADMIN_H

#include "runtime/role/process.h"
#include "src/resolver/resolver.h"

/* False: malformed, a breach. */
bool resolver_admin(struct process *process, struct resolver *r, uint32_t number,
                    const struct ipc_msg *msg);
/* The answer to a lookup. */
void resolver_admin_answer(struct process *process, uint32_t number,
                           const struct dns_answer *answer);

#endif
