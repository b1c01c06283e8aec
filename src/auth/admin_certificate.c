/* SPDX-License-Identifier: ISC */
/* `qasid account certificate`: which certificates authenticate an account in place of its
 * password. */
#include "lib/base/codec.h"
#include "src/auth/admin.h"

/* 64 hexadecimal digits; colons between them are allowed, as other tools print them. */
static bool take_fingerprint(struct slice text, uint8_t ret[ACCOUNT_FINGERPRINT]) {
  size_t n = 0;
  for (size_t i = 0; i < text.n; i++) {
    uint8_t d = ascii_lower(text.p[i]);
    if (d == ':' && n && n % 2 == 0) continue;
    int v = hex_digit(d);
    if (v < 0 || n == 2 * ACCOUNT_FINGERPRINT) return false;
    ret[n / 2] = (uint8_t)(n % 2 ? ret[n / 2] | v : v << 4);
    n++;
  }
  return n == 2 * ACCOUNT_FINGERPRINT;
}

static void count_one(void *arg, struct slice name, struct slice fingerprint, int64_t added) {
  size_t *n = arg;
  ++*n;
}

static void add(struct auth *a, struct admin_call *c, const uint8_t *fingerprint) {
  struct slice name = call_word(c, 3);
  int64_t now_s = a->shell.wall ? a->shell.wall(a->shell.arg) : 0;
  size_t n = 0;
  enum account_result r = accounts_each_certificate(&a->accounts, name, count_one, &n);
  if (r == ACCOUNT_OK && n >= ACCOUNT_CERTIFICATES_MAX) {
    call_done(a, c, CLI_USAGE, "this account has 64 certificates already");
    return;
  }
  if (r == ACCOUNT_OK) r = accounts_add_certificate(&a->accounts, name, fingerprint, now_s);
  if (r == ACCOUNT_EXISTS)
    call_done(a, c, CLI_EXISTS,
              "that certificate is registered already, with this account or another");
  else
    call_done_account(a, c, r);
}

/* Also refuses a login in progress that the certificate authenticated: the row gets another
 * stamp. */
static void delete (struct auth *a, struct admin_call *c, const uint8_t *fingerprint) {
  enum account_result r = accounts_delete_certificate(&a->accounts, call_word(c, 3), fingerprint);
  if (r == ACCOUNT_OK)
    call_update(a, c);
  else if (r == ACCOUNT_NONE)
    call_done(a, c, CLI_NOT_FOUND, "that certificate is not registered with this account");
  else
    call_done_account(a, c, r);
}

static void list_one(void *arg, struct slice name, struct slice fingerprint, int64_t added) {
  struct call_listing *l = arg;
  struct buf hex, since;
  buf_init(&hex, 128);
  buf_init(&since, 32);
  hex_put(&hex, fingerprint);
  call_put_time(&since, added);
  const struct slice values[] = { name, buf_slice(&hex), buf_slice(&since) };
  call_row(l->auth, l->call, values, 3);
  buf_free(&hex);
  buf_free(&since);
}

static void list(struct auth *a, struct admin_call *c) {
  struct call_listing l = { a, c };
  call_columns(a, c, "name fingerprint added");
  call_done_account(a, c, accounts_each_certificate(&a->accounts, call_word(c, 3), list_one, &l));
}

bool admin_certificate(struct auth *a, struct admin_call *c) {
  uint8_t fingerprint[ACCOUNT_FINGERPRINT];
  bool adds = slice_eq(call_word(c, 2), SLICE("add")),
       deletes = slice_eq(call_word(c, 2), SLICE("delete"));
  bool lists = slice_eq(call_word(c, 2), SLICE("list")) && c->count <= 4;
  if (!lists && (c->count != 5 || (!adds && !deletes)))
    call_done(
        a, c, CLI_USAGE,
        "account certificate add|delete NAME FINGERPRINT, or account certificate list [NAME]");
  else if (c->count > 3 && !call_find(a, c, call_word(c, 3)))
    return false; /* already answered */
  else if (lists)
    list(a, c);
  else if (!take_fingerprint(call_word(c, 4), fingerprint))
    call_done(a, c, CLI_USAGE,
              "a fingerprint is the SHA-256 of a certificate: 64 hexadecimal digits");
  else if (adds)
    add(a, c, fingerprint);
  else
    delete (a, c, fingerprint);
  return false;
}
