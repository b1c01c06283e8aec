/* SPDX-License-Identifier: ISC */
/* One login from its first octet to its answer: the exchange with the client, the decision, the
 * grant (login_credential.c verifies the credential). core.h has the states.
 *
 *  1. A login gets its last answer at most once, and is freed with it.
 *  2. A right credential is checked again before the grant if it had to wait.
 *  3. store has granted the session before the client is told that it is logged in. */
#include "src/auth/core.h"

#include "ipc/auth_store.h"
#include "lib/base/codec.h"

#include <stdlib.h>

enum { NONCE_OCTETS = 18 };

/* --- life --- */

static struct login *login_new(struct auth *a, const struct login *asks) {
  struct login *l = calloc(1, sizeof *l);
  struct auth_front *f = asks->front;
  struct slice peer = slice_of(asks->peer, asks->peer_n);
  if (!l) return NULL;
  *l = *asks;
  l->network = network_of(peer);
  l->uncounted = conf_in_networks(&a->conf->auth_trusted_networks, peer);
  buf_init(&l->last, SASL_MESSAGE_MAX);
  if (map_put_ptr(&f->logins, l->tag, l)) return l;
  free(l);
  return NULL;
}

static void leave_front(struct login *l) {
  if (l->front) map_remove(&l->front->logins, l->tag);
  l->front = NULL;
}

static void leave_address(struct auth *a, struct login *l) {
  if (l->place) --*l->place;
  l->place = NULL;
  if (!l->address) return;
  l->address->pending--;
  addresses_touch(&a->addresses, l->address);
  l->address = NULL;
}

/* Nobody waits for the answer, but the place counts until then. */
static void keep_without_client(struct auth *a, struct login *l, struct auth_front *of) {
  l->left = of->number;
  of->left++;
  a->left++;
  if (l->state == LOGIN_HELD) sasl_server_end(&l->sasl); /* it was decided, and reported */
}

static void login_free(struct auth *a, struct login *l) {
  if (l->left) {
    struct auth_front *of = auth_front(a, l->left);
    if (of) of->left--;
    a->left--;
  }
  leave_front(l);
  if (l->state == LOGIN_WAITING) queue_remove(&a->queue, l);
  if (l->state == LOGIN_GRANTING) map_remove(&a->grants, l->serial);
  heap_remove(&a->delayed, &l->delay);
  leave_address(a, l);
  sasl_server_end(&l->sasl);
  buf_wipe(&l->last);
  if (l->row) explicit_bzero(l->row, sizeof *l->row);
  free(l->row);
  explicit_bzero(l, sizeof *l);
  free(l);
}

/* --- answers --- */

static void send_to_front(struct auth *a, const struct login *l, uint16_t type,
                          const struct buf *payload) {
  if (l->front && !payload->failed)
    a->shell.send(a->shell.arg, l->front->kind, l->front->number, type, l->tag, buf_slice(payload));
}

static void count_failure(struct auth *a, enum auth_failure why) {
  uint64_t *const counters[AUTH_FAILURES] = {
    [AUTH_WRONG] = &a->count.wrong,
    [AUTH_MALFORMED] = &a->count.malformed,
    [AUTH_UNAVAILABLE] = &a->count.unavailable,
    [AUTH_TROUBLE] = &a->count.trouble,
    [AUTH_TOO_SOON] = &a->count.too_soon,
  };
  ++*counters[why];
}

static void login_refused(struct auth *a, struct login *l, enum auth_failure why, uint32_t wait_s) {
  struct buf b;
  buf_init(&b, 16);
  auth_fail_put(&b, &(struct auth_fail){ .why = (uint8_t)why, .wait_s = wait_s });
  send_to_front(a, l, auth_fail_type, &b);
  buf_free(&b);
  count_failure(a, why);
  if (!l->reported) auth_report(a, l, auth_failure_words(why));
  login_free(a, l);
}

void login_failed(struct auth *a, struct login *l, enum auth_failure why) {
  login_refused(a, l, why, 0);
}

static void login_challenge(struct auth *a, struct login *l, struct slice challenge) {
  struct buf b;
  buf_init(&b, AUTH_SASL_MAX + 16);
  auth_challenge_put(&b, &(struct auth_challenge){ .challenge = challenge });
  l->state = LOGIN_TALKING;
  send_to_front(a, l, auth_challenge_type, &b);
  buf_wipe(&b);
}

static void login_accept(struct auth *a, struct login *l) {
  struct auth_front *f = l->front;
  struct buf b;
  buf_init(&b, 512);
  /* without memory the grant is not repeated, and the client logs in again */
  if (f && f->kind == ROLE_SMTPD && f->granted.count < AUTH_GRANTED)
    map_put(&f->granted, l->tag, l->row->id);
  auth_ok_put(&b, &(struct auth_ok){ .name = account_name(l->row) });
  send_to_front(a, l, auth_ok_type, &b);
  buf_free(&b);
  a->count.logins++;
  login_free(a, l);
}

/* --- deciding --- */

/* The proof must still be valid: the account may have changed while the answer waited. */
static enum account_result still_true(struct auth *a, const struct login *l) {
  struct account now;
  enum account_result r = accounts_find(&a->accounts, account_name(l->row), &now);
  if (r == ACCOUNT_OK && (!now.enabled || now.stamp != l->row->stamp)) r = ACCOUNT_NONE;
  explicit_bzero(&now, sizeof now);
  return r;
}

/* Tells store the session's identity before the session learns of its success: which maildrop a
 * pop3d session may open, as whom an smtpd session may send. */
static void login_grant(struct auth *a, struct login *l, uint64_t now_ms) {
  uint8_t service = l->front->kind == ROLE_POP3D ? GRANT_MAILDROP : GRANT_SUBMISSION;
  struct buf b;
  buf_init(&b, 32);
  auth_grant_put(&b, &(struct auth_grant){ l->front->number, l->tag, l->row->id, service });
  l->serial = ++a->serial;
  if (b.failed || !map_put_ptr(&a->grants, l->serial, l) ||
      !heap_put(&a->delayed, &l->delay, now_ms + AUTH_GRANT_MS)) {
    map_remove(&a->grants, l->serial);
    login_failed(a, l, AUTH_TROUBLE);
  } else {
    l->state = LOGIN_GRANTING;
    a->shell.send(a->shell.arg, ROLE_STORE, 0, auth_grant_type, l->serial, buf_slice(&b));
  }
  buf_free(&b);
}

/* Revoke the grant: the client was refused or has gone, but store may already have accepted it. */
void login_revoke(struct auth *a, uint32_t front, uint64_t session) {
  struct buf b;
  buf_init(&b, 16);
  auth_revoke_put(&b, &(struct auth_revoke){ front, session });
  if (!b.failed) a->shell.send(a->shell.arg, ROLE_STORE, 0, auth_revoke_type, 0, buf_slice(&b));
  buf_free(&b);
}

/* The answers are not awaited. */
void login_repeat_grants(struct auth *a) {
  uint64_t tag, account;
  for (const struct auth_front *f = a->fronts; f; f = f->next)
    for (size_t i = 0; map_each(&f->granted, &i, &tag, &account);) {
      struct buf b;
      buf_init(&b, 32);
      auth_grant_put(&b, &(struct auth_grant){ f->number, tag, account, GRANT_SUBMISSION });
      if (!b.failed)
        a->shell.send(a->shell.arg, ROLE_STORE, 0, auth_grant_type, ++a->serial, buf_slice(&b));
      buf_free(&b);
    }
}

void login_over(struct auth *a, uint32_t front, uint64_t session) {
  struct auth_front *f = auth_front(a, front);
  if (f) map_remove(&f->granted, session);
}

void login_granted(struct auth *a, struct login *l, bool known, uint32_t wait_s) {
  if (!known && a->shell.warn)
    a->shell.warn(a->shell.arg, "store has no mailbox for this account", account_name(l->row));
  if (known && wait_s)
    login_refused(a, l, AUTH_TOO_SOON, wait_s);
  else if (known)
    login_accept(a, l);
  else
    login_failed(a, l, AUTH_TROUBLE);
}

static void login_release(struct auth *a, struct login *l, bool look_again, uint64_t now_ms) {
  if (!l->front) {
    login_free(a, l);
    return;
  }
  if (!l->right && l->proof == PROOF_TOKEN && buf_len(&l->last)) {
    leave_address(a, l); /* its error message first; the client's response to that gets the
                          * refusal */
    login_challenge(a, l, buf_slice(&l->last));
    buf_wipe(&l->last);
    return;
  }
  if (!l->right) {
    login_failed(a, l, AUTH_WRONG);
    return;
  }
  enum account_result r = look_again ? still_true(a, l) : ACCOUNT_OK;
  if (r != ACCOUNT_OK) {
    login_failed(a, l, r == ACCOUNT_NONE ? AUTH_WRONG : AUTH_TROUBLE);
  } else if (buf_len(&l->last)) {
    leave_address(a, l);
    login_challenge(a, l, buf_slice(&l->last));
    buf_wipe(&l->last);
  } else {
    login_grant(a, l, now_ms);
  }
}

/* The delay of the answer, by addresses.h; records the result there. */
static uint64_t wait_of(struct auth *a, struct login *l, bool at_once, uint64_t now_ms) {
  uint64_t most = a->conf->auth_penalty_most;
  struct slice key = l->proof == PROOF_PASSWORD ? slice_of(l->key, CACHE_KEY) : SLICE_NONE;
  if (l->right) visits_put(&a->visits, l->row->id, l->network, now_ms);
  if (l->uncounted) return 0;
  if (l->right) {
    uint64_t wait = address_succeeded(l->address, most, now_ms);
    return at_once ? 0 : wait;
  }
  if (l->mismatch) return address_refused(l->address, most, now_ms);
  addresses_note_failing(&a->addresses, l->address, now_ms);
  return address_failed(l->address, key, most, now_ms);
}

void login_decide(struct auth *a, struct login *l, bool right, bool at_once, uint64_t now_ms) {
  bool waited = l->state != LOGIN_TALKING;
  l->right = right && l->known && !l->mismatch;
  uint64_t due = l->asked_ms + wait_of(a, l, at_once, now_ms);
  /* now: the client may be gone when the answer is sent */
  if (!l->right) auth_report(a, l, auth_wrong_words(l));
  l->reported = !l->right;
  buf_wipe(&l->sasl.password);
  l->state = LOGIN_HELD;
  if (due <= now_ms)
    login_release(a, l, waited, now_ms);
  else if (!heap_put(&a->delayed, &l->delay, due))
    login_failed(a, l, AUTH_TROUBLE);
}

struct login *login_first_due(const struct auth *a) {
  struct heap_node *n = heap_first(&a->delayed);
  return n ? HEAP_OWNER(n, struct login, delay) : NULL;
}

void login_due(struct auth *a, struct login *l, uint64_t now_ms) {
  heap_remove(&a->delayed, &l->delay);
  if (l->state != LOGIN_GRANTING) {
    login_release(a, l, true, now_ms);
    return;
  }
  login_revoke(a, l->front->number, l->tag);
  login_failed(a, l, AUTH_TROUBLE);
}

bool login_decided(struct auth *a, struct login *l, uint64_t now_ms) {
  if (l->proof != PROOF_PASSWORD) return false;
  if (l->known && cache_find(&a->cache, l->key, now_ms)) {
    a->count.cache_hits++;
    login_decide(a, l, true, true, now_ms);
    return true;
  }
  if (!address_knows_wrong(l->address, slice_of(l->key, CACHE_KEY), now_ms)) return false;
  a->count.repeats++;
  login_decide(a, l, false, false, now_ms);
  return true;
}

/* --- the exchange --- */

/* SCRAM's last empty response: the proof was right. The account may have been disabled since. */
static void finish_exchange(struct auth *a, struct login *l, uint64_t now_ms) {
  enum account_result r = still_true(a, l);
  if (r == ACCOUNT_OK)
    login_grant(a, l, now_ms);
  else
    login_failed(a, l, r == ACCOUNT_NONE ? AUTH_WRONG : AUTH_TROUBLE);
}

static void advance(struct auth *a, struct login *l, enum sasl_verdict v, struct buf *out,
                    uint64_t now_ms) {
  if (v == SASL_SALT) {
    login_qualify(a, &l->sasl.name);
    struct scram_verifier how;
    if (!login_scram_salt(a, l, &how)) {
      login_failed(a, l, AUTH_TROUBLE);
      return;
    }
    v = sasl_server_salt(&l->sasl, slice_of(how.salt, SCRAM_SALT), how.iterations, out);
    explicit_bzero(&how, sizeof how);
  }
  switch (v) {
  case SASL_CHALLENGE: login_challenge(a, l, buf_slice(out)); break;
  case SASL_PASSWORD:
    l->proof = PROOF_PASSWORD;
    login_credential(a, l, now_ms);
    break;
  case SASL_SECRET:
    l->proof = l->sasl.mech->server_last ? PROOF_SCRAM : PROOF_CRAM;
    login_credential(a, l, now_ms);
    break;
  case SASL_TOKEN:
    l->proof = PROOF_TOKEN;
    if (a->verifier)
      login_credential(a, l, now_ms);
    else
      login_failed(a, l, AUTH_UNAVAILABLE);
    break;
  case SASL_OK: finish_exchange(a, l, now_ms); break;
  case SASL_WRONG: login_failed(a, l, AUTH_WRONG); break;
  case SASL_CERTIFICATE:
    l->proof = PROOF_CERTIFICATE;
    login_credential(a, l, now_ms);
    break;
  case SASL_SALT:
  case SASL_MALFORMED: login_failed(a, l, AUTH_MALFORMED); break;
  }
}

static void step(struct auth *a, struct login *l, bool has, struct slice response,
                 uint64_t now_ms) {
  struct buf out;
  buf_init(&out, AUTH_SASL_MAX);
  enum sasl_verdict v = sasl_server_step(&l->sasl, has, response, &out);
  advance(a, l, out.failed ? SASL_MALFORMED : v, &out, now_ms);
  buf_wipe(&out);
}

static void begin(struct auth *a, struct login *l, const struct sasl_mechanism *mech) {
  uint8_t octets[NONCE_OCTETS];
  struct buf nonce;
  buf_init(&nonce, SASL_NONCE_MAX);
  a->shell.random(a->shell.arg, octets, sizeof octets);
  base64_put(&nonce, slice_of(octets, sizeof octets));
  sasl_server_start(&l->sasl, mech, buf_slice(&nonce), slice_str(a->conf->hostname),
                    a->shell.wall ? a->shell.wall(a->shell.arg) : 0);
  buf_free(&nonce);
}

/* The requesting client, before anything is examined. */
static struct login asking(const struct auth_front *f, uint64_t tag, struct slice peer,
                           const char *service, const char *mechanism) {
  struct login l = { .front = (struct auth_front *)f,
                     .tag = tag,
                     .kind = f->kind,
                     .front_number = f->number,
                     .service = service,
                     .mechanism = mechanism };
  l.peer_n = (uint8_t)(peer.n <= sizeof l.peer ? peer.n : sizeof l.peer);
  memcpy(l.peer, peer.p, l.peer_n);
  return l;
}

/* The login's struct, or NULL after answering that it is not possible now. */
static struct login *admit(struct auth *a, const struct login *asks) {
  bool room = asks->front->logins.count <= a->conf->connections_per_process;
  struct login *l = room ? login_new(a, asks) : NULL;
  if (l) return l;
  struct buf b;
  buf_init(&b, 16);
  auth_fail_put(&b, &(struct auth_fail){ .why = AUTH_TROUBLE });
  send_to_front(a, asks, auth_fail_type, &b);
  buf_free(&b);
  count_failure(a, AUTH_TROUBLE);
  auth_report(a, asks, auth_failure_words(AUTH_TROUBLE));
  return NULL;
}

static bool may_show_password(const struct auth *a, bool secure, struct slice peer) {
  return secure || a->conf->plaintext_auth || conf_in_networks(&a->conf->plaintext_networks, peer);
}

/* The option require_tls_login: no login of any kind in the clear, except from the exempt
 * networks. */
static bool may_log_in(const struct auth *a, bool secure, struct slice peer) {
  return !a->conf->require_tls_login || may_show_password(a, secure, peer);
}

bool login_start(struct auth *a, struct auth_front *f, uint64_t tag, struct slice payload,
                 uint64_t now_ms) {
  struct auth_start m;
  if (!auth_start_get(payload, &m) || !network_of(m.peer) || map_ptr(&f->logins, tag)) return false;
  const char *service = auth_service(f->kind, m.service);
  const struct sasl_mechanism *mech = sasl_find(m.mechanism);
  struct login asks = asking(f, tag, m.peer, service, mech ? mech->name : NULL),
               *l = service ? admit(a, &asks) : NULL;
  if (!l) return service;
  const struct sasl_channel ch = {
    .may_show = may_show_password(a, m.secure, m.peer),
    .binds = m.secure && m.exporter.n,
    .tokens = m.secure && a->verifier,
    .certificate =
        m.secure && a->conf->client_certificates && m.certificate.n == ACCOUNT_FINGERPRINT,
  };
  const struct conf_list *named = &a->conf->auth_mechanisms;
  sasl_set announced = sasl_announced(sasl_set_of(named->items, named->count), ch);
  if (!mech || !sasl_has(announced, mech) || !may_log_in(a, m.secure, m.peer)) {
    login_failed(a, l, AUTH_UNAVAILABLE);
    return true;
  }
  begin(a, l, mech);
  if (ch.certificate) memcpy(l->certificate, m.certificate.p, ACCOUNT_FINGERPRINT);
  sasl_server_bind(&l->sasl, m.exporter, m.end_point, sasl_has_binding(announced));
  step(a, l, m.has_response, m.response, now_ms);
  return true;
}

bool login_step(struct auth *a, struct auth_front *f, uint64_t tag, struct slice payload,
                uint64_t now_ms) {
  struct auth_step m;
  struct login *l = map_ptr(&f->logins, tag);
  if (!auth_step_get(payload, &m) || (l && l->state != LOGIN_TALKING)) return false;
  if (l) step(a, l, true, m.response, now_ms);
  return true;
}

bool login_password(struct auth *a, struct auth_front *f, uint64_t tag, struct slice payload,
                    uint64_t now_ms) {
  struct auth_login m;
  if (!auth_login_get(payload, &m) || !network_of(m.peer) || map_ptr(&f->logins, tag)) return false;
  const char *service = auth_service(f->kind, m.service);
  struct login asks = asking(f, tag, m.peer, service, "USER"),
               *l = service ? admit(a, &asks) : NULL;
  if (!l) return service;
  begin(a, l, sasl_find(SLICE("PLAIN")));
  buf_put(&l->sasl.name, m.name);
  if (!may_show_password(a, m.secure, m.peer)) {
    login_failed(a, l, AUTH_UNAVAILABLE);
    return true;
  }
  buf_put(&l->sasl.password, m.password);
  l->proof = PROOF_PASSWORD;
  if (l->sasl.name.failed || l->sasl.password.failed)
    login_failed(a, l, AUTH_TROUBLE);
  else
    login_credential(a, l, now_ms);
  return true;
}

bool login_apop(struct auth *a, struct auth_front *f, uint64_t tag, struct slice payload,
                uint64_t now_ms) {
  struct auth_apop m;
  if (!auth_apop_get(payload, &m) || !network_of(m.peer) || m.digest.n != DIGEST_MD5_SIZE ||
      map_ptr(&f->logins, tag))
    return false;
  const char *service = auth_service(f->kind, m.service);
  struct login asks = asking(f, tag, m.peer, service, "APOP"),
               *l = service ? admit(a, &asks) : NULL;
  if (!l) return service;
  begin(a, l, sasl_find(SLICE("CRAM-MD5")));
  buf_put(&l->sasl.name, m.name);
  if (!may_log_in(a, m.secure, m.peer)) {
    login_failed(a, l, AUTH_UNAVAILABLE);
    return true;
  }
  buf_reset(&l->sasl.challenge);
  buf_put(&l->sasl.challenge, m.timestamp);
  buf_put(&l->sasl.proof, m.digest);
  l->proof = PROOF_APOP;
  if (l->sasl.challenge.failed || l->sasl.name.failed || l->sasl.proof.failed)
    login_failed(a, l, AUTH_TROUBLE);
  else
    login_credential(a, l, now_ms);
  return true;
}

/* The client is gone. A login that was hashed or held keeps its place until its time (addresses.h,
 * rule 6). */
void login_cancel(struct auth *a, struct login *l) {
  struct auth_front *f = l->front;
  if (l->state == LOGIN_GRANTING) login_revoke(a, f->number, l->tag);
  leave_front(l);
  bool held = l->state == LOGIN_HELD && f->left < AUTH_LEFT_PER_FRONT && a->left < AUTH_LEFT;
  if (held || l->state == LOGIN_HASHING)
    keep_without_client(a, l, f);
  else
    login_free(a, l);
}
