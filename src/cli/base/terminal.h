/* SPDX-License-Identifier: ISC */
/* Terminal output and input: colours, text without control sequences, passwords without echo. */
#ifndef QASID_CLI_TERMINAL_H
#define QASID_CLI_TERMINAL_H

#include <stdio.h>

#include "lib/base/buf.h"

enum tint {
  TINT_NONE,
  TINT_BOLD,
  TINT_DIM,
  TINT_RED,
  TINT_GREEN,
  TINT_YELLOW,
  TINT_BLUE,
  TINT_CYAN
};

/* The escape sequence that begins the tint on `f`, or "" if `f` is not a terminal, NO_COLOR is set
 * (https://no-color.org) or TERM is "dumb". terminal_tint(f, TINT_NONE) ends it. */
const char *terminal_tint(FILE *f, enum tint t);

/* `s` with every control character written as \xNN, so that mail cannot move the cursor or reverse
 * text. Valid UTF-8 stays otherwise; other octets are escaped. */
void text_put_safe(struct buf *out, struct slice s);
/* Columns that the text takes: octets that are not UTF-8 continuations. */
size_t text_width(struct slice s);

/* Writes all of it to standard output. */
void out_put(const struct buf *b);

/* A line from the terminal without echo, or from standard input if there is no terminal. False:
 * none. */
bool ask_secret(const char *prompt, struct buf *ret);
/* The first line of standard input, without its line end. */
bool read_secret_line(int fd, struct buf *ret);
/* "yes" typed at the terminal. */
bool ask_yes(const char *question);

#endif
