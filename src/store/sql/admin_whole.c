/* SPDX-License-Identifier: ISC */
/* status, status mailboxes, check, backup: the store as a whole. */
#include "src/store/sql/admin_whole.h"

#include <stdlib.h>

#include "src/store/sql/schema.h"
#include "src/store/sql/work.h"

/* --- status --- */

/* The size of the database's file, the free space inside it, and the size of its log. */
static enum db_result put_space(struct store_engine *e, struct admin_job *a) {
  struct db_space space;
  enum db_result r = db_space(e->db, &space);
  admin_fact(a, "database-octets", space.pages * space.page);
  admin_fact(a, "database-free", space.free * space.page);
  admin_fact(a, "database-log", space.log);
  return r;
}

/* Facts that only the database knows: scans its smallest indexes and the folders' counters. */
enum db_result verb_status(struct store_engine *e, struct admin_job *a) {
  static const char *const names[] = { "domains", "accounts",     "addresses",          "messages",
                                       "octets",  "deleted-kept", "deleted-kept-octets" };
  struct db_stmt *s = db_prepare(
      e->db,
      "SELECT (SELECT count(*) FROM domain), (SELECT count(*) FROM account),"
      " (SELECT count(*) FROM address), coalesce(sum(messages), 0), coalesce(sum(octets), 0),"
      " coalesce(sum(deleted), 0), coalesce(sum(deleted_octets), 0) FROM folder");
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r;
  admin_columns(a, "what number");
  for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
    admin_fact(a, names[i], (uint64_t)db_int(s, i));
  db_reset(s);
  return put_space(e, a);
}

#define MOST "coalesce(a.quota, ?1)"

/* Mailboxes that use nine tenths of their quota or more, the fullest first. */
enum db_result verb_status_mailboxes(struct store_engine *e, struct admin_job *a) {
  struct db_stmt *s =
      db_prepare(e->db, "SELECT a.name, sum(f.messages), sum(f.octets), " MOST " FROM "
                        "account a"
                        " JOIN folder f ON f.account = a.id GROUP BY a.id HAVING " MOST
                        " > 0 AND sum(f.octets) >= " MOST " / 10 * 9"
                        " ORDER BY sum(f.octets) * 1.0 / " MOST " DESC, a.name LIMIT 1000");
  enum db_result r;
  db_bind_int(s, 1, (int64_t)a->quota);
  admin_columns(a, "address messages octets quota percent");
  while ((r = db_step(s)) == DB_ROW) {
    double part = (double)db_int(s, 2) * 100 / (double)db_int(s, 3);
    ADMIN_ROW(a, db_bytes(s, 0), admin_num(a, (uint64_t)db_int(s, 1)),
              admin_num(a, (uint64_t)db_int(s, 2)), admin_num(a, (uint64_t)db_int(s, 3)),
              admin_num(a, (uint64_t)part));
  }
  db_reset(s);
  return r;
}

/* --- holding body files --- */

enum db_result release_run(struct store_engine *e, struct store_job *j) {
  struct release_job *r = (struct release_job *)j;
  if (!r->released) e->holds--;
  r->released = true;
  return DB_OK;
}

static const char *whole_why(struct admin_job *a) {
  struct whole *w = a->state;
  return w && w->db ? db_error(w->db) : "";
}

static void whole_free(void *state) {
  struct whole *w = state;
  if (w->end) w->end(w);
  if (w->db) db_rollback(w->db);
  db_close(&w->db);
  free(w);
}

struct whole *whole_begin(struct store_engine *e, struct admin_job *a, size_t size) {
  struct whole *w = a->state;
  if (!w) {
    w = calloc(1, size);
    if (!w) return NULL;
    admin_set_state(a, w, whole_free);
  }
  if (!a->holding) e->holds++;
  a->holding = true;
  w->disk = e->disk;
  w->number = e->groups;
  a->to_reader = true;
  a->why = whole_why;
  a->job.again = true;
  return w;
}

enum db_result whole_connect(struct whole *w) {
  if (w->db) return DB_OK;
  struct db_options options = { .page_size = STORE_PAGE, .cache_kib = 4 * 1024, .read_only = true };
  return db_open(w->disk, STORE_DATABASE, &options, &w->db);
}

/* The owner continues with it: owner/compact.c. */
enum db_result verb_compact(struct store_engine *e, struct admin_job *a) {
  struct db_space s;
  enum db_result r = db_space(e->db, &s);
  if (r != DB_OK) return r;
  uint64_t used = (s.pages - s.free) * s.page, needed = used + used / 8;
  int64_t space = e->disk->ops->free_space(e->disk);
  if (space >= 0 && (uint64_t)space < needed)
    return admin_send(a, CLI_REFUSED,
                      "the copy needs %llu MB on the disk of the mail, where %llu MB are free",
                      (unsigned long long)needed >> 20, (unsigned long long)space >> 20);
  admin_columns(a, "what number");
  admin_fact(a, "database-octets", s.pages * s.page);
  admin_fact(a, "database-used", used);
  return DB_OK;
}
