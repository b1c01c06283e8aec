/* SPDX-License-Identifier: ISC */
/* `qasid domain add|delete`: a domain, and the keys that its mail is signed with. */
#include <stdio.h>

#include "src/cli/admin/commands.h"
#include "src/cli/admin/dkim.h"

/* A domain without keys can receive and send, so missing keys are reported and do not undo it. */
int cmd_domain_add(struct cli *c) {
  struct slice words[CLI_WORDS_MAX + 2];
  int code = ask_print(c, ROLE_STORE, words, ask_words(c, words));
  if (code != CLI_EXIT_OK) return code;
  struct table t;
  code = dkim_make(c, c->args[0], &t);
  if (code == CLI_EXIT_OK && !c->json) {
    printf("Its mail is signed (DKIM). Publish these records:\n");
    dkim_print_records(&t, "current", "  ");
  } else if (code == CLI_EXIT_EXISTS) {
    code = CLI_EXIT_OK; /* next ones: of a domain by that name before */
  } else if (code != CLI_EXIT_OK) {
    fprintf(stderr,
            "qasid: the domain is added; its mail is not signed yet: qasid dkim rotate %s\n",
            c->args[0]);
  }
  table_free(&t);
  return code;
}

int cmd_domain_delete(struct cli *c) {
  struct slice words[CLI_WORDS_MAX + 2];
  int code = ask_print(c, ROLE_STORE, words, ask_words(c, words));
  return code == CLI_EXIT_OK ? dkim_forget(c, c->args[0]) : code;
}
