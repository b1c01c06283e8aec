/* A command line taken apart by the table of commands. Options may stand anywhere; what follows "--"
 * is never one. */
#include "src/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_CONFIG "/etc/qasid/qasid.conf"

const struct cmd_option cmd_common_options[] = {
  { "config", "FILE",
    "The configuration (also -c FILE). Else $QASID_CONF; else, for a user who is not root and has "
    "that file, ~/.config/qasid/qasid.conf; else " SYSTEM_CONFIG "." },
  { "json", NULL, "Tables as JSON." },
  { "help", NULL, "What the command does (also -h)." },
  { NULL, NULL, NULL },
};

static const struct cmd_option *option_of(const struct cmd_option *list, struct slice name) {
  for (; list && list->name; list++)
    if (slice_eq(name, slice_str(list->name))) return list;
  return NULL;
}

const struct cmd *cli_find(const char *const *words, size_t n, size_t *ret_words) {
  const struct cmd *found = NULL;
  for (size_t i = 0; i < cmd_count; i++) {
    struct slice rest = slice_str(cmds[i].words);
    size_t at = 0;
    while (rest.p && at < n && slice_eq(slice_split(&rest, ' '), slice_str(words[at]))) at++;
    size_t wanted = 1;
    for (const char *p = cmds[i].words; *p; p++) wanted += *p == ' ';
    if (at != wanted || (found && at < *ret_words)) continue;
    found = &cmds[i];
    *ret_words = at;
  }
  return found;
}

/* "--name", "--name=value", "-c", "-h", "-t" → the name and, when it stands in the same word, the value. */
static struct slice option_name(const char *word, const char **ret_value) {
  *ret_value = NULL;
  if (strcmp(word, "-c") == 0) return SLICE("config");
  if (strcmp(word, "-h") == 0) return SLICE("help");
  if (strcmp(word, "-t") == 0) return SLICE("headers");
  if (strncmp(word, "--", 2) != 0) return SLICE_NONE;
  struct slice name = slice_str(word + 2);
  ptrdiff_t equals = slice_find(name, '=');
  if (equals < 0) return name;
  *ret_value = word + 2 + equals + 1;
  return slice_first(name, (size_t)equals);
}

static bool is_option(const char *word) { return word[0] == '-' && word[1] != 0; }

/* The command's words come first among what is no option; common options may stand before them. */
static const struct cmd *find_command(int argc, char *const *argv, size_t *ret_skip) {
  const char *words[3] = { NULL, NULL, NULL }; /* "account certificate add" */
  size_t n = 0;
  for (int i = 1; i < argc && n < 3; i++) {
    const char *value;
    if (!is_option(argv[i])) {
      words[n++] = argv[i];
      continue;
    }
    const struct cmd_option *o = option_of(cmd_common_options, option_name(argv[i], &value));
    if (n || !o) break;
    if (o->value && !value && o->value[0] != '[') i++;
  }
  return cli_find(words, n, ret_skip);
}

static bool keep_given(struct cli *c, const char *name, const char *value) {
  if (c->given_count == CLI_GIVEN_MAX) return false;
  c->given[c->given_count++] = (struct cli_given){ name, value ? value : "" };
  return true;
}

static bool take_option(struct cli *c, int argc, char *const *argv, int *at, struct buf *err) {
  const char *word = argv[*at], *value;
  struct slice name = option_name(word, &value);
  const struct cmd_option *o = option_of(cmd_common_options, name);
  if (!o && c->command) o = option_of(c->command->options, name);
  if (!o) {
    buf_printf(err, "%s is no option of %s", word, c->command ? c->command->words : "qasid");
    return false;
  }
  if (!o->value && value) {
    buf_printf(err, "--%s takes no value", o->name);
    return false;
  }
  if (o->value && !value && o->value[0] == '[') return keep_given(c, o->name, "");
  if (o->value && !value && *at + 1 >= argc) {
    buf_printf(err, "--%s needs %s behind it", o->name, o->value);
    return false;
  }
  if (o->value && !value) value = argv[++*at];
  if (keep_given(c, o->name, value)) return true;
  buf_put_str(err, "too many options");
  return false;
}

static bool take_words(struct cli *c, int argc, char *const *argv, size_t skip, struct buf *err) {
  bool options = true;
  for (int i = 1; i < argc; i++) {
    if (options && strcmp(argv[i], "--") == 0) {
      options = false;
    } else if (options && is_option(argv[i])) {
      if (!take_option(c, argc, argv, &i, err)) return false;
    } else if (skip) {
      skip--;
    } else if (c->arg_count == CLI_WORDS_MAX) {
      buf_put_str(err, "too many words");
      return false;
    } else {
      c->args[c->arg_count++] = argv[i];
    }
  }
  return true;
}

static const char *choose_config(struct cli *c) {
  const char *named = cli_given(c, "config");
  const char *environment = getenv("QASID_CONF"), *home = getenv("HOME");
  if (!named && environment && *environment) named = environment;
  c->config_named = named != NULL;
  if (named) return named;
  if (geteuid() == 0 || !home) return SYSTEM_CONFIG;
  int n = snprintf(c->config_room, sizeof c->config_room, "%s/.config/qasid/qasid.conf", home);
  bool there = n > 0 && (size_t)n < sizeof c->config_room && access(c->config_room, R_OK) == 0;
  return there ? c->config_room : SYSTEM_CONFIG;
}

static void say_unknown(struct cli *c, int argc, char *const *argv, struct buf *err) {
  for (int i = 1; i < argc; i++) {
    if (is_option(argv[i])) continue;
    buf_printf(err, "there is no command \"%s\"; `qasid help` lists them", argv[i]);
    return;
  }
  buf_put_str(err, "which command? `qasid help` lists them");
}

enum cli_exit cli_parse(struct cli *c, int argc, char *const *argv, struct buf *err) {
  *c = (struct cli){ 0 };
  size_t skip = 0;
  c->command = find_command(argc, argv, &skip);
  if (!take_words(c, argc, argv, skip, err)) return CLI_EXIT_USAGE;
  c->json = cli_given(c, "json") != NULL;
  c->help = cli_given(c, "help") != NULL;
  c->config = choose_config(c);
  if (c->help) return CLI_EXIT_OK;
  if (!c->command) {
    say_unknown(c, argc, argv, err);
    return CLI_EXIT_USAGE;
  }
  if (c->arg_count >= c->command->least && c->arg_count <= c->command->most) return CLI_EXIT_OK;
  if (c->arg_count < c->command->least)
    buf_put_str(err, "something is missing");
  else
    buf_printf(err, "\"%s\" is too much", c->args[c->command->most]);
  buf_put_str(err, ": ");
  cli_usage(err, c->command);
  return CLI_EXIT_USAGE;
}

const char *cli_given_next(const struct cli *c, const char *name, size_t *at) {
  while (*at < c->given_count) {
    const struct cli_given *g = &c->given[(*at)++];
    if (strcmp(g->name, name) == 0) return g->value;
  }
  return NULL;
}

const char *cli_given(const struct cli *c, const char *name) {
  const char *last = NULL, *value;
  for (size_t at = 0; (value = cli_given_next(c, name, &at));) last = value;
  return last;
}
