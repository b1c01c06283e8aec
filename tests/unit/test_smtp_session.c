/* src/smtpd: the session, driven through its contract. The ids are those of SMTP's known attacks:
 * SM end-of-data spellings, LN lines, W other protocols, ST order, TL STARTTLS, SZ sizes, IN injection. */
#include "tests/unit/smtp_kit.h"

#include "src/smtpd/private.h"

#define GREETING "220 mx.here.example ESMTP Qasid\r\n"
#define MAIL "MAIL FROM:<x@y.example>\r\n"
#define RCPT "RCPT TO:<alice@here.example>\r\n"
#define MESSAGE "Subject: a\r\n\r\nb\r\n.\r\n"
#define PLAIN "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n" /* \0alice\0secret */

static struct kit *plain(const char *service) {
  struct kit *k = kit_new(service, true);
  kit_connect(k, false);
  kit_heard(k);
  kit_run(k);
  kit_heard(k);
  return k;
}

static struct kit *met(const char *service) {
  struct kit *k = plain(service);
  kit_say(k, "EHLO client.example\r\n");
  kit_heard(k);
  return k;
}

static struct kit *with_rcpt(void) {
  struct kit *k = met("smtp");
  kit_expect(k, MAIL RCPT, "250 250 ");
  return k;
}

static struct kit *user(void) {
  struct kit *k = kit_new("submissions", true);
  kit_connect(k, true);
  kit_say(k, "EHLO laptop\r\n");
  kit_heard(k);
  return k;
}

static void kept_is(const struct kit *k, size_t i, const char *want) {
  assert_true(i < k->count);
  struct slice body = buf_slice(&k->messages[i].body);
  ptrdiff_t end = slice_search(body, SLICE("+0000\r\n")); /* of our Received: */
  assert_true(end > 0);
  struct slice rest = slice_from(body, (size_t)end + 7);
  if (!slice_eq(rest, slice_str(want))) fail_msg("kept: %.*s\nwanted: %s", SLICE_ARG(rest), want);
}

/* --- conversations --- */

/* RFC 5321 appendix D.1, with this server's names; the second of the three recipients is unknown. */
static void typical(void **state) {
  struct kit *k = kit_new("smtp", false);
  kit_connect(k, false);
  kit_exchange(k, "", GREETING);
  kit_exchange(k, "EHLO bar.com\r\n",
               "250-mx.here.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n"
               "250-ENHANCEDSTATUSCODES\r\n250 HELP\r\n");
  kit_exchange(k, "MAIL FROM:<Smith@bar.com>\r\n", "250 2.1.0 Sender ok\r\n");
  kit_exchange(k, "RCPT TO:<alice@here.example>\r\n", "250 2.1.5 Recipient ok\r\n");
  kit_exchange(k, "RCPT TO:<Green@here.example>\r\n", "550 5.1.1 No such mailbox here\r\n");
  kit_exchange(k, "RCPT TO:<bob@HERE.example>\r\n", "250 2.1.5 Recipient ok\r\n");
  kit_exchange(k, "DATA\r\n", "354 Send the message, end it with a dot on a line of its own\r\n");
  kit_exchange(k, "Blah blah blah...\r\n...etc. etc. etc.\r\n", "");
  kit_exchange(k, ".\r\n", "250 2.0.0 5f.2.7-1 accepted\r\n");
  kit_exchange(k, "QUIT\r\n", "221 2.0.0 mx.here.example Bye\r\n");
  assert_true(k->closed);
  assert_int_equal(k->p->reason, CLOSE_QUIT);
  assert_int_equal(k->count, 1);
  assert_true(slice_eq(buf_slice(&k->messages[0].to), SLICE("alice@here.example,bob@here.example,")));
  assert_true(slice_eq(buf_slice(&k->messages[0].from), SLICE("Smith@bar.com")));
  assert_true(slice_eq(buf_slice(&k->messages[0].id), SLICE("5f.2.7-1")));
  assert_true(k->messages[0].dots);
  kept_is(k, 0, "Blah blah blah...\r\n..etc. etc. etc.\r\n");
  kit_free(k);
}

/* Appendix D.2: an aborted transaction leaves nothing; then another one, from nobody. */
static void aborted(void **state) {
  struct kit *k = met("smtp");
  kit_expect(k, "MAIL FROM:<Smith@bar.com>\r\n" RCPT "RCPT TO:<Green@here.example>\r\n", "250 250 550 ");
  kit_expect(k, "RSET\r\n", "250 ");
  kit_expect(k, "DATA\r\n", "503 ");
  kit_expect(k, "MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\nDATA\r\n" MESSAGE, "250 250 354 250 ");
  assert_int_equal(k->count, 1);
  assert_int_equal(buf_len(&k->messages[0].from), 0);
  assert_true(slice_eq(buf_slice(&k->messages[0].to), SLICE("postmaster,")));
  kit_free(k);
}

static void helo_only(void **state) {
  struct kit *k = plain("smtp");
  kit_exchange(k, "HELO old.example\r\n", "250 mx.here.example\r\n");
  kit_expect(k, MAIL RCPT "DATA\r\n" MESSAGE, "250 250 354 250 ");
  struct slice body = buf_slice(&k->messages[0].body);
  assert_true(slice_starts(body, SLICE("Received: from old.example ([192.0.2.1])\r\n"
                                       "\tby mx.here.example (Qasid) with SMTP\r\n"
                                       "\tid 5f.2.7-1 for <alice@here.example>;\r\n"
                                       "\tThu, 01 Jan 1970 00:00:00 +0000\r\nSubject: a\r\n")));
  kit_free(k);
}

/* --- order --- */

/* What each command gets in each state: MX in the clear, with a certificate. */
static void every_verb_in_every_state(void **state) {
  static const char *const before[] = { "", "EHLO c\r\n", "EHLO c\r\n" MAIL, "EHLO c\r\n" MAIL RCPT };
  static const struct { const char *command, *codes[4]; } golden[] = {
    /*                                   START   READY   MAIL    RCPT */
    { "EHLO d\r\n",                    { "250 ", "250 ", "250 ", "250 " } },
    { "HELO d\r\n",                    { "250 ", "250 ", "250 ", "250 " } },
    { "EHLO\r\n",                      { "501 ", "501 ", "501 ", "501 " } },
    { MAIL,                            { "503 ", "250 ", "503 ", "503 " } },
    { "MAIL\r\n",                      { "503 ", "501 ", "503 ", "503 " } },
    { RCPT,                            { "503 ", "503 ", "250 ", "250 " } },
    { "RCPT\r\n",                      { "503 ", "503 ", "501 ", "501 " } },
    { "RCPT TO:<a@far.example>\r\n",   { "503 ", "503 ", "550 ", "550 " } },
    { "DATA\r\n",                      { "503 ", "503 ", "503 ", "354 " } },
    { "DATA x\r\n",                    { "503 ", "503 ", "503 ", "501 " } },
    { "RSET\r\n",                      { "250 ", "250 ", "250 ", "250 " } },
    { "RSET x\r\n",                    { "501 ", "501 ", "501 ", "501 " } },
    { "NOOP\r\n",                      { "250 ", "250 ", "250 ", "250 " } },
    { "NOOP x y\r\n",                  { "250 ", "250 ", "250 ", "250 " } },
    { "VRFY alice\r\n",                { "252 ", "252 ", "252 ", "252 " } },
    { "VRFY \xc3\xa9@x\r\n",           { "252 ", "252 ", "252 ", "252 " } },
    { "VRFY\r\n",                      { "501 ", "501 ", "501 ", "501 " } },
    { "HELP\r\n",                      { "214 ", "214 ", "214 ", "214 " } },
    { "STARTTLS\r\n",                  { "503 ", "220 ", "220 ", "220 " } },
    { "STARTTLS x\r\n",                { "503 ", "501 ", "501 ", "501 " } }, /* TL-7 */
    { PLAIN,                           { "502 ", "502 ", "502 ", "502 " } },
    { "BDAT 5 LAST\r\n",               { "500 ", "500 ", "500 ", "500 " } },
    { "EXPN x\r\n",                    { "500 ", "500 ", "500 ", "500 " } },
    { "\r\n",                          { "500 ", "500 ", "500 ", "500 " } },
    { " NOOP\r\n",                     { "554 ", "500 ", "500 ", "500 " } },
    { "quit\r\n",                      { "221 ", "221 ", "221 ", "221 " } },
  };
  for (size_t g = 0; g < sizeof golden / sizeof *golden; g++) {
    for (size_t st = 0; st < 4; st++) {
      struct kit *k = plain("smtp");
      kit_say(k, before[st]);
      kit_heard(k);
      kit_expect(k, golden[g].command, golden[g].codes[st]);
      kit_free(k);
    }
  }
}

/* ST-3, ST-4, ST-5, ST-8, ST-10 */
static void known_confusions(void **state) {
  struct kit *k = with_rcpt();
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
  "EHLO c\r\n", "HELO c\r\n", MAIL, RCPT, "RCPT TO:<no@here.example>\r\n",
  "DATA\r\nS: x\r\n\r\n..\r\n.\r\n", "DATA\r\nbare\n.\r\nQUIT\r\n.\r\n", "RSET\r\n", "NOOP\r\n", "VRFY x\r\n",
  "STARTTLS\r\n", PLAIN, "BDAT 4 LAST\r\n", "QUIT\r\n",
};

struct model {
  bool met, sender, tls, over;
  size_t rcpts, messages;
  char codes[400];
};

static void model_says(struct model *m, const char *codes) { strcat(m->codes, codes); }

/* A refused DATA leaves the message's lines to be read as commands: the model knows what they get. */
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
  case 0: case 1: m->met = true; m->sender = false; m->rcpts = 0; model_says(m, "250 "); break;
  case 2:
    model_says(m, m->met && !m->sender ? "250 " : "503 ");
    if (m->met) m->sender = true;
    break;
  case 3: model_says(m, m->sender ? "250 " : "503 "); m->rcpts += m->sender; break;
  case 4: model_says(m, m->sender ? "550 " : "503 "); break;
  case 5: model_data(m, true); break;
  case 6: model_data(m, false); break;
  case 7: m->sender = false; m->rcpts = 0; model_says(m, "250 "); break;
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
  case 13: model_says(m, "221 "); m->over = true; break;
  }
}

static void check_sequence(const size_t *sequence, size_t n, bool split) {
  struct model m = { 0 };
  struct kit *k = plain("smtp");
  k->service.error_limit = 1000;
  for (size_t i = 0; i < n && !m.over; i++) {
    model_take(&m, sequence[i]);
    struct slice text = slice_str(tokens[sequence[i]]);
    for (; split && text.n > 1 && !k->closed; text = slice_from(text, 1)) kit_send(k, slice_first(text, 1));
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

static void every_sequence(void **state) {
  for (size_t n = 1; n <= 4; n++) {
    size_t count = 1, sequence[4];
    for (size_t i = 0; i < n; i++) count *= TOKENS;
    for (size_t code = 0; code < count; code++) {
      for (size_t i = 0, rest = code; i < n; i++, rest /= TOKENS) sequence[i] = rest % TOKENS;
      check_sequence(sequence, n, false);
    }
  }
}

static void sampled_sequences(void **state) {
  uint32_t seed = 1;
  for (size_t round = 0; round < 4000; round++) {
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

#define S(lit) { (const uint8_t *)(lit), sizeof(lit) - 1 }
static const struct slice spellings[26] = {
  S("\n.\n"), S("\n.\r\n"), S("\r\n.\n"), S("\r.\r"), S("\r.\n"), S("\n.\r"), S("\r.\r\n"), S("\r\n.\r"),
  S("\r\n\0.\r\n"), S("\r\n.\0\r\n"), S("\n\n.\n\n"), S("\r\r\n.\r\r\n"), S("\r\n.\r\r\n"), S("\r\n.\n\r\n"),
  S("\r\n .\r\n"), S("\r\n. \r\n"), S("\r\n.\t\r\n"), S("\x85.\x85"), S("\xe2\x80\xa8.\xe2\x80\xa8"),
  S("\x0b.\x0b"), S("\x0c.\x0c"), S("\r\n\x1a.\r\n"), S("\r\n\x7f.\r\n"), S("\r\n\xEF\xBB\xBF.\r\n"),
  S("\r\n..\r\n"), S("\r\n.\r.\r\n"),
};

/* SM-1 to SM-19, SM-20: one reply for one message, whatever is inside and wherever it is cut; what is
 * kept has no bare CR, LF or NUL, and the inner message is text. */
static void smuggling(void **state) {
  static const char inner[] = "MAIL FROM:<smuggled@evil.example>\r\nRCPT TO:<bob@here.example>\r\nDATA\r\n"
                              "Subject: inner\r\n\r\ny\r\n.\r\nNOOP\r\n";
  for (size_t i = 0; i < 26 * 2; i++) {
    struct buf b;
    buf_init(&b, 1000);
    buf_put_str(&b, "h: v\r\n\r\nx");
    buf_put(&b, spellings[i % 26]);
    size_t spelled = buf_len(&b);
    buf_put_str(&b, inner);
    bool bare = i % 26 < 14 || i % 26 == 25, nul = slice_find(spellings[i % 26], 0) >= 0, fix = i >= 26;
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
      if (strcmp(codes, kept ? "250 250 " : "550 250 ") != 0) fail_msg("SM %zu cut %zu: %s", i, cut, codes);
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

/* --- lines and limits --- */

static void lines(void **state) {
  struct kit *k = met("smtp");
  kit_expect(k, "NOOP\n", "500 "); /* LN-0 */
  kit_expect(k, "MAIL FROM:<a@b>\nRSET\r\nNOOP\r\n", "250 ");
  kit_expect(k, "NO\0OP", "");
  kit_send(k, slice_of("\0\r\n", 3));
  assert_string_equal(kit_codes(k), "500 ");
  char line[4096];
  for (size_t n = 2047; n <= 2049; n++) { /* LN-2: the limit is 2048 */
    memset(line, 'a', sizeof line);
    memcpy(line, "NOOP ", 5);
    memcpy(line + n - 2, "\r\n", 2);
    kit_send(k, slice_of(line, n));
    assert_string_equal(kit_codes(k), n <= 2048 ? "250 " : "500 ");
  }
  kit_expect(k, "EHLO d\r\n" MAIL, "250 250 ");
  kit_free(k);
  k = met("smtp"); /* LN-3 */
  memset(line, 'a', sizeof line);
  for (size_t i = 0; i < 1000 && !k->closed; i++) kit_send(k, slice_of(line, sizeof line));
  assert_string_equal(kit_codes(k), "500 421 ");
  assert_int_equal(k->p->reason, CLOSE_LINE_TOO_LONG);
  kit_free(k);
}

/* LN-1: a long name is refused and not said back. */
static void long_names(void **state) {
  struct kit *k = plain("smtp");
  char line[300];
  memset(line, 'a', sizeof line);
  memcpy(line, "EHLO ", 5);
  memcpy(line + 5 + 256, "\r\n", 3);
  kit_exchange(k, line, "501 5.5.4 Say your domain name, or [address]\r\n");
  memcpy(line + 5 + 255, "\r\n", 3);
  kit_expect(k, line, "250 ");
  kit_free(k);
}

static size_t repeats_until_closed(struct kit *k, const char *text, size_t most) {
  size_t n = 0;
  while (!k->closed && n < most) {
    kit_say(k, text);
    n++;
  }
  assert_true(k->closed);
  assert_non_null(strstr(kit_heard(k), "\r\n421 "));
  return n;
}

/* LN-6, LN-7: each at its limit. */
static void counts(void **state) {
  static const struct { const char *text; size_t n; enum close_reason why; } t[] = {
    { "\r\n", 20, CLOSE_TOO_MANY_ERRORS },
    { "XYZZY\r\n", 20, CLOSE_TOO_MANY_ERRORS },
    { "DATA\r\n", 20, CLOSE_TOO_MANY_ERRORS },
    { "NOOP\r\n", 100, CLOSE_NO_PROGRESS }, /* with EHLO 101 */
    { "RSET\r\n", 100, CLOSE_NO_PROGRESS },
    { MAIL "RSET\r\n", 50, CLOSE_NO_PROGRESS },
    { MAIL "RCPT TO:<no@here.example>\r\nRSET\r\n", 20, CLOSE_TOO_MANY_ERRORS },
    { "EHLO d\r\n", 100, CLOSE_NO_PROGRESS },
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct kit *k = met("smtp");
    assert_int_equal(repeats_until_closed(k, t[i].text, 100000), t[i].n);
    assert_int_equal(k->p->reason, t[i].why);
    kit_free(k);
  }
  struct kit *k = met("smtp"); /* a message pays for what went before */
  for (size_t i = 0; i < 8; i++) {
    for (size_t j = 0; j < 60; j++) kit_say(k, "NOOP\r\n");
    kit_heard(k);
    kit_expect(k, MAIL RCPT "DATA\r\n" MESSAGE, "250 250 354 250 ");
  }
  kit_free(k);
}

/* LN-7: 1000 and no more; the thousand beyond are told to come again, then it is an error. */
static void many_recipients(void **state) {
  struct kit *k = met("smtp");
  kit_expect(k, MAIL, "250 ");
  struct buf all;
  buf_init(&all, 1 << 20);
  for (int i = 0; i < 1001; i++) buf_printf(&all, "RCPT TO:<user%d@here.example>\r\n", i);
  buf_put_str(&all, "NOOP\r\n");
  kit_send(k, buf_slice(&all));
  const char *codes = kit_codes(k);
  assert_int_equal(strlen(codes), 4 * 1002);
  assert_string_equal(codes + 4 * 999, "250 452 250 ");
  assert_true(k->rcpt_questions <= 2);
  kit_expect(k, "DATA\r\n" MESSAGE, "354 250 ");
  struct slice to = buf_slice(&k->messages[0].to);
  size_t commas = 0;
  for (size_t i = 0; i < to.n; i++) commas += to.p[i] == ',';
  assert_int_equal(commas, 1000);
  buf_free(&all);
  kit_free(k);
  k = met("smtp");
  k->service.recipients_per_message = 100;
  kit_say(k, MAIL);
  size_t n = 0;
  for (; n < 1000 && !k->closed; n++) kit_say(k, RCPT);
  assert_int_equal(n, 100 + 100 + 20);
  assert_int_equal(k->p->reason, CLOSE_TOO_MANY_ERRORS);
  kit_free(k);
}

/* One question for a run of RCPTs; replies in order, with those that never were a question between. */
static void grouped_recipients(void **state) {
  struct kit *k = met("smtp");
  kit_exchange(k,
               MAIL "RCPT TO:<no@here.example>\r\nRCPT\r\n" RCPT "rcpt to:<\xc3\xa9@b>\r\nRCPT TO:<full@here.example>\r\n"
                    "RCPT TO:<trouble@here.example>\r\nRCPT TO:<a@far.example>\r\nRCPT TO:<a@b> X=Y\r\nDATA\r\n",
               "250 2.1.0 Sender ok\r\n"
               "550 5.1.1 No such mailbox here\r\n"
               "501 5.1.3 Bad recipient address; write RCPT TO:<user@domain>\r\n"
               "250 2.1.5 Recipient ok\r\n"
               "553 5.6.7 Addresses with characters beyond ASCII are not supported\r\n"
               "452 4.2.2 Mailbox full\r\n"
               "451 4.3.0 Cannot look this up now, try again later\r\n"
               "550 5.7.1 Not a domain of this server; it does not relay\r\n"
               "555 5.5.4 Unknown parameter\r\n"
               "354 Send the message, end it with a dot on a line of its own\r\n");
  assert_int_equal(k->rcpt_questions, 1);
  kit_expect(k, MESSAGE, "250 ");
  assert_true(slice_eq(buf_slice(&k->messages[0].to), SLICE("alice@here.example,")));
  kit_expect(k, MAIL "RCPT TO:<\r\nRCPT TO:<>\r\nDATA\r\n", "250 501 501 503 "); /* nothing to ask */
  assert_int_equal(k->rcpt_questions, 1);
  k->store_lost = true;
  kit_expect(k, RCPT RCPT, "451 451 ");
  kit_free(k);
}

/* W-1: a word of another protocol ends it. */
static void other_protocols(void **state) {
  static const struct slice first[] = {
    S("GET / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<a@b>\r\n"), S("POST /x HTTP/1.0\r\n"), S("CONNECT a:25 HTTP/1.1\r\n"),
    S("\x16\x03\x01\x02\x00\x01"), S("SSH-2.0-OpenSSH_9\r\n"), S("*1\r\n"), S("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
  };
  for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
    struct kit *k = plain("smtp");
    kit_send(k, first[i]);
    assert_true(k->closed);
    assert_int_equal(k->p->reason, CLOSE_NOT_MAIL);
    assert_string_equal(kit_codes(k), "554 ");
    kit_free(k);
  }
}

/* --- sizes --- */

static void sizes(void **state) {
  struct kit *k = met("smtp");
  k->service.message_size_limit = 100000;
  kit_expect(k, "MAIL FROM:<a@b> SIZE=100001\r\n", "552 "); /* SZ-2 */
  kit_expect(k, "MAIL FROM:<a@b> SIZE=18446744073709551616\r\n", "501 ");
  kit_expect(k, "MAIL FROM:<a@b> SIZE=1 SIZE=2\r\n", "501 ");
  kit_expect(k, "MAIL FROM:<a@b> RET=HDRS\r\n", "555 ");
  kit_expect(k, "MAIL FROM:<a@b> AUTH=<>\r\n", "555 "); /* not offered to servers */
  char body[100000];
  memset(body, 'a', sizeof body);
  for (size_t i = 70; i + 1 < sizeof body; i += 72) memcpy(body + i, "\r\n", 2);
  memcpy(body + sizeof body - 2, "\r\n", 2);
  kit_expect(k, "MAIL FROM:<a@b> SIZE=10\r\n" RCPT "DATA\r\n", "250 250 354 "); /* SZ-3 */
  kit_send(k, slice_of(body, sizeof body));
  kit_expect(k, ".\r\n", "250 ");
  assert_int_equal(k->spools, 1);
  struct slice kept = buf_slice(&k->messages[0].body);
  assert_true(kept.n > sizeof body && slice_eq(slice_from(kept, kept.n - sizeof body), slice_of(body, sizeof body)));
  kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 "); /* one octet over, SM-25 */
  kit_send(k, slice_of(body, sizeof body));
  kit_expect(k, "x\r\n.\nMAIL FROM:<c@d>\r\n.\r\nNOOP\r\n", "552 250 ");
  assert_int_equal(k->count, 1);
  assert_int_equal(k->drops, 1);
  kit_free(k);
}

/* BG-2: a stream without end. */
static void endless_message(void **state) {
  struct kit *k = with_rcpt();
  k->service.message_size_limit = 4000000;
  kit_expect(k, "DATA\r\n", "354 ");
  char piece[65536];
  memset(piece, 'a', sizeof piece);
  size_t n = 0;
  for (; n < 1000 && !k->closed; n++) kit_send(k, slice_of(piece, sizeof piece));
  assert_string_equal(kit_codes(k), "552 ");
  assert_int_equal(k->p->reason, CLOSE_TOO_BIG);
  assert_in_range(n * sizeof piece, 8000000, 8200000);
  assert_int_equal(k->count, 0);
  assert_int_equal(k->drops, 1);
  kit_free(k);
}

static void loops(void **state) {
  struct kit *k = met("smtp");
  for (size_t hops = 50; hops <= 51; hops++) {
    kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
    for (size_t i = 0; i < hops; i++) kit_say(k, "RECEIVED: x\r\n\ty\r\n");
    kit_expect(k, "\r\nReceived: in the text\r\n.\r\n", hops == 50 ? "250 " : "554 "); /* IN-3 */
  }
  kit_free(k);
}

/* --- store in trouble --- */

static void store_outcomes(void **state) {
  static const struct { enum commit_outcome outcome; const char *reply; } t[] = {
    { COMMIT_TROUBLE, "451 4.3.0 Cannot keep the message now, try again later\r\n" },
    { COMMIT_NO_SPACE, "452 4.3.1 No space for the message now, try again later\r\n" },
    { COMMIT_TOO_BIG, "552 5.3.4 Message too big\r\n" },
    { COMMIT_DONE, "250 2.0.0 5f.2.7-1 accepted\r\n" },
  };
  struct kit *k = met("smtp");
  for (size_t i = 0; i < 4; i++) {
    k->outcome = t[i].outcome;
    kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
    kit_exchange(k, MESSAGE, t[i].reply);
  }
  kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
  k->store_lost = true;
  kit_expect(k, MESSAGE, "451 ");
  k->store_lost = false;
  kit_expect(k, MAIL RCPT "DATA\r\n" MESSAGE, "250 250 354 250 ");
  kit_free(k);
}

static void say_much(struct kit *k, size_t n) {
  char piece[1000];
  memset(piece, 'a', sizeof piece);
  memcpy(piece + sizeof piece - 2, "\r\n", 2);
  for (size_t i = 0; i < n; i += sizeof piece) kit_send(k, slice_of(piece, sizeof piece));
}

static void spooled_messages(void **state) {
  struct kit *k = with_rcpt();
  kit_expect(k, "DATA\r\n", "354 ");
  say_much(k, 300000);
  assert_int_equal(k->spools, 4);
  kit_expect(k, ".\r\n", "250 ");
  assert_in_range(buf_len(&k->messages[0].body), 300000, 300500);
  /* no space: said at the end, and nothing left there */
  kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
  k->spool_outcome = COMMIT_NO_SPACE;
  say_much(k, 300000);
  assert_int_equal(k->drops, 1);
  kit_expect(k, ".\r\n", "452 ");
  k->spool_outcome = COMMIT_DONE;
  /* the store dies with half a message: never the other half alone */
  kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
  say_much(k, 100000);
  buf_reset(&k->spool);
  k->store_state = 0;
  smtpd_session_ops.room_lost(k->p, PROTO_ASK_STORE);
  kit_expect(k, "last\r\n.\r\n", "451 ");
  /* the same while it is asked */
  kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
  say_much(k, 100000);
  k->store_lost = true;
  say_much(k, 100000);
  k->store_lost = false;
  kit_expect(k, ".\r\n", "451 ");
  assert_int_equal(k->count, 1);
  assert_int_equal(k->drops, 1); /* a store that forgot needs no telling */
  kit_free(k);
}

/* TL-14, BD-11: gone inside a message; what was spooled is let go of. */
static void gone_in_data(void **state) {
  struct kit *k = with_rcpt();
  kit_expect(k, "DATA\r\n", "354 ");
  say_much(k, 100000);
  smtpd_session_ops.gone(k->p, CLOSE_PEER_GONE);
  kit_run(k);
  assert_true(k->closed);
  assert_int_equal(k->p->reason, CLOSE_PEER_GONE_DATA);
  assert_int_equal(k->drops, 1);
  assert_int_equal(k->store_state, SMTP_AT_REST);
  assert_int_equal(k->count, 0);
  kit_free(k);
  k = with_rcpt();
  smtpd_session_ops.gone(k->p, CLOSE_STOPPING);
  kit_run(k);
  assert_string_equal(kit_codes(k), "421 ");
  assert_int_equal(k->p->reason, CLOSE_STOPPING);
  kit_free(k);
  k = with_rcpt(); /* while the commit is under way */
  k->hold = true;
  kit_expect(k, "DATA\r\n" MESSAGE, "354 ");
  assert_int_equal(k->p->ask.type, smtp_commit_type);
  smtpd_session_ops.gone(k->p, CLOSE_PEER_GONE);
  assert_int_equal(k->p->reason, CLOSE_PEER_GONE);
  kit_free(k);
}

/* --- STARTTLS --- */

static void starttls(void **state) {
  struct kit *k = met("smtp");
  kit_exchange(k, MAIL RCPT "STARTTLS\r\n", "250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n"
                                            "220 2.0.0 mx.here.example Begin TLS now\r\n");
  assert_true(k->in_tls);
  kit_expect(k, RCPT "DATA\r\n" MAIL, "503 503 503 "); /* TL-10, ST-6 */
  kit_exchange(k, "EHLO c\r\n", "250-mx.here.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n"
                                "250-ENHANCEDSTATUSCODES\r\n250 HELP\r\n");
  kit_expect(k, "STARTTLS\r\n", "503 "); /* TL-11 */
  kit_expect(k, MAIL RCPT "DATA\r\n" MESSAGE, "250 250 354 250 ");
  assert_true(slice_search(buf_slice(&k->messages[0].body),
                           SLICE("(Qasid) with ESMTPS (TLSv1.3 TLS_AES_128_GCM_SHA256)\r\n")) > 0);
  kit_free(k);
  static const char *const tails[] = { "NOOP\r\n", "NOOP\n", "MAIL\r\nRCPT\r\n", "NO", "STARTTLS\r\n", "\n" };
  for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) { /* TL-1 to TL-8 */
    k = met("smtp");
    buf_put_str(&k->in, "STARTTLS\r\n");
    kit_say(k, tails[i]);
    assert_true(k->closed);
    assert_int_equal(k->p->reason, CLOSE_TLS_INJECTION);
    assert_string_equal(kit_codes(k), "220 ");
    kit_free(k);
  }
  k = kit_new("smtp", false);
  kit_connect(k, false);
  kit_expect(k, "EHLO c\r\nSTARTTLS\r\n", "220 250 502 ");
  kit_free(k);
}

/* --- AUTH --- */

static void submission_needs_login(void **state) {
  struct kit *k = met("submission");
  kit_expect(k, MAIL "VRFY x\r\n", "530 530 ");
  kit_exchange(k, MAIL, "530 5.7.0 Say STARTTLS first, then log in\r\n");
  kit_exchange(k, PLAIN, "538 5.7.11 Say STARTTLS first: no passwords in the clear\r\n"); /* TL-16 */
  kit_exchange(k, "EHLO c\r\n", "250-mx.here.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n"
                                "250-ENHANCEDSTATUSCODES\r\n250-STARTTLS\r\n250 HELP\r\n");
  kit_expect(k, "STARTTLS\r\n", "220 ");
  kit_exchange(k, "EHLO c\r\n", "250-mx.here.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n"
                                "250-ENHANCEDSTATUSCODES\r\n250-AUTH PLAIN LOGIN\r\n250 HELP\r\n");
  kit_exchange(k, MAIL, "530 5.7.0 Log in first\r\n");
  kit_exchange(k, PLAIN, "235 2.7.0 Logged in\r\n");
  kit_expect(k, PLAIN, "503 "); /* ST-7 */
  kit_expect(k, "MAIL FROM:<alice@here.example> AUTH=<>\r\n" RCPT, "250 250 ");
  kit_expect(k, PLAIN, "503 ");
  kit_expect(k, "RCPT TO:<someone@far.example>\r\nDATA\r\n" MESSAGE, "550 354 250 ");
  assert_int_equal(k->messages[0].account, 42);
  assert_true(slice_search(buf_slice(&k->messages[0].body), SLICE("(Qasid) with ESMTPSA (TLSv1.3")) > 0);
  kit_free(k);
}

/* With plaintext_auth: what was proved in the clear is forgotten inside (RFC 3207 §4.2). */
static void login_forgotten(void **state) {
  struct kit *k = met("submission");
  k->service.plaintext_auth = true;
  kit_expect(k, PLAIN MAIL, "235 250 ");
  kit_expect(k, "STARTTLS\r\n", "220 ");
  kit_expect(k, "EHLO c\r\n" MAIL, "250 530 ");
  kit_free(k);
}

static void auth_forms(void **state) {
  struct kit *k = user();
  kit_exchange(k, "AUTH PLAIN\r\n", "334 \r\n");
  kit_exchange(k, "AGFsaWNlAHNlY3JldA==\r\n", "235 2.7.0 Logged in\r\n");
  kit_free(k);
  k = user();
  kit_exchange(k, "auth login\r\n", "334 VXNlcm5hbWU6\r\n");
  kit_exchange(k, "YWxpY2U=\r\n", "334 UGFzc3dvcmQ6\r\n");
  kit_exchange(k, "c2VjcmV0\r\n", "235 2.7.0 Logged in\r\n");
  kit_free(k);
  k = user(); /* all at once */
  kit_expect(k, "AUTH PLAIN\r\nAGFsaWNlAHNlY3JldA==\r\n" MAIL RCPT "DATA\r\n" MESSAGE, "334 235 250 250 354 250 ");
  kit_free(k);
  k = user();
  kit_expect(k, "AUTH LOGIN\r\nYWxpY2U=\r\n*\r\nNOOP\r\n", "334 334 501 250 ");
  assert_int_equal(k->cancels, 1);
  kit_expect(k, "AUTH PLAIN\r\n!!!\r\nNOOP\r\n", "334 501 250 ");
  kit_expect(k, "AUTH PLAIN A===\r\n", "501 ");
  kit_expect(k, "AUTH PLAIN =\r\n", "535 ");
  kit_expect(k, "AUTH GSSAPI\r\n", "504 ");
  kit_expect(k, "AUTH\r\n", "501 ");
  kit_expect(k, "AUTH PLAIN\r\nA\nB\r\nNOOP\r\n", "334 500 250 ");
  assert_int_equal(k->cancels, 3);
  kit_free(k);
  k = user(); /* AU-3 */
  kit_expect(k, "AUTH PLAIN\r\n", "334 ");
  char line[20000];
  memset(line, 'A', sizeof line);
  memcpy(line + 12288 - 2, "\r\n", 2);
  kit_send(k, slice_of(line, 12288)); /* 12286 is no multiple of four */
  assert_string_equal(kit_codes(k), "501 ");
  kit_expect(k, "AUTH PLAIN\r\n", "334 ");
  memset(line, 'A', sizeof line);
  memcpy(line + 12284, "\r\n", 2);
  kit_send(k, slice_of(line, 12286));
  assert_string_equal(kit_codes(k), "535 ");
  kit_expect(k, "AUTH PLAIN\r\n", "334 ");
  memset(line, 'A', sizeof line);
  memcpy(line + 12287, "\r\n", 2);
  kit_send(k, slice_of(line, 12289));
  assert_string_equal(kit_codes(k), "500 ");
  kit_expect(k, "NOOP\r\n", "250 ");
  kit_free(k);
}

static void auth_failures(void **state) {
  struct kit *k = user();
  kit_expect(k, "AUTH PLAIN AGEAYg==\r\nAUTH PLAIN AGEAYg==\r\n", "535 535 ");
  kit_expect(k, "AUTH PLAIN AGEAYg==\r\nNOOP\r\n", "535 421 ");
  assert_int_equal(k->p->reason, CLOSE_AUTH_FAILURES);
  kit_free(k);
  k = user();
  k->auth_lost = true;
  kit_expect(k, PLAIN, "454 ");
  k->auth_lost = false;
  kit_expect(k, "AUTH LOGIN\r\n", "334 "); /* auth restarts between two lines */
  k->auth_state = 0;
  smtpd_session_ops.room_lost(k->p, PROTO_ASK_AUTH);
  kit_expect(k, "YWxpY2U=\r\n", "454 ");
  assert_int_equal(k->cancels, 0);
  kit_expect(k, PLAIN, "235 ");
  kit_free(k);
  k = user(); /* gone in the middle */
  kit_expect(k, "AUTH LOGIN\r\n", "334 ");
  smtpd_session_ops.gone(k->p, CLOSE_PEER_GONE);
  kit_run(k);
  assert_int_equal(k->cancels, 1);
  kit_free(k);
}

/* I10: no secret and no message in a trace. */
static void traces(void **state) {
  struct kit *k = user();
  k->p->trace.fn = kit_trace;
  k->p->trace.arg = k;
  kit_say(k, PLAIN "AUTH LOGIN\r\nc2VjcmV0\r\nc2VjcmV0 x\r\n" MAIL RCPT "DATA\r\nTop: c2VjcmV0\r\n\r\n.\r\nQUIT\r\n");
  struct slice trace = buf_slice(&k->trace);
  assert_true(slice_search(trace, SLICE("c2VjcmV0")) < 0);
  assert_true(slice_search(trace, SLICE("AGFsaWNl")) < 0);
  assert_true(slice_search(trace, SLICE("C AUTH\n")) >= 0);
  assert_true(slice_search(trace, SLICE("C MAIL FROM:<x@y.example>\nS 503")) < 0);
  assert_true(slice_search(trace, SLICE("* ready > mail\n")) > 0);
  assert_true(slice_search(trace, SLICE("* message of 17 octets\n")) > 0);
  assert_true(slice_search(trace, SLICE("S 221 2.0.0 mx.here.example Bye\n")) > 0);
  kit_free(k);
}

/* --- the trace field --- */

/* IN-1: what the client calls itself stays one token in one comment. */
static void received_escapes(void **state) {
  static const struct { const char *helo, *from; } t[] = {
    { "Host.Example", "from Host.Example ([192.0.2.1])\r\n" },
    { "[192.0.2.9]", "from [192.0.2.9] ([192.0.2.1])\r\n" },
    { "my_pc", "from [192.0.2.1] (said my_pc [192.0.2.1])\r\n" },
    { "x)(by", "from [192.0.2.1] (said x??by [192.0.2.1])\r\n" },
    { "a\\", "from [192.0.2.1] (said a? [192.0.2.1])\r\n" },
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct kit *k = plain("smtp");
    kit_say(k, "EHLO ");
    kit_say(k, t[i].helo);
    kit_expect(k, "\r\n" MAIL RCPT "RCPT TO:<bob@here.example>\r\nDATA\r\n" MESSAGE, "250 250 250 250 354 250 ");
    struct slice body = buf_slice(&k->messages[0].body);
    assert_true(slice_starts(slice_from(body, 10), slice_str(t[i].from)));
    assert_true(slice_search(body, SLICE(" for ")) < 0); /* two recipients: neither is named */
    kit_free(k);
  }
  struct kit *k = plain("smtp");
  kit_expect(k, "EHLO a\xc3\xa9\r\nEHLO a b\r\n", "501 501 ");
  kit_expect(k, "EHLO c\r\n" MAIL "RCPT TO:<\"a b\"@here.example>\r\nDATA\r\n" MESSAGE, "250 250 250 354 250 ");
  assert_true(slice_search(buf_slice(&k->messages[0].body), SLICE(" for <\"a b\"@here.example>;")) > 0);
  assert_true(slice_eq(buf_slice(&k->messages[0].to), SLICE("a b@here.example,")));
  kit_free(k);
}

/* --- clocks --- */

static void timeouts(void **state) {
  struct kit *k = met("smtp");
  kit_wait(k, 299999);
  assert_false(k->closed);
  kit_say(k, "NOO"); /* LN-5: a piece of a command is no command */
  kit_wait(k, 1);
  assert_true(k->closed);
  assert_int_equal(k->p->reason, CLOSE_IDLE);
  assert_string_equal(kit_codes(k), "421 ");
  kit_free(k);
  k = with_rcpt();
  kit_expect(k, "DATA\r\n", "354 ");
  say_much(k, 1000000); /* ahead of the rate for 2000 s */
  kit_wait(k, 179999);
  assert_false(k->closed);
  kit_wait(k, 1);
  assert_int_equal(k->p->reason, CLOSE_IDLE);
  assert_int_equal(k->drops, 1);
  kit_free(k);
  k = with_rcpt();
  kit_expect(k, "DATA\r\n", "354 ");
  size_t seconds = 0;
  for (; seconds < 1000 && !k->closed; seconds++) { /* LN-5: one octet a second */
    kit_say(k, "a");
    kit_wait(k, 1000);
  }
  assert_int_equal(seconds, 31);
  assert_int_equal(k->p->reason, CLOSE_TOO_SLOW);
  assert_int_equal(k->count, 0);
  kit_free(k);
  k = met("smtp");
  for (seconds = 0; seconds < 5000 && !k->closed; seconds += 100) {
    kit_say(k, "NOOP\r\n");
    kit_wait(k, 100000);
  }
  assert_int_equal(seconds, 3600);
  assert_int_equal(k->p->reason, CLOSE_SESSION_TIME);
  kit_free(k);
}

/* While a room is asked the client owes nothing, and the time is not held against it. */
static void waiting_is_ours(void **state) {
  struct kit *k = with_rcpt();
  kit_expect(k, "DATA\r\n", "354 ");
  k->hold = true;
  say_much(k, 66000);
  assert_int_equal(k->p->ask.type, smtp_spool_type);
  assert_int_equal(k->p->deadline_ms, 0);
  k->now_ms += 1000000;
  k->hold = false;
  kit_run(k);
  kit_wait(k, 1000);
  assert_false(k->closed);
  kit_expect(k, ".\r\n", "250 ");
  kit_free(k);
}

/* --- cuts, memory --- */

/* The same replies wherever the stream is cut, and whether or not the client waits. */
static void cut_streams(void **state) {
  static const char all[] = "EHLO c\r\n" MAIL RCPT "RCPT TO:<no@here.example>\r\nRCPT TO:<bob@here.example>\r\nDATA\r\n"
                            "Subject: a\r\n\r\n..\r\n.\r\nRSET\r\nNOOP\n\r\nQUIT\r\n";
  for (size_t cut = 0; cut < sizeof all; cut++) {
    struct kit *k = plain("smtp");
    kit_send(k, slice_of(all, cut));
    kit_send(k, slice_of(all + cut, sizeof all - 1 - cut));
    assert_string_equal(kit_codes(k), "250 250 250 550 250 354 250 250 500 221 ");
    kept_is(k, 0, "Subject: a\r\n\r\n.\r\n");
    assert_true(slice_eq(buf_slice(&k->messages[0].to), SLICE("alice@here.example,bob@here.example,")));
    kit_free(k);
  }
}

/* An idle session is one small block, and its name; nothing of a message stays behind. */
static void idle_memory(void **state) {
  struct kit *k = met("smtp");
  kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
  say_much(k, 200000);
  kit_expect(k, ".\r\n", "250 ");
  const struct session *s = (const struct session *)k->p;
  assert_true(sizeof *s + s->helo.cap + s->user.cap + k->p->ask.body.cap + k->p->out.cap <= 1024);
  assert_null(s->tx);
  kit_free(k);
}

static void summary_put(void *arg, const char *key, struct slice value) {
  buf_printf(arg, "%s=%.*s ", key, SLICE_ARG(value));
}

static void summary(void **state) {
  struct kit *k = user();
  kit_say(k, PLAIN MAIL RCPT "RCPT TO:<no@here.example>\r\nDATA\r\n" MESSAGE "XYZZY\r\n");
  assert_true(smtpd_session_ops.valuable(k->p));
  struct buf b;
  buf_init(&b, 1000);
  smtpd_session_ops.summary(k->p, summary_put, &b);
  assert_string_equal(buf_cstr(&b), "helo=laptop user=alice lines=7 messages=1 recipients=1 octets=17 errors=1 unknown=1 ");
  buf_free(&b);
  kit_free(k);
  k = met("smtp");
  assert_false(smtpd_session_ops.valuable(k->p));
  kit_free(k);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(typical),            cmocka_unit_test(aborted),
    cmocka_unit_test(helo_only),          cmocka_unit_test(every_verb_in_every_state),
    cmocka_unit_test(known_confusions),   cmocka_unit_test(every_sequence),
    cmocka_unit_test(sampled_sequences),  cmocka_unit_test(smuggling),
    cmocka_unit_test(lines),              cmocka_unit_test(long_names),
    cmocka_unit_test(counts),             cmocka_unit_test(many_recipients),
    cmocka_unit_test(grouped_recipients), cmocka_unit_test(other_protocols),
    cmocka_unit_test(sizes),              cmocka_unit_test(endless_message),
    cmocka_unit_test(loops),              cmocka_unit_test(store_outcomes),
    cmocka_unit_test(spooled_messages),   cmocka_unit_test(gone_in_data),
    cmocka_unit_test(starttls),           cmocka_unit_test(submission_needs_login),
    cmocka_unit_test(login_forgotten),    cmocka_unit_test(auth_forms),
    cmocka_unit_test(auth_failures),      cmocka_unit_test(traces),
    cmocka_unit_test(received_escapes),   cmocka_unit_test(timeouts),
    cmocka_unit_test(waiting_is_ours),    cmocka_unit_test(cut_streams),
    cmocka_unit_test(idle_memory),        cmocka_unit_test(summary),
  };
  return cmocka_run_group_tests_name("smtp-session", tests, NULL, NULL);
}
