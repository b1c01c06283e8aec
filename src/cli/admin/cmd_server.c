/* SPDX-License-Identifier: ISC */
/* The server as a whole: run it, show its state, send it commands. */
#include <stdio.h>
#include <string.h>

#include "src/cli/admin/commands.h"
#include "src/cli/link/ask.h"
#include "src/cli/base/terminal.h"
#include "src/roles.h"

int cmd_serve(struct cli *c) {
  char *argv[] = { (char *)(uintptr_t) "parent", (char *)(uintptr_t) "--config",
                   (char *)(uintptr_t)c->config, (char *)(uintptr_t) "--offline", NULL };
  return parent_main(cli_given(c, "offline") ? 4 : 3, argv);
}

/* --- the running server --- */

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

/* The server is asked even if the file has a mistake: it reports that, and reopens its log all the
 * same, in case it was moved (logrotate). If it reports nothing about this file, the mistakes are
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

int cmd_ps(struct cli *c) {
  struct table t;
  table_init(&t);
  int code = ask_all(c, ROLE_SMTPD, "ps", &t);
  if (code == CLI_EXIT_OK) code = ask_all(c, ROLE_POP3D, "ps", &t);
  if (code == CLI_EXIT_OK) table_print(&t, c->json);
  table_free(&t);
  return code;
}
