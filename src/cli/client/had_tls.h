/* SPDX-License-Identifier: ISC */
/* Records which mail servers had TLS when mail was sent to them: one small file each, in the user's
 * state folder. A server that no longer offers TLS may be an attacker's. */
#ifndef QASID_CLI_HAD_TLS_H
#define QASID_CLI_HAD_TLS_H

#include "src/cli/base/url.h"

/* A path in $XDG_STATE_HOME/qasid (~/.local/state/qasid) derived from `of`, beginning with `kind`.
 * False: there is no home directory. */
bool had_tls_path(const char *kind, struct slice of, char *to, size_t room);
bool had_tls_before(const struct url *url);
/* Without a home directory, or permission, nothing is recorded. */
void had_tls_note(const struct url *url);

#endif
