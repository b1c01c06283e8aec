/* SPDX-License-Identifier: ISC */
/* Evaluates whether an SPF record (RFC 7208) allows an address to send. Only the terms common in a
 * domain's own record are supported: all, a, mx, ip4, ip6, include, redirect. */
#ifndef QASID_CLI_SPF_H
#define QASID_CLI_SPF_H

#include "lib/dns/dns.h"

enum spf_result {
  SPF_PASS,
  SPF_FAIL,   /* it does not */
  SPF_NONE,   /* there is no record */
  SPF_DOUBLE, /* there is more than one, so none is valid (§4.5) */
  /* it has terms that are not evaluated here (exists, ptr, macros, masks on a and mx), or too many
   * look-ups (§4.6.4) */
  SPF_UNSURE,
  SPF_LATER, /* DNS gave no answer */
};

/* Asks DNS. False: it could not be asked. */
typedef bool spf_ask_fn(void *arg, const char *name, enum dns_kind kind, struct dns_answer *ret);

/* For mail whose envelope sender has that domain. `record` receives the record, if there is one. */
enum spf_result spf_check(spf_ask_fn *ask, void *arg, const char *domain,
                          const struct dns_address *address, struct buf *record);

#endif
