/* SPDX-License-Identifier: ISC */
/* The POP3 client session without memory: each allocation of a session fails once, and the session
 * has lost nothing but itself. And the connection is lost behind every octet of the server's. (The
 * linker's --wrap, as in tests/world.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/pop3_script.h"
#include "tests/world/alloc_fail.h"

/* What the server says: a whole session of two messages that are moved. "|": it waits for the
 * client. */
static const char *const talks[] = {
  "+OK ready <1896.697170952@dbc.mtview.ca.us>\r\n"
  "|+OK\r\nUSER\r\nUIDL\r\nPIPELINING\r\nSASL CRAM-MD5\r\n.\r\n"
  "|+OK\r\n|+OK\r\n"
  "|+OK\r\n1 10\r\n2 5\r\n.\r\n+OK\r\n1 abc\r\n2 def\r\n.\r\n"
  "|+OK\r\na:b\r\n\r\n..\r\n.\r\n+OK\r\nx: y\r\n.\r\n"
  "|+OK\r\n+OK\r\n|+OK bye\r\n",
  "+OK ready\r\n"
  "|+OK\r\nUIDL\r\nSASL LOGIN\r\n.\r\n"
  "|+ VXNlcm5hbWU6\r\n|+ UGFzc3dvcmQ6\r\n|+OK\r\n"
  "|+OK\r\nUIDL\r\n.\r\n"
  "|+OK\r\n2 5\r\n1 10\r\n.\r\n|+OK\r\n1 abc\r\n2 abc\r\n.\r\n"
  "|+OK\r\na: b\r\n\r\n..\r\n.\r\n|+OK 2 abc\r\n|+OK\r\nx: y\r\n.\r\n"
  "|+OK\r\n|+OK\r\n|+OK bye\r\n",
};
enum { TALKS = sizeof talks / sizeof *talks };

struct result {
  enum pop3_end end;
  bool made;
};

static void feed(struct script *t, struct slice s) {
  bool more = true;
  buf_put(&t->in, s);
  while (more && t->c->end == POP3_END_NONE) {
    struct slice whole = buf_slice(&t->in), in = whole;
    alloc_enter();
    if (in.n) pop3_client_input(t->c, &in);
    alloc_leave();
    buf_drop(&t->in, whole.n - in.n);
    more = in.n != whole.n;
  }
}

/* The shell of pop3_script.h, with the code under test in brackets. `most` octets of the talk
 * arrive. */
static struct result run(struct script *t, const char *talk, size_t step, size_t most) {
  struct slice rest = slice_first(slice_str(talk), most);
  t->start.sink.arg = t;
  t->wish = POP3_MOVE;
  buf_reserve(&t->log, 64 * 1024); /* what the sink notes is not under test */
  alloc_enter();
  t->c = pop3_client_new(&t->start);
  alloc_leave();
  if (!t->c) return (struct result){ .made = false };
  while (rest.n && t->c->end == POP3_END_NONE) {
    struct slice turn = slice_split(&rest, '|');
    for (; turn.n && t->c->end == POP3_END_NONE; turn = slice_from(turn, step))
      feed(t, slice_first(turn, step));
    buf_reset(&t->c->proto.out);
  }
  alloc_enter();
  pop3_client_gone(t->c, POP3_END_GONE);
  alloc_leave();
  return (struct result){ t->c->end, true };
}

static unsigned count(struct slice s, struct slice what) {
  unsigned n = 0;
  for (ptrdiff_t at; (at = slice_search(s, what)) >= 0; n++) s = slice_from(s, (size_t)at + 1);
  return n;
}

/* Begun is ended or cut. */
static void check_sink(const struct script *t) {
  struct slice log = buf_slice(&t->log);
  assert_int_equal(count(log, SLICE("begin ")),
                   count(log, SLICE("end ")) + count(log, SLICE("cut ")));
}

static void no_memory(void **state) {
  for (size_t k = 0; k < TALKS; k++) {
    bool failed = true;
    uint64_t n = 0;
    while (failed) {
      struct script t;
      script_init(&t);
      alloc_fail = (struct alloc_fail){ .armed = true, .fail_at = ++n };
      struct result r = run(&t, talks[k], SIZE_MAX, SIZE_MAX);
      failed = alloc_failed();
      alloc_fail.armed = false;
      if (r.made) check_sink(&t);
      /* One that was not needed after all changes nothing. */
      bool done = r.made && r.end == POP3_END_DONE && t.c->items[0].state == POP3_DELETED &&
                  t.c->items[1].state == POP3_DELETED;
      assert_true(done || (failed && (!r.made || r.end == POP3_END_NO_MEMORY)));
      script_free(&t);
      assert_true(n < 1000);
    }
    assert_true(n > 10);
  }
}

/* However the octets come, and wherever they end. Before QUIT's answer nothing is known to be done.
 */
static void broken_off_behind_every_octet(void **state) {
  static const size_t steps[] = { 1, 7, SIZE_MAX };
  for (size_t k = 0; k < TALKS; k++) {
    size_t all = strlen(talks[k]);
    for (size_t most = 0; most <= all; most++)
      for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct script t;
        script_init(&t);
        struct result r = run(&t, talks[k], steps[i], most);
        check_sink(&t);
        bool quit_said = most >= all - strlen("|+OK bye\r\n");
        enum pop3_end want = most == all ? POP3_END_DONE
                             : quit_said ? POP3_END_QUIT_UNHEARD
                                         : POP3_END_GONE;
        assert_string_equal(pop3_end_word(r.end), pop3_end_word(want));
        script_free(&t);
      }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(no_memory),
    cmocka_unit_test(broken_off_behind_every_octet),
  };
  return cmocka_run_group_tests_name("pop3_client_torture", tests, NULL, NULL);
}
