/* SPDX-License-Identifier: ISC */
/* account rename: gives a login another name. Secrets are sealed for the name, so they are sealed
 * again; certificates and collections follow. One transaction. */
#include "src/auth/admin.h"
#include "src/auth/collections.h"

static void fresh_nonce(struct auth *a, uint8_t nonce[SEAL_NONCE]) {
  a->shell.random(a->shell.arg, nonce, SEAL_NONCE);
}

/* Secrets that cannot be opened (another key) would be unusable under the new name too. */
static bool reseal(struct auth *a, const struct account *old, struct account *row) {
  uint8_t nonce[SEAL_NONCE];
  struct scram_verifiers v;
  struct buf secret;
  bool ok = true;
  buf_init(&secret, PASSWORD_MAX);
  buf_reserve(&secret, PASSWORD_MAX);
  row->sealed_n = row->scram_n = 0;
  fresh_nonce(a, nonce);
  if (old->sealed_n && account_unseal(&a->accounts, old, &secret))
    ok = account_seal(&a->accounts, row, buf_slice(&secret), nonce);
  fresh_nonce(a, nonce);
  if (ok && old->scram_n && account_unseal_scram(&a->accounts, old, &v))
    ok = account_seal_scram(&a->accounts, row, &v, nonce);
  explicit_bzero(&v, sizeof v);
  buf_wipe(&secret);
  return ok;
}

struct moving {
  struct slice account; /* folded */
  struct buf ids;
};

static void note_id(void *arg, const struct collection *c) {
  struct moving *m = arg;
  if (slice_eq(slice_of(c->account, c->account_n), m->account))
    buf_put(&m->ids, slice_of(&c->id, sizeof c->id));
}

static enum account_result move_collection(struct auth *a, uint64_t id, struct slice to) {
  struct collection c;
  uint8_t nonce[SEAL_NONCE];
  struct buf secret;
  enum account_result r = collections_find(&a->accounts, id, &c);
  if (r != ACCOUNT_OK) return r;
  buf_init(&secret, COLLECT_SECRET_MAX);
  buf_reserve(&secret, COLLECT_SECRET_MAX);
  bool opened = collection_unseal(&a->accounts, &c, &secret);
  memcpy(c.account, to.p, to.n);
  c.account_n = to.n;
  fresh_nonce(a, nonce);
  if (opened && !collection_seal(&a->accounts, &c, buf_slice(&secret), nonce)) r = ACCOUNT_TROUBLE;
  buf_wipe(&secret);
  return r == ACCOUNT_OK ? collections_move(&a->accounts, &c) : r;
}

static enum account_result move_collections(struct auth *a, const struct account *old,
                                            const struct account *row) {
  uint8_t before[AUTH_NAME_MAX], after[AUTH_NAME_MAX];
  struct moving m = { .account = account_key(old, before) };
  struct slice to = account_key(row, after);
  uint64_t id;
  buf_init(&m.ids, COLLECTIONS_MAX * sizeof id);
  enum account_result r = collections_each(&a->accounts, note_id, &m);
  if (m.ids.failed) r = ACCOUNT_TROUBLE;
  for (size_t i = 0; r == ACCOUNT_OK && i < buf_len(&m.ids); i += sizeof id) {
    memcpy(&id, buf_slice(&m.ids).p + i, sizeof id);
    r = move_collection(a, id, to);
  }
  buf_free(&m.ids);
  return r;
}

bool admin_rename(struct auth *a, struct admin_call *c) {
  struct account other, old;
  struct slice to = call_word(c, 3);
  if (!call_find(a, c, call_word(c, 2))) return false;
  old = c->row;
  enum account_result r = accounts_find(&a->accounts, to, &other);
  if (r == ACCOUNT_OK && other.id == old.id) r = ACCOUNT_NONE; /* only another spelling */
  if (r != ACCOUNT_NONE) {
    call_done_account(a, c, r == ACCOUNT_OK ? ACCOUNT_EXISTS : r);
  } else if (call_take_name(a, c, to)) {
    account_changed(a, &c->row);
    r = reseal(a, &old, &c->row) ? accounts_begin(&a->accounts) : ACCOUNT_TROUBLE;
    if (r == ACCOUNT_OK) r = accounts_rename(&a->accounts, account_name(&old), &c->row);
    if (r == ACCOUNT_OK) r = move_collections(a, &old, &c->row);
    call_done_account(a, c, accounts_end(&a->accounts, r));
  }
  explicit_bzero(&old, sizeof old);
  return false;
}
