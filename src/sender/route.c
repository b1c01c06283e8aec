/* The option `routes`: where mail for a destination goes, when not by its own MX records.
 *
 *   "DESTINATION HOST[:PORT] [tls=opportunistic|required|verified|none|implicit] [lmtp]"
 *
 * DESTINATION is a domain, ".domain" for all below it, or "*". The first line that fits counts. HOST in brackets is an
 * address or a name whose MX records are not looked at; "direct" stands for the destination's own. */
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
  return destination.n > pattern.n && slice_caseeq(slice_from(destination, destination.n - pattern.n), pattern);
}

static struct slice next_word(struct slice *line) {
  struct slice word;
  do word = slice_split(line, ' ');
  while (!word.n && line->p);
  return word;
}

static bool take_host(struct route *r, struct slice text, uint16_t usual) {
  ptrdiff_t colon = slice_rfind(text, ':'), close = slice_rfind(text, ']');
  uint64_t port = usual;
  if (colon > close) {
    if (!num_parse(slice_from(text, (size_t)colon + 1), 65535, &port) || !port) return false;
    text = slice_first(text, (size_t)colon);
  }
  if (slice_at(text, 0) == '[' && slice_at(text, text.n - 1) == ']') text = slice_first(slice_from(text, 1), text.n - 2);
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
  } words[] = { { "tls=opportunistic", ROUTE_OPPORTUNISTIC, false, false }, { "tls=required", ROUTE_REQUIRED, false, false },
                { "tls=verified", ROUTE_VERIFIED, false, false },           { "tls=none", ROUTE_NO_TLS, false, false },
                { "tls=implicit", ROUTE_VERIFIED, true, false },            { "lmtp", ROUTE_NO_TLS, false, true } };
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

static bool parse_line(struct slice line, uint16_t usual, struct slice *ret_pattern, struct route *ret) {
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
  while (rest.p) {
    struct slice line = slice_split(&rest, '\n');
    struct slice host = next_word(&line), user = next_word(&line);
    if (!user.n || !line.n || !slice_caseeq(host, slice_str(r->host))) continue;
    r->user = user;
    r->secret = line;
    r->tls = ROUTE_VERIFIED;
    return;
  }
}

bool route_for(const struct sender *s, struct slice destination, struct route *ret) {
  const struct conf *c = s->room->conf;
  uint16_t usual = (uint16_t)c->remote_port;
  for (size_t i = 0; i < c->routes.count; i++) {
    struct slice pattern;
    bool fine = parse_line(slice_str(c->routes.items[i]), usual, &pattern, ret);
    if (!pattern.n || !fits(pattern, destination)) continue;
    if (!fine) return false;
    ret->line = c->routes.items[i];
    if (!ret->direct) find_login(s, ret);
    return true;
  }
  *ret = (struct route){ .direct = true, .port = usual };
  return true;
}

const char *route_tls_word(const struct route *r) {
  static const char *const words[] = { [ROUTE_OPPORTUNISTIC] = "opportunistic", [ROUTE_REQUIRED] = "required",
                                       [ROUTE_VERIFIED] = "verified",           [ROUTE_NO_TLS] = "none" };
  return r->implicit_tls ? "implicit" : words[r->tls];
}

void route_put(const struct route *r, struct buf *out) {
  if (r->direct) buf_put_str(out, "by its MX records");
  else buf_put_str(out, r->host);
  buf_printf(out, " port %u%s%s", r->port, r->lmtp ? ", by LMTP" : "", r->user.n ? ", with a login" : "");
  if (r->line) buf_printf(out, ", by \"%s\"", r->line);
}

void route_ports(struct room *r) {
  const struct conf *c = r->conf;
  r->dials[r->dial_count++] = (uint16_t)c->remote_port;
  for (size_t i = 0; i < c->routes.count && r->dial_count < ROOM_PORTS_MAX; i++) {
    struct slice pattern;
    struct route route;
    bool known = false;
    if (!parse_line(slice_str(c->routes.items[i]), (uint16_t)c->remote_port, &pattern, &route)) continue;
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
