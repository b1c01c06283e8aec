/* The file of accounts, and the plan: what an old server lists beside what is here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "src/cli/migrate.h"
#include "src/cli/uidls.h"

static bool parse(struct migrate_accounts *a, const char *text, struct buf *err) {
  *a = (struct migrate_accounts){ .count = 0 };
  buf_init(&a->text, 4096);
  buf_put_str(&a->text, text);
  buf_reset(err);
  return migrate_accounts_parse(a, err);
}

static void accounts(void **state) {
  struct migrate_accounts a;
  struct buf err;
  buf_init(&err, 4096);
  assert_true(
      parse(&a, "\xef\xbb\xbf# ours\r\n\na@x\r\nb@x\tbob\nc@x\t\tpass, word:\twith all \nd@x\tdan\tp", &err));
  assert_int_equal(a.count, 4);
  assert_string_equal(a.list[0].address, "a@x");
  assert_true(slice_eq(a.list[0].login, SLICE("a@x")) && a.list[0].password.p == NULL);
  assert_true(slice_eq(a.list[1].login, SLICE("bob")) && a.list[1].password.p == NULL);
  assert_true(slice_eq(a.list[2].login, SLICE("c@x")));
  assert_true(slice_eq(a.list[2].password, SLICE("pass, word:\twith all ")));
  assert_true(slice_eq(a.list[3].password, SLICE("p")));
  assert_int_equal(a.list[3].line, 6);
  migrate_accounts_free(&a);
  static const char *const rows[][2] = {
    { "a@x\nb@x b secret\n", "line 2: ADDRESS, LOGIN and PASSWORD are separated by one tab each" },
    { "a@x,b,c\n", "line 1: ADDRESS, LOGIN and PASSWORD are separated" },
    { "alice\n", "line 1: it does not begin with an address" },
    { "a@x\ta\t\n", "line 1: the password behind the second tab is empty" },
    { "a@x\nb@x\nA@X\n", "line 3: A@X stands in line 1 already" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_false(parse(&a, rows[i][0], &err));
    assert_non_null(strstr(buf_cstr(&err), rows[i][1]));
    migrate_accounts_free(&a);
  }
  buf_free(&err);
}

static void plan(void **state) {
  struct migrate_plan p;
  migrate_plan_init(&p);
  assert_true(migrate_plan_old(&p, 1, 100, SLICE("one")) && migrate_plan_old(&p, 2, 200, SLICE("two")));
  assert_true(migrate_plan_old(&p, 3, 200, SLICE("two")) && migrate_plan_old(&p, 5, 500, SLICE("")));
  assert_true(migrate_plan_old(&p, 6, 600, SLICE("gone")));
  assert_true(migrate_plan_here(&p, SLICE("one"), 7, true) && migrate_plan_here(&p, SLICE("0000"), 8, false));
  assert_true(migrate_plan_here(&p, SLICE("left"), 9, true) && migrate_plan_here(&p, SLICE("gone"), 0, true));
  assert_true(migrate_plan_make(&p));
  assert_int_equal(p.old[0].state, MIGRATE_HERE);
  assert_int_equal(p.old[0].here->uid, 7);
  assert_int_equal(p.old[1].state, MIGRATE_NEW);
  assert_true(slice_eq(p.old[1].uidl, SLICE("two"))); /* the first of two keeps it */
  assert_int_equal(p.old[4].state, MIGRATE_GONE);
  assert_int_equal(p.new_count, 3);
  assert_int_equal(p.gone_count, 1);
  assert_int_equal(p.renamed, 2);
  assert_int_equal(p.left_over, 1); /* not the one that was delivered here */
  /* Once their octets are here they have a name, and the next look finds them by it. */
  for (size_t i = 2; i < 4; i++) {
    uint8_t hash[32] = { (uint8_t)i };
    assert_int_equal(p.old[i].uidl.n, 0);
    assert_true(migrate_plan_name(&p, &p.old[i], hash));
    assert_true(uidls_is_valid(p.old[i].uidl) && slice_starts(p.old[i].uidl, SLICE("old-")));
  }
  migrate_plan_forget_here(&p);
  for (size_t i = 0; i < 4; i++) assert_true(migrate_plan_here(&p, p.old[i].uidl, 10 + i, true));
  assert_true(migrate_plan_make(&p));
  assert_int_equal(p.new_count, 1);
  assert_int_equal(p.left_over, 0);
  assert_int_equal(p.old[3].state, MIGRATE_HERE);
  /* That such a one is gone there nobody can know. */
  p.old_count = 0;
  assert_true(migrate_plan_make(&p));
  assert_int_equal(p.left_over, 2);
  migrate_plan_free(&p);
}

static void many(void **state) {
  struct migrate_plan p;
  char uidl[32];
  enum { N = 5000 };
  migrate_plan_init(&p);
  for (unsigned i = 0; i < N; i++) {
    snprintf(uidl, sizeof uidl, "m%u", i * 7919u % N);
    assert_true(migrate_plan_old(&p, i + 1, 1, slice_str(uidl)));
    if (i % 2) assert_true(migrate_plan_here(&p, slice_str(uidl), i + 1, true));
  }
  assert_true(migrate_plan_make(&p));
  assert_int_equal(p.new_count, N / 2);
  assert_int_equal(p.renamed + p.left_over + p.gone_count, 0);
  for (unsigned i = 1; i < N; i += 2) assert_int_equal(p.old[i].here->uid, i + 1);
  migrate_plan_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(accounts),
    cmocka_unit_test(plan),
    cmocka_unit_test(many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
