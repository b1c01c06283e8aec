/* SPDX-License-Identifier: ISC */
/* The server as a whole: run it, show its state, send it commands. */
#include <stdio.h>
#include <string.h>

#include "src/cli/ask.h"
#include "src/cli/terminal.h"
#include "src/roles.h"

int cmd_serve(struct cli *c) {
  char *argv[] = { (char *)(uintptr_t) "parent", (char *)(uintptr_t) "--config",
                   (char *)(uintptr_t)c->config, (char *)(uintptr_t) "--offline", NULL };
  return parent_main(cli_given(c, "offline") ? 4 : 3, argv);
}

int cmd_version(struct cli *c) {
  printf("qasid %s\n", QASID_VERSION);
  return CLI_EXIT_OK;
}

int cmd_help(struct cli *c) {
  struct buf out;
  size_t n = 0;
  buf_init(&out, 1024 * 1024);
  const struct cmd *about = c->arg_count ? cli_find(c->args, c->arg_count, &n) : NULL;
  int code = CLI_EXIT_OK;
  if (strcmp(c->command->words, "help manual") == 0)
    cli_manual(&out);
  else if (strcmp(c->command->words, "help completion") == 0)
    cli_completion(&out);
  else if (c->arg_count == 0)
    cli_overview(&out);
  else if (about)
    cli_help(&out, about);
  else
    code = cli_help_group(&out, c->args[0]);
  out_put(&out);
  buf_free(&out);
  return code;
}

/* --- the running server --- */

int ask_parent(struct cli *c, const char *word, struct table *t, struct buf *text) {
  int code;
  struct link *l = link_open_running(c, ROLE_PARENT, 0, &code);
  if (!l) return code;
  struct slice words[] = { slice_str(word) };
  code = link_ask(l, words, 1) ? ask_answer(l, t, text)
                               : cli_fail(CLI_EXIT_UNAVAILABLE, "the server did not answer");
  link_free(&l);
  return code;
}

int cmd_parent(struct cli *c) {
  struct table t;
  struct buf text;
  table_init(&t);
  buf_init(&text, 4096);
  int code = ask_parent(c, c->command->words, &t, &text);
  if (code == CLI_EXIT_OK) printf("%.*s\n", SLICE_ARG(buf_slice(&text)));
  buf_free(&text);
  table_free(&t);
  return code;
}

/* The server is asked even if the file has a mistake: it reports which, and reopens its log all the
 * same, for whoever moved that (logrotate). If it reports nothing about this file, the mistakes are
 * printed here. */
int cmd_reload(struct cli *c) {
  struct buf mistakes;
  buf_init(&mistakes, 64 * 1024);
  c->conf = conf_load(c->config, &mistakes);
  if (c->conf) {
    buf_free(&mistakes);
    return cmd_parent(c);
  }
  c->conf = conf_load_run_dir(c->config);
  int code = c->conf ? cmd_parent(c) : CLI_EXIT_UNAVAILABLE;
  if (code != CLI_EXIT_CONFIG) fwrite(buf_slice(&mistakes).p, 1, buf_len(&mistakes), stderr);
  buf_free(&mistakes);
  return CLI_EXIT_CONFIG;
}

int ask_all(struct cli *c, enum role kind, const char *word, struct table *t) {
  struct slice words[] = { slice_str(word) };
  int code = CLI_EXIT_OK;
  for (unsigned index = 0; code == CLI_EXIT_OK && index < 256; index++) {
    struct link *l = link_open_running(c, kind, (uint8_t)index, &code);
    if (!l) return code == CLI_EXIT_NOT_FOUND ? CLI_EXIT_OK : code;
    code = link_ask(l, words, 1) ? ask_answer(l, t, NULL) : CLI_EXIT_UNAVAILABLE;
    link_free(&l);
  }
  return code;
}

int cmd_ps(struct cli *c) {
  struct table t;
  table_init(&t);
  int code = ask_all(c, ROLE_SMTPD, "ps", &t);
  if (code == CLI_EXIT_OK) code = ask_all(c, ROLE_POP3D, "ps", &t);
  if (code == CLI_EXIT_OK) table_print(&t, c->json);
  table_free(&t);
  return code;
}
