/* SPDX-License-Identifier: ISC */
/* Counts the queue's recipients and messages (queue_count.h). The changes of a group are collected
 * in the engine, and written once at the group's end; a rollback discards them. */
#include "src/store/sql/queue_count.h"

#include <stdlib.h>

enum queue_kind queue_kind_of(int64_t state, int64_t held_by, int64_t expires) {
  if (state == QUEUE_WAITING) return QUEUE_KIND_WAITING;
  if (expires == QUEUE_TO_FAIL) return QUEUE_KIND_FAILING;
  return held_by ? QUEUE_KIND_LIMITED : QUEUE_KIND_HELD;
}

/* --- what a group changes --- */

/* The newest first: a group concerns few accounts. NULL without memory. */
static struct queue_change *change_of(struct store_engine *e, enum queue_kind kind,
                                      uint64_t account) {
  for (struct queue_change *c = e->queue_changes; c; c = c->next)
    if (c->kind == kind && c->account == account) return c;
  struct queue_change *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  *c = (struct queue_change){ .next = e->queue_changes, .kind = kind, .account = account };
  return e->queue_changes = c;
}

static bool add(struct store_engine *e, enum queue_kind kind, uint64_t account, int64_t recipients,
                int64_t messages) {
  if (!recipients && !messages) return true;
  struct queue_change *c = change_of(e, kind, kind == QUEUE_KIND_WAITING ? 0 : account);
  if (!c) return false;
  c->recipients += recipients;
  c->messages += messages;
  return true;
}

enum db_result queue_count_new(struct store_engine *e, uint64_t account,
                               const struct queue_tally *t) {
  bool fine = true;
  for (int k = 0; k < QUEUE_KINDS; k++)
    fine &= add(e, (enum queue_kind)k, account, t->n[k], t->n[k] > 0);
  return fine ? DB_OK : DB_NOMEM;
}

static enum db_result write_letter(struct store_engine *e, uint64_t body,
                                   const struct queue_tally *t) {
  struct db_stmt *s =
      db_prepare(e->db, "UPDATE letter SET waiting = ?2, held = ?3, limited = ?4, failing = ?5"
                        " WHERE body = ?1");
  db_bind_int(s, 1, (int64_t)body);
  for (int k = 0; k < QUEUE_KINDS; k++) db_bind_int(s, 2 + k, t->n[k]);
  return db_run(s);
}

/* A letter left without recipients is not updated: it is removed. */
enum db_result queue_count_change(struct store_engine *e, uint64_t body,
                                  const struct queue_tally *t) {
  struct queue_tally now;
  struct db_stmt *s = db_prepare(
      e->db, "SELECT account, waiting, held, limited, failing FROM letter WHERE body = ?");
  db_bind_int(s, 1, (int64_t)body);
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r;
  bool fine = true, left = false;
  for (int k = 0; k < QUEUE_KINDS; k++) {
    int64_t before = db_int(s, 1 + k);
    now.n[k] = before + t->n[k];
    left |= now.n[k] > 0;
    fine &=
        add(e, (enum queue_kind)k, (uint64_t)db_int(s, 0), t->n[k], (now.n[k] > 0) - (before > 0));
  }
  db_reset(s);
  if (!fine) return DB_NOMEM;
  return left ? write_letter(e, body, &now) : DB_OK;
}

/* --- the group's end --- */

static enum db_result flush_one(struct store_engine *e, const struct queue_change *c) {
  struct db_stmt *s = db_prepare(
      e->db, "INSERT INTO queue_count (kind, account, recipients, messages) VALUES (?, ?, ?, ?)"
             " ON CONFLICT (kind, account) DO UPDATE SET"
             " recipients = queue_count.recipients + excluded.recipients,"
             " messages = queue_count.messages + excluded.messages");
  db_bind_int(s, 1, c->kind);
  db_bind_int(s, 2, (int64_t)c->account);
  db_bind_int(s, 3, c->recipients);
  db_bind_int(s, 4, c->messages);
  enum db_result r = db_run(s);
  if (r != DB_OK || c->recipients >= 0) return r;
  s = db_prepare(e->db,
                 "DELETE FROM queue_count WHERE kind = ? AND account = ? AND recipients = 0");
  db_bind_int(s, 1, c->kind);
  db_bind_int(s, 2, (int64_t)c->account);
  return db_run(s);
}

enum db_result engine_flush_queue(struct store_engine *e) {
  enum db_result r = DB_OK;
  for (const struct queue_change *c = e->queue_changes; r == DB_OK && c; c = c->next)
    if (c->recipients || c->messages) r = flush_one(e, c);
  return r;
}

void engine_forget_queue(struct store_engine *e) {
  while (e->queue_changes) {
    struct queue_change *c = e->queue_changes;
    e->queue_changes = c->next;
    free(c);
  }
}
