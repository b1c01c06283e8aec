/* SPDX-License-Identifier: ISC */
/* Log records and lines: what is written, what the parent makes of it, and what a process that was
 * taken over might write. */
#include "lib/base/log.h"
#include "lib/base/seldom.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static struct buf got; /* the lines, a LF behind each */
static enum log_format format;

static void take(void *arg, struct slice record) {
  enum log_level level;
  (void)arg;
  assert_true(log_record_level(record, &level));
  log_render(&got, format, &(struct log_stamp){ "T", "smtpd-3" }, record);
  buf_put_u8(&got, '\n');
}

static int begin(void **state) {
  buf_init(&got, 1024 * 1024);
  format = LOG_LOGFMT;
  return 0;
}

static int end(void **state) {
  buf_free(&got);
  return 0;
}

static void assert_got(const char *lines) { assert_string_equal(buf_cstr(&got), lines); }

static void lines(void **state) {
  struct log log = { .take = take, .least = LOG_INFO_ };
  struct log_line l;
  log_open(&l, &log, LOG_E_RECIPIENT);
  log_cstr(&l, LOG_F_FROM, "a@b.example");
  log_str(&l, LOG_F_TO, SLICE("x y\" event=message\r\n\xff\0z"));
  log_cstr(&l, LOG_F_CODE, "550 5.1.1");
  log_end(&l);
  log_open(&l, &log, LOG_E_CLOSED);
  log_num(&l, LOG_F_IN, 0);
  log_num(&l, LOG_F_OUT, UINT64_MAX);
  log_cstr(&l, LOG_F_WHY, "");
  log_end(&l);
  log_print(&log, LOG_E_PROCESS_ENDED, "below the least level");
  assert_got(
      "time=T level=info process=smtpd-3 event=recipient from=a@b.example "
      "to=\"x y\\\" event=message\\u000d\\u000a\\u00ff\\u0000z\" code=\"550 5.1.1\"\n"
      "time=T level=info process=smtpd-3 event=closed in=0 out=18446744073709551615 why=\"\"\n");
}

/* What is text for people stays so; what hides or turns it, and what is no UTF-8, is visible. */
static void utf8(void **state) {
  struct log log = { .take = take, .least = LOG_INFO_ };
  struct log_line l;
  log_open(&l, &log, LOG_E_RECIPIENT);
  log_str(&l, LOG_F_TO, SLICE("J\xc3\xbcrgen@\xe4\xbe\x8b.example"));
  log_str(&l, LOG_F_REASON,
          SLICE("\xf0\x9f\x93\xa7 a\xe2\x80\xae"
                "b\xc2\x85\xc3 \xf3\xa0\x80\x81\xe2\x80\xa8"));
  log_end(&l);
  assert_got("time=T level=info process=smtpd-3 event=recipient "
             "to=\"J\xc3\xbcrgen@\xe4\xbe\x8b.example\" "
             "reason=\"\xf0\x9f\x93\xa7 a\\u202eb\\u0085\\u00c3 \\udb40\\udc01\\u2028\"\n");
}

static void json(void **state) {
  struct log log = { .take = take };
  struct log_line l;
  format = LOG_JSON;
  log_open(&l, &log, LOG_E_MESSAGE);
  log_str(&l, LOG_F_MESSAGE_ID, SLICE("<\",\"process\":\"auth-1>"));
  log_num(&l, LOG_F_SIZE, 12);
  log_end(&l);
  assert_got("{\"time\":\"T\",\"level\":\"info\",\"process\":\"smtpd-3\",\"event\":\"message\","
             "\"message_id\":\"<\\\",\\\"process\\\":\\\"auth-1>\",\"size\":12}\n");
}

/* A line too long loses its later values, never its end. */
static void long_values(void **state) {
  struct log log = { .take = take };
  struct log_line l;
  char many[5000];
  memset(many, '\n', sizeof many);
  log_open(&l, &log, LOG_E_RECIPIENT);
  log_str(&l, LOG_F_FROM, slice_of(many, sizeof many));
  log_cstr(&l, LOG_F_TO, "lost@example.org");
  log_end(&l);
  assert_int_equal(slice_rfind(buf_slice(&got), '\n'), buf_len(&got) - 1);
  assert_true(slice_search(buf_slice(&got), SLICE("lost@")) < 0);
  assert_true(buf_len(&got) > 4000 * 6);
}

/* Every event with every field it may have goes through; every other field is refused. */
static void the_table(void **state) {
  for (int e = 0; e < LOG_EVENTS; e++) {
    assert_true(log_events[e].word[0] && log_events[e].meaning[0] && log_events[e].fields);
    for (int other = 0; other < e; other++)
      assert_string_not_equal(log_events[e].word, log_events[other].word);
    for (int f = 0; f < LOG_FIELDS; f++) {
      uint8_t record[] = { LOG_RECORD_MARK, 0, 9, (uint8_t)e, (uint8_t)f, 's', 0, 1, 'x' };
      enum log_level level;
      bool has = log_events[e].fields >> f & 1;
      assert_int_equal(log_record_level(slice_of(record, sizeof record), &level), has);
    }
  }
  for (int f = 0; f < LOG_FIELDS; f++) {
    bool used = false;
    for (int e = 0; e < LOG_EVENTS; e++) used |= log_events[e].fields >> f & 1;
    if (!used) fail_msg("no event has the field %s", log_fields[f].word);
    for (int other = 0; other < f; other++)
      assert_string_not_equal(log_fields[f].word, log_fields[other].word);
  }
}

static void malformed(void **state) {
  enum log_level level;
  enum { E = LOG_E_READY, M = LOG_F_MSG };
  const struct slice bad[] = {
    SLICE(""),
    SLICE("\1\0\4"),                                             /* no event */
    SLICE("\1\0\4\377"),                                         /* none of ours */
    slice_of((uint8_t[]){ 1, 0, 6, E, M, 's' }, 6),              /* half a field */
    slice_of((uint8_t[]){ 1, 0, 9, E, M, 's', 0, 2, 'x' }, 9),   /* longer than the record */
    slice_of((uint8_t[]){ 1, 0, 9, E, 200, 's', 0, 1, 'x' }, 9), /* no such field */
    slice_of((uint8_t[]){ 1, 0, 9, E, M, 'q', 0, 1, 'x' }, 9),   /* no such kind */
    slice_of((uint8_t[]){ 1, 0, 9, E, M, 'n', 0, 1, 'x' }, 9),   /* no number */
    slice_of((uint8_t[]){ 1, 0, 8, E, M, 'n', 0, 0 }, 8),        /* no number either */
    slice_of((uint8_t[]){ 1, 0, 14, E, M, 's', 0, 1, 'x', M, 's', 0, 1, 'y' }, 14), /* twice */
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (log_record_level(bad[i], &level)) fail_msg("record %zu is taken", i);
}

/* Records and stray words out of one stream, however it is cut. */
static void stream(void **state) {
  const struct slice all = SLICE(
      "==1==ERROR: AddressSanitizer\n\nwords\1\0\4\0\1\0\4\1\1\377\377bad length\n\1\0\2x\n\1\0");
  for (size_t cut = 1; cut <= all.n; cut++) {
    struct buf in, seen;
    buf_init(&in, 1000), buf_init(&seen, 1000);
    for (size_t at = 0; at < all.n; at += cut) {
      struct slice rest, item;
      buf_put(&in, slice_first(slice_from(all, at), cut));
      rest = buf_slice(&in);
      for (int kind; (kind = log_next_record(&rest, &item)) != 0;)
        buf_printf(&seen, "%c%zu ", kind == 1 ? 'r' : 't', item.n);
      buf_drop(&in, buf_len(&in) - rest.n);
    }
    assert_string_equal(buf_cstr(&seen), "t28 t0 t5 r4 r4 t13 t4 ");
    assert_int_equal(buf_len(&in), 2);
    buf_free(&in), buf_free(&seen);
  }
  /* Words without an end are cut. */
  uint8_t much[LOG_RECORD_MAX];
  struct slice rest = slice_of(memset(much, 'x', sizeof much), sizeof much), item;
  assert_int_equal(log_next_record(&rest, &item), -1);
  assert_int_equal(item.n, LOG_RECORD_MAX / 4);
}

/* A reader that has stopped costs lines, which are counted; the writer goes on. */
static void nobody_reads(void **state) {
  int ends[2];
  assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
  struct log log = { .fd = ends[1] };
  for (int i = 0; i < 5000; i++) log_print(&log, LOG_E_READY, "line %d of many", i);
  uint64_t lost = log.lost;
  assert_in_range(lost, 1000, 4999);
  /* It goes on reading: first the count comes, then new lines. */
  struct buf in;
  buf_init(&in, 1024 * 1024);
  for (ssize_t n; (n = read(ends[0], buf_reserve(&in, 65536), 65536)) > 0;)
    buf_added(&in, (size_t)n);
  log_print(&log, LOG_E_READY, "again");
  assert_int_equal(log.lost, 0);
  buf_reset(&in);
  ssize_t n = read(ends[0], buf_reserve(&in, 65536), 65536);
  assert_true(n > 0);
  buf_added(&in, (size_t)n);
  struct slice rest = buf_slice(&in), item;
  while (log_next_record(&rest, &item) == 1) take(NULL, item);
  char want[300];
  snprintf(want, sizeof want,
           "time=T level=warn process=smtpd-3 event=log-lost count=%ju why=\"the parent did not "
           "keep up\"\n"
           "time=T level=info process=smtpd-3 event=ready msg=again\n",
           (uintmax_t)lost);
  assert_got(want);
  buf_free(&in);
  close(ends[0]), close(ends[1]);
}

static uint64_t told(struct seldom *s, uint64_t cause, uint64_t now) {
  uint64_t n = 0;
  return seldom_due(s, cause, now, &n) ? n : 0;
}

static void once_a_minute(void **state) {
  struct seldom s = { 0 };
  assert_int_equal(told(&s, 7, 1000), 1);
  for (uint64_t i = 1; i < SELDOM_EVERY_MS; i++) assert_int_equal(told(&s, 7, 1000 + i), 0);
  assert_int_equal(told(&s, 8, 2000), 1); /* another cause is not held up */
  assert_int_equal(told(&s, 7, 1000 + SELDOM_EVERY_MS), SELDOM_EVERY_MS);
  assert_int_equal(told(&s, 7, 500), 1); /* the clock was set back by more than the pause */
}

/* More causes than there are places: the rest shares one, and places that were quiet are given
 * away. */
static void many_causes(void **state) {
  struct seldom s = { 0 };
  for (uint64_t i = 0; i < SELDOM_CAUSES; i++) assert_int_equal(told(&s, i, 1), 1);
  assert_int_equal(told(&s, 1000, 2), 1);
  for (uint64_t i = 1001; i < 2001; i++) assert_int_equal(told(&s, i, 3), 0);
  assert_int_equal(told(&s, SELDOM_CAUSES - 1, 3), 0);
  /* in the place of cause 0 */
  assert_int_equal(told(&s, 3000, SELDOM_EVERY_MS + 1), 1);
  /* its own place is still its own */
  assert_int_equal(told(&s, SELDOM_CAUSES - 1, SELDOM_EVERY_MS + 1), 2);
  for (uint64_t i = 3001; i < 3000 + SELDOM_CAUSES - 1; i++)
    assert_int_equal(told(&s, i, SELDOM_EVERY_MS + 1), 1);
  /* the shared one: all that found no place */
  assert_int_equal(told(&s, 9000, SELDOM_EVERY_MS + 2), 1001);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(lines, begin, end),
    cmocka_unit_test_setup_teardown(utf8, begin, end),
    cmocka_unit_test_setup_teardown(json, begin, end),
    cmocka_unit_test_setup_teardown(long_values, begin, end),
    cmocka_unit_test(the_table),
    cmocka_unit_test(malformed),
    cmocka_unit_test(stream),
    cmocka_unit_test(once_a_minute),
    cmocka_unit_test(many_causes),
    cmocka_unit_test_setup_teardown(nobody_reads, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
