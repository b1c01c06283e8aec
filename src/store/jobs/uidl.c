/* SPDX-License-Identifier: ISC */
/* UIDLs of our own making: sixteen lower-case hexadecimal digits, UIDVALIDITY then UID. Since a UID
 * is never reused under one UIDVALIDITY, such a UIDL identifies one message for ever (RFC 1939
 * §7). */
#include "src/store/jobs/uidl.h"

#include "lib/base/codec.h"

void uidl_put_own(struct buf *b, uint32_t uidvalidity, uint32_t uid) {
  buf_printf(b, "%08x%08x", (unsigned)uidvalidity, (unsigned)uid);
}

void uidl_set(struct buf *b, struct slice text, uint32_t uidvalidity, uint32_t uid) {
  buf_reset(b);
  if (text.n)
    buf_put(b, text);
  else
    uidl_put_own(b, uidvalidity, uid);
}

static bool hex32(struct slice s, uint32_t *ret) {
  uint32_t v = 0;
  for (size_t i = 0; i < s.n; i++) {
    int digit = hex_digit(s.p[i]);
    if (digit < 0) return false;
    v = v << 4 | (uint32_t)digit;
  }
  *ret = v;
  return true;
}

bool uidl_is_own(struct slice s, uint32_t uidvalidity, uint32_t *ret_uid) {
  uint32_t validity;
  return s.n == UIDL_OWN && hex32(slice_first(s, 8), &validity) && validity == uidvalidity &&
         hex32(slice_from(s, 8), ret_uid);
}
