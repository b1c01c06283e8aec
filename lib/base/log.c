/* SPDX-License-Identifier: ISC */
/* Log records and log lines: a process builds a record and writes it into a pipe in one
 * write(2); the parent takes records apart and renders them as logfmt or JSON.
 * Invariants: a record is at most PIPE_BUF octets, so it is written whole or not at all; a
 * record that the pipe does not take is counted, and the next one that fits is preceded by the
 * count; a field appears only in events whose row names it, once; no value can end a line or
 * start a field. */
#include "lib/base/log.h"

#include "lib/base/utf8.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

const struct log_field_row log_fields[LOG_FIELDS] = {
#define LOG_FIELD(name, word, meaning) { word, meaning },
#define LOG_EVENT(name, word, level, meaning, fields)
#include "lib/base/log_events.def"
#undef LOG_FIELD
#undef LOG_EVENT
};

#define F(name) (UINT64_C(1) << LOG_F_##name)
const struct log_event_row log_events[LOG_EVENTS] = {
#define LOG_FIELD(name, word, meaning)
#define LOG_EVENT(name, word, level, meaning, fields) { word, LOG_##level##_, meaning, fields },
#include "lib/base/log_events.def"
#undef LOG_FIELD
#undef LOG_EVENT
};
#undef F
_Static_assert(LOG_FIELDS <= 64, "a field is a bit of log_event_row.fields");
_Static_assert(LOG_EVENTS <= 256, "an event is an octet of a record");

/* A field in a record: its number, 'n' or 's', the length of the value (2 octets), the value. */
enum { FIELD_HEAD = 4 };

static const char *const level_words[] = { "debug", "info", "warn", "error" };
const char *log_level_word(enum log_level level) { return level_words[level]; }

/* --- building --- */

void log_open(struct log_line *l, struct log *log, enum log_event event) {
  l->log = log;
  l->on = log && log_events[event].level >= log->least;
  l->event = event;
  l->n = LOG_RECORD_HEAD;
}

static void put_field(struct log_line *l, enum log_field field, uint8_t kind, struct slice value) {
  assert(log_events[l->event].fields & UINT64_C(1) << field);
  if (!l->on || l->n + FIELD_HEAD > sizeof l->octets) return;
  value = slice_first(value, sizeof l->octets - l->n - FIELD_HEAD);
  uint8_t *at = l->octets + l->n;
  at[0] = (uint8_t)field;
  at[1] = kind;
  at[2] = (uint8_t)(value.n >> 8);
  at[3] = (uint8_t)value.n;
  if (value.n) memcpy(at + FIELD_HEAD, value.p, value.n);
  l->n += FIELD_HEAD + value.n;
}

void log_str(struct log_line *l, enum log_field field, struct slice value) {
  put_field(l, field, 's', value);
}

void log_cstr(struct log_line *l, enum log_field field, const char *value) {
  log_str(l, field, slice_str(value));
}

void log_num(struct log_line *l, enum log_field field, uint64_t value) {
  char text[24];
  int n = snprintf(text, sizeof text, "%ju", (uintmax_t)value);
  put_field(l, field, 'n', slice_of(text, (size_t)n));
}

static bool write_record(struct log *log, struct log_line *l) {
  l->octets[0] = LOG_RECORD_MARK;
  l->octets[1] = (uint8_t)(l->n >> 8);
  l->octets[2] = (uint8_t)l->n;
  l->octets[3] = (uint8_t)l->event;
  if (log->take) {
    log->take(log->arg, slice_of(l->octets, l->n));
    return true;
  }
  ssize_t n;
  do n = write(log->fd, l->octets, l->n);
  while (n < 0 && errno == EINTR);
  return n == (ssize_t)l->n;
}

static void report_lost(struct log *log) {
  struct log_line l;
  log_open(&l, log, LOG_E_LOG_LOST);
  if (!l.on) return;
  log_num(&l, LOG_F_COUNT, log->lost);
  log_cstr(&l, LOG_F_WHY, "the parent did not keep up");
  if (write_record(log, &l)) log->lost = 0;
}

void log_end(struct log_line *l) {
  if (!l->on) return;
  if (l->log->lost) report_lost(l->log);
  if (!write_record(l->log, l)) l->log->lost++;
}

void log_print(struct log *log, enum log_event event, const char *fmt, ...) {
  char msg[1024];
  struct log_line l;
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(msg, sizeof msg, fmt, ap);
  va_end(ap);
  log_open(&l, log, event);
  log_cstr(&l, LOG_F_MSG, msg);
  log_end(&l);
}

/* --- reading --- */

static size_t length_at(struct slice s, size_t at) { return (size_t)s.p[at] << 8 | s.p[at + 1]; }

/* Text ends at its LF, before a record, or at the maximum length of a line. */
static int next_text(struct slice *in, struct slice *ret) {
  size_t n = 0;
  while (n < in->n && n < LOG_RECORD_MAX / 4 && in->p[n] != '\n' &&
         (n == 0 || in->p[n] != LOG_RECORD_MARK))
    n++;
  if (n == in->n && n < LOG_RECORD_MAX / 4) return 0;
  *ret = slice_first(*in, n);
  *in = slice_from(*in, n + (n < in->n && in->p[n] == '\n'));
  return -1;
}

int log_next_record(struct slice *in, struct slice *ret) {
  if (in->n == 0) return 0;
  if (in->p[0] != LOG_RECORD_MARK) return next_text(in, ret);
  if (in->n < LOG_RECORD_HEAD) return 0;
  size_t n = length_at(*in, 1);
  if (n < LOG_RECORD_HEAD || n > LOG_RECORD_MAX) return next_text(in, ret);
  if (in->n < n) return 0;
  *ret = slice_first(*in, n);
  *in = slice_from(*in, n);
  return 1;
}

struct field {
  uint8_t number, kind;
  struct slice value;
};

/* Takes a field off `*rest`; false: there is none, or (`*rest` is not empty) it is malformed. */
static bool next_field(struct slice *rest, struct field *f) {
  if (rest->n < FIELD_HEAD) return false;
  size_t n = length_at(*rest, 2);
  if (rest->n - FIELD_HEAD < n) return false;
  *f = (struct field){ rest->p[0], rest->p[1], slice_first(slice_from(*rest, FIELD_HEAD), n) };
  *rest = slice_from(*rest, FIELD_HEAD + n);
  return true;
}

static bool is_number(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_digit(s.p[i])) return false;
  return s.n > 0 && s.n <= 20;
}

bool log_record_level(struct slice record, enum log_level *ret) {
  struct slice rest = slice_from(record, LOG_RECORD_HEAD);
  struct field f;
  uint64_t seen = 0;
  if (record.n < LOG_RECORD_HEAD || record.p[3] >= LOG_EVENTS) return false;
  while (next_field(&rest, &f)) {
    uint64_t bit = f.number < LOG_FIELDS ? UINT64_C(1) << f.number : 0;
    /* not a field of this event, or a repeated one */
    if (!(log_events[record.p[3]].fields & bit & ~seen)) return false;
    if (f.kind != 's' && (f.kind != 'n' || !is_number(f.value))) return false;
    seen |= bit;
  }
  *ret = log_events[record.p[3]].level;
  return rest.n == 0;
}

/* --- lines --- */

static void put_escaped(struct buf *b, uint32_t point) {
  if (point > 0xffff) { /* RFC 8259 §7: a surrogate pair */
    buf_printf(b, "\\u%04x", 0xd800 + ((point - 0x10000) >> 10));
    point = 0xdc00 + (point & 0x3ff);
  }
  buf_printf(b, "\\u%04x", point);
}

/* Quotes as in JSON. Printable characters stay, in UTF-8; controls, characters that reverse or hide
 * text, and invalid UTF-8 are escaped: so the line stays one line and displays what it contains,
 * whatever the peer sent. */
static void put_quoted(struct buf *b, struct slice s) {
  buf_put_u8(b, '"');
  while (s.n) {
    uint32_t point;
    size_t n = utf8_first(s, &point);
    if (n && utf8_is_shown(point)) {
      if (point == '"' || point == '\\') buf_put_u8(b, '\\');
      buf_put(b, slice_first(s, n));
    } else {
      put_escaped(b, n ? point : s.p[0]);
    }
    s = slice_from(s, n ? n : 1);
  }
  buf_put_u8(b, '"');
}

static bool is_plain(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_print(s.p[i]) || strchr(" \"=\\", s.p[i])) return false;
  return s.n > 0;
}

static void put_pair(struct buf *out, enum log_format format, const char *key, struct slice value,
                     bool number) {
  buf_printf(out, format == LOG_JSON ? ",\"%s\":" : " %s=", key);
  if (number || (format == LOG_LOGFMT && is_plain(value)))
    buf_put(out, value);
  else
    put_quoted(out, value);
}

void log_render(struct buf *out, enum log_format format, const struct log_stamp *stamp,
                struct slice record) {
  const struct log_event_row *row = &log_events[record.p[3]];
  struct slice rest = slice_from(record, LOG_RECORD_HEAD);
  struct field f;
  bool json = format == LOG_JSON;
  if (stamp->time[0])
    buf_printf(out, json ? "{\"time\":\"%s\"," : "time=%s ", stamp->time);
  else if (json)
    buf_put_u8(out, '{');
  buf_printf(out, json ? "\"level\":\"%s\"" : "level=%s", level_words[row->level]);
  put_pair(out, format, "process", slice_str(stamp->process), false);
  put_pair(out, format, "event", slice_str(row->word), false);
  while (next_field(&rest, &f))
    put_pair(out, format, log_fields[f.number].word, f.value, f.kind == 'n');
  if (json) buf_put_u8(out, '}');
}
