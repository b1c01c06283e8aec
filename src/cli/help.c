/* Usage, help and the manual page, from the table of commands. */
#include "src/cli/cli.h"

#include <string.h>

enum { HELP_WIDTH = 88, HELP_COLUMN = 22 };

/* --- for a terminal --- */

static void put_wrapped(struct buf *out, size_t indent, const char *text) {
  struct slice rest = slice_str(text);
  size_t column = 0;
  while (rest.p) {
    struct slice word = slice_split(&rest, ' ');
    bool fresh = column == 0 || column + 1 + word.n > HELP_WIDTH;
    if (column && fresh) buf_put_u8(out, '\n');
    if (fresh) column = indent;
    for (size_t i = 0; fresh && i < indent; i++) buf_put_u8(out, ' ');
    if (!fresh) buf_put_u8(out, ' ');
    buf_put(out, word);
    column += word.n + !fresh;
  }
  buf_put_u8(out, '\n');
}

void cli_usage(struct buf *out, const struct cmd *command) {
  buf_printf(out, "qasid %s%s%s%s", command->words, *command->args ? " " : "", command->args,
             command->options ? " [OPTIONS]" : "");
}

static void put_options(struct buf *out, const struct cmd_option *o) {
  for (; o && o->name; o++) {
    buf_printf(out, "  --%s%s%s\n", o->name, o->value && o->value[0] != '[' ? " " : "", o->value ? o->value : "");
    put_wrapped(out, 6, o->text);
  }
}

void cli_help(struct buf *out, const struct cmd *command) {
  buf_put_str(out, "usage: ");
  cli_usage(out, command);
  buf_put_str(out, "\n\n");
  put_wrapped(out, 0, command->brief);
  if (command->text) {
    buf_put_u8(out, '\n');
    put_wrapped(out, 0, command->text);
  }
  buf_put_str(out, "\noptions:\n");
  put_options(out, command->options);
  put_options(out, cmd_common_options);
}

static void put_brief(struct buf *out, const struct cmd *command) {
  size_t n = strlen(command->words);
  buf_printf(out, "  %s", command->words);
  do buf_put_u8(out, ' ');
  while (++n < HELP_COLUMN);
  buf_printf(out, "%s\n", command->brief);
}

int cli_help_group(struct buf *out, const char *word) {
  size_t before = buf_len(out), n = strlen(word);
  for (size_t i = 0; i < cmd_count; i++)
    if (strncmp(cmds[i].words, word, n) == 0 && cmds[i].words[n] == ' ') put_brief(out, &cmds[i]);
  if (buf_len(out) > before) return CLI_EXIT_OK;
  return cli_fail(CLI_EXIT_NOT_FOUND, "there is no command \"%s\"; `qasid help` lists them", word);
}

void cli_overview(struct buf *out) {
  buf_put_str(out, "usage: qasid COMMAND [OPTIONS]\n\n");
  for (size_t i = 0; i < cmd_count; i++) put_brief(out, &cmds[i]);
  buf_put_str(out,
              "\n`qasid help COMMAND` says more. A new server begins with `qasid init you@example.org`.\n");
}

/* --- mdoc --- */

static void put_roff(struct buf *out, const char *text) {
  for (const char *first = text; *text; text++) {
    bool sentence = text > first && text[0] == ' ' && text[-1] == '.' && text[1] >= 'A' && text[1] <= 'Z';
    if (sentence)
      buf_put_u8(out, '\n');
    else if ((text == first || text[-1] == '\n') && (*text == '.' || *text == '\''))
      buf_printf(out, "\\&%c", *text);
    else if (*text == '\\')
      buf_put_str(out, "\\e");
    else if (*text == '"')
      buf_put_str(out, "\\(dq");
    else if (strncmp(text, "…", sizeof "…" - 1) == 0)
      buf_put_str(out, "..."), text += sizeof "…" - 2;
    else
      buf_put_u8(out, (uint8_t)*text);
  }
  buf_put_u8(out, '\n');
}

/* "ADDRESS [FILE …]" → ADDRESS Op Ar FILE ...; capitals are arguments, the rest is typed as it is. */
static void put_args(struct buf *out, const char *args) {
  struct slice rest = slice_str(args);
  while (rest.n) {
    struct slice word = slice_split(&rest, ' ');
    if (slice_at(word, 0) == '[') {
      buf_put_str(out, " Op");
      word = slice_from(word, 1);
    }
    if (word.n && word.p[word.n - 1] == ']') word.n--;
    bool dots = slice_eq(word, SLICE("…"));
    bool typed = !dots && slice_at(word, 0) >= 'a' && slice_at(word, 0) <= 'z';
    buf_put_str(out, dots ? " " : typed ? " Cm " : " Ar ");
    buf_put(out, dots ? SLICE("...") : word);
  }
}

static void put_manual_options(struct buf *out, const struct cmd_option *o) {
  buf_put_str(out, ".Bl -tag -width Ds\n");
  for (; o && o->name; o++) {
    buf_printf(out, ".It Fl Fl %s%s%s\n", o->name, !o->value               ? ""
               : o->value[0] == '[' ? " "
                                    : " Ar ",
               o->value ? o->value : "");
    put_roff(out, o->text);
  }
  buf_put_str(out, ".El\n");
}

static void put_manual_command(struct buf *out, const struct cmd *c) {
  buf_printf(out, ".It Ic %s", c->words);
  put_args(out, c->args);
  buf_put_u8(out, '\n');
  buf_put_u8(out, ascii_upper((uint8_t)c->brief[0]));
  put_roff(out, c->brief + 1);
  buf_truncate(out, buf_len(out) - 1);
  buf_put_str(out, ".\n");
  if (c->text) put_roff(out, c->text);
  if (c->options) put_manual_options(out, c->options);
}

static const char manual_head[] =
    ".\\\" Made from src/cli/commands.c by `qasid help manual`.\n"
    ".Dd November 23, 2026\n"
    ".Dt QASID 1\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm qasid\n"
    ".Nd mail server: SMTP in, POP3 out\n"
    ".Sh SYNOPSIS\n"
    ".Nm qasid\n"
    ".Ar command\n"
    ".Op Ar options\n"
    ".Sh DESCRIPTION\n"
    ".Nm\n"
    "receives mail by SMTP, keeps it, and gives it to its owner by POP3.\n"
    "A new server is made by\n"
    ".Ic qasid init you@example.org\n"
    "and run by\n"
    ".Ic qasid serve .\n"
    ".Pp\n"
    "The other commands administer it, while it runs or not: when no server with the configuration runs,\n"
    "one without listeners is started for the length of the command.\n"
    "They are for root and the user who started the server.\n"
    ".Pp\n"
    "Options stand anywhere on the command line; what follows\n"
    ".Fl Fl\n"
    "is never one.\n"
    "Every command has these:\n";

static const char manual_environment[] = ".Sh ENVIRONMENT\n"
                                         ".Bl -tag -width NO_COLOR\n"
                                         ".It Ev QASID_CONF\n"
                                         "The configuration, when\n"
                                         ".Fl Fl config\n"
                                         "is not given.\n"
                                         ".It Ev NO_COLOR\n"
                                         "When set to anything, no colours are used.\n"
                                         "Where the output is no terminal there are none either.\n"
                                         ".El\n"
                                         ".Sh FILES\n"
                                         ".Bl -tag -width Ds\n"
                                         ".It Pa /etc/qasid/qasid.conf\n"
                                         "The configuration.\n"
                                         ".It Pa /var/lib/qasid\n"
                                         "Mail and accounts.\n"
                                         ".It Pa /run/qasid/control\n"
                                         "The socket by which commands reach the server.\n"
                                         ".El\n"
                                         ".Sh EXIT STATUS\n"
                                         ".Bl -tag -width 99\n";

static const char manual_tail[] = ".El\n"
                                  ".Sh EXAMPLES\n"
                                  "A server of one's own to look at, without root:\n"
                                  ".Bd -literal -offset indent\n"
                                  "qasid init you@example.org --dir ~/qasid --ports high\n"
                                  "qasid serve -c ~/qasid/qasid.conf\n"
                                  ".Ed\n"
                                  ".Pp\n"
                                  "Moving a Maildir and its UIDLs in:\n"
                                  ".Dl qasid import you@example.org /home/you/Maildir\n"
                                  ".Sh SEE ALSO\n"
                                  ".Xr qasid.conf 5\n";

void cli_manual(struct buf *out) {
  buf_put_str(out, manual_head);
  put_manual_options(out, cmd_common_options);
  buf_put_str(out, ".Sh COMMANDS\n.Bl -tag -width Ds\n");
  for (size_t i = 0; i < cmd_count; i++) put_manual_command(out, &cmds[i]);
  buf_put_str(out, ".El\n");
  buf_put_str(out, manual_environment);
  for (size_t i = 0; i < cli_exit_count; i++) {
    buf_printf(out, ".It %d\n", cli_exits[i].code);
    put_roff(out, cli_exits[i].text);
  }
  buf_put_str(out, manual_tail);
}
