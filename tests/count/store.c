/* SPDX-License-Identifier: ISC */
/* The store's part: questions of the owner's thread, and the jobs that its threads run, on a real
 * disk. What the kernel does for them is not counted. */
#include "tests/unit/store_kit.h"
#include "tests/count/count.h"

enum { USERS = 20, FRESH = 40, DROP = 10 };

struct work {
  struct kit *k;
  struct slice message;
  unsigned group, next; /* next: of the addresses that nobody asked for yet */
};

static struct work *work_new(unsigned users, size_t size, unsigned group) {
  struct work *w = calloc(1, sizeof *w);
  void *state = NULL;
  count_must(w != NULL && kit_setup(&state) == 0, "no store");
  *w = (struct work){ .k = state, .group = group };
  if (size) w->message = count_message(size);
  count_must(kit_command(w->k, "domain add example.org").code == CLI_OK, "no domain");
  for (unsigned i = 0; i < users; i++) {
    char address[64];
    snprintf(address, sizeof address, "user%u@example.org", i);
    kit_account(w->k, address);
  }
  return w;
}

static void work_end(void *arg) {
  struct work *w = arg;
  void *state = w->k;
  kit_teardown(&state);
  free(w);
}

static void *begin_1(void) { return work_new(1, 4096, 1); }
static void *begin_20(void) { return work_new(USERS, 4096, USERS); }
static void *begin_file(void) { return work_new(1, 51200, 1); }
static void *begin_users(void) { return work_new(1, 0, 1); }
static void *begin_fresh(void) { return work_new(FRESH, 0, 1); }
static void *begin_drop(void) { return work_new(1, 4096, DROP); }

/* `group` messages, each for an account of its own, in one transaction. */
static void commit(void *arg) {
  struct work *w = arg;
  for (unsigned i = 0; i < w->group; i++) {
    char to[64];
    snprintf(to, sizeof to, "user%u@example.org", i);
    count_must(kit_commit(w->k, i + 1, "sender@example.com", to, w->message), "refused");
  }
  for (unsigned i = 0; i < w->group; i++)
    count_must(KIT_HEAR(w->k, smtp_committed).outcome == COMMIT_DONE, "not committed");
}

/* The same for addresses elsewhere: into the queue. */
static void commit_leaving(void *arg) {
  struct work *w = arg;
  for (unsigned i = 0; i < w->group; i++) {
    char to[64];
    struct buf list;
    snprintf(to, sizeof to, "user%u@elsewhere%u.example", i, i);
    kit_rcpts(&list, to);
    count_must(KIT_SAY(w->k, ROLE_SMTPD, SMTPD, smtp_commit, i + 1,
                       .envelope = { .return_path = SLICE("sender@example.org"),
                                     .rcpts = buf_slice(&list) },
                       .end = { .id = SLICE("Q1"), .tail = w->message }, .trusted = true),
               "refused");
    buf_free(&list);
  }
  for (unsigned i = 0; i < w->group; i++)
    count_must(KIT_HEAR(w->k, smtp_committed).outcome == COMMIT_DONE, "not queued");
}

static void rcpt(void *arg) {
  struct work *w = arg;
  count_must(kit_rcpt(w->k, "user0@example.org", 4096) == RCPT_OURS, "not ours");
}

/* An address that was not asked for since the start. */
static void rcpt_fresh(void *arg) {
  struct work *w = arg;
  char to[64];
  snprintf(to, sizeof to, "user%u@example.org", w->next++);
  count_must(kit_rcpt(w->k, to, 4096) == RCPT_OURS, "not ours");
}

static void rcpt_unknown(void *arg) {
  struct work *w = arg;
  char to[64];
  snprintf(to, sizeof to, "none%u@example.org", w->next++);
  count_must(kit_rcpt(w->k, to, 4096) == RCPT_UNKNOWN, "is known");
}

/* Ten messages come in one by one, are listed and read, and go with QUIT. */
static void maildrop(void *arg) {
  struct work *w = arg;
  struct buf text;
  buf_init(&text, COUNT_MESSAGE_MAX);
  for (unsigned i = 0; i < DROP; i++)
    count_must(kit_deliver(w->k, "user0@example.org", w->message) == COMMIT_DONE, "not committed");
  struct drop *d = kit_open_drop(w->k, 1, 1);
  count_must(d->opened.count == DROP, "messages are missing");
  for (unsigned i = 0; i < DROP; i++) {
    buf_reset(&text);
    count_must(kit_read(w->k, 1, d->uid[i], &text) == POP_DONE, "not read");
    kit_delete(w->k, 1, d->uid[i]);
  }
  count_must(kit_quit(w->k, 1).outcome == POP_DONE, "not deleted");
  buf_free(&text);
}

const struct count_unit count_store[] = {
  { "store-commit-1", 1, begin_1, commit, work_end },
  { "store-commit-20", USERS, begin_20, commit, work_end },
  { "store-commit-50k", 1, begin_file, commit, work_end },
  { "store-leaves-20", USERS, begin_20, commit_leaving, work_end },
  { "store-rcpt", 1, begin_users, rcpt, work_end },
  { "store-rcpt-fresh", 1, begin_fresh, rcpt_fresh, work_end },
  { "store-rcpt-unknown", 1, begin_users, rcpt_unknown, work_end },
  { "store-maildrop-10", 1, begin_drop, maildrop, work_end },
  { .name = NULL },
};
