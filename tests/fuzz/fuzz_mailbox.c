/* Any octets as an mbox and as lists of UIDLs and a cyrus.index. What is read, written and read again is the same. */
#include <stdlib.h>

#include "src/cli/cyrus.h"
#include "src/cli/mbox.h"
#include "src/cli/uidls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void wire_of(struct slice raw, struct buf *out) {
  struct to_wire w = to_wire_open(raw, true);
  while (to_wire_next(&w, out, 1)) {
  }
  if (buf_len(out) != to_wire_size(raw, true)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice rest = slice_of(data, size);
  struct buf first, file, second, err;
  struct mbox_message m;
  struct uidl_list l;
  struct cyrus_index x;
  struct cyrus_message c;
  buf_init(&first, 1 << 24), buf_init(&file, 1 << 24), buf_init(&second, 1 << 24), buf_init(&err, 4096);
  while (mbox_next(&rest, &m)) {
    buf_reset(&first), buf_reset(&file), buf_reset(&second);
    wire_of(m.raw, &first);
    struct from_wire w = from_wire_open(true);
    mbox_put_from(&file, buf_slice(&first), 1);
    from_wire_put(&w, buf_slice(&first), &file);
    from_wire_end(&w, &file);
    buf_put_u8(&file, '\n');
    struct slice again = buf_slice(&file);
    if (!mbox_next(&again, &m)) abort();
    wire_of(m.raw, &second);
    if (!slice_eq(buf_slice(&first), buf_slice(&second))) abort();
  }
  uidls_read_plain(&l, slice_of(data, size), &err);
  uidls_free(&l);
  uidls_read_dovecot(&l, slice_of(data, size), &err);
  uidls_free(&l);
  uidls_read_courier(&l, slice_of(data, size), &err);
  uidls_free(&l);
  if (cyrus_open(&x, slice_of(data, size), &err))
    while (cyrus_next(&x, &c)) cyrus_put_uidl(&err, &x, CYRUS_FORM_CYRUS, c.uid);
  buf_free(&first), buf_free(&file), buf_free(&second), buf_free(&err);
  return 0;
}
