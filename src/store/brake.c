/* SPDX-License-Identifier: ISC */
/* Sending limits of accounts: the owner puts the limits into the job, the writer counts and decides
 * inside the message's transaction, the owner notifies the postmaster (brake.h). Invariant: counts
 * and the message that they count are one transaction; a message is counted and held as a whole. */
#include "src/store/brake.h"

#include <stdlib.h>

#include "src/store/postmaster.h"

enum { HOUR_S = 3600, DAY_S = 86400, NOTICE_MAX = 4096 };

const char *brake_words(int64_t why) {
  static const char *const words[] = {
    "by the administrator",
    "the account's messages an hour",
    "the account's recipients an hour",
    "the account's messages a day",
    "the account's recipients a day",
    "the account's new recipients a day",
  };
  return why >= 0 && why < (int64_t)(sizeof words / sizeof *words) ? words[why] : "unknown";
}

/* --- the owner: limits --- */

void brake_set(struct store *s, const struct session *session, struct deliver_job *d) {
  struct dir_account a;
  bool on = session->account && d->elsewhere_count &&
            dir_account(&s->dir, session->account, &a) == DIR_FOUND;
  const uint64_t options[DIR_SENDS] = {
    s->conf->account_messages_per_hour,      s->conf->account_recipients_per_hour,
    s->conf->account_messages_per_day,       s->conf->account_recipients_per_day,
    s->conf->account_new_recipients_per_day,
  };
  d->brake = (struct deliver_brake){ .on = on };
  for (int i = 0; on && i < DIR_SENDS; i++)
    d->brake.limits[i] = a.limits.sends[i] == DIR_DEFAULT ? options[i] : a.limits.sends[i];
}

/* --- the writer: counts --- */

struct sent {
  int64_t hour, day;
  uint64_t used[DIR_SENDS]; /* of the hour and the day, as enum dir_sends has it */
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

static int64_t key_of(struct slice address) {
  uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
  for (size_t i = 0; i < address.n; i++) h = (h ^ ascii_lower(address.p[i])) * 0x100000001b3u;
  return (int64_t)h;
}

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
  db_bind_int(s, 2, d->job.now_s / DAY_S - BRAKE_MEMORY_DAYS);
  return db_run(s);
}

enum db_result brake_run(struct store_engine *e, struct deliver_job *d) {
  struct sent x;
  uint64_t new;
  d->brake.why = QUEUE_BY_ADMIN;
  if (!d->brake.on) return DB_OK;
  enum db_result r = read_sent(e, d->letter.account, d->job.now_s, &x);
  if (r == DB_OK) r = count_new(e, d, &new);
  if (r != DB_OK) return r;
  const uint64_t more[DIR_SENDS] = { 1, d->elsewhere_count, 1, d->elsewhere_count, new };
  if (x.day == d->job.now_s) r = forget_old(e, d);
  for (int i = DIR_SENDS - 1; i >= 0; i--) {
    x.used[i] += more[i];
    if (d->brake.limits[i] && more[i] && x.used[i] > d->brake.limits[i])
      d->brake.why = (uint8_t)(QUEUE_BY_ADMIN + 1 + i);
  }
  for (size_t i = 0; i < d->elsewhere_count; i++) {
    d->elsewhere[i].held = d->brake.why != 0;
    d->elsewhere[i].why = d->brake.why;
  }
  if (r == DB_OK && !d->brake.why) r = make_known(e, d);
  return r == DB_OK ? write_sent(e, d->letter.account, &x) : r;
}

enum db_result brake_forget(struct store_engine *e, uint64_t account) {
  struct db_stmt *s = db_prepare(e->db, "DELETE FROM sent WHERE account = ?");
  db_bind_int(s, 1, (int64_t)account);
  return db_run(s);
}

/* --- the owner: the postmaster --- */

static void put_notice(struct buf *b, struct slice name, const struct deliver_job *d) {
  buf_put_str(b, "The account ");
  buf_put(b, name);
  buf_printf(b,
             " sends more than it may (%s, limit %llu).\r\nIts mail to other servers is taken, but "
             "held in the queue.\r\n\r\n",
             brake_words(d->brake.why), (unsigned long long)d->brake.limits[d->brake.why - 1]);
  buf_put_str(
      b,
      "If somebody else has its password: qasid account disable, then qasid queue drop account=");
  buf_put(b, name);
  buf_put_str(b, "\r\nIf it is well: qasid queue release account=");
  buf_put(b, name);
  buf_put_str(b, "\r\nTo let it send more: qasid account set\r\n");
}

static void log_it(struct store *s, struct slice name, const struct deliver_job *d) {
  struct log_line l;
  log_open(&l, s->shell.log, LOG_E_BRAKE);
  log_str(&l, LOG_F_NAME, name);
  log_cstr(&l, LOG_F_REASON, brake_words(d->brake.why));
  log_num(&l, LOG_F_RECIPIENTS, d->elsewhere_count);
  log_end(&l);
}

void brake_notify(struct store *s, const struct deliver_job *d, int64_t now_s) {
  struct maildrop_lock *a = lock_get(&s->locks, d->letter.account);
  if (!a || (a->braked_s && now_s >= a->braked_s && now_s - a->braked_s < BRAKE_NOTICE_EVERY_S))
    return;
  struct buf text, subject, address;
  a->braked_s = now_s;
  buf_init(&text, NOTICE_MAX), buf_init(&subject, 400), buf_init(&address, DIR_ADDRESS_MAX);
  dir_put_name(&s->dir, d->letter.account, &address);
  struct slice name = buf_slice(&address);
  buf_printf(&subject, "Mail of %.*s is held", SLICE_ARG(name));
  log_it(s, name, d);
  put_notice(&text, name, d);
  if (!text.failed && !subject.failed)
    postmaster_tell(s, buf_slice(&subject), buf_slice(&text), now_s);
  buf_free(&text), buf_free(&subject), buf_free(&address);
}
