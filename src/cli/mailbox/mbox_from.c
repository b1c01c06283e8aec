/* SPDX-License-Identifier: ISC */
/* Parses the line that begins a message of an mbox (mbox_from.h): word by word, with a table of
 * date forms tried in turn. Pure. Invariant: a line is accepted only if one form matches to its
 * last word, so that text such as "From now on" never begins a message. */
#include "src/cli/mailbox/mbox_from.h"

#include <time.h>

enum { WORDS_MAX = 40 };

/* The line's words, and the read position. */
struct words {
  struct slice word[WORDS_MAX];
  size_t count, at;
};

static struct slice word_at(const struct words *w, size_t i) {
  return i < w->count ? w->word[i] : SLICE_NONE;
}

/* Of a long line only the last words are kept: the date is at its end. */
static void cut(struct words *w, struct slice line) {
  *w = (struct words){ .count = 0 };
  while (line.n) {
    while (line.n && (line.p[0] == ' ' || line.p[0] == '\t')) line = slice_from(line, 1);
    size_t n = 0;
    while (n < line.n && line.p[n] != ' ' && line.p[n] != '\t') n++;
    if (!n) break;
    if (w->count == WORDS_MAX) memmove(w->word, w->word + 1, --w->count * sizeof *w->word);
    w->word[w->count++] = slice_first(line, n);
    line = slice_from(line, n);
  }
}

/* The index of the name, from 0; -1: none of them. `names` has three letters for each. */
static int name_of(struct slice word, const char *names) {
  for (int i = 0; word.n == 3 && names[3 * i]; i++)
    if (slice_caseeq(word, slice_of(names + 3 * i, 3))) return i;
  return -1;
}
static int month_of(struct slice w) { return name_of(w, "JanFebMarAprMayJunJulAugSepOctNovDec"); }
static int weekday_of(struct slice w) {
  if (w.n == 4 && w.p[3] == ',') w.n = 3;
  return name_of(w, "SunMonTueWedThuFriSat");
}

static bool digits(struct slice s, size_t least, size_t most, int max, int *ret) {
  int n = 0;
  if (s.n < least || s.n > most) return false;
  for (size_t i = 0; i < s.n; i++) {
    if (!ascii_is_digit(s.p[i])) return false;
    n = 10 * n + (s.p[i] - '0');
  }
  *ret = n;
  return n <= max;
}

static bool day_of(struct slice s, struct tm *tm) {
  return digits(s, 1, 2, 31, &tm->tm_mday) && tm->tm_mday;
}

/* hh:mm[:ss[.fraction]] */
static bool clock_of(struct slice s, struct tm *tm) {
  struct slice h = slice_split(&s, ':'), m = slice_split(&s, ':'), seconds = slice_split(&s, '.');
  tm->tm_sec = 0;
  return !(s.p && !s.n) && digits(h, 1, 2, 23, &tm->tm_hour) && digits(m, 2, 2, 59, &tm->tm_min) &&
         (!seconds.p || digits(seconds, 2, 2, 60, &tm->tm_sec));
}

static bool year_of(struct slice s, struct tm *tm) {
  int n;
  if (s.n != 2 && s.n != 4) return false;
  if (!digits(s, 2, 4, 9999, &n)) return false;
  if (s.n == 2) n += n < 70 ? 2000 : 1900;
  tm->tm_year = n - 1900;
  return n >= 1900;
}

/* +0100, -05:00 */
static bool offset_of(struct slice s, int64_t *ret) {
  int h, m;
  if (s.n < 5 || (s.p[0] != '+' && s.p[0] != '-')) return false;
  bool colon = s.n == 6 && s.p[3] == ':';
  if (!digits(slice_first(slice_from(s, 1), 2), 2, 2, 15, &h)) return false;
  if (!digits(slice_from(s, colon ? 4 : 3), 2, 2, 59, &m)) return false;
  *ret = (s.p[0] == '-' ? -60 : 60) * (60 * h + m);
  return true;
}

/* The zones of RFC 5322 §4.3, and those of Europe and Japan; any other word of letters is an
 * unknown zone. */
static bool zone_of(struct slice s, int64_t *ret) {
  static const struct {
    const char *name;
    int hours;
  } zones[] = {
    { "EST", -5 }, { "EDT", -4 }, { "CST", -6 }, { "CDT", -5 }, { "MST", -7 }, { "MDT", -6 },
    { "PST", -8 }, { "PDT", -7 }, { "MET", 1 },  { "MEZ", 1 },  { "CET", 1 },  { "BST", 1 },
    { "MEST", 2 }, { "MESZ", 2 }, { "CEST", 2 }, { "EET", 2 },  { "EEST", 3 }, { "JST", 9 },
  };
  if (offset_of(s, ret)) return true;
  *ret = 0;
  if (slice_starts(s, SLICE("GMT")) && offset_of(slice_from(s, 3), ret)) return true;
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_alpha(s.p[i])) return false;
  for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
    if (slice_caseeq(s, slice_str(zones[i].name))) *ret = 3600 * zones[i].hours;
  return s.n > 0 && s.n <= 5;
}

/* An optional zone, of one word or two ("MET DST"). */
static void take_zone(struct words *w, int64_t *zone) {
  int64_t found, ignored;
  if (slice_caseeq(word_at(w, w->at), SLICE("remote")) || !zone_of(word_at(w, w->at), &found))
    return;
  *zone = found;
  w->at++;
  if (!slice_caseeq(word_at(w, w->at), SLICE("DST")) || !zone_of(word_at(w, w->at), &ignored))
    return;
  w->at++;
  *zone += 3600;
}

/* "remote from HOST", or nothing. */
static bool is_over(const struct words *w) {
  if (w->at == w->count) return true;
  return w->at + 3 == w->count && slice_caseeq(w->word[w->at], SLICE("remote")) &&
         slice_caseeq(w->word[w->at + 1], SLICE("from"));
}

/* Thu Nov 26 10:00:00 [zone] 2026 [zone] */
static bool by_asctime(struct words *w, struct tm *tm, int64_t *zone) {
  if (weekday_of(word_at(w, w->at)) < 0 || (tm->tm_mon = month_of(word_at(w, w->at + 1))) < 0)
    return false;
  if (!day_of(word_at(w, w->at + 2), tm) || !clock_of(word_at(w, w->at + 3), tm)) return false;
  w->at += 4;
  take_zone(w, zone);
  if (!year_of(word_at(w, w->at), tm)) return false;
  w->at++;
  if (!*zone) take_zone(w, zone);
  return is_over(w);
}

/* [Thu,] 26 Nov 2026 10:00:00 [zone] */
static bool by_rfc5322(struct words *w, struct tm *tm, int64_t *zone) {
  if (weekday_of(word_at(w, w->at)) >= 0) w->at++;
  if (!day_of(word_at(w, w->at), tm) || (tm->tm_mon = month_of(word_at(w, w->at + 1))) < 0)
    return false;
  if (!year_of(word_at(w, w->at + 2), tm) || !clock_of(word_at(w, w->at + 3), tm)) return false;
  w->at += 4;
  take_zone(w, zone);
  return is_over(w);
}

/* 2026-11-26 10:00:00 [zone], 2026-11-26T10:00:00Z */
static bool by_iso(struct words *w, struct tm *tm, int64_t *zone) {
  struct slice s = word_at(w, w->at++), day = slice_first(s, 10), year = slice_split(&day, '-'),
               month = slice_split(&day, '-');
  if (s.n < 10 || year.n != 4 || !year_of(year, tm) || !digits(month, 2, 2, 12, &tm->tm_mon) ||
      day.n != 2 || !day_of(day, tm) || !tm->tm_mon)
    return false;
  tm->tm_mon--;
  struct slice clock = s.n > 10 && s.p[10] == 'T' ? slice_from(s, 11) : word_at(w, w->at++);
  if (s.n > 10 && s.p[10] != 'T') return false;
  size_t n = 0;
  while (n < clock.n && (ascii_is_digit(clock.p[n]) || clock.p[n] == ':' || clock.p[n] == '.')) n++;
  if (!clock_of(slice_first(clock, n), tm)) return false;
  if (n < clock.n && !zone_of(slice_from(clock, n), zone)) return false;
  take_zone(w, zone);
  return is_over(w);
}

bool mbox_from_parse(struct slice line, int64_t *ret_date) {
  static bool (*const forms[])(struct words * w, struct tm * tm,
                               int64_t * zone) = { by_asctime, by_rfc5322, by_iso };
  struct words w;
  if (!slice_starts(line, SLICE("From "))) return false;
  cut(&w, slice_from(line, 5));
  for (size_t start = 0; start < w.count; start++) {
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
      struct tm tm = { 0 };
      int64_t zone = 0;
      w.at = start;
      if (!forms[i](&w, &tm, &zone)) continue;
      int64_t date = (int64_t)timegm(&tm) - zone;
      *ret_date = date > 0 ? date : 0;
      return true;
    }
  }
  return false;
}

bool mbox_from_is_bare(struct slice line) {
  if (!slice_starts(line, SLICE("From "))) return false;
  struct slice rest = slice_trim(slice_from(line, 5));
  return rest.n == 0 || slice_eq(rest, SLICE("-"));
}
