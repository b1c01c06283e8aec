/* SPDX-License-Identifier: ISC */
/* CSV as spreadsheets write it, and hashes that are whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/password/password.h"
#include "src/cli/base/csv.h"

/* All rows: "line[a|b] line[c]", "!line" for a malformed one. */
static void rows_are(const char *text, const char *want) {
  struct csv c;
  struct slice fields[CSV_FIELDS_MAX];
  struct buf got;
  const char *why;
  size_t n;
  buf_init(&got, 4096);
  csv_open(&c, slice_str(text));
  for (int r; (r = csv_next(&c, fields, &n, &why)) != 0;) {
    buf_printf(&got, "%s%s%u", buf_len(&got) ? " " : "", r < 0 ? "!" : "", c.line);
    for (size_t i = 0; r > 0 && i < n; i++)
      buf_printf(&got, "%s%.*s", i ? "|" : "[", SLICE_ARG(fields[i]));
    if (r > 0) buf_put_u8(&got, ']');
  }
  csv_close(&c);
  assert_string_equal(buf_cstr(&got), want);
  buf_free(&got);
}

static void rows(void **state) {
  rows_are("", "");
  rows_are("\xef\xbb\xbf"
           "a,b\r\n1,2\r\n",
           "1[a|b] 2[1|2]");
  rows_are("a;b\n1,5;2", "1[a|b] 2[1,5|2]");
  rows_are("a\tb\n1\t2\n", "1[a|b] 2[1|2]");
  rows_are("a,b\n\n\r\n1,\n", "1[a|b] 4[1|]");
  rows_are("a,b\n\"x,\"\"y\"\"\n z\",2\n3,4\n", "1[a|b] 2[x,\"y\"\n z|2] 4[3|4]");
  rows_are("a,b\n\"x\"y,2\n3,4\n", "1[a|b] !2 3[3|4]");
  rows_are("a,b\n\"never closed,2\n3,4\n", "1[a|b] !2");
  rows_are("a\rb,c\n", "1[a\rb|c]");
  rows_are("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,"
           "33\na\n",
           "!1 2[a]");
}

static void whole_hashes(void **state) {
  static const char *const whole[] = {
    "$6$abcdefgh$n6g.e1kXQFF0vPhpMxy.XQ5FHRGJTZ."
    "VRgGVjuhmmdLBGQaiMLMRkYqPAXGsPfOuHwSVKEVVTXCxLFbH2F/1u.",
    "$5$abcdefgh$N3n/zRCx4YvXoEDKlHhjv3QSwx8RDM2pOAA5WXOmhy1",
    "$1$abcdefgh$G//4keteveJp0qb8z2DxG/",
    "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
  };
  for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
    struct slice s = slice_str(whole[i]);
    if (!password_is_whole(s)) fail_msg("%s", whole[i]);
    assert_false(password_is_whole(slice_first(s, s.n - 1)));
    assert_false(password_is_whole(slice_first(s, 12)));
  }
  assert_false(password_is_whole(SLICE("abcdefghijklm")));
  assert_false(password_is_whole(SLICE_NONE));
}

int main(void) {
  const struct CMUnitTest tests[] = { cmocka_unit_test(rows), cmocka_unit_test(whole_hashes) };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
