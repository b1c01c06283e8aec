/* SPDX-License-Identifier: ISC */
/* The mailboxes of an address list, in one pass. Outside of quotes, comments, literals and brackets
 * "," and ";" end an address, ":" ends a group's name. What is collected is the address as written,
 * with white space between its parts reduced to one space, which no address contains. */
#include "mail/mailboxes.h"

#include "mail/header.h"

enum at { AT_PLAIN, AT_QUOTE, AT_LITERAL };

struct list_walk {
  void (*each)(void *arg, const struct address *a);
  void *arg;
  struct slice domain;        /* for an address without one; empty: that is an error */
  struct buf outside, inside; /* of angle brackets */
  bool angle, had_angle, group, escaped, wrong;
  unsigned depth; /* of comments */
  enum at at;
  size_t begin; /* of this part of the list */
};

static bool is_space(int c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static void put(struct list_walk *w, uint8_t c) {
  struct buf *b = w->angle ? &w->inside : &w->outside;
  struct slice s = buf_slice(b);
  if (is_space(c) && w->at == AT_PLAIN) {
    if (s.n && slice_at(s, s.n - 1) != ' ') buf_put_u8(b, ' ');
  } else {
    buf_put_u8(b, c);
  }
}

/* "@a,@b:user@host": the route is obsolete and ignored (RFC 5322 §4.4). */
static struct slice without_route(struct slice s) {
  if (slice_at(s, 0) != '@') return s;
  ptrdiff_t colon = slice_find(s, ':');
  return colon < 0 ? s : slice_from(s, (size_t)colon + 1);
}

/* The text is the end of `kept`, except for a blank. */
static struct slice with_domain(const struct list_walk *w, struct buf *kept, struct slice text) {
  size_t from = (size_t)(text.p - buf_slice(kept).p);
  buf_truncate(kept, from + text.n);
  buf_put_u8(kept, '@');
  buf_put(kept, w->domain);
  return slice_from(buf_slice(kept), from);
}

static void end_part(struct list_walk *w) {
  struct address a;
  struct buf *kept = w->had_angle ? &w->inside : &w->outside;
  struct slice text = slice_trim(buf_slice(kept));
  if (w->had_angle) text = without_route(text);
  if (text.n && w->domain.n && slice_rfind(text, '@') < 0) text = with_domain(w, kept, text);
  bool empty = !w->had_angle && text.n == 0;
  if (!empty) {
    if (address_parse(text, &a) == ADDRESS_OK)
      w->each(w->arg, &a);
    else
      w->wrong = true;
  }
  if (w->wrong) return;
  buf_reset(&w->outside), buf_reset(&w->inside);
  w->had_angle = false;
}

static void plain(struct list_walk *w, uint8_t c, size_t i) {
  if (c == '"') w->at = AT_QUOTE;
  if (c == '[') w->at = AT_LITERAL;
  if (c == '<' || c == '>') {
    w->wrong = w->angle == (c == '<') || (c == '<' && w->had_angle);
    w->angle = c == '<';
    w->had_angle = true;
  } else if (w->angle || (c != ',' && c != ';' && c != ':')) {
    put(w, c);
  } else if (c == ':') {
    buf_reset(&w->outside); /* a group's name */
    w->wrong = w->had_angle || w->group;
    w->group = true;
  } else {
    end_part(w);
    if (c == ';') w->wrong = w->wrong || !w->group, w->group = false;
    if (!w->wrong) w->begin = i + 1;
  }
}

static void step(struct list_walk *w, uint8_t c, size_t i) {
  bool escaped = w->escaped;
  w->escaped = !escaped && c == '\\' && (w->depth || w->at != AT_PLAIN);
  if (w->depth) {
    if (!escaped && c == '(') w->depth++;
    if (!escaped && c == ')') w->depth--;
  } else if (w->at != AT_PLAIN) {
    put(w, c);
    if (!escaped && c == (w->at == AT_QUOTE ? '"' : ']')) w->at = AT_PLAIN;
  } else if (c == '(') {
    w->depth = 1;
    put(w, ' ');
  } else {
    plain(w, c, i);
  }
}

static bool walk_list(struct slice body, struct slice domain,
                      void (*each)(void *arg, const struct address *a), void *arg,
                      struct slice *ret_wrong) {
  struct list_walk w = { .each = each, .arg = arg, .domain = domain };
  size_t most = body.n + domain.n + 2;
  buf_init(&w.outside, most), buf_init(&w.inside, most);
  for (size_t i = 0; i < body.n && !w.wrong; i++) step(&w, body.p[i], i);
  if (!w.wrong) w.wrong = w.depth || w.at != AT_PLAIN || w.angle || w.group;
  if (!w.wrong) end_part(&w);
  w.wrong = w.wrong || w.outside.failed || w.inside.failed;
  if (w.wrong) *ret_wrong = slice_trim(slice_from(body, w.begin));
  buf_free(&w.outside), buf_free(&w.inside);
  return !w.wrong;
}

bool mailboxes_each(struct slice body, void (*each)(void *arg, const struct address *a), void *arg,
                    struct slice *ret_wrong) {
  return walk_list(body, SLICE_NONE, each, arg, ret_wrong);
}

/* --- a whole header --- */

/* Linear search: a header has few recipients, and its author is the sender himself. */
static void add_once(void *arg, const struct address *a) {
  struct buf *list = arg, one;
  buf_init(&one, 2 * ADDRESS_PATH_MAX);
  address_put(&one, a);
  bool there = false;
  for (struct slice rest = buf_slice(list); rest.n && !there;)
    there = slice_eq(slice_split(&rest, '\n'), buf_slice(&one));
  if (!there && a->kind != ADDRESS_NULL) {
    buf_put(list, buf_slice(&one));
    buf_put_u8(list, '\n');
  }
  buf_free(&one);
}

bool mailboxes_of_header(struct slice message, struct slice domain, struct buf *ret,
                         struct buf *wrong) {
  struct header_field f;
  struct slice part;
  for (struct slice rest = message; header_next(&rest, &f);) {
    if (!slice_caseeq(f.name, SLICE("To")) && !slice_caseeq(f.name, SLICE("Cc")) &&
        !slice_caseeq(f.name, SLICE("Bcc")))
      continue;
    if (walk_list(f.body, domain, add_once, ret, &part)) continue;
    buf_put(wrong, slice_first(part, 200));
    return false;
  }
  return !ret->failed;
}

void mailboxes_put_sent(struct slice message, bool bcc, struct buf *out) {
  struct header_field f;
  struct slice rest = message;
  while (header_next(&rest, &f)) {
    if (slice_caseeq(f.name, SLICE("Return-Path"))) continue;
    if (bcc || !slice_caseeq(f.name, SLICE("Bcc"))) buf_put(out, f.raw);
  }
  buf_put(out, rest);
}
