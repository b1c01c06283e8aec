/* SPDX-License-Identifier: ISC */
/* Commands implemented by the store: their words are passed on unchanged. */
#include <stdio.h>

#include "src/cli/admin/commands.h"
#include "src/cli/link/ask.h"

#include <stdio.h>

/* --all and --since go to the store as words. */
int cmd_mail_undelete(struct cli *c) {
  struct slice words[CLI_WORDS_MAX + 5];
  const char *since = cli_given(c, "since");
  size_t n = ask_words(c, words);
  if (cli_given(c, "all")) words[n++] = SLICE("--all");
  if (since) words[n++] = SLICE("--since"), words[n++] = slice_str(since);
  return ask_print(c, ROLE_STORE, words, n);
}

/* --keep likewise. */
int cmd_account_forward(struct cli *c) {
  struct slice words[CLI_WORDS_MAX + 3];
  size_t n = ask_words(c, words);
  if (cli_given(c, "keep")) words[n++] = SLICE("--keep");
  return ask_print(c, ROLE_STORE, words, n);
}

/* --account ADDRESS is the selector account=ADDRESS. */
int cmd_queue(struct cli *c) {
  struct slice words[CLI_WORDS_MAX + 3];
  char account[600];
  size_t n = ask_words(c, words);
  if (cli_given(c, "account")) {
    int len = snprintf(account, sizeof account, "account=%s", cli_given(c, "account"));
    if (len >= (int)sizeof account) return cli_fail(CLI_EXIT_USAGE, "the address is too long");
    words[n++] = slice_str(account);
  }
  return ask_print(c, ROLE_STORE, words, n);
}

int cmd_process(struct cli *c) {
  struct slice words[CLI_WORDS_MAX + 2];
  return ask_print(c, ROLE_STORE, words, ask_words(c, words));
}

int cmd_mail_show(struct cli *c) {
  struct slice words[CLI_WORDS_MAX + 2];
  struct link_reply reply;
  int code;
  struct cli_link *l = link_open(c, ROLE_STORE, 0, &code);
  if (!l)
    return code == CLI_EXIT_NOT_FOUND ? cli_fail(CLI_EXIT_UNAVAILABLE, "store does not run now")
                                      : code;
  if (!link_ask(l, words, ask_words(c, words)))
    code = cli_fail(CLI_EXIT_TEMPORARY, "the store did not accept the command");
  else {
    do
      if (link_next(l, &reply) == LINK_OUTPUT) fwrite(reply.data.p, 1, reply.data.n, stdout);
    while (reply.event != LINK_DONE && reply.event != LINK_LOST);
    code = link_finish(&reply);
  }
  link_free(&l);
  return code;
}
