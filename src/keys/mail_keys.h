/* SPDX-License-Identifier: ISC */
/* The keys that mail is signed with (DKIM), by domain: each domain in a file of its own below the
 * folder of keys, which no other process can read.
 *
 * Invariants:
 *  1. A private key is made here and never leaves; only signatures and public keys do.
 *  2. A file is replaced as a whole or not at all, and durably, before the command is answered.
 *  3. Only the keys in use are in memory. The private part of a replaced key is erased for good.
 *  4. The signed octets end in a DKIM-Signature field that was made here (mail/dkim.h), and are
 *     hashed here.
 *
 * The keys of a domain come in pairs, RSA and Ed25519, each with a selector of its own:
 *
 *   make ──► next ──switch──► current ──switch──► old ──retire──► gone
 *      └─ the first pair ──────►                          forget: all of them
 *
 *   next     published before it is used
 *   current  signs
 *   old      signs no more, but its signatures are still being delivered or verified: its record
 *            stays until it is retired */
#ifndef QASID_KEYS_MAIL_KEYS_H
#define QASID_KEYS_MAIL_KEYS_H

#include "ipc/cli_process.h"
#include "ipc/sender_keys.h"
#include "lib/base/buf.h"
#include "lib/disk/disk.h"

enum {
  /* domains with keys: their RSA keys fill half of the locked memory (lib/tls/key.c) */
  MAIL_DOMAINS_MAX = 500,
  MAIL_DOMAIN_MAX = 240, /* octets of a domain's name, which is also a file name */
  MAIL_PAIRS_MAX = 8,    /* of one domain, in all states */
  /* other servers may retry for 5 days (RFC 5321 §4.5.4.1), and readers verify later */
  MAIL_RETIRE_S = 7 * 24 * 3600,
};

enum mail_key_state { MAIL_KEY_NEXT, MAIL_KEY_CURRENT, MAIL_KEY_OLD, MAIL_KEY_STATES };
const char *mail_key_state_name(enum mail_key_state s);

struct mail_keys;

/* One key, as the administrator sees it. */
struct mail_key_row {
  const char *domain, *selector;
  enum dkim_algorithm algorithm;
  enum mail_key_state state;
  int64_t since_s; /* when it reached that state */
  struct slice public_key;
};

/* Reads the folder; unreadable files are remembered as such, and so is an unreadable folder. NULL
 * without memory. */
struct mail_keys *mail_keys_new(struct disk *disk);
/* Wipes. */
void mail_keys_free(struct mail_keys **m);
/* The number of domains with keys, and how many of them are unusable. */
size_t mail_keys_count(const struct mail_keys *m, size_t *ret_unreadable);

enum sign_outcome mail_keys_sign(struct mail_keys *m, const struct dkim_sign *q, int64_t now_s,
                                 struct buf *fields);

/* The administrator's commands. The code is an enum cli_code; with any but CLI_OK `why` has a
 * sentence. */

/* A new pair: current if there was none, else next. Takes some tenths of a second. `chance`: random
 * numbers for the selector. */
enum cli_code mail_keys_make(struct mail_keys *m, struct slice domain, int64_t now_s,
                             uint8_t chance, struct buf *why);
/* The next pair becomes current, the current one old. */
enum cli_code mail_keys_switch(struct mail_keys *m, struct slice domain, int64_t now_s,
                               struct buf *why);
/* Removes old pairs, those that became old MAIL_RETIRE_S ago, or all if `forced`; refused if that
 * leaves any. */
enum cli_code mail_keys_retire(struct mail_keys *m, struct slice domain, bool forced, int64_t now_s,
                               struct buf *why);
enum cli_code mail_keys_forget(struct mail_keys *m, struct slice domain, struct buf *why);
/* All keys of a domain (which may have none), or (empty) of all domains, in the order of names. */
enum cli_code mail_keys_list(struct mail_keys *m, struct slice domain,
                             void (*fn)(void *arg, const struct mail_key_row *row), void *arg,
                             struct buf *why);

#endif
