#include "lib/mail/surrogate_field.h"

#include "lib/base/utf8.h"
#include "lib/mail/alabel.h"
#include "lib/mail/lex.h"
#include "lib/mail/words.h"

bool surrogate_wants(struct slice s) {
  uint64_t any = 0;
  size_t i = 0;
  for (; i + 8 <= s.n; i += 8) {
    uint64_t eight;
    memcpy(&eight, s.p + i, 8);
    any |= eight;
  }
  for (; i < s.n; i++) any |= s.p[i];
  return (any & 0x8080808080808080u) || slice_find(s, 0) >= 0;
}

static bool is_wanted(uint8_t c) { return c >= 0x80 || c == 0; }

void surrogate_blur(struct buf *out, struct slice s) {
  uint8_t *to = s.n ? buf_reserve(out, s.n) : NULL;
  if (!to) return;
  for (size_t i = 0; i < s.n; i++) to[i] = is_wanted(s.p[i]) ? '?' : s.p[i];
  buf_added(out, s.n);
}

/* --- text --- */

enum { TEXT_MAX = 64 * 1024 };

/* Text that is to be encoded: without its folding, and without what only quotes it. */
static void gather(struct buf *text, struct slice s, bool quoted_pairs) {
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] == '\r' && slice_at(s, i + 1) == '\n') i++;
    else if (quoted_pairs && s.p[i] == '\\' && i + 1 < s.n) buf_put_u8(text, s.p[++i]);
    else buf_put_u8(text, s.p[i]);
  }
}

static struct slice unquoted(struct slice quoted) {
  struct slice s = slice_from(quoted, 1);
  if (s.n && s.p[s.n - 1] == '"') s.n--;
  return s;
}

static void gather_phrase(struct buf *text, struct slice s) {
  struct slice piece;
  for (enum mail_token kind; (kind = mail_lex(&s, &piece)) != MAIL_END;) {
    bool quoted = kind == MAIL_QUOTED;
    gather(text, quoted ? unquoted(piece) : piece, quoted);
  }
}

static void put_text(struct field_writer *w, struct buf *text) {
  field_put_words(w, buf_slice(text));
  w->out->failed |= text->failed;
  buf_free(text);
}

static void put_words_of(struct field_writer *w, struct slice s, bool quoted_pairs) {
  struct buf text;
  buf_init(&text, TEXT_MAX);
  gather(&text, s, quoted_pairs);
  put_text(w, &text);
}

static void put_blurred(struct field_writer *w, struct slice s) {
  size_t before = buf_len(w->out);
  surrogate_blur(w->out, s);
  w->column += buf_len(w->out) - before;
}

static struct slice trim_space(struct slice s) {
  while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n')) s = slice_from(s, 1);
  while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\n')) s.n--;
  return s;
}

/* --- comments --- */

/* Up to the next parenthesis that is one. */
static size_t until_paren(struct slice s) {
  size_t n = 0;
  while (n < s.n && s.p[n] != '(' && s.p[n] != ')') n += s.p[n] == '\\' && n + 1 < s.n ? 2 : 1;
  return n;
}

static void put_comment_text(struct field_writer *w, struct slice s) {
  struct slice core = trim_space(s);
  size_t before = core.n ? slice_offset(s, core) : 0;
  if (!surrogate_wants(s)) {
    field_put(w, s);
    return;
  }
  field_put_space(w, slice_first(s, before), WORDS_WANT);
  put_words_of(w, core, true);
  field_put(w, slice_from(s, before + core.n));
}

static void put_comment(struct field_writer *w, struct slice comment) {
  while (comment.n) {
    size_t n = until_paren(comment);
    put_comment_text(w, slice_first(comment, n));
    field_put(w, slice_first(slice_from(comment, n), 1));
    comment = slice_from(comment, n + 1);
  }
}

/* --- runs of words --- */

/* How text is cut, and how much of a run is encoded with the words that need it. */
struct style {
  enum mail_token (*lex)(struct slice *rest, struct slice *ret);
  bool phrase; /* all of the run; its quoted strings lose their quotes */
};
static const struct style plain = { mail_lex_plain, false };
static const struct style phrase = { mail_lex, true };

/* A run goes up to a comment, a comma, or an encoded-word that is there already. */
static bool ends_run(enum mail_token kind, struct slice piece) {
  return kind == MAIL_COMMENT || (kind == MAIL_SPECIAL && piece.p[0] == ',') ||
         (kind == MAIL_WORD && mail_is_encoded_word(piece));
}

/* How many octets of `s` the run at its front has; *ret_next says whether an encoded-word follows. */
static size_t run_length(struct slice s, const struct style *style, bool *ret_next) {
  struct slice rest = s, piece;
  size_t n = 0;
  for (enum mail_token kind; (kind = style->lex(&rest, &piece)) != MAIL_END;) {
    *ret_next = kind == MAIL_WORD && mail_is_encoded_word(piece);
    if (ends_run(kind, piece)) return n;
    if (kind != MAIL_SPACE) n = s.n - rest.n;
  }
  *ret_next = false;
  return n;
}

/* The words of `run` from the first that needs it to the last. */
static struct slice wanted_words(struct slice run, size_t *ret_before) {
  struct slice rest = run, word;
  size_t from = run.n, to = 0;
  for (enum mail_token kind; (kind = mail_lex_plain(&rest, &word)) != MAIL_END;) {
    if (kind != MAIL_WORD || !surrogate_wants(word)) continue;
    if (to == 0) from = run.n - rest.n - word.n;
    to = run.n - rest.n;
  }
  *ret_before = from;
  return slice_first(slice_from(run, from), to - from);
}

/* ASCII, word by word, so that long lines can be broken. */
static void put_ascii(struct field_writer *w, struct slice space, struct slice s, const struct style *style) {
  struct slice piece;
  for (enum mail_token kind; (kind = style->lex(&s, &piece)) != MAIL_END;) {
    if (kind == MAIL_SPACE) {
      space = piece;
      continue;
    }
    field_put_space(w, space, piece.n);
    field_put(w, piece);
    space = SLICE_NONE;
  }
  field_put(w, space);
}

/* Between two encoded-words white space is nothing (RFC 2047 §6.2): where it was something, it goes into
 * the new one. */
static void put_run(struct field_writer *w, struct slice run, const struct style *style, struct slice before,
                    struct slice after) {
  struct buf text;
  buf_init(&text, TEXT_MAX);
  gather(&text, before, false);
  if (style->phrase) gather_phrase(&text, run);
  else gather(&text, run, false);
  gather(&text, after, false);
  put_text(w, &text);
}

/* What put_runs knows of where it is. */
struct runs {
  struct slice rest, space; /* to be looked at; white space that was taken and not yet put */
  bool after_word;          /* what was put last is an encoded-word */
};

/* What ends a run stands for itself. */
static void put_between(struct field_writer *w, struct runs *r, enum mail_token kind, struct slice piece) {
  field_put_space(w, r->space, piece.n);
  if (kind == MAIL_COMMENT) put_comment(w, piece);
  else if (surrogate_wants(piece)) put_words_of(w, piece, false);
  else field_put(w, piece);
  r->after_word = kind == MAIL_WORD;
  r->space = SLICE_NONE;
}

/* A run with something in it that has to be encoded: ASCII words, the encoded, ASCII words. */
static void put_wanted_run(struct field_writer *w, struct runs *r, struct slice run, bool before_word,
                           const struct style *style) {
  size_t lead = 0;
  struct slice core = style->phrase ? run : wanted_words(run, &lead), tail = slice_from(run, lead + core.n);
  struct slice inside = SLICE_NONE, behind = SLICE_NONE;
  if (lead) {
    struct slice head = trim_space(slice_first(run, lead));
    put_ascii(w, r->space, head, style);
    r->space = slice_from(slice_first(run, lead), head.n);
  } else if (r->after_word && r->space.n) {
    inside = r->space;
    r->space = SLICE(" ");
  }
  if (!tail.n && before_word && style->lex(&r->rest, &behind) != MAIL_SPACE) behind = SLICE_NONE;
  field_put_space(w, r->space, WORDS_WANT);
  put_run(w, core, style, inside, behind);
  put_ascii(w, SLICE_NONE, tail, style);
  r->space = behind.n ? SLICE(" ") : SLICE_NONE;
  r->after_word = !tail.n;
}

static void put_runs(struct field_writer *w, struct slice s, const struct style *style) {
  struct runs r = { .rest = s };
  struct slice piece;
  while (r.rest.n) {
    struct slice rest = r.rest;
    enum mail_token kind = style->lex(&rest, &piece);
    if (kind == MAIL_SPACE || ends_run(kind, piece)) {
      r.rest = rest;
      if (kind == MAIL_SPACE) r.space = piece;
      else put_between(w, &r, kind, piece);
      continue;
    }
    bool before_word = false;
    struct slice run = slice_first(r.rest, run_length(r.rest, style, &before_word));
    r.rest = slice_from(r.rest, run.n);
    if (surrogate_wants(run)) {
      put_wanted_run(w, &r, run, before_word, style);
    } else {
      put_ascii(w, r.space, run, style);
      r.space = SLICE_NONE;
      r.after_word = false;
    }
  }
  field_put(w, r.space);
}

static void put_plain(struct field_writer *w, struct slice body) { put_runs(w, body, &plain); }
static void put_phrases(struct field_writer *w, struct slice body) { put_runs(w, body, &phrase); }

/* RFC 6857 §3.2.3: only the comments of these may have such octets; another is text. */
static void put_comments(struct field_writer *w, struct slice body) {
  struct slice rest = body, piece;
  for (enum mail_token kind; (kind = mail_lex(&rest, &piece)) != MAIL_END;)
    if (kind != MAIL_COMMENT && surrogate_wants(piece)) {
      put_plain(w, body);
      return;
    }
  put_phrases(w, body); /* every run of words is ASCII */
}

/* --- addresses --- */

/* An addr-spec, without what stands around it. `domain` is empty when there is no "@". */
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
  return (struct addr){ slice_first(slice_from(spec, from), at - from), mail_strip(slice_from(spec, at + 1)) };
}

/* Puts the address in ASCII. False when only its local part's owner could say how. */
static bool addr_put(struct buf *out, const struct addr *a) {
  if (surrogate_wants(a->local)) return false;
  buf_put(out, a->local);
  if (!a->domain.n) return true;
  buf_put_u8(out, '@');
  if (surrogate_wants(a->domain)) return alabel_put_domain(out, a->domain);
  buf_put(out, a->domain);
  return !out->failed;
}

/* A mailbox: display name, addr-spec, and what stands around them. */
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
    return (struct mailbox){ slice_first(s, lt), mail_strip(slice_first(slice_from(s, lt + 1), gt - lt - 1)),
                             slice_from(s, gt + 1), true };
  struct slice spec = mail_strip(s);
  size_t from = spec.n ? slice_offset(s, spec) : s.n;
  return (struct mailbox){ slice_first(s, from), spec, slice_from(s, from + spec.n), false };
}

static bool mailbox_is_lost(struct slice s) {
  struct mailbox m = mailbox_split(s);
  struct addr a = addr_split(m.spec);
  struct buf ascii;
  buf_init(&ascii, TEXT_MAX);
  bool lost = !addr_put(&ascii, &a);
  buf_free(&ascii);
  return lost;
}

/* An empty group named `text` in encoded-words (RFC 6857 §3.1.8). `name` is the phrase in front of it. */
static void put_lost(struct field_writer *w, struct slice name, struct slice text) {
  struct slice words = trim_space(name);
  struct buf t;
  buf_init(&t, TEXT_MAX);
  if (words.n) put_phrases(w, slice_first(name, slice_offset(name, words) + words.n));
  if (words.n && surrogate_wants(words)) buf_put_u8(&t, ' '); /* the space between two encoded-words */
  gather(&t, trim_space(text), false);
  field_put_space(w, SLICE(" "), WORDS_WANT);
  put_text(w, &t);
  field_put(w, SLICE(" :;"));
}

static void put_mailbox(struct field_writer *w, struct slice s) {
  if (!surrogate_wants(s)) {
    put_ascii(w, SLICE_NONE, s, &phrase);
    return;
  }
  struct mailbox m = mailbox_split(s);
  struct addr a = addr_split(m.spec);
  struct buf ascii;
  buf_init(&ascii, TEXT_MAX);
  bool lost = !addr_put(&ascii, &a);
  if (lost) {
    put_lost(w, m.before, m.spec);
  } else {
    struct slice name = trim_space(m.before), space = slice_from(m.before, name.n ? slice_offset(m.before, name) + name.n : 0);
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

/* Takes everything up to the next "," or ";", or ":" when `colon`, off `*rest`. What it was, or 0. */
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

/* Looks at a group's list, up to its ";": where that ends, and whether one of its mailboxes is lost. */
static size_t group_length(struct slice s, bool *ret_lost) {
  struct slice rest = s, one;
  *ret_lost = false;
  for (int c = ','; c == ',';) {
    c = next_element(&rest, false, &one);
    *ret_lost |= surrogate_wants(one) && mailbox_is_lost(one);
    if (c == ';') return s.n - rest.n - 1;
  }
  return s.n;
}

static void put_addresses(struct field_writer *w, struct slice body) {
  struct slice rest = body, one;
  size_t group_ends = body.n + 1; /* octets that are left where the present group ends */
  while (rest.n) {
    bool outside = group_ends > body.n || rest.n < group_ends;
    int c = next_element(&rest, outside, &one);
    bool lost = false;
    size_t n = c == ':' ? group_length(rest, &lost) : 0;
    if (lost) {
      put_lost(w, one, slice_first(rest, n));
      rest = slice_from(rest, n + 1);
    } else if (c == ':') {
      put_phrases(w, one);
      field_put(w, SLICE(":"));
      group_ends = rest.n - n;
    } else {
      put_mailbox(w, one);
      if (c) field_put(w, c == ',' ? SLICE(",") : SLICE(";"));
    }
  }
}

/* --- Received: --- */

static bool begins_clause(struct slice word) {
  static const char *const names[] = { "from", "by", "via", "with", "id", "for" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (slice_caseeq(word, slice_str(names[i]))) return true;
  return false;
}

/* From behind "for" to the next clause or the ";". */
static size_t for_length(struct slice s) {
  struct slice rest = s, piece;
  for (enum mail_token kind; (kind = mail_lex(&rest, &piece)) != MAIL_END;)
    if ((kind == MAIL_WORD && begins_clause(piece)) || (kind == MAIL_SPECIAL && piece.p[0] == ';'))
      return s.n - rest.n - piece.n;
  return s.n;
}

static void put_host(struct field_writer *w, struct slice word) {
  struct buf ascii;
  buf_init(&ascii, TEXT_MAX);
  bool domain = alabel_put_domain(&ascii, word);
  if (domain) field_put(w, buf_slice(&ascii));
  else put_blurred(w, word);
  buf_free(&ascii);
}

static void put_received(struct field_writer *w, struct slice s) {
  struct slice piece;
  for (enum mail_token kind; (kind = mail_lex(&s, &piece)) != MAIL_END;) {
    if (kind == MAIL_WORD && slice_caseeq(piece, SLICE("for"))) {
      size_t n = for_length(s);
      if (surrogate_wants(slice_first(s, n))) {
        s = slice_from(s, n);
        continue;
      }
    }
    if (kind == MAIL_COMMENT) put_comment(w, piece);
    else if (!surrogate_wants(piece)) field_put(w, piece);
    else put_host(w, piece);
  }
}

/* --- MIME parameters: RFC 2231 --- */

static bool is_attribute_char(uint8_t c) {
  return ascii_is_alnum(c) || c == '.' || c == '-' || c == '_' || c == '!' || c == '#' || c == '$' || c == '+' ||
         c == '&' || c == '^' || c == '`' || c == '{' || c == '}' || c == '|' || c == '~';
}

static void put_percent(struct buf *out, uint8_t c) {
  static const char digits[] = "0123456789ABCDEF";
  buf_put_u8(out, '%');
  buf_put_u8(out, (uint8_t)digits[c >> 4]);
  buf_put_u8(out, (uint8_t)digits[c & 15]);
}

static struct slice charset_of(struct slice text) { return utf8_is_valid(text) ? SLICE("UTF-8") : SLICE("unknown-8bit"); }

enum { SECTION_MAX = 48 /* octets of a section's value, written */, PARAMETER_NAME_MAX = 40 };

/* One section: name*N*=… or, when it is the only one, name*=… . Returns how many octets of text it took. */
static size_t put_section(struct buf *out, struct slice name, struct slice text, struct slice charset, int section) {
  buf_put(out, name);
  if (section >= 0) buf_printf(out, "*%d", section);
  buf_put_str(out, "*=");
  if (section <= 0) {
    buf_put(out, charset);
    buf_put_str(out, "''");
  }
  size_t n = 0, cost = 0;
  for (; n < text.n; n++) {
    bool bare = is_attribute_char(text.p[n]);
    cost += bare ? 1 : 3;
    if (section >= 0 && cost > SECTION_MAX) break;
    if (bare) buf_put_u8(out, text.p[n]);
    else put_percent(out, text.p[n]);
  }
  return n;
}

static size_t written(struct slice text) {
  size_t cost = 0;
  for (size_t i = 0; i < text.n; i++) cost += is_attribute_char(text.p[i]) ? 1 : 3;
  return cost;
}

/* The value with its name; the field goes on in a new line for each section. */
static void put_extended(struct field_writer *w, struct slice name, struct slice value) {
  struct slice charset = charset_of(value);
  bool sections = written(value) > SECTION_MAX;
  for (int i = 0; value.n || i == 0; i++) {
    size_t before = buf_len(w->out);
    if (i) field_put(w, SLICE(";\r\n "));
    before = buf_len(w->out);
    value = slice_from(value, put_section(w->out, name, value, charset, sections ? i : -1));
    w->column += buf_len(w->out) - before;
    if (w->out->failed) return;
  }
}

/* A value that says that it is extended already: what it left raw. */
static void put_raw_extended(struct field_writer *w, struct slice value) {
  for (size_t i = 0; i < value.n; i++)
    if (is_wanted(value.p[i])) put_percent(w->out, value.p[i]);
    else buf_put_u8(w->out, value.p[i]);
  w->column += value.n;
}

/* The value as it is meant: a quoted string without its quotes, else whatever stands there. */
static void gather_value(struct buf *text, struct slice s) {
  struct slice v = trim_space(s);
  bool quoted = slice_at(v, 0) == '"';
  gather(text, quoted ? unquoted(v) : v, quoted);
}

/* Everything up to the next ";". */
static struct slice next_parameter(struct slice *rest, bool *ret_more) {
  struct slice s = *rest, piece;
  *ret_more = false;
  for (enum mail_token kind; (kind = mail_lex(rest, &piece)) != MAIL_END;)
    if (kind == MAIL_SPECIAL && piece.p[0] == ';') {
      *ret_more = true;
      return slice_first(s, s.n - rest->n - 1);
    }
  return s;
}

/* What stands before a parameter's name. */
static size_t leading(struct slice s) {
  struct slice rest = s, piece;
  for (enum mail_token kind; (kind = mail_lex(&rest, &piece)) == MAIL_SPACE || kind == MAIL_COMMENT;) {}
  return s.n - rest.n - piece.n;
}

static void put_parameter(struct field_writer *w, struct slice s) {
  size_t lead = leading(s);
  struct slice rest = slice_from(s, lead), name, value = rest;
  put_phrases(w, slice_first(s, lead));
  name = trim_space(slice_split(&value, '='));
  if (!value.p || !name.n || name.n > PARAMETER_NAME_MAX || surrogate_wants(name)) {
    put_blurred(w, rest);
    return;
  }
  if (name.p[name.n - 1] == '*') {
    field_put(w, name);
    field_put(w, SLICE("="));
    put_raw_extended(w, value);
    return;
  }
  struct buf text;
  buf_init(&text, TEXT_MAX);
  gather_value(&text, value);
  put_extended(w, name, buf_slice(&text));
  w->out->failed |= text.failed;
  buf_free(&text);
}

static void put_parameters(struct field_writer *w, struct slice body) {
  for (bool more = true; more;) {
    struct slice one = next_parameter(&body, &more);
    if (surrogate_wants(one)) put_parameter(w, one);
    else field_put(w, one);
    if (more) field_put(w, SLICE(";"));
  }
}

void surrogate_type(struct slice body, struct slice *ret_type, struct slice *ret_subtype) {
  bool more;
  struct slice s = mail_strip(next_parameter(&body, &more));
  *ret_type = trim_space(slice_split(&s, '/'));
  *ret_subtype = trim_space(s);
}

bool surrogate_parameter(struct slice body, struct slice name, struct buf *out) {
  bool more;
  next_parameter(&body, &more);
  while (more) {
    struct slice value = mail_strip(next_parameter(&body, &more));
    if (!slice_caseeq(trim_space(slice_split(&value, '=')), name) || !value.p) continue;
    gather_value(out, mail_strip(value));
    return !out->failed;
  }
  return false;
}

/* --- the field --- */

/* All of the body as encoded-words. */
static void put_encapsulated(struct field_writer *w, struct slice body) {
  field_put(w, SLICE(" "));
  put_words_of(w, trim_space(body), false);
}

static const struct field_kind {
  const char *name;
  void (*put)(struct field_writer *w, struct slice body);
} kinds[] = {
  { "From", put_addresses },            { "Sender", put_addresses },
  { "Reply-To", put_addresses },        { "To", put_addresses },
  { "Cc", put_addresses },              { "Bcc", put_addresses },
  { "Resent-From", put_addresses },     { "Resent-Sender", put_addresses },
  { "Resent-To", put_addresses },       { "Resent-Cc", put_addresses },
  { "Resent-Bcc", put_addresses },      { "Resent-Reply-To", put_addresses },
  { "Return-Path", put_addresses },     { "Disposition-Notification-To", put_addresses },
  { "Keywords", put_phrases },          { "Received", put_received },
  { "Date", put_comments },             { "Resent-Date", put_comments },
  { "MIME-Version", put_comments },     { "Content-ID", put_comments },
  { "Content-Language", put_comments }, { "Content-Transfer-Encoding", put_comments },
  { "Accept-Language", put_comments },  { "Auto-Submitted", put_comments },
  { "Content-Type", put_parameters },   { "Content-Disposition", put_parameters },
  { "Message-ID", put_encapsulated },   { "Resent-Message-ID", put_encapsulated },
  { "In-Reply-To", put_encapsulated },  { "References", put_encapsulated },
  { "Original-Recipient", put_encapsulated }, { "Final-Recipient", put_encapsulated },
};

static void (*kind_of(struct slice name))(struct field_writer *, struct slice) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (slice_caseeq(name, slice_str(kinds[i].name))) return kinds[i].put;
  return put_plain;
}

/* RFC 5322 §3.6.8, and blanks before the colon (§4.5.1). */
static bool is_name(struct slice name) {
  for (size_t i = 0; i < name.n; i++)
    if (name.p[i] < 33 || name.p[i] > 126) return false;
  return name.n > 0;
}

void surrogate_field(struct buf *out, struct slice raw) {
  struct field_writer w = field_writer(out);
  struct slice body = raw, end = SLICE_NONE;
  if (raw.n >= 2 && slice_eq(slice_from(raw, raw.n - 2), SLICE("\r\n"))) end = slice_from(raw, raw.n - 2);
  body.n -= end.n;
  ptrdiff_t colon = slice_find(body, ':');
  struct slice name = colon > 0 ? slice_first(body, (size_t)colon) : SLICE_NONE, known = slice_trim(name);
  if (!is_name(known) || slice_at(raw, 0) == ' ' || slice_at(raw, 0) == '\t') { /* no field */
    surrogate_blur(out, raw);
    return;
  }
  void (*put)(struct field_writer *, struct slice) = kind_of(known);
  body = slice_from(body, name.n + 1);
  if (put == put_encapsulated) field_put(&w, SLICE("Downgraded-"));
  field_put(&w, name);
  field_put(&w, SLICE(":"));
  if (put != put_encapsulated && slice_at(body, 0) != ' ' && slice_at(body, 0) != '\t') field_put(&w, SLICE(" "));
  put(&w, body);
  field_put(&w, end);
}
