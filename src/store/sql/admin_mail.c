/* SPDX-License-Identifier: ISC */
/* mail, export, import, and the queries of a migration: the messages of one account. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/crc32c.h"
#include "lib/base/num.h"
#include "src/store/jobs/maildrop.h"
#include "src/store/jobs/uidl.h"
#include "src/store/sql/admin.h"
#include "src/store/sql/deleted.h"
#include "src/store/sql/directory.h"
#include "src/store/sql/work.h"

enum {
  DELETES_A_SLICE = 500,
  ROWS_A_SLICE = 5000,
  OCTETS_A_SLICE = 1024 * 1024,
};

/* --- an account's end --- */

static enum db_result last_folder(struct store_engine *e, int64_t account, uint64_t *ret) {
  struct db_stmt *s = db_prepare(e->db, "SELECT id FROM folder WHERE account = ? LIMIT 1");
  *ret = 0;
  db_bind_int(s, 1, account);
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r;
  *ret = (uint64_t)db_int(s, 0);
  db_reset(s);
  return DB_OK;
}

static enum db_result some_uids(struct store_engine *e, uint64_t folder, uint32_t *uids,
                                size_t *ret_count) {
  struct db_stmt *s =
      db_prepare(e->db, "SELECT uid FROM entry WHERE folder = ? ORDER BY uid LIMIT ?");
  db_bind_int(s, 1, (int64_t)folder);
  db_bind_int(s, 2, DELETES_A_SLICE);
  enum db_result r;
  *ret_count = 0;
  while ((r = db_step(s)) == DB_ROW && *ret_count < DELETES_A_SLICE)
    uids[(*ret_count)++] = (uint32_t)db_int(s, 0);
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

static enum db_result delete_folder(struct store_engine *e, uint64_t folder) {
  engine_drop_folder(e, folder);
  struct db_stmt *s = db_prepare(e->db, "DELETE FROM gone WHERE folder = ?");
  db_bind_int(s, 1, (int64_t)folder);
  enum db_result r = db_run(s);
  s = db_prepare(e->db, "DELETE FROM folder WHERE id = ?");
  if (r != DB_OK) return r;
  db_bind_int(s, 1, (int64_t)folder);
  return db_run(s);
}

/* *ret_gone: it was empty, and was deleted. */
static enum db_result empty_folder(struct store_engine *e, struct admin_job *a, int64_t account,
                                   uint64_t folder, bool *ret_gone) {
  uint32_t uids[DELETES_A_SLICE];
  size_t count;
  uint64_t size, octets = 0;
  struct folder *f;
  enum db_result r = some_uids(e, folder, uids, &count);
  if (r == DB_OK && !count) {
    r = admin_purge_folder(e, folder, &count);
    *ret_gone = r == DB_OK && !count;
    return *ret_gone ? delete_folder(e, folder) : r;
  }
  if (r == DB_OK) r = engine_folder(e, folder, &f);
  for (size_t i = 0; r == DB_OK && i < count; i++) {
    r = message_delete(e, folder, uids[i], &size);
    octets += size;
  }
  if (r != DB_OK) return r;
  folder_shrink(e, f, count, octets);
  return admin_changed_id(a, CHANGE_CONTENT, (uint64_t)account);
}

enum db_result admin_empty_account(struct store_engine *e, struct admin_job *a, int64_t account,
                                   bool *ret_empty) {
  uint64_t folder = 0;
  bool gone;
  enum db_result r;
  do {
    gone = false;
    r = last_folder(e, account, &folder);
    if (r == DB_OK && folder) r = empty_folder(e, a, account, folder, &gone);
  } while (r == DB_OK && gone);
  *ret_empty = r == DB_OK && !folder;
  return r;
}

/* --- a walk through one mailbox --- */

struct mail_walk {
  struct named_account account;
  uint64_t next; /* uids below it are done */
  bool gone;     /* mail uidls: all existing ones are done; of the deleted ones, up to `last` */
  char last[72];
  /* export: a message's octets are being sent */
  bool inside;
  uint32_t uid;
  uint64_t at, size;
  uint32_t sum;        /* of the octets before `at` */
  uint64_t unreadable; /* messages */
};

/* First slice: finds the account. False: answered, or *r is an error. */
static bool walk_begin(struct store_engine *e, struct admin_job *a, struct mail_walk **ret,
                       enum db_result *r) {
  *r = DB_OK;
  *ret = a->state;
  if (*ret) return true;
  struct mail_walk *w = calloc(1, sizeof *w);
  *r = w ? admin_account(e, a, a->words[0], &w->account) : DB_NOMEM;
  if (*r != DB_OK || !w->account.id) {
    free(w);
    return false;
  }
  admin_set_state(a, *ret = w, free);
  return true;
}

/* --- mail list --- */

enum db_result verb_mail_list(struct store_engine *e, struct admin_job *a) {
  struct mail_walk *w;
  enum db_result r;
  if (!walk_begin(e, a, &w, &r)) return r;
  struct db_stmt *s = db_prepare(
      e->db, "SELECT e.uid, e.size, e.date, coalesce(e.uidl, e.shown), b.name FROM entry e"
             " LEFT JOIN body b ON b.id = e.body WHERE e.folder = ? AND e.uid >= ? ORDER BY e.uid "
             "LIMIT ?");
  db_bind_int(s, 1, (int64_t)w->account.inbox);
  db_bind_int(s, 2, (int64_t)w->next);
  db_bind_int(s, 3, ROWS_A_SLICE);
  admin_columns(a, "uid size date uidl id");
  struct buf uidl;
  buf_init(&uidl, 256);
  size_t rows = 0;
  for (; (r = db_step(s)) == DB_ROW; rows++) {
    uint32_t uid = (uint32_t)db_int(s, 0);
    uidl_set(&uidl, db_bytes(s, 3), w->account.uidvalidity, uid);
    ADMIN_ROW(a, admin_num(a, uid), admin_num(a, (uint64_t)db_int(s, 1)),
              admin_num(a, (uint64_t)db_int(s, 2)), buf_slice(&uidl), db_bytes(s, 4));
    w->next = (uint64_t)uid + 1;
  }
  buf_free(&uidl);
  a->job.again = rows == ROWS_A_SLICE;
  return r;
}

/* --- for a migration: what is here, and removing what the old server no longer has --- */

static enum db_result uidls_here(struct store_engine *e, struct admin_job *a, struct mail_walk *w,
                                 size_t *ret_rows) {
  struct db_stmt *s =
      db_prepare(e->db, "SELECT uid, coalesce(uidl, shown), size, uidl IS NOT NULL FROM entry"
                        " WHERE folder = ? AND uid >= ? ORDER BY uid LIMIT ?");
  db_bind_int(s, 1, (int64_t)w->account.inbox);
  db_bind_int(s, 2, (int64_t)w->next);
  db_bind_int(s, 3, ROWS_A_SLICE);
  struct buf uidl;
  enum db_result r;
  buf_init(&uidl, 256);
  for (; (r = db_step(s)) == DB_ROW; ++*ret_rows) {
    uint32_t uid = (uint32_t)db_int(s, 0);
    bool imported = db_int(s, 3);
    uidl_set(&uidl, db_bytes(s, 1), w->account.uidvalidity, uid);
    ADMIN_ROW(a, buf_slice(&uidl), admin_num(a, uid), imported ? SLICE("yes") : SLICE("no"),
              admin_num(a, (uint64_t)db_int(s, 2)), SLICE_NONE);
    w->next = (uint64_t)uid + 1;
  }
  buf_free(&uidl);
  return r;
}

static struct slice number_or_none(struct admin_job *a, struct db_stmt *s, int column) {
  return db_is_null(s, column) ? SLICE_NONE : admin_num(a, (uint64_t)db_int(s, column));
}

/* Those of messages that their owner deleted; uid 0. */
static enum db_result uidls_gone(struct store_engine *e, struct admin_job *a, struct mail_walk *w) {
  struct db_stmt *s = db_prepare(
      e->db,
      "SELECT uidl, size, sum FROM gone WHERE folder = ? AND uidl > ? ORDER BY uidl LIMIT ?");
  enum db_result r;
  size_t rows = 0;
  db_bind_int(s, 1, (int64_t)w->account.inbox);
  db_bind_text(s, 2, slice_str(w->last));
  db_bind_int(s, 3, ROWS_A_SLICE);
  for (; (r = db_step(s)) == DB_ROW; rows++) {
    struct slice uidl = db_bytes(s, 0);
    ADMIN_ROW(a, uidl, SLICE("0"), SLICE("yes"), number_or_none(a, s, 1), number_or_none(a, s, 2));
    snprintf(w->last, sizeof w->last, "%.*s", SLICE_ARG(uidl));
  }
  w->gone = true;
  a->job.again = r == DB_OK && rows == ROWS_A_SLICE;
  return r;
}

enum db_result verb_mail_uidls(struct store_engine *e, struct admin_job *a) {
  struct mail_walk *w;
  enum db_result r;
  size_t rows = 0;
  if (!walk_begin(e, a, &w, &r)) return r;
  admin_columns(a, "uidl uid imported size sum");
  if (w->gone) return uidls_gone(e, a, w);
  r = uidls_here(e, a, w, &rows);
  a->job.again = r == DB_OK && rows == ROWS_A_SLICE;
  return r != DB_OK || a->job.again ? r : uidls_gone(e, a, w);
}

/* Removes one message with an imported UIDL as if it had never come: if the old server lists it
 * again, it may be imported again. *ret_size 0: it does not exist, or its UIDL was not imported. */
static enum db_result maildrop_message(struct store_engine *e, struct admin_job *a, uint64_t folder,
                                       uint32_t uid, uint64_t *ret_size) {
  struct db_stmt *s =
      db_prepare(e->db, "SELECT uidl FROM entry WHERE folder = ? AND uid = ? AND uidl IS NOT NULL");
  *ret_size = 0;
  db_bind_int(s, 1, (int64_t)folder);
  db_bind_int(s, 2, uid);
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r;
  struct slice uidl = admin_copy(a, db_bytes(s, 0));
  db_reset(s);
  r = message_delete(e, folder, uid, ret_size);
  s = db_prepare(e->db, "DELETE FROM gone WHERE folder = ? AND uidl = ?");
  if (r != DB_OK) return r;
  db_bind_int(s, 1, (int64_t)folder);
  db_bind_text(s, 2, uidl);
  return db_run(s);
}

enum db_result verb_mail_drop(struct store_engine *e, struct admin_job *a) {
  struct named_account account;
  struct folder *f;
  uint64_t uid, size, count = 0, octets = 0;
  enum db_result r = admin_account(e, a, a->words[0], &account);
  if (r != DB_OK || !account.id) return r;
  r = engine_folder(e, account.inbox, &f);
  for (size_t i = 1; r == DB_OK && f && i < a->count; i++) {
    if (!num_parse(a->words[i], UINT32_MAX, &uid)) continue;
    r = maildrop_message(e, a, account.inbox, (uint32_t)uid, &size);
    count += size > 0;
    octets += size;
  }
  if (r != DB_OK || !f) return r;
  if (count) folder_shrink(e, f, count, octets);
  admin_columns(a, "deleted");
  ADMIN_ROW(a, admin_num(a, count));
  return admin_changed_id(a, CHANGE_CONTENT, account.id);
}

/* --- export --- */

/* The row of the next message. *ret_more false: there are no more. */
static enum db_result export_next(struct store_engine *e, struct admin_job *a, struct mail_walk *w,
                                  bool *ret_more) {
  struct db_stmt *s =
      db_prepare(e->db, "SELECT uid, size, date, flags, coalesce(uidl, shown) FROM entry"
                        " WHERE folder = ? AND uid >= ? ORDER BY uid LIMIT 1");
  db_bind_int(s, 1, (int64_t)w->account.inbox);
  db_bind_int(s, 2, (int64_t)w->next);
  enum db_result r = db_step(s);
  *ret_more = r == DB_ROW;
  if (r != DB_ROW) return r;
  struct buf uidl;
  buf_init(&uidl, 256);
  w->uid = (uint32_t)db_int(s, 0);
  w->size = (uint64_t)db_int(s, 1);
  uidl_set(&uidl, db_bytes(s, 4), w->account.uidvalidity, w->uid);
  ADMIN_ROW(a, admin_num(a, w->uid), admin_num(a, w->size), admin_num(a, (uint64_t)db_int(s, 2)),
            admin_num(a, (uint64_t)db_int(s, 3)), buf_slice(&uidl));
  buf_free(&uidl);
  db_reset(s);
  w->inside = true;
  w->at = 0;
  w->sum = 0;
  return DB_OK;
}

static struct read_job read_of(const struct mail_walk *w) {
  return (struct read_job){ .job.result = JOB_DONE,
                            .folder = w->account.inbox,
                            .uid = w->uid,
                            .offset = w->at,
                            .most = IPC_CHUNK,
                            .file.fd = -1,
                            .octets_only = true };
}

/* Ends the export of this message, read or not. */
static void export_ended(struct admin_job *a, struct mail_walk *w, bool fine) {
  w->inside = false;
  w->next = (uint64_t)w->uid + 1;
  if (fine) return;
  w->unreadable++;
  ADMIN_ROW(a, admin_num(a, w->uid), SLICE("unreadable"), SLICE("0"), SLICE("0"), SLICE_NONE);
}

/* Some octets of the message. One that cannot be read, or is damaged, is withdrawn before its last
 * octets are sent, and the export continues with the next. */
static enum db_result export_octets(struct store_engine *e, struct admin_job *a,
                                    struct mail_walk *w) {
  struct read_job rd = read_of(w);
  enum db_result r = read_run(e, &rd.job);
  size_t n = buf_len(&rd.data);
  bool fine =
      r == DB_OK && rd.job.result == JOB_DONE && (n || w->at == w->size) && rd.file.size == w->size;
  w->sum = crc32c(w->sum, buf_slice(&rd.data));
  if (w->at + n == w->size && rd.file.summed && rd.file.sum != w->sum) fine = false;
  if (fine && n) admin_output(a, buf_slice(&rd.data));
  buf_free(&rd.data);
  w->at += n;
  if (!fine || w->at == w->size) export_ended(a, w, fine);
  return r == DB_CORRUPT ? DB_OK : r;
}

enum db_result verb_export(struct store_engine *e, struct admin_job *a) {
  struct mail_walk *w;
  enum db_result r;
  if (!walk_begin(e, a, &w, &r)) return r;
  admin_columns(a, "uid size date flags uidl");
  bool more = true;
  while (r == DB_OK && more && a->code == CLI_OK && buf_len(&a->out) < OCTETS_A_SLICE)
    r = w->inside ? export_octets(e, a, w) : export_next(e, a, w, &more);
  if (r == DB_CORRUPT && !w->inside)
    return admin_send(
        a, CLI_DAMAGE,
        "the list of messages can't be read from %llu on: `qasid salvage`, with the server "
        "stopped",
        (unsigned long long)w->next);
  a->job.again = r == DB_OK && more && a->code == CLI_OK;
  if (r == DB_OK && !a->job.again && a->code == CLI_OK && w->unreadable)
    admin_send(
        a, CLI_DAMAGE,
        "%llu messages can't be read: `qasid check` says why, `qasid salvage` finds what is left",
        (unsigned long long)w->unreadable);
  return r;
}

/* --- mail show --- */

/* Its octets as stored, unchanged. */
static enum db_result show_begin(struct store_engine *e, struct admin_job *a, struct mail_walk *w) {
  uint64_t uid;
  if (!num_parse(a->words[1], UINT32_MAX, &uid))
    return admin_send(a, CLI_USAGE, "%.*s is not a uid: qasid mail list shows them",
                      SLICE_ARG(a->words[1]));
  struct db_stmt *s = db_prepare(e->db, "SELECT size FROM entry WHERE folder = ? AND uid = ?");
  db_bind_int(s, 1, (int64_t)w->account.inbox);
  db_bind_int(s, 2, (int64_t)uid);
  enum db_result r = db_step(s);
  if (r != DB_ROW)
    return r == DB_OK
               ? admin_send(a, CLI_NOT_FOUND, "there is no message %llu", (unsigned long long)uid)
               : r;
  w->uid = (uint32_t)uid;
  w->size = (uint64_t)db_int(s, 0);
  w->inside = true;
  db_reset(s);
  return DB_OK;
}

enum db_result verb_mail_show(struct store_engine *e, struct admin_job *a) {
  bool fresh = !a->state;
  struct mail_walk *w;
  enum db_result r;
  if (!walk_begin(e, a, &w, &r)) return r;
  if (fresh) r = show_begin(e, a, w);
  admin_columns(a, "uid size date flags uidl");
  while (r == DB_OK && w->inside && buf_len(&a->out) < OCTETS_A_SLICE) r = export_octets(e, a, w);
  a->job.again = r == DB_OK && w->inside;
  if (r == DB_OK && w->unreadable)
    admin_send(a, CLI_DAMAGE,
               "the message can't be read to its end: `qasid check` says why, `qasid salvage` "
               "finds what is left");
  return r;
}

/* --- mail delete --- */

static enum db_result is_message(struct store_engine *e, uint64_t folder, uint64_t uid, bool *ret) {
  struct db_stmt *s = db_prepare(e->db, "SELECT 1 FROM entry WHERE folder = ? AND uid = ?");
  db_bind_int(s, 1, (int64_t)folder);
  db_bind_int(s, 2, (int64_t)uid);
  enum db_result r = db_step(s);
  *ret = r == DB_ROW;
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

/* Everything is checked before anything is written: the transaction is shared with other jobs. */
static enum db_result look_at_uids(struct store_engine *e, struct admin_job *a, uint64_t folder,
                                   uint32_t *uids) {
  for (size_t i = 1; i < a->count; i++) {
    uint64_t uid = 0;
    bool there = false, twice = false;
    enum db_result r =
        num_parse(a->words[i], UINT32_MAX, &uid) ? is_message(e, folder, uid, &there) : DB_OK;
    if (r != DB_OK) return r;
    for (size_t k = 0; k + 1 < i; k++) twice |= uids[k] == uid;
    if (!there || twice)
      return admin_send(a, CLI_NOT_FOUND, "%.*s is %s; nothing was deleted",
                        SLICE_ARG(slice_first(a->words[i], 40)),
                        twice ? "named twice" : "no message of that account");
    uids[i - 1] = (uint32_t)uid;
  }
  return DB_OK;
}

enum db_result verb_mail_delete(struct store_engine *e, struct admin_job *a) {
  struct named_account account;
  struct folder *f = NULL;
  uint32_t uids[ADMIN_WORDS_MAX];
  uint64_t size, octets = 0;
  enum db_result r = admin_account(e, a, a->words[0], &account);
  if (r != DB_OK || !account.id) return r;
  r = look_at_uids(e, a, account.inbox, uids);
  if (r != DB_OK || a->code != CLI_OK) return r;
  r = engine_folder(e, account.inbox, &f);
  for (size_t i = 0; r == DB_OK && f && i + 1 < a->count; i++) {
    r = a->keep ? message_keep(e, f, uids[i], a->job.now_s, &size)
                : message_delete(e, f->id, uids[i], &size);
    octets += size;
  }
  if (r == DB_OK && f) r = admin_changed_id(a, CHANGE_CONTENT, account.id);
  if (r != DB_OK || !f) return r;
  folder_shrink(e, f, a->count - 1, octets);
  return admin_send(a, CLI_OK, "%zu message%s deleted%s", a->count - 1, a->count == 2 ? "" : "s",
                    a->keep ? "; qasid mail undelete brings them back" : "");
}
