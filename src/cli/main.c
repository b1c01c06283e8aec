/* SPDX-License-Identifier: ISC */
/* From the arguments to the exit code. */
#include "src/cli/command_line.h"

#include <stdio.h>
#include <string.h>

#include "conf/docs.h"
#include "src/cli/admin/commands.h"
#include "src/cli/base/terminal.h"
#include "src/cli/link/link.h"
#include "src/roles.h"

static int print_help(const struct cli *c) {
  struct buf out;
  buf_init(&out, 256 * 1024);
  if (c->command)
    cli_help(&out, c->command);
  else
    cli_overview(&out);
  if (c->command && c->command->run == cmd_config) {
    buf_put_u8(&out, '\n');
    conf_help(&out, NULL); /* `qasid config --help` has every option */
  }
  out_put(&out);
  buf_free(&out);
  return CLI_EXIT_OK;
}

/* The name that the program was called by, if that is one of its own; NULL: it is not. */
static const char *other_name(const char *path) {
  static const char *const names[] = { "sendmail", "mailq", "newaliases" };
  const char *slash = path ? strrchr(path, '/') : NULL, *name = slash ? slash + 1 : path;
  for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0) return names[i];
  return NULL;
}

int cli_main(int argc, char **argv) {
  const char *name = other_name(argv[0]);
  if (name) return sendmail_main(name, argc, argv);
  struct cli c;
  struct buf err;
  buf_init(&err, 8192);
  int code = cli_parse(&c, argc, argv, &err);
  if (code != CLI_EXIT_OK) {
    const char *text = buf_cstr(&err);
    struct slice more = slice_str(text ? text : "the command line is too long"),
                 first = slice_split(&more, '\n');
    cli_fail(code, "%.*s", SLICE_ARG(first));
    if (more.n) fprintf(stderr, "%.*s\n", SLICE_ARG(more)); /* out of the table of commands */
  } else {
    code = c.help ? print_help(&c) : c.command->run(&c);
    server_stop(&c.server);
    cli_close(&c);
  }
  buf_free(&err);
  bool lost = fflush(stdout) != 0;
  if ((lost || ferror(stdout)) && code == CLI_EXIT_OK)
    code = cli_fail(CLI_EXIT_IO, "what was printed could not be written");
  return code;
}
