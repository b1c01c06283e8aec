/* SPDX-License-Identifier: ISC */
/* A front-end's part of a SASL exchange (RFC 4422), which is the same in SMTP (RFC 4954) and POP3
 * (RFC 5034): what the client's channel allows, its base64, and the question that begins the
 * exchange at auth. Pure. */
#ifndef QASID_FRONT_SASL_H
#define QASID_FRONT_SASL_H

#include "ipc/front_auth.h"
#include "mail/sasl/sasl.h"
#include "runtime/proto/proto.h"

/* secure: TLS is on. may_show: a password may be sent. tokens: tokens are configured. */
struct sasl_channel front_sasl_channel(const struct proto *p, bool secure, bool may_show,
                                       bool tokens);
/* Decodes a client's response into `out`, which the caller wipes. False: it is not base64, or there
 * is no memory (out->failed). */
bool front_sasl_decode(struct buf *out, struct slice text);
/* Puts auth_start: `q`, with the bindings of the session's channel added. */
void front_sasl_start(struct buf *question, const struct proto *p, struct auth_start q);

#endif
