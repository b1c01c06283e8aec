/* SPDX-License-Identifier: ISC */
/* Whether a remote recipient may be accepted, and which reverse-paths and authors a login may use
 * (relay.h). Stateless: each answer follows from the session's grant, the directory and the
 * options. Invariant: nothing is relayed unless the session has logged in, its client is trusted,
 * or it is a bounce to a reverse-path that was rewritten here, so this server is not an open
 * relay. */
#include "lib/base/array.h"
#include "src/store/owner/relay.h"

#include <stdlib.h>

#include "mail/address.h"

static bool may_leave(const struct store *s, const struct relay_asked *asked) {
  return s->conf->send && ((asked->session && asked->session->account) || asked->trusted);
}

/* RFC 6409 §4.2: "The MSA MUST ensure that all domains in the SMTP envelope are fully qualified."
 * No mail server on the Internet can be found by a name without a dot. */
static bool is_complete(const struct store *s, struct slice address) {
  struct slice domain = slice_from(address, (size_t)(slice_rfind(address, '@') + 1));
  return s->conf->dotless_domains || slice_at(domain, 0) == '[' || slice_find(domain, '.') >= 0;
}

static enum rcpt_verdict verdict_of(const struct store *s, enum dir_result r, bool leaves) {
  switch (r) {
  case DIR_FOUND: return s->found.elsewhere_count && !s->conf->send ? RCPT_TROUBLE : RCPT_OURS;
  case DIR_ELSEWHERE: return leaves ? RCPT_LEAVES : RCPT_ELSEWHERE;
  case DIR_UNKNOWN: return RCPT_UNKNOWN;
  case DIR_TROUBLE: break;
  }
  return RCPT_TROUBLE;
}

enum rcpt_verdict relay_find(struct store *s, const struct relay_asked *asked, struct slice address,
                             struct slice *ret_to, struct buf *memory) {
  *ret_to = address;
  enum dir_result r = dir_resolve(&s->dir, address, s->conf->recipient_delimiter, &s->found);
  if (r != DIR_UNKNOWN || asked->return_path.n) {
    enum rcpt_verdict v = verdict_of(s, r, may_leave(s, asked));
    return v == RCPT_LEAVES && !is_complete(s, address) ? RCPT_INCOMPLETE : v;
  }
  buf_reset(memory);
  if (!srs_back(memory, slice_of(s->outbound.secret, SRS_SECRET), address, asked->now_s))
    return RCPT_UNKNOWN;
  *ret_to = buf_slice(memory);
  r = dir_resolve(&s->dir, *ret_to, s->conf->recipient_delimiter, &s->found);
  return verdict_of(s, r, s->conf->send);
}

static bool leads_to(struct store *s, struct slice path, uint64_t account) {
  dir_begin(&s->found);
  if (dir_resolve(&s->dir, path, s->conf->recipient_delimiter, &s->found) != DIR_FOUND)
    return false;
  for (size_t i = 0; i < s->found.count; i++)
    if (s->found.accounts[i] == account) return true;
  return false;
}

static bool is_its_own(struct store *s, struct slice path, uint64_t account) {
  if (dir_is_granted(&s->dir, account, path, s->conf->recipient_delimiter)) return true;
  return path.n && leads_to(s, path, account);
}

bool relay_may_use(struct store *s, uint64_t account, struct slice address) {
  return account &&
         (s->conf->sender_check == CONF_SENDER_CHECK_OFF || is_its_own(s, address, account));
}

bool relay_login_known(const struct session *session, bool login) {
  return !login || (session && session->account);
}

bool relay_sender_ok(struct store *s, const struct session *session, struct slice return_path) {
  return !session || !session->account || relay_may_use(s, session->account, return_path);
}

bool relay_authors_ok(struct store *s, const struct session *session, struct slice authors) {
  struct slice author;
  if (s->conf->sender_check != CONF_SENDER_CHECK_REJECT || !session || !session->account)
    return true;
  bool any = false, own = true;
  while (own && ipc_list_next(&authors, &author)) {
    any = true;
    own = author.n && is_its_own(s, author, session->account);
  }
  return any && own;
}

void relay_put_yours(struct store *s, const struct session *session, struct buf *out) {
  if (session && session->account) dir_put_names(&s->dir, session->account, out);
}

static bool make_room(struct deliver_job *d) {
  size_t wanted = d->elsewhere_count + 1;
  return array_reserve(&d->elsewhere, &d->elsewhere_cap, wanted, sizeof *d->elsewhere);
}

static bool keep(struct deliver_job *d, struct slice s, struct slice *to) {
  *to = s.n ? arena_copy(&d->kept, s) : SLICE_NONE;
  return !s.n || to->p;
}

bool relay_add(struct deliver_job *d, struct slice plain, uint8_t notify, struct slice orcpt,
               struct slice forwarder) {
  struct buf wire, domain;
  if (slice_rfind(plain, '@') < 0 || !make_room(d)) return false;
  buf_init(&wire, 2 * ENVELOPE_PATH_MAX);
  buf_init(&domain, ENVELOPE_PATH_MAX);
  address_put_quoted(&wire, plain);
  dir_fold_domain(&domain, plain);
  struct queue_rcpt r = { .notify = notify };
  bool fine = !wire.failed && !domain.failed && keep(d, buf_slice(&wire), &r.address) &&
              keep(d, buf_slice(&domain), &r.destination) && keep(d, orcpt, &r.orcpt) &&
              keep(d, forwarder, &r.forwarder);
  buf_free(&wire);
  buf_free(&domain);
  if (fine) d->elsewhere[d->elsewhere_count++] = r;
  return fine;
}
