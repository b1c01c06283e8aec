/* SPDX-License-Identifier: ISC */
/* The resolver as the process it is: confined, between a dialling process and the name servers of a
 * small world, both played here. The servers speak UDP and TCP, IPv4 and IPv6, on one port. */
#include "tests/unit/process_kit.h"

#include "ipc/dialer_resolver.h"
#include "lib/base/sys.h"
#include "lib/dns/dns.h"
#include "src/resolver/resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

enum {
  OPEN_MAX = 64,
  BURST = 4 * 50, /* by the options' defaults */
  DIALER = 7,
  PORT_TRIES = 200
};

/* --- the name server --- */

enum { UDP4, UDP6, TCP4, TCP6, SOCKETS };

static uint16_t port;
static pid_t server;
static int dialer_fd;
static char empty[64];
static bool one_server;
static enum role dialer_kind = ROLE_COLLECTOR;
static unsigned patience_s = 20; /* dns_timeout */

static int listen_on(bool six, int type) {
  int fd = socket(six ? AF_INET6 : AF_INET, type, 0), on = 1;
  struct sockaddr_in6 a6 = { .sin6_family = AF_INET6,
                             .sin6_port = htons(port),
                             .sin6_addr = IN6ADDR_LOOPBACK_INIT };
  struct sockaddr_in a4 = { .sin_family = AF_INET,
                            .sin_port = htons(port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  if (six) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  int rc = six ? bind(fd, (struct sockaddr *)&a6, sizeof a6)
               : bind(fd, (struct sockaddr *)&a4, sizeof a4);
  if (rc == 0 && (type != SOCK_STREAM || listen(fd, 16) == 0)) return fd;
  close(fd);
  return -1;
}

static bool listen_all(int fds[SOCKETS]) {
  bool all = true;
  for (int i = 0; i < SOCKETS; i++)
    all &= (fds[i] = listen_on(i % 2, i < TCP4 ? SOCK_DGRAM : SOCK_STREAM)) >= 0;
  for (int i = 0; !all && i < SOCKETS; i++)
    if (fds[i] >= 0) close(fds[i]);
  return all;
}

static void put_record(struct buf *b, unsigned type, struct slice data) {
  wire_put_u16(b, 0xc00c);
  wire_put_u16(b, (uint16_t)type);
  wire_put_u16(b, 1);
  wire_put_u32(b, 60);
  wire_put_u16(b, (uint16_t)data.n);
  buf_put(b, data);
}

/* By the first label: a… has addresses, _… is a service at a.example, t… is cut over UDP, s… stays
 * unanswered. */
static bool answer(struct slice q, bool tcp, struct buf *b) {
  size_t end = 12;
  while (slice_at(q, end) > 0) end += 1 + (size_t)slice_at(q, end);
  if (q.n < 17 || end + 5 > q.n || slice_at(q, 13) == 's') return false;
  int first = slice_at(q, 13), type = slice_at(q, end + 2);
  bool cut = first == 't' && !tcp, known = strchr("at_", first) != NULL, has = known && !cut;
  has = has && (first == '_' ? type == 33 : type == 1 || type == 28);
  buf_put(b, slice_first(q, 2));
  wire_put_u16(b, (uint16_t)(0x8580 | (cut ? 0x200 : 0) | (known ? 0 : 3)));
  wire_put_u16(b, 1);
  wire_put_u16(b, has);
  wire_put_u32(b, 0);
  buf_put(b, slice_first(slice_from(q, 12), end + 5 - 12));
  if (!has) return true;
  if (type == 1)
    put_record(b, 1, SLICE("\x7f\0\0\x09"));
  else if (type == 28)
    put_record(b, 28, slice_of("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09", 16));
  else
    put_record(b, 33, SLICE("\0\1\0\2\x03\xe3\1a\7example\0"));
  return true;
}

static void serve_udp(int fd) {
  uint8_t mem[2000];
  struct sockaddr_storage from;
  socklen_t n = sizeof from;
  struct buf b;
  buf_init(&b, 2000);
  ssize_t got = recvfrom(fd, mem, sizeof mem, 0, (struct sockaddr *)&from, &n);
  if (got > 0 && answer(slice_of(mem, (size_t)got), false, &b))
    sendto(fd, buf_slice(&b).p, buf_len(&b), 0, (struct sockaddr *)&from, n);
  buf_free(&b);
}

static void serve_tcp(int listener) {
  int fd = accept(listener, NULL, NULL);
  uint8_t mem[2000];
  struct buf b;
  buf_init(&b, 2000);
  ssize_t got = fd < 0 ? -1 : recv(fd, mem, sizeof mem, 0);
  buf_put(&b, SLICE("\0\0"));
  if (got > 2 && answer(slice_of(mem + 2, (size_t)got - 2), true, &b)) {
    size_t n = buf_len(&b) - 2;
    b.mem[b.head] = (uint8_t)(n >> 8);
    b.mem[b.head + 1] = (uint8_t)n;
    send(fd, buf_slice(&b).p, buf_len(&b), MSG_NOSIGNAL);
  }
  buf_free(&b);
  if (fd >= 0) close(fd);
}

static void be_server(const int fds[SOCKETS]) {
  struct pollfd p[SOCKETS];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int i = 0; i < SOCKETS; i++) p[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
  while (poll(p, SOCKETS, -1) > 0)
    for (int i = 0; i < SOCKETS; i++)
      if (p[i].revents) i < TCP4 ? serve_udp(p[i].fd) : serve_tcp(p[i].fd);
  _exit(0);
}

/* On a port below those of outgoing connections. */
static int start_server(void **state) {
  int fds[SOCKETS];
  for (int i = 0; i < PORT_TRIES; i++) {
    uint16_t chance;
    sys_random(&chance, sizeof chance);
    port = (uint16_t)(10240 + chance % 21000);
    if (listen_all(fds)) break;
    port = 0;
  }
  assert_true(port);
  server = fork();
  if (server == 0) be_server(fds);
  for (int i = 0; i < SOCKETS; i++) close(fds[i]);
  return server > 0 ? 0 : -1;
}

static int stop_server(void **state) {
  kill(server, SIGKILL);
  return waitpid(server, NULL, 0) == server ? 0 : -1;
}

/* --- the process --- */

/* The messages of a packet one after another; the next packet when it is used up. False: the
 * channel is over.
 */
static struct slice rest;

static bool get(int fd, struct ipc_msg *m) {
  static uint8_t packet[IPC_PACKET_MAX];
  struct pollfd p = { .fd = fd, .events = POLLIN };
  uint8_t fds = 0;
  if (!rest.n) {
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    ssize_t n = recv(fd, packet, sizeof packet, 0);
    rest = slice_of(packet, n > 0 ? (size_t)n : 0);
  }
  if (!rest.n) return false;
  assert_true(ipc_next(&rest, m, &fds));
  return true;
}

static void say_options(const char *more) {
  struct buf text, err;
  buf_init(&text, 1024), buf_init(&err, 1024);
  if (one_server)
    buf_printf(&text, "dns_servers = { \"127.0.0.1@%u\" }\n", port);
  else
    buf_printf(&text, "dns_servers = { \"127.0.0.1@%u\", \"::1@%u\" }\n", port, port);
  buf_printf(&text, "dns_timeout = %u\n%s\n", patience_s, more);
  struct conf *conf = conf_parse(buf_slice(&text), "test", &err);
  if (!conf) fail_msg("%.*s", SLICE_ARG(buf_slice(&err)));
  say_config(conf);
  conf_free(&conf);
  buf_free(&text), buf_free(&err);
}

/* Returns what the process said when it was told to go. */
static uint16_t start_process(bool as_root, const char *more) {
  struct ipc_msg m = { 0 };
  rest = SLICE_NONE;
  snprintf(empty, sizeof empty, "/tmp/qasid-empty-XXXXXX");
  assert_non_null(mkdtemp(empty));
  assert_int_equal(chmod(empty, 0755), 0);
  spawn(resolver_main);
  say_hello(ROLE_RESOLVER, as_root, NULL, empty);
  say_options(more);
  dialer_fd = join(dialer_kind, DIALER);
  put(parent_fd, process_go_type, 0, NULL, -1);
  assert_true(get(parent_fd, &m));
  rest = SLICE_NONE;
  return m.type;
}

static int stop_process(void) {
  int status = 0;
  close(dialer_fd);
  put(parent_fd, process_stop_type, 0, NULL, -1);
  assert_int_equal(waitpid(child, &status, 0), child);
  close(parent_fd);
  rmdir(empty);
  return status;
}

static void ask(uint64_t tag, const char *name, enum dns_kind kind) {
  struct buf b;
  buf_init(&b, 512);
  dns_ask_put(&b, &(struct dns_ask){ (uint8_t)kind, slice_str(name) });
  put(dialer_fd, dns_ask_type, tag, &b, -1);
  buf_free(&b);
}

static uint64_t told(struct dns_answer *a) {
  struct ipc_msg m = { 0 };
  struct dns_reply t;
  assert_true(get(dialer_fd, &m));
  assert_int_equal(m.type, dns_reply_type);
  assert_true(dns_reply_get(m.payload, &t));
  assert_true(dns_answer_get(t.answer, a));
  return m.tag;
}

static struct dns_answer lookup(const char *name, enum dns_kind kind) {
  static uint64_t tag = 100;
  struct dns_answer a;
  ask(++tag, name, kind);
  assert_int_equal(told(&a), tag);
  assert_int_equal(a.kind, kind);
  return a;
}

/* --- what is proven --- */

static void asks_the_world(bool as_root) {
  assert_int_equal(start_process(as_root, ""), process_ready_type);
  struct dns_answer a = lookup("a.example", DNS_ADDRESS);
  assert_int_equal(a.result, DNS_FOUND);
  assert_int_equal(a.hosts[0].address_count, 2);
  assert_memory_equal(a.hosts[0].addresses[1].octets, "\x7f\0\0\x09", 4);
  a = lookup("_pop3s._tcp.a.example", DNS_SRV);
  assert_int_equal(a.result, DNS_FOUND);
  assert_int_equal(a.hosts[0].port, 995);
  assert_string_equal(a.hosts[0].name, "a.example");
  assert_int_equal(a.hosts[0].address_count, 2);
  a = lookup("t1.example", DNS_ADDRESS); /* over TCP */
  assert_int_equal(a.result, DNS_FOUND);
  for (int i = 0; i < 40; i++) { /* both servers, both families of sockets, many ports */
    char name[32];
    snprintf(name, sizeof name, "%c%d.example", i % 2 ? 'a' : 't', i + 10);
    assert_int_equal(lookup(name, DNS_ADDRESS).result, DNS_FOUND);
  }
  assert_int_equal(lookup("nobody.example", DNS_ADDRESS).result, DNS_NO_NAME);
  assert_int_equal(lookup("a.example", DNS_SRV).result, DNS_NONE);
  assert_int_equal(lookup("192.0.2.1", DNS_ADDRESS).result, DNS_BAD_NAME);
  assert_int_equal(lookup("", DNS_MX).result, DNS_BAD_NAME);
  assert_int_equal(lookup("localhost", DNS_ADDRESS).result,
                   DNS_FOUND); /* of /etc/hosts, which it can't open any more */
  assert_int_equal(stop_process(), 0);
}

/* For those that wait for an answer that does not come. */
static int hasty(void **state) {
  patience_s = 2;
  return 0;
}

static int patient(void **state) {
  patience_s = 20;
  return 0;
}

static void as_a_user(void **state) { asks_the_world(false); }

static void as_root(void **state) {
  if (getuid() != 0) skip();
  asks_the_world(true);
}

static void silence_is_later(void **state) {
  assert_int_equal(start_process(false, ""), process_ready_type);
  struct dns_answer a = lookup("silent.example", DNS_ADDRESS);
  assert_int_equal(a.result, DNS_LATER);
  assert_true(a.why[0]);
  assert_int_equal(lookup("a.example", DNS_ADDRESS).result, DNS_FOUND);
  assert_int_equal(stop_process(), 0);
}

/* Domains that nobody answers for, and nothing else for a while: the name server is not taken for
 * dead. */
static void silent_domains_harm_no_others(void **state) {
  enum { ROUNDS = 7, EACH = 30 };
  struct dns_answer a;
  one_server = true;
  assert_int_equal(start_process(false, ""), process_ready_type);
  one_server = false;
  for (unsigned round = 0; round < ROUNDS; round++) {
    for (unsigned i = 0; i < EACH; i++) {
      char name[32];
      snprintf(name, sizeof name, "s%u.r%u.example", i, round);
      ask(i + 1, name, DNS_ADDRESS);
    }
    for (unsigned i = 0; i < EACH; i++) {
      told(&a);
      assert_int_equal(a.result, DNS_LATER);
    }
  }
  unsigned found = 0;
  for (unsigned i = 0; i < 20; i++) {
    char name[32];
    snprintf(name, sizeof name, "a%u.example", i);
    found += lookup(name, DNS_ADDRESS).result == DNS_FOUND;
  }
  assert_true(found > 10);
  assert_int_equal(stop_process(), 0);
}

/* The name servers stand still for some questions; when they go on, so does the resolver, within
 * its patience. */
static void servers_come_back(void **state) {
  assert_int_equal(start_process(false, ""), process_ready_type);
  assert_int_equal(lookup("a1.example", DNS_ADDRESS).result, DNS_FOUND);
  kill(server, SIGSTOP);
  assert_int_equal(lookup("a2.example", DNS_ADDRESS).result, DNS_LATER);
  assert_int_equal(lookup("a3.example", DNS_ADDRESS).result, DNS_LATER);
  kill(server, SIGCONT);
  unsigned tries = 1;
  for (char name[32]; tries < 30; tries++) {
    snprintf(name, sizeof name, "a%u.example", tries + 10);
    if (lookup(name, DNS_ADDRESS).result == DNS_FOUND) break;
  }
  print_message("found again at try %u\n", tries);
  assert_true(tries < 30);
  assert_int_equal(stop_process(), 0);
}

/* The first OPEN_MAX wait; those above are told at once. A dialer that goes takes its questions
 * with it. */
static void too_many_are_later(void **state) {
  struct dns_answer a;
  bool seen[OPEN_MAX + 21] = { false };
  assert_int_equal(start_process(false, ""), process_ready_type);
  for (unsigned i = 0; i < OPEN_MAX + 20; i++) {
    char name[32];
    snprintf(name, sizeof name, "s%u.example", i);
    ask(i + 1, name, DNS_ADDRESS);
  }
  for (unsigned i = 0; i < 20; i++) {
    assert_true(told(&a) > OPEN_MAX);
    assert_int_equal(a.result, DNS_LATER);
  }
  for (unsigned i = 0; i < OPEN_MAX; i++) {
    uint64_t tag = told(&a);
    assert_true(tag >= 1 && tag <= OPEN_MAX && !seen[tag]);
    seen[tag] = true;
    assert_int_equal(a.result, DNS_LATER);
  }
  for (unsigned i = 0; i < OPEN_MAX; i++) ask(1000 + i, "silent.example", DNS_MX);
  assert_int_equal(stop_process(), 0);
}

static void a_flood_is_later(void **state) {
  struct dns_answer a;
  unsigned answered = 0, later = 0;
  assert_int_equal(start_process(false, ""), process_ready_type);
  for (unsigned i = 0; i < 4 * BURST; i++) {
    ask(1, "a.example", DNS_ADDRESS);
    told(&a);
    if (a.result == DNS_LATER)
      later++;
    else
      answered++;
  }
  assert_true(later > 0);
  assert_true(answered >= BURST);
  assert_int_equal(stop_process(), 0);
}

/* The sender asks for thousands of destinations, a hundred at once, and is never turned away. */
static void the_sender_is_not_held_back(void **state) {
  enum { NAMES = 3 * BURST, AT_ONCE = 100 };
  struct dns_answer a;
  dialer_kind = ROLE_SENDER;
  assert_int_equal(start_process(false, ""), process_ready_type);
  for (unsigned i = 0; i < NAMES; i++) {
    if (i >= AT_ONCE) {
      told(&a);
      assert_int_equal(a.result, DNS_FOUND);
    }
    ask(i + 1, "a.example", DNS_ADDRESS);
  }
  for (unsigned i = 0; i < AT_ONCE; i++) {
    told(&a);
    assert_int_equal(a.result, DNS_FOUND);
  }
  assert_int_equal(stop_process(), 0);
  dialer_kind = ROLE_COLLECTOR;
}

/* The options: so many at once, and so many open. */
static void limits_are_options(void **state) {
  struct dns_answer a;
  unsigned answered = 0;
  assert_int_equal(start_process(false, "dns_open_questions = 3\ndns_questions_per_second = 1"),
                   process_ready_type);
  for (unsigned i = 0; i < 8; i++) ask(i + 1, i < 4 ? "silent.example" : "a.example", DNS_ADDRESS);
  for (unsigned i = 0; i < 5; i++) {
    /* the fourth is one too many open; then there are no more for this second */
    assert_true(told(&a) >= 4);
    assert_int_equal(a.result, DNS_LATER);
  }
  for (unsigned i = 0; i < 3; i++) assert_true(told(&a) <= 3);
  for (unsigned i = 0; i < 40; i++) {
    ask(100 + i, "a.example", DNS_ADDRESS);
    told(&a);
    answered += a.result == DNS_FOUND;
  }
  assert_true(answered >= 1 && answered < 40); /* seconds have gone by */
  assert_int_equal(stop_process(), 0);
}

/* Garbage ends the dialer's channel, and the parent hears who it was. */
static void a_breach_is_told(void **state) {
  struct ipc_msg m = { 0 };
  struct process_breach breach;
  assert_int_equal(start_process(false, ""), process_ready_type);
  ask(1, "a.example", (enum dns_kind)77);
  assert_true(get(parent_fd, &m));
  assert_int_equal(m.type, process_breach_type);
  assert_true(process_breach_get(m.payload, &breach));
  assert_int_equal(breach.kind, ROLE_COLLECTOR);
  assert_int_equal(breach.number, DIALER);
  assert_int_equal(stop_process(), 0);
}

static void a_missing_anchor_is_said(void **state) {
  assert_int_equal(start_process(false, "dns_trust_anchor = \"/nowhere/root.key\""),
                   process_failed_type);
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(WEXITSTATUS(status), 75);
  close(parent_fd), close(dialer_fd);
  rmdir(empty);
}

#define HASTY(test) cmocka_unit_test_setup_teardown(test, hasty, patient)

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(as_a_user),
    cmocka_unit_test(as_root),
    HASTY(silence_is_later),
    HASTY(servers_come_back),
    HASTY(silent_domains_harm_no_others),
    HASTY(too_many_are_later),
    cmocka_unit_test(a_flood_is_later),
    HASTY(limits_are_options),
    cmocka_unit_test(the_sender_is_not_held_back),
    cmocka_unit_test(a_breach_is_told),
    cmocka_unit_test(a_missing_anchor_is_said),
  };
  return cmocka_run_group_tests(tests, start_server, stop_server);
}
