/* SPDX-License-Identifier: ISC */
/* Messages between the form they have in mailbox files and the one they have here. Pure: octets in,
 * octets out.
 *
 * Inside Qasid a message is in wire form, its lines end in CRLF; in a mailbox file they end in LF.
 * An mbox is written in the mboxrd variant: a body line of ">"s and "From " has one ">" more than
 * it should (RFC 4155 describes the family). mbox_scan.h reads them all. */
#ifndef QASID_CLI_MBOX_H
#define QASID_CLI_MBOX_H

#include "lib/base/buf.h"
#include "src/cli/mailbox/mbox_scan.h"

/* A message of a file into wire form, in pieces of any size. LF, CRLF and a lone CR become CRLF; a
 * last line without an end gets one. A quoted line loses its ">". What a piece makes has at most
 * twice its octets and TO_WIRE_HELD. */
enum { TO_WIRE_HELD = 8 * 1024 };
struct to_wire {
  enum mbox_quoting quoting;
  bool cr, at_start;      /* cr: a CR is held back */
  size_t quotes, matched; /* held back at a line's begin: ">"s, and octets of "From " */
  uint64_t crs;           /* lone CRs so far */
};
struct to_wire to_wire_open(enum mbox_quoting quoting);
void to_wire_put(struct to_wire *w, struct slice piece, struct buf *out);
void to_wire_end(struct to_wire *w, struct buf *out);

/* Wire form into a file's form: CRLF becomes LF. With `quote`, as an mbox wants it. */
struct from_wire {
  bool quote, cr;  /* cr: a CR is held back */
  uint8_t matched; /* of "From ", held back at a line's begin; FROM_WIRE_INSIDE: not at the begin */
};
enum { FROM_WIRE_INSIDE = 0xff };
struct from_wire from_wire_open(bool quote);
void from_wire_put(struct from_wire *w, struct slice piece, struct buf *out);
/* What is still held back. */
void from_wire_end(struct from_wire *w, struct buf *out);

/* "From sender Thu Nov 23 20:07:00 2026\n"; the sender is that of the Return-Path: line that the
 * message begins with, else MAILER-DAEMON. */
void mbox_put_from(struct buf *out, struct slice message, int64_t date);

#endif
