/* SPDX-License-Identifier: ISC */
/* A front-end's synchronous request to the keys process (see ipc/front_keys.h). */
#ifndef QASID_FRONT_REMOTE_KEY_H
#define QASID_FRONT_REMOTE_KEY_H

#include "ipc/front_keys.h"
#include "lib/base/buf.h"

/* The front-end's end of a channel to keys. Its descriptor is used by nothing else. */
struct remote_key {
  int fd;         /* -1: keys is being restarted; every request fails at once */
  uint64_t asked; /* requests so far: the tag of the last */
  bool lost;      /* keys is gone, or sent a malformed reply: close fd and wait for a new channel */
};

void remote_key_init(struct remote_key *r, int fd);
/* Sends one key_sign and waits for its reply, at most KEYS_WAIT_MS. A reply to an earlier request
 * that timed out is discarded. False: refused, timed out, or `lost`. */
bool remote_key_sign(struct remote_key *r, unsigned key, enum key_use use, struct slice in,
                     struct buf *out);
/* The same as a tls_signer's callback: arg is the struct remote_key. */
bool remote_key_signer(void *arg, unsigned key, enum key_use use, struct slice in, struct buf *out);

#endif
