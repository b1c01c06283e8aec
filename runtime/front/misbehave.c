/* SPDX-License-Identifier: ISC */
/* What a compromised front-end might try: system calls that it must not make, and messages that its
 * neighbours must not believe. In test builds only, for tests/real/sandbox.sh, by the command
 * `misbehave WHAT`. */
#include "runtime/front/private.h"

#ifdef QASID_TEST_HOOKS

#include "ipc/auth_store.h"
#include "ipc/front_auth.h"
#include "ipc/parent_process.h"
#include "ipc/pop3d_store.h"
#include "ipc/smtpd_store.h"
#include "runtime/sandbox/sandbox.h"

#include <stdio.h>

enum { NOBODYS_TAG = 1 << 30, FLOOD = 50000 };

static void misbehave_send(struct front *f, enum role kind, uint16_t type, uint64_t tag,
                           struct slice payload) {
  process_send(f->process, kind, process_single(f->process, kind), type, tag, payload, -1);
}

/* Opens a maildrop without a login; for a connected client that has not logged in, if there is
 * one. */
static void steal(struct front *f) {
  uint64_t tag = NOBODYS_TAG;
  for (struct conn *c = f->oldest; c; c = c->newer)
    if (c->proto && !f->role->ops->valuable(c->proto)) tag = c->id;
  misbehave_send(f, ROLE_STORE, pop_open_type, tag, SLICE_NONE);
}

static void steal_read(struct front *f) {
  struct buf b;
  buf_init(&b, 64);
  pop_read_put(&b, &(struct pop_read){ .uid = 1, .most = IPC_CHUNK });
  misbehave_send(f, ROLE_STORE, pop_read_type, NOBODYS_TAG, buf_slice(&b));
  buf_free(&b);
}

/* A message that only auth may send. */
static void forge_grant(struct front *f) {
  struct buf b;
  buf_init(&b, 64);
  auth_grant_put(&b, &(struct auth_grant){
                         .front = f->process->number, .session = NOBODYS_TAG, .account = 1 });
  misbehave_send(f, ROLE_STORE, auth_grant_type, NOBODYS_TAG, buf_slice(&b));
  buf_free(&b);
}

static void forge_answer(struct front *f) {
  misbehave_send(f, ROLE_STORE, pop_opened_type, NOBODYS_TAG, SLICE("\0\0\0\0\0"));
}
static void forge_login(struct front *f) {
  misbehave_send(f, ROLE_AUTH, auth_ok_type, NOBODYS_TAG, SLICE("\0\0"));
}
static void forge_type(struct front *f) {
  misbehave_send(f, ROLE_STORE, 999, NOBODYS_TAG, SLICE_NONE);
}
static void forge_fields(struct front *f) {
  misbehave_send(f, ROLE_AUTH, auth_start_type, NOBODYS_TAG, SLICE("\xff\xff\xff"));
}

static void forge_size(struct front *f) {
  struct slice much = slice_of(f->read_mem, FRONT_READ);
  for (uint16_t type = 1; type <= 5; type++) misbehave_send(f, ROLE_AUTH, type, NOBODYS_TAG, much);
}

/* pop_close: nothing was begun. */
#define NO_LIST SLICE("\0\0\0\0")

/* A packet with trailing octets that are not a message. */
static void forge_packet(struct front *f) {
  struct channel *ch =
      process_channel_to(f->process, ROLE_STORE, process_single(f->process, ROLE_STORE));
  struct buf *b = channel_begin(ch, pop_close_type, NOBODYS_TAG);
  if (b) buf_put(b, NO_LIST);
  channel_end(ch);
  if (b) buf_put_str(b, "\xff\xff\xff\xff\xff");
}

static void forge_descriptor(struct front *f) {
  process_send(f->process, ROLE_STORE, process_single(f->process, ROLE_STORE), pop_close_type,
               NOBODYS_TAG, NO_LIST, f->listeners[0].fd);
}

/* Asks again before the answer, which takes as long as a password hash. */
static void hurry(struct front *f) {
  struct buf b;
  buf_init(&b, 256);
  auth_start_put(&b, &(struct auth_start){ .mechanism = SLICE("PLAIN"),
                                           .has_response = true,
                                           .secure = true,
                                           .response = SLICE("\0nobody@example.org\0guess"),
                                           .peer = SLICE("\x7f\0\0\1"),
                                           .service = slice_str(f->listeners[0].service) });
  for (int i = 0; i < 2; i++)
    misbehave_send(f, ROLE_AUTH, auth_start_type, NOBODYS_TAG, buf_slice(&b));
  buf_free(&b);
}

/* Has the parent end an innocent process. */
static void accuse(struct front *f) {
  struct buf b;
  buf_init(&b, 256);
  process_breach_put(&b,
                     &(struct process_breach){ ROLE_STORE, process_single(f->process, ROLE_STORE),
                                               SLICE("slander") });
  channel_send(f->process->parent, process_breach_type, 0, buf_slice(&b));
  buf_free(&b);
}

static void order_parent(struct front *f) {
  channel_send(f->process->parent, process_stop_type, 0, SLICE_NONE);
}

static void ready_again(struct front *f) {
  struct buf b;
  buf_init(&b, 64);
  process_ready_put(&b, &(struct process_ready){ SLICE("nothing") });
  channel_send(f->process->parent, process_ready_type, 0, buf_slice(&b));
  buf_free(&b);
}

/* Messages that are all allowed and must harm no one. */
static void flood(struct front *f) {
  bool smtp = f->role->kind == ROLE_SMTPD;
  for (uint64_t i = 0; i < FLOOD; i++)
    misbehave_send(f, ROLE_STORE, smtp ? smtp_discard_type : pop_close_type, NOBODYS_TAG + i,
                   smtp ? SLICE_NONE : NO_LIST);
}

static const struct {
  const char *word;
  void (*fn)(struct front *f);
} deeds[] = {
  { "ipc-steal", steal },
  { "ipc-steal-read", steal_read },
  { "ipc-forge-grant", forge_grant },
  { "ipc-forge-answer", forge_answer },
  { "ipc-forge-login", forge_login },
  { "ipc-forge-type", forge_type },
  { "ipc-forge-fields", forge_fields },
  { "ipc-forge-size", forge_size },
  { "ipc-forge-packet", forge_packet },
  { "ipc-forge-descriptor", forge_descriptor },
  { "ipc-hurry", hurry },
  { "ipc-accuse", accuse },
  { "ipc-order-parent", order_parent },
  { "ipc-flood", flood },
  { "ipc-ready-again", ready_again },
};
enum { DEEDS = sizeof deeds / sizeof *deeds };

static void put_words(struct buf *out) {
  for (size_t i = 0; i < DEEDS; i++) buf_printf(out, "%s ", deeds[i].word);
  for (size_t i = 0; sandbox_probe_word(i); i++) buf_printf(out, "%s ", sandbox_probe_word(i));
}

void front_misbehave(struct front *f, struct slice what, struct buf *out) {
  char word[64];
  snprintf(word, sizeof word, "%.*s", SLICE_ARG(what));
  for (size_t i = 0; i < DEEDS; i++) {
    if (strcmp(deeds[i].word, word) != 0) continue;
    deeds[i].fn(f);
    buf_put_str(out, "done");
    return;
  }
  int refused = what.n ? sandbox_probe(word) : -1;
  if (refused < 0)
    put_words(out);
  else if (refused == 0)
    buf_put_str(out, "allowed");
  else
    buf_printf(out, "refused %d", refused);
}

#endif
