/* SPDX-License-Identifier: ISC */
/* A message that sendmail leaves in the drop folder while the server is down
 * (docs/design/pickup.md). Pure: octets in, values out.
 *
 *   qasid-drop 1
 *   FROM:<alice@example.org> RET=HDRS
 *   TO:<bob> NOTIFY=NEVER            one such line for each recipient
 *   1234
 *                                    an empty line, then 1234 octets of message in wire form
 *
 * The lines end in LF; the envelope is the arguments of MAIL and RCPT as for a local client: the
 * domain may be left out. */
#ifndef QASID_SMTP_DROP_H
#define QASID_SMTP_DROP_H

#include "lib/base/buf.h"
#include "mail/smtp/command.h"

enum {
  DROP_RECIPIENTS_MAX = 1000, /* the most that a server takes (recipients_per_message) */
  DROP_HEAD_MAX = 640 * 1024, /* octets in front of the message */
  DROP_ID = 16,
  DROP_NAME = 2 * DROP_ID, /* of a file that is whole: the message's identity, hexadecimal */
};
#define DROP_FOLDER "pickup"   /* the drop folder, in data_dir: of the role of that name */
#define DROP_UNFINISHED "tmp-" /* a file's name begins so until it is whole */
#define DROP_ASIDE "aside"     /* in the drop folder: what was not submitted */

struct drop {
  struct slice from;       /* the argument of MAIL */
  struct slice recipients; /* those of RCPT, a line each */
  size_t count;
  uint64_t size; /* octets of the message */
  size_t head;   /* octets in front of it */
};

/* Writes what stands in front of the message. */
void drop_put(struct buf *out, const struct drop *d);
/* What a file begins with: all of it, or its first DROP_HEAD_MAX octets; `whole` is the size of the
 * file, which has to end with the message. NULL, or what is wrong; *ret refers to `octets`. An
 * envelope that is well-formed with `domain` for addresses without one stays so. */
const char *drop_read(struct slice octets, uint64_t whole, struct slice domain, struct drop *ret);
/* Takes the next line off `*recipients`. False: there is none left, or (with octets left) it is
 * malformed. */
bool drop_next(struct slice *recipients, struct slice domain, struct smtp_recipient *ret);
/* False: malformed. */
bool drop_from(const struct drop *d, struct slice domain, struct smtp_mail *ret);
/* Whether it is the name of a file that is whole, and the identity in it. */
bool drop_is_name(struct slice name, uint8_t ret_id[DROP_ID]);

#endif
