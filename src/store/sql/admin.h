/* SPDX-License-Identifier: ISC */
/* Administrative commands as the database runs them (jobs/verbs.def), and their common
 * functions. */
#ifndef QASID_STORE_SQL_ADMIN_H
#define QASID_STORE_SQL_ADMIN_H

#include "src/store/jobs/admin.h"
#include "src/store/sql/engine.h"

/* --- accounts by name --- */

struct named_account {
  uint64_t id, inbox;
  uint32_t uidvalidity;
};
/* `address` as typed. DB_OK with id 0: there is none (and admin_send has said so). */
enum db_result admin_account(struct store_engine *e, struct admin_job *a, struct slice address,
                             struct named_account *ret);

/* Deletes some hundreds of the account's messages; if none is left, its folders, and sets
 * *ret_empty. */
enum db_result admin_empty_account(struct store_engine *e, struct admin_job *a, int64_t account,
                                   bool *ret_empty);

/* Purges some restorable messages. *ret_count 0: there were none. */
enum db_result admin_purge_folder(struct store_engine *e, uint64_t folder, size_t *ret_count);

/* --- a command each --- */

typedef enum db_result verb_run(struct store_engine *e, struct admin_job *a);
verb_run verb_account_add, verb_account_delete, verb_account_forward, verb_account_limits,
    verb_account_list, verb_account_quota, verb_account_rename, verb_account_sendas_add,
    verb_account_sendas_delete, verb_account_sendas_list, verb_account_set, verb_alias_add,
    verb_alias_delete, verb_alias_list, verb_backup, verb_bulk_add, verb_bulk_check,
    verb_bulk_delete, verb_bulk_which, verb_check, verb_domain_add, verb_domain_delete,
    verb_domain_list, verb_export, verb_mail_delete, verb_mail_deleted, verb_mail_drop,
    verb_mail_list, verb_mail_show, verb_mail_uidls, verb_mail_undelete, verb_queue_body,
    verb_queue_drop, verb_queue_fail, verb_queue_history, verb_queue_hold, verb_queue_letter,
    verb_queue_ways, verb_queue_list, verb_queue_release, verb_queue_retry, verb_status,
    verb_status_held, verb_status_mailboxes, verb_status_queue, verb_why, verb_compact;

#endif
