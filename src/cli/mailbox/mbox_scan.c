/* SPDX-License-Identifier: ISC */
/* Splits an mbox into messages (mbox_scan.h) through a window of the file.
 *
 *   start: the line end, whether Content-Length counts → From line → header → end → next From line
 *
 * Invariants: a message is never held whole; every position moves forward, except for the
 * look-ahead that finds an end, so a file is read a bounded number of times; a read error ends the
 * scan. */
#include "src/cli/mailbox/mbox_scan.h"

#include <errno.h>
#include <stdio.h>

#include "lib/base/codec.h"
#include "lib/base/num.h"
#include "mail/uidl.h"
#include "src/cli/mailbox/mailbox.h"
#include "src/cli/mailbox/mbox_from.h"

/* --- octets and lines --- */

/* The window's octets from `at` on; empty at the end. */
static struct slice look(struct mbox_scan *s, uint64_t at) {
  if (at < s->window_at || at >= s->window_at + s->window_n) {
    ssize_t n =
        s->error || at >= s->in.size ? 0 : s->in.read(s->in.arg, at, s->window, MBOX_WINDOW);
    if (n < 0) s->error = errno;
    if (!n && !s->error && at < s->in.size) s->error = ENODATA; /* it was truncated meanwhile */
    s->window_at = at;
    s->window_n = n > 0 ? (size_t)n : 0;
  }
  return slice_from(slice_of(s->window, s->window_n), (size_t)(at - s->window_at));
}

/* The octet at `at`; -1 at the end. */
static int octet(struct mbox_scan *s, uint64_t at) { return slice_at(look(s, at), 0); }

bool mbox_scan_line(struct mbox_scan *s, struct mbox_line *ret) {
  struct slice piece;
  size_t n = 0;
  bool ended = false;
  *ret = (struct mbox_line){ .start = s->at };
  while (!ended && (piece = look(s, s->at)).n) {
    ptrdiff_t end = slice_find(piece, s->eol);
    ended = end >= 0;
    if (ended) piece = slice_first(piece, (size_t)end);
    struct slice shown = slice_first(piece, MBOX_LINE_SHOWN - n);
    memcpy(s->shown + n, shown.p, shown.n);
    n += shown.n;
    s->at += piece.n + ended;
  }
  if (ended && n && s->eol == '\n' && s->shown[n - 1] == '\r') n--;
  ret->text = slice_of(s->shown, n);
  ret->end = s->at;
  return ret->end > ret->start;
}

/* The line at `at`; the state is unchanged. */
static bool line_at(struct mbox_scan *s, uint64_t at, struct mbox_line *ret) {
  uint64_t before = s->at;
  s->at = at;
  bool there = mbox_scan_line(s, ret);
  s->at = before;
  return there;
}

static bool is_line_end(int c) { return c == '\n' || c == '\r'; }

/* --- fields --- */

enum mbox_form mbox_form_named(const char *word) {
  static const char *const words[MBOX_FORMS] = { "", "rd", "o", "cl", "cl2" };
  size_t i = 1;
  while (i < MBOX_FORMS && strcmp(word, words[i]) != 0) i++;
  return (enum mbox_form)i;
}

/* The value of the line if it is that field. */
static bool is_field(struct slice line, const char *name, struct slice *ret) {
  struct slice prefix = slice_str(name);
  if (!slice_case_starts(line, prefix) || slice_at(line, prefix.n) != ':') return false;
  *ret = slice_trim(slice_from(line, prefix.n + 1));
  return true;
}

static uint32_t flags_by_letter(struct slice value) {
  uint32_t flags = 0;
  for (; value.n; value = slice_from(value, 1)) {
    switch (value.p[0]) {
    case 'R': flags |= MAIL_SEEN; break;
    case 'A': flags |= MAIL_ANSWERED; break;
    case 'F': flags |= MAIL_FLAGGED; break;
    case 'D': flags |= MAIL_DELETED; break;
    case 'T': flags |= MAIL_DRAFT; break;
    }
  }
  return flags;
}

/* Four hexadecimal digits: nsMsgMessageFlags of Mozilla. Expunged (8): deleted, but still in the
 * file. */
static uint32_t flags_of_mozilla(struct slice value) {
  static const struct {
    unsigned bit;
    uint32_t flag;
  } bits[] = { { 1, MAIL_SEEN }, { 2, MAIL_ANSWERED }, { 4, MAIL_FLAGGED }, { 8, MAIL_DELETED } };
  unsigned n = 0;
  uint32_t flags = 0;
  for (size_t i = 0; i < value.n && i < 4; i++) {
    int digit = hex_digit(ascii_lower(value.p[i]));
    if (digit < 0) return 0;
    n = n << 4 | (unsigned)digit;
  }
  for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
    if (n & bits[i].bit) flags |= bits[i].flag;
  return flags;
}

void mbox_fields_put(struct mbox_fields *f, struct slice line) {
  struct slice value;
  if (is_field(line, "Content-Length", &value))
    f->has_length = num_parse(value, INT64_MAX, &f->length);
  else if (is_field(line, "Status", &value) || is_field(line, "X-Status", &value))
    f->flags |= flags_by_letter(value);
  else if (is_field(line, "X-Mozilla-Status", &value))
    f->flags |= flags_of_mozilla(value);
  else if (is_field(line, "Subject", &value))
    f->has_subject = slice_eq(value, SLICE("DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"));
  else if (is_field(line, "X-IMAP", &value) || is_field(line, "X-IMAPbase", &value))
    f->has_state = true;
  else if (is_field(line, "X-UIDL", &value) && uidl_is_valid(value = slice_split(&value, ' ')))
    snprintf(f->uidl, sizeof f->uidl, "%.*s", SLICE_ARG(value));
}

/* --- where a message begins --- */

/* "Name: …", or the line that UUCP inserts (RFC 976). */
static bool is_header(struct slice line) {
  size_t n = 0;
  while (n < line.n && ascii_is_graph(line.p[n]) && line.p[n] != ':') n++;
  return (n && slice_at(line, n) == ':') || slice_starts(line, SLICE(">From "));
}

static bool header_follows(struct mbox_scan *s, uint64_t at) {
  struct mbox_line next;
  return line_at(s, at, &next) && is_header(next.text);
}

/* `line` begins with "From ". Its text is invalid afterwards. */
static bool begins_message(struct mbox_scan *s, const struct mbox_line *line, bool after_empty,
                           bool *ret_dated) {
  int64_t date;
  bool bare = mbox_from_is_bare(line->text);
  *ret_dated = mbox_from_parse(line->text, &date);
  if (*ret_dated && after_empty) return true;
  return (*ret_dated || (bare && after_empty)) && header_follows(s, line->end);
}

/* The first line determines the line end of all. */
static void find_line_end(struct mbox_scan *s) {
  uint64_t at = s->at;
  for (struct slice piece; (piece = look(s, at)).n; at += piece.n) {
    for (size_t i = 0; i < piece.n; i++) {
      if (!is_line_end(piece.p[i])) continue;
      if (piece.p[i] == '\r' && octet(s, at + i + 1) != '\n') s->eol = '\r';
      return;
    }
  }
}

/* The From line, and following ones of UUCP. False: there is none. */
static bool take_from_lines(struct mbox_scan *s, int64_t *ret_date) {
  struct mbox_line line;
  int64_t ignored;
  while (is_line_end(octet(s, s->at))) s->at++;
  if (!s->eol) s->eol = '\n', find_line_end(s);
  if (!line_at(s, s->at, &line) || !slice_starts(line.text, SLICE("From "))) return false;
  *ret_date = 0;
  mbox_from_parse(line.text, ret_date);
  s->at = line.end;
  while (line_at(s, s->at, &line) && slice_starts(line.text, SLICE(">From ")) &&
         mbox_from_parse(slice_from(line.text, 1), &ignored))
    s->at = line.end;
  return true;
}

/* --- where it ends --- */

/* True at the file's end or a From line, after at most two line ends. */
static bool is_boundary(struct mbox_scan *s, uint64_t at) {
  struct mbox_line line;
  unsigned ends = is_line_end(octet(s, at - 1)) ? 1 : 0;
  if (at > s->in.size) return false;
  for (unsigned i = 0; i < 2 && is_line_end(octet(s, at)); i++, ends++)
    at += octet(s, at) == '\r' && octet(s, at + 1) == '\n' ? 2 : 1;
  if (at == s->in.size) return true;
  bool dated;
  return ends && line_at(s, at, &line) && slice_starts(line.text, SLICE("From ")) &&
         begins_message(s, &line, true, &dated);
}

/* A message of that length, from its header on: examines the "From " lines in it. */
static void look_into(struct mbox_scan *s, uint64_t end, struct mbox_message *m) {
  struct mbox_line line;
  bool after_empty = true, dated;
  while (s->at < end && mbox_scan_line(s, &line)) {
    bool empty = line.text.n == 0;
    if (slice_starts(line.text, SLICE("From "))) {
      if (s->form == MBOX_GUESS) s->form = MBOX_CL2;
      m->doubtful |= begins_message(s, &line, after_empty, &dated);
    }
    after_empty = empty;
  }
  s->at = end;
}

/* Up to the next From line, from after the header's empty line, which begins at `empty_from`. */
static void find_end(struct mbox_scan *s, uint64_t empty_from, struct mbox_message *m) {
  struct mbox_line line;
  bool after_empty = true, dated;
  for (;;) {
    uint64_t before = s->at;
    bool there = mbox_scan_line(s, &line), empty = line.text.n == 0,
         from = slice_starts(line.text, SLICE("From "));
    if (!there || (from && begins_message(s, &line, after_empty, &dated))) {
      m->size = (after_empty ? empty_from : before) - m->at;
      s->at = before;
      return;
    }
    s->left_text += from && after_empty;
    after_empty = empty;
    empty_from = before;
  }
}

/* The header's lines. True: it has ended, with the empty line at *ret_empty; false: a From line
 * follows, or nothing. */
static bool take_header(struct mbox_scan *s, struct mbox_fields *f, uint64_t *ret_empty) {
  struct mbox_line line;
  bool dated, first = true;
  for (;; first = false) {
    *ret_empty = s->at;
    if (!mbox_scan_line(s, &line)) return false;
    if (!line.text.n) return true;
    mbox_fields_put(f, line.text);
    if (!slice_starts(line.text, SLICE("From ")) || !begins_message(s, &line, first, &dated))
      continue;
    s->at = *ret_empty;
    return false;
  }
}

/* Its header was read. True if Content-Length leads to the end of a message. */
static bool has_right_length(struct mbox_scan *s, const struct mbox_message *m) {
  uint64_t end = s->at + m->fields.length;
  return m->fields.has_length && end >= s->at && is_boundary(s, end);
}

/* True if Content-Length counts in this file: every message of it has a correct one. So a field
 * forged in some mail cannot hide the messages that follow it. */
static bool all_have_lengths(struct mbox_scan *s) {
  uint64_t before = s->at, empty, count = 0;
  bool ok = true;
  for (;; count++) {
    struct mbox_message m = { .size = 0 };
    if (!take_from_lines(s, &m.date)) break;
    ok = take_header(s, &m.fields, &empty) && has_right_length(s, &m);
    if (!ok) break;
    s->at += m.fields.length;
  }
  ok = ok && count && s->at == s->in.size;
  s->at = before;
  return ok;
}

static void start(struct mbox_scan *s) {
  s->started = true;
  if (slice_starts(look(s, 0), SLICE("\xef\xbb\xbf"))) s->at = 3;
  if (s->form == MBOX_CL || s->form == MBOX_CL2) s->by_length = true;
  if (s->form == MBOX_GUESS) s->by_length = all_have_lengths(s);
}

void mbox_scan_open(struct mbox_scan *s, struct octets_in in, enum mbox_form form) {
  *s = (struct mbox_scan){ .in = in, .form = form };
}

static enum mbox_quoting quoting_of(enum mbox_form form) {
  if (form == MBOX_CL2) return MBOX_QUOTES_NONE;
  return form == MBOX_O || form == MBOX_CL ? MBOX_QUOTES_FROM : MBOX_QUOTES_ALL;
}

bool mbox_scan_next(struct mbox_scan *s, struct mbox_message *ret) {
  uint64_t empty;
  if (!s->started) start(s);
  *ret = (struct mbox_message){ .size = 0 };
  if (s->error || !take_from_lines(s, &ret->date) || s->error) return false;
  ret->at = s->at;
  if (!take_header(s, &ret->fields, &empty)) {
    ret->size = s->at - ret->at;
  } else if (s->by_length && has_right_length(s, ret)) {
    uint64_t end = s->at + ret->fields.length;
    look_into(s, end, ret);
    ret->size = end - ret->at;
  } else {
    find_end(s, empty, ret);
  }
  ret->quoting = quoting_of(s->form);
  return !s->error;
}
