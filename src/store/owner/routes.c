/* SPDX-License-Identifier: ISC */
/* The account and the sender's domain that select routes for mail (routes.h). Invariant: an account
 * or a domain is set only if auth or the directory vouches for it; nothing here trusts an envelope
 * from outside. */
#include "src/store/owner/routes.h"

void routes_whose(struct store *s, const struct queue_letter *l, struct slice forwarder,
                  struct routes_whose *ret) {
  buf_init(&ret->account, ENVELOPE_PATH_MAX);
  buf_init(&ret->sender, SEND_DESTINATION_MAX);
  struct slice path = queue_known_path(l, forwarder);
  if (!path.n) return;
  if (!forwarder.n && l->account) dir_put_name(&s->dir, l->account, &ret->account);
  if (slice_rfind(path, '@') >= 0) dir_fold_domain(&ret->sender, path);
}

void routes_whose_free(struct routes_whose *w) {
  buf_free(&w->account);
  buf_free(&w->sender);
}

/* A domain contains no space. */
struct slice routes_domain(struct slice destination) {
  ptrdiff_t space = slice_find(destination, ' ');
  return space < 0 ? destination : slice_first(destination, (size_t)space);
}

void routes_put_destination(const struct store *s, struct slice domain,
                            const struct routes_whose *w, struct buf *out) {
  struct slice selector = conf_route_sender(
      &s->conf->routes,
      &(struct conf_route_asked){ domain, buf_slice(&w->account), buf_slice(&w->sender) });
  buf_put(out, domain);
  if (!selector.n) return;
  buf_put_u8(out, ' ');
  buf_put_lower(out, selector);
}

static bool set_one(struct store *s, struct deliver_job *d, struct queue_rcpt *r) {
  struct routes_whose w;
  struct buf destination;
  buf_init(&destination, QUEUE_DESTINATION_MAX);
  routes_whose(s, &d->letter, r->forwarder, &w);
  routes_put_destination(s, routes_domain(r->destination), &w, &destination);
  bool fine = !destination.failed;
  if (fine && buf_len(&destination) != r->destination.n) {
    r->destination = arena_copy(&d->kept, buf_slice(&destination));
    fine = r->destination.p != NULL;
  }
  routes_whose_free(&w);
  buf_free(&destination);
  return fine;
}

bool routes_set_destinations(struct store *s, struct deliver_job *d) {
  bool fine = true;
  if (!s->conf->routes.count) return true;
  for (size_t i = 0; fine && i < d->elsewhere_count; i++) fine = set_one(s, d, &d->elsewhere[i]);
  return fine;
}
