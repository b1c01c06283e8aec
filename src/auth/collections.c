/* SPDX-License-Identifier: ISC */
/* The collections' rows in auth.db (collections.h), read and written through accounts.c.
 * Invariants: a password is sealed for exactly its account, server and user, so it cannot be moved
 * into a row that sends it elsewhere; each change is one transaction; no statement outlives the
 * call that prepared it. */
#include "src/auth/collections.h"

#define COLUMNS                                                                             \
  "id, source, account, host, user, mechanism, sealed, said, port, discover, paused, tls, " \
  "every_s, leave_s,"                                                                       \
  " made, last, next, failures, fetched, total, stepped, left_out"

static enum account_result result_of(struct accounts *a, enum db_result r) {
  if (r == DB_IOERR) db_close(&a->db); /* accounts_ready() reopens it */
  if (r == DB_CONSTRAINT) return ACCOUNT_EXISTS;
  if (r == DB_FULL) return ACCOUNT_FULL;
  return r == DB_OK ? ACCOUNT_OK : ACCOUNT_TROUBLE;
}

/* --- rows --- */

static size_t column(struct db_stmt *s, int at, uint8_t *to, size_t most) {
  struct slice v = slice_first(db_bytes(s, at), most);
  if (v.n) memcpy(to, v.p, v.n);
  return v.n;
}

static void row_get(struct db_stmt *s, struct collection *c) {
  c->id = (uint64_t)db_int(s, 0);
  c->source = (uint64_t)db_int(s, 1);
  c->account_n = column(s, 2, c->account, sizeof c->account);
  c->host_n = column(s, 3, c->host, sizeof c->host);
  c->user_n = column(s, 4, c->user, sizeof c->user);
  c->mechanism_n = column(s, 5, c->mechanism, sizeof c->mechanism);
  c->sealed_n = column(s, 6, c->sealed, sizeof c->sealed);
  c->last_words_n = column(s, 7, c->last_words, sizeof c->last_words);
  c->port = (uint16_t)db_int(s, 8);
  c->discover = db_int(s, 9) != 0;
  c->paused = db_int(s, 10) != 0;
  c->tls = (uint8_t)db_int(s, 11);
  c->every_s = (uint64_t)db_int(s, 12);
  c->leave_s = db_int(s, 13) < 0 ? COLLECT_LEAVE : (uint64_t)db_int(s, 13);
  c->made = db_int(s, 14);
  c->last = db_int(s, 15);
  c->next = db_int(s, 16);
  c->failures = (uint64_t)db_int(s, 17);
  c->fetched = (uint64_t)db_int(s, 18);
  c->total = (uint64_t)db_int(s, 19);
  c->stepped_n = column(s, 20, c->stepped, sizeof c->stepped);
  c->left_out_n = column(s, 21, c->left_out, sizeof c->left_out);
}

enum account_result collections_find(struct accounts *a, uint64_t id, struct collection *ret) {
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s = db_prepare(a->db, "SELECT " COLUMNS " FROM collection WHERE id = ?");
  db_bind_int(s, 1, (int64_t)id);
  enum db_result r = db_step(s);
  if (r == DB_ROW) row_get(s, ret);
  db_reset(s);
  if (r == DB_ROW) return ACCOUNT_OK;
  return r == DB_OK ? ACCOUNT_NONE : result_of(a, r);
}

enum account_result collections_each(struct accounts *a,
                                     void (*fn)(void *arg, const struct collection *c), void *arg) {
  struct collection c;
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s = db_prepare(a->db, "SELECT " COLUMNS " FROM collection ORDER BY account, id");
  enum db_result r;
  while ((r = db_step(s)) == DB_ROW) {
    row_get(s, &c);
    fn(arg, &c);
  }
  db_reset(s);
  return result_of(a, r);
}

enum account_result collections_add(struct accounts *a, struct collection *c) {
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s = db_prepare(
      a->db, "INSERT INTO collection (" COLUMNS
             ") VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '')"
             " RETURNING id");
  const int64_t numbers[] = { c->port,
                              c->discover,
                              c->paused,
                              c->tls,
                              (int64_t)c->every_s,
                              c->leave_s == COLLECT_LEAVE ? -1 : (int64_t)c->leave_s,
                              c->made,
                              c->last,
                              c->next,
                              (int64_t)c->failures,
                              (int64_t)c->fetched,
                              (int64_t)c->total };
  db_bind_int(s, 1, (int64_t)c->source);
  db_bind_text(s, 2, slice_of(c->account, c->account_n));
  db_bind_text(s, 3, slice_of(c->host, c->host_n));
  db_bind_text(s, 4, slice_of(c->user, c->user_n));
  db_bind_text(s, 5, slice_of(c->mechanism, c->mechanism_n));
  db_bind_blob(s, 6, slice_of(c->sealed, c->sealed_n));
  db_bind_text(s, 7, slice_of(c->last_words, c->last_words_n));
  for (int i = 0; i < (int)(sizeof numbers / sizeof *numbers); i++)
    db_bind_int(s, 8 + i, numbers[i]);
  return accounts_change(a, s, &c->id);
}

enum account_result collections_update(struct accounts *a, const struct collection *c) {
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s = db_prepare(
      a->db, "UPDATE collection SET sealed = ?, said = ?, paused = ?, last = ?, next = ?,"
             " failures = ?, fetched = ?, total = ?, stepped = ?, left_out = ? WHERE id = ?");
  const int64_t numbers[] = { c->paused,           c->last,          c->next, (int64_t)c->failures,
                              (int64_t)c->fetched, (int64_t)c->total };
  enum { FIRST = 3, COUNT = sizeof numbers / sizeof *numbers };
  db_bind_blob(s, 1, slice_of(c->sealed, c->sealed_n));
  db_bind_text(s, 2, slice_of(c->last_words, c->last_words_n));
  for (int i = 0; i < COUNT; i++) db_bind_int(s, FIRST + i, numbers[i]);
  db_bind_text(s, FIRST + COUNT, slice_of(c->stepped, c->stepped_n));
  db_bind_text(s, FIRST + COUNT + 1, slice_of(c->left_out, c->left_out_n));
  db_bind_int(s, FIRST + COUNT + 2, (int64_t)c->id);
  return accounts_change(a, s, NULL);
}

enum account_result collections_move(struct accounts *a, const struct collection *c) {
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s =
      db_prepare(a->db, "UPDATE collection SET account = ?, sealed = ? WHERE id = ?");
  db_bind_text(s, 1, slice_of(c->account, c->account_n));
  db_bind_blob(s, 2, slice_of(c->sealed, c->sealed_n));
  db_bind_int(s, 3, (int64_t)c->id);
  return accounts_change(a, s, NULL);
}

enum account_result collections_delete(struct accounts *a, uint64_t id) {
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s = db_prepare(a->db, "DELETE FROM collection WHERE id = ?");
  db_bind_int(s, 1, (int64_t)id);
  return accounts_change(a, s, NULL);
}

/* --- the sealed password --- */

enum { CONTEXT_MAX = 64 + AUTH_NAME_MAX + COLLECT_HOST_MAX + COLLECT_USER_MAX };

/* The context of the seal: everything that determines where the password is sent. */
static void context_of(const struct collection *c, struct buf *out) {
  buf_init(out, CONTEXT_MAX);
  buf_put_str(out, "collection");
  wire_put_u64(out, c->source);
  wire_put_bytes(out, slice_of(c->account, c->account_n));
  wire_put_bytes(out, slice_of(c->host, c->host_n));
  wire_put_bytes(out, slice_of(c->user, c->user_n));
  wire_put_u16(out, c->port);
  buf_put_u8(out, c->tls);
  wire_put_bool(out, c->discover);
}

bool collection_seal(const struct accounts *a, struct collection *c, struct slice secret,
                     const uint8_t nonce[SEAL_NONCE]) {
  struct buf context, sealed;
  context_of(c, &context);
  buf_init(&sealed, sizeof c->sealed - SEAL_NONCE);
  bool ok = !context.failed && seal_put(a->key, nonce, buf_slice(&context), secret, &sealed);
  if (ok) {
    memcpy(c->sealed, nonce, SEAL_NONCE);
    memcpy(c->sealed + SEAL_NONCE, buf_slice(&sealed).p, buf_len(&sealed));
    c->sealed_n = SEAL_NONCE + buf_len(&sealed);
  }
  buf_free(&context);
  buf_free(&sealed);
  return ok;
}

bool collection_unseal(const struct accounts *a, const struct collection *c, struct buf *out) {
  struct buf context;
  struct slice sealed = slice_of(c->sealed, c->sealed_n);
  if (sealed.n < SEAL_NONCE + SEAL_TAG) return false;
  context_of(c, &context);
  bool ok = !context.failed &&
            seal_open(a->key, sealed.p, buf_slice(&context), slice_from(sealed, SEAL_NONCE), out);
  buf_free(&context);
  return ok;
}

/* --- for the administrator --- */

void collection_url(const struct collection *c, struct buf *out) {
  bool v6 = slice_find(slice_of(c->host, c->host_n), ':') >= 0;
  bool usual = c->port == (c->tls == COLLECT_TLS_IMPLICIT ? 995 : 110);
  buf_put_str(out, c->tls == COLLECT_TLS_IMPLICIT ? "pop3s://" : "pop3://");
  buf_put(out, slice_of(c->user, c->user_n));
  buf_put_str(out, v6 ? "@[" : "@");
  buf_put(out, slice_of(c->host, c->host_n));
  buf_put_str(out, v6 ? "]" : "");
  if (!usual && !c->discover) buf_printf(out, ":%u", c->port);
}
