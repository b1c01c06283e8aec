/* SPDX-License-Identifier: ISC */
/* A delivery report out of what strangers say: addresses, replies, an original. The report's lines
 * are lines, and nothing of what was said begins one of its fields or ends its parts: the
 * delivery-status part has 7 bits, or (message/global-delivery-status) is UTF-8, and fields of the
 * names that it may have. */
#include <stdlib.h>

#include "lib/base/utf8.h"
#include "mail/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice take(struct slice *rest) { return slice_split(rest, 0xff); }

static bool is_known(struct slice name) {
  static const char *const names[] = { "Reporting-MTA",
                                       "Original-Envelope-Id",
                                       "Arrival-Date",
                                       "Final-Recipient",
                                       "Original-Recipient",
                                       "Action",
                                       "Status",
                                       "Remote-MTA",
                                       "Diagnostic-Code",
                                       "Last-Attempt-Date",
                                       "Will-Retry-Until" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (slice_eq(name, slice_str(names[i]))) return true;
  return false;
}

static void look_at_line(struct slice line, bool *in_status, bool global) {
  if (slice_starts(line, SLICE("--"))) *in_status = false;
  for (size_t i = 0; *in_status && i < line.n; i++)
    if ((line.p[i] >= 0x80 && !global) || line.p[i] == '\r') abort();
  if (*in_status && !utf8_is_valid(line)) abort();
  ptrdiff_t colon = slice_find(line, ':');
  bool folded = slice_at(line, 0) == ' ' || slice_at(line, 0) == '\t';
  if (*in_status && line.n && !folded && (colon < 0 || !is_known(slice_first(line, (size_t)colon))))
    abort();
}

/* The part from the empty line behind its Content-Type to the next boundary. */
static void look(struct slice text) {
  bool status = false, found = false, global = false;
  while (text.n) {
    struct slice line = slice_split(&text, '\n');
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    if (!found && slice_starts(line, SLICE("Content-Type: message/")) &&
        slice_search(line, SLICE("delivery-status")) >= 0) {
      global = slice_search(line, SLICE("global")) >= 0;
      while (text.n && line.n) {
        line = slice_split(&text, '\n');
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
      }
      status = found = true;
      continue;
    }
    look_at_line(line, &status, global);
  }
  if (!found) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 6) return 0;
  struct slice rest = slice_of(data + 6, size - 6);
  struct report_rcpt rcpts[2];
  struct report r = { .reporter = SLICE("mx.example.org"),
                      .id = SLICE("report1"),
                      .came_s = 1000000,
                      .now_s = 1000600,
                      .whole = data[0] & 1,
                      .utf8 = data[0] & 2,
                      .smtputf8 = data[0] & 8,
                      .rcpts = rcpts,
                      .count = 1 + (data[0] >> 2 & 1) };
  r.to = take(&rest);
  r.to = slice_split(&r.to, '\n'); /* no octet of it ends a line: ipc/envelope.h */
  r.envid = take(&rest);
  for (size_t i = 0; i < r.count; i++) {
    rcpts[i] = (struct report_rcpt){ .action = data[1 + i] % REPORT_ACTIONS,
                                     .code = (uint16_t)(data[3] * 3),
                                     .enhanced = { data[4] % 6, data[5], 1 },
                                     .tried_s = data[3] & 1 ? 1000500 : 0,
                                     .over_s = data[3] & 2 ? 500 : 0,
                                     .until_s = 2000000 };
    rcpts[i].address = take(&rest);
    rcpts[i].orcpt = take(&rest);
    rcpts[i].text = take(&rest);
    rcpts[i].host = take(&rest);
    rcpts[i].why = take(&rest);
  }
  r.header = slice_first(rest, REPORT_HEADER_MAX);
  struct buf out;
  buf_init(&out, 4 << 20);
  report_put(&out, &r);
  if (!out.failed) look(buf_slice(&out));
  buf_free(&out);
  return 0;
}
