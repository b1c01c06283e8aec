/* SPDX-License-Identifier: ISC */
/* One header field with valid UTF-8 in it, converted for a client that reads ASCII only. There are
 * two ways.
 *
 * SURROGATE_6857 keeps all information (RFC 6857 §3):
 *
 *   unstructured text         encoded-words, from the first such word to the last        §3.1.1
 *   display names, keywords   the phrase as encoded-words                        §3.1.2, §3.1.5
 *   comments                  encoded-words inside the parentheses                       §3.1.3
 *   MIME parameters           RFC 2231, in sections where they are long                  §3.1.4
 *   domain of an address      A-labels                                                   §3.1.6
 *   local part of an address  the mailbox becomes an empty group that is named after it:
 *                             "Name =?UTF-8?Q?user=40example=2Eorg?= :;"; in a group, all of the
 *                             group does                                         §3.1.7, §3.1.8
 *   recipient of a report     "utf-8; \x{E9}@example.org"                                §3.1.9
 *   Message-ID and the like   "Downgraded-Message-ID:" with all of it encoded           §3.1.10
 *   for and id of Received:   left out                                                   §3.2.4
 *
 * SURROGATE_6858 is simpler, and loses more (RFC 6858 §2):
 *
 *   an address beyond ASCII   "Name and address" <invalid@internationalized.invalid>, so that
 *                             clients which show no empty group show a sender; a reply to it
 *                             reaches nobody                                               §2.1
 *   display names, subject    encoded-words                                          §2.1, §2.3
 *   MIME parameters           left out                                                     §2.2
 *   any other field           left out                                                     §2.4
 *
 * A line that is no field is unchanged. Where a field does not follow its grammar, what cannot be
 * parsed is encoded as text or passes. The conversion is deterministic, and the output at most
 * SURROGATE_GROWTH times as long. */
#ifndef QASID_MAIL_SURROGATE_FIELD_H
#define QASID_MAIL_SURROGATE_FIELD_H

#include "lib/base/buf.h"

enum { SURROGATE_GROWTH = 24 };

enum surrogate_way { SURROGATE_6857, SURROGATE_6858 };

/* Whether there is an octet above 127. */
bool surrogate_wants(struct slice s);
/* Puts the field; `raw` is all of it with every CRLF, in UTF-8. */
void surrogate_field(struct buf *out, struct slice raw, enum surrogate_way way);

#endif
