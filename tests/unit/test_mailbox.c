/* SPDX-License-Identifier: ISC */
/* Mailboxes in files, there and back; other servers' UIDLs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/cli/mailbox/mailbox.h"
#include "src/cli/mailbox/mbox.h"
#include "src/cli/mailbox/uidls.h"

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

static bool put_wire(void *arg, struct slice wire) {
  buf_put(arg, wire);
  return true;
}

static void read_all(const char *path, const char *uidls, bool flags,
                     const char *const *wanted_uidls) {
  struct buf err, wire;
  struct mail_item m;
  buf_init(&err, 1024), buf_init(&wire, 4096);
  struct mailbox_in *in = mailbox_in_open(path, &(struct mailbox_how){ .uidl_file = uidls }, &err);
  assert_string_equal(buf_len(&err) ? buf_cstr(&err) : "", "");
  assert_non_null(in);
  size_t n = 0;
  for (; mailbox_in_next(in, &m, &err); n++) {
    buf_reset(&wire);
    assert_null(m.left_out);
    uint64_t crs;
    assert_true(mail_item_read(&m, put_wire, &wire, &crs));
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
  write_file("uidls", "u3\t3\nu1\t1\nu2\t2\n"); /* as export writes it */
  read_all(path_of("box.mbox"), path_of("uidls"), false, uidls);
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

/* The order is Dovecot's, not that of names; one has a UIDL of its own; the third is not in the
 * list. */
static void dovecot_uidlist(void **state) {
  static const char *const uidls[] = { "0000000751b0d3c8", "own:uidl:", "" };
  static const char *const names[] = { "cur/3.x:2,S", "new/2.x", "new/1.x" };
  struct buf err;
  struct mail_item m;
  buf_init(&err, 1024);
  mkdir(path_of("dovecot"), 0700), mkdir(path_of("dovecot/cur"), 0700),
      mkdir(path_of("dovecot/new"), 0700);
  write_file("dovecot/cur/3.x:2,S", "a\n");
  write_file("dovecot/new/2.x", "b\n");
  write_file("dovecot/new/1.x", "c\n");
  write_file("dovecot/dovecot-uidlist",
             "3 V1370543048 N9 Gabc\n7 W5 :3.x:2,\n8 W5 Pown:uidl: :2.x\n");
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

struct wanted {
  const char *name, *uidl;
};

static void expect_uidls(const char *path, const char *from, const struct wanted *wanted,
                         size_t count) {
  struct buf err;
  struct mail_item m;
  buf_init(&err, 1024);
  struct mailbox_in *in = mailbox_in_open(path, &(struct mailbox_how){ .uidl_from = from }, &err);
  if (!in) fail_msg("%s", buf_cstr(&err));
  for (size_t i = 0; i < count; i++) {
    assert_true(mailbox_in_next(in, &m, &err));
    assert_string_equal(m.name, wanted[i].name);
    if (!slice_eq(m.meta.uidl, slice_str(wanted[i].uidl)))
      fail_msg("%s: %.*s", m.name, SLICE_ARG(m.meta.uidl));
  }
  assert_false(mailbox_in_next(in, &m, &err));
  assert_int_equal(buf_len(&err), 0);
  mailbox_in_free(&in);
  buf_free(&err);
}

/* In the order of times, as numbers; a file of each version that Courier wrote. */
static void courier_list(void **state) {
  mkdir(path_of("courier"), 0700), mkdir(path_of("courier/cur"), 0700),
      mkdir(path_of("courier/new"), 0700);
  write_file("courier/cur/1000.b,S=2:2,S", "a\n");
  write_file("courier/cur/999.a:2,", "a\n");
  write_file("courier/cur/1001.c d+:2,", "a\n");
  write_file("courier/new/1002.e", "a\n");
  write_file(
      "courier/courierpop3dsizelist",
      "/3 4 1700000000\n999.a:2, 3 1:1600000000:0\n1000.b,S=2:2,S 3 2:0:1\n1001.c d+:2, 3 0:0:0\n");
  static const struct wanted third[] = { { "cur/999.a:2,", "UID1-1600000000" },
                                         { "cur/1000.b,S=2:2,S", "UID2" },
                                         { "cur/1001.c d+:2,", "1001.c+20d+2B" },
                                         { "new/1002.e", "" } };
  expect_uidls(path_of("courier"), NULL, third, 4);
  expect_uidls(path_of("courier"), "courier", third, 4);
  write_file("courier/courierpop3dsizelist",
             "/2 4 1700000000\n999.a:2, 3 1:1600000000\n1000.b,S=2 3 2:0\n");
  static const struct wanted second[] = { { "cur/999.a:2,", "UID1-1600000000" },
                                          { "cur/1000.b,S=2:2,S", "UID2" },
                                          { "cur/1001.c d+:2,", "" },
                                          { "new/1002.e", "" } };
  expect_uidls(path_of("courier"), NULL, second, 4);
  write_file("courier/courierpop3dsizelist", "/1 4\n999.a:2, 3 7\n");
  static const struct wanted first[] = { { "cur/999.a:2,", "UID7" },
                                         { "cur/1000.b,S=2:2,S", "" },
                                         { "cur/1001.c d+:2,", "" },
                                         { "new/1002.e", "" } };
  expect_uidls(path_of("courier"), NULL, first, 4);
  static const struct wanted names[] = { { "cur/999.a:2,", "999.a" },
                                         { "cur/1000.b,S=2:2,S", "1000.b,S=2" },
                                         { "cur/1001.c d+:2,", "" },
                                         { "new/1002.e", "1002.e" } };
  expect_uidls(path_of("courier"), "name", names, 4);
  write_file("courier/dovecot-uidlist", "3 V1 N2\n");
  struct buf err;
  buf_init(&err, 1024);
  assert_null(mailbox_in_open(path_of("courier"), NULL, &err));
  assert_non_null(strstr(buf_cstr(&err), "choose the one whose UIDLs"));
  buf_free(&err);
}

static void put_number(uint8_t *to, uint64_t n, size_t octets) {
  for (size_t i = 0; i < octets; i++) to[i] = (uint8_t)(n >> 8 * (octets - 1 - i));
}

/* Two messages and one that is expunged, as versions 13 and 20 lay them out. */
static void cyrus_mailbox(void **state) {
  static const struct {
    unsigned version, header, record, validity, options, date, date_size, flags;
  } rows[] = { { 13, 128, 104, 44, 60, 4, 4, 32 }, { 20, 192, 144, 92, 64, 8, 8, 36 } };
  mkdir(path_of("cyrus"), 0700);
  write_file("cyrus/1.", "a\r\n"), write_file("cyrus/2.", "b\r\n"), write_file("cyrus/7.", "c\r\n");
  for (size_t i = 0; i < 2; i++) {
    uint8_t index[1024] = { 0 };
    put_number(index + 8, rows[i].version, 4), put_number(index + 12, rows[i].header, 4);
    put_number(index + 16, rows[i].record, 4), put_number(index + 20, 3, 4);
    put_number(index + rows[i].validity, 1234567890, 4), put_number(index + rows[i].options, 1, 4);
    if (rows[i].version == 13) put_number(index + 84, 2, 4);
    static const uint32_t uids[] = { 1, 2, 7 };
    for (size_t r = 0; r < 3; r++) {
      uint8_t *record = index + rows[i].header + r * rows[i].record;
      put_number(record, uids[r], 4);
      put_number(record + rows[i].date,
                 rows[i].date_size == 8 ? 1700000000ull * 1000000000 : 1700000000,
                 rows[i].date_size);
      put_number(record + rows[i].flags, r == 1 ? UINT32_C(1) << 31 : 16, 4);
    }
    FILE *f = fopen(path_of("cyrus/cyrus.index"), "w");
    fwrite(index, 1, rows[i].header + 3 * rows[i].record, f);
    fclose(f);
    static const struct wanted plain[] = { { "1.", "1234567890.1" }, { "7.", "1234567890.7" } };
    expect_uidls(path_of("cyrus"), NULL, plain, 2);
    static const struct wanted bare[] = { { "1.", "1" }, { "7.", "7" } };
    expect_uidls(path_of("cyrus"), "cyrus-uidonly", bare, 2);
    static const struct wanted hex[] = { { "1.", "00000001499602d2" },
                                         { "7.", "00000007499602d2" } };
    expect_uidls(path_of("cyrus"), "cyrus-dovecot", hex, 2);
    struct buf err;
    struct mail_item m;
    buf_init(&err, 1024);
    struct mailbox_in *in = mailbox_in_open(path_of("cyrus"), NULL, &err);
    assert_true(mailbox_in_next(in, &m, &err));
    assert_int_equal(m.meta.date, 1700000000);
    assert_int_equal(m.meta.flags, MAIL_SEEN);
    mailbox_in_free(&in);
    assert_int_equal(truncate(path_of("cyrus/cyrus.index"), rows[i].header + 2 * rows[i].record),
                     0);
    assert_null(mailbox_in_open(path_of("cyrus"), NULL, &err));
    buf_free(&err);
  }
}

static void uidl_in_header(void **state) {
  write_file("x.mbox",
             "From a Thu Nov 26 20:07:09 2026\nX-UIDL: abc#12 \nSubject: x\n\nX-UIDL: no\n\n"
             "From b Thu Nov 26 20:07:09 2026\nSubject: y\n\nX-UIDL: no\n");
  static const struct wanted wanted[] = { { "message 1", "abc#12" }, { "message 2", "" } };
  expect_uidls(path_of("x.mbox"), "x-uidl", wanted, 2);
}

static void broken_lists(void **state) {
  static const struct {
    int kind; /* 0: plain, 1: Dovecot's, 2: Courier's */
    const char *text, *error;
  } rows[] = {
    { 2, "", "line 1: this is not a courierpop3dsizelist" },
    { 2, "/4 1 1\n", "line 1: this is not a courierpop3dsizelist" },
    { 2, "/3 1 1\nname\n", "line 2" },
    { 2, "/3 1 1\nname 5 x\n", "line 2" },
    { false, "a b\n", "line 1: a UIDL has" },
    { false, "ok\n\x80\n", "line 2: a UIDL has" },
    { false, "u\tname\nv\n", "line 2: either every line has a name" },
    { false, "0123456789012345678901234567890123456789012345678901234567890123456789x\n",
      "line 1" },
    { true, "", "line 1: this is not a dovecot-uidlist" },
    { true, "1 1 2\n", "line 1: this is not a dovecot-uidlist" },
    { true, "3 V1 N2\nx :a\n", "line 2" },
    { true, "3 V1 N2\n5 a\n", "line 2" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct uidl_list l;
    struct buf err;
    buf_init(&err, 1024);
    struct slice text = slice_str(rows[i].text);
    assert_false(rows[i].kind == 2   ? uidls_read_courier(&l, text, &err)
                 : rows[i].kind == 1 ? uidls_read_dovecot(&l, text, &err)
                                     : uidls_read_plain(&l, text, &err));
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

/* --- trees of others --- */

/* The item of that name: why it is left out; "" when it is not, NULL when there is none. */
static const char *left_out(const char *box, const char *name) {
  static char why[200];
  struct buf err;
  struct mail_item m;
  bool found = false;
  buf_init(&err, 1024);
  struct mailbox_in *in = mailbox_in_open(path_of(box), NULL, &err);
  if (!in) fail_msg("%s", buf_cstr(&err));
  while (mailbox_in_next(in, &m, &err)) {
    if (strcmp(m.name, name) != 0) continue;
    found = true;
    snprintf(why, sizeof why, "%s", m.left_out ? m.left_out : "");
  }
  assert_int_equal(buf_len(&err), 0);
  mailbox_in_free(&in);
  buf_free(&err);
  return found ? why : NULL;
}

static void make_maildir(const char *name) {
  char sub[80];
  mkdir(path_of(name), 0755);
  snprintf(sub, sizeof sub, "%s/cur", name), mkdir(path_of(sub), 0755);
  snprintf(sub, sizeof sub, "%s/new", name), mkdir(path_of(sub), 0755);
}

/* What is no message of the owner's is an item that says so; the others come. */
static void no_messages_among_them(void **state) {
  make_maildir("odd");
  write_file("secret", "root's\n");
  write_file("odd/new/1.x", "a\n"), write_file("odd/cur/9.x", "b\n"), write_file("odd/cur/0.x", "");
  assert_int_equal(mkdir(path_of("odd/cur/2.x"), 0700), 0);
  assert_int_equal(symlink("nowhere", path_of("odd/cur/3.x")), 0);
  assert_int_equal(symlink(path_of("secret"), path_of("odd/cur/4.x")), 0);
  assert_int_equal(mkfifo(path_of("odd/cur/5.x"), 0600), 0);
  assert_string_equal(left_out("odd", "new/1.x"), "");
  assert_string_equal(left_out("odd", "cur/9.x"), "");
  assert_string_equal(left_out("odd", "cur/0.x"), "");
  assert_string_equal(left_out("odd", "cur/2.x"), "it is a folder");
  assert_string_equal(left_out("odd", "cur/3.x"), "it is a link");
  assert_string_equal(left_out("odd", "cur/4.x"), "it is a link");
  assert_string_equal(left_out("odd", "cur/5.x"), "it is not a file");
  assert_null(left_out("odd", "cur/6.x"));
  if (geteuid() != 0) return;
  /* the folder is a user's: a file of root's was not put there by the mail system */
  assert_int_equal(chown(path_of("odd"), 4711, 4711), 0);
  assert_int_equal(chown(path_of("odd/cur"), 4711, 4711), 0);
  assert_int_equal(chown(path_of("odd/new"), 4711, 4711), 0);
  assert_int_equal(chown(path_of("odd/new/1.x"), 4711, 4711), 0);
  assert_string_equal(left_out("odd", "new/1.x"), "");
  assert_string_equal(left_out("odd", "cur/9.x"), "it belongs to somebody else than its folder");
}

static bool refuses(const char *path, const char *uidls, const char *why) {
  struct buf err;
  buf_init(&err, 1024);
  struct mailbox_in *in = mailbox_in_open(path, &(struct mailbox_how){ .uidl_file = uidls }, &err);
  bool refused = !in && strstr(buf_cstr(&err), why);
  if (!refused) fail_msg("%s: %s", path, buf_len(&err) ? buf_cstr(&err) : "taken");
  mailbox_in_free(&in);
  buf_free(&err);
  return refused;
}

/* The lists, the folders, the mailbox itself. */
static void links_on_the_way(void **state) {
  make_maildir("lists");
  write_file("lists/new/1.x", "a\n");
  write_file("real", "3 V1 N2\n7 :1.x\n");
  assert_int_equal(symlink(path_of("real"), path_of("lists/dovecot-uidlist")), 0);
  refuses(path_of("lists"), NULL, "it is a link");
  unlink(path_of("lists/dovecot-uidlist"));
  assert_int_equal(mkfifo(path_of("lists/dovecot-uidlist"), 0600), 0);
  refuses(path_of("lists"), NULL, "it is not a file");
  unlink(path_of("lists/dovecot-uidlist"));
  assert_int_equal(symlink(path_of("real"), path_of("lists/cyrus.index")), 0);
  refuses(path_of("lists"), NULL, "it is a link");
  unlink(path_of("lists/cyrus.index"));
  rmdir(path_of("lists/cur"));
  assert_int_equal(symlink(path_of("odd/cur"), path_of("lists/cur")), 0);
  refuses(path_of("lists"), NULL, "cur: ");
  assert_int_equal(mkfifo(path_of("fifo.mbox"), 0600), 0);
  refuses(path_of("fifo.mbox"), NULL, "it is not a file");
  /* one's own links are one's own matter; those of another are not */
  make_maildir("plain");
  write_file("plain/new/1.x", "a\n");
  assert_int_equal(symlink("plain", path_of("mine")), 0);
  assert_string_equal(left_out("mine", "new/1.x"), "");
  if (geteuid() != 0) return;
  assert_int_equal(symlink("plain", path_of("theirs")), 0);
  assert_int_equal(lchown(path_of("theirs"), 4711, 4711), 0);
  refuses(path_of("theirs"), NULL, "it is a link");
  refuses(path_of("theirs/new/1.x"), NULL, "it is a link");
  write_file("real.mbox", "From a Thu Nov 26 20:07:09 2026\n\nb\n");
  mkdir(path_of("home"), 0755);
  assert_int_equal(link(path_of("real.mbox"), path_of("home/mbox")), 0);
  assert_int_equal(chown(path_of("home"), 4711, 4711), 0);
  refuses(path_of("home/mbox"), NULL, "somebody else");
}

/* Nothing is written through them either. */
static void links_where_it_is_written(void **state) {
  struct buf err;
  buf_init(&err, 1024);
  write_file("victim", "precious\n");
  make_maildir("trap"), make_maildir("target");
  assert_int_equal(symlink("../target", path_of("trap/tmp")), 0);
  assert_null(mailbox_out_open(true, path_of("trap"), true, &err));
  assert_int_equal(mkfifo(path_of("pipe.mbox"), 0600), 0);
  assert_null(mailbox_out_open(false, path_of("pipe.mbox"), true, &err));
  if (geteuid() == 0) {
    assert_int_equal(symlink("victim", path_of("out.mbox")), 0);
    assert_int_equal(lchown(path_of("out.mbox"), 4711, 4711), 0);
    assert_null(mailbox_out_open(false, path_of("out.mbox"), true, &err));
    mkdir(path_of("house"), 0755);
    assert_int_equal(link(path_of("victim"), path_of("house/mbox")), 0);
    assert_int_equal(chown(path_of("house"), 4711, 4711), 0);
    assert_null(mailbox_out_open(false, path_of("house/mbox"), true, &err));
    assert_int_equal(symlink("target", path_of("house/box")), 0);
    assert_int_equal(lchown(path_of("house/box"), 4711, 4711), 0);
    assert_null(mailbox_out_open(true, path_of("house/box"), true, &err));
  }
  buf_free(&err);
}

/* Somebody makes it shorter while it is read. */
static bool cut_it(void *arg, struct slice wire) {
  (void)wire;
  return truncate(arg, 10) == 0;
}
static void cut_while_read(void **state) {
  struct buf err;
  struct mail_item m;
  buf_init(&err, 1024);
  make_maildir("cutting");
  FILE *f = fopen(path_of("cutting/new/1.x"), "w");
  for (int i = 0; i < 100000; i++) fputs("a line\n", f);
  fclose(f);
  struct mailbox_in *in = mailbox_in_open(path_of("cutting"), NULL, &err);
  assert_true(mailbox_in_next(in, &m, &err));
  char path[200];
  snprintf(path, sizeof path, "%s", path_of("cutting/new/1.x"));
  uint64_t crs;
  assert_false(mail_item_read(&m, cut_it, path, &crs));
  assert_int_equal(errno, ENODATA);
  assert_false(mailbox_in_next(in, &m, &err));
  mailbox_in_free(&in);
  buf_free(&err);
}

/* The folder's own data is no mail, and has no place in a list of UIDLs. */
static void internal_data(void **state) {
  struct buf err;
  struct mail_item m;
  buf_init(&err, 1024);
  write_file("uw.mbox",
             "From MAILER-DAEMON Thu Nov 26 20:07:09 2026\nDate: 26 Nov 2026 20:07:09 +0000\n"
             "From: Mail System Internal Data <MAILER-DAEMON@host>\nSubject: DON'T DELETE THIS "
             "MESSAGE -- FOLDER INTERNAL DATA\n"
             "Message-ID: <1@host>\nX-IMAP: 1370543048 0000000002\nStatus: RO\n\nThis text is part "
             "of the internal format.\n\n"
             "From a Thu Nov 26 20:07:09 2026\nSubject: x\nStatus: RO\nX-Status: AF\n\nb\n");
  write_file("uidls", "first\n");
  struct mailbox_in *in = mailbox_in_open(
      path_of("uw.mbox"), &(struct mailbox_how){ .uidl_file = path_of("uidls") }, &err);
  assert_non_null(in);
  assert_true(mailbox_in_next(in, &m, &err));
  assert_true(m.internal && m.left_out);
  assert_true(mailbox_in_next(in, &m, &err));
  assert_null(m.left_out);
  assert_int_equal(m.meta.flags, MAIL_SEEN | MAIL_ANSWERED | MAIL_FLAGGED);
  assert_true(slice_eq(m.meta.uidl, SLICE("first")));
  assert_false(mailbox_in_next(in, &m, &err));
  assert_false(mailbox_in_uidls_differ(in));
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
    cmocka_unit_test(maildir_there_and_back), cmocka_unit_test(mbox_there_and_back),
    cmocka_unit_test(dovecot_uidlist),        cmocka_unit_test(courier_list),
    cmocka_unit_test(cyrus_mailbox),          cmocka_unit_test(uidl_in_header),
    cmocka_unit_test(broken_lists),           cmocka_unit_test(no_mailbox),
    cmocka_unit_test(half_a_message),         cmocka_unit_test(no_messages_among_them),
    cmocka_unit_test(links_on_the_way),       cmocka_unit_test(links_where_it_is_written),
    cmocka_unit_test(cut_while_read),         cmocka_unit_test(internal_data),
  };
  return cmocka_run_group_tests_name("mailbox", tests, set_up, tear_down);
}
