/* SPDX-License-Identifier: ISC */
/* The option routes and the file of route_passwords: lines of routes, an empty line, lines of
 * logins. A destination has a route, or its line is wrong; a route that is found can be dialled; a
 * login goes with a verified certificate only. */
#include <stdlib.h>

#include "src/sender/sender.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROUTES = 8 };

static void look(const struct route *r) {
  if (r->direct) return;
  if (!r->host[0] || !r->port) abort();
  if (r->user.n && (r->tls != ROUTE_VERIFIED || !r->secret.n)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const destinations[] = { "example.org", "a.example.org", "", "[192.0.2.1]" };
  struct slice rest = slice_of(data, size);
  struct conf *c = conf_defaults();
  struct process process = { .conf = c };
  struct sender *s = sender_new();
  char *lines[ROUTES];
  size_t count = 0;
  struct buf err;
  buf_init(&err, 64 * 1024);
  while (c && s && count < ROUTES && rest.p) {
    struct slice line = slice_split(&rest, '\n');
    if (!line.n) break;
    if (slice_find(line, 0) >= 0 || !(lines[count] = malloc(line.n + 1))) continue;
    memcpy(lines[count], line.p, line.n);
    lines[count++][line.n] = 0;
  }
  if (c && s) {
    struct conf_list before = c->routes;
    c->routes = (struct conf_list){ (const char **)lines, count };
    s->process = &process;
    buf_put(&s->credentials.file, slice_first(rest, 60000));
    for (size_t i = 0; i < sizeof destinations / sizeof *destinations; i++) {
      struct route r;
      char name[SEND_DESTINATION_MAX + 1];
      const struct conf_route_asked asked = { slice_str(destinations[i]), SLICE("a@example.org"),
                                              SLICE("example.net") };
      if (!route_for(s, &asked, &r)) continue;
      look(&r);
      nexthop_put_name(&r, slice_str(destinations[i]), name);
      route_put(&r, c, &err);
      buf_reset(&err);
    }
    route_ports(&process);
    if (process.dial_count > PROCESS_PORTS_MAX) abort();
    bool good = conf_check_logins(c, rest, &err);
    if (good != !buf_len(&err) && !err.failed) abort();
    c->routes = before;
  }
  for (size_t i = 0; i < count; i++) free(lines[i]);
  buf_free(&err);
  sender_free(&s);
  conf_free(&c);
  return 0;
}
