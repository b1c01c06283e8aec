/* SPDX-License-Identifier: ISC */
/* Reads rows of the queue: those due next at a destination, more octets of a letter, those that
 * have expired. */

#include "mail/header.h"
#include "mail/srs.h"
#include "src/store/sql/body_row.h"
#include "src/store/sql/queue.h"
#include "src/store/sql/work.h"

enum {
  TAKE_MEMORY = 8 * 1024 * 1024,  /* for one take; what does not fit waits for the next */
  TAKE_OCTETS = IPC_CHUNK - 1024, /* of a body, at once: as much as send_letter carries */
  TAKE_LINE_MAX = 1024,           /* "Return-Path: <…>", "Delivered-To: …" */
  SRS_PATH_MAX = 254,             /* maximum length of a rewritten path that others accept (RFC 5321
                                   * §4.5.3.1.3) */
  EXPIRED_A_SLICE = 200,
  LATE_LETTERS_A_SLICE = 500, /* looked at */
  LATE_ROWS_A_SLICE = 200,
};

#define ROW_COLUMNS                                                                          \
  "id, body, address, orcpt, notify, state, due, expires, tries, delay, forwarder, doubts, " \
  "held_by"

/* --- octets --- */

enum db_result queue_octets(struct store_engine *e, uint64_t body, uint64_t at, size_t n,
                            struct buf *out) {
  struct db_stmt *s = db_prepare(e->db, "SELECT " BODY_ROW " FROM body b WHERE b.id = ?");
  struct body_row b;
  db_bind_int(s, 1, (int64_t)body);
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r == DB_OK ? DB_CORRUPT : r;
  body_row_get(&b, s, 0);
  int read = body_row_read(e->disk, &b, NULL, at, n, out);
  db_reset(s);
  return body_is_damage(read) ? DB_CORRUPT : db_result_of(read);
}

enum db_result octets_run(struct store_engine *e, struct store_job *j) {
  struct octets_job *o = (struct octets_job *)j;
  buf_init(&o->octets, IPC_CHUNK);
  enum db_result r = queue_octets(e, o->body, o->offset, IPC_CHUNK, &o->octets);
  if (r != DB_OK) buf_free(&o->octets);
  return r;
}

/* --- letters --- */

static bool copy(struct arena *a, struct slice from, struct slice *to) {
  *to = from.n ? arena_copy(a, from) : SLICE_NONE;
  return !from.n || to->p;
}

static bool was_forwarded_by(struct slice message, struct slice forwarder) {
  struct header_field field;
  while (header_next(&message, &field))
    if (slice_caseeq(field.name, SLICE("Delivered-To")) &&
        slice_caseeq(slice_trim(field.body), forwarder))
      return true;
  return false;
}

/* The first octets to be sent, after the Delivered-To: line by which a forwarder recognises a
 * loop. */
static bool put_first(struct arena *a, struct taken_letter *l, struct slice message) {
  struct buf first;
  buf_init(&first, TAKE_OCTETS);
  if (l->forwarder.n) buf_printf(&first, "Delivered-To: %.*s\r\n", SLICE_ARG(l->forwarder));
  l->before = (uint32_t)buf_len(&first);
  buf_put(&first, slice_first(message, TAKE_OCTETS - l->before));
  bool fine = !first.failed && copy(a, buf_slice(&first), &l->octets);
  buf_free(&first);
  return fine;
}

static enum db_result read_octets(struct store_engine *e, struct arena *a, struct taken_letter *l) {
  struct buf octets;
  buf_init(&octets, TAKE_OCTETS + TAKE_LINE_MAX);
  enum db_result r = queue_octets(e, l->body, 0, TAKE_OCTETS + TAKE_LINE_MAX, &octets);
  if (r == DB_OK) {
    l->skip = queue_own_line(buf_slice(&octets));
    l->size -= l->skip < l->size ? l->skip : l->size;
    struct slice message = slice_from(buf_slice(&octets), l->skip);
    l->loops = l->forwarder.n && was_forwarded_by(message, l->forwarder);
    if (!put_first(a, l, message)) r = DB_NOMEM;
    l->size += l->before;
  }
  buf_free(&octets);
  return r;
}

/* A path that cannot be rewritten is sent unchanged: the next server may distrust it, but the
 * sender still gets the reports. */
static bool set_wire_path(struct arena *a, struct taken_letter *l, struct slice secret,
                          int64_t now_s) {
  struct slice domain = slice_from(l->forwarder, (size_t)(slice_rfind(l->forwarder, '@') + 1));
  l->wire_path = l->letter.return_path;
  if (!l->forwarder.n || (l->letter.flags & QUEUE_PATH_OURS)) return true;
  struct buf path;
  buf_init(&path, ENVELOPE_PATH_MAX);
  bool rewritten = srs_forward(&path, secret, l->letter.return_path, domain, now_s, SRS_PATH_MAX);
  bool fine = !rewritten || copy(a, buf_slice(&path), &l->wire_path);
  buf_free(&path);
  return fine;
}

/* The data shared by the recipients of a body. */
static enum db_result read_letter(struct store_engine *e, struct arena *a, struct taken_letter *l) {
  struct db_stmt *s = db_prepare(
      e->db, "SELECT l.return_path, l.envid, l.ret, l.flags, l.account, l.came, b.size, b.name"
             " FROM letter l JOIN body b ON b.id = l.body WHERE l.body = ?");
  db_bind_int(s, 1, (int64_t)l->body);
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r == DB_OK ? DB_CORRUPT : r;
  bool fine = copy(a, db_bytes(s, 0), &l->letter.return_path) &&
              copy(a, db_bytes(s, 1), &l->letter.envid) && copy(a, db_bytes(s, 7), &l->name);
  l->letter.ret = (uint8_t)db_int(s, 2);
  l->letter.flags = (uint8_t)db_int(s, 3);
  l->letter.account = (uint64_t)db_int(s, 4);
  l->came_s = db_int(s, 5);
  l->size = (uint64_t)db_int(s, 6);
  db_reset(s);
  return fine ? DB_OK : DB_NOMEM;
}

static bool read_row(struct arena *a, struct db_stmt *s, struct taken_rcpt *r) {
  *r = (struct taken_rcpt){
    .row = (uint64_t)db_int(s, 0),
    .notify = (uint8_t)db_int(s, 4),
    .state = (uint8_t)db_int(s, 5),
    .held_by = (uint8_t)db_int(s, 12),
    .due = db_int(s, 6),
    .expires = db_int(s, 7),
    .tries = (uint32_t)db_int(s, 8),
    .doubts = (uint32_t)db_int(s, 11),
    .delay = (uint32_t)db_int(s, 9),
  };
  return copy(a, db_bytes(s, 2), &r->address) && copy(a, db_bytes(s, 3), &r->orcpt);
}

static struct slice forwarder_of(struct db_stmt *s) {
  return db_is_null(s, 10) ? SLICE_NONE : db_bytes(s, 10);
}

/* Room for one more recipient: 1, 2, 4 … SEND_RCPTS_MAX. */
static bool make_room(struct arena *a, struct taken_letter *l) {
  if (l->count && (l->count & (l->count - 1))) return true;
  struct taken_rcpt *more = arena_alloc(a, (l->count ? 2 * l->count : 1) * sizeof *more);
  if (!more) return false;
  if (l->count) memcpy(more, l->rcpts, l->count * sizeof *more);
  l->rcpts = more;
  return true;
}

/* Long addresses and ORCPTs may fill a letter's list before it has SEND_RCPTS_MAX recipients. */
static bool has_room(const struct taken_letter *l) {
  enum { ROW_MAX = ENVELOPE_RCPT_HEAD + ENVELOPE_PATH_MAX + ENVELOPE_ORCPT_MAX };
  return l->count < SEND_RCPTS_MAX && l->row_octets + ROW_MAX <= SEND_ROWS_MAX;
}

static bool fits(const struct taken_letter *l, uint64_t body, struct slice forwarder, bool over) {
  return l && l->body == body && l->over == over && has_room(l) &&
         slice_eq(l->forwarder, forwarder);
}

/* The letter to which a row of `body` is to be added: the current one, or a new one after it. */
static struct taken_letter *letter_for(struct arena *a, struct taken_letter ***end,
                                       struct taken_letter *present, uint64_t body,
                                       struct slice forwarder, bool over) {
  if (fits(present, body, forwarder, over)) return make_room(a, present) ? present : NULL;
  struct taken_letter *l = arena_alloc(a, sizeof *l);
  if (!l || !make_room(a, l) || !copy(a, forwarder, &l->forwarder)) return NULL;
  l->body = body;
  l->over = over;
  **end = l;
  *end = &l->next;
  return l;
}

static void add_row(struct taken_letter *l, const struct taken_rcpt *row) {
  l->rcpts[l->count++] = *row;
  l->row_octets += ENVELOPE_RCPT_HEAD + row->address.n + row->orcpt.n;
}

/* --- the take --- */

static struct db_stmt *rows_beyond(struct store_engine *e, const struct take_job *t) {
  struct db_stmt *s =
      db_prepare(e->db, QUEUE_BEYOND("SELECT " ROW_COLUMNS
                                     " FROM recipient WHERE state = 0 AND destination = ?3 AND ",
                                     "due", "id", ""));
  db_bind_int(s, 1, t->cursor.due);
  db_bind_int(s, 2, (int64_t)t->cursor.row);
  db_bind_text(s, 3, t->destination);
  return s;
}

/* Rows until enough letters are full, memory is used up, or the next row is not due yet. */
static enum db_result take_rows(struct store_engine *e, struct take_job *t) {
  struct db_stmt *s = rows_beyond(e, t);
  struct taken_letter **end = &t->letters, *l = NULL;
  enum db_result r;
  while ((r = db_step(s)) == DB_ROW) {
    struct taken_rcpt row;
    int64_t due = db_int(s, 6);
    uint64_t body = (uint64_t)db_int(s, 1);
    struct slice forwarder = forwarder_of(s);
    bool over = db_int(s, 7) <= t->job.now_s;
    bool stop = due > t->job.now_s || (!fits(l, body, forwarder, over) && t->count == t->most) ||
                t->memory.used > TAKE_MEMORY / 2;
    struct taken_letter *next =
        stop ? NULL : letter_for(&t->memory, &end, l, body, forwarder, over);
    if (!next || !read_row(&t->memory, s, &row)) {
      t->next_due = due;
      break;
    }
    t->count += next != l;
    l = next;
    add_row(l, &row);
    t->cursor = (struct sched_cursor){ row.due, row.row };
  }
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

/* Removes letters without rows (memory ran out in between). */
static void drop_empty(struct take_job *t) {
  for (struct taken_letter **at = &t->letters; *at;)
    if ((*at)->count)
      at = &(*at)->next;
    else
      *at = (*at)->next;
}

enum db_result take_run(struct store_engine *e, struct store_job *j) {
  struct take_job *t = (struct take_job *)j;
  arena_init(&t->memory, TAKE_MEMORY);
  t->next_due = SCHED_NEVER;
  enum db_result r = take_rows(e, t);
  drop_empty(t);
  for (struct taken_letter *l = t->letters; r == DB_OK && l; l = l->next) {
    r = read_letter(e, &t->memory, l);
    if (r == DB_OK && !set_wire_path(&t->memory, l, t->secret, t->job.now_s)) r = DB_NOMEM;
    if (r != DB_OK) continue;
    enum db_result octets = read_octets(e, &t->memory, l);
    if (octets == DB_IOERR) r = octets;
    /* the sender's request for more octets is then answered with an error */
    if (octets != DB_OK) l->octets = SLICE_NONE;
  }
  return r;
}

/* --- expired recipients --- */

/* By the cursor, not from the beginning: rows in a sender's hands stay in the table, and must not
 * hide those after them. Rows of a message have one deadline, so they come together. */
static enum db_result expired_rows(struct store_engine *e, struct expired_job *x) {
  struct db_stmt *s =
      db_prepare(e->db, QUEUE_BEYOND("SELECT " ROW_COLUMNS " FROM recipient WHERE ", "expires",
                                     "id", " AND expires <= ?3") " LIMIT ?4");
  struct taken_letter **end = &x->letters, *l = NULL;
  enum db_result r;
  db_bind_int(s, 1, x->from.expires);
  db_bind_int(s, 2, x->from.row);
  db_bind_int(s, 3, x->job.now_s);
  db_bind_int(s, 4, EXPIRED_A_SLICE);
  size_t n = 0;
  while ((r = db_step(s)) == DB_ROW) {
    struct taken_rcpt row;
    x->full = ++n == EXPIRED_A_SLICE;
    l = letter_for(&x->memory, &end, l, (uint64_t)db_int(s, 1), SLICE_NONE, true);
    if (!l || !read_row(&x->memory, s, &row)) break;
    x->from = (struct queue_cursor){ row.expires, (int64_t)row.row };
    add_row(l, &row);
  }
  db_reset(s);
  return r == DB_ROW ? DB_NOMEM : r;
}

enum db_result expired_run(struct store_engine *e, struct store_job *j) {
  struct expired_job *x = (struct expired_job *)j;
  arena_init(&x->memory, TAKE_MEMORY);
  enum db_result r = expired_rows(e, x);
  for (struct taken_letter *l = x->letters; r == DB_OK && l; l = l->next)
    r = read_letter(e, &x->memory, l);
  return r;
}

/* --- late recipients --- */

/* The rows of one letter that were not reported yet. */
static enum db_result late_rows(struct store_engine *e, struct late_job *x,
                                struct taken_letter ***end, size_t *rows) {
  struct db_stmt *s = db_prepare(e->db, "SELECT " ROW_COLUMNS " FROM recipient WHERE body = ? AND"
                                        " id > ? AND warned = 0 ORDER BY id");
  struct taken_letter *l = NULL;
  enum db_result r = DB_OK;
  db_bind_int(s, 1, (int64_t)x->from.body);
  db_bind_int(s, 2, (int64_t)x->from.row);
  while (*rows < LATE_ROWS_A_SLICE && (r = db_step(s)) == DB_ROW) {
    struct taken_rcpt row;
    l = letter_for(&x->memory, end, l, x->from.body, SLICE_NONE, false);
    if (!l || !read_row(&x->memory, s, &row)) {
      db_reset(s);
      return DB_NOMEM;
    }
    add_row(l, &row);
    x->from.row = row.row;
    ++*rows;
  }
  db_reset(s);
  x->full = *rows >= LATE_ROWS_A_SLICE;
  if (x->full) return DB_OK;
  x->from.row = INT64_MAX; /* all of this letter */
  return r;
}

/* Except for reports, about which nobody is notified. */
static enum db_result late_letters(struct store_engine *e, struct late_job *x) {
  struct db_stmt *s =
      db_prepare(e->db, QUEUE_BEYOND("SELECT body, came FROM letter WHERE return_path <> '' AND ",
                                     "came", "body", " AND came <= ?3") " LIMIT ?4");
  struct taken_letter **end = &x->letters;
  enum db_result r, inner = DB_OK;
  size_t letters = 0, rows = 0;
  db_bind_int(s, 1, x->from.came);
  db_bind_int(s, 2, (int64_t)x->from.body - 1); /* it may have rows left */
  db_bind_int(s, 3, x->came_by);
  db_bind_int(s, 4, LATE_LETTERS_A_SLICE);
  while (inner == DB_OK && !x->full && (r = db_step(s)) == DB_ROW) {
    uint64_t body = (uint64_t)db_int(s, 0);
    letters++;
    if (body != x->from.body) x->from = (struct late_cursor){ db_int(s, 1), body, 0 };
    inner = late_rows(e, x, &end, &rows);
  }
  db_reset(s);
  x->full |= letters == LATE_LETTERS_A_SLICE;
  return inner != DB_OK ? inner : x->full ? DB_OK : r;
}

enum db_result late_run(struct store_engine *e, struct store_job *j) {
  struct late_job *x = (struct late_job *)j;
  arena_init(&x->memory, TAKE_MEMORY);
  enum db_result r = late_letters(e, x);
  for (struct taken_letter *l = x->letters; r == DB_OK && l; l = l->next)
    r = read_letter(e, &x->memory, l);
  return r;
}

/* --- the start --- */

/* The index has a destination's rows side by side, the earliest first. Few rows are read over; if
 * there are many, the scan seeks to the next destination. */
enum { ROWS_READ_OVER = 20 };

struct destinations {
  bool (*fn)(void *arg, struct slice destination, int64_t due);
  void *arg;
  struct buf from, last; /* where the query began; the last one reported */
};

/* Rows from the next destination on. DB_ROW: there may be more. */
static enum db_result some_destinations(struct db_stmt *s, struct destinations *d) {
  enum db_result r = DB_ROW;
  db_bind_text(s, 1, buf_len(&d->from) ? buf_slice(&d->from) : SLICE(""));
  for (size_t same = 0; same < ROWS_READ_OVER && (r = db_step(s)) == DB_ROW; same++) {
    if (slice_eq(db_bytes(s, 0), buf_slice(&d->last))) continue;
    same = 0;
    buf_reset(&d->last);
    buf_put(&d->last, db_bytes(s, 0));
    if (d->last.failed || !d->fn(d->arg, buf_slice(&d->last), db_int(s, 1))) r = DB_NOMEM;
    if (r != DB_ROW) break;
  }
  db_reset(s);
  buf_reset(&d->from);
  buf_put(&d->from, buf_slice(&d->last));
  return d->from.failed ? DB_NOMEM : r;
}

enum db_result queue_destinations(struct db *db,
                                  bool (*fn)(void *arg, struct slice destination, int64_t due),
                                  void *arg) {
  struct db_stmt *s = db_prepare(db, "SELECT destination, due FROM recipient WHERE state = 0"
                                     " AND destination > ? ORDER BY destination, due");
  struct destinations d = { .fn = fn, .arg = arg };
  enum db_result r;
  buf_init(&d.from, QUEUE_DESTINATION_MAX);
  buf_init(&d.last, QUEUE_DESTINATION_MAX);
  do r = some_destinations(s, &d);
  while (r == DB_ROW);
  buf_free(&d.from);
  buf_free(&d.last);
  return r;
}
