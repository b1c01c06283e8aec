/* The values of options as text: sizes with K, M, G, T; times with s, m, h, d; words; nearest names. */
#include "conf/internal.h"

#include "lib/base/num.h"

struct unit {
  uint8_t letter;
  uint64_t factor;
};
/* Largest first: a value is written with the largest unit that divides it. */
static const struct unit size_units[] = {
  { 'T', 1ull << 40 },
  { 'G', 1ull << 30 },
  { 'M', 1ull << 20 },
  { 'K', 1ull << 10 },
};
static const struct unit time_units[] = {
  { 'd', 86400 },
  { 'h', 3600 },
  { 'm', 60 },
  { 's', 1 },
};
#define UNITS(table) (table), sizeof(table) / sizeof *(table)

static bool parse_units(struct slice text, const struct unit *units, size_t count, bool any_case,
                        uint64_t *ret) {
  uint64_t factor = 1, n;
  int last = text.n ? text.p[text.n - 1] : -1;
  for (size_t i = 0; i < count; i++)
    if (last == units[i].letter || (any_case && last == ascii_lower(units[i].letter)))
      factor = units[i].factor;
  if (last >= 0 && !ascii_is_digit(last)) {
    text.n--;
    if (factor == 1 && last != 's') return false;
  }
  if (!num_parse(text, UINT64_MAX, &n) || __builtin_mul_overflow(n, factor, &n)) return false;
  *ret = n;
  return true;
}

static void put_units(struct buf *out, const struct unit *units, size_t count, uint64_t n) {
  for (size_t i = 0; i < count; i++) {
    if (n == 0 || n % units[i].factor) continue;
    buf_put_dec(out, n / units[i].factor);
    buf_put_u8(out, units[i].letter);
    return;
  }
  buf_put_dec(out, n);
}

bool conf_parse_size(struct slice text, uint64_t *ret) {
  if (slice_at(text, text.n - 1) == 's') return false;
  return parse_units(text, UNITS(size_units), true, ret);
}
bool conf_parse_time(struct slice text, uint64_t *ret) {
  return parse_units(text, UNITS(time_units), false, ret);
}
bool conf_parse_days(struct slice text, uint64_t *ret) {
  *ret = CONF_NEVER;
  return slice_caseeq(text, SLICE("never")) || num_parse(text, CONF_NEVER - 1, ret);
}

void conf_put_days(struct buf *out, uint64_t n) {
  if (n == CONF_NEVER)
    buf_put_str(out, "never");
  else
    buf_put_dec(out, n);
}

void conf_put_size(struct buf *out, uint64_t n) { put_units(out, UNITS(size_units), n); }
void conf_put_time(struct buf *out, uint64_t n) { put_units(out, UNITS(time_units), n); }

int conf_word_place(const char *words, struct slice text) {
  struct slice rest = slice_str(words);
  for (int place = 0; rest.p; place++)
    if (slice_caseeq(slice_split(&rest, '|'), text)) return place;
  return -1;
}

struct slice conf_word_at(const char *words, unsigned place) {
  struct slice rest = slice_str(words), word = SLICE_NONE;
  for (unsigned i = 0; i <= place; i++) word = slice_split(&rest, '|');
  return word;
}

/* Levenshtein's distance, one row kept. `a` and `b` are at most NAME_MAX_ octets. */
enum { NAME_MAX_ = 48 };
static unsigned distance(struct slice a, struct slice b) {
  unsigned row[NAME_MAX_ + 1];
  for (size_t j = 0; j <= b.n; j++) row[j] = (unsigned)j;
  for (size_t i = 0; i < a.n; i++) {
    unsigned diagonal = row[0];
    row[0] = (unsigned)i + 1;
    for (size_t j = 0; j < b.n; j++) {
      unsigned change = diagonal + (a.p[i] != b.p[j]);
      diagonal = row[j + 1];
      unsigned gap = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
      row[j + 1] = change < gap ? change : gap;
    }
  }
  return row[b.n];
}

const struct conf_option *conf_nearest(const char *name) {
  struct slice wanted = slice_str(name);
  if (wanted.n > NAME_MAX_) return NULL;
  const struct conf_option *best = NULL;
  unsigned least = (unsigned)(wanted.n / 3 + 1); /* a third of the letters may be wrong */
  for (size_t i = 0; i < conf_option_count; i++) {
    struct slice known = slice_str(conf_options[i].name);
    unsigned d = known.n > NAME_MAX_ ? UINT32_MAX : distance(wanted, known);
    if (d >= least) continue;
    least = d;
    best = &conf_options[i];
  }
  return best;
}
