/* SPDX-License-Identifier: ISC */
/* `qasid domain add|delete`: a domain, and the keys that its mail is signed with. */
#include <stdio.h>

#include "lib/json/json.h"
#include "src/cli/admin/commands.h"
#include "src/cli/admin/dkim.h"

/* --json: the domain, and its keys as in `dkim list`: the records to publish. */
static void print_made(const char *typed, const struct table *keys) {
  struct json_value *made = json_new_object();
  struct slice domain = keys->first ? table_cell(keys, keys->first, "domain") : slice_str(typed);
  json_put_text(made, "domain", domain);
  json_put_value(made, "records", table_json(keys));
  json_write(made, stdout, false);
  json_done(&made);
}

static int store_domain(struct cli *c) {
  struct slice words[CLI_WORDS_MAX + 2];
  struct table none;
  if (!c->json) return ask_print(c, ROLE_STORE, words, ask_words(c, words));
  table_init(&none);
  int code = ask_table(c, ROLE_STORE, words, ask_words(c, words), &none, NULL);
  table_free(&none);
  return code;
}

/* A domain without keys can receive and send, so missing keys are reported and do not undo it. */
int cmd_domain_add(struct cli *c) {
  int code = store_domain(c);
  if (code != CLI_EXIT_OK) return code;
  struct table t;
  code = dkim_make(c, c->args[0], &t);
  if (code == CLI_EXIT_OK && !c->json) {
    printf("Its mail is signed (DKIM). Publish these records:\n");
    dkim_print_records(&t, "current", "  ");
  } else if (code == CLI_EXIT_EXISTS) {
    code = CLI_EXIT_OK; /* next ones: for an earlier domain of the same name */
  } else if (code != CLI_EXIT_OK) {
    fprintf(stderr,
            "qasid: the domain is added; its mail is not signed yet: qasid dkim rotate %s\n",
            c->args[0]);
  }
  if (c->json) print_made(c->args[0], &t);
  table_free(&t);
  return code;
}

int cmd_domain_delete(struct cli *c) {
  struct slice words[CLI_WORDS_MAX + 2];
  int code = ask_print(c, ROLE_STORE, words, ask_words(c, words));
  return code == CLI_EXIT_OK ? dkim_forget(c, c->args[0]) : code;
}
