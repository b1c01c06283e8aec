/* SPDX-License-Identifier: ISC */
/* DNS messages as libunbound hands them out, and answers between processes. */
#include "lib/dns/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct dns_answer answer;
  struct dns_found found;
  struct slice all = slice_of(data, size);
  dns_packet_hosts(all, "a.example", DNS_TYPE_SRV, &answer);
  dns_packet_hosts(all, "a.example", DNS_TYPE_MX, &answer);
  dns_packet_texts(all, "a.example", DNS_TYPE_TXT, &answer);
  dns_packet_texts(all, "a.example", DNS_TYPE_PTR, &answer);
  dns_packet_addresses(all, "a.example", DNS_TYPE_A, &found);
  dns_packet_addresses(all, "a.example", DNS_TYPE_AAAA, &found);
  dns_answer_get(all, &answer);
  return 0;
}
