/* SPDX-License-Identifier: ISC */
/* The door: every message passes it on its way into the store, or out to another server, whatever
 * brought it (SMTP, the collector, import, fetch, a migration, send). Behind it CR and LF stand
 * only together, as a line's end, and no octet is NUL: else one program's text is another's ".",
 * the end of the message, and what follows is read as commands or replies (attacks SM-1 to SM-26;
 * RFC 5321 §2.3.8, RFC 5322 §2.3).
 *
 *   LF alone                becomes CRLF
 *   CR alone                becomes CRLF
 *   CRs in front of CRLF    go: CR CR LF is what a text becomes whose ends were made twice
 *   NUL                     becomes 0x80, as RETR has it (mail/pop3/stuff.h, rule 2)
 *
 * What was changed is counted, so that whoever passes a message can say so. Pure; however the
 * octets come in pieces, the result is the same. Ordinary text costs one search for LF, CR and NUL.
 */
#ifndef QASID_MAIL_CLEAN_H
#define QASID_MAIL_CLEAN_H

#include "lib/base/buf.h"

/* CRs that are held until it is known what follows; of a longer run each further one is a line's
 * end at once. */
enum { MAIL_CLEAN_HELD = 4 };
/* Room that one octet may need, with what is held. */
enum { MAIL_CLEAN_ROOM = 2 * MAIL_CLEAN_HELD + 2 };

struct mail_changes {
  uint64_t crs, lfs, nuls;
};
struct mail_clean {
  uint64_t octets; /* put out so far */
  struct mail_changes changed;
  uint8_t held;
  bool inside; /* the next octet put out is not a line's first */
  bool dots;   /* some line begins with "." */
};

/* To start: all zero. `out` may be NULL, then octets are only counted; else it needs room for twice
 * the piece and MAIL_CLEAN_ROOM, or fails. */
void mail_clean_put(struct mail_clean *c, struct slice piece, struct buf *out);
/* The same for octets of which the caller knows that no CR or LF in them is alone, that none is
 * held, and that no line begins with "." in them: takes no more room than they have. */
void mail_clean_put_lines(struct mail_clean *c, struct slice lines, struct buf *out);
/* The message ends here: what was held. */
void mail_clean_end(struct mail_clean *c, struct buf *out);

/* A message that is whole already. *ret_size: as it will be. True: it is as it should be. */
bool mail_is_clean(struct slice message, uint64_t *ret_size);

bool mail_changes_any(const struct mail_changes *c);
void mail_changes_add(struct mail_changes *to, const struct mail_changes *more);
/* "2 bare LFs, 1 bare CR and 3 NULs". */
void mail_changes_put(struct buf *out, const struct mail_changes *c);

#endif
