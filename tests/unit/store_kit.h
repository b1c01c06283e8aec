/* SPDX-License-Identifier: ISC */
/* A store in a folder of its own, with a shell that runs whatever was enqueued when it is pumped:
 * all write jobs as one group, the reads one by one. It records the messages that the store
 * sends. */
#ifndef QASID_TESTS_STORE_KIT_H
#define QASID_TESTS_STORE_KIT_H

#pragma GCC diagnostic ignored "-Wunused-function" /* no test needs all of it */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/auth_store.h"
#include "ipc/cli_process.h"
#include "ipc/pop3d_store.h"
#include "ipc/smtpd_store.h"
#include "mail/surrogate.h"
#include "src/store/store.h"

enum { SMTPD = 11, POP3D = 12, POP3D_2 = 13, AUTH = 14, CLI = 15 };

struct said {
  struct said *next;
  enum role kind;
  uint32_t number;
  uint16_t type;
  uint64_t tag;
  int fd;
  struct slice payload;
  uint8_t mem[];
};

struct kit {
  char path[128];
  struct disk *disk; /* what the store is given */
  struct disk *real;
  struct conf *conf;
  struct log *log; /* NULL: none */
  struct store *store;
  struct store_engine *writer, *reader;
  struct store_job *writes, *reads;
  struct said *said, **said_end, *last; /* last: the one taken last, valid until the next */
  int64_t now_s;
  bool broken;
  uint8_t state;          /* the last set_state */
  unsigned rules_changed; /* how many pop_rules_changed were sent */
};

static void kit_send(void *arg, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                     struct slice payload, int fd) {
  struct kit *k = arg;
  if (kind == ROLE_POP3D && tag == 0 && type == pop_rules_changed_type) {
    k->rules_changed++;
    return;
  }
  struct said *x = calloc(1, sizeof *x + payload.n);
  if (!x) x = calloc(1, sizeof *x + payload.n); /* a test made the first one fail */
  assert_non_null(x);
  *x = (struct said){ NULL, kind, number, type, tag, fd, slice_of(x->mem, payload.n) };
  if (payload.n) memcpy(x->mem, payload.p, payload.n);
  *k->said_end = x;
  k->said_end = &x->next;
}

static void kit_enqueue(void *arg, struct store_job *job, bool is_write) {
  struct kit *k = arg;
  struct store_job **first = is_write ? &k->writes : &k->reads;
  store_job_link(job, NULL);
  if (!*first) {
    *first = job;
    return;
  }
  struct store_job *last = *first;
  while (store_job_next(last)) last = store_job_next(last);
  store_job_link(last, job);
}

static void kit_set_state(void *arg, enum role kind, uint32_t number, uint64_t tag, uint8_t state) {
  ((struct kit *)arg)->state = state;
}

static void kit_random(void *arg, void *to, size_t n) { memset(to, 7, n); }

static void kit_finish_all(struct kit *k, struct store_job *jobs) {
  for (struct store_job *j = jobs, *next; j; j = next) {
    next = store_job_next(j);
    store_finish(k->store, j);
  }
}

static void kit_pump(struct kit *k) {
  while (k->writes || k->reads) {
    struct store_job *writes = k->writes, *reads = k->reads;
    k->writes = k->reads = NULL;
    if (writes && !store_write_group(k->writer, writes)) k->broken = true;
    kit_finish_all(k, writes);
    for (struct store_job *j = reads; j; j = store_job_next(j)) store_read(k->reader, j);
    kit_finish_all(k, reads);
  }
}

static void kit_open(struct kit *k) {
  struct store_shell shell = { k, kit_send, kit_enqueue, kit_set_state, k->log, NULL, kit_random };
  struct buf err;
  buf_init(&err, 4096);
  k->store = store_new(k->disk, k->conf, &shell, &err);
  if (k->store) k->writer = store_engine_open(k->disk, k->conf, true, &err);
  if (k->writer) k->reader = store_engine_open(k->disk, k->conf, false, &err);
  if (!k->reader) fail_msg("%.*s", SLICE_ARG(buf_slice(&err)));
  buf_free(&err);
  k->broken = false;
}

static void kit_forget_said(struct kit *k) {
  while (k->said) {
    struct said *x = k->said;
    k->said = x->next;
    if (x->fd >= 0) close(x->fd);
    free(x);
  }
  k->said_end = &k->said;
  if (k->last && k->last->fd >= 0) close(k->last->fd);
  free(k->last);
  k->last = NULL;
}

static void kit_close(struct kit *k) {
  kit_pump(k);
  store_free(&k->store);
  kit_pump(k);
  store_engine_close(&k->reader);
  store_engine_close(&k->writer);
  kit_forget_said(k);
}

static void kit_reopen(struct kit *k) {
  kit_close(k);
  kit_open(k);
}

static int kit_setup(void **state) {
  struct kit *k = calloc(1, sizeof *k);
  int error;
  snprintf(k->path, sizeof k->path, "/tmp/qasid-store-XXXXXX");
  assert_non_null(mkdtemp(k->path));
  k->real = k->disk = disk_posix_open(k->path, &error);
  assert_non_null(k->disk);
  k->conf = conf_defaults();
  k->conf->store_free_space = 0;
  k->now_s = 1700000000;
  k->said_end = &k->said;
  kit_open(k);
  *state = k;
  return 0;
}

static int kit_teardown(void **state) {
  struct kit *k = *state;
  char command[256];
  kit_close(k);
  disk_posix_close(&k->real);
  conf_free(&k->conf);
  snprintf(command, sizeof command, "rm -rf %s", k->path);
  assert_int_equal(system(command), 0);
  free(k);
  return 0;
}

/* --- sending and receiving --- */

static bool kit_say(struct kit *k, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                    struct buf *payload) {
  struct ipc_msg m = { type, tag, payload ? buf_slice(payload) : SLICE_NONE, -1 };
  bool fine = store_message(k->store, kind, number, &m, k->now_s);
  if (payload) buf_free(payload);
  return fine;
}
/* KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_rcpt, tag, .addresses = …) */
#define KIT_SAY(k, kind, number, name, tag, ...)                   \
  ({                                                               \
    struct buf payload_;                                           \
    buf_init(&payload_, IPC_PAYLOAD_MAX);                          \
    name##_put(&payload_, &(struct name){ __VA_ARGS__ });          \
    kit_say((k), (kind), (number), name##_type, (tag), &payload_); \
  })

/* The next answer, which must be of that type. */
static struct said *kit_next(struct kit *k, uint16_t type) {
  if (!k->said) kit_pump(k);
  struct said *x = k->said;
  if (!x) fail_msg("no answer where %u was expected", type);
  k->said = x->next;
  if (!k->said) k->said_end = &k->said;
  if (k->last && k->last->fd >= 0) close(k->last->fd);
  free(k->last);
  k->last = x;
  assert_int_equal(x->type, type);
  return x;
}
#define KIT_HEAR(k, name)                                                  \
  ({                                                                       \
    struct name heard_;                                                    \
    assert_true(name##_get(kit_next((k), name##_type)->payload, &heard_)); \
    heard_;                                                                \
  })

static void kit_list(struct buf *list, const char *words) {
  struct slice rest = slice_str(words);
  buf_init(list, 60000);
  while (rest.p) ipc_list_put(list, slice_split(&rest, ' '));
}

/* The records of an envelope's recipients. */
__attribute__((unused)) static void kit_rcpts_with(struct buf *rcpts, const char *words,
                                                   uint8_t notify, const char *orcpt) {
  struct slice rest = slice_str(words);
  buf_init(rcpts, ENVELOPE_RCPTS_MAX);
  while (rest.p)
    envelope_rcpt_put(rcpts, &(struct envelope_rcpt){ .notify = notify,
                                                      .address = slice_split(&rest, ' '),
                                                      .orcpt = slice_str(orcpt) });
}

static void kit_rcpts(struct buf *rcpts, const char *words) { kit_rcpts_with(rcpts, words, 0, ""); }

/* --- administration --- */

struct answer {
  enum cli_code code;
  char text[256];
  char columns[256]; /* names with spaces between */
  char rows[65536];  /* as many as fit: values with spaces between, a line each */
  size_t count;
};

static void kit_put_row(struct answer *a, struct slice values) {
  struct slice v;
  size_t n = strlen(a->rows);
  while (n < sizeof a->rows && ipc_list_next(&values, &v)) /* more than fits is only counted */
    n += (size_t)snprintf(a->rows + n, sizeof a->rows - n, "%.*s ", SLICE_ARG(v));
  if (n && n < sizeof a->rows) a->rows[n - 1] = '\n';
  a->count++;
}

static void kit_put_columns(struct answer *a, struct slice names) {
  struct slice v;
  size_t n = 0;
  while (ipc_list_next(&names, &v))
    n += (size_t)snprintf(a->columns + n, sizeof a->columns - n, "%s%.*s", n ? " " : "",
                          SLICE_ARG(v));
}

/* Receives an answer to its end; streamed octets go into `stream` unless it is NULL. */
static struct answer kit_answer(struct kit *k, struct buf *stream) {
  struct answer a = { 0 };
  for (;;) {
    if (!k->said) kit_pump(k);
    assert_non_null(k->said);
    if (k->said->type == cli_columns_type)
      kit_put_columns(&a, KIT_HEAR(k, cli_columns).names);
    else if (k->said->type == cli_row_type)
      kit_put_row(&a, KIT_HEAR(k, cli_row).values);
    else if (k->said->type == cli_output_type) {
      struct cli_output o = KIT_HEAR(k, cli_output);
      if (stream) buf_put(stream, o.data);
    } else
      break;
  }
  struct cli_done done = KIT_HEAR(k, cli_done);
  a.code = done.code;
  snprintf(a.text, sizeof a.text, "%.*s", SLICE_ARG(done.text));
  return a;
}

static struct answer kit_command_stream(struct kit *k, const char *words, struct buf *stream) {
  struct buf list;
  kit_list(&list, words);
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_command, 0, buf_slice(&list)));
  buf_free(&list);
  return kit_answer(k, stream);
}

static struct answer kit_command(struct kit *k, const char *words) {
  return kit_command_stream(k, words, NULL);
}

static uint64_t kit_account(struct kit *k, const char *address) {
  char words[128];
  snprintf(words, sizeof words, "account add %s", address);
  struct answer a = kit_command(k, words);
  assert_int_equal(a.code, CLI_OK);
  return strtoull(a.rows, NULL, 10);
}

static uint64_t alice(struct kit *k) {
  assert_int_equal(kit_command(k, "domain add example.org").code, CLI_OK);
  return kit_account(k, "alice@example.org");
}

/* `check` finds no damage. */
static void assert_sound(struct kit *k) {
  struct answer a = kit_command(k, "check");
  if (a.code != CLI_OK) fail_msg("check: %s\n%s", a.text, a.rows);
}

/* `check` finds no damage and has nothing to report. */
static void must_be_sound(struct kit *k) {
  struct answer a = kit_command(k, "check");
  if (a.code != CLI_OK || a.count) fail_msg("check: %s\n%s", a.text, a.rows);
}

/* --- mail in --- */

static enum rcpt_verdict kit_rcpt(struct kit *k, const char *address, uint64_t size) {
  struct buf list;
  kit_rcpts(&list, address);
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_rcpt, 1,
                      .envelope = { .size = size, .rcpts = buf_slice(&list) }));
  buf_free(&list);
  struct smtp_verdicts v = KIT_HEAR(k, smtp_verdicts);
  assert_int_equal(v.verdicts.n, 1);
  return v.verdicts.p[0];
}

__attribute__((unused)) static bool kit_commit_head(struct kit *k, uint64_t tag, const char *from,
                                                    const char *to, struct slice head,
                                                    struct slice tail) {
  struct buf list;
  kit_rcpts(&list, to);
  bool fine = KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_commit, tag,
                      .envelope = { .return_path = slice_str(from), .rcpts = buf_slice(&list) },
                      .end = { .id = SLICE("Q1"), .head = head, .tail = tail });
  buf_free(&list);
  return fine;
}

static bool kit_commit(struct kit *k, uint64_t tag, const char *from, const char *to,
                       struct slice tail) {
  return kit_commit_head(k, tag, from, to, SLICE_NONE, tail);
}

static enum commit_outcome kit_deliver(struct kit *k, const char *to, struct slice tail) {
  assert_true(kit_commit(k, 7, "sender@example.com", to, tail));
  return KIT_HEAR(k, smtp_committed).outcome;
}

/* --- mail out --- */

static void kit_grant(struct kit *k, uint32_t front, uint64_t session, uint64_t account) {
  assert_true(KIT_SAY(k, ROLE_AUTH, AUTH, auth_grant, 5, front, session, account));
  assert_true(KIT_HEAR(k, auth_granted).known);
}

struct drop {
  struct pop_opened opened;
  uint32_t uid[4096];
  uint64_t size[4096];
  uint64_t surrogate[4096]; /* as mail/surrogate.h defines it */
  char uidl[4096][72];
};

static void kit_hear_listing(struct kit *k, struct drop *d) {
  uint32_t n = 0;
  bool last = false;
  while (!last) {
    struct pop_listing part = KIT_HEAR(k, pop_listing);
    struct wire w = wire_open(part.rows);
    while (w.rest.n) {
      assert_true(n < 4096);
      d->uid[n] = wire_get_u32(&w);
      d->size[n] = wire_get_u64(&w);
      uint8_t length = wire_get_u8(&w);
      d->surrogate[n] = length & POP_ROW_SURROGATE ? wire_get_u64(&w) : SURROGATE_SAME;
      length &= POP_ROW_UIDL;
      struct slice uidl = slice_first(w.rest, length);
      w.rest = slice_from(w.rest, length);
      if (length)
        snprintf(d->uidl[n], 72, "%.*s", SLICE_ARG(uidl));
      else
        snprintf(d->uidl[n], 72, "%08x%08x", (unsigned)d->opened.uidvalidity, (unsigned)d->uid[n]);
      n++;
    }
    assert_false(w.bad);
    last = part.last;
  }
  assert_int_equal(n, d->opened.count);
}

static enum pop_outcome kit_drop_open(struct kit *k, uint32_t front, uint64_t tag, struct drop *d) {
  memset(d, 0, sizeof *d);
  assert_true(KIT_SAY(k, ROLE_POP3D, front, pop_open, tag, ));
  d->opened = KIT_HEAR(k, pop_opened);
  if (d->opened.outcome == POP_DONE) kit_hear_listing(k, d);
  return d->opened.outcome;
}

/* Grants and opens. */
static struct drop *kit_open_drop(struct kit *k, uint64_t tag, uint64_t account) {
  static struct drop d;
  kit_grant(k, POP3D, tag, account);
  assert_int_equal(kit_drop_open(k, POP3D, tag, &d), POP_DONE);
  return &d;
}

/* The whole message, however the store gives it. */
static enum pop_outcome kit_read(struct kit *k, uint64_t tag, uint32_t uid, struct buf *to) {
  for (;;) {
    assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, tag, uid, buf_len(to), IPC_CHUNK));
    kit_pump(k);
    assert_non_null(k->said);
    if (k->said->type == pop_file_type) {
      struct pop_file f = KIT_HEAR(k, pop_file);
      size_t n = f.size - f.head.n;
      buf_put(to, f.head);
      uint8_t *p = buf_reserve(to, n);
      assert_non_null(p);
      assert_int_equal(pread(k->last->fd, p, n, (off_t)f.start), n);
      buf_added(to, n);
      return POP_DONE;
    }
    struct pop_chunk c = KIT_HEAR(k, pop_chunk);
    if (c.outcome != POP_DONE || !c.data.n) return c.outcome;
    buf_put(to, c.data);
  }
}

static void kit_delete(struct kit *k, uint64_t tag, uint32_t uid) {
  struct buf b;
  buf_init(&b, 4);
  wire_put_u32(&b, uid);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_delete, tag, buf_slice(&b)));
  buf_free(&b);
}

static struct pop_done kit_quit(struct kit *k, uint64_t tag) {
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_quit, tag, ));
  return KIT_HEAR(k, pop_done);
}

static void kit_idle(struct kit *k) {
  for (int i = 0; i < 1000 && store_housekeeping_when(k->writer) != STORE_NO_CHORES; i++)
    assert_true(store_idle(k->writer));
}

#endif
