/* SPDX-License-Identifier: ISC */
/* Reads the log pipes of the processes (logs.h): one source for each process, whose records are
 * split, rate-limited and passed to log_out.c under the process's name.
 * Invariants: a source names its process itself, whatever the record says; it is freed when the
 * last writer has closed the pipe and all was read; lines above the rate are counted, and the count
 * is logged. */
#include "src/parent/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_MAX = 64 * 1024 };

struct log_source {
  struct log_source *next;
  struct logs *logs;
  int fd;
  struct loop_io *io;
  char process[24];
  struct buf in;
  uint64_t allowed; /* lines, in thousandths, as of since_ms */
  uint64_t since_ms;
  uint64_t lost; /* lines beyond the rate, not yet logged */
};

struct logs {
  struct loop *loop;
  struct log_out *out;
  struct log_source *sources;
  uint64_t rate; /* lines a second; 0: any */
};

/* --- records of a source --- */

struct relay {
  struct log_out *out;
  const char *process;
};

static void relay_take(void *arg, struct slice record) {
  const struct relay *r = arg;
  log_out_put(r->out, r->process, record);
}

/* A record about a process, made here. */
static void notice_of(struct log_source *s, enum log_event event, struct slice msg) {
  struct relay to = { s->logs->out, s->process };
  struct log log = { .take = relay_take, .arg = &to };
  struct log_line l;
  log_open(&l, &log, event);
  log_str(&l, LOG_F_MSG, msg);
  log_end(&l);
}

static void report_lost(struct log_source *s) {
  struct relay to = { s->logs->out, s->process };
  struct log log = { .take = relay_take, .arg = &to };
  struct log_line l;
  if (!s->lost) return;
  log_open(&l, &log, LOG_E_LOG_LOST);
  log_num(&l, LOG_F_COUNT, s->lost);
  log_cstr(&l, LOG_F_WHY, "log_lines_per_second");
  log_end(&l);
  s->lost = 0;
}

static bool may_log(struct log_source *s) {
  uint64_t rate = s->logs->rate, now = loop_now(s->logs->loop), most = rate * 1000 * LOGS_BURST_S;
  if (!rate) return true;
  uint64_t passed =
      now - s->since_ms < LOGS_BURST_S * 1000 ? now - s->since_ms : LOGS_BURST_S * 1000;
  s->since_ms = now;
  s->allowed = s->allowed + passed * rate < most ? s->allowed + passed * rate : most;
  if (s->allowed < 1000) {
    s->lost++;
    return false;
  }
  s->allowed -= 1000;
  return true;
}

static void take(struct log_source *s, struct slice record, bool is_record) {
  enum log_level level;
  if (!is_record && record.n == 0) return;
  if (!may_log(s)) return;
  report_lost(s);
  if (!is_record)
    notice_of(s, LOG_E_STDERR, record);
  else if (log_record_level(record, &level))
    log_out_put(s->logs->out, s->process, record);
  else
    notice_of(s, LOG_E_LOG_MALFORMED, SLICE("a record that no table has"));
}

static void take_all(struct log_source *s, bool last) {
  struct slice rest = buf_slice(&s->in), record;
  for (int kind; (kind = log_next_record(&rest, &record)) != 0;) take(s, record, kind == 1);
  buf_drop(&s->in, buf_len(&s->in) - rest.n);
  if (!last) return;
  take(s, buf_slice(&s->in), false); /* text without a line end, or half a record */
  report_lost(s);
}

/* Reads once: READ_ENDED when the last writer has closed it. */
enum log_reading { READ_SOME, READ_NOTHING, READ_ENDED };

static enum log_reading read_source(struct log_source *s) {
  uint8_t *at = buf_reserve(&s->in, READ_MAX);
  if (!at) return READ_NOTHING; /* no memory: tried again in a later turn */
  ssize_t n = read(s->fd, at, READ_MAX);
  if (n < 0) return errno == EAGAIN || errno == EINTR ? READ_NOTHING : READ_ENDED;
  buf_added(&s->in, (size_t)n);
  take_all(s, n == 0);
  return n > 0 ? READ_SOME : READ_ENDED;
}

/* --- life --- */

static void source_free(struct log_source *s) {
  struct log_source **at = &s->logs->sources;
  while (*at != s) at = &(*at)->next;
  *at = s->next;
  loop_io_free(&s->io);
  close(s->fd);
  buf_free(&s->in);
  free(s);
}

static void on_readable(void *arg, int ready) {
  struct log_source *s = arg;
  if (read_source(s) == READ_ENDED) source_free(s);
}

int logs_source(struct logs *l, const char *process) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
  struct log_source *s = calloc(1, sizeof *s);
  fcntl(ends[0], F_SETPIPE_SZ, LOGS_PIPE); /* a smaller pipe than requested will do */
  if (s) s->io = loop_io_new(l->loop, ends[0], on_readable, s);
  if (!s || !s->io) {
    close(ends[0]);
    close(ends[1]);
    free(s);
    return -1;
  }
  s->logs = l;
  s->fd = ends[0];
  snprintf(s->process, sizeof s->process, "%s", process);
  buf_init(&s->in, 2 * READ_MAX);
  s->since_ms = loop_now(l->loop);
  s->allowed = l->rate * 1000 * LOGS_BURST_S;
  s->next = l->sources;
  l->sources = s;
  return ends[1];
}

struct logs *logs_new(struct loop *loop) {
  struct logs *l = calloc(1, sizeof *l);
  if (!l) return NULL;
  l->loop = loop;
  l->out = log_out_new(loop);
  if (l->out) return l;
  free(l);
  return NULL;
}

void logs_free(struct logs **lptr) {
  struct logs *l = *lptr;
  *lptr = NULL;
  if (!l) return;
  while (l->sources) {
    while (read_source(l->sources) == READ_SOME) continue;
    source_free(l->sources);
  }
  log_out_free(&l->out);
  free(l);
}

bool logs_configure(struct logs *l, const struct conf *conf, struct buf *err) {
  l->rate = conf->log_lines_per_second;
  return log_out_aim(l->out, conf, err);
}

static void own_take(void *arg, struct slice record) {
  log_out_put(((struct logs *)arg)->out, "parent", record);
}

void logs_own(struct logs *l, struct log *log) {
  *log = (struct log){ .fd = -1, .least = LOG_INFO_, .take = own_take, .arg = l };
}
