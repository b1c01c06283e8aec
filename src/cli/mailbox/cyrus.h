/* SPDX-License-Identifier: ISC */
/* cyrus.index, the list of a Cyrus mailbox: a header and a record for each message, numbers with
 * the most significant octet first. Versions 6 to 20 (Cyrus 2.1 to 3.x); the layout changed in 19
 * and 20. */
#ifndef QASID_CLI_CYRUS_H
#define QASID_CLI_CYRUS_H

#include "src/cli/mailbox/mailbox.h"

/* Its option uidl_format. A mailbox that has existed since Cyrus 2.0 shows UIDs alone, whatever the
 * option. */
enum cyrus_form {
  CYRUS_FORM_CYRUS,   /* UIDVALIDITY.UID: the default */
  CYRUS_FORM_UIDONLY, /* UID */
  CYRUS_FORM_DOVECOT, /* both in hexadecimal, eight digits each, UID first */
  CYRUS_FORM_COURIER, /* UIDVALIDITY-UID */
};

struct cyrus_index {
  struct slice records;
  size_t record_size;
  unsigned version;
  uint32_t uidvalidity;
  bool new_form; /* the option of the mailbox: UIDLs by uidl_format */
};
struct cyrus_message {
  uint32_t uid;
  int64_t date;
  uint32_t flags; /* MAIL_… */
};

/* False with a sentence in `err`. */
bool cyrus_open(struct cyrus_index *x, struct slice file, struct buf *err);
/* The next message that is neither expunged nor removed; false: that was all. */
bool cyrus_next(struct cyrus_index *x, struct cyrus_message *ret);
void cyrus_put_uidl(struct buf *out, const struct cyrus_index *x, enum cyrus_form form,
                    uint32_t uid);

#endif
