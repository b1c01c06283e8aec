/* SPDX-License-Identifier: ISC */
/* Whether a message fits into a mailbox, by its account's quota or the option, and the count of
 * pending messages (folders.h). Invariant: each job that deliver_coming() counted is taken off by
 * deliver_count() once, when it is reported. */
#include "src/store/owner/owner.h"

static uint64_t quota_of(const struct store *s, const struct dir_account *a) {
  return a->limits.quota == DIR_QUOTA_DEFAULT ? s->conf->quota : a->limits.quota;
}

enum room store_room(struct store *s, const struct dir_account *a, uint64_t size) {
  uint64_t quota = quota_of(s, a), held;
  if (!quota) return ROOM_ENOUGH;
  if (!folders_held(&s->folders, a->id, &held)) return ROOM_UNKNOWN;
  if (held < quota && size <= quota - held) return ROOM_ENOUGH;
  return size <= quota ? ROOM_FULL : ROOM_NEVER;
}

enum room store_room_for(struct store *s, const struct dir_account *a, uint64_t size,
                         uint64_t announced) {
  uint64_t quota = quota_of(s, a);
  bool kept = announced && size <= announced + MESSAGE_HEAD_MAX;
  if (quota && (kept ? announced : size) > quota) return ROOM_NEVER;
  return store_room(s, a, announced);
}

bool deliver_coming(struct store *s, struct deliver_job *d) {
  size_t i = 0;
  while (i < d->count && folders_coming(&s->folders, d->places[i].account, d->size)) i++;
  bool fine = i == d->count;
  while (!fine && i--) folders_came(&s->folders, 0, d->places[i].account, d->size, false);
  if (fine) d->job.number = folders_job(&s->folders);
  return fine;
}

void deliver_count(struct store *s, const struct deliver_job *d) {
  bool added = d->job.result == JOB_DONE && d->uidl_found == UIDL_NEW;
  for (size_t i = 0; i < d->count; i++)
    folders_came(&s->folders, d->job.number, d->places[i].account, d->size, added);
  s->messages_in += added;
  if (d->job.low_space) s->low_space_s = d->job.now_s;
}
