/* SPDX-License-Identifier: ISC */
/* CRC-32C (Castagnoli), the checksum of RFC 3720 §12.1 and Appendix B.4: it detects any burst of up
 * to 32 bits and nearly every other change of a message. It guards against faults of disks and
 * memory, not against attackers. */
#ifndef QASID_BASE_CRC32C_H
#define QASID_BASE_CRC32C_H

#include "lib/base/slice.h"

/* Incremental: `sum` is the sum of the preceding octets, 0 at the start. */
uint32_t crc32c(uint32_t sum, struct slice octets);
/* The sum of two concatenated texts, from both sums and the length of the second. */
uint32_t crc32c_join(uint32_t first, uint32_t second, uint64_t second_octets);
/* As crc32c(), without the processor's own instruction. */
uint32_t crc32c_by_table(uint32_t sum, struct slice octets);

#endif
