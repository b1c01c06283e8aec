/* SPDX-License-Identifier: ISC */
/* Any text as a configuration file. Whatever is accepted is written and read back the same. */
#include <stdlib.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct buf err, one, two;
  buf_init(&err, 1 << 20), buf_init(&one, 1 << 20), buf_init(&two, 1 << 20);
  struct conf *c = conf_parse(slice_of(data, size), "fuzz", &err);
  if ((c == NULL) != (buf_len(&err) > 0)) abort();
  if (c) {
    conf_dump(c, &one);
    struct conf *again = conf_parse(buf_slice(&one), "again", &err);
    if (!again) abort();
    conf_dump(again, &two);
    if (!slice_eq(buf_slice(&one), buf_slice(&two))) abort();
    conf_free(&again);
  }
  conf_free(&c);
  buf_free(&err), buf_free(&one), buf_free(&two);
  return 0;
}
