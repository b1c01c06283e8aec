/* SPDX-License-Identifier: ISC */
/* Properties of single characters: RFC 8264 §8 and §9, RFC 5892 §2.6 and appendix A, RFC 5893 §2,
 * RFC 4013 §2. */
#include "lib/unicode/inside.h"

#include <stdlib.h>
#include <string.h>

#include <unictype.h>
#include <uninorm.h>

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

struct range {
  uint32_t from, to;
};

static bool is_in(uint32_t c, const struct range *ranges, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (c >= ranges[i].from && c <= ranges[i].to) return true;
  return false;
}

static bool has_category(uint32_t c, const uc_general_category_t *all, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (uc_is_general_category(c, all[i])) return true;
  return false;
}

/* --- PRECIS --- */

/* RFC 8264 §9.17: NFKC changes the character. */
static bool has_compat(uint32_t c) {
  uint32_t room[32], *r;
  size_t n = COUNT_OF(room);
  r = u32_normalize(UNINORM_NFKC, &c, 1, room, &n);
  bool same = r && n == 1 && r[0] == c;
  if (r != room) free(r);
  return !same;
}

/* RFC 5892 §2.6; RFC 8264 §9.6 has them unchanged. */
static bool exception(uint32_t c, enum precis *ret) {
  static const struct range valid[] = {
    { 0xdf, 0xdf }, { 0x3c2, 0x3c2 }, { 0x6fd, 0x6fe }, { 0xf0b, 0xf0b }, { 0x3007, 0x3007 }
  };
  static const struct range context[] = { { 0xb7, 0xb7 },    { 0x375, 0x375 }, { 0x5f3, 0x5f4 },
                                          { 0x660, 0x669 },  { 0x6f0, 0x6f9 }, { 0x30fb, 0x30fb },
                                          { 0x200c, 0x200d } /* §9.8: JoinControl */ };
  static const struct range not [] = {
    { 0x640, 0x640 }, { 0x7fa, 0x7fa }, { 0x302e, 0x302f }, { 0x3031, 0x3035 }, { 0x303b, 0x303b }
  };
  if (is_in(c, valid, COUNT_OF(valid))) return *ret = PRECIS_VALID, true;
  if (is_in(c, context, COUNT_OF(context))) return *ret = PRECIS_CONTEXT, true;
  if (is_in(c, not, COUNT_OF(not ))) return *ret = PRECIS_DISALLOWED, true;
  return false;
}

static bool is_old_jamo(uint32_t c) {
  static const struct range jamo[] = {
    { 0x1100, 0x11ff }, { 0xa960, 0xa97c }, { 0xd7b0, 0xd7c6 }, { 0xd7cb, 0xd7fb }
  };
  return is_in(c, jamo, COUNT_OF(jamo));
}

enum precis precis_of(uint32_t c) {
  const uc_general_category_t letters[] = { UC_LOWERCASE_LETTER,      UC_UPPERCASE_LETTER,
                                            UC_OTHER_LETTER,          UC_DECIMAL_DIGIT_NUMBER,
                                            UC_MODIFIER_LETTER,       UC_NON_SPACING_MARK,
                                            UC_COMBINING_SPACING_MARK };
  const uc_general_category_t others[] = { UC_TITLECASE_LETTER, UC_LETTER_NUMBER,   UC_OTHER_NUMBER,
                                           UC_ENCLOSING_MARK,   UC_SPACE_SEPARATOR, UC_SYMBOL,
                                           UC_PUNCTUATION };
  enum precis p;
  if (exception(c, &p)) return p;
  if (c >= 0x21 && c <= 0x7e) return PRECIS_VALID;
  if (uc_is_general_category(c, UC_UNASSIGNED) || is_old_jamo(c) ||
      uc_is_property_default_ignorable_code_point(c) || uc_is_property_not_a_character(c) ||
      uc_is_general_category(c, UC_CONTROL))
    return PRECIS_DISALLOWED;
  if (has_compat(c)) return PRECIS_FREE;
  if (has_category(c, letters, COUNT_OF(letters))) return PRECIS_VALID;
  return has_category(c, others, COUNT_OF(others)) ? PRECIS_FREE : PRECIS_DISALLOWED;
}

static bool is_script(uint32_t c, const char *name) {
  const uc_script_t *s = uc_script(c);
  return s && strcmp(s->name, name) == 0;
}

enum { VIRAMA = 9 /* the combining class */ };

/* (Joining_Type:{L,D})(Joining_Type:T)*ZWNJ(Joining_Type:T)*(Joining_Type:{R,D}) */
static bool joins(const uint32_t *s, size_t n, size_t at) {
  size_t before = at, after = at + 1;
  while (before > 0 && uc_joining_type(s[before - 1]) == UC_JOINING_TYPE_T) before--;
  while (after < n && uc_joining_type(s[after]) == UC_JOINING_TYPE_T) after++;
  if (before == 0 || after == n) return false;
  int l = uc_joining_type(s[before - 1]), r = uc_joining_type(s[after]);
  return (l == UC_JOINING_TYPE_L || l == UC_JOINING_TYPE_D) &&
         (r == UC_JOINING_TYPE_R || r == UC_JOINING_TYPE_D);
}

static bool any_in(const uint32_t *s, size_t n, uint32_t from, uint32_t to) {
  for (size_t i = 0; i < n; i++)
    if (s[i] >= from && s[i] <= to) return true;
  return false;
}

static bool any_kana_or_han(const uint32_t *s, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (is_script(s[i], "Hiragana") || is_script(s[i], "Katakana") || is_script(s[i], "Han"))
      return true;
  return false;
}

bool precis_context_ok(const uint32_t *s, size_t n, size_t at) {
  uint32_t c = s[at], before = at ? s[at - 1] : 0, after = at + 1 < n ? s[at + 1] : 0;
  if (c == 0x200c || c == 0x200d)
    return (at && uc_combining_class(before) == VIRAMA) || (c == 0x200c && joins(s, n, at));
  if (c == 0xb7) return before == 'l' && after == 'l';
  if (c == 0x375) return after && is_script(after, "Greek");
  if (c == 0x5f3 || c == 0x5f4) return at && is_script(before, "Hebrew");
  if (c == 0x30fb) return any_kana_or_han(s, n);
  return c <= 0x669 ? !any_in(s, n, 0x6f0, 0x6f9) : !any_in(s, n, 0x660, 0x669);
}

/* --- from right to left --- */

static bool is_bidi(uint32_t c, const int *classes, size_t count) {
  int b = uc_bidi_class(c);
  for (size_t i = 0; i < count; i++)
    if (b == classes[i]) return true;
  return false;
}

static bool any_bidi(const uint32_t *s, size_t n, const int *classes, size_t count) {
  for (size_t i = 0; i < n; i++)
    if (is_bidi(s[i], classes, count)) return true;
  return false;
}

static bool only_bidi(const uint32_t *s, size_t n, const int *classes, size_t count) {
  for (size_t i = 0; i < n; i++)
    if (!is_bidi(s[i], classes, count)) return false;
  return true;
}

bool bidi_ok(const uint32_t *s, size_t n) {
  static const int rtl[] = { UC_BIDI_R, UC_BIDI_AL, UC_BIDI_AN };
  static const int in_rtl[] = { UC_BIDI_R,  UC_BIDI_AL, UC_BIDI_AN, UC_BIDI_EN, UC_BIDI_ES,
                                UC_BIDI_CS, UC_BIDI_ET, UC_BIDI_ON, UC_BIDI_BN, UC_BIDI_NSM };
  static const int end_of_rtl[] = { UC_BIDI_R, UC_BIDI_AL, UC_BIDI_EN, UC_BIDI_AN };
  static const int en[] = { UC_BIDI_EN }, an[] = { UC_BIDI_AN };
  if (!any_bidi(s, n, rtl, COUNT_OF(rtl))) return true;
  size_t end = n;
  while (end > 1 && uc_bidi_class(s[end - 1]) == UC_BIDI_NSM) end--;
  /* There is a right-to-left character, so the whole must satisfy rules 1, 2, 3 and 4 for such
   * strings. */
  return is_bidi(s[0], rtl, 2) && only_bidi(s, n, in_rtl, COUNT_OF(in_rtl)) &&
         is_bidi(s[end - 1], end_of_rtl, COUNT_OF(end_of_rtl)) &&
         !(any_bidi(s, n, en, 1) && any_bidi(s, n, an, 1));
}

/* --- SASLprep --- */

/* RFC 3454: C.1.2 (spaces, mapped before), C.2.1, C.2.2, C.3 to C.9. */
static bool is_prohibited(uint32_t c) {
  static const struct range rows[] = {
    { 0x340, 0x341 },     { 0x6dd, 0x6dd },     { 0x70f, 0x70f },   { 0x180e, 0x180e },
    { 0x200b, 0x200f },   { 0x2028, 0x202e },   { 0x2060, 0x2063 }, { 0x206a, 0x206f },
    { 0x2ff0, 0x2ffb },   { 0xfeff, 0xfeff },   { 0xfff9, 0xfffd }, { 0x1d173, 0x1d17a },
    { 0xe0001, 0xe0001 }, { 0xe0020, 0xe007f },
  };
  return is_in(c, rows, COUNT_OF(rows)) || uc_is_general_category(c, UC_CONTROL) ||
         uc_is_general_category(c, UC_PRIVATE_USE) || uc_is_general_category(c, UC_SURROGATE) ||
         uc_is_property_not_a_character(c) ||
         (c > 0x7f && uc_is_general_category(c, UC_SPACE_SEPARATOR));
}

/* RFC 3454 §6: with a RandALCat character there is no LCat one, and it is the first and the last.
 */
bool saslprep_ok(const uint32_t *s, size_t n) {
  static const int rand_al[] = { UC_BIDI_R, UC_BIDI_AL }, left[] = { UC_BIDI_L };
  for (size_t i = 0; i < n; i++)
    if (is_prohibited(s[i])) return false;
  if (!any_bidi(s, n, rand_al, 2)) return true;
  return !any_bidi(s, n, left, 1) && is_bidi(s[0], rand_al, 2) && is_bidi(s[n - 1], rand_al, 2);
}
