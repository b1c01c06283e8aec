/* SPDX-License-Identifier: ISC */
/* Any octets as the configuration that the parent gives a process: what is taken is packed again,
 * and the same. With the first octet odd the rest is a patch (place, octet) to a good one. */
#include <stdlib.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try(struct slice packed) {
  struct conf *c = conf_unpack(packed), *again;
  struct buf one, two;
  if (!c) return;
  buf_init(&one, 1 << 20), buf_init(&two, 1 << 20);
  conf_pack(c, &one);
  again = conf_unpack(buf_slice(&one));
  if (!again) abort();
  conf_pack(again, &two);
  if (!slice_eq(buf_slice(&one), buf_slice(&two))) abort();
  conf_free(&c), conf_free(&again);
  buf_free(&one), buf_free(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) return 0;
  if (!(data[0] & 1)) {
    try(slice_of(data + 1, size - 1));
    return 0;
  }
  struct conf *c = conf_defaults();
  struct buf good, bad;
  buf_init(&good, 1 << 20), buf_init(&bad, 1 << 20);
  conf_pack(c, &good);
  try(buf_slice(&good));
  struct slice all = buf_slice(&good);
  for (size_t i = 0; i < all.n; i++) {
    uint8_t octet = all.p[i];
    for (size_t at = 1; at + 3 <= size; at += 3)
      if ((size_t)(data[at] << 8 | data[at + 1]) % all.n == i) octet = data[at + 2];
    buf_put_u8(&bad, octet);
  }
  try(buf_slice(&bad));
  conf_free(&c);
  buf_free(&good), buf_free(&bad);
  return 0;
}
