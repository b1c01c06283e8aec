/* SPDX-License-Identifier: ISC */
/* What a process that was taken over may send: packets are cut, each message goes through its rule
 * and its decoder, lists are walked; what decodes must encode to the same octets. */
#include <stdlib.h>

#include "ipc/auth_store.h"
#include "ipc/cli_process.h"
#include "ipc/collector_auth.h"
#include "ipc/collector_store.h"
#include "ipc/dialer_resolver.h"
#include "ipc/front_auth.h"
#include "ipc/front_keys.h"
#include "ipc/parent_process.h"
#include "ipc/pop3d_store.h"
#include "ipc/sender_keys.h"
#include "ipc/sender_store.h"
#include "ipc/smtpd_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* For every row of a pair: decode; when that works, encode and compare. */
#define ROUND_TRIP(num, name, ...)                       \
  if (msg->type == (num)) {                              \
    struct name m;                                       \
    if (!name##_get(msg->payload, &m)) return;           \
    struct buf b;                                        \
    buf_init(&b, 2 * IPC_PAYLOAD_MAX);                   \
    name##_put(&b, &m);                                  \
    if (!slice_eq(buf_slice(&b), msg->payload)) abort(); \
    buf_free(&b);                                        \
  }
#define TRY(pair, MESSAGES) \
  static void try_##pair(const struct ipc_msg *msg) { MESSAGES(ROUND_TRIP) }
TRY(ipc_auth_store, AUTH_STORE_MESSAGES)
TRY(ipc_cli_process, CLI_PROCESS_MESSAGES)
TRY(ipc_collector_auth, COLLECTOR_AUTH_MESSAGES)
TRY(ipc_collector_store, COLLECTOR_STORE_MESSAGES)
TRY(ipc_dialer_resolver, DIALER_RESOLVER_MESSAGES)
TRY(ipc_front_auth, FRONT_AUTH_MESSAGES)
TRY(ipc_front_keys, FRONT_KEYS_MESSAGES)
TRY(ipc_parent_process, PARENT_PROCESS_MESSAGES)
TRY(ipc_pop3d_store, POP3D_STORE_MESSAGES)
TRY(ipc_sender_keys, SENDER_KEYS_MESSAGES)
TRY(ipc_sender_store, SENDER_STORE_MESSAGES)
TRY(ipc_smtpd_store, SMTPD_STORE_MESSAGES)

static const struct {
  const struct ipc_pair *pair;
  void (*try)(const struct ipc_msg *msg);
} pairs[] = {
  { &ipc_auth_store, try_ipc_auth_store },
  { &ipc_cli_process, try_ipc_cli_process },
  { &ipc_front_auth, try_ipc_front_auth },
  { &ipc_front_keys, try_ipc_front_keys },
  { &ipc_parent_process, try_ipc_parent_process },
  { &ipc_pop3d_store, try_ipc_pop3d_store },
  { &ipc_collector_auth, try_ipc_collector_auth },
  { &ipc_collector_store, try_ipc_collector_store },
  { &ipc_sender_keys, try_ipc_sender_keys },
  { &ipc_sender_store, try_ipc_sender_store },
  { &ipc_smtpd_store, try_ipc_smtpd_store },
  { &ipc_dialer_resolver, try_ipc_dialer_resolver },
};

static void walk_list(struct slice list) {
  struct slice item;
  for (size_t before = list.n + 1; ipc_list_next(&list, &item); before = list.n)
    if (list.n >= before) abort(); /* each string takes octets: the walk ends */
}

static void no_line_ends(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] < 0x20 || s.p[i] == 0x7f) abort();
}

/* An envelope alone: within its bounds, nothing in it ends a line, one encoding. */
static void try_envelope(struct slice octets) {
  struct wire w = wire_open(octets);
  struct envelope e = envelope_get(&w);
  struct envelope_rcpt r;
  struct buf whole, rcpts;
  if (!wire_done(&w)) return;
  buf_init(&whole, ENVELOPE_MAX), buf_init(&rcpts, ENVELOPE_RCPTS_MAX);
  envelope_put(&whole, &e);
  if (!slice_eq(buf_slice(&whole), octets) || e.return_path.n > ENVELOPE_PATH_MAX) abort();
  no_line_ends(e.return_path), no_line_ends(e.envid);
  for (struct slice left = e.rcpts; envelope_rcpt_next(&left, &r);) {
    if (!r.address.n || r.address.n > ENVELOPE_PATH_MAX || r.orcpt.n > ENVELOPE_ORCPT_MAX) abort();
    no_line_ends(r.address), no_line_ends(r.orcpt);
    envelope_rcpt_put(&rcpts, &r);
  }
  if (!slice_eq(buf_slice(&rcpts), e.rcpts)) abort();
  buf_free(&whole), buf_free(&rcpts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) return 0;
  try_envelope(slice_of(data + 1, size - 1));
  size_t at = data[0] % (sizeof pairs / sizeof *pairs);
  struct slice packet = slice_of(data + 1, size - 1);
  struct ipc_msg msg;
  uint8_t fds;
  while (ipc_next(&packet, &msg, &fds)) {
    for (uint8_t state = 0; state < 4; state++)
      ipc_rule_for(pairs[at].pair, state & 1 ? IPC_LEFT : IPC_RIGHT, msg.type, state);
    pairs[at].try(&msg);
    walk_list(msg.payload);
  }
  return 0;
}
