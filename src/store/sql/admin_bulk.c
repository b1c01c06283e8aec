/* SPDX-License-Identifier: ISC */
/* Many mailboxes at once: bulk put ROWS (as often as needed), then bulk check, add, which or
 * delete, which uses all rows that were put.
 *
 * A row is four values: its line in the administrator's file, the address, the quota ("" for the
 * option's), aliases that lead to it (separated by blanks). All rows are checked before any is
 * written; a wrong one is reported as a row of the answer (line, what), and then nothing is
 * written. All writes are one transaction; its answer is the numbers of the mailboxes. An existing
 * mailbox is accepted unchanged: an interrupted command left it without its login, and auth checks
 * those that have one. */
#include <stdlib.h>

#include "src/store/sql/admin_directory.h"

enum {
  BULK_ROWS_MAX = 20000,
  WORK_WITH_MAIL = 32 /* the cost of some hundreds of messages, counted in accounts */
};

struct bulk_row {
  struct slice line, address, quota, aliases;
};

static bool next_row(struct slice *rows, struct bulk_row *ret) {
  return ipc_list_next(rows, &ret->line) && ipc_list_next(rows, &ret->address) &&
         ipc_list_next(rows, &ret->quota) && ipc_list_next(rows, &ret->aliases);
}

static bool next_alias(struct slice *rest, struct slice *ret) {
  do *ret = slice_split(rest, ' ');
  while (!ret->n && rest->p);
  return ret->n > 0;
}

/* The job's text says what is wrong with the row. */
static enum db_result check_row(struct store_engine *e, struct admin_job *a,
                                const struct bulk_row *row) {
  struct admin_address x;
  struct slice rest = row->aliases, alias;
  int64_t quota;
  enum db_result r;
  if (row->quota.n && !admin_quota(a, row->quota, &quota)) return DB_OK;
  if (!admin_get_address(e, a, row->address, &x, &r) || !admin_is_no_star(a, &x)) return r;
  if (x.there && !x.account)
    return admin_send(a, CLI_EXISTS, "%.*s is there already, as an alias", SLICE_ARG(x.text));
  while (next_alias(&rest, &alias)) {
    if (!admin_get_alias(e, a, alias, &x, &r) || !admin_is_no_star(a, &x)) return r;
    if (x.account)
      return admin_send(a, CLI_EXISTS, "the alias %.*s is an account", SLICE_ARG(x.text));
  }
  return DB_OK;
}

static enum db_result look_at_all(struct store_engine *e, struct admin_job *a, size_t *ret_wrong) {
  struct slice rows = buf_slice(&a->bulk);
  struct bulk_row row;
  enum db_result r = DB_OK;
  size_t count = 0;
  *ret_wrong = 0;
  while (r == DB_OK && next_row(&rows, &row)) {
    r = check_row(e, a, &row);
    count++;
    if (a->code == CLI_OK) continue;
    ADMIN_ROW(a, row.line, admin_copy(a, buf_slice(&a->text)));
    a->code = CLI_OK;
    buf_reset(&a->text);
    ++*ret_wrong;
  }
  if (r == DB_OK && count > BULK_ROWS_MAX) {
    ADMIN_ROW(a, SLICE("1"), SLICE("more than 20000 accounts at once: cut the file"));
    ++*ret_wrong;
  }
  return r;
}

static enum db_result write_aliases(struct store_engine *e, struct admin_job *a,
                                    struct slice aliases, struct slice target) {
  struct admin_address x;
  struct slice alias;
  enum db_result r = DB_OK;
  while (r == DB_OK && next_alias(&aliases, &alias)) {
    if (!admin_get_alias(e, a, alias, &x, &r)) return r == DB_OK ? DB_CONSTRAINT : r;
    if (x.account) return DB_CONSTRAINT; /* created by an earlier row */
    if (!x.there) r = admin_put_address(e, a, &x, 0);
    if (r == DB_OK) r = admin_add_target(e, a, &x, target);
  }
  return r;
}

static enum db_result write_row(struct store_engine *e, struct admin_job *a,
                                const struct bulk_row *row) {
  struct admin_address x;
  int64_t quota = ADMIN_QUOTA_DEFAULT, account;
  enum db_result r;
  if (row->quota.n) admin_quota(a, row->quota, &quota);
  if (!admin_get_address(e, a, row->address, &x, &r)) return r == DB_OK ? DB_CONSTRAINT : r;
  account = x.account;
  bool is_new = !x.there;
  if (is_new) r = admin_make_account(e, a, &x, quota, &account);
  if (r != DB_OK || !account) return r == DB_OK ? DB_CONSTRAINT : r; /* its reason is in the text */
  ADMIN_ROW(a, row->line, x.text, admin_num(a, (uint64_t)account),
            is_new ? SLICE("yes") : SLICE("no"));
  return write_aliases(e, a, row->aliases, x.text);
}

enum db_result verb_bulk_check(struct store_engine *e, struct admin_job *a) {
  size_t wrong;
  admin_columns(a, "line what");
  enum db_result r = look_at_all(e, a, &wrong);
  return r == DB_OK && wrong ? admin_send(a, CLI_USAGE, "nothing was changed") : r;
}

enum db_result verb_bulk_add(struct store_engine *e, struct admin_job *a) {
  struct slice rows = buf_slice(&a->bulk);
  struct bulk_row row;
  size_t wrong;
  admin_columns(a, "line what id new");
  enum db_result r = look_at_all(e, a, &wrong);
  if (r == DB_OK && wrong) return admin_send(a, CLI_USAGE, "nothing was changed");
  while (r == DB_OK && next_row(&rows, &row)) r = write_row(e, a, &row);
  return r;
}

/* --- deleting --- */

/* The lines of the rows that are not accounts. */
enum db_result verb_bulk_which(struct store_engine *e, struct admin_job *a) {
  struct slice rows = buf_slice(&a->bulk);
  struct bulk_row row;
  struct named_account account;
  enum db_result r = DB_OK;
  admin_columns(a, "line");
  while (r == DB_OK && next_row(&rows, &row)) {
    r = admin_account(e, a, row.address, &account);
    if (r == DB_OK && !account.id) ADMIN_ROW(a, row.line);
    a->code = CLI_OK;
    buf_reset(&a->text);
  }
  return r;
}

/* The progress of a bulk delete; before: at the start of the current slice. */
struct bulk_place {
  struct slice rest, before;
};

/* One row, or some of its mail. *ret_rest: the row is to be processed again. */
static enum db_result delete_row(struct store_engine *e, struct admin_job *a,
                                 const struct bulk_row *row, bool *ret_rest) {
  enum admin_deleted deleted;
  enum db_result r = admin_delete_account(e, a, row->address, &deleted);
  *ret_rest = r == DB_OK && deleted == ADMIN_DELETED_IN_PART;
  a->code = CLI_OK;
  buf_reset(&a->text);
  return r;
}

static enum db_result delete_some(struct store_engine *e, struct admin_job *a,
                                  struct bulk_place *x) {
  struct bulk_row row;
  enum db_result r = DB_OK;
  bool over = false;
  size_t done = 0;
  engine_slice_begins(e);
  for (struct slice rest = x->rest; r == DB_OK && !over && next_row(&rest, &row);) {
    bool again;
    r = delete_row(e, a, &row, &again);
    if (r == DB_OK && !again) x->rest = rest;
    rest = x->rest;
    done += again ? WORK_WITH_MAIL : 1;
    over = engine_slice_is_over(e, done);
  }
  a->job.again = r == DB_OK && over && x->rest.n;
  return r;
}

/* A slice continues where the last one ended; one that is run again after a rollback starts from
 * the same point. */
enum db_result verb_bulk_delete(struct store_engine *e, struct admin_job *a) {
  struct bulk_place *x = a->state;
  if (!x) {
    x = malloc(sizeof *x);
    if (!x) return DB_NOMEM;
    admin_set_state(a, x, free);
    *x = (struct bulk_place){ buf_slice(&a->bulk), buf_slice(&a->bulk) };
  }
  admin_columns(a, "alias became target");
  if (a->undone) x->rest = x->before;
  x->before = x->rest;
  enum db_result r = delete_some(e, a, x);
  if (r != DB_OK) x->rest = x->before;
  return r;
}
