/* SPDX-License-Identifier: ISC */
/* The line that begins a message of an mbox, "From SENDER DATE". Pure.
 *
 * RFC 4155 wants asctime's date in UTC; the mailboxes that exist have every form below, in any of
 * which the seconds may be missing and "remote from HOST" (RFC 976) may follow:
 *
 *   Thu Nov 26 10:00:00 2026          most
 *   Thu Nov 26 10:00:00 +0100 2026    emacs, Gmail's takeout; also PST, "MET DST"
 *   Thu Nov 26 10:00:00 2026 +0100    Solaris; also PST
 *   Thu, 26 Nov 2026 10:00:00 +0100   an RFC 5322 date
 *   2026-11-26 10:00:00 +0100         an ISO 8601 date; also with T and Z
 *
 * SENDER is whatever stands in front, "-" (Mozilla), "???@???" (Eudora), "a at example.org" (list
 * archives) or nothing. Without such a date the line is text: "From now on all is well." */
#ifndef QASID_CLI_MBOX_FROM_H
#define QASID_CLI_MBOX_FROM_H

#include "lib/base/slice.h"

/* `line` without its end. *ret_date: seconds since 1970; 0: before that. */
bool mbox_from_parse(struct slice line, int64_t *ret_date);
/* "From " and nothing else, or "From -": what Mozilla writes at times. */
bool mbox_from_is_bare(struct slice line);

#endif
