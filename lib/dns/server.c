/* SPDX-License-Identifier: ISC */
/* A name server as the configuration and resolv.conf(5) name it. It is a file of its own so that
 * the check of the configuration links nothing else of this folder. */
#include "lib/dns/dns.h"

#include "lib/base/num.h"

#include <arpa/inet.h>
#include <net/if.h>

/* An IPv6 address may name the interface that it is meant on: fe80::1%eth0 (RFC 4007 §11). */
static bool is_ip(struct slice text) {
  char s[INET6_ADDRSTRLEN];
  uint8_t octets[16];
  ptrdiff_t percent = slice_find(text, '%');
  struct slice zone = percent < 0 ? SLICE_NONE : slice_from(text, (size_t)percent + 1);
  bool six = slice_find(text, ':') >= 0;
  if (percent >= 0) text.n = (size_t)percent;
  if (text.n == 0 || text.n >= sizeof s ||
      (percent >= 0 && (!six || zone.n == 0 || zone.n >= IF_NAMESIZE)))
    return false;
  for (size_t i = 0; i < zone.n; i++)
    if (!ascii_is_graph(zone.p[i]) || zone.p[i] == '@' || zone.p[i] == '%') return false;
  memcpy(s, text.p, text.n);
  s[text.n] = 0;
  return inet_pton(six ? AF_INET6 : AF_INET, s, octets) == 1;
}

bool dns_server_parse(struct slice text, struct slice *ret_ip, uint16_t *ret_port) {
  uint64_t port = 53;
  ptrdiff_t at = slice_rfind(text, '@');
  struct slice ip = at < 0 ? text : slice_first(text, (size_t)at);
  if (at >= 0 && (!num_parse(slice_from(text, (size_t)at + 1), 65535, &port) || port == 0))
    return false;
  if (!is_ip(ip)) return false;
  *ret_ip = ip;
  *ret_port = (uint16_t)port;
  return true;
}
