/* SPDX-License-Identifier: ISC */
/* auth's entry points: creates it, dispatches messages by their sender, handles due times. */
#include "src/auth/core.h"

#include "lib/base/codec.h"
#include "ipc/auth_store.h"
#include "ipc/cli_process.h"

#include <stdlib.h>

/* --- life --- */

/* The row that stands in for names without an account: an ordinary hash that no password matches, a
 * secret that was never issued, and verifiers of no password. Verifying against it costs the
 * same. */
static bool make_nobody(struct auth *a) {
  uint8_t random[PASSWORD_RANDOM], nonce[SEAL_NONCE];
  struct buf hash, secret;
  buf_init(&hash, PASSWORD_HASH_MAX);
  buf_init(&secret, 64);
  a->shell.random(a->shell.arg, random, sizeof random);
  bool ok = password_nobody(random, &hash) == PASSWORD_OK;
  a->shell.random(a->shell.arg, random, sizeof random);
  a->shell.random(a->shell.arg, nonce, sizeof nonce);
  hex_put(&secret, slice_of(random, 16));
  ok = ok && account_seal(&a->accounts, &a->nobody, buf_slice(&secret), nonce);
  struct scram_verifiers v;
  a->shell.random(a->shell.arg, &v, sizeof v);
  a->shell.random(a->shell.arg, nonce, sizeof nonce);
  ok = ok && account_seal_scram(&a->accounts, &a->nobody, &v, nonce);
  if (ok) memcpy(a->nobody.hash, buf_slice(&hash).p, buf_len(&hash));
  a->nobody.hash_n = buf_len(&hash);
  buf_wipe(&hash);
  buf_wipe(&secret);
  explicit_bzero(random, sizeof random);
  return ok;
}

static bool set_up(struct auth *a, struct disk *disk, struct buf *err) {
  uint8_t random[32];
  a->shell.random(a->shell.arg, random, sizeof random);
  cache_init(&a->cache, random);
  cache_resize(&a->cache, a->conf->auth_cache_time ? a->conf->auth_cache_size : 0);
  addresses_init(&a->addresses);
  visits_init(&a->visits);
  a->quiet = (struct auth_quiet){ .giving = { .least = DB_GIVE_LEAST }, .seen = UINT64_MAX };
  map_init(&a->grants);
  a->shell.random(a->shell.arg, random, sizeof random);
  bool ok = accounts_open(&a->accounts, disk, random, err);
  explicit_bzero(random, sizeof random);
  if (!ok) return false;
  a->apop = accounts_any_secret(&a->accounts);
  if (!schedule_load(a)) {
    buf_put_str(err, "the collections in auth.db can't be read");
    return false;
  }
  ok = make_nobody(a) && digest_hmac(DIGEST_SHA256, slice_of(a->accounts.key, SEAL_KEY),
                                     SLICE("SCRAM salts"), a->salt_key);
  if (!ok) buf_put_str(err, "libcrypt or OpenSSL does not work here");
  return ok;
}

struct auth *auth_new(struct disk *disk, const struct conf *conf, const struct auth_shell *shell,
                      struct buf *err) {
  struct auth *a = calloc(1, sizeof *a);
  if (!a) {
    buf_put_str(err, "no memory");
    return NULL;
  }
  *a = (struct auth){ .conf = conf, .shell = *shell };
  if (!set_up(a, disk, err)) auth_free(&a);
  return a;
}

void auth_free(struct auth **ptr) {
  struct auth *a = *ptr;
  if (!a) return;
  while (a->fronts) auth_process_lost(a, a->fronts->kind, a->fronts->number);
  for (struct login *l; (l = login_first_due(a));) /* of clients that hung up: nothing is sent */
    login_due(a, l, 0);
  admin_free(a);
  if (a->verifier) a->verifier->free(a->verifier);
  schedule_free(a);
  heap_free(&a->delayed);
  cache_free(&a->cache);
  addresses_free(&a->addresses);
  visits_free(&a->visits);
  map_free(&a->grants);
  accounts_close(&a->accounts);
  explicit_bzero(a, sizeof *a);
  free(a);
  *ptr = NULL;
}

void auth_reconfigure(struct auth *a, const struct conf *conf) {
  size_t before = a->cache.size, after = conf->auth_cache_time ? conf->auth_cache_size : 0;
  bool shorter = conf->auth_cache_time < a->conf->auth_cache_time;
  a->conf = conf;
  if (after != before || shorter) cache_resize(&a->cache, after);
}

bool auth_token_keys(struct auth *a, struct slice keys, struct buf *err) {
  struct token_verifier *next = keys.n ? token_verifier_jwt(keys, err) : NULL;
  if (keys.n && !next) return false;
  if (a->verifier) a->verifier->free(a->verifier);
  a->verifier = next;
  return true;
}

/* --- messages --- */

struct auth_front *auth_front(const struct auth *a, uint32_t number) {
  for (struct auth_front *f = a->fronts; f; f = f->next)
    if (f->number == number) return f;
  return NULL;
}

static struct auth_front *front_of(struct auth *a, enum role kind, uint32_t number) {
  struct auth_front *f = auth_front(a, number);
  if (f) return f;
  f = calloc(1, sizeof *f);
  if (!f) return NULL;
  *f = (struct auth_front){ .kind = kind, .number = number, .next = a->fronts };
  map_init(&f->logins);
  map_init(&f->granted);
  a->fronts = f;
  return f;
}

static bool from_front(struct auth *a, enum role kind, uint32_t number, const struct ipc_msg *msg,
                       uint64_t now_ms) {
  struct auth_front *f = front_of(a, kind, number);
  if (!f) return false;
  switch (msg->type) {
  case auth_start_type: return login_start(a, f, msg->tag, msg->payload, now_ms);
  case auth_step_type: return login_step(a, f, msg->tag, msg->payload, now_ms);
  case auth_login_type: return login_password(a, f, msg->tag, msg->payload, now_ms);
  case auth_apop_type: return login_apop(a, f, msg->tag, msg->payload, now_ms);
  case auth_cancel_type: break;
  default: return false;
  }
  struct login *l = map_ptr(&f->logins, msg->tag);
  if (l && l->state == LOGIN_TALKING) auth_report(a, l, "the exchange was not finished");
  if (l)
    login_cancel(a, l);
  else if (kind == ROLE_POP3D)
    login_revoke(a, number, msg->tag); /* our success and the client's cancellation crossed */
  return true;
}

/* An answer to a grant that nothing waits for any more is not an error: its client hung up. */
static bool from_store(struct auth *a, const struct ipc_msg *msg) {
  struct auth_granted m;
  struct auth_over over;
  if (msg->type == auth_over_type) {
    if (!auth_over_get(msg->payload, &over)) return false;
    login_over(a, over.front, over.session);
    return true;
  }
  if (msg->type != auth_granted_type || !auth_granted_get(msg->payload, &m)) return false;
  struct login *l = map_ptr(&a->grants, msg->tag);
  if (l)
    login_granted(a, l, m.known, m.wait_s);
  else
    schedule_granted(a, msg->tag, m.known);
  return true;
}

bool auth_message(struct auth *a, enum role kind, uint32_t number, const struct ipc_msg *msg,
                  uint64_t now_ms) {
  if (kind == ROLE_SMTPD || kind == ROLE_POP3D) return from_front(a, kind, number, msg, now_ms);
  if (kind == ROLE_STORE) return from_store(a, msg);
  if (kind == ROLE_COLLECTOR) return schedule_message(a, number, msg);
  if (kind != ROLE_CLI) return false;
  if (msg->type == cli_command_type) return admin_command(a, number, msg->payload, now_ms);
  return msg->type == cli_input_type || msg->type == cli_input_end_type;
}

/* --- what front-ends announce to clients --- */

static void send_offers(struct auth *a, const struct auth_front *f) {
  struct buf b;
  if (f->kind != ROLE_POP3D) return;
  buf_init(&b, 16);
  auth_offers_put(&b, &(struct auth_offers){ .apop = a->apop });
  if (!b.failed)
    a->shell.send(a->shell.arg, f->kind, f->number, auth_offers_type, 0, buf_slice(&b));
  buf_free(&b);
}

void auth_offers_look(struct auth *a) {
  bool now = accounts_any_secret(&a->accounts);
  if (now == a->apop) return;
  a->apop = now;
  for (const struct auth_front *f = a->fronts; f; f = f->next) send_offers(a, f);
}

void auth_process_connected(struct auth *a, enum role kind, uint32_t number) {
  struct auth_front *f = kind == ROLE_POP3D ? front_of(a, kind, number) : NULL;
  if (f) send_offers(a, f);
  if (kind == ROLE_STORE) login_repeat_grants(a);
}

/* --- processes that are gone --- */

static void front_lost(struct auth *a, uint32_t number) {
  struct auth_front **at = &a->fronts;
  while (*at && (*at)->number != number) at = &(*at)->next;
  struct auth_front *f = *at;
  if (!f) return;
  *at = f->next;
  struct map logins = f->logins;
  map_init(&f->logins); /* login_cancel() removes each from the map: restart with the next one */
  uint64_t tag, value;
  for (size_t i = 0; map_each(&logins, &i, &tag, &value);)
    login_cancel(a, (struct login *)(uintptr_t)value);
  map_free(&logins);
  map_free(&f->logins);
  map_free(&f->granted);
  free(f);
}

/* Pending grants will not be answered: those credentials have to be verified again. */
static void store_lost(struct auth *a) {
  struct map grants = a->grants;
  map_init(&a->grants);
  uint64_t serial, value;
  for (size_t i = 0; map_each(&grants, &i, &serial, &value);)
    login_failed(a, (struct login *)(uintptr_t)value, AUTH_TROUBLE);
  map_free(&grants);
}

void auth_process_lost(struct auth *a, enum role kind, uint32_t number) {
  if (kind == ROLE_SMTPD || kind == ROLE_POP3D) front_lost(a, number);
  if (kind == ROLE_STORE) store_lost(a);
  if (kind == ROLE_STORE) schedule_store_lost(a);
  if (kind == ROLE_COLLECTOR) schedule_collector_lost(a, number);
  if (kind == ROLE_CLI) admin_lost(a, number);
}

/* --- time --- */

uint64_t auth_tick(struct auth *a, uint64_t now_ms) {
  struct login *l;
  while ((l = login_first_due(a)) && l->delay.key <= now_ms) login_due(a, l, now_ms);
  uint64_t collect = schedule_tick(a, now_ms), login = l ? l->delay.key : 0;
  return login && (!collect || login < collect) ? login : collect;
}
