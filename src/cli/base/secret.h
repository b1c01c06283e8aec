/* SPDX-License-Identifier: ISC */
/* Reading passwords from standard input or from the terminal without echo, and generating them. */
#ifndef QASID_CLI_SECRET_H
#define QASID_CLI_SECRET_H

#include "src/cli/base/cli.h"

enum { SECRET_MAX = 512, TOKEN_MAX = 8192 /* an OAuth access token, given as a password */ };

/* The first line of standard input with --password-stdin, otherwise typed at the terminal, twice if
 * `again`. The buffer's maximum limits its length; it is to be wiped. Returns the exit code; errors
 * were printed. */
int secret_get(const struct cli *c, const char *prompt, bool again, struct buf *ret);
/* False: this mechanism (NULL: none was named) authenticates by a certificate, and needs no
 * secret. */
bool secret_is_needed(const char *mechanism);
/* 20 unambiguous characters, about 114 bits. */
void secret_make(struct buf *ret);

#endif
