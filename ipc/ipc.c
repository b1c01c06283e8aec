/* SPDX-License-Identifier: ISC */
/* The parts that every pair shares: looking up a message's rule, writing and reading the
 * 16-octet head, and lists of octet strings.
 * Invariants: ipc_next() checks every length against the packet, so a malformed packet yields
 * false and never a slice outside it; a message carries at most one descriptor; a rule allows
 * states 0 to 7 only. */
#include "ipc/ipc.h"

const struct ipc_rule *ipc_rule_named(const struct ipc_pair *pair, uint16_t type) {
  for (size_t i = 0; i < pair->count; i++)
    if (pair->rules[i].type == type) return &pair->rules[i];
  return NULL;
}

const struct ipc_rule *ipc_rule_for(const struct ipc_pair *pair, enum ipc_side from, uint16_t type,
                                    uint8_t state) {
  const struct ipc_rule *r = ipc_rule_named(pair, type);
  if (!r || r->from != from || state > 7 || !(r->allowed & 1u << state)) return NULL;
  return r;
}

bool ipc_rule_answers(const struct ipc_rule *rule, uint16_t question) {
  return question < 62 && rule->kind & IPC_TO(question);
}

size_t ipc_open(struct buf *b, uint16_t type, uint64_t tag, uint8_t fds) {
  size_t at = buf_len(b);
  wire_put_u16(b, type);
  buf_put_u8(b, fds);
  buf_put_u8(b, 0);
  wire_put_u32(b, 0);
  wire_put_u64(b, tag);
  return at;
}

void ipc_close(struct buf *b, size_t at) { ipc_close_with(b, at, 0); }

void ipc_close_with(struct buf *b, size_t at, size_t more) {
  if (b->failed) return;
  size_t n = buf_len(b) - at - IPC_HEAD + more;
  uint8_t *length = b->mem + b->head + at + 4;
  for (size_t i = 0; i < 4; i++) length[i] = (uint8_t)(n >> (24 - 8 * i));
}

bool ipc_next(struct slice *packet, struct ipc_msg *ret, uint8_t *ret_fds) {
  struct wire w = wire_open(*packet);
  struct ipc_msg m = { .fd = -1 };
  m.type = wire_get_u16(&w);
  uint8_t fds = wire_get_u8(&w);
  uint8_t zero = wire_get_u8(&w);
  uint32_t n = wire_get_u32(&w);
  m.tag = wire_get_u64(&w);
  if (w.bad || zero != 0 || fds > 1 || n > w.rest.n || n > IPC_PAYLOAD_MAX) return false;
  m.payload = slice_first(w.rest, n);
  *packet = slice_from(w.rest, n);
  *ret = m;
  *ret_fds = fds;
  return true;
}

void ipc_list_put(struct buf *b, struct slice item) { wire_put_bytes(b, item); }

bool ipc_list_next(struct slice *list, struct slice *ret) {
  struct wire w = wire_open(*list);
  struct slice item = wire_get_bytes(&w, list->n);
  if (w.bad) return false;
  *list = w.rest;
  *ret = item;
  return true;
}
