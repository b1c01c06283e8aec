/* SPDX-License-Identifier: ISC */
/* Writes a delivery status notification:
 *
 *   header                      From, To, Subject, Date, Message-ID, Auto-Submitted (RFC 3834 §5),
 *                               MIME
 *   text/plain                  what happened, for humans
 *   message/delivery-status,    the same, for programs (RFC 3464 §2, RFC 6533 §3)
 *     or message/global-delivery-status
 *   text/rfc822-headers,        the original message
 *     or message/rfc822
 *
 * The boundary contains `id`, which was unpredictable when the original was written. */
#include "mail/report.h"

#include "lib/base/utf8.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/xtext.h"

enum { TEXT_MAX = 700 /* octets of a diagnostic on its one line; RFC 5322 §2.1.1 has 998 */ };

static const struct {
  const char *word, *subject, *intro;
  uint8_t class;
} actions[REPORT_ACTIONS] = {
  [REPORT_FAILED] = { "failed", "Mail could not be delivered",
                      "Your message could not be delivered to", 5 },
  [REPORT_DELAYED] = { "delayed", "Mail is delayed",
                       "Your message is not delivered yet, and is still in the queue, for", 4 },
  [REPORT_DELIVERED] = { "delivered", "Mail was delivered", "Your message was delivered to", 2 },
  [REPORT_RELAYED] = { "relayed", "Mail was passed on",
                       "Your message was passed on to a server that does not send such reports, "
                       "for",
                       2 },
};

/* --- strings of others --- */

static void put_printable(struct buf *out, struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    buf_put_u8(out, ascii_is_print(s.p[i]) ? s.p[i] : s.p[i] == '\n' ? ' ' : '?');
}

/* For a part in UTF-8: keeps only those non-ASCII characters that are visible. */
static void put_shown(struct buf *out, struct slice s) {
  uint32_t c;
  for (size_t i = 0, n; i < s.n; i += n ? n : 1) {
    n = utf8_first(slice_from(s, i), &c);
    if (n > 1 && c >= 0xa0)
      buf_put(out, slice_first(slice_from(s, i), n));
    else
      put_printable(out, slice_first(slice_from(s, i), 1));
  }
}

static void put_decoded(struct buf *out, struct slice xtext) {
  struct buf plain;
  buf_init(&plain, 2048);
  if (!xtext_decode(&plain, xtext)) buf_put(&plain, xtext);
  put_printable(out, buf_slice(&plain));
  buf_free(&plain);
}

static void put_address(struct buf *out, struct slice address, bool global) {
  if (slice_has_high(address)) { /* RFC 6533 §3 */
    buf_put_str(out, "utf-8; ");
    if (global)
      put_shown(out, address);
    else
      xtext_put_utf8_address(out, address);
    return;
  }
  buf_put_str(out, "rfc822; ");
  put_printable(out, address);
}

/* --- the fields of a recipient --- */

static void put_date_field(struct buf *out, const char *name, int64_t at_s) {
  buf_printf(out, "%s: ", name);
  date_put(out, at_s, 0);
  buf_put_str(out, "\r\n");
}

/* RFC 6533 §4.1: unchanged for readers that support SMTPUTF8. Malformed text stays as it is
 * (§3). */
static void put_utf8_original(struct buf *out, struct slice address, bool global) {
  struct buf plain;
  buf_init(&plain, 2048);
  if (global && xtext_decode_utf8_address(&plain, address) && !plain.failed)
    buf_put(out, buf_slice(&plain));
  else
    put_printable(out, address);
  buf_free(&plain);
}

/* "rfc822;tim+2Btag@example.org" → "rfc822; tim+tag@example.org". Only where the sender gave one
 * (RFC 3464 §2.3.1). */
static void put_original(struct buf *out, struct slice orcpt, bool global) {
  ptrdiff_t at = slice_find(orcpt, ';');
  if (at <= 0) return;
  buf_put_str(out, "Original-Recipient: ");
  put_printable(out, slice_first(orcpt, (size_t)at));
  buf_put_str(out, "; ");
  struct slice address = slice_from(orcpt, (size_t)at + 1);
  if (slice_caseeq(slice_first(orcpt, (size_t)at), SLICE("utf-8")))
    put_utf8_original(out, address, global);
  else
    put_decoded(out, address);
  buf_put_str(out, "\r\n");
}

void report_put_age(struct buf *out, int64_t seconds) {
  static const struct {
    int64_t seconds;
    const char *word;
  } units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
  size_t i = 0;
  while (i < 3 && seconds < units[i].seconds) i++;
  int64_t n = (seconds + units[i].seconds / 2) / units[i].seconds;
  buf_printf(out, "%lld %s%s", (long long)n, units[i].word, n == 1 ? "" : "s");
}

static void put_enhanced(struct buf *out, const struct report_rcpt *r) {
  uint8_t class = actions[r->action].class;
  /* given up: another attempt might succeed, so it is of class 4 (RFC 3463 §2, §3.5) */
  if (r->over_s)
    buf_put_str(out, "4.4.7");
  else if (r->enhanced[0] == class)
    buf_printf(out, "%u.%u.%u", r->enhanced[0], r->enhanced[1], r->enhanced[2]);
  /* a reply 5yz with an enhanced code of another class */
  else if (r->enhanced[0] && r->action == REPORT_FAILED)
    buf_printf(out, "5.%u.%u", r->enhanced[1], r->enhanced[2]);
  else
    buf_printf(out, "%u.0.0", class);
}

static void put_status(struct buf *out, const struct report_rcpt *r, bool global) {
  struct slice text = slice_first(r->text, TEXT_MAX);
  put_original(out, r->orcpt, global);
  buf_put_str(out, "Final-Recipient: ");
  put_address(out, r->address, global);
  buf_printf(out, "\r\nAction: %s\r\nStatus: ", actions[r->action].word);
  put_enhanced(out, r);
  buf_put_str(out, "\r\n");
  if (r->host.n) {
    buf_put_str(out, "Remote-MTA: dns; ");
    put_printable(out, slice_first(r->host, 255));
    buf_put_str(out, "\r\n");
  }
  if (!r->code && !text.n) text = r->why;
  if (r->code || text.n) {
    buf_put_str(out, r->code ? "Diagnostic-Code: smtp; " : "Diagnostic-Code: x-qasid; ");
    if (r->code) buf_printf(out, "%u ", r->code);
    if (global)
      put_shown(out, text);
    else
      put_printable(out, text);
    buf_put_str(out, "\r\n");
  }
  if (r->tried_s) put_date_field(out, "Last-Attempt-Date", r->tried_s);
  if (r->action == REPORT_DELAYED && r->until_s)
    put_date_field(out, "Will-Retry-Until", r->until_s);
}

/* --- for people --- */

static void put_delay(struct buf *out, const struct report_rcpt *x) {
  if (x->why.n) {
    buf_put_str(out, "    Why it waits: ");
    put_printable(out, x->why);
    buf_put_str(out, ".\r\n");
  }
  if (!x->until_s) return;
  buf_put_str(out, "    It is returned if it is still here on ");
  date_put(out, x->until_s, 0);
  buf_put_str(out, ". You need not send it again.\r\n");
}

static void put_words(struct buf *out, const struct report *r, enum report_action action) {
  bool any = false;
  for (size_t i = 0; i < r->count; i++) {
    const struct report_rcpt *x = &r->rcpts[i];
    if (x->action != action) continue;
    if (!any) buf_printf(out, "%s\r\n\r\n", actions[action].intro);
    any = true;
    buf_put_str(out, "    <");
    put_shown(out, slice_first(x->address, TEXT_MAX));
    buf_put_str(out, ">\r\n");
    if (x->over_s) {
      buf_put_str(out, "    It could not be delivered for ");
      report_put_age(out, x->over_s);
      buf_put_str(out, x->text.n ? ", and is not tried any more. The last thing that was said:\r\n"
                                 : ", and is not tried any more.\r\n");
    }
    if (x->text.n && action != REPORT_DELIVERED) {
      buf_put_str(out, "    ");
      if (x->host.n) put_printable(out, slice_first(x->host, 255));
      if (x->host.n) buf_put_str(out, x->code ? " said: " : ": ");
      if (x->code) buf_printf(out, "%u ", x->code);
      put_shown(out, slice_first(x->text, TEXT_MAX));
      buf_put_str(out, "\r\n");
    }
    if (action == REPORT_DELAYED) put_delay(out, x);
    buf_put_str(out, "\r\n");
  }
}

/* --- the whole --- */

/* True if any text about recipients is not ASCII. */
static bool has_utf8_text(const struct report *r) {
  for (size_t i = 0; i < r->count; i++)
    if (slice_has_high(r->rcpts[i].address) || slice_has_high(r->rcpts[i].text)) return true;
  return false;
}

static bool is_global(const struct report *r) {
  return (r->smtputf8 || slice_has_high(r->to)) && has_utf8_text(r);
}

static void put_boundary(struct buf *out, const struct report *r, const char *before,
                         const char *after) {
  buf_put_str(out, before);
  buf_put_str(out, "=_");
  buf_put(out, r->id);
  buf_put_str(out, after);
}

static enum report_action most_severe(const struct report_rcpt *rcpts, size_t count) {
  enum report_action a = REPORT_RELAYED;
  for (size_t i = 0; i < count; i++)
    if (rcpts[i].action < a) a = rcpts[i].action;
  return a;
}

const char *report_word(const struct report_rcpt *rcpts, size_t count) {
  return actions[most_severe(rcpts, count)].word;
}

/* Whole lines, so that no part of it is taken for the closing boundary's line. */
static struct slice whole_lines(struct slice s, size_t most) {
  struct slice cut = slice_first(s, most);
  if (cut.n == s.n) return s;
  ptrdiff_t lf = slice_rfind(cut, '\n');
  return slice_first(cut, (size_t)(lf + 1));
}

/* The part of the original that is returned. */
static struct slice returned_original(const struct report *r) {
  if (r->whole) return r->header;
  return whole_lines(slice_first(r->header, header_end(r->header)), REPORT_HEADER_MAX);
}

static void put_header(struct buf *out, const struct report *r) {
  buf_put_str(out, "From: Mail Delivery System <postmaster@");
  put_printable(out, r->reporter);
  buf_put_str(out, ">\r\nTo: <");
  buf_put(out, r->to);
  buf_printf(out, ">\r\nSubject: %s\r\n", actions[most_severe(r->rcpts, r->count)].subject);
  put_date_field(out, "Date", r->now_s);
  buf_put_str(out, "Message-ID: <");
  buf_put(out, r->id);
  buf_put_u8(out, '@');
  put_printable(out, r->reporter);
  buf_put_str(out, ">\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
  if (has_utf8_text(r) || slice_has_high(returned_original(r)))
    buf_put_str(out, "Content-Transfer-Encoding: 8bit\r\n");
  buf_put_str(out, "Content-Type: multipart/report; report-type=delivery-status;\r\n");
  put_boundary(out, r, "\tboundary=\"", "\"\r\n\r\n");
}

/* RFC 3461 §6.3: a name that is not a whole domain name "MUST NOT be 'dns'". */
static void put_message_fields(struct buf *out, const struct report *r) {
  bool whole = slice_find(r->reporter, '.') >= 0;
  buf_printf(out, "Reporting-MTA: %s; ", whole ? "dns" : "x-local-hostname");
  put_printable(out, r->reporter);
  buf_put_str(out, "\r\n");
  if (r->envid.n) {
    buf_put_str(out, "Original-Envelope-Id: ");
    put_decoded(out, r->envid);
    buf_put_str(out, "\r\n");
  }
  put_date_field(out, "Arrival-Date", r->came_s);
}

static void put_original_message(struct buf *out, const struct report *r) {
  struct slice given = returned_original(r);
  static const char *const types[2][2] = { { "text/rfc822-headers", "message/rfc822" },
                                           { "message/global-headers", "message/global" } };
  buf_printf(out, "Content-Type: %s\r\n", types[r->utf8][r->whole]);
  if (slice_has_high(given)) buf_put_str(out, "Content-Transfer-Encoding: 8bit\r\n");
  buf_put_str(out, "\r\n");
  buf_put(out, given);
}

static void put_for_people(struct buf *out, const struct report *r) {
  put_boundary(out, r, "--",
               has_utf8_text(r) ? "\r\nContent-Type: text/plain; charset=utf-8\r\n"
                                  "Content-Transfer-Encoding: 8bit\r\n\r\n"
                                : "\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n");
  buf_put_str(out, "This is the mail server at ");
  put_printable(out, r->reporter);
  buf_put_str(out, ".\r\n\r\n");
  for (int a = 0; a < REPORT_ACTIONS; a++) put_words(out, r, (enum report_action)a);
}

static void put_for_programs(struct buf *out, const struct report *r) {
  bool global = is_global(r);
  put_boundary(out, r, "--",
               global ? "\r\nContent-Type: message/global-delivery-status\r\n"
                        "Content-Transfer-Encoding: 8bit\r\n\r\n"
                      : "\r\nContent-Type: message/delivery-status\r\n\r\n");
  put_message_fields(out, r);
  for (size_t i = 0; i < r->count; i++) {
    buf_put_str(out, "\r\n");
    put_status(out, &r->rcpts[i], global);
  }
}

void report_put(struct buf *out, const struct report *r) {
  put_header(out, r);
  put_for_people(out, r);
  put_for_programs(out, r);
  put_boundary(out, r, "\r\n--", "\r\n");
  put_original_message(out, r);
  put_boundary(out, r, "\r\n--", "--\r\n");
}
