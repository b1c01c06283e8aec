/* SPDX-License-Identifier: ISC */
/* The header of a message that a mail client submits: its authors (RFC 6409 §6.1), and repairs
 * (§8). Pure.
 *
 * Authors: all addresses of From and Sender. A reader's program shows one of them, so a header is
 * accepted only if every program finds the same: one From field and at most one Sender, of a
 * bounded length, in which each address is in the grammar's plain form. Anything that programs
 * disagree about makes it SUBMIT_UNCLEAR: a second From field, a line that is not a field, an "@"
 * before brackets, a source route, an encoded-word in an address, octets that are not UTF-8,
 * unclosed quotes and comments, no address at all.
 *
 * Repairs: Date, the time zone in it, Message-ID, a domain in an address (all of it, or all but its
 * first part) are added if missing. Return-Path is left out. Existing fields are otherwise left
 * unchanged, Bcc too, which is the client's responsibility. */
#ifndef QASID_MAIL_SUBMIT_H
#define QASID_MAIL_SUBMIT_H

#include "lib/base/buf.h"

enum {
  SUBMIT_FIELD_MAX = 8192 /* octets of a From or Sender field: some readers cut longer ones */
};

struct submit_with {
  struct slice domain;   /* for addresses that lack one, or have only its first part */
  bool dotless;          /* a domain without a dot is complete */
  struct slice author;   /* for a missing From; empty: none is added */
  struct slice hostname; /* for a missing Message-ID, */
  struct slice id;       /* and the unique part of it */
  int64_t now_s;
};

enum submit_verdict { SUBMIT_OK, SUBMIT_NO_FROM, SUBMIT_UNCLEAR };

/* `header` is the whole header, with or without the empty line, in whole lines; the repaired one is
 * appended to `out`, its authors to `authors`, each as "local@domain" followed by a line feed. The
 * header is appended in any case. */
enum submit_verdict submit_header(struct slice header, const struct submit_with *with,
                                  struct buf *out, struct buf *authors);

#endif
