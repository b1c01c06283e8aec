/* SPDX-License-Identifier: ISC */
/* The store's threads: mail comes in while maildrops are read and emptied and a check runs. Under
 * ThreadSanitizer (make tsan) this is where a race would show. */
#include "tests/unit/store_kit.h"

#include <poll.h>

#include "src/store/jobs/admin.h"
#include "src/store/workers.h"

enum { ACCOUNTS = 8, MESSAGES = 2000, GROUP = 40 };

struct crowd {
  struct kit *k;
  struct workers *workers;
  struct job_line writes, reads, slow;
  unsigned committed, opened, deleted, checked, refused;
  struct {
    uint64_t tag;
    struct buf rows;
  } listed[64]; /* answered to once the store is done speaking */
  unsigned listed_count;
};

static void crowd_enqueue(void *arg, struct store_job *job, bool is_write) {
  struct crowd *c = arg;
  job_line_put(is_write ? &c->writes : store_job_is_slow(job) ? &c->slow : &c->reads, job);
}

static void crowd_set_state(void *arg, enum role kind, uint32_t number, uint64_t tag,
                            uint8_t state) {}

static void crowd_random(void *arg, void *to, size_t n) { memset(to, 7, n); }

static void say(struct crowd *c, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                struct buf *payload) {
  assert_true(kit_say(c->k, kind, number, type, tag, payload));
}

static void delete_all(struct crowd *c, uint64_t tag, struct slice rows) {
  struct buf uids, payload;
  struct wire w = wire_open(rows);
  buf_init(&uids, IPC_CHUNK);
  buf_init(&payload, IPC_PAYLOAD_MAX);
  while (w.rest.n) {
    wire_put_u32(&uids, wire_get_u32(&w));
    wire_get_u64(&w);
    if (wire_get_u8(&w) & POP_ROW_SURROGATE) wire_get_u64(&w);
  }
  pop_delete_put(&payload, &(struct pop_delete){ buf_slice(&uids) });
  say(c, ROLE_POP3D, POP3D, pop_delete_type, tag, &payload);
  buf_init(&payload, IPC_PAYLOAD_MAX);
  pop_quit_put(&payload, &(struct pop_quit){ .begun = SLICE_NONE });
  say(c, ROLE_POP3D, POP3D, pop_quit_type, tag, &payload);
  buf_free(&uids);
}

static void crowd_send(void *arg, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                       struct slice payload, int fd) {
  struct crowd *c = arg;
  struct pop_opened opened;
  struct pop_listing listing;
  struct smtp_committed committed;
  struct cli_done done;
  if (kind == ROLE_SMTPD && smtp_committed_get(payload, &committed) &&
      committed.outcome == COMMIT_DONE)
    c->committed++;
  if (kind == ROLE_POP3D && type == pop_opened_type) {
    assert_true(pop_opened_get(payload, &opened));
    c->refused += opened.outcome != POP_DONE;
  }
  if (kind == ROLE_POP3D && type == pop_listing_type) {
    assert_true(pop_listing_get(payload, &listing));
    c->opened++;
    assert_true(c->listed_count < 64);
    c->listed[c->listed_count].tag = tag;
    buf_init(&c->listed[c->listed_count].rows, IPC_CHUNK);
    buf_put(&c->listed[c->listed_count++].rows, listing.rows);
  }
  if (kind == ROLE_POP3D && type == pop_done_type) {
    struct pop_done d;
    assert_true(pop_done_get(payload, &d));
    assert_int_equal(d.outcome, POP_DONE);
    c->deleted += d.deleted;
  }
  if (kind == ROLE_CLI && type == cli_done_type) {
    assert_true(cli_done_get(payload, &done));
    assert_int_equal(done.code, CLI_OK);
    c->checked++;
  }
}

static void turn(struct crowd *c) {
  workers_put(c->workers, &c->writes, &c->reads, &c->slow);
  struct pollfd p = { workers_fd(c->workers), POLLIN, 0 };
  if (store_jobs_out(c->k->store)) poll(&p, 1, 1000);
  for (struct store_job *j = workers_done(c->workers), *next; j; j = next) {
    next = store_job_next(j);
    store_finish(c->k->store, j);
  }
  for (; c->listed_count; c->listed_count--) {
    struct buf *rows = &c->listed[c->listed_count - 1].rows;
    delete_all(c, c->listed[c->listed_count - 1].tag, buf_slice(rows));
    buf_free(rows);
  }
}

static void settle_down(struct crowd *c) {
  for (int i = 0; i < 100000 && store_jobs_out(c->k->store); i++) turn(c);
  assert_int_equal(store_jobs_out(c->k->store), 0);
}

static void some_mail(struct crowd *c, int from) {
  for (int i = from; i < from + GROUP; i++) {
    char to[64];
    snprintf(to, sizeof to, "user%d@example.org", i % ACCOUNTS);
    assert_true(kit_commit(c->k, (uint64_t)i, "", to, SLICE("Subject: x\r\n\r\nbody\r\n")));
  }
}

static void open_some(struct crowd *c, uint64_t tag) {
  struct buf b;
  buf_init(&b, 64);
  auth_grant_put(&b, &(struct auth_grant){ POP3D, tag, 1 + tag % ACCOUNTS });
  say(c, ROLE_AUTH, AUTH, auth_grant_type, 1, &b);
  say(c, ROLE_POP3D, POP3D, pop_open_type, tag, NULL);
}

static void command(struct crowd *c, const char *words) {
  struct buf list, payload;
  kit_list(&list, words);
  buf_init(&payload, 4096);
  cli_command_put(&payload, &(struct cli_command){ buf_slice(&list) });
  say(c, ROLE_CLI, CLI, cli_command_type, 0, &payload);
  buf_free(&list);
}

static void crowded(void **state) {
  struct kit *k = *state;
  kit_command(k, "domain add example.org");
  for (int i = 0; i < ACCOUNTS; i++) {
    char address[64];
    snprintf(address, sizeof address, "user%d@example.org", i);
    kit_account(k, address);
  }
  kit_close(k);
  struct crowd c = { .k = k };
  const struct store_shell shell = { &c,   crowd_send, crowd_enqueue, crowd_set_state,
                                     NULL, NULL,       crowd_random };
  struct buf err;
  buf_init(&err, 1000);
  k->store = store_new(k->disk, k->conf, &shell, &err);
  assert_non_null(k->store);
  c.workers = workers_new(k->disk, k->conf, &err);
  if (!c.workers) fail_msg("%.*s", SLICE_ARG(buf_slice(&err)));
  command(&c, "check");
  for (int i = 0; i < MESSAGES; i += GROUP) {
    some_mail(&c, i);
    if (i % 400 == 0) open_some(&c, 1000000u + (uint64_t)i / 400);
    turn(&c);
  }
  settle_down(&c);
  assert_int_equal(c.committed, MESSAGES);
  assert_int_equal(c.opened + c.refused, MESSAGES / 400);
  for (uint64_t i = 0; i < ACCOUNTS; i++) open_some(&c, 2000000u + i);
  settle_down(&c);
  assert_int_equal(c.deleted, MESSAGES);
  command(&c, "check");
  settle_down(&c);
  assert_int_equal(c.checked, 2);
  assert_false(workers_broken(c.workers));
  store_free(&k->store);
  workers_free(&c.workers);
  buf_free(&err);
  kit_open(k);
}

/* Others go first, but not for ever: long work comes to its end while each group has others. */
static void patient_work_goes_on(void **state) {
  struct kit *k = *state;
  struct buf err;
  buf_init(&err, 1000);
  kit_close(k);
  struct workers *w = workers_new(k->disk, k->conf, &err);
  struct release_job work = { { .kind = KIND_RELEASE, .patient = true }, true };
  struct store_job *slice = &work.job;
  unsigned slices = 0, others = 0, put = 0;
  struct job_line none = { 0 }, no_reads = { 0 }, writes = { 0 };
  assert_non_null(w);
  assert_true(store_job_is_patient(slice));
  job_line_put(&writes, slice);
  while (slices < 5 || others < put) {
    struct release_job *other = slices < 5 ? job_new(KIND_RELEASE, sizeof *other, NULL, 0) : NULL;
    if (other) other->released = true, put++, job_line_put(&writes, &other->job);
    workers_put(w, &writes, &no_reads, &none);
    workers_wait(w);
    for (struct store_job *j = workers_done(w), *next; j; j = next) {
      next = store_job_next(j);
      assert_int_equal(j->result, JOB_DONE);
      if (j == slice && ++slices < 5) job_line_put(&writes, j);
      if (j != slice) others++, free(j);
    }
    if (others > 1000000) fail_msg("%u slices beside %u other jobs", slices, others);
  }
  workers_free(&w);
  buf_free(&err);
  kit_open(k);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(crowded, kit_setup, kit_teardown),
    cmocka_unit_test_setup_teardown(patient_work_goes_on, kit_setup, kit_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
