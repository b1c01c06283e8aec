/* SPDX-License-Identifier: ISC */
/* The simulated disk keeps what was synced and, of the rest, anything: both halves are proven here,
 * because a disk that forgets nothing would prove every store right. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/world/disk_sim.h"

#define RUNS 400

static int put(struct disk *d, const char *name, struct slice s, uint64_t at, bool sync) {
  struct disk_file *f = NULL;
  int e = d->ops->open(d, name, DISK_WRITE, &f);
  if (!e) e = d->ops->write(f, s, at);
  if (!e && sync) e = d->ops->sync(f);
  if (f) d->ops->close(&f);
  return e;
}

static int64_t get(struct disk *d, const char *name, uint8_t *to, size_t n) {
  struct disk_file *f = NULL;
  int e = d->ops->open(d, name, DISK_READ, &f);
  if (e) return e;
  int64_t got = d->ops->read(f, to, n, 0);
  d->ops->close(&f);
  return got;
}

static void synced_octets_survive(void **state) {
  for (uint64_t seed = 0; seed < RUNS; seed++) {
    struct disk_sim *s = disk_sim_new(seed);
    struct disk *d = disk_sim_disk(s);
    assert_int_equal(put(d, "a", SLICE("hello"), 0, true), 0);
    assert_int_equal(d->ops->sync_dir(d, "."), 0);
    disk_sim_power_loss(s);
    uint8_t b[16];
    assert_int_equal(get(d, "a", b, sizeof b), 5);
    assert_memory_equal(b, "hello", 5);
    disk_sim_free(&s);
  }
}

/* Without sync_dir the name itself may be gone, and may be there. */
static void unsynced_names_may_go(void **state) {
  unsigned there = 0;
  for (uint64_t seed = 0; seed < RUNS; seed++) {
    struct disk_sim *s = disk_sim_new(seed);
    struct disk *d = disk_sim_disk(s);
    assert_int_equal(put(d, "a", SLICE("hello"), 0, true), 0);
    disk_sim_power_loss(s);
    there += d->ops->exists(d, "a") == 1;
    disk_sim_free(&s);
  }
  assert_in_range(there, RUNS / 10, RUNS - RUNS / 10);
}

enum { BLOCK = 4096 };

/* What became of eight sectors of 'B' written over durable 'A': counts whole old, whole new, torn.
 */
static void torn_once(uint64_t seed, unsigned *seen) {
  struct disk_sim *s = disk_sim_new(seed);
  struct disk *d = disk_sim_disk(s);
  uint8_t a[BLOCK], b[BLOCK], got[BLOCK];
  memset(a, 'A', sizeof a);
  memset(b, 'B', sizeof b);
  assert_int_equal(put(d, "f", slice_of(a, sizeof a), 0, true), 0);
  assert_int_equal(d->ops->sync_all(d), 0);
  assert_int_equal(put(d, "f", slice_of(b, sizeof b), 0, false), 0);
  assert_int_equal(get(d, "f", got, sizeof got), BLOCK);
  assert_memory_equal(got, b, BLOCK); /* seen at once */
  disk_sim_power_loss(s);
  assert_int_equal(get(d, "f", got, sizeof got), BLOCK);
  unsigned fresh = 0;
  for (size_t i = 0; i < BLOCK; i += 512) {
    for (size_t k = 1; k < 512; k++) assert_int_equal(got[i + k], got[i]); /* a sector is whole */
    fresh += got[i] == 'B';
  }
  seen[fresh == 0 ? 0 : fresh == BLOCK / 512 ? 1 : 2]++;
  disk_sim_free(&s);
}

static void unsynced_writes_are_torn(void **state) {
  unsigned seen[3] = { 0 };
  for (uint64_t seed = 0; seed < RUNS; seed++) torn_once(seed, seen);
  for (size_t i = 0; i < 3; i++) assert_true(seen[i] > RUNS / 20);
}

/* write new, sync it, rename over the old, lose power: old or new, never anything else. */
static void rename_is_atomic(void **state) {
  unsigned fresh = 0;
  for (uint64_t seed = 0; seed < RUNS; seed++) {
    struct disk_sim *s = disk_sim_new(seed);
    struct disk *d = disk_sim_disk(s);
    uint8_t b[8];
    assert_int_equal(put(d, "x", SLICE("old"), 0, true), 0);
    assert_int_equal(d->ops->sync_all(d), 0);
    assert_int_equal(put(d, "x.new", SLICE("new"), 0, true), 0);
    assert_int_equal(d->ops->rename(d, "x.new", "x"), 0);
    if (seed % 2) assert_int_equal(d->ops->sync_dir(d, ""), 0);
    disk_sim_power_loss(s);
    assert_int_equal(get(d, "x", b, sizeof b), 3);
    assert_true(!memcmp(b, "old", 3) || !memcmp(b, "new", 3));
    if (seed % 2)
      assert_memory_equal(b, "new", 3);
    else
      fresh += b[0] == 'n';
    disk_sim_free(&s);
  }
  assert_in_range(fresh, RUNS / 20, RUNS / 2 - RUNS / 20);
}

static void removed_names_may_come_back(void **state) {
  unsigned back = 0;
  for (uint64_t seed = 0; seed < RUNS; seed++) {
    struct disk_sim *s = disk_sim_new(seed);
    struct disk *d = disk_sim_disk(s);
    assert_int_equal(d->ops->make_dir(d, "dir"), 0);
    assert_int_equal(put(d, "dir/a", SLICE("x"), 0, true), 0);
    assert_int_equal(d->ops->sync_all(d), 0);
    assert_int_equal(d->ops->remove(d, "dir/a"), 0);
    assert_int_equal(d->ops->exists(d, "dir/a"), 0);
    if (seed % 2) assert_int_equal(d->ops->sync_dir(d, "dir"), 0);
    disk_sim_power_loss(s);
    int there = d->ops->exists(d, "dir/a");
    if (seed % 2) assert_int_equal(there, 0);
    back += there == 1;
    disk_sim_free(&s);
  }
  assert_true(back > RUNS / 20);
}

/* The process died, the machine did not: everything written is still seen, and still not durable.
 */
static void a_dead_process_loses_nothing(void **state) {
  struct disk_sim *s = disk_sim_new(1);
  struct disk *d = disk_sim_disk(s);
  uint8_t b[8];
  assert_int_equal(put(d, "a", SLICE("hello"), 0, false), 0);
  disk_sim_plan(s, &(struct disk_plan){ .die_at = 1 });
  assert_int_equal(put(d, "a", SLICE("HELLO"), 0, false), -EIO);
  assert_true(disk_sim_dead(s));
  assert_int_equal(d->ops->exists(d, "a"), -EIO);
  assert_int_equal(disk_sim_handles(s), 0);
  disk_sim_restart(s);
  assert_int_equal(get(d, "a", b, sizeof b), 5);
  disk_sim_free(&s);
}

/* fsync(2) says EIO once; the next says yes and the octets are still not there. */
static void a_failed_sync_lies_afterwards(void **state) {
  unsigned lost = 0;
  for (uint64_t seed = 0; seed < RUNS; seed++) {
    struct disk_sim *s = disk_sim_new(seed);
    struct disk *d = disk_sim_disk(s);
    struct disk_file *f = NULL, *other = NULL;
    uint8_t b[8] = { 0 };
    assert_int_equal(put(d, "a", SLICE("old"), 0, true), 0);
    assert_int_equal(d->ops->sync_all(d), 0);
    disk_sim_plan(s, &(struct disk_plan){ .fail_sync_at = 1 });
    assert_int_equal(d->ops->open(d, "a", DISK_WRITE, &f), 0);
    assert_int_equal(d->ops->write(f, SLICE("new"), 0), 0);
    assert_int_equal(d->ops->open(d, "a", DISK_WRITE, &other), 0);
    assert_int_equal(d->ops->sync(f), -EIO);
    assert_int_equal(d->ops->sync(f), -EIO);
    assert_int_equal(d->ops->sync(other), 0);
    d->ops->close(&other);
    assert_int_equal(d->ops->read(f, b, 3, 0), 3);
    assert_memory_equal(b, "new", 3); /* the cache still has it */
    d->ops->close(&f);
    assert_int_equal(get(d, "a", b, 3), 3);
    lost += b[0] == 'o';
    disk_sim_free(&s);
  }
  assert_in_range(lost, RUNS / 20, RUNS - RUNS / 20);
}

static void a_full_disk_says_so(void **state) {
  struct disk_sim *s = disk_sim_new(3);
  struct disk *d = disk_sim_disk(s);
  uint8_t block[1000] = { 0 };
  disk_sim_space(s, 1500);
  assert_int_equal(put(d, "a", slice_of(block, sizeof block), 0, true), 0);
  assert_int_equal(d->ops->free_space(d), 500);
  assert_int_equal(put(d, "b", slice_of(block, sizeof block), 0, false), -ENOSPC);
  assert_int_equal(put(d, "a", slice_of(block, sizeof block), 0, true), 0); /* in place */
  assert_int_equal(d->ops->remove(d, "a"), 0);
  assert_int_equal(put(d, "b", slice_of(block, sizeof block), 0, false), 0);
  disk_sim_plan(s, &(struct disk_plan){ .full_at = 1 });
  assert_int_equal(put(d, "b", slice_of(block, sizeof block), 1, false), -ENOSPC);
  assert_int_equal(d->ops->free_space(d), 0);
  disk_sim_space(s, UINT64_MAX);
  assert_int_equal(put(d, "b", slice_of(block, sizeof block), 1, false), 0);
  disk_sim_free(&s);
}

static void names_are_checked(void **state) {
  struct disk_sim *s = disk_sim_new(4);
  struct disk *d = disk_sim_disk(s);
  struct disk_file *f = NULL;
  assert_int_equal(d->ops->open(d, "../x", DISK_WRITE, &f), -EINVAL);
  assert_int_equal(d->ops->open(d, "/x", DISK_WRITE, &f), -EINVAL);
  assert_int_equal(d->ops->open(d, "none/x", DISK_WRITE, &f), -ENOENT);
  assert_int_equal(d->ops->open(d, "x", DISK_READ, &f), -ENOENT);
  assert_int_equal(d->ops->open(d, "x", DISK_CREATE, &f), 0);
  d->ops->close(&f);
  assert_int_equal(d->ops->open(d, "x", DISK_CREATE, &f), -EEXIST);
  assert_int_equal(d->ops->rename(d, "y", "x"), -ENOENT);
  disk_sim_free(&s);
}

struct found {
  unsigned count;
  bool a, b;
};

static void note(void *arg, const char *entry) {
  struct found *f = arg;
  f->count++;
  f->a |= !strcmp(entry, "a");
  f->b |= !strcmp(entry, "b");
}

static void folders_are_listed(void **state) {
  struct disk_sim *s = disk_sim_new(5);
  struct disk *d = disk_sim_disk(s);
  struct found f = { 0 };
  assert_int_equal(d->ops->make_dir(d, "dir"), 0);
  assert_int_equal(d->ops->make_dir(d, "dir"), 0);
  assert_int_equal(put(d, "dir/a", SLICE("x"), 0, false), 0);
  assert_int_equal(put(d, "dir/b", SLICE("x"), 0, false), 0);
  assert_int_equal(put(d, "top", SLICE("x"), 0, false), 0);
  assert_int_equal(d->ops->list(d, "dir", note, &f), 0);
  assert_int_equal(f.count, 2);
  assert_true(f.a && f.b);
  assert_int_equal(d->ops->list(d, "nothing", note, &f), -ENOENT);
  disk_sim_free(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(synced_octets_survive),
    cmocka_unit_test(unsynced_names_may_go),
    cmocka_unit_test(unsynced_writes_are_torn),
    cmocka_unit_test(rename_is_atomic),
    cmocka_unit_test(removed_names_may_come_back),
    cmocka_unit_test(a_dead_process_loses_nothing),
    cmocka_unit_test(a_failed_sync_lies_afterwards),
    cmocka_unit_test(a_full_disk_says_so),
    cmocka_unit_test(names_are_checked),
    cmocka_unit_test(folders_are_listed),
  };
  return cmocka_run_group_tests_name("disk_sim", tests, NULL, NULL);
}
