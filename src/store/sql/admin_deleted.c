/* SPDX-License-Identifier: ISC */
/* mail deleted, mail undelete: lists restorable deleted messages, and restores them. */
#include <stdlib.h>

#include "lib/base/num.h"
#include "lib/base/units.h"
#include "src/store/jobs/uidl.h"
#include "src/store/sql/admin.h"
#include "src/store/sql/deleted.h"
#include "src/store/sql/names.h"

enum {
  ROWS_A_SLICE = 5000,
  PURGES_A_SLICE = 100,
  RESTORED_A_SLICE = 500,
};

/* --- an account's end --- */

enum db_result admin_purge_folder(struct store_engine *e, uint64_t folder, size_t *ret_count) {
  struct deleted_row rows[PURGES_A_SLICE];
  struct folder *f;
  enum db_result r = deleted_of_folder(e, folder, INT64_MIN, rows, PURGES_A_SLICE, ret_count);
  if (r != DB_OK || !*ret_count) return r;
  r = engine_folder(e, folder, &f);
  for (size_t i = 0; r == DB_OK && i < *ret_count; i++) r = message_purge(e, f, &rows[i]);
  return r;
}

/* --- mail deleted --- */

struct deleted_walk {
  struct named_account account;
  uint64_t next; /* uids below it were listed */
};

static enum db_result list_some(struct store_engine *e, struct admin_job *a,
                                struct deleted_walk *w) {
  struct db_stmt *s = db_prepare(
      e->db, "SELECT d.uid, d.size, d.date, d.removed, coalesce(d.uidl, d.shown), b.name FROM "
             "deleted d LEFT JOIN body b"
             " ON b.id = d.body WHERE d.folder = ? AND d.uid >= ? ORDER BY d.uid LIMIT ?");
  db_bind_int(s, 1, (int64_t)w->account.inbox);
  db_bind_int(s, 2, (int64_t)w->next);
  db_bind_int(s, 3, ROWS_A_SLICE);
  admin_columns(a, "uid size date deleted uidl id");
  struct buf uidl;
  enum db_result r;
  size_t rows = 0;
  buf_init(&uidl, 256);
  for (; (r = db_step(s)) == DB_ROW; rows++) {
    uint32_t uid = (uint32_t)db_int(s, 0);
    uidl_set(&uidl, db_bytes(s, 4), w->account.uidvalidity, uid);
    ADMIN_ROW(a, admin_num(a, uid), admin_num(a, (uint64_t)db_int(s, 1)),
              admin_num(a, (uint64_t)db_int(s, 2)), admin_num(a, (uint64_t)db_int(s, 3)),
              buf_slice(&uidl), db_bytes(s, 5));
    w->next = (uint64_t)uid + 1;
  }
  buf_free(&uidl);
  a->job.again = rows == ROWS_A_SLICE;
  return r;
}

enum db_result verb_mail_deleted(struct store_engine *e, struct admin_job *a) {
  struct deleted_walk *w = a->state;
  enum db_result r = DB_OK;
  if (!w) {
    w = calloc(1, sizeof *w);
    if (!w) return DB_NOMEM;
    admin_set_state(a, w, free);
    r = admin_account(e, a, a->words[0], &w->account);
  }
  return r == DB_OK && w->account.id ? list_some(e, a, w) : r;
}

/* --- mail undelete --- */

/* Which ones: by uid, all, or all that were deleted in the last so many seconds. */
struct wanted {
  bool all;
  int64_t since_s;
  uint32_t uids[ADMIN_WORDS_MAX];
  size_t count;
};

/* False: answered. */
static bool wanted_of_words(struct admin_job *a, struct wanted *w) {
  uint64_t n;
  *w = (struct wanted){ .since_s = INT64_MIN };
  for (size_t i = 1; i < a->count; i++) {
    struct slice word = a->words[i];
    if (slice_eq(word, SLICE("--all"))) {
      w->all = true;
    } else if (slice_eq(word, SLICE("--since")) && i + 1 < a->count) {
      if (!units_time(a->words[i + 1], &n) || n > INT32_MAX) {
        admin_send(a, CLI_USAGE, "--since %.*s: a time such as 3h or 2d is meant",
                   SLICE_ARG(a->words[i + 1]));
        return false;
      }
      w->all = true;
      w->since_s = a->job.now_s - (int64_t)n;
      i++;
    } else if (num_parse(word, UINT32_MAX, &n)) {
      w->uids[w->count++] = (uint32_t)n;
    } else {
      admin_send(a, CLI_USAGE, "%.*s is not a uid: qasid mail deleted lists them", SLICE_ARG(word));
      return false;
    }
  }
  if (w->all != (w->count > 0)) return true;
  admin_send(a, CLI_USAGE, "say either uids, or --all, or --since and a time such as 2d");
  return false;
}

static enum db_result restore_row(struct store_engine *e, struct admin_job *a, struct folder *f,
                                  const struct deleted_row *row) {
  struct buf uidl;
  uint32_t uid;
  enum db_result r = message_restore(e, f, row, a->job.now_s, &uid);
  if (r != DB_OK) return r;
  buf_init(&uidl, 256);
  uidl_set(&uidl, slice_of(row->uidl, row->uidl_n), f->uidvalidity, row->uid);
  ADMIN_ROW(a, admin_num(a, uid), admin_num(a, row->size), buf_slice(&uidl));
  buf_free(&uidl);
  return DB_OK;
}

/* Restores all of `rows`. */
static enum db_result restore_rows(struct store_engine *e, struct admin_job *a,
                                   const struct named_account *account,
                                   const struct deleted_row *rows, size_t count) {
  struct folder *f;
  struct change *c = admin_change(a, CHANGE_RESTORED);
  enum db_result r = engine_folder(e, account->inbox, &f);
  if (!c || (r == DB_OK && !f)) return c ? DB_CORRUPT : DB_NOMEM;
  if (r == DB_OK && f->uidnext + count > UINT32_MAX)
    return admin_send(a, CLI_REFUSED, "the mailbox has used up its uids; nothing was restored");
  c->id = account->id;
  c->messages = count;
  admin_columns(a, "uid size uidl");
  for (size_t i = 0; r == DB_OK && i < count; i++) r = restore_row(e, a, f, &rows[i]);
  return r;
}

/* Everything is checked before anything is written: the transaction is shared with other jobs. */
static enum db_result restore_named(struct store_engine *e, struct admin_job *a,
                                    const struct named_account *account, const struct wanted *w) {
  struct deleted_row *rows = arena_alloc(&a->memory, w->count * sizeof *rows);
  if (!rows) return DB_NOMEM;
  for (size_t i = 0; i < w->count; i++) {
    bool there, twice = false;
    enum db_result r = deleted_find(e, account->inbox, w->uids[i], &rows[i], &there);
    if (r != DB_OK) return r;
    for (size_t k = 0; k < i; k++) twice |= w->uids[k] == w->uids[i];
    if (!there || twice)
      return admin_send(a, CLI_NOT_FOUND, "%u is %s; nothing was brought back",
                        (unsigned)w->uids[i],
                        twice ? "named twice" : "no deleted message that is kept");
  }
  return restore_rows(e, a, account, rows, w->count);
}

/* --all works in slices: a restored message is not found by the next slice. */
static enum db_result restore_all(struct store_engine *e, struct admin_job *a,
                                  const struct named_account *account, const struct wanted *w) {
  size_t count;
  struct deleted_row *rows = arena_alloc(&a->memory, RESTORED_A_SLICE * sizeof *rows);
  if (!rows) return DB_NOMEM;
  enum db_result r =
      deleted_of_folder(e, account->inbox, w->since_s, rows, RESTORED_A_SLICE, &count);
  if (r == DB_OK && count) r = restore_rows(e, a, account, rows, count);
  a->job.again = r == DB_OK && count == RESTORED_A_SLICE;
  return r;
}

enum db_result verb_mail_undelete(struct store_engine *e, struct admin_job *a) {
  struct wanted w;
  struct named_account account;
  if (!wanted_of_words(a, &w)) return DB_OK;
  enum db_result r = admin_account(e, a, a->words[0], &account);
  if (r != DB_OK || !account.id) return r;
  return w.all ? restore_all(e, a, &account, &w) : restore_named(e, a, &account, &w);
}
