/* SPDX-License-Identifier: ISC */
/* src/smtpd: what is said when, driven through the session's contract. The ids are those of SMTP's
 * known attacks: SM end-of-data spellings, ST order, W other protocols, IN injection. */
#include "tests/unit/sample.h"
#include "tests/unit/smtp_kit.h"
#include "tests/unit/spellings.h"

static void kept_is(const struct kit *k, size_t i, const char *want) {
  assert_true(i < k->count);
  struct slice body = buf_slice(&k->messages[i].body);
  ptrdiff_t end = slice_search(body, SLICE("+0000\r\n")); /* of our Received: */
  assert_true(end > 0);
  struct slice rest = slice_from(body, (size_t)end + 7);
  if (!slice_eq(rest, slice_str(want))) fail_msg("kept: %.*s\nwanted: %s", SLICE_ARG(rest), want);
}

/* --- conversations --- */

/* RFC 5321 appendix D.1, with this server's names; the second of the three recipients is unknown.
 */
static void typical(void **state) {
  struct kit *k = kit_new("smtp", false);
  kit_connect(k, false);
  kit_exchange(k, "", GREETING);
  kit_exchange(k, "EHLO bar.com\r\n", OFFERS "250 HELP\r\n");
  kit_exchange(k, "MAIL FROM:<Smith@bar.com>\r\n", "250 2.1.0 Sender ok\r\n");
  kit_exchange(k, "RCPT TO:<alice@here.example>\r\n", "250 2.1.5 Recipient ok\r\n");
  kit_exchange(k, "RCPT TO:<Green@here.example>\r\n", "550 5.1.1 No such mailbox here\r\n");
  kit_exchange(k, "RCPT TO:<bob@HERE.example>\r\n", "250 2.1.5 Recipient ok\r\n");
  kit_exchange(k, "DATA\r\n", "354 Send the message, end it with a dot on a line of its own\r\n");
  kit_exchange(k, "Blah blah blah...\r\n...etc. etc. etc.\r\n", "");
  kit_exchange(k, ".\r\n", "250 2.0.0 5f-2-7-1 accepted\r\n");
  kit_exchange(k, "QUIT\r\n", "221 2.0.0 mx.here.example Bye\r\n");
  assert_true(k->closed);
  assert_int_equal(k->p->reason, CLOSE_QUIT);
  assert_int_equal(k->count, 1);
  assert_true(
      slice_eq(buf_slice(&k->messages[0].to), SLICE("alice@here.example,bob@here.example,")));
  assert_true(slice_eq(buf_slice(&k->messages[0].from), SLICE("Smith@bar.com")));
  assert_true(slice_eq(buf_slice(&k->messages[0].id), SLICE("5f-2-7-1")));
  /* What is no header field is no part of the header that our Received: begins (§4.4). */
  kept_is(k, 0, "\r\nBlah blah blah...\r\n..etc. etc. etc.\r\n");
  kit_free(k);
}

/* Appendix D.2: an aborted transaction leaves nothing; then another one, from nobody. */
static void aborted(void **state) {
  struct kit *k = kit_met("smtp");
  kit_expect(k, "MAIL FROM:<Smith@bar.com>\r\n" RCPT "RCPT TO:<Green@here.example>\r\n",
             "250 250 550 ");
  kit_expect(k, "RSET\r\n", "250 ");
  kit_expect(k, "DATA\r\n", "503 ");
  kit_expect(k, "MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\nDATA\r\n" MESSAGE, "250 250 354 250 ");
  assert_int_equal(k->count, 1);
  assert_int_equal(buf_len(&k->messages[0].from), 0);
  assert_true(slice_eq(buf_slice(&k->messages[0].to), SLICE("postmaster,")));
  kit_free(k);
}

static void helo_only(void **state) {
  struct kit *k = kit_plain("smtp");
  kit_exchange(k, "HELO old.example\r\n", "250 mx.here.example\r\n");
  kit_expect(k, MAIL RCPT "DATA\r\n" MESSAGE, "250 250 354 250 ");
  struct slice body = buf_slice(&k->messages[0].body);
  assert_true(slice_starts(body, SLICE("Received: from old.example ([192.0.2.1])\r\n"
                                       "\tby mx.here.example (Qasid) with SMTP\r\n"
                                       "\tid 5f-2-7-1 for <alice@here.example>;\r\n"
                                       "\tThu, 01 Jan 1970 00:00:00 +0000\r\nSubject: a\r\n")));
  kit_free(k);
}

/* --- order --- */

/* What each command gets in each state: MX in the clear, with a certificate. */
static void every_verb_in_every_state(void **state) {
  static const char *const before[] = { "", "EHLO c\r\n", "EHLO c\r\n" MAIL,
                                        "EHLO c\r\n" MAIL RCPT };
  static const struct {
    const char *command, *codes[4];
  } golden[] = {
    /*                                   START   READY   MAIL    RCPT */
    { "EHLO d\r\n", { "250 ", "250 ", "250 ", "250 " } },
    { "HELO d\r\n", { "250 ", "250 ", "250 ", "250 " } },
    { "EHLO\r\n", { "501 ", "501 ", "501 ", "501 " } },
    { MAIL, { "503 ", "250 ", "503 ", "503 " } },
    { "MAIL\r\n", { "503 ", "501 ", "503 ", "503 " } },
    { RCPT, { "503 ", "503 ", "250 ", "250 " } },
    { "RCPT\r\n", { "503 ", "503 ", "501 ", "501 " } },
    { "RCPT TO:<a@far.example>\r\n", { "503 ", "503 ", "550 ", "550 " } },
    { "DATA\r\n", { "503 ", "503 ", "503 ", "354 " } },
    { "DATA x\r\n", { "503 ", "503 ", "503 ", "501 " } },
    { "RSET\r\n", { "250 ", "250 ", "250 ", "250 " } },
    { "RSET x\r\n", { "501 ", "501 ", "501 ", "501 " } },
    { "NOOP\r\n", { "250 ", "250 ", "250 ", "250 " } },
    { "NOOP x y\r\n", { "250 ", "250 ", "250 ", "250 " } },
    { "VRFY alice\r\n", { "252 ", "252 ", "252 ", "252 " } },
    { "VRFY \xc3\xa9@x\r\n", { "252 ", "252 ", "252 ", "252 " } },
    { "VRFY\r\n", { "501 ", "501 ", "501 ", "501 " } },
    { "HELP\r\n", { "214 ", "214 ", "214 ", "214 " } },
    { "STARTTLS\r\n", { "503 ", "220 ", "220 ", "220 " } },
    { "STARTTLS x\r\n", { "503 ", "501 ", "501 ", "501 " } }, /* TL-7 */
    { PLAIN, { "502 ", "502 ", "502 ", "502 " } },
    { "BDAT 5 LAST\r\n", { "500 ", "500 ", "500 ", "500 " } },
    { "EXPN x\r\n", { "500 ", "500 ", "500 ", "500 " } },
    { "\r\n", { "500 ", "500 ", "500 ", "500 " } },
    { " NOOP\r\n", { "554 ", "500 ", "500 ", "500 " } },
    { "quit\r\n", { "221 ", "221 ", "221 ", "221 " } },
  };
  for (size_t g = 0; g < sizeof golden / sizeof *golden; g++) {
    for (size_t st = 0; st < 4; st++) {
      struct kit *k = kit_plain("smtp");
      kit_say(k, before[st]);
      kit_heard(k);
      kit_expect(k, golden[g].command, golden[g].codes[st]);
      kit_free(k);
    }
  }
}

/* ST-3, ST-4, ST-5, ST-8, ST-10 */
static void known_confusions(void **state) {
  struct kit *k = kit_with_rcpt();
  kit_expect(k, "BDAT 5 x\r\n", "500 ");
  kit_expect(k, "DATA\r\nbare\nline\r\n.\r\n", "354 550 ");
  kit_expect(k, RCPT "DATA\r\n", "503 503 ");
  kit_expect(k, MAIL RCPT "VRFY \xc3\xa9@x\r\nEHLO again\r\nDATA\r\n", "250 250 252 250 503 ");
  kit_expect(k, MAIL "RCPT TO:<no@here.example>\r\nDATA\r\nQUIT\r\n", "250 550 503 221 ");
  assert_int_equal(k->count, 0);
  kit_free(k);
}

/* --- every sequence against a model --- */

enum { TOKENS = 14 };
static const char *const tokens[TOKENS] = {
  "EHLO c\r\n",
  "HELO c\r\n",
  MAIL,
  RCPT,
  "RCPT TO:<no@here.example>\r\n",
  "DATA\r\nS: x\r\n\r\n..\r\n.\r\n",
  "DATA\r\nbare\n.\r\nQUIT\r\n.\r\n",
  "RSET\r\n",
  "NOOP\r\n",
  "VRFY x\r\n",
  "STARTTLS\r\n",
  PLAIN,
  "BDAT 4 LAST\r\n",
  "QUIT\r\n",
};

struct model {
  bool met, sender, tls, over;
  size_t rcpts, messages;
  char codes[400];
};

static void model_says(struct model *m, const char *codes) { strcat(m->codes, codes); }

/* A refused DATA leaves the message's lines to be read as commands: the model knows what they get.
 */
static void model_data(struct model *m, bool good) {
  if (m->rcpts == 0) {
    model_says(m, good ? "503 500 500 500 500 " : "503 500 221 ");
    if (!good) m->over = true;
    return;
  }
  model_says(m, good ? "354 250 " : "354 550 ");
  m->messages += good;
  m->sender = false;
  m->rcpts = 0;
}

static void model_take(struct model *m, size_t token) {
  switch (token) {
  case 0:
  case 1:
    m->met = true;
    m->sender = false;
    m->rcpts = 0;
    model_says(m, "250 ");
    break;
  case 2:
    model_says(m, m->met && !m->sender ? "250 " : "503 ");
    if (m->met) m->sender = true;
    break;
  case 3:
    model_says(m, m->sender ? "250 " : "503 ");
    m->rcpts += m->sender;
    break;
  case 4: model_says(m, m->sender ? "550 " : "503 "); break;
  case 5: model_data(m, true); break;
  case 6: model_data(m, false); break;
  case 7:
    m->sender = false;
    m->rcpts = 0;
    model_says(m, "250 ");
    break;
  case 8: model_says(m, "250 "); break;
  case 9: model_says(m, "252 "); break;
  case 10:
    model_says(m, m->tls || !m->met ? "503 " : "220 ");
    if (m->tls || !m->met) break;
    m->tls = true;
    m->met = m->sender = false;
    m->rcpts = 0;
    break;
  case 11: model_says(m, "502 "); break;
  case 12: model_says(m, "500 "); break;
  case 13:
    model_says(m, "221 ");
    m->over = true;
    break;
  }
}

static void check_sequence(const size_t *sequence, size_t n, bool split) {
  struct model m = { 0 };
  struct kit *k = kit_plain("smtp");
  k->service.error_limit = 1000;
  for (size_t i = 0; i < n && !m.over; i++) {
    model_take(&m, sequence[i]);
    struct slice text = slice_str(tokens[sequence[i]]);
    for (; split && text.n > 1 && !k->closed; text = slice_from(text, 1))
      kit_send(k, slice_first(text, 1));
    if (!k->closed) kit_send(k, text);
  }
  const char *codes = kit_codes(k);
  if (strcmp(codes, m.codes) != 0 || k->count != m.messages || k->closed != m.over) {
    printf("sequence:");
    for (size_t i = 0; i < n; i++) printf(" %zu", sequence[i]);
    fail_msg("\nheard %s\nmodel %s", codes, m.codes);
  }
  kit_free(k);
}

/* Of the longest ones a sample. Its stride, 5 or 25, has no factor in common with TOKENS, so each
 * token comes at each place. */
static void every_sequence(void **state) {
  for (size_t n = 1; n <= 4; n++) {
    size_t count = 1, sequence[4], step = n < 4 ? 1 : sample_step(5);
    for (size_t i = 0; i < n; i++) count *= TOKENS;
    for (size_t code = 0; code < count; code += step) {
      for (size_t i = 0, rest = code; i < n; i++, rest /= TOKENS) sequence[i] = rest % TOKENS;
      check_sequence(sequence, n, false);
    }
  }
}

static void sampled_sequences(void **state) {
  uint32_t seed = 1;
  for (size_t round = 0; round < 4000 / sample_step(1); round++) {
    size_t sequence[8];
    for (size_t i = 0; i < 8; i++) {
      seed = seed * 1664525 + 1013904223;
      size_t token = (seed >> 16) % TOKENS;
      sequence[i] = i == 0 && token > 9 ? 0 : token; /* most of them begin */
    }
    check_sequence(sequence, 8, round % 4 == 0);
  }
}

/* --- the end of a message --- */

/* SM-1 to SM-19, SM-20: one reply for one message, whatever is inside and wherever it is cut; what
 * is kept has no bare CR, LF or NUL, and the inner message is text. */
static void smuggling(void **state) {
  static const char inner[] =
      "MAIL FROM:<smuggled@evil.example>\r\nRCPT TO:<bob@here.example>\r\nDATA\r\n"
      "Subject: inner\r\n\r\ny\r\n.\r\nNOOP\r\n";
  for (size_t i = 0; i < 26 * 2; i++) {
    struct buf b;
    buf_init(&b, 1000);
    buf_put_str(&b, "h: v\r\n\r\nx");
    buf_put(&b, spellings[i % 26]);
    size_t spelled = buf_len(&b);
    buf_put_str(&b, inner);
    bool bare = i % 26 < 14 || i % 26 == 25, nul = slice_find(spellings[i % 26], 0) >= 0,
         fix = i >= 26;
    for (size_t cut = 0; cut <= spelled + 2; cut++) {
      struct kit *k = kit_new("smtp", false);
      k->service.fix_bare_lf = fix;
      kit_connect(k, false);
      kit_say(k, "EHLO c\r\n" MAIL RCPT "DATA\r\n");
      kit_heard(k);
      kit_send(k, slice_first(buf_slice(&b), cut));
      kit_send(k, slice_from(buf_slice(&b), cut));
      bool kept = !nul && (fix || !bare);
      const char *codes = kit_codes(k);
      if (strcmp(codes, kept ? "250 250 " : "550 250 ") != 0)
        fail_msg("SM %zu cut %zu: %s", i, cut, codes);
      assert_int_equal(k->count, kept);
      if (kept) {
        struct slice body = buf_slice(&k->messages[0].body);
        assert_true(slice_search(body, SLICE("smuggled@evil.example")) > 0);
        for (size_t at = 0; at < body.n; at++) {
          if (body.p[at] == '\n') assert_int_equal(slice_at(body, at - 1), '\r');
          if (body.p[at] == '\r') assert_int_equal(slice_at(body, at + 1), '\n');
        }
      }
      kit_free(k);
    }
    buf_free(&b);
  }
}

/* --- the trace field --- */

/* IN-1: what the client calls itself stays one token in one comment. */
static void received_escapes(void **state) {
  static const struct {
    const char *helo, *from;
  } t[] = {
    { "Host.Example", "from Host.Example ([192.0.2.1])\r\n" },
    { "[192.0.2.9]", "from [192.0.2.9] ([192.0.2.1])\r\n" },
    { "my_pc", "from [192.0.2.1] ([192.0.2.1]) (said my_pc)\r\n" },
    { "x)(by", "from [192.0.2.1] ([192.0.2.1]) (said x??by)\r\n" },
    { "a\\", "from [192.0.2.1] ([192.0.2.1]) (said a?)\r\n" },
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct kit *k = kit_plain("smtp");
    kit_say(k, "EHLO ");
    kit_say(k, t[i].helo);
    kit_expect(k, "\r\n" MAIL RCPT RCPT_BOB "DATA\r\n" MESSAGE, "250 250 250 250 354 250 ");
    struct slice body = buf_slice(&k->messages[0].body);
    assert_true(slice_starts(slice_from(body, 10), slice_str(t[i].from)));
    assert_true(slice_search(body, SLICE(" for ")) < 0); /* two recipients: neither is named */
    kit_free(k);
  }
  struct kit *k = kit_plain("smtp");
  kit_expect(k, "EHLO a\x1b\r\nEHLO a\xc3\xa9\r\nEHLO a b\r\n", "501 250 250 ");
  kit_expect(k, "EHLO c\r\n" MAIL "RCPT TO:<\"a b\"@here.example>\r\n", "250 250 250 ");
  kit_expect(k, "DATA\r\n" MESSAGE, "354 250 ");
  assert_true(slice_search(buf_slice(&k->messages[0].body), SLICE(" for <\"a b\"@here.example>;")) >
              0);
  assert_true(slice_eq(buf_slice(&k->messages[0].to), SLICE("a b@here.example,")));
  kit_free(k);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(typical),           cmocka_unit_test(aborted),
    cmocka_unit_test(helo_only),         cmocka_unit_test(every_verb_in_every_state),
    cmocka_unit_test(known_confusions),  cmocka_unit_test(every_sequence),
    cmocka_unit_test(sampled_sequences), cmocka_unit_test(smuggling),
    cmocka_unit_test(received_escapes),
  };
  return cmocka_run_group_tests_name("smtp-session", tests, NULL, NULL);
}
