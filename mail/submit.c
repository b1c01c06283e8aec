/* SPDX-License-Identifier: ISC */
/* Repairs the header of a submitted message, and collects its authors. Each field passes once: it
 * is repaired, then, if it names an author, parsed.
 *
 * Invariants: a header whose authors programs could read differently is SUBMIT_UNCLEAR; the header
 * is put out in any case. */
#include "mail/submit.h"

#include "lib/base/utf8.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/lex.h"
#include "mail/mailboxes.h"

/* --- a domain for addresses without one --- */

static const struct slice address_fields[] = {
#define N(name) \
  { (const uint8_t *)(name), sizeof(name) - 1 }
  N("From"),      N("Sender"),    N("Reply-To"),    N("To"),
  N("Cc"),        N("Bcc"),       N("Resent-From"), N("Resent-Sender"),
  N("Resent-To"), N("Resent-Cc"), N("Resent-Bcc"),  N("Resent-Reply-To"),
};

static bool has_addresses(struct slice name) {
  for (size_t i = 0; i < sizeof address_fields / sizeof *address_fields; i++)
    if (slice_caseeq(name, address_fields[i])) return true;
  return false;
}

/* One mailbox of a list, outside its brackets or inside. */
struct part {
  size_t words, end; /* end: after the last word */
  bool at, odd;      /* odd: no local part */
  bool bare;         /* the last word is a domain without a dot */
};

struct qualify {
  struct slice body, domain;
  bool dotless; /* a domain without a dot is whole */
  struct buf *out;
  size_t done; /* octets of the body put so far */
  struct part outside, inside;
  bool angle, had_angle;
};

/* A lone word without "@" is a local part; a lone one after the "@" is the first part of a domain
 * (RFC 6409 §4.2). */
static void complete(struct qualify *q, const struct part *p) {
  bool local = p->words == 1 && !p->at, domain = p->words == 2 && p->bare && !q->dotless;
  if (p->odd || !(local || domain)) return;
  buf_put(q->out, slice_first(slice_from(q->body, q->done), p->end - q->done));
  buf_put_u8(q->out, local ? '@' : '.');
  buf_put(q->out, q->domain);
  q->done = p->end;
}

static void end_mailbox(struct qualify *q) {
  if (!q->had_angle) complete(q, &q->outside);
  q->outside = q->inside = (struct part){ 0 };
  q->angle = q->had_angle = false;
}

static void special(struct qualify *q, uint8_t c) {
  struct part *p = q->angle ? &q->inside : &q->outside;
  if (c == '@') {
    p->at = true;
  } else if (c == '<') {
    q->angle = q->had_angle = true;
  } else if (c == '>') {
    complete(q, &q->inside);
    q->angle = false;
  } else if (q->angle) {
    p->odd = true;
  } else if (c == ':') {
    q->outside = (struct part){ 0 };
  } else {
    end_mailbox(q);
  }
}

static void qualify(struct slice body, const struct submit_with *with, struct buf *out) {
  struct qualify q = { .body = body, .domain = with->domain, .dotless = with->dotless, .out = out };
  struct slice rest = body, piece;
  for (enum mail_token t; (t = mail_lex(&rest, &piece)) != MAIL_END;) {
    struct part *p = q.angle ? &q.inside : &q.outside;
    if (t == MAIL_SPECIAL) special(&q, piece.p[0]);
    if (t != MAIL_WORD && t != MAIL_QUOTED) continue;
    p->bare =
        t == MAIL_WORD && p->at && p->words == 1 && slice_find(piece, '.') < 0 && piece.p[0] != '[';
    p->words++;
    p->end = body.n - rest.n;
    p->odd |= slice_has_high(piece) || slice_search(piece, SLICE("=?")) >= 0;
  }
  if (!q.angle) end_mailbox(&q);
  buf_put(out, slice_from(body, q.done));
}

/* --- a time zone --- */

static bool is_time(struct slice s) {
  static const char form[] = "00:00:00";
  if (s.n != 5 && s.n != 8) return false;
  for (size_t i = 0; i < s.n; i++)
    if (form[i] == ':' ? s.p[i] != ':' : !ascii_is_digit(s.p[i])) return false;
  return true;
}

/* "-0000" means that the zone is unknown (RFC 5322 §3.3). */
static void put_date(struct slice body, struct buf *out) {
  struct slice value = body;
  while (value.n && strchr(" \t\r\n", value.p[value.n - 1])) value.n--;
  ptrdiff_t space = slice_rfind(value, ' ');
  bool lacks = space >= 0 && is_time(slice_from(value, (size_t)space + 1));
  buf_put(out, value);
  if (lacks) buf_put_str(out, " -0000");
  buf_put(out, slice_from(body, value.n));
}

/* --- the authors --- */

/* Programs read control characters, and backslashes outside quotes, in different ways. */
static bool is_clear(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (ascii_is_control(s.p[i]) && !memchr("\t\r\n", s.p[i], 3)) return false;
  return s.n <= SUBMIT_FIELD_MAX && utf8_is_valid(s);
}

/* True if programs agree on where its addresses are. */
static bool is_plain(struct slice body) {
  struct slice rest = body, piece;
  bool angle = false, first = false, at = false;
  if (!is_clear(body)) return false;
  for (enum mail_token t; (t = mail_lex(&rest, &piece)) != MAIL_END;) {
    int c = t == MAIL_SPECIAL ? piece.p[0] : 0;
    if (t == MAIL_SPACE || t == MAIL_COMMENT) continue;
    if (angle && first && c == '@') return false; /* a route */
    first = false;
    if (t == MAIL_WORD && slice_find(piece, '\\') >= 0) return false;
    if (angle && t != MAIL_SPECIAL && slice_search(piece, SLICE("=?")) >= 0) return false;
    if (!angle && c == '@') at = true;
    if (c == '<') {
      if (at) return false;
      angle = first = true;
    }
    if (c == '>') angle = false;
    if (!angle && (c == ',' || c == ';' || c == ':')) at = false;
  }
  return true;
}

struct authors {
  struct buf *list;
  size_t count;
  bool odd;
};

static void add_author(void *arg, const struct address *a) {
  struct authors *x = arg;
  x->count++;
  if (a->kind != ADDRESS_MAILBOX && a->kind != ADDRESS_LITERAL) x->odd = true;
  if (slice_search(address_local(a), SLICE("=?")) >= 0) x->odd = true;
  address_put_plain(x->list, a);
  buf_put_u8(x->list, '\n');
}

static bool read_authors(struct slice body, bool one, struct buf *list) {
  struct authors x = { .list = list };
  struct slice wrong;
  bool fine = is_plain(body) && mailboxes_each(body, add_author, &x, &wrong);
  return fine && !x.odd && x.count && (!one || x.count == 1);
}

/* --- the header --- */

struct submit_walk {
  const struct submit_with *with;
  struct buf *out, *authors;
  size_t froms, senders;
  bool date, message_id, unclear;
};

/* RFC 5321 §4.4: the final server makes Return-Path, and no message is sent with one. */
static void take_field(struct submit_walk *w, const struct header_field *f) {
  if (slice_caseeq(f->name, SLICE("Return-Path"))) return;
  bool from = slice_caseeq(f->name, SLICE("From")), sender = slice_caseeq(f->name, SLICE("Sender"));
  bool date = slice_caseeq(f->name, SLICE("Date")), addresses = has_addresses(f->name);
  if (slice_caseeq(f->name, SLICE("Message-ID"))) w->message_id = true;
  if (!f->name.n) w->unclear = true;
  w->date |= date;
  w->froms += from;
  w->senders += sender;
  if (!addresses && !date) {
    buf_put(w->out, f->raw);
    return;
  }
  struct buf body;
  buf_init(&body, f->body.n + (f->body.n + 1) * (w->with->domain.n + 8) + 8);
  if (date)
    put_date(f->body, &body);
  else
    qualify(f->body, w->with, &body);
  size_t before = (size_t)(f->body.p - f->raw.p);
  buf_put(w->out, slice_first(f->raw, before));
  buf_put(w->out, buf_slice(&body));
  buf_put(w->out, slice_from(f->raw, before + f->body.n));
  if ((from || sender) && !read_authors(buf_slice(&body), sender, w->authors)) w->unclear = true;
  if (body.failed) w->out->failed = true;
  buf_free(&body);
}

static void put_missing(struct submit_walk *w) {
  const struct submit_with *with = w->with;
  struct buf *out = w->out;
  if (!w->froms && with->author.n) {
    buf_put_str(out, "From: <");
    buf_put(out, with->author);
    buf_put_str(out, ">\r\n");
    buf_put(w->authors, with->author);
    buf_put_u8(w->authors, '\n');
  }
  if (!w->date) {
    buf_put_str(out, "Date: ");
    date_put(out, with->now_s, 0);
    buf_put_str(out, "\r\n");
  }
  if (w->message_id) return;
  buf_put_str(out, "Message-ID: <");
  buf_put(out, with->id);
  buf_put_u8(out, '@');
  buf_put(out, with->hostname);
  buf_put_str(out, ">\r\n");
}

enum submit_verdict submit_header(struct slice header, const struct submit_with *with,
                                  struct buf *out, struct buf *authors) {
  struct submit_walk w = { .with = with, .out = out, .authors = authors };
  struct header_field f;
  struct slice rest = header;
  while (header_next(&rest, &f)) take_field(&w, &f);
  put_missing(&w);
  buf_put(out, rest);
  if (w.unclear || w.froms > 1 || w.senders > 1) return SUBMIT_UNCLEAR;
  return w.froms || with->author.n ? SUBMIT_OK : SUBMIT_NO_FROM;
}
