/* SPDX-License-Identifier: ISC */
/* The owner's side as a whole: opening it, messages, the loss of a process, finished jobs. */
#include <stdlib.h>

#include "src/store/owner/compact.h"
#include "src/store/owner/finish.h"
#include "src/store/owner/owner.h"
#include "src/store/sql/bodies.h"
#include "src/store/sql/dropped.h"
#include "src/store/sql/schema.h"

enum { OWNER_CACHE_KIB = 4 * 1024 };

/* --- opening --- */

static bool open_failed(struct buf *err, const char *what, enum db_result r, struct db *db) {
  if (r == DB_BUSY)
    buf_put_str(err, "another program holds the mail database: is a second server running?");
  else
    buf_printf(err, "%s: %s", what, db ? db_error(db) : db_result_text(r));
  return false;
}

static bool make_database(struct store *s, struct buf *err) {
  struct db *db = NULL;
  struct db_options options = { .page_size = STORE_PAGE, .cache_kib = OWNER_CACHE_KIB };
  enum db_result r = db_open(s->disk, STORE_DATABASE, &options, &db);
  bool fine = r == DB_OK ? schema_bring_forward(db, err)
                         : open_failed(err, "the mail database can't be opened", r, db);
  db_close(&db);
  return fine;
}

static void take_dropped(void *arg, struct slice name, uint64_t who) {
  partly_keep(&((struct store *)arg)->dropped, name, who);
}

static bool open_database(struct store *s, struct buf *err) {
  struct db_options options = { .page_size = STORE_PAGE,
                                .cache_kib = OWNER_CACHE_KIB,
                                .read_only = true };
  if (!make_database(s, err)) return false;
  enum db_result r = db_open(s->disk, STORE_DATABASE, &options, &s->db);
  if (r != DB_OK) return open_failed(err, "the mail database can't be opened", r, s->db);
  s->folders.db = s->db;
  r = dir_open(&s->dir, s->db);
  if (r != DB_OK)
    return open_failed(err, "the accounts in the mail database can't be read", r, s->db);
  r = outbound_load(s, s->db);
  if (r == DB_OK) r = dropped_read(s->db, take_dropped, s);
  return r == DB_OK || open_failed(err, "the queue in the mail database can't be read", r, s->db);
}

/* An answer is never truncated for lack of memory: room for the largest is allocated now. */
static bool make_room_for_answers(struct store *s) {
  buf_init(&s->out, IPC_PAYLOAD_MAX);
  return buf_reserve(&s->out, IPC_CHUNK + 4096) != NULL;
}

static bool start(struct store *s, struct buf *err) {
  if (!make_room_for_answers(s)) {
    buf_put_str(err, "out of memory");
    return false;
  }
  int r = bodies_prepare(s->disk);
  if (r < 0) {
    buf_printf(err, "the folders of the mail can't be made: %s", strerror(-r));
    return false;
  }
  return compact_if_wanted(s, err) && open_database(s, err);
}

struct store *store_new(struct disk *disk, const struct conf *conf, const struct store_shell *shell,
                        struct buf *err) {
  struct store *s = calloc(1, sizeof *s);
  if (!s) {
    buf_put_str(err, "out of memory");
    return NULL;
  }
  s->disk = disk;
  s->conf = conf;
  s->shell = *shell;
  s->housekeeping.step = HOUSEKEEPING_REST;
  dir_init(&s->dir, DIR_REMEMBERS_MUCH);
  dir_found_init(&s->found);
  folders_init(&s->folders);
  locks_init(&s->locks);
  s->dir.hostname = conf->hostname;
  outbound_init(s);
  history_init(&s->history);
  partly_init(&s->partly);
  partly_init(&s->dropped);
  if (!start(s, err)) store_free(&s);
  return s;
}

void store_free(struct store **s) {
  struct store *x = *s;
  if (!x) return;
  x->stopping = true;
  while (x->peers) {
    struct peer *p = x->peers;
    store_process_lost(x, p->kind, p->number);
  }
  outbound_free(x);
  history_free(&x->history);
  dir_free(&x->dir);
  folders_free(&x->folders);
  locks_free(&x->locks);
  db_close(&x->db);
  dir_found_free(&x->found);
  partly_free(&x->partly);
  partly_free(&x->dropped);
  buf_free(&x->out);
  free(x);
  *s = NULL;
}

void store_reconfigure(struct store *s, const struct conf *conf) {
  s->conf = conf;
  s->dir.hostname = conf->hostname;
  rules_changed(s);
}

/* --- messages and jobs --- */

bool store_message(struct store *s, enum role kind, uint32_t number, const struct ipc_msg *m,
                   int64_t now_s) {
  struct peer *p = peer_get(s, kind, number);
  if (!p) return false;
  switch (kind) {
  case ROLE_SMTPD: return smtp_message(s, p, m, now_s);
  case ROLE_POP3D: return pop_message(s, p, m, now_s);
  case ROLE_AUTH: return grant_message(s, p, m, now_s);
  case ROLE_COLLECTOR: return collect_message(s, p, m, now_s);
  case ROLE_SENDER: return outbound_message(s, p, m, now_s);
  case ROLE_CLI: return admin_message(s, p, m, now_s);
  default: return false;
  }
}

void store_finish(struct store *s, struct store_job *job) {
  s->jobs_out--;
  if (job->group > s->groups) s->groups = job->group;
  if (job->result == JOB_NO_SPACE) notice_disk_full(s, job->now_s);
  finish_job(s, job);
  if (!job->again) {
    job_free(job);
    return;
  }
  job->again = false;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, job, job_kind_writes(job->kind));
}

bool store_broken(const struct store *s) { return s->dir.failed || s->folders.failed; }

bool store_restarts(const struct store *s) { return s->restarts; }

uint64_t store_jobs_out(const struct store *s) { return s->jobs_out; }

void store_stop(struct store *s) {
  history_flush(s, s->outbound.now_s);
  s->stopping = true;
  for (struct peer *p = s->peers; p; p = p->next)
    while (p->kind == ROLE_CLI && p->sessions) session_end(s, p->sessions);
}
