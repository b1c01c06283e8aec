/* SPDX-License-Identifier: ISC */
/* The memory of `fetch`: the messages of one maildrop that are safe at one destination, in a file.
 *
 *   qasid-fetch 2 <maildrop and destination>
 *   <seconds since 1970> <UIDL> <size> <octets> <SHA-256> [<mark>]
 *   tls <seconds since 1970>
 *
 * A UIDL alone does not identify a message: a server may reuse it (RFC 1939 §7), and may give two
 * messages the same one. So the listed size and a digest of the octets are stored beside it: a
 * message is known, and not fetched, if UIDL and size are those of a line; it is the same only if
 * it was fetched again with the same digest. Lines of version 1 have "-" three times: they state
 * that a UIDL is known, and never that a message is the same.
 *
 * A line is added, and synced, once its message is safe or (with a mark) can be made safe by the
 * mark; so whatever ends the process, the next one knows. A last line without its end does not
 * count. Messages that the server no longer has are forgotten by writing a new file, syncing, and
 * renaming it. Only one process at a time can open a memory. */
#ifndef QASID_CLI_MEMORY_H
#define QASID_CLI_MEMORY_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"

struct memory;

enum { MEMORY_DIGEST = 32 };

struct memory_entry {
  struct slice uidl, mark; /* mark empty: safe, nothing is left to do */
  int64_t since;           /* when it was fetched, seconds since 1970 */
  uint64_t size, octets;   /* as listed, as received */
  uint8_t digest[MEMORY_DIGEST];
  bool old;   /* of version 1: only the UIDL is known */
  bool there; /* memory_keep(): the server still has it */
  bool lost;  /* memory_lose() */
};

/* `of` names the maildrop and the destination; the file of another one is refused. `was`: the name
 * in version 1; such a file is converted. Missing folders above it are created. NULL with the exit
 * code and a sentence in `err`. */
struct memory *memory_open(const char *path, struct slice of, struct slice was, int *ret_code,
                           struct buf *err);
/* From earlier runs, in arbitrary order. */
const struct memory_entry *memory_all(const struct memory *m, size_t *ret_count);
/* True if at least `alike` messages with this UIDL and this size are recorded from earlier runs,
 * each of them complete. `since`: when the latest came. */
bool memory_knows(const struct memory *m, struct slice uidl, uint64_t size, uint32_t alike,
                  int64_t *ret_since);
/* How many with this UIDL and size are recorded; those of this run count only if `twin`: other
 * messages have none. */
uint32_t memory_count(const struct memory *m, struct slice uidl, uint64_t size, bool twin);
/* The number of the same message; 0: it is new. `twin` as above. */
size_t memory_same(const struct memory *m, struct slice uidl, const uint8_t digest[MEMORY_DIGEST],
                   bool twin);
/* By a number that is not 0; valid until memory_add(). Those of memory_all() are numbered from
 * 1. */
const struct memory_entry *memory_at(const struct memory *m, size_t number);
/* Records one more, and returns its number; 0: no memory. Its mark, without line feed, says how to
 * complete it if the process ends now; empty: nothing is to be done. */
size_t memory_add(struct memory *m, const struct memory_entry *e);
/* True: everything added is on the disk; else errno says why not. */
bool memory_sync(struct memory *m);
/* Its mark can no longer be completed, or the server has deleted it: removes the record. */
void memory_lose(struct memory *m, size_t number);
/* The server still has it: it is not forgotten. */
void memory_keep(struct memory *m, struct slice uidl, uint64_t size);
/* Forgets all entries that were not kept, and all marks. False: the old file stays. */
bool memory_forget(struct memory *m);
/* The server had TLS once: a server that offers none now may be an attacker's. */
bool memory_had_tls(const struct memory *m);
bool memory_note_tls(struct memory *m, int64_t now);
void memory_free(struct memory **m);
/* The folders above a file, readable by nobody else. */
bool memory_make_folders(const char *path);

#endif
