/* SPDX-License-Identifier: ISC */
/* A domain's file of keys, parsed and formatted.
 *
 *   qasid-dkim 1
 *   STATE ALGORITHM SELECTOR SINCE PUBLIC SECRET        one line a key, in base64; "-": the secret
 *                                                       is gone
 *   end */
#ifndef QASID_KEYS_KEY_FILE_H
#define QASID_KEYS_KEY_FILE_H

#include "src/keys/mail_keys.h"

enum { KEY_FILE_KEYS_MAX = MAIL_PAIRS_MAX * DKIM_ALGORITHMS, KEY_FILE_OCTETS = 64 * 1024 };

struct file_key {
  enum mail_key_state state;
  enum dkim_algorithm algorithm;
  char selector[DKIM_SELECTOR_MAX + 1];
  int64_t since_s;
  struct buf public_key, secret; /* secret: PKCS #8 in DER; empty: gone */
};

struct key_file {
  struct file_key keys[KEY_FILE_KEYS_MAX];
  size_t count;
};

void key_file_init(struct key_file *f);
/* Wipes. */
void key_file_free(struct key_file *f);
/* Room for one more, or NULL. */
struct file_key *key_file_add(struct key_file *f);
void key_file_remove(struct key_file *f, size_t i);

/* 0, -ENOENT, -EBADMSG for a malformed file, or another negative errno. */
int key_file_read(struct disk *disk, const char *domain, struct key_file *f);
/* Durable when it returns 0. */
int key_file_write(struct disk *disk, const char *domain, const struct key_file *f);
int key_file_remove_all(struct disk *disk, const char *domain);
/* The domain whose file has that name, or empty. */
struct slice key_file_domain(const char *name);

#endif
