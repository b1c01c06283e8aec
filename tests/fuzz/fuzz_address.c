/* SPDX-License-Identifier: ISC */
/* Any path parses or is refused; what was parsed prints and parses to the same. */
#include <stdlib.h>

#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = slice_of(data, size);
  struct address a, again;
  if (address_take_forward(&in, &a) || a.kind == ADDRESS_POSTMASTER) return 0;
  struct buf b;
  buf_init(&b, 1024);
  address_put(&b, &a);
  a.utf8 = slice_has_high(address_local(&a)); /* its U-labels are A-labels now */
  if (address_parse(buf_slice(&b), &again) || memcmp(&a, &again, sizeof a)) abort();
  buf_free(&b);
  return 0;
}
