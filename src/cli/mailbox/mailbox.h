/* SPDX-License-Identifier: ISC */
/* Mailboxes in files, read and written message by message: Maildir (a file each), mbox (one file).
 */
#ifndef QASID_CLI_MAILBOX_H
#define QASID_CLI_MAILBOX_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "src/cli/mailbox/mbox_scan.h"
#include "src/store/format.h"

struct mail_meta {
  int64_t date;      /* time of arrival, seconds since 1970; 0: unknown */
  uint32_t flags;    /* src/store/format.h */
  struct slice uidl; /* empty: none */
};

/* A Maildir's file name without folder and flags: "new/1.M2P3.host:2,S" → "1.M2P3.host". */
struct slice maildir_base_name(struct slice name);

/* --- writing --- */
struct mailbox_out;

/* A Maildir is made when missing; an mbox must not exist yet unless `append`; "-" is standard
 * output (mbox). NULL with a sentence in `err`. */
struct mailbox_out *mailbox_out_open(bool maildir, const char *path, bool append, struct buf *err);
/* One message: begin, its octets in wire form in pieces, end. A message that was not ended is taken
 * back by mailbox_out_free(). False: writing failed, see mailbox_out_error(). */
bool mailbox_out_begin(struct mailbox_out *o, const struct mail_meta *meta);
bool mailbox_out_put(struct mailbox_out *o, struct slice piece);
bool mailbox_out_end(struct mailbox_out *o);
/* The message that was begun is taken back; the next may begin. False: some of it is out already (a
 * pipe takes nothing back). */
bool mailbox_out_cut(struct mailbox_out *o);
/* From here on a message that ends in a Maildir stays in tmp/, on the disk, until it is shown by
 * its name. An mbox has no such place. */
void mailbox_out_hide(struct mailbox_out *o);
/* What became of a message that was hidden, perhaps by a process that is no more. */
enum mailbox_shown {
  MAILBOX_SHOWN,  /* it is in new/ now, or was before, or its owner has moved it to cur/ */
  MAILBOX_LOST,   /* it is nowhere */
  MAILBOX_FAILED, /* see mailbox_out_error() */
};
enum mailbox_shown mailbox_out_show(struct mailbox_out *o, struct slice name);
/* The Maildir's file of the message ended last, without flags; its number in an mbox. */
const char *mailbox_out_name(const struct mailbox_out *o);
/* All ended messages are on the disk when this is true. */
bool mailbox_out_sync(struct mailbox_out *o);
const char *mailbox_out_error(const struct mailbox_out *o);
/* Frees; what was not synced may be lost. */
void mailbox_out_free(struct mailbox_out **o);

/* --- reading --- */

/* The mailbox may be somebody else's (place.h): no link is followed, nothing is waited for, each
 * file is its owner's. Files are read, not mapped: whoever cuts one short meanwhile loses that
 * message alone. What is no message, or can't be read, comes as an item that says so, and the rest
 * goes on. */
struct mailbox_in;

enum { MAIL_ITEM_NAME = 320 };
struct mail_item {
  struct mail_meta meta;
  char name[MAIL_ITEM_NAME]; /* the Maildir's file, or "message N" of an mbox */
  const char *left_out;      /* why it can't be taken; NULL: it can */
  bool internal;             /* left out, but no mail: the folder's own data */
  bool doubtful;             /* see mbox_scan.h */
  int fd;                    /* where its octets are, valid until the next mailbox_in_next() */
  uint64_t at, size;
  enum mbox_quoting quoting; /* for to_wire_open() */
};

/* Where the UIDLs are, and what an mbox is. */
struct mailbox_how {
  const char *uidl_file; /* lines as uidls_read_plain() wants them; NULL: none */
  const char *uidl_from; /* a word of mailbox_put_uidl_words(); NULL: what the folder has */
  enum mbox_form form;
};

/* A folder is read as Maildir, or as a Cyrus mailbox when it has a cyrus.index; a file as mbox.
 * `how` may be NULL. NULL with a sentence in `err`. */
struct mailbox_in *mailbox_in_open(const char *path, const struct mailbox_how *how,
                                   struct buf *err);
/* False at the end, and with something in `err` when it cannot go on. */
bool mailbox_in_next(struct mailbox_in *in, struct mail_item *ret, struct buf *err);
/* Its octets in wire form, some at a time. False when `take` says so, and with errno when it can't
 * be read. *ret_crs: lone CRs in it, each of which became a line's end. */
bool mail_item_read(const struct mail_item *item, bool (*take)(void *arg, struct slice wire),
                    void *arg, uint64_t *ret_crs);
/* How far it is: of how many messages (0: not known), of how many octets (0: not known). */
struct mailbox_progress {
  uint64_t all_messages, octets, all_octets;
};
struct mailbox_progress mailbox_in_progress(const struct mailbox_in *in);
/* At the end: lines of an mbox that begin with "From " behind an empty one, and were taken as text;
 * and whether a list of UIDLs in order had another number of lines than there are messages. */
uint64_t mailbox_in_left_text(const struct mailbox_in *in);
bool mailbox_in_uidls_differ(const struct mailbox_in *in);
void mailbox_in_free(struct mailbox_in **in);

#endif
