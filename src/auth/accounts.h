/* SPDX-License-Identifier: ISC */
/* The accounts: one row a name in auth.db, and the secrets of those that opted in, sealed.
 *
 * A name is a full address. It is found however it is spelled (case, width, composed or not: RFC
 * 8265 by lib/unicode/prepare.h), and shown as it was given, its domain in lower case. There is no
 * login by local part alone.
 *
 * `key` is what a row is found by, sealed for and referred to: the prepared name. Rows of before
 * have their name with only its ASCII letters folded, which stays; what they are prepared to is in
 * `prep`. A name is looked for as such a key first, so that two names of before that are one by now
 * stay two accounts.
 *
 * `stamp` is a fresh random number whenever the row changes: whatever was concluded from the row
 * before (a remembered password) names the stamp and so falls with it.
 *
 * The key in auth.key (32 octets, made at the first start) never leaves auth. A sealed secret is
 * nonce | AES-256-GCM ciphertext | tag, with the folded name and what it is as context, so that no
 * row's secret can be put into another row, or into another column. */
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

/* Is the account to have SCRAM's verifiers? */
enum account_scram {
  SCRAM_AS_CONFIGURED, /* the option `scram`; with a recoverable secret yes */
  SCRAM_ALWAYS,
  SCRAM_NEVER,
  SCRAM_WISHES
};

struct account {
  uint8_t name[AUTH_NAME_MAX], key[AUTH_NAME_MAX];
  uint8_t hash[PASSWORD_HASH_MAX], sealed[ACCOUNT_SEALED_MAX], scram[ACCOUNT_SCRAM_MAX];
  size_t name_n, hash_n;
  size_t key_n;    /* 0: as the name is prepared */
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
  bool lost; /* the disk failed meanwhile */
  bool many; /* between accounts_begin() and accounts_end() */
  uint64_t commits;
};

/* random: for the key of a first start. False with a sentence in `err`. */
bool accounts_open(struct accounts *a, struct disk *disk, const uint8_t random[SEAL_KEY],
                   struct buf *err);
void accounts_close(struct accounts *a);
/* After an error of the disk the database is closed; this opens it again. False if it still
 * cannot. */
bool accounts_ready(struct accounts *a);

/* The disk failed under `db`, which is closed. */
void accounts_lost(struct accounts *a);

/* A name that can be a new account's: local part, "@", domain; UTF-8 without space or control
 * characters, and what RFC 8265 §3 lets a name have. NULL: it can; else why not, in words. */
const char *account_name_refused(struct slice name);
/* The name prepared, in `ret` (AUTH_NAME_MAX octets). Longer names fold to an empty slice. */
struct slice account_fold(struct slice name, uint8_t ret[AUTH_NAME_MAX]);
/* A new name for a row, its domain in lower case, and its key. It can be an account's. */
void account_set_name(struct account *row, struct slice name);
/* The key of a row. `process` has AUTH_NAME_MAX octets. */
struct slice account_key(const struct account *row, uint8_t room[AUTH_NAME_MAX]);
/* The key that the account of that name has; where there is none, the one that it would have. */
struct slice accounts_key(struct accounts *a, struct slice name, uint8_t room[AUTH_NAME_MAX]);

/* OK, NONE, or TROUBLE: the database can't be read now. */
enum account_result accounts_find(struct accounts *a, struct slice name, struct account *ret);
/* A new row. EXISTS when the name has one. */
enum account_result accounts_add(struct accounts *a, const struct account *row);
/* Replaces what may change: hash, sealed, scram, enabled, stamp, changed. NONE when the name is
 * gone. */
enum account_result accounts_update(struct accounts *a, const struct account *row);
/* The row gets another name (and what was sealed for the former one anew), its certificates with
 * it. */
enum account_result accounts_rename(struct accounts *a, struct slice old,
                                    const struct account *row);
/* Only the verifiers, and only when the row still has this stamp; NONE otherwise. */
enum account_result accounts_keep_scram(struct accounts *a, const struct account *row);
/* Runs a statement, as a transaction of its own or as a part of the one below. NONE when it changed
 * no row; `ret_id`: the number that it returns as a row (RETURNING), or NULL. For the files of
 * these tables. */
enum account_result accounts_change(struct accounts *a, struct db_stmt *s, uint64_t *ret_id);
/* What is changed between these two is one transaction; ended with anything but OK, or failing, it
 * leaves no trace. Returns that, or how the commit went. */
enum account_result accounts_begin(struct accounts *a);
enum account_result accounts_end(struct accounts *a, enum account_result r);
enum account_result accounts_delete(struct accounts *a, struct slice name);
/* Certificates that authenticate an account, by fingerprint; each for one account only, removed
 * with it. */
typedef void certificate_fn(void *arg, struct slice name, struct slice fingerprint, int64_t added);
/* OK: `ret_name` has the account's name as it is looked up. NONE: it is no account's. */
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
/* Is there an enabled account with a recoverable secret? */
bool accounts_any_secret(struct accounts *a);

/* Puts `secret` under seal into the row. */
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
/* Is it to have verifiers? */
bool account_wants_scram(const struct account *row, bool configured);

static inline struct slice account_name(const struct account *row) {
  return slice_of(row->name, row->name_n);
}

#endif
