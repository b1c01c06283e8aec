/* SPDX-License-Identifier: ISC */
/* Verifies the credential of a login: the client has sent everything, and it is compared with the
 * account's row, or with the stand-in row. login.c has the exchange before it and the answer after
 * it.
 *
 *  1. A name without an account, or whose account is disabled or has no such secret, is treated
 *     like
 *     any wrong credential: `nobody` stands in for the row.
 *  2. Each way out of login_credential() is a decision (login_decide), a failure, or a wait: for a
 *     hash, or for the verifier of tokens.
 *  3. A login has a place before its credential is examined, except for remembered passwords
 *     (addresses.h, rules 6 and 8; visits.h). */
#include "src/auth/core.h"

#include "lib/unicode/prepare.h"

#include <stdlib.h>

/* The salt of the name's password: from its row, or, without one, what it would be. */
bool login_scram_salt(struct auth *a, const struct login *l, struct scram_verifier *ret) {
  uint8_t folded[AUTH_NAME_MAX];
  struct scram_verifiers made, kept;
  struct account row;
  bool ok = scram_salts(a->salt_key, account_fold(buf_slice(&l->sasl.name), folded), &made);
  enum account_result r = accounts_find(&a->accounts, buf_slice(&l->sasl.name), &row);
  bool known = r == ACCOUNT_OK && row.enabled && row.scram_n;
  bool opened = account_unseal_scram(&a->accounts, known ? &row : &a->nobody, &kept);
  *ret = *scram_verifier_of(known && opened ? &kept : &made, l->sasl.mech->digest);
  explicit_bzero(&kept, sizeof kept);
  explicit_bzero(&row, sizeof row);
  return ok && r != ACCOUNT_TROUBLE;
}

/* Applies the option login_domain: completes a login without a domain. */
void login_qualify(const struct auth *a, struct buf *name) {
  struct slice domain = slice_str(a->conf->login_domain);
  bool whole = slice_find(buf_slice(name), '@') >= 0;
  if (!domain.n || !buf_len(name) || whole || buf_room(name) <= domain.n) return;
  buf_put_u8(name, '@');
  buf_put(name, domain);
}

static bool same_name(struct slice x, struct slice y) {
  uint8_t fx[AUTH_NAME_MAX], fy[AUTH_NAME_MAX];
  return slice_eq(account_fold(x, fx), account_fold(y, fy));
}

/* Finds the row; a missing or disabled account, or one without a secret where one is needed, gets
 * the stand-in row. */
static bool find_row(struct auth *a, struct login *l) {
  l->row = calloc(1, sizeof *l->row);
  if (!l->row) return false;
  enum account_result r = accounts_find(&a->accounts, buf_slice(&l->sasl.name), l->row);
  if (r != ACCOUNT_OK && r != ACCOUNT_NONE) return false;
  bool needs_secret = l->proof == PROOF_CRAM || l->proof == PROOF_APOP;
  bool has = needs_secret ? l->row->sealed_n : l->proof == PROOF_SCRAM ? l->row->scram_n : true;
  l->known = r == ACCOUNT_OK && l->row->enabled && has;
  if (!l->known) *l->row = a->nobody;
  l->mismatch = buf_len(&l->sasl.authzid) &&
                !same_name(buf_slice(&l->sasl.authzid), buf_slice(&l->sasl.name));
  return true;
}

/* The row's sealed secret cannot be opened: from here on it is treated as the stand-in row. */
static void unreadable(struct auth *a, struct login *l) {
  a->count.unreadable++;
  if (a->shell.warn)
    a->shell.warn(a->shell.arg, "auth.key does not open the sealed secret", account_name(l->row));
  *l->row = a->nobody;
  l->known = false;
}

/* The row's secret, in sasl.password. */
static bool find_secret(struct auth *a, struct login *l) {
  struct buf *secret = &l->sasl.password;
  buf_reserve(secret, PASSWORD_MAX);
  if (account_unseal(&a->accounts, l->row, secret)) return true;
  unreadable(a, l);
  buf_reset(secret);
  return account_unseal(&a->accounts, l->row, secret);
}

static void take_scram(struct auth *a, struct login *l, uint64_t now_ms) {
  struct scram_verifiers v;
  bool opened = account_unseal_scram(&a->accounts, l->row, &v);
  if (!opened) {
    unreadable(a, l);
    opened = account_unseal_scram(&a->accounts, l->row, &v);
  }
  const struct scram_verifier *one = scram_verifier_of(&v, l->sasl.mech->digest);
  struct sasl_secret secret = { .known = l->known, .keys = &one->keys };
  bool right = opened && sasl_server_secret(&l->sasl, &secret, &l->last) == SASL_CHALLENGE;
  explicit_bzero(&v, sizeof v);
  if (opened)
    login_decide(a, l, right, true, now_ms);
  else
    login_failed(a, l, AUTH_TROUBLE);
}

static void wait_for_hash(struct auth *a, struct login *l, uint64_t now_ms) {
  struct login *out = queue_put(&a->queue, l, now_ms);
  if (out != l) l->state = LOGIN_WAITING;
  if (!out) return;
  out->state = LOGIN_TALKING; /* it has left the queue already */
  login_failed(a, out, AUTH_TROUBLE);
}

/* A request to act for somebody else is refused whatever the password: it is not even verified. */
static void take_password(struct auth *a, struct login *l, uint64_t now_ms) {
  if (l->mismatch)
    login_decide(a, l, false, false, now_ms);
  else if (!login_decided(a, l, now_ms))
    wait_for_hash(a, l, now_ms);
}

/* The cache key of the password. */
static bool password_key(struct auth *a, struct login *l) {
  uint8_t folded[AUTH_NAME_MAX];
  struct slice name = account_fold(buf_slice(&l->sasl.name), folded);
  return cache_key(&a->cache, name, l->known ? l->row->stamp : 0, buf_slice(&l->sasl.password),
                   l->key);
}

static bool cram_right(struct login *l, struct slice secret) {
  struct sasl_secret s = { .known = l->known, .secret = secret };
  return sasl_server_secret(&l->sasl, &s, &l->last) == SASL_OK;
}

/* RFC 1939 §7: MD5 over the timestamp, angle-brackets included, and the secret. It lies in
 * `challenge`. */
static bool apop_right(struct login *l, struct slice secret) {
  uint8_t digest[DIGEST_MAX];
  struct slice parts[] = { buf_slice(&l->sasl.challenge), secret };
  return digest_parts(DIGEST_MD5, parts, 2, digest) &&
         slice_secret_eq(slice_of(digest, DIGEST_MD5_SIZE), buf_slice(&l->sasl.proof));
}

/* The secret is stored as typed; a client may have prepared it (RFC 8265 §4.2). */
static void take_digest(struct auth *a, struct login *l,
                        bool (*is_right)(struct login *l, struct slice secret), uint64_t now_ms) {
  struct slice secret = buf_slice(&l->sasl.password);
  struct buf prepared;
  buf_init(&prepared, PREPARE_MAX);
  bool right = is_right(l, secret);
  if (!right && prepare_password(secret, &prepared)) right = is_right(l, buf_slice(&prepared));
  buf_wipe(&prepared);
  login_decide(a, l, right, true, now_ms);
}

/* True if the password is a remembered one of a user known in this network. That needs no place
 * (visits.h). */
static bool is_remembered(struct auth *a, struct login *l, struct visit *visit, uint64_t now_ms) {
  return l->proof == PROOF_PASSWORD && !l->mismatch && visit && visit_may_look(visit, now_ms) &&
         cache_find(&a->cache, l->key, now_ms);
}

static bool place_in(struct login *l, unsigned *places) {
  ++*places;
  l->place = places;
  return true;
}

/* Takes a place for one more login (addresses.h, rules 6 and 8). The row may be found already. */
static bool has_room(struct auth *a, struct login *l, uint64_t now_ms) {
  struct auth_address *at = addresses_counting(&a->addresses, l->network, now_ms);
  struct visit *visit =
      at && l->row && l->known ? visits_find(&a->visits, l->row->id, l->network, now_ms) : NULL;
  if (!at) return false;
  l->address = at;
  at->pending++;
  l->visited = visit != NULL;
  if (l->uncounted || is_remembered(a, l, visit, now_ms)) return true;
  if (visit && visit->pending < VISIT_PENDING) return place_in(l, &visit->pending);
  return address_has_room(at, a->conf->auth_penalty_most, now_ms) && place_in(l, &at->places);
}

/* A valid token for a missing account, or for another account than requested, counts as a wrong
 * one. */
void login_token_judged(struct auth *a, struct login *l, const char *why, struct slice name,
                        uint64_t now_ms) {
  buf_put(&l->sasl.name, name);
  login_qualify(a, &l->sasl.name);
  if (l->sasl.name.failed || !find_row(a, l)) {
    login_failed(a, l, AUTH_TROUBLE);
    return;
  }
  l->token_why = why;
  bool right = !why && l->known && !l->mismatch;
  a->count.tokens += !right;
  sasl_server_token(&l->sasl, right, &l->last);
  buf_wipe(&l->sasl.token);
  login_decide(a, l, right, true, now_ms);
}

/* Finds the certificate's account; an unregistered certificate counts as a wrong password. */
static void take_certificate(struct auth *a, struct login *l, uint64_t now_ms) {
  buf_reset(&l->sasl.name);
  enum account_result r = accounts_by_certificate(&a->accounts, l->certificate, &l->sasl.name);
  if ((r != ACCOUNT_OK && r != ACCOUNT_NONE) || !find_row(a, l)) login_failed(a, l, AUTH_TROUBLE);
  /* if there is one, and it is the requested one */
  else
    login_decide(a, l, true, true, now_ms);
}

/* True for tokens and certificates, which name the account themselves. */
static bool names_row(const struct login *l) {
  return l->proof != PROOF_TOKEN && l->proof != PROOF_CERTIFICATE;
}

/* The client has sent everything. */
void login_credential(struct auth *a, struct login *l, uint64_t now_ms) {
  l->asked_ms = now_ms;
  login_qualify(a, &l->sasl.name);
  login_qualify(a, &l->sasl.authzid);
  bool ok = !names_row(l) || find_row(a, l);
  ok = ok && (l->proof != PROOF_PASSWORD || password_key(a, l));
  if (!ok || !has_room(a, l, now_ms))
    login_failed(a, l, AUTH_TROUBLE);
  else if (l->proof == PROOF_TOKEN)
    a->verifier->verify(a->verifier, a, l, now_ms);
  else if (l->proof == PROOF_CERTIFICATE)
    take_certificate(a, l, now_ms);
  else if (l->proof == PROOF_PASSWORD)
    take_password(a, l, now_ms);
  else if (l->proof == PROOF_SCRAM)
    take_scram(a, l, now_ms);
  else if (!find_secret(a, l))
    login_failed(a, l, AUTH_TROUBLE);
  else
    take_digest(a, l, l->proof == PROOF_APOP ? apop_right : cram_right, now_ms);
  auth_dispatch(a, now_ms);
}
