/* SPDX-License-Identifier: ISC */
/* Events of the history as octets (history.h). */
#include "src/store/jobs/history.h"

void history_put_event(struct buf *b, const struct history_event *e) {
  const struct slice fields[] = { e->name, e->message_id, e->sender, e->recipient, e->text };
  buf_put_u8(b, e->kind);
  wire_put_u64(b, (uint64_t)e->at_s);
  wire_put_u64(b, e->account);
  wire_put_u64(b, e->folder);
  wire_put_u32(b, e->uid);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    wire_put_bytes(b, slice_first(fields[i], HISTORY_FIELD_MAX));
}

bool history_get_event(struct wire *w, struct history_event *e) {
  if (!w->rest.n) return false;
  *e = (struct history_event){ .kind = wire_get_u8(w) };
  e->at_s = (int64_t)wire_get_u64(w);
  e->account = wire_get_u64(w);
  e->folder = wire_get_u64(w);
  e->uid = wire_get_u32(w);
  struct slice *const fields[] = { &e->name, &e->message_id, &e->sender, &e->recipient, &e->text };
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    *fields[i] = wire_get_bytes(w, HISTORY_FIELD_MAX);
  return !w->bad;
}
