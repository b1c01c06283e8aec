/* SPDX-License-Identifier: ISC */
/* Counts what an account sends and decides whether a message is held (owner/send_limits.h), inside
 * the message's transaction. Invariant: counts and the message that they count are in one
 * transaction; a message is counted and held as a whole. */
#include "src/store/sql/send_limits.h"

#include "src/store/sql/directory.h"

enum { HOUR_S = 3600, DAY_S = 86400 };

struct sent {
  int64_t hour, day;
  uint64_t used[DIR_SENDS]; /* of the hour and the day, indexed by enum dir_sends */
};

static enum db_result read_sent(struct store_engine *e, uint64_t account, int64_t now_s,
                                struct sent *x) {
  struct db_stmt *s = db_prepare(
      e->db,
      "SELECT hour, day, hour_messages, hour_recipients, day_messages, day_recipients, day_new"
      " FROM sent WHERE account = ?");
  *x = (struct sent){ .hour = now_s, .day = now_s };
  db_bind_int(s, 1, (int64_t)account);
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r;
  int64_t hour = db_int(s, 0), day = db_int(s, 1);
  /* If the clock was set back, counting starts again. */
  bool same_hour = now_s >= hour && now_s - hour < HOUR_S,
       same_day = now_s >= day && now_s - day < DAY_S;
  if (same_hour) x->hour = hour;
  if (same_day) x->day = day;
  for (int i = 0; i < DIR_SENDS; i++)
    if (i < DIR_MESSAGES_DAY ? same_hour : same_day) x->used[i] = (uint64_t)db_int(s, 2 + i);
  db_reset(s);
  return DB_OK;
}

static enum db_result write_sent(struct store_engine *e, uint64_t account, const struct sent *x) {
  struct db_stmt *s = db_prepare(
      e->db, "INSERT INTO sent (account, hour, day, hour_messages, hour_recipients,"
             " day_messages, day_recipients, day_new) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
             " ON CONFLICT (account) DO UPDATE SET hour = excluded.hour, day = excluded.day,"
             " hour_messages = excluded.hour_messages, hour_recipients = excluded.hour_recipients,"
             " day_messages = excluded.day_messages, day_recipients = excluded.day_recipients,"
             " day_new = excluded.day_new");
  db_bind_int(s, 1, (int64_t)account);
  db_bind_int(s, 2, x->hour);
  db_bind_int(s, 3, x->day);
  for (int i = 0; i < DIR_SENDS; i++) db_bind_int(s, 4 + i, (int64_t)x->used[i]);
  return db_run(s);
}

static int64_t key_of(struct slice address) { return (int64_t)slice_hash_lower(address); }

static enum db_result count_new(struct store_engine *e, const struct deliver_job *d,
                                uint64_t *ret) {
  enum db_result r = DB_OK;
  *ret = 0;
  for (size_t i = 0; r == DB_OK && i < d->elsewhere_count; i++) {
    struct db_stmt *s =
        db_prepare(e->db, "SELECT 1 FROM correspondent WHERE account = ? AND address = ?");
    db_bind_int(s, 1, (int64_t)d->letter.account);
    db_bind_int(s, 2, key_of(d->elsewhere[i].address));
    r = db_step(s);
    *ret += r == DB_OK;
    db_reset(s);
    if (r == DB_ROW) r = DB_OK;
  }
  return r;
}

static enum db_result make_known(struct store_engine *e, const struct deliver_job *d) {
  enum db_result r = DB_OK;
  for (size_t i = 0; r == DB_OK && i < d->elsewhere_count; i++) {
    struct db_stmt *s =
        db_prepare(e->db, "INSERT INTO correspondent (account, address, sent) VALUES (?, ?, ?)"
                          " ON CONFLICT (account, address) DO UPDATE SET sent = excluded.sent");
    db_bind_int(s, 1, (int64_t)d->letter.account);
    db_bind_int(s, 2, key_of(d->elsewhere[i].address));
    db_bind_int(s, 3, d->job.now_s / DAY_S);
    r = db_run(s);
  }
  return r;
}

/* Once a day for each account: removes the recipients to whom it has not sent for long. */
static enum db_result forget_old(struct store_engine *e, const struct deliver_job *d) {
  struct db_stmt *s = db_prepare(e->db, "DELETE FROM correspondent WHERE account = ? AND sent < ?");
  db_bind_int(s, 1, (int64_t)d->letter.account);
  db_bind_int(s, 2, d->job.now_s / DAY_S - SEND_LIMITS_MEMORY_DAYS);
  return db_run(s);
}

enum db_result send_limits_apply(struct store_engine *e, struct deliver_job *d) {
  struct sent x;
  uint64_t new;
  d->send_limits.why = QUEUE_BY_ADMIN;
  if (!d->send_limits.on) return DB_OK;
  enum db_result r = read_sent(e, d->letter.account, d->job.now_s, &x);
  if (r == DB_OK) r = count_new(e, d, &new);
  if (r != DB_OK) return r;
  const uint64_t more[DIR_SENDS] = { 1, d->elsewhere_count, 1, d->elsewhere_count, new };
  if (x.day == d->job.now_s) r = forget_old(e, d);
  for (int i = DIR_SENDS - 1; i >= 0; i--) {
    x.used[i] += more[i];
    if (d->send_limits.limits[i] && more[i] && x.used[i] > d->send_limits.limits[i])
      d->send_limits.why = (uint8_t)(QUEUE_BY_ADMIN + 1 + i);
  }
  for (size_t i = 0; i < d->elsewhere_count; i++) {
    d->elsewhere[i].held = d->send_limits.why != 0;
    d->elsewhere[i].why = d->send_limits.why;
  }
  if (r == DB_OK && !d->send_limits.why) r = make_known(e, d);
  return r == DB_OK ? write_sent(e, d->letter.account, &x) : r;
}

enum db_result send_limits_forget(struct store_engine *e, uint64_t account) {
  struct db_stmt *s = db_prepare(e->db, "DELETE FROM sent WHERE account = ?");
  db_bind_int(s, 1, (int64_t)account);
  return db_run(s);
}
