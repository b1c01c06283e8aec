#include "lib/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LOG_LINE_MAX = 4096 }; /* PIPE_BUF: one write stays one line */

static const char *const level_names[] = { "debug", "info", "warn", "error" };

/* Quotes as JSON does; octets outside printable ASCII become \u00XX, so the line stays one line
 * and stays UTF-8 whatever the peer sent. */
static void put_quoted(struct buf *b, struct slice s) {
  buf_put_u8(b, '"');
  for (size_t i = 0; i < s.n && buf_room(b) > 64; i++) {
    uint8_t c = s.p[i];
    if (c == '"' || c == '\\') buf_put_u8(b, '\\');
    if (ascii_is_print(c)) buf_put_u8(b, c);
    else buf_printf(b, "\\u%04x", c);
  }
  buf_put_u8(b, '"');
}

static bool is_plain(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_print(s.p[i]) || strchr(" \"=\\", s.p[i])) return false;
  return s.n > 0;
}

static void put_key(struct log_line *l, const char *key) {
  if (l->log->format == LOG_JSON) buf_printf(&l->b, "%s\"%s\":", buf_len(&l->b) > 1 ? "," : "", key);
  else buf_printf(&l->b, "%s%s=", buf_len(&l->b) ? " " : "", key);
}

void log_str(struct log_line *l, const char *key, struct slice value) {
  /* A line too long loses its later values, never its end. */
  if (!l->on || buf_room(&l->b) < strlen(key) + 128) return;
  put_key(l, key);
  if (l->log->format == LOG_LOGFMT && is_plain(value) && value.n + 64 < buf_room(&l->b))
    buf_put(&l->b, value);
  else put_quoted(&l->b, value);
}

void log_cstr(struct log_line *l, const char *key, const char *value) {
  log_str(l, key, slice_str(value));
}

void log_num(struct log_line *l, const char *key, uint64_t value) {
  if (!l->on || buf_room(&l->b) < strlen(key) + 128) return;
  put_key(l, key);
  buf_put_dec(&l->b, value);
}

void log_open(struct log_line *l, const struct log *log, enum log_level level, const char *event) {
  l->log = log;
  l->on = level >= log->least;
  buf_init(&l->b, LOG_LINE_MAX);
  if (!l->on) return;
  struct timespec now;
  struct tm utc;
  char stamp[40];
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &utc);
  size_t n = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(stamp + n, sizeof stamp - n, ".%03ldZ", now.tv_nsec / 1000000);
  if (log->format == LOG_JSON) buf_put_u8(&l->b, '{');
  log_cstr(l, "time", stamp);
  log_cstr(l, "level", level_names[level]);
  log_cstr(l, "room", log->role);
  log_cstr(l, "event", event);
}

void log_end(struct log_line *l) {
  if (l->on) {
    buf_put_str(&l->b, l->log->format == LOG_JSON ? "}\n" : "\n");
    struct slice line = buf_slice(&l->b);
    ssize_t n = write(l->log->fd, line.p, line.n);
    (void)n; /* nowhere left to complain to */
  }
  buf_free(&l->b);
}

void log_say(const struct log *log, enum log_level level, const char *event, const char *fmt, ...) {
  char msg[1024];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(msg, sizeof msg, fmt, ap);
  va_end(ap);
  struct log_line l;
  log_open(&l, log, level, event);
  log_cstr(&l, "msg", msg);
  log_end(&l);
}
