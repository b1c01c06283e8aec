/* SPDX-License-Identifier: ISC */
/* Comma-separated values, row by row (csv.h). Fields point into the text, unquoted ones into an
 * arena of CSV_MEMORY_MAX. Invariant: after a malformed row reading continues with the next line,
 * so that one mistake does not hide the others. */
#include "src/cli/base/csv.h"

enum { CSV_MEMORY_MAX = 128 * 1024 * 1024 };

void csv_open(struct csv *c, struct slice text) {
  *c = (struct csv){ .rest = text, .separator = ',', .next_line = 1 };
  arena_init(&c->mem, CSV_MEMORY_MAX);
  if (slice_starts(c->rest, SLICE("\xef\xbb\xbf"))) c->rest = slice_from(c->rest, 3);
  ptrdiff_t end = slice_find(c->rest, '\n');
  struct slice head = end < 0 ? c->rest : slice_first(c->rest, (size_t)end);
  if (slice_find(head, ',') < 0 && slice_find(head, ';') >= 0)
    c->separator = ';';
  else if (slice_find(head, ',') < 0 && slice_find(head, '\t') >= 0)
    c->separator = '\t';
}

void csv_close(struct csv *c) { arena_reset(&c->mem); }

static bool ends_field(const struct csv *c, size_t at) {
  int x = slice_at(c->rest, at);
  return x < 0 || x == c->separator || x == '\n' ||
         (x == '\r' && (slice_at(c->rest, at + 1) == '\n' || slice_at(c->rest, at + 1) < 0));
}

/* After the opening quote. NULL: *ret is the field, c->rest begins after the closing one. */
static const char *quoted(struct csv *c, struct slice *ret) {
  size_t n = 0, at = 0;
  uint8_t *to = arena_alloc(&c->mem, c->rest.n ? c->rest.n : 1);
  if (!to) return "no memory";
  for (;; at++) {
    int x = slice_at(c->rest, at);
    if (x < 0) {
      c->rest = SLICE_NONE;
      return "a quote is not closed";
    }
    if (x == '"' && slice_at(c->rest, at + 1) != '"') break;
    at += x == '"';
    c->next_line += x == '\n';
    to[n++] = (uint8_t)x;
  }
  *ret = slice_of(to, n);
  c->rest = slice_from(c->rest, at + 1);
  return ends_field(c, 0) ? NULL : "a closing quote is followed by other text";
}

static const char *field(struct csv *c, struct slice *ret) {
  if (slice_at(c->rest, 0) == '"') {
    c->rest = slice_from(c->rest, 1);
    return quoted(c, ret);
  }
  size_t n = 0;
  while (!ends_field(c, n)) n++;
  *ret = slice_first(c->rest, n);
  c->rest = slice_from(c->rest, n);
  return NULL;
}

/* Skips the line end after the last field, or (after a mistake) everything up to it. */
static void skip_line(struct csv *c) {
  ptrdiff_t end = slice_find(c->rest, '\n');
  c->rest = end < 0 ? SLICE_NONE : slice_from(c->rest, (size_t)end + 1);
  c->next_line++;
}

int csv_next(struct csv *c, struct slice fields[static CSV_FIELDS_MAX], size_t *ret_count,
             const char **ret_why) {
  const char *why = NULL;
  while (c->rest.n &&
         (c->rest.p[0] == '\n' || (c->rest.p[0] == '\r' && slice_at(c->rest, 1) == '\n')))
    skip_line(c);
  *ret_count = 0;
  c->line = c->next_line;
  if (!c->rest.n) return 0;
  for (bool more = true; more && !why;) {
    if (*ret_count == CSV_FIELDS_MAX)
      why = "too many columns";
    else
      why = field(c, &fields[(*ret_count)++]);
    more = !why && slice_at(c->rest, 0) == c->separator;
    if (more) c->rest = slice_from(c->rest, 1);
  }
  skip_line(c);
  *ret_why = why;
  return why ? -1 : 1;
}
