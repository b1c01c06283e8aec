/* SPDX-License-Identifier: ISC */
/* The threads that hash: every job comes back once, computed or not. For `make tsan`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/auth/pool.h"

#include <poll.h>

#define HASH SLICE("$1$.M0lhmhv$gI8oCFTt6AgX6YzZpeGC6.")
enum { JOBS = 300 };

static void test_all_come_back(void **state) {
  struct pool *p = pool_new(4);
  size_t right = 0, wrong = 0;
  assert_non_null(p);
  assert_int_equal(pool_threads(p), 4);
  for (int i = 0; i < JOBS; i++) {
    struct auth_job *j =
        auth_job_new(JOB_VERIFY, i % 3 ? SLICE("x") : SLICE("tanstaaftanstaaf"), HASH);
    assert_non_null(j);
    pool_put(p, j);
  }
  while (right + wrong < JOBS) {
    struct pollfd f = { .fd = pool_fd(p), .events = POLLIN };
    assert_int_equal(poll(&f, 1, 30000), 1);
    struct auth_job *j;
    while ((j = pool_done(p))) {
      right += j->result == PASSWORD_OK;
      wrong += j->result == PASSWORD_WRONG;
      auth_job_free(&j);
    }
  }
  assert_int_equal(right, JOBS / 3);
  pool_free(&p);
}

static void test_stop_returns_what_waits(void **state) {
  struct pool *p = pool_new(2);
  size_t back = 0, computed = 0;
  for (int i = 0; i < JOBS; i++) pool_put(p, auth_job_new(JOB_VERIFY, SLICE("x"), HASH));
  pool_stop(p);
  struct auth_job *j;
  while ((j = pool_done(p))) {
    back++;
    computed += j->computed;
    assert_int_equal(j->result, j->computed ? PASSWORD_WRONG : PASSWORD_TROUBLE);
    auth_job_free(&j);
  }
  assert_int_equal(back, JOBS);
  assert_true(computed < JOBS);
  pool_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_all_come_back),
    cmocka_unit_test(test_stop_returns_what_waits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
