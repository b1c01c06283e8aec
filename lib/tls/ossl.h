/* SPDX-License-Identifier: ISC */
/* Small helpers around OpenSSL, for the files of this folder only. */
#ifndef QASID_TLS_OSSL_H
#define QASID_TLS_OSSL_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "lib/base/buf.h"

/* Initialises OpenSSL with our settings, not those of the machine's openssl.cnf, which it would
 * otherwise read at its first use; in a sandbox that would end the process. To be called by every
 * function that may be the first to use OpenSSL. */
void ossl_start(void);
/* Empties OpenSSL's error queue and returns the reason of the first error, or `otherwise`. A static
 * string. */
const char *ossl_reason(const char *otherwise);
/* A memory BIO that reads `s` in place; NULL without memory. */
BIO *ossl_reader(struct slice s);
/* Puts all that a memory BIO holds. */
bool ossl_take(BIO *from, struct buf *to);
/* A password callback that refuses: an encrypted key is an error, never a question at a terminal.
 */
int ossl_no_password(char *to, int size, int writing, void *arg);
/* The next certificate of a PEM text. NULL at the end (*ret_bad false) or at something broken. */
X509 *ossl_next_certificate(BIO *pem, bool *ret_bad);

#endif
