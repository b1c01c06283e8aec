/* SPDX-License-Identifier: ISC */
/* Addresses whose TLS failed, and why: mail goes there in the clear for SEND_NO_TLS_S. store keeps
 * them, so that they outlive the process: each is reported to store, a new store gets all of them,
 * and a new sender gets them from store. Invariant: an address and port occurs once. */
#include <stdio.h>
#include <string.h>

#include "src/sender/sender.h"

static bool same_address(const struct dial_address *a, const struct dial_address *b) {
  return a->n == b->n && a->port == b->port && memcmp(a->octets, b->octets, a->n) == 0;
}

const struct no_tls *sender_no_tls(const struct sender *s, const struct dial_address *at) {
  uint64_t now = loop_now(s->process->loop);
  for (size_t i = 0; i < s->no_tls_count; i++)
    if (same_address(&s->no_tls[i].at, at))
      return now < s->no_tls[i].until_ms ? &s->no_tls[i] : NULL;
  return NULL;
}

static struct no_tls *first_to_end(struct sender *s) {
  struct no_tls *first = &s->no_tls[0];
  for (size_t i = 1; i < s->no_tls_count; i++)
    if (s->no_tls[i].until_ms < first->until_ms) first = &s->no_tls[i];
  return first;
}

/* If the table is full, the entry that expires first is replaced. */
static struct no_tls *keep(struct sender *s, const struct dial_address *at, uint64_t seconds,
                           struct slice nexthop, struct slice why) {
  struct no_tls *place = NULL;
  for (size_t i = 0; i < s->no_tls_count && !place; i++)
    if (same_address(&s->no_tls[i].at, at)) place = &s->no_tls[i];
  if (!place && s->no_tls_count < SEND_NO_TLS_MAX) place = &s->no_tls[s->no_tls_count++];
  if (!place) place = first_to_end(s);
  *place = (struct no_tls){ .at = *at, .until_ms = loop_now(s->process->loop) + seconds * 1000 };
  snprintf(place->nexthop, sizeof place->nexthop, "%.*s", SLICE_ARG(nexthop));
  snprintf(place->why, sizeof place->why, "%.*s", SLICE_ARG(why));
  return place;
}

static void report_to_store(struct sender *s, const struct no_tls *t) {
  uint64_t now = loop_now(s->process->loop);
  struct buf b;
  if (!s->store || t->until_ms <= now) return;
  buf_init(&b, 1024);
  send_no_tls_put(&b, &(struct send_no_tls){ slice_of(t->at.octets, t->at.n), t->at.port,
                                             slice_str(t->nexthop), slice_str(t->why),
                                             (uint32_t)((t->until_ms - now) / 1000) });
  if (!b.failed)
    process_send(s->process, ROLE_STORE, s->store, send_no_tls_type, 0, buf_slice(&b), -1);
  buf_free(&b);
}

void sender_remember_no_tls(struct sender *s, const struct nexthop *l,
                            const struct dial_address *at, const char *why) {
  struct buf b;
  report_to_store(s, keep(s, at, SEND_NO_TLS_S, slice_str(l->name),
                          slice_first(slice_str(why), SEND_NO_TLS_WHY_MAX)));
  buf_init(&b, 64);
  dial_address_put(at, &b);
  log_print(&s->process->log, LOG_E_NO_TLS,
            "TLS with %.*s port %u failed; for three days mail goes there in the clear",
            SLICE_ARG(buf_slice(&b)), at->port);
  buf_free(&b);
}

void sender_send_no_tls(struct sender *s) {
  for (size_t i = 0; i < s->no_tls_count; i++) report_to_store(s, &s->no_tls[i]);
}

bool sender_known_no_tls(struct sender *s, const struct ipc_msg *msg) {
  struct send_known_no_tls m;
  if (!send_known_no_tls_get(msg->payload, &m) || (m.address.n != 4 && m.address.n != 16))
    return false;
  struct dial_address at = { .n = (uint8_t)m.address.n, .port = m.port };
  memcpy(at.octets, m.address.p, m.address.n);
  if (!sender_no_tls(s, &at)) keep(s, &at, m.seconds, m.destination, m.why);
  return true;
}
