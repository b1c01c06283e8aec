/* SPDX-License-Identifier: ISC */
/* The store on the real disk: who receives, what is kept, who may read and delete it, and that none
 * of it is ever half done. */
#include "tests/unit/store_kit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base/crc32c.h"
#include "lib/db/db.h"
#include "src/store/sql/engine.h"

#define MESSAGE "Subject: one\r\n\r\nHello.\r\n"
#define STORED "Return-Path: <sender@example.com>\r\n" MESSAGE

static bool fixed_file(struct kit *k, const char *name) {
  char path[200];
  snprintf(path, sizeof path, "%s/%s", k->path, name);
  return access(path, F_OK) == 0;
}

static unsigned files_below(struct kit *k, const char *folder) {
  char command[200];
  unsigned n = 0;
  snprintf(command, sizeof command, "find %s/%s -type f | wc -l", k->path, folder);
  FILE *p = popen(command, "r");
  assert_non_null(p);
  assert_int_equal(fscanf(p, "%u", &n), 1);
  pclose(p);
  return n;
}

/* A message of so many octets, 2 at least; its header is empty. */
static struct slice big(size_t n) {
  static uint8_t mem[6 * 1024 * 1024];
  static const char header[] = "\r\n";
  for (size_t i = 0; i < n; i++)
    mem[i] = i < 2          ? (uint8_t)header[i]
             : i % 80 == 78 ? '\r'
             : i % 80 == 79 ? '\n'
                            : (uint8_t)('a' + i % 23);
  return slice_of(mem, n);
}

/* Spools `s` in chunks, the rest with the commit. */
static enum commit_outcome deliver_big(struct kit *k, const char *to, struct slice s) {
  while (s.n > IPC_CHUNK) {
    assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_spool, 7, slice_first(s, IPC_CHUNK)));
    struct smtp_spooled a = KIT_HEAR(k, smtp_spooled);
    if (a.outcome != COMMIT_DONE) return a.outcome;
    s = slice_from(s, IPC_CHUNK);
  }
  return kit_deliver(k, to, s);
}

static void expect_message(struct kit *k, uint64_t tag, uint32_t uid, struct slice want) {
  struct buf b;
  buf_init(&b, 16 * 1024 * 1024);
  assert_int_equal(kit_read(k, tag, uid, &b), POP_DONE);
  assert_int_equal(buf_len(&b), want.n);
  assert_memory_equal(buf_slice(&b).p, want.p, want.n);
  buf_free(&b);
}

/* --- who receives --- */

static void verdicts(void **state) {
  struct kit *k = *state;
  assert_int_equal(kit_rcpt(k, "postmaster", 0), RCPT_TROUBLE); /* nobody is there yet */
  alice(k);
  kit_account(k, "bob@example.org");
  assert_int_equal(kit_rcpt(k, "alice@example.org", 0), RCPT_OURS);
  assert_int_equal(kit_rcpt(k, "ALICE@EXAMPLE.org", 0), RCPT_OURS);
  assert_int_equal(kit_rcpt(k, "alice+list@example.org", 0), RCPT_OURS);
  assert_int_equal(kit_rcpt(k, "+alice@example.org", 0), RCPT_UNKNOWN);
  assert_int_equal(kit_rcpt(k, "carol@example.org", 0), RCPT_UNKNOWN);
  assert_int_equal(kit_rcpt(k, "alice@example.com", 0), RCPT_ELSEWHERE);
  assert_int_equal(kit_rcpt(k, "alice", 0), RCPT_ELSEWHERE);
  assert_int_equal(kit_rcpt(k, "alice@", 0), RCPT_ELSEWHERE);
  assert_int_equal(kit_rcpt(k, "a@b@example.org", 0), RCPT_UNKNOWN);
}

static void verdicts_keep_their_order(void **state) {
  struct kit *k = *state;
  struct buf list;
  alice(k);
  kit_rcpts(&list, "x@y.example alice@example.org nobody@example.org");
  assert_true(
      KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_rcpt, 1, .envelope = { .rcpts = buf_slice(&list) }));
  buf_free(&list);
  struct smtp_verdicts v = KIT_HEAR(k, smtp_verdicts);
  static const uint8_t want[] = { RCPT_ELSEWHERE, RCPT_OURS, RCPT_UNKNOWN };
  assert_int_equal(v.verdicts.n, 3);
  assert_memory_equal(v.verdicts.p, want, 3);
}

/* RFC 5321 §4.5.1: postmaster must reach somebody. */
static void postmaster(void **state) {
  struct kit *k = *state;
  uint64_t first = alice(k);
  uint64_t bob = kit_account(k, "bob@example.org");
  assert_int_equal(kit_rcpt(k, "postmaster", 0), RCPT_OURS);
  assert_int_equal(kit_rcpt(k, "Postmaster@example.org", 0), RCPT_OURS);
  assert_int_equal(kit_rcpt(k, "postmaster@example.com", 0), RCPT_ELSEWHERE);
  assert_int_equal(kit_deliver(k, "postmaster", SLICE(MESSAGE)), COMMIT_DONE);
  assert_int_equal(kit_open_drop(k, 1, first)->opened.count, 1);
  assert_int_equal(kit_command(k, "alias add postmaster@example.org bob@example.org").code, CLI_OK);
  assert_int_equal(kit_deliver(k, "postmaster", SLICE(MESSAGE)), COMMIT_DONE);
  assert_int_equal(kit_open_drop(k, 2, bob)->opened.count, 1);
}

/* Nor may it reach an account that is being deleted, slice by slice: its mail would go with the
 * rest. */
static void postmaster_outlives_an_account(void **state) {
  struct kit *k = *state;
  struct buf list;
  alice(k);
  uint64_t bob = kit_account(k, "bob@example.org");
  for (uint64_t i = 0; i < 600; i++)
    assert_true(kit_commit(k, i, "", "alice@example.org", SLICE(MESSAGE)));
  kit_pump(k);
  kit_forget_said(k);
  kit_list(&list, "account delete alice@example.org");
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_command, 0, buf_slice(&list)));
  buf_free(&list);
  struct store_job *slice = k->writes;
  k->writes = NULL;
  assert_true(store_write_group(k->writer, slice));
  store_finish(k->store, slice); /* the second slice waits */
  assert_non_null(k->writes);
  assert_true(kit_commit(k, 1, "", "postmaster", SLICE(MESSAGE)));
  KIT_HEAR(k, cli_columns);
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_DONE);
  assert_int_equal(kit_answer(k, NULL).code, CLI_OK);
  assert_int_equal(kit_open_drop(k, 1, bob)->opened.count, 1);
  must_be_sound(k);
}

static void aliases(void **state) {
  struct kit *k = *state;
  uint64_t first = alice(k);
  uint64_t bob = kit_account(k, "bob@example.org");
  assert_int_equal(
      kit_command(k, "alias add team@example.org alice@example.org bob@example.org").code, CLI_OK);
  assert_int_equal(
      kit_command(k, "alias add all@example.org team@example.org bob@example.org").code, CLI_OK);
  assert_int_equal(kit_command(k, "alias add all@example.org carol@example.org").code,
                   CLI_NOT_FOUND);
  assert_int_equal(kit_command(k, "alias add alice@example.org bob@example.org").code, CLI_EXISTS);
  assert_int_equal(kit_command(k, "alias add team@example.org all@example.org").code,
                   CLI_USAGE); /* a circle */
  assert_int_equal(kit_command(k, "alias add self@example.org self@example.org").code,
                   CLI_NOT_FOUND);
  /* Everybody gets it once, by however many ways. */
  assert_int_equal(
      kit_deliver(k, "all@example.org alice@example.org team@example.org alice+x@example.org",
                  SLICE(MESSAGE)),
      COMMIT_DONE);
  assert_int_equal(kit_open_drop(k, 1, first)->opened.count, 1);
  assert_int_equal(kit_open_drop(k, 2, bob)->opened.count, 1);
  must_be_sound(k);
  /* An account takes along the aliases that lead nowhere without it. */
  assert_int_equal(kit_command(k, "alias add b@example.org bob@example.org").code, CLI_OK);
  assert_int_equal(kit_command(k, "alias add bb@example.org b@example.org").code, CLI_OK);
  struct answer a = kit_command(k, "account delete bob@example.org");
  assert_int_equal(a.code, CLI_OK);
  assert_string_equal(a.rows, "all@example.org lost bob@example.org\nteam@example.org lost "
                              "bob@example.org\nb@example.org deleted \nbb@example.org deleted \n");
  assert_int_equal(kit_rcpt(k, "bb@example.org", 0), RCPT_UNKNOWN);
  assert_int_equal(kit_rcpt(k, "all@example.org", 0), RCPT_OURS);
  must_be_sound(k);
}

/* A name that is given again has nothing of what its last holder had. */
static void aliases_forget_who_went(void **state) {
  struct kit *k = *state;
  alice(k);
  kit_account(k, "bob@example.org");
  assert_int_equal(
      kit_command(k, "alias add team@example.org alice@example.org bob@example.org").code, CLI_OK);
  assert_int_equal(kit_command(k, "account delete bob@example.org").code, CLI_OK);
  uint64_t other = kit_account(k, "bob@example.org");
  assert_int_equal(kit_deliver(k, "team@example.org", SLICE(MESSAGE)), COMMIT_DONE);
  assert_int_equal(kit_open_drop(k, 1, other)->opened.count, 0);
  must_be_sound(k);
}

static void deep_aliases_end(void **state) {
  struct kit *k = *state;
  char words[128];
  alice(k);
  assert_int_equal(kit_command(k, "alias add a0@example.org alice@example.org").code, CLI_OK);
  for (int i = 1; i < 15; i++) {
    snprintf(words, sizeof words, "alias add a%d@example.org a%d@example.org", i, i - 1);
    assert_int_equal(kit_command(k, words).code, CLI_OK);
  }
  assert_int_equal(kit_rcpt(k, "a5@example.org", 0), RCPT_OURS);
  assert_int_equal(kit_rcpt(k, "a14@example.org", 0), RCPT_TROUBLE);
}

static void quotas(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  size_t one = sizeof STORED - 1;
  k->conf->quota = 2 * one;
  assert_int_equal(kit_rcpt(k, "alice@example.org", 2 * one), RCPT_OURS);
  assert_int_equal(kit_rcpt(k, "alice@example.org", 2 * one + 1), RCPT_TOO_BIG);
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_DONE);
  assert_int_equal(kit_rcpt(k, "alice@example.org", one), RCPT_OURS);
  assert_int_equal(kit_rcpt(k, "alice@example.org", one + 1), RCPT_FULL);
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_DONE);
  assert_int_equal(kit_rcpt(k, "alice@example.org", 0), RCPT_FULL);
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_FULL);
  assert_int_equal(kit_command(k, "account quota alice@example.org 1M").code, CLI_OK);
  assert_int_equal(kit_rcpt(k, "alice@example.org", 0), RCPT_OURS);
  assert_int_equal(kit_command(k, "account quota alice@example.org default").code, CLI_OK);
  assert_int_equal(kit_rcpt(k, "alice@example.org", 0), RCPT_FULL);
  kit_reopen(k); /* the usage is known after a restart */
  assert_int_equal(kit_rcpt(k, "alice@example.org", 0), RCPT_FULL);
  kit_open_drop(k, 1, id);
  kit_delete(k, 1, 1);
  assert_int_equal(kit_quit(k, 1).outcome, POP_DONE);
  assert_int_equal(kit_rcpt(k, "alice@example.org", one), RCPT_OURS);
  assert_int_equal(kit_rcpt(k, "alice@example.org", one + 1), RCPT_FULL);
}

/* What is under way counts: two messages can't both take the last process. */
static void quota_counts_what_is_coming(void **state) {
  struct kit *k = *state;
  alice(k);
  k->conf->quota = sizeof "Return-Path: <a@example.com>\r\n" MESSAGE - 1;
  assert_true(kit_commit(k, 7, "a@example.com", "alice@example.org", SLICE(MESSAGE)));
  assert_true(kit_commit(k, 8, "a@example.com", "alice@example.org", SLICE(MESSAGE)));
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_FULL);
  assert_int_equal(k->last->tag, 8);
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_DONE);
}

/* Larger than the whole quota, without SIZE: never there; the others have it, once, and the sender
 * is told of it, if it can be. */
static void larger_than_the_whole_quota(void **state) {
  struct kit *k = *state;
  size_t one = sizeof STORED - 1;
  alice(k);
  assert_int_equal(kit_command(k, "account add bob@example.org").code, CLI_OK);
  assert_int_equal(
      kit_command(k, "alias add all@example.org alice@example.org bob@example.org").code, CLI_OK);
  k->conf->quota = one;
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_DONE);
  assert_int_equal(kit_command(k, "account quota bob@example.org none").code, CLI_OK);
  k->conf->quota = one - 1;
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_NEVER);
  assert_int_equal(kit_deliver(k, "all@example.org", SLICE(MESSAGE)), COMMIT_DONE);
  assert_int_equal(kit_command(k, "queue list").count, 1);
  k->conf->send = false;
  assert_int_equal(kit_deliver(k, "all@example.org", SLICE(MESSAGE)), COMMIT_SOME_NEVER);
  k->conf->send = true;
  assert_int_equal(kit_deliver(k, "bob@example.org", SLICE(MESSAGE)), COMMIT_DONE);
}

/* --- what is kept --- */

static void deliver_and_read(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_DONE);
  assert_true(kit_commit(k, 7, "", "alice@example.org", SLICE("Subject: x\r\n\r\nno end")));
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_DONE);
  struct drop *d = kit_open_drop(k, 1, id);
  assert_int_equal(d->opened.count, 2);
  assert_int_equal(d->size[0], sizeof STORED - 1);
  assert_int_equal(d->opened.octets, d->size[0] + d->size[1]);
  expect_message(k, 1, d->uid[0], SLICE(STORED));
  expect_message(k, 1, d->uid[1], SLICE("Return-Path: <>\r\nSubject: x\r\n\r\nno end\r\n"));
  must_be_sound(k);
}

/* What is kept is what RETR sends: the last line ends, and so does the header. */
static void messages_are_completed(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  static const struct {
    const char *body, *kept;
  } rows[] = {
    { "", "\r\n" },
    { "\r\n", "\r\n" },
    { "x", "x\r\n\r\n" },
    { "A: b\r\n", "A: b\r\n\r\n" },
    { "A: b\r", "A: b\r\r\n\r\n" },
    { "A: b\r\n c", "A: b\r\n c\r\n\r\n" },
    { "A: b\r\n\r\n", "A: b\r\n\r\n" },
    { "A: b\r\n\r\nc", "A: b\r\n\r\nc\r\n" },
    { "A: b\r\n\r\nc\r\n", "A: b\r\n\r\nc\r\n" },
  };
  enum { N = sizeof rows / sizeof *rows };
  for (int i = 0; i < N; i++) /* inline, and with each octet but the last spooled */
    for (int spooled = 0; spooled < 2; spooled++) {
      struct slice body = slice_str(rows[i].body);
      for (; spooled && body.n > 1; body = slice_from(body, 1)) {
        assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_spool, 7, slice_first(body, 1)));
        assert_int_equal(KIT_HEAR(k, smtp_spooled).outcome, COMMIT_DONE);
      }
      assert_int_equal(kit_deliver(k, "alice@example.org", body), COMMIT_DONE);
    }
  struct drop *d = kit_open_drop(k, 1, id);
  assert_int_equal(d->opened.count, 2 * N);
  for (int i = 0; i < 2 * N; i++) {
    char want[128];
    int n =
        snprintf(want, sizeof want, "Return-Path: <sender@example.com>\r\n%s", rows[i / 2].kept);
    assert_int_equal(d->size[i], n);
    expect_message(k, 1, d->uid[i], slice_of(want, (size_t)n));
  }
  must_be_sound(k);
}

/* Imported messages too; a NUL counts as itself. */
static void imports_are_completed(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  static const char input[] = "0 1 0 -\n"
                              "1 1 0 -\nx"
                              "6 1 0 -\nA: b\r\n"
                              "7 1 0 -\n\r\n\0\0\r\n.";
  struct buf list;
  kit_list(&list, "import alice@example.org");
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_command, 0, buf_slice(&list)));
  buf_free(&list);
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_input, 0, slice_of(input, sizeof input - 1)));
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_input_end, 0, ));
  assert_int_equal(kit_answer(k, NULL).code, CLI_OK);
  struct drop *d = kit_open_drop(k, 1, id);
  assert_int_equal(d->opened.count, 4);
  assert_int_equal(d->opened.octets, 2 + 5 + 8 + 9);
  expect_message(k, 1, 1, SLICE("\r\n"));
  expect_message(k, 1, 2, SLICE("x\r\n\r\n"));
  expect_message(k, 1, 3, SLICE("A: b\r\n\r\n"));
  expect_message(k, 1, 4, SLICE("\r\n\0\0\r\n.\r\n"));
  must_be_sound(k);
}

static void all_sizes_around_the_threshold(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  size_t head = sizeof "Return-Path: <sender@example.com>\r\n" - 1;
  size_t sizes[] = { 2,
                     3,
                     80,
                     k->conf->body_threshold - head,
                     k->conf->body_threshold - head + 80,
                     IPC_CHUNK,
                     IPC_CHUNK + 1,
                     2 * IPC_CHUNK,
                     5 * 1024 * 1024 + 3 };
  enum { N = sizeof sizes / sizeof *sizes };
  for (int i = 0; i < N; i++)
    assert_int_equal(deliver_big(k, "alice@example.org", big(sizes[i])), COMMIT_DONE);
  assert_int_equal(files_below(k, "spool"), 0);
  assert_true(files_below(k, "bodies") >= 5);
  struct drop *d = kit_open_drop(k, 1, id);
  assert_int_equal(d->opened.count, N);
  for (int i = 0; i < N; i++) {
    struct buf want;
    struct slice body = big(sizes[i]);
    buf_init(&want, 8 * 1024 * 1024);
    buf_put_str(&want, "Return-Path: <sender@example.com>\r\n");
    buf_put(&want, body);
    if (body.n < 2 || body.p[body.n - 2] != '\r' || body.p[body.n - 1] != '\n')
      buf_put_str(&want, "\r\n");
    assert_int_equal(d->size[i], buf_len(&want));
    expect_message(k, 1, d->uid[i], buf_slice(&want));
    buf_free(&want);
  }
  must_be_sound(k);
  for (int i = 0; i < N; i++) kit_delete(k, 1, d->uid[i]);
  assert_int_equal(kit_quit(k, 1).deleted, N);
  kit_idle(k);
  assert_int_equal(files_below(k, "bodies"), 0);
  must_be_sound(k);
}

static void too_big(void **state) {
  struct kit *k = *state;
  alice(k);
  k->conf->message_size_limit = 100 * 1024;
  assert_int_equal(deliver_big(k, "alice@example.org", big(5 * 65536)), COMMIT_TOO_BIG);
  /* of the same message */
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE("x")), COMMIT_TOO_BIG);
  kit_pump(k);
  assert_int_equal(files_below(k, "spool"), 0);
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_DONE);
}

/* Files behind the one that is asked for come along, in front of it, up to the first that is none.
 */
static void files_ahead(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  struct slice file = big(k->conf->body_threshold + 80), row = big(800);
  struct slice mails[] = { file, file, file, row, file };
  for (size_t i = 0; i < 5; i++)
    assert_int_equal(kit_deliver(k, "alice@example.org", mails[i]), COMMIT_DONE);
  kit_open_drop(k, 1, id);
  assert_true(
      KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, 1, 1, 0, 100, SLICE("\0\0\0\2\0\0\0\3\0\0\0\4")));
  assert_int_equal(KIT_HEAR(k, pop_file).uid, 2);
  assert_int_equal(KIT_HEAR(k, pop_file).uid, 3);
  assert_true(k->last->fd >= 0);
  struct pop_file f = KIT_HEAR(k, pop_file);
  assert_int_equal(f.uid, 1);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, 1, 1, 0, 100, SLICE("\0\0\0\3")));
  assert_int_equal(KIT_HEAR(k, pop_file).uid, 3);
  assert_int_equal(KIT_HEAR(k, pop_file).uid, 1);
  /* a row: nothing comes with it */
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, 1, 4, 0, 100, SLICE("\0\0\0\5")));
  assert_int_equal(KIT_HEAR(k, pop_chunk).data.n, 100);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, 1, 5, 0, 100));
  assert_int_equal(KIT_HEAR(k, pop_file).uid, 5);
  assert_null(k->said);
  /* none of the maildrop, not ascending, no whole number */
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, 1, 1, 0, 100, SLICE("\0\0\0\6")));
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, 1, 1, 0, 100, SLICE("\0\0\0\3\0\0\0\2")));
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, 1, 1, 0, 100, SLICE("\0\0\0")));
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, 1, 1, 0, 100, SLICE(""), SLICE("\0\0\0\6")));
}

static void dropped_spools_go(void **state) {
  struct kit *k = *state;
  alice(k);
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_spool, 7, big(100)));
  assert_int_equal(KIT_HEAR(k, smtp_spooled).outcome, COMMIT_DONE);
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_spool, 8, big(100)));
  assert_int_equal(KIT_HEAR(k, smtp_spooled).outcome, COMMIT_DONE);
  assert_int_equal(files_below(k, "spool"), 2);
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_discard, 7, ));
  kit_pump(k);
  assert_int_equal(files_below(k, "spool"), 1);
  /* lost with the job under way */
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_spool, 8, big(100)));
  store_process_lost(k->store, ROLE_SMTPD, SMTPD);
  kit_pump(k);
  assert_null(k->said);
  assert_int_equal(files_below(k, "spool"), 0);
}

static struct slice stored(struct slice message) {
  static uint8_t mem[1024 * 1024];
  static const char head[] = "Return-Path: <sender@example.com>\r\n";
  memcpy(mem, head, sizeof head - 1);
  memcpy(mem + sizeof head - 1, message.p, message.n);
  return slice_of(mem, sizeof head - 1 + message.n);
}

static bool say_more(struct kit *k, struct slice all, size_t chunk) {
  return KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_more, 7,
                 slice_first(slice_from(all, chunk * IPC_CHUNK), IPC_CHUNK));
}

static bool say_spool(struct kit *k, struct slice all, size_t chunk) {
  return KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_spool, 7,
                 slice_first(slice_from(all, chunk * IPC_CHUNK), IPC_CHUNK));
}

static uint8_t heard_ahead(struct kit *k) {
  struct smtp_spooled a = KIT_HEAR(k, smtp_spooled);
  assert_int_equal(a.outcome, COMMIT_DONE);
  kit_pump(k);
  assert_null(k->said); /* one answer for all of them */
  return a.ahead;
}

/* Chunks without an answer, a question behind them, and a commit: all in their order. */
static void chunks_without_answers(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  struct slice all = big(7 * IPC_CHUNK + 128);
  assert_true(say_spool(k, all, 0));
  assert_int_equal(heard_ahead(k), SMTP_AHEAD_MAX);
  for (size_t i = 1; i <= SMTP_AHEAD_MAX; i++) assert_true(say_more(k, all, i));
  assert_true(say_spool(k, all, 4));
  assert_int_equal(heard_ahead(k), SMTP_AHEAD_MAX);
  assert_true(say_more(k, all, 5));
  kit_pump(k);
  assert_true(say_more(k, all, 6));
  assert_int_equal(kit_deliver(k, "alice@example.org", slice_from(all, 7 * IPC_CHUNK)),
                   COMMIT_DONE);
  kit_open_drop(k, 1, id);
  expect_message(k, 1, 1, stored(all));
}

/* More than was allowed, or while the one that is answered is out, is a breach. */
static void chunks_beyond_the_leave(void **state) {
  struct kit *k = *state;
  alice(k);
  struct slice all = big(9 * IPC_CHUNK);
  assert_false(say_more(k, all, 0));
  assert_true(say_spool(k, all, 0));
  assert_false(say_more(k, all, 1)); /* no leave yet */
  assert_false(say_spool(k, all, 1));
  heard_ahead(k);
  for (size_t i = 1; i <= SMTP_AHEAD_MAX; i++) assert_true(say_more(k, all, i));
  assert_false(say_more(k, all, 4));
  assert_true(say_spool(k, all, 4));
  assert_false(say_spool(k, all, 5));
  assert_false(kit_commit(k, 7, "a@example.com", "alice@example.org", SLICE("x")));
  heard_ahead(k);
  assert_true(say_more(k, all, 5));
  assert_true(kit_commit(k, 7, "a@example.com", "alice@example.org", SLICE("x")));
  assert_false(kit_commit(k, 7, "a@example.com", "alice@example.org", SLICE("x")));
  assert_false(say_more(k, all, 6));
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_DONE);
  assert_false(say_more(k, all, 0)); /* the next message begins without leave */
}

/* Let go of at each point: nothing is left, and a message behind it is its own. */
static void chunks_that_nobody_wants(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  struct slice all = big(6 * IPC_CHUNK);
  for (int how = 0; how < 6; how++) {
    assert_true(say_spool(k, all, 0));
    assert_int_equal(heard_ahead(k), SMTP_AHEAD_MAX);
    assert_true(say_more(k, all, 1));
    if (how & 1) kit_pump(k);
    assert_true(say_more(k, all, 2));
    if (how >= 4) assert_true(kit_commit(k, 7, "a@example.com", "alice@example.org", SLICE("x")));
    if (how == 2 || how == 3)
      store_process_lost(k->store, ROLE_SMTPD, SMTPD);
    else
      assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_discard, 7, ));
    if (how == 0)
      assert_int_equal(kit_deliver(k, "alice@example.org", SLICE("\r\nother\r\n")), COMMIT_DONE);
    kit_pump(k);
    assert_null(k->said);
    assert_int_equal(files_below(k, "spool"), 0);
  }
  assert_int_equal(kit_open_drop(k, 1, id)->opened.count, 1);
  expect_message(k, 1, 1, stored(SLICE("\r\nother\r\n")));
}

static void one_body_for_many(void **state) {
  struct kit *k = *state;
  uint64_t first = alice(k), bob = kit_account(k, "bob@example.org");
  assert_int_equal(deliver_big(k, "alice@example.org bob@example.org", big(200000)), COMMIT_DONE);
  assert_int_equal(files_below(k, "bodies"), 1);
  kit_open_drop(k, 1, first);
  kit_delete(k, 1, 1);
  assert_int_equal(kit_quit(k, 1).deleted, 1);
  kit_idle(k);
  assert_int_equal(files_below(k, "bodies"), 1);
  must_be_sound(k);
  kit_open_drop(k, 1, bob);
  kit_delete(k, 1, 1);
  assert_int_equal(kit_quit(k, 1).deleted, 1);
  kit_idle(k);
  assert_int_equal(files_below(k, "bodies"), 0);
}

/* --- the maildrop --- */

static void one_session_at_a_time(void **state) {
  struct kit *k = *state;
  /* refused at once: test_store_steal has the rest */
  k->conf->pop3_lock_wait = k->conf->pop3_steal_after = 0;
  struct drop d;
  uint64_t id = alice(k);
  kit_open_drop(k, 1, id);
  kit_grant(k, POP3D, 2, id);
  assert_int_equal(kit_drop_open(k, POP3D, 2, &d), POP_IN_USE);
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_open, 2, )); /* the grant is spent */
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_close, 1, ));
  kit_grant(k, POP3D_2, 2, id);
  assert_int_equal(kit_drop_open(k, POP3D_2, 2, &d), POP_DONE);
  kit_grant(k, POP3D, 3, id);
  assert_int_equal(kit_drop_open(k, POP3D, 3, &d), POP_IN_USE);
  store_process_lost(k->store, ROLE_POP3D, POP3D_2);
  kit_grant(k, POP3D, 3, id);
  assert_int_equal(kit_drop_open(k, POP3D, 3, &d), POP_DONE);
  /* Lost while it is being opened: free once the job is back. */
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_close, 3, ));
  kit_grant(k, POP3D_2, 4, id);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D_2, pop_open, 4, ));
  store_process_lost(k->store, ROLE_POP3D, POP3D_2);
  kit_pump(k);
  assert_null(k->said);
  kit_open_drop(k, 5, id);
}

static void nothing_without_a_grant(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_open, 1, ));
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, 1, 1, 0, 100));
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_quit, 1, ));
  assert_true(KIT_SAY(k, ROLE_AUTH, AUTH, auth_grant, 5, POP3D, 1, 4711));
  assert_false(KIT_HEAR(k, auth_granted).known);
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_open, 1, ));
  kit_grant(k, POP3D, 1, id);
  assert_int_equal(k->state, POP_GRANTED);
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D_2, pop_open, 1, ));        /* another process */
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_open, 2, ));          /* another session */
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, 1, 1, 0, 100)); /* not open yet */
  store_process_lost(k->store, ROLE_POP3D, POP3D);
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_open, 1, )); /* the grant died with the process */
}

/* auth takes back what nobody came for. */
static void grants_are_taken_back(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  kit_grant(k, POP3D, 1, id);
  assert_true(KIT_SAY(k, ROLE_AUTH, AUTH, auth_revoke, 0, POP3D, 1));
  assert_int_equal(k->state, POP_STRANGER);
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_open, 1, ));
  assert_true(KIT_SAY(k, ROLE_AUTH, AUTH, auth_revoke, 0, POP3D, 1)); /* again, and of nothing */
  assert_true(KIT_SAY(k, ROLE_AUTH, AUTH, auth_revoke, 0, 4711, 1));
  /* An open maildrop is its session's. */
  struct drop *d = kit_open_drop(k, 2, id);
  assert_int_equal(d->opened.outcome, POP_DONE);
  assert_true(KIT_SAY(k, ROLE_AUTH, AUTH, auth_revoke, 0, POP3D, 2));
  assert_int_equal(kit_quit(k, 2).outcome, POP_DONE);
}

static void a_snapshot_stays_as_it_is(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  kit_open_drop(k, 1, id);
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_DONE);
  expect_message(k, 1, 1, SLICE(STORED));
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, 1, 2, 0, 100)); /* not in the snapshot */
  struct buf b;
  buf_init(&b, 4);
  wire_put_u32(&b, 2);
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_delete, 1, buf_slice(&b)));
  buf_free(&b);
  kit_delete(k, 1, 1);
  assert_int_equal(kit_quit(k, 1).deleted, 1);
  struct drop *d = kit_open_drop(k, 2, id);
  assert_int_equal(d->opened.count, 1);
  assert_int_equal(d->uid[0], 2);
}

static void only_quit_deletes(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  for (int i = 0; i < 3; i++) kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  kit_open_drop(k, 1, id);
  kit_delete(k, 1, 2);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_close, 1, ));
  assert_int_equal(kit_open_drop(k, 2, id)->opened.count, 3);
  kit_delete(k, 2, 2);
  kit_delete(k, 2, 2); /* twice is once */
  struct pop_done done = kit_quit(k, 2);
  assert_int_equal(done.outcome, POP_DONE);
  assert_int_equal(done.deleted, 1);
  struct drop *d = kit_open_drop(k, 3, id);
  assert_int_equal(d->opened.count, 2);
  assert_int_equal(d->uid[1], 3);
  must_be_sound(k);
}

static void more_deletes_than_messages(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  kit_open_drop(k, 1, id);
  kit_delete(k, 1, 1);
  struct buf b;
  buf_init(&b, 4);
  wire_put_u32(&b, 1);
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_delete, 1, buf_slice(&b)));
  buf_free(&b);
}

static void one_question_at_a_time(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  kit_open_drop(k, 1, id);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, 1, 1, 0, 100));
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, 1, 1, 0, 100));
  kit_pump(k);
  KIT_HEAR(k, pop_chunk);
  assert_true(kit_commit(k, 7, "", "alice@example.org", SLICE(MESSAGE)));
  assert_false(kit_commit(k, 7, "", "alice@example.org", SLICE(MESSAGE)));
}

static void uids_are_never_used_twice(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  char before[72];
  for (int i = 0; i < 2; i++) kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  struct drop *d = kit_open_drop(k, 1, id);
  memcpy(before, d->uidl[1], sizeof before);
  kit_delete(k, 1, 1);
  kit_delete(k, 1, 2);
  kit_quit(k, 1);
  kit_reopen(k);
  kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  d = kit_open_drop(k, 1, id);
  assert_int_equal(d->uid[0], 3);
  assert_string_not_equal(d->uidl[0], before);
  KIT_SAY(k, ROLE_POP3D, POP3D, pop_close, 1, );
  /* Nor by the account's successor of the same name, nor its number. */
  assert_int_equal(kit_command(k, "account delete alice@example.org").code, CLI_OK);
  uint64_t again = kit_account(k, "alice@example.org");
  assert_int_not_equal(again, id);
  for (int i = 0; i < 3; i++) kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  uint32_t validity = d->opened.uidvalidity;
  d = kit_open_drop(k, 1, again);
  assert_true(d->opened.uidvalidity > validity);
  must_be_sound(k);
}

static void large_drop(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  for (int i = 0; i < 3000; i++) {
    assert_true(kit_commit(k, 100 + (uint64_t)i, "", "alice@example.org", SLICE(MESSAGE)));
    if (i % 100 == 99) kit_pump(k);
  }
  kit_forget_said(k);
  struct drop *d = kit_open_drop(k, 1, id); /* several parts */
  assert_int_equal(d->opened.count, 3000);
  for (uint32_t i = 0; i < 3000; i++) assert_int_equal(d->uid[i], i + 1);
}

/* --- trouble --- */

static void malformed(void **state) {
  struct kit *k = *state;
  alice(k);
  struct ipc_msg m = { smtp_commit_type, 1, SLICE("rubbish"), -1 };
  assert_false(store_message(k->store, ROLE_SMTPD, SMTPD, &m, 0));
  assert_false(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_rcpt, 1, .trusted = false));
  assert_false(
      KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_rcpt, 1, .envelope = { .rcpts = SLICE("\0\0\0\0\xff") }));
  assert_false(kit_commit(k, 1, "a\r\nX-Forged: b", "alice@example.org", SLICE(MESSAGE)));
  assert_false(kit_commit(k, 1, "a@b", "alice@example.org\r\n", SLICE(MESSAGE)));
  assert_false(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_commit, 1,
                       .envelope = { .return_path = SLICE("a@b") },
                       .end = { .id = SLICE("Q1"), .tail = SLICE(MESSAGE) }));
  assert_false(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_spool, 1, SLICE("")));
  assert_false(KIT_SAY(k, ROLE_STORE, 99, smtp_discard, 1, ));
}

static void group_outlives_a_failing_job(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k), bob;
  struct buf list;
  bob = kit_account(k, "bob@example.org");
  assert_true(kit_commit(k, 1, "", "alice@example.org", SLICE(MESSAGE)));
  kit_list(&list, "account delete bob@example.org");
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_command, 0, buf_slice(&list)));
  buf_free(&list);
  assert_true(kit_commit(k, 2, "", "bob@example.org", SLICE(MESSAGE)));
  assert_true(kit_commit(k, 3, "", "alice@example.org", SLICE(MESSAGE)));
  kit_pump(k);
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_DONE);
  assert_int_equal(kit_answer(k, NULL).code, CLI_OK);
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_TROUBLE);
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_DONE);
  assert_int_equal(kit_open_drop(k, 1, id)->opened.count, 2);
  assert_true(KIT_SAY(k, ROLE_AUTH, AUTH, auth_grant, 5, POP3D, 2, bob));
  assert_false(KIT_HEAR(k, auth_granted).known);
  must_be_sound(k);
}

/* A disk that fails on demand; everything else is the real one. */
struct bad_disk {
  struct disk disk;
  struct disk_ops ops;
  struct disk *real;
  int sync_all, write, rename;
  int64_t space;
};
static struct bad_disk bad;

static int bad_open(struct disk *d, const char *name, enum disk_open how, struct disk_file **ret) {
  return bad.real->ops->open(bad.real, name, how, ret);
}
static int bad_write(struct disk_file *f, struct slice s, uint64_t at) {
  return bad.write ? bad.write : bad.real->ops->write(f, s, at);
}
static int bad_sync_all(struct disk *d) {
  return bad.sync_all ? bad.sync_all : bad.real->ops->sync_all(bad.real);
}
static int bad_rename(struct disk *d, const char *from, const char *to) {
  return bad.rename ? bad.rename : bad.real->ops->rename(bad.real, from, to);
}
static int bad_remove(struct disk *d, const char *name) {
  return bad.real->ops->remove(bad.real, name);
}
static int bad_exists(struct disk *d, const char *name) {
  return bad.real->ops->exists(bad.real, name);
}
static int bad_make_dir(struct disk *d, const char *name) {
  return bad.real->ops->make_dir(bad.real, name);
}
static int bad_sync_dir(struct disk *d, const char *name) {
  return bad.real->ops->sync_dir(bad.real, name);
}
static int bad_list(struct disk *d, const char *name, void (*fn)(void *arg, const char *entry),
                    void *arg) {
  return bad.real->ops->list(bad.real, name, fn, arg);
}
static int64_t bad_free_space(struct disk *d) {
  return bad.space >= 0 ? bad.space : bad.real->ops->free_space(bad.real);
}

static void use_bad_disk(struct kit *k) {
  kit_close(k);
  bad = (struct bad_disk){ .real = k->real, .ops = *k->real->ops, .space = -1 };
  bad.ops.open = bad_open;
  bad.ops.write = bad_write;
  bad.ops.sync_all = bad_sync_all;
  bad.ops.rename = bad_rename;
  bad.ops.remove = bad_remove;
  bad.ops.exists = bad_exists;
  bad.ops.make_dir = bad_make_dir;
  bad.ops.sync_dir = bad_sync_dir;
  bad.ops.list = bad_list;
  bad.ops.free_space = bad_free_space;
  bad.disk.ops = &bad.ops;
  k->disk = &bad.disk;
  kit_open(k);
}

static void failed_sync_is_not_tried_again(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  use_bad_disk(k);
  bad.sync_all = -EIO;
  assert_int_equal(deliver_big(k, "alice@example.org", big(100000)), COMMIT_TROUBLE);
  assert_true(k->broken);
  bad.sync_all = 0;
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_TROUBLE);
  kit_reopen(k);
  assert_int_equal(kit_open_drop(k, 1, id)->opened.count, 0);
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_DONE);
  kit_idle(k);
  assert_int_equal(files_below(k, "bodies") + files_below(k, "spool"), 0);
  must_be_sound(k);
}

static void full_disk(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  use_bad_disk(k);
  bad.write = -ENOSPC;
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_NO_SPACE);
  assert_int_equal(deliver_big(k, "alice@example.org", big(100000)), COMMIT_NO_SPACE);
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_discard, 7, ));
  assert_false(k->broken);
  bad.write = 0;
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_DONE);
  assert_int_equal(kit_open_drop(k, 1, id)->opened.count, 2);
  must_be_sound(k);
}

static void little_space_stops_new_mail_only(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  use_bad_disk(k);
  k->conf->store_free_space = 1000;
  bad.space = 999;
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_NO_SPACE);
  assert_int_equal(kit_rcpt(k, "alice@example.org", 0), RCPT_NO_SPACE);
  assert_int_equal(deliver_big(k, "alice@example.org", big(100000)), COMMIT_NO_SPACE);
  KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_discard, 7, );
  kit_open_drop(k, 1, id);
  kit_delete(k, 1, 1);
  assert_int_equal(kit_quit(k, 1).deleted, 1);
  bad.space = 1000;
  k->now_s += 2;
  assert_int_equal(kit_rcpt(k, "alice@example.org", 0), RCPT_OURS);
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_DONE);
}

/* --- log events --- */

static struct buf log_got;

static void take_line(void *arg, struct slice record) {
  enum log_level level;
  assert_true(log_record_level(record, &level));
  log_render(&log_got, LOG_LOGFMT, &(struct log_stamp){ "", "store-1" }, record);
  buf_put_u8(&log_got, '\n');
}

/* Opens the store anew with a log, which is empty. */
static void use_log(struct kit *k) {
  static struct log log = { .take = take_line, .least = LOG_INFO_ };
  buf_init(&log_got, 1024 * 1024);
  kit_close(k);
  k->log = &log;
  kit_open(k);
}

static void assert_log(const char *lines) {
  assert_string_equal(buf_cstr(&log_got), lines);
  buf_reset(&log_got);
}

static void a_full_mailbox_is_logged_once_a_minute(void **state) {
  struct kit *k = *state;
  alice(k);
  use_log(k);
  k->conf->quota = sizeof STORED - 1;
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_DONE);
  assert_log("");
  for (int i = 0; i < 500; i++) assert_int_equal(kit_rcpt(k, "alice@example.org", 0), RCPT_FULL);
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_FULL);
  assert_log("level=warn process=store-1 event=mailbox-full name=alice@example.org count=1\n");
  k->now_s += 60;
  assert_int_equal(kit_rcpt(k, "alice@example.org", 0), RCPT_FULL);
  assert_log("level=warn process=store-1 event=mailbox-full name=alice@example.org count=501\n");
  buf_free(&log_got);
}

static void a_full_disk_is_logged_once_a_minute(void **state) {
  struct kit *k = *state;
  alice(k);
  use_bad_disk(k);
  use_log(k);
  k->conf->store_free_space = 1000;
  bad.space = 999;
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_NO_SPACE);
  assert_log(
      "level=error process=store-1 event=disk-full free=999"
      " msg=\"no new mail is taken until there is space again (store_free_space)\" count=1\n");
  assert_int_equal(kit_rcpt(k, "alice@example.org", 0), RCPT_NO_SPACE);
  assert_int_equal(deliver_big(k, "alice@example.org", big(100000)), COMMIT_NO_SPACE);
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_discard, 7, ));
  assert_log("");
  bad.space = 5000;
  bad.write = -ENOSPC; /* the disk says it itself: a quota of the file system, say */
  k->now_s += 60;
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE(MESSAGE)), COMMIT_NO_SPACE);
  assert_non_null(strstr(buf_cstr(&log_got), "event=disk-full free=5000"));
  buf_free(&log_got);
}

/* A rename that fails in a group undoes the group; the others are done alone, the spool is not
 * lost. */
static void undone_files_go_back(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  use_bad_disk(k);
  assert_true(kit_commit(k, 1, "", "alice@example.org", big(50000)));
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_spool, 7, big(60000)));
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_DONE);
  assert_int_equal(KIT_HEAR(k, smtp_spooled).outcome, COMMIT_DONE);
  bad.rename = -ENOSPC;
  assert_true(kit_commit(k, 2, "", "alice@example.org", big(50000)));
  assert_true(kit_commit(k, 7, "", "alice@example.org", big(50000)));
  kit_pump(k);
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_DONE);
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_NO_SPACE);
  bad.rename = 0;
  assert_int_equal(files_below(k, "spool"), 0);
  assert_int_equal(kit_open_drop(k, 1, id)->opened.count, 2);
  must_be_sound(k);
}

static void put_file(struct kit *k, const char *name, const char *text) {
  char path[200];
  snprintf(path, sizeof path, "%s/%s", k->path, name);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
}

static void orphans_are_removed(void **state) {
  struct kit *k = *state;
  alice(k);
  assert_int_equal(deliver_big(k, "alice@example.org", big(100000)), COMMIT_DONE);
  put_file(k, "bodies/00/256", "left by a crash");
  put_file(k, "bodies/07/7", "the same");
  put_file(k, "spool/3", "not finished");
  kit_reopen(k);
  kit_idle(k);
  assert_false(fixed_file(k, "bodies/00/256"));
  assert_false(fixed_file(k, "bodies/07/7"));
  assert_int_equal(files_below(k, "spool"), 0);
  assert_int_equal(files_below(k, "bodies"), 1);
  must_be_sound(k);
}

static void meddle(struct kit *k, const char *sql) {
  struct db *db = NULL;
  struct db_options options = { .page_size = 16384 };
  kit_close(k);
  assert_int_equal(db_open(k->disk, "database.sqlite", &options, &db), DB_OK);
  assert_int_equal(db_exec(db, sql), DB_OK);
  db_close(&db);
  kit_open(k);
}

static void check_finds(struct kit *k, const char *sql, const char *what) {
  meddle(k, sql);
  struct answer a = kit_command(k, "check");
  assert_int_equal(a.code, CLI_DAMAGE);
  if (!strstr(a.rows, what)) fail_msg("after %s: %s", sql, a.rows);
}

static void check_finds_damage(void **state) {
  struct kit *k = *state;
  alice(k);
  kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  assert_int_equal(deliver_big(k, "alice@example.org", big(100000)), COMMIT_DONE);
  must_be_sound(k);
  check_finds(k, "UPDATE folder SET messages = 7", "counts 7 messages");
  check_finds(k, "UPDATE folder SET octets = 7", "counts 7 octets");
  check_finds(k, "UPDATE folder SET uidnext = 2", "not below the next uid 2");
  check_finds(k, "UPDATE body SET refs = 5 WHERE id = 1", "body 1 counts 5");
  check_finds(k, "UPDATE body SET size = 5 WHERE id = 1", "body 1 should have 5");
  check_finds(k, "UPDATE body SET data = x'00' WHERE id = 2", "body 2 does not end in CRLF");
  check_finds(k, "UPDATE body SET head = x'41' WHERE id = 2",
              "the head of body 2 does not end in CRLF");
  check_finds(k, "UPDATE store SET next_body = 1", "body 1: the next number is 1");
  check_finds(k, "DELETE FROM body WHERE id = 2", "refers to body 2, which is not there");
  check_finds(k, "INSERT INTO target VALUES (1, 'x', 'y@example.org')",
              "leads to one that is not there");
  check_finds(k, "UPDATE store SET next_body = 9; DELETE FROM domain",
              "in domain 1, which is not there");
  kit_close(k);
  assert_int_equal(k->disk->ops->remove(k->disk, "bodies/03/3"), 0);
  put_file(k, "bodies/04/4", "nobody's");
  kit_open(k);
  struct answer a = kit_command(k, "check");
  assert_non_null(strstr(a.rows, "bodies/03/3 of a message can't be opened"));
  assert_non_null(strstr(a.rows, "bodies/04/4 belongs to no message"));
}

static void newer_databases_are_refused(void **state) {
  struct kit *k = *state;
  struct store_shell shell = { k, kit_send, kit_enqueue, kit_set_state, NULL, NULL, kit_random };
  struct db *db = NULL;
  struct db_options options = { .page_size = 16384 };
  struct buf err;
  buf_init(&err, 1000);
  kit_close(k);
  assert_int_equal(db_open(k->disk, "database.sqlite", &options, &db), DB_OK);
  int64_t version = db_version(db);
  assert_int_equal(db_set_version(db, 99), DB_OK);
  assert_null(store_new(k->disk, k->conf, &shell, &err));
  assert_true(slice_search(buf_slice(&err), SLICE("newer")) > 0);
  buf_free(&err);
  assert_int_equal(db_set_version(db, version), DB_OK);
  db_close(&db);
  kit_open(k);
}

/* --- administration --- */

static void names(void **state) {
  struct kit *k = *state;
  assert_int_equal(kit_command(k, "domain add Example.ORG").code, CLI_OK);
  assert_int_equal(kit_command(k, "domain add example.org").code, CLI_EXISTS);
  assert_int_equal(kit_command(k, "domain add exa_mple.org").code, CLI_USAGE);
  assert_int_equal(kit_command(k, "domain add localhost").code, CLI_USAGE);
  assert_int_equal(kit_command(k, "domain add").code, CLI_USAGE);
  assert_int_equal(kit_command(k, "domain").code, CLI_USAGE);
  assert_int_equal(kit_command(k, "nonsense").code, CLI_USAGE);
  assert_int_equal(kit_command(k, "account add alice").code, CLI_USAGE);
  assert_int_equal(kit_command(k, "account add alice@example.com").code, CLI_NOT_FOUND);
  assert_int_equal(kit_command(k, "account add a..b@example.org").code, CLI_OK);
  assert_int_equal(kit_command(k, "account add *@example.org").code, CLI_USAGE);
  struct answer all = kit_command(k, "alias add *@example.org a..b@example.org");
  assert_int_equal(all.code, CLI_USAGE);
  assert_non_null(strstr(all.text, "all of a domain is meant by qasid alias add @example.org"));
  assert_int_equal(kit_command(k, "account delete a..b@example.org").code, CLI_OK);
  assert_int_equal(kit_command(k, "account add Alice@Example.org").code, CLI_OK);
  assert_int_equal(kit_command(k, "account add alice@example.org").code, CLI_EXISTS);
  assert_int_equal(kit_command(k, "account quota alice@example.org 3X").code, CLI_USAGE);
  assert_int_equal(kit_command(k, "account quota alice@example.org 3G").code, CLI_OK);
  assert_string_equal(kit_command(k, "account list").rows, "2 alice@example.org 0 0 3221225472\n");
  assert_string_equal(kit_command(k, "account list example.com").rows, "");
  assert_string_equal(kit_command(k, "domain list").rows, "example.org 1 0\n");
  assert_int_equal(kit_command(k, "domain delete example.org").code, CLI_EXISTS);
  assert_int_equal(kit_command(k, "account delete bob@example.org").code, CLI_NOT_FOUND);
  assert_int_equal(kit_command(k, "account delete alice@example.org").code, CLI_OK);
  assert_int_equal(kit_rcpt(k, "alice@example.org", 0), RCPT_UNKNOWN);
  assert_int_equal(kit_command(k, "domain delete example.org").code, CLI_OK);
  assert_int_equal(kit_rcpt(k, "alice@example.org", 0), RCPT_ELSEWHERE);
  must_be_sound(k);
}

static void a_full_account_is_deleted_in_slices(void **state) {
  struct kit *k = *state;
  alice(k);
  for (uint64_t i = 0; i < 1200; i++)
    assert_true(kit_commit(k, i, "", "alice@example.org", SLICE(MESSAGE)));
  kit_pump(k);
  kit_forget_said(k);
  assert_int_equal(deliver_big(k, "alice@example.org", big(100000)), COMMIT_DONE);
  assert_int_equal(kit_command(k, "account delete alice@example.org").code, CLI_OK);
  kit_idle(k);
  assert_int_equal(files_below(k, "bodies"), 0);
  must_be_sound(k);
  assert_non_null(strstr(kit_command(k, "status").rows, "messages 0\n"));
}

static bool import(struct kit *k, const char *input, size_t piece, struct answer *ret) {
  struct buf list;
  kit_list(&list, "import alice@example.org");
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_command, 0, buf_slice(&list)));
  buf_free(&list);
  for (struct slice s = slice_str(input); s.n; s = slice_from(s, piece)) {
    if (!KIT_SAY(k, ROLE_CLI, CLI, cli_input, 0, slice_first(s, piece))) return false;
    kit_pump(k);
  }
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_input_end, 0, ));
  *ret = kit_answer(k, NULL);
  return true;
}

static void imports(void **state) {
  struct kit *k = *state;
  struct answer a;
  uint64_t id = alice(k);
  static const char input[] = "10 1000000000 0 first\nA: b\r\n\r\nx\n"
                              "9 1000000001 1 second\n.A: b\r\n\r\n"
                              "8 1000000002 0 -\nA: c\r\n\r\n"
                              "8 1000000003 0 first\nA: d\r\n\r\n";
  for (size_t piece = 1; piece < sizeof input; piece += 7) {
    assert_true(import(k, input, piece, &a));
    assert_int_equal(a.code, CLI_OK);
    kit_command(k, "account delete alice@example.org");
    id = kit_account(k, "alice@example.org");
  }
  assert_true(import(k, input, 1000, &a));
  assert_string_equal(a.columns, "outcome uid taken");
  assert_string_equal(a.rows, "added 1 32\nadded 2 63\nadded 3 88\nthere  117\n");
  struct drop *d = kit_open_drop(k, 1, id);
  assert_int_equal(d->opened.count, 3);
  assert_string_equal(d->uidl[0], "first");
  assert_string_equal(d->uidl[1], "second");
  assert_int_equal(strlen(d->uidl[2]), 16);
  expect_message(k, 1, 1, SLICE("A: b\r\n\r\nx\n\r\n"));
  /* What was deleted does not come back with the next run, and its UIDL goes to nobody else. */
  kit_delete(k, 1, 1);
  kit_quit(k, 1);
  kit_reopen(k);
  assert_true(import(k, input, 1000, &a));
  assert_string_equal(a.rows, "gone  32\nthere  63\nadded 4 88\ngone  117\n");
  must_be_sound(k);
}

/* UIDLs that this maildrop made itself come back by an export and an import. */
static void own_uidls_are_known(void **state) {
  struct kit *k = *state;
  struct answer a;
  char input[200];
  uint64_t id = alice(k);
  for (int i = 0; i < 2; i++) kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  struct drop *d = kit_open_drop(k, 1, id);
  uint32_t validity = d->opened.uidvalidity;
  kit_delete(k, 1, 1);
  kit_quit(k, 1);
  snprintf(input, sizeof input,
           "1 1 0 %08x%08x\nx1 1 0 %08x%08x\nx1 1 0 %08x%08x\nx1 1 0 %08x%08x\nx", validity, 1,
           validity, 2, validity, 3, validity + 1, 3);
  assert_true(import(k, input, 1000, &a));
  assert_string_equal(a.rows, "gone  24\nthere  48\ntrouble  72\nadded 3 96\n");
}

/* What a migration asks: all UIDLs, also those of deleted mail; and away with some of what was
 * imported. */
static void migration(void **state) {
  struct kit *k = *state;
  struct answer a;
  char want[200];
  uint64_t id = alice(k);
  kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  assert_true(import(k, "3 1 0 a\n.\r\n3 1 0 b\n.\r\n3 1 0 c\n.\r\n", 1000, &a));
  struct drop *d = kit_open_drop(k, 1, id);
  kit_delete(k, 1, 3);
  kit_quit(k, 1);
  a = kit_command(k, "mail uidls alice@example.org");
  assert_string_equal(a.columns, "uidl uid imported size sum");
  snprintf(want, sizeof want, "%08x%08x 1 no %u \na 2 yes 5 \nc 4 yes 5 \nb 0 yes 5 %u\n",
           d->opened.uidvalidity, 1, (unsigned)d->size[0], (unsigned)crc32c(0, SLICE(".\r\n\r\n")));
  assert_string_equal(a.rows, want);
  /* Mail that was delivered here is not the old server's to delete. */
  a = kit_command(k, "mail drop alice@example.org 1 2 4 77 x");
  assert_int_equal(a.code, CLI_OK);
  assert_string_equal(a.rows, "2\n");
  assert_int_equal(kit_command(k, "mail list alice@example.org").count, 1);
  must_be_sound(k);
  /* Should the old server show it again, it may come again; what its owner deleted may not. */
  assert_true(import(k, "3 1 0 a\n.\r\n3 1 0 b\n.\r\n", 1000, &a));
  assert_string_equal(a.rows, "added 5 11\ngone  22\n");
  assert_int_equal(kit_command(k, "mail drop nobody@example.org 1").code, CLI_NOT_FOUND);
  must_be_sound(k);
}

/* What one slice carries is bounded, however many there are; each comes once. */
static void many_gone_uidls(void **state) {
  struct kit *k = *state;
  alice(k);
  kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  assert_int_equal(
      db_exec(k->writer->db,
              "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 12344)"
              " INSERT INTO gone (folder, uidl, size, sum) SELECT f.id, 'g' || i, i, i FROM n, "
              "folder f"),
      DB_OK);
  struct answer a = kit_command(k, "mail uidls alice@example.org");
  assert_int_equal(a.code, CLI_OK);
  assert_int_equal(a.count, 1 + 12345);
}

static void large_import(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  struct buf list, in;
  size_t n = 3 * 1024 * 1024;
  buf_init(&in, 2 * n);
  buf_printf(&in, "%zu 1 0 -\n", n);
  buf_put(&in, big(n));
  buf_put_str(&in, "3 1 0 small\n.\r\n");
  kit_list(&list, "import alice@example.org");
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_command, 0, buf_slice(&list)));
  buf_free(&list);
  for (struct slice s = buf_slice(&in); s.n; s = slice_from(s, 50000)) {
    assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_input, 0, slice_first(s, 50000)));
    kit_pump(k);
  }
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_input_end, 0, ));
  struct answer a = kit_answer(k, NULL);
  assert_int_equal(a.code, CLI_OK);
  assert_string_equal(a.text, "2 messages added");
  buf_free(&in);
  kit_open_drop(k, 1, id);
  struct buf want;
  buf_init(&want, 2 * n);
  buf_put(&want, big(n));
  struct slice w = buf_slice(&want);
  if (w.p[w.n - 1] != '\n') buf_put_str(&want, "\r\n");
  expect_message(k, 1, 1, buf_slice(&want));
  buf_free(&want);
  expect_message(k, 1, 2, SLICE(".\r\n\r\n"));
  must_be_sound(k);
}

static void imports_that_go_wrong(void **state) {
  struct kit *k = *state;
  struct answer a;
  alice(k);
  assert_int_equal(kit_command(k, "import bob@example.org").code, CLI_NOT_FOUND);
  assert_true(import(k, "12 1 0 -\nshort", 5, &a));
  assert_int_equal(a.code, CLI_USAGE);
  assert_true(import(k, "From nobody\nsome mbox\n", 5, &a));
  assert_int_equal(a.code, CLI_USAGE);
  assert_true(import(k, "3 1 0 with space\n.\r\n", 5, &a));
  assert_int_equal(a.code, CLI_USAGE);
  assert_true(import(k, "", 5, &a));
  assert_int_equal(a.code, CLI_OK);
  /* The command line is gone in the middle. */
  struct buf list;
  kit_list(&list, "import alice@example.org");
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_command, 0, buf_slice(&list)));
  buf_free(&list);
  assert_true(
      KIT_SAY(k, ROLE_CLI, CLI, cli_input, 0, SLICE("3 1 0 -\n.\r\n3 1 0 -\n.\r\n200000 1 0 -\n")));
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_input, 0, big(60000)));
  store_process_lost(k->store, ROLE_CLI, CLI);
  kit_pump(k);
  assert_int_equal(files_below(k, "spool"), 0);
  must_be_sound(k);
}

static void exports(void **state) {
  struct kit *k = *state;
  struct buf got;
  struct answer a;
  alice(k);
  kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  assert_int_equal(deliver_big(k, "alice@example.org", big(200000)), COMMIT_DONE);
  assert_true(import(k, "3 77 4 old-uidl\n.\r\n", 1000, &a));
  buf_init(&got, 1024 * 1024);
  a = kit_command_stream(k, "export alice@example.org", &got);
  assert_int_equal(a.code, CLI_OK);
  assert_int_equal(a.count, 3);
  assert_non_null(strstr(a.rows, "3 5 77 4 old-uidl\n"));
  assert_true(slice_starts(buf_slice(&got), SLICE(STORED "Return-Path: <sender@example.com>\r\n")));
  assert_int_equal(buf_len(&got),
                   2 * (sizeof STORED - sizeof MESSAGE) + sizeof MESSAGE - 1 + 200000 + 5);
  buf_free(&got);
  assert_int_equal(kit_command(k, "mail list alice@example.org").count, 3);
  /* A message that can't be read is taken back, and the next one comes. */
  assert_int_equal(k->disk->ops->remove(k->disk, "bodies/02/2"), 0);
  buf_init(&got, 1024 * 1024);
  a = kit_command_stream(k, "export alice@example.org", &got);
  assert_int_equal(a.code, CLI_DAMAGE);
  assert_int_equal(a.count, 4);
  assert_non_null(strstr(a.rows, "2 unreadable 0 0"));
  assert_non_null(strstr(a.rows, "3 5 77 4 old-uidl\n"));
  assert_non_null(strstr(a.text, "1 messages can't be read"));
  assert_int_equal(buf_len(&got), sizeof STORED - sizeof MESSAGE + sizeof MESSAGE - 1 + 5);
  buf_free(&got);
}

static void backups(void **state) {
  struct kit *k = *state;
  struct buf got;
  char command[400];
  alice(k);
  kit_deliver(k, "alice@example.org", SLICE(MESSAGE));
  assert_int_equal(deliver_big(k, "alice@example.org", big(200000)), COMMIT_DONE);
  assert_int_equal(deliver_big(k, "alice@example.org", big(50000)), COMMIT_DONE);
  buf_init(&got, 64 * 1024 * 1024);
  struct answer a = kit_command_stream(k, "backup", &got);
  if (a.code != CLI_OK) fail_msg("backup: %s", a.text);
  kit_idle(k);
  assert_int_equal(files_below(k, "spool"), 0);
  /* Unpacked by tar into another folder it is the same store. */
  struct kit copy = { .conf = k->conf, .now_s = k->now_s };
  copy.said_end = &copy.said;
  snprintf(copy.path, sizeof copy.path, "%.60s/copy", k->path);
  snprintf(command, sizeof command, "mkdir %s && cd %s && tar xf -", copy.path, copy.path);
  FILE *tar = popen(command, "w");
  assert_int_equal(fwrite(buf_slice(&got).p, 1, buf_len(&got), tar), buf_len(&got));
  assert_int_equal(pclose(tar), 0);
  buf_free(&got);
  int error;
  copy.real = copy.disk = disk_posix_open(copy.path, &error);
  kit_open(&copy);
  must_be_sound(&copy);
  assert_int_equal(kit_open_drop(&copy, 1, 1)->opened.count, 3);
  expect_message(&copy, 1, 1, SLICE(STORED));
  assert_int_equal(files_below(&copy, "bodies"), 2);
  kit_close(&copy);
  disk_posix_close(&copy.real);
}

/* Mail that goes while the backup is sent is still in it. */
static void backups_hold_files(void **state) {
  struct kit *k = *state;
  struct buf list, got;
  uint64_t id = alice(k);
  assert_int_equal(deliver_big(k, "alice@example.org", big(3 * 1024 * 1024)), COMMIT_DONE);
  kit_open_drop(k, 1, id);
  kit_list(&list, "backup");
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_command, 0, buf_slice(&list)));
  buf_free(&list);
  struct store_job *hold = k->writes;
  k->writes = NULL;
  assert_true(store_write_group(k->writer, hold));
  store_finish(k->store, hold);
  struct store_job *slice = k->reads;
  k->reads = NULL;
  store_read(k->reader, slice); /* the snapshot is taken */
  store_finish(k->store, slice);
  struct store_job *rest = k->reads;
  k->reads = NULL;
  kit_delete(k, 1, 1);
  assert_int_equal(kit_quit(k, 1).deleted, 1);
  kit_idle(k);
  assert_int_equal(files_below(k, "bodies"), 1);
  k->reads = rest;
  buf_init(&got, 64 * 1024 * 1024);
  struct answer a = kit_answer(k, &got);
  assert_int_equal(a.code, CLI_OK);
  assert_true(buf_len(&got) > 3 * 1024 * 1024);
  buf_free(&got);
  kit_pump(k);
  kit_idle(k);
  assert_int_equal(files_below(k, "bodies"), 0);
}

/* Deletions go as ranges of uids: what lies between two named ones stays, also when one of them is
 * named twice; a body that another mailbox has stays for it. */
static void quit_deletes_what_it_names(void **state) {
  struct kit *k = *state;
  assert_int_equal(kit_command(k, "domain add example.org").code, CLI_OK);
  uint64_t alice = kit_account(k, "alice@example.org"), bob = kit_account(k, "bob@example.org");
  assert_int_equal(
      kit_command(k, "alias add both@example.org alice@example.org bob@example.org").code, CLI_OK);
  for (int i = 1; i <= 7; i++)
    assert_int_equal(
        kit_deliver(k, i == 4 ? "both@example.org" : "alice@example.org", SLICE(MESSAGE)),
        COMMIT_DONE);
  static const uint32_t named[] = { 5, 2, 2, 4, 6 };
  kit_open_drop(k, 1, alice);
  for (size_t i = 0; i < sizeof named / sizeof *named; i++) kit_delete(k, 1, named[i]);
  assert_int_equal(kit_quit(k, 1).deleted, 4);
  struct drop *d = kit_open_drop(k, 2, alice);
  assert_int_equal(d->opened.count, 3);
  assert_int_equal(d->uid[0], 1);
  assert_int_equal(d->uid[1], 3);
  assert_int_equal(d->uid[2], 7);
  kit_quit(k, 2);
  assert_int_equal(kit_open_drop(k, 3, bob)->opened.count, 1);
  kit_quit(k, 3);
  struct answer a = kit_command(k, "check");
  if (a.code != CLI_OK) fail_msg("%s", a.rows);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(verdicts),
    TEST(verdicts_keep_their_order),
    TEST(quit_deletes_what_it_names),
    TEST(postmaster),
    TEST(postmaster_outlives_an_account),
    TEST(aliases),
    TEST(aliases_forget_who_went),
    TEST(deep_aliases_end),
    TEST(quotas),
    TEST(quota_counts_what_is_coming),
    TEST(larger_than_the_whole_quota),
    TEST(deliver_and_read),
    TEST(messages_are_completed),
    TEST(imports_are_completed),
    TEST(all_sizes_around_the_threshold),
    TEST(too_big),
    TEST(files_ahead),
    TEST(dropped_spools_go),
    TEST(chunks_without_answers),
    TEST(chunks_beyond_the_leave),
    TEST(chunks_that_nobody_wants),
    TEST(one_body_for_many),
    TEST(one_session_at_a_time),
    TEST(nothing_without_a_grant),
    TEST(grants_are_taken_back),
    TEST(a_snapshot_stays_as_it_is),
    TEST(only_quit_deletes),
    TEST(more_deletes_than_messages),
    TEST(one_question_at_a_time),
    TEST(uids_are_never_used_twice),
    TEST(large_drop),
    TEST(malformed),
    TEST(group_outlives_a_failing_job),
    TEST(failed_sync_is_not_tried_again),
    TEST(full_disk),
    TEST(a_full_mailbox_is_logged_once_a_minute),
    TEST(a_full_disk_is_logged_once_a_minute),
    TEST(little_space_stops_new_mail_only),
    TEST(undone_files_go_back),
    TEST(orphans_are_removed),
    TEST(check_finds_damage),
    TEST(newer_databases_are_refused),
    TEST(names),
    TEST(a_full_account_is_deleted_in_slices),
    TEST(imports),
    TEST(own_uidls_are_known),
    TEST(migration),
    TEST(many_gone_uidls),
    TEST(large_import),
    TEST(imports_that_go_wrong),
    TEST(exports),
    TEST(backups),
    TEST(backups_hold_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
