/* SPDX-License-Identifier: ISC */
/* What a person sees: colours when it is a terminal, text that cannot command it, passwords unseen.
 */
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

/* The escape sequence that begins the tint on `f`, or "" when `f` is no terminal, NO_COLOR is set
 * (https://no-color.org) or TERM is "dumb". terminal_tint(f, TINT_NONE) ends it. */
const char *terminal_tint(FILE *f, enum tint t);

/* `s` with every control character written as \xNN, so that nothing out of a mail moves a cursor or
 * turns text around. Other UTF-8 stays, what is not UTF-8 does not. */
void text_put_safe(struct buf *out, struct slice s);
/* Columns that the text takes: octets that are not UTF-8 continuations. */
size_t text_width(struct slice s);

/* All of it on standard output. */
void out_put(const struct buf *b);

/* A line from the terminal without echo, else from standard input when there is none. False: none.
 */
bool ask_secret(const char *prompt, struct buf *ret);
/* The first line of standard input, without its line end. */
bool read_secret_line(int fd, struct buf *ret);
/* "yes" typed at the terminal. */
bool ask_yes(const char *question);

#endif
