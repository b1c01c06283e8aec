/* SPDX-License-Identifier: ISC */
/* The messages that processes may exchange, and their encoding.
 *
 * A channel connects two processes: one SOCK_SEQPACKET pair. A packet carries one or more whole
 * messages (everything sent during one turn of the loop travels together: one system call, one
 * wake-up). A message is a 16-octet head and a payload of typed fields:
 *
 *     type u16 | descriptors u8 | zero u8 | payload length u32 | tag u64 | payload
 *
 * `tag` names the session (or question) the message belongs to; it is a number that only its sender
 * gives meaning to, never a pointer.
 *
 * Each pair has one file here. It lists the messages of both directions once, as rows; the struct,
 * the encoder, the decoder and the receiver's rule for each come from that row. The receiver
 * enforces: known type, right direction, payload size, number of descriptors, and whether the state
 * of this session allows the message. A message that breaks a rule ends the channel, and with it
 * the sending process, never the receiver.
 *
 * A row is
 *
 *     M(type, name, from, allowed, next, payload max, descriptors, kind)
 *       type      unique in the pair
 *       name      struct `name`, functions `name_put` and `name_get`
 *       from      the side (IPC_LEFT or IPC_RIGHT of the pair) that may send it
 *       allowed   the states (bits) of the tag's session in which it may be sent
 *       next      the state it leads to; IPC_SAME leaves it
 *       kind      IPC_ASK       a question: an answer follows
 *                 IPC_TO(1) | … an answer, to questions of these types only
 *                 IPC_SEND      neither: a command or a report, with all that it has to say
 *                 IPC_NOTIFY    unasked, without data: "look again". While the other side has not
 *                               sent anything for this session since the last one, another is not
 *                               sent (of tag 0 each is)
 *
 * and its fields are `#define name_FIELDS(F)` with rows F(kind, field, max):
 *
 *       u8 u16 u32 u64 flag   integers, and a bool
 *       bytes                 a slice of at most `max` octets, borrowed from the packet
 *       rest                  the last field: all that is left of the payload, at most `max` octets
 *       list                  a slice of at most `max` octets holding octet strings; ipc_list_*
 *
 * State 0 is every session's first. A session whose state returns to 0 is forgotten. */
#ifndef QASID_IPC_H
#define QASID_IPC_H

#include "lib/base/wire.h"

enum {
  IPC_HEAD = 16,
  IPC_PACKET_MAX = 176 * 1024, /* one packet; a socket pair accepts it with the default buffers */
  IPC_PAYLOAD_MAX = 160 * 1024,
  IPC_CHUNK = 64 * 1024, /* the most octets of a message body that one message carries */
  IPC_FDS_MAX = 16,      /* descriptors in one packet */
  /* Octets of a message's head (docs/design/message.md), and of the part that the sending process
   * supplies: store prepends its Return-Path: field. */
  MESSAGE_HEAD_MAX = 16 * 1024,
  MESSAGE_FIELDS_MAX = MESSAGE_HEAD_MAX - 1024,
};

enum ipc_side { IPC_LEFT, IPC_RIGHT };
enum { IPC_ANY = 0xff, IPC_SAME = 0xff };
#define IPC_SEND UINT64_C(0)
#define IPC_ASK (UINT64_C(1) << 62)
#define IPC_NOTIFY (UINT64_C(1) << 63)
#define IPC_TO(type) (UINT64_C(1) << (type)) /* type: below 62 */

/* The rule of one message, as the receiver enforces it. */
struct ipc_rule {
  uint16_t type;
  const char *name;
  uint8_t from;
  uint8_t allowed; /* bit 1 << state */
  uint8_t next;
  uint32_t max;
  uint8_t fds;
  uint64_t kind;
};

/* All rules of one pair. */
struct ipc_pair {
  const char *name; /* "smtpd-store" */
  const struct ipc_rule *rules;
  size_t count;
};

struct ipc_msg {
  uint16_t type;
  uint64_t tag;
  struct slice payload;
  int fd; /* the message's descriptor, or -1; the handler of the message owns it */
  const struct ipc_rule *rule; /* the row, once the receiver has checked it; NULL before */
};

/* The rule for `type` sent from `from` in a session that is in `state`, or NULL: not allowed. */
const struct ipc_rule *ipc_rule_for(const struct ipc_pair *pair, enum ipc_side from, uint16_t type,
                                    uint8_t state);
/* Any rule of that type, for names in logs; NULL when there is none. */
const struct ipc_rule *ipc_rule_named(const struct ipc_pair *pair, uint16_t type);

/* Does a message of this rule answer a question of that type? */
bool ipc_rule_answers(const struct ipc_rule *rule, uint16_t question);

/* Appends a head with the payload length still 0 and returns where it stands, for ipc_close. */
size_t ipc_open(struct buf *b, uint16_t type, uint64_t tag, uint8_t fds);
/* Writes the length of everything put since ipc_open(). */
void ipc_close(struct buf *b, size_t at);
/* The same when `more` octets of the payload follow from elsewhere. */
void ipc_close_with(struct buf *b, size_t at, size_t more);
/* Cuts the next message off a packet. False when the packet is malformed or empty.
 * `*ret_fds` is how many descriptors the message claims. */
bool ipc_next(struct slice *packet, struct ipc_msg *ret, uint8_t *ret_fds);

/* Octet strings one after another in a `list` field; each takes IPC_LIST_HEAD octets more. */
enum { IPC_LIST_HEAD = 4 };
void ipc_list_put(struct buf *b, struct slice item);
/* Takes the next string off `*list`. False at the end and on malformed input (`*list` then has
 * octets left). */
bool ipc_list_next(struct slice *list, struct slice *ret);

/* --- what the rows expand to; only pair files use this --- */
#define IPC_DECL_u8(id) uint8_t id;
#define IPC_DECL_u16(id) uint16_t id;
#define IPC_DECL_u32(id) uint32_t id;
#define IPC_DECL_u64(id) uint64_t id;
#define IPC_DECL_flag(id) bool id;
#define IPC_DECL_bytes(id) struct slice id;
#define IPC_DECL_list(id) struct slice id;
#define IPC_DECL_rest(id) struct slice id;
#define IPC_DECL(kind, id, max) IPC_DECL_##kind(id)

#define IPC_PUT_u8(id) buf_put_u8(b, m->id);
#define IPC_PUT_u16(id) wire_put_u16(b, m->id);
#define IPC_PUT_u32(id) wire_put_u32(b, m->id);
#define IPC_PUT_u64(id) wire_put_u64(b, m->id);
#define IPC_PUT_flag(id) wire_put_bool(b, m->id);
#define IPC_PUT_bytes(id) wire_put_bytes(b, m->id);
#define IPC_PUT_list(id) wire_put_bytes(b, m->id);
#define IPC_PUT_rest(id) buf_put(b, m->id);
#define IPC_PUT(kind, id, max) IPC_PUT_##kind(id)

#define IPC_GET_u8(id, max) m.id = wire_get_u8(&w);
#define IPC_GET_u16(id, max) m.id = wire_get_u16(&w);
#define IPC_GET_u32(id, max) m.id = wire_get_u32(&w);
#define IPC_GET_u64(id, max) m.id = wire_get_u64(&w);
#define IPC_GET_flag(id, max) m.id = wire_get_bool(&w);
#define IPC_GET_bytes(id, max) m.id = wire_get_bytes(&w, max);
#define IPC_GET_list(id, max) m.id = wire_get_bytes(&w, max);
#define IPC_GET_rest(id, max) m.id = wire_get_rest(&w, max);
#define IPC_GET(kind, id, max) IPC_GET_##kind(id, max)

/* In a pair's header: MESSAGES(IPC_DECLARE) */
#define IPC_DECLARE(num, name, ...)                     \
  enum { name##_type = (num) };                         \
  struct name {                                         \
    name##_FIELDS(IPC_DECL)                             \
  };                                                    \
  void name##_put(struct buf *b, const struct name *m); \
  bool name##_get(struct slice payload, struct name *ret);

/* In a pair's source: MESSAGES(IPC_DEFINE) */
#define IPC_DEFINE(num, name, ...)                           \
  void name##_put(struct buf *b, const struct name *m) {     \
    (void)m;                                                 \
    name##_FIELDS(IPC_PUT)(void) b;                          \
  }                                                          \
  bool name##_get(struct slice payload, struct name *ret) {  \
    struct wire w = wire_open(payload);                      \
    struct name m = { name##_FIELDS(IPC_ZERO) };             \
    name##_FIELDS(IPC_GET) if (!wire_done(&w)) return false; \
    *ret = m;                                                \
    return true;                                             \
  }
#define IPC_ZERO(kind, id, max) .id = IPC_ZERO_##kind,
#define IPC_ZERO_u8 0
#define IPC_ZERO_u16 0
#define IPC_ZERO_u32 0
#define IPC_ZERO_u64 0
#define IPC_ZERO_flag false
#define IPC_ZERO_bytes SLICE_NONE
#define IPC_ZERO_list SLICE_NONE
#define IPC_ZERO_rest SLICE_NONE

#define IPC_RULE(num, name, from, allowed, next, max, fds, kind) \
  { (num), #name, (from), (allowed), (next), (max), (fds), (kind) },
#define IPC_PAIR(var, title, MESSAGES)                                 \
  static const struct ipc_rule var##_rules[] = { MESSAGES(IPC_RULE) }; \
  const struct ipc_pair var = { title, var##_rules, sizeof var##_rules / sizeof *var##_rules }

#endif
