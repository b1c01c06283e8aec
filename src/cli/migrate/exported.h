/* SPDX-License-Identifier: ISC */
/* What the messages of an account are, by their octets: each is read once, as the store exports it.
 */
#ifndef QASID_CLI_EXPORTED_H
#define QASID_CLI_EXPORTED_H

#include "lib/tls/digest.h"
#include "src/cli/base/cli.h"

struct exported {
  uint32_t uid;
  uint64_t size, lines; /* octets; line feeds among them */
  uint8_t digest[DIGEST_SHA256_SIZE];
};

/* Calls `each` for every message that could be read. The exit code; what went wrong was reported. A
 * damaged message is left out, and is no failure of this. */
int exported_each(struct cli *c, const char *address,
                  void (*each)(void *arg, const struct exported *e), void *arg);

#endif
