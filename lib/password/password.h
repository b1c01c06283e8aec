/* SPDX-License-Identifier: ISC */
/* Passwords at rest, over libcrypt's reentrant calls. Randomness is handed in; every call may run
 * in any thread.
 *
 * A password is what it means, not how it was typed: it is prepared by RFC 8265 §4.2
 * (lib/unicode/prepare.h) before it is hashed. Hashes of the octets as they were typed are verified
 * too.
 *
 * New hashes are yescrypt at libcrypt's default cost. What other servers' databases hold is
 * verified too: yescrypt, bcrypt, SHA-512-crypt, SHA-256-crypt, MD5-crypt, each with or without
 * Dovecot's {SCHEME} in front. */
#ifndef QASID_PASSWORD_H
#define QASID_PASSWORD_H

#include "lib/base/buf.h"

enum {
  PASSWORD_MAX = 511,      /* octets; libcrypt takes no more */
  PASSWORD_HASH_MAX = 384, /* characters of a hash */
  PASSWORD_RANDOM = 32,    /* octets of randomness that a new hash or a new password takes */
};

enum password_result {
  PASSWORD_OK, /* right; made */
  PASSWORD_WRONG,
  PASSWORD_REFUSED, /* a password that can't be hashed: empty, too long, a NUL in it */
  PASSWORD_TROUBLE, /* libcrypt failed: no memory, or a hash it does not know */
};

/* Puts the yescrypt hash of `password` into `out` (max PASSWORD_HASH_MAX). 16 MiB of memory
 * meanwhile. */
enum password_result password_hash(struct slice password, const uint8_t random[PASSWORD_RANDOM],
                                   struct buf *out);
/* OK or WRONG in the time the hash's scheme costs; REFUSED at once: what can't be anyone's
 * password. */
enum password_result password_verify(struct slice password, struct slice hash);
/* A hash that is nobody's: verifying against it costs what a hash of password_hash() costs. */
enum password_result password_nobody(const uint8_t random[PASSWORD_RANDOM], struct buf *out);

enum password_import { IMPORT_HASH, IMPORT_CLEAR, IMPORT_UNKNOWN };
/* Looks at a password field of another server. HASH: *ret is the hash that password_verify() takes;
 * CLEAR: *ret is the password itself ({PLAIN} and the like), to be hashed before it is kept;
 * UNKNOWN: a scheme that is not verified here, or a cost out of reason. */
enum password_import password_import(struct slice field, struct slice *ret);

/* For a hash that password_import() gave: libcrypt knows its setting, and its digest is as long as
 * that scheme's and of its characters. Cheap, no hash is computed. */
bool password_is_whole(struct slice hash);

/* A password to be read to somebody: five groups of four letters and digits, 100 bits. */
void password_generate(const uint8_t random[PASSWORD_RANDOM], struct buf *out);

#endif
