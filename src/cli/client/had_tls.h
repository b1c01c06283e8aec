/* SPDX-License-Identifier: ISC */
/* Which mail servers had TLS when mail was sent to them: one small file each, in the user's folder
 * for such things. A server that offers none any more may be an attacker's. */
#ifndef QASID_CLI_HAD_TLS_H
#define QASID_CLI_HAD_TLS_H

#include "src/cli/base/url.h"

/* A name in $XDG_STATE_HOME/qasid (~/.local/state/qasid) for what `of` says, beginning with `kind`.
 * False: there is no home. */
bool had_tls_path(const char *kind, struct slice of, char *to, size_t room);
bool had_tls_before(const struct url *url);
/* Without a home, or a place there, nothing is remembered. */
void had_tls_note(const struct url *url);

#endif
