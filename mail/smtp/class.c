/* SPDX-License-Identifier: ISC */
/* The class of an SMTP reply by rules: the administrator's first, then those of classes.def; the
 * first that fits decides.
 * Invariants: rules are read each time and hold no state; a text is compared in lower case with
 * its blanks collapsed, SMTP_CLASS_TEXT_MAX octets at most; without a match the class is
 * SMTP_CLASS_UNKNOWN. */
#include "mail/smtp/class.h"

struct class_row {
  const char *word;
  struct smtp_class_delay delay;
  const char *meaning;
};

static const struct class_row classes[SMTP_CLASSES] = {
#define C(name, word, first, most, meaning) \
  [SMTP_CLASS_##name] = { word, { first, most }, meaning },
#include "mail/smtp/classes.def"
#undef C
};

/* A rule split into slices; text may be empty. */
struct rule {
  enum smtp_class class;
  struct slice code, enhanced, text;
};

static const struct {
  enum smtp_class class;
  const char *code, *enhanced, *text;
} built_in[] = {
#define R(class, code, enhanced, text) { SMTP_CLASS_##class, code, enhanced, text },
#include "mail/smtp/classes.def"
#undef R
};

/* A reply, prepared for comparison. */
struct subject {
  uint16_t code;
  uint8_t enhanced[3];
  uint8_t text[SMTP_CLASS_TEXT_MAX];
  size_t n;
};

const char *smtp_class_word(enum smtp_class c) {
  return classes[c < SMTP_CLASSES ? c : SMTP_CLASS_UNKNOWN].word;
}
const char *smtp_class_meaning(enum smtp_class c) {
  return classes[c < SMTP_CLASSES ? c : SMTP_CLASS_UNKNOWN].meaning;
}

enum smtp_class smtp_class_named(struct slice word) {
  int c = 0;
  while (c < SMTP_CLASSES && !slice_eq(word, slice_str(classes[c].word))) c++;
  return (enum smtp_class)c;
}

struct smtp_class_delay smtp_class_delay(enum smtp_class c) {
  return classes[c < SMTP_CLASSES ? c : SMTP_CLASS_UNKNOWN].delay;
}

/* --- numbers with dots --- */

/* At most three digits off the front; -1: there are none. */
static int take_number(struct slice *s) {
  int n = -1;
  for (int i = 0; i < 3 && ascii_is_digit(slice_at(*s, 0)); i++) {
    n = (n < 0 ? 0 : n) * 10 + (s->p[0] - '0');
    *s = slice_from(*s, 1);
  }
  return n;
}

/* "5.1.1" at the front, not followed by a digit or ".digit" (that would be an address). */
static bool take_enhanced(struct slice *s, uint8_t ret[static 3]) {
  struct slice rest = *s;
  int n[3];
  for (int i = 0; i < 3; i++) {
    if (i && slice_at(rest, 0) != '.') return false;
    if (i) rest = slice_from(rest, 1);
    n[i] = take_number(&rest);
    if (n[i] < 0) return false;
  }
  bool goes_on = ascii_is_digit(slice_at(rest, 0)) ||
                 (slice_at(rest, 0) == '.' && ascii_is_digit(slice_at(rest, 1)));
  if ((n[0] != 4 && n[0] != 5) || goes_on) return false;
  for (int i = 0; i < 3; i++) ret[i] = (uint8_t)(n[i] > 255 ? 255 : n[i]);
  *s = rest;
  return true;
}

/* The first one in the text, for servers that put it elsewhere: "(#5.1.1)". */
static void find_enhanced(struct slice text, uint8_t ret[static 3]) {
  int before = ' ';
  for (; text.n; before = text.p[0], text = slice_from(text, 1)) {
    struct slice at = text;
    if (!ascii_is_alnum(before) && before != '.' && before != '-' && take_enhanced(&at, ret))
      return;
  }
}

bool smtp_class_split(struct slice line, uint16_t *ret_code, uint8_t ret_enhanced[static 3],
                      struct slice *ret_text) {
  int code = take_number(&line);
  memset(ret_enhanced, 0, 3);
  if (code < 200 || code > 599 || ascii_is_digit(slice_at(line, 0))) return false;
  *ret_code = (uint16_t)code;
  while (slice_at(line, 0) == ' ' || slice_at(line, 0) == '-') line = slice_from(line, 1);
  take_enhanced(&line, ret_enhanced);
  *ret_text = slice_trim(line);
  return true;
}

/* --- one rule --- */

static bool code_fits(struct slice want, uint16_t code) {
  const uint8_t digits[3] = { (uint8_t)('0' + code / 100 % 10), (uint8_t)('0' + code / 10 % 10),
                              (uint8_t)('0' + code % 10) };
  if (slice_eq(want, SLICE("-"))) return code == 0;
  return !want.n || (code && slice_starts(slice_of(digits, 3), want));
}

static bool enhanced_fits(struct slice want, const uint8_t given[static 3]) {
  if (slice_eq(want, SLICE("-"))) return given[0] == 0;
  for (int i = 0; i < 3 && want.n; i++) {
    struct slice part = slice_split(&want, '.');
    int n = take_number(&part);
    if (!given[0] || (n >= 0 && (n > 255 ? 255 : n) != given[i])) return false;
  }
  return true;
}

static bool text_fits(struct slice want, struct slice text) {
  while (want.p && want.n) {
    struct slice piece = slice_trim(slice_split(&want, '*'));
    ptrdiff_t at = piece.n ? slice_search(text, piece) : 0;
    if (at < 0) return false;
    text = slice_from(text, (size_t)at + piece.n);
  }
  return true;
}

/* The outer spaces of a rule that is a single piece are significant ("spf "). */
static bool words_fit(struct slice want, struct slice text) {
  if (!want.n) return true;
  return slice_find(want, '*') < 0 ? slice_search(text, want) >= 0 : text_fits(want, text);
}

static bool fits(const struct rule *r, const struct subject *s) {
  return code_fits(r->code, s->code) && enhanced_fits(r->enhanced, s->enhanced) &&
         words_fit(r->text, slice_of(s->text, s->n));
}

/* --- the administrator's rules --- */

static struct slice take_word(struct slice *line) {
  struct slice word;
  do word = slice_split(line, ' ');
  while (!word.n && line->p);
  return slice_eq(word, SLICE("*")) ? SLICE("") : word;
}

static bool is_pattern(struct slice s, size_t most) {
  if (slice_eq(s, SLICE("-"))) return true;
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_digit(s.p[i]) && s.p[i] != '.' && s.p[i] != 'x') return false;
  return s.n <= most;
}

static bool parse_rule(struct slice line, struct rule *ret) {
  ret->class = smtp_class_named(take_word(&line));
  ret->code = take_word(&line);
  ret->enhanced = take_word(&line);
  ret->text = slice_trim(line);
  return ret->class < SMTP_CLASSES && is_pattern(ret->code, 3) && is_pattern(ret->enhanced, 11) &&
         (ret->code.n || ret->enhanced.n || ret->text.n);
}

bool smtp_class_rule_is_good(struct slice line) {
  struct rule r;
  return parse_rule(line, &r);
}

/* --- all rules --- */

/* Letters in lower case, runs of blanks and line ends as one space. */
static void put_text(struct subject *s, struct slice text) {
  bool blank = false;
  for (size_t i = 0; i < text.n && s->n < sizeof s->text; i++) {
    bool is_blank = text.p[i] <= ' ';
    if (is_blank && blank) continue;
    blank = is_blank;
    s->text[s->n++] = is_blank ? ' ' : ascii_lower(text.p[i]);
  }
}

enum smtp_class smtp_class_of(const struct smtp_class_rules *own, uint16_t code,
                              const uint8_t enhanced[static 3], struct slice text) {
  struct subject s = { .code = code };
  struct rule r;
  memcpy(s.enhanced, enhanced, sizeof s.enhanced);
  put_text(&s, text);
  if (code && !s.enhanced[0]) find_enhanced(slice_of(s.text, s.n), s.enhanced);
  for (size_t i = 0; own && i < own->count; i++)
    if (parse_rule(slice_str(own->lines[i]), &r) && fits(&r, &s)) return r.class;
  for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++) {
    r = (struct rule){ built_in[i].class, slice_str(built_in[i].code),
                       slice_str(built_in[i].enhanced), slice_str(built_in[i].text) };
    if (fits(&r, &s)) return r.class;
  }
  return SMTP_CLASS_UNKNOWN;
}
