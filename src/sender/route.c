/* SPDX-License-Identifier: ISC */
/* The option `routes`: where mail for a destination goes, when not by its own MX records.
 *
 *   "DESTINATION HOST[:PORT] [tls=opportunistic|required|verified|none|implicit] [lmtp]"
 *
 * DESTINATION is a domain, ".domain" for all below it, or "*". The first line that fits counts.
 * HOST in brackets is an address or a name whose MX records are not looked at; "direct" stands for
 * the destination's own. "srv:_submission._tcp.example.org[:PORT]": the servers that the SRV
 * records of that service name (RFC 2782), at this port. A record with another port is passed over:
 * the sandbox lets the process connect to ports that the configuration has, and to no others.
 *
 * The certificate is then held against example.org, and not against the name in the SRV record.
 * That name came out of DNS, which is not proven: whoever can forge the answer would name a host
 * for which he has a certificate. A reference identity comes from what the administrator wrote (RFC
 * 6125 §6.2.1, RFC 9525 §6.1; RFC 6186 §6 says the same of clients). */
#include "src/sender/sender.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/num.h"

enum { CREDENTIALS_MAX = 64 * 1024 };

static bool fits(struct slice pattern, struct slice destination) {
  if (slice_eq(pattern, SLICE("*"))) return true;
  if (slice_at(pattern, 0) != '.') return slice_caseeq(pattern, destination);
  return destination.n > pattern.n &&
         slice_caseeq(slice_from(destination, destination.n - pattern.n), pattern);
}

static struct slice next_word(struct slice *line) {
  struct slice word;
  do word = slice_split(line, ' ');
  while (!word.n && line->p);
  return word;
}

/* "_submission._tcp.example.org": the usual port of the service, and its domain. */
static bool take_service(struct route *r, struct slice text) {
  static const struct {
    const char *service;
    uint16_t port;
    bool tls;
  } known[] = { { "_submission", 587, false },
                { "_submissions", 465, true },
                { "_smtp", 25, false },
                { "_lmtp", 24, false } };
  struct slice domain = text, service = slice_split(&domain, '.'),
               protocol = slice_split(&domain, '.');
  if (slice_at(service, 0) != '_' || !slice_caseeq(protocol, SLICE("_tcp")) || !domain.n ||
      text.n >= sizeof r->srv)
    return false;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (!slice_caseeq(service, slice_str(known[i].service))) continue;
    if (!r->port) r->port = known[i].port;
    r->implicit_tls = known[i].tls; /* RFC 8314 §3.3 */
    if (known[i].tls) r->tls = ROUTE_VERIFIED;
  }
  snprintf(r->srv, sizeof r->srv, "%.*s", SLICE_ARG(text));
  snprintf(r->host, sizeof r->host, "%.*s", SLICE_ARG(domain));
  return r->port != 0;
}

static bool take_srv(struct route *r, struct slice text) {
  ptrdiff_t colon = slice_rfind(text, ':');
  uint64_t port = 0;
  if (colon >= 0 && (!num_parse(slice_from(text, (size_t)colon + 1), 65535, &port) || !port))
    return false;
  r->port = (uint16_t)port;
  return take_service(r, colon >= 0 ? slice_first(text, (size_t)colon) : text);
}

static bool take_host(struct route *r, struct slice text, uint16_t usual) {
  if (slice_starts(text, SLICE("srv:"))) return take_srv(r, slice_from(text, 4));
  ptrdiff_t colon = slice_rfind(text, ':'), close = slice_rfind(text, ']');
  uint64_t port = usual;
  if (colon > close) {
    if (!num_parse(slice_from(text, (size_t)colon + 1), 65535, &port) || !port) return false;
    text = slice_first(text, (size_t)colon);
  }
  if (slice_at(text, 0) == '[' && slice_at(text, text.n - 1) == ']')
    text = slice_first(slice_from(text, 1), text.n - 2);
  if (!text.n || text.n >= sizeof r->host) return false;
  snprintf(r->host, sizeof r->host, "%.*s", SLICE_ARG(text));
  r->port = (uint16_t)port;
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
  *ret = (struct route){ .port = usual };
  *ret_pattern = next_word(&line);
  struct slice host = next_word(&line);
  if (!ret_pattern->n || !host.n) return false;
  ret->direct = slice_eq(host, SLICE("direct"));
  if (!ret->direct && !take_host(ret, host, usual)) return false;
  while (line.p) {
    struct slice word = next_word(&line);
    if (word.n && !take_word(ret, word)) return false;
  }
  return true;
}

/* A login for that host: over TLS with a verified name only. */
static void find_login(const struct sender *s, struct route *r) {
  struct slice rest = buf_slice(&s->credentials.file);
  struct conf_login l;
  unsigned line = 0;
  bool good;
  while (conf_login_next(&rest, &line, &l, &good)) {
    if (!good || !slice_caseeq(l.host, slice_str(r->host))) continue;
    r->user = l.user;
    r->secret = l.password;
    r->tls = ROUTE_VERIFIED;
    return;
  }
}

bool route_for(const struct sender *s, struct slice destination, struct route *ret) {
  const struct conf *c = s->process->conf;
  uint16_t usual = (uint16_t)c->remote_port;
  for (size_t i = 0; i < c->routes.count; i++) {
    struct slice pattern;
    bool fine = parse_line(slice_str(c->routes.items[i]), usual, &pattern, ret);
    if (!pattern.n || !fits(pattern, destination)) continue;
    if (!fine) return false;
    ret->line = i + 1;
    if (!ret->direct) find_login(s, ret);
    return true;
  }
  *ret = (struct route){ .direct = true, .port = usual };
  return true;
}

const char *route_tls_word(const struct route *r) {
  static const char *const words[] = { [ROUTE_OPPORTUNISTIC] = "opportunistic",
                                       [ROUTE_REQUIRED] = "required",
                                       [ROUTE_VERIFIED] = "verified",
                                       [ROUTE_NO_TLS] = "none" };
  return r->implicit_tls ? "implicit" : words[r->tls];
}

enum dns_kind route_question(const struct route *r, const char *lane, const char **ret_name) {
  *ret_name = r->direct ? lane : r->srv[0] ? r->srv : r->host;
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
  buf_printf(out, " port %u%s%s", r->port, r->lmtp ? ", by LMTP" : "",
             r->user.n ? ", with a login" : "");
  if (r->line && r->line <= c->routes.count)
    buf_printf(out, ", by \"%s\"", c->routes.items[r->line - 1]);
}

void route_ports(struct process *r) {
  const struct conf *c = r->conf;
  r->dials[r->dial_count++] = (uint16_t)c->remote_port;
  for (size_t i = 0; i < c->routes.count && r->dial_count < PROCESS_PORTS_MAX; i++) {
    struct slice pattern;
    struct route route;
    bool known = false;
    if (!parse_line(slice_str(c->routes.items[i]), (uint16_t)c->remote_port, &pattern, &route))
      continue;
    for (size_t n = 0; n < r->dial_count; n++) known |= r->dials[n] == route.port;
    if (!known) r->dials[r->dial_count++] = route.port;
  }
}

/* tools/link-check looks that no other function of the sender opens a file. */
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
