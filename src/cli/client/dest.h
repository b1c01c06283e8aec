/* SPDX-License-Identifier: ISC */
/* Destinations of fetched mail: a Maildir, an mbox, standard output, an SMTP or LMTP server, a
 * local account.
 *
 * Messages come one after another: begin, its octets in wire form, end. Completed messages are
 * collected until the fetcher wants them safe:
 *
 *   ready   they are on the disk, or acknowledged; refused ones are reported
 *           (the fetcher writes its memory, each with its mark)
 *   show    makes them visible
 *
 * If the process dies between the two, the next one finds the marks in its memory and makes those
 * messages visible. */
#ifndef QASID_CLI_DEST_H
#define QASID_CLI_DEST_H

#include "lib/base/buf.h"
#include "src/cli/base/cli.h"

enum dest_end {
  DEST_TAKEN,
  DEST_REFUSED, /* this message was refused: see `error`; others may be accepted */
  DEST_BROKEN,  /* no more messages are accepted: see `error` and `code` */
};
enum dest_finish { DEST_SHOWN, DEST_LOST, DEST_FAILED };

struct dest;
struct dest_ops {
  bool (*begin)(struct dest *d);
  bool (*put)(struct dest *d, struct slice piece);
  /* `id` is the same whenever these octets come under this UIDL from this server, and never another
   * message's: 64 characters, or empty. */
  enum dest_end (*end)(struct dest *d, struct slice id, struct buf *mark);
  void (*cut)(struct dest *d);
  /* Sets safe[i] to false for each of the `count` completed messages that was refused after all. */
  bool (*ready)(struct dest *d, bool *safe, size_t count);
  bool (*show)(struct dest *d);
  /* Completes a mark of an earlier process. */
  enum dest_finish (*finish)(struct dest *d, struct slice mark);
  void (*free)(struct dest *d);
};
struct dest {
  const struct dest_ops *ops;
  bool forgetful; /* by default nothing is remembered between fetches: standard output */
  int code;       /* the exit code for `error` */
  char error[512];
};

/* "-", a path, lmtp://…, smtp://…, account:ADDRESS. NULL with the exit code; the reason was
 * printed. */
struct dest *dest_open(struct cli *c, const char *place, int *ret_code);
void dest_free(struct dest **d);

/* Constructors, by file. */
struct dest *dest_mailbox_open(const char *place, int *ret_code);
struct dest *dest_account_open(struct cli *c, const char *address, int *ret_code);
struct dest *dest_smtp_open(struct cli *c, const char *url, int *ret_code);
/* Stores the error of `d` with its code; returns false. The first one is kept. */
__attribute__((format(printf, 3, 4))) bool dest_fail(struct dest *d, int code, const char *fmt,
                                                     ...);

#endif
