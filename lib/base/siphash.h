/* SPDX-License-Identifier: ISC */
/* SipHash-2-4 with an output of 128 bits (Aumasson and Bernstein), over octets that come in pieces:
 * a fingerprint of a message. A party that knows the key can construct two messages with one
 * fingerprint, so the fingerprint must not decide anything that could harm others than the
 * sender. */
#ifndef QASID_BASE_SIPHASH_H
#define QASID_BASE_SIPHASH_H

#include "lib/base/slice.h"

enum { SIPHASH_KEY = 16, SIPHASH_SIZE = 16 };

struct siphash {
  uint64_t v[4];
  uint64_t taken;
  uint8_t tail[8]; /* the last taken % 8 octets, not yet a whole word */
};

void siphash_start(struct siphash *h, const uint8_t key[SIPHASH_KEY]);
void siphash_put(struct siphash *h, struct slice s);
/* Writes the result; the state must be restarted before its next use. */
void siphash_end(struct siphash *h, uint8_t ret[SIPHASH_SIZE]);

#endif
