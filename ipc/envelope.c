/* SPDX-License-Identifier: ISC */
/* The codec of envelopes and of the ends of messages (envelope.h). Invariants: what decodes is
 * within all bounds and encodes to the same octets; a recipient is decoded whole or not at all.
 *
 *   envelope   return path | ENVID | RET u8 | flags u8 | size u64 | recipients
 *   recipient  bits u8 | row u64, with RCPT_ROW | address | ORCPT, with RCPT_ORCPT */
#include "ipc/envelope.h"

#include "mail/header.h"
#include "mail/smtp/dsn.h"

/* The bits of a recipient's first octet: enum smtp_notify, and which optional fields are
 * present. */
enum { RCPT_NOTIFY = 15, RCPT_ORCPT = 0x40, RCPT_ROW = 0x80 };

_Static_assert((int)ENVELOPE_ENVID_MAX == 3 * SMTP_ENVID_MAX, "an ENVID fits");
_Static_assert((int)ENVELOPE_ORCPT_MAX == (int)SMTP_ORCPT_WIRE_MAX, "an ORCPT fits");

/* The value goes into header lines, reports and commands: it must not contain a line end. */
static bool is_clean(struct slice s) { return !slice_has_control(s); }

static struct slice get_clean(struct wire *w, size_t max) {
  struct slice s = wire_get_bytes(w, max);
  w->bad |= !is_clean(s);
  return s;
}

/* --- recipients --- */

/* RFC 3461 §4.1: NEVER stands alone. */
static bool is_notify(uint8_t notify) {
  return !(notify & SMTP_NOTIFY_NEVER) || notify == SMTP_NOTIFY_NEVER;
}

void envelope_rcpt_put(struct buf *rcpts, const struct envelope_rcpt *r) {
  buf_put_u8(rcpts, (uint8_t)(r->notify | (r->row ? RCPT_ROW : 0) | (r->orcpt.n ? RCPT_ORCPT : 0)));
  if (r->row) wire_put_u64(rcpts, r->row);
  wire_put_bytes(rcpts, r->address);
  if (r->orcpt.n) wire_put_bytes(rcpts, r->orcpt);
}

bool envelope_rcpt_next(struct slice *rcpts, struct envelope_rcpt *ret) {
  struct wire w = wire_open(*rcpts);
  if (!rcpts->n) return false;
  uint8_t bits = wire_get_u8(&w);
  struct envelope_rcpt r = { .notify = bits & RCPT_NOTIFY };
  if (bits & RCPT_ROW) r.row = wire_get_u64(&w);
  r.address = get_clean(&w, ENVELOPE_PATH_MAX);
  if (bits & RCPT_ORCPT) r.orcpt = get_clean(&w, ENVELOPE_ORCPT_MAX);
  bool known = !(bits & ~(RCPT_NOTIFY | RCPT_ORCPT | RCPT_ROW)) && is_notify(r.notify);
  if (w.bad || !known || !r.address.n || (bits & RCPT_ROW && !r.row) ||
      (bits & RCPT_ORCPT && !r.orcpt.n))
    return false;
  *rcpts = w.rest;
  *ret = r;
  return true;
}

/* The number of recipients; 0: malformed. */
static size_t count_rcpts(struct slice rcpts) {
  struct envelope_rcpt r;
  size_t n = 0;
  while (envelope_rcpt_next(&rcpts, &r)) n++;
  return rcpts.n ? 0 : n;
}

/* --- envelopes --- */

void envelope_put(struct buf *b, const struct envelope *e) {
  wire_put_bytes(b, e->return_path);
  wire_put_bytes(b, e->envid);
  buf_put_u8(b, e->ret);
  buf_put_u8(b, e->flags);
  wire_put_u64(b, e->size);
  wire_put_bytes(b, e->rcpts);
}

struct envelope envelope_get(struct wire *w) {
  struct envelope e = { .return_path = get_clean(w, ENVELOPE_PATH_MAX) };
  e.envid = get_clean(w, ENVELOPE_ENVID_MAX);
  e.ret = wire_get_enum(w, SMTP_RET_HDRS + 1);
  e.flags = wire_get_enum(w, ENVELOPE_FLAGS + 1);
  e.size = wire_get_u64(w);
  e.rcpts = wire_get_bytes(w, ENVELOPE_RCPTS_MAX);
  e.count = count_rcpts(e.rcpts);
  w->bad |= !e.count;
  return e;
}

/* --- the end of a message --- */

void message_end_put(struct buf *b, const struct message_end *m) {
  wire_put_bytes(b, m->id);
  wire_put_u64(b, m->surrogate);
  wire_put_bytes(b, m->head);
  wire_put_bytes(b, m->tail);
}

struct message_end message_end_get(struct wire *w) {
  struct message_end m = { .id = get_clean(w, QUEUE_ID_MAX) };
  m.surrogate = wire_get_u64(w);
  m.head = wire_get_bytes(w, MESSAGE_FIELDS_MAX);
  m.tail = wire_get_bytes(w, IPC_CHUNK);
  w->bad |= !m.id.n || !header_is_fields(m.head);
  return m;
}
