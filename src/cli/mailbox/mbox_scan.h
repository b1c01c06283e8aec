/* SPDX-License-Identifier: ISC */
/* An mbox cut into messages, wherever its octets come from. Holds a window of it, never a whole
 * message.
 *
 * A line begins a message (mbox_from.h) when it has a date and an empty line, or nothing, stands
 * before it or a header field behind it; or when it is "From " alone between an empty line and a
 * header field. Its lines end in LF, CRLF, or, when the first one does, in CR alone. A byte order
 * mark in front is passed over.
 *
 * Content-Length (mboxcl, mboxcl2) counts in a file in which every message's is right, that is,
 * leads to the file's end or to a From line. Where a message that it measures has an unquoted "From
 * " line, nothing is quoted in this file (mboxcl2) from there on. */
#ifndef QASID_CLI_MBOX_SCAN_H
#define QASID_CLI_MBOX_SCAN_H

#include <sys/types.h>

#include "lib/base/buf.h"

/* Which lines of a body have a ">" more than they should. */
enum mbox_quoting {
  MBOX_QUOTES_ALL,  /* mboxrd: those of ">"s and "From " */
  MBOX_QUOTES_FROM, /* mboxo, mboxcl: "From " */
  MBOX_QUOTES_NONE, /* mboxcl2; and a file that is a message */
};
enum mbox_form { MBOX_GUESS, MBOX_RD, MBOX_O, MBOX_CL, MBOX_CL2, MBOX_FORMS };
/* "rd", "o", "cl", "cl2"; MBOX_FORMS: none of them. */
enum mbox_form mbox_form_named(const char *word);

/* Up to `n` octets from `at`. How many; 0 at the end, -1 with errno. */
struct octets_in {
  ssize_t (*read)(void *arg, uint64_t at, void *to, size_t n);
  void *arg;
  uint64_t size;
};

/* What programs that keep mail write into its header. */
struct mbox_fields {
  uint64_t length; /* Content-Length */
  bool has_length;
  uint32_t flags;              /* Status, X-Status, X-Mozilla-Status */
  char uidl[72];               /* X-UIDL; "": none, or none that is a UIDL (RFC 1939 §7) */
  bool has_subject, has_state; /* both: the folder's own data, no mail (UW imapd, Alpine) */
};
/* Takes a header's line, without its end. */
void mbox_fields_put(struct mbox_fields *f, struct slice line);

struct mbox_message {
  uint64_t at, size; /* without the From line, and without the empty line before the next one */
  int64_t date;      /* of the From line, seconds since 1970; 0: it has none that can be read */
  enum mbox_quoting quoting;
  struct mbox_fields fields;
  bool doubtful; /* Content-Length puts a line into it that could begin a message */
};

enum { MBOX_LINE_SHOWN = 1024, MBOX_WINDOW = 64 * 1024 };

struct mbox_line {
  struct slice text; /* its first octets, without its end */
  uint64_t start, end;
};

struct mbox_scan {
  struct octets_in in;
  uint64_t at;
  enum mbox_form form;
  bool started, by_length; /* by_length: Content-Length counts */
  uint8_t eol;             /* '\n', or '\r' */
  int error;               /* errno of a read that failed; nothing more comes then */
  uint64_t left_text;      /* lines "From …" behind an empty one that begin no message */
  uint64_t window_at;
  size_t window_n;
  uint8_t window[MBOX_WINDOW];
  uint8_t shown[MBOX_LINE_SHOWN];
};

void mbox_scan_open(struct mbox_scan *s, struct octets_in in, enum mbox_form form);
/* False at the end, when reading failed (s->error), and when what comes does not begin with a From
 * line (s->at is then before the end). */
bool mbox_scan_next(struct mbox_scan *s, struct mbox_message *ret);
/* The next line, at most its first MBOX_LINE_SHOWN octets. False at the end. */
bool mbox_scan_line(struct mbox_scan *s, struct mbox_line *ret);

#endif
