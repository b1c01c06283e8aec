/* SPDX-License-Identifier: ISC */
/* The DNS form of a domain with letters outside ASCII: each such label becomes an A-label (RFC 5890
 * §2.3.2.1), made by libidn2.
 *
 * Only ASCII capitals are mapped: a label that is not a valid U-label (lower case, composed, no
 * invisible characters, no other dots) is refused. A wrong A-label could be another owner's
 * domain. */
#ifndef QASID_MAIL_ALABEL_H
#define QASID_MAIL_ALABEL_H

#include "lib/base/buf.h"

enum { ALABEL_MAX = 63 /* octets of a label: RFC 1035 §2.3.4 */ };

/* Puts `domain` (UTF-8) as A-labels. False if it is not a valid domain; the octets put are then
 * meaningless. */
bool alabel_put_domain(struct buf *out, struct slice domain);

#endif
