/* SPDX-License-Identifier: ISC */
/* What a command is, its inputs, and how it fails. The table of all commands and the parser are in
 * a higher layer (src/cli/command_line.h).
 *
 * An administrative command asks the process that owns the data, over the server's control socket
 * (src/cli/link/link.h). If no server runs, one without listeners is started for the duration of
 * the command. */
#ifndef QASID_CLI_BASE_CLI_H
#define QASID_CLI_BASE_CLI_H

#include "conf/conf.h"
#include "lib/base/buf.h"

/* As in sysexits(3). */
enum cli_exit {
  CLI_EXIT_OK = 0,
  CLI_EXIT_USAGE = 64,       /* the command line is wrong */
  CLI_EXIT_DATA = 65,        /* the input is damaged or not mail */
  CLI_EXIT_NO_INPUT = 66,    /* a file that cannot be read */
  CLI_EXIT_NOT_FOUND = 67,   /* no such account, domain, alias, session */
  CLI_EXIT_UNAVAILABLE = 69, /* no server answers */
  CLI_EXIT_SOFTWARE = 70,    /* a bug of ours */
  CLI_EXIT_SYSTEM = 71,      /* no memory, no process */
  CLI_EXIT_EXISTS = 73,      /* it exists already */
  CLI_EXIT_IO = 74,          /* reading or writing failed */
  CLI_EXIT_TEMPORARY = 75,   /* try later */
  CLI_EXIT_PROTOCOL = 76,    /* the other side broke the protocol */
  CLI_EXIT_REFUSED = 77,     /* permission, a wrong password, a certificate that is not valid */
  CLI_EXIT_CONFIG = 78,      /* the configuration is wrong */
};

struct cli;

struct cmd_option {
  const char *name; /* without the two hyphens */
  /* the text after it, in help; NULL: it has no value; "[=…]": --name=value or nothing */
  const char *value;
  const char *text;
  bool often; /* it may be given more than once: cli_given_next() */
};

struct cmd {
  const char *words;   /* "account add" */
  const char *args;    /* "ADDRESS [FILE …]", for help */
  uint8_t least, most; /* the number of arguments */
  int (*run)(struct cli *c);
  const struct cmd_option *options; /* ends with a row without a name; NULL: none */
  const char *brief;                /* one line */
  /* further explanation; sentences, paragraphs separated by an empty line */
  const char *text;
  bool no_json; /* its output has no JSON form */
};

enum { CLI_WORDS_MAX = 256, CLI_GIVEN_MAX = 64 };

struct cli_given {
  const char *name, *value;
};

/* A parsed command line, and the resources that the command opened. */
struct cli {
  const struct cmd *command;
  bool help, json;
  const char *config; /* the file; never NULL once parsed */
  bool config_named;  /* it was given with -c or by QASID_CONF */
  const char *args[CLI_WORDS_MAX];
  size_t arg_count;
  struct cli_given given[CLI_GIVEN_MAX];
  size_t given_count;
  struct conf *conf;     /* read when first needed, freed by cli_close() */
  struct server *server; /* the server started for this command (src/cli/link/link.h) */
  char config_role[1100];
};

/* The value of an option, "" for one without a value; NULL: it was not given. */
const char *cli_given(const struct cli *c, const char *name);
/* The same for one that may be given often: `*at` begins with 0. */
const char *cli_given_next(const struct cli *c, const char *name, size_t *at);

/* The configuration, read at first use. NULL: the reason was printed on standard error. */
const struct conf *cli_conf(struct cli *c);
/* Frees the configuration. */
void cli_close(struct cli *c);

/* Prints "qasid: …" on standard error and returns the code. */
int cli_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* For docs/man: the text with mdoc's own characters escaped, each sentence on a line of its own. */
void cli_put_roff(struct buf *out, const char *text);

#endif
