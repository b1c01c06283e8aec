/* SPDX-License-Identifier: ISC */
/* Writes a message's remote recipients into the queue, in the transaction of the message. */
#include "src/store/sql/queue_count.h"
#include "src/store/sql/work.h"

static void bind_text_or_null(struct db_stmt *s, int at, struct slice text) {
  if (text.n)
    db_bind_text(s, at, text);
  else
    db_bind_null(s, at);
}

/* In lower case; empty: it has none. */
static struct slice domain_of(struct slice path, uint8_t to[ENVELOPE_PATH_MAX]) {
  ptrdiff_t at = slice_rfind(path, '@');
  struct slice domain = at < 0 ? SLICE_NONE : slice_from(path, (size_t)at + 1);
  return slice_lower(slice_first(domain, ENVELOPE_PATH_MAX), to);
}

static struct queue_tally tally_of(const struct queue_rcpt *rcpts, size_t count) {
  struct queue_tally t = { { 0 } };
  for (size_t i = 0; i < count; i++)
    t.n[queue_kind_of(rcpts[i].held ? QUEUE_HELD : QUEUE_WAITING, rcpts[i].why, 0)]++;
  return t;
}

static enum db_result put_letter(struct store_engine *e, uint64_t body, int64_t now_s,
                                 const struct queue_letter *l, const struct queue_tally *t) {
  struct db_stmt *s = db_prepare(
      e->db, "INSERT INTO letter (body, return_path, envid, ret, flags, account, came, name,"
             " waiting, held, limited, failing, domain)"
             " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT name FROM body WHERE id = ?1),"
             " ?8, ?9, ?10, ?11, ?12)");
  uint8_t domain[ENVELOPE_PATH_MAX];
  for (int k = 0; k < QUEUE_KINDS; k++) db_bind_int(s, 8 + k, t->n[k]);
  db_bind_int(s, 1, (int64_t)body);
  db_bind_text(s, 2, l->return_path.n ? l->return_path : SLICE(""));
  bind_text_or_null(s, 3, l->envid);
  db_bind_int(s, 4, l->ret);
  db_bind_int(s, 5, l->flags);
  db_bind_int(s, 6, (int64_t)l->account);
  db_bind_int(s, 7, now_s);
  bind_text_or_null(s, 12, domain_of(l->return_path, domain));
  return db_run(s);
}

static enum db_result put_recipient(struct store_engine *e, uint64_t body, int64_t now_s,
                                    int64_t expires_s, const struct queue_rcpt *r) {
  struct db_stmt *s = db_prepare(e->db, "INSERT INTO recipient (body, destination, address, orcpt, "
                                        "notify, state, due, expires, forwarder,"
                                        " held_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  db_bind_int(s, 1, (int64_t)body);
  db_bind_text(s, 2, r->destination);
  db_bind_text(s, 3, r->address);
  bind_text_or_null(s, 4, r->orcpt);
  db_bind_int(s, 5, r->notify);
  db_bind_int(s, 6, r->held ? QUEUE_HELD : QUEUE_WAITING);
  db_bind_int(s, 7, now_s);
  db_bind_int(s, 8, expires_s);
  bind_text_or_null(s, 9, r->forwarder);
  db_bind_int(s, 10, r->why);
  return db_run(s);
}

enum db_result queue_write(struct store_engine *e, uint64_t body, int64_t now_s, int64_t expires_s,
                           const struct queue_letter *l, const struct queue_rcpt *rcpts,
                           size_t count) {
  const struct queue_tally t = tally_of(rcpts, count);
  enum db_result r = put_letter(e, body, now_s, l, &t);
  if (r == DB_OK) r = queue_count_new(e, l->account, &t);
  for (size_t i = 0; r == DB_OK && i < count; i++)
    r = put_recipient(e, body, now_s, expires_s, &rcpts[i]);
  return r;
}
