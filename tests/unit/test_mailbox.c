/* Mailboxes in files, there and back; other servers' UIDLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/cli/mailbox.h"
#include "src/cli/mbox.h"
#include "src/cli/uidls.h"

static char dir[64];

static const char *path_of(const char *name) {
  static char path[4][160];
  static unsigned at;
  char *p = path[at++ % 4];
  snprintf(p, sizeof path[0], "%s/%s", dir, name);
  return p;
}

static void write_file(const char *name, const char *text) {
  FILE *f = fopen(path_of(name), "w");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0);
  fclose(f);
}

static const char *const messages[] = {
  "Return-Path: <a@example.org>\r\nSubject: one\r\n\r\nFrom the start\r\n>From\r\n\r\n",
  "\r\nno header\r\n",
  "Subject: three\r\n\r\n.\r\n..\r\n",
};
enum { MESSAGES = sizeof messages / sizeof *messages };

static void write_all(bool maildir, const char *path) {
  struct buf err;
  buf_init(&err, 1024);
  struct mailbox_out *o = mailbox_out_open(maildir, path, false, &err);
  assert_non_null(o);
  for (size_t i = 0; i < MESSAGES; i++) {
    struct mail_meta meta = { .date = 1795723629 + (int64_t)i,
                              .flags = i == 1 ? MAIL_SEEN | MAIL_ANSWERED : 0 };
    assert_true(mailbox_out_begin(o, &meta));
    for (struct slice s = slice_str(messages[i]); s.n; s = slice_from(s, 5))
      assert_true(mailbox_out_put(o, slice_first(s, 5)));
    assert_true(mailbox_out_end(o));
    assert_true(*mailbox_out_name(o));
  }
  assert_true(mailbox_out_sync(o));
  mailbox_out_free(&o);
  buf_free(&err);
}

static void read_all(const char *path, const char *uidls, bool flags, const char *const *wanted_uidls) {
  struct buf err, wire;
  struct mail_item m;
  buf_init(&err, 1024), buf_init(&wire, 4096);
  struct mailbox_in *in = mailbox_in_open(path, uidls, &err);
  assert_string_equal(buf_len(&err) ? buf_cstr(&err) : "", "");
  assert_non_null(in);
  size_t n = 0;
  for (; mailbox_in_next(in, &m, &err); n++) {
    struct to_wire w = to_wire_open(m.raw, m.unquote);
    buf_reset(&wire);
    while (to_wire_next(&w, &wire, 1)) {
    }
    assert_true(n < MESSAGES);
    assert_string_equal(buf_cstr(&wire), messages[n]);
    assert_int_equal(m.meta.date, 1795723629 + n);
    assert_int_equal(m.meta.flags, flags && n == 1 ? MAIL_SEEN | MAIL_ANSWERED : 0);
    assert_true(slice_eq(m.meta.uidl, slice_str(wanted_uidls ? wanted_uidls[n] : NULL)));
  }
  assert_int_equal(n, MESSAGES);
  assert_int_equal(buf_len(&err), 0);
  mailbox_in_free(&in);
  buf_free(&err), buf_free(&wire);
}

static void maildir_there_and_back(void **state) {
  write_all(true, path_of("box"));
  read_all(path_of("box"), NULL, true, NULL);
}

static void mbox_there_and_back(void **state) {
  static const char *const uidls[] = { "u1", "u2", "u3" };
  struct buf err;
  buf_init(&err, 1024);
  write_all(false, path_of("box.mbox"));
  read_all(path_of("box.mbox"), NULL, false, NULL);
  write_file("uidls", "u1\nu2\r\n\nu3\n");
  read_all(path_of("box.mbox"), path_of("uidls"), false, uidls);
  assert_null(mailbox_out_open(false, path_of("box.mbox"), false, &err)); /* it exists */
  buf_reset(&err);
  write_file("uidls", "u1\tname\n");
  assert_null(mailbox_in_open(path_of("box.mbox"), path_of("uidls"), &err));
  buf_free(&err);
}

/* What was begun and not ended leaves no trace. */
static void half_a_message(void **state) {
  struct mail_meta meta = { 0 };
  for (int maildir = 0; maildir < 2; maildir++) {
    const char *path = maildir ? path_of("halfbox") : path_of("half.mbox");
    struct buf err;
    buf_init(&err, 1024);
    write_all(maildir, path);
    struct mailbox_out *o = mailbox_out_open(maildir, path, true, &err);
    assert_true(mailbox_out_begin(o, &meta));
    static char large[200 * 1024];
    memset(large, 'x', sizeof large);
    assert_true(mailbox_out_put(o, slice_of(large, sizeof large)));
    mailbox_out_free(&o);
    read_all(path, NULL, maildir, NULL);
    if (maildir) assert_int_equal(rmdir(path_of("halfbox/tmp")), 0);
    buf_free(&err);
  }
}

/* The order is Dovecot's, not that of names; one has a UIDL of its own; the third is not in the list. */
static void dovecot_uidlist(void **state) {
  static const char *const uidls[] = { "0000000751b0d3c8", "own-uidl", "" };
  static const char *const names[] = { "cur/3.x:2,S", "new/2.x", "new/1.x" };
  struct buf err;
  struct mail_item m;
  buf_init(&err, 1024);
  mkdir(path_of("dovecot"), 0700), mkdir(path_of("dovecot/cur"), 0700), mkdir(path_of("dovecot/new"), 0700);
  write_file("dovecot/cur/3.x:2,S", "a\n");
  write_file("dovecot/new/2.x", "b\n");
  write_file("dovecot/new/1.x", "c\n");
  write_file("dovecot/dovecot-uidlist", "3 V1370543048 N9 Gabc\n7 W5 :3.x:2,\n8 W5 Pown-uidl :2.x\n");
  struct mailbox_in *in = mailbox_in_open(path_of("dovecot"), NULL, &err);
  assert_non_null(in);
  for (size_t i = 0; i < 3; i++) {
    assert_true(mailbox_in_next(in, &m, &err));
    assert_string_equal(m.name, names[i]);
    assert_true(slice_eq(m.meta.uidl, slice_str(uidls[i])));
  }
  assert_false(mailbox_in_next(in, &m, &err));
  mailbox_in_free(&in);
  buf_free(&err);
}

static void broken_lists(void **state) {
  static const struct {
    bool dovecot;
    const char *text, *error;
  } rows[] = {
    { false, "a b\n", "line 1: a UIDL has" },
    { false, "ok\n\x80\n", "line 2: a UIDL has" },
    { false, "u\tname\nv\n", "line 2: either every line has a name" },
    { false, "0123456789012345678901234567890123456789012345678901234567890123456789x\n", "line 1" },
    { true, "", "line 1: this is no dovecot-uidlist" },
    { true, "1 1 2\n", "line 1: this is no dovecot-uidlist" },
    { true, "3 V1 N2\nx :a\n", "line 2" },
    { true, "3 V1 N2\n5 a\n", "line 2" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct uidl_list l;
    struct buf err;
    buf_init(&err, 1024);
    struct slice text = slice_str(rows[i].text);
    assert_false(rows[i].dovecot ? uidls_read_dovecot(&l, text, &err) : uidls_read_plain(&l, text, &err));
    if (!strstr(buf_cstr(&err), rows[i].error)) fail_msg("%s: %s", rows[i].text, buf_cstr(&err));
    uidls_free(&l);
    buf_free(&err);
  }
}

static void no_mailbox(void **state) {
  struct buf err;
  struct mail_item m;
  buf_init(&err, 1024);
  assert_null(mailbox_in_open(path_of("nothing"), NULL, &err));
  mkdir(path_of("folder"), 0700);
  assert_null(mailbox_in_open(path_of("folder"), NULL, &err));
  write_file("text", "Subject: x\n");
  buf_reset(&err);
  struct mailbox_in *in = mailbox_in_open(path_of("text"), NULL, &err);
  assert_non_null(in);
  assert_false(mailbox_in_next(in, &m, &err));
  assert_true(buf_len(&err) > 0);
  mailbox_in_free(&in);
  buf_free(&err);
}

static int set_up(void **state) {
  snprintf(dir, sizeof dir, "/tmp/qasid-mailbox.XXXXXX");
  return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", dir);
  return system(command);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(maildir_there_and_back),
    cmocka_unit_test(mbox_there_and_back),
    cmocka_unit_test(dovecot_uidlist),
    cmocka_unit_test(broken_lists),
    cmocka_unit_test(no_mailbox),
    cmocka_unit_test(half_a_message),
  };
  return cmocka_run_group_tests_name("mailbox", tests, set_up, tear_down);
}
