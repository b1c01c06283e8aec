/* SPDX-License-Identifier: ISC */
/* The store behind front-ends that were taken over. auth's grants are real ones, and come when the
 * input says so; nothing is opened without one, every job ends, and when the front-ends are gone
 * the maildrop is whole.
 *
 *   what % 8    0, 1: smtpd sends     2 to 4: pop3d sends     5: auth grants the session     6:
 * jobs run     7: a process dies */
#include "tests/fuzz/hostile.h"

#include "ipc/auth_store.h"
#include "ipc/cli_process.h"
#include "ipc/pop3d_store.h"
#include "ipc/smtpd_store.h"
#include "src/store/store.h"

enum { SMTPD = 11, POP3D, AUTH, CLI, INPUTS = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct disk *disk;
static struct conf *conf;
static struct store *store;
static struct store_engine *writer, *reader;
static struct store_job *writes, *reads;
static struct hostile smtpd = { .pair = &ipc_smtpd_store }, pop3d = { .pair = &ipc_pop3d_store };
static bool granted[HOSTILE_SESSIONS];
static int64_t now_s = 1700000000;
static uint64_t account;
static enum cli_code done;

static void from_store(void *arg, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                       struct slice payload, int fd) {
  struct pop_opened opened;
  struct cli_row row;
  struct cli_done end;
  if (fd >= 0) close(fd);
  if (kind == ROLE_SMTPD) hostile_answer(&smtpd, type, tag);
  if (kind == ROLE_POP3D) hostile_answer(&pop3d, type, tag);
  if (kind == ROLE_POP3D && type == pop_opened_type && pop_opened_get(payload, &opened) &&
      opened.outcome == POP_DONE && !granted[tag])
    abort();
  if (kind == ROLE_CLI && type == cli_row_type && cli_row_get(payload, &row) && !account) {
    struct slice id;
    if (ipc_list_next(&row.values, &id))
      account = strtoull((const char[]){ (char)id.p[0], 0 }, NULL, 10);
  }
  if (kind == ROLE_CLI && type == cli_done_type && cli_done_get(payload, &end))
    done = (enum cli_code)end.code;
}

static void enqueue(void *arg, struct store_job *job, bool is_write) {
  struct store_job **at = is_write ? &writes : &reads, *last = *at;
  store_job_link(job, NULL);
  while (last && store_job_next(last)) last = store_job_next(last);
  if (last)
    store_job_link(last, job);
  else
    *at = job;
}

static void set_state(void *arg, enum role kind, uint32_t number, uint64_t tag, uint8_t state) {
  struct hostile *h = kind == ROLE_POP3D ? &pop3d : kind == ROLE_SMTPD ? &smtpd : NULL;
  if (h && tag < HOSTILE_SESSIONS) h->state[tag] = state;
}

static void fill(void *arg, void *to, size_t n) { memset(to, 7, n); }

static void finish_all(struct store_job *jobs) {
  for (struct store_job *j = jobs, *next; j; j = next) {
    next = store_job_next(j);
    store_finish(store, j);
  }
}

static void pump(void) {
  for (unsigned turns = 0; writes || reads; turns++) {
    struct store_job *w = writes, *r = reads;
    writes = reads = NULL;
    if (turns > 100000) abort(); /* it makes jobs of jobs without end */
    if (w && !store_write_group(writer, w)) abort();
    finish_all(w);
    for (struct store_job *j = r; j; j = store_job_next(j)) store_read(reader, j);
    finish_all(r);
  }
}

static void command(const char *words) {
  struct slice rest = slice_str(words);
  struct buf list, b;
  buf_init(&list, 1000), buf_init(&b, 1000);
  while (rest.p) ipc_list_put(&list, slice_split(&rest, ' '));
  cli_command_put(&b, &(struct cli_command){ buf_slice(&list) });
  done = CLI_CODES;
  if (!store_message(store, ROLE_CLI, CLI,
                     &(struct ipc_msg){ cli_command_type, 0, buf_slice(&b), -1 }, now_s))
    abort();
  pump();
  if (done != CLI_OK) abort();
  buf_free(&list), buf_free(&b);
}

static void open_all(void) {
  struct store_shell shell = { NULL, from_store, enqueue, set_state, NULL, NULL, fill };
  struct buf err;
  buf_init(&err, 4096);
  disk = hostile_disk();
  conf = conf_defaults();
  conf->store_free_space = 0;
  conf->quota = 256 * 1024;
  conf->body_threshold = 1024;
  store = store_new(disk, conf, &shell, &err);
  writer = store ? store_engine_open(disk, conf, true, &err) : NULL;
  reader = writer ? store_engine_open(disk, conf, false, &err) : NULL;
  if (!reader) abort();
  buf_free(&err);
  account = 0;
  command("domain add example.org");
  account = 0;
  command("account add a@example.org");
  if (!account) abort();
}

static void close_all(void) {
  store_free(&store);
  store_engine_close(&reader);
  store_engine_close(&writer);
  conf_free(&conf);
  disk_posix_close(&disk);
  hostile_remove();
  hostile_path[0] = 0;
}

static void lost(enum role kind) {
  store_process_lost(store, kind, kind == ROLE_SMTPD ? SMTPD : POP3D);
  memset(kind == ROLE_SMTPD ? smtpd.state : pop3d.state, 0, sizeof pop3d.state);
  if (kind == ROLE_POP3D) memset(granted, 0, sizeof granted);
}

static void grant(uint8_t session) {
  struct buf b;
  buf_init(&b, 64);
  auth_grant_put(&b, &(struct auth_grant){ POP3D, session, account });
  granted[session] = true;
  if (!store_message(store, ROLE_AUTH, AUTH,
                     &(struct ipc_msg){ auth_grant_type, session, buf_slice(&b), -1 }, now_s))
    abort();
  buf_free(&b);
}

static void take(const struct record *r) {
  struct ipc_msg m;
  unsigned what = r->what % 8;
  enum role kind = what < 2 ? ROLE_SMTPD : ROLE_POP3D;
  if (what < 5) {
    bool ok = hostile_message(what < 2 ? &smtpd : &pop3d, r, &m) &&
              store_message(store, kind, what < 2 ? SMTPD : POP3D, &m, now_s);
    if (!ok) lost(kind); /* it is killed for that */
  } else if (what == 5) {
    grant(r->session);
  } else if (what == 6) {
    pump();
  } else {
    lost(r->which & 1 ? ROLE_SMTPD : ROLE_POP3D);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static unsigned inputs;
  struct slice in = slice_of(data, size);
  struct record r;
  if (!store) open_all();
  while (record_next(&in, &r)) take(&r);
  lost(ROLE_SMTPD), lost(ROLE_POP3D);
  pump();
  store_tick(store);
  pump();
  if (store_jobs_out(store) || store_waits(store)) abort();
  now_s++;
  if (++inputs % INPUTS) return 0;
  command("check");
  close_all();
  return 0;
}
