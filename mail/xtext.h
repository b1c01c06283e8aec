/* SPDX-License-Identifier: ISC */
/* xtext (RFC 3461 §4): printable ASCII in which "+" and two upper-case hexadecimal digits stand for
 * an octet. */
#ifndef QASID_MAIL_XTEXT_H
#define QASID_MAIL_XTEXT_H

#include "lib/base/buf.h"

/* Appends the decoded octets. False: malformed; nothing was put. */
bool xtext_decode(struct buf *out, struct slice xtext);
/* True if well-formed, and it decodes to at most `most` octets, all printable ASCII or space, so
 * that a delivery report can repeat it (RFC 3461 §4.2, §4.4). Not empty. */
bool xtext_is_printable(struct slice xtext, size_t most);
/* An address in the 7-bit form of RFC 6533 §3 (utf-8-addr-xtext): "\x{E9}" for a character that is
 * not ASCII, or is special there. Invalid UTF-8 becomes "?". */
void xtext_put_utf8_address(struct buf *out, struct slice address);
/* The address represented by this form, or by utf-8-addr-unitext. False: malformed, or one of its
 * characters may not be shown (utf8_is_shown()); nothing was put. */
bool xtext_decode_utf8_address(struct buf *out, struct slice text);
/* True if well-formed: a valid value of AUTH= (RFC 4954 §5). */
bool xtext_is_valid(struct slice xtext);

#endif
