/* One structured line per event, in logfmt or JSON, with one write(2) to standard error.
 *
 * Only a role logs; library code returns. Every value is quoted and escaped, so nothing that a
 * peer sent can end a line or forge a field. No password and no message body is ever a value. */
#ifndef QASID_BASE_LOG_H
#define QASID_BASE_LOG_H

#include "lib/base/buf.h"

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log {
  int fd;
  enum log_format format;
  enum log_level least;
  char role[24]; /* "smtpd-3" */
};

/* A line being built. */
struct log_line {
  const struct log *log;
  bool on;
  struct buf b;
};

/* log_open(&l, log, LOG_INFO_, "closed"); log_str(&l, "why", s); log_num(&l, "in", n); log_end(&l); */
void log_open(struct log_line *l, const struct log *log, enum log_level level, const char *event);
void log_str(struct log_line *l, const char *key, struct slice value);
void log_cstr(struct log_line *l, const char *key, const char *value);
void log_num(struct log_line *l, const char *key, uint64_t value);
void log_end(struct log_line *l);

/* An event with a printf-made `msg` and nothing else: start, stop, trouble with the environment. */
void log_say(const struct log *log, enum log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
