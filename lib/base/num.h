/* SPDX-License-Identifier: ISC */
/* Numbers from the wire. Decimal digits only: no sign, no space, no locale; overflow is an error.
 */
#ifndef QASID_BASE_NUM_H
#define QASID_BASE_NUM_H

#include "lib/base/slice.h"

/* The whole of `s` as a decimal number of at most `max`. False (and *ret untouched) when `s` is
 * empty, has anything but digits, or the value passes `max`. Leading zeros are digits. */
bool num_parse(struct slice s, uint64_t max, uint64_t *ret);

#endif
