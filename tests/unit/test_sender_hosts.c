/* SPDX-License-Identifier: ISC */
/* What the sender makes of DNS answers: src/sender/hosts.c (RFC 5321 §5.1, RFC 7505). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "src/sender/sender.h"

static struct sender us;
static struct process process;
static struct conf conf;
static const struct route by_mx = { .direct = true, .port = 25 };

/* We are mx.us.example at 5.5.5.5 and 2a00::5, and take mail at port 25. */
static int setup(void **state) {
  static const char *listens[] = { "*:25" };
  conf = (struct conf){ .hostname = "mx.us.example", .listen_smtp = { listens, 1 } };
  process = (struct process){ .conf = &conf };
  us.process = &process;
  us.own_count = 2;
  us.own[0] = (struct dial_address){ .n = 4, .octets = { 5, 5, 5, 5 } };
  us.own[1] = (struct dial_address){ .n = 16, .octets = { 0x2a, [15] = 5 } };
  return 0;
}

static struct dns_answer answer(enum dns_result r) {
  return (struct dns_answer){ .kind = DNS_MX, .result = r };
}

/* One more host; "" or an IPv4 or IPv6 address. */
static void add(struct dns_answer *a, uint16_t preference, const char *name, const char *address) {
  struct dns_host *h = &a->hosts[a->host_count++];
  struct dial_address parsed;
  snprintf(h->name, sizeof h->name, "%s", name);
  h->priority = preference;
  if (!address[0]) return;
  assert_true(dial_address_parse(address, 25, &parsed));
  h->addresses[h->address_count] = (struct dns_address){ .n = parsed.n };
  memcpy(h->addresses[h->address_count++].octets, parsed.octets, 16);
}

static struct hosts hosts;

static void check_by(const struct dns_answer *a, const struct route *r, enum hosts_found found,
                     const char *enhanced) {
  char got[16];
  struct hosts_verdict v = hosts_of_answer(&us, a, r, "there.example", &hosts);
  snprintf(got, sizeof got, "%u.%u.%u", v.enhanced[0], v.enhanced[1], v.enhanced[2]);
  assert_int_equal(v.found, found);
  if (found == HOSTS_FOUND) return;
  assert_string_equal(got, enhanced);
  assert_int_equal(hosts.count, 0);
  assert_true(strstr(v.why, "there.example: ") == v.why);
}

static void check(const struct dns_answer *a, enum hosts_found found, const char *enhanced) {
  check_by(a, &by_mx, found, enhanced);
}

/* What ends it at once, and what is looked up again. */
static void no_hosts(void **state) {
  static const struct {
    enum dns_result result;
    enum hosts_found found;
    const char *enhanced;
  } t[] = {
    { DNS_REFUSED, HOSTS_NEVER, "5.1.10" }, /* null MX */
    { DNS_NO_NAME, HOSTS_NEVER, "5.1.2" },  /* NXDOMAIN */
    { DNS_NONE, HOSTS_NEVER, "5.1.2" },     /* neither MX nor addresses */
    { DNS_BAD_NAME, HOSTS_NEVER, "5.1.2" },
    /* SERVFAIL, no answer, a chain of CNAMEs without end */
    { DNS_LATER, HOSTS_LATER, "4.4.3" },
    { DNS_BOGUS, HOSTS_LATER, "4.4.3" },
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct dns_answer a = answer(t[i].result);
    check(&a, t[i].found, t[i].enhanced);
  }
}

/* In the answer's order, each address with the name it belongs to. */
static void order(void **state) {
  struct dns_answer a = answer(DNS_FOUND);
  add(&a, 10, "mx1.there.example", "8.8.8.8");
  add(&a, 20, "mx2.there.example", "");
  add(&a, 20, "mx3.there.example", "2a00::9");
  check(&a, HOSTS_FOUND, "");
  assert_int_equal(hosts.count, 2);
  assert_int_equal(hosts.addresses[0].at.n, 4);
  assert_int_equal(hosts.addresses[0].at.port, 25);
  assert_int_equal(hosts.addresses[1].at.n, 16);
  assert_string_equal(hosts.names[hosts.addresses[1].host], "mx3.there.example");
}

/* No MX: the domain itself, by its addresses (RFC 5321 §5.1); those of ours are a loop then. */
static void implicit(void **state) {
  struct dns_answer a = answer(DNS_FOUND);
  a.implicit = true;
  add(&a, 0, "there.example", "8.8.8.8");
  check(&a, HOSTS_FOUND, "");
  assert_string_equal(hosts.names[0], "there.example");
  a.host_count = 0;
  a.hosts[0].address_count = 0;
  add(&a, 0, "there.example", "5.5.5.5");
  check(&a, HOSTS_NEVER, "5.4.6");
}

/* We stand in the list: hosts that are no better are left out; when that is all of them, mail would
 * come back. */
static void loops(void **state) {
  static const char *const ways[][2] = { { "MX.us.example", "" },
                                         { "alias.there.example", "5.5.5.5" },
                                         { "six.there.example", "2a00::5" } };
  for (size_t i = 0; i < 3; i++) {
    struct dns_answer a = answer(DNS_FOUND);
    add(&a, 10, "mx1.there.example", "8.8.8.8");
    add(&a, 20, "mx2.there.example", "8.8.4.4");
    add(&a, 20, ways[i][0], ways[i][1]);
    add(&a, 30, "mx3.there.example", "1.1.1.1");
    check(&a, HOSTS_FOUND, "");
    assert_int_equal(hosts.count, 1);
    assert_string_equal(hosts.names[0], "mx1.there.example");
    struct dns_answer first = answer(DNS_FOUND);
    add(&first, 10, ways[i][0], ways[i][1]);
    add(&first, 10, "mx1.there.example", "8.8.8.8");
    add(&first, 20, "mx2.there.example", "");
    first.hosts[2].later = true; /* what is left out need not be looked up */
    check(&first, HOSTS_NEVER, "5.4.6");
  }
}

/* A port on which we do not listen belongs to another server even at our address; a route names its
 * host itself. */
static void not_ours(void **state) {
  const struct route other = { .direct = true, .port = 2525 }, named = { .port = 25 };
  struct dns_answer a = answer(DNS_FOUND);
  add(&a, 10, "mx.us.example", "5.5.5.5");
  check_by(&a, &other, HOSTS_FOUND, "");
  check_by(&a, &named, HOSTS_FOUND, "");
}

/* Addresses of private networks: not where a stranger's DNS says so, but where a route or the
 * option does. */
static void private_addresses(void **state) {
  static const char *const inside[] = {
    "127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.0.1",
    "::1",       "fe80::1",  "fd00::1",     "::ffff:127.0.0.1"
  };
  const struct route named = { .port = 25 };
  for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
    struct dns_answer a = answer(DNS_FOUND);
    add(&a, 10, "mx1.there.example", inside[i]);
    check(&a, HOSTS_NEVER, "5.4.4");
    check_by(&a, &named, HOSTS_FOUND, "");
    add(&a, 20, "mx2.there.example", "8.8.8.8");
    check(&a, HOSTS_FOUND, "");
    assert_int_equal(hosts.count, 1);
    assert_int_equal(hosts.addresses[0].at.octets[0], 8);
  }
  struct dns_answer a = answer(DNS_FOUND);
  add(&a, 10, "mx1.there.example", "10.0.0.1");
  conf.send_private_addresses = true;
  check(&a, HOSTS_FOUND, "");
}

/* Names without addresses: for good, or not yet. */
static void without_addresses(void **state) {
  struct dns_answer a = answer(DNS_FOUND);
  add(&a, 10, "mx1.there.example", "");
  check(&a, HOSTS_NEVER, "5.4.4");
  a.hosts[0].later = true;
  check(&a, HOSTS_LATER, "4.4.3");
  add(&a, 20, "mx2.there.example", "127.0.0.1");
  check(&a, HOSTS_LATER, "4.4.3");
}

/* SRV (RFC 2782): only what has the route's port; what is missing may come yet. */
static void services(void **state) {
  const struct route srv = { .port = 587,
                             .host = "there.example",
                             .srv = "_submission._tcp.there.example" };
  char got[WHY_MAX];
  struct dns_answer a = answer(DNS_FOUND), none = answer(DNS_NONE);
  a.kind = none.kind = DNS_SRV;
  add(&a, 10, "mx1.there.example", "8.8.8.8");
  add(&a, 20, "mx2.there.example", "8.8.4.4");
  a.hosts[0].port = 2525, a.hosts[1].port = 587;
  check_by(&a, &srv, HOSTS_FOUND, "");
  assert_int_equal(hosts.count, 1);
  assert_string_equal(hosts.names[0], "mx2.there.example");
  a.hosts[1].port = 25;
  struct hosts_verdict v = hosts_of_answer(&us, &a, &srv, "x", &hosts),
                       w = hosts_of_answer(&us, &none, &srv, "x", &hosts);
  assert_int_equal(v.found, HOSTS_LATER);
  assert_int_equal(w.found, HOSTS_LATER);
  snprintf(got, sizeof got, "%s", w.why);
  assert_non_null(strstr(got, srv.srv));
}

/* As many as are tried at all; the best of them. */
static void limits(void **state) {
  struct dns_answer a = answer(DNS_FOUND);
  for (uint8_t i = 0; i < DNS_HOSTS_MAX; i++) {
    add(&a, i, "mx.there.example", "8.8.8.8");
    for (uint8_t n = 1; n < DNS_ADDRESSES_MAX; n++)
      a.hosts[i].addresses[n] = a.hosts[i].addresses[0];
    a.hosts[i].address_count = i < 1 ? 1 : i < 3 ? DNS_ADDRESSES_MAX : 1;
  }
  check(&a, HOSTS_FOUND, "");
  assert_int_equal(hosts.count, NEXTHOP_ADDRESSES_MAX);
  assert_true(hosts.name_count <= NEXTHOP_HOSTS_MAX);
  assert_int_equal(hosts.addresses[0].host, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(no_hosts, setup),
    cmocka_unit_test_setup(order, setup),
    cmocka_unit_test_setup(implicit, setup),
    cmocka_unit_test_setup(loops, setup),
    cmocka_unit_test_setup(not_ours, setup),
    cmocka_unit_test_setup(private_addresses, setup),
    cmocka_unit_test_setup(without_addresses, setup),
    cmocka_unit_test_setup(limits, setup),
    cmocka_unit_test_setup(services, setup),
  };
  return cmocka_run_group_tests_name("sender_hosts", tests, NULL, NULL);
}
