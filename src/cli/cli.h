/* SPDX-License-Identifier: ISC */
/* The command line: one table of commands, and what each of them is handed.
 *
 * A command that administers asks the process that owns the thing, over the server's control socket
 * (link.h). When no server runs, one without listeners is started for the length of the command. */
#ifndef QASID_CLI_H
#define QASID_CLI_H

#include "conf/conf.h"
#include "lib/base/buf.h"

/* As in sysexits(3). */
enum cli_exit {
  CLI_EXIT_OK = 0,
  CLI_EXIT_USAGE = 64,       /* the command line is wrong */
  CLI_EXIT_DATA = 65,        /* what was read is damaged or no mail */
  CLI_EXIT_NO_INPUT = 66,    /* a file that cannot be read */
  CLI_EXIT_NOT_FOUND = 67,   /* no such account, domain, alias, session */
  CLI_EXIT_UNAVAILABLE = 69, /* no server answers */
  CLI_EXIT_SOFTWARE = 70,    /* a mistake of ours */
  CLI_EXIT_SYSTEM = 71,      /* no memory, no process */
  CLI_EXIT_EXISTS = 73,      /* it is there already */
  CLI_EXIT_IO = 74,          /* reading or writing failed */
  CLI_EXIT_TEMPORARY = 75,   /* try later */
  CLI_EXIT_PROTOCOL = 76,    /* the other side broke the protocol */
  CLI_EXIT_REFUSED = 77,     /* permission, a wrong password, a certificate that does not hold */
  CLI_EXIT_CONFIG = 78,      /* the configuration is wrong */
};

struct cli;

struct cmd_option {
  const char *name; /* without the two hyphens */
  /* what stands behind it, in help; NULL: nothing does; "[=…]": --name=value or nothing */
  const char *value;
  const char *text;
};

struct cmd {
  const char *words;   /* "account add" */
  const char *args;    /* "ADDRESS [FILE …]", for help */
  uint8_t least, most; /* how many of them */
  int (*run)(struct cli *c);
  const struct cmd_option *options; /* ends with a row without a name; NULL: none */
  const char *brief;                /* one line */
  /* what else is to be said; sentences, paragraphs by an empty line */
  const char *text;
  bool no_json; /* it prints nothing that --json could change */
};
extern const struct cmd cmds[];
extern const size_t cmd_count;
/* Options that every command has. */
extern const struct cmd_option cmd_common_options[];
/* commands_client.c */
extern const struct cmd_option cmd_fetch_options[], cmd_migrate_options[], cmd_send_options[];

enum { CLI_WORDS_MAX = 256, CLI_GIVEN_MAX = 64 };

struct cli_given {
  const char *name, *value;
};

/* A command line taken apart, and what the command opened meanwhile. */
struct cli {
  const struct cmd *command;
  bool help, json;
  const char *config; /* the file; never NULL once parsed */
  bool config_named;  /* it was given with -c or by QASID_CONF */
  const char *args[CLI_WORDS_MAX];
  size_t arg_count;
  struct cli_given given[CLI_GIVEN_MAX];
  size_t given_count;
  /* opened when first needed, closed by cli_close() */
  struct conf *conf;
  struct server *server; /* the one that was started for this command */
  char config_role[1100];
};

/* Takes a command line apart. CLI_EXIT_OK, or CLI_EXIT_USAGE with a sentence in `err`. */
enum cli_exit cli_parse(struct cli *c, int argc, char *const *argv, struct buf *err);
/* The command that begins with these words, and how many words it has; NULL: there is none. */
const struct cmd *cli_find(const char *const *words, size_t n, size_t *ret_words);
/* The value of an option, "" for one without a value; NULL: it was not given. */
const char *cli_given(const struct cli *c, const char *name);
/* The same for one that may be given often: `*at` begins with 0. */
const char *cli_given_next(const struct cli *c, const char *name, size_t *at);

/* The configuration, read at first use. NULL: the reason was printed on standard error. */
const struct conf *cli_conf(struct cli *c);
void cli_close(struct cli *c);

/* Prints "qasid: …" on standard error and returns the code. */
int cli_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- help.c: from the table --- */
void cli_usage(struct buf *out, const struct cmd *command);
void cli_help(struct buf *out, const struct cmd *command);
void cli_overview(struct buf *out);
/* The commands that begin with `word`. CLI_EXIT_NOT_FOUND, printed, when there are none. */
int cli_help_group(struct buf *out, const char *word);
/* Are there commands that begin with `word` and go on? With `list`, prints which, without a line
 * end behind the last. */
bool cli_put_group(struct buf *out, const char *word, bool list);
void cli_manual(struct buf *out);     /* docs/man/qasid.1 */
void cli_completion(struct buf *out); /* packaging/qasid.bash-completion */
void cli_log_manual(struct buf *out); /* docs/man/qasid-log.5 (log_manual.c) */
void cli_put_roff(struct buf *out, const char *text);
struct cli_exit_row {
  int code;
  const char *text;
};
extern const struct cli_exit_row cli_exits[];
extern const size_t cli_exit_count;

/* --- sendmail.c: by the names sendmail, mailq, newaliases --- */
int sendmail_main(const char *name, int argc, char **argv);

/* --- the commands, by file --- */
int cmd_account_add(struct cli *c);
int cmd_account_list(struct cli *c);
int cmd_account_passwd(struct cli *c);
int cmd_account_enable(struct cli *c); /* and disable */
int cmd_account_delete(struct cli *c);
int cmd_account_rename(struct cli *c);
int cmd_account_import(struct cli *c);
int cmd_mail_show(struct cli *c);
int cmd_account_certificate(struct cli *c); /* add, delete, list */
int cmd_mail_undelete(struct cli *c);
int cmd_account_forward(struct cli *c);
int cmd_collect_add(struct cli *c);
int cmd_collect_password(struct cli *c);
int cmd_collect(struct cli *c); /* list, run, pause, resume, delete: words for auth */
int cmd_domain_add(struct cli *c);
int cmd_domain_delete(struct cli *c);
int cmd_domain_check(struct cli *c);
int cmd_dkim_list(struct cli *c);
int cmd_dkim_rotate(struct cli *c);
int cmd_dkim_retire(struct cli *c);
int cmd_queue(struct cli *c);
int cmd_process(struct cli *c); /* words and arguments go to the store as they are */
int cmd_export(struct cli *c);
int cmd_import(struct cli *c);
int cmd_backup(struct cli *c);
int cmd_restore(struct cli *c);
int cmd_salvage(struct cli *c);
int cmd_fetch(struct cli *c);
int cmd_migrate(struct cli *c);
int cmd_send(struct cli *c);
int cmd_plan(struct cli *c);
int cmd_dns_lookup(struct cli *c);
int cmd_classify(struct cli *c);
int cmd_queue_show(struct cli *c);
int cmd_queue_body(struct cli *c);
int cmd_init(struct cli *c);
int cmd_serve(struct cli *c);
int cmd_reload(struct cli *c);
int cmd_check_config(struct cli *c);
int cmd_config(struct cli *c);
int cmd_status(struct cli *c);
int cmd_ps(struct cli *c);
int cmd_trace(struct cli *c);
int cmd_parent(struct cli *c); /* reload, stop: words for the parent */
int cmd_version(struct cli *c);
int cmd_help(struct cli *c);

#endif
