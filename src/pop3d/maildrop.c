/* SPDX-License-Identifier: ISC */
/* The snapshot of an open maildrop (maildrop.h): an array of messages of 16 octets each, and an
 * area of imported UIDLs. Invariants: once complete, numbers, sizes and UIDLs do not change until
 * the session ends (RFC 1939 §5); only the marks do, and `left` and `octets_left` always agree with
 * them. */
#include "src/pop3d/maildrop.h"

#include <stdlib.h>

#include "ipc/pop3d_store.h"
#include "lib/base/wire.h"
#include "mail/uidl.h"
#include "lib/base/codec.h"

enum { UIDLS_MAX = 0x3ffffff0 }; /* uidl_at has 30 bits */
#define OCTETS_MAX (((uint64_t)1 << 62) - 1)

bool maildrop_open(struct maildrop *d, uint32_t count, uint32_t uidvalidity, bool utf8,
                   enum surrogate_way way) {
  *d = (struct maildrop){ .count = count, .uidvalidity = uidvalidity, .utf8 = utf8, .way = way };
  buf_init(&d->uidls, UIDLS_MAX);
  if (count == 0) return true;
  if (count > MAILDROP_MESSAGES_MAX) return false;
  d->messages = calloc(count, sizeof *d->messages);
  return d->messages != NULL;
}

void maildrop_close(struct maildrop *d) {
  free(d->messages);
  buf_free(&d->uidls);
  *d = (struct maildrop){ 0 };
}

static bool keep_uidl(struct maildrop *d, struct maildrop_message *m, struct slice uidl) {
  if (uidl.n == 0) return true;
  if (!uidl_is_valid(uidl)) return false;
  m->uidl_at = (uint32_t)(buf_len(&d->uidls) + 1) & 0x3fffffff;
  buf_put_u8(&d->uidls, (uint8_t)uidl.n);
  buf_put(&d->uidls, uidl);
  return !d->uidls.failed;
}

/* False for an invalid size. */
static bool keep_size(struct maildrop *d, struct maildrop_message *m, uint64_t octets, bool same,
                      uint64_t surrogate) {
  uint64_t measured = surrogate_known(surrogate, d->way);
  bool known = same || d->utf8 || measured;
  m->sent = same || d->utf8 ? MAILDROP_MESSAGE : known ? MAILDROP_SURROGATE : DROP_UNKNOWN;
  if (m->sent == MAILDROP_SURROGATE) octets = surrogate_octets(measured);
  m->octets = octets & OCTETS_MAX;
  return octets <= OCTETS_MAX && !__builtin_add_overflow(d->octets_left, octets, &d->octets_left);
}

static bool add_row(struct maildrop *d, struct wire *w) {
  if (d->listed == d->count) return false;
  struct maildrop_message *m = &d->messages[d->listed];
  m->uid = wire_get_u32(w);
  uint64_t octets = wire_get_u64(w);
  uint8_t last = wire_get_u8(w);
  size_t n = last & POP_ROW_UIDL;
  bool same = !(last & POP_ROW_SURROGATE);
  uint64_t surrogate = same ? 0 : wire_get_u64(w);
  if (w->bad || n > w->rest.n) return false;
  struct slice uidl = slice_first(w->rest, n);
  w->rest = slice_from(w->rest, n);
  if (!keep_size(d, m, octets, same, surrogate)) return false;
  if (!keep_uidl(d, m, uidl)) return false;
  d->listed++;
  d->left++;
  return true;
}

bool maildrop_add(struct maildrop *d, struct slice rows) {
  struct wire w = wire_open(rows);
  while (w.rest.n > 0)
    if (!add_row(d, &w)) return false;
  return true;
}

struct maildrop_message *maildrop_at(const struct maildrop *d, uint64_t number) {
  return number >= 1 && number <= d->listed ? &d->messages[number - 1] : NULL;
}

void maildrop_delete(struct maildrop *d, struct maildrop_message *m) {
  if (m->deleted) return;
  m->deleted = 1;
  d->left--;
  d->octets_left -= m->octets;
}

void maildrop_delete_fetched(struct maildrop *d) {
  for (uint32_t i = 0; i < d->listed; i++)
    if (d->messages[i].fetched) maildrop_delete(d, &d->messages[i]);
}

void maildrop_restore(struct maildrop *d) {
  for (uint32_t i = 0; i < d->listed; i++) {
    struct maildrop_message *m = &d->messages[i];
    if (!m->deleted) continue;
    m->deleted = 0;
    d->left++;
    d->octets_left += m->octets;
  }
}

static void put_hex32(struct buf *out, uint32_t v) {
  const uint8_t octets[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
                              (uint8_t)v };
  char digits[2 * sizeof octets + 1];
  hex_text(digits, slice_of(octets, sizeof octets));
  buf_put(out, slice_of(digits, 2 * sizeof octets));
}

void maildrop_put_uidl(const struct maildrop *d, const struct maildrop_message *m,
                       struct buf *out) {
  if (m->uidl_at == 0) {
    put_hex32(out, d->uidvalidity);
    put_hex32(out, m->uid);
    return;
  }
  struct slice at = slice_from(buf_slice(&d->uidls), m->uidl_at - 1);
  buf_put(out, slice_first(slice_from(at, 1), (size_t)slice_at(at, 0)));
}
