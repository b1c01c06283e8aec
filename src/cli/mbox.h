/* mbox files, in the mboxrd variant: "From " begins a message, a body line of ">"s and "From " has
 * one ">" more than it should (RFC 4155 describes the family). Pure: octets in, octets out.
 *
 * Inside Qasid a message is in wire form, its lines end in CRLF; in a mailbox file they end in LF. */
#ifndef QASID_CLI_MBOX_H
#define QASID_CLI_MBOX_H

#include "lib/base/buf.h"

struct mbox_message {
  struct slice raw; /* without the From line, and without the empty line before the next one */
  int64_t date;     /* of the From line, seconds since 1970; 0: it has none that can be read */
};

/* Cuts the next message off `*rest`. False at the end, and when what comes does not begin with a From
 * line (`*rest` then has octets left). */
bool mbox_next(struct slice *rest, struct mbox_message *ret);

/* A message of a file into wire form, piece by piece. LF, CRLF and a lone CR become CRLF; a last line
 * without an end gets one. With `unquote` one ">" is taken off ">*From " lines that have one. */
struct to_wire {
  struct slice rest;
  bool unquote, ended;
};
struct to_wire to_wire_open(struct slice raw, bool unquote);
/* Puts whole lines until `out` has `least` octets more or the message is over. False: nothing is left. A
 * line longer than the room in `out` fails the buffer. */
bool to_wire_next(struct to_wire *w, struct buf *out, size_t least);
uint64_t to_wire_size(struct slice raw, bool unquote);

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
