/* SPDX-License-Identifier: ISC */
/* The command line: one table of commands, its parser, and the texts generated from it. */
#ifndef QASID_CLI_COMMAND_LINE_H
#define QASID_CLI_COMMAND_LINE_H

#include "src/cli/base/cli.h"

extern const struct cmd cli_commands[];
extern const size_t cli_command_count;
/* Options that every command has. */
extern const struct cmd_option cmd_common_options[];
/* commands_client.c */
extern const struct cmd_option cmd_fetch_options[], cmd_migrate_options[], cmd_send_options[];

/* Parses a command line. CLI_EXIT_OK, or CLI_EXIT_USAGE with a sentence in `err`. */
enum cli_exit cli_parse(struct cli *c, int argc, char *const *argv, struct buf *err);
/* The command that begins with these words, and its number of words; NULL: there is none. */
const struct cmd *cli_find(const char *const *words, size_t n, size_t *ret_words);

/* --- help.c: from the table --- */
void cli_usage(struct buf *out, const struct cmd *command);
void cli_help(struct buf *out, const struct cmd *command);
void cli_overview(struct buf *out);
/* True if there are longer commands that begin with `word`. With `list`, prints them, without a
 * final line end. */
bool cli_put_group(struct buf *out, const char *word, bool list);
/* Among the first `n` words of each command, those nearest to what was typed; empty: none is
 * near. */
struct slice cli_nearest(struct slice typed, size_t n);
void cli_manual(struct buf *out); /* docs/man/qasid.1 */
struct cli_exit_row {
  int code;
  const char *text;
};
extern const struct cli_exit_row cli_exits[];
extern const size_t cli_exit_count;
int cmd_version(struct cli *c);
int cmd_help(struct cli *c);

/* --- sendmail.c: by the names sendmail, mailq, newaliases --- */
int sendmail_main(const char *name, int argc, char **argv);

#endif
