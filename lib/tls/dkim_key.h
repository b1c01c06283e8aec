/* SPDX-License-Identifier: ISC */
/* The keys that mail is signed with (RFC 6376, RFC 8463), for the process that holds them and no
 * other. They are made here and sign mail only: the input is always hashed here first, so that a
 * signature cannot be used for anything else. */
#ifndef QASID_TLS_DKIM_KEY_H
#define QASID_TLS_DKIM_KEY_H

#include "lib/base/buf.h"
#include "lib/tls/key_use.h"

enum { DKIM_RSA_BITS = 2048, DKIM_KEY_OCTETS = 4096 };

struct dkim_key;

/* A new key of that kind: the private one as PKCS #8 in DER, the public one as in a DKIM record
 * (mail/dkim.h). An RSA key takes some tenths of a second. */
bool dkim_key_make(enum dkim_algorithm a, struct buf *private_key, struct buf *public_key);
/* NULL: not a key of that kind, or no memory. */
struct dkim_key *dkim_key_load(enum dkim_algorithm a, struct slice private_key);
/* Wipes. Sets *k to NULL. */
void dkim_key_free(struct dkim_key **k);
/* RFC 6376 §3.7, RFC 8463 §3: the signature of the SHA-256 of `input`. */
bool dkim_key_sign(struct dkim_key *k, struct slice input, struct buf *signature);

#endif
