/* SPDX-License-Identifier: ISC */
/* Splits a POP3 stream into lines, for a server or a client. States: in a line (all zero) →
 * `skipping` once it is too long, until its CRLF → in a line; in a line → `bare` after a lone LF,
 * until the next CRLF → in a line. Invariants: only a counter is kept between calls; a line is
 * searched no further than its limit; more than POP3_ENDLESS octets without an end are reported as
 * endless. */
#include "mail/pop3/line.h"

/* Discards the octets of a line that is too long. A CR at the end stays: its LF may follow. */
static enum pop3_line skip(struct pop3_framer *f, struct slice *in) {
  ptrdiff_t end = slice_search(*in, SLICE("\r\n"));
  if (end >= 0) {
    *in = slice_from(*in, (size_t)end + 2);
    *f = (struct pop3_framer){ 0 };
    return POP3_LINE_TOO_LONG;
  }
  size_t n = in->n;
  if (n > 0 && slice_at(*in, n - 1) == '\r') n--;
  *in = slice_from(*in, n);
  f->skipped += n;
  return f->skipped > POP3_ENDLESS ? POP3_LINE_ENDLESS : POP3_LINE_MORE;
}

enum pop3_line pop3_line_next(struct pop3_framer *f, struct slice *in, size_t max,
                              struct slice *ret) {
  if (f->skipping) return skip(f, in);
  /* Searching no further than a line may reach keeps a long pipeline linear. */
  ptrdiff_t end = slice_search(slice_first(*in, max), SLICE("\r\n"));
  if (end >= 0) {
    *ret = slice_first(*in, (size_t)end);
    *in = slice_from(*in, (size_t)end + 2);
    return POP3_LINE_READY;
  }
  if (in->n < max) return POP3_LINE_MORE;
  f->skipping = true;
  return skip(f, in);
}

/* `at`: of an LF that no CR precedes. */
static enum pop3_line take_bare(struct pop3_framer *f, struct slice *in, size_t at) {
  f->bare = true;
  f->skipping = false;
  f->skipped += at + 1;
  *in = slice_from(*in, at + 1);
  return f->skipped > POP3_ENDLESS ? POP3_LINE_ENDLESS : POP3_LINE_BARE;
}

/* Skips the rest of such a line: to its CRLF, which ends nothing, or the next LF alone. */
static enum pop3_line skip_bare(struct pop3_framer *f, struct slice *in) {
  ptrdiff_t lf = slice_find(*in, '\n');
  if (lf < 0) return skip(f, in);
  if (lf == 0 || slice_at(*in, (size_t)lf - 1) != '\r') return take_bare(f, in, (size_t)lf);
  *in = slice_from(*in, (size_t)lf + 1);
  *f = (struct pop3_framer){ 0 };
  return POP3_LINE_MORE;
}

enum pop3_line pop3_command_next(struct pop3_framer *f, struct slice *in, size_t max,
                                 struct slice *ret) {
  if (f->bare) {
    enum pop3_line got = skip_bare(f, in);
    if (got != POP3_LINE_MORE || f->bare) return got;
  }
  struct slice window = slice_first(*in, max);
  if (in->n >= max && slice_find(window, '\n') < 0) f->skipping = true;
  if (f->skipping) window = *in;
  ptrdiff_t lf = slice_find(window, '\n');
  if (lf >= 0 && (lf == 0 || slice_at(window, (size_t)lf - 1) != '\r'))
    return take_bare(f, in, (size_t)lf);
  return pop3_line_next(f, in, max, ret);
}

size_t pop3_command_limit(struct slice in) {
  static const struct {
    const char *verb;
    size_t limit;
  } longer[] = {
    { "AUTH ", POP3_SASL_MAX },
    { "USER ", sizeof "USER \r\n" - 1 + POP3_NAME_MAX },
    { "PASS ", sizeof "PASS \r\n" - 1 + POP3_PASSWORD_MAX },
    { "APOP ", sizeof "APOP  \r\n" - 1 + POP3_NAME_MAX + 2 * 16 /* the digest in hexadecimal */ },
  };
  for (size_t i = 0; i < sizeof longer / sizeof *longer; i++)
    if (slice_case_starts(in, slice_str(longer[i].verb))) return longer[i].limit;
  return POP3_COMMAND_MAX;
}
