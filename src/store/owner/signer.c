/* SPDX-License-Identifier: ISC */
/* The signer is the domain of the From: field, since readers, and DMARC, look at that (RFC 7489
 * §3.1):
 *
 *   a login's mail        if each address in From: is one that the login may use
 *   relay_networks' mail  as From: says; those machines, and local programs, are trusted to send in
 *                         our name
 *   our reports           their From: has our hostname, for which its parent domain may sign
 *   forwarded mail        never: its author may have put our domain there (no ENVELOPE_OURS)
 *
 * All addresses must have the same domain, which must be ours. */
#include "src/store/owner/signer.h"

#include "mail/header.h"
#include "mail/mailboxes.h"
#include "src/store/owner/relay.h"

struct signer_run {
  struct store *store;
  uint64_t account;
  struct buf *domain;
  size_t count;
  bool refused;
};

static void look_at(void *arg, const struct address *a) {
  struct signer_run *x = arg;
  struct buf plain, domain;
  buf_init(&plain, DIR_ADDRESS_MAX);
  buf_init(&domain, DIR_ADDRESS_MAX);
  address_put_plain(&plain, a);
  if (slice_rfind(buf_slice(&plain), '@') >= 0) dir_fold_domain(&domain, buf_slice(&plain));
  if (!x->count++) buf_put(x->domain, buf_slice(&domain));
  x->refused |= !buf_len(&domain) || plain.failed ||
                !slice_eq(buf_slice(&domain), buf_slice(x->domain)) ||
                (x->account && !relay_may_use(x->store, x->account, buf_slice(&plain)));
  buf_free(&plain);
  buf_free(&domain);
}

/* Our hostname need not be a domain with mailboxes: then uses one of its parents. */
static void find_local_parent(struct store *s, struct buf *domain) {
  if (!slice_caseeq(buf_slice(domain), slice_str(s->conf->hostname))) return;
  while (buf_len(domain) && !dir_is_ours(&s->dir, buf_slice(domain))) {
    ptrdiff_t dot = slice_find(buf_slice(domain), '.');
    buf_drop(domain, dot < 0 ? buf_len(domain) : (size_t)dot + 1);
  }
}

void signer_of(struct store *s, const struct taken_letter *l, struct buf *ret) {
  struct header_field from;
  struct slice wrong, header = slice_first(l->octets, header_end(l->octets));
  struct signer_run x = { .store = s, .account = l->letter.account, .domain = ret };
  if (!s->conf->dkim || !(l->letter.flags & ENVELOPE_OURS) ||
      header_count(header, SLICE("from")) != 1)
    return;
  header_find(header, SLICE("from"), &from);
  bool good =
      mailboxes_each(from.body, look_at, &x, &wrong) && x.count && !x.refused && !ret->failed;
  if (good && !x.account) find_local_parent(s, ret);
  if (!good || !dir_is_ours(&s->dir, buf_slice(ret))) buf_truncate(ret, 0);
}
