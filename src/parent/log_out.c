/* SPDX-License-Identifier: ISC */
/* Where log lines go: standard error, the journal, syslog or a file, in the formats of `log_format`
 * (log_out.h). Invariants: no write ever waits; lines that the other end does not accept are kept
 * up to LOG_OUT_MAX octets and retried with a growing pause; beyond that they are counted and the
 * count is logged. A line is written whole or, across several writes, continued before the next. */
#include "src/parent/log_out.h"

#include "lib/base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
  LINE_MAX_ = 32 * 1024, /* a record with every octet escaped, and what stands before it */
  AGAIN_MS = 10,         /* until the next attempt to write to a slow reader; doubles up to … */
  AGAIN_MOST_MS = 1000,
  SYSLOG_MAIL = 2 << 3, /* LOG_MAIL */
};

/* How `fd` is written without blocking. */
enum log_way {
  WAY_PLAIN,  /* a file on a disk, or a descriptor of ours that does not block */
  WAY_SOCKET, /* MSG_DONTWAIT */
  /* shared with others, and cannot be reopened: polled first, PIPE_BUF octets at a time */
  WAY_POLLED,
  WAY_SYSLOG, /* a datagram a line */
};

struct log_out {
  struct loop *loop;
  struct loop_later later;
  struct loop_timer *again;
  uint64_t again_ms;
  int fd;
  enum log_way way;
  bool owned;   /* the descriptor is ours to close */
  bool journal; /* standard error is the journal */
  bool syslog;
  enum log_format format;
  struct buf lines;
  uint64_t lost;
};

/* --- where --- */

/* systemd names the journal's descriptor: "DEVICE:INODE" (systemd.exec(5)). */
static bool is_journal(int fd) {
  const char *stream = getenv("JOURNAL_STREAM");
  char mine[64];
  struct stat st;
  if (!stream || fstat(fd, &st) != 0) return false;
  snprintf(mine, sizeof mine, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
  return strcmp(stream, mine) == 0;
}

/* O_NONBLOCK belongs to the open file description, which is shared with the process that started
 * us: a pipe or a terminal is reopened. */
static void aim_stderr(struct log_out *o) {
  struct stat st;
  o->fd = STDERR_FILENO;
  o->owned = false;
  o->journal = is_journal(STDERR_FILENO);
  o->way = WAY_PLAIN;
  if (fstat(STDERR_FILENO, &st) != 0 || S_ISREG(st.st_mode)) return;
  o->way = S_ISSOCK(st.st_mode) ? WAY_SOCKET : WAY_POLLED;
  if (o->way == WAY_SOCKET) return;
  int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_APPEND | O_CLOEXEC | O_NOCTTY);
  if (own < 0) return;
  o->fd = own;
  o->owned = true;
  o->way = WAY_PLAIN;
}

static int open_syslog(void) {
  struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
  int why = errno;
  if (fd >= 0) close(fd);
  errno = why;
  return -1;
}

static int open_file(const char *path, struct buf *err) {
  struct stat st;
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640);
  if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) return fd;
  buf_printf(err, "log_to: %s: %s", path, fd >= 0 ? "is not a regular file" : strerror(errno));
  if (fd >= 0) close(fd);
  return -1;
}

static void close_destination(struct log_out *o) {
  if (o->owned && o->fd >= 0) close(o->fd);
  o->fd = -1;
  o->owned = o->journal = o->syslog = false;
}

static void flush(void *arg);

bool log_out_aim(struct log_out *o, const struct conf *conf, struct buf *err) {
  bool to_stderr = strcmp(conf->log_to, "stderr") == 0,
       syslog = strcmp(conf->log_to, "syslog") == 0;
  int fd = to_stderr ? -1 : syslog ? open_syslog() : open_file(conf->log_to, err);
  if (!to_stderr && fd < 0) {
    if (syslog) buf_printf(err, "log_to: /dev/log: %s", strerror(errno));
    return false;
  }
  flush(o); /* lines logged before go to the former destination */
  close_destination(o);
  o->format = (enum log_format)conf->log_format;
  if (to_stderr) {
    aim_stderr(o);
    return true;
  }
  o->fd = fd;
  o->owned = true;
  o->syslog = syslog;
  o->way = syslog ? WAY_SYSLOG : WAY_PLAIN;
  return true;
}

/* --- writing --- */

static ssize_t write_polled(int fd, struct slice s) {
  struct pollfd p = { .fd = fd, .events = POLLOUT };
  if (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT))
    return write(fd, s.p, s.n < LOG_RECORD_MAX ? s.n : LOG_RECORD_MAX);
  errno = EAGAIN;
  return -1;
}

/* A datagram for the first line. A syslog daemon that was restarted has another socket. */
static ssize_t write_syslog(struct log_out *o, struct slice s) {
  ptrdiff_t end = slice_find(s, '\n');
  size_t n = end < 0 ? s.n : (size_t)end;
  ssize_t sent = o->fd >= 0 ? send(o->fd, s.p, n, MSG_DONTWAIT | MSG_NOSIGNAL) : -1;
  if (sent < 0 && (o->fd < 0 || (errno != EAGAIN && errno != EMSGSIZE && errno != EINTR))) {
    if (o->fd >= 0) close(o->fd);
    o->fd = open_syslog();
    sent = o->fd >= 0 ? send(o->fd, s.p, n, MSG_DONTWAIT | MSG_NOSIGNAL) : -1;
  }
  if (sent < 0 && errno == EMSGSIZE)
    o->lost++;
  else if (sent < 0)
    return -1;
  return (ssize_t)n + (end >= 0);
}

static ssize_t write_some(struct log_out *o, struct slice s) {
  switch (o->way) {
  case WAY_SOCKET: return send(o->fd, s.p, s.n, MSG_DONTWAIT | MSG_NOSIGNAL);
  case WAY_POLLED: return write_polled(o->fd, s);
  case WAY_SYSLOG: return write_syslog(o, s);
  case WAY_PLAIN: break;
  }
  return write(o->fd, s.p, s.n);
}

/* True: nothing is left. */
static bool write_lines(struct log_out *o) {
  while (buf_len(&o->lines)) {
    ssize_t n = write_some(o, buf_slice(&o->lines));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    buf_drop(&o->lines, (size_t)n);
    o->again_ms = AGAIN_MS;
  }
  return true;
}

static void flush(void *arg) {
  struct log_out *o = arg;
  if (write_lines(o)) return;
  loop_timer_set(o->again, loop_now(o->loop) + o->again_ms);
  o->again_ms = o->again_ms * 2 < AGAIN_MOST_MS ? o->again_ms * 2 : AGAIN_MOST_MS;
}

/* --- lines --- */

static void put_time(char to[40], bool local_syslog) {
  struct timespec now;
  struct tm tm;
  clock_gettime(CLOCK_REALTIME, &now);
  if (local_syslog) { /* RFC 3164 §4.1.2, as syslog(3) writes it */
    localtime_r(&now.tv_sec, &tm);
    strftime(to, 40, "%b %e %H:%M:%S", &tm);
    return;
  }
  gmtime_r(&now.tv_sec, &tm);
  size_t n = strftime(to, 40, "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(to + n, 40 - n, ".%03ldZ", now.tv_nsec / 1000000);
}

/* syslog(3)'s severities */
static unsigned severity(enum log_level level) {
  static const unsigned severities[] = {
    [LOG_DEBUG_] = 7, [LOG_INFO_] = 6, [LOG_WARN_] = 4, [LOG_ERROR_] = 3
  };
  return severities[level];
}

static void put_line(struct log_out *o, const char *process, struct slice record,
                     enum log_level level) {
  struct log_stamp stamp = { "", process };
  char time[40] = "";
  struct buf line;
  if (!o->journal) put_time(time, o->syslog);
  if (!o->syslog) stamp.time = time;
  buf_init(&line, LINE_MAX_);
  if (o->journal) buf_printf(&line, "<%u>", severity(level));
  if (o->syslog)
    buf_printf(&line, "<%u>%s qasid[%d]: ", SYSLOG_MAIL | severity(level), time, (int)getpid());
  struct buf body;
  buf_init(&body, LINE_MAX_);
  log_render(&body, o->format, &stamp, record);
  buf_put(&line, buf_slice(&body));
  buf_put_u8(&line, '\n');
  if (line.failed || body.failed || buf_room(&o->lines) < buf_len(&line))
    o->lost++;
  else
    buf_put(&o->lines, buf_slice(&line));
  buf_free(&body);
  buf_free(&line);
}

static void take_lost(void *arg, struct slice record) {
  put_line(arg, "parent", record, LOG_WARN_);
}

static void report_lost(struct log_out *o) {
  struct log log = { .take = take_lost, .arg = o };
  struct log_line l;
  uint64_t lost = o->lost;
  if (!lost || buf_room(&o->lines) < 2 * LINE_MAX_) return;
  o->lost = 0;
  log_open(&l, &log, LOG_E_LOG_LOST);
  log_num(&l, LOG_F_COUNT, lost);
  log_cstr(&l, LOG_F_WHY, "the log was not read or written fast enough");
  log_end(&l);
}

void log_out_put(struct log_out *o, const char *process, struct slice record) {
  enum log_level level;
  if (!log_record_level(record, &level)) return;
  report_lost(o);
  put_line(o, process, record, level);
  loop_later(o->loop, &o->later);
}

/* --- life --- */

struct log_out *log_out_new(struct loop *loop) {
  struct log_out *o = calloc(1, sizeof *o);
  if (!o) return NULL;
  o->loop = loop;
  o->later = (struct loop_later){ .fn = flush, .arg = o };
  o->again_ms = AGAIN_MS;
  o->again = loop_timer_new(loop, flush, o);
  buf_init(&o->lines, LOG_OUT_MAX);
  aim_stderr(o);
  if (o->again) return o;
  log_out_free(&o);
  return NULL;
}

void log_out_free(struct log_out **optr) {
  struct log_out *o = *optr;
  *optr = NULL;
  if (!o) return;
  uint64_t end = sys_mono_ms() + LOG_OUT_LINGER_MS;
  report_lost(o);
  while (!write_lines(o) && sys_mono_ms() < end) poll(NULL, 0, AGAIN_MS);
  loop_later_cancel(o->loop, &o->later);
  loop_timer_free(&o->again);
  close_destination(o);
  buf_free(&o->lines);
  free(o);
}
