/* SPDX-License-Identifier: ISC */
/* The messages that this run of `fetch` has made safe (the memory is about earlier runs, and there
 * may be none). When a session breaks off, the next one does not fetch them again, and deletes at
 * the server only those that still have these octets. 80 octets a message and the map, for as many
 * as the server lists (limits.messages of the session). */
#ifndef QASID_CLI_FETCHED_H
#define QASID_CLI_FETCHED_H

#include "lib/base/map.h"
#include "mail/pop3/client.h"
#include "lib/tls/digest.h"

struct fetched_message {
  uint64_t size;
  void *own;
  uint8_t uidl[DIGEST_SHA256_SIZE], octets[DIGEST_SHA256_SIZE];
};

struct fetched {
  struct map by_number;
};

void fetched_init(struct fetched *f);
void fetched_free(struct fetched *f);
/* With the item's `own`. False without memory. */
bool fetched_add(struct fetched *f, const struct pop3_item *m,
                 const uint8_t octets[static DIGEST_SHA256_SIZE]);
/* The message with this number, size and UIDL; NULL: it was not fetched. */
const struct fetched_message *fetched_find(const struct fetched *f, const struct pop3_item *m);

#endif
