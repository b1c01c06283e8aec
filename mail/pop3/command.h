/* SPDX-License-Identifier: ISC */
/* POP3 command lines: a keyword, a space, arguments (RFC 1939 §3, RFC 2449 §3).
 *
 *    command = keyword *(SP param) CRLF      keyword = 3*4VCHAR      param = 1*VCHAR
 *
 * There is one kind for each shape of arguments; a verb names its kind, and a handler receives only
 * arguments that passed that kind's rule. Numbers are plain decimal without sign, space or leading
 * zero. */
#ifndef QASID_POP3_COMMAND_H
#define QASID_POP3_COMMAND_H

#include "lib/base/slice.h"

enum pop3_arg {
  POP3_ARG_NONE,
  POP3_ARG_NUMBER,       /* msg: 1 to 2^32 - 1 */
  POP3_ARG_MAYBE_NUMBER, /* [msg] */
  POP3_ARG_TOP,          /* msg n: n from 0 */
  POP3_ARG_NAME,         /* name: no spaces */
  POP3_ARG_PASSWORD,     /* everything after the one space, spaces included (RFC 1939 §7, PASS) */
  POP3_ARG_APOP,         /* name digest: 32 lower-case hexadecimal digits */
  POP3_ARG_AUTH,         /* [mechanism [initial-response]] (RFC 5034 §5); a space alone is none */
  POP3_ARG_LANG,         /* [language-range]: "de", "de-CH" or "*" (RFC 4647 §2.1) */
  POP3_ARG_KINDS
};

struct pop3_command {
  struct slice verb;
  bool has_args; /* a space follows the verb */
  struct slice args;
};

struct pop3_args {
  bool present;      /* an optional argument was given */
  uint64_t number;   /* msg */
  uint64_t lines;    /* TOP's n */
  struct slice name; /* user name, mechanism or language range */
  struct slice text; /* password, or initial response still in base64 ("=": empty) */
  bool has_text;
  uint8_t digest[16];
};

/* Splits a line (without CRLF) at its first space. */
struct pop3_command pop3_command_split(struct slice line);
/* True if the arguments match `kind`. Slices in *ret are borrowed from the line. */
bool pop3_args_parse(enum pop3_arg kind, const struct pop3_command *c, struct pop3_args *ret);
/* How the arguments are written, for an error: "msg", "[msg]", "" ... */
const char *pop3_arg_usage(enum pop3_arg kind);

#endif
