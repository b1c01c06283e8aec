/* SPDX-License-Identifier: ISC */
/* The private keys for TLS and the signatures that front-ends request (keys.h has the invariants):
 * the set in use, the set being received, and a token bucket for each front-end and for the sender.
 *
 *   receiving --last key, all good--> in use        receiving --any bad--> discarded up to `last`
 */
#include "src/keys/keys.h"

#include <stdlib.h>

#include "lib/tls/key.h"

/* A token bucket: it fills with so many a second, and holds those of one second. */
struct keys_front {
  uint32_t number; /* 0: free */
  uint64_t drops;  /* thousandths of an operation */
  uint64_t at_ms;  /* when they were counted */
};

struct keys {
  struct tls_key *keys[KEYS_MAX], *next[KEYS_MAX];
  size_t count, next_count;
  bool spoiled; /* part of the set being received was unusable */
  struct keys_front fronts[KEYS_FRONTS_MAX];
  struct keys_front mail; /* the sender's */
};

struct keys *keys_new(void) {
  return calloc(1, sizeof(struct keys));
}

static void drop_set(struct tls_key **set, size_t *count) {
  for (size_t i = 0; i < *count; i++) tls_key_free(&set[i]);
  *count = 0;
}

void keys_free(struct keys **k) {
  if (!*k) return;
  drop_set((*k)->keys, &(*k)->count);
  drop_set((*k)->next, &(*k)->next_count);
  free(*k);
  *k = NULL;
}

size_t keys_count(const struct keys *k) { return k->count; }

static bool take_key(struct keys *k, uint16_t index, struct slice pem, struct buf *err) {
  if (index != k->next_count || index >= KEYS_MAX) {
    buf_printf(err, "private key %u came out of turn", index + 1u);
    return false;
  }
  struct buf why;
  buf_init(&why, 512);
  k->next[index] = tls_key_load(pem, &why);
  if (k->next[index])
    k->next_count++;
  else
    buf_printf(err, "tls_keys, file %u: %.*s", index + 1u, SLICE_ARG(buf_slice(&why)));
  buf_free(&why);
  return k->next_count > index;
}

static void use_set(struct keys *k) {
  drop_set(k->keys, &k->count);
  memcpy(k->keys, k->next, k->next_count * sizeof *k->next);
  k->count = k->next_count;
  k->next_count = 0;
}

bool keys_add(struct keys *k, uint16_t index, bool last, struct slice pem, struct buf *err) {
  bool good = !k->spoiled && take_key(k, index, pem, err);
  if (!good) {
    drop_set(k->next, &k->next_count);
    k->spoiled = !last;
    return false;
  }
  if (last) use_set(k);
  return true;
}

/* --- how often --- */

static struct keys_front *find_front(struct keys *k, uint32_t number) {
  for (size_t i = 0; i < KEYS_FRONTS_MAX; i++)
    if (k->fronts[i].number == number) return &k->fronts[i];
  return NULL;
}

static bool take_drop(struct keys_front *f, uint64_t a_second, uint64_t now_ms) {
  uint64_t passed = now_ms > f->at_ms ? now_ms - f->at_ms : 0;
  if (passed > 1000) passed = 1000; /* a second fills the bucket */
  f->drops += passed * a_second;
  if (f->drops > a_second * 1000) f->drops = a_second * 1000;
  f->at_ms = now_ms;
  if (f->drops < 1000) return false;
  f->drops -= 1000;
  return true;
}

static bool may_ask(struct keys *k, uint32_t number, uint64_t now_ms) {
  struct keys_front *f = find_front(k, number);
  if (!f && (f = find_front(k, 0)) != NULL)
    *f = (struct keys_front){ number, KEYS_PER_SECOND * 1000ull, now_ms };
  return f && take_drop(f, KEYS_PER_SECOND, now_ms);
}

bool keys_mail_turn(struct keys *k, uint64_t now_ms) {
  if (!k->mail.number) k->mail = (struct keys_front){ 1, KEYS_MAIL_PER_SECOND * 1000ull, now_ms };
  return take_drop(&k->mail, KEYS_MAIL_PER_SECOND, now_ms);
}

void keys_front_lost(struct keys *k, uint32_t front) {
  struct keys_front *f = front ? find_front(k, front) : NULL;
  if (f) *f = (struct keys_front){ 0 };
}

bool keys_message(struct keys *k, uint32_t front, const struct ipc_msg *msg, uint64_t now_ms,
                  struct buf *answer) {
  struct key_sign m;
  struct buf output;
  if (msg->type != key_sign_type || !key_sign_get(msg->payload, &m) || m.use >= KEY_USES)
    return false;
  buf_init(&output, 4096);
  if (front && m.key < k->count && may_ask(k, front, now_ms))
    tls_key_sign(k->keys[m.key], (enum key_use)m.use, m.input, &output);
  key_signed_put(answer, &(struct key_signed){ buf_slice(&output) });
  buf_free(&output);
  return true;
}
