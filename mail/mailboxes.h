/* SPDX-License-Identifier: ISC */
/* The addresses in a message's own header, for sending a message to the recipients in it: RFC 5322
 * §3.4.
 *
 *   address-list = address *("," address)      address = mailbox / group
 *   mailbox = [display-name] "<" addr-spec ">" / addr-spec      group = display-name ":" [list] ";"
 *
 * Comments, quoted names, folding and empty places in the list (§4.4) are skipped. An address is
 * parsed as in an envelope (mail/address.h); anything else is an error, never a guess. */
#ifndef QASID_MAIL_MAILBOXES_H
#define QASID_MAIL_MAILBOXES_H

#include "lib/base/buf.h"
#include "mail/address.h"

/* Calls `each` for every address of a field's body (still folded). False: *ret_wrong is the first
 * part of the list that is not an address. Linear; comments may be nested to any depth. */
bool mailboxes_each(struct slice body, void (*each)(void *arg, const struct address *a), void *arg,
                    struct slice *ret_wrong);
/* The header's fields To, Cc and Bcc (RFC 5322 §3.6.3), each address once, as in a path, ended by a
 * line feed. An address without a domain gets `domain`; if that is empty, it is an error. False:
 * `wrong` receives what is not an address. */
bool mailboxes_of_header(struct slice message, struct slice domain, struct buf *ret,
                         struct buf *wrong);
/* The message as it is to be sent: without Return-Path, which the final server makes (RFC 5321
 * §4.4), and, unless `bcc`, without Bcc, which its recipients must not see. */
void mailboxes_put_sent(struct slice message, bool bcc, struct buf *out);

#endif
