/* SPDX-License-Identifier: ISC */
/* SipHash-2-4 with an output of 128 bits (Aumasson and Bernstein), over octets that come in pieces:
 * a fingerprint of a message. Whoever knows the key can construct two messages with one
 * fingerprint, so it may decide nothing that harms anybody but their sender. */
#ifndef QASID_BASE_SIPHASH_H
#define QASID_BASE_SIPHASH_H

#include "lib/base/slice.h"

enum { SIPHASH_KEY = 16, SIPHASH_SIZE = 16 };

struct siphash {
  uint64_t v[4];
  uint64_t taken;
  uint8_t tail[8]; /* taken % 8 octets that wait for more */
};

void siphash_start(struct siphash *h, const uint8_t key[SIPHASH_KEY]);
void siphash_put(struct siphash *h, struct slice s);
/* Ends it. */
void siphash_end(struct siphash *h, uint8_t ret[SIPHASH_SIZE]);

#endif
