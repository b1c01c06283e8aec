/* SPDX-License-Identifier: ISC */
/* Both sides of each mechanism. The first octet picks the mechanism and the side; each following
 * message has its length in front. What the server asks for is answered. */
#include "mail/sasl/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void serve(const struct sasl_mechanism *mech, struct slice in, struct buf *out) {
  struct sasl_server s;
  struct scram_keys keys = { { 1 }, { 2 } };
  struct sasl_secret secret = { .known = true, .secret = SLICE("pencil"), .keys = &keys };
  sasl_server_start(&s, mech, SLICE("NONCE"), SLICE("mx.example.org"), 1);
  sasl_server_bind(&s, SLICE("exporter"), SLICE("end-point"), in.n & 1);
  enum sasl_verdict v = SASL_CHALLENGE;
  while (v == SASL_CHALLENGE && in.n) {
    size_t n = in.p[0];
    buf_reset(out);
    v = sasl_server_step(&s, true, slice_first(slice_from(in, 1), n), out);
    if (v == SASL_SALT) v = sasl_server_salt(&s, SLICE("salt"), 4096, out);
    if (v == SASL_SECRET) v = sasl_server_secret(&s, &secret, out);
    if (v == SASL_TOKEN) v = sasl_server_token(&s, false, out);
    in = slice_from(in, n + 1);
  }
  sasl_server_end(&s);
}

static void speak(const struct sasl_mechanism *mech, struct slice in, struct buf *out) {
  struct sasl_client c;
  sasl_client_start(&c, mech, SLICE("user"), SLICE("pencil"), SLICE_NONE, SLICE("NONCE"));
  if (mech->binds || (in.n & 1)) sasl_client_bind(&c, "tls-exporter", SLICE("exporter"));
  enum sasl_advice a = sasl_client_step(&c, !mech->client_first, SLICE_NONE, out);
  while (a == SASL_SEND && in.n) {
    size_t n = in.p[0];
    buf_reset(out);
    a = sasl_client_step(&c, true, slice_first(slice_from(in, 1), n), out);
    in = slice_from(in, n + 1);
  }
  sasl_client_end(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = slice_of(data, size);
  size_t count = 0;
  if (!size) return 0;
  while (sasl_mechanisms[count].name) count++;
  struct buf out;
  buf_init(&out, 2 * SASL_MESSAGE_MAX);
  (data[0] & 0x80 ? speak : serve)(&sasl_mechanisms[(data[0] & 0x7f) % count], slice_from(in, 1),
                                   &out);
  buf_free(&out);
  return 0;
}
