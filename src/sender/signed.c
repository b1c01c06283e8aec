/* SPDX-License-Identifier: ISC */
/* Recent signatures from keys (signed.h). Invariants: at most SIGNED_KEPT of them, the oldest is
 * evicted first; none is older than SIGNED_MS. */
#include "src/sender/signed.h"

#include <stdlib.h>
#include <string.h>

struct slice signed_find(const struct signed_cache *c, const uint8_t key[static DKIM_HASH],
                         uint64_t now_ms) {
  for (size_t i = 0; i < SIGNED_KEPT; i++) {
    const struct signed_row *r = &c->rows[i];
    if (r->fields && now_ms < r->until_ms && memcmp(r->key, key, DKIM_HASH) == 0)
      return slice_of(r->fields, r->n);
  }
  return SLICE_NONE;
}

void signed_keep(struct signed_cache *c, const uint8_t key[static DKIM_HASH], struct slice fields,
                 uint64_t now_ms) {
  struct signed_row *r = &c->rows[c->next];
  uint8_t *copy = fields.n ? malloc(fields.n) : NULL;
  if (!copy) return;
  c->next = (c->next + 1) % SIGNED_KEPT;
  free(r->fields);
  memcpy(copy, fields.p, fields.n);
  *r = (struct signed_row){ .until_ms = now_ms + SIGNED_MS, .fields = copy, .n = fields.n };
  memcpy(r->key, key, DKIM_HASH);
}

void signed_free(struct signed_cache *c) {
  for (size_t i = 0; i < SIGNED_KEPT; i++) free(c->rows[i].fields);
  *c = (struct signed_cache){ 0 };
}
