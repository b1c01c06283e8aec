/* SPDX-License-Identifier: ISC */
/* A whole SMTP session over a store and an auth that behave as the first octets say. What is kept
 * has only CRLFs, nothing is left with a process when it ends, and cuts in the stream change no
 * reply. */
#define KIT_ABORTS
#include "tests/unit/smtp_kit.h"

static struct kit *start(const uint8_t *choice) {
  static const char *const services[] = { "smtp", "submission", "submissions", "smtp" };
  struct kit *k = kit_new(services[choice[0] & 3], choice[0] & 4);
  k->service.fix_bare_lf = choice[0] & 8;
  k->service.plaintext_auth = choice[0] & 16;
  k->service.message_size_limit = choice[0] & 32 ? 1024 : 1 << 20;
  k->store_lost = choice[0] & 64;
  k->auth_lost = choice[0] & 128;
  k->outcome = choice[1] & 3;
  k->spool_outcome = choice[1] >> 2 & 3;
  k->service.error_limit = k->service.unknown_limit = 100;
  kit_connect(k, (choice[0] & 3) == 2);
  k->p->trace = (struct proto_trace){ choice[1] & 16 ? kit_trace : NULL, k };
  return k;
}

static void play(struct kit *k, struct slice in, size_t step) {
  for (; in.n && !k->closed; in = slice_from(in, step)) kit_send(k, slice_first(in, step));
  if (!k->closed) smtpd_session_ops.tick(k->p);
}

static bool is_wire_form(struct slice s) {
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] == 0 || (s.p[i] == '\n' && slice_at(s, i - 1) != '\r')) return false;
    if (s.p[i] == '\r' && slice_at(s, i + 1) != '\n') return false;
  }
  return true;
}

static void check_end(struct kit *k) {
  if (!k->closed) smtpd_session_ops.gone(k->p, CLOSE_PEER_GONE);
  kit_run(k);
  if (!k->closed || (k->store_state && !k->store_lost) || (k->auth_state && !k->auth_lost)) abort();
  for (size_t i = 0; i < k->count; i++)
    if (!is_wire_form(buf_slice(&k->messages[i].body))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3) return 0;
  struct slice in = slice_of(data + 3, size - 3);
  struct kit *whole = start(data), *cut = start(data);
  play(whole, in, in.n + 1);
  play(cut, in, 1 + data[2] % 32);
  /* STARTTLS with octets behind it ends the one and not the other, as it should. */
  if (!(data[0] & 4) && !slice_eq(buf_slice(&whole->heard), buf_slice(&cut->heard))) abort();
  check_end(whole);
  check_end(cut);
  kit_free(whole);
  kit_free(cut);
  return 0;
}
