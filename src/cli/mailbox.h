/* Mailboxes in files, read and written message by message: Maildir (a file each), mbox (one file). */
#ifndef QASID_CLI_MAILBOX_H
#define QASID_CLI_MAILBOX_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"

/* The flags of a message as the store numbers them, in the order of Maildir's letters DFRST without
 * those that have no letter. */
enum { MAIL_SEEN = 1, MAIL_ANSWERED = 2, MAIL_FLAGGED = 4, MAIL_DELETED = 8, MAIL_DRAFT = 16 };

struct mail_meta {
  int64_t date; /* when it came, seconds since 1970; 0: not known */
  uint32_t flags;
  struct slice uidl; /* empty: none */
};

/* A Maildir's file name without folder and flags: "new/1.M2P3.host:2,S" → "1.M2P3.host". */
struct slice maildir_base_name(struct slice name);
/* Its flags. */
uint32_t maildir_flags(struct slice name);

/* --- writing --- */
struct mailbox_out;

/* A Maildir is made when missing; an mbox must not exist yet unless `append`; "-" is standard output
 * (mbox). NULL with a sentence in `err`. */
struct mailbox_out *mailbox_out_open(bool maildir, const char *path, bool append, struct buf *err);
/* One message: begin, its octets in wire form in pieces, end. A message that was not ended is taken
 * back by mailbox_out_free(). False: writing failed, see mailbox_out_error(). */
bool mailbox_out_begin(struct mailbox_out *o, const struct mail_meta *meta);
bool mailbox_out_put(struct mailbox_out *o, struct slice piece);
bool mailbox_out_end(struct mailbox_out *o);
/* The message that was begun is taken back; the next may begin. False: some of it is out already (a pipe takes
 * nothing back). */
bool mailbox_out_cut(struct mailbox_out *o);
/* From here on a message that ends in a Maildir stays in tmp/, on the disk, until it is shown by its name. An mbox
 * has no such place. */
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
struct mailbox_in;

struct mail_item {
  struct mail_meta meta;
  const char *name; /* the Maildir's file without flags, or "" */
  struct slice raw; /* valid until the next mailbox_in_next() */
  bool unquote;     /* an mbox's: for to_wire_open() */
};

/* Where the UIDLs are. */
struct mailbox_uidls {
  const char *file; /* lines as uidls_read_plain() wants them; NULL: none */
  const char *from; /* a word of mailbox_uidl_words; NULL: what the folder has */
};
/* "dovecot, courier, …", for who typed another. */
void mailbox_put_uidl_words(struct buf *out);

/* A folder is read as Maildir, or as a Cyrus mailbox when it has a cyrus.index; a file as mbox. `uidls` may be
 * NULL. NULL with a sentence in `err`. */
struct mailbox_in *mailbox_in_open(const char *path, const struct mailbox_uidls *uidls, struct buf *err);
/* False at the end, and with something in `err` when it cannot go on. */
bool mailbox_in_next(struct mailbox_in *in, struct mail_item *ret, struct buf *err);
void mailbox_in_free(struct mailbox_in **in);

#endif
