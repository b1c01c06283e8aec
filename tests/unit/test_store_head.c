/* SPDX-License-Identifier: ISC */
/* A message is its head and its octets (docs/design/message.md): every reader gets both, whatever
 * their sizes and wherever the octets are; what is no head is refused; rows of a store without
 * heads are read as they always were. */
#include "tests/unit/store_kit.h"

#include <stdlib.h>

#include "lib/db/db.h"

#define PATH "Return-Path: <sender@example.com>\r\n"
enum { WHOLE_MAX = 1024 * 1024 };

static int set_up(void **state) { return kit_setup(state); }

/* `n` octets, at least 8, that are one field. */
static void put_field(struct buf *b, size_t n) {
  buf_put_str(b, "X-A: ");
  for (size_t i = 0; i < n - 7; i++) buf_put_u8(b, (uint8_t)('a' + i % 23));
  buf_put_str(b, "\r\n");
}

/* A message of `n` octets, at least 7. */
static void put_octets(struct buf *b, size_t n) {
  buf_put_str(b, "A:\r\n\r");
  for (size_t i = 5; i < n - 2; i++) buf_put_u8(b, i == 5 ? '\n' : (uint8_t)('a' + i % 19));
  buf_put_str(b, "\r\n");
}

static const struct {
  size_t head, octets;
} sizes[] = {
  { 0, 100 },      { 8, 100 },      { 300, 4096 },
  { 300, 100000 }, { 300, 200000 }, { MESSAGE_FIELDS_MAX, 100 },
  { 0, 100000 },   { 8, 33000 },    { MESSAGE_FIELDS_MAX, 200000 },
};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* The whole of row `i` of them, as it is to be read. */
static void put_whole(struct buf *b, size_t i) {
  buf_put_str(b, PATH);
  if (sizes[i].head) put_field(b, sizes[i].head);
  put_octets(b, sizes[i].octets);
}

static void deliver_all(struct kit *k) {
  for (size_t i = 0; i < SIZES; i++) {
    struct buf whole;
    buf_init(&whole, WHOLE_MAX);
    put_whole(&whole, i);
    struct slice rest = slice_from(buf_slice(&whole), sizeof PATH - 1);
    struct slice head = slice_first(rest, sizes[i].head);
    for (rest = slice_from(rest, head.n); rest.n > IPC_CHUNK; rest = slice_from(rest, IPC_CHUNK)) {
      assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_spool, 7, slice_first(rest, IPC_CHUNK)));
      assert_int_equal(KIT_HEAR(k, smtp_spooled).outcome, COMMIT_DONE);
    }
    assert_true(kit_commit_head(k, 7, "sender@example.com", "alice@example.org", head, rest));
    assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_DONE);
    buf_free(&whole);
  }
}

static void read_all(struct kit *k, uint64_t tag, uint64_t id) {
  struct drop *d = kit_open_drop(k, tag, id);
  assert_int_equal(d->opened.count, SIZES);
  for (size_t i = 0; i < SIZES; i++) {
    struct buf want, got;
    buf_init(&want, WHOLE_MAX), buf_init(&got, WHOLE_MAX);
    put_whole(&want, i);
    assert_int_equal(d->size[i], buf_len(&want));
    assert_int_equal(kit_read(k, tag, d->uid[i], &got), POP_DONE);
    assert_true(slice_eq(buf_slice(&got), buf_slice(&want)));
    buf_free(&want), buf_free(&got);
  }
  kit_quit(k, tag);
}

static void both_are_read(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  deliver_all(k);
  read_all(k, 1, id);
  must_be_sound(k);
}

/* Pieces that begin and end in the head, at its end, behind it. */
static void any_piece(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  struct buf whole;
  deliver_all(k);
  buf_init(&whole, WHOLE_MAX);
  put_whole(&whole, 2);
  struct drop *d = kit_open_drop(k, 1, id);
  uint32_t end = sizeof PATH - 1 + 300;
  uint32_t at[] = { 0, 1, end - 1, end, end + 1, (uint32_t)buf_len(&whole) - 1 },
           most[] = { 1, 2, end, 5000 };
  for (size_t i = 0; i < sizeof at / sizeof *at; i++)
    for (size_t n = 0; n < sizeof most / sizeof *most; n++) {
      assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, 1, d->uid[2], at[i], most[n]));
      struct pop_chunk c = KIT_HEAR(k, pop_chunk);
      assert_true(slice_eq(c.data, slice_first(slice_from(buf_slice(&whole), at[i]), most[n])));
    }
  buf_free(&whole);
}

/* The front-end that hands it over is at fault. */
static void no_head(void **state) {
  struct kit *k = *state;
  static const char *const wrong[] = {
    "A: b", "no field\r\n", "\r\n", "A: b\r\n\r\n", " folded\r\n", "A: b\n", "A: b\r\n\r\nC: d\r\n"
  };
  alice(k);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    if (kit_commit_head(k, 7, "a@b.example", "alice@example.org", slice_str(wrong[i]),
                        SLICE("x: y\r\n")))
      fail_msg("taken as a head: %s", wrong[i]);
  struct buf longer;
  buf_init(&longer, WHOLE_MAX);
  put_field(&longer, MESSAGE_FIELDS_MAX + 1);
  assert_false(kit_commit_head(k, 7, "a@b.example", "alice@example.org", buf_slice(&longer),
                               SLICE("x: y\r\n")));
  buf_free(&longer);
}

/* What was put in front stood in front of the file's octets, which began at `start`. */
static void to_former_file(struct kit *k, uint64_t body, struct slice head) {
  char path[300];
  struct buf octets;
  snprintf(path, sizeof path, "%s/bodies/%02x/%u", k->path, (unsigned)(body & 255), (unsigned)body);
  FILE *f = fopen(path, "r+");
  assert_non_null(f);
  buf_init(&octets, WHOLE_MAX);
  uint8_t *to = buf_reserve(&octets, WHOLE_MAX);
  buf_added(&octets, fread(to, 1, WHOLE_MAX, f));
  rewind(f);
  for (int i = 0; i < 5; i++) fputc(0, f);
  fwrite(head.p, 1, head.n, f);
  fwrite(buf_slice(&octets).p, 1, buf_len(&octets), f);
  fclose(f);
  buf_free(&octets);
}

static void former_rows(void **state) {
  struct kit *k = *state;
  struct db *db = NULL;
  struct db_options options = { .page_size = 16384 };
  uint64_t id = alice(k);
  deliver_all(k);
  kit_close(k);
  assert_int_equal(db_open(k->disk, "database.sqlite", &options, &db), DB_OK);
  struct db_stmt *s =
      db_prepare(db, "SELECT id, head FROM body WHERE start IS NOT NULL AND head IS NOT NULL");
  size_t files = 0;
  for (; db_step(s) == DB_ROW; files++) to_former_file(k, (uint64_t)db_int(s, 0), db_bytes(s, 1));
  assert_true(files >= 4);
  assert_int_equal(db_exec(db, "UPDATE body SET data = CAST(head || data AS BLOB), sum = NULL"
                               " WHERE start IS NULL;"
                               "UPDATE body SET start = 5 WHERE start IS NOT NULL;"
                               "UPDATE body SET head = NULL"),
                   DB_OK);
  db_close(&db);
  kit_open(k);
  must_be_sound(k);
  read_all(k, 1, id);
  kit_idle(k); /* sums are computed */
  must_be_sound(k);
  read_all(k, 2, id);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(both_are_read, set_up, kit_teardown),
    cmocka_unit_test_setup_teardown(any_piece, set_up, kit_teardown),
    cmocka_unit_test_setup_teardown(no_head, set_up, kit_teardown),
    cmocka_unit_test_setup_teardown(former_rows, set_up, kit_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
