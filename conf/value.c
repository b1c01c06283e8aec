/* SPDX-License-Identifier: ISC */
/* The values of options as text: sizes with K, M, G, T; times with s, m, h, d; words; nearest
 * names. */
#include "conf/internal.h"

#include "lib/base/units.h"

bool conf_parse_size(struct slice text, uint64_t *ret) { return units_size(text, ret); }
bool conf_parse_time(struct slice text, uint64_t *ret) { return units_time(text, ret); }
bool conf_parse_days(struct slice text, uint64_t *ret) {
  *ret = CONF_NEVER;
  return slice_caseeq(text, SLICE("never")) || (units_days(text, ret) && *ret < CONF_NEVER);
}

void conf_put_days(struct buf *out, uint64_t n) {
  if (n == CONF_NEVER)
    buf_put_str(out, "never");
  else
    buf_put_dec(out, n);
}

void conf_put_size(struct buf *out, uint64_t n) { units_put_size(out, n); }
void conf_put_time(struct buf *out, uint64_t n) { units_put_time(out, n); }

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

/* Levenshtein's distance, one row kept. */
enum { NAME_MAX_ = 48 };
unsigned conf_distance(struct slice a, struct slice b) {
  if (a.n > NAME_MAX_ || b.n > NAME_MAX_) return UINT32_MAX;
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
  unsigned least = (unsigned)(wanted.n / 3 + 1); /* at most a third of the letters may be wrong */
  for (size_t i = 0; i < conf_option_count; i++) {
    struct slice known = slice_str(conf_options[i].name);
    unsigned d = conf_distance(wanted, known);
    if (d >= least) continue;
    least = d;
    best = &conf_options[i];
  }
  return best;
}
