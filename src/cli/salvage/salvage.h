/* SPDX-License-Identifier: ISC */
/* What is left of a store: rows out of the pages of its database (pages.h), whatever of them can be
 * read, put together by their numbers. The shape of a row identifies its table
 * (src/store/format.h). */
#ifndef QASID_CLI_SALVAGE_H
#define QASID_CLI_SALVAGE_H

#include "lib/base/arena.h"
#include "lib/base/map.h"
#include "lib/db/pages.h"

struct salvage_account {
  uint64_t id;
  const char *name; /* its address */
};
struct salvage_folder {
  uint64_t id, account;
  const char *name;
  uint32_t uidvalidity;
};
struct salvage_entry {
  uint64_t folder, body, size;
  int64_t date;
  uint32_t uid, flags;
  struct slice uidl; /* imported, or kept after a restoration; else empty */
};
/* `size`: of its head, which is in the row, and its octets (docs/design/message.md). */
struct salvage_body {
  uint64_t id, size, start, head;
  uint32_t page, cell;  /* its row; page 0: it is lost */
  bool in_file, wanted; /* wanted: an entry refers to it, or a deleted message that is still kept */
};

struct salvage {
  struct pages pages;
  struct arena mem;
  struct salvage_account *accounts;
  struct salvage_folder *folders;
  struct salvage_entry *entries; /* by folder and uid, each once */
  struct salvage_body *bodies;   /* by number, each once */
  size_t account_count, folder_count, entry_count, body_count;
  size_t account_cap, folder_cap, entry_cap, body_cap;
  size_t kept_count; /* deleted, still kept */
  bool no_memory;
};

/* Gathers all rows. False without memory. */
bool salvage_read(struct salvage *s);
void salvage_free(struct salvage *s);
/* NULL: there is none, or its row is lost. */
const struct salvage_account *salvage_account(const struct salvage *s, uint64_t id);
const struct salvage_folder *salvage_folder(const struct salvage *s, uint64_t id);
struct salvage_body *salvage_body(const struct salvage *s, uint64_t id);
/* The CRC-32C of a body as it was stored. False: it is not known. */
bool salvage_sum(struct salvage *s, const struct salvage_body *b, uint32_t *ret);
/* What is in front of a body's octets. False: not all of it can be read. */
bool salvage_head(struct salvage *s, const struct salvage_body *b,
                  bool (*put)(void *arg, struct slice piece), void *arg);
/* The octets of a body in the database. False: not all of them can be read. */
bool salvage_octets(struct salvage *s, const struct salvage_body *b,
                    bool (*put)(void *arg, struct slice piece), void *arg);

#endif
