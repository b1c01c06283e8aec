/* SPDX-License-Identifier: ISC */
/* Any octets as an mbox and as lists of UIDLs and a cyrus.index. What is read, written and read
 * again is the same. */
#include <stdlib.h>

#include "src/cli/mailbox/cyrus.h"
#include "src/cli/mailbox/mbox.h"
#include "src/cli/mailbox/uidls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void wire_of(struct slice raw, enum mbox_quoting quoting, size_t step, struct buf *out) {
  struct to_wire w = to_wire_open(quoting);
  for (; raw.n; raw = slice_from(raw, step)) to_wire_put(&w, slice_first(raw, step), out);
  to_wire_end(&w, out);
}

static ssize_t read_slice(void *arg, uint64_t at, void *to, size_t n) {
  struct slice s = slice_first(slice_from(*(struct slice *)arg, (size_t)at), n);
  if (s.n) memcpy(to, s.p, s.n);
  return (ssize_t)s.n;
}

static struct slice message_of(struct slice all, const struct mbox_message *m) {
  if (m->at > all.n || m->size > all.n - m->at) abort();
  return slice_first(slice_from(all, (size_t)m->at), (size_t)m->size);
}

/* Written as an mbox and read again. */
static void there_and_back(struct slice wire, struct buf *file, struct buf *second) {
  static struct mbox_scan again;
  struct from_wire w = from_wire_open(true);
  struct mbox_message m;
  buf_reset(file), buf_reset(second);
  mbox_put_from(file, wire, 1);
  from_wire_put(&w, wire, file);
  from_wire_end(&w, file);
  buf_put_u8(file, '\n');
  struct slice all = buf_slice(file);
  mbox_scan_open(&again, (struct octets_in){ read_slice, &all, all.n }, MBOX_RD);
  if (!mbox_scan_next(&again, &m)) abort();
  wire_of(message_of(all, &m), m.quoting, 64, second);
  if (!slice_eq(wire, buf_slice(second))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct mbox_scan scan;
  struct slice all = slice_of(data, size);
  struct buf first, file, second, err;
  struct mbox_message m;
  struct uidl_list l;
  struct cyrus_index x;
  struct cyrus_message c;
  buf_init(&first, 1 << 24), buf_init(&file, 1 << 24), buf_init(&second, 1 << 24),
      buf_init(&err, 4096);
  mbox_scan_open(&scan, (struct octets_in){ read_slice, &all, all.n },
                 size ? (enum mbox_form)(data[size - 1] % MBOX_FORMS) : MBOX_GUESS);
  while (mbox_scan_next(&scan, &m)) {
    buf_reset(&first), buf_reset(&second);
    wire_of(message_of(all, &m), m.quoting, 1, &first);
    wire_of(message_of(all, &m), m.quoting, 4096, &second);
    if (!slice_eq(buf_slice(&first), buf_slice(&second))) abort();
    there_and_back(buf_slice(&first), &file, &second);
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
