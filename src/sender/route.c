/* SPDX-License-Identifier: ISC */
/* The option `routes`: where mail for a destination goes if not to its own MX hosts.
 *
 *   "WHICH HOST[:PORT] [tls=opportunistic|required|verified|none|implicit] [login=USER] [lmtp]"
 *
 * conf/routes.c describes WHICH, and which of several lines decides. HOST in brackets is an
 * address, or a name whose MX records are not looked up; "direct" means the destination's own MX
 * hosts. "srv:_submission._tcp.example.org[:PORT]": the servers in the SRV records of that service
 * (RFC 2782), at this port. A record with another port is ignored: the sandbox lets the process
 * connect only to ports in the configuration.
 *
 * The certificate must then be valid for example.org, not for the name in the SRV record. That name
 * came from DNS, without proof: an attacker who forges the answer would name a host for which he
 * has a certificate. A reference identity comes from what the administrator wrote (RFC 6125 §6.2.1,
 * RFC 9525 §6.1; RFC 6186 §6 says the same of clients). */
#include "src/sender/sender.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/num.h"

enum { CREDENTIALS_MAX = 64 * 1024 };

static bool take_service(struct route *r, struct slice text) {
  struct slice domain = text, service = slice_split(&domain, '.');
  slice_split(&domain, '.');
  if (text.n >= sizeof r->srv) return false;
  r->implicit_tls = slice_caseeq(service, SLICE("_submissions")); /* RFC 8314 §3.3 */
  if (r->implicit_tls) r->tls = ROUTE_VERIFIED;
  snprintf(r->srv, sizeof r->srv, "%.*s", SLICE_ARG(text));
  snprintf(r->host, sizeof r->host, "%.*s", SLICE_ARG(domain));
  return true;
}

static bool take_host(struct route *r, struct slice text) {
  bool service = slice_starts(text, SLICE("srv:"));
  if (service) text = slice_from(text, 4);
  ptrdiff_t colon = slice_rfind(text, ':'), close = slice_rfind(text, ']');
  if (colon > close) text = slice_first(text, (size_t)colon);
  if (service) return take_service(r, text);
  if (slice_at(text, 0) == '[' && slice_at(text, text.n - 1) == ']')
    text = slice_first(slice_from(text, 1), text.n - 2);
  if (!text.n || text.n >= sizeof r->host) return false;
  snprintf(r->host, sizeof r->host, "%.*s", SLICE_ARG(text));
  return true;
}

static bool take_word(struct route *r, struct slice word) {
  static const struct {
    const char *word;
    enum route_tls tls;
    bool implicit, lmtp;
  } words[] = { { "tls=opportunistic", ROUTE_OPPORTUNISTIC, false, false },
                { "tls=required", ROUTE_REQUIRED, false, false },
                { "tls=verified", ROUTE_VERIFIED, false, false },
                { "tls=none", ROUTE_NO_TLS, false, false },
                { "tls=implicit", ROUTE_VERIFIED, true, false },
                { "lmtp", ROUTE_NO_TLS, false, true } };
  if (slice_starts(word, SLICE("login="))) return true; /* find_login() */
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (!slice_eq(word, slice_str(words[i].word))) continue;
    if (words[i].lmtp) {
      r->lmtp = true;
    } else {
      r->tls = words[i].tls;
      r->implicit_tls = words[i].implicit;
    }
    return true;
  }
  return false;
}

static bool parse_line(struct slice line, uint16_t usual, struct slice *ret_pattern,
                       struct route *ret) {
  *ret = (struct route){ .port = conf_route_port(line, usual) };
  *ret_pattern = conf_route_word(&line);
  struct slice host = conf_route_word(&line);
  if (!ret_pattern->n || !ret->port) return false;
  ret->direct = slice_eq(host, SLICE("direct"));
  if (!ret->direct && !take_host(ret, host)) return false;
  while (line.p) {
    struct slice word = conf_route_word(&line);
    if (word.n && !take_word(ret, word)) return false;
  }
  return true;
}

/* A login is used over TLS with a verified name only. False: the route names a missing login: its
 * mail waits, rather than going without one. */
static bool find_login(const struct sender *s, struct slice line, struct route *r) {
  struct conf_login l;
  bool found = conf_login_for(s->process->conf, buf_slice(&s->credentials.file), slice_str(r->host),
                              conf_route_login(line), &l);
  if (!found || !l.host.n) return found;
  r->user = l.user;
  r->secret = l.password;
  r->tls = ROUTE_VERIFIED;
  return true;
}

bool route_for(const struct sender *s, const struct conf_route_asked *q, struct route *ret) {
  const struct conf *c = s->process->conf;
  uint16_t usual = (uint16_t)c->remote_port;
  struct slice which;
  size_t line = conf_route_find(&c->routes, q);
  if (!line) {
    *ret = (struct route){ .direct = true, .port = usual };
    return true;
  }
  struct slice text = slice_str(c->routes.items[line - 1]);
  if (!parse_line(text, usual, &which, ret)) return false;
  ret->line = line;
  return ret->direct || find_login(s, text, ret);
}

bool route_is_same(const struct route *a, const struct route *b) {
  return a->direct == b->direct && strcmp(a->host, b->host) == 0 && strcmp(a->srv, b->srv) == 0 &&
         a->port == b->port && a->tls == b->tls && a->implicit_tls == b->implicit_tls &&
         a->lmtp == b->lmtp && slice_eq(a->user, b->user) && slice_eq(a->secret, b->secret);
}

const char *route_tls_word(const struct route *r) {
  static const char *const words[] = { [ROUTE_OPPORTUNISTIC] = "opportunistic",
                                       [ROUTE_REQUIRED] = "required",
                                       [ROUTE_VERIFIED] = "verified",
                                       [ROUTE_NO_TLS] = "none" };
  return r->implicit_tls ? "implicit" : words[r->tls];
}

enum dns_kind route_question(const struct route *r, const char *nexthop, const char **ret_name) {
  *ret_name = r->direct ? nexthop : r->srv[0] ? r->srv : r->host;
  return r->direct ? DNS_MX : r->srv[0] ? DNS_SRV : DNS_ADDRESS;
}

const char *route_certificate(const struct route *r, const char *host) {
  return r->srv[0] ? r->host : host;
}

void route_put(const struct route *r, const struct conf *c, struct buf *out) {
  if (r->direct)
    buf_put_str(out, "by its MX records");
  else if (r->srv[0])
    buf_printf(out, "by the SRV records of %s, certificate for %s,", r->srv, r->host);
  else
    buf_put_str(out, r->host);
  buf_printf(out, " port %u%s", r->port, r->lmtp ? ", by LMTP" : "");
  if (r->user.n) buf_printf(out, ", as %.*s", SLICE_ARG(slice_first(r->user, 255)));
  if (r->line && r->line <= c->routes.count)
    buf_printf(out, ", by \"%s\" (no. %zu of routes)", c->routes.items[r->line - 1], r->line);
}

void route_ports(struct process *r) { r->dial_count = conf_route_ports(r->conf, r->dials); }

/* tools/link-check verifies that no other function of the sender opens a file. */
__attribute__((noinline)) static int route_file_open(const char *path) {
  return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

bool route_read_credentials(const char *path, struct credentials *c, struct buf *err) {
  struct stat st;
  if (!path[0]) return true;
  int fd = route_file_open(path);
  bool fine = fd >= 0 && fstat(fd, &st) == 0;
  if (!fine) {
    buf_printf(err, "%s: %s", path, strerror(errno));
  } else if (!S_ISREG(st.st_mode) || (st.st_mode & 077) || st.st_size > CREDENTIALS_MAX) {
    buf_printf(err, "%s must be a small file that only its owner may read (mode 600)", path);
    fine = false;
  }
  uint8_t *to = fine ? buf_reserve(&c->file, (size_t)st.st_size + 1) : NULL;
  ssize_t n = to ? read(fd, to, (size_t)st.st_size) : -1;
  if (n > 0) buf_added(&c->file, (size_t)n);
  if (fine && n < 0) buf_printf(err, "%s could not be read", path);
  if (fd >= 0) close(fd);
  return fine && n >= 0;
}
