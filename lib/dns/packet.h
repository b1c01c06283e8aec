/* SPDX-License-Identifier: ISC */
/* A DNS message as libunbound returns it: the records that answer a question, at the end of their
 * chain of CNAMEs. libunbound has parsed and rebuilt the message, so it should be well-formed; this
 * code does not rely on that. */
#ifndef QASID_DNS_PACKET_H
#define QASID_DNS_PACKET_H

#include "lib/dns/dns.h"

/* RFC 1035 §3.2.2, RFC 3596, RFC 2782 */
enum dns_type {
  DNS_TYPE_A = 1,
  DNS_TYPE_CNAME = 5,
  DNS_TYPE_PTR = 12,
  DNS_TYPE_MX = 15,
  DNS_TYPE_TXT = 16,
  DNS_TYPE_AAAA = 28,
  DNS_TYPE_SRV = 33
};

/* The addresses of one family. */
struct dns_found {
  uint8_t count;
  struct dns_address addresses[DNS_ADDRESSES_MAX];
};

/* `name` as dns_name_check() makes it. FOUND, NONE, NO_NAME, or LATER for anything unusable.
 * Addresses that do not fit are omitted. */
enum dns_result dns_packet_addresses(struct slice packet, const char *name, enum dns_type type,
                                     struct dns_found *ret);
/* The hosts of SRV or MX records, without addresses, sorted by priority; if there are too many, the
 * best are kept. Also REFUSED. */
enum dns_result dns_packet_hosts(struct slice packet, const char *name, enum dns_type type,
                                 struct dns_answer *ret);
/* The texts of TXT records, the names of PTR records. FOUND, NONE, NO_NAME, LATER. */
enum dns_result dns_packet_texts(struct slice packet, const char *name, enum dns_type type,
                                 struct dns_answer *ret);

#endif
