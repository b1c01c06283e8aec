/* SPDX-License-Identifier: ISC */
/* status, status mailboxes, check, backup: the store as a whole. */
#include "src/store/admin_whole.h"

#include <stdlib.h>

#include "src/store/schema.h"

/* --- status --- */

static void put_fact(struct admin_job *a, const char *name, uint64_t n) {
  ADMIN_ROW(a, slice_str(name), admin_num(a, n));
}

/* disk-full: no new mail is taken. */
static void put_disk(struct store *s, struct admin_job *a) {
  int64_t space = s->disk->ops->free_space(s->disk);
  if (space < 0) return; /* the disk does not report its free space, so no figure is given */
  put_fact(a, "disk-free", (uint64_t)space);
  put_fact(a, "disk-needed", s->conf->store_free_space);
  put_fact(a, "disk-full", (uint64_t)space < s->conf->store_free_space);
}

/* What only the database knows: a walk through its smallest indexes and the folders' counters. */
static enum db_result status(struct store_engine *e, struct admin_job *a) {
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
    put_fact(a, names[i], (uint64_t)db_int(s, i));
  db_reset(s);
  return DB_OK;
}

/* What only the owner knows. */
static void status_ended(struct store *s, struct admin_job *a) {
  if (a->code != CLI_OK) return;
  put_fact(a, "messages-taken", s->messages_in);
  put_fact(a, "messages-deleted", s->deleted);
  put_fact(a, "messages-expired", s->expired);
  put_fact(a, "deleted-brought-back", s->undeleted);
  put_fact(a, "deleted-purged", s->purged);
  put_fact(a, "groups-committed", s->groups);
  put_fact(a, "jobs-waiting", s->jobs_out);
  put_fact(a, "queue-in-hands", s->outbound.in_hands);
  put_fact(a, "queue-sent", s->outbound.delivered);
  put_fact(a, "queue-failed", s->outbound.failed);
  put_fact(a, "queue-deferred", s->outbound.deferred);
  put_fact(a, "history-lost", s->history.lost);
  put_disk(s, a);
}

/* Mailboxes that are filled to nine tenths of their quota, the fullest first. */
static enum db_result status_mailboxes(struct store_engine *e, struct admin_job *a) {
  struct db_stmt *s = db_prepare(
      e->db,
      "SELECT a.name, sum(f.messages), sum(f.octets) AS used, coalesce(a.quota, ?1) AS most FROM "
      "account a"
      " JOIN folder f ON f.account = a.id GROUP BY a.id HAVING most > 0 AND used >= most / 10 * 9"
      " ORDER BY used * 1.0 / most DESC, a.name LIMIT 1000");
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

struct release_job {
  struct store_job job;
  bool released;
};

static enum db_result release_run(struct store_engine *e, struct store_job *j) {
  struct release_job *r = (struct release_job *)j;
  if (!r->released) e->holds--;
  r->released = true;
  return DB_OK;
}

static const struct job_kind release_kind = { .name = "release",
                                              .is_write = true,
                                              .run = release_run };

static const char *whole_why(struct admin_job *a) {
  struct whole *w = a->state;
  return w && w->db ? db_error(w->db) : "";
}

struct whole *whole_begin(struct store_engine *e, struct admin_job *a, size_t size) {
  struct whole *w = a->state;
  if (!w) a->state = w = calloc(1, size);
  if (!w) return NULL;
  if (!w->holding) e->holds++;
  w->holding = true;
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

static void whole_ended(struct store *s, struct admin_job *a) {
  struct whole *w = a->state;
  a->state = NULL;
  if (!w) return;
  if (w->end) w->end(w);
  if (w->db) db_rollback(w->db);
  db_close(&w->db);
  bool holding = w->holding;
  free(w);
  struct release_job *r = holding ? job_new(&release_kind, sizeof *r, NULL, 0) : NULL;
  if (!r) return; /* without memory freed files stay until the sweep at the next start */
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &r->job, true);
}

const struct admin_verb admin_whole_verbs[] = {
  { "status mailboxes", "", 0, 0, ADMIN_READ, status_mailboxes, NULL, NULL },
  { "status", "", 0, 0, ADMIN_READ, status, NULL, status_ended },
  { "check", "", 0, 0, ADMIN_WRITE, check_run, NULL, whole_ended },
  { "backup", "", 0, 0, ADMIN_WRITE, backup_run, NULL, whole_ended },
};
const size_t admin_whole_count = sizeof admin_whole_verbs / sizeof *admin_whole_verbs;
