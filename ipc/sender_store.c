/* SPDX-License-Identifier: ISC */
/* The sender-store pair, generated from the rows of sender_store.h, and the items of a
 * result: the outcome of each recipient.
 * Invariant: an item is decoded whole or not at all; a malformed item leaves the list where it
 * was, so that the caller sees octets left over. */
#include "ipc/sender_store.h"

SENDER_STORE_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_sender_store, "sender-store", SENDER_STORE_MESSAGES);

const char *send_stage_word(uint8_t stage) {
  static const char *const words[] = { "connect", "greeting", "ehlo", "tls",  "auth",
                                       "mail",    "rcpt",     "data", "body", "end" };
  return stage < sizeof words / sizeof *words ? words[stage] : "unknown";
}

/* --- items of the results --- */

void send_outcome_put(struct buf *list, const struct send_outcome *o) {
  wire_put_u32(list, (uint32_t)(8 + 1 + 1 + 2 + 3 + 1 + 4 + o->text.n));
  wire_put_u64(list, o->row);
  buf_put_u8(list, o->fate);
  buf_put_u8(list, o->stage);
  wire_put_u16(list, o->code);
  for (int i = 0; i < 3; i++) buf_put_u8(list, o->enhanced[i]);
  wire_put_bool(list, o->dsn);
  wire_put_bytes(list, o->text);
}

bool send_outcome_next(struct slice *list, struct send_outcome *ret) {
  struct slice whole = *list, item;
  if (!ipc_list_next(list, &item)) return false;
  struct wire w = wire_open(item);
  *ret = (struct send_outcome){ .row = wire_get_u64(&w), .fate = wire_get_enum(&w, SEND_FATES) };
  ret->stage = wire_get_u8(&w);
  ret->code = wire_get_u16(&w);
  for (int i = 0; i < 3; i++) ret->enhanced[i] = wire_get_u8(&w);
  ret->dsn = wire_get_bool(&w);
  ret->text = wire_get_bytes(&w, SEND_TEXT_MAX);
  if (wire_done(&w)) return true;
  *list = whole;
  return false;
}
