/* SPDX-License-Identifier: ISC */
/* UTF-8 as RFC 3629 §4 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef QASID_BASE_UTF8_H
#define QASID_BASE_UTF8_H

#include "lib/base/slice.h"

/* How many octets the character at the front of `s` has, 1 to 4; 0 when there is no valid one.
 * `*ret` is its code point. */
size_t utf8_first(struct slice s, uint32_t *ret);
bool utf8_is_valid(struct slice s);
/* True for a character that may be displayed to people as it is. False for controls, line
 * separators, characters that change the direction of surrounding text or are invisible (format
 * characters, fillers), and code points without a meaning of their own (private use,
 * noncharacters). */
bool utf8_is_shown(uint32_t point);

#endif
