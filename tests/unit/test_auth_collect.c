/* SPDX-License-Identifier: ISC */
/* Which collection runs when: auth's side of the collector, with store and the collector played
 * here. */
#include "tests/unit/auth_kit.h"

#include "ipc/collector_auth.h"

enum { COLLECTOR = 40 };
#define MINUTE 60

static int64_t wall_s;
static int64_t kit_wall(void *arg) { return wall_s; }

/* auth_kit's wall stands still: this one goes with the test. */
static void open_with_wall(void) {
  struct auth_shell shell = { NULL, say, enqueue, fill, kit_wall, warn, 0 };
  struct buf err;
  buf_init(&err, 1024);
  auth = auth_new(disk, conf, &shell, &err);
  if (!auth) fail_msg("%s", buf_cstr(&err));
  buf_free(&err);
}

static void answers_to(uint16_t type, size_t *ret_last, size_t *ret_count) {
  *ret_count = 0;
  for (size_t i = 0; i < said_n; i++)
    if (said[i].type == type &&
        (type >= 64 ? said[i].kind == ROLE_COLLECTOR : said[i].kind == ROLE_STORE)) {
      *ret_last = i;
      ++*ret_count;
    }
}

static enum cli_code command(const char *words, char *ret_text, size_t n) {
  struct buf list, b;
  buf_init(&list, 4096), buf_init(&b, 8192);
  struct slice rest = slice_str(words);
  while (rest.p) ipc_list_put(&list, slice_split(&rest, ' '));
  cli_command_put(&b, &(struct cli_command){ buf_slice(&list) });
  size_t from = said_n;
  assert_true(tell(ROLE_CLI, CLI, cli_command_type, 0, &b));
  run();
  buf_free(&list), buf_free(&b);
  struct cli_done done = { .code = CLI_CODES };
  if (ret_text) *ret_text = 0;
  for (size_t i = from; i < said_n; i++) {
    struct cli_row row;
    struct slice payload = slice_of(said[i].payload, said[i].n), cell;
    if (said[i].kind != ROLE_CLI) continue;
    if (said[i].type == cli_done_type) assert_true(cli_done_get(payload, &done));
    if (said[i].type != cli_row_type || !ret_text) continue;
    assert_true(cli_row_get(payload, &row));
    while (ipc_list_next(&row.values, &cell)) {
      size_t at = strlen(ret_text);
      snprintf(ret_text + at, n - at, "%.*s|", SLICE_ARG(cell));
    }
    snprintf(ret_text + strlen(ret_text), n - strlen(ret_text), "\n");
  }
  return done.code;
}

static uint64_t add(const char *host, const char *every) {
  static unsigned users;
  char words[256], text[512];
  snprintf(words, sizeof words,
           "collect add alice@example.org %s 995 implicit no u%u - %s - secret", host, ++users,
           every);
  assert_int_equal(command(words, text, sizeof text), CLI_OK);
  return strtoull(text, NULL, 10);
}

static const char *state_of(uint64_t id) {
  static char text[8192];
  char *line, *rest = text;
  assert_int_equal(command("collect list", text, sizeof text), CLI_OK);
  while ((line = strsep(&rest, "\n")) && *line)
    if (strtoull(line, NULL, 10) == id) return line;
  return "";
}

static void tell_collector(uint16_t type, uint64_t tag, struct buf *b) {
  assert_true(tell(ROLE_COLLECTOR, COLLECTOR, type, tag, b));
  run();
}

static void ready(uint64_t tag) {
  struct buf b;
  buf_init(&b, 16);
  tell_collector(collect_ready_type, tag, &b);
}

/* What store was asked last; NULL: nothing new. */
static struct said *asked_since(size_t from) {
  for (size_t i = said_n; i-- > from;)
    if (said[i].kind == ROLE_STORE && said[i].type == auth_grant_type) return &said[i];
  return NULL;
}

static void grant(const struct said *asked, bool known) {
  struct buf b;
  buf_init(&b, 16);
  auth_granted_put(&b, &(struct auth_granted){ .known = known });
  assert_true(tell(ROLE_STORE, STORE, auth_granted_type, asked->tag, &b));
  run();
  buf_free(&b);
}

static struct collect_job *job_since(size_t from, uint64_t tag) {
  static struct collect_job job;
  for (size_t i = said_n; i-- > from;)
    if (said[i].kind == ROLE_COLLECTOR && said[i].type == collect_job_type && said[i].tag == tag) {
      assert_true(collect_job_get(slice_of(said[i].payload, said[i].n), &job));
      return &job;
    }
  return NULL;
}

/* Offers a run and grants it; the job, or NULL when nothing is due. */
static struct collect_job *begin(uint64_t tag) {
  size_t from = said_n;
  ready(tag);
  struct said *asked = asked_since(from);
  if (!asked) return NULL;
  struct auth_grant q;
  assert_true(auth_grant_get(slice_of(asked->payload, asked->n), &q));
  assert_int_equal(q.front, COLLECTOR);
  assert_int_equal(q.session, tag);
  assert_int_equal(q.service, GRANT_COLLECTION);
  assert_null(job_since(from, tag)); /* not before store knows */
  grant(asked, true);
  return job_since(from, tag);
}

static void result(uint64_t tag, enum collect_verdict v, uint32_t fetched, const char *words) {
  struct buf b;
  buf_init(&b, 1024);
  collect_result_put(&b, &(struct collect_result){ .verdict = (uint8_t)v,
                                                   .fetched = fetched,
                                                   .words = slice_str(words) });
  tell_collector(collect_result_type, tag, &b);
  buf_free(&b);
}

static int begin_test(void **state) {
  setup(state);
  auth_free(&auth);
  wall_s = 1700000000;
  open_with_wall();
  assert_int_equal(command("account add alice@example.org 1 secret-alice", NULL, 0), CLI_OK);
  return 0;
}

static void pass(int64_t s) {
  wall_s += s;
  now += (uint64_t)s * 1000;
  run();
}

/* --- tests --- */

static void a_run(void **state) {
  uint64_t id = add("pop.example.net", "900");
  struct collect_job *job = begin(7);
  assert_non_null(job);
  assert_int_equal(job->number, id);
  assert_true(slice_eq(job->host, SLICE("pop.example.net")));
  assert_true(slice_eq(job->secret, SLICE("secret")));
  assert_true(slice_eq(job->account, SLICE("alice@example.org")));
  assert_true(job->leave_s == COLLECT_LEAVE && job->port == 995);
  assert_non_null(strstr(state_of(id), "|running|"));
  size_t from = said_n;
  result(7, COLLECT_WENT_WELL, 3, "3 fetched");
  struct auth_revoke revoke; /* its right at store ends with it */
  assert_int_equal(said[from].type, auth_revoke_type);
  assert_true(auth_revoke_get(slice_of(said[from].payload, said[from].n), &revoke));
  assert_int_equal(revoke.session, 7);
  assert_non_null(strstr(state_of(id), "|waiting|"));
  assert_non_null(strstr(state_of(id), "|3|3|||3 fetched|"));
  from = said_n;
  ready(8); /* nothing is due; the question waits for 15 minutes */
  assert_null(asked_since(from));
  pass(899);
  assert_null(asked_since(from));
  pass(900 / 10 + 1);
  assert_non_null(asked_since(from));
}

static void order_and_servers(void **state) {
  uint64_t a = add("one.example", "900");
  pass(1);
  uint64_t b = add("one.example", "900");
  pass(1);
  uint64_t c = add("one.example", "900"), d = add("two.example", "900");
  assert_int_equal(begin(1)->number, a); /* the longest due first */
  assert_int_equal(begin(2)->number, b);
  assert_int_equal(begin(3)->number, d); /* two runs of one server at a time */
  size_t from = said_n;
  assert_null(begin(4));
  result(1, COLLECT_WENT_WELL, 0, "");
  struct said *asked = asked_since(from); /* and the run that waited gets it */
  assert_non_null(asked);
  grant(asked, true);
  assert_int_equal(job_since(from, 4)->number, c);
}

/* How long after a failure the next run begins. */
static int64_t pause_after(enum collect_verdict v, uint64_t tag) {
  assert_non_null(begin(tag));
  result(tag, v, 0, "no luck");
  size_t from = said_n;
  ready(++tag);
  for (int64_t s = 0; s < 3 * 86400; s += 10, pass(10))
    if (asked_since(from)) {
      grant(asked_since(from), false); /* the run goes back */
      return s;
    }
  return -1;
}

static void failures_back_off(void **state) {
  uint64_t id = add("pop.example.net", "900");
  int64_t before = 0;
  for (uint64_t n = 0; n < 9; n++) {
    assert_non_null(begin(100 + n));
    result(100 + n, COLLECT_LATER, 0, "no answer");
    assert_non_null(strstr(state_of(id), "|failing|"));
    int64_t wait = auth->schedule.entries[0].next - wall_s;
    assert_int_equal(wait, n == 0 ? 900 : before * 2 < 86400 ? before * 2 : 86400);
    before = wait;
    pass(wait);
  }
  assert_non_null(begin(200));
  result(200, COLLECT_WENT_WELL, 1, "1 fetched");
  assert_true(auth->schedule.entries[0].next - wall_s <= 990);
}

static void our_own_trouble_is_short(void **state) {
  add("pop.example.net", "900");
  assert_true(pause_after(COLLECT_HERE, 1) <= 20);
}

static void wrong_passwords_stop(void **state) {
  uint64_t id = add("pop.example.net", "900");
  size_t warned_before = warned;
  assert_non_null(begin(1));
  result(1, COLLECT_LOGIN_WRONG, 0, "it said: [AUTH]\r\nno \x1b[31m\xff");
  assert_non_null(strstr(state_of(id), "|paused|"));
  assert_non_null(strstr(state_of(id), "|it said: [AUTH]  no  [31m?|"));
  assert_int_equal(warned, warned_before + 1);
  pass(10 * 86400);
  assert_null(begin(2));
  char words[64];
  snprintf(words, sizeof words, "collect run %llu", (unsigned long long)id);
  assert_int_equal(command(words, NULL, 0), CLI_EXISTS);
  size_t from = said_n;
  snprintf(words, sizeof words, "collect password %llu better", (unsigned long long)id);
  assert_int_equal(command(words, NULL, 0), CLI_OK);
  struct said *asked = asked_since(from);
  assert_non_null(asked);
  grant(asked, true);
  assert_true(slice_eq(job_since(from, 2)->secret, SLICE("better")));
}

static void doubts_stop_at_the_third(void **state) {
  uint64_t id = add("pop.example.net", "60");
  for (uint64_t n = 1; n <= 3; n++) {
    assert_null(strstr(state_of(id), "|paused|"));
    assert_non_null(begin(n));
    result(n, COLLECT_DOUBTED, 0, "refused");
    pass(MINUTE << n);
  }
  assert_non_null(strstr(state_of(id), "|paused|"));
}

static void people_pause_and_delete(void **state) {
  uint64_t id = add("pop.example.net", "900");
  char words[64];
  assert_non_null(begin(1));
  size_t from = said_n;
  snprintf(words, sizeof words, "collect pause %llu", (unsigned long long)id);
  assert_int_equal(command(words, NULL, 0), CLI_OK);
  size_t last = 0, count;
  answers_to(collect_halt_type, &last, &count);
  assert_true(count == 1 && last >= from && said[last].tag == 1);
  result(1, COLLECT_HERE, 2, "it was stopped");
  assert_non_null(strstr(state_of(id), "|paused|"));
  snprintf(words, sizeof words, "collect resume %llu", (unsigned long long)id);
  assert_int_equal(command(words, NULL, 0), CLI_OK);
  assert_non_null(begin(2));
  from = said_n;
  snprintf(words, sizeof words, "collect delete %llu", (unsigned long long)id);
  assert_int_equal(command(words, NULL, 0), CLI_OK);
  assert_int_equal(command(words, NULL, 0), CLI_NOT_FOUND);
  for (size_t i = from; i < said_n; i++)
    assert_false(said[i].kind == ROLE_STORE); /* its run still asks there */
  result(2, COLLECT_HERE, 0, "it was stopped");
  assert_int_equal(said[said_n - 1].type, auth_uncollect_type);
  pass(86400);
  assert_null(begin(3));
}

static void lost_roles(void **state) {
  uint64_t id = add("pop.example.net", "900");
  size_t from = said_n;
  ready(1);
  assert_non_null(asked_since(from));
  auth_process_lost(auth, ROLE_STORE, STORE);
  run();
  pass(MINUTE);
  struct said *asked = asked_since(from); /* asked anew: the run was put back */
  grant(asked, true);
  assert_non_null(job_since(from, 1));
  auth_process_lost(auth, ROLE_COLLECTOR, COLLECTOR);
  run();
  assert_non_null(strstr(state_of(id), "the collector was ended while it ran"));
  pass(MINUTE);
  assert_non_null(begin(9));
  auth_free(&auth); /* what was running is due when auth starts again */
  open_with_wall();
  pass(MINUTE);
  assert_non_null(begin(10));
}

/* A store that was asked while it was being restarted never answers. */
static void patience_ends(void **state) {
  uint64_t id = add("pop.example.net", "900");
  size_t from = said_n;
  ready(1);
  assert_non_null(asked_since(from));
  pass(2);
  assert_non_null(strstr(state_of(id), "|running|"));
  pass(2);
  assert_non_null(strstr(state_of(id), "the store did not answer"));
  struct said *late = asked_since(from);
  from = said_n;
  grant(late, true); /* too late: it was revoked */
  assert_null(job_since(from, 1));
  pass(30);
  struct said *asked = asked_since(from); /* the run that waits is given it anew */
  assert_non_null(asked);
  grant(asked, true);
  assert_non_null(job_since(from, 1));
}

static void accounts_and_limits(void **state) {
  static const char *const wrong[] = {
    "collect add nobody@example.org h 995 implicit no u - 900 - s",
    "collect add alice@example.org h 0 implicit no u - 900 - s",
    "collect add alice@example.org h 25 implicit no u - 900 - s",
    "collect add alice@example.org h 995 maybe no u - 900 - s",
    "collect add alice@example.org h/x 995 implicit no u - 900 - s",
    "collect add alice@example.org h 995 implicit no u - 9 - s",
    "collect add alice@example.org h 995 implicit no u - 900 - ",
    "collect add alice@example.org h 995 implicit no u - 900 x s",
    "collect add alice@example.org h 995 implicit no u\r\nDELE - 900 - s",
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    if (command(wrong[i], NULL, 0) == CLI_OK) fail_msg("%s", wrong[i]);
  uint64_t id = add("pop.example.net", "900");
  assert_int_equal(
      command("collect add alice@example.org pop.example.net 995 implicit no u - 900 - s", NULL, 0),
      CLI_OK);
  assert_int_equal(
      command("collect add Alice@example.org POP.example.net 995 implicit no u - 900 - s", NULL, 0),
      CLI_EXISTS);
  assert_int_equal(command("account disable alice@example.org", NULL, 0), CLI_OK);
  assert_null(begin(1)); /* who may not log in is not collected for */
  assert_int_equal(command("account delete alice@example.org", NULL, 0), CLI_OK);
  assert_string_equal(state_of(id), "");
  assert_int_equal(auth->schedule.count, 0);
}

/* A sealed password that is put into another row opens nothing. */
static void secrets_stay_where_they_are(void **state) {
  uint64_t a = add("pop.example.net", "900");
  assert_int_equal(db_exec(auth->accounts.db, "UPDATE collection SET host = 'evil.example'"),
                   DB_OK);
  assert_null(begin(1));
  assert_non_null(strstr(state_of(a), "|paused|"));
}

static void what_a_collector_may_not(void **state) {
  struct buf b;
  buf_init(&b, 64);
  add("pop.example.net", "900");
  buf_put_u8(&b, 99);
  assert_false(tell(ROLE_COLLECTOR, COLLECTOR, collect_result_type, 5, &b));
  buf_reset(&b);
  for (uint64_t i = 0; i < COLLECT_RUNS_MAX; i++) ready(1000 + i); /* the first takes what is due */
  assert_true(tell(ROLE_COLLECTOR, COLLECTOR, collect_ready_type, 5000, &b));
  assert_false(tell(ROLE_COLLECTOR, COLLECTOR, collect_ready_type, 5001, &b));
  result(77, COLLECT_WENT_WELL, 1, "a run that is none");
  buf_free(&b);
}

#define COLLECT_TEST(name) cmocka_unit_test_setup_teardown(name, begin_test, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    COLLECT_TEST(a_run),
    COLLECT_TEST(order_and_servers),
    COLLECT_TEST(failures_back_off),
    COLLECT_TEST(our_own_trouble_is_short),
    COLLECT_TEST(wrong_passwords_stop),
    COLLECT_TEST(doubts_stop_at_the_third),
    COLLECT_TEST(people_pause_and_delete),
    COLLECT_TEST(lost_roles),
    COLLECT_TEST(patience_ends),
    COLLECT_TEST(accounts_and_limits),
    COLLECT_TEST(secrets_stay_where_they_are),
    COLLECT_TEST(what_a_collector_may_not),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
