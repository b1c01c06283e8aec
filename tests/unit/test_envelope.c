/* SPDX-License-Identifier: ISC */
/* The codec of envelopes and of the ends of messages: what goes in comes out, and each bound is the
 * decoder's (ipc/envelope.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ipc/envelope.h"
#include "mail/smtp/dsn.h"

static bool decodes(const struct envelope *e, struct envelope *ret) {
  static struct buf b;
  buf_free(&b);
  buf_init(&b, IPC_PAYLOAD_MAX);
  envelope_put(&b, e);
  struct wire w = wire_open(buf_slice(&b));
  *ret = envelope_get(&w);
  return wire_done(&w);
}

/* An envelope to that one recipient decodes. */
static bool takes(struct envelope_rcpt r) {
  struct buf rcpts;
  struct envelope e = { .return_path = SLICE("a@b.example") };
  buf_init(&rcpts, IPC_PAYLOAD_MAX);
  envelope_rcpt_put(&rcpts, &r);
  e.rcpts = buf_slice(&rcpts);
  bool fine = decodes(&e, &e);
  buf_free(&rcpts);
  return fine;
}

static void all_of_it(void **state) {
  struct buf rcpts;
  const struct envelope_rcpt in[] = {
    { 0, 0, SLICE("postmaster"), SLICE_NONE },
    { 0, SMTP_NOTIFY_NEVER, SLICE("a b@c.example"), SLICE_NONE },
    { 7, SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY, SLICE("\xc3\xa9@c.example"), SLICE("rfc822;x") },
  };
  buf_init(&rcpts, ENVELOPE_RCPTS_MAX);
  for (size_t i = 0; i < 3; i++) envelope_rcpt_put(&rcpts, &in[i]);
  struct envelope out, e = { SLICE("s@t.example"), SLICE("QQ+2B"), SMTP_RET_HDRS,
                             ENVELOPE_FLAGS,       UINT64_MAX - 1, buf_slice(&rcpts) };
  assert_true(decodes(&e, &out));
  assert_true(slice_eq(out.return_path, e.return_path) && slice_eq(out.envid, e.envid));
  assert_int_equal(out.ret, SMTP_RET_HDRS);
  assert_int_equal(out.flags, ENVELOPE_FLAGS);
  assert_true(out.size == e.size);
  assert_int_equal(out.count, 3);
  struct envelope_rcpt r;
  for (size_t i = 0; i < 3; i++) {
    assert_true(envelope_rcpt_next(&out.rcpts, &r));
    assert_int_equal(r.row, in[i].row);
    assert_int_equal(r.notify, in[i].notify);
    assert_true(slice_eq(r.address, in[i].address) && slice_eq(r.orcpt, in[i].orcpt));
  }
  assert_false(envelope_rcpt_next(&out.rcpts, &r));
  buf_free(&rcpts);
}

static void bounds_of_a_recipient(void **state) {
  static uint8_t long_one[4096];
  memset(long_one, 'x', sizeof long_one);
  assert_true(takes((struct envelope_rcpt){ .address = slice_of(long_one, ENVELOPE_PATH_MAX) }));
  assert_false(
      takes((struct envelope_rcpt){ .address = slice_of(long_one, ENVELOPE_PATH_MAX + 1) }));
  assert_false(takes((struct envelope_rcpt){ .address = SLICE("") }));
  for (const char *bad = "\r\n\x7f\t"; *bad; bad++) {
    char address[] = "a?b@c.example", orcpt[] = "rfc822;?";
    address[1] = orcpt[7] = *bad;
    assert_false(takes((struct envelope_rcpt){ .address = slice_str(address) }));
    assert_false(
        takes((struct envelope_rcpt){ .address = SLICE("a@b"), .orcpt = slice_str(orcpt) }));
  }
  assert_false(takes((struct envelope_rcpt){ .address = slice_of("a\0b", 3) }));
  assert_true(takes((struct envelope_rcpt){ .address = SLICE("a@b"),
                                            .orcpt = slice_of(long_one, ENVELOPE_ORCPT_MAX) }));
  assert_false(takes((struct envelope_rcpt){
      .address = SLICE("a@b"), .orcpt = slice_of(long_one, ENVELOPE_ORCPT_MAX + 1) }));
  /* NEVER stands alone; a bit that nobody knows */
  assert_false(takes((struct envelope_rcpt){ .address = SLICE("a@b"), .notify = 3 }));
  assert_false(takes((struct envelope_rcpt){ .address = SLICE("a@b"), .notify = 16 }));
}

static void bounds_of_an_envelope(void **state) {
  struct buf one, many;
  struct envelope e, out;
  buf_init(&one, 100), buf_init(&many, IPC_PAYLOAD_MAX);
  envelope_rcpt_put(&one, &(struct envelope_rcpt){ .address = SLICE("a@b") });
  const struct envelope fine = { .return_path = SLICE("s@t"), .rcpts = buf_slice(&one) };
  assert_true(decodes(&fine, &out));
  e = fine, e.return_path = SLICE("a\r\nX: y");
  assert_false(decodes(&e, &out));
  e = fine, e.envid = SLICE("a\nb");
  assert_false(decodes(&e, &out));
  e = fine, e.ret = SMTP_RET_HDRS + 1;
  assert_false(decodes(&e, &out));
  e = fine, e.flags = ENVELOPE_FLAGS + 1;
  assert_false(decodes(&e, &out));
  e = fine, e.rcpts = SLICE_NONE;
  assert_false(decodes(&e, &out));
  e = fine, e.rcpts = slice_first(buf_slice(&one), buf_len(&one) - 1);
  assert_false(decodes(&e, &out));
  while (buf_len(&many) <= ENVELOPE_RCPTS_MAX) buf_put(&many, buf_slice(&one));
  e = fine, e.rcpts = buf_slice(&many);
  assert_false(decodes(&e, &out));
  e.rcpts = slice_first(e.rcpts, ENVELOPE_RCPTS_MAX / buf_len(&one) * buf_len(&one));
  assert_true(decodes(&e, &out));
  buf_free(&one), buf_free(&many);
}

static bool end_decodes(struct message_end m) {
  struct buf b;
  buf_init(&b, IPC_PAYLOAD_MAX);
  message_end_put(&b, &m);
  struct wire w = wire_open(buf_slice(&b));
  struct message_end out = message_end_get(&w);
  bool fine = wire_done(&w) && slice_eq(out.head, m.head) && slice_eq(out.tail, m.tail) &&
              slice_eq(out.id, m.id) && out.surrogate == m.surrogate;
  buf_free(&b);
  return fine;
}

static void ends_of_messages(void **state) {
  static uint8_t chunk[IPC_CHUNK + 1];
  const struct message_end fine = { .id = SLICE("Q1"), .surrogate = 9 };
  struct message_end m = fine;
  m.head = SLICE("Received: x\r\n\ty\r\n"), m.tail = slice_of(chunk, IPC_CHUNK);
  assert_true(end_decodes(m));
  m = fine, m.tail = slice_of(chunk, IPC_CHUNK + 1);
  assert_false(end_decodes(m));
  m = fine, m.id = SLICE("");
  assert_false(end_decodes(m));
  m = fine, m.id = SLICE("Q1\n");
  assert_false(end_decodes(m));
  m = fine, m.head = SLICE("A: b\r\n\r\nbody");
  assert_false(end_decodes(m));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(all_of_it),
    cmocka_unit_test(bounds_of_a_recipient),
    cmocka_unit_test(bounds_of_an_envelope),
    cmocka_unit_test(ends_of_messages),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
