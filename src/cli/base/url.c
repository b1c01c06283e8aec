/* SPDX-License-Identifier: ISC */
/* Parses "pop3s://user@host:port" (url.h). Pure. Invariants: no part has a control character or
 * exceeds its room; a password in a URL is refused, since the process list would show it. */
#include "src/cli/base/url.h"

#include <arpa/inet.h>

#include "lib/base/num.h"

static bool wrong(struct buf *err, const char *why) {
  buf_put_str(err, why);
  return false;
}

static bool copy(char *to, size_t room, struct slice s) {
  if (s.n >= room || slice_find(s, 0) >= 0) return false;
  if (s.n) memcpy(to, s.p, s.n);
  to[s.n] = 0;
  return true;
}

static int hex(int c) {
  if (ascii_is_digit(c)) return c - '0';
  return (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static bool percent_decode(struct slice s, struct buf *out) {
  for (; s.n; s = slice_from(s, 1)) {
    if (s.p[0] != '%') {
      buf_put_u8(out, s.p[0]);
      continue;
    }
    int high = hex(slice_at(s, 1)), low = hex(slice_at(s, 2));
    if (high < 0 || low < 0 || high * 16 + low < 0x20) return false;
    buf_put_u8(out, (uint8_t)(high * 16 + low));
    s = slice_from(s, 2);
  }
  return !out->failed;
}

static bool take_scheme(struct slice *s, const char *plain, struct url *ret) {
  ptrdiff_t at = slice_search(*s, SLICE("://"));
  if (at < 0 || !copy(ret->scheme, sizeof ret->scheme, slice_first(*s, (size_t)at))) return false;
  size_t n = strlen(plain);
  ret->tls = strncmp(ret->scheme, plain, n) == 0 && strcmp(ret->scheme + n, "s") == 0;
  *s = slice_from(*s, (size_t)at + 3);
  return ret->tls || strcmp(ret->scheme, plain) == 0;
}

static bool take_user(struct slice *s, struct url *ret, struct buf *err) {
  ptrdiff_t at = slice_rfind(*s, '@');
  if (at < 0) return true;
  struct slice user = slice_first(*s, (size_t)at);
  *s = slice_from(*s, (size_t)at + 1);
  if (slice_find(user, ':') >= 0)
    return wrong(err,
                 "a password does not belong into a URL; it is asked for, or --password-stdin");
  struct buf plain;
  buf_init(&plain, sizeof ret->user);
  bool ok = percent_decode(user, &plain) && copy(ret->user, sizeof ret->user, buf_slice(&plain));
  buf_free(&plain);
  return ok || wrong(err, "the user in the URL is too long, or a % in it is not followed by two "
                          "hexadecimal digits");
}

/* host, host:port, [v6], [v6]:port; a trailing "/" is ignored. */
static bool take_host(struct slice s, struct url *ret) {
  uint64_t port = ret->port;
  if (s.n && s.p[s.n - 1] == '/') s.n--;
  ptrdiff_t close = slice_at(s, 0) == '[' ? slice_find(s, ']') : -1;
  struct slice host = close > 0 ? slice_first(slice_from(s, 1), (size_t)close - 1) : s;
  struct slice rest = close > 0 ? slice_from(s, (size_t)close + 1) : SLICE_NONE;
  if (close <= 0) {
    ptrdiff_t colon = slice_find(s, ':');
    if (colon >= 0) rest = slice_from(s, (size_t)colon), host = slice_first(s, (size_t)colon);
  }
  if (rest.n && (rest.p[0] != ':' || !num_parse(slice_from(rest, 1), 65535, &port) || port == 0))
    return false;
  ret->port = (uint16_t)port;
  for (size_t i = 0; i < host.n; i++)
    if (!ascii_is_alnum(host.p[i]) && !memchr(".-:_%", host.p[i], 5)) return false;
  return host.n > 0 && copy(ret->host, sizeof ret->host, host);
}

bool url_parse(const char *text, const char *plain, uint16_t port, uint16_t tls_port,
               struct url *ret, struct buf *err) {
  struct url u = { .tls = false };
  struct slice s = slice_str(text);
  if (!take_scheme(&s, plain, &u)) {
    buf_printf(err, "%s: %s://USER@HOST or %ss://USER@HOST is meant", text, plain, plain);
    return false;
  }
  u.port = u.tls ? tls_port : port;
  if (!take_user(&s, &u, err)) return false;
  if (!take_host(s, &u)) return wrong(err, "the URL's host or port is invalid");
  *ret = u;
  return true;
}

bool url_is_localhost(const char *host) {
  static const struct slice name = { (const uint8_t *)"localhost", 9 };
  struct slice h = slice_str(host);
  if (h.n && h.p[h.n - 1] == '.') h.n--;
  if (h.n > name.n && h.p[h.n - name.n - 1] != '.') return false;
  return h.n >= name.n && slice_caseeq(slice_from(h, h.n - name.n), name);
}

bool url_is_loopback(const char *host) {
  struct in_addr four;
  struct in6_addr six;
  if (inet_pton(AF_INET, host, &four) == 1) return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
  if (inet_pton(AF_INET6, host, &six) == 1) return IN6_IS_ADDR_LOOPBACK(&six);
  return url_is_localhost(host);
}
