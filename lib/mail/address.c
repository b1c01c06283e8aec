#include "lib/mail/address.h"

#include <arpa/inet.h>

/* A cursor over the path; `error` keeps the first thing that went wrong. */
struct cursor {
  struct slice in;
  enum address_error error;
};

static bool fail(struct cursor *c, enum address_error why) {
  if (!c->error) c->error = why;
  return false;
}

static int peek(const struct cursor *c) { return slice_at(c->in, 0); }

/* What is wrong with the octet that stands where the grammar wants another. */
static bool unexpected(struct cursor *c) {
  return fail(c, peek(c) > 127 ? ADDRESS_UTF8 : ADDRESS_SYNTAX);
}

static bool take(struct cursor *c, uint8_t want) {
  if (peek(c) != want) return unexpected(c);
  c->in = slice_from(c->in, 1);
  return true;
}

/* atext, RFC 5322 §3.2.3 */
static bool is_atext(int c) {
  return ascii_is_alnum(c) || (c > 0 && c < 128 && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* --- local part --- */

static bool local_put(struct cursor *c, struct address *a, int octet) {
  if (a->local_n == ADDRESS_LOCAL_MAX) return fail(c, ADDRESS_TOO_LONG);
  a->local[a->local_n++] = (uint8_t)octet;
  return true;
}

/* Dot-string = Atom *("." Atom): no dot first, last, or twice. */
static bool take_dot_string(struct cursor *c, struct address *a) {
  for (;;) {
    if (!is_atext(peek(c))) return unexpected(c);
    for (; is_atext(peek(c)); c->in = slice_from(c->in, 1))
      if (!local_put(c, a, peek(c))) return false;
    if (peek(c) != '.') return true;
    if (!local_put(c, a, '.')) return false;
    c->in = slice_from(c->in, 1);
  }
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE; inside: %d32-126, "\" before %d32-126. */
static bool take_quoted_string(struct cursor *c, struct address *a) {
  struct slice from = c->in;
  if (!take(c, '"')) return false;
  while (peek(c) != '"') {
    if (peek(c) == '\\') c->in = slice_from(c->in, 1);
    if (!ascii_is_print(peek(c))) return unexpected(c);
    if (!local_put(c, a, peek(c))) return false;
    c->in = slice_from(c->in, 1);
  }
  take(c, '"');
  /* The limit is on what was written, quotes and all. */
  return from.n - c->in.n <= ADDRESS_LOCAL_MAX || fail(c, ADDRESS_TOO_LONG);
}

static bool take_local(struct cursor *c, struct address *a) {
  return peek(c) == '"' ? take_quoted_string(c, a) : take_dot_string(c, a);
}

/* --- domain --- */

/* sub-domain = Let-dig [Ldh-str] */
static bool take_label(struct cursor *c) {
  size_t n = 0;
  while (ascii_is_alnum(slice_at(c->in, n)) || slice_at(c->in, n) == '-') n++;
  bool hyphens = n && (c->in.p[0] == '-' || c->in.p[n - 1] == '-');
  if (n > ADDRESS_LABEL_MAX) return fail(c, ADDRESS_TOO_LONG);
  if (n == 0) return unexpected(c);
  if (hyphens) return fail(c, ADDRESS_SYNTAX);
  c->in = slice_from(c->in, n);
  return true;
}

/* Domain = sub-domain *("." sub-domain) */
static bool take_domain(struct cursor *c, struct slice *ret) {
  struct slice from = c->in;
  do {
    if (!take_label(c)) return false;
  } while (peek(c) == '.' && take(c, '.'));
  *ret = slice_first(from, from.n - c->in.n);
  return ret->n <= ADDRESS_DOMAIN_MAX || fail(c, ADDRESS_TOO_LONG);
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
    if (!ascii_is_digit(c) && c != '.' && !(v6 && (c == ':' || ((c | 32) >= 'a' && (c | 32) <= 'f')))) return 0;
    text[i] = (char)c;
  }
  if (inet_pton(v6 ? AF_INET6 : AF_INET, text, ip) != 1) return 0;
  return v6 ? 16 : 4;
}

/* address-literal. `General-address-literal` names no protocol that exists, so it is refused. */
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

static bool set_domain(struct cursor *c, struct address *a) {
  struct slice domain;
  if (peek(c) == '[') return set_literal(c, a);
  if (!take_domain(c, &domain)) return false;
  for (size_t i = 0; i < domain.n; i++) a->domain[i] = ascii_lower(domain.p[i]);
  a->domain_n = (uint8_t)domain.n;
  a->kind = ADDRESS_MAILBOX;
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

static bool take_mailbox(struct cursor *c, struct address *a) {
  return take_local(c, a) && take(c, '@') && set_domain(c, a);
}

static bool take_path(struct cursor *c, struct address *a) {
  struct slice from = c->in;
  if (!take(c, '<') || !skip_source_route(c) || !take_mailbox(c, a) || !take(c, '>')) return false;
  return from.n - c->in.n <= ADDRESS_PATH_MAX || fail(c, ADDRESS_TOO_LONG);
}

/* Finishes a parse: moves the results out when all went well. */
static enum address_error done(struct cursor *c, struct address *a, struct slice *in, struct address *ret) {
  if (c->error) return c->error;
  *in = c->in;
  *ret = *a;
  return ADDRESS_OK;
}

enum address_error address_take_reverse(struct slice *in, struct address *ret) {
  struct cursor c = { .in = *in };
  struct address a = { .kind = ADDRESS_NULL };
  if (slice_starts(*in, SLICE("<>")))
    c.in = slice_from(c.in, 2);
  else
    take_path(&c, &a);
  return done(&c, &a, in, ret);
}

enum address_error address_take_forward(struct slice *in, struct address *ret) {
  struct slice postmaster = SLICE("<postmaster>");
  struct cursor c = { .in = *in };
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

enum address_error address_parse(struct slice s, struct address *ret) {
  struct cursor c = { .in = s };
  struct address a = { .kind = ADDRESS_NULL };
  if (take_mailbox(&c, &a) && c.in.n) unexpected(&c);
  if (s.n > ADDRESS_PATH_MAX - 2) fail(&c, ADDRESS_TOO_LONG);
  return done(&c, &a, &s, ret);
}

bool address_is_domain(struct slice s) {
  struct cursor c = { .in = s };
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
  ptrdiff_t at = slice_rfind(plain, '@'); /* a domain has none, so the last one divides */
  put_local(out, at < 0 ? plain : slice_first(plain, (size_t)at));
  put_domain(out, at < 0 ? SLICE_NONE : slice_from(plain, (size_t)at + 1));
}
