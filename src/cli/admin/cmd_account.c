/* SPDX-License-Identifier: ISC */
/* `qasid account`: add, passwd, enable, disable, certificate, delete, rename, list. An account is a
 * mailbox of store's and a login of auth's; add and delete ask both, in an order in which an
 * interruption leaves at most a mailbox without a login, which the same command completes. */
#include "src/cli/admin/account.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/codec.h"
#include "lib/base/map.h"
#include "lib/base/num.h"
#include "lib/tls/tls.h"
#include "src/cli/admin/commands.h"
#include "src/cli/link/ask.h"
#include "src/cli/base/secret.h"
#include "src/cli/base/terminal.h"

/* --- add --- */

/* The account's number, from the store's list, in t's memory; an empty slice: there is no such
 * account. */
static struct slice find_id(const struct table *t, struct slice address) {
  for (const struct table_row *r = t->first; r; r = r->next)
    if (slice_caseeq(table_cell(t, r, "address"), address)) return table_cell(t, r, "id");
  return SLICE_NONE;
}

static int ask_store(struct cli *c, const char *verb, const struct slice *args, size_t n,
                     struct table *t) {
  struct slice words[6] = { SLICE("account"), slice_str(verb) };
  for (size_t i = 0; i < n; i++) words[2 + i] = args[i];
  return ask_table(c, ROLE_STORE, words, 2 + n, t, NULL);
}

static int add_login(struct cli *c, const struct account_wish *w, struct slice id) {
  struct slice words[7] = { SLICE("account"), w->is_hash ? SLICE("import") : SLICE("add"),
                            w->address, id };
  size_t n = 4;
  struct table t;
  if (w->legacy) words[n++] = SLICE("--legacy-auth");
  if (w->scram) words[n++] = slice_str(w->scram);
  words[n++] = w->password;
  table_init(&t);
  int code = ask_table(c, ROLE_AUTH, words, n, &t, NULL);
  table_free(&t);
  return code;
}

/* True for a mailbox without a login, left by an interrupted command: it gets its login now. */
static bool is_left_over(struct cli *c, struct slice address, struct table *logins,
                         struct table *mailboxes) {
  struct slice words[] = { SLICE("account"), SLICE("list") };
  if (ask_table(c, ROLE_AUTH, words, 2, logins, NULL) != CLI_EXIT_OK) return false;
  for (const struct table_row *r = logins->first; r; r = r->next)
    if (slice_caseeq(table_cell(logins, r, "name"), address)) return false;
  return ask_store(c, "list", NULL, 0, mailboxes) == CLI_EXIT_OK && find_id(mailboxes, address).n;
}

int account_make(struct cli *c, const struct account_wish *w) {
  struct table made, logins, mailboxes;
  struct slice args[2] = { w->address, slice_str(w->quota) };
  table_init(&made), table_init(&logins), table_init(&mailboxes);
  bool left_over = is_left_over(c, w->address, &logins, &mailboxes);
  int code = left_over ? CLI_EXIT_OK : ask_store(c, "add", args, w->quota ? 2 : 1, &made);
  struct slice id = left_over    ? find_id(&mailboxes, w->address)
                    : made.first ? table_cell(&made, made.first, "id")
                                 : SLICE_NONE;
  if (code == CLI_EXIT_OK) {
    code = id.n ? add_login(c, w, id)
                : cli_fail(CLI_EXIT_PROTOCOL, "the store did not say the account's number");
    if (code != CLI_EXIT_OK && !left_over) ask_store(c, "delete", args, 1, &made);
  }
  table_free(&made), table_free(&logins), table_free(&mailboxes);
  return code;
}

/* The option for auth; NULL: none was given. */
static const char *scram_wish(const struct cli *c) {
  return cli_given(c, "scram") ? "--scram" : cli_given(c, "no-scram") ? "--no-scram" : NULL;
}

static bool scram_said_twice(const struct cli *c) {
  return cli_given(c, "scram") && cli_given(c, "no-scram");
}

int cmd_account_add(struct cli *c) {
  struct buf password;
  buf_init(&password, SECRET_MAX);
  if (scram_said_twice(c)) return cli_fail(CLI_EXIT_USAGE, "--scram and --no-scram are opposites");
  bool is_hash = cli_given(c, "hash-stdin") != NULL, legacy = cli_given(c, "legacy-auth") != NULL;
  if (is_hash && (legacy || cli_given(c, "scram")))
    return cli_fail(CLI_EXIT_USAGE,
                    "--legacy-auth and --scram need the password itself, which a hash is not");
  int code = is_hash ? CLI_EXIT_OK : secret_get(c, "Password: ", true, &password);
  if (is_hash && !read_secret_line(0, &password))
    code = cli_fail(CLI_EXIT_NO_INPUT, "standard input has no hash in its first line");
  struct account_wish w = { slice_str(c->args[0]),          buf_slice(&password),
                            cli_given(c, "quota"),          legacy,
                            is_hash ? NULL : scram_wish(c), is_hash };
  if (code == CLI_EXIT_OK) code = account_make(c, &w);
  buf_wipe(&password);
  return code;
}

/* --- passwd, enable, disable --- */

static int change_login(struct cli *c, const struct slice *words, size_t n) {
  struct table t;
  table_init(&t);
  int code = ask_table(c, ROLE_AUTH, words, n, &t, NULL);
  table_free(&t);
  return code;
}

static int passwd_one(struct cli *c) {
  struct slice name = slice_str(c->args[0]);
  struct buf password;
  buf_init(&password, SECRET_MAX);
  bool on = cli_given(c, "legacy-auth") != NULL, off = cli_given(c, "no-legacy-auth") != NULL;
  if (on && off)
    return cli_fail(CLI_EXIT_USAGE, "--legacy-auth and --no-legacy-auth are opposites");
  if (scram_said_twice(c)) return cli_fail(CLI_EXIT_USAGE, "--scram and --no-scram are opposites");
  int code = secret_get(c, "New password: ", true, &password);
  if (code == CLI_EXIT_OK) {
    struct slice words[5] = { SLICE("account"), SLICE("passwd"), name };
    size_t n = 3;
    if (scram_wish(c)) words[n++] = slice_str(scram_wish(c));
    words[n++] = buf_slice(&password);
    code = change_login(c, words, n);
  }
  if (code == CLI_EXIT_OK && (on || off)) {
    struct slice words[] = { SLICE("account"), SLICE("legacy"), name,
                             on ? SLICE("on") : SLICE("off"), buf_slice(&password) };
    code = change_login(c, words, on ? 5 : 4);
  }
  buf_wipe(&password);
  return code;
}

int cmd_account_passwd(struct cli *c) {
  if ((c->arg_count == 1) == (cli_given(c, "from") != NULL))
    return cli_fail(CLI_EXIT_USAGE, "an ADDRESS is meant, or --from FILE");
  if (!cli_given(c, "from") && c->json)
    return cli_fail(CLI_EXIT_USAGE, "--json means nothing to account passwd without --from");
  if (!cli_given(c, "from")) return passwd_one(c);
  if (c->given_count > 1 && (cli_given(c, "legacy-auth") || cli_given(c, "no-legacy-auth") ||
                             scram_wish(c) || cli_given(c, "password-stdin")))
    return cli_fail(CLI_EXIT_USAGE, "--from allows no other option");
  return account_passwd_from(c, cli_given(c, "from"));
}

static int change_mailbox(struct cli *c, const struct slice *words, size_t n) {
  struct table t;
  table_init(&t);
  int code = ask_table(c, ROLE_STORE, words, n, &t, NULL);
  table_free(&t);
  return code;
}

int cmd_account_enable(struct cli *c) {
  struct slice words[3];
  return change_login(c, words, ask_words(c, words));
}

/* --- certificates --- */

/* The argument is a file, or otherwise a fingerprint. False: it is a file without a certificate. */
static bool fingerprint_of(const char *typed, struct buf *hex) {
  uint8_t digest[TLS_FINGERPRINT];
  struct buf pem;
  FILE *f = fopen(typed, "re");
  if (!f) {
    buf_put_str(hex, typed);
    return !hex->failed;
  }
  buf_init(&pem, 64 * 1024);
  uint8_t *at = buf_reserve(&pem, 64 * 1024);
  if (at) buf_added(&pem, fread(at, 1, 64 * 1024, f));
  fclose(f);
  bool ok = at && tls_fingerprint(buf_slice(&pem), digest);
  if (ok) hex_put(hex, slice_of(digest, sizeof digest));
  buf_wipe(&pem); /* the file may also contain its key */
  return ok && !hex->failed;
}

int cmd_account_certificate(struct cli *c) {
  struct slice words[CLI_WORDS_MAX + 3];
  struct buf hex;
  buf_init(&hex, 4096);
  size_t n = ask_words(c, words);
  bool ok = c->arg_count < 2 || fingerprint_of(c->args[1], &hex);
  if (c->arg_count == 2) words[n - 1] = buf_slice(&hex);
  int code =
      ok ? ask_print(c, ROLE_AUTH, words, n)
         : cli_fail(CLI_EXIT_NO_INPUT, "%s: has no certificate (a PEM block \"BEGIN CERTIFICATE\")",
                    c->args[1]);
  buf_free(&hex);
  return code;
}

/* --- routes that name an account --- */

void account_warn_of_routes(struct cli *c, struct slice address, const char *what) {
  const struct conf *conf = cli_conf(c);
  for (size_t i = 0; conf && i < conf->routes.count; i++) {
    struct slice line = slice_str(conf->routes.items[i]), name;
    if (conf_route_by(conf_route_word(&line), &name) != CONF_ROUTE_ACCOUNT ||
        !slice_caseeq(name, address))
      continue;
    fprintf(stderr, "warning: no. %zu of routes (\"%s\") is for %.*s, %s\n", i + 1,
            conf->routes.items[i], SLICE_ARG(address), what);
  }
}

/* --- delete --- */

static int ask_login(struct cli *c, struct slice address, bool *ret_there) {
  struct table logins;
  struct slice list[] = { SLICE("account"), SLICE("list") };
  table_init(&logins);
  *ret_there = false;
  int code = ask_table(c, ROLE_AUTH, list, 2, &logins, NULL);
  for (const struct table_row *r = logins.first; r; r = r->next)
    *ret_there |= slice_caseeq(table_cell(&logins, r, "name"), address);
  table_free(&logins);
  return code;
}

int account_delete(struct cli *c, struct slice address) {
  struct slice words[] = { SLICE("account"), SLICE("delete"), address };
  bool there;
  int code = ask_login(c, address, &there);
  if (code == CLI_EXIT_OK && there) code = change_login(c, words, 3);
  return code == CLI_EXIT_OK ? ask_print(c, ROLE_STORE, words, 3) : code;
}

/* An address, or a file with --from. False: neither, or both. */
static bool one_or_file(const struct cli *c) {
  return (c->arg_count == 1) != (cli_given(c, "from") != NULL);
}

int cmd_account_delete(struct cli *c) {
  char question[512];
  if (!one_or_file(c)) return cli_fail(CLI_EXIT_USAGE, "an ADDRESS is meant, or --from FILE");
  if (cli_given(c, "from")) return account_delete_from(c, cli_given(c, "from"));
  snprintf(question, sizeof question, "Delete %s and all its mail?", c->args[0]);
  if (!cli_given(c, "yes") && !ask_yes(question))
    return cli_fail(CLI_EXIT_USAGE, "nothing was deleted (--yes says yes)");
  int code = account_delete(c, slice_str(c->args[0]));
  if (code == CLI_EXIT_OK) account_warn_of_routes(c, slice_str(c->args[0]), "which is deleted");
  return code;
}

/* --- rename --- */

/* The mailbox first: from then on mail for the new address is accepted. */
int cmd_account_rename(struct cli *c) {
  struct slice old = slice_str(c->args[0]), new = slice_str(c->args[1]);
  struct slice words[5] = { SLICE("account"), SLICE("rename"), old, new, SLICE("alias") };
  struct slice back[] = { SLICE("account"), SLICE("rename"), new, old };
  bool taken, there;
  int code = ask_login(c, new, &taken);
  if (code == CLI_EXIT_OK && taken && !slice_caseeq(old, new))
    return cli_fail(CLI_EXIT_EXISTS, "there is an account %s already", c->args[1]);
  if (code == CLI_EXIT_OK) code = ask_login(c, old, &there);
  if (code == CLI_EXIT_OK) code = ask_print(c, ROLE_STORE, words, cli_given(c, "alias") ? 5 : 4);
  if (code == CLI_EXIT_OK && !slice_caseeq(old, new))
    account_warn_of_routes(c, old,
                           "which is its old name: mail of the new one does not take that route "
                           "until the line is changed and the server reloaded");
  if (code != CLI_EXIT_OK || !there) return code;
  code = change_login(c, words, 4);
  if (code != CLI_EXIT_OK && !slice_caseeq(old, new)) {
    struct slice alias[] = { SLICE("alias"), SLICE("delete"), old };
    if (cli_given(c, "alias")) change_mailbox(c, alias, 3);
    change_mailbox(c, back, 4);
  }
  return code;
}

/* --- list --- */

static void put_cells(struct buf *list, const struct table *t, const struct table_row *r,
                      const char *const *names, size_t n) {
  for (size_t i = 0; i < n; i++) ipc_list_put(list, r ? table_cell(t, r, names[i]) : SLICE("none"));
}

/* Rows by their number; false without memory. */
static bool index_by_id(const struct table *t, struct map *by_id) {
  uint64_t id;
  for (struct table_row *r = t->first; r; r = r->next)
    if (num_parse(table_cell(t, r, "id"), UINT64_MAX, &id) && !map_put_ptr(by_id, id, r))
      return false;
  return true;
}

/* Lists mailboxes with their logins; a mailbox without a login is marked. */
static bool join(const struct table *mailboxes, const struct table *logins, struct table *both) {
  static const char *const left[] = { "address", "messages", "octets", "quota" };
  static const char *const right[] = { "enabled", "legacy", "scram", "hash", "created" };
  struct buf list;
  struct map by_id;
  uint64_t id;
  map_init(&by_id);
  buf_init(&list, 64 * 1024);
  bool ok = index_by_id(logins, &by_id);
  for (size_t i = 0; i < 9; i++) ipc_list_put(&list, slice_str(i < 4 ? left[i] : right[i - 4]));
  ok = ok && table_columns(both, buf_slice(&list));
  for (const struct table_row *r = mailboxes->first; ok && r; r = r->next) {
    bool known = num_parse(table_cell(mailboxes, r, "id"), UINT64_MAX, &id);
    buf_reset(&list);
    put_cells(&list, mailboxes, r, left, 4);
    put_cells(&list, logins, known ? map_ptr(&by_id, id) : NULL, right, 5);
    ok = table_add(both, buf_slice(&list));
  }
  buf_free(&list);
  map_free(&by_id);
  return ok;
}

int cmd_account_list(struct cli *c) {
  struct table mailboxes, logins, both;
  struct slice words[3] = { SLICE("account"), SLICE("list") };
  if (c->arg_count) words[2] = slice_str(c->args[0]);
  table_init(&mailboxes), table_init(&logins), table_init(&both);
  int code = ask_table(c, ROLE_STORE, words, 2 + c->arg_count, &mailboxes, NULL);
  if (code == CLI_EXIT_OK) code = ask_table(c, ROLE_AUTH, words, 2, &logins, NULL);
  if (code == CLI_EXIT_OK) {
    if (join(&mailboxes, &logins, &both))
      table_print(&both, c->json);
    else
      code = cli_fail(CLI_EXIT_SYSTEM, "no memory");
  }
  table_free(&mailboxes), table_free(&logins), table_free(&both);
  return code;
}
