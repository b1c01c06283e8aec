/* SPDX-License-Identifier: ISC */
/* auth as the process it is: confined, with its threads, beside neighbours that this test plays. */
#include "tests/unit/process_kit.h"

#include "ipc/auth_store.h"
#include "ipc/cli_process.h"
#include "ipc/front_auth.h"

enum { FRONT = 7, STORE = 3, CLI = 90 };

static char folder[64];
static int front_fd, store_fd, cli_fd;

/* The next message; those that came in one packet with it must be of no interest. */
static bool apop; /* the last auth_offers */

static struct ipc_msg get(int fd) {
  static uint8_t packet[IPC_PACKET_MAX];
  struct pollfd p = { .fd = fd, .events = POLLIN };
  struct ipc_msg m = { 0 };
  uint8_t fds = 0;
  assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
  ssize_t n = recv(fd, packet, sizeof packet, 0);
  struct slice rest = slice_of(packet, n > 0 ? (size_t)n : 0);
  assert_true(ipc_next(&rest, &m, &fds));
  if (fd != front_fd || m.tag != 0 || m.type != auth_offers_type) return m;
  struct auth_offers offers;
  assert_true(auth_offers_get(m.payload, &offers));
  apop = offers.apop;
  return get(fd);
}

static void set_up(bool as_root) {
  struct conf *conf = conf_defaults();
  say_hello(ROLE_AUTH, as_root, folder, as_root ? folder : NULL);
  say_config(conf);
  conf_free(&conf);
  store_fd = join(ROLE_STORE, STORE);
  front_fd = join(ROLE_POP3D, FRONT);
  cli_fd = join(ROLE_CLI, CLI);
  put(parent_fd, process_go_type, 0, NULL, -1);
  struct ipc_msg m = get(parent_fd);
  struct process_failed why;
  if (m.type == process_failed_type && process_failed_get(m.payload, &why))
    fail_msg("%.*s", SLICE_ARG(why.text));
  assert_int_equal(m.type, process_ready_type);
}

static void start(bool as_root) {
  snprintf(folder, sizeof folder, "/tmp/qasid-auth-XXXXXX");
  assert_non_null(mkdtemp(folder));
  if (as_root) assert_int_equal(chown(folder, NOBODY, NOBODY), 0);
  spawn(auth_main);
  set_up(as_root);
}

static void stop(void) {
  char command[128];
  int status = 0;
  put(parent_fd, process_stop_type, 0, NULL, -1);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  close(parent_fd);
  close(front_fd);
  close(store_fd);
  close(cli_fd);
  snprintf(command, sizeof command, "rm -r %s", folder);
  assert_int_equal(system(command), 0);
}

static enum cli_code admin(const char *const *words, size_t n) {
  struct buf list, b;
  struct cli_done done;
  buf_init(&list, 1024);
  buf_init(&b, 2048);
  for (size_t i = 0; i < n; i++) ipc_list_put(&list, slice_str(words[i]));
  cli_command_put(&b, &(struct cli_command){ buf_slice(&list) });
  put(cli_fd, cli_command_type, 0, &b, -1);
  struct ipc_msg m = get(cli_fd);
  assert_int_equal(m.type, cli_done_type);
  assert_true(cli_done_get(m.payload, &done));
  buf_free(&list);
  buf_free(&b);
  return done.code;
}

static void ask(uint64_t tag, const char *password) {
  static const uint8_t peer[4] = { 127, 0, 0, 1 };
  struct buf b;
  buf_init(&b, 2048);
  auth_login_put(&b, &(struct auth_login){ SLICE("tim@example.org"), slice_str(password),
                                           slice_of(peer, 4), true, SLICE("pop3") });
  put(front_fd, auth_login_type, tag, &b, -1);
  buf_free(&b);
}

static void grant(uint64_t session) {
  struct ipc_msg m = get(store_fd);
  struct auth_grant g;
  struct buf b;
  buf_init(&b, 16);
  assert_int_equal(m.type, auth_grant_type);
  assert_true(auth_grant_get(m.payload, &g));
  assert_int_equal(g.front, FRONT);
  assert_int_equal(g.session, session);
  assert_int_equal(g.account, 42);
  auth_granted_put(&b, &(struct auth_granted){ true });
  put(store_fd, auth_granted_type, m.tag, &b, -1);
  buf_free(&b);
}

static void live(bool as_root) {
  static const char *const add[] = { "account", "add",           "tim@example.org",
                                     "42",      "--legacy-auth", "tanstaaftanstaaf" };
  static const char *const legacy[] = { "account", "legacy", "tim@example.org", "off" };
  start(as_root);
  assert_int_equal(admin(add, 6), CLI_OK);
  for (uint64_t tag = 1; tag <= 3; tag++) {
    ask(tag, "tanstaaftanstaaf");
    grant(tag);
    struct ipc_msg m = get(front_fd);
    assert_int_equal(m.type, auth_ok_type);
    assert_int_equal(m.tag, tag);
  }
  assert_true(apop);
  ask(4, "wrong"); /* answered by the timer, two seconds later */
  struct ipc_msg m = get(front_fd);
  assert_int_equal(m.type, auth_fail_type);
  assert_int_equal(m.tag, 4);
  assert_int_equal(admin(legacy, 4), CLI_OK);
  ask(5, "wrong too"); /* its hash or its wait is under way when the end comes */
  stop();
}

static void test_unprivileged(void **state) { live(false); }

static void test_started_as_root(void **state) {
  if (geteuid() != 0) skip();
  live(true);
}

int main(void) {
  const struct CMUnitTest tests[] = { cmocka_unit_test(test_unprivileged),
                                      cmocka_unit_test(test_started_as_root) };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
