/* SPDX-License-Identifier: ISC */
/* Usage, help and the manual page, from the table of commands. */
#include "src/cli/command_line.h"

#include <stdio.h>
#include <string.h>

#include "src/cli/base/terminal.h"

enum { HELP_WIDTH = 80, HELP_COLUMN = 30 };

/* --- for a terminal --- */

/* The first line continues at `column`; 0: it begins there. */
static void put_wrapped_at(struct buf *out, size_t indent, size_t column, const char *text) {
  struct slice rest = slice_str(text);
  bool begun = column > 0;
  while (rest.p) {
    struct slice word = slice_split(&rest, ' ');
    bool fresh = !begun && (column == 0 || column + 1 + word.n > HELP_WIDTH);
    if (column && fresh) buf_put_u8(out, '\n');
    if (fresh) column = indent;
    for (size_t i = 0; fresh && i < indent; i++) buf_put_u8(out, ' ');
    if (!fresh && !begun) buf_put_u8(out, ' ');
    buf_put(out, word);
    column += word.n + (!fresh && !begun);
    begun = false;
  }
  buf_put_u8(out, '\n');
}

static void put_wrapped(struct buf *out, size_t indent, const char *text) {
  put_wrapped_at(out, indent, 0, text);
}

void cli_usage(struct buf *out, const struct cmd *command) {
  buf_printf(out, "qasid %s%s%s%s", command->words, *command->args ? " " : "", command->args,
             command->options ? " [OPTIONS]" : "");
}

static void put_options(struct buf *out, const struct cmd_option *o, bool no_json) {
  for (; o && o->name; o++) {
    if (no_json && strcmp(o->name, "json") == 0) continue;
    buf_printf(out, "  --%s%s%s\n", o->name, o->value && o->value[0] != '[' ? " " : "",
               o->value ? o->value : "");
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
  put_options(out, command->options, false);
  put_options(out, cmd_common_options, command->no_json);
}

static void put_brief(struct buf *out, const struct cmd *command) {
  size_t n = strlen(command->words) + 2;
  buf_printf(out, "  %s", command->words);
  do buf_put_u8(out, ' ');
  while (++n < HELP_COLUMN);
  put_wrapped_at(out, HELP_COLUMN, n, command->brief);
}

bool cli_put_group(struct buf *out, const char *word, bool list) {
  size_t n = strlen(word);
  bool any = false;
  for (size_t i = 0; i < cli_command_count; i++) {
    if (strncmp(cli_commands[i].words, word, n) != 0 || cli_commands[i].words[n] != ' ') continue;
    if (list && !any) buf_printf(out, "%s: which of these?\n", word);
    if (list) put_brief(out, &cli_commands[i]);
    any = true;
  }
  if (list && any) buf_truncate(out, buf_len(out) - 1);
  return any;
}

/* "queu list", "queue lst": suggests the command that was meant, or where commands are listed. */
static int unknown_command(const char *const *words, size_t n, bool is_group) {
  struct buf typed;
  buf_init(&typed, 1024);
  n = !is_group ? 1 : n < 2 ? n : 2;
  for (size_t i = 0; i < n; i++) buf_printf(&typed, "%s%s", i ? " " : "", words[i]);
  struct slice all = buf_slice(&typed), near = cli_nearest(all, n);
  int code =
      near.n ? cli_fail(CLI_EXIT_NOT_FOUND, "there is no command \"%.*s\"; did you mean \"%.*s\"?",
                        SLICE_ARG(all), SLICE_ARG(near))
             : cli_fail(CLI_EXIT_NOT_FOUND,
                        "there is no command \"%.*s\"; `qasid help%s%s` lists them", SLICE_ARG(all),
                        is_group ? " " : "", is_group ? words[0] : "");
  buf_free(&typed);
  return code;
}

/* The commands that begin with the word. If there are none: prints that, CLI_EXIT_NOT_FOUND. */
static int help_group(struct buf *out, const char *const *words, size_t count) {
  size_t before = buf_len(out), n = strlen(words[0]);
  for (size_t i = 0; i < cli_command_count; i++)
    if (strncmp(cli_commands[i].words, words[0], n) == 0 && cli_commands[i].words[n] == ' ')
      put_brief(out, &cli_commands[i]);
  if (buf_len(out) > before && count == 1) return CLI_EXIT_OK;
  bool is_group = buf_len(out) > before;
  buf_truncate(out, before);
  return unknown_command(words, count, is_group);
}

void cli_overview(struct buf *out) {
  buf_put_str(out, "usage: qasid COMMAND [OPTIONS]\n\n");
  for (size_t i = 0; i < cli_command_count; i++) put_brief(out, &cli_commands[i]);
  buf_put_str(out, "\n`qasid help COMMAND` says more. A new server begins with\n`qasid init "
                   "you@example.org`.\n");
}

/* --- mdoc --- */

/* "ADDRESS [FILE …]" → ADDRESS Op Ar FILE ...; capitals are arguments, the rest is typed as it is.
 */
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
    buf_printf(out, ".It Fl Fl %s%s%s\n", o->name,
               !o->value            ? ""
               : o->value[0] == '[' ? " Ns Ar "
                                    : " Ar ",
               o->value ? o->value : "");
    cli_put_roff(out, o->text);
  }
  buf_put_str(out, ".El\n");
}

static void put_manual_command(struct buf *out, const struct cmd *c) {
  buf_printf(out, ".It Ic %s", c->words);
  put_args(out, c->args);
  buf_put_u8(out, '\n');
  buf_put_u8(out, ascii_upper((uint8_t)c->brief[0]));
  cli_put_roff(out, c->brief + 1);
  buf_truncate(out, buf_len(out) - 1);
  buf_put_str(out, ".\n");
  if (c->text) cli_put_roff(out, c->text);
  if (c->options) put_manual_options(out, c->options);
}

static const char manual_head[] =
    ".\\\" Made from src/cli/commands.c by `qasid help manual`.\n.Dd November 23, 2026\n.Dt QASID "
    "1\n.Os\n.Sh NAME\n.Nm qasid\n.Nd mail server: SMTP in and out, POP3\n.Sh SYNOPSIS\n.Nm "
    "qasid\n.Ar command\n.Op Ar options\n.Sh DESCRIPTION\n.Nm\nreceives mail by SMTP, stores it, "
    "delivers it to its owner by POP3 and to other servers by SMTP.\nA new server is made by\n.Ic "
    "qasid init you@example.org\nand run by\n.Ic qasid serve .\n.Pp\nThe other commands administer "
    "it, while it runs or not: when no server with the configuration runs,\none without listeners "
    "is started for the length of the command.\nThey are for root and the user who started the "
    "server.\n.Pp\nOptions stand anywhere on the command line; what follows\n.Fl Fl\nis never "
    "one.\nEvery command has these:\n";

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

static const char manual_tail[] = ".El\n";

static const char manual_end[] = ".Sh SEE ALSO\n"
                                 ".Xr qasid-log 5 ,\n"
                                 ".Xr qasid.conf 5\n";

/* At least one for each group of commands. */
static const struct {
  const char *about, *command;
} examples[] = {
  { "A server of one's own to look at, without root:",
    "qasid init you@example.org --dir ~/qasid --ports high\nqasid serve -c ~/qasid/qasid.conf" },
  { "Is everything well? In words, for Nagios, and before a restart:",
    "qasid status\nqasid status --check\nqasid check-config" },
  { "Another domain, with an account, a list, and an address that leads elsewhere:",
    "qasid domain add example.net\nqasid account add alice@example.net --quota 2G\n"
    "qasid alias add team@example.net alice@example.net you@example.org\nqasid alias add "
    "al@example.net alice@example.net" },
  { "Many accounts at once, looked at first:",
    "qasid account import accounts.csv --dry-run\nqasid account import accounts.csv" },
  { "Collecting mail from another server every 10 minutes:",
    "qasid account collect add alice@example.net pop3s://alice@pop.example.com --every 10m\nqasid "
    "account collect list" },
  { "What is in a mailbox, and bringing back what was deleted yesterday:",
    "qasid mail list alice@example.net\nqasid mail show alice@example.net 17\nqasid mail undelete "
    "alice@example.net --since 1d" },
  { "Why does mail to a domain wait, and trying again:",
    "qasid queue list to=example.com\nqasid queue history alice@example.com\nqasid queue retry "
    "to=example.com" },
  { "Signing what is sent:", "qasid dkim list" },
  { "What a client and the server say to each other, for ten minutes:",
    "qasid ps\nqasid trace 192.0.2.7 --for 10m" },
  { "Moving a Maildir and its UIDLs in, and an account out:",
    "qasid import you@example.org /home/you/Maildir\nqasid export you@example.org you.mbox" },
  { "Moving from another POP3 server, until nothing differs:",
    "qasid migrate pop3 --from pop.example.com --accounts accounts.txt --create --prove" },
  { "A backup every night, and what to do after the worst:",
    "qasid backup /backup/mail.tar\nqasid check\nqasid restore /backup/mail.tar" },
  { "Mail as a client sees it, and a message to try the way out:",
    "qasid fetch pop3s://you@example.org --list\necho hello | qasid send "
    "smtp://you@mail.example.org --to a@example.com --subject test" },
  { "What the server finds in DNS:", "qasid dns lookup example.com mx" },
};

static void put_examples(struct buf *out) {
  buf_put_str(out, ".Sh EXAMPLES\n");
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
    cli_put_roff(out, examples[i].about);
    buf_printf(out, ".Bd -literal -offset indent\n%s\n.Ed\n%s", examples[i].command,
               i + 1 < sizeof examples / sizeof *examples ? ".Pp\n" : "");
  }
}

void cli_manual(struct buf *out) {
  buf_put_str(out, manual_head);
  put_manual_options(out, cmd_common_options);
  buf_put_str(out, ".Sh COMMANDS\n.Bl -tag -width Ds\n");
  for (size_t i = 0; i < cli_command_count; i++) put_manual_command(out, &cli_commands[i]);
  buf_put_str(out, ".El\n");
  buf_put_str(out, manual_environment);
  for (size_t i = 0; i < cli_exit_count; i++) {
    buf_printf(out, ".It %d\n", cli_exits[i].code);
    cli_put_roff(out, cli_exits[i].text);
  }
  buf_put_str(out, manual_tail);
  put_examples(out);
  buf_put_str(out, manual_end);
}

/* --- bash --- */

static const char completion_head[] =
    "# bash completion for qasid(1). Made from src/cli/commands.c by `qasid help completion`.\n"
    "_qasid() {\n"
    "  local cur=${COMP_WORDS[COMP_CWORD]} typed='' help='' words='' command='' line rest i\n"
    "  COMPREPLY=()\n"
    "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "    case ${COMP_WORDS[i]} in\n"
    "      -c | --config) ((i++)) ;;\n"
    "      -*) ;;\n"
    "      help) [[ $typed ]] && typed+='help ' || help=1 ;;\n"
    "      *) typed+=\"${COMP_WORDS[i]} \" ;;\n"
    "    esac\n"
    "  done\n"
    "  while IFS='|' read -r line rest; do\n"
    "    # the next word of commands that begin with what was typed; the options of the one that "
    "it is\n"
    "    [[ \"$line \" == \"$typed\"* && \"$line \" != \"$typed\" ]] && line=${line#\"$typed\"} && "
    "words+=\" ${line%% *}\"\n"
    "    [[ $typed == \"$line \"* ]] && command=$rest\n"
    "    # behind help: the words of all commands, and what help has of its own\n"
    "    [[ $help && ! $typed && \"$line \" == 'help '?* ]] && line=${line#help } && words+=\" "
    "${line%% *}\"\n"
    "  done <<'EOF'\n";
static const char completion_tail[] =
    "EOF\n"
    "  [[ $cur == -* ]] && words=$command\n"
    "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\" | sort -u)\n"
    "}\n"
    "complete -o default -F _qasid qasid\n";

static void cli_completion(struct buf *out) {
  buf_put_str(out, completion_head);
  for (size_t i = 0; i < cli_command_count; i++) {
    const struct cmd_option *lists[] = { cli_commands[i].options, cmd_common_options };
    buf_printf(out, "%s|", cli_commands[i].words);
    for (size_t k = 0; k < 2; k++)
      for (const struct cmd_option *o = lists[k]; o && o->name; o++)
        if (!cli_commands[i].no_json || strcmp(o->name, "json") != 0)
          buf_printf(out, "--%s ", o->name);
    buf_truncate(out, buf_len(out) - 1);
    buf_put_u8(out, '\n');
  }
  buf_put_str(out, completion_tail);
}

/* --- the commands --- */

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
  else if (about && n < c->arg_count)
    code = cli_fail(CLI_EXIT_USAGE, "\"%s\" is too much behind help %s", c->args[n], about->words);
  else if (about)
    cli_help(&out, about);
  else
    code = help_group(&out, c->args, c->arg_count);
  out_put(&out);
  buf_free(&out);
  return code;
}
