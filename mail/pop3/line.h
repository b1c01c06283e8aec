/* SPDX-License-Identifier: ISC */
/* Splits a stream into POP3 lines, for server and client.
 *
 * CRLF ends a line and nothing else does: a CR or LF alone is an octet of the line (and no keyword
 * or argument may contain it, so such a line is refused). A line over its limit is discarded as it
 * comes, without being kept, and reported when its CRLF arrives; one that does not end is reported
 * as endless. Linear in the octets; keeps only counters.
 *
 * So that a client that ends its lines in LF does not wait for a reply in vain, pop3_command_next()
 * returns each LF alone as a line to refuse, and nothing up to the next CRLF is a command (as in
 * mail/smtp/line.h). */
#ifndef QASID_POP3_LINE_H
#define QASID_POP3_LINE_H

#include "lib/base/slice.h"

enum {
  POP3_COMMAND_MAX = 255,  /* RFC 2449 §4: a command with its CRLF */
  POP3_NAME_MAX = 320,     /* octets of a user name: a longer command line for it (USER, APOP) */
  POP3_PASSWORD_MAX = 511, /* likewise of a password (PASS) */
  POP3_REPLY_MAX = 512,    /* RFC 2449 §4: the first line of a response with its CRLF */
  POP3_SASL_MAX = 12288,   /* a SASL line with its CRLF, as SMTP has it (RFC 4954 §4) */
  POP3_ENDLESS = 32 * 1024 /* octets of one line that are discarded before it counts as endless */
};

enum pop3_line {
  POP3_LINE_MORE,     /* no whole line yet */
  POP3_LINE_READY,    /* *ret is the line without its CRLF */
  POP3_LINE_TOO_LONG, /* a line passed the limit and has ended; its octets are gone */
  POP3_LINE_BARE,     /* an LF alone ended a line that is not a command; its octets are discarded */
  POP3_LINE_ENDLESS   /* a line passed POP3_ENDLESS and has not ended */
};

struct pop3_framer {
  bool skipping;  /* inside a line that is too long */
  bool bare;      /* after an LF alone, before the CRLF that ends its line */
  size_t skipped; /* octets discarded so far in either state */
};

/* Takes the next line off `*in`. `max` counts the CRLF. The line is borrowed from `*in`. */
enum pop3_line pop3_line_next(struct pop3_framer *f, struct slice *in, size_t max,
                              struct slice *ret);
/* The same for a client's commands, where an LF alone gets a reply. */
enum pop3_line pop3_command_next(struct pop3_framer *f, struct slice *in, size_t max,
                                 struct slice *ret);
/* The limit for the command that `in` begins with: AUTH may carry an initial response; USER, PASS
 * and APOP the longest name and password that an account may have (RFC 2449 §4 demands 255 octets
 * and forbids no more). */
size_t pop3_command_limit(struct slice in);

#endif
