/* SPDX-License-Identifier: ISC */
/* Signatures that keys has made lately, so that a message to many destinations is signed once.
 *
 * One is found by the SHA-256 of the whole question: domain, names of fields, hash of the body,
 * canonical header. A DKIM signature covers exactly that (RFC 6376 §3.7), so it holds for whatever
 * leads to the same question; a message converted to seven bits leads to another one. It is kept
 * for SIGNED_MS only: after a change of keys the former one's record is still published by then. */
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
/* The fields, until the next call; empty: not known. */
struct slice signed_find(const struct signed_cache *c, const uint8_t key[static DKIM_HASH],
                         uint64_t now_ms);
/* Without memory it is not kept. */
void signed_keep(struct signed_cache *c, const uint8_t key[static DKIM_HASH], struct slice fields,
                 uint64_t now_ms);
void signed_free(struct signed_cache *c);

#endif
