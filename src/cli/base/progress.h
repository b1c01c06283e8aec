/* SPDX-License-Identifier: ISC */
/* Progress output on standard error: one line that is redrawn on a terminal, a line now and then
 * elsewhere. */
#ifndef QASID_CLI_PROGRESS_H
#define QASID_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
  bool quiet, terminal, drawn;
  uint64_t started_ms, last_ms;
  uint64_t messages, octets;         /* so far */
  uint64_t all_messages, all_octets; /* the announced total; 0: unknown */
};

void progress_start(struct progress *p, bool quiet, uint64_t all_messages, uint64_t all_octets);
/* After `messages` or `octets` have grown. */
void progress_step(struct progress *p);
/* Clears the terminal's line, for other output. */
void progress_clear(struct progress *p);
/* "1.4 MB" into `to`. */
enum { PROGRESS_SIZE_ROOM = 24 };
void progress_size(uint64_t octets, char to[static PROGRESS_SIZE_ROOM]);

#endif
