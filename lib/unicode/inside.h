/* SPDX-License-Identifier: ISC */
/* Character properties, shared by classes.c and prepare.c. */
#ifndef QASID_UNICODE_INSIDE_H
#define QASID_UNICODE_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 8264 §8: the class of a character. */
enum precis {
  PRECIS_VALID,
  PRECIS_FREE /* in the FreeformClass only */,
  PRECIS_CONTEXT,
  PRECIS_DISALLOWED
};
enum precis precis_of(uint32_t c);
/* RFC 5892 appendix A, the rule for the character of PRECIS_CONTEXT at `at` of its string. */
bool precis_context_ok(const uint32_t *s, size_t n, size_t at);
/* RFC 5893 §2. True also for a string without right-to-left characters. */
bool bidi_ok(const uint32_t *s, size_t n);
/* RFC 4013 §2.3 and §2.4. */
bool saslprep_ok(const uint32_t *s, size_t n);

#endif
