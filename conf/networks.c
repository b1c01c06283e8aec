/* SPDX-License-Identifier: ISC */
/* Networks in the configuration: "192.0.2.0/24", "2001:db8::/32", or an address alone. */
#include "conf/internal.h"

#include "lib/base/num.h"

#include <arpa/inet.h>
#include <string.h>

/* The address in network order, its size and the length of its prefix. */
struct network {
  uint8_t address[16];
  size_t n;
  uint64_t bits;
};

static bool address_read(struct slice text, struct network *ret) {
  char copy[INET6_ADDRSTRLEN];
  if (text.n == 0 || text.n >= sizeof copy) return false;
  memcpy(copy, text.p, text.n);
  copy[text.n] = 0;
  ret->n = slice_find(text, ':') < 0 ? 4 : 16;
  return inet_pton(ret->n == 4 ? AF_INET : AF_INET6, copy, ret->address) == 1;
}

static bool same_bits(const uint8_t *x, const uint8_t *y, uint64_t bits) {
  uint8_t mask = (uint8_t)(0xff00 >> bits % 8);
  return memcmp(x, y, bits / 8) == 0 &&
         (bits % 8 == 0 || ((x[bits / 8] ^ y[bits / 8]) & mask) == 0);
}

static bool network_read(struct slice text, struct network *ret) {
  ptrdiff_t slash = slice_find(text, '/');
  if (!address_read(slash < 0 ? text : slice_first(text, (size_t)slash), ret)) return false;
  ret->bits = 8 * ret->n;
  return slash < 0 || num_parse(slice_from(text, (size_t)slash + 1), 8 * ret->n, &ret->bits);
}

bool conf_is_network(struct slice text) {
  struct network net;
  return network_read(text, &net);
}

bool conf_in_networks(const struct conf_list *networks, struct slice peer) {
  struct network net;
  for (size_t i = 0; i < networks->count; i++)
    if (network_read(slice_str(networks->items[i]), &net) && net.n == peer.n &&
        same_bits(net.address, peer.p, net.bits))
      return true;
  return false;
}
