/* SPDX-License-Identifier: ISC */
/* spec: RFC 8265 §3.3: an address is found however it is spelled, and what was kept in another
 * spelling stays */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/store/directory.h"

#define NFC  \
  "\xc3\xbc" \
  "a@example.org"
#define NFD   \
  "u\xcc\x88" \
  "a@example.org"
#define CAPITAL \
  "\xc3\x9c"    \
  "a@example.org"

static struct directory d;
static struct dir_found f;

static int setup(void **state) {
  dir_init(&d);
  f = (struct dir_found){ 0 };
  assert_true(dir_put_domain(&d, 1, SLICE("example.org")));
  for (uint64_t id = 1; id <= 3; id++)
    assert_true(dir_put_account(&d, id, id, &DIR_LIMITS_DEFAULT));
  return 0;
}

static int teardown(void **state) {
  dir_found_free(&f);
  dir_free(&d);
  return 0;
}

/* The account's number; 0: none. */
static uint64_t reaches(const char *address) {
  dir_begin(&d, &f);
  return dir_resolve(&d, slice_str(address), "+", &f) == DIR_FOUND && f.count == 1
             ? f.accounts[0]->id
             : 0;
}

static void every_spelling(void **state) {
  assert_true(dir_put_address(&d, SLICE(NFC), 1));
  assert_int_equal(reaches(NFC), 1);
  assert_int_equal(reaches(NFD), 1);
  assert_int_equal(reaches(CAPITAL), 1);
  assert_int_equal(reaches("U\xcc\x88"
                           "A+tag@EXAMPLE.org"),
                   1);
  assert_int_equal(reaches("ua@example.org"), 0);
  assert_int_equal(d.odd.count, 0);
}

/* Two texts of before that are one by now, and one that stands alone; each is gone without a trace
 * when removed. */
static void of_before(void **state) {
  assert_true(dir_put_address(&d, SLICE(NFD), 2));
  assert_int_equal(reaches(NFC), 2);
  assert_true(dir_put_address(&d, SLICE(NFC), 1));
  assert_true(dir_put_address(&d, SLICE(CAPITAL), 3));
  assert_int_equal(reaches(NFC), 1);
  assert_int_equal(reaches(NFD), 2);
  assert_int_equal(reaches(CAPITAL), 3);
  /* none's own text: the prepared one */
  assert_int_equal(reaches("\xef\xbc\xb5\xcc\x88"
                           "a@example.org"),
                   1);
  dir_remove_address(&d, SLICE(NFC));
  assert_true(reaches("\xef\xbc\xb5\xcc\x88"
                      "a@example.org") > 1);
  dir_remove_address(&d, SLICE(NFD));
  assert_int_equal(reaches(NFC), 3);
  dir_remove_address(&d, SLICE(CAPITAL));
  assert_int_equal(reaches(NFC), 0);
  assert_int_equal(d.odd.count, 0);
  assert_int_equal(d.address_count, 0);
}

static void grants(void **state) {
  assert_true(dir_put_grant(&d, 1, SLICE(NFD)));
  assert_true(dir_put_grant(&d, 1, SLICE(NFC))); /* is there */
  assert_true(dir_is_granted(dir_account(&d, 1), SLICE(CAPITAL), "+"));
  assert_true(dir_is_granted(dir_account(&d, 1),
                             SLICE("\xc3\xbc"
                                   "a+x@example.org"),
                             "+"));
  assert_false(dir_is_granted(dir_account(&d, 1), SLICE("ua@example.org"), "+"));
  dir_remove_grant(&d, 1, SLICE(NFC));
  assert_false(dir_is_granted(dir_account(&d, 1), SLICE(NFD), "+"));
}

int main(void) {
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
  const struct CMUnitTest tests[] = { T(every_spelling), T(of_before), T(grants) };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
