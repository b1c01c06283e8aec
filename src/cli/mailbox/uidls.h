/* SPDX-License-Identifier: ISC */
/* The UIDLs that another server gave to messages, out of its files. */
#ifndef QASID_CLI_UIDLS_H
#define QASID_CLI_UIDLS_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"

/* By file name (sorted), or in the messages' order when there are no names. */
struct uidl_entry {
  struct slice name, uidl;
  uint64_t uid; /* Dovecot's; 0 */
};
struct uidl_list {
  struct arena mem;
  struct uidl_entry *entries;
  size_t count;
  bool named;
};

/* Lines "UIDL<TAB>NAME", or a UIDL alone. False with a sentence in `err` that names the line. */
bool uidls_read_plain(struct uidl_list *l, struct slice text, struct buf *err);
/* dovecot-uidlist, version 3: "3 V1275660208 N25022 G…", then "UID [Ppop3-uidl …] :NAME" for each
 * message. Without a P field Dovecot's UIDL is that of its default pop3_uidl_format, %08Xu%08Xv. */
bool uidls_read_dovecot(struct uidl_list *l, struct slice text, struct buf *err);
/* courierpop3dsizelist, "/VERSION NEXT [UIDV]", then "NAME SIZE N[:UIDV[:UTF8]]" for each message:
 * version 1 has N alone, 2 has UIDV too, 3 whether it is UTF-8. Courier shows UIDN, or UIDN-UIDV
 * when UIDV is not 0; and for N = 0, which older versions leave, the name as uidls_put_name()
 * writes it. */
bool uidls_read_courier(struct uidl_list *l, struct slice text, struct buf *err);
/* By the name without flags; NULL: not known. */
const struct uidl_entry *uidls_find(const struct uidl_list *l, struct slice name);
void uidls_free(struct uidl_list *l);

#endif
