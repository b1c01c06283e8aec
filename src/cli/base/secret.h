/* SPDX-License-Identifier: ISC */
/* Where passwords come from: standard input, the terminal without echo, or chance. */
#ifndef QASID_CLI_SECRET_H
#define QASID_CLI_SECRET_H

#include "src/cli/base/cli.h"

enum { SECRET_MAX = 512, TOKEN_MAX = 8192 /* an OAuth access token, given as a password */ };

/* With --password-stdin its first line, else asked for at the terminal, twice when `again`. The
 * buffer decides how long it may be, and is to be wiped. Returns the exit code; what was wrong was
 * said. */
int secret_get(const struct cli *c, const char *prompt, bool again, struct buf *ret);
/* False: this mechanism (NULL: none was named) proves itself by a certificate, and no secret is to
 * be asked for. */
bool secret_is_needed(const char *mechanism);
/* 20 characters that cannot be taken for each other, about 114 bits. */
void secret_make(struct buf *ret);

#endif
