/* SPDX-License-Identifier: ISC */
/* SCRAM (RFC 5802; with SHA-256: RFC 7677), with and without channel binding (§6). With -PLUS the
 * client sends "p=" and the type of binding, tls-exporter (RFC 9266) or tls-server-end-point (RFC
 * 5929 §4), and its last message repeats the octets; without, it sends "n", or "y" if it would have
 * bound had it been offered.
 *
 * Server: START (→ ASKED) → SALTING → CHALLENGED → PROVING → SIGNED → (OK). Client: START → FIRST →
 * FINAL → (proven). `text` grows into AuthMessage (§3): client-first-bare "," server-first ","
 * client-final-without-proof. */
#include "lib/base/codec.h"
#include "lib/base/num.h"
#include "mail/sasl/mechanisms.h"
#include "lib/unicode/prepare.h"

enum {
  SERVER_START,
  SERVER_ASKED,
  SERVER_SALTING,
  SERVER_CHALLENGED,
  SERVER_PROVING,
  SERVER_SIGNED,
  SERVER_DONE,
};
enum { CLIENT_START, CLIENT_FIRST, CLIENT_FINAL, CLIENT_DONE };
enum {
  CLIENT_NONCE_MAX = 256,
  /* RFC 7677 §4; a server that asks for less weakens the password's protection */
  ITERATIONS_LEAST = 4096,
  ITERATIONS_MOST =
      200000, /* the work that a server may demand of our client: a tenth of a second */
};

/* --- shared --- */

/* printable = %x21-2B / %x2D-7E */
static bool is_nonce(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_graph(s.p[i]) || s.p[i] == ',') return false;
  return s.n > 0;
}

/* The next attribute of a message, which must be `name`; false otherwise. */
static bool attribute(struct slice *rest, uint8_t name, struct slice *ret) {
  if (!rest->p) return false;
  struct slice a = slice_split(rest, ',');
  if (slice_at(a, 0) != name || slice_at(a, 1) != '=') return false;
  *ret = slice_from(a, 2);
  return ret->n > 0;
}

/* extensions = attr-val *("," attr-val), all optional and ignored; "m" must fail (§5.1). */
static bool extensions_ok(struct slice rest) {
  while (rest.p) {
    struct slice a = slice_split(&rest, ',');
    if (a.n < 3 || !ascii_is_alpha(a.p[0]) || a.p[0] == 'm' || a.p[1] != '=' || !sasl_safe_utf8(a))
      return false;
  }
  return true;
}

static bool base64_is(struct slice text, struct slice octets) {
  struct buf b;
  buf_init(&b, 2 * SASL_MESSAGE_MAX);
  base64_put(&b, octets);
  bool same = !b.failed && slice_eq(text, buf_slice(&b));
  buf_wipe(&b);
  return same;
}

static bool base64_exactly(struct slice text, struct buf *out, size_t n) {
  return base64_decode(out, text) && buf_len(out) == n;
}

/* §3: SaltedPassword := Hi(Normalize(password), salt, i); ClientKey := HMAC(SaltedPassword, "Client
 * Key"); … */
static bool derive(enum digest_kind kind, struct slice password, struct slice salt,
                   uint32_t iterations, uint8_t *client_key, struct scram_keys *keys) {
  uint8_t salted[DIGEST_MAX];
  size_t n = digest_size(kind);
  struct buf prepared;
  buf_init(&prepared, PREPARE_MAX);
  bool ok = prepare_sasl(password, &prepared) &&
            digest_pbkdf2(kind, buf_slice(&prepared), salt, iterations, salted) &&
            digest_hmac(kind, slice_of(salted, n), SLICE("Client Key"), client_key) &&
            digest_of(kind, slice_of(client_key, n), keys->stored) &&
            digest_hmac(kind, slice_of(salted, n), SLICE("Server Key"), keys->server);
  explicit_bzero(salted, sizeof salted);
  buf_wipe(&prepared);
  return ok;
}

bool scram_keys_derive(enum digest_kind kind, struct slice password, struct slice salt,
                       uint32_t iterations, struct scram_keys *ret) {
  uint8_t client_key[DIGEST_MAX];
  bool ok = derive(kind, password, salt, iterations, client_key, ret);
  explicit_bzero(client_key, sizeof client_key);
  return ok;
}

/* --- the server --- */

/* gs2-cbind-flag = ("p=" cb-name) / "n" / "y". *ret: what the client must bind to. */
static bool flag_ok(const struct sasl_server *s, struct slice flag, struct slice *ret) {
  *ret = SLICE_NONE;
  if (!s->mech->binds) return slice_eq(flag, SLICE("n")) || slice_eq(flag, SLICE("y"));
  if (slice_eq(flag, SLICE("p=tls-exporter"))) *ret = buf_slice(&s->exporter);
  if (slice_eq(flag, SLICE("p=tls-server-end-point"))) *ret = buf_slice(&s->end_point);
  return ret->n > 0;
}

/* gs2-header = gs2-cbind-flag "," [ authzid ] ",". Leaves client-first-message-bare in *rest. */
static bool gs2_get(struct sasl_server *s, struct slice *rest) {
  struct slice whole = *rest, flag = slice_split(rest, ','), authzid, binding;
  if (!flag_ok(s, flag, &binding) || !rest->p) return false;
  authzid = slice_split(rest, ',');
  if (!rest->p) return false;
  if (authzid.n &&
      (!slice_starts(authzid, SLICE("a=")) || !sasl_name_get(slice_from(authzid, 2), &s->authzid)))
    return false;
  buf_put(&s->gs2, slice_first(whole, whole.n - rest->n));
  buf_put(&s->gs2, binding);
  return !s->gs2.failed;
}

/* client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions] */
static enum sasl_verdict server_first(struct sasl_server *s, struct slice message) {
  struct slice rest = message, name, nonce;
  if (!gs2_get(s, &rest)) return SASL_MALFORMED;
  struct slice bare = rest;
  if (!attribute(&rest, 'n', &name) || !attribute(&rest, 'r', &nonce) || !extensions_ok(rest))
    return SASL_MALFORMED;
  if (!sasl_name_get(name, &s->name) || !is_nonce(nonce) || nonce.n > CLIENT_NONCE_MAX)
    return SASL_MALFORMED;
  buf_put(&s->challenge, nonce);
  buf_put(&s->challenge, buf_slice(&s->nonce));
  buf_put(&s->text, bare);
  /* §6: "If the flag is set to "y" and the server supports channel binding, the server MUST fail".
   */
  if (s->bound_announced && slice_at(message, 0) == 'y') return SASL_WRONG;
  s->at = SERVER_SALTING;
  return s->challenge.failed || s->text.failed || s->nonce.failed ? SASL_MALFORMED : SASL_SALT;
}

enum sasl_verdict scram_salt(struct sasl_server *s, struct slice salt, uint32_t iterations,
                             struct buf *out) {
  if (s->at != SERVER_SALTING) return SASL_WRONG;
  size_t before = buf_len(out);
  buf_put_str(out, "r=");
  buf_put(out, buf_slice(&s->challenge));
  buf_put_str(out, ",s=");
  base64_put(out, salt);
  buf_put_str(out, ",i=");
  buf_put_dec(out, iterations);
  buf_put_u8(&s->text, ',');
  buf_put(&s->text, slice_from(buf_slice(out), before));
  s->at = SERVER_CHALLENGED;
  return out->failed || s->text.failed ? SASL_WRONG : SASL_CHALLENGE;
}

/* client-final-message = channel-binding "," nonce ["," extensions] "," proof. "c" is the gs2
 * header again followed by the binding (§6: "The server MUST always validate the client's "c="
 * field"), "r" the whole nonce. */
static enum sasl_verdict server_final(struct sasl_server *s, struct slice message) {
  ptrdiff_t comma = slice_rfind(message, ',');
  if (comma < 0) return SASL_MALFORMED;
  struct slice without = slice_first(message, (size_t)comma), rest = without, binding, nonce, proof;
  struct slice last = slice_from(message, (size_t)comma + 1);
  if (!attribute(&rest, 'c', &binding) || !attribute(&rest, 'r', &nonce) || !extensions_ok(rest))
    return SASL_MALFORMED;
  if (!attribute(&last, 'p', &proof) ||
      !base64_exactly(proof, &s->proof, digest_size(s->mech->digest)))
    return SASL_MALFORMED;
  if (!base64_is(binding, buf_slice(&s->gs2)) || !slice_eq(nonce, buf_slice(&s->challenge)))
    return SASL_WRONG;
  buf_put_u8(&s->text, ',');
  buf_put(&s->text, without);
  s->at = SERVER_PROVING;
  return s->text.failed ? SASL_MALFORMED : SASL_SECRET;
}

/* §3: ClientKey := ClientProof XOR HMAC(StoredKey, AuthMessage); right when H(ClientKey) =
 * StoredKey. */
static bool proof_right(struct sasl_server *s, const struct scram_keys *keys) {
  enum digest_kind kind = s->mech->digest;
  size_t n = digest_size(kind);
  struct slice proof = buf_slice(&s->proof);
  uint8_t client_key[DIGEST_MAX], stored[DIGEST_MAX];
  if (!digest_hmac(kind, slice_of(keys->stored, n), buf_slice(&s->text), client_key)) return false;
  for (size_t i = 0; i < n; i++) client_key[i] ^= proof.p[i];
  bool ok = digest_of(kind, slice_of(client_key, n), stored) &&
            slice_secret_eq(slice_of(stored, n), slice_of(keys->stored, n));
  explicit_bzero(client_key, sizeof client_key);
  return ok;
}

enum sasl_verdict scram_secret(struct sasl_server *s, const struct sasl_secret *secret,
                               struct buf *out) {
  if (s->at != SERVER_PROVING || !secret->keys) return SASL_WRONG;
  s->at = SERVER_DONE;
  uint8_t signature[DIGEST_MAX];
  bool right = proof_right(s, secret->keys);
  if (!right || !secret->known) return SASL_WRONG;
  struct slice key = slice_of(secret->keys->server, digest_size(s->mech->digest));
  if (!digest_hmac(s->mech->digest, key, buf_slice(&s->text), signature)) return SASL_WRONG;
  buf_put_str(out, "v=");
  base64_put(out, slice_of(signature, key.n));
  s->at = SERVER_SIGNED;
  return out->failed ? SASL_WRONG : SASL_CHALLENGE;
}

/* RFC 4954 §4 and RFC 5034 §4: the server's last data is sent as a challenge, which the client
 * answers with an empty response. */
enum sasl_verdict scram_server(struct sasl_server *s, bool has, struct slice response,
                               struct buf *out) {
  if (s->at == SERVER_START && !has) {
    s->at = SERVER_ASKED;
    return SASL_CHALLENGE; /* an empty one */
  }
  if (!has) return SASL_MALFORMED;
  if (s->at == SERVER_START || s->at == SERVER_ASKED) return server_first(s, response);
  if (s->at == SERVER_CHALLENGED) return server_final(s, response);
  if (s->at != SERVER_SIGNED || response.n) return SASL_MALFORMED;
  s->at = SERVER_DONE;
  return SASL_OK;
}

/* --- the client --- */

static void put_gs2(struct sasl_client *c, struct buf *out) {
  if (c->mech->binds)
    buf_printf(out, "p=%s,", c->binding_type);
  else
    buf_put_str(out, c->binding_type ? "y," : "n,");
  if (c->authzid.n) {
    buf_put_str(out, "a=");
    sasl_name_put(out, c->authzid);
  }
  buf_put_u8(out, ',');
}

static bool can_prepare(struct slice s) {
  struct buf prepared;
  buf_init(&prepared, PREPARE_MAX);
  bool ok = prepare_sasl(s, &prepared);
  buf_wipe(&prepared);
  return ok;
}

/* §5.1: "Before sending the username to the server, the client SHOULD prepare the username". */
static bool put_username(struct buf *out, struct slice name) {
  struct buf prepared;
  buf_init(&prepared, PREPARE_MAX);
  bool ok = prepare_sasl(name, &prepared);
  buf_put_str(out, "n=");
  sasl_name_put(out, buf_slice(&prepared));
  buf_free(&prepared);
  return ok;
}

static enum sasl_advice client_first(struct sasl_client *c, struct buf *out) {
  if (!is_nonce(c->nonce) || !sasl_safe_utf8(c->authzid) || !can_prepare(c->password) ||
      (c->mech->binds && (!c->binding_type || !c->binding.n)))
    return SASL_GIVE_UP;
  if (!put_username(&c->text, c->name)) return SASL_GIVE_UP;
  buf_put_str(&c->text, ",r=");
  buf_put(&c->text, c->nonce);
  put_gs2(c, out);
  buf_put(out, buf_slice(&c->text));
  c->at = CLIENT_FIRST;
  return c->text.failed ? SASL_GIVE_UP : SASL_SEND;
}

struct server_first_message {
  struct slice nonce;
  struct buf salt;
  uint64_t iterations;
};

/* server-first-message = nonce "," salt "," iteration-count ["," extensions]. The nonce must begin
 * with ours and continue (§5.1): a server that only repeats ours adds no freshness of its own. */
static bool client_reads_first(struct sasl_client *c, struct slice message,
                               struct server_first_message *ret) {
  struct slice rest = message, salt, iterations;
  return attribute(&rest, 'r', &ret->nonce) && attribute(&rest, 's', &salt) &&
         attribute(&rest, 'i', &iterations) && extensions_ok(rest) && is_nonce(ret->nonce) &&
         slice_starts(ret->nonce, c->nonce) && ret->nonce.n > c->nonce.n &&
         slice_at(iterations, 0) != '0' &&
         num_parse(iterations, ITERATIONS_MOST, &ret->iterations) &&
         ret->iterations >= ITERATIONS_LEAST && base64_decode(&ret->salt, salt) &&
         buf_len(&ret->salt) > 0;
}

/* §3: ClientProof := ClientKey XOR HMAC(StoredKey, AuthMessage); ServerSignature := HMAC(ServerKey,
 * AuthMessage). */
static bool client_prove(struct sasl_client *c, const struct server_first_message *first,
                         uint8_t *proof) {
  enum digest_kind kind = c->mech->digest;
  size_t n = digest_size(kind);
  struct scram_keys keys;
  uint8_t key[DIGEST_MAX];
  bool ok =
      derive(kind, c->password, buf_slice(&first->salt), (uint32_t)first->iterations, key, &keys) &&
      digest_hmac(kind, slice_of(keys.stored, n), buf_slice(&c->text), proof) &&
      digest_hmac(kind, slice_of(keys.server, n), buf_slice(&c->text), c->expected);
  for (size_t i = 0; ok && i < n; i++) proof[i] ^= key[i];
  explicit_bzero(key, sizeof key);
  explicit_bzero(&keys, sizeof keys);
  return ok;
}

static enum sasl_advice client_final(struct sasl_client *c, struct slice message, struct buf *out) {
  struct server_first_message first = { 0 };
  struct buf gs2;
  uint8_t proof[DIGEST_MAX];
  buf_init(&first.salt, 1024);
  buf_init(&gs2, SASL_GS2_MAX);
  size_t before = buf_len(out);
  bool ok = client_reads_first(c, message, &first);
  if (ok) {
    put_gs2(c, &gs2);
    if (c->mech->binds) buf_put(&gs2, c->binding);
    buf_put_str(out, "c=");
    base64_put(out, buf_slice(&gs2));
    buf_put_str(out, ",r=");
    buf_put(out, first.nonce);
    buf_put_u8(&c->text, ',');
    buf_put(&c->text, message);
    buf_put_u8(&c->text, ',');
    buf_put(&c->text, slice_from(buf_slice(out), before));
    ok = !gs2.failed && !out->failed && !c->text.failed && client_prove(c, &first, proof);
  }
  if (ok) {
    buf_put_str(out, ",p=");
    base64_put(out, slice_of(proof, digest_size(c->mech->digest)));
  }
  buf_free(&first.salt);
  buf_free(&gs2);
  c->at = CLIENT_FINAL;
  return ok ? SASL_SEND : SASL_GIVE_UP;
}

/* server-final-message = (server-error / verifier) ["," extensions] */
static bool client_reads_final(struct sasl_client *c, struct slice message) {
  struct slice rest = message, verifier;
  struct buf signature;
  size_t n = digest_size(c->mech->digest);
  buf_init(&signature, 2 * DIGEST_MAX);
  bool ok = attribute(&rest, 'v', &verifier) && extensions_ok(rest) &&
            base64_exactly(verifier, &signature, n) &&
            slice_secret_eq(buf_slice(&signature), slice_of(c->expected, n));
  buf_wipe(&signature);
  return ok;
}

enum sasl_advice scram_client(struct sasl_client *c, bool has, struct slice challenge,
                              struct buf *out) {
  if (c->at == CLIENT_START) return challenge.n ? SASL_GIVE_UP : client_first(c, out);
  if (!has) return SASL_GIVE_UP;
  if (c->at == CLIENT_FIRST) return client_final(c, challenge, out);
  if (c->at != CLIENT_FINAL || !client_reads_final(c, challenge)) return SASL_GIVE_UP;
  c->proven = true;
  c->at = CLIENT_DONE;
  return SASL_SEND; /* an empty response */
}
