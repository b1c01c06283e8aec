/* SPDX-License-Identifier: ISC */
/* Normalisation of line ends. Every message passes it on its way into the store or out to another
 * server, whatever its source (SMTP, the collector, import, fetch, a migration, send). Afterwards
 * CR and LF occur only together, as a line's end, and no octet is NUL. Otherwise text to one
 * program is "." to another, the end of the message, and what follows is read as commands or
 * replies (attacks SM-1 to SM-26; RFC 5321 §2.3.8, RFC 5322 §2.3).
 *
 *   LF alone                becomes CRLF
 *   CR alone                becomes CRLF
 *   CRs before CRLF         are removed: CR CR LF results from converting line ends twice
 *   NUL                     becomes 0x80, as in RETR (mail/pop3/stuff.h, rule 2)
 *
 * Changes are counted, so that the caller can report them. Pure; the result does not depend on how
 * the octets are cut into pieces. Ordinary text costs one search for LF, CR and NUL. */
#ifndef QASID_MAIL_CLEAN_H
#define QASID_MAIL_CLEAN_H

#include "lib/base/buf.h"

/* CRs that are held until the octet after them is known; in a longer run each further one becomes a
 * line's end at once. */
enum { MAIL_CLEAN_HELD = 4 };
/* Room that one octet may need, including what is held. */
enum { MAIL_CLEAN_ROOM = 2 * MAIL_CLEAN_HELD + 2 };

struct mail_changes {
  uint64_t crs, lfs, nuls;
};
struct mail_clean {
  uint64_t octets; /* put out so far */
  struct mail_changes changed;
  uint8_t held;
};

/* Starts with all zero. `out` may be NULL, then octets are only counted; otherwise it needs room
 * for twice the piece and MAIL_CLEAN_ROOM, or fails. */
void mail_clean_put(struct mail_clean *c, struct slice piece, struct buf *out);
/* The same for octets that the caller knows to be clean: no CR or LF in them is alone and no CR
 * is held: takes no more room than they have. */
void mail_clean_put_lines(struct mail_clean *c, struct slice lines, struct buf *out);
/* The message ends here: puts what was held. */
void mail_clean_end(struct mail_clean *c, struct buf *out);

/* For a complete message. *ret_size: its size after normalisation. True: it needs no change. */
bool mail_is_clean(struct slice message, uint64_t *ret_size);

bool mail_changes_any(const struct mail_changes *c);
void mail_changes_add(struct mail_changes *to, const struct mail_changes *more);
/* "2 bare LFs, 1 bare CR and 3 NULs". */
void mail_changes_put(struct buf *out, const struct mail_changes *c);
/* "5 messages had what no message may have and were made over: 2 bare LFs and 1 bare CR". */
void mail_changes_report(struct buf *out, uint64_t messages, const struct mail_changes *c);

#endif
