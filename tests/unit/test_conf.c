/* SPDX-License-Identifier: ISC */
/* The configuration: what a file may say, what a mistake is told, and that the documents agree with
 * the options. Run from the root of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "conf/docs.h"

struct says {
  const char *text, *mistake; /* NULL: none */
};

static char *parse_error(const char *text, struct buf *err) {
  buf_init(err, 65536);
  struct conf *c = conf_parse(slice_str(text), "f", err);
  bool ok = c != NULL;
  assert_int_equal(ok, buf_len(err) == 0);
  conf_free(&c);
  return (char *)(uintptr_t)buf_cstr(err);
}

static void check_says(const struct says *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct buf err;
    const char *got = parse_error(rows[i].text, &err);
    if (!rows[i].mistake)
      assert_string_equal(got, "");
    else if (!strstr(got, rows[i].mistake))
      fail_msg("%s: got \"%s\", not \"%s\"", rows[i].text, got, rows[i].mistake);
    buf_free(&err);
  }
}

static void defaults_parse(void **state) {
  struct conf *c = conf_defaults();
  assert_non_null(c);
  assert_string_equal(c->data_dir, "/var/lib/qasid");
  assert_int_equal(c->message_size_limit, 50u << 20);
  assert_int_equal(c->smtp_command_timeout, 300);
  assert_int_equal(c->listen_smtp.count, 1);
  assert_string_equal(c->listen_smtp.items[0], "*:25");
  assert_int_equal(c->tls_certificates.count, 0);
  assert_int_equal(c->bare_lf, CONF_BARE_LF_REJECT);
  assert_int_equal(c->tls_least, CONF_TLS_1_2);
  assert_false(c->plaintext_auth);
  conf_free(&c);
  assert_null(c);
}

static void values(void **state) {
  static const char text[] =
      "hostname = mail.example.org # a comment\n"
      "message_size_limit = 25M // another\n"
      "/* three\n lines\n */ pop3_idle_timeout = \"1h\"\n"
      "listen_smtp = { # inside a list\n \"127.0.0.1:2525\", /* and */ \"[::1]:2525\" }\n"
      "listen_pop3 = {}\nlisten_pop3s += \"*:1995\"\n"
      "plaintext_auth = YES\nbare_lf = fix\nrecipient_delimiter = \"\"\n"
      "data_dir = \"/srv/#mail//x \\\"y\\\" \\$z\"\n";
  struct buf err;
  buf_init(&err, 4096);
  struct conf *c = conf_parse(slice_str(text), "f", &err);
  assert_string_equal(buf_cstr(&err), "");
  assert_non_null(c);
  assert_string_equal(c->hostname, "mail.example.org");
  assert_int_equal(c->message_size_limit, 25u << 20);
  assert_int_equal(c->pop3_idle_timeout, 3600);
  assert_int_equal(c->listen_smtp.count, 2);
  assert_string_equal(c->listen_smtp.items[1], "[::1]:2525");
  assert_int_equal(c->listen_pop3.count, 0);
  assert_int_equal(c->listen_pop3s.count, 2);
  assert_true(c->plaintext_auth);
  assert_int_equal(c->bare_lf, CONF_BARE_LF_FIX);
  assert_string_equal(c->recipient_delimiter, "");
  assert_string_equal(c->data_dir, "/srv/#mail//x \"y\" $z");
  conf_free(&c);
  buf_free(&err);
}

static void networks(void **state) {
  static const char *names[] = { "192.0.2.0/25", "198.51.100.7", "2001:db8:1::/47", "10.0.0.0/0" };
  static const struct {
    const char *peer;
    size_t n;
    bool in[4];
  } rows[] = {
    { "\xc0\x00\x02\x7f", 4, { true, false, false, true } },
    { "\xc0\x00\x02\x80", 4, { false, false, false, true } },
    { "\xc6\x33\x64\x07", 4, { false, true, false, true } },
    { "\x20\x01\x0d\xb8\x00\x00\0\0\0\0\0\0\0\0\0\1", 16, { false, false, true, false } },
    { "\x20\x01\x0d\xb8\x00\x02\0\0\0\0\0\0\0\0\0\1", 16, { false, false, false, false } },
    { "", 0, { false, false, false, false } },
  };
  static const char *const wrong[] = {
    "",       "x",     "192.0.2",    "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/8/8",
    "::/129", "[::1]", "fe80::1%lo", "192.0.2.0/ 8"
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (size_t k = 0; k < 4; k++)
      assert_int_equal(conf_in_networks(&(struct conf_list){ &names[k], 1 },
                                        slice_of((const uint8_t *)rows[i].peer, rows[i].n)),
                       rows[i].in[k]);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    assert_false(conf_is_network(slice_str(wrong[i])));
  assert_false(conf_in_networks(&(struct conf_list){ NULL, 0 }, SLICE("\x7f\0\0\1")));
}

static void mistakes_of_grammar(void **state) {
  static const struct says rows[] = {
    { "", NULL },
    { "\n\n", NULL },
    { "hostnam = x\n", "f:1: hostnam: there is no such option; hostname is near\n" },
    { "\n/* a\nb */\nzzzz = x\n", "f:4: zzzz: there is no such option; `qasid config --help`" },
    { "a = 1\nmesage_size_limit = 1M\nhostname = -x\n", "f:3: hostname:" },
    { "hostname = b\xc3\xbc"
      "cher.example\n",
      "f:1: hostname:" }, /* RFC 6531 §3.7.1: in EHLO and its reply */
    { "a = 1\nmesage_size_limit = 1M\n",
      "f:2: mesage_size_limit: there is no such option; message_size_limit is near" },
    { "hostname = a\nhostname = b\n",
      "f:2: hostname: is set a second time; the first is in line 1" },
    { "listen_smtp = { \"*:25\" }\nlisten_smtp = { \"*:26\" }\n",
      "f:2: listen_smtp: is set a second time; the first is in line 1, and += adds to it" },
    { "listen_smtp = {\"*:25\",\n\"*:26\"}\n\nlisten_smtp={}\n",
      "f:4: listen_smtp: is set a second time; the first is in line 1" },
    { "listen_smtp = { \"*:25\" }\nlisten_smtp += { \"*:26\" }\n", NULL },
    { "# listen_smtp = {}\nlisten_smtp = { \"*:25\" }\ndata_dir = \"/listen_smtp = {}\"\n", NULL },
    { "hostname", "premature end" },
    { "hostname = \"abc", "premature end" },
    { "hostname = 'abc", "unterminated" },
    { "hostname a\n", "missing equal sign" },
    { "hostname = {a}\n", "f:1: unexpected token" },
    { "}\n", "unexpected closing brace" },
    { "include(\"/etc/passwd\")\n", "include" },
    { "\"\" = x\n", "not understood" },
    { "data_dir = \"/a\\001b\"\n", "control character" },
  };
  check_says(rows, sizeof rows / sizeof *rows);
}

static void mistakes_of_value(void **state) {
  static const struct says rows[] = {
    { "received_limit = 4\n", "f:1: received_limit: out of range, it can be 5 to 1000" },
    { "received_limit = 5x\n", "\"5x\" is not a number" },
    { "received_limit = -5\n", "\"-5\" is not a number" },
    { "received_limit = 99999999999999999999999\n", "is not a number" },
    { "message_size_limit = 1023\n", "out of range, it can be 1K to 1T" },
    { "message_size_limit = 1k\n", NULL },
    { "message_size_limit = 16777216T\n", "is not a size" },
    { "message_size_limit = 5s\n", "is not a size" },
    { "message_size_limit = M\n", "is not a size" },
    { "message_size_limit = \"\"\n", "is not a size" },
    { "pop3_idle_timeout = 59s\n", "out of range, it can be 1m to 1d" },
    { "pop3_idle_timeout = 10M\n", "is not a time" },
    { "pop3_idle_timeout = 600\n", NULL },
    { "bare_lf = maybe\n", "\"maybe\" is not one of reject|fix" },
    { "plaintext_auth = perhaps\n", "\"perhaps\" is not one of no|yes" },
    { "hostname = a..b\n", "not a host name" },
    { "hostname = \"a b\"\n", "not a host name" },
    { "data_dir = mail\n", "must be a whole path" },
    { "data_dir = \"\"\n", "data_dir: is empty" },
    { "run_dir = "
      "\"/"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaa"
      "\"\n",
      "run_dir: has" },
    { "user = \"Root!\"\n", "not a user name" },
    { "recipient_delimiter = a\n", "can hold" },
    { "listen_smtp = \"25\"\n", "not an address to listen on" },
    { "auth_mechanisms = { \"PLAIN\", \"PLAIM\" }\n", "\"PLAIM\" is not a SASL mechanism" },
    { "listen_smtp = \"*:0\"\n", "not an address" },
    { "listen_smtp = \"*:65536\"\n", "not an address" },
    { "listen_smtp = \"::1:25\"\n", "not an address" },
    { "listen_smtp = \"[127.0.0.1]:25\"\n", "not an address" },
    { "listen_smtp = \"mail.example.org:25\"\n", "not an address" },
    { "listen_smtp = *:25\n", "not an address" }, /* libconfuse's grammar drops an unquoted * */
    { "listen_smtp = \"[fe80::1]:25\"\n", NULL },
    { "routes = { \"*\" }\n", "is not a route" },
    { "routes = { \"* smtp.example.net:0\" }\n", "is not a route" },
    { "routes = { \"* smtp.example.net:587 tls=sometimes\" }\n", "is not a route" },
    { "routes = { \"* srv:submission.example.net\" }\n", "is not a route" },
    { "routes = { \"a.example direct\", \".b.example [::1]:25 lmtp\", \"* h.example tls=none\" }\n",
      NULL },
    { "routes = { \"* srv:_submission._tcp.example.net:2587  tls=verified\" }\n", NULL },
    { "routes = { \"account:alice h.example\" }\n", "is not a route" },
    { "routes = { \"from:a@b.example h.example\" }\n", "is not a route" },
    { "routes = { \"from: h.example\" }\n", "is not a route" },
    { "routes = { \"account:a@b.example h.example\", \"from:b.example direct\" }\n", NULL },
    { "routes = { \"* h.example login=\" }\n", "is not a route" },
    { "routes = { \"* srv:_other._tcp.example.net\" }\n", "is not a route" },
    { "routes = { \"* srv:_other._tcp.example.net:2525\" }\n", NULL },
    { "routes = { \"* srv:_smtp._udp.example.net\" }\n", "is not a route" },
    { "routes = { \"* srv:_lmtp._tcp.example.net\" }\n", NULL },
    { "source_addresses = { \"mail.example.org\" }\n", "is not an address with a name" },
    { "source_addresses = { \"192.0.2.1 a..b\" }\n", "is not an address with a name" },
    { "source_addresses = { \"192.0.2.1 a.example\", \"2001:db8::1\" }\n", NULL },
  };
  check_says(rows, sizeof rows / sizeof *rows);
}

static void mistakes_of_the_whole(void **state) {
  static const struct says rows[] = {
    { "\nroutes = { \"a.example direct\",\n\"* h.example\", \"A.example x.example\" }\n",
      "f:3: routes: no. 3 (\"A.example x.example\") is for the same mail as no. 1" },
    { "routes = { \"account:a@b.example h\", \"account:a@B.example direct\" }\n",
      "f:1: routes: no. 2" },
    { "routes = { \"* h.example login=x\" }\n", "no file of route_passwords" },
    { "tls_certificates = \"/a\"\n", "f: tls_keys: has 0 files, tls_certificates has 1" },
    { "tls_certificates = {\"/a\"}\ntls_keys = {\"/b\", \"/c\"}\n", "f:2: tls_keys: has 2 files" },
    { "tls_certificates = {\"/a\"}\ntls_keys = {\"/b\"}\n", NULL },
    { "listen_pop3 = \"*:25\"\n",
      "f:1: listen_pop3: \"*:25\" is listened on already, by listen_smtp" },
    { "smtp_session_time = 60\n", "shorter than smtp_command_timeout" },
  };
  check_says(rows, sizeof rows / sizeof *rows);
}

/* Routes with ports from 1001 on. */
static const char *check_ports(unsigned count, const char *more, struct buf *err) {
  struct buf text;
  buf_init(&text, 65536);
  buf_put_str(&text, "\nroutes = { \"plain.example h.example\"");
  for (unsigned i = 1; i <= count; i++)
    buf_printf(&text, ",\n\"d%u.example h%u.example:%u\"", i, i, 1000 + i);
  buf_printf(&text, "%s }\n", more);
  buf_init(err, 65536);
  struct conf *c = conf_parse(buf_slice(&text), "f", err);
  conf_free(&c);
  buf_free(&text);
  buf_put_u8(err, 0);
  return (const char *)buf_slice(err).p;
}

static void ports_of_routes(void **state) {
  uint16_t ports[CONF_DIALS_MAX];
  struct buf err;
  /* remote_port is one of the 64 */
  assert_string_equal(check_ports(63, ", \"x.example h:1063\", \"y.example h:25\"", &err), "");
  buf_free(&err);
  const char *got = check_ports(63, ",\n\"x.example srv:_lmtp._tcp.h.example\"", &err);
  assert_non_null(strstr(got, "f:66: routes: no. 65 (\"x.example srv:_lmtp._tcp.h.example\") has a "
                              "port beyond the 64 different ones"));
  buf_free(&err);
  struct conf *c = conf_parse(SLICE("remote_port = 2525\nroutes = { \"a.example [::1]\", "
                                    "\"b.example [::1]:26 lmtp\", \"c.example direct\", "
                                    "\"d.example srv:_submissions._tcp.example\" }\n"),
                              "f", &err);
  assert_non_null(c);
  assert_int_equal(conf_route_ports(c, ports), 3);
  assert_int_equal(ports[0], 2525);
  assert_int_equal(ports[1], 26);
  assert_int_equal(ports[2], 465);
  conf_free(&c);
}

static void every_mistake_is_told(void **state) {
  struct buf err;
  const char *got =
      parse_error("hostnme = a\nreceived_limit = 1\nlog_levl = info\nbare_lf = x\n", &err);
  unsigned lines = 0;
  for (const char *p = got; *p; p++) lines += *p == '\n';
  assert_int_equal(lines, 4);
  buf_free(&err);
}

static void hostile_text(void **state) {
  struct buf err;
  buf_init(&err, 65536);
  assert_null(conf_parse(SLICE("hostname = a\0b"), "f", &err));
  struct buf many;
  buf_init(&many, 100000);
  for (int i = 0; i < 200; i++) buf_printf(&many, "unknown%d = 1\n", i);
  buf_reset(&err);
  assert_null(conf_parse(buf_slice(&many), "f", &err));
  buf_free(&many);
  buf_free(&err);
}

static void dump_reads_back(void **state) {
  struct buf err, one, two;
  buf_init(&err, 4096), buf_init(&one, 65536), buf_init(&two, 65536);
  struct conf *c =
      conf_parse(SLICE("data_dir = '/a ${HOME} \"q\" \\\\ b'\nquota = 3G\nlisten_smtp = {}\n"
                       "auth_penalty_most = 90\nlog_format = json\n"),
                 "f", &err);
  assert_non_null(c);
  assert_string_equal(c->data_dir, "/a ${HOME} \"q\" \\ b");
  conf_dump(c, &one);
  struct conf *again = conf_parse(buf_slice(&one), "dump", &err);
  assert_non_null(again);
  conf_dump(again, &two);
  assert_true(slice_eq(buf_slice(&one), buf_slice(&two)));
  assert_string_equal(again->data_dir, c->data_dir);
  assert_int_equal(again->quota, 3ull << 30);
  conf_free(&c), conf_free(&again);
  buf_free(&err), buf_free(&one), buf_free(&two);
}

static void restart_needed(void **state) {
  struct buf out;
  buf_init(&out, 4096);
  struct conf *a = conf_defaults();
  struct conf *b = conf_parse(SLICE("data_dir = /x\nquota = 1G\nsmtpd_processes = 3\n"), "f", &out);
  assert_non_null(b);
  conf_restart_needed(a, b, &out);
  assert_string_equal(buf_cstr(&out), "data_dir, smtpd_processes");
  struct conf *c = conf_reloaded(a, b);
  assert_non_null(c);
  assert_string_equal(c->data_dir, a->data_dir);
  assert_int_equal(c->smtpd_processes, a->smtpd_processes);
  assert_int_equal(c->quota, 1ull << 30);
  conf_free(&a), conf_free(&b), conf_free(&c);
  buf_free(&out);
}

static void same_as_file(const char *path, struct buf *made) {
  FILE *f = fopen(path, "r");
  if (!f) fail_msg("%s is missing; `make docs` writes it", path);
  static char text[256 * 1024];
  size_t n = fread(text, 1, sizeof text, f);
  fclose(f);
  if (!slice_eq(slice_of(text, n), buf_slice(made)))
    fail_msg("%s is not what conf/options.def says; `make docs`", path);
}

static void documents_agree(void **state) {
  struct buf out, err;
  buf_init(&out, 256 * 1024), buf_init(&err, 4096);
  conf_sample(&out);
  same_as_file("docs/qasid.conf.sample", &out);
  struct conf *c = conf_parse(buf_slice(&out), "sample", &err);
  assert_non_null(c);
  conf_free(&c);
  buf_reset(&out);
  conf_manual(&out);
  same_as_file("docs/man/qasid.conf.5", &out);
  buf_reset(&out);
  assert_true(conf_help(&out, NULL));
  for (size_t i = 0; i < conf_option_count; i++)
    assert_true(slice_search(buf_slice(&out), slice_str(conf_options[i].name)) >= 0);
  assert_false(conf_help(&out, "nonsense"));
  buf_free(&out), buf_free(&err);
}

/* The sample with its options uncommented says nothing but defaults. */
static void sample_is_the_defaults(void **state) {
  struct buf out, text, err, one, two;
  buf_init(&out, 256 * 1024), buf_init(&text, 256 * 1024), buf_init(&err, 4096);
  buf_init(&one, 65536), buf_init(&two, 65536);
  conf_sample(&out);
  struct slice rest = buf_slice(&out);
  while (rest.p) {
    struct slice line = slice_split(&rest, '\n');
    if (slice_at(line, 0) == '#' && ascii_is_alpha(slice_at(line, 1)))
      buf_put(&text, slice_from(line, 1));
    buf_put_u8(&text, '\n');
  }
  struct conf *sample = conf_parse(buf_slice(&text), "sample", &err), *defaults = conf_defaults();
  assert_string_equal(buf_cstr(&err), "");
  conf_dump(sample, &one);
  conf_dump(defaults, &two);
  assert_true(slice_eq(buf_slice(&one), buf_slice(&two)));
  conf_free(&sample), conf_free(&defaults);
  buf_free(&out), buf_free(&text), buf_free(&err), buf_free(&one), buf_free(&two);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(defaults_parse),
    cmocka_unit_test(values),
    cmocka_unit_test(networks),
    cmocka_unit_test(mistakes_of_grammar),
    cmocka_unit_test(mistakes_of_value),
    cmocka_unit_test(mistakes_of_the_whole),
    cmocka_unit_test(ports_of_routes),
    cmocka_unit_test(every_mistake_is_told),
    cmocka_unit_test(hostile_text),
    cmocka_unit_test(dump_reads_back),
    cmocka_unit_test(restart_needed),
    cmocka_unit_test(documents_agree),
    cmocka_unit_test(sample_is_the_defaults),
  };
  return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
