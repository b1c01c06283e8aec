/* SPDX-License-Identifier: ISC */
/* A client's blocking connection (net.h): connecting, TLS by OpenSSL, showing the conversation.
 *
 *   connect → (TLS from the start) → net_run() ⇄ net_start_tls() → over
 *
 * Invariants: once `over`, `error` has the reason; a certificate is verified unless --insecure. */
#include "src/cli/link/net.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/sys.h"
#include "lib/dns/dns.h"
#include "src/cli/base/terminal.h"

bool net_fail(struct net *n, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  if (!n->over) vsnprintf(n->error, sizeof n->error, fmt, ap);
  va_end(ap);
  n->over = true;
  return false;
}

/* A time limit for everything from here on: a server that sends an octet now and then cannot hold
 * us. */
static void allow(struct net *n, uint64_t ms) { n->end_ms = sys_mono_ms() + ms; }

bool net_poll(struct net *n, short events, uint64_t until_ms) {
  struct pollfd p = { .fd = n->fd, .events = events };
  for (;;) {
    uint64_t now = sys_mono_ms(), left = until_ms > now ? until_ms - now : 0;
    /* also once something is available again */
    int r = left ? poll(&p, 1, left < INT_MAX ? (int)left : INT_MAX) : 0;
    if (r < 0 && errno == EINTR) continue;
    return r != 0; /* errors of the descriptor are detected where it is used */
  }
}

static bool wait_for(struct net *n, short events) {
  return net_poll(n, events, n->end_ms) || net_fail(n, "%s did not answer in time", n->url.host);
}

/* --- connecting --- */

static bool bind_to(const struct net *n) {
  struct sockaddr_in v4 = { .sin_family = AF_INET };
  struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
  if (!n->from) return true;
  bool four = n->from->n == sizeof v4.sin_addr;
  memcpy(four ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr, n->from->octets, n->from->n);
  return bind(n->fd, four ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
              four ? sizeof v4 : sizeof v6) == 0;
}

static bool try_address(struct net *n, const struct sockaddr *to, socklen_t to_n) {
  int on = 1, why = 0;
  socklen_t len = sizeof why;
  n->fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (n->fd < 0) return net_fail(n, "socket: %s", strerror(errno));
  setsockopt(n->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  bool ok = bind_to(n) && connect(n->fd, to, to_n) == 0;
  if (!ok && errno == EINPROGRESS) {
    allow(n, (uint64_t)n->connect_ms);
    if (!wait_for(n, POLLOUT))
      why = ETIMEDOUT;
    else
      getsockopt(n->fd, SOL_SOCKET, SO_ERROR, &why, &len);
    ok = why == 0;
    errno = why;
  }
  if (ok) return true;
  net_fail(n, "%s port %u: %s", n->url.host, n->url.port, strerror(errno));
  close(n->fd);
  n->fd = -1;
  return false;
}

static bool connect_at(struct net *n, const struct dns_host *at) {
  bool ok = false;
  for (uint8_t i = 0; i < at->address_count && !ok; i++) {
    const struct dns_address *a = &at->addresses[i];
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(n->url.port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(n->url.port) };
    bool four = a->n == sizeof v4.sin_addr;
    n->over = false;
    memcpy(four ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr, a->octets, a->n);
    ok = four ? try_address(n, (struct sockaddr *)&v4, sizeof v4)
              : try_address(n, (struct sockaddr *)&v6, sizeof v6);
  }
  return ok;
}

/* The loopback addresses, without DNS or /etc/hosts: a machine may have no such file. */
static bool connect_to_localhost(struct net *n) {
  static const struct dns_host self = { .addresses = { { .octets = { [15] = 1 }, .n = 16 },
                                                       { .octets = { 127, 0, 0, 1 }, .n = 4 } },
                                        .address_count = 2 };
  return connect_at(n, &self);
}

/* A path instead of a host: a Unix socket. */
static bool connect_to_path(struct net *n) {
  struct sockaddr_un to = { .sun_family = AF_UNIX };
  n->fd = strlen(n->url.host) < sizeof to.sun_path ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
                                                   : -1;
  if (n->fd < 0) return net_fail(n, "%s: no socket", n->url.host);
  memcpy(to.sun_path, n->url.host, strlen(n->url.host));
  if (connect(n->fd, (struct sockaddr *)&to, sizeof to) < 0)
    return net_fail(n, "%s: %s", n->url.host, strerror(errno));
  return fcntl(n->fd, F_SETFL, O_NONBLOCK) == 0 ||
         net_fail(n, "%s: %s", n->url.host, strerror(errno));
}

static bool connect_to(struct net *n) {
  if (n->url.host[0] == '/') return connect_to_path(n);
  if (url_is_localhost(n->url.host)) return connect_to_localhost(n);
  char port[8];
  struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *list = NULL;
  snprintf(port, sizeof port, "%u", n->url.port);
  int code = getaddrinfo(n->url.host, port, &hints, &list);
  if (code) return net_fail(n, "%s: %s", n->url.host, gai_strerror(code));
  bool ok = false;
  for (struct addrinfo *a = list; a && !ok; a = a->ai_next) {
    n->over = false;
    ok = try_address(n, a->ai_addr, a->ai_addrlen);
  }
  freeaddrinfo(list);
  return ok;
}

static bool read_file(struct net *n, const char *path, struct buf *to) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got = -1;
  while (fd >= 0) {
    uint8_t *at = buf_reserve(to, 4096);
    got = at ? read(fd, at, 4096) : -1;
    if (got <= 0) break;
    buf_added(to, (size_t)got);
  }
  int why = to->failed ? EFBIG : errno;
  if (fd >= 0) close(fd);
  return got == 0 || net_fail(n, "%s: %s", path, strerror(why));
}

static bool make_client(struct net *n, const struct cli *c, const char *alpn) {
  const char *ca = cli_given(c, "ca");
  struct buf err;
  buf_init(&err, 1024);
  if (ca && !read_file(n, ca, &n->authorities)) return false;
  struct tls_client_options o = { .trust = ca ? TLS_TRUST_GIVEN : TLS_TRUST_SYSTEM,
                                  .authorities = buf_slice(&n->authorities),
                                  .least = TLS_LEAST_1_2,
                                  .alpn = alpn };
  n->insecure = cli_given(c, "insecure") != NULL;
  if (n->insecure) o.trust = TLS_TRUST_ANYONE;
  n->client = tls_client_new(&o, &err);
  if (!n->client) net_fail(n, "TLS cannot be used: %.*s", SLICE_ARG(buf_slice(&err)));
  buf_free(&err);
  return n->client != NULL;
}

/* The certificate's file may contain the key. */
static bool show_certificate(struct net *n, const struct cli *c) {
  const char *certificate = cli_given(c, "client-cert"), *key_file = cli_given(c, "client-key");
  struct buf chain, key, err;
  if (!certificate) return !key_file || net_fail(n, "--client-key needs a --client-cert");
  buf_init(&chain, KEY_FILE_MAX), buf_init(&key, KEY_FILE_MAX), buf_init(&err, 1024);
  /* allocated at full size: growing leaves copies behind */
  buf_reserve(&chain, KEY_FILE_MAX), buf_reserve(&key, KEY_FILE_MAX);
  bool ok =
      read_file(n, certificate, &chain) && read_file(n, key_file ? key_file : certificate, &key);
  if (ok && !(ok = tls_client_show(n->client, buf_slice(&chain), buf_slice(&key), &err)))
    net_fail(n, "%s: %.*s", certificate, SLICE_ARG(buf_slice(&err)));
  buf_wipe(&chain), buf_wipe(&key), buf_free(&err);
  return ok;
}

int net_open(struct net *n, const struct cli *c, const struct url *url, const char *alpn) {
  return net_open_at(n, c, url, alpn, NULL);
}

int net_try_at(struct net *n, const struct cli *c, const struct url *url, const char *alpn,
               const struct dns_host *at, int connect_ms, const struct dns_address *from) {
  *n = (struct net){ .fd = -1, .url = *url, .verbose = cli_given(c, "verbose") != NULL };
  n->secure_ms = NET_SECURE_MS;
  n->connect_ms = connect_ms;
  n->from = from;
  n->strict = cli_given(c, "starttls") != NULL;
  n->plain = cli_given(c, "no-starttls") != NULL || cli_given(c, "no-tls") != NULL;
  buf_init(&n->in, NET_IN_MAX);
  buf_init(&n->authorities, 4 * 1024 * 1024);
  if (n->strict && n->plain) {
    net_fail(n, "--starttls and --no-starttls are opposites");
    return CLI_EXIT_USAGE;
  }
  if (!make_client(n, c, alpn) || !show_certificate(n, c)) return CLI_EXIT_NO_INPUT;
  if (!(at ? connect_at(n, at) : connect_to(n))) return CLI_EXIT_UNAVAILABLE;
  if (url->tls && !net_start_tls(n)) return CLI_EXIT_REFUSED;
  return CLI_EXIT_OK;
}

int net_open_at(struct net *n, const struct cli *c, const struct url *url, const char *alpn,
                const struct dns_host *at) {
  int code = net_try_at(n, c, url, alpn, at, NET_CONNECT_MS, NULL);
  return code == CLI_EXIT_OK ? code : cli_fail(code, "%s", n->error);
}

void net_close(struct net *n) {
  if (n->tls) tls_shutdown(n->tls); /* RFC 8446 §6.1: also in answer to the server's */
  tls_conn_free(&n->tls);
  tls_client_free(&n->client);
  if (n->fd >= 0) close(n->fd);
  buf_wipe(&n->in);
  buf_free(&n->authorities);
}

/* --- TLS --- */

/* Waits for what the last call wanted. False: the connection is over. */
static bool wait_tls(struct net *n, enum tls_result r) {
  if (r == TLS_WANT_READ) return wait_for(n, POLLIN);
  if (r == TLS_WANT_WRITE) return wait_for(n, POLLOUT);
  return net_fail(n, "%s: TLS: %s", n->url.host, tls_reason(n->tls));
}

bool net_start_tls(struct net *n) {
  n->tls = tls_connect(n->client, n->fd, n->url.host);
  if (!n->tls) return net_fail(n, "TLS: no memory");
  enum tls_result r;
  allow(n, (uint64_t)n->secure_ms);
  while ((r = tls_handshake(n->tls)) != TLS_DONE)
    if (!wait_tls(n, r)) return false;
  if (n->verbose)
    fprintf(stderr, "%s   (%s, %s)%s\n", terminal_tint(stderr, TINT_DIM), tls_version_name(n->tls),
            tls_cipher_name(n->tls), terminal_tint(stderr, TINT_NONE));
  return true;
}

/* --- what is shown --- */

static void net_show(const struct net *n, const char *who, struct slice line) {
  if (!n->verbose) return;
  struct buf out;
  buf_init(&out, 64 * 1024);
  buf_printf(&out, "%s%s: ", terminal_tint(stderr, who[0] == 'C' ? TINT_CYAN : TINT_GREEN), who);
  text_put_safe(&out, slice_first(line, 8192));
  buf_printf(&out, "%s\n", terminal_tint(stderr, TINT_NONE));
  fwrite(buf_slice(&out).p, 1, buf_len(&out), stderr);
  buf_free(&out);
}

void net_show_text(const struct net *n, const char *who, struct slice text) {
  enum { LINES_SHOWN = 40 };
  for (int i = 0; n->verbose && text.n; i++) {
    struct slice line = slice_split(&text, '\n');
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    struct buf stuffed;
    buf_init(&stuffed, 8192);
    if (slice_at(line, 0) == '.') buf_put_u8(&stuffed, '.');
    buf_put(&stuffed, slice_first(line, 4096));
    net_show(n, who, i < LINES_SHOWN ? buf_slice(&stuffed) : SLICE("(and so on)"));
    buf_free(&stuffed);
    if (i == LINES_SHOWN) return;
  }
}

static void show_line(void *arg, char direction, struct slice line) {
  char who[2] = { direction, 0 };
  net_show(arg, who, line);
}

static void get_bindings(void *arg, struct proto_bindings *ret) {
  const struct net *n = arg;
  if (n->tls && tls_binds(n->tls)) ret->exporter_n = tls_binding_exporter(n->tls, ret->exporter);
}

void net_equip(struct net *n, struct proto_trace *ret_trace, struct proto_channel *ret_channel) {
  if (n->verbose) *ret_trace = (struct proto_trace){ show_line, n };
  *ret_channel = (struct proto_channel){ .bindings = get_bindings, .arg = n };
}
