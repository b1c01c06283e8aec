/* SPDX-License-Identifier: ISC */
/* Notices to the postmaster (postmaster.h), as ordinary deliveries. Invariant: for a route whose
 * login is refused one notice is sent in NOTICE_EVERY_S, for up to NOTIFIED_ROUTES routes; a
 * restarted store starts counting again. */
#include "src/store/owner/postmaster.h"

#include <stdlib.h>

#include "lib/base/codec.h"
#include "mail/notice.h"
#include "src/store/owner/owner.h"

/* --- a notice --- */

static void deliver_notice(struct store *s, struct deliver_job *n) {
  struct dir_account a;
  dir_begin(&s->found);
  bool found = dir_resolve(&s->dir, SLICE("postmaster"), s->conf->recipient_delimiter, &s->found) ==
               DIR_FOUND;
  n->places = found && s->found.count ? calloc(s->found.count, sizeof *n->places) : NULL;
  for (size_t i = 0; n->places && i < s->found.count; i++)
    if (dir_account(&s->dir, s->found.accounts[i], &a) == DIR_FOUND)
      n->places[n->count++] = (struct deliver_place){ a.id, a.inbox, 0 };
  if (!n->count || !deliver_coming(s, n)) {
    job_free(n);
    return;
  }
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &n->job, true);
}

void postmaster_send(struct store *s, struct slice subject, struct slice text, int64_t now_s) {
  struct buf whole, id;
  uint8_t nonce[8];
  buf_init(&whole, 2 * POSTMASTER_TEXT_MAX), buf_init(&id, 64);
  s->shell.random(s->shell.arg, nonce, sizeof nonce);
  buf_put_str(&id, "notice");
  hex_put(&id, slice_of(nonce, sizeof nonce));
  notice_put_header(&whole, s->conf->hostname, subject, buf_slice(&id), now_s);
  buf_put(&whole, slice_first(text, POSTMASTER_TEXT_MAX));
  bool fine = !whole.failed && !id.failed;
  const struct deliver_parts parts = { .name = buf_slice(&id),
                                       .enveloped = true,
                                       .tail = buf_slice(&whole) };
  struct deliver_job *n = fine ? deliver_new(KIND_DELIVER, sizeof *n, NULL, &parts, now_s) : NULL;
  if (n) deliver_notice(s, n);
  buf_free(&whole), buf_free(&id);
}

/* --- a login that is refused --- */

enum { NOTICE_EVERY_S = 24 * 3600 };

/* True if a notice about that login at that server is due. If the table is full, the oldest entry
 * is replaced. */
static bool is_due(struct notified_routes *t, struct slice route, struct slice user,
                   int64_t now_s) {
  uint64_t hash = slice_hash(route) ^ (slice_hash(user) << 1);
  size_t place = 0;
  for (size_t i = 0; i < NOTIFIED_ROUTES; i++) {
    bool was = t->rows[i].at_s && t->rows[i].hash == hash;
    if (was && now_s >= t->rows[i].at_s && now_s - t->rows[i].at_s < NOTICE_EVERY_S) return false;
    if (was || t->rows[i].at_s < t->rows[place].at_s) place = i;
    if (was) break;
  }
  t->rows[place].hash = hash;
  t->rows[place].at_s = now_s;
  return true;
}

static void put_visible(struct buf *b, struct slice s) {
  for (size_t i = 0; i < s.n; i++) buf_put_u8(b, ascii_is_print(s.p[i]) ? s.p[i] : '?');
}

bool postmaster_login_refused(struct store *s, const struct ipc_msg *m, int64_t now_s) {
  struct send_login_refused q;
  struct buf subject, text;
  if (m->tag || !send_login_refused_get(m->payload, &q) || !q.route.n) return false;
  if (!is_due(&s->notified_routes, q.route, q.user, now_s)) return true;
  buf_init(&subject, 1024), buf_init(&text, POSTMASTER_TEXT_MAX);
  buf_put_str(&subject, "Mail waits: the login at ");
  put_visible(&subject, q.route);
  buf_put_str(&subject, " is refused");
  buf_put_str(&text,
              "The server to which mail is sent by the option routes does not take the login "
              "of route_passwords.\r\n\r\n    server: ");
  put_visible(&text, q.route);
  buf_put_str(&text, "\r\n    login:  ");
  put_visible(&text, q.user);
  buf_put_str(&text, "\r\n    it says: ");
  put_visible(&text, q.words);
  buf_put_str(&text,
              "\r\n\r\nMail for it waits in the queue (qasid queue list) and is tried again; "
              "it is returned to its senders\r\nwhen queue_lifetime is over. Correct the "
              "password in the file, then: qasid reload, and qasid queue\r\nretry reason=login."
              "\r\n");
  if (!subject.failed && !text.failed)
    postmaster_send(s, buf_slice(&subject), buf_slice(&text), now_s);
  buf_free(&subject), buf_free(&text);
  return true;
}
