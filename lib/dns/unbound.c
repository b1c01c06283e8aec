/* SPDX-License-Identifier: ISC */
/* libunbound's context. One context, one thread: on an external loop, libunbound starts neither
 * threads nor processes. The caches are small: a mail server asks little, and its name server
 * caches too. */
#include "lib/dns/unbound.h"

#include "lib/dns/events.h"
#include "lib/dns/files.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include <unbound.h>
#include <unbound-event.h>

struct unbound {
  struct ub_event_base *events;
  struct ub_ctx *ctx;
};

enum { CLASS_IN = 1, SEC_BOGUS = 1, SEC_SECURE = 2 };

static const struct {
  const char *option, *value;
} options[] = {
  { "use-syslog:", "no" },
  { "do-not-query-localhost:", "no" }, /* a name server on this machine is the best choice */
  /* memory */
  { "msg-cache-size:", "128k" },
  { "msg-cache-slabs:", "1" },
  { "rrset-cache-size:", "256k" },
  { "rrset-cache-slabs:", "1" },
  { "key-cache-size:", "128k" },
  { "key-cache-slabs:", "1" },
  { "neg-cache-size:", "32k" },
  { "infra-cache-numhosts:", "32" },
  { "infra-cache-slabs:", "1" },
  /* sockets, one for each packet that may still be answered; more must wait */
  { "outgoing-range:", "512" },
  { "outgoing-num-tcp:", "4" },
  { "incoming-num-tcp:", "0" },
  { "num-queries-per-thread:", "1024" },
  /* Never mark a server as dead: a silent one may be the only one, and may be silent about a single
   * domain whose own servers are dead. (By default that happens after two minutes of silence, and
   * is reset after five seconds.) */
  { "infra-host-ttl:", "5" },
  { "infra-keep-probing:", "yes" },
  { "cache-max-negative-ttl:", "300" },
  { "minimal-responses:", "yes" },
  { "target-fetch-policy:", "0 0 0 0 0" },
};

/* libunbound would itself answer that nothing exists below .test; a private name server may know
 * better. */
static const char *const not_special[] = { "test.", "home.arpa." };

static bool failed(struct buf *err, const char *what, int code) {
  if (code) buf_printf(err, "%s: %s", what, ub_strerror(code));
  return code != 0;
}

/* libunbound would report only that it cannot start. */
static bool can_read(const char *anchor, struct buf *err) {
  int fd = dns_file_open(anchor);
  if (fd < 0)
    buf_printf(err, "the trust anchor %s: %s", anchor, strerror(errno));
  else
    close(fd);
  return fd >= 0;
}

static bool configure(struct ub_ctx *ctx, const char *const *servers, size_t count,
                      const char *anchor, struct buf *err) {
  ub_ctx_debugout(ctx, NULL);
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (failed(err, options[i].option, ub_ctx_set_option(ctx, options[i].option, options[i].value)))
      return false;
  if (failed(err, "module-config:",
             ub_ctx_set_option(ctx, "module-config:", anchor ? "validator iterator" : "iterator")))
    return false;
  for (size_t i = 0; i < count; i++)
    if (failed(err, servers[i], ub_ctx_set_fwd(ctx, servers[i]))) return false;
  return !anchor ||
         (can_read(anchor, err) && !failed(err, anchor, ub_ctx_add_ta_file(ctx, anchor)));
}

/* libunbound gives no reason; a file without a key is the usual one. */
static bool does_not_start(const char *anchor, struct buf *err) {
  if (anchor)
    buf_printf(err, "libunbound can't use the trust anchor in %s", anchor);
  else
    buf_put_str(err, "libunbound does not start");
  return false;
}

/* Makes libunbound read its files; it accepts no options after that. */
static bool close_options(struct ub_ctx *ctx, const char *anchor, struct buf *err) {
  for (size_t i = 0; i < sizeof not_special / sizeof *not_special; i++)
    if (ub_ctx_zone_remove(ctx, not_special[i]) != 0) return does_not_start(anchor, err);
  return true;
}

static void on_reply(void *arg, int rcode, void *packet, int packet_len, int sec, char *why_bogus,
                     int limited) {
  struct unbound_query *q = arg;
  struct unbound_reply reply = { .secure = sec == SEC_SECURE,
                                 .bogus = sec == SEC_BOGUS,
                                 .why = slice_str(why_bogus) };
  if (!rcode && packet && packet_len > 0) reply.packet = slice_of(packet, (size_t)packet_len);
  if (!reply.packet.n && !reply.why.n)
    reply.why = limited ? SLICE("too many questions")
                        : SLICE("the name servers did not answer, or could not");
  q->reply(q, &reply);
}

bool unbound_ask(struct unbound *u, const char *name, enum dns_type type, struct unbound_query *q) {
  char absolute[DNS_NAME_MAX + 2];
  snprintf(absolute, sizeof absolute, "%s.", name);
  return ub_resolve_event(u->ctx, absolute, (int)type, CLASS_IN, q, on_reply, NULL) == 0;
}

/* The first question makes libunbound open what else it needs; it answers this one itself, at
 * once. */
struct first_query {
  struct unbound_query super;
  bool answered;
};

static void first_reply(struct unbound_query *q, const struct unbound_reply *reply) {
  ((struct first_query *)q)->answered = reply->packet.n > 0;
}

static bool warm_up(struct unbound *u, const char *anchor, struct buf *err) {
  struct first_query first = { { first_reply }, false };
  return (unbound_ask(u, "localhost", DNS_TYPE_A, &first.super) && first.answered) ||
         does_not_start(anchor, err);
}

struct unbound *unbound_new(struct loop *l, const char *const *servers, size_t count,
                            const char *anchor, struct buf *err) {
  struct unbound *u = calloc(1, sizeof *u);
  if (u) u->events = dns_events_new(l);
  if (u && u->events) u->ctx = ub_ctx_create_ub_event(u->events);
  if (u && u->ctx && configure(u->ctx, servers, count, anchor, err) &&
      close_options(u->ctx, anchor, err) && warm_up(u, anchor, err))
    return u;
  if (!buf_len(err)) buf_put_str(err, "no memory for libunbound");
  unbound_free(&u);
  return NULL;
}

void unbound_free(struct unbound **u) {
  if (!*u) return;
  if ((*u)->ctx) ub_ctx_delete((*u)->ctx);
  if ((*u)->events) dns_events_free(&(*u)->events);
  free(*u);
  *u = NULL;
}
