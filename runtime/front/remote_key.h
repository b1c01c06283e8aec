/* SPDX-License-Identifier: ISC */
/* A front-end's question to the keys process, asked and awaited (see ipc/front_keys.h). */
#ifndef QASID_FRONT_REMOTE_KEY_H
#define QASID_FRONT_REMOTE_KEY_H

#include "ipc/front_keys.h"
#include "lib/base/buf.h"

/* The front-end's end of a channel to keys. Its descriptor is used by nothing else. */
struct remote_key {
  int fd;         /* -1: keys is not there (being restarted); every question is refused at once */
  uint64_t asked; /* questions so far: the tag of the last */
  bool lost;      /* keys is gone, or spoke nonsense: close fd and wait for a new channel */
};

void remote_key_init(struct remote_key *r, int fd);
/* Sends one key_sign and waits for its answer, KEYS_WAIT_MS at most. An answer to an earlier
 * question that was given up is thrown away. False: refused, too late, or `lost`. */
bool remote_key_sign(struct remote_key *r, unsigned key, enum key_use use, struct slice in,
                     struct buf *out);
/* The same as a tls_signer's callback: arg is the struct remote_key. */
bool remote_key_signer(void *arg, unsigned key, enum key_use use, struct slice in, struct buf *out);

#endif
