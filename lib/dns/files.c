/* SPDX-License-Identifier: ISC */
/* Readers for resolv.conf(5) and hosts(5). Both files have lines of words; "#" (and ";" in
 * resolv.conf) begins a comment. Malformed lines are skipped; sizes and counts are bounded. */
#include "lib/base/array.h"
#include "lib/dns/files.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_MAX = 256 * 1024, NAMES_MAX = 4000 };

struct hosts_entry {
  struct slice name; /* in `text` */
  struct dns_address address;
};

struct dns_hosts {
  struct buf text;
  struct hosts_entry *entries;
  size_t count, cap;
};

/* By itself, so that tools/link-check finds no other function that opens files. */
__attribute__((noinline)) int dns_file_open(const char *path) {
  return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static void read_file(const char *path, struct buf *to) {
  int fd = dns_file_open(path);
  ssize_t n = fd < 0 ? 0 : 1;
  while (n > 0 && buf_room(to)) {
    size_t most = buf_room(to) < 4096 ? buf_room(to) : 4096;
    uint8_t *at = buf_reserve(to, most);
    n = at ? read(fd, at, most) : 0;
    if (n > 0) buf_added(to, (size_t)n);
  }
  if (fd >= 0) close(fd);
}

/* The next word of a line, empty at its end. */
static struct slice next_word(struct slice *line) {
  size_t from = 0, to;
  while (slice_at(*line, from) == ' ' || slice_at(*line, from) == '\t' ||
         slice_at(*line, from) == '\r')
    from++;
  for (to = from; to < line->n && line->p[to] > ' '; to++) continue;
  struct slice word = slice_first(slice_from(*line, from), to - from);
  *line = slice_from(*line, to);
  return word;
}

static bool parse_address(struct slice text, struct dns_address *ret) {
  char s[DNS_ADDRESS_TEXT];
  if (text.n >= sizeof s) return false;
  memcpy(s, text.p, text.n);
  s[text.n] = 0;
  bool six = slice_find(text, ':') >= 0;
  ret->n = six ? 16 : 4;
  return inet_pton(six ? AF_INET6 : AF_INET, s, ret->octets) == 1;
}

/* --- hosts(5) --- */

static bool add_entry(struct dns_hosts *h, struct slice name, const struct dns_address *a) {
  if (!array_reserve(&h->entries, &h->cap, h->count + 1, sizeof *h->entries)) return false;
  h->entries[h->count++] = (struct hosts_entry){ name, *a };
  return true;
}

static bool add_line(struct dns_hosts *h, struct slice line) {
  struct dns_address a;
  line = slice_split(&line, '#');
  if (!parse_address(next_word(&line), &a)) return true; /* empty, or of another kind */
  for (struct slice name; (name = next_word(&line)).n && h->count < NAMES_MAX;)
    if (!add_entry(h, name, &a)) return false;
  return true;
}

struct dns_hosts *dns_hosts_read(const char *path) {
  struct dns_hosts *h = calloc(1, sizeof *h);
  if (!h) return NULL;
  buf_init(&h->text, FILE_MAX);
  read_file(path, &h->text);
  struct slice rest = buf_slice(&h->text);
  while (rest.n) {
    if (add_line(h, slice_split(&rest, '\n'))) continue;
    dns_hosts_free(&h);
    break;
  }
  return h;
}

void dns_hosts_free(struct dns_hosts **h) {
  if (!*h) return;
  buf_free(&(*h)->text);
  free((*h)->entries);
  free(*h);
  *h = NULL;
}

void dns_hosts_find(const struct dns_hosts *h, const char *name, uint8_t family_octets,
                    struct dns_found *ret) {
  ret->count = 0;
  for (size_t i = 0; i < h->count && ret->count < DNS_ADDRESSES_MAX; i++) {
    const struct hosts_entry *e = &h->entries[i];
    if (e->address.n == family_octets && slice_caseeq(e->name, slice_str(name)))
      ret->addresses[ret->count++] = e->address;
  }
}

/* --- resolv.conf(5) --- */

static void put_resolv_conf(const char *path, struct buf *ret) {
  struct buf text;
  buf_init(&text, FILE_MAX);
  read_file(path, &text);
  struct slice rest = buf_slice(&text), ip;
  uint16_t port;
  for (unsigned found = 0; rest.n && found < DNS_SERVERS_MAX;) {
    struct slice line = slice_split(&rest, '\n');
    if (!slice_eq(next_word(&line), SLICE("nameserver")) ||
        !dns_server_parse(next_word(&line), &ip, &port))
      continue;
    buf_printf(ret, "%.*s@%u\n", SLICE_ARG(ip), port);
    found++;
  }
  /* "if no nameserver entries are present …" */
  if (!buf_len(ret)) buf_put_str(ret, "127.0.0.1@53\n");
  buf_free(&text);
}

bool dns_servers(const struct dns_settings *settings, struct buf *ret, struct buf *err) {
  struct slice ip;
  uint16_t port;
  for (size_t i = 0; i < settings->server_count && i < DNS_SERVERS_MAX; i++) {
    if (!dns_server_parse(slice_str(settings->servers[i]), &ip, &port)) {
      buf_printf(err, "the name server %s: IP or IP@PORT is meant", settings->servers[i]);
      return false;
    }
    buf_printf(ret, "%.*s@%u\n", SLICE_ARG(ip), port);
  }
  if (settings->server_count == 0)
    put_resolv_conf(settings->resolv_conf ? settings->resolv_conf : "/etc/resolv.conf", ret);
  if (ret->failed) buf_put_str(err, "no memory");
  return !ret->failed;
}
