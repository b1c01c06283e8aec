/* SPDX-License-Identifier: ISC */
/* A parser, by a cursor, and a printer for the paths and mailboxes of RFC 5321 §4.1.2.
 * Invariants: the first error is kept in the cursor, and neither the input nor the result is
 * touched on error; a parsed address is in its canonical form (unquoted local part, lower-case
 * A-label domain, canonical literal), so equal addresses have equal octets and printing then
 * parsing gives the same address; nothing recurses. */
#include "mail/address.h"

#include <arpa/inet.h>

#include "lib/base/utf8.h"
#include "mail/alabel.h"

/* A cursor over the path; `error` keeps the first error. */
struct cursor {
  struct slice in;
  enum address_error error;
  bool sender;           /* a reverse-path: its domain is never looked up */
  bool ascii;            /* non-ASCII octets are refused */
  struct slice complete; /* if set, brackets and domain may be missing, and this is the default
                          * domain */
};

static bool fail(struct cursor *c, enum address_error why) {
  if (!c->error) c->error = why;
  return false;
}

static int peek(const struct cursor *c) { return slice_at(c->in, 0); }

/* The grammar does not allow this octet. */
static bool unexpected(struct cursor *c) { return fail(c, ADDRESS_SYNTAX); }

/* UTF8-non-ascii (RFC 6531 §3.3); whether the octets are UTF-8 at all is checked on the whole local
 * part. */
static bool is_high(int octet) { return octet > 127; }

static bool take(struct cursor *c, uint8_t want) {
  if (peek(c) != want) return unexpected(c);
  c->in = slice_from(c->in, 1);
  return true;
}

/* atext, RFC 5322 §3.2.3, RFC 6531 §3.3 */
static bool is_atext(int c) {
  return ascii_is_alnum(c) || is_high(c) || (c > 0 && c < 128 && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* --- local part --- */

static bool local_put(struct cursor *c, struct address *a, int octet) {
  if (a->local_n == ADDRESS_LOCAL_MAX) return fail(c, ADDRESS_TOO_LONG);
  a->local[a->local_n++] = (uint8_t)octet;
  return true;
}

/* Dot-string = Atom *("." Atom), here with dots anywhere. */
static bool take_dot_string(struct cursor *c, struct address *a) {
  if (!is_atext(peek(c)) && peek(c) != '.') return unexpected(c);
  for (; is_atext(peek(c)) || peek(c) == '.'; c->in = slice_from(c->in, 1))
    if (!local_put(c, a, peek(c))) return false;
  return true;
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE; inside: %d32-126, "\" before %d32-126. */
static bool take_quoted_string(struct cursor *c, struct address *a) {
  struct slice from = c->in;
  if (!take(c, '"')) return false;
  while (peek(c) != '"') {
    if (peek(c) == '\\') c->in = slice_from(c->in, 1);
    if (!ascii_is_print(peek(c)) && !is_high(peek(c))) return unexpected(c);
    if (!local_put(c, a, peek(c))) return false;
    c->in = slice_from(c->in, 1);
  }
  take(c, '"');
  /* The limit applies to the text between the quotes; the printed form is no longer than that. */
  return from.n - c->in.n <= ADDRESS_LOCAL_MAX + 2 || fail(c, ADDRESS_TOO_LONG);
}

/* UTF-8 without the C1 control characters, some of which readers may treat as line ends. */
static bool is_text(struct slice s) {
  uint32_t c;
  for (size_t n; s.n; s = slice_from(s, n))
    if (!(n = utf8_first(s, &c)) || (c >= 0x80 && c < 0xa0)) return false;
  return true;
}

static bool take_local(struct cursor *c, struct address *a) {
  bool taken = peek(c) == '"' ? take_quoted_string(c, a) : take_dot_string(c, a);
  if (!taken || !slice_has_high(address_local(a))) return taken;
  a->utf8 = true;
  return is_text(address_local(a)) || fail(c, ADDRESS_SYNTAX);
}

/* --- domain --- */

static bool is_label_octet(const struct cursor *c, int octet) {
  return ascii_is_alnum(octet) || octet == '-' || (octet == '_' && c->sender) ||
         (is_high(octet) && !c->ascii);
}

/* sub-domain = Let-dig [Ldh-str] / U-label; a U-label is measured as the A-label that it becomes.
 */
static bool take_label(struct cursor *c) {
  size_t n = 0;
  while (is_label_octet(c, slice_at(c->in, n))) n++;
  bool unicode = slice_has_high(slice_first(c->in, n));
  bool hyphens = n && (c->in.p[0] == '-' || c->in.p[n - 1] == '-') && !c->sender;
  if (n > (unicode ? 4 : 1) * ADDRESS_LABEL_MAX) return fail(c, ADDRESS_TOO_LONG);
  if (n == 0) return unexpected(c);
  if (hyphens) return fail(c, ADDRESS_SYNTAX);
  c->in = slice_from(c->in, n);
  return true;
}

/* Domain = sub-domain *("." sub-domain). A dot that no label follows is not taken. */
static bool take_domain(struct cursor *c, struct slice *ret) {
  struct slice from = c->in;
  do {
    if (!take_label(c)) return false;
  } while (peek(c) == '.' && is_label_octet(c, slice_at(c->in, 1)) && take(c, '.'));
  *ret = slice_first(from, from.n - c->in.n);
  return ret->n <= ADDRESS_DOMAIN_MAX || slice_has_high(*ret) || fail(c, ADDRESS_TOO_LONG);
}

/* RFC 5321 §4.1.3: "::" stands for at least two groups of zeros, so it leaves at most six others,
 * where a dotted tail counts as two. inet_pton() accepts a seventh. */
static bool compression_fits(struct slice digits) {
  size_t groups = 0;
  if (slice_search(digits, SLICE("::")) < 0) return true;
  while (digits.n) {
    struct slice group = slice_split(&digits, ':');
    groups += slice_find(group, '.') >= 0 ? 2 : group.n > 0;
  }
  return groups <= 6;
}

/* The network address between the brackets: its length, or 0. */
static size_t literal_octets(struct slice inside, uint8_t ip[16]) {
  struct slice tag = SLICE("IPv6:");
  bool v6 = slice_case_starts(inside, tag);
  char text[INET6_ADDRSTRLEN] = { 0 };
  struct slice digits = v6 ? slice_from(inside, tag.n) : inside;
  if (digits.n >= sizeof text) return 0;
  for (size_t i = 0; i < digits.n; i++) {
    uint8_t c = digits.p[i];
    if (!ascii_is_digit(c) && c != '.' &&
        !(v6 && (c == ':' || ((c | 32) >= 'a' && (c | 32) <= 'f'))))
      return 0;
    text[i] = (char)c;
  }
  if (inet_pton(v6 ? AF_INET6 : AF_INET, text, ip) != 1 || (v6 && !compression_fits(digits)))
    return 0;
  return v6 ? 16 : 4;
}

/* address-literal. `General-address-literal` is refused, as no such protocol exists. */
static bool take_literal(struct cursor *c, uint8_t ip[16], size_t *ret_n) {
  if (!take(c, '[')) return false;
  ptrdiff_t end = slice_find(c->in, ']');
  if (end < 0) return fail(c, ADDRESS_SYNTAX);
  *ret_n = literal_octets(slice_first(c->in, (size_t)end), ip);
  if (*ret_n == 0) return fail(c, ADDRESS_SYNTAX);
  c->in = slice_from(c->in, (size_t)end + 1);
  return true;
}

void address_put_literal(struct buf *out, const uint8_t *ip, size_t n) {
  char text[INET6_ADDRSTRLEN];
  if (!inet_ntop(n == 16 ? AF_INET6 : AF_INET, ip, text, sizeof text)) return;
  buf_put_str(out, n == 16 ? "[IPv6:" : "[");
  buf_put_str(out, text);
  buf_put_u8(out, ']');
}

static bool set_literal(struct cursor *c, struct address *a) {
  uint8_t ip[16];
  size_t n;
  if (!take_literal(c, ip, &n)) return false;
  struct buf text;
  buf_init(&text, ADDRESS_DOMAIN_MAX);
  address_put_literal(&text, ip, n);
  struct slice s = buf_slice(&text);
  if (text.failed || s.n == 0) return buf_free(&text), fail(c, ADDRESS_SYNTAX);
  memcpy(a->domain, s.p, s.n);
  a->domain_n = (uint8_t)s.n;
  a->kind = ADDRESS_LITERAL;
  buf_free(&text);
  return true;
}

static void keep_domain(struct address *a, struct slice domain) {
  slice_lower(domain, a->domain);
  a->domain_n = (uint8_t)domain.n;
  a->kind = ADDRESS_MAILBOX;
}

/* U-labels become A-labels (RFC 6531 §3.2), so that a domain has only one form. */
static bool keep_unicode(struct cursor *c, struct address *a, struct slice domain) {
  struct buf ascii;
  buf_init(&ascii, ADDRESS_DOMAIN_MAX);
  bool fine = alabel_put_domain(&ascii, domain);
  if (fine) keep_domain(a, buf_slice(&ascii));
  buf_free(&ascii);
  a->utf8 = true;
  return fine || fail(c, ADDRESS_SYNTAX);
}

static bool set_domain(struct cursor *c, struct address *a) {
  struct slice domain;
  if (peek(c) == '[') return set_literal(c, a);
  if (!take_domain(c, &domain)) return false;
  if (peek(c) == '.') take(c, '.'); /* the root, as DNS writes it (RFC 1034 §3.1) */
  if (slice_has_high(domain)) return keep_unicode(c, a, domain);
  keep_domain(a, domain);
  return true;
}

/* --- paths --- */

/* A-d-l = At-domain *( "," At-domain ) ":" with At-domain = "@" Domain. Read, not kept. */
static bool skip_source_route(struct cursor *c) {
  struct slice hop;
  if (peek(c) != '@') return true;
  do {
    if (!take(c, '@') || !take_domain(c, &hop)) return false;
  } while (peek(c) == ',' && take(c, ','));
  return take(c, ':');
}

/* The domain is missing, and may be. */
static bool complete(struct cursor *c, struct address *a) {
  bool fits = c->complete.n > 0 && c->complete.n <= ADDRESS_DOMAIN_MAX;
  if (slice_caseeq(address_local(a), SLICE("postmaster")) && !c->sender) {
    for (size_t i = 0; i < a->local_n; i++) a->local[i] = ascii_lower(a->local[i]);
    a->kind = ADDRESS_POSTMASTER;
    return true;
  }
  if (!fits) return fail(c, ADDRESS_SYNTAX);
  keep_domain(a, c->complete);
  return true;
}

static bool take_mailbox(struct cursor *c, struct address *a) {
  if (!take_local(c, a)) return false;
  if (c->complete.p && peek(c) != '@') return complete(c, a);
  return take(c, '@') && set_domain(c, a);
}

static bool take_path(struct cursor *c, struct address *a) {
  struct slice from = c->in;
  bool bare = c->complete.p && peek(c) != '<';
  if (!bare && !take(c, '<')) return false;
  if (!skip_source_route(c) || !take_mailbox(c, a)) return false;
  if (!bare && !take(c, '>')) return false;
  return from.n - c->in.n <= ADDRESS_PATH_MAX || fail(c, ADDRESS_TOO_LONG);
}

/* Finishes a parse: moves the results out if there was no error. */
static enum address_error done(struct cursor *c, struct address *a, struct slice *in,
                               struct address *ret) {
  if (c->error) return c->error;
  *in = c->in;
  *ret = *a;
  return ADDRESS_OK;
}

static enum address_error take_reverse(struct cursor c, struct slice *in, struct address *ret) {
  struct address a = { .kind = ADDRESS_NULL };
  c.sender = true;
  if (slice_starts(*in, SLICE("<>")))
    c.in = slice_from(c.in, 2);
  else
    take_path(&c, &a);
  return done(&c, &a, in, ret);
}

enum address_error address_take_reverse(struct slice *in, struct address *ret) {
  return take_reverse((struct cursor){ .in = *in }, in, ret);
}

enum address_error address_take_reverse_free(struct slice *in, struct slice domain,
                                             struct address *ret) {
  return take_reverse((struct cursor){ .in = *in, .complete = domain }, in, ret);
}

static enum address_error take_forward(struct cursor c, struct slice *in, struct address *ret) {
  struct slice postmaster = SLICE("<postmaster>");
  struct address a = { .kind = ADDRESS_POSTMASTER };
  if (slice_case_starts(*in, postmaster)) {
    c.in = slice_from(c.in, postmaster.n);
    a.local_n = (uint8_t)(postmaster.n - 2);
    memcpy(a.local, postmaster.p + 1, a.local_n);
  } else {
    take_path(&c, &a);
  }
  return done(&c, &a, in, ret);
}

enum address_error address_take_forward(struct slice *in, struct address *ret) {
  return take_forward((struct cursor){ .in = *in }, in, ret);
}

enum address_error address_take_forward_free(struct slice *in, struct slice domain,
                                             struct address *ret) {
  return take_forward((struct cursor){ .in = *in, .complete = domain }, in, ret);
}

enum address_error address_parse(struct slice s, struct address *ret) {
  struct cursor c = { .in = s };
  struct address a = { .kind = ADDRESS_NULL };
  if (take_mailbox(&c, &a) && c.in.n) unexpected(&c);
  if (s.n > ADDRESS_PATH_MAX - 2) fail(&c, ADDRESS_TOO_LONG);
  return done(&c, &a, &s, ret);
}

bool address_is_domain(struct slice s) {
  struct cursor c = { .in = s, .ascii = true };
  struct slice domain;
  return take_domain(&c, &domain) && c.in.n == 0;
}

bool address_is_literal(struct slice s) {
  struct cursor c = { .in = s };
  uint8_t ip[16];
  size_t n;
  return take_literal(&c, ip, &n) && c.in.n == 0;
}

/* --- printing --- */

static bool is_dot_string(struct slice s) {
  bool dot = true;
  for (size_t i = 0; i < s.n; i++) {
    bool this_dot = s.p[i] == '.';
    if (this_dot ? dot : !is_atext(s.p[i])) return false;
    dot = this_dot;
  }
  return !dot;
}

static void put_local(struct buf *out, struct slice local) {
  if (is_dot_string(local)) {
    buf_put(out, local);
    return;
  }
  buf_put_u8(out, '"');
  for (size_t i = 0; i < local.n; i++) {
    if (local.p[i] == '"' || local.p[i] == '\\') buf_put_u8(out, '\\');
    buf_put_u8(out, local.p[i]);
  }
  buf_put_u8(out, '"');
}

static void put_domain(struct buf *out, struct slice domain) {
  if (!domain.n) return;
  buf_put_u8(out, '@');
  buf_put(out, domain);
}

void address_put(struct buf *out, const struct address *a) {
  if (a->kind == ADDRESS_NULL) return;
  put_local(out, address_local(a));
  put_domain(out, address_domain(a));
}

void address_put_plain(struct buf *out, const struct address *a) {
  buf_put(out, address_local(a));
  put_domain(out, address_domain(a));
}

void address_put_quoted(struct buf *out, struct slice plain) {
  if (plain.n == 0) return;
  ptrdiff_t at = slice_rfind(plain, '@'); /* a domain contains no "@", so the last one separates */
  put_local(out, at < 0 ? plain : slice_first(plain, (size_t)at));
  put_domain(out, at < 0 ? SLICE_NONE : slice_from(plain, (size_t)at + 1));
}
