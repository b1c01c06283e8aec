/* SPDX-License-Identifier: ISC */
/* Addresses of hosts: parsed, printed, and classified as public or not (RFC 6890). Pure. */
#include <arpa/inet.h>

#include "runtime/dial/dial.h"

struct private_range {
  uint8_t octets[16];
  uint8_t bits;
};

/* IANA's special-purpose registries (RFC 6890): all that is not globally reachable, and multicast.
 */
static const struct private_range inside4[] = {
  { { 0 }, 8 },
  { { 10 }, 8 },
  { { 100, 64 }, 10 },
  { { 127 }, 8 },
  { { 169, 254 }, 16 },
  { { 172, 16 }, 12 },
  { { 192, 0, 0 }, 24 },
  { { 192, 0, 2 }, 24 },
  { { 192, 88, 99 }, 24 },
  { { 192, 168 }, 16 },
  { { 198, 18 }, 15 },
  { { 198, 51, 100 }, 24 },
  { { 203, 0, 113 }, 24 },
  { { 224 }, 3 },
};
static const struct private_range inside6[] = {
  { { 0 }, 8 },                          /* ::, ::1, and deprecated forms of IPv4 */
  { { 0, 0x64, 0xff, 0x9b, 0, 1 }, 48 }, /* local translation, RFC 8215 */
  { { 0x01 }, 8 },                       /* discard-only */
  { { 0x20, 0x01, 0x00 }, 23 },          /* Teredo, benchmarking, ORCHID */
  { { 0x20, 0x01, 0x0d, 0xb8 }, 32 },    /* documentation */
  { { 0x3f, 0xff, 0x00 }, 20 },          /* documentation, RFC 9637 */
  { { 0x5f, 0x00 }, 16 },                /* segment routing */
  { { 0xfc }, 7 },
  { { 0xfe, 0x80 }, 10 },
  { { 0xfe, 0xc0 }, 10 },
  { { 0xff }, 8 },
};
/* IPv6 prefixes followed by an IPv4 address: that address is classified. */
static const struct private_range carriers[] = {
  { { [10] = 0xff, 0xff }, 96 },   /* mapped */
  { { 0, 0x64, 0xff, 0x9b }, 96 }, /* RFC 6052 */
  { { 0x20, 0x02 }, 16 },          /* 6to4 */
};

static bool is_in(const uint8_t *a, const struct private_range *r) {
  unsigned whole = r->bits / 8, rest = r->bits % 8;
  if (memcmp(a, r->octets, whole) != 0) return false;
  return !rest || ((a[whole] ^ r->octets[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

static bool is_in_any(const uint8_t *a, const struct private_range *r, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (is_in(a, &r[i])) return true;
  return false;
}

static bool is_public4(const uint8_t *a) {
  return !is_in_any(a, inside4, sizeof inside4 / sizeof *inside4);
}

bool dial_address_is_public(const struct dial_address *a) {
  if (a->n == 4) return is_public4(a->octets);
  for (size_t i = 0; i < sizeof carriers / sizeof *carriers; i++)
    if (is_in(a->octets, &carriers[i])) return is_public4(a->octets + carriers[i].bits / 8);
  return a->n == 16 && !is_in_any(a->octets, inside6, sizeof inside6 / sizeof *inside6);
}

bool dial_address_parse(const char *text, uint16_t port, struct dial_address *ret) {
  *ret = (struct dial_address){ .port = port };
  if (inet_pton(AF_INET, text, ret->octets) == 1)
    ret->n = 4;
  else if (inet_pton(AF_INET6, text, ret->octets) == 1)
    ret->n = 16;
  return ret->n != 0;
}

void dial_address_put(const struct dial_address *a, struct buf *out) {
  char text[INET6_ADDRSTRLEN];
  if (inet_ntop(a->n == 4 ? AF_INET : AF_INET6, a->octets, text, sizeof text))
    buf_put_str(out, text);
}
