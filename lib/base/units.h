/* SPDX-License-Identifier: ISC */
/* Sizes and times as people write them, in the configuration, on the command line and in tables
 * alike: 2G, 30d. */
#ifndef QASID_BASE_UNITS_H
#define QASID_BASE_UNITS_H

#include "lib/base/buf.h"

/* Octets, or a number with K, M, G or T (times 1024; small letters too). False, and *ret as it was,
 * for anything else and for what passes 2^64. */
bool units_size(struct slice text, uint64_t *ret);
/* Seconds, or a number with s, m, h or d. */
bool units_time(struct slice text, uint64_t *ret);
/* Days, as a number alone or with d: 30, 30d. */
bool units_days(struct slice text, uint64_t *ret);
/* With the largest unit that divides it: what is read again as the same. */
void units_put_size(struct buf *out, uint64_t n);
void units_put_time(struct buf *out, uint64_t n);

#endif
