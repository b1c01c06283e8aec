/* SPDX-License-Identifier: ISC */
/* What was fetched already: the messages of one maildrop that are safe at one destination, in a
 * file.
 *
 *   qasid-fetch 2 <what it is the memory of>
 *   <seconds since 1970> <UIDL> <size> <octets> <SHA-256> [<mark>]
 *   tls <seconds since 1970>
 *
 * A UIDL alone proves nothing: a server may use it again (RFC 1939 §7), and may give two messages
 * the same one. So the size that was listed and a digest of what came stand beside it: a message is
 * known, and not fetched, while UIDL and size are those of a line; it is the same only when it was
 * fetched again with the same digest. Lines of version 1 have "-" three times: they say that a UIDL
 * is known, and never that a message is the same.
 *
 * A line is added, and synced, once its message is safe or (with a mark) will be safe by what the
 * mark says; so whatever ends the process, the next one knows. A last line without its end never
 * was. What the server does not have any more is forgotten by writing the file anew beside it,
 * syncing, and renaming. One process at a time has a memory. */
#ifndef QASID_CLI_MEMORY_H
#define QASID_CLI_MEMORY_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"

struct memory;

enum { MEMORY_DIGEST = 32 };

struct memory_entry {
  struct slice uidl, mark; /* mark empty: safe, nothing is left to do */
  int64_t since;           /* when it was fetched, seconds since 1970 */
  uint64_t size, octets;   /* as listed, as came */
  uint8_t digest[MEMORY_DIGEST];
  bool old;   /* of version 1: only the UIDL is known */
  bool there; /* memory_keep(): the server still has it */
  bool lost;  /* memory_lose() */
};

/* `of` names the maildrop and the destination; the file of another one is refused. `was`: how
 * version 1 named them; such a file becomes one of ours. Folders above it are made. NULL with the
 * exit code and a sentence in `err`. */
struct memory *memory_open(const char *path, struct slice of, struct slice was, int *ret_code,
                           struct buf *err);
/* Of earlier runs, in no order that means anything. */
const struct memory_entry *memory_all(const struct memory *m, size_t *ret_count);
/* Of earlier runs: as many messages with this UIDL and this size as `alike`, each of them whole.
 * `since`: when the youngest came. */
bool memory_knows(const struct memory *m, struct slice uidl, uint64_t size, uint32_t alike,
                  int64_t *ret_since);
/* How many with this UIDL and size are noted; those of this run among them if `twin`: others have
 * none. */
uint32_t memory_count(const struct memory *m, struct slice uidl, uint64_t size, bool twin);
/* The number of the message itself; 0: it is new. `twin` as above. */
size_t memory_same(const struct memory *m, struct slice uidl, const uint8_t digest[MEMORY_DIGEST],
                   bool twin);
/* Of a number that is not 0; until memory_add(). Those of memory_all() have the numbers from 1. */
const struct memory_entry *memory_at(const struct memory *m, size_t number);
/* Notes one more, and gives its number; 0: no memory. Its mark says what is to be done if the
 * process ends here, no line feed in it; empty: nothing. */
size_t memory_add(struct memory *m, const struct memory_entry *e);
/* All that was added is on the disk when this is true; else errno says why not. */
bool memory_sync(struct memory *m);
/* What its mark says cannot be done any more, or the server has deleted it: it is as if it had
 * never been noted. */
void memory_lose(struct memory *m, size_t number);
/* The server still has it: it is not to be forgotten. */
void memory_keep(struct memory *m, struct slice uidl, uint64_t size);
/* Forgets what was not kept, and all marks. False: the old file stays. */
bool memory_forget(struct memory *m);
/* The server had TLS once: a server that offers none now may be an attacker's. */
bool memory_had_tls(const struct memory *m);
bool memory_note_tls(struct memory *m, int64_t now);
void memory_free(struct memory **m);
/* The folders above a file, readable by nobody else. */
bool memory_make_folders(const char *path);

#endif
