/* SPDX-License-Identifier: ISC */
/* Shows the queue: queue list, letter (for queue show), body, history; status queue and status
 * held, which count. Times are seconds since 1970. */
#include "src/store/sql/admin_queue.h"

#include <stdlib.h>

#include "mail/smtp/client.h"
#include "src/store/jobs/result.h"
#include "src/store/sql/attempt.h"
#include "src/store/sql/send_limits.h"
#include "src/store/sql/directory.h"
#include "src/store/sql/queue.h"
#include "src/store/sql/work.h"

enum { LOOK_FOR_LIST = 1000, BODY_A_SLICE = 48 * 1024, WAYS_SHOWN = 200 };

/* --- queue list --- */

/* The last attempt's reply, and details of the reason. */
static struct slice last_of(struct admin_job *a, const struct selected *s) {
  struct buf b;
  buf_init(&b, 700);
  if (s->held && s->held_by) buf_printf(&b, "held for %s; ", send_limits_words(s->held_by));
  if (s->to_fail && s->why.in_hands) buf_put_str(&b, "when the sender gives it back; ");
  if (s->why.reason == QUEUE_REASON_SESSION)
    buf_printf(&b, "in session %llu; ", (unsigned long long)s->why.session);
  if (!s->tries) buf_put_str(&b, "not tried yet");
  if (s->code) buf_printf(&b, "%lld ", (long long)s->code);
  buf_put(&b, slice_first(s->reply, 512));
  struct slice text = admin_copy(a, buf_slice(&b));
  buf_free(&b);
  return text;
}

/* When the next action is due, which may be past; nothing if it is held. */
static struct slice next_of(struct admin_job *a, const struct selected *s) {
  if (s->held || s->to_fail) return SLICE("");
  return admin_num(a, (uint64_t)(s->why.until_s ? s->why.until_s : s->due));
}

enum db_result verb_queue_list(struct store_engine *e, struct admin_job *a) {
  struct selection *x;
  struct selected s;
  enum db_result r;
  size_t looked = 0;
  admin_columns(a, "id from to size date tries next reason class last expires");
  if (!selection_ready(e, a, &x, &r)) return r;
  while (selection_next(e, a, x, LOOK_FOR_LIST, &looked, &s, &r))
    ADMIN_ROW(a, s.name, s.return_path.n ? s.return_path : SLICE("<>"), s.address,
              admin_num(a, (uint64_t)s.size), admin_num(a, (uint64_t)s.came),
              admin_num(a, (uint64_t)s.tries), next_of(a, &s),
              slice_str(queue_reason_word(s.why.reason)), s.class, last_of(a, &s),
              s.to_fail ? SLICE("") : admin_num(a, (uint64_t)s.expires));
  return r;
}

/* --- one message --- */

static struct slice ret_word(int64_t ret) {
  return ret == SMTP_RET_FULL ? SLICE("full") : ret == SMTP_RET_HDRS ? SLICE("headers") : SLICE("");
}

static struct slice needs_of(int64_t flags) {
  if (flags & ENVELOPE_UTF8) return SLICE("SMTPUTF8");
  return flags & ENVELOPE_EIGHT_BIT ? SLICE("8BITMIME") : SLICE("");
}

/* The envelope: what all recipients of a message share. */
enum db_result verb_queue_letter(struct store_engine *e, struct admin_job *a) {
  struct db_stmt *s = db_prepare(
      e->db,
      "SELECT l.name, l.return_path, coalesce(x.name, ''), coalesce(l.envid, ''), l.ret, l.flags, "
      "b.size,"
      " l.came, b.refs, (SELECT count(*) FROM recipient r WHERE r.body = l.body) FROM letter l"
      " JOIN body b ON b.id = l.body LEFT JOIN account x ON x.id = l.account WHERE l.name = ?");
  enum db_result r;
  db_bind_text(s, 1, a->words[0]);
  admin_columns(a, "id from account envid ret needs size date recipients");
  while ((r = db_step(s)) == DB_ROW)
    ADMIN_ROW(a, db_bytes(s, 0), db_bytes(s, 1).n ? db_bytes(s, 1) : SLICE("<>"), db_bytes(s, 2),
              db_bytes(s, 3), ret_word(db_int(s, 4)), needs_of(db_int(s, 5)),
              admin_num(a, (uint64_t)db_int(s, 6)), admin_num(a, (uint64_t)db_int(s, 7)),
              admin_num(a, (uint64_t)db_int(s, 9)));
  db_reset(s);
  return r;
}

/* --- the ways of its recipients --- */

/* The properties that select the sender's route, as words for its command "tls": the recipient's
 * domain, the sender's, and the account (src/store/owner/routes.h). */
static void put_way(struct db_stmt *s, struct buf *to) {
  const struct queue_letter l = { .return_path = db_bytes(s, 1), .flags = (uint8_t)db_int(s, 2) };
  struct slice destination = db_bytes(s, 0), forwarder = db_bytes(s, 3), account = db_bytes(s, 4);
  struct slice path = queue_known_path(&l, forwarder);
  buf_put(to, slice_split(&destination, ' '));
  if (slice_rfind(path, '@') >= 0) {
    buf_put_str(to, " from:");
    dir_fold_domain(to, path);
  }
  if (path.n && !forwarder.n && account.n) buf_printf(to, " account:%.*s", SLICE_ARG(account));
}

enum db_result verb_queue_ways(struct store_engine *e, struct admin_job *a) {
  struct db_stmt *s = db_prepare(
      e->db, "SELECT DISTINCT r.destination, l.return_path, l.flags, coalesce(r.forwarder, ''),"
             " coalesce(x.name, '') FROM letter l JOIN recipient r ON r.body = l.body"
             " LEFT JOIN account x ON x.id = l.account WHERE l.name = ?1 ORDER BY 1 LIMIT ?2");
  enum db_result r;
  db_bind_text(s, 1, a->words[0]);
  db_bind_int(s, 2, WAYS_SHOWN);
  admin_columns(a, "way");
  while ((r = db_step(s)) == DB_ROW) {
    struct buf way;
    buf_init(&way, 4096);
    put_way(s, &way);
    ADMIN_ROW(a, admin_copy(a, buf_slice(&way)));
    buf_free(&way);
  }
  db_reset(s);
  return r;
}

/* --- queue body --- */

struct printing {
  uint64_t body, at;
};

static enum db_result find_body(struct store_engine *e, struct admin_job *a, uint64_t *ret) {
  struct db_stmt *s =
      db_prepare(e->db, "SELECT body FROM letter WHERE name = ? ORDER BY body LIMIT 1");
  db_bind_text(s, 1, a->words[0]);
  enum db_result r = db_step(s);
  *ret = r == DB_ROW ? (uint64_t)db_int(s, 0) : 0;
  db_reset(s);
  if (r == DB_ROW) return DB_OK;
  return r == DB_OK ? admin_send(a, CLI_NOT_FOUND, "no message with that id is in the queue") : r;
}

/* As it is sent: without our Return-Path: line. */
enum db_result verb_queue_body(struct store_engine *e, struct admin_job *a) {
  struct printing *p = a->state;
  enum db_result r;
  struct buf octets;
  if (!p) {
    p = calloc(1, sizeof *p);
    if (!p) return DB_NOMEM;
    admin_set_state(a, p, free);
    r = find_body(e, a, &p->body);
    if (r != DB_OK || !p->body) return r;
  }
  buf_init(&octets, BODY_A_SLICE);
  r = queue_octets(e, p->body, p->at, BODY_A_SLICE, &octets);
  struct slice some = buf_slice(&octets);
  size_t skip = p->at ? 0 : queue_own_line(some);
  if (r == DB_OK && some.n > skip) admin_output(a, slice_from(some, skip));
  p->at += some.n;
  a->job.again = r == DB_OK && some.n == BODY_A_SLICE;
  buf_free(&octets);
  return r;
}

/* --- queue history --- */

/* By the built-in classification rules. */
static struct slice class_of(struct db_stmt *s, int64_t what) {
  int64_t packed = db_int(s, 11);
  const uint8_t enhanced[3] = { (uint8_t)(packed >> 16), (uint8_t)(packed >> 8), (uint8_t)packed };
  if (!attempt_was_in_vain(what)) return SLICE("");
  return slice_str(
      smtp_class_word(smtp_class_of(NULL, (uint16_t)db_int(s, 6), enhanced, db_bytes(s, 7))));
}

enum db_result verb_queue_history(struct store_engine *e, struct admin_job *a) {
  struct db_stmt *s =
      db_prepare(e->db, "SELECT at, name, return_path, address, what, stage, code, reply, host, "
                        "ip, tls, enhanced, due FROM attempt"
                        " WHERE name = ?1 OR address = ?1 ORDER BY id DESC LIMIT 1000");
  enum db_result r;
  db_bind_text(s, 1, a->words[0]);
  admin_columns(a, "date id from to what stage host address tls code class reply next");
  while ((r = db_step(s)) == DB_ROW) {
    int64_t what = db_int(s, 4);
    ADMIN_ROW(a, admin_num(a, (uint64_t)db_int(s, 0)), db_bytes(s, 1),
              db_bytes(s, 2).n ? db_bytes(s, 2) : SLICE("<>"), db_bytes(s, 3),
              slice_str(attempt_word(what)), slice_str(attempt_stage_word(db_int(s, 5))),
              db_bytes(s, 8), db_bytes(s, 9), db_bytes(s, 10), admin_num(a, (uint64_t)db_int(s, 6)),
              class_of(s, what), db_bytes(s, 7),
              db_is_null(s, 12) ? SLICE("") : admin_num(a, (uint64_t)db_int(s, 12)));
  }
  db_reset(s);
  return r;
}

/* --- status queue --- */

/* A message counts in each state that one of its recipients is in. Since: the oldest of them. */
static const struct {
  const char *word, *count, *since;
  bool always; /* shown even if there are none */
} states[] = {
  { "waiting", "SELECT sum(recipients), sum(messages) FROM queue_count WHERE kind = 0",
    "SELECT came FROM letter WHERE waiting > 0 ORDER BY came LIMIT 1", true },
  { "held", "SELECT sum(recipients), sum(messages) FROM queue_count WHERE kind IN (1, 2)",
    "SELECT l.came FROM recipient r JOIN letter l ON l.body = r.body WHERE r.state = 1"
    " AND r.expires <> -1 ORDER BY r.id LIMIT 1",
    true },
  { "to-be-failed", "SELECT sum(recipients), sum(messages) FROM queue_count WHERE kind = 3",
    "SELECT l.came FROM recipient r JOIN letter l ON l.body = r.body WHERE r.expires = -1"
    " ORDER BY r.id LIMIT 1",
    false },
};

static enum db_result since_when(struct store_engine *e, struct admin_job *a, size_t state,
                                 struct slice *ret) {
  struct db_stmt *s = db_prepare(e->db, states[state].since);
  enum db_result r = db_step(s);
  if (r == DB_ROW) *ret = admin_num(a, (uint64_t)db_int(s, 0));
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

static bool take_earlier(void *arg, struct slice destination, int64_t due) {
  int64_t *first = arg;
  if (due < *first) *first = due;
  return true;
}

/* When the first waiting one was or is due; "" if none waits. Reads one row of each destination,
 * not the whole queue. */
static enum db_result first_due(struct store_engine *e, struct admin_job *a, struct slice *ret) {
  int64_t first = SCHED_NEVER;
  enum db_result r = queue_destinations(e->db, take_earlier, &first);
  if (r == DB_OK && first != SCHED_NEVER) *ret = admin_num(a, (uint64_t)first);
  return r;
}

static enum db_result state_row(struct store_engine *e, struct admin_job *a, size_t state) {
  struct slice since = SLICE(""), due = SLICE("");
  struct db_stmt *s = db_prepare(e->db, states[state].count);
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r == DB_OK ? DB_CORRUPT : r;
  int64_t recipients = db_int(s, 0), messages = db_int(s, 1);
  db_reset(s);
  if (!recipients && !states[state].always) return DB_OK;
  if (recipients && (r = since_when(e, a, state, &since)) != DB_OK) return r;
  if (state == 0 && (r = first_due(e, a, &due)) != DB_OK) return r;
  ADMIN_ROW(a, slice_str(states[state].word), admin_num(a, (uint64_t)recipients),
            admin_num(a, (uint64_t)messages), since, due);
  return DB_OK;
}

/* A row for each state: how many, since when the oldest is here, and when the first was or is due.
 * Those in a sender's hands are counted too: one may be late because the other server is slow. */
enum db_result verb_status_queue(struct store_engine *e, struct admin_job *a) {
  enum db_result r = DB_OK;
  admin_columns(a, "state recipients messages since due");
  for (size_t i = 0; r == DB_OK && i < sizeof states / sizeof *states; i++) r = state_row(e, a, i);
  return r;
}

/* --- status held --- */

enum { HELD_ROWS_MAX = 50 };

/* The selectors of queue list and queue release that match exactly these. */
static struct slice held_selectors(struct admin_job *a, struct slice account, struct slice reason) {
  struct buf b;
  buf_init(&b, 600);
  if (account.n) buf_printf(&b, "account=%.*s ", SLICE_ARG(account));
  buf_printf(&b, "reason=%.*s", SLICE_ARG(reason));
  struct slice words = admin_copy(a, buf_slice(&b));
  buf_free(&b);
  return words;
}

/* For mail that came without a login, the oldest is searched among held mail; otherwise among the
 * account's. */
#define HELD_SINCE                                                                               \
  "CASE q.account WHEN 0 THEN (SELECT l.came FROM recipient r JOIN letter l ON l.body = r.body"  \
  " WHERE r.state = 1 AND r.expires <> -1 AND l.account = 0 AND (r.held_by <> 0) = (q.kind = 2)" \
  " ORDER BY r.id LIMIT 1) ELSE (SELECT l.came FROM letter l WHERE l.account = q.account"        \
  " AND CASE q.kind WHEN 1 THEN l.held ELSE l.limited END > 0 ORDER BY l.body LIMIT 1) END"

/* A row for each account and reason, the most first. */
enum db_result verb_status_held(struct store_engine *e, struct admin_job *a) {
  struct db_stmt *s = db_prepare(
      e->db, "SELECT coalesce(x.name, ''), q.kind = 2, q.recipients, q.messages, " HELD_SINCE
             " FROM queue_count q LEFT JOIN account x ON x.id = q.account"
             " WHERE q.kind IN (1, 2) ORDER BY q.recipients DESC LIMIT ?");
  enum db_result r;
  db_bind_int(s, 1, HELD_ROWS_MAX);
  admin_columns(a, "account reason recipients messages since select");
  while ((r = db_step(s)) == DB_ROW) {
    struct slice account = admin_copy(a, db_bytes(s, 0));
    struct slice reason =
        slice_str(queue_reason_word(db_int(s, 1) ? QUEUE_REASON_LIMITS : QUEUE_REASON_HELD));
    ADMIN_ROW(a, account, reason, admin_num(a, (uint64_t)db_int(s, 2)),
              admin_num(a, (uint64_t)db_int(s, 3)), admin_num(a, (uint64_t)db_int(s, 4)),
              held_selectors(a, account, reason));
  }
  db_reset(s);
  return r;
}
