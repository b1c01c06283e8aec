/* SPDX-License-Identifier: ISC */
/* The file of accounts, and the plan: what an old server lists beside what is here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "src/cli/migrate/migrate.h"
#include "mail/uidl.h"

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
  assert_true(parse(
      &a, "\xef\xbb\xbf# ours\r\n\na@x\r\nb@x\tbob\nc@x\t\tpass, word:\twith all \nd@x\tdan\tp",
      &err));
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
    { "a@x\nb@x\tb\rQUIT\tp\n", "line 2: it has a carriage return or a NUL in it" },
    { "a@x\tb\tp\rq\n", "line 1: it has a carriage return or a NUL in it" },
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

static bool here(struct migrate_plan *p, const char *uidl, uint64_t uid, bool imported,
                 uint64_t size) {
  return migrate_plan_here(p, slice_str(uidl), uid, imported, size, MIGRATE_ANY);
}

static struct migrate_message *came(struct migrate_plan *p, size_t i, uint64_t size, uint32_t sum,
                                    uint8_t digest) {
  p->old[i].kept = (struct importer_kept){ size, sum, { digest } };
  assert_true(migrate_plan_came(p, &p->old[i]));
  return &p->old[i];
}

/* A UIDL proves nothing: size, then octets, of those that are here and of those that are gone. */
static void doubt(void **state) {
  struct migrate_plan p;
  static const char *const uidls[] = { "same",   "lf",       "other", "reused", "gone",
                                       "regone", "old-gone", "twin",  "twin" };
  migrate_plan_init(&p);
  for (size_t i = 0; i < 9; i++) assert_true(migrate_plan_old(&p, i + 1, 100, slice_str(uidls[i])));
  assert_true(here(&p, "same", 1, true, 100) && here(&p, "lf", 2, true, 110) &&
              here(&p, "other", 3, true, 90));
  assert_true(here(&p, "reused", 4, true, 90) &&
              migrate_plan_here(&p, SLICE("gone"), 0, true, 110, 77));
  assert_true(migrate_plan_here(&p, SLICE("regone"), 0, true, 110, 77) &&
              here(&p, "twin", 5, true, 100));
  assert_true(here(&p, "old-gone", 0, true, MIGRATE_ANY));
  assert_true(migrate_plan_make(&p));
  assert_int_equal(p.old[0].state, MIGRATE_HERE);
  assert_int_equal(p.old[6].state, MIGRATE_GONE); /* nothing but its UIDL is known */
  assert_int_equal(p.old[8].state, MIGRATE_NEW);
  for (size_t i = 1; i < 8; i++)
    if (i != 6) assert_int_equal(p.old[i].state, MIGRATE_DOUBT);
  for (size_t i = 0; i < p.here_count; i++) { /* the octets that are here are read */
    if (p.here[i].gone) continue;
    p.here[i].lines = 10;
    p.here[i].hashed = true;
    p.here[i].hash[0] = (uint8_t)p.here[i].uid;
  }
  assert_true(migrate_plan_make(&p));
  assert_int_equal(p.old[1].state, MIGRATE_HERE); /* the size with LF alone */
  assert_int_equal(came(&p, 2, 90, 1, 3)->state, MIGRATE_HERE);
  assert_int_equal(came(&p, 3, 90, 1, 9)->state, MIGRATE_NEW);
  assert_true(p.old[3].reused && slice_starts(p.old[3].uidl, SLICE("old-09")));
  assert_int_equal(came(&p, 4, 110, 77, 9)->state, MIGRATE_GONE);
  assert_int_equal(came(&p, 5, 110, 78, 10)->state, MIGRATE_NEW);
  assert_true(slice_starts(p.old[5].uidl, SLICE("old-0a")));
  assert_int_equal(came(&p, 7, 100, 1, 11)->state, MIGRATE_NEW);
  assert_int_equal(came(&p, 8, 100, 1, 5)->state, MIGRATE_HERE); /* the twins have changed places */
  assert_true(slice_eq(p.old[8].uidl, SLICE("twin")));
  assert_int_equal(p.left_over, 0);
  /* Every octet: nothing is believed but what was read. */
  p.every_octet = true;
  migrate_plan_forget_old(&p);
  assert_true(migrate_plan_old(&p, 1, 100, SLICE("same")) &&
              migrate_plan_old(&p, 2, 100, SLICE("old-gone")));
  assert_true(migrate_plan_make(&p));
  assert_int_equal(p.old[0].state, MIGRATE_DOUBT);
  assert_int_equal(p.old[1].state, MIGRATE_GONE);
  migrate_plan_free(&p);
}

static void plan(void **state) {
  struct migrate_plan p;
  migrate_plan_init(&p);
  assert_true(migrate_plan_old(&p, 1, 100, SLICE("one")) &&
              migrate_plan_old(&p, 2, 200, SLICE("two")));
  assert_true(migrate_plan_old(&p, 3, 200, SLICE("two")) &&
              migrate_plan_old(&p, 5, 500, SLICE("")));
  assert_true(migrate_plan_old(&p, 6, 600, SLICE("gone")));
  assert_true(here(&p, "one", 7, true, 100) && here(&p, "0000", 8, false, 5));
  assert_true(here(&p, "left", 9, true, 6) && here(&p, "gone", 0, true, 600));
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
    p.old[i].kept = (struct importer_kept){ .digest = { (uint8_t)i } };
    assert_int_equal(p.old[i].uidl.n, 0);
    assert_true(migrate_plan_came(&p, &p.old[i]));
    assert_true(uidl_is_valid(p.old[i].uidl) && slice_starts(p.old[i].uidl, SLICE("old-")));
  }
  migrate_plan_forget_here(&p);
  p.old[1].imported = true;
  for (size_t i = 0; i < 4; i++)
    assert_true(migrate_plan_here(&p, p.old[i].uidl, 10 + i, true, p.old[i].size, MIGRATE_ANY));
  assert_true(migrate_plan_make(&p));
  assert_int_equal(p.new_count, 1);
  assert_int_equal(p.doubt_count, 0);
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
    if (i % 2) assert_true(here(&p, uidl, i + 1, true, 1));
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
    cmocka_unit_test(doubt),
    cmocka_unit_test(many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
