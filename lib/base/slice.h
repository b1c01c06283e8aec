/* SPDX-License-Identifier: ISC */
/* A borrowed run of octets: pointer and length; a terminating NUL is never guaranteed.
 *
 * Everything that came from a network, a file or another process is handled as a slice. NUL is
 * data. A slice owns nothing; it is valid as long as the buffer it was cut from. Only the functions
 * here advance such pointers, and none reads outside [p, p+n). */
#ifndef QASID_BASE_SLICE_H
#define QASID_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
  const uint8_t *p;
  size_t n;
};

#define SLICE_NONE ((struct slice){ NULL, 0 })
/* A string literal as a slice (the closing NUL is not part of it). */
#define SLICE(lit) ((struct slice){ (const uint8_t *)("" lit), sizeof(lit) - 1 })
/* printf: "%.*s", SLICE_ARG(s). Only for octets already known to be printable. */
#define SLICE_ARG(s) ((int)(s).n), ((const char *)(s).p)

static inline struct slice slice_of(const void *p, size_t n) {
  return (struct slice){ (const uint8_t *)p, n };
}
static inline struct slice slice_str(const char *s) { return slice_of(s, s ? strlen(s) : 0); }
/* The octet at `i`, or -1 past the end. */
static inline int slice_at(struct slice s, size_t i) { return i < s.n ? s.p[i] : -1; }
/* Without the first `n` octets (all of them when there are fewer). */
static inline struct slice slice_from(struct slice s, size_t n) {
  if (n > s.n) n = s.n;
  return (struct slice){ s.p ? s.p + n : NULL, s.n - n };
}
/* The first `n` octets (all of them when there are fewer). */
static inline struct slice slice_first(struct slice s, size_t n) {
  return (struct slice){ s.p, n < s.n ? n : s.n };
}

/* Where in `whole` the slice `part`, which was cut from it, begins. */
static inline size_t slice_offset(struct slice whole, struct slice part) {
  return part.p ? (size_t)(part.p - whole.p) : 0;
}

bool slice_eq(struct slice a, struct slice b);
/* FNV-1a, for tables with chained collisions; struct map adds a seed of its own. The store keeps
 * such numbers: they must not change. */
uint64_t slice_hash(struct slice s);
/* Of its copy in lower case (ASCII). */
uint64_t slice_hash_lower(struct slice s);
/* Some octet is above 127. */
bool slice_has_high(struct slice s);
/* Some octet is a control character. */
bool slice_has_control(struct slice s);
/* True if every octet is printable ASCII and not a space; also for an empty slice. */
bool slice_is_graph(struct slice s);
/* Equal but for the case of ASCII letters. */
bool slice_caseeq(struct slice a, struct slice b);
/* Equal, in a time that depends on the lengths only: for secrets. */
bool slice_secret_eq(struct slice a, struct slice b);
bool slice_starts(struct slice s, struct slice prefix);
bool slice_case_starts(struct slice s, struct slice prefix);
/* Index of the first `c`, or -1. */
ptrdiff_t slice_find(struct slice s, uint8_t c);
/* Index of the last `c`, or -1. */
ptrdiff_t slice_rfind(struct slice s, uint8_t c);
/* Index of the first occurrence of `needle`, or -1. */
ptrdiff_t slice_search(struct slice s, struct slice needle);
/* Cuts everything before the first `sep` off `*s` and returns it; `*s` keeps what follows the
 * separator. Without a separator returns all and leaves `*s` empty with p = NULL. */
struct slice slice_split(struct slice *s, uint8_t sep);
/* Without leading and trailing spaces and tabs. */
struct slice slice_trim(struct slice s);
/* memcmp order, shorter first when one is a prefix of the other. */
int slice_cmp(struct slice a, struct slice b);

/* ASCII only, independent of locale. */
static inline bool ascii_is_digit(int c) { return c >= '0' && c <= '9'; }
static inline bool ascii_is_alpha(int c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }
static inline bool ascii_is_alnum(int c) { return ascii_is_digit(c) || ascii_is_alpha(c); }
static inline bool ascii_is_print(int c) { return c >= 0x20 && c < 0x7f; }
/* VCHAR (RFC 5234): printable, no space. */
static inline bool ascii_is_graph(int c) { return c > 0x20 && c < 0x7f; }
/* CTL (RFC 5234). */
static inline bool ascii_is_control(int c) { return (c >= 0 && c < 0x20) || c == 0x7f; }
static inline uint8_t ascii_lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }
static inline uint8_t ascii_upper(uint8_t c) { return c >= 'a' && c <= 'z' ? c - 32 : c; }

/* A copy in lower case (ASCII) at `to`, which has room for s.n octets. */
static inline struct slice slice_lower(struct slice s, uint8_t *to) {
  for (size_t i = 0; i < s.n; i++) to[i] = ascii_lower(s.p[i]);
  return slice_of(to, s.n);
}

#endif
