/* SPDX-License-Identifier: ISC */
/* Private keys, for the process that holds them (and for checking new ones: `qasid check-config`, a
 * reload). No other process uses this file.
 *
 * A key only signs, never decrypts: an RSA block is refused unless it is padded as a TLS signature
 * is (PKCS#1 v1.5 with a digest, or PSS). So a compromised front-end cannot have recorded traffic
 * decrypted. */
#ifndef QASID_TLS_KEY_H
#define QASID_TLS_KEY_H

#include "lib/base/buf.h"
#include "lib/tls/key_use.h"

struct tls_key;

/* Reserves memory for keys that is locked, guarded, excluded from core dumps and wiped when freed.
 * To be called once, before the first tls_key_load() and before the sandbox. False: the system did
 * not lock it (RLIMIT_MEMLOCK); keys are then in ordinary memory, still wiped. */
bool tls_key_memory(void);
/* The first private key in a PEM text. NULL with a sentence in `err`. Encrypted keys are refused.
 */
struct tls_key *tls_key_load(struct slice pem, struct buf *err);
/* Wipes. Sets *k to NULL. */
void tls_key_free(struct tls_key **k);
/* True when the first certificate in a PEM text belongs to this key. */
bool tls_key_fits(const struct tls_key *k, struct slice certificate_pem);
/* One operation, see enum key_use. False, with nothing put, when the key has another use, when `in`
 * is not valid input for that use, or on failure. */
bool tls_key_sign(struct tls_key *k, enum key_use use, struct slice in, struct buf *out);

#endif
