/* SPDX-License-Identifier: ISC */
/* A cache of recent signatures from keys, so that a message to many destinations is signed once.
 *
 * The cache key is the SHA-256 of the whole question: domain, field names, body hash, canonical
 * header. A DKIM signature covers exactly that (RFC 6376 §3.7), so it is valid wherever the
 * question is the same; a message converted to seven bits leads to another question. It is kept for
 * SIGNED_MS only: after a change of keys the former key's record is still published at that
 * time. */
#ifndef QASID_SENDER_SIGNED_H
#define QASID_SENDER_SIGNED_H

#include "mail/dkim.h"

enum { SIGNED_KEPT = 128, SIGNED_MS = 60 * 1000 };

struct signed_cache {
  struct signed_row {
    uint8_t key[DKIM_HASH];
    uint64_t until_ms;
    uint8_t *fields; /* owned; NULL: free */
    size_t n;
  } rows[SIGNED_KEPT];
  size_t next; /* to be replaced */
};
/* The fields, valid until the next call; empty: not cached. */
struct slice signed_find(const struct signed_cache *c, const uint8_t key[static DKIM_HASH],
                         uint64_t now_ms);
/* Without memory it is not cached. */
void signed_keep(struct signed_cache *c, const uint8_t key[static DKIM_HASH], struct slice fields,
                 uint64_t now_ms);
void signed_free(struct signed_cache *c);

#endif
