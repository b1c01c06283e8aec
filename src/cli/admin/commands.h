/* SPDX-License-Identifier: ISC */
/* The commands that administer a server, by file. */
#ifndef QASID_CLI_ADMIN_COMMANDS_H
#define QASID_CLI_ADMIN_COMMANDS_H

#include "src/cli/base/cli.h"

int cmd_account_add(struct cli *c);
int cmd_account_list(struct cli *c);
int cmd_account_passwd(struct cli *c);
int cmd_account_enable(struct cli *c); /* and disable */
int cmd_account_delete(struct cli *c);
int cmd_account_rename(struct cli *c);
int cmd_account_import(struct cli *c);
int cmd_mail_show(struct cli *c);
int cmd_account_certificate(struct cli *c); /* add, delete, list */
int cmd_mail_undelete(struct cli *c);
int cmd_account_forward(struct cli *c);
int cmd_collect_add(struct cli *c);
int cmd_collect_password(struct cli *c);
int cmd_collect(struct cli *c); /* list, run, pause, resume, delete: words for auth */
int cmd_domain_add(struct cli *c);
int cmd_domain_delete(struct cli *c);
int cmd_domain_check(struct cli *c);
int cmd_dkim_list(struct cli *c);
int cmd_dkim_rotate(struct cli *c);
int cmd_dkim_retire(struct cli *c);
int cmd_queue(struct cli *c);
int cmd_process(struct cli *c); /* words and arguments go to the store as they are */
int cmd_backup(struct cli *c);
int cmd_compact(struct cli *c);
int cmd_restore(struct cli *c);
int cmd_plan(struct cli *c);
int cmd_dns_lookup(struct cli *c);
int cmd_classify(struct cli *c);
int cmd_queue_show(struct cli *c);
int cmd_queue_body(struct cli *c);
int cmd_init(struct cli *c);
int cmd_serve(struct cli *c);
int cmd_reload(struct cli *c);
int cmd_check_config(struct cli *c);
int cmd_config(struct cli *c);
int cmd_status(struct cli *c);
int cmd_ps(struct cli *c);
int cmd_trace(struct cli *c);
int cmd_parent(struct cli *c); /* reload, stop: words for the parent */

#endif
