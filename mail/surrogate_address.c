/* SPDX-License-Identifier: ISC */
/* Fields with addresses converted to ASCII: lists of mailboxes and groups (RFC 6857 §3.1.6 to
 * §3.1.8, RFC 6858 §2.1), the recipients of a delivery report (RFC 6857 §3.1.9), and Received:
 * (§3.2.4). */
#include "lib/base/utf8.h"
#include "mail/alabel.h"
#include "mail/surrogate_inside.h"

/* An addr-spec without surrounding text. `domain` is empty if there is no "@". */
struct addr {
  struct slice local, domain;
};

static struct addr addr_split(struct slice spec) {
  struct slice rest = spec, piece;
  size_t at = spec.n, from = 0;
  for (enum mail_token kind; (kind = mail_lex(&rest, &piece)) != MAIL_END;) {
    if (kind != MAIL_SPECIAL) continue;
    if (piece.p[0] == '@') at = spec.n - rest.n - 1;
    if (piece.p[0] == ':') from = spec.n - rest.n, at = spec.n; /* a route: RFC 5322 §4.4 */
  }
  return (struct addr){ slice_first(slice_from(spec, from), at - from),
                        mail_strip(slice_from(spec, at + 1)) };
}

/* Puts the address in ASCII. False when its local part is not ASCII: only its owner could convert
 * that. */
static bool addr_put(struct buf *out, const struct addr *a) {
  if (surrogate_wants(a->local)) return false;
  buf_put(out, a->local);
  if (!a->domain.n) return true;
  buf_put_u8(out, '@');
  if (surrogate_wants(a->domain)) return alabel_put_domain(out, a->domain);
  buf_put(out, a->domain);
  return !out->failed;
}

/* A mailbox: display name, addr-spec, and the text around them. */
struct mailbox {
  struct slice before, spec, after;
  bool angle; /* <spec> */
};

static struct mailbox mailbox_split(struct slice s) {
  struct slice rest = s, piece;
  size_t lt = s.n, gt = s.n;
  for (enum mail_token kind; (kind = mail_lex(&rest, &piece)) != MAIL_END;) {
    if (kind != MAIL_SPECIAL) continue;
    if (piece.p[0] == '<' && lt == s.n) lt = s.n - rest.n - 1;
    if (piece.p[0] == '>' && lt < s.n && gt == s.n) gt = s.n - rest.n - 1;
  }
  if (lt < s.n)
    return (struct mailbox){ slice_first(s, lt),
                             mail_strip(slice_first(slice_from(s, lt + 1), gt - lt - 1)),
                             slice_from(s, gt + 1), true };
  struct slice spec = mail_strip(s);
  size_t from = spec.n ? slice_offset(s, spec) : s.n;
  return (struct mailbox){ slice_first(s, from), spec, slice_from(s, from + spec.n), false };
}

static bool mailbox_is_lost(struct field_writer *w, struct slice s) {
  struct mailbox m = mailbox_split(s);
  struct addr a = addr_split(m.spec);
  struct buf ascii;
  buf_init(&ascii, TEXT_MAX);
  bool lost = !addr_put(&ascii, &a);
  w->out->failed |= ascii.failed;
  buf_free(&ascii);
  return lost;
}

/* Replaces an address that cannot be converted, after its name. */
#define NO_GROUP SLICE(" :;")                                    /* RFC 6857 §3.1.8 */
#define NO_MAILBOX SLICE(" <invalid@internationalized.invalid>") /* RFC 6858 §2.1 */

/* `text` in encoded-words, followed by the address. `name` is the phrase before it. */
static void put_lost(struct field_writer *w, struct slice name, struct slice text,
                     struct slice who) {
  struct slice words = mail_trim(name);
  struct buf t;
  buf_init(&t, TEXT_MAX);
  if (words.n) put_phrases(w, slice_first(name, slice_offset(name, words) + words.n));
  /* the space between two encoded-words */
  if (words.n && surrogate_wants(words)) buf_put_u8(&t, ' ');
  mail_unfold(&t, mail_trim(text), false);
  field_put_space(w, SLICE(" "), WORDS_WANT);
  put_text(w, &t);
  field_put(w, who);
}

static void put_mailbox(struct field_writer *w, struct slice s, bool simply) {
  if (!surrogate_wants(s)) {
    put_ascii_phrase(w, s);
    return;
  }
  struct mailbox m = mailbox_split(s);
  struct addr a = addr_split(m.spec);
  struct buf ascii;
  buf_init(&ascii, TEXT_MAX);
  bool lost = !addr_put(&ascii, &a) || (simply && surrogate_wants(m.spec));
  if (lost) {
    put_lost(w, m.before, m.spec, simply ? NO_MAILBOX : NO_GROUP);
  } else {
    struct slice name = mail_trim(m.before);
    struct slice space = slice_from(m.before, name.n ? slice_offset(m.before, name) + name.n : 0);
    put_phrases(w, slice_first(m.before, m.before.n - space.n));
    field_put_space(w, space, buf_len(&ascii) + 2);
    if (m.angle) field_put(w, SLICE("<"));
    field_put(w, buf_slice(&ascii));
    if (m.angle) field_put(w, SLICE(">"));
  }
  w->out->failed |= ascii.failed;
  buf_free(&ascii);
  put_phrases(w, m.after);
}

/* Takes everything up to the next "," or ";", or ":" if `colon`, off `*rest`. Returns the
 * delimiter, or 0. */
static int next_element(struct slice *rest, bool colon, struct slice *ret) {
  struct slice s = *rest, piece;
  bool angle = false;
  for (enum mail_token kind; (kind = mail_lex(rest, &piece)) != MAIL_END;) {
    int c = kind == MAIL_SPECIAL ? piece.p[0] : 0;
    if (c == '<' || c == '>') angle = c == '<';
    if (angle || (c != ',' && c != ';' && (c != ':' || !colon))) continue;
    *ret = slice_first(s, s.n - rest->n - 1);
    return c;
  }
  *ret = s;
  return 0;
}

/* Examines a group's list, up to its ";": where that ends, and whether one of its mailboxes cannot
 * be converted. */
static size_t group_length(struct field_writer *w, struct slice s, bool *ret_lost) {
  struct slice rest = s, one;
  *ret_lost = false;
  for (int c = ','; c == ',';) {
    c = next_element(&rest, false, &one);
    *ret_lost |= surrogate_wants(one) && mailbox_is_lost(w, one);
    if (c == ';') return s.n - rest.n - 1;
  }
  return s.n;
}

static void put_list(struct field_writer *w, struct slice body, bool simply) {
  struct slice rest = body, one;
  size_t group_ends = body.n + 1; /* octets left at the end of the current group */
  while (rest.n) {
    bool outside = group_ends > body.n || rest.n < group_ends;
    int c = next_element(&rest, outside, &one);
    bool lost = false;
    size_t n = c == ':' ? group_length(w, rest, &lost) : 0;
    if (lost && !simply) {
      put_lost(w, one, slice_first(rest, n), NO_GROUP);
      rest = slice_from(rest, n + 1);
    } else if (c == ':') {
      put_phrases(w, one);
      field_put(w, SLICE(":"));
      group_ends = rest.n - n;
    } else {
      put_mailbox(w, one, simply);
      if (c) field_put(w, c == ',' ? SLICE(",") : SLICE(";"));
    }
  }
}

void put_addresses(struct field_writer *w, struct slice body) { put_list(w, body, false); }
void put_addresses_simply(struct field_writer *w, struct slice body) { put_list(w, body, true); }

/* --- recipients of a delivery report: "utf-8;" and an address --- */

bool recipient_is_utf8(struct slice body) {
  struct slice type = slice_split(&body, ';');
  return body.p && slice_caseeq(mail_strip(type), SLICE("utf-8")) && !surrogate_wants(type);
}

/* utf-8-addr-xtext (RFC 6533 §3): "\x{E9}" for characters that are not ASCII, or special there. */
void put_recipient(struct field_writer *w, struct slice body) {
  struct slice address = body, type = slice_split(&address, ';');
  size_t before = buf_len(w->out);
  buf_put(w->out, type);
  buf_put_str(w->out, "; ");
  for (address = mail_trim(address); address.n && !w->out->failed;) {
    uint32_t point = 0;
    size_t n = utf8_first(address, &point);
    if (!n) break;
    if (point > 0x20 && point < 0x7f && point != '+' && point != '=' && point != '\\')
      buf_put_u8(w->out, (uint8_t)point);
    else
      buf_printf(w->out, "\\x{%X}", (unsigned)point);
    address = slice_from(address, n);
  }
  w->column += buf_len(w->out) - before;
}

/* --- Received: --- */

static bool begins_clause(struct slice word) {
  static const char *const names[] = { "from", "by", "via", "with", "id", "for" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (slice_caseeq(word, slice_str(names[i]))) return true;
  return false;
}

/* From after "for" or "id" to the next clause or the ";". */
static size_t clause_length(struct slice s) {
  struct slice rest = s, piece;
  for (enum mail_token kind; (kind = mail_lex(&rest, &piece)) != MAIL_END;)
    if ((kind == MAIL_WORD && begins_clause(piece)) || (kind == MAIL_SPECIAL && piece.p[0] == ';'))
      return s.n - rest.n - piece.n;
  return s.n;
}

/* §3.2.4: "for" is removed if its local part is not ASCII, while its domain can be converted; "id"
 * is removed if any of it is not ASCII. */
static bool clause_is_lost(struct slice word, struct slice clause) {
  if (slice_caseeq(word, SLICE("id"))) return surrogate_wants(clause);
  struct slice spec = mail_strip(mailbox_split(clause).spec);
  return surrogate_wants(addr_split(spec).local);
}

static void put_host(struct field_writer *w, struct slice word) {
  struct buf ascii;
  buf_init(&ascii, TEXT_MAX);
  bool domain = alabel_put_domain(&ascii, word);
  if (domain)
    field_put(w, buf_slice(&ascii));
  else
    field_put(w, word);
  w->out->failed |= ascii.failed;
  buf_free(&ascii);
}

void put_received(struct field_writer *w, struct slice s) {
  struct slice piece;
  for (enum mail_token kind; (kind = mail_lex(&s, &piece)) != MAIL_END;) {
    if (kind == MAIL_WORD &&
        (slice_caseeq(piece, SLICE("for")) || slice_caseeq(piece, SLICE("id")))) {
      size_t n = clause_length(s);
      bool lost = clause_is_lost(piece, slice_first(s, n));
      if (lost) s = slice_from(s, n);
      if (lost) continue;
    }
    if (kind == MAIL_COMMENT)
      put_comment(w, piece);
    else if (!surrogate_wants(piece))
      field_put(w, piece);
    else
      put_host(w, piece);
  }
}
