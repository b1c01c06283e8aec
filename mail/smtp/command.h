/* SPDX-License-Identifier: ISC */
/* The grammar of commands: RFC 5321 §4.1.1 and §4.1.2, the parameters of RFC 1870, 6152, 4954, 3461
 * and 6531. Shared by the server, which reads commands, and code that writes them.
 *
 * Parsers return SMTP_OK, or the outcome with which the command is refused; the result must then
 * not be used. */
#ifndef QASID_SMTP_COMMAND_H
#define QASID_SMTP_COMMAND_H

#include "mail/address.h"
#include "mail/smtp/dsn.h"
#include "mail/smtp/reply.h"

/* AUTH lines with their CRLF, and the lines of its exchange (RFC 4954 §4). */
enum { SMTP_AUTH_LINE_MAX = 12288, SMTP_MECHANISM_MAX = 20, SMTP_DOMAIN_MAX = 255 };

/* A line split in two: the verb, and the text after the following blanks. Trailing white space is
 * not part of it (§4.1.1: "receivers SHOULD tolerate trailing white space"); a TAB, or several
 * blanks, separate like one space. */
struct smtp_command {
  struct slice verb;
  struct slice argument; /* empty: none */
};
struct smtp_command smtp_command_cut(struct slice line);

/* Parameters a server may offer, as bits. */
enum smtp_param {
  SMTP_PARAM_SIZE = 1,
  SMTP_PARAM_BODY = 2,
  SMTP_PARAM_AUTH = 4,
  SMTP_PARAM_RET = 8,
  SMTP_PARAM_ENVID = 16, /* of MAIL */
  SMTP_PARAM_NOTIFY = 32,
  SMTP_PARAM_ORCPT = 64, /* of RCPT */
  SMTP_PARAM_UTF8 = 128, /* of MAIL; for RCPT: MAIL had it */
  SMTP_PARAMS_DSN = SMTP_PARAM_RET | SMTP_PARAM_ENVID | SMTP_PARAM_NOTIFY | SMTP_PARAM_ORCPT,
};

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

/* "FROM:" Reverse-path [SP Mail-parameters]. Spaces after the colon violate the RFC (§3.3) but are
 * common. With a `domain` the client may write as freely as the *_free() functions of
 * mail/address.h permit, with blanks and TABs around the colon; SLICE_NONE for all others. */
struct smtp_mail {
  struct address sender;
  unsigned given; /* bits of enum smtp_param */
  uint64_t size;  /* SIZE=, or 0; UINT64_MAX for larger values */
  enum smtp_body body;
  uint8_t ret;        /* enum smtp_ret */
  bool utf8;          /* SMTPUTF8 (RFC 6531 §3.4) */
  struct slice envid; /* xtext, or empty; of the argument */
};
enum smtp_outcome smtp_mail_parse(struct slice argument, unsigned offered, struct slice domain,
                                  struct smtp_mail *ret);

/* "TO:" Forward-path [SP Rcpt-parameters]. */
struct smtp_recipient {
  struct address address;
  unsigned given;
  uint8_t notify; /* bits of enum smtp_notify; 0: not given */
  /* "rfc822;xtext", "utf-8;" and its value by RFC 6533 §3, or empty; of the argument */
  struct slice orcpt;
};
enum smtp_outcome smtp_rcpt_parse(struct slice argument, unsigned offered, struct slice domain,
                                  struct smtp_recipient *ret);

/* mechanism [SP initial-response] (RFC 4954 §4). "=" is a response of no octets. */
struct smtp_auth {
  struct slice mechanism;
  bool has_initial;
  struct slice initial; /* base64 */
};
enum smtp_outcome smtp_auth_parse(struct slice argument, struct smtp_auth *ret);

/* EHLO's and HELO's name. Far more is accepted than the grammar permits, because hosts that call
 * themselves "my_pc", "PC de Jean" or "J\xfcrgen-PC" send mail too (§4.1.4: the name is no ground
 * for refusal): 1 to 255 octets without control characters other than TAB. Code that displays it
 * must sanitise it. */
bool smtp_helo_ok(struct slice name);

#endif
