/* SPDX-License-Identifier: ISC */
/* What this run of `fetch` has made safe (fetched.h): a map from a message's number to its size and
 * the digests of its UIDL and octets. Invariant: number, size and UIDL must all agree for a message
 * to count as fetched. */
#include "src/cli/client/fetched.h"

#include <stdlib.h>

void fetched_init(struct fetched *f) { map_init(&f->by_number); }

void fetched_free(struct fetched *f) {
  uint64_t number, value;
  for (size_t i = 0; map_each(&f->by_number, &i, &number, &value);) free((void *)(uintptr_t)value);
  map_free(&f->by_number);
}

bool fetched_add(struct fetched *f, const struct pop3_item *m,
                 const uint8_t octets[static DIGEST_SHA256_SIZE]) {
  struct fetched_message *o = map_ptr(&f->by_number, m->number);
  bool fresh = !o;
  if (fresh) o = malloc(sizeof *o);
  if (!o) return false;
  o->size = m->size;
  o->own = m->own;
  memcpy(o->octets, octets, sizeof o->octets);
  bool good = digest_of(DIGEST_SHA256, m->uidl, o->uidl) &&
              (!fresh || map_put_ptr(&f->by_number, m->number, o));
  if (!good && fresh) free(o);
  return good;
}

const struct fetched_message *fetched_find(const struct fetched *f, const struct pop3_item *m) {
  uint8_t uidl[DIGEST_SHA256_SIZE];
  const struct fetched_message *o = map_ptr(&f->by_number, m->number);
  if (!o || o->size != m->size || !digest_of(DIGEST_SHA256, m->uidl, uidl)) return NULL;
  return memcmp(o->uidl, uidl, sizeof uidl) == 0 ? o : NULL;
}
