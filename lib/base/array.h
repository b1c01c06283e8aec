/* SPDX-License-Identifier: ISC */
/* Growing arrays. The owner keeps {items, count, cap}; this makes room, and cap doubles, so that n
 * items cost O(n) copies. A caller that adds items on behalf of a peer must bound their number
 * itself. */
#ifndef QASID_BASE_ARRAY_H
#define QASID_BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/* Make the array at *items hold at least `wanted` items of `each` octets. `items` is the address
 * of the owner's pointer, which may be NULL while *cap is 0. False without memory or when the size
 * in octets overflows; array and *cap are then unchanged. New items are not initialised. */
bool array_reserve(void *items, size_t *cap, size_t wanted, size_t each);

#endif
