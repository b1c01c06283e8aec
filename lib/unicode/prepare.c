/* SPDX-License-Identifier: ISC */
/* The preparation of names and passwords. Text is handled as code points: `struct points`, wiped
 * when it is freed, since it may be a password. */
#include "lib/unicode/prepare.h"

#include <stdlib.h>

#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>

#include "lib/base/utf8.h"
#include "lib/unicode/inside.h"

enum { ROUNDS = 4 /* RFC 8264 §7: it is stable after three, or refused */ };

struct points {
  uint32_t at[PREPARE_MAX];
  size_t n;
};

static struct points *points_of(struct slice s) {
  struct points *p = s.n <= PREPARE_MAX ? malloc(sizeof *p) : NULL;
  if (!p) return NULL;
  p->n = 0;
  while (s.n) {
    size_t octets = utf8_first(s, &p->at[p->n]);
    if (!octets) {
      explicit_bzero(p, sizeof *p);
      free(p);
      return NULL;
    }
    p->n++;
    s = slice_from(s, octets);
  }
  return p;
}

static void points_free(struct points *p) {
  if (!p) return;
  explicit_bzero(p, sizeof *p);
  free(p);
}

static void put_point(struct buf *out, uint32_t c) {
  if (c < 0x80) {
    buf_put_u8(out, (uint8_t)c);
    return;
  }
  uint8_t follow = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static const uint8_t leads[] = { 0, 0xc0, 0xe0, 0xf0 };
  buf_put_u8(out, (uint8_t)(leads[follow] | c >> (6 * follow)));
  for (int i = follow - 1; i >= 0; i--) buf_put_u8(out, (uint8_t)(0x80 | (c >> (6 * i) & 0x3f)));
}

/* All or nothing; in one allocation, so that growing leaves no copy of a password behind. */
static bool put_points(struct buf *out, const struct points *p) {
  struct buf text;
  buf_init(&text, 4 * PREPARE_MAX);
  buf_reserve(&text, 4 * p->n);
  for (size_t i = 0; i < p->n; i++) put_point(&text, p->at[i]);
  size_t n = buf_len(&text);
  bool fits = !text.failed && n <= buf_room(out) && n <= PREPARE_MAX;
  if (fits) {
    buf_reserve(out, n);
    buf_put(out, buf_slice(&text));
  }
  buf_wipe(&text);
  return fits && !out->failed;
}

/* Replaces the text by a library function's result. */
static bool replace(struct points *p, uint32_t *made, size_t n) {
  bool ok = made && n <= PREPARE_MAX;
  if (ok && n) memmove(p->at, made, n * sizeof *made);
  if (ok) p->n = n;
  if (made) explicit_bzero(made, n * sizeof *made);
  free(made);
  return ok;
}

static bool normalize(struct points *p, uninorm_t form) {
  size_t n = 0;
  if (!p->n) return true;
  uint32_t *made = u32_normalize(form, p->at, p->n, NULL, &n);
  return replace(p, made, n);
}

static bool lower(struct points *p) {
  size_t n = 0;
  if (!p->n) return true;
  uint32_t *made = u32_tolower(p->at, p->n, NULL, NULL, NULL, &n);
  return replace(p, made, n);
}

/* RFC 8264 §5.2.1: wide and narrow forms decompose into one character each. */
static void map_width(struct points *p) {
  for (size_t i = 0; i < p->n; i++) {
    ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
    int tag = 0, n = uc_decomposition(p->at[i], &tag, parts);
    if (n == 1 && (tag == UC_DECOMP_WIDE || tag == UC_DECOMP_NARROW)) p->at[i] = parts[0];
  }
}

static void map_spaces(struct points *p) {
  for (size_t i = 0; i < p->n; i++)
    if (p->at[i] > 0x7f && uc_is_general_category(p->at[i], UC_SPACE_SEPARATOR)) p->at[i] = ' ';
}

bool prepare_is_ascii(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] >= 0x80) return false;
  return true;
}

static bool put_ascii_lower(struct slice s, struct buf *out) {
  if (s.n > buf_room(out)) return false;
  buf_put_lower(out, s);
  return !out->failed;
}

/* --- names --- */

static bool is_same(const struct points *p, const struct points *q) {
  return p->n == q->n && (p->n == 0 || memcmp(p->at, q->at, p->n * sizeof *p->at) == 0);
}

static bool map_name(struct points *p) {
  struct points *before = malloc(sizeof *before);
  bool ok = before != NULL, stable = false;
  for (int i = 0; ok && !stable && i < ROUNDS; i++) {
    *before = *p;
    map_width(p);
    ok = lower(p) && normalize(p, UNINORM_NFC);
    stable = ok && is_same(p, before);
  }
  points_free(before);
  return ok;
}

bool prepare_name(struct slice name, struct buf *out) {
  if (prepare_is_ascii(name)) return put_ascii_lower(name, out);
  struct points *p = points_of(name);
  if (!p) return put_ascii_lower(name, out);
  bool ok = map_name(p) && put_points(out, p);
  points_free(p);
  return ok;
}

/* `most`: the highest class allowed: PRECIS_VALID for the IdentifierClass, PRECIS_FREE for the
 * FreeformClass. *ret: the first character outside it. */
static bool is_of_class(const struct points *p, enum precis most, uint32_t *ret) {
  for (size_t i = 0; i < p->n; i++) {
    enum precis c = precis_of(p->at[i]);
    *ret = p->at[i];
    if (c == PRECIS_CONTEXT ? !precis_context_ok(p->at, p->n, i) : c > most) return false;
  }
  return true;
}

const char *prepare_name_refused(struct slice local, uint32_t *ret_point) {
  *ret_point = 0;
  if (prepare_is_ascii(local)) return NULL;
  struct points *p = points_of(local);
  if (!p) return "it is no UTF-8";
  const char *why = NULL;
  if (!map_name(p))
    why = "it cannot be prepared";
  else if (!is_of_class(p, PRECIS_VALID, ret_point))
    why = "it has a character that no name may have (RFC 8264 §4.2)";
  else if (!bidi_ok(p->at, p->n))
    why = "it is written in both directions (RFC 5893 §2)";
  points_free(p);
  return why;
}

/* --- passwords --- */

bool prepare_password(struct slice password, struct buf *out) {
  struct points *p = points_of(password);
  uint32_t which;
  bool ok = p != NULL && p->n > 0;
  if (ok) map_spaces(p);
  ok = ok && normalize(p, UNINORM_NFC) && is_of_class(p, PRECIS_FREE, &which);
  ok = ok && put_points(out, p);
  points_free(p);
  return ok;
}

/* RFC 3454 table B.1. */
static bool is_mapped_to_nothing(uint32_t c) {
  return c == 0xad || c == 0x34f || c == 0x1806 || (c >= 0x180b && c <= 0x180d) ||
         (c >= 0x200b && c <= 0x200d) || c == 0x2060 || (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff;
}

bool prepare_sasl(struct slice s, struct buf *out) {
  struct points *p = points_of(s);
  size_t n = 0;
  if (!p) return false;
  for (size_t i = 0; i < p->n; i++)
    if (!is_mapped_to_nothing(p->at[i])) p->at[n++] = p->at[i];
  p->n = n;
  map_spaces(p);
  bool ok =
      normalize(p, UNINORM_NFKC) && p->n > 0 && saslprep_ok(p->at, p->n) && put_points(out, p);
  points_free(p);
  return ok;
}
