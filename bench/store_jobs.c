/* SPDX-License-Identifier: ISC */
/* What a message costs the store, from smtpd's question to the answer, and what a maildrop costs. A
 * report, never a test.
 *
 *   store_jobs [FOLDER]      a new folder below FOLDER (default /var/tmp) is used and removed
 *
 * The core runs in this process on the real disk, its jobs in groups of a fixed size on the same
 * thread. Channels and threads are not part of the figures. CPU is this thread's, kernel included.
 */
#include "ipc/auth_store.h"
#include "ipc/cli_process.h"
#include "ipc/pop3d_store.h"
#include "ipc/smtpd_store.h"
#include "src/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SMTPD = 1, POP3D = 2, AUTH = 3, CLI = 4, GROUP_MOST = 100, ACCOUNTS_MOST = 1000 };

struct bench {
  char path[200];
  struct disk *disk;
  struct conf *conf;
  struct store *store;
  struct store_engine *writer, *reader;
  struct store_job *jobs, *last; /* that write */
  struct store_job *read;        /* the one that reads; NULL: none */
  unsigned answers, refused;
  uint8_t body[64 * 1024];
};

static double clock_us(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}
static double cpu_us(void) { return clock_us(CLOCK_THREAD_CPUTIME_ID); }

static void on_send(void *arg, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                    struct slice payload, int fd) {
  struct bench *b = arg;
  struct smtp_committed c;
  b->answers++;
  if (kind == ROLE_SMTPD && type == smtp_committed_type)
    b->refused += !smtp_committed_get(payload, &c) || c.outcome != COMMIT_DONE;
  if (fd >= 0) close(fd);
}

static void on_enqueue(void *arg, struct store_job *job, bool is_write) {
  struct bench *b = arg;
  store_job_link(job, NULL);
  if (!is_write) {
    b->read = job;
    return;
  }
  if (b->last)
    store_job_link(b->last, job);
  else
    b->jobs = job;
  b->last = job;
}

static void on_set_state(void *arg, enum role kind, uint32_t number, uint64_t tag, uint8_t state) {}

static void fail(const char *what) {
  fprintf(stderr, "store_jobs: %s\n", what);
  exit(1);
}

static void open_store(struct bench *b, uint64_t threshold) {
  const struct store_shell shell = { b, on_send, on_enqueue, on_set_state };
  struct buf err;
  int error;
  buf_init(&err, 1000);
  if (!mkdtemp(b->path)) fail("no folder can be made");
  b->disk = disk_posix_open(b->path, &error);
  b->conf = conf_defaults();
  b->conf->body_threshold = threshold;
  b->store = b->disk ? store_new(b->disk, b->conf, &shell, &err) : NULL;
  if (b->store) b->writer = store_engine_open(b->disk, b->conf, true, &err);
  if (b->writer) b->reader = store_engine_open(b->disk, b->conf, false, &err);
  if (!b->reader) fail(buf_cstr(&err));
  buf_free(&err);
}

static void close_store(struct bench *b) {
  char command[256];
  store_free(&b->store);
  store_engine_close(&b->reader);
  store_engine_close(&b->writer);
  disk_posix_close(&b->disk);
  conf_free(&b->conf);
  snprintf(command, sizeof command, "rm -rf '%s'", b->path);
  if (system(command) != 0) fail("the folder can't be removed");
}

static struct store_job *take_jobs(struct bench *b) {
  struct store_job *jobs = b->jobs;
  b->jobs = b->last = NULL;
  return jobs;
}

static void finish(struct bench *b, struct store_job *jobs) {
  for (struct store_job *next; jobs; jobs = next) {
    next = store_job_next(jobs);
    store_finish(b->store, jobs);
  }
}

static void say(struct bench *b, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                const struct buf *payload) {
  struct ipc_msg m = { type, tag, payload ? buf_slice(payload) : SLICE_NONE, -1 };
  if (!store_message(b->store, kind, number, &m, 1700000000)) fail("a message was refused");
}

static void write_all(struct bench *b) {
  struct store_job *jobs = take_jobs(b);
  if (!store_write_group(b->writer, jobs)) fail("the disk failed");
  finish(b, jobs);
}

static void command(struct bench *b, const char *words) {
  struct buf list, payload;
  struct slice rest = slice_str(words);
  buf_init(&list, 4096);
  buf_init(&payload, 8192);
  while (rest.p) ipc_list_put(&list, slice_split(&rest, ' '));
  cli_command_put(&payload, &(struct cli_command){ buf_slice(&list) });
  say(b, ROLE_CLI, CLI, cli_command_type, 0, &payload);
  buf_free(&list);
  buf_free(&payload);
  write_all(b);
}

static void make_accounts(struct bench *b, int accounts) {
  command(b, "domain add example.org");
  for (int i = 0; i < accounts; i++) {
    char words[64];
    snprintf(words, sizeof words, "account add user%d@example.org", i);
    command(b, words);
  }
}

static void put_commit(struct bench *b, struct buf *payload, int account, size_t size) {
  struct buf list;
  char to[64];
  buf_init(&list, 100);
  buf_init(payload, IPC_PAYLOAD_MAX);
  snprintf(to, sizeof to, "user%d@example.org", account);
  envelope_rcpt_put(&list, &(struct envelope_rcpt){ .address = slice_str(to) });
  smtp_commit_put(
      payload,
      &(struct smtp_commit){
          .envelope = { .return_path = SLICE("sender@example.com"), .rcpts = buf_slice(&list) },
          .end = { .id = SLICE("6b04ac58.4.1-301"), .tail = slice_of(b->body, size) } });
  buf_free(&list);
}

struct figures {
  double cpu, housekeeping, wall; /* microseconds in all */
  uint64_t written;               /* octets */
};

/* Octets that this process has written to files so far. */
static uint64_t written(void) {
  char line[100];
  unsigned long long n = 0;
  FILE *f = fopen("/proc/self/io", "r");
  while (f && fgets(line, sizeof line, f)) sscanf(line, "wchar: %llu", &n);
  if (f) fclose(f);
  return n;
}

static void one_group(struct bench *b, struct buf *payloads, int group, struct figures *f) {
  double wall = clock_us(CLOCK_MONOTONIC), cpu = cpu_us();
  for (int i = 0; i < group; i++)
    say(b, ROLE_SMTPD, SMTPD, smtp_commit_type, (uint64_t)i, &payloads[i]);
  write_all(b);
  double after = cpu_us();
  f->cpu += after - cpu;
  if (store_housekeeping_when(b->writer) == STORE_HOUSEKEEPING_NOW) store_idle(b->writer);
  f->housekeeping += cpu_us() - after;
  f->wall += clock_us(CLOCK_MONOTONIC) - wall;
}

static void deliver(struct bench *b, int group, int accounts, size_t size, int messages,
                    struct figures *f) {
  struct buf payloads[GROUP_MOST];
  unsigned chance = 1;
  uint64_t before = written();
  for (int done = 0; done < messages; done += group) {
    for (int i = 0; i < group; i++)
      put_commit(b, &payloads[i], (int)(rand_r(&chance) % (unsigned)accounts), size);
    one_group(b, payloads, group, f);
    for (int i = 0; i < group; i++) buf_free(&payloads[i]);
  }
  f->written += written() - before;
  if (b->refused) fail("mail was refused");
}

static void report_delivery(const char *below, int group, int accounts, size_t size, int messages,
                            uint64_t threshold) {
  static struct bench b;
  struct figures f = { 0 };
  b = (struct bench){ .refused = 0 };
  snprintf(b.path, sizeof b.path, "%s/qasid-store-XXXXXX", below);
  memset(b.body, 'x', sizeof b.body);
  memcpy(b.body + size - 2, "\r\n", 2);
  open_store(&b, threshold);
  make_accounts(&b, accounts);
  deliver(&b, group, accounts, size, messages, &f);
  printf("%6zu octets, groups of %3d, %4d mailboxes, %-8s %6.1f us CPU + %5.1f us checkpoints, "
         "%7.0f/s, %6.0f octets written\n",
         size, group, accounts, size + 60 > threshold ? "in files" : "inline", f.cpu / messages,
         f.housekeeping / messages, messages / (f.wall / 1e6), (double)f.written / messages);
  close_store(&b);
}

static void report_rcpt(struct bench *b) {
  struct buf list, payload;
  enum { N = 100000 };
  buf_init(&list, 100);
  buf_init(&payload, 200);
  envelope_rcpt_put(&list, &(struct envelope_rcpt){ .address = SLICE("user0+detail@example.org") });
  smtp_rcpt_put(&payload,
                &(struct smtp_rcpt){ .envelope = { .size = 4096, .rcpts = buf_slice(&list) } });
  double cpu = cpu_us();
  for (int i = 0; i < N; i++) say(b, ROLE_SMTPD, SMTPD, smtp_rcpt_type, 1, &payload);
  printf("RCPT: %.2f us CPU\n", (cpu_us() - cpu) / N);
  buf_free(&list);
  buf_free(&payload);
}

static void report_open(struct bench *b, unsigned messages) {
  struct buf payload;
  buf_init(&payload, 100);
  auth_grant_put(&payload, &(struct auth_grant){ POP3D, 1, 1 });
  say(b, ROLE_AUTH, AUTH, auth_grant_type, 1, &payload);
  double cpu = cpu_us();
  say(b, ROLE_POP3D, POP3D, pop_open_type, 1, NULL);
  struct store_job *job = b->read;
  store_read(b->reader, job);
  finish(b, job);
  printf("open a maildrop of %u messages: %.1f ms CPU\n", messages, (cpu_us() - cpu) / 1e3);
  buf_free(&payload);
}

static void report_quit(struct bench *b, unsigned deletes) {
  struct buf uids, payload;
  buf_init(&uids, 4 * (size_t)deletes);
  buf_init(&payload, IPC_PAYLOAD_MAX);
  for (uint32_t uid = 1; uid <= deletes; uid++) wire_put_u32(&uids, uid);
  pop_delete_put(&payload, &(struct pop_delete){ buf_slice(&uids) });
  uint64_t before = written();
  double cpu = cpu_us();
  say(b, ROLE_POP3D, POP3D, pop_delete_type, 1, &payload);
  say(b, ROLE_POP3D, POP3D, pop_quit_type, 1, NULL);
  write_all(b);
  printf("QUIT with %u deletions: %.1f ms CPU, %.1f MB written\n", deletes, (cpu_us() - cpu) / 1e3,
         (double)(written() - before) / 1e6);
  buf_free(&uids);
  buf_free(&payload);
}

static void report_maildrop(const char *below, unsigned messages, size_t size) {
  static struct bench b;
  struct figures f = { 0 };
  snprintf(b.path, sizeof b.path, "%s/qasid-store-XXXXXX", below);
  memset(b.body, 'x', sizeof b.body);
  open_store(&b, 32768);
  make_accounts(&b, 1);
  deliver(&b, GROUP_MOST, 1, size, (int)messages, &f);
  report_rcpt(&b);
  report_open(&b, messages);
  report_quit(&b, 10000);
  close_store(&b);
}

/* deliver:GROUP:ACCOUNTS:SIZE:MESSAGES, or maildrop:MESSAGES:SIZE */
static void one(const char *below, const char *work) {
  int group, accounts, messages;
  size_t size;
  if (sscanf(work, "deliver:%d:%d:%zu:%d", &group, &accounts, &size, &messages) == 4)
    report_delivery(below, group, accounts, size, messages, 65536);
  else if (sscanf(work, "maildrop:%d:%zu", &messages, &size) == 2)
    report_maildrop(below, (unsigned)messages, size);
  else
    fail("what work is that?");
}

int main(int argc, char **argv) {
  const char *below = argc > 1 ? argv[1] : "/var/tmp";
  for (int i = 2; i < argc; i++) one(below, argv[i]);
  if (argc > 2) return 0;
  static const size_t sizes[] = { 16000, 32000, 50000, 60000 };
  for (int group = 1; group <= 20; group = group == 1 ? 10 : 2 * group)
    report_delivery(below, group, 100, 4096, 4000, 32768);
  report_delivery(below, 20, ACCOUNTS_MOST, 4096, 4000, 32768);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    report_delivery(below, 10, 100, sizes[i], 1000, 65536);
    report_delivery(below, 10, 100, sizes[i], 1000, 0);
  }
  report_maildrop(below, 100000, 1000);
  return 0;
}
