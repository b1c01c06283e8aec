/* SPDX-License-Identifier: ISC */
/* The directory's queries: each finds its rows by an index, however many there are, and holds none
 * when it returns. If the database cannot be read the question fails, and after a disk failure the
 * database must be reopened (`failed`). */
#include "ipc/ipc.h"
#include "src/store/sql/directory_inside.h"

static enum dir_result trouble(struct directory *d, enum db_result r) {
  d->failed |= r == DB_IOERR;
  return DIR_TROUBLE;
}

/* The statement's first row, if there is one; the caller resets it. */
static enum dir_result first_row(struct directory *d, struct db_stmt *s) {
  enum db_result r = db_step(s);
  return r == DB_ROW ? DIR_FOUND : r == DB_OK ? DIR_UNKNOWN : trouble(d, r);
}

static enum dir_result one_number(struct directory *d, struct db_stmt *s, uint64_t *ret) {
  enum dir_result found = first_row(d, s);
  if (found == DIR_FOUND) *ret = (uint64_t)db_int(s, 0);
  db_reset(s);
  return found;
}

static enum dir_result one_text(struct directory *d, struct db_stmt *s, struct dir_text *ret) {
  enum dir_result found = first_row(d, s);
  ret->n = 0;
  if (found == DIR_FOUND && !dir_text_put(ret, db_bytes(s, 0))) found = DIR_UNKNOWN;
  db_reset(s);
  return found;
}

enum db_result dir_open(struct directory *d, struct db *db) {
  struct db_stmt *s = db_prepare(db, "SELECT 1 FROM address WHERE prep IS NOT NULL LIMIT 1");
  d->db = db;
  enum db_result r = db_step(s);
  d->odd = r == DB_ROW;
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

enum dir_result dir_read_domain(struct directory *d, struct slice name, struct dir_domain *ret) {
  struct db_stmt *s =
      db_prepare(d->db, "SELECT id, EXISTS (SELECT 1 FROM address x WHERE x.domain = d.id"
                        " AND x.local = '') FROM domain d WHERE name = ?");
  db_bind_text(s, 1, name);
  enum dir_result found = first_row(d, s);
  if (found == DIR_FOUND) *ret = (struct dir_domain){ (uint64_t)db_int(s, 0), db_int(s, 1) != 0 };
  db_reset(s);
  return found;
}

static enum dir_result read_targets(struct directory *d, uint64_t domain, struct slice local,
                                    struct arena *a, struct slice *ret) {
  struct db_stmt *s =
      db_prepare(d->db, "SELECT target FROM target WHERE domain = ? AND local = ? ORDER BY target");
  struct buf list;
  enum db_result r;
  buf_init(&list, (size_t)DIR_VISITS_MAX * DIR_ADDRESS_MAX);
  db_bind_int(s, 1, (int64_t)domain);
  db_bind_text(s, 2, local);
  while ((r = db_step(s)) == DB_ROW) ipc_list_put(&list, db_bytes(s, 0));
  db_reset(s);
  *ret = buf_len(&list) ? arena_copy(a, buf_slice(&list)) : SLICE_NONE;
  bool fine = !list.failed && (!buf_len(&list) || ret->p);
  buf_free(&list);
  return r != DB_OK ? trouble(d, r) : fine ? DIR_FOUND : DIR_TROUBLE;
}

enum dir_result dir_read_address(struct directory *d, uint64_t domain, struct slice local,
                                 struct arena *a, struct dir_entry *ret) {
  struct db_stmt *s =
      db_prepare(d->db, "SELECT coalesce(x.account, 0), EXISTS (SELECT 1 FROM target t WHERE"
                        " t.domain = x.domain AND t.local = x.local) FROM address x"
                        " WHERE x.domain = ? AND x.local = ?");
  db_bind_int(s, 1, (int64_t)domain);
  db_bind_text(s, 2, local);
  enum dir_result found = first_row(d, s);
  ret->account = found == DIR_FOUND ? (uint64_t)db_int(s, 0) : 0;
  ret->targets = SLICE_NONE;
  bool forwards = found == DIR_FOUND && db_int(s, 1);
  db_reset(s);
  return forwards ? read_targets(d, domain, local, a, &ret->targets) : found;
}

enum dir_result dir_read_odd(struct directory *d, struct slice prepared, struct dir_text *ret) {
  struct db_stmt *s = db_prepare(
      d->db, "SELECT x.local || '@' || d.name FROM address x JOIN domain d ON d.id = x.domain"
             " WHERE x.prep = ? ORDER BY x.local LIMIT 1");
  db_bind_text(s, 1, prepared);
  return one_text(d, s, ret);
}

/* --- accounts --- */

static struct dir_limits dir_limits_of(struct db_stmt *s, int column) {
  int64_t quota = db_int(s, column), delay = db_int(s, column + 1), expire = db_int(s, column + 2);
  struct dir_limits l = {
    .quota = db_is_null(s, column) ? DIR_QUOTA_DEFAULT : (uint64_t)quota,
    .login_delay = db_is_null(s, column + 1) ? DIR_DEFAULT : (uint32_t)delay,
    .expire = db_is_null(s, column + 2) ? DIR_DEFAULT
              : expire < 0              ? DIR_NEVER
                                        : (uint32_t)expire,
  };
  for (int i = 0; i < DIR_SENDS; i++)
    l.sends[i] = db_is_null(s, column + 3 + i) ? DIR_DEFAULT : (uint32_t)db_int(s, column + 3 + i);
  return l;
}

enum dir_result dir_read_account(struct directory *d, uint64_t id, struct dir_account *ret) {
  struct db_stmt *s = db_prepare(
      d->db, "SELECT coalesce((SELECT id FROM folder WHERE account = a.id AND name = 'INBOX'), 0),"
             " " DIR_LIMITS " FROM account a WHERE a.id = ?");
  db_bind_int(s, 1, (int64_t)id);
  enum dir_result found = first_row(d, s);
  if (found == DIR_FOUND) {
    *ret = (struct dir_account){ .id = id, .inbox = (uint64_t)db_int(s, 0) };
    ret->limits = dir_limits_of(s, 1);
  }
  db_reset(s);
  return found;
}

enum dir_result dir_read_quotas(struct directory *d) {
  uint64_t some;
  return one_number(d, db_prepare(d->db, "SELECT 1 FROM account WHERE quota IS NOT NULL LIMIT 1"),
                    &some);
}

/* An account has one address of its own, its name, until it is being deleted. */
#define HAS_ADDRESS                                                  \
  "EXISTS (SELECT 1 FROM domain d JOIN address x ON x.domain = d.id" \
  " WHERE d.name = substr(a.name, instr(a.name, '@') + 1)"           \
  " AND x.local = substr(a.name, 1, instr(a.name, '@') - 1) AND x.account = a.id)"

void dir_put_name(struct directory *d, uint64_t account, struct buf *out) {
  struct db_stmt *s =
      db_prepare(d->db, "SELECT a.name FROM account a WHERE a.id = ? AND " HAS_ADDRESS);
  db_bind_int(s, 1, (int64_t)account);
  if (first_row(d, s) == DIR_FOUND) buf_put(out, db_bytes(s, 0));
  db_reset(s);
}

enum dir_result dir_read_oldest(struct directory *d, uint64_t *ret) {
  struct db_stmt *s =
      db_prepare(d->db, "SELECT a.id FROM account a WHERE " HAS_ADDRESS " ORDER BY a.id LIMIT 1");
  return one_number(d, s, ret);
}

enum dir_result dir_read_postmaster(struct directory *d, struct dir_text *ret) {
  struct db_stmt *s = db_prepare(
      d->db, "SELECT x.local || '@' || d.name FROM address x JOIN domain d ON d.id = x.domain"
             " WHERE x.local = 'postmaster' ORDER BY x.domain LIMIT 1");
  return one_text(d, s, ret);
}

/* --- as whom an account may send --- */

static bool is_any_of(struct slice grant, const struct slice *names, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (dir_is_same(grant, names[i])) return true;
  return false;
}

static bool has_grant(struct directory *d, uint64_t account, const struct slice *names,
                      size_t count) {
  struct db_stmt *s = db_prepare(d->db, "SELECT address FROM sendas WHERE account = ?");
  bool found = false;
  db_bind_int(s, 1, (int64_t)account);
  enum dir_result row = first_row(d, s);
  for (; !found && row == DIR_FOUND; row = found ? row : first_row(d, s))
    found = is_any_of(db_bytes(s, 0), names, count);
  db_reset(s);
  return found;
}

bool dir_is_granted(struct directory *d, uint64_t account, struct slice address,
                    const char *delimiters) {
  struct dir_text folded = { .n = address.n }, base;
  if (!address.n) return has_grant(d, account, &SLICE("<>"), 1);
  if (address.n > sizeof folded.mem) return false;
  slice_lower(address, folded.mem);
  struct slice whole = dir_text_of(&folded), names[3];
  ptrdiff_t at = slice_rfind(whole, '@');
  if (at < 0) return false;
  size_t count = 0;
  names[count++] = whole;
  names[count++] = slice_from(whole, (size_t)at);
  if (delimiters && dir_without_detail(whole, delimiters, &base))
    names[count++] = dir_text_of(&base);
  return has_grant(d, account, names, count);
}

/* Whole names only. */
static void put_name(struct buf *out, struct slice text) {
  if (buf_room(out) < text.n + 2) return;
  if (buf_len(out)) buf_put_str(out, ", ");
  buf_put(out, text);
}

static void put_names(struct directory *d, struct db_stmt *s, struct buf *out) {
  while (first_row(d, s) == DIR_FOUND) put_name(out, db_bytes(s, 0));
  db_reset(s);
}

void dir_put_names(struct directory *d, uint64_t account, struct buf *out) {
  struct buf own;
  buf_init(&own, DIR_ADDRESS_MAX);
  dir_put_name(d, account, &own);
  if (buf_len(&own)) put_name(out, buf_slice(&own));
  struct db_stmt *s = db_prepare(
      d->db, "SELECT t.local || '@' || d.name FROM target t JOIN domain d ON d.id = t.domain"
             " WHERE t.target = ?1 AND t.local || '@' || d.name <> ?1 ORDER BY 1");
  db_bind_text(s, 1, buf_slice(&own));
  put_names(d, s, out);
  buf_free(&own);
  s = db_prepare(d->db, "SELECT address FROM sendas WHERE account = ? ORDER BY address");
  db_bind_int(s, 1, (int64_t)account);
  put_names(d, s, out);
}
