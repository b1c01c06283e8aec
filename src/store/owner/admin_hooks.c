/* SPDX-License-Identifier: ISC */
/* The owner's part of single commands (admin.h): refusals, and facts that only the owner knows. */
#include "src/store/owner/admin.h"

enum { BULK_OCTETS_MAX = 64 * 1024 * 1024 };

void admin_put_rows(struct store *s, struct admin_job *a) {
  struct session *session = a->job.session;
  if (!session->bulk.max) buf_init(&session->bulk, BULK_OCTETS_MAX);
  buf_put(&session->bulk, a->words[0]);
  if (!session->bulk.failed) return;
  buf_free(&session->bulk);
  admin_send(a, CLI_USAGE, "that is too much at once (64M)");
}

/* A client that has the maildrop open relies on the list it was given. */
void admin_refuse_open(struct store *s, struct admin_job *a) {
  struct buf text;
  buf_init(&text, DIR_ADDRESS_MAX);
  dir_fold(&text, a->words[0]);
  dir_begin(&s->found);
  const struct maildrop_lock *lock;
  if (dir_resolve(&s->dir, buf_slice(&text), "", &s->found) == DIR_FOUND)
    for (size_t i = 0; i < s->found.count; i++)
      if ((lock = lock_find(&s->locks, s->found.accounts[i])) && lock->locked_by)
        admin_send(
            a, CLI_TROUBLE,
            "the maildrop is open in a POP3 session (qasid ps shows it); nothing was deleted");
  buf_free(&text);
}

void admin_view(struct store *s, struct admin_job *a) { a->view = queue_view_new(s); }

void admin_view_with_history(struct store *s, struct admin_job *a) {
  history_flush(s, a->job.now_s);
  admin_view(s, a);
}

/* disk-full: no new mail is accepted. */
static void put_disk(struct store *s, struct admin_job *a) {
  int64_t space = s->disk->ops->free_space(s->disk);
  if (space < 0) return; /* the disk does not report its free space, so no figure is given */
  admin_fact(a, "disk-free", (uint64_t)space);
  admin_fact(a, "disk-needed", s->conf->store_free_space);
  admin_fact(a, "disk-full", (uint64_t)space < s->conf->store_free_space);
}

/* Facts that only the owner knows. */
void admin_status(struct store *s, struct admin_job *a) {
  if (a->code != CLI_OK) return;
  admin_fact(a, "messages-taken", s->messages_in);
  admin_fact(a, "messages-deleted", s->deleted);
  admin_fact(a, "messages-expired", s->expired);
  admin_fact(a, "deleted-brought-back", s->undeleted);
  admin_fact(a, "deleted-purged", s->purged);
  admin_fact(a, "groups-committed", s->groups);
  admin_fact(a, "jobs-waiting", s->jobs_out);
  admin_fact(a, "queue-in-hands", s->outbound.in_hands);
  admin_fact(a, "queue-sent", s->outbound.delivered);
  admin_fact(a, "queue-failed", s->outbound.failed);
  admin_fact(a, "queue-deferred", s->outbound.deferred);
  admin_fact(a, "history-lost", s->history.lost);
  put_disk(s, a);
  admin_fact(a, "compacted", s->compacted);
}
