/* SPDX-License-Identifier: ISC */
/* Names, the order of hosts, messages taken apart (whole and hostile), the machine's files, answers
 * between processes. What libunbound does with real servers: tests/real/dns.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/wire.h"
#include "lib/dns/files.h"
#include "tests/world/rng.h"

/* --- names --- */

static void names(void **state) {
  static const struct {
    const char *text, *is; /* NULL: no name */
  } rows[] = {
    { "example.org", "example.org" },
    { "Example.ORG.", "example.org" },
    { "_pop3s._tcp.example.org", "_pop3s._tcp.example.org" },
    { "localhost", "localhost" },
    { "xn--mnchen-3ya.de", "xn--mnchen-3ya.de" },
    { "a-b.c--d.0x", "a-b.c--d.0x" },
    { "1.2.3.4.in-addr.arpa", "1.2.3.4.in-addr.arpa" },
    { "", NULL },
    { ".", NULL },
    { "..", NULL },
    { "a..b", NULL },
    { ".a", NULL },
    { "a.b..", NULL },
    { "-a.b", NULL },
    { "a-.b", NULL },
    { "192.0.2.1", NULL },
    { "a.1", NULL },
    { "a b.c", NULL },
    { "a%n.c", NULL },
    { "m\xc3\xbcnchen.de", NULL },
    { "a@b.c", NULL },
    { "a/b.c", NULL },
  };
  char to[DNS_NAME_MAX + 1];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    bool ok = dns_name_check(slice_str(rows[i].text), to);
    if (ok != (rows[i].is != NULL)) fail_msg("\"%s\"", rows[i].text);
    if (ok) assert_string_equal(to, rows[i].is);
  }
  assert_false(dns_name_check(slice_of("a\0b", 3), to));
}

static void name_lengths(void **state) {
  char text[300], to[DNS_NAME_MAX + 1];
  memset(text, 'a', sizeof text);
  assert_true(dns_name_check(slice_of(text, 63), to));
  assert_false(dns_name_check(slice_of(text, 64), to));
  for (size_t i = 49; i < sizeof text; i += 50) text[i] = '.';
  assert_true(dns_name_check(slice_of(text, 253), to));
  assert_int_equal(strlen(to), 253);
  assert_false(dns_name_check(slice_of(text, 254), to));
  text[253] = '.';
  assert_true(dns_name_check(slice_of(text, 254), to)); /* the closing dot does not count */
}

/* --- order --- */

static struct dns_answer of_hosts(size_t n, const uint16_t (*priority_weight)[2]) {
  struct dns_answer a = { .kind = DNS_SRV, .result = DNS_FOUND, .host_count = (uint8_t)n };
  for (size_t i = 0; i < n; i++) {
    snprintf(a.hosts[i].name, sizeof a.hosts[i].name, "h%zu.example", i);
    a.hosts[i].port = 110;
    a.hosts[i].priority = priority_weight[i][0];
    a.hosts[i].weight = priority_weight[i][1];
  }
  return a;
}

static unsigned number_of(const struct dns_host *h) { return (unsigned)(h->name[1] - '0'); }

/* How often each of them came first, of 10,000. */
static void firsts(const struct dns_answer *a, unsigned count[]) {
  struct rng rng = rng_from(7);
  for (int i = 0; i < 10000; i++) {
    struct dns_answer b = *a;
    uint32_t chance[DNS_HOSTS_MAX];
    for (size_t k = 0; k < DNS_HOSTS_MAX; k++) chance[k] = (uint32_t)rng_next(&rng);
    dns_order(&b, chance);
    count[number_of(&b.hosts[0])]++;
  }
}

static void near(unsigned count, unsigned wanted) {
  if (count < wanted - 250 || count > wanted + 250)
    fail_msg("%u, about %u were wanted", count, wanted);
}

static void order_by_priority(void **state) {
  const uint16_t rows[][2] = { { 20, 0 }, { 10, 0 }, { 65535, 9 }, { 0, 5 }, { 15, 65535 } };
  struct dns_answer a = of_hosts(5, rows);
  const uint32_t chance[DNS_HOSTS_MAX] = { 0xffffffff, 0xffffffff, 1, 0x80000000, 0 };
  dns_order(&a, chance);
  const unsigned wanted[] = { 3, 1, 4, 0, 2 };
  for (size_t i = 0; i < 5; i++) assert_int_equal(number_of(&a.hosts[i]), wanted[i]);
}

static void order_by_weight(void **state) {
  /* 0 stands for the draw of 0 only: one in sum + 1 */
  const uint16_t rows[][2] = { { 1, 60 }, { 1, 30 }, { 1, 10 }, { 1, 0 }, { 2, 1000 } };
  struct dns_answer a = of_hosts(5, rows);
  unsigned count[5] = { 0 };
  firsts(&a, count);
  near(count[0], 5940);
  near(count[1], 2970);
  near(count[2], 990);
  assert_true(count[3] > 30 && count[3] < 200);
  assert_int_equal(count[4], 0);
}

static void order_without_weights(void **state) {
  const uint16_t rows[][2] = { { 5, 0 }, { 5, 0 }, { 5, 0 }, { 5, 0 } };
  struct dns_answer a = of_hosts(4, rows);
  unsigned count[4] = { 0 };
  firsts(&a, count);
  for (size_t i = 0; i < 4; i++) near(count[i], 2500);
}

/* Whatever is drawn: nobody is lost, nobody doubled. */
static void order_keeps_all(void **state) {
  struct rng rng = rng_from(11);
  for (int i = 0; i < 2000; i++) {
    uint16_t rows[9][2];
    uint32_t chance[DNS_HOSTS_MAX];
    unsigned seen = 0;
    for (size_t k = 0; k < 9; k++) {
      rows[k][0] = (uint16_t)(rng_next(&rng) % 3);
      rows[k][1] = (uint16_t)(rng_next(&rng) % 2 ? rng_next(&rng) : 65535);
    }
    for (size_t k = 0; k < DNS_HOSTS_MAX; k++)
      chance[k] = rng_next(&rng) % 4 ? (uint32_t)rng_next(&rng) : 0xffffffff;
    struct dns_answer a = of_hosts(9, (const uint16_t(*)[2])rows);
    dns_order(&a, chance);
    for (size_t k = 0; k < 9; k++) seen |= 1u << number_of(&a.hosts[k]);
    assert_int_equal(seen, 0x1ff);
    for (size_t k = 1; k < 9; k++) assert_true(a.hosts[k - 1].priority <= a.hosts[k].priority);
  }
}

/* --- messages --- */

static struct buf m;

static void put_name(const char *name) {
  struct slice rest = slice_str(name);
  while (rest.n) {
    struct slice label = slice_split(&rest, '.');
    buf_put_u8(&m, (uint8_t)label.n);
    buf_put(&m, label);
  }
  buf_put_u8(&m, 0);
}

static void begin(unsigned rcode, unsigned answers, const char *name) {
  buf_free(&m);
  buf_init(&m, 70000);
  wire_put_u16(&m, 1);
  wire_put_u16(&m, (uint16_t)(0x8180 | rcode));
  wire_put_u16(&m, 1);
  wire_put_u16(&m, (uint16_t)answers);
  wire_put_u32(&m, 0);
  put_name(name);
  wire_put_u32(&m, 0x00010001);
}

static void record_head(const char *owner, unsigned type, unsigned n) {
  put_name(owner);
  wire_put_u16(&m, (uint16_t)type);
  wire_put_u16(&m, 1);
  wire_put_u32(&m, 300);
  wire_put_u16(&m, (uint16_t)n);
}

static void a_record(const char *owner, uint32_t address) {
  record_head(owner, DNS_TYPE_A, 4);
  wire_put_u32(&m, address);
}

static unsigned wire_length(const char *name) { return name[0] ? (unsigned)strlen(name) + 2 : 1; }

static void srv_record(const char *owner, unsigned priority, unsigned weight, unsigned port,
                       const char *target) {
  record_head(owner, DNS_TYPE_SRV, 6 + wire_length(target));
  wire_put_u16(&m, (uint16_t)priority);
  wire_put_u16(&m, (uint16_t)weight);
  wire_put_u16(&m, (uint16_t)port);
  put_name(target);
}

static void cname_record(const char *owner, const char *target) {
  record_head(owner, DNS_TYPE_CNAME, wire_length(target));
  put_name(target);
}

static enum dns_result addresses(const char *name, struct dns_found *ret) {
  return dns_packet_addresses(buf_slice(&m), name, DNS_TYPE_A, ret);
}

static enum dns_result services(struct dns_answer *ret) {
  memset(ret, 0, sizeof *ret);
  return dns_packet_hosts(buf_slice(&m), "_p._tcp.a.example", DNS_TYPE_SRV, ret);
}

static void message_addresses(void **state) {
  struct dns_found f;
  begin(0, 4, "a.example");
  cname_record("A.Example", "b.example");
  a_record("a.example", 0x01010101); /* beside a CNAME nothing else counts */
  cname_record("b.example", "c.example");
  a_record("c.example", 0x7f000002);
  assert_int_equal(addresses("a.example", &f), DNS_FOUND);
  assert_int_equal(f.count, 1);
  assert_memory_equal(f.addresses[0].octets, "\x7f\0\0\2", 4);
  begin(0, 2, "a.example");
  a_record("other.example", 0x01010101);   /* nobody asked for it */
  record_head("a.example", DNS_TYPE_A, 3); /* too short */
  buf_put_str(&m, "abc");
  assert_int_equal(addresses("a.example", &f), DNS_NONE);
  begin(0, 40, "a.example");
  for (int i = 0; i < 40; i++) a_record("a.example", 0x0a000000u + (unsigned)i);
  assert_int_equal(addresses("a.example", &f), DNS_FOUND);
  assert_int_equal(f.count, DNS_ADDRESSES_MAX);
}

static void message_verdicts(void **state) {
  struct dns_found f;
  begin(3, 0, "a.example");
  assert_int_equal(addresses("a.example", &f), DNS_NO_NAME);
  begin(2, 0, "a.example");
  assert_int_equal(addresses("a.example", &f), DNS_LATER);
  begin(0, 0, "a.example");
  assert_int_equal(addresses("a.example", &f), DNS_NONE);
  m.mem[m.head + 2] &= 0x7f; /* a question, not an answer */
  assert_int_equal(addresses("a.example", &f), DNS_LATER);
}

static void message_services(void **state) {
  struct dns_answer a;
  begin(0, 3, "_p._tcp.a.example");
  srv_record("_p._tcp.a.example", 20, 1, 110, "Late.example");
  srv_record("_p._tcp.a.example", 10, 7, 995, "first.example");
  srv_record("_p._tcp.a.example", 10, 7, 0, "no-port.example");
  assert_int_equal(services(&a), DNS_FOUND);
  assert_int_equal(a.host_count, 2);
  assert_string_equal(a.hosts[0].name, "first.example");
  assert_int_equal(a.hosts[0].port, 995);
  assert_int_equal(a.hosts[0].weight, 7);
  assert_string_equal(a.hosts[1].name, "late.example");
  begin(0, 1, "_p._tcp.a.example");
  srv_record("_p._tcp.a.example", 0, 0, 0, "");
  assert_int_equal(services(&a), DNS_REFUSED);
  begin(0, 1, "_p._tcp.a.example");
  srv_record("_p._tcp.a.example", 0, 0, 995, "x%n.example");
  assert_int_equal(services(&a), DNS_LATER);
  /* the best of many are kept */
  begin(0, 100, "_p._tcp.a.example");
  for (unsigned i = 0; i < 100; i++)
    srv_record("_p._tcp.a.example", 1000 - i, 0, 1 + i, "h.example");
  assert_int_equal(services(&a), DNS_FOUND);
  assert_int_equal(a.host_count, DNS_HOSTS_MAX);
  for (unsigned i = 0; i < DNS_HOSTS_MAX; i++) assert_int_equal(a.hosts[i].priority, 901 + i);
}

/* RFC 1035 §3.3.9, RFC 7505; data of 0, 1, 2 octets (DN-8) */
static void message_exchangers(void **state) {
  struct dns_answer a = { 0 };
  begin(0, 5, "a.example");
  for (unsigned n = 0; n < 3; n++) {
    record_head("a.example", DNS_TYPE_MX, n);
    buf_put(&m, slice_of("\0\0\0", n));
  }
  record_head("a.example", DNS_TYPE_MX, 12);
  wire_put_u16(&m, 10);
  put_name("mx.exam"), buf_put_u8(&m, 0); /* an octet too much */
  record_head("a.example", DNS_TYPE_MX, 2 + wire_length("mx.example"));
  wire_put_u16(&m, 10);
  put_name("mx.example");
  assert_int_equal(dns_packet_hosts(buf_slice(&m), "a.example", DNS_TYPE_MX, &a), DNS_FOUND);
  assert_int_equal(a.host_count, 1);
  assert_string_equal(a.hosts[0].name, "mx.example");
  begin(0, 1, "a.example");
  record_head("a.example", DNS_TYPE_MX, 3);
  wire_put_u16(&m, 0), buf_put_u8(&m, 0);
  assert_int_equal(dns_packet_hosts(buf_slice(&m), "a.example", DNS_TYPE_MX, &a), DNS_REFUSED);
}

/* TXT (RFC 1035 §3.3.14): the strings of a record as one; a record whose strings do not end with it
 * is left out. */
static void message_texts(void **state) {
  static struct dns_answer a;
  struct slice text;
  size_t at = 0;
  begin(0, 4, "a.example");
  record_head("a.example", DNS_TYPE_TXT, 9);
  buf_put(&m, SLICE("\3abc\0\3d\"\\"));
  record_head("a.example", DNS_TYPE_TXT, 4);
  buf_put(&m, SLICE("\7abc"));
  record_head("b.example", DNS_TYPE_TXT, 2);
  buf_put(&m, SLICE("\1x"));
  record_head("a.example", DNS_TYPE_TXT, 0);
  assert_int_equal(dns_packet_texts(buf_slice(&m), "a.example", DNS_TYPE_TXT, &a), DNS_FOUND);
  assert_true(dns_text_next(&a, &at, &text) && slice_eq(text, SLICE("abcd\"\\")));
  assert_true(dns_text_next(&a, &at, &text) && text.n == 0);
  assert_false(dns_text_next(&a, &at, &text));
  begin(0, 1, "a.example");
  record_head("a.example", DNS_TYPE_TXT, 2);
  buf_put(&m, SLICE("\2x"));
  assert_int_equal(dns_packet_texts(buf_slice(&m), "a.example", DNS_TYPE_TXT, &a), DNS_LATER);
  begin(0, 0, "a.example");
  assert_int_equal(dns_packet_texts(buf_slice(&m), "a.example", DNS_TYPE_TXT, &a), DNS_NONE);
  /* those that fit are kept */
  begin(0, 100, "a.example");
  for (unsigned i = 0; i < 100; i++) {
    record_head("a.example", DNS_TYPE_TXT, 200);
    buf_put_u8(&m, 199);
    for (unsigned k = 0; k < 199; k++) buf_put_u8(&m, 'x');
  }
  assert_int_equal(dns_packet_texts(buf_slice(&m), "a.example", DNS_TYPE_TXT, &a), DNS_FOUND);
  assert_int_equal(a.texts_n, DNS_TEXTS_OCTETS / 201 * 201);
}

static void message_pointers_to_names(void **state) {
  static struct dns_answer a;
  struct slice text;
  size_t at = 0;
  begin(0, 2, "1.2.0.192.in-addr.arpa");
  record_head("1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, wire_length("Mail.example"));
  put_name("Mail.example");
  record_head("1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, 1);
  put_name("");
  assert_int_equal(dns_packet_texts(buf_slice(&m), "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, &a),
                   DNS_FOUND);
  assert_true(dns_text_next(&a, &at, &text) && slice_eq(text, SLICE("mail.example")));
  assert_false(dns_text_next(&a, &at, &text));
  char name[DNS_NAME_MAX + 1];
  dns_reverse_name(&(struct dns_address){ 4, { 192, 0, 2, 10 } }, name);
  assert_string_equal(name, "10.2.0.192.in-addr.arpa");
  dns_reverse_name(
      &(struct dns_address){ 16, { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xab } },
      name);
  assert_string_equal(name,
                      "b.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

static void texts_travel(void **state) {
  static struct dns_answer a, back;
  struct buf b;
  a = (struct dns_answer){ .kind = DNS_TXT, .result = DNS_FOUND };
  buf_init(&b, DNS_ANSWER_MAX);
  for (size_t i = 0; i < 60; i++) dns_text_add(&a, slice_first(slice_of(back.texts, 99), i));
  memset(a.why, 'w', DNS_WHY_MAX);
  dns_answer_put(&b, &a);
  assert_true(dns_answer_get(buf_slice(&b), &back));
  assert_memory_equal(&a, &back, sizeof a);
  for (size_t n = 0; n < buf_len(&b); n += 13)
    assert_false(dns_answer_get(slice_first(buf_slice(&b), n), &back));
  buf_reset(&b);
  a.texts_n--; /* the last text is cut */
  dns_answer_put(&b, &a);
  assert_false(dns_answer_get(buf_slice(&b), &back));
  buf_reset(&b);
  a.texts_n = 0; /* found, but nothing */
  dns_answer_put(&b, &a);
  assert_false(dns_answer_get(buf_slice(&b), &back));
  buf_free(&b);
}

/* A name by a pointer: back is right, to itself and forward are not; a chain of pointers ends. */
static void message_pointers(void **state) {
  struct dns_found f;
  for (unsigned to = 0; to < 60; to++) {
    begin(0, 1, "a.example");
    wire_put_u16(&m, (uint16_t)(0xc000 | to));
    wire_put_u16(&m, DNS_TYPE_A);
    wire_put_u16(&m, 1);
    wire_put_u32(&m, 300);
    wire_put_u16(&m, 4);
    wire_put_u32(&m, 0x7f000001);
    enum dns_result result = addresses("a.example", &f);
    if (to == 12)
      assert_int_equal(result, DNS_FOUND);
    else
      assert_true(result == DNS_NONE || result == DNS_LATER);
    if (to >= 27) assert_int_equal(result, DNS_LATER);
  }
  begin(0, 1, "a.example");
  wire_put_u16(&m, 0xc000 | 12);
  for (unsigned i = 0; i < 8000; i++) wire_put_u16(&m, (uint16_t)(0xc000 | (27 + 2 * i)));
  assert_int_equal(addresses("a.example", &f), DNS_LATER);
}

static void message_chains(void **state) {
  struct dns_found f;
  begin(0, 3, "a.example");
  cname_record("a.example", "b.example");
  cname_record("b.example", "a.example");
  a_record("a.example", 1);
  assert_int_equal(addresses("a.example", &f), DNS_FOUND); /* each record is read once: no loop */
  begin(0, 18, "h0.example");
  for (int i = 0; i < 17; i++) {
    char from[32], to[32];
    snprintf(from, sizeof from, "h%d.example", i), snprintf(to, sizeof to, "h%d.example", i + 1);
    cname_record(from, to);
  }
  a_record("h17.example", 1);
  assert_int_equal(addresses("h0.example", &f), DNS_LATER);
}

/* Labels with dots inside, of no letters, too long together. */
static void message_foul_names(void **state) {
  static const char *const labels[] = { "a.example", "\x01\x02", "\xff", "%s%n", "a b", "-" };
  struct dns_answer a;
  for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
    begin(0, 1, "_p._tcp.a.example");
    size_t n = strlen(labels[i]);
    record_head("_p._tcp.a.example", DNS_TYPE_SRV, (unsigned)(6 + n + 2));
    wire_put_u32(&m, 0), wire_put_u16(&m, 995);
    buf_put_u8(&m, (uint8_t)n), buf_put_str(&m, labels[i]), buf_put_u8(&m, 0);
    assert_int_equal(services(&a), DNS_LATER);
  }
  begin(0, 1, "_p._tcp.a.example");
  record_head("_p._tcp.a.example", DNS_TYPE_SRV, 6 + 64 * 5 + 1);
  wire_put_u32(&m, 0), wire_put_u16(&m, 995);
  for (int i = 0; i < 5; i++) {
    buf_put_u8(&m, 63);
    for (int k = 0; k < 63; k++) buf_put_u8(&m, 'a');
  }
  buf_put_u8(&m, 0);
  assert_int_equal(services(&a), DNS_LATER);
}

/* Every cut of a good message, every octet of it changed: an answer, never more than was there. */
static void message_damage(void **state) {
  struct dns_answer a;
  struct dns_found f;
  begin(0, 3, "_p._tcp.a.example");
  cname_record("_p._tcp.a.example", "q.example");
  srv_record("q.example", 1, 2, 3, "t.example");
  srv_record("q.example", 1, 2, 3, "u.example");
  struct slice whole = buf_slice(&m);
  for (size_t n = 0; n < whole.n; n++) {
    uint8_t *copy = malloc(n ? n : 1);
    memcpy(copy, whole.p, n);
    dns_packet_hosts(slice_of(copy, n), "_p._tcp.a.example", DNS_TYPE_SRV, &a);
    dns_packet_addresses(slice_of(copy, n), "_p._tcp.a.example", DNS_TYPE_A, &f);
    free(copy);
  }
  for (size_t i = 0; i < whole.n; i++)
    for (unsigned c = 0; c < 256; c++) {
      uint8_t was = m.mem[m.head + i];
      m.mem[m.head + i] = (uint8_t)c;
      services(&a);
      assert_true(a.host_count <= 2);
      m.mem[m.head + i] = was;
    }
  assert_int_equal(services(&a), DNS_FOUND);
  assert_int_equal(a.host_count, 2);
}

/* --- between processes --- */

static void answers_travel(void **state) {
  struct buf b;
  struct dns_answer a = { .kind = DNS_MX,
                          .result = DNS_FOUND,
                          .secure = true,
                          .host_count = DNS_HOSTS_MAX },
                    back;
  for (size_t i = 0; i < DNS_HOSTS_MAX; i++) {
    struct dns_host *h = &a.hosts[i];
    memset(h->name, 'a', DNS_NAME_MAX);
    for (size_t k = 49; k < DNS_NAME_MAX; k += 50) h->name[k] = '.';
    h->port = 995, h->priority = (uint16_t)i, h->weight = 3, h->later = i % 2,
    h->address_count = DNS_ADDRESSES_MAX;
    for (size_t k = 0; k < DNS_ADDRESSES_MAX; k++)
      h->addresses[k] = (struct dns_address){ 16, { (uint8_t)k } };
  }
  memset(a.why, 'w', DNS_WHY_MAX);
  buf_init(&b, DNS_ANSWER_MAX);
  dns_answer_put(&b, &a);
  assert_false(b.failed); /* the largest fits */
  assert_true(dns_answer_get(buf_slice(&b), &back));
  assert_memory_equal(&a, &back, sizeof a);
  for (size_t n = 0; n < buf_len(&b); n++)
    assert_false(dns_answer_get(slice_first(buf_slice(&b), n), &back));
  buf_reset(&b);
  a.host_count = 0; /* found, but nobody */
  dns_answer_put(&b, &a);
  assert_false(dns_answer_get(buf_slice(&b), &back));
  buf_free(&b);
}

/* --- the machine's files --- */

static char path[64];

static void write_file(const char *text) {
  snprintf(path, sizeof path, "/tmp/qasid-dns-XXXXXX");
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
}

static void hosts_file(void **state) {
  struct dns_found f;
  write_file("# 10.0.0.9 comment.example\n127.0.0.1\tlocalhost\n::1 localhost ip6-localhost # "
             "x.example\r\n"
             "nonsense a.example\n10.0.0.1 A.Example  b.example\n10.0.0.2 a.example\n10.0.0.3");
  struct dns_hosts *h = dns_hosts_read(path);
  assert_non_null(h);
  dns_hosts_find(h, "a.example", 4, &f);
  assert_int_equal(f.count, 2);
  assert_memory_equal(f.addresses[1].octets, "\x0a\0\0\2", 4);
  dns_hosts_find(h, "a.example", 16, &f);
  assert_int_equal(f.count, 0);
  dns_hosts_find(h, "ip6-localhost", 16, &f);
  assert_int_equal(f.count, 1);
  dns_hosts_find(h, "x.example", 16, &f);
  assert_int_equal(f.count, 0);
  dns_hosts_find(h, "comment.example", 4, &f);
  assert_int_equal(f.count, 0);
  dns_hosts_free(&h);
  unlink(path);
  h = dns_hosts_read(path); /* it is gone: nobody is known */
  assert_non_null(h);
  dns_hosts_find(h, "localhost", 4, &f);
  assert_int_equal(f.count, 0);
  dns_hosts_free(&h);
}

static void check_servers(const struct dns_settings *s, const char *wanted) {
  struct buf got, err;
  buf_init(&got, DNS_SERVERS_TEXT_MAX);
  buf_init(&err, 256);
  assert_int_equal(dns_servers(s, &got, &err), wanted != NULL);
  if (wanted)
    assert_string_equal(buf_cstr(&got), wanted);
  else
    assert_true(buf_len(&err) > 0);
  buf_free(&got);
  buf_free(&err);
}

static void name_servers(void **state) {
  write_file(
      "search example.org\n# nameserver 9.9.9.9\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 \n"
      "nameserver fe80::1%eth0\nnameserver nonsense\noptions edns0\n");
  check_servers(&(struct dns_settings){ .resolv_conf = path },
                "192.0.2.1@53\n2001:db8::1@53\nfe80::1%eth0@53\n");
  unlink(path);
  check_servers(&(struct dns_settings){ .resolv_conf = path }, "127.0.0.1@53\n");
  const char *const own[] = { "127.0.0.1@5300", "::1" };
  check_servers(&(struct dns_settings){ .servers = own, .server_count = 2 },
                "127.0.0.1@5300\n::1@53\n");
  static const char *const wrong[] = { "",           "x",         "1.2.3",
                                       "1.2.3.4@",   "1.2.3.4@0", "1.2.3.4@65536",
                                       "1.2.3.4:53", "1.2.3.4%x", "::1%",
                                       "::1%a b",    "@53" };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    check_servers(&(struct dns_settings){ .servers = &wrong[i], .server_count = 1 }, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(names),
    cmocka_unit_test(name_lengths),
    cmocka_unit_test(order_by_priority),
    cmocka_unit_test(order_by_weight),
    cmocka_unit_test(order_without_weights),
    cmocka_unit_test(order_keeps_all),
    cmocka_unit_test(message_addresses),
    cmocka_unit_test(message_verdicts),
    cmocka_unit_test(message_services),
    cmocka_unit_test(message_exchangers),
    cmocka_unit_test(message_pointers),
    cmocka_unit_test(message_chains),
    cmocka_unit_test(message_foul_names),
    cmocka_unit_test(message_damage),
    cmocka_unit_test(answers_travel),
    cmocka_unit_test(message_texts),
    cmocka_unit_test(message_pointers_to_names),
    cmocka_unit_test(texts_travel),
    cmocka_unit_test(hosts_file),
    cmocka_unit_test(name_servers),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  buf_free(&m);
  return failed;
}
