/* SPDX-License-Identifier: ISC */
/* CRC-32C by the processor's instruction, or by a table. The polynomial is 0x1EDC6F41 with its bits
 * reversed, as the octets come lowest bit first. SSE 4.2 takes eight octets in three cycles;
 * without it the table takes them one by one. Both give the same sum. */
#include "lib/base/crc32c.h"

#include <string.h>

#define POLYNOMIAL UINT32_C(0x82f63b78)

/* What an octet does to the sum is linear in its bits. */
#define ROW(n)                                                                 \
  (((n)&1 ? UINT32_C(0xf26b8303) : 0) ^ ((n)&2 ? UINT32_C(0xe13b70f7) : 0) ^   \
   ((n)&4 ? UINT32_C(0xc79a971f) : 0) ^ ((n)&8 ? UINT32_C(0x8ad958cf) : 0) ^   \
   ((n)&16 ? UINT32_C(0x105ec76f) : 0) ^ ((n)&32 ? UINT32_C(0x20bd8ede) : 0) ^ \
   ((n)&64 ? UINT32_C(0x417b1dbc) : 0) ^ ((n)&128 ? POLYNOMIAL : 0))
#define ROWS_4(n) ROW(n), ROW((n) + 1), ROW((n) + 2), ROW((n) + 3)
#define ROWS_16(n) ROWS_4(n), ROWS_4((n) + 4), ROWS_4((n) + 8), ROWS_4((n) + 12)
#define ROWS_64(n) ROWS_16(n), ROWS_16((n) + 16), ROWS_16((n) + 32), ROWS_16((n) + 48)
static const uint32_t table[256] = { ROWS_64(0), ROWS_64(64), ROWS_64(128), ROWS_64(192) };

uint32_t crc32c_by_table(uint32_t sum, struct slice s) {
  sum = ~sum;
  for (size_t i = 0; i < s.n; i++) sum = table[(sum ^ s.p[i]) & 0xff] ^ (sum >> 8);
  return ~sum;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t sum, struct slice s) {
  uint64_t wide = ~sum, eight;
  size_t i = 0;
  for (; i + 8 <= s.n; i += 8) {
    memcpy(&eight, s.p + i, 8);
    wide = __builtin_ia32_crc32di(wide, eight);
  }
  sum = (uint32_t)wide;
  for (; i < s.n; i++) sum = __builtin_ia32_crc32qi(sum, s.p[i]);
  return ~sum;
}
#endif

uint32_t crc32c(uint32_t sum, struct slice s) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return by_instruction(sum, s);
#endif
  return crc32c_by_table(sum, s);
}

/* --- joining: octets behind others multiply those's sum by x to the power of eight times their
 * number --- */

static uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = UINT32_C(1) << 31; bit; bit >>= 1) {
    if (a & bit) product ^= b;
    b = b & 1 ? (b >> 1) ^ POLYNOMIAL : b >> 1;
  }
  return product;
}

uint32_t crc32c_join(uint32_t first, uint32_t second, uint64_t second_octets) {
  uint32_t power = UINT32_C(1) << 23; /* x^8 */
  for (; second_octets; second_octets >>= 1) {
    if (second_octets & 1) first = multiply(power, first);
    power = multiply(power, power);
  }
  return first ^ second;
}
