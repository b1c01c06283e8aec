/* SPDX-License-Identifier: ISC */
/* Sizes and times as users write them, in the configuration, on the command line and in tables
 * alike: 2G, 30d. */
#ifndef QASID_BASE_UNITS_H
#define QASID_BASE_UNITS_H

#include "lib/base/buf.h"

/* Octets, or a number with K, M, G or T (times 1024; also in lower case). False, with *ret
 * untouched, for anything else and for values above 2^64 - 1. */
bool units_size(struct slice text, uint64_t *ret);
/* Seconds, or a number with s, m, h or d. */
bool units_time(struct slice text, uint64_t *ret);
/* Days, as a number alone or with d: 30, 30d. */
bool units_days(struct slice text, uint64_t *ret);
/* With the largest unit that divides the value, so that it reads back to the same number. */
void units_put_size(struct buf *out, uint64_t n);
void units_put_time(struct buf *out, uint64_t n);

#endif
