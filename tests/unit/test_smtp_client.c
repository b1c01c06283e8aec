/* SPDX-License-Identifier: ISC */
/* The SMTP client session against scripted servers: what it says, and what it takes for delivered.
 */
#include "tests/world/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mail/smtp/client.h"

enum { LETTERS = 4, RCPTS = 3 };

struct letter {
  struct smtp_letter l;
  struct smtp_letter_rcpt rcpts[RCPTS];
  const char *octets;
  bool done, broken, waits;
};

struct kit {
  struct smtp_client *c;
  struct letter letters[LETTERS];
  size_t count, next;
  struct smtp_client_start start;
  char said[8192];
};

static struct smtp_letter *on_next(void *arg) {
  struct kit *k = arg;
  return k->next < k->count ? &k->letters[k->next++].l : NULL;
}

static enum smtp_source_verdict on_read(void *arg, struct smtp_letter *l, struct buf *out,
                                        size_t most) {
  struct letter *x = l->own;
  if (x->broken) return SMTP_SOURCE_BROKEN;
  if (x->waits) return SMTP_SOURCE_WAIT;
  buf_put_str(out, x->octets);
  return SMTP_SOURCE_END;
}

static void on_done(void *arg, struct smtp_letter *l) {
  struct letter *x = l->own;
  assert_false(x->done); /* once */
  x->done = true;
}

static struct letter *add(struct kit *k, const char *from, const char *to, const char *to2) {
  struct letter *x = &k->letters[k->count++];
  x->octets = "Subject: s\r\n\r\n.dot\r\n";
  x->l = (struct smtp_letter){
    .return_path = slice_str(from), .rcpts = x->rcpts, .count = to2 ? 2 : 1, .size = 19, .own = x
  };
  x->rcpts[0].address = slice_str(to);
  if (to2) x->rcpts[1].address = slice_str(to2);
  return x;
}

static void setup(struct kit *k) {
  *k = (struct kit){ 0 };
  k->start = (struct smtp_client_start){
    .hello = "us.example", .host = "mx.example", .port = 25, .now_ms = 1000
  };
  k->start.source = (struct smtp_source){ on_next, on_read, on_done, k };
}

static void begin(struct kit *k) {
  k->c = smtp_client_new(&k->start);
  assert_non_null(k->c);
}

static void pump(struct kit *k) {
  size_t n = strlen(k->said);
  for (;;) {
    struct slice out = buf_slice(&k->c->proto.out);
    assert_true(n + out.n < sizeof k->said);
    if (out.n) memcpy(k->said + n, out.p, out.n);
    n += out.n;
    k->said[n] = 0;
    buf_drop(&k->c->proto.out, out.n);
    if (!k->c->proto.more) return;
    smtp_client_produce(k->c);
  }
}

/* What the client sends after `text`, fed octet by octet: no reply may depend on the cuts. */
static const char *hears(struct kit *k, const char *text) {
  k->said[0] = 0;
  struct buf in;
  buf_init(&in, 1 << 20);
  for (const char *p = text; *p; p++) {
    buf_put_u8(&in, (uint8_t)*p);
    struct slice s = buf_slice(&in);
    if (k->c->proto.want == PROTO_READ) smtp_client_input(k->c, &s);
    buf_drop(&in, buf_len(&in) - s.n);
    pump(k);
  }
  buf_free(&in);
  return k->said;
}

static const char *hears_at_once(struct kit *k, const char *text) {
  k->said[0] = 0;
  struct slice s = slice_str(text);
  smtp_client_input(k->c, &s);
  pump(k);
  return k->said;
}

static const struct smtp_verdict *verdict(struct kit *k, size_t letter, size_t rcpt) {
  assert_true(k->letters[letter].done);
  return &k->letters[letter].rcpts[rcpt].verdict;
}

static void assert_fate(struct kit *k, size_t letter, size_t rcpt, enum smtp_fate fate,
                        enum smtp_stage stage, unsigned code) {
  const struct smtp_verdict *v = verdict(k, letter, rcpt);
  assert_int_equal(v->fate, fate);
  if (fate == SMTP_UNTRIED) return;
  assert_int_equal(v->stage, stage);
  assert_int_equal(v->code, code);
}

static void finish(struct kit *k) {
  smtp_client_free(&k->c);
  for (size_t i = 0; i < k->next; i++) {
    assert_true(k->letters[i].done);
    smtp_letter_free_verdicts(&k->letters[i].l);
  }
}

#define EHLO_ALL                                                                               \
  "250-mx.example hello\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-DSN\r\n250 " \
  "SMTPUTF8\r\n"
#define BODY "Subject: s\r\n\r\n..dot\r\n.\r\n"

/* RFC 5321 §3.3: one command after another. */
static void plain(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", "c@mx.example");
  begin(&k);
  assert_string_equal(hears(&k, "220 mx.example ready\r\n"), "EHLO us.example\r\n");
  assert_string_equal(hears(&k, "250 mx.example\r\n"), "MAIL FROM:<a@us.example>\r\n");
  assert_string_equal(hears(&k, "250 ok\r\n"), "RCPT TO:<b@mx.example>\r\n");
  assert_string_equal(hears(&k, "250 ok\r\n"), "RCPT TO:<c@mx.example>\r\n");
  assert_string_equal(hears(&k, "550 5.1.1 no such user\r\n"), "DATA\r\n");
  assert_string_equal(hears(&k, "354 go\r\n"), BODY);
  assert_string_equal(hears(&k, "250 2.0.0 queued\r\n"), "QUIT\r\n");
  assert_fate(&k, 0, 0, SMTP_DELIVERED, SMTP_STAGE_END, 250);
  assert_fate(&k, 0, 1, SMTP_PERMANENT, SMTP_STAGE_RCPT, 550);
  assert_int_equal(verdict(&k, 0, 1)->enhanced[2], 1);
  hears(&k, "221 bye\r\n");
  assert_int_equal(k.c->end, SMTP_END_DONE);
  finish(&k);
}

/* RFC 2920: an envelope is one write, and the next one stands behind the end of data once all went
 * well. */
static void pipelined(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", NULL);
  add(&k, "", "b@mx.example", NULL);
  add(&k, "a@us.example", "c@mx.example", NULL);
  begin(&k);
  hears(&k, "220 mx\r\n");
  assert_string_equal(hears(&k, EHLO_ALL),
                      "MAIL FROM:<a@us.example> SIZE=19\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n");
  assert_string_equal(hears(&k, "250 ok\r\n250 ok\r\n354 go\r\n"), BODY);
  assert_string_equal(hears(&k, "250 ok\r\n"),
                      "MAIL FROM:<> SIZE=19\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n");
  assert_string_equal(hears(&k, "250 ok\r\n250 ok\r\n354 go\r\n"), BODY
                      "MAIL FROM:<a@us.example> SIZE=19\r\nRCPT TO:<c@mx.example>\r\nDATA\r\n");
  assert_string_equal(hears(&k, "250 two\r\n250 ok\r\n250 ok\r\n354 go\r\n"), BODY);
  assert_string_equal(hears(&k, "250 three\r\n"), "QUIT\r\n");
  for (size_t i = 0; i < 3; i++) assert_fate(&k, i, 0, SMTP_DELIVERED, SMTP_STAGE_END, 250);
  finish(&k);
}

static void assert_words(const struct smtp_verdict *v, const char *words) {
  struct slice text = buf_slice(&v->text);
  if (slice_search(text, slice_str(words)) < 0)
    fail_msg("\"%.*s\" has no \"%s\"", SLICE_ARG(text), words);
}

/* The connection dies with an envelope behind the end of data: that letter was not tried. */
static void lost_behind_end(void **state) {
  struct kit k;
  setup(&k);
  for (int i = 0; i < 3; i++) add(&k, "a@us.example", "b@mx.example", NULL);
  begin(&k);
  hears(&k, "220 mx\r\n");
  hears(&k, EHLO_ALL);
  hears(&k, "250 ok\r\n250 ok\r\n354 go\r\n250 one\r\n250 ok\r\n250 ok\r\n354 go\r\n");
  smtp_client_gone(k.c, SMTP_END_GONE);
  assert_fate(&k, 0, 0, SMTP_DELIVERED, SMTP_STAGE_END, 250);
  assert_fate(&k, 1, 0, SMTP_TEMPORARY, SMTP_STAGE_END, 0); /* it may have it */
  assert_true(verdict(&k, 1, 0)->doubtful);
  assert_words(verdict(&k, 1, 0), "may have taken it");
  assert_fate(&k, 2, 0, SMTP_UNTRIED, SMTP_STAGE_MAIL, 0);
  finish(&k);
}

/* We cut it: which letter the server may have is known, the other was not tried. */
static void cut(void **state) {
  struct kit k;
  setup(&k);
  for (int i = 0; i < 3; i++) add(&k, "a@us.example", "b@mx.example", NULL);
  begin(&k);
  hears(&k, "220 mx\r\n");
  hears(&k, EHLO_ALL);
  assert_null(smtp_client_at_end(k.c));
  hears(&k, "250 ok\r\n250 ok\r\n354 go\r\n");
  assert_ptr_equal(smtp_client_at_end(k.c), &k.letters[0].l);
  hears(&k, "250 one\r\n250 ok\r\n250 ok\r\n");
  assert_null(smtp_client_at_end(k.c));
  hears(&k, "354 go\r\n");
  assert_ptr_equal(smtp_client_at_end(k.c), &k.letters[1].l);
  smtp_client_gone(k.c, SMTP_END_CUT);
  assert_int_equal(k.c->end, SMTP_END_CUT);
  assert_null(smtp_client_at_end(k.c));
  assert_fate(&k, 0, 0, SMTP_DELIVERED, SMTP_STAGE_END, 250);
  assert_fate(&k, 1, 0, SMTP_TEMPORARY, SMTP_STAGE_END, 0);
  assert_fate(&k, 2, 0, SMTP_UNTRIED, SMTP_STAGE_MAIL, 0);
  finish(&k);
}

/* Only a complete 2yz reply to this end of data is success. */
static void no_other_success(void **state) {
  static const struct {
    const char *reply;
    enum smtp_fate fate;
  } cases[] = {
    /* clang-format off */
    { "221 bye\r\n", SMTP_TEMPORARY }, /* QUIT's reply is no receipt */
    { "252 kept\r\n", SMTP_DELIVERED },
    { "299 kept\r\n", SMTP_DELIVERED }, /* by the first digit: RFC 5321 §4.3.2 */
    { "499 later\r\n", SMTP_TEMPORARY },
    { "571 5.7.1 no\r\n", SMTP_PERMANENT },
    { "354 what\r\n", SMTP_TEMPORARY },
    { "250-half", SMTP_TEMPORARY },
    { "250-first\r\n550 no\r\n", SMTP_TEMPORARY },
    { "2\xb2 0\r\n", SMTP_TEMPORARY },
    { "250 ok\n", SMTP_TEMPORARY },
    { "600 ok\r\n", SMTP_TEMPORARY },
    { "421 4.3.2 closing\r\n", SMTP_TEMPORARY },
    { "451 later\r\n", SMTP_TEMPORARY },
    { "554 no\r\n", SMTP_PERMANENT },
    /* clang-format on */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct kit k;
    setup(&k);
    add(&k, "a@us.example", "b@mx.example", NULL);
    begin(&k);
    hears(&k, "220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    hears(&k, cases[i].reply);
    if (k.c->end == SMTP_END_NONE) smtp_client_gone(k.c, SMTP_END_GONE);
    assert_int_equal(verdict(&k, 0, 0)->fate, cases[i].fate);
    finish(&k);
  }
}

/* A 250 that comes before the end of data has left is no success. */
static void early_success(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", NULL);
  begin(&k);
  hears(&k, "220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n");
  assert_string_equal(hears_at_once(&k, "354 go\r\n250 queued already\r\n"), "");
  assert_fate(&k, 0, 0, SMTP_TEMPORARY, SMTP_STAGE_BODY, 0);
  assert_int_equal(k.c->end, SMTP_END_PROTOCOL);
  finish(&k);
}

/* RFC 2920 §3.1: DATA accepted although no recipient was: an empty message is owed, and counts for
 * nothing. */
static void data_without_recipient(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", NULL);
  add(&k, "a@us.example", "c@mx.example", NULL);
  begin(&k);
  hears(&k, "220 mx\r\n");
  hears(&k, EHLO_ALL);
  assert_string_equal(hears(&k, "250 ok\r\n550 no\r\n354 go\r\n"), ".\r\n");
  assert_string_equal(hears(&k, "250 strange\r\n"),
                      "MAIL FROM:<a@us.example> SIZE=19\r\nRCPT TO:<c@mx.example>\r\nDATA\r\n");
  assert_fate(&k, 0, 0, SMTP_PERMANENT, SMTP_STAGE_RCPT, 550);
  finish(&k);
}

/* All refused: RSET before the next letter; RSET may be answered with anything, then the session
 * ends. */
static void refused_then_rset(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", NULL);
  add(&k, "a@us.example", "c@mx.example", NULL);
  begin(&k);
  hears(&k, "220 mx\r\n");
  hears(&k, EHLO_ALL);
  assert_string_equal(hears(&k, "250 ok\r\n450 4.2.1 later\r\n503 no recipients\r\n"), "RSET\r\n");
  assert_fate(&k, 0, 0, SMTP_TEMPORARY, SMTP_STAGE_RCPT, 450);
  assert_string_equal(hears(&k, "500 what\r\n"), "QUIT\r\n");
  assert_false(k.letters[1].done); /* it was never taken */
  assert_int_equal(k.next, 1);
  finish(&k);
}

/* RFC 5321 §4.5.4.1: "5yz responses to the MAIL command MUST NOT be cached": it is that letter's,
 * and the next one is tried in the same session. */
static void refused_mail(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", NULL);
  add(&k, "a@us.example", "b@mx.example", NULL);
  begin(&k);
  hears(&k, "220 mx\r\n250 mx\r\n");
  assert_string_equal(hears(&k, "550 5.7.1 not from you\r\n"), "MAIL FROM:<a@us.example>\r\n");
  assert_fate(&k, 0, 0, SMTP_PERMANENT, SMTP_STAGE_MAIL, 550);
  assert_string_equal(hears(&k, "250 ok\r\n250 ok\r\n354 go\r\n"),
                      "RCPT TO:<b@mx.example>\r\nDATA\r\n" BODY);
  hears(&k, "250 ok\r\n");
  assert_fate(&k, 1, 0, SMTP_DELIVERED, SMTP_STAGE_END, 250);
  finish(&k);
}

/* RFC 5321 §4.5.3.1.10: recipients beyond the server's limit are retried at once, for either reply
 * code. */
static void too_many(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", "c@mx.example");
  begin(&k);
  hears(&k,
        "220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n552 too many recipients\r\n354 go\r\n250 ok\r\n");
  assert_fate(&k, 0, 0, SMTP_DELIVERED, SMTP_STAGE_END, 250);
  assert_fate(&k, 0, 1, SMTP_UNTRIED, SMTP_STAGE_RCPT, 0);
  finish(&k);
}

/* What the server lacks is asked of this session, for each letter. */
static void obstacles(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", NULL)->l.eight_bit = true;
  add(&k, "a@us.example", "b@mx.example", NULL)->l.utf8 = true;
  add(&k, "a@us.example", "b\r\nRCPT TO:<x@y>@mx.example", "d@mx.example");
  add(&k, "a@us.example", "\xc3\xa9@mx.example", NULL);
  begin(&k);
  hears(&k, "220 mx\r\n");
  assert_string_equal(hears(&k, "250-mx\r\n250 SIZE 19\r\n"),
                      "MAIL FROM:<a@us.example> SIZE=19\r\n");
  assert_string_equal(hears(&k, "250 ok\r\n"), "RCPT TO:<d@mx.example>\r\n");
  assert_string_equal(hears(&k, "250 ok\r\n354 go\r\n250 ok\r\n"), "DATA\r\n" BODY "QUIT\r\n");
  assert_int_equal(verdict(&k, 0, 0)->enhanced[1] * 10 + verdict(&k, 0, 0)->enhanced[2], 63);
  assert_int_equal(verdict(&k, 1, 0)->enhanced[1] * 10 + verdict(&k, 1, 0)->enhanced[2], 67);
  assert_fate(&k, 0, 0, SMTP_UNTRIED, SMTP_STAGE_MAIL, 0);
  assert_int_equal(verdict(&k, 0, 0)->obstacle, SMTP_LACKS_8BITMIME);
  assert_int_equal(verdict(&k, 1, 0)->obstacle, SMTP_LACKS_UTF8);
  assert_fate(&k, 2, 0, SMTP_PERMANENT, SMTP_STAGE_RCPT, 0);
  assert_fate(&k, 2, 1, SMTP_DELIVERED, SMTP_STAGE_END, 250);
  assert_fate(&k, 3, 0, SMTP_UNTRIED, SMTP_STAGE_RCPT, 0);
  assert_int_equal(verdict(&k, 3, 0)->obstacle, SMTP_LACKS_UTF8);
  finish(&k);
}

/* One address needs SMTPUTF8, and the others go; what is refused or lost behind it leaves the
 * obstacle as it is. */
static void obstacle_of_one(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "\xc3\xa9@mx.example", "b@mx.example");
  add(&k, "a@us.example", "\xc3\xa9@mx.example", "b@mx.example");
  add(&k, "a@us.example", "b@mx.example", NULL);
  begin(&k);
  hears(&k, "220 mx\r\n");
  assert_string_equal(hears(&k, "250-mx\r\n250 SIZE 20\r\n"),
                      "MAIL FROM:<a@us.example> SIZE=19\r\n");
  assert_string_equal(hears(&k, "250 ok\r\n"), "RCPT TO:<b@mx.example>\r\n");
  hears(&k, "250 ok\r\n354 go\r\n250 ok\r\n");
  assert_int_equal(verdict(&k, 0, 0)->obstacle, SMTP_LACKS_UTF8);
  assert_fate(&k, 0, 1, SMTP_DELIVERED, SMTP_STAGE_END, 250);
  hears(&k, "550 no\r\n");
  assert_fate(&k, 1, 0, SMTP_UNTRIED, SMTP_STAGE_RCPT, 0);
  assert_int_equal(verdict(&k, 1, 0)->obstacle, SMTP_LACKS_UTF8);
  assert_fate(&k, 1, 1, SMTP_PERMANENT, SMTP_STAGE_MAIL, 550);
  finish(&k);
}

/* RFC 6531 §3.4: SMTPUTF8 is said where an address or the header needs it, and nowhere else. */
static void utf8_where_needed(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", NULL);
  add(&k, "a@us.example", "b@mx.example", NULL)->l.utf8 = true;
  add(&k, "\xc3\xa9@us.example", "b@mx.example", NULL);
  add(&k, "a@us.example", "b@mx.example", "\xc3\xa9@mx.example");
  begin(&k);
  hears(&k, "220 mx\r\n");
  assert_string_equal(hears(&k, "250-mx\r\n250 SMTPUTF8\r\n"), "MAIL FROM:<a@us.example>\r\n");
  assert_string_equal(hears(&k, "250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n"),
                      "RCPT TO:<b@mx.example>\r\nDATA\r\n" BODY
                      "MAIL FROM:<a@us.example> SMTPUTF8\r\n");
  assert_string_equal(hears(&k, "250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n"),
                      "RCPT TO:<b@mx.example>\r\nDATA\r\n" BODY
                      "MAIL FROM:<\xc3\xa9@us.example> SMTPUTF8\r\n");
  assert_string_equal(hears(&k, "250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n"),
                      "RCPT TO:<b@mx.example>\r\nDATA\r\n" BODY
                      "MAIL FROM:<a@us.example> SMTPUTF8\r\n");
  smtp_client_gone(k.c, SMTP_END_GONE);
  finish(&k);
}

/* RFC 6533 §4.5: a report with a header beyond ASCII in it is 8-bit only where SMTPUTF8 is. */
static void global_where_utf8(void **state) {
  struct kit k;
  setup(&k);
  for (size_t i = 0; i < 2; i++) {
    struct letter *x = add(&k, "", "b@mx.example", NULL);
    x->l.global = true;
    x->l.eight_bit = !i;
  }
  begin(&k);
  hears(&k, "220 mx\r\n");
  assert_string_equal(hears(&k, "250-mx\r\n250 8BITMIME\r\n"), "MAIL FROM:<>\r\n");
  assert_int_equal(verdict(&k, 0, 0)->obstacle, SMTP_LACKS_8BITMIME);
  finish(&k);

  setup(&k);
  struct letter *x = add(&k, "", "b@mx.example", NULL);
  x->l.global = x->l.eight_bit = true;
  begin(&k);
  hears(&k, "220 mx\r\n");
  assert_string_equal(hears(&k, "250-mx\r\n250-8BITMIME\r\n250 SMTPUTF8 later=1\r\n"),
                      "MAIL FROM:<> BODY=8BITMIME SMTPUTF8\r\n");
  smtp_client_gone(k.c, SMTP_END_GONE);
  finish(&k);
}

/* RFC 3461: the parameters go on to a server that offers DSN, and only to it. */
static void dsn(void **state) {
  struct kit k;
  setup(&k);
  struct letter *x = add(&k, "a@us.example", "b@mx.example", NULL);
  x->l.ret = SMTP_RET_HDRS;
  x->l.envid = SLICE("id+2B1");
  x->rcpts[0].notify = SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE;
  x->rcpts[0].orcpt = SLICE("rfc822;b@old.example");
  begin(&k);
  hears(&k, "220 mx\r\n");
  assert_string_equal(
      hears(&k, EHLO_ALL),
      "MAIL FROM:<a@us.example> SIZE=19 RET=HDRS ENVID=id+2B1\r\n"
      "RCPT TO:<b@mx.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@old.example\r\nDATA\r\n");
  hears(&k, "250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n");
  assert_true(verdict(&k, 0, 0)->dsn);
  finish(&k);
  setup(&k);
  x = add(&k, "a@us.example", "b@mx.example", NULL);
  x->l.ret = SMTP_RET_HDRS;
  x->l.envid = SLICE("id+2B1");
  x->rcpts[0].notify = SMTP_NOTIFY_SUCCESS;
  x->rcpts[0].orcpt = SLICE("rfc822;b@old.example");
  begin(&k);
  hears(&k, "220 mx\r\n");
  assert_string_equal(hears(&k, "250-mx\r\n250 PIPELINING\r\n"),
                      "MAIL FROM:<a@us.example>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n");
  hears(&k, "250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n");
  assert_false(verdict(&k, 0, 0)->dsn);
  finish(&k);
}

/* RFC 2033 §4.2: a reply for each accepted recipient. */
static void lmtp(void **state) {
  struct kit k;
  setup(&k);
  k.start.policy.lmtp = true;
  add(&k, "a@us.example", "b@mx.example", "c@mx.example");
  begin(&k);
  assert_string_equal(hears(&k, "220 mx\r\n"), "LHLO us.example\r\n");
  hears(&k, "250 mx\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 2.1.5 b\r\n");
  assert_false(k.letters[0].done);
  assert_string_equal(hears(&k, "452 4.2.2 c is full\r\n"), "QUIT\r\n");
  assert_fate(&k, 0, 0, SMTP_DELIVERED, SMTP_STAGE_END, 250);
  assert_fate(&k, 0, 1, SMTP_TEMPORARY, SMTP_STAGE_END, 452);
  finish(&k);
}

/* RFC 3207 §4.2, §6: what was said before TLS is forgotten; what stands behind 220 ends it. */
static void tls(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", NULL);
  begin(&k);
  hears(&k, "220 mx\r\n");
  assert_string_equal(hears(&k, "250-mx\r\n250-SIZE 5\r\n250 STARTTLS\r\n"), "STARTTLS\r\n");
  hears(&k, "220 go\r\n");
  assert_int_equal(k.c->proto.want, PROTO_TLS);
  smtp_client_secured(k.c);
  pump(&k);
  assert_string_equal(k.said, "EHLO us.example\r\n");
  assert_string_equal(hears(&k, "250-mx\r\n250 STARTTLS\r\n"), "MAIL FROM:<a@us.example>\r\n");
  finish(&k);

  setup(&k);
  add(&k, "a@us.example", "b@mx.example", NULL);
  begin(&k);
  hears(&k, "220 mx\r\n250-mx\r\n250 STARTTLS\r\n");
  hears_at_once(&k, "220 go\r\n250 AUTH PLAIN\r\n");
  assert_int_equal(k.c->end, SMTP_END_INJECTION);
  assert_int_equal(k.next, 0);
  finish(&k);
}

static void tls_required(void **state) {
  struct kit k;
  setup(&k);
  k.start.policy.tls = SMTP_TLS_MUST;
  add(&k, "a@us.example", "b@mx.example", NULL);
  begin(&k);
  assert_string_equal(hears(&k, "220 mx\r\n250 mx\r\n"), "EHLO us.example\r\nQUIT\r\n");
  assert_int_equal(k.c->end, SMTP_END_NO_TLS);
  finish(&k);
}

/* A refused STARTTLS leaves an opportunistic session in the clear. */
static void tls_refused(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", NULL);
  begin(&k);
  hears(&k, "220 mx\r\n250-mx\r\n250 STARTTLS\r\n");
  assert_string_equal(hears(&k, "454 4.7.0 not now\r\n"), "MAIL FROM:<a@us.example>\r\n");
  finish(&k);
}

/* Nothing of a login in the clear; PLAIN where TLS is. */
static void login(void **state) {
  struct kit k;
  setup(&k);
  k.start.user = SLICE("tim");
  k.start.secret = SLICE("tanstaaftanstaaf");
  begin(&k);
  assert_string_equal(hears(&k, "220 mx\r\n250-mx\r\n250 AUTH PLAIN LOGIN\r\n"),
                      "EHLO us.example\r\nQUIT\r\n");
  assert_int_equal(k.c->end, SMTP_END_NO_MECHANISM);
  finish(&k);

  k.start.policy.tls = SMTP_TLS_IMPLICIT;
  begin(&k);
  hears(&k, "220 mx\r\n");
  assert_string_equal(hears(&k, "250-mx\r\n250 AUTH PLAIN LOGIN\r\n"),
                      "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");
  hears(&k, "235 2.7.0 welcome\r\n");
  assert_true(k.c->ready);
  finish(&k);

  begin(&k);
  hears(&k, "220 mx\r\n250-mx\r\n250 AUTH PLAIN\r\n");
  hears(&k, "535 5.7.8 no\r\n");
  assert_int_equal(k.c->end, SMTP_END_LOGIN_WRONG);
  assert_int_equal(k.c->last.code, 535);
  finish(&k);
}

static struct proto_bindings bound;
static void get_bindings(void *arg, struct proto_bindings *ret) { *ret = bound; }

#define EVERY                                                                         \
  "250-mx\r\n250 AUTH EXTERNAL XOAUTH2 OAUTHBEARER CRAM-MD5 LOGIN PLAIN SCRAM-SHA-1 " \
  "SCRAM-SHA-256 SCRAM-SHA-1-PLUS "                                                   \
  "SCRAM-SHA-256-PLUS NTLM\r\n"

/* A server that announces everything: the order of mail/sasl/login.h, and what comes after a
 * refusal. */
static void every_mechanism(void **state) {
  static const char plain[] = "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n";
  struct kit k;
  setup(&k);
  k.start.user = SLICE("tim");
  k.start.secret = SLICE("tanstaaftanstaaf");
  k.start.policy = (struct smtp_client_policy){ .tls = SMTP_TLS_IMPLICIT, .second_try = true };
  bound.exporter_n = sizeof bound.exporter;
  k.start.channel.bindings = get_bindings;
  begin(&k);
  hears(&k, "220 mx\r\n");
  assert_memory_equal(hears(&k, EVERY), "AUTH SCRAM-SHA-256-PLUS cD10bHMtZXhwb3J0ZXIs", 44);
  assert_string_equal(hears(&k, "535 5.7.8 no\r\n"), plain); /* the server may keep only a hash */
  assert_string_equal(hears(&k, "535 5.7.8 no\r\n"), "QUIT\r\n");
  assert_int_equal(k.c->end, SMTP_END_LOGIN_WRONG);
  finish(&k);

  bound.exporter_n = 0;
  begin(&k);
  hears(&k, "220 mx\r\n");
  assert_memory_equal(hears(&k, EVERY), "AUTH SCRAM-SHA-256 bi", 21);
  assert_memory_equal(hears(&k, "504 5.5.4 what is that\r\n"), "AUTH SCRAM-SHA-1 bi", 19);
  assert_string_equal(hears(&k, "454 4.7.0 not now\r\n"), "QUIT\r\n");
  finish(&k);

  k.start.policy.second_try = false;
  begin(&k);
  hears(&k, "220 mx\r\n");
  hears(&k, EVERY);
  assert_string_equal(hears(&k, "535 5.7.8 no\r\n"), "QUIT\r\n");
  finish(&k);

  begin(&k);
  hears(&k, "220 mx\r\n");
  hears(&k, "250-mx\r\n250 AUTH PLAIN CRAM-MD5\r\n");
  assert_string_equal(hears(&k, "504 5.5.4 unrecognized authentication type\r\n"),
                      "AUTH CRAM-MD5\r\n");
  assert_string_equal(hears(&k, "502 5.5.1 no such command\r\n"), "QUIT\r\n");
  finish(&k);
}

static void helo(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", NULL);
  begin(&k);
  hears(&k, "220 old\r\n");
  assert_string_equal(hears(&k, "502 what\r\n"), "HELO us.example\r\n");
  assert_string_equal(hears(&k, "250 old\r\n"), "MAIL FROM:<a@us.example>\r\n");
  finish(&k);
}

/* RFC 5321 §4.3.2: what a greeting says is told by its first digit. */
static void greetings(void **state) {
  static const char *const t[][2] = { { "299 odd\r\n", "EHLO us.example\r\n" },
                                      { "220-two\r\n220 lines\r\n", "EHLO us.example\r\n" },
                                      { "354 what\r\n", "QUIT\r\n" },
                                      { "499 later\r\n", "QUIT\r\n" },
                                      { "554 no\r\n", "QUIT\r\n" } };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct kit k;
    setup(&k);
    begin(&k);
    assert_string_equal(hears(&k, t[i][0]), t[i][1]);
    finish(&k);
  }
}

/* §4.1.1.1: keywords are read whatever their case. */
static void keywords(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", NULL)->l.eight_bit = true;
  begin(&k);
  hears(&k, "220 mx\r\n");
  assert_string_equal(
      hears(&k,
            "250-mx\r\n250-pipelining\r\n250-Size 1000\r\n250-x-other thing\r\n250 8BitMime\r\n"),
      "MAIL FROM:<a@us.example> SIZE=19 BODY=8BITMIME\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n");
  finish(&k);
}

/* RFC 5321 §4.5.3.2: for each command by itself, and for each block of the message. */
static void timeouts(void **state) {
  static const struct {
    const char *reply;
    unsigned minutes;
  } steps[] = { { "", 5 },           { "220 mx\r\n", 5 }, { "250 mx\r\n", 5 },
                { "250 ok\r\n", 5 }, { "250 ok\r\n", 2 }, { "354 go\r\n", 3 } };
  struct kit k;
  setup(&k);
  struct letter *x = add(&k, "a@us.example", "b@mx.example", NULL);
  x->waits = true;
  begin(&k);
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    k.c->proto.now_ms = 1000 * i;
    hears(&k, steps[i].reply);
    uint64_t began = i ? 1000 * i : 1000;
    assert_int_equal(k.c->proto.deadline_ms, began + steps[i].minutes * 60000);
  }
  x->waits = false;
  k.c->proto.now_ms = 1000;
  smtp_client_wake(k.c);
  pump(&k);
  assert_int_equal(k.c->proto.deadline_ms, 1000 + 600000);
  k.c->proto.now_ms = k.c->proto.deadline_ms;
  smtp_client_tick(k.c);
  assert_int_equal(k.c->end, SMTP_END_TIMEOUT);
  assert_fate(&k, 0, 0, SMTP_TEMPORARY, SMTP_STAGE_END, 0);
  finish(&k);
}

/* A message that cannot be read here is never ended: the server must not keep half of it. */
static void broken_source(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", NULL)->broken = true;
  begin(&k);
  hears(&k, "220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n");
  assert_string_equal(hears(&k, "354 go\r\n"), "");
  assert_int_equal(k.c->end, SMTP_END_SOURCE);
  assert_fate(&k, 0, 0, SMTP_TEMPORARY, SMTP_STAGE_BODY, 0);
  finish(&k);
}

/* One refused recipient stops the letter, by a 552 as well: DATA waits for all replies, and the
 * next letter is not concerned. */
static void all_or_none(void **state) {
  static const char *const refusals[] = { "550 5.1.1 no\r\n", "552 too many recipients\r\n" };
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    struct kit k;
    setup(&k);
    k.start.policy.all_or_none = true;
    add(&k, "a@us.example", "b@mx.example", "c@mx.example");
    add(&k, "a@us.example", "d@mx.example", NULL);
    add(&k, "a@us.example", "\xc3\xa9@mx.example", "b@mx.example");
    begin(&k);
    hears(&k, "220 mx\r\n");
    assert_string_equal(hears(&k, "250-mx\r\n250 PIPELINING\r\n"),
                        "MAIL FROM:<a@us.example>\r\nRCPT TO:<b@mx.example>\r\n"
                        "RCPT TO:<c@mx.example>\r\n");
    assert_string_equal(hears(&k, "250 ok\r\n250 ok\r\n"), "");
    assert_string_equal(hears(&k, refusals[i]), "RSET\r\n");
    assert_fate(&k, 0, 0, SMTP_UNTRIED, SMTP_STAGE_RCPT, 0);
    assert_fate(&k, 0, 1, SMTP_PERMANENT, SMTP_STAGE_RCPT, i ? 552 : 550);
    assert_string_equal(hears(&k, "250 ok\r\n"),
                        "MAIL FROM:<a@us.example>\r\nRCPT TO:<d@mx.example>\r\n");
    assert_string_equal(hears(&k, "250 ok\r\n250 ok\r\n354 go\r\n"), "DATA\r\n" BODY);
    hears(&k, "250 ok\r\n");
    assert_fate(&k, 1, 0, SMTP_DELIVERED, SMTP_STAGE_END, 250);
    assert_int_equal(verdict(&k, 2, 0)->obstacle, SMTP_LACKS_UTF8); /* so nothing was sent */
    assert_fate(&k, 2, 1, SMTP_UNTRIED, SMTP_STAGE_RCPT, 0);
    finish(&k);
  }
}

static void note_reply(void *arg, const char *command, unsigned code, struct slice text) {
  char *noted = arg;
  size_t n = strlen(noted);
  snprintf(noted + n, 256 - n, "%s %u; ", command, code);
}

/* Nothing but the envelope: RSET, then QUIT; each reply is shown with what it answers. */
static void envelope_only(void **state) {
  char noted[256] = "";
  struct kit k;
  setup(&k);
  k.start.policy = (struct smtp_client_policy){ .envelope_only = true, .lmtp = true };
  k.start.watch = (struct smtp_client_watch){ note_reply, noted };
  add(&k, "a@us.example", "b@mx.example", "c@mx.example")->l.size = 0;
  begin(&k);
  hears(&k, "220 mx\r\n");
  assert_string_equal(hears(&k, EHLO_ALL), "MAIL FROM:<a@us.example>\r\nRCPT TO:<b@mx.example>\r\n"
                                           "RCPT TO:<c@mx.example>\r\n");
  assert_string_equal(hears(&k, "250 ok\r\n250 ok\r\n450 later\r\n"), "RSET\r\n");
  assert_fate(&k, 0, 0, SMTP_UNTRIED, SMTP_STAGE_RCPT, 0);
  assert_fate(&k, 0, 1, SMTP_TEMPORARY, SMTP_STAGE_RCPT, 450);
  assert_string_equal(hears(&k, "250 ok\r\n"), "QUIT\r\n");
  hears(&k, "221 bye\r\n");
  assert_string_equal(noted, "greeting 220; LHLO 250; MAIL 250; RCPT 250; RCPT 450; RSET 250; "
                             "QUIT 221; ");
  finish(&k);
}

/* TLS where it is offered, and then nothing without it. */
static void tls_once_offered(void **state) {
  struct kit k;
  setup(&k);
  k.start.policy.tls = SMTP_TLS_ONCE_OFFERED;
  add(&k, "a@us.example", "b@mx.example", NULL);
  begin(&k);
  hears(&k, "220 mx\r\n250-mx\r\n250 STARTTLS\r\n");
  assert_string_equal(hears(&k, "454 4.7.0 not now\r\n"), "QUIT\r\n");
  assert_int_equal(k.c->end, SMTP_END_TLS_REFUSED);
  finish(&k);

  begin(&k);
  assert_string_equal(hears(&k, "220 mx\r\n250 mx\r\n"),
                      "EHLO us.example\r\nMAIL FROM:<a@us.example>\r\n");
  finish(&k);
}

static void idle(void **state) {
  struct kit k;
  setup(&k);
  k.start.limits.idle_ms = 2000;
  begin(&k);
  assert_string_equal(hears(&k, "220 mx\r\n250 mx\r\n"), "EHLO us.example\r\n");
  assert_true(k.c->idle);
  add(&k, "a@us.example", "b@mx.example", NULL);
  k.said[0] = 0;
  smtp_client_wake(k.c);
  pump(&k);
  assert_string_equal(k.said, "MAIL FROM:<a@us.example>\r\n");
  hears(&k, "250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n");
  assert_true(k.c->idle);
  k.said[0] = 0;
  k.c->proto.now_ms += 2000;
  smtp_client_tick(k.c);
  pump(&k);
  assert_string_equal(k.said, "QUIT\r\n");
  finish(&k);
}

/* 421 in place of any reply (RFC 5321 §3.8). */
static void shut_down(void **state) {
  struct kit k;
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", NULL);
  begin(&k);
  hears(&k, "220 mx\r\n250 mx\r\n421 4.3.2 bye\r\n");
  assert_int_equal(k.c->end, SMTP_END_SHUT_DOWN);
  assert_int_equal(k.c->last.code, 421);
  assert_fate(&k, 0, 0, SMTP_UNTRIED, SMTP_STAGE_MAIL, 0);
  finish(&k);
}

/* A 421 to one of several recipients is that one's reply; the others know that the session was
 * closed, or have what was said of them. */
static void shut_down_for_one(void **state) {
  struct kit k;
  setup(&k);
  struct letter *x = add(&k, "a@us.example", "b@mx.example", "c@mx.example");
  x->rcpts[2].address = SLICE("d@mx.example");
  x->l.count = 3;
  begin(&k);
  hears(&k, "220 mx\r\n");
  hears(&k, EHLO_ALL);
  hears(&k, "250 ok\r\n250 ok\r\n421 4.7.0 too many for c\r\n");
  assert_int_equal(k.c->end, SMTP_END_SHUT_DOWN);
  assert_int_equal(k.c->last.stage, SMTP_STAGE_RCPT);
  assert_fate(&k, 0, 1, SMTP_TEMPORARY, SMTP_STAGE_RCPT, 421);
  assert_words(verdict(&k, 0, 1), "4.7.0 too many for c");
  for (size_t i = 0; i < 3; i += 2) {
    assert_fate(&k, 0, i, SMTP_UNTRIED, SMTP_STAGE_RCPT, 0);
    assert_int_equal(verdict(&k, 0, i)->code, 0);
    assert_words(verdict(&k, 0, i), "closed the session");
  }
  finish(&k);
  /* a refused recipient keeps its own reply; an unexpected 221 is assigned to no recipient */
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", "c@mx.example");
  begin(&k);
  hears(&k, "220 mx\r\n");
  hears(&k, EHLO_ALL);
  hears(&k, "250 ok\r\n550 5.1.1 no b\r\n221 2.0.0 bye\r\n");
  assert_fate(&k, 0, 0, SMTP_PERMANENT, SMTP_STAGE_RCPT, 550);
  assert_fate(&k, 0, 1, SMTP_UNTRIED, SMTP_STAGE_RCPT, 0);
  assert_words(verdict(&k, 0, 1), "closed the session");
  finish(&k);
  /* a reply to MAIL concerns that letter, not the next one */
  setup(&k);
  add(&k, "a@us.example", "b@mx.example", "c@mx.example");
  begin(&k);
  hears(&k, "220 mx\r\n");
  hears(&k, EHLO_ALL);
  hears(&k, "421 4.7.0 too often\r\n");
  for (size_t i = 0; i < 2; i++) {
    assert_fate(&k, 0, i, SMTP_UNTRIED, SMTP_STAGE_MAIL, 421);
    assert_int_equal(verdict(&k, 0, i)->code, 421);
    assert_words(verdict(&k, 0, i), "too often");
  }
  finish(&k);
}

/* What is no reply, behind the end of data: nobody knows what became of the message. The words are
 * kept, each octet of them visible. */
static void doubtful(void **state) {
  static const struct {
    const char *reply, *words;
  } cases[] = {
    { "250 2.0.0 taken\n", "\"250 2.0.0 taken\\n\"" },
    { "250-almost\r\n550 no\r\n", "\"250-almost\\r\\n550 no\\r\\n\"" },
    { "199 fine\r\n", "\"199 fine\\r\\n\"" },
    { "250ok\r\n", "\"250ok\\r\\n\"" },
    { "\x1b[2J\r\n", "\"\\x1b[2J\\r\\n\"" },
    { "354 more\r\n", "more (354)" },
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct kit k;
    setup(&k);
    add(&k, "a@us.example", "b@mx.example", NULL);
    begin(&k);
    hears(&k, "220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    hears(&k, cases[i].reply);
    assert_int_equal(k.c->end, SMTP_END_PROTOCOL);
    assert_fate(&k, 0, 0, SMTP_TEMPORARY, SMTP_STAGE_END, 0);
    const struct smtp_verdict *v = verdict(&k, 0, 0);
    assert_true(v->doubtful);
    assert_memory_equal(v->enhanced, "\4\5\0", 3);
    assert_words(v, cases[i].words);
    assert_words(v, "may have taken the message");
    finish(&k);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(plain),
    cmocka_unit_test(pipelined),
    cmocka_unit_test(lost_behind_end),
    cmocka_unit_test(cut),
    cmocka_unit_test(no_other_success),
    cmocka_unit_test(early_success),
    cmocka_unit_test(data_without_recipient),
    cmocka_unit_test(refused_then_rset),
    cmocka_unit_test(refused_mail),
    cmocka_unit_test(too_many),
    cmocka_unit_test(obstacles),
    cmocka_unit_test(obstacle_of_one),
    cmocka_unit_test(utf8_where_needed),
    cmocka_unit_test(global_where_utf8),
    cmocka_unit_test(dsn),
    cmocka_unit_test(lmtp),
    cmocka_unit_test(tls),
    cmocka_unit_test(tls_required),
    cmocka_unit_test(tls_refused),
    cmocka_unit_test(login),
    cmocka_unit_test(every_mechanism),
    cmocka_unit_test(helo),
    cmocka_unit_test(greetings),
    cmocka_unit_test(keywords),
    cmocka_unit_test(timeouts),
    cmocka_unit_test(broken_source),
    cmocka_unit_test(all_or_none),
    cmocka_unit_test(envelope_only),
    cmocka_unit_test(tls_once_offered),
    cmocka_unit_test(idle),
    cmocka_unit_test(shut_down),
    cmocka_unit_test(shut_down_for_one),
    cmocka_unit_test(doubtful),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
