/* SPDX-License-Identifier: ISC */
/* Stored passwords, by libcrypt's reentrant calls. Randomness is passed in; every call may run in
 * any thread.
 *
 * A password is compared by its meaning, not by how it was typed: it is prepared by RFC 8265 §4.2
 * (lib/unicode/prepare.h) before it is hashed. Hashes of the octets as they were typed are verified
 * too.
 *
 * New hashes are yescrypt at libcrypt's default cost. Hashes of other servers' databases are
 * verified too: yescrypt, bcrypt, SHA-512-crypt, SHA-256-crypt, MD5-crypt, each with or without
 * Dovecot's {SCHEME} in front. */
#ifndef QASID_PASSWORD_H
#define QASID_PASSWORD_H

#include "lib/base/buf.h"

enum {
  PASSWORD_MAX = 511,      /* octets; libcrypt accepts no more */
  PASSWORD_HASH_MAX = 384, /* characters of a hash */
  PASSWORD_RANDOM = 32,    /* octets of randomness that a new hash or a new password takes */
};

enum password_result {
  PASSWORD_OK, /* the password is right; the hash was made */
  PASSWORD_WRONG,
  PASSWORD_REFUSED, /* a password that cannot be hashed: empty, too long, or containing a NUL */
  PASSWORD_TROUBLE, /* libcrypt failed: no memory, or a hash it does not know */
};

/* Puts the yescrypt hash of `password` into `out` (max PASSWORD_HASH_MAX). Uses 16 MiB of memory
 * during the call. */
enum password_result password_hash(struct slice password, const uint8_t random[PASSWORD_RANDOM],
                                   struct buf *out);
/* OK or WRONG in the time that the hash's scheme costs; REFUSED at once, for what cannot be a
 * password. */
enum password_result password_verify(struct slice password, struct slice hash);
/* A hash that no password matches: verifying against it costs as much as against one of
 * password_hash(). */
enum password_result password_nobody(const uint8_t random[PASSWORD_RANDOM], struct buf *out);

enum password_import { IMPORT_HASH, IMPORT_CLEAR, IMPORT_UNKNOWN };
/* Classifies a password field of another server. HASH: *ret is the hash that password_verify()
 * accepts; CLEAR: *ret is the password itself ({PLAIN} and the like), to be hashed before it is
 * stored; UNKNOWN: a scheme that is not supported, or an excessive cost. */
enum password_import password_import(struct slice field, struct slice *ret);

/* For a hash that password_import() returned: true if libcrypt supports its setting, and its digest
 * has the length and the characters of its scheme. Cheap, as no hash is computed. */
bool password_is_whole(struct slice hash);

/* A password that is easy to read out: five groups of four letters and digits, 100 bits. */
void password_generate(const uint8_t random[PASSWORD_RANDOM], struct buf *out);

#endif
