/* SPDX-License-Identifier: ISC */
/* Digests, keyed digests, key derivation and sealing, over OpenSSL's EVP. Each call stands alone
 * and may run in any thread. False means that OpenSSL refused or memory is missing; the output is
 * then undefined and must not be used.
 *
 * MD5 and SHA-1 are here for protocols that name them (APOP, CRAM-MD5, SCRAM-SHA-1), for nothing
 * new. */
#ifndef QASID_TLS_DIGEST_H
#define QASID_TLS_DIGEST_H

#include "lib/base/buf.h"

enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_KINDS };
enum { DIGEST_MAX = 32, DIGEST_MD5_SIZE = 16, DIGEST_SHA1_SIZE = 20, DIGEST_SHA256_SIZE = 32 };

/* Initialises OpenSSL with our settings, not those of the machine's openssl.cnf, which it would
 * otherwise read at its first use; in a sandbox that would end the process. Every function here
 * calls it; a process that will be confined calls it first, so that no first use is left for
 * later. */
void digest_start(void);
size_t digest_size(enum digest_kind kind);
/* The digest of the concatenated `parts`, into digest_size() octets. */
bool digest_parts(enum digest_kind kind, const struct slice *parts, size_t count, uint8_t *ret);
bool digest_of(enum digest_kind kind, struct slice s, uint8_t *ret);
/* The same of octets that come in pieces: begin, put, end, which frees (`ret` NULL: the digest is
 * not needed). NULL, false: as above; a digest that failed once stays failed. */
struct digest_run;
struct digest_run *digest_begin(enum digest_kind kind);
void digest_put(struct digest_run *d, struct slice s);
bool digest_end(struct digest_run **d, uint8_t *ret);
/* HMAC (RFC 2104) of the concatenated `parts`. The key may be empty. */
bool digest_hmac_parts(enum digest_kind kind, struct slice key, const struct slice *parts,
                       size_t count, uint8_t *ret);
bool digest_hmac(enum digest_kind kind, struct slice key, struct slice s, uint8_t *ret);
/* PBKDF2 (RFC 8018 §5.2) with HMAC of that kind, one block: SCRAM's Hi() (RFC 5802 §2.2). */
bool digest_pbkdf2(enum digest_kind kind, struct slice password, struct slice salt,
                   uint32_t iterations, uint8_t *ret);

/* Encryption of stored secrets: AES-256-GCM (NIST SP 800-38D). A sealed secret is the ciphertext
 * followed by its tag. A nonce must never be used twice with one key. `context` is not stored but
 * must be the same to open: a secret cannot be moved to another's name. */
enum { SEAL_KEY = 32, SEAL_NONCE = 12, SEAL_TAG = 16 };
bool seal_put(const uint8_t key[SEAL_KEY], const uint8_t nonce[SEAL_NONCE], struct slice context,
              struct slice plain, struct buf *out);
/* False also when anything was modified: none of the plaintext is then in `out`. */
bool seal_open(const uint8_t key[SEAL_KEY], const uint8_t nonce[SEAL_NONCE], struct slice context,
               struct slice sealed, struct buf *out);

#endif
