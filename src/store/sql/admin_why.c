/* SPDX-License-Identifier: ISC */
/* `qasid why`: the history of a message, from the session in which it came to the mailbox that it
 * is in.
 *
 *   words → ids of messages → for each: events of the history, attempts, waiting recipients,
 *   mailboxes
 *
 * A word is an id (possibly within one of our replies), a Message-ID, or an address. A reply that
 * refused mail ("550 5.1.1 …") shows which recipients were refused with it. The newest MESSAGES_MAX
 * messages are shown, each with at most ROWS_MAX rows of a kind. */
#include <stdio.h>

#include "mail/smtp/client.h"
#include "src/store/jobs/history.h"
#include "src/store/jobs/uidl.h"
#include "src/store/sql/admin_queue.h"
#include "src/store/sql/attempt.h"
#include "src/store/sql/history.h"
#include "src/store/sql/queue.h"
#include "src/store/sql/work.h"

enum { MESSAGES_MAX = 20, ROWS_MAX = 200, WORD_MAX = 500 };

struct why {
  struct store_engine *e;
  struct admin_job *a;
  struct db *history; /* NULL: not opened, there is no history */
  const struct queue_view *view;
  struct slice names[MESSAGES_MAX];
  size_t count;
  size_t rows;
};

/* --- ids --- */

static void add_name(struct why *w, struct slice name) {
  for (size_t i = 0; i < w->count; i++)
    if (slice_eq(w->names[i], name)) return;
  if (w->count == MESSAGES_MAX || !name.n) return;
  w->names[w->count] = admin_copy(w->a, name);
  w->count += w->names[w->count].p != NULL;
}

/* `sql` gives ids for one text, the newest first. */
static enum db_result names_by(struct why *w, struct db *db, const char *sql, struct slice text) {
  if (!db) return DB_OK;
  struct db_stmt *s = db_prepare(db, sql);
  enum db_result r = DB_OK;
  db_bind_text(s, 1, text);
  for (int i = 0; i < ROWS_MAX && (r = db_step(s)) == DB_ROW; i++) add_name(w, db_bytes(s, 0));
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

static enum db_result by_id(struct why *w, struct slice word) {
  enum db_result r = names_by(w, w->history, "SELECT name FROM event WHERE name = ? LIMIT 1", word);
  if (r == DB_OK)
    r = names_by(w, w->e->db, "SELECT name FROM attempt WHERE name = ? LIMIT 1", word);
  return r == DB_OK ? names_by(w, w->e->db, "SELECT name FROM letter WHERE name = ? LIMIT 1", word)
                    : r;
}

static enum db_result by_address(struct why *w, struct slice word) {
  static const char *const history[] = {
    "SELECT name FROM event WHERE message_id = ?1 ORDER BY id DESC",
    "SELECT name FROM event WHERE message_id = '<' || ?1 || '>' ORDER BY id DESC",
    "SELECT name FROM event WHERE recipient = ?1 ORDER BY id DESC",
    "SELECT name FROM event WHERE sender = ?1 ORDER BY id DESC"
  };
  static const char *const mail[] = {
    "SELECT name FROM attempt WHERE address = ?1 ORDER BY id DESC",
    ("SELECT l.name FROM recipient r JOIN letter l ON l.body = r.body WHERE r.address = ?1"
     " ORDER BY r.id DESC"),
    "SELECT name FROM letter WHERE return_path = ?1 ORDER BY body DESC"
  };
  enum db_result r = DB_OK;
  for (size_t i = 0; r == DB_OK && i < sizeof history / sizeof *history; i++)
    r = names_by(w, w->history, history[i], word);
  for (size_t i = 0; r == DB_OK && i < sizeof mail / sizeof *mail; i++)
    r = names_by(w, w->e->db, mail[i], word);
  return r;
}

/* A word without surrounding punctuation. */
static struct slice bare(struct slice word) {
  while (word.n && memchr("(\"',;:", word.p[0], 6)) word = slice_from(word, 1);
  while (word.n && memchr(")\"',;:.", word.p[word.n - 1], 7)) word.n--;
  return word;
}

static enum db_result find_names(struct why *w) {
  enum db_result r = DB_OK;
  for (size_t i = 0; r == DB_OK && i < w->a->count; i++) {
    struct slice rest = slice_first(w->a->words[i], WORD_MAX);
    while (r == DB_OK && rest.p) {
      struct slice word = bare(slice_split(&rest, ' '));
      if (word.n) r = slice_find(word, '@') >= 0 ? by_address(w, word) : by_id(w, word);
    }
  }
  return r;
}

/* --- rows --- */

static void row(struct why *w, int64_t at, struct slice name, const char *event, struct slice who,
                struct slice where, struct slice detail) {
  w->rows++;
  ADMIN_ROW(w->a, admin_num(w->a, at > 0 ? (uint64_t)at : 0), name, slice_str(event), who, where,
            detail);
}

static struct slice account_name(struct why *w, int64_t id) {
  struct db_stmt *s = db_prepare(w->e->db, "SELECT name FROM account WHERE id = ?");
  db_bind_int(s, 1, id);
  struct slice name = db_step(s) == DB_ROW ? admin_copy(w->a, db_bytes(s, 0))
                                           : SLICE("an account that was deleted");
  db_reset(s);
  return name;
}

enum why_place { IS_GONE, IS_KEPT, IS_THERE };

/* `uid`: the one under which it came; a deleted and restored message has another, *ret_uid, and
 * keeps its first UIDL, `shown`. */
static enum db_result find_in(struct why *w, const char *sql, int64_t folder, int64_t uid,
                              struct slice shown, int64_t *ret_uid, bool *ret_found) {
  struct db_stmt *s = db_prepare(w->e->db, sql);
  db_bind_int(s, 1, folder);
  db_bind_int(s, 2, uid);
  db_bind_text(s, 3, shown);
  enum db_result r = db_step(s);
  *ret_found = r == DB_ROW;
  if (r == DB_ROW) *ret_uid = db_int(s, 0);
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

static enum db_result shown_of(struct why *w, int64_t folder, int64_t uid, struct buf *ret) {
  struct db_stmt *s = db_prepare(w->e->db, "SELECT uidvalidity FROM folder WHERE id = ?");
  db_bind_int(s, 1, folder);
  enum db_result r = db_step(s);
  if (r == DB_ROW) uidl_put_own(ret, (uint32_t)db_int(s, 0), (uint32_t)uid);
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

static enum db_result place_of(struct why *w, int64_t folder, int64_t uid, int64_t *ret_uid,
                               enum why_place *ret) {
  static const struct {
    const char *sql;
    enum why_place place;
  } tables[] = { { "SELECT uid FROM entry WHERE folder = ?1 AND uid = ?2 UNION ALL"
                   " SELECT uid FROM entry WHERE folder = ?1 AND shown = ?3",
                   IS_THERE },
                 { "SELECT uid FROM deleted WHERE folder = ?1 AND uid = ?2 UNION ALL"
                   " SELECT uid FROM deleted WHERE folder = ?1 AND shown = ?3",
                   IS_KEPT } };
  struct buf shown;
  bool found = false;
  buf_init(&shown, 2 * UIDL_OWN);
  enum db_result r = shown_of(w, folder, uid, &shown);
  *ret = IS_GONE;
  *ret_uid = uid;
  for (size_t i = 0; r == DB_OK && !found && i < sizeof tables / sizeof *tables; i++) {
    r = find_in(w, tables[i].sql, folder, uid, buf_slice(&shown), ret_uid, &found);
    if (found) *ret = tables[i].place;
  }
  buf_free(&shown);
  return r;
}

static struct slice uid_text(struct why *w, int64_t uid) {
  char number[40];
  snprintf(number, sizeof number, "uid %lld", (long long)uid);
  return admin_copy(w->a, slice_str(number));
}

/* What POP3 did with it, and where it is now. */
static enum db_result follow(struct why *w, struct slice name, struct slice who, int64_t folder,
                             int64_t uid) {
  static const struct {
    const char *event, *text;
  } ends[] = { [IS_GONE] = { "is-gone", "it is not in the mailbox any more" },
               [IS_KEPT] = { "is-deleted", "qasid mail undelete restores it" },
               [IS_THERE] = { "is-there", "it lies in the mailbox" } };
  enum why_place place;
  int64_t now;
  enum db_result r = place_of(w, folder, uid, &now, &place);
  if (r != DB_OK) return r;
  struct db_stmt *s =
      db_prepare(w->history, "SELECT at, kind, uid FROM event WHERE folder = ? AND folder <> 0"
                             " AND uid IN (?, ?) AND kind >= 4 ORDER BY id LIMIT 200");
  db_bind_int(s, 1, folder);
  db_bind_int(s, 2, uid);
  db_bind_int(s, 3, now);
  while ((r = db_step(s)) == DB_ROW)
    row(w, db_int(s, 0), name, db_int(s, 1) == HISTORY_READ ? "pop3-read" : "pop3-deleted", who,
        uid_text(w, db_int(s, 2)), SLICE(""));
  db_reset(s);
  if (r == DB_OK)
    row(w, w->a->job.now_s, name, ends[place].event, who, uid_text(w, now),
        slice_str(ends[place].text));
  return r;
}

static enum db_result one_event(struct why *w, struct slice name, struct db_stmt *s) {
  int64_t kind = db_int(s, 1), account = db_int(s, 2);
  struct slice login = account ? account_name(w, account) : SLICE("");
  if (kind == HISTORY_ARRIVED) {
    row(w, db_int(s, 0), name, "arrived", admin_copy(w->a, db_bytes(s, 5)), login,
        admin_copy(w->a, db_bytes(s, 7)));
  } else if (kind == HISTORY_MAILBOX) {
    row(w, db_int(s, 0), name, "mailbox", login, SLICE(""), SLICE("put into the mailbox"));
    return follow(w, name, login, db_int(s, 3), db_int(s, 4));
  } else if (kind == HISTORY_QUEUED) {
    row(w, db_int(s, 0), name, "queued", admin_copy(w->a, db_bytes(s, 6)), SLICE(""),
        SLICE("elsewhere: put into the queue"));
  }
  return DB_OK;
}

static enum db_result events_of(struct why *w, struct slice name) {
  if (!w->history) return DB_OK;
  struct db_stmt *s = db_prepare(
      w->history,
      "SELECT at, kind, account, folder, uid, coalesce(sender, ''), coalesce(recipient, ''),"
      " coalesce(text, '') FROM event WHERE name = ? ORDER BY id LIMIT 200");
  enum db_result r, x = DB_OK;
  db_bind_text(s, 1, name);
  while (x == DB_OK && (r = db_step(s)) == DB_ROW) x = one_event(w, name, s);
  db_reset(s);
  return x != DB_OK ? x : r;
}

static enum db_result attempts_of(struct why *w, struct slice name) {
  struct db_stmt *s = db_prepare(
      w->e->db,
      "SELECT at, address, what, stage, code, reply, host, ip, tls FROM (SELECT * FROM attempt"
      " WHERE name = ? ORDER BY id DESC LIMIT 200) part ORDER BY id");
  enum db_result r;
  char text[800], where[400];
  db_bind_text(s, 1, name);
  while ((r = db_step(s)) == DB_ROW) {
    int64_t what = db_int(s, 2), code = db_int(s, 4);
    struct slice tls = db_bytes(s, 8);
    char number[8] = "";
    if (code) snprintf(number, sizeof number, "%d ", (int)(code % 1000));
    snprintf(where, sizeof where, "%.*s %.*s%s%.*s", SLICE_ARG(slice_first(db_bytes(s, 6), 255)),
             SLICE_ARG(slice_first(db_bytes(s, 7), 60)), tls.n ? " " : "",
             SLICE_ARG(slice_first(tls, 40)));
    const char *stage = attempt_stage_word(db_int(s, 3));
    snprintf(text, sizeof text, "%s%.*s%s%s%s", number, SLICE_ARG(slice_first(db_bytes(s, 5), 600)),
             *stage ? " (" : "", stage, *stage ? ")" : "");
    row(w, db_int(s, 0), name, attempt_word(what), admin_copy(w->a, db_bytes(s, 1)),
        admin_copy(w->a, slice_trim(slice_str(where))), admin_copy(w->a, slice_str(text)));
  }
  db_reset(s);
  return r;
}

static enum db_result waiting_of(struct why *w, struct slice name) {
  struct db_stmt *s = db_prepare(
      w->e->db,
      "SELECT r.id, r.address, r.destination, r.state, r.due, coalesce(r.class, ''), r.held_by, "
      "r.expires "
      "FROM letter l"
      " JOIN recipient r ON r.body = l.body WHERE l.name = ? ORDER BY r.id LIMIT 200");
  enum db_result r;
  char text[200];
  db_bind_text(s, 1, name);
  while ((r = db_step(s)) == DB_ROW) {
    const struct queue_held held = { db_int(s, 3) == QUEUE_HELD, db_int(s, 6) != 0,
                                     db_int(s, 7) == QUEUE_TO_FAIL };
    struct queue_why y = queue_view_why(w->view, (uint64_t)db_int(s, 0), db_bytes(s, 2), &held,
                                        db_int(s, 4), w->a->job.now_s);
    struct slice class = db_bytes(s, 5);
    snprintf(text, sizeof text, "%s%s%.*s", queue_reason_word(y.reason),
             class.n ? "; before: " : "", SLICE_ARG(slice_first(class, 60)));
    row(w, y.until_s ? y.until_s : w->a->job.now_s, name, "waits", admin_copy(w->a, db_bytes(s, 1)),
        SLICE(""), admin_copy(w->a, slice_str(text)));
  }
  db_reset(s);
  return r;
}

/* --- who was refused --- */

static enum db_result refused(struct why *w, const char *sql, struct slice value) {
  struct db_stmt *s = db_prepare(w->history, sql);
  enum db_result r;
  db_bind_text(s, 1, value);
  while ((r = db_step(s)) == DB_ROW)
    row(w, db_int(s, 0), SLICE(""), "refused", admin_copy(w->a, db_bytes(s, 2)),
        admin_copy(w->a, db_bytes(s, 1)), admin_copy(w->a, db_bytes(s, 3)));
  db_reset(s);
  return r;
}

#define REFUSED                                                                                \
  "SELECT at, coalesce(sender, '<>'), coalesce(recipient, ''), coalesce(text, '') FROM event " \
  "WHERE kind = 3 AND "

/* By an address among the words; without one, by the reply code at their beginning. */
static enum db_result refusals_of(struct why *w) {
  uint16_t code;
  uint8_t enhanced[3];
  struct slice text, first = w->a->words[0];
  enum db_result r = DB_OK;
  bool any = false;
  if (!w->history) return r;
  for (size_t i = 0; r == DB_OK && i < w->a->count; i++) {
    struct slice rest = slice_first(w->a->words[i], WORD_MAX);
    while (r == DB_OK && rest.p) {
      struct slice word = bare(slice_split(&rest, ' '));
      if (slice_find(word, '@') < 0) continue;
      any = true;
      r = refused(w, REFUSED "recipient = ?1 ORDER BY id DESC LIMIT 20", word);
      if (r == DB_OK) r = refused(w, REFUSED "sender = ?1 ORDER BY id DESC LIMIT 20", word);
    }
  }
  if (r != DB_OK || any || !smtp_class_split(first, &code, enhanced, &text) || code < 400) return r;
  return refused(w, REFUSED "substr(text, 1, 3) = substr(?1, 1, 3) ORDER BY id DESC LIMIT 20",
                 first);
}

/* --- the command --- */

/* The first slice runs in the writer: after it everything that has happened so far is in the
 * history. */
static bool is_behind_writer(struct admin_job *a) {
  bool behind = a->to_reader && !a->undone;
  a->job.again = !behind;
  a->to_reader = true;
  return behind;
}

enum db_result verb_why(struct store_engine *e, struct admin_job *a) {
  if (!a->view) return DB_NOMEM;
  if (!is_behind_writer(a)) return DB_OK;
  struct why w = { .e = e, .a = a, .history = history_db(e), .view = a->view };
  admin_columns(a, "date id event who where what");
  enum db_result r = find_names(&w);
  for (size_t i = w.count; r == DB_OK && i > 0; i--) {
    r = events_of(&w, w.names[i - 1]);
    if (r == DB_OK) r = attempts_of(&w, w.names[i - 1]);
    if (r == DB_OK) r = waiting_of(&w, w.names[i - 1]);
  }
  if (r == DB_OK) r = refusals_of(&w);
  if (r != DB_OK) db_close(&e->history);
  return r != DB_OK || w.rows ? r
                              : admin_send(a, CLI_NOT_FOUND,
                                           "nothing is known of it; the history goes back as far "
                                           "as queue_history and history_size let it");
}
