/* SPDX-License-Identifier: ISC */
/* CRAM-MD5 (RFC 2195 §2): the client proves the secret by keying an MD5 over our challenge. */
#include "lib/base/codec.h"
#include "mail/sasl/mechanisms.h"

enum { CRAM_START, CRAM_CHALLENGED, CRAM_DONE };
enum { CRAM_HEX = 2 * DIGEST_MD5_SIZE };

/* "an presumptively arbitrary string of random digits, a timestamp, and the … host name", as a
 * msg-id. */
void cram_start(struct sasl_server *s, struct slice host, int64_t wall_s) {
  buf_put_u8(&s->challenge, '<');
  buf_put(&s->challenge, buf_slice(&s->nonce));
  buf_put_u8(&s->challenge, '.');
  buf_put_dec(&s->challenge, wall_s > 0 ? (uint64_t)wall_s : 0);
  buf_put_u8(&s->challenge, '@');
  buf_put(&s->challenge, host.n ? slice_first(host, 255) : SLICE("localhost"));
  buf_put_u8(&s->challenge, '>');
}

static bool cram_digest(struct slice secret, struct slice challenge, struct buf *hex) {
  uint8_t digest[DIGEST_MAX];
  if (!digest_hmac(DIGEST_MD5, secret, challenge, digest)) return false;
  hex_put(hex, slice_of(digest, DIGEST_MD5_SIZE));
  return !hex->failed;
}

static bool is_lower_hex(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_digit(s.p[i]) && (s.p[i] < 'a' || s.p[i] > 'f')) return false;
  return true;
}

/* The response: name SP 32 lower-case hex digits. The name may contain spaces, so the last one
 * separates them. */
enum sasl_verdict cram_server(struct sasl_server *s, bool has, struct slice response,
                              struct buf *out) {
  if (s->at == CRAM_START) {
    s->at = CRAM_CHALLENGED;
    if (has || s->challenge.failed || s->nonce.failed)
      return SASL_MALFORMED; /* RFC 4954 §4: an initial response is an error here */
    buf_put(out, buf_slice(&s->challenge));
    return SASL_CHALLENGE;
  }
  if (!has || s->at != CRAM_CHALLENGED) return SASL_MALFORMED;
  s->at = CRAM_DONE;
  ptrdiff_t space = slice_rfind(response, ' ');
  if (space <= 0) return SASL_MALFORMED;
  struct slice name = slice_first(response, (size_t)space),
               digest = slice_from(response, (size_t)space + 1);
  if (digest.n != CRAM_HEX || !is_lower_hex(digest) || !sasl_safe_utf8(name)) return SASL_MALFORMED;
  buf_put(&s->name, name);
  buf_put(&s->proof, digest);
  return s->name.failed || s->proof.failed ? SASL_MALFORMED : SASL_SECRET;
}

enum sasl_verdict cram_secret(struct sasl_server *s, const struct sasl_secret *secret) {
  struct buf hex;
  buf_init(&hex, CRAM_HEX);
  bool right = cram_digest(secret->secret, buf_slice(&s->challenge), &hex) &&
               slice_secret_eq(buf_slice(&hex), buf_slice(&s->proof));
  buf_wipe(&hex);
  return right && secret->known ? SASL_OK : SASL_WRONG;
}

enum sasl_advice cram_client(struct sasl_client *c, bool has, struct slice challenge,
                             struct buf *out) {
  if (!has || c->at != CRAM_START || !challenge.n || !c->name.n) return SASL_GIVE_UP;
  c->at = CRAM_DONE;
  buf_put(out, c->name);
  buf_put_u8(out, ' ');
  return cram_digest(c->password, challenge, out) ? SASL_SEND : SASL_GIVE_UP;
}
