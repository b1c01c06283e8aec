/* SPDX-License-Identifier: ISC */
/* The accounts: one row for each name in auth.db, and the sealed secrets of those that opted in.
 *
 * A name is a full address. It is found in any spelling (case, width, composed or not: RFC 8265 by
 * lib/unicode/prepare.h), and shown as it was given, its domain in lower case. There is no login by
 * local part alone.
 *
 * `key` identifies a row for look-ups, seals and references: the prepared name. Rows of older
 * versions keep their name with only its ASCII letters folded; its prepared form is in `prep`. A
 * name is first looked up as such a key, so that two old names that prepare to the same form stay
 * two accounts.
 *
 * `stamp` is a fresh random number whenever the row changes: anything derived from the former row
 * (a remembered password) includes the stamp and so becomes invalid.
 *
 * The key in auth.key (32 octets, made at the first start) never leaves auth. A sealed secret is
 * nonce | AES-256-GCM ciphertext | tag, with the folded name and the kind of secret as context, so
 * that no secret can be moved into another row, or into another column. */
#ifndef QASID_AUTH_ACCOUNTS_H
#define QASID_AUTH_ACCOUNTS_H

#include "ipc/front_auth.h"
#include "lib/db/db.h"
#include "lib/disk/disk.h"
#include "lib/password/password.h"
#include "lib/tls/digest.h"
#include "src/auth/scram.h"

enum {
  ACCOUNT_SEALED_MAX = SEAL_NONCE + PASSWORD_MAX + SEAL_TAG,
  ACCOUNT_FINGERPRINT = 32,      /* SHA-256 of a certificate */
  ACCOUNT_CERTIFICATES_MAX = 64, /* of one account */
  ACCOUNT_SCRAM_MAX = SEAL_NONCE + SCRAM_PACKED_MAX + SEAL_TAG,
};

/* Whether the account is to have SCRAM verifiers. */
enum account_scram {
  SCRAM_AS_CONFIGURED, /* by the option `scram`; with a recoverable secret always */
  SCRAM_ALWAYS,
  SCRAM_NEVER,
  SCRAM_WISHES
};

struct account {
  uint8_t name[AUTH_NAME_MAX], key[AUTH_NAME_MAX];
  uint8_t hash[PASSWORD_HASH_MAX], sealed[ACCOUNT_SEALED_MAX], scram[ACCOUNT_SCRAM_MAX];
  size_t name_n, hash_n;
  size_t key_n;    /* 0: the prepared name */
  size_t sealed_n; /* 0: no recoverable secret */
  size_t scram_n;  /* 0: no verifiers */
  enum account_scram scram_wish;
  uint64_t id; /* store's number for the mailbox */
  uint64_t stamp;
  int64_t created, changed; /* seconds since 1970 */
  bool enabled;
};

enum account_result { ACCOUNT_OK, ACCOUNT_NONE, ACCOUNT_EXISTS, ACCOUNT_FULL, ACCOUNT_TROUBLE };

struct accounts {
  struct disk *disk;
  struct db *db;
  uint8_t key[SEAL_KEY];
  bool lost; /* the disk has failed */
  bool many; /* between accounts_begin() and accounts_end() */
  uint64_t commits;
};

/* random: for the key created at the first start. False with a sentence in `err`. */
bool accounts_open(struct accounts *a, struct disk *disk, const uint8_t random[SEAL_KEY],
                   struct buf *err);
void accounts_close(struct accounts *a);
/* After a disk error the database is closed; this opens it again. False if it still cannot. */
bool accounts_ready(struct accounts *a);

/* The disk failed under `db`, which is closed. */
void accounts_lost(struct accounts *a);

/* Checks a new account's name: local part, "@", domain; UTF-8 without space or control characters,
 * and valid by RFC 8265 §3. NULL: valid; otherwise the reason, in words. */
const char *account_name_refused(struct slice name);
/* The name prepared, in `ret` (AUTH_NAME_MAX octets). Longer names fold to an empty slice. */
struct slice account_fold(struct slice name, uint8_t ret[AUTH_NAME_MAX]);
/* Sets a row's name, its domain in lower case, and its key. The name must be valid. */
void account_set_name(struct account *row, struct slice name);
/* The key of a row. `room` has AUTH_NAME_MAX octets. */
struct slice account_key(const struct account *row, uint8_t room[AUTH_NAME_MAX]);
/* The key of the account with that name; if there is none, the key that it would have. */
struct slice accounts_key(struct accounts *a, struct slice name, uint8_t room[AUTH_NAME_MAX]);

/* OK, NONE, or TROUBLE: the database cannot be read at the moment. */
enum account_result accounts_find(struct accounts *a, struct slice name, struct account *ret);
/* A new row. EXISTS if there is one for the name. */
enum account_result accounts_add(struct accounts *a, const struct account *row);
/* Replaces the variable columns: hash, sealed, scram, enabled, stamp, changed. NONE if the name no
 * longer exists. */
enum account_result accounts_update(struct accounts *a, const struct account *row);
/* Renames the row (its secrets are sealed again for the new name), and its certificates with it. */
enum account_result accounts_rename(struct accounts *a, struct slice old,
                                    const struct account *row);
/* Stores only the verifiers, and only if the row still has this stamp; NONE otherwise. */
enum account_result accounts_keep_scram(struct accounts *a, const struct account *row);
/* Runs a statement, as a transaction of its own or as a part of the one below. NONE if it changed
 * no row; `ret_id`: the number that it returns as a row (RETURNING), or NULL. For the files of
 * these tables. */
enum account_result accounts_change(struct accounts *a, struct db_stmt *s, uint64_t *ret_id);
/* Changes between these two calls are one transaction; if it is ended with anything but OK, or
 * fails, nothing is changed. Returns that, or the result of the commit. */
enum account_result accounts_begin(struct accounts *a);
enum account_result accounts_end(struct accounts *a, enum account_result r);
enum account_result accounts_delete(struct accounts *a, struct slice name);
/* Certificates that authenticate an account, by fingerprint; each for one account only, removed
 * with it. */
typedef void certificate_fn(void *arg, struct slice name, struct slice fingerprint, int64_t added);
/* OK: `ret_name` has the account's key. NONE: it is not registered. */
enum account_result accounts_by_certificate(struct accounts *a,
                                            const uint8_t fingerprint[ACCOUNT_FINGERPRINT],
                                            struct buf *ret_name);
/* EXISTS: it is registered already, with this account or another. */
enum account_result accounts_add_certificate(struct accounts *a, struct slice name,
                                             const uint8_t fingerprint[ACCOUNT_FINGERPRINT],
                                             int64_t now_s);
/* NONE: it is not registered with this account. */
enum account_result accounts_delete_certificate(struct accounts *a, struct slice name,
                                                const uint8_t fingerprint[ACCOUNT_FINGERPRINT]);
/* Calls fn for each certificate of the account, or of all when the name is empty. */
enum account_result accounts_each_certificate(struct accounts *a, struct slice name,
                                              certificate_fn *fn, void *arg);
/* Calls fn for each account in the order of names. */
enum account_result accounts_each(struct accounts *a,
                                  void (*fn)(void *arg, const struct account *row), void *arg);
uint64_t accounts_count(struct accounts *a);
/* True if there is an enabled account with a recoverable secret. */
bool accounts_any_secret(struct accounts *a);

/* Seals `secret` into the row. */
bool account_seal(const struct accounts *a, struct account *row, struct slice secret,
                  const uint8_t nonce[SEAL_NONCE]);
/* The secret of a row, appended to `out` (which must have its memory already: it holds a secret).
 * False: it has none, or it was sealed under another key. */
bool account_unseal(const struct accounts *a, const struct account *row, struct buf *out);

/* The same for the verifiers of SCRAM. */
bool account_seal_scram(const struct accounts *a, struct account *row,
                        const struct scram_verifiers *v, const uint8_t nonce[SEAL_NONCE]);
bool account_unseal_scram(const struct accounts *a, const struct account *row,
                          struct scram_verifiers *ret);
/* True if it is to have verifiers. */
bool account_wants_scram(const struct account *row, bool configured);

static inline struct slice account_name(const struct account *row) {
  return slice_of(row->name, row->name_n);
}

#endif
