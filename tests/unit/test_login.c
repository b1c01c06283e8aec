/* SPDX-License-Identifier: ISC */
/* spec: RFC 4422 §3.3, RFC 4954 §4, RFC 5034 §4: which way a client of ours logs in, and which
 * after a refusal */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/sasl/login.h"
#include "mail/smtp/reply.h"

#include <stdio.h>
#include <string.h>

#define EVERY                                                                              \
  "EXTERNAL XOAUTH2 OAUTHBEARER APOP USER CRAM-MD5 LOGIN PLAIN SCRAM-SHA-1 SCRAM-SHA-256 " \
  "SCRAM-SHA-1-PLUS "                                                                      \
  "SCRAM-SHA-256-PLUS NTLM GSSAPI"

static const struct sasl_login_rules tls = { .secure = true, .binds = true, .second_try = true };
static const struct sasl_login_rules clear = { .clear = true };
static const struct sasl_login_rules anything = { .may_show = true };
static const struct sasl_login_rules nothing = { .second_try = true };

/* The ways that are tried when each is refused with `why`, separated by blanks. */
static const char *walk(const struct sasl_login_rules *r, const char *offered, bool user, bool apop,
                        enum sasl_refusal why) {
  static char text[512];
  struct sasl_login_offer o = { .mechanisms = slice_str(offered), .user = user, .apop = apop };
  struct sasl_login_past past = { 0 };
  size_t n = 0;
  text[0] = 0;
  for (const struct sasl_way *w = sasl_login_choose(r, &o, &past); w;
       w = sasl_login_again(r, &o, &past, w, why)) {
    n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? " " : "", w->name);
    assert_true(n < sizeof text);
  }
  return text;
}

/* Each row is a mechanism that is known, once, or one of POP3's commands; and each mechanism has a
 * row. */
static void table(void **state) {
  size_t rows = 0, mechanisms = 0;
  for (const struct sasl_way *w = sasl_ways; w->name; w++, rows++) {
    const struct sasl_mechanism *m = sasl_way_mechanism(w);
    assert_true((w->kind == SASL_WAY_AUTH) == (m != NULL));
    mechanisms += m != NULL;
    if (m) assert_int_equal(m->plaintext, w->shows);
    if (m) assert_int_equal(w->named_only, m->by == SASL_BY_TOKEN || m->by == SASL_BY_CERTIFICATE);
    for (const struct sasl_way *v = sasl_ways; v != w; v++)
      assert_string_not_equal(v->name, w->name);
  }
  for (const struct sasl_mechanism *m = sasl_mechanisms; m->name; m++) mechanisms--;
  assert_int_equal(mechanisms, 0);
  assert_true(rows <= 32); /* a bit each */
}

/* What is not possible at all here is passed over, one after the other. */
static void order(void **state) {
  const enum sasl_refusal here = SASL_REFUSED_HERE;
  assert_string_equal(walk(&tls, EVERY, true, true, here),
                      "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN "
                      "USER CRAM-MD5 APOP");
  assert_string_equal(walk(&clear, EVERY, true, true, here),
                      "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 APOP");
  assert_string_equal(walk(&anything, EVERY, true, true, here),
                      "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN USER CRAM-MD5 APOP");
  assert_string_equal(walk(&nothing, EVERY, true, true, here), "");
  assert_string_equal(walk(&tls, "login plain", true, false, here), "PLAIN LOGIN USER");
  assert_string_equal(walk(&tls, "NTLM PLAINTEXT", false, false, here), "");
  assert_string_equal(walk(&tls, "", true, true, here), "USER APOP");
  assert_string_equal(walk(&clear, "PLAIN LOGIN", true, false, here), "");
}

/* A wrong password is tried again once, by what shows it, where the certificate was verified. */
static void wrong(void **state) {
  struct sasl_login_rules once = tls;
  const enum sasl_refusal why = SASL_REFUSED_WRONG;
  once.second_try = false;
  assert_string_equal(walk(&tls, EVERY, true, true, why), "SCRAM-SHA-256-PLUS PLAIN");
  assert_string_equal(walk(&tls, "SCRAM-SHA-1", true, true, why), "SCRAM-SHA-1 USER");
  assert_string_equal(walk(&tls, "SCRAM-SHA-1 CRAM-MD5", false, true, why), "SCRAM-SHA-1");
  assert_string_equal(walk(&once, EVERY, true, true, why), "SCRAM-SHA-256-PLUS");
  assert_string_equal(walk(&tls, "PLAIN LOGIN", true, true, why), "PLAIN");
  assert_string_equal(walk(&clear, EVERY, true, true, why), "SCRAM-SHA-256");
  assert_string_equal(walk(&tls, EVERY, true, true, SASL_REFUSED_OTHERWISE), "SCRAM-SHA-256-PLUS");
}

/* Announced, and not known: the next one; after two of them, or when AUTH itself is not known, no
 * AUTH any more. */
static void unknown(void **state) {
  assert_string_equal(walk(&tls, EVERY, true, true, SASL_REFUSED_MECHANISM),
                      "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS USER APOP");
  assert_string_equal(walk(&tls, "CRAM-MD5 PLAIN", false, false, SASL_REFUSED_MECHANISM),
                      "PLAIN CRAM-MD5");
  assert_string_equal(walk(&tls, EVERY, true, false, SASL_REFUSED_COMMAND),
                      "SCRAM-SHA-256-PLUS USER");
  assert_string_equal(walk(&clear, EVERY, true, true, SASL_REFUSED_COMMAND), "SCRAM-SHA-256 APOP");
  assert_string_equal(walk(&tls, EVERY, false, false, SASL_REFUSED_COMMAND), "SCRAM-SHA-256-PLUS");
}

static const char *named(struct sasl_login_rules r, const char *name, bool apop) {
  r.named = slice_str(name);
  return walk(&r, "SCRAM-SHA-256", false, apop, SASL_REFUSED_MECHANISM);
}

/* The one that was named, announced or not, once; never what would show a secret where nothing may
 * be shown. */
static void by_name(void **state) {
  assert_string_equal(named(tls, "plain", false), "PLAIN");
  assert_string_equal(named(tls, "oauthbearer", false), "OAUTHBEARER");
  assert_string_equal(named(tls, "External", false), "EXTERNAL");
  assert_string_equal(named(tls, "user", false), "USER");
  assert_string_equal(named(tls, "no-such-thing", false), "");
  assert_string_equal(named(clear, "xoauth2", false), "");
  assert_string_equal(named(clear, "plain", false), "");
  assert_string_equal(named(clear, "user", false), "");
  assert_string_equal(named(clear, "cram-md5", false), "CRAM-MD5");
  assert_string_equal(named(clear, "scram-sha-256-plus", false), "");
  assert_string_equal(named(clear, "apop", true), "APOP");
  assert_string_equal(named(tls, "apop", false), ""); /* the greeting has no timestamp */
  assert_string_equal(named(nothing, "cram-md5", true), "");
  assert_string_equal(named(nothing, "external", true), "");
}

static void smtp_codes(void **state) {
  assert_int_equal(smtp_login_refusal(535), SASL_REFUSED_WRONG);
  assert_int_equal(smtp_login_refusal(504), SASL_REFUSED_MECHANISM);
  assert_int_equal(smtp_login_refusal(534), SASL_REFUSED_MECHANISM);
  assert_int_equal(smtp_login_refusal(502), SASL_REFUSED_COMMAND);
  assert_int_equal(smtp_login_refusal(500), SASL_REFUSED_COMMAND);
  assert_int_equal(smtp_login_refusal(454), SASL_REFUSED_OTHERWISE);
  assert_int_equal(smtp_login_refusal(421), SASL_REFUSED_OTHERWISE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(table),   cmocka_unit_test(order),   cmocka_unit_test(wrong),
    cmocka_unit_test(unknown), cmocka_unit_test(by_name), cmocka_unit_test(smtp_codes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
