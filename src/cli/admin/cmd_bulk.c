/* SPDX-License-Identifier: ISC */
/* account import, account passwd --from, account delete --from: many accounts from one file. All or
 * none: auth (the logins) and store (the mailboxes) both check everything before either writes, and
 * each writes in one transaction. If auth refuses the accounts that store has created, they are
 * removed again; mailboxes without logins, left by a crash in between, are completed when the
 * command is repeated. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/num.h"
#include "src/cli/admin/account.h"
#include "src/cli/admin/bulk.h"
#include "src/cli/admin/commands.h"
#include "src/cli/base/terminal.h"

static void put_row(struct buf *out, const struct bulk_account *a, struct slice second,
                    struct slice third, struct slice fourth) {
  char line[16];
  snprintf(line, sizeof line, "%u", a->line);
  ipc_list_put(out, slice_str(line));
  ipc_list_put(out, second), ipc_list_put(out, third), ipc_list_put(out, fourth);
}

static void login_row(const struct bulk_account *a, struct buf *out) {
  put_row(out, a, a->address, a->id, a->hash);
}
static void mailbox_row(const struct bulk_account *a, struct buf *out) {
  put_row(out, a, a->address, a->quota, a->aliases);
}

/* --- account import --- */

/* The numbers of the mailboxes, in the rows' order. */
static int take_ids(struct bulk_file *f, const struct table *t) {
  const struct table_row *r = t->first;
  for (size_t i = 0; i < f->count; i++, r = r ? r->next : NULL) {
    struct slice id = r ? table_cell(t, r, "id") : SLICE_NONE;
    if (!id.n) return cli_fail(CLI_EXIT_PROTOCOL, "the store did not say every account's number");
    f->accounts[i].id = arena_copy(&f->mem, id);
    f->accounts[i].is_new = slice_eq(table_cell(t, r, "new"), SLICE("yes"));
  }
  return CLI_EXIT_OK;
}

static void take_back(struct cli *c, const struct bulk_file *f) {
  size_t left = 0;
  for (size_t i = 0; i < f->count; i++) {
    struct slice words[] = { SLICE("account"), SLICE("delete"), f->accounts[i].address };
    struct table t;
    if (!f->accounts[i].is_new) continue;
    table_init(&t);
    left += ask_table(c, ROLE_STORE, words, 3, &t, NULL) != CLI_EXIT_OK;
    table_free(&t);
  }
  if (left)
    cli_fail(0, "%zu mailboxes without logins are left; the same command again takes them up",
             left);
}

static int write_all(struct cli *c, struct bulk_file *f) {
  struct table t;
  table_init(&t);
  int code = bulk_ask(c, f, ROLE_STORE, "add", mailbox_row, &t);
  if (code == CLI_EXIT_OK && !f->mistakes) code = take_ids(f, &t);
  if (code == CLI_EXIT_OK && !f->mistakes) {
    code = bulk_ask(c, f, ROLE_AUTH, "add", login_row, NULL);
    if (code != CLI_EXIT_OK || f->mistakes) take_back(c, f);
  }
  table_free(&t);
  return code;
}

/* "address,password" of generated passwords; with --json all accounts. */
static void print_made(const struct cli *c, const struct bulk_file *f) {
  struct table t;
  struct buf list;
  size_t made = 0;
  table_init(&t);
  buf_init(&list, 64 * 1024);
  ipc_list_put(&list, SLICE("address")), ipc_list_put(&list, SLICE("password"));
  table_columns(&t, buf_slice(&list));
  for (size_t i = 0; i < f->count; i++) {
    const struct bulk_account *a = &f->accounts[i];
    made += a->generated;
    if (!a->generated && !c->json) continue;
    buf_reset(&list);
    ipc_list_put(&list, a->address), ipc_list_put(&list, a->generated ? a->password : SLICE_NONE);
    table_add(&t, buf_slice(&list));
    if (!c->json)
      printf("%s%.*s,%.*s\n", made == 1 ? "address,password\n" : "", SLICE_ARG(a->address),
             SLICE_ARG(a->password));
  }
  if (c->json) table_print(&t, true);
  table_free(&t);
  buf_wipe(&list);
}

static int hash_passwords(struct bulk_file *f) {
  size_t left = 0;
  for (size_t i = 0; i < f->count; i++) left += !f->accounts[i].hash.n;
  if (left > 200 && isatty(STDERR_FILENO)) fprintf(stderr, "hashing %zu passwords …\n", left);
  return bulk_hash(f) ? CLI_EXIT_OK
                      : cli_fail(CLI_EXIT_SYSTEM, "a password could not be hashed: no memory");
}

static int import(struct cli *c, struct bulk_file *f) {
  bool dry = cli_given(c, "dry-run") != NULL;
  int code = bulk_ask(c, f, ROLE_AUTH, "check", login_row, NULL);
  if (code == CLI_EXIT_OK) code = bulk_ask(c, f, ROLE_STORE, "check", mailbox_row, NULL);
  if (code != CLI_EXIT_OK) return code;
  if (f->mistakes) return bulk_refuse(f);
  if (!dry) code = hash_passwords(f);
  if (code == CLI_EXIT_OK && !dry) code = write_all(c, f);
  if (code != CLI_EXIT_OK) return code;
  if (f->mistakes) return bulk_refuse(f);
  if (!dry) print_made(c, f);
  fprintf(stderr, "%zu account%s %s\n", f->count, f->count == 1 ? "" : "s",
          dry ? "would be added" : "added");
  return CLI_EXIT_OK;
}

int cmd_account_import(struct cli *c) {
  struct bulk_file f;
  int code = bulk_read(&f, c, c->args[0], "address|password|hash|quota|aliases");
  if (code == CLI_EXIT_OK) code = f.count || !f.mistakes ? import(c, &f) : bulk_refuse(&f);
  bulk_close(&f);
  return code;
}

/* --- account passwd --from --- */

int account_passwd_from(struct cli *c, const char *file) {
  struct bulk_file f;
  int code = bulk_read(&f, c, file, "address|password|hash");
  if (code == CLI_EXIT_OK) code = bulk_ask(c, &f, ROLE_AUTH, "check-passwd", login_row, NULL);
  if (code == CLI_EXIT_OK && !f.mistakes) code = hash_passwords(&f);
  if (code == CLI_EXIT_OK && !f.mistakes)
    code = bulk_ask(c, &f, ROLE_AUTH, "passwd", login_row, NULL);
  if (code == CLI_EXIT_OK && f.mistakes)
    code = bulk_refuse(&f);
  else if (code == CLI_EXIT_OK) {
    print_made(c, &f);
    fprintf(stderr, "%zu password%s changed\n", f.count, f.count == 1 ? "" : "s");
  }
  bulk_close(&f);
  return code;
}

/* --- account delete --from --- */

static void address_row(const struct bulk_account *a, struct buf *out) {
  put_row(out, a, a->address, SLICE(""), SLICE(""));
}

static uint64_t line_of(const struct table *t, const struct table_row *r) {
  uint64_t line = 0;
  if (r) num_parse(table_cell(t, r, "line"), UINT32_MAX, &line);
  return line;
}

/* Every address must be an account, as a mailbox or (after a crash in between) a login. Both answer
 * with the lines of unknown ones, in the rows' order. */
static int look_for_all(struct cli *c, struct bulk_file *f) {
  struct table mailboxes, logins;
  table_init(&mailboxes), table_init(&logins);
  int code = bulk_ask(c, f, ROLE_STORE, "which", address_row, &mailboxes);
  if (code == CLI_EXIT_OK) code = bulk_ask(c, f, ROLE_AUTH, "which", address_row, &logins);
  const struct table_row *m = mailboxes.first, *l = logins.first;
  for (size_t i = 0; code == CLI_EXIT_OK && i < f->count; i++) {
    const struct bulk_account *a = &f->accounts[i];
    bool no_mailbox = line_of(&mailboxes, m) == a->line, no_login = line_of(&logins, l) == a->line;
    if (no_mailbox) m = m->next;
    if (no_login) l = l->next;
    if (no_mailbox && no_login)
      bulk_mistake(f, a->line, "there is no account %.*s", SLICE_ARG(slice_first(a->address, 330)));
  }
  table_free(&mailboxes), table_free(&logins);
  return code;
}

/* The logins in one transaction, then the mailboxes in as many as it takes. */
static int delete_all(struct cli *c, struct bulk_file *f) {
  struct table aliases;
  table_init(&aliases);
  int code = bulk_ask(c, f, ROLE_AUTH, "delete", address_row, NULL);
  if (code == CLI_EXIT_OK) code = bulk_ask(c, f, ROLE_STORE, "delete", address_row, &aliases);
  if (code == CLI_EXIT_OK && (aliases.row_count || c->json)) table_print(&aliases, c->json);
  for (size_t i = 0; code == CLI_EXIT_OK && i < f->count; i++)
    account_warn_of_routes(c, f->accounts[i].address, "which is deleted");
  if (code == CLI_EXIT_OK)
    fprintf(stderr, "%zu account%s deleted\n", f->count, f->count == 1 ? "" : "s");
  else
    cli_fail(
        0, "not all of them were deleted; repeat the command without the deleted ones to continue");
  table_free(&aliases);
  return code;
}

int account_delete_from(struct cli *c, const char *file) {
  struct bulk_file f;
  char question[64];
  int code = bulk_read(&f, c, file, "address");
  if (code == CLI_EXIT_OK) code = look_for_all(c, &f);
  snprintf(question, sizeof question, "Delete %zu accounts and all their mail?", f.count);
  if (code == CLI_EXIT_OK && f.mistakes)
    code = bulk_refuse(&f);
  else if (code == CLI_EXIT_OK && !cli_given(c, "yes") &&
           (strcmp(file, "-") == 0 || !ask_yes(question)))
    code = cli_fail(CLI_EXIT_USAGE, "nothing was deleted (--yes says yes)");
  else if (code == CLI_EXIT_OK)
    code = delete_all(c, &f);
  bulk_close(&f);
  return code;
}
