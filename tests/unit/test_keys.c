/* SPDX-License-Identifier: ISC */
/* The keys process: sets of keys, what it signs and what it refuses, how often; and a front-end's
 * question over a real channel. */
#include "tests/unit/tls_kit.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "runtime/front/remote_key.h"
#include "lib/tls/selfsigned.h"
#include "src/keys/keys.h"

static struct slice sign_with(struct keys *k, uint32_t front, unsigned key, enum key_use use,
                              struct slice in, uint64_t now_ms, struct buf *answer) {
  struct buf payload;
  buf_init(&payload, 8192);
  key_sign_put(&payload, &(struct key_sign){ (uint16_t)key, (uint8_t)use, in });
  struct ipc_msg msg = { .type = key_sign_type, .payload = buf_slice(&payload), .fd = -1 };
  buf_free(answer);
  assert_true(keys_message(k, front, &msg, now_ms, answer));
  buf_free(&payload);
  struct key_signed got;
  assert_true(key_signed_get(buf_slice(answer), &got));
  return got.output;
}

static struct keys *keys_of(struct kit *kit) {
  struct keys *k = keys_new();
  struct buf err;
  buf_init(&err, 512);
  for (size_t i = 0; i < kit->count; i++)
    assert_true(keys_add(k, (uint16_t)i, i + 1 == kit->count, buf_slice(&kit->key_pems[i]), &err));
  buf_free(&err);
  return k;
}

static EVP_PKEY *public_of(struct kit *kit, unsigned i) {
  BIO *bio = BIO_new_mem_buf(kit->chains[i].p, (int)kit->chains[i].n);
  X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  EVP_PKEY *key = X509_get_pubkey(x);
  X509_free(x);
  BIO_free(bio);
  return key;
}

static const uint8_t digest[32] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static bool verifies(struct kit *kit, unsigned i, int padding, struct slice signature) {
  EVP_PKEY *key = public_of(kit, i);
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
  EVP_PKEY_verify_init(ctx);
  if (padding) EVP_PKEY_CTX_set_rsa_padding(ctx, padding);
  EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256());
  bool ok = EVP_PKEY_verify(ctx, signature.p, signature.n, digest, sizeof digest) == 1;
  EVP_PKEY_CTX_free(ctx);
  EVP_PKEY_free(key);
  return ok;
}

/* A block as OpenSSL pads it for a signature of `digest`. */
static struct slice padded(struct kit *kit, unsigned i, bool pss, uint8_t *to) {
  static const uint8_t header[] = { 0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1,
                                    0x65, 3,    4,    2,    1, 5, 0,    4,    32 };
  EVP_PKEY *key = public_of(kit, i);
  size_t n = (size_t)EVP_PKEY_get_size(key);
  memset(to, 0xff, n);
  to[0] = 0;
  to[1] = 1;
  memcpy(to + n - 32, digest, 32);
  memcpy(to + n - 51, header, 19);
  to[n - 52] = 0;
  if (pss) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    RSA *rsa = EVP_PKEY_get1_RSA(key);
    assert_int_equal(
        RSA_padding_add_PKCS1_PSS(rsa, to, digest, EVP_sha256(), RSA_PSS_SALTLEN_DIGEST), 1);
    RSA_free(rsa);
#pragma GCC diagnostic pop
  }
  EVP_PKEY_free(key);
  return slice_of(to, n);
}

static void what_it_signs(void **state) {
  (void)state;
  struct kit kit = { 0 };
  unsigned p256 = kit_add(&kit, EVP_EC_gen("P-256"), NULL),
           rsa = kit_add(&kit, EVP_RSA_gen(2048), NULL),
           ed = kit_add(&kit, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL);
  struct keys *k = keys_of(&kit);
  struct buf answer;
  buf_init(&answer, 8192);
  uint8_t block[512];
  assert_int_equal(keys_count(k), 3);
  assert_true(
      verifies(&kit, p256, 0, sign_with(k, 1, p256, KEY_ECDSA, slice_of(digest, 32), 0, &answer)));
  assert_true(
      verifies(&kit, rsa, RSA_PKCS1_PADDING,
               sign_with(k, 1, rsa, KEY_RSA_RAW, padded(&kit, rsa, false, block), 0, &answer)));
  for (int i = 0; i < 20; i++) /* another salt each time */
    assert_true(
        verifies(&kit, rsa, RSA_PKCS1_PSS_PADDING,
                 sign_with(k, 1, rsa, KEY_RSA_RAW, padded(&kit, rsa, true, block), 0, &answer)));
  struct slice signature = sign_with(k, 1, ed, KEY_ED25519, SLICE("a message"), 0, &answer);
  EVP_PKEY *key = public_of(&kit, ed);
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key);
  assert_int_equal(EVP_DigestVerify(ctx, signature.p, signature.n, (const uint8_t *)"a message", 9),
                   1);
  EVP_MD_CTX_free(ctx);
  EVP_PKEY_free(key);
  buf_free(&answer);
  keys_free(&k);
  kit_free(&kit);
}

/* Nothing that is no signature: a ciphertext stays one. */
static void what_it_refuses(void **state) {
  (void)state;
  struct kit kit = { 0 };
  unsigned ec = kit_add(&kit, EVP_EC_gen("P-256"), NULL),
           rsa = kit_add(&kit, EVP_RSA_gen(2048), NULL);
  struct keys *k = keys_of(&kit);
  struct buf answer;
  buf_init(&answer, 8192);
  uint8_t block[512];
  struct slice good = padded(&kit, rsa, false, block);
#define REFUSED(key, use, in) assert_int_equal(sign_with(k, 1, key, use, in, 0, &answer).n, 0)
  REFUSED(2, KEY_ECDSA, slice_of(digest, 32)); /* no such key */
  REFUSED(65535, KEY_ECDSA, slice_of(digest, 32));
  REFUSED(ec, KEY_RSA_RAW, good); /* not its use */
  REFUSED(rsa, KEY_ECDSA, slice_of(digest, 32));
  REFUSED(ec, KEY_ED25519, slice_of(digest, 32));
  REFUSED(ec, KEY_ECDSA, slice_of(digest, 20)); /* SHA-1 */
  REFUSED(ec, KEY_ECDSA, SLICE_NONE);
  REFUSED(rsa, KEY_RSA_RAW, slice_first(good, 255));
  REFUSED(rsa, KEY_RSA_RAW, SLICE_NONE);
  block[1] = 2; /* encryption's padding (RFC 8017 §7.2.1) */
  REFUSED(rsa, KEY_RSA_RAW, good);
  /* Every octet of the padding counts. */
  for (size_t i = 0; i < 256 - 32; i++) {
    padded(&kit, rsa, false, block);
    block[i] ^= 0x10;
    REFUSED(rsa, KEY_RSA_RAW, good);
  }
  for (size_t i = 0; i < 256; i += 5) {
    padded(&kit, rsa, true, block);
    block[i] ^= 0x10;
    struct slice got = sign_with(k, 1, rsa, KEY_RSA_RAW, good, 0, &answer);
    /* The salt is free: a change there is another salt. */
    if (got.n) assert_in_range(i, 256 - 32 - 1 - 32, 256 - 32 - 1);
  }
  uint32_t seed = 7;
  for (int round = 0; round < 500; round++) {
    for (size_t i = 0; i < 256; i++)
      block[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
    block[255] = 0xbc;
    block[0] &= 0x7f;
    REFUSED(rsa, KEY_RSA_RAW, good);
  }
  buf_free(&answer);
  keys_free(&k);
  kit_free(&kit);
}

static void malformed(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), NULL);
  struct keys *k = keys_of(&kit);
  struct buf answer, payload;
  buf_init(&answer, 8192);
  buf_init(&payload, 8192);
  key_sign_put(&payload, &(struct key_sign){ 0, KEY_ECDSA, slice_of(digest, 32) });
  struct ipc_msg msg = { .type = key_sign_type, .payload = buf_slice(&payload), .fd = -1 };
  for (size_t cut = 0; cut < buf_len(&payload); cut++) {
    msg.payload = slice_first(buf_slice(&payload), cut);
    assert_false(keys_message(k, 1, &msg, 0, &answer));
  }
  msg.payload = buf_slice(&payload);
  msg.type = key_signed_type;
  assert_false(keys_message(k, 1, &msg, 0, &answer));
  msg.type = key_sign_type;
  payload.mem[payload.head + 2] = KEY_USES; /* no such use */
  assert_false(keys_message(k, 1, &msg, 0, &answer));
  assert_int_equal(buf_len(&answer), 0);
  buf_free(&answer);
  buf_free(&payload);
  keys_free(&k);
  kit_free(&kit);
}

static void how_often(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), NULL);
  struct keys *k = keys_of(&kit);
  struct buf answer;
  buf_init(&answer, 8192);
  struct slice in = slice_of(digest, 32);
  size_t signed_now = 0;
  for (int i = 0; i < KEYS_PER_SECOND + 100; i++)
    signed_now += sign_with(k, 7, 0, KEY_ECDSA, in, 1000, &answer).n > 0;
  assert_int_equal(signed_now, KEYS_PER_SECOND);
  assert_int_not_equal(sign_with(k, 8, 0, KEY_ECDSA, in, 1000, &answer).n,
                       0); /* its neighbour is not held up */
  signed_now = 0;
  for (int i = 0; i < 100; i++)
    signed_now += sign_with(k, 7, 0, KEY_ECDSA, in, 1010, &answer).n > 0;
  assert_int_equal(signed_now, 10 * KEYS_PER_SECOND / 1000);
  /* Time that goes back or leaps gives nothing extra. */
  assert_int_equal(sign_with(k, 7, 0, KEY_ECDSA, in, 0, &answer).n, 0);
  /* More front-ends than are counted: the rest is refused until one goes. */
  for (uint32_t f = 100; f < 100 + KEYS_FRONTS_MAX - 2; f++)
    assert_int_not_equal(sign_with(k, f, 0, KEY_ECDSA, in, 2000, &answer).n, 0);
  assert_int_equal(sign_with(k, 999, 0, KEY_ECDSA, in, 2000, &answer).n, 0);
  keys_front_lost(k, 100);
  assert_int_not_equal(sign_with(k, 999, 0, KEY_ECDSA, in, 2000, &answer).n, 0);
  buf_free(&answer);
  keys_free(&k);
  kit_free(&kit);
}

static void sets(void **state) {
  (void)state;
  struct kit old = { 0 }, new = { 0 };
  kit_add(&old, EVP_EC_gen("P-256"), NULL);
  kit_add(&new, EVP_EC_gen("P-256"), NULL);
  kit_add(&new, EVP_EC_gen("P-256"), NULL);
  struct keys *k = keys_of(&old);
  struct buf answer, err;
  buf_init(&answer, 8192);
  buf_init(&err, 1024);
  struct slice in = slice_of(digest, 32), first = buf_slice(&new.key_pems[0]),
               second = buf_slice(&new.key_pems[1]);
  /* Told, but not to its end: the old set answers. */
  assert_true(keys_add(k, 0, false, first, &err));
  assert_int_equal(keys_count(k), 1);
  assert_true(verifies(&old, 0, 0, sign_with(k, 1, 0, KEY_ECDSA, in, 0, &answer)));
  assert_true(keys_add(k, 1, true, second, &err));
  assert_int_equal(keys_count(k), 2);
  assert_true(verifies(&new, 0, 0, sign_with(k, 1, 0, KEY_ECDSA, in, 0, &answer)));
  assert_true(verifies(&new, 1, 0, sign_with(k, 1, 1, KEY_ECDSA, in, 0, &answer)));
  /* A bad one spoils the set, not the one in use. */
  assert_false(keys_add(k, 0, false, SLICE("junk"), &err));
  assert_true(slice_search(buf_slice(&err), SLICE("tls_keys, file 1")) >= 0);
  assert_false(keys_add(k, 1, true, second, &err));
  assert_int_equal(keys_count(k), 2);
  assert_true(keys_add(k, 0, true, buf_slice(&old.key_pems[0]), &err));
  assert_int_equal(keys_count(k), 1);
  assert_false(keys_add(k, 5, true, first, &err)); /* out of turn */
  assert_int_equal(keys_count(k), 1);
  assert_true(keys_add(k, 0, true, first, &err));
  /* An encrypted key is refused, not asked about at a terminal. */
  BIO *bio = BIO_new(BIO_s_mem());
  EVP_PKEY *key = EVP_EC_gen("P-256");
  PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL);
  char *p;
  long n = BIO_get_mem_data(bio, &p);
  assert_false(keys_add(k, 0, true, slice_of(p, (size_t)n), &err));
  EVP_PKEY_free(key);
  BIO_free(bio);
  buf_free(&answer);
  buf_free(&err);
  keys_free(&k);
  kit_free(&old);
  kit_free(&new);
}

static void key_and_certificate(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), NULL);
  kit_add(&kit, EVP_EC_gen("P-256"), NULL);
  assert_true(tls_key_fits(kit.keys[0], kit.chains[0]));
  assert_false(tls_key_fits(kit.keys[0], kit.chains[1]));
  assert_false(tls_key_fits(kit.keys[0], SLICE("junk")));
  kit_free(&kit);
}

/* --- over a channel --- */

enum mood { HONEST, SILENT, GARBLED, WRONG_TAG, HANGS_UP, LATE };

struct process {
  struct keys *keys;
  int fd;
  enum mood mood;
};

static void send_answer(struct process *process, uint64_t tag, struct slice payload) {
  struct buf b;
  buf_init(&b, 8192);
  size_t at = ipc_open(&b, key_signed_type, tag, 0);
  buf_put(&b, payload);
  ipc_close(&b, at);
  assert_true(send(process->fd, buf_slice(&b).p, buf_len(&b), MSG_NOSIGNAL) > 0);
  buf_free(&b);
}

/* The keys process in a thread, until its channel ends. */
static void *serve(void *arg) {
  struct process *process = arg;
  uint8_t packet[8192];
  ssize_t n;
  while ((n = recv(process->fd, packet, sizeof packet, 0)) > 0) {
    struct slice rest = slice_of(packet, (size_t)n);
    struct ipc_msg msg;
    uint8_t fds;
    struct buf answer;
    buf_init(&answer, 8192);
    bool go = ipc_next(&rest, &msg, &fds) && keys_message(process->keys, 1, &msg, 0, &answer);
    if (process->mood == HANGS_UP) go = false;
    if (go && process->mood == GARBLED) go = send(process->fd, "garbage", 7, MSG_NOSIGNAL) > 0;
    if (go && process->mood == WRONG_TAG) send_answer(process, msg.tag + 5, buf_slice(&answer));
    /* to one given up */
    if (go && process->mood == LATE) send_answer(process, msg.tag - 1, buf_slice(&answer));
    if (go && (process->mood == HONEST || process->mood == LATE))
      send_answer(process, msg.tag, buf_slice(&answer));
    buf_free(&answer);
    if (!go) break;
  }
  close(process->fd);
  return NULL;
}

static void over_a_channel(void **state) {
  (void)state;
  static const struct {
    enum mood mood;
    bool good, lost;
  } rows[] = {
    { HONEST, true, false },    { LATE, true, false },     { GARBLED, false, true },
    { WRONG_TAG, false, true }, { HANGS_UP, false, true },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct kit kit = { 0 };
    kit_add(&kit, EVP_EC_gen("P-256"), NULL);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    struct process process = { keys_of(&kit), fds[1], rows[i].mood };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, serve, &process), 0);
    struct remote_key r;
    remote_key_init(&r, fds[0]);
    struct buf out;
    buf_init(&out, 4096);
    bool ok = remote_key_sign(&r, 0, KEY_ECDSA, slice_of(digest, 32), &out);
    assert_int_equal(ok, rows[i].good);
    assert_int_equal(r.lost, rows[i].lost);
    if (ok) assert_true(verifies(&kit, 0, 0, buf_slice(&out)));
    /* The next question: answered, or refused at once. */
    buf_free(&out);
    assert_int_equal(remote_key_sign(&r, 0, KEY_ECDSA, slice_of(digest, 32), &out), rows[i].good);
    assert_false(remote_key_sign(&r, 3, KEY_ECDSA, slice_of(digest, 32), &out));
    buf_free(&out);
    close(fds[0]);
    pthread_join(thread, NULL);
    keys_free(&process.keys);
    kit_free(&kit);
  }
  struct remote_key none;
  struct buf out;
  buf_init(&out, 4096);
  remote_key_init(&none, -1);
  assert_false(remote_key_sign(&none, 0, KEY_ECDSA, slice_of(digest, 32), &out));
}

/* keys that says nothing costs KEYS_WAIT_MS, not more, and is asked again the next time. */
static void silence(void **state) {
  (void)state;
  int fds[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
  struct remote_key r;
  remote_key_init(&r, fds[0]);
  struct buf out;
  buf_init(&out, 4096);
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  assert_false(remote_key_sign(&r, 0, KEY_ECDSA, slice_of(digest, 32), &out));
  clock_gettime(CLOCK_MONOTONIC, &b);
  int64_t ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
  assert_in_range(ms, KEYS_WAIT_MS - 10, KEYS_WAIT_MS + 1500);
  assert_false(r.lost);
  close(fds[0]);
  close(fds[1]);
}

/* A whole handshake with the key in another thread, as front-end and keys do it. */
static void handshake_over_a_channel(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_RSA_gen(2048), "DNS:a.example");
  int fds[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
  struct process process = { keys_of(&kit), fds[1], HONEST };
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, serve, &process), 0);
  struct remote_key r;
  remote_key_init(&r, fds[0]);
  struct tls_service service = kit_service(&kit, "smtp");
  service.signer = (struct tls_signer){ remote_key_signer, &r };
  struct tls_server *s = kit_server(&service);
  struct tls_client_options options = { .trust = TLS_TRUST_GIVEN, .authorities = kit.chains[0] };
  struct tls_client *client = kit_client(&options);
  struct pair p = pair_open(s, client, "a.example");
  assert_int_equal(p.server_result, TLS_DONE);
  assert_int_equal(p.client_result, TLS_DONE);
  assert_int_equal(r.asked, 1);
  pair_say(p.server, p.client, "220 hello\r\n");
  pair_close(&p);
  tls_client_free(&client);
  tls_server_unref(&s);
  close(fds[0]);
  pthread_join(thread, NULL);
  keys_free(&process.keys);
  kit_free(&kit);
}

/* Keys lie in memory that is locked and left out of dumps. */
static void locked_memory(void **state) {
  (void)state;
  if (!tls_key_memory()) skip();
  struct kit kit = { 0 };
  kit_add(&kit, EVP_RSA_gen(2048), NULL); /* OpenSSL's own random generators lie there too */
  kit_free(&kit);
  size_t before = CRYPTO_secure_used();
  kit_add(&kit, EVP_EC_gen("P-256"), NULL);
  kit_add(&kit, EVP_RSA_gen(2048), NULL);
  size_t with_kit = CRYPTO_secure_used();
  struct keys *k = keys_of(&kit);
  assert_true(CRYPTO_secure_used() > with_kit);
  keys_free(&k);
  assert_int_equal(CRYPTO_secure_used(), with_kit);
  kit_free(&kit);
  assert_int_equal(CRYPTO_secure_used(), before);
}

/* Messages are signed so often a second and no more, apart from what front-ends ask. */
static void mail_has_a_rate(void **state) {
  struct keys *k = keys_new();
  size_t turns = 0;
  for (int i = 0; i < 2 * KEYS_MAIL_PER_SECOND; i++) turns += keys_mail_turn(k, 5000);
  assert_int_equal(turns, KEYS_MAIL_PER_SECOND);
  turns = 0;
  for (int i = 0; i < 2 * KEYS_MAIL_PER_SECOND; i++) turns += keys_mail_turn(k, 5500);
  assert_int_equal(turns, KEYS_MAIL_PER_SECOND / 2);
  keys_free(&k);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(mail_has_a_rate),
    cmocka_unit_test(locked_memory), /* first: the memory is set aside before any key is made */
    cmocka_unit_test(what_it_signs),
    cmocka_unit_test(what_it_refuses),
    cmocka_unit_test(malformed),
    cmocka_unit_test(how_often),
    cmocka_unit_test(sets),
    cmocka_unit_test(key_and_certificate),
    cmocka_unit_test(over_a_channel),
    cmocka_unit_test(silence),
    cmocka_unit_test(handshake_over_a_channel),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
