/* What was fetched already: the UIDLs of one maildrop that are safe at one destination, in a file.
 *
 *   qasid-fetch 1 <what it is the memory of>
 *   <seconds since 1970> <UIDL> [<mark>]
 *
 * A line is added, and synced, once its message is safe or (with a mark) will be safe by what the mark says;
 * so whatever ends the process, the next one knows. A last line without its end never was. What the server
 * does not have any more is forgotten by writing the file anew beside it, syncing, and renaming. One process
 * at a time has a memory. */
#ifndef QASID_CLI_MEMORY_H
#define QASID_CLI_MEMORY_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"

struct memory;

struct memory_entry {
  struct slice uidl, mark; /* mark empty: safe, nothing is left to do */
  int64_t since;           /* when it was fetched, seconds since 1970 */
  bool there;              /* memory_keep(): the server still has it */
  bool lost;               /* memory_lose() */
};

/* `of` names the maildrop and the destination; the file of another one is refused. Folders above it are made.
 * NULL with the exit code and a sentence in `err`. */
struct memory *memory_open(const char *path, struct slice of, int *ret_code, struct buf *err);
/* In no order that means anything. */
const struct memory_entry *memory_all(const struct memory *m, size_t *ret_count);
/* NULL: not known when it was opened. */
const struct memory_entry *memory_find(const struct memory *m, struct slice uidl);
/* Notes one more. `mark`: what is to be done if the process ends here, no line feed in it; empty: nothing. */
void memory_add(struct memory *m, struct slice uidl, struct slice mark, int64_t now);
/* All that was added is on the disk when this is true; else errno says why not. */
bool memory_sync(struct memory *m);
/* What its mark says cannot be done any more: it is as if it had never been noted. */
void memory_lose(struct memory *m, struct slice uidl);
/* The server has it: it is not to be forgotten. */
void memory_keep(struct memory *m, struct slice uidl);
/* Forgets what was not kept, and all marks. False: the old file stays. */
bool memory_forget(struct memory *m);
void memory_free(struct memory **m);

#endif
