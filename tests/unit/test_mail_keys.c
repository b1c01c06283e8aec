/* SPDX-License-Identifier: ISC */
/* The keys that mail is signed with: their states, what is signed and what is not, files that are
 * damaged, disks that fail and die at every operation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "lib/base/codec.h"
#include "lib/tls/digest.h"
#include "src/keys/key_file.h"
#include "tests/world/disk_sim.h"

enum { NOW = 1795910400 }; /* 2026-11-29 */
#define DOMAIN SLICE("example.org")

struct seen {
  size_t count, states[MAIL_KEY_STATES];
  char names[16][DKIM_SELECTOR_MAX + 1];
  struct buf publics[2]; /* of the current ones */
};

static void see(void *arg, const struct mail_key_row *row) {
  struct seen *s = arg;
  assert_true(s->count < 16);
  snprintf(s->names[s->count++], sizeof s->names[0], "%s", row->selector);
  s->states[row->state]++;
  if (row->state != MAIL_KEY_CURRENT) return;
  buf_reset(&s->publics[row->algorithm]);
  buf_put(&s->publics[row->algorithm], row->public_key);
}

static struct seen look(struct mail_keys *m, struct slice domain) {
  struct seen s = { 0 };
  struct buf why;
  buf_init(&why, 512);
  for (int i = 0; i < 2; i++) buf_init(&s.publics[i], 1024);
  assert_int_equal(mail_keys_list(m, domain, see, &s, &why), CLI_OK);
  buf_free(&why);
  return s;
}

static void done(struct seen *s) { buf_free(&s->publics[0]), buf_free(&s->publics[1]); }

/* n, c, o: how many pairs are next, current, old. */
static void has(struct mail_keys *m, size_t n, size_t c, size_t o) {
  struct seen s = look(m, DOMAIN);
  assert_int_equal(s.states[MAIL_KEY_NEXT], 2 * n);
  assert_int_equal(s.states[MAIL_KEY_CURRENT], 2 * c);
  assert_int_equal(s.states[MAIL_KEY_OLD], 2 * o);
  for (size_t i = 0; i < s.count; i++)
    for (size_t k = 0; k < i; k++) assert_string_not_equal(s.names[i], s.names[k]);
  done(&s);
}

static enum cli_code make(struct mail_keys *m, struct slice domain) {
  struct buf why;
  buf_init(&why, 512);
  enum cli_code code = mail_keys_make(m, domain, NOW, 0xff, &why);
  assert_true((code == CLI_OK) == !buf_len(&why));
  buf_free(&why);
  return code;
}

static enum cli_code replace(struct mail_keys *m) {
  struct buf why;
  buf_init(&why, 512);
  enum cli_code code = mail_keys_switch(m, DOMAIN, NOW, &why);
  buf_free(&why);
  return code;
}

static enum cli_code retire(struct mail_keys *m, bool forced, int64_t now_s) {
  struct buf why;
  buf_init(&why, 512);
  enum cli_code code = mail_keys_retire(m, DOMAIN, forced, now_s, &why);
  buf_free(&why);
  return code;
}

static enum sign_outcome sign(struct mail_keys *m, struct slice domain, struct buf *fields) {
  static const uint8_t hash[DKIM_HASH] = { 1, 2, 3 };
  struct dkim_sign q = { domain, SLICE("from:from:to"), slice_of(hash, sizeof hash),
                         SLICE("from:a@example.org\r\n") };
  buf_reset(fields);
  return mail_keys_sign(m, &q, NOW, fields);
}

static EVP_PKEY *public_of(enum dkim_algorithm a, struct slice key) {
  const unsigned char *at = key.p;
  return a == DKIM_RSA ? d2i_PUBKEY(NULL, &at, (long)key.n)
                       : EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key.p, key.n);
}

/* RFC 6376 §3.3.1 asks for the exponent 65537, RFC 8301 §3.2 for 2048 bits. */
static void is_usual_rsa(EVP_PKEY *key) {
  BIGNUM *e = NULL;
  assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e), 1);
  assert_true(BN_is_word(e, 65537));
  assert_true(EVP_PKEY_get_bits(key) >= 2048);
  BN_free(e);
}

/* One field as a reader takes it: b= is emptied, the rest is hashed behind the input. */
static void holds(struct slice field, enum dkim_algorithm a, struct slice key) {
  struct buf input, own, text, signature;
  uint8_t hash[DKIM_HASH];
  buf_init(&input, 8192), buf_init(&own, 8192), buf_init(&text, 8192), buf_init(&signature, 1024);
  ptrdiff_t at = slice_search(field, SLICE("\tb="));
  assert_true(at > 0);
  for (size_t i = (size_t)at + 3; i < field.n; i++)
    if (field.p[i] > ' ') buf_put_u8(&text, field.p[i]);
  assert_true(base64_decode(&signature, buf_slice(&text)));
  buf_put_str(&input, "from:a@example.org\r\n");
  buf_put(&own, slice_first(field, (size_t)at + 3));
  assert_int_equal(dkim_input(buf_slice(&own), SLICE("dkim-signature"), &input), DKIM_FITS);
  buf_truncate(&input, buf_len(&input) - 2);
  assert_true(digest_of(DIGEST_SHA256, buf_slice(&input), hash));
  EVP_PKEY *pkey = public_of(a, key);
  if (a == DKIM_RSA) is_usual_rsa(pkey);
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, a == DKIM_RSA ? EVP_sha256() : NULL, NULL, pkey),
                   1);
  assert_int_equal(EVP_DigestVerify(ctx, buf_slice(&signature).p, buf_len(&signature),
                                    a == DKIM_RSA ? buf_slice(&input).p : hash,
                                    a == DKIM_RSA ? buf_len(&input) : sizeof hash),
                   1);
  EVP_MD_CTX_free(ctx);
  EVP_PKEY_free(pkey);
  buf_free(&input), buf_free(&own), buf_free(&text), buf_free(&signature);
}

/* Both signatures of a message verify with the keys that are listed as current. */
static void signs_well(struct mail_keys *m) {
  struct seen s = look(m, DOMAIN);
  struct buf fields;
  buf_init(&fields, SIGN_FIELDS_MAX);
  assert_int_equal(sign(m, DOMAIN, &fields), SIGN_DONE);
  struct slice all = buf_slice(&fields);
  ptrdiff_t second = slice_search(slice_from(all, 1), SLICE("DKIM-Signature: ")) + 1;
  assert_true(second > 1);
  holds(slice_first(all, (size_t)second), DKIM_RSA, buf_slice(&s.publics[DKIM_RSA]));
  holds(slice_from(all, (size_t)second), DKIM_ED25519, buf_slice(&s.publics[DKIM_ED25519]));
  buf_free(&fields);
  done(&s);
}

static struct disk_sim *sim;
static struct mail_keys *open_keys(void) {
  struct mail_keys *m = mail_keys_new(disk_sim_disk(sim));
  assert_non_null(m);
  return m;
}
static void reopen(struct mail_keys **m) {
  mail_keys_free(m);
  disk_sim_power_loss(sim);
  *m = open_keys();
}

static void the_life_of_keys(void **state) {
  sim = disk_sim_new(1);
  struct mail_keys *m = open_keys();
  struct buf fields;
  buf_init(&fields, SIGN_FIELDS_MAX);
  assert_int_equal(sign(m, DOMAIN, &fields), SIGN_NO_KEY);
  assert_int_equal(replace(m), CLI_NOT_FOUND);
  has(m, 0, 0, 0);
  assert_int_equal(make(m, DOMAIN), CLI_OK);
  has(m, 0, 1, 0);
  signs_well(m);
  assert_int_equal(sign(m, SLICE("other.org"), &fields), SIGN_NO_KEY);
  assert_int_equal(sign(m, SLICE("sub.example.org"), &fields), SIGN_NO_KEY);
  assert_int_equal(sign(m, SLICE(""), &fields), SIGN_NO_KEY);
  reopen(&m);
  has(m, 0, 1, 0);
  signs_well(m);
  assert_int_equal(replace(m), CLI_NOT_FOUND); /* no next */
  assert_int_equal(make(m, DOMAIN), CLI_OK);
  assert_int_equal(make(m, DOMAIN), CLI_EXISTS);
  has(m, 1, 1, 0);
  signs_well(m);
  assert_int_equal(replace(m), CLI_OK);
  has(m, 0, 1, 1);
  signs_well(m);
  reopen(&m);
  has(m, 0, 1, 1);
  signs_well(m);
  assert_int_equal(retire(m, false, NOW + MAIL_RETIRE_S - 1), CLI_REFUSED);
  has(m, 0, 1, 1);
  assert_int_equal(retire(m, false, NOW + MAIL_RETIRE_S), CLI_OK);
  assert_int_equal(retire(m, true, NOW), CLI_NOT_FOUND);
  reopen(&m);
  has(m, 0, 1, 0);
  signs_well(m);
  struct buf why;
  buf_init(&why, 512);
  assert_int_equal(mail_keys_forget(m, DOMAIN, &why), CLI_OK);
  assert_int_equal(mail_keys_forget(m, DOMAIN, &why), CLI_OK); /* it has none */
  buf_free(&why);
  assert_int_equal(sign(m, DOMAIN, &fields), SIGN_NO_KEY);
  reopen(&m);
  has(m, 0, 0, 0);
  mail_keys_free(&m);
  buf_free(&fields);
  disk_sim_free(&sim);
}

static void names_of_domains(void **state) {
  static const char *const bad[] = { "",     ".",  "..", "../x", "a/b",  "Example.org",
                                     "a..b", ".a", "a.", "a b",  "a\nb", "\xc3\xbc.org" };
  sim = disk_sim_new(1);
  struct mail_keys *m = open_keys();
  char longest[MAIL_DOMAIN_MAX + 2] = "";
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(make(m, slice_str(bad[i])), CLI_USAGE);
  memset(longest, 'a', MAIL_DOMAIN_MAX + 1);
  assert_int_equal(make(m, slice_str(longest)), CLI_USAGE);
  assert_int_equal(disk_sim_used(sim), 0);
  mail_keys_free(&m);
  disk_sim_free(&sim);
}

/* --- a folder with one pair, one next pair --- */

static struct disk_sim *filled;
static int fill(void **state) {
  sim = disk_sim_new(7);
  struct mail_keys *m = open_keys();
  assert_int_equal(make(m, DOMAIN), CLI_OK);
  assert_int_equal(make(m, DOMAIN), CLI_OK);
  mail_keys_free(&m);
  filled = sim;
  return 0;
}
static int empty_out(void **state) {
  disk_sim_free(&filled);
  return 0;
}

/* Whatever happens while keys are switched: afterwards it was done, or it was not, and mail is
 * signed. */
static void every_operation_fails(void **state) {
  for (int kind = 0; kind < 4; kind++) {
    bool over = false;
    for (uint64_t at = 1; !over; at++) {
      sim = disk_sim_clone(filled, 1000 + at);
      struct mail_keys *m = open_keys();
      struct disk_plan plan = { .die_at = kind == 0 ? at : 0,
                                .fail_sync_at = kind == 1 ? at : 0,
                                .fail_write_at = kind == 2 ? at : 0,
                                .full_at = kind == 3 ? at : 0 };
      disk_sim_plan(sim, &plan);
      enum cli_code code = replace(m);
      assert_true(code == CLI_OK || code == CLI_TROUBLE);
      if (!disk_sim_dead(sim)) signs_well(m); /* in this life too */
      over = at > disk_sim_ops(sim);
      assert_int_equal(disk_sim_handles(sim), 0);
      mail_keys_free(&m);
      disk_sim_plan(sim, &(struct disk_plan){ 0 });
      disk_sim_space(sim, UINT64_MAX);
      disk_sim_power_loss(sim);
      m = open_keys();
      struct seen s = look(m, DOMAIN);
      bool switched = s.states[MAIL_KEY_OLD] == 2;
      assert_int_equal(s.states[MAIL_KEY_NEXT], switched ? 0 : 2);
      if (code == CLI_OK) assert_true(switched);
      done(&s);
      signs_well(m);
      if (!switched) assert_int_equal(replace(m), CLI_OK); /* and it can be done again */
      mail_keys_free(&m);
      disk_sim_free(&sim);
      assert_true(at < 100);
    }
  }
}

/* A file in which some octet is turned, or that ends early, is damaged or says the same; nothing is
 * signed with half a pair. */
static void damage(void **state) {
  struct buf fields;
  buf_init(&fields, SIGN_FIELDS_MAX);
  for (uint64_t at = 0; at < disk_sim_used(filled); at += 37) {
    sim = disk_sim_clone(filled, at);
    assert_true(disk_sim_flip(sim, "dkim.example.org", at));
    struct mail_keys *m = open_keys();
    enum sign_outcome outcome = sign(m, DOMAIN, &fields);
    assert_true(outcome == SIGN_DONE || outcome == SIGN_UNREADABLE);
    mail_keys_free(&m);
    disk_sim_free(&sim);
  }
  buf_free(&fields);
}

static void rubbish(void **state) {
  static const char *const texts[] = { "",
                                       "\n",
                                       "qasid-dkim 1\n",
                                       "qasid-dkim 1\nend\n",
                                       "qasid-dkim 2\nend\n",
                                       "qasid-dkim 1\ncurrent rsa x 1 AAAA AAAA\n",
                                       "qasid-dkim 1\ncurrent rsa x 1 AAAA AAAA\nend\n",
                                       "qasid-dkim 1\ncurrent rsa x -1 AAAA -\nend\n",
                                       "qasid-dkim 1\ncurrent dsa x 1 AAAA -\nend\n",
                                       "qasid-dkim 1\nnever rsa x 1 AAAA -\nend\n",
                                       "qasid-dkim 1\nold rsa x;y 1 AAAA -\nend\n" };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct buf fields, why;
    struct disk_file *f;
    size_t unreadable;
    sim = disk_sim_new(i);
    struct disk *d = disk_sim_disk(sim);
    buf_init(&fields, SIGN_FIELDS_MAX), buf_init(&why, 512);
    assert_int_equal(d->ops->open(d, "dkim.example.org", DISK_CREATE, &f), 0);
    assert_int_equal(d->ops->write(f, slice_str(texts[i]), 0), 0);
    d->ops->close(&f);
    struct mail_keys *m = open_keys();
    assert_int_equal(mail_keys_count(m, &unreadable), 1);
    assert_int_equal(unreadable, 1);
    assert_int_equal(sign(m, DOMAIN, &fields), SIGN_UNREADABLE);
    /* what may still be read is not written over */
    enum cli_code code = mail_keys_make(m, DOMAIN, NOW, 1, &why);
    assert_true(code == CLI_DAMAGE || (code == CLI_OK && i == 6));
    assert_int_equal(mail_keys_forget(m, DOMAIN, &why), CLI_OK);
    assert_int_equal(sign(m, DOMAIN, &fields), SIGN_NO_KEY);
    buf_free(&fields), buf_free(&why);
    mail_keys_free(&m);
    disk_sim_free(&sim);
  }
}

/* More domains than there may be: none of them is signed for without its keys, and it is said. */
static void too_many_domains(void **state) {
  struct buf fields;
  size_t unreadable;
  buf_init(&fields, SIGN_FIELDS_MAX);
  sim = disk_sim_new(3);
  struct disk *d = disk_sim_disk(sim);
  for (int i = 0; i <= MAIL_DOMAINS_MAX; i++) {
    char name[64];
    struct disk_file *f;
    snprintf(name, sizeof name, "dkim.d%d.test", i);
    assert_int_equal(d->ops->open(d, name, DISK_CREATE, &f), 0);
    d->ops->close(&f);
  }
  struct mail_keys *m = open_keys();
  assert_int_equal(mail_keys_count(m, &unreadable), MAIL_DOMAINS_MAX);
  assert_int_equal(unreadable, MAIL_DOMAINS_MAX + 1);
  /* it may be the one */
  assert_int_equal(sign(m, SLICE("unknown.test"), &fields), SIGN_UNREADABLE);
  assert_int_equal(make(m, SLICE("new.test")), CLI_TROUBLE);
  mail_keys_free(&m);
  buf_free(&fields);
  disk_sim_free(&sim);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_life_of_keys),
    cmocka_unit_test(names_of_domains),
    cmocka_unit_test_setup_teardown(every_operation_fails, fill, empty_out),
    cmocka_unit_test_setup_teardown(damage, fill, empty_out),
    cmocka_unit_test(rubbish),
    cmocka_unit_test(too_many_domains),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
