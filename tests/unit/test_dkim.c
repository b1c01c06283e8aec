/* SPDX-License-Identifier: ISC */
/* What a DKIM signature covers: the examples of RFC 6376 §3.4.5 and appendix A, the signatures of
 * RFC 8463 appendix A, every cut, every limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/pem.h>

#include "lib/base/codec.h"
#include "mail/dkim.h"
#include "lib/tls/digest.h"

static void keep(void *arg, struct slice octets) { buf_put(arg, octets); }

static void is_text(const struct buf *b, const char *want) {
  if (!slice_eq(buf_slice(b), slice_str(want)))
    fail_msg("got  [%.*s]\nwant [%s]", SLICE_ARG(buf_slice(b)), want);
}

static void scan_in(struct slice message, size_t first, size_t step, struct buf *header,
                    struct buf *body) {
  struct dkim_scan s;
  dkim_scan_begin(&s, keep, body);
  dkim_scan_put(&s, slice_first(message, first));
  for (struct slice rest = slice_from(message, first); rest.n; rest = slice_from(rest, step))
    dkim_scan_put(&s, slice_first(rest, step));
  dkim_scan_end(&s);
  assert_false(s.header.failed);
  buf_put(header, buf_slice(&s.header));
  dkim_scan_free(&s);
}

/* Whole, in two pieces cut anywhere, and octet by octet. */
static void body_is(const char *message, const char *want) {
  struct slice m = slice_str(message);
  struct buf header, body;
  buf_init(&header, 65536), buf_init(&body, 65536);
  for (size_t cut = 0; cut <= m.n + 1; cut++) {
    buf_reset(&header), buf_reset(&body);
    scan_in(m, cut > m.n ? 0 : cut, cut > m.n ? 1 : m.n + 1, &header, &body);
    is_text(&body, want);
  }
  buf_free(&header), buf_free(&body);
}

static void bodies(void **state) {
  static const struct {
    const char *in, *want;
  } rows[] = {
    { "", "" },
    { "\r\n", "" },
    { "\r\n\r\n\r\n", "" },
    { " \t \r\n\t\r\n", "" },
    { "x", "x\r\n" },
    { "x\r\n", "x\r\n" },
    { "x\r\n\r\n \r\n\r\n", "x\r\n" },
    { "\r\n\r\nx\r\n", "\r\n\r\nx\r\n" },
    { " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n" }, /* RFC 6376 §3.4.5 */
    { "\tx  y\t\tz \t\r\n \r\ny", " x y z\r\n\r\ny\r\n" },
    { ".\r\n..\r\n", ".\r\n..\r\n" },
    { "a\rb\nc \r d\r\n", "a\rb\nc \r d\r\n" },
    { "a\r\r\n", "a\r\r\n" },
    { "a\r", "a\r\r\n" },
    { "a \r\r\n", "a \r\r\n" },
    { "gr\xc3\xbc\xc3\x9f  Gott\xff\r\n", "gr\xc3\xbc\xc3\x9f Gott\xff\r\n" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char message[256];
    snprintf(message, sizeof message, "A: X\r\n\r\n%s", rows[i].in);
    body_is(message, rows[i].want);
    snprintf(message, sizeof message, "\r\n%s", rows[i].in); /* no header at all */
    body_is(message, rows[i].want);
  }
  body_is("A: X\r\n", "");
  body_is("A: X", "");
  body_is("", "");
}

/* A body longer than what is put at once, and line ends held over many pieces. */
static void long_bodies(void **state) {
  struct buf in, want, body, header;
  buf_init(&in, 1 << 20), buf_init(&want, 1 << 20), buf_init(&body, 1 << 20),
      buf_init(&header, 1 << 20);
  buf_put_str(&in, "A: X\r\n\r\n");
  for (int i = 0; i < 3000; i++) {
    buf_printf(&in, "line %d\twith   blanks \t\r\n", i);
    buf_printf(&want, "line %d with blanks\r\n", i);
  }
  for (int i = 0; i < 3000; i++) buf_put_str(&in, " \r\n"), buf_put_str(&want, "\r\n");
  buf_put_str(&in, "end\r\n"), buf_put_str(&want, "end\r\n");
  for (int i = 0; i < 3000; i++) buf_put_str(&in, "\t\r\n");
  static const size_t steps[] = { 1, 7, 1023, 1024, 1025, 65536, 1 << 20 };
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    buf_reset(&body), buf_reset(&header);
    scan_in(buf_slice(&in), 0, steps[i], &header, &body);
    assert_true(slice_eq(buf_slice(&body), buf_slice(&want)));
    is_text(&header, "A: X\r\n\r\n");
  }
  buf_free(&in), buf_free(&want), buf_free(&body), buf_free(&header);
}

static void headers(void **state) {
  static const struct {
    const char *header, *names, *want;
  } rows[] = {
    /* RFC 6376 §3.4.5 */
    { "A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n", "a:b", "a:X\r\nb:Y Z\r\n" },
    { "A: X\r\nB : Y\t\r\n\tZ  \r\n", "b : A", "b:Y Z\r\na:X\r\n" },
    /* §5.4.2: the last of a name first, what is not there is nothing */
    { "A: 1\r\nB: 2\r\nA: 3\r\n", "a:b:a:a:c", "a:3\r\nb:2\r\na:1\r\n" },
    { "A: 1\r\nB: 2\r\nA: 3\r\n", "a", "a:3\r\n" },
    { "From:\r\n a@x.test\r\n", "from", "from:a@x.test\r\n" },
    { "From: \"A\r\n\t \t B\" \t <a@x.test>\t\r\n \r\n", "from", "from:\"A B\" <a@x.test>\r\n" },
    { "Subject:\r\n", "subject", "subject:\r\n" },
    { "Subject: \t\r\n \r\n", "subject", "subject:\r\n" },
    { "SUBJECT: Gr\xc3\xbc\xc3\x9f  e:;\r\nX", "subject", "subject:Gr\xc3\xbc\xc3\x9f e:;\r\n" },
    { "no field\r\nA: 1\r\n", "a:no field:", "a:1\r\n" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf input;
    buf_init(&input, 4096);
    assert_int_equal(dkim_input(slice_str(rows[i].header), slice_str(rows[i].names), &input),
                     DKIM_FITS);
    is_text(&input, rows[i].want);
    buf_free(&input);
  }
}

#define CLOSED "date:message-id:reply-to:mime-version:content-type:content-transfer-encoding"

static void chosen(void **state) {
  static const struct {
    const char *header, *want;
  } rows[] = {
    { "From: a\r\n", "from:from:to:cc:subject:" CLOSED },
    { "Received: x\r\nX-Y: z\r\nfrom: a\r\nFROM: b\r\nTo: c\r\nReferences: <a>\r\nReturn-Path: "
      "<x>\r\n"
      "DKIM-Signature: v=1\r\nComments: no\r\n",
      "from:from:from:to:to:cc:subject:" CLOSED ":references" },
    { "List-Unsubscribe: <a>\r\nList-Unsubscribe-Post: b\r\nFrom: a\r\nSender: b\r\n",
      "from:from:to:cc:subject:" CLOSED ":sender:list-unsubscribe:list-unsubscribe-post" },
  };
  struct buf names;
  buf_init(&names, 4096);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_int_equal(dkim_choose(slice_str(rows[i].header), &names), DKIM_FITS);
    is_text(&names, rows[i].want);
    assert_true(dkim_names_ok(buf_slice(&names)));
    buf_reset(&names);
  }
  assert_int_equal(dkim_choose(SLICE("To: a\r\n"), &names), DKIM_NO_FROM);
  assert_int_equal(dkim_choose(SLICE(""), &names), DKIM_NO_FROM);
  buf_free(&names);
}

static void names_taken(void **state) {
  static const char *const good[] = { "from", "to:from", "from:from:x-a_b!" };
  static const char *const bad[] = {
    "",        "to",    "from:",       ":from",     "from::to",     "From",
    "from to", "from;", "from:a\r\nb", "from:a\tb", "from:\xc3\xbc"
  };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    assert_true(dkim_names_ok(slice_str(good[i])));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (dkim_names_ok(slice_str(bad[i]))) fail_msg("%s", bad[i]);
}

static void limits(void **state) {
  struct buf header, names, input;
  buf_init(&header, 1 << 20), buf_init(&names, 4 * DKIM_NAMES_MAX), buf_init(&input, 1 << 20);
  buf_put_str(&header, "From: a\r\n");
  for (int i = 1; i < DKIM_FIELDS_MAX; i++) buf_put_str(&header, "X: y\r\n");
  assert_int_equal(dkim_choose(buf_slice(&header), &names), DKIM_FITS);
  buf_put_str(&header, "X: y\r\n");
  buf_reset(&names);
  assert_int_equal(dkim_choose(buf_slice(&header), &names), DKIM_TOO_BIG);
  assert_int_equal(dkim_input(buf_slice(&header), SLICE("from"), &input), DKIM_TOO_BIG);

  buf_reset(&header), buf_reset(&names), buf_reset(&input);
  buf_put_str(&header, "From: a\r\n");
  /* h= would pass DKIM_NAMES_MAX */
  for (int i = 0; i < 300; i++) buf_put_str(&header, "References: y\r\n");
  assert_int_equal(dkim_choose(buf_slice(&header), &names), DKIM_TOO_BIG);

  buf_reset(&header), buf_reset(&names);
  buf_put_str(&header, "From: a\r\nTo: ");
  for (int i = 0; i < DKIM_INPUT_MAX; i++) buf_put_u8(&header, 'x');
  buf_put_str(&header, "\r\n");
  assert_int_equal(dkim_input(buf_slice(&header), SLICE("from"), &input), DKIM_FITS);
  assert_int_equal(dkim_input(buf_slice(&header), SLICE("from:to"), &input), DKIM_TOO_BIG);
  assert_false(dkim_names_ok(slice_first(buf_slice(&header), DKIM_NAMES_MAX + 1)));

  struct dkim_scan s;
  struct slice line = SLICE("X: 0123456789012345678901234567890123456789012345678\r\n");
  dkim_scan_begin(&s, keep, &input);
  for (size_t n = 0; n <= DKIM_HEADER_MAX; n += line.n) {
    assert_false(s.header.failed);
    dkim_scan_put(&s, line);
  }
  assert_true(s.header.failed);
  dkim_scan_end(&s);
  dkim_scan_free(&s);
  buf_free(&header), buf_free(&names), buf_free(&input);
}

/* --- RFC 8463 appendix A (its body is that of RFC 6376 appendix A) --- */

#define MESSAGE                                                                                  \
  "From: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\n" \
  "Subject: Is dinner ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"                 \
  "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n"                         \
  "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
#define BODY_HASH "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
#define NAMES "from : to : subject : date : message-id : from : subject : date"

static void hash_put(void *arg, struct slice octets) { digest_put(arg, octets); }

static void body_hash(void **state) {
  uint8_t hash[DKIM_HASH];
  struct dkim_scan s;
  struct digest_run *d = digest_begin(DIGEST_SHA256);
  struct buf text;
  buf_init(&text, 256);
  dkim_scan_begin(&s, hash_put, d);
  dkim_scan_put(&s, SLICE(MESSAGE));
  dkim_scan_end(&s);
  dkim_scan_free(&s);
  assert_true(digest_end(&d, hash));
  base64_put(&text, slice_of(hash, sizeof hash));
  is_text(&text, BODY_HASH);
  buf_free(&text);
}

/* What is signed with the field as the RFC has it. */
static void hash_of(const char *field, uint8_t hash[DKIM_HASH]) {
  struct buf input, own;
  buf_init(&input, 4096), buf_init(&own, 4096);
  assert_int_equal(dkim_input(SLICE(MESSAGE), SLICE(NAMES), &input), DKIM_FITS);
  assert_int_equal(dkim_input(slice_str(field), SLICE("dkim-signature"), &own), DKIM_FITS);
  buf_truncate(&own, buf_len(&own) - 2);
  buf_put(&input, buf_slice(&own));
  assert_true(digest_of(DIGEST_SHA256, buf_slice(&input), hash));
  buf_free(&input), buf_free(&own);
}

static void signature_is(EVP_PKEY *key, const EVP_MD *md, const uint8_t *in, size_t n,
                         const char *want) {
  uint8_t signature[256];
  size_t size = sizeof signature;
  struct buf text;
  buf_init(&text, 512);
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  assert_int_equal(EVP_DigestSignInit(ctx, NULL, md, NULL, key), 1);
  assert_int_equal(EVP_DigestSign(ctx, signature, &size, in, n), 1);
  base64_put(&text, slice_of(signature, size));
  is_text(&text, want);
  EVP_MD_CTX_free(ctx);
  EVP_PKEY_free(key);
  buf_free(&text);
}

static void ed25519_vector(void **state) {
  uint8_t hash[DKIM_HASH];
  struct buf secret;
  buf_init(&secret, 64);
  assert_true(base64_decode(&secret, SLICE("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")));
  hash_of("DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; "
          "i=@football.example.com;\r\n"
          " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : "
          "from : subject : date;\r\n"
          " bh=" BODY_HASH ";\r\n b=\r\n",
          hash);
  EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, buf_slice(&secret).p, 32);
  signature_is(
      key, NULL, hash, sizeof hash,
      "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==");
  buf_free(&secret);
}

static const char rsa_pem[] = "-----BEGIN RSA PRIVATE KEY-----\n"
                              "MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi\n"
                              "Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM\n"
                              "KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\n"
                              "AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm\n"
                              "6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe\n"
                              "zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy\n"
                              "6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc\n"
                              "uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy\n"
                              "WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd\n"
                              "WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a\n"
                              "licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst\n"
                              "o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe\n"
                              "uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL\n"
                              "-----END RSA PRIVATE KEY-----\n";

/* EVP_DigestSign hashes once more, so it is given the input and not its hash: the input is made
 * again here. */
static void rsa_vector(void **state) {
  struct buf input, own;
  buf_init(&input, 4096), buf_init(&own, 4096);
  assert_int_equal(dkim_input(SLICE(MESSAGE), SLICE(NAMES), &input), DKIM_FITS);
  assert_int_equal(
      dkim_input(
          SLICE("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=football.example.com; "
                "i=@football.example.com;\r\n q=dns/txt; s=test; t=1528637909; h=from : to : "
                "subject :\r\n date : "
                "message-id : from : subject : date;\r\n bh=" BODY_HASH ";\r\n b=\r\n"),
          SLICE("dkim-signature"), &own),
      DKIM_FITS);
  buf_truncate(&own, buf_len(&own) - 2);
  buf_put(&input, buf_slice(&own));
  BIO *bio = BIO_new_mem_buf(rsa_pem, -1);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
  BIO_free(bio);
  assert_non_null(key);
  signature_is(key, EVP_sha256(), buf_slice(&input).p, buf_len(&input),
               "F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4BwcVcOF6+"
               "FF3Zo9Rpo1tFOeS9mPYQTnGdaSGs"
               "geefOsk2JzdA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=");
  buf_free(&input), buf_free(&own);
}

/* --- our own field --- */

static void field(void **state) {
  struct dkim_signature s = {
    DKIM_ED25519,
    SLICE("example.org"),
    SLICE("20261128a7-ed"),
    SLICE("from:from:to:subject:message-id:content-transfer-encoding:list-unsubscribe"),
    1795900000,
    { 0 }
  };
  static const uint8_t octets[100] = { 1 };
  struct buf text, input, again;
  buf_init(&text, DKIM_FIELD_MAX), buf_init(&input, 4096), buf_init(&again, 4096);
  dkim_open(&s, &text, &input);
  is_text(&text, "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n\td=example.org; "
                 "s=20261128a7-ed;\r\n"
                 "\tt=1795900000; h=from:from:to:subject:message-id:\r\n"
                 "\t content-transfer-encoding:list-unsubscribe;\r\n"
                 "\tbh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;\r\n\tb=");
  is_text(&input, "dkim-signature:v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.org; "
                  "s=20261128a7-ed; t=1795900000; "
                  "h=from:from:to:subject:message-id: content-transfer-encoding:list-unsubscribe; "
                  "bh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; b=");
  assert_int_equal(dkim_input(buf_slice(&text), SLICE("dkim-signature"), &again), DKIM_FITS);
  buf_put_str(&input, "\r\n");
  assert_true(slice_eq(buf_slice(&input), buf_slice(&again)));
  dkim_close(&text, slice_of(octets, sizeof octets));
  assert_false(text.failed);
  for (struct slice rest = buf_slice(&text); rest.n;) {
    ptrdiff_t end = slice_search(rest, SLICE("\r\n"));
    assert_true(end > 0 && end <= 78);
    rest = slice_from(rest, (size_t)end + 2);
  }
  buf_free(&text), buf_free(&input), buf_free(&again);
}

static void records(void **state) {
  uint8_t key[294];
  struct buf record, line;
  memset(key, 7, sizeof key);
  buf_init(&record, 1024), buf_init(&line, 1024);
  dkim_record(DKIM_ED25519, slice_of(key, 32), &record);
  is_text(&record, "v=DKIM1; k=ed25519; p=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
  buf_reset(&record);
  dkim_record(DKIM_RSA, slice_of(key, sizeof key), &record);
  dkim_zone_line(SLICE("s._domainkey.example.org"), buf_slice(&record), &line);
  assert_true(slice_starts(buf_slice(&line),
                           SLICE("s._domainkey.example.org. TXT \"v=DKIM1; k=rsa; p=BwcH")));
  struct slice rest = buf_slice(&line), all = buf_slice(&record);
  slice_split(&rest, '"');
  /* the strings, one after another, are the record; none is longer than 255 octets */
  while (rest.n) {
    struct slice part = slice_split(&rest, '"');
    assert_true(part.n > 0 && part.n <= 255 && slice_starts(all, part));
    all = slice_from(all, part.n);
    slice_split(&rest, '"');
  }
  assert_int_equal(all.n, 0);
  buf_reset(&line);
  dkim_zone_line(SLICE("x"), SLICE("a\"b\\"), &line);
  is_text(&line, "x. TXT \"a\\\"b\\\\\"");
  buf_free(&record), buf_free(&line);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(bodies),    cmocka_unit_test(long_bodies),    cmocka_unit_test(headers),
    cmocka_unit_test(chosen),    cmocka_unit_test(names_taken),    cmocka_unit_test(limits),
    cmocka_unit_test(body_hash), cmocka_unit_test(ed25519_vector), cmocka_unit_test(rsa_vector),
    cmocka_unit_test(field),     cmocka_unit_test(records),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
