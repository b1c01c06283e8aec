/* SPDX-License-Identifier: ISC */
/* Messages at which a session with another server ended: the server does not stuff their dots, or
 * crashes on them. A new session skips each, so that the messages after it are not lost. For
 * `fetch` and `migrate`; the collector has to remember them across runs (src/collector/steps.c). */
#ifndef QASID_CLI_STEPPED_H
#define QASID_CLI_STEPPED_H

#include "lib/tls/digest.h"

/* In one run, and so the number of additional sessions. */
enum { STEPPED_MAX = 8 };

/* A message is identified by number, size and UIDL (a digest of it): none of them alone is enough
 * at every server. */
struct stepped {
  struct stepped_message {
    uint64_t number, size;
    uint8_t uidl[DIGEST_SHA256_SIZE];
  } messages[STEPPED_MAX];
  size_t count;
};

bool stepped_has(const struct stepped *s, uint64_t number, uint64_t size, struct slice uidl);
/* False: the maximum was reached, or no memory; then a new session would not help. True after a
 * short pause, in which the other server releases the maildrop. */
bool stepped_over(struct stepped *s, uint64_t number, uint64_t size, struct slice uidl);

#endif
