/* SPDX-License-Identifier: ISC */
/* Shared by the commands about domains, accounts and aliases: admin_directory.c, admin_account.c,
 * admin_alias.c, admin_bulk.c, admin_rename.c. */
#ifndef QASID_STORE_SQL_ADMIN_DIRECTORY_H
#define QASID_STORE_SQL_ADMIN_DIRECTORY_H

#include "src/store/sql/admin.h"

struct admin_address {
  struct slice text, local, domain;
  int64_t domain_id;
  bool there;
  int64_t account; /* if it exists; 0: an alias */
};

struct slice admin_lower(struct admin_job *a, struct slice s);
enum db_result admin_spelling(struct store_engine *e, struct admin_job *a, struct slice typed,
                              struct slice *ret);
/* The address as typed, looked up. False: answered, or *r is an error. */
bool admin_get_address(struct store_engine *e, struct admin_job *a, struct slice typed,
                       struct admin_address *ret, enum db_result *r);
/* The same for an alias, which may catch all of a domain ("@example.org"). */
bool admin_get_alias(struct store_engine *e, struct admin_job *a, struct slice typed,
                     struct admin_address *ret, enum db_result *r);
/* `x` has its local part and domain: looks it up. domain_id 0: not even its domain is local. */
enum db_result admin_find_address(struct store_engine *e, struct admin_address *x);
/* Answers that it is not an address here. Returns false. */
bool admin_is_no_address(struct admin_job *a, struct slice typed);
/* "*@example.org" would be an ordinary address, which is never meant. False: answered. */
bool admin_is_no_star(struct admin_job *a, const struct admin_address *x);
/* A size, "none" or "default". False: answered. */
bool admin_quota(struct admin_job *a, struct slice word, int64_t *ret);
enum { ADMIN_QUOTA_DEFAULT = -2 };
/* Creates an account with that address. *ret_id 0: the reason was answered. */
enum db_result admin_make_account(struct store_engine *e, struct admin_job *a,
                                  const struct admin_address *x, int64_t quota, int64_t *ret_id);
/* One slice of deleting an account: its addresses, some hundreds of its messages, and the account
 * once it has none. Mail in progress when the addresses were removed may still arrive between two
 * slices; the account is removed in the slice that finds its folders empty. */
enum admin_deleted {
  ADMIN_NO_ACCOUNT, /* answered so */
  ADMIN_DELETED_IN_PART,
  ADMIN_DELETED
};
enum db_result admin_delete_account(struct store_engine *e, struct admin_job *a,
                                    struct slice address, enum admin_deleted *ret);
/* account 0: an alias. */
enum db_result admin_put_address(struct store_engine *e, struct admin_job *a,
                                 const struct admin_address *x, int64_t account);
/* Deletes the address, and every alias that is left without a target by it; those, and the others
 * that lost it, are rows of the answer (alias, became, target). */
enum db_result admin_delete_address(struct store_engine *e, struct admin_job *a, struct slice text);
enum db_result admin_add_target(struct store_engine *e, struct admin_job *a,
                                const struct admin_address *alias, struct slice target);
/* Answers if the named domain is not local. */
enum db_result admin_look_at_domain(struct store_engine *e, struct admin_job *a);
/* Runs a query of one number. DB_OK with *ret 0: no row. */
enum db_result admin_one_number(struct db_stmt *s, int64_t *ret);

#endif
