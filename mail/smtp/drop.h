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
  DROP_RECIPIENTS_MAX = 1000, /* the server's limit (recipients_per_message) */
  DROP_HEAD_MAX = 640 * 1024, /* octets before the message */
  DROP_ID = 16,
  DROP_NAME = 2 * DROP_ID, /* name of a complete file: the message's identity, hexadecimal */
};
#define DROP_FOLDER "pickup"   /* the drop folder, in data_dir, named after its role */
#define DROP_UNFINISHED "tmp-" /* prefix of a file's name until it is complete */
#define DROP_ASIDE "aside"     /* in the drop folder: files that were not submitted */

struct drop {
  struct slice from;       /* the argument of MAIL */
  struct slice recipients; /* those of RCPT, one per line */
  size_t count;
  uint64_t size; /* octets of the message */
  size_t head;   /* octets before it */
};

/* Writes what precedes the message. */
void drop_put(struct buf *out, const struct drop *d);
/* Parses the beginning of a file: all of it, or its first DROP_HEAD_MAX octets; `whole` is the size
 * of the file, which has to end with the message. NULL, or what is wrong; *ret refers to `octets`.
 * A well-formed envelope remains well-formed when `domain` completes addresses without one. */
const char *drop_read(struct slice octets, uint64_t whole, struct slice domain, struct drop *ret);
/* Takes the next line off `*recipients`. False: there is none left, or (with octets left) it is
 * malformed. */
bool drop_next(struct slice *recipients, struct slice domain, struct smtp_recipient *ret);
/* False: malformed. */
bool drop_from(const struct drop *d, struct slice domain, struct smtp_mail *ret);
/* True if it is the name of a complete file; *ret_id is the identity in it. */
bool drop_is_name(struct slice name, uint8_t ret_id[DROP_ID]);

#endif
