/* SPDX-License-Identifier: ISC */
/* POP3 responses as a client reads them, and the removal of dot-stuffing from multi-line
 * responses.
 * States of the unstuffer: the AT_ values below; only AT_DOT_CR followed by LF ends the
 * response.
 * Invariants: no more than `max` octets are put out; numbers that overflow are refused; nothing
 * outside the given slices is read or kept. */
#include "mail/pop3/reply.h"

#include "lib/base/num.h"

/* RFC 2449 §3: a text that begins with "[" is a response code. rchar excludes "/" and "]"; the
 * levels are kept as they came. */
static bool take_code(struct slice *text, struct slice *ret) {
  ptrdiff_t end = slice_find(*text, ']');
  if (slice_at(*text, 0) != '[' || end < 2) return false;
  struct slice code = slice_from(slice_first(*text, (size_t)end), 1);
  for (size_t i = 0; i < code.n; i++)
    if (!ascii_is_graph(code.p[i])) return false;
  *ret = code;
  *text = slice_from(*text, (size_t)end + 1);
  if (slice_at(*text, 0) == ' ') *text = slice_from(*text, 1);
  return true;
}

/* Some servers send several blanks, or TABs, where RFC 1939 §3 has one space, and other clients
 * accept them. */
static bool is_blank(int c) { return c == ' ' || c == '\t'; }

static void skip_blanks(struct slice *s) {
  while (is_blank(slice_at(*s, 0))) *s = slice_from(*s, 1);
}

/* The next word, without surrounding blanks. */
static struct slice next_word(struct slice *line) {
  size_t n = 0;
  skip_blanks(line);
  while (n < line->n && !is_blank(line->p[n])) n++;
  struct slice word = slice_first(*line, n);
  *line = slice_from(*line, n);
  skip_blanks(line);
  return word;
}

/* "+OK", in any case, alone or before a blank; not "+OKAY". */
static bool take_status(struct slice *line, struct slice word) {
  if (!slice_case_starts(*line, word)) return false;
  struct slice rest = slice_from(*line, word.n);
  if (rest.n > 0 && !is_blank(slice_at(rest, 0))) return false;
  skip_blanks(&rest);
  *line = rest;
  return true;
}

bool pop3_reply_parse(struct slice line, struct pop3_reply *ret) {
  static const struct {
    struct slice word;
    enum pop3_status status;
  } words[] = {
    { { (const uint8_t *)"+OK", 3 }, POP3_OK },
    { { (const uint8_t *)"-ERR", 4 }, POP3_ERR },
    { { (const uint8_t *)"+", 1 }, POP3_CONTINUE },
  };
  if (slice_find(line, 0) >= 0 || slice_find(line, '\r') >= 0 || slice_find(line, '\n') >= 0)
    return false;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (!take_status(&line, words[i].word)) continue;
    *ret = (struct pop3_reply){ .status = words[i].status, .text = line };
    if (ret->status != POP3_CONTINUE) take_code(&ret->text, &ret->code);
    return true;
  }
  return false;
}

bool pop3_reply_timestamp(struct slice text, struct slice *ret) {
  ptrdiff_t open = slice_rfind(text, '<');
  if (open < 0) return false;
  struct slice stamp = slice_from(text, (size_t)open);
  ptrdiff_t end = slice_find(stamp, '>');
  if (end < 0) return false;
  stamp = slice_first(stamp, (size_t)end + 1);
  for (size_t i = 0; i < stamp.n; i++)
    if (!ascii_is_graph(stamp.p[i])) return false;
  if (slice_find(stamp, '@') < 0) return false;
  *ret = stamp;
  return true;
}

bool pop3_reply_pair(struct slice line, uint64_t *ret_first, uint64_t *ret_second) {
  uint64_t first, second;
  struct slice a = next_word(&line), b = next_word(&line);
  if (!num_parse(a, UINT64_MAX, &first) || !num_parse(b, UINT64_MAX, &second)) return false;
  *ret_first = first;
  *ret_second = second;
  return true;
}

bool pop3_reply_uidl(struct slice line, uint64_t *ret_number, struct slice *ret_uidl) {
  uint64_t number;
  struct slice a = next_word(&line);
  while (line.n && is_blank(line.p[line.n - 1])) line.n--;
  if (!num_parse(a, UINT64_MAX, &number) || !line.n) return false;
  *ret_number = number;
  *ret_uidl = line;
  return true;
}

/* The position of the next octet. DOT: after a dot that began a line; DOT_CR: after that and a
 * CR. */
enum { AT_START, AT_INSIDE, AT_CR, AT_DOT, AT_DOT_CR };

void pop3_unstuff_open(struct pop3_unstuffer *u, uint64_t max) {
  *u = (struct pop3_unstuffer){ .max = max, .at = AT_START };
}

/* The octets up to the end of the line, or of the input, which are copied unchanged. */
static struct slice plain_run(struct slice in) {
  ptrdiff_t lf = slice_find(in, '\n');
  return lf < 0 ? in : slice_first(in, (size_t)lf + 1);
}

static bool put(struct pop3_unstuffer *u, struct slice s, struct buf *out) {
  if (s.n > u->max - u->octets) return false;
  buf_put(out, s);
  u->octets += s.n;
  return true;
}

static uint8_t at_after_run(uint8_t at, struct slice run) {
  int last = slice_at(run, run.n - 1);
  if (last == '\r') return AT_CR;
  bool crlf = last == '\n' && (run.n > 1 ? slice_at(run, run.n - 2) == '\r' : at == AT_CR);
  return crlf ? AT_START : AT_INSIDE;
}

/* One octet after a dot that began a line, or after that dot and a CR. */
static enum pop3_unstuff after_dot(struct pop3_unstuffer *u, struct slice *in, struct buf *out) {
  int c = slice_at(*in, 0);
  if (u->at == AT_DOT_CR && c == '\n') {
    *in = slice_from(*in, 1);
    return POP3_UNSTUFF_END;
  }
  if (u->at == AT_DOT && c == '\r') {
    *in = slice_from(*in, 1);
    u->at = AT_DOT_CR;
    return POP3_UNSTUFF_MORE;
  }
  /* A stuffed line: the dot is gone; a CR that was held back belongs to it. */
  bool held = u->at == AT_DOT_CR;
  u->at = held ? AT_CR : AT_INSIDE;
  return !held || put(u, SLICE("\r"), out) ? POP3_UNSTUFF_MORE : POP3_UNSTUFF_TOO_BIG;
}

enum pop3_unstuff pop3_unstuff_put(struct pop3_unstuffer *u, struct slice *in, struct buf *out) {
  while (in->n > 0 && buf_room(out) > 0) {
    if (u->at == AT_DOT || u->at == AT_DOT_CR) {
      enum pop3_unstuff end = after_dot(u, in, out);
      if (end != POP3_UNSTUFF_MORE) return end;
      continue;
    }
    if (u->at == AT_START && slice_at(*in, 0) == '.') {
      *in = slice_from(*in, 1);
      u->at = AT_DOT;
      continue;
    }
    struct slice run = slice_first(plain_run(*in), buf_room(out));
    if (!put(u, run, out)) return POP3_UNSTUFF_TOO_BIG;
    u->at = at_after_run(u->at, run);
    *in = slice_from(*in, run.n);
  }
  return POP3_UNSTUFF_MORE;
}
