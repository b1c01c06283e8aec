/* One header field with octets outside ASCII, as a client gets it that reads ASCII only: RFC 6857 §3.
 *
 *   unstructured text         encoded-words, from the first such word to the last           §3.1.1
 *   display names, keywords   the phrase as encoded-words                                   §3.1.2, §3.1.5
 *   comments                  encoded-words inside the parentheses                          §3.1.3
 *   MIME parameters           RFC 2231, in sections where they are long                     §3.1.4
 *   domain of an address      A-labels                                                      §3.1.6
 *   local part of an address  the mailbox becomes an empty group that is named after it:
 *                             "Name =?UTF-8?Q?user=40example=2Eorg?= :;"; in a group, all
 *                             of the group does                                             §3.1.7, §3.1.8
 *   Message-ID and the like   "Downgraded-Message-ID:" with all of it encoded               §3.1.10
 *   for-clause of Received:   left out                                                      §3.2.5
 *
 * Where the field doesn't follow its grammar, what can't be told apart is encoded as text, or its octets
 * become "?". What comes out is ASCII, whatever went in; the same for the same field; and at most
 * SURROGATE_GROWTH times as long. */
#ifndef QASID_MAIL_SURROGATE_FIELD_H
#define QASID_MAIL_SURROGATE_FIELD_H

#include "lib/base/buf.h"

enum { SURROGATE_GROWTH = 24 };

/* Whether there is an octet that no header may have for such a client: above 127, or NUL (which leaves as
 * 0x80, lib/pop3/stuff.h). */
bool surrogate_wants(struct slice s);
/* Puts `s` with "?" for each such octet. */
void surrogate_blur(struct buf *out, struct slice s);
/* Puts the field; `raw` is all of it with every CRLF. */
void surrogate_field(struct buf *out, struct slice raw);

/* Of a Content-Type's body: "multipart" and "mixed" of "multipart/mixed; boundary=x". */
void surrogate_type(struct slice body, struct slice *ret_type, struct slice *ret_subtype);
/* The value of the first parameter `name` that has one in printable ASCII, without its quotes, put into `out`,
 * which is empty. (To whom gets the surrogate another is none: it has another name there.) False when there
 * is none, or it has no room. */
bool surrogate_parameter(struct slice body, struct slice name, struct buf *out);

#endif
