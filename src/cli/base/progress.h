/* SPDX-License-Identifier: ISC */
/* How far it is: one line that is written over on a terminal, a line now and then elsewhere, on
 * standard error. */
#ifndef QASID_CLI_PROGRESS_H
#define QASID_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
  bool quiet, terminal, drawn;
  uint64_t started_ms, last_ms;
  uint64_t messages, octets;         /* so far */
  uint64_t all_messages, all_octets; /* to come in all, as announced; 0: not known */
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
