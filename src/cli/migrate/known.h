/* SPDX-License-Identifier: ISC */
/* What an account has already, so that an import can be repeated: which UIDLs, which messages.
 *
 * A UIDL alone proves nothing (RFC 1939 §7 lets a server use it again, and some give two messages
 * the same): a message is there when one with its octets is. A message of the mailbox stands for
 * one of the source.
 *
 * Octets are compared by their SHA-256, of the messages as they are kept. Those of the account are
 * read, all at once, when the first message comes that has the size of one of them. */
#ifndef QASID_CLI_KNOWN_H
#define QASID_CLI_KNOWN_H

#include "lib/base/arena.h"
#include "lib/base/map.h"
#include "lib/tls/digest.h"
#include "src/cli/base/cli.h"

#define KNOWN_ANY_SIZE UINT64_MAX

struct known_message {
  struct slice uidl;
  uint64_t size; /* KNOWN_ANY_SIZE: it is gone, and how large it was is not known */
  uint32_t uid;  /* 0: of this run, or gone */
  bool gone;     /* its owner deleted it */
  bool taken;    /* it stands for a message of the source */
  bool digested;
  uint8_t digest[DIGEST_SHA256_SIZE];
  size_t same_uidl, same_size; /* the next in the chain, as an index and one; 0: none */
};

struct known {
  struct cli *c;
  const char *address;
  struct arena mem;
  struct known_message *list;
  size_t count, cap;
  struct map by_uidl, by_size; /* hash, size → index and one */
  bool digested;
};

enum known_verdict {
  KNOWN_NEW,
  KNOWN_THERE,
  KNOWN_GONE,
};

/* Reads what the account has. The exit code; what went wrong was said. known_free() is to be called
 * either way. */
int known_begin(struct known *k, struct cli *c, const char *address);
/* Whether a message of that size, as it is kept, has to be compared: known_put() then needs its
 * digest. */
bool known_wants_digest(const struct known *k, uint64_t size);
/* What is to be done with the next message of the source; `digest` may be NULL. *uidl is emptied
 * when it is another message's. The exit code. */
int known_put(struct known *k, uint64_t size, const uint8_t *digest, struct slice *uidl,
              enum known_verdict *ret);
void known_free(struct known *k);

#endif
