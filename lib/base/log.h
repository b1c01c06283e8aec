/* SPDX-License-Identifier: ISC */
/* The log: each event, with its fields, is one write that never blocks.
 *
 * A process does not write log lines. It writes *records* into a pipe that the parent reads; the
 * parent renders them as lines, with the time, the level and its own name for the process first
 * (src/parent/logs.c). So a process cannot log in another's name, cannot end a line early, and
 * cannot block because nobody reads the log: a record that finds the pipe full is lost and counted.
 *
 * Events and fields are the rows of log_events.def. Only a role logs; library code returns. No
 * password and no message body is ever a value. */
#ifndef QASID_BASE_LOG_H
#define QASID_BASE_LOG_H

#include "lib/base/buf.h"

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };
enum log_format { LOG_LOGFMT, LOG_JSON };

enum log_field {
#define LOG_FIELD(name, word, meaning) LOG_F_##name,
#define LOG_EVENT(name, word, level, meaning, fields)
#include "lib/base/log_events.def"
#undef LOG_FIELD
#undef LOG_EVENT
  LOG_FIELDS
};

enum log_event {
#define LOG_FIELD(name, word, meaning)
#define LOG_EVENT(name, word, level, meaning, fields) LOG_E_##name,
#include "lib/base/log_events.def"
#undef LOG_FIELD
#undef LOG_EVENT
  LOG_EVENTS
};

struct log_field_row {
  const char *word, *meaning;
};
struct log_event_row {
  const char *word;
  enum log_level level;
  const char *meaning;
  uint64_t fields; /* bit LOG_F_X: the event may have the field */
};
extern const struct log_field_row log_fields[LOG_FIELDS];
extern const struct log_event_row log_events[LOG_EVENTS];

enum {
  LOG_RECORD_MAX = 4096, /* PIPE_BUF: written whole or not at all */
  LOG_RECORD_MARK = 1,   /* a record's first octet; then its length, 2 octets, and the event */
  LOG_RECORD_HEAD = 4,
};

struct log {
  int fd; /* a pipe to the parent that does not block */
  enum log_level least;
  uint64_t lost; /* records that the pipe did not accept, not reported yet */
  /* Receives the records in place of `fd`: for the parent's own log, and for tests. */
  void (*take)(void *arg, struct slice record);
  void *arg;
};

/* A record being built. One that is too long loses its later fields. */
struct log_line {
  struct log *log;
  bool on;
  enum log_event event;
  size_t n;
  uint8_t octets[LOG_RECORD_MAX];
};

/* log_open(&l, log, LOG_E_CLOSED); log_str(&l, LOG_F_WHY, s); log_num(&l, LOG_F_IN, n);
 * log_end(&l); A `log` of NULL logs nothing. A field that the event's row does not name is a bug.
 */
void log_open(struct log_line *l, struct log *log, enum log_event event);
void log_str(struct log_line *l, enum log_field field, struct slice value);
void log_cstr(struct log_line *l, enum log_field field, const char *value);
void log_num(struct log_line *l, enum log_field field, uint64_t value);
void log_end(struct log_line *l);

/* An event with a formatted `msg` and nothing else: start, stop, failures of the environment. */
void log_print(struct log *log, enum log_event event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- from records to lines --- */

/* Takes one record off `*in`. 1: `*ret` is it. 0: more octets are needed. -1: the octets are no
 * record; `*ret` is text, up to the next LF or record mark, that was written to standard error. */
int log_next_record(struct slice *in, struct slice *ret);

/* What precedes a line; an empty `time` is omitted. */
struct log_stamp {
  const char *time, *process;
};
/* The level of a record; false: it is malformed (an unknown event or field, a field that the event
 * does not have, lengths that do not add up). */
bool log_record_level(struct slice record, enum log_level *ret);
/* Renders a well-formed record as a line, without LF: logfmt or JSON. Every value is quoted where
 * necessary and escaped, so that no value can end the line or start a field. */
void log_render(struct buf *out, enum log_format format, const struct log_stamp *stamp,
                struct slice record);
const char *log_level_word(enum log_level level);

#endif
