/* The grammar of commands: RFC 5321 §4.1.1 and §4.1.2, the parameters of RFC 1870, 6152 and 4954.
 * Shared by the side that reads commands and the side that will write them.
 *
 * Parsers return SMTP_OK or the outcome the command gets; then what they return is not to be used. */
#ifndef QASID_SMTP_COMMAND_H
#define QASID_SMTP_COMMAND_H

#include "lib/mail/address.h"
#include "lib/smtp/reply.h"

/* AUTH lines with their CRLF, and the lines of its exchange (RFC 4954 §4). */
enum { SMTP_AUTH_LINE_MAX = 12288, SMTP_MECHANISM_MAX = 20, SMTP_DOMAIN_MAX = 255 };

/* A line cut in two: the verb, and what stands behind the first space. White space at the line's end
 * is not part of it (§4.1.1: "receivers SHOULD tolerate trailing white space"). */
struct smtp_command {
  struct slice verb;
  struct slice argument; /* empty: none */
};
struct smtp_command smtp_command_cut(struct slice line);

/* Parameters a server may offer, as bits. */
enum smtp_param { SMTP_PARAM_SIZE = 1, SMTP_PARAM_BODY = 2, SMTP_PARAM_AUTH = 4 };

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

/* "FROM:" Reverse-path [SP Mail-parameters] */
struct smtp_mail {
  struct address sender;
  unsigned given; /* bits of enum smtp_param */
  uint64_t size;  /* SIZE=, or 0 */
  enum smtp_body body;
};
enum smtp_outcome smtp_mail_parse(struct slice argument, unsigned offered, struct smtp_mail *ret);

/* "TO:" Forward-path [SP Rcpt-parameters]; no parameter of RCPT is offered yet. */
enum smtp_outcome smtp_rcpt_parse(struct slice argument, struct address *ret);

/* mechanism [SP initial-response] (RFC 4954 §4). "=" is a response of no octets. */
struct smtp_auth {
  struct slice mechanism;
  bool has_initial;
  struct slice initial; /* base64 */
};
enum smtp_outcome smtp_auth_parse(struct slice argument, struct smtp_auth *ret);

/* EHLO's and HELO's name. More is let pass than the grammar has, because hosts that name themselves
 * "my_pc" bring mail too (§4.1.4: the name is no ground for refusal): 1 to 255 printable octets
 * without a space. */
bool smtp_helo_ok(struct slice name);

#endif
