/* SPDX-License-Identifier: ISC */
/* A domain with letters outside ASCII as the DNS has it: each such label becomes an A-label (RFC
 * 5890 §2.3.2.1), made by libidn2.
 *
 * Nothing is mapped but ASCII capitals: a label that is not in the form that a U-label has (lower
 * case, composed, no invisible characters, no other dots) is refused. Refusing is the safe side: a
 * wrong A-label would be somebody else's domain. */
#ifndef QASID_MAIL_ALABEL_H
#define QASID_MAIL_ALABEL_H

#include "lib/base/buf.h"

enum { ALABEL_MAX = 63 /* octets of a label: RFC 1035 §2.3.4 */ };

/* Puts `domain` (UTF-8) as A-labels. False when it is no such domain; then what was put has no
 * meaning. */
bool alabel_put_domain(struct buf *out, struct slice domain);

#endif
