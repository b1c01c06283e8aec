/* SPDX-License-Identifier: ISC */
/* Parses a command line by the table of commands. Options may stand anywhere; after "--" there are
 * none. */
#include "src/cli/command_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_CONFIG "/etc/qasid/qasid.conf"

const struct cmd_option cmd_common_options[] = {
  { "config", "FILE",
    "The configuration (also -c FILE). Else $QASID_CONF; else, for a user who is not root and has "
    "that file, ~/.config/qasid/qasid.conf; else " SYSTEM_CONFIG "." },
  { "json", NULL, "Tables as JSON; refused where nothing is printed that it could change." },
  { "help", NULL, "What the command does (also -h)." },
  { "version", NULL, "Print the version (also -V)." },
  { NULL, NULL, NULL },
};

static const struct cmd_option *option_of(const struct cmd_option *list, struct slice name) {
  for (; list && list->name; list++)
    if (slice_eq(name, slice_str(list->name))) return list;
  return NULL;
}

const struct cmd *cli_find(const char *const *words, size_t n, size_t *ret_words) {
  const struct cmd *found = NULL;
  for (size_t i = 0; i < cli_command_count; i++) {
    struct slice rest = slice_str(cli_commands[i].words);
    size_t at = 0;
    while (rest.p && at < n && slice_eq(slice_split(&rest, ' '), slice_str(words[at]))) at++;
    size_t wanted = 1;
    for (const char *p = cli_commands[i].words; *p; p++) wanted += *p == ' ';
    if (at != wanted || (found && at < *ret_words)) continue;
    found = &cli_commands[i];
    *ret_words = at;
  }
  return found;
}

/* "--name", "--name=value", "-c", "-h", "-t" → the name and, if it is in the same word, the
 * value. */
static struct slice option_name(const char *word, const char **ret_value) {
  *ret_value = NULL;
  if (strcmp(word, "-c") == 0) return SLICE("config");
  if (strcmp(word, "-h") == 0) return SLICE("help");
  if (strcmp(word, "-V") == 0) return SLICE("version");
  if (strcmp(word, "-t") == 0) return SLICE("headers");
  if (strncmp(word, "--", 2) != 0) return SLICE_NONE;
  struct slice name = slice_str(word + 2);
  ptrdiff_t equals = slice_find(name, '=');
  if (equals < 0) return name;
  *ret_value = word + 2 + equals + 1;
  return slice_first(name, (size_t)equals);
}

static bool is_option(const char *word) { return word[0] == '-' && word[1] != 0; }

/* The option of a list nearest to what was typed, if it is nearer than *least. */
static void nearest_option(const struct cmd_option *list, struct slice typed, unsigned *least,
                           const char **ret) {
  for (; list && list->name; list++) {
    unsigned d = conf_distance(typed, slice_str(list->name));
    if (d >= *least || d >= typed.n) continue;
    *least = d;
    *ret = list->name;
  }
}

static void print_unknown_option(const struct cli *c, const char *word, struct slice name,
                                 struct buf *err) {
  const char *near = NULL;
  unsigned least = 3; /* up to this distance it counts as a typo */
  if (c->command) nearest_option(c->command->options, name, &least, &near);
  nearest_option(cmd_common_options, name, &least, &near);
  buf_printf(err, "%s is no option of %s", word, c->command ? c->command->words : "qasid");
  if (near)
    buf_printf(err, "; did you mean --%s?", near);
  else
    buf_printf(err, "; `qasid help%s%s` has them", c->command ? " " : "",
               c->command ? c->command->words : "");
}

enum { COMMAND_WORDS = 3 }; /* "account certificate add" */

/* The first words that are not options; common options may precede them. */
static size_t first_words(int argc, char *const *argv, const char *words[COMMAND_WORDS]) {
  size_t n = 0;
  for (int i = 1; i < argc && n < COMMAND_WORDS; i++) {
    const char *value;
    if (!is_option(argv[i])) {
      words[n++] = argv[i];
      continue;
    }
    const struct cmd_option *o = option_of(cmd_common_options, option_name(argv[i], &value));
    if (n || !o) break;
    if (o->value && !value && o->value[0] != '[') i++;
  }
  return n;
}

/* False with the reason in `err`. Contradictory options are refused. */
static bool keep_given(struct cli *c, const struct cmd_option *o, const char *value,
                       struct buf *err) {
  if (!o->often && cli_given(c, o->name))
    buf_printf(err, "--%s is given twice", o->name);
  else if (c->given_count == CLI_GIVEN_MAX)
    buf_put_str(err, "too many options");
  else
    c->given[c->given_count++] = (struct cli_given){ o->name, value ? value : "" };
  return !buf_len(err);
}

static bool take_option(struct cli *c, int argc, char *const *argv, int *at, struct buf *err) {
  const char *word = argv[*at], *value;
  struct slice name = option_name(word, &value);
  const struct cmd_option *o = option_of(cmd_common_options, name);
  if (!o && c->command) o = option_of(c->command->options, name);
  if (!o) {
    print_unknown_option(c, word, name, err);
    return false;
  }
  if (!o->value && value) {
    buf_printf(err, "--%s takes no value", o->name);
    return false;
  }
  if (o->value && !value && o->value[0] == '[') return keep_given(c, o, "", err);
  if (o->value && !value && *at + 1 >= argc) {
    buf_printf(err, "--%s needs %s behind it", o->name, o->value);
    return false;
  }
  if (o->value && !value) value = argv[++*at];
  return keep_given(c, o, value, err);
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
  int n = snprintf(c->config_role, sizeof c->config_role, "%s/.config/qasid/qasid.conf", home);
  bool there = n > 0 && (size_t)n < sizeof c->config_role && access(c->config_role, R_OK) == 0;
  return there ? c->config_role : SYSTEM_CONFIG;
}

struct slice cli_nearest(struct slice typed, size_t n) {
  struct slice best = SLICE_NONE;
  unsigned least = 3; /* up to this distance it counts as a typo */
  for (size_t i = 0; i < cli_command_count; i++) {
    struct slice rest = slice_str(cli_commands[i].words), all = rest;
    for (size_t k = 0; k < n; k++) slice_split(&rest, ' ');
    struct slice begins = rest.p ? slice_first(all, all.n - rest.n - 1) : all;
    unsigned d = conf_distance(typed, begins);
    if (d >= least || d >= typed.n) continue;
    least = d;
    best = begins;
  }
  return best;
}

static void print_unknown(const char *const *words, size_t n, struct buf *err) {
  struct buf typed;
  struct slice near = SLICE_NONE;
  if (n == 0) {
    buf_put_str(err, "which command? `qasid help` lists them");
    return;
  }
  if (cli_put_group(err, words[0], n == 1)) {
    if (n == 1) return;
  } else {
    n = 1;
  }
  buf_init(&typed, 1024);
  for (size_t i = 0; i < n && i < 2; i++) buf_printf(&typed, "%s%s", i ? " " : "", words[i]);
  near = cli_nearest(buf_slice(&typed), n < 2 ? n : 2);
  buf_put_str(err, "there is no command \"");
  buf_put(err, buf_slice(&typed));
  buf_put_str(err, "\"");
  if (near.n)
    buf_printf(err, "; did you mean \"%.*s\"?", SLICE_ARG(near));
  else
    buf_printf(err, "; `qasid help%s%s` lists them", n > 1 ? " " : "", n > 1 ? words[0] : "");
  buf_free(&typed);
}

/* An empty argument is usually a variable that a script did not set; as a path it would be the
 * current folder. */
static bool has_empty(const struct cli *c) {
  for (size_t i = 0; i < c->arg_count; i++)
    if (!*c->args[i]) return true;
  return false;
}

static enum cli_exit check_count(const struct cli *c, struct buf *err) {
  const struct cmd *command = c->command;
  if (has_empty(c))
    buf_put_str(err, "an argument is empty");
  else if (c->arg_count < command->least)
    buf_put_str(err, "something is missing");
  else if (c->arg_count > command->most)
    buf_printf(err, "\"%s\" is too much", c->args[command->most]);
  else
    return CLI_EXIT_OK;
  buf_put_str(err, ": ");
  cli_usage(err, command);
  return CLI_EXIT_USAGE;
}

enum cli_exit cli_parse(struct cli *c, int argc, char *const *argv, struct buf *err) {
  static const char *const version[] = { "version" };
  const char *words[COMMAND_WORDS] = { NULL };
  *c = (struct cli){ 0 };
  size_t skip = 0;
  size_t n = first_words(argc, argv, words);
  c->command = cli_find(words, n, &skip);
  if (!take_words(c, argc, argv, skip, err)) return CLI_EXIT_USAGE;
  c->json = cli_given(c, "json") != NULL;
  c->help = cli_given(c, "help") != NULL;
  c->config = choose_config(c);
  if (c->help) return CLI_EXIT_OK;
  if (cli_given(c, "version")) {
    c->command = cli_find(version, 1, &skip);
    c->arg_count = 0;
  }
  if (!c->command) {
    print_unknown(words, n, err);
    return CLI_EXIT_USAGE;
  }
  if (c->json && c->command->no_json) {
    buf_printf(err, "--json means nothing to %s", c->command->words);
    return CLI_EXIT_USAGE;
  }
  return check_count(c, err);
}
