/* SPDX-License-Identifier: ISC */
/* Whether a domain's own SPF record lets our host's address send (RFC 7208). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "src/cli/admin/spf.h"

/* The world: one TXT record for a name of this table; the hosts of a and mx have 192.0.2.1. */
struct zone {
  const char *name, *text;
};
struct world {
  const struct zone *zone;
  size_t count;
  unsigned asked;
};

static void put_host(struct dns_answer *ret, const char *name) {
  static const struct dns_address us = { 4, { 192, 0, 2, 1 } };
  ret->result = DNS_FOUND;
  ret->host_count = 1;
  snprintf(ret->hosts[0].name, sizeof ret->hosts[0].name, "%s", name);
  ret->hosts[0].address_count = 1;
  ret->hosts[0].addresses[0] = us;
}

static bool ask(void *arg, const char *name, enum dns_kind kind, struct dns_answer *ret) {
  struct world *w = arg;
  *ret = (struct dns_answer){ .kind = kind, .result = DNS_NONE };
  w->asked++;
  if (strcmp(name, "silent.test") == 0) ret->result = DNS_LATER;
  if (kind == DNS_MX && strcmp(name, "mx.test") == 0) put_host(ret, "host.test");
  if (kind == DNS_ADDRESS && strcmp(name, "host.test") == 0) put_host(ret, "host.test");
  for (size_t i = 0; kind == DNS_TXT && i < w->count; i++) {
    if (strcmp(w->zone[i].name, name) != 0) continue;
    ret->result = DNS_FOUND;
    dns_text_add(ret, slice_str(w->zone[i].text));
  }
  return true;
}

static enum spf_result of(const char *record, const struct dns_address *address) {
  const struct zone zone[] = {
    { "mx.test", record ? record : "no" },
    { "mx.test", "other=1" },
    { "good.test", "v=spf1 ip4:192.0.2.0/24 -all" },
    { "bad.test", "v=spf1 ip4:198.51.100.0/24 -all" },
    { "loop.test", "v=spf1 include:loop.test -all" },
    { "turn.test", "v=spf1 redirect=turn.test" },
  };
  struct world w = { zone, sizeof zone / sizeof *zone, 0 };
  struct buf found;
  buf_init(&found, 4096);
  enum spf_result r = spf_check(ask, &w, "mx.test", address, &found);
  buf_free(&found);
  assert_in_range(w.asked, 1, 24);
  return r;
}

static void records(void **state) {
  static const struct dns_address us = { 4, { 192, 0, 2, 1 } };
  static const struct {
    const char *record;
    enum spf_result want;
  } rows[] = {
    { "v=spf1 mx -all", SPF_PASS },
    { "V=SPF1  +MX ~all", SPF_PASS },
    { "v=spf1 a -all", SPF_FAIL },
    { "v=spf1 a:host.test -all", SPF_PASS },
    { "v=spf1 -mx +all", SPF_FAIL },
    { "v=spf1 ?mx -all", SPF_FAIL },
    { "v=spf1 all", SPF_PASS },
    { "v=spf1 -all mx", SPF_FAIL },
    { "v=spf1", SPF_FAIL },
    { "v=spf10 mx -all", SPF_NONE },
    { NULL, SPF_NONE },
    { "v=spf1 ip4:192.0.2.1 -all", SPF_PASS },
    { "v=spf1 ip4:192.0.2.2/31 -all", SPF_FAIL },
    { "v=spf1 ip4:192.0.2.0/31 -all", SPF_PASS },
    { "v=spf1 ip6:2001:db8::/32 -all", SPF_FAIL },
    { "v=spf1 ip4:nonsense -all", SPF_UNSURE },
    { "v=spf1 include:good.test -all", SPF_PASS },
    { "v=spf1 include:bad.test -all", SPF_FAIL },
    { "v=spf1 include:none.test mx -all", SPF_UNSURE },
    { "v=spf1 include:loop.test -all", SPF_UNSURE },
    { "v=spf1 redirect=good.test", SPF_PASS },
    { "v=spf1 redirect=bad.test", SPF_FAIL },
    { "v=spf1 redirect=turn.test", SPF_UNSURE },
    { "v=spf1 exists:%{i}.x.test -all", SPF_UNSURE },
    { "v=spf1 a:silent.test -all", SPF_LATER },
    { "v=spf1 exp=x.test mx -all", SPF_PASS },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (of(rows[i].record, &us) != rows[i].want)
      fail_msg("%s: %d", rows[i].record, (int)of(rows[i].record, &us));
  static const struct dns_address six = { 16, { 0x20, 1, 0xd, 0xb8, 1 } };
  assert_int_equal(of("v=spf1 ip6:2001:db8::/32 -all", &six), SPF_PASS);
  assert_int_equal(of("v=spf1 ip4:192.0.2.0/24 -all", &six), SPF_FAIL);
}

static void two_records(void **state) {
  static const struct dns_address us = { 4, { 192, 0, 2, 1 } };
  const struct zone zone[] = { { "mx.test", "v=spf1 mx -all" }, { "mx.test", "v=spf1 a -all" } };
  struct world w = { zone, 2, 0 };
  struct buf found;
  buf_init(&found, 4096);
  assert_int_equal(spf_check(ask, &w, "mx.test", &us, &found), SPF_DOUBLE);
  buf_free(&found);
}

int main(void) {
  const struct CMUnitTest tests[] = { cmocka_unit_test(records), cmocka_unit_test(two_records) };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
