/* SPDX-License-Identifier: ISC */
/* Many logins at once: bulk put ROWS (as often as needed), then bulk check, add, passwd, which or
 * delete, each of which uses all rows that were put.
 *
 * A row is four values: its line in the administrator's file, the name, store's number for the
 * mailbox ("" in a check and for passwd), a hash as in account import. All rows are checked before
 * any is written; a wrong row is reported as a row of the answer (line, what), and then nothing is
 * written. All writes are one transaction. Passwords come as hashes: SCRAM verifiers are made at
 * the first login with the password, as for every imported hash. */
#include "src/auth/admin.h"

#include "lib/base/num.h"

#include <stdlib.h>

enum { BULK_OCTETS_MAX = 64 * 1024 * 1024 };

struct bulk {
  struct bulk *next;
  uint32_t number; /* the command line's */
  struct buf rows; /* values, four for each row */
};

static struct bulk **place_of(struct auth *a, uint32_t number) {
  struct bulk **at = &a->bulks;
  while (*at && (*at)->number != number) at = &(*at)->next;
  return at;
}

void bulk_lost(struct auth *a, uint32_t number) {
  struct bulk **at = place_of(a, number), *b = *at;
  if (!b) return;
  *at = b->next;
  buf_wipe(&b->rows);
  free(b);
}

void bulk_free(struct auth *a) {
  while (a->bulks) bulk_lost(a, a->bulks->number);
}

bool admin_bulk_put(struct auth *a, struct admin_call *c) {
  struct bulk **at = place_of(a, c->number), *b = *at;
  if (!b && (b = calloc(1, sizeof *b))) {
    b->number = c->number;
    buf_init(&b->rows, BULK_OCTETS_MAX);
    *at = b;
  }
  if (b) buf_put(&b->rows, call_word(c, 2));
  bool ok = b && !b->rows.failed;
  if (!ok) bulk_lost(a, c->number);
  call_done(a, c, ok ? CLI_OK : CLI_USAGE, ok ? "" : "that is too much at once (64M)");
  return false;
}

/* --- one row --- */

struct auth_bulk_row {
  struct slice line, name, id, hash;
};

static bool next_row(struct slice *rows, struct auth_bulk_row *ret) {
  return ipc_list_next(rows, &ret->line) && ipc_list_next(rows, &ret->name) &&
         ipc_list_next(rows, &ret->id) && ipc_list_next(rows, &ret->hash);
}

/* NULL: it is valid. */
static const char *wrong_row(struct auth *a, const struct auth_bulk_row *r, bool is_new,
                             bool check) {
  struct account row;
  struct slice hash;
  uint64_t id;
  enum account_result found = accounts_find(&a->accounts, r->name, &row);
  if (found == ACCOUNT_TROUBLE || found == ACCOUNT_FULL)
    return "the accounts database can't be used now";
  if (is_new && account_name_refused(r->name)) return account_name_refused(r->name);
  if (is_new && found == ACCOUNT_OK) return "there is such an account already";
  if (!is_new && found != ACCOUNT_OK) return "there is no such account";
  if (is_new && !check && (!num_parse(r->id, INT64_MAX, &id) || !id))
    return "the mailbox has no number";
  if (check && !r->hash.n) return NULL; /* a password that is hashed later */
  if (password_import(r->hash, &hash) != IMPORT_HASH || !password_is_whole(hash))
    return "that hash is not verified here, or is not whole: yescrypt, bcrypt, SHA-512-crypt, "
           "SHA-256-crypt and MD5-crypt are";
  return NULL;
}

/* The number of wrong rows; each is reported. */
static size_t look_at_all(struct auth *a, struct admin_call *c, struct slice rows, bool is_new,
                          bool check) {
  struct auth_bulk_row r;
  size_t wrong = 0;
  call_columns(a, c, "line what");
  while (next_row(&rows, &r)) {
    const char *what = wrong_row(a, &r, is_new, check);
    if (!what) continue;
    call_row(a, c, (const struct slice[]){ r.line, slice_str(what) }, 2);
    wrong++;
  }
  return wrong + (rows.n > 0);
}

static enum account_result write_row(struct auth *a, const struct auth_bulk_row *r, bool is_new) {
  struct account row = { 0 };
  struct slice hash;
  password_import(r->hash, &hash);
  if (is_new) {
    account_set_name(&row, r->name);
    num_parse(r->id, INT64_MAX, &row.id);
    row.enabled = true;
  } else {
    enum account_result found = accounts_find(&a->accounts, r->name, &row);
    if (found != ACCOUNT_OK) return found;
    /* They belong to the previous password. */
    explicit_bzero(row.sealed, sizeof row.sealed);
    explicit_bzero(row.scram, sizeof row.scram);
    row.sealed_n = row.scram_n = 0;
  }
  memcpy(row.hash, hash.p, hash.n);
  row.hash_n = hash.n;
  account_changed(a, &row);
  if (is_new) row.created = row.changed;
  return is_new ? accounts_add(&a->accounts, &row) : accounts_update(&a->accounts, &row);
}

static enum account_result write_all(struct auth *a, struct slice rows, bool is_new) {
  struct auth_bulk_row r;
  enum account_result result = accounts_begin(&a->accounts);
  while (result == ACCOUNT_OK && next_row(&rows, &r)) result = write_row(a, &r, is_new);
  return accounts_end(&a->accounts, result);
}

/* --- deleting --- */

/* The lines of the rows without a login. */
static enum account_result name_missing(struct auth *a, struct admin_call *c, struct slice rows) {
  struct auth_bulk_row r;
  struct account row;
  enum account_result found = ACCOUNT_OK;
  call_columns(a, c, "line");
  while ((found == ACCOUNT_OK || found == ACCOUNT_NONE) && next_row(&rows, &r)) {
    found = accounts_find(&a->accounts, r.name, &row);
    if (found == ACCOUNT_NONE) call_row(a, c, &r.line, 1);
  }
  explicit_bzero(&row, sizeof row);
  return found == ACCOUNT_NONE ? ACCOUNT_OK : found;
}

static void note_owner(void *arg, const struct collection *x) {
  map_put(arg, slice_hash(slice_of(x->account, x->account_n)), 1);
}

/* First ends their collections, one by one: the schedule is kept in memory too. */
static enum account_result end_collections(struct auth *a, struct slice rows) {
  struct map owners;
  struct auth_bulk_row r;
  struct account row;
  uint8_t key[AUTH_NAME_MAX];
  map_init(&owners);
  enum account_result result = collections_each(&a->accounts, note_owner, &owners);
  while (result == ACCOUNT_OK && owners.count && next_row(&rows, &r)) {
    result = accounts_find(&a->accounts, r.name, &row);
    if (result == ACCOUNT_OK && map_get(&owners, slice_hash(account_key(&row, key)), NULL))
      result = schedule_account_deleted(a, &row);
    if (result == ACCOUNT_NONE) result = ACCOUNT_OK;
  }
  map_free(&owners);
  explicit_bzero(&row, sizeof row);
  return result;
}

/* Those that have a login: an interrupted command may have deleted some. */
static enum account_result delete_all(struct auth *a, struct slice rows) {
  struct auth_bulk_row r;
  struct account row;
  enum account_result result = end_collections(a, rows);
  if (result == ACCOUNT_OK) result = accounts_begin(&a->accounts);
  while (result == ACCOUNT_OK && next_row(&rows, &r)) {
    result = accounts_find(&a->accounts, r.name, &row);
    if (result == ACCOUNT_OK) cache_drop(&a->cache, row.id);
    if (result == ACCOUNT_OK) result = accounts_delete(&a->accounts, r.name);
    if (result == ACCOUNT_NONE) result = ACCOUNT_OK;
  }
  explicit_bzero(&row, sizeof row);
  return accounts_end(&a->accounts, result);
}

bool admin_bulk_delete(struct auth *a, struct admin_call *c) {
  struct bulk *b = *place_of(a, c->number);
  struct slice rows = b ? buf_slice(&b->rows) : SLICE_NONE;
  bool which = slice_eq(call_word(c, 1), SLICE("which"));
  call_done_account(a, c, which ? name_missing(a, c, rows) : delete_all(a, rows));
  bulk_lost(a, c->number);
  auth_offers_look(a);
  return false;
}

bool admin_bulk_apply(struct auth *a, struct admin_call *c) {
  struct bulk *b = *place_of(a, c->number);
  struct slice rows = b ? buf_slice(&b->rows) : SLICE_NONE, how = call_word(c, 1);
  bool passwd = slice_eq(how, SLICE("passwd")) || slice_eq(how, SLICE("check-passwd"));
  bool check = slice_eq(how, SLICE("check")) || slice_eq(how, SLICE("check-passwd"));
  size_t wrong = look_at_all(a, c, rows, !passwd, check);
  if (wrong)
    call_done(a, c, CLI_USAGE, "nothing was changed");
  else if (check)
    call_done(a, c, CLI_OK, "");
  else
    call_done_account(a, c, write_all(a, rows, !passwd));
  bulk_lost(a, c->number);
  return false;
}
