/* SPDX-License-Identifier: ISC */
/* Replies, and the tracing of replies and commands. */
#include <stdarg.h>
#include <stdio.h>

#include "mail/sasl/sasl.h"
#include "src/pop3d/state.h"

enum { REPLY_TEXT = POP3_REPLY_MAX - 2 };

/* RFC 2449 §4: a first line has at most 512 octets with its CRLF. Longer text is cut. */
__attribute__((format(printf, 3, 0))) static void
put_reply(struct pop3d_session *s, struct slice status, const char *fmt, va_list ap) {
  char text[REPLY_TEXT + 1];
  memcpy(text, status.p, status.n);
  int n =
      vsnprintf(text + status.n, sizeof text - status.n, pop3d_translated(s->language, fmt), ap);
  size_t total = status.n + (n < 0 ? 0 : (size_t)n);
  if (n <= 0) total--; /* the space */
  if (total > REPLY_TEXT) {
    total = REPLY_TEXT;
    while ((text[total] & 0xc0) == 0x80) total--; /* do not split a character */
  }
  proto_trace(&s->proto, 'S', slice_of(text, total));
  buf_put(&s->proto.out, slice_of(text, total));
  buf_put(&s->proto.out, SLICE("\r\n"));
}

void pop3d_ok(struct pop3d_session *s, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  put_reply(s, SLICE("+OK "), fmt, ap);
  va_end(ap);
}

void pop3d_err(struct pop3d_session *s, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  put_reply(s, SLICE("-ERR "), fmt, ap);
  va_end(ap);
}

void pop3d_refuse(struct pop3d_session *s, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  put_reply(s, SLICE("-ERR "), fmt, ap);
  va_end(ap);
  if (++s->errors < s->service->conf->pop3_error_limit) return;
  if (s->granted) pop3d_release(s);
  proto_close(&s->proto, CLOSE_TOO_MANY_ERRORS);
}

void end_of_lines(struct pop3d_session *s) {
  buf_put(&s->proto.out, SLICE(".\r\n"));
  proto_trace(&s->proto, 'S', SLICE("."));
}

void pop3d_remark(struct pop3d_session *s, const char *fmt, ...) {
  if (!s->proto.trace.fn) return;
  char text[128];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  if (n > 0)
    proto_trace(&s->proto, '*',
                slice_of(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
}

/* An unknown command may be a password sent at the wrong moment, so only its length is shown. */
void trace_command(struct pop3d_session *s, const struct pop3d_verb *v, struct slice line) {
  if (!s->proto.trace.fn) return;
  if (!v) {
    pop3d_remark(s, "unknown command, %zu octets", line.n);
    return;
  }
  if (!(v->flags & V_SECRET)) {
    proto_trace(&s->proto, 'C', line);
    return;
  }
  if (v->flags & V_MECHANISMS) {
    struct buf shown;
    buf_init(&shown, 64);
    sasl_put_shown(&shown, line);
    proto_trace(&s->proto, 'C', buf_slice(&shown));
    buf_free(&shown);
    return;
  }
  struct slice rest = line, verb = slice_split(&rest, ' '), word = slice_split(&rest, ' ');
  char text[POP3_NAME_MAX + 16];
  bool names = v->arg != POP3_ARG_PASSWORD && rest.n > 0; /* user name, then the secret */
  int n = snprintf(text, sizeof text, "%.*s %.*s%s***", SLICE_ARG(verb), names ? (int)word.n : 0,
                   (const char *)word.p, names ? " " : "");
  if (n > 0)
    proto_trace(&s->proto, 'C',
                slice_of(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
}

const char *pop3d_plural(const struct pop3d_session *s, uint64_t n) {
  const struct language *l = &pop3d_languages[s->language];
  return l->message[l->form(n)];
}

const char *octets_word(const struct pop3d_session *s, uint64_t n) {
  const struct language *l = &pop3d_languages[s->language];
  return l->octet[l->form(n)];
}

struct maildrop_message *named_message(struct pop3d_session *s, uint64_t number) {
  struct maildrop_message *m = maildrop_at(&s->maildrop, number);
  if (m && !m->deleted) return m;
  if (m)
    pop3d_err(s, "message %llu already deleted", (unsigned long long)number);
  else
    pop3d_err(s, "no such message, only %u %s in maildrop", s->maildrop.listed,
              pop3d_plural(s, s->maildrop.listed));
  return NULL;
}
