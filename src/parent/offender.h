/* SPDX-License-Identifier: ISC */
/* find_offender: which client address makes front-ends crash.
 *
 *   unknown --present at a crash--> suspected --by the rules--> refused --its time over--> unknown
 *                                       |
 *                                       +--no crash for OFFENDER_FORGET_MS--> unknown
 *
 * An address is refused when
 *   1. its input was being processed in OFFENDER_CAUGHT crashes, or
 *   2. it was among the recently served ones in each of the last OFFENDER_DEATHS crashes or more,
 *      no other address was, and OFFENDER_OTHERS others were in some of them: damaged memory may
 *      cause the crash later, while another client is served. A compromised front-end can name any
 *      address: an innocent one is then refused, for a while, at the price of a process each time.
 *
 * Pure. Memory: OFFENDERS_MAX rows. The suspect that was present longest ago is evicted, never one
 * that is refused for a suspect; only of more than OFFENDERS_MAX - OFFENDERS_SUSPECTED refused ones
 * the one whose time is over first. */
#ifndef QASID_PARENT_OFFENDER_H
#define QASID_PARENT_OFFENDER_H

#include <stdbool.h>
#include <stddef.h>

#include "ipc/front_notes.h"

enum {
  OFFENDERS_MAX = 256,
  OFFENDERS_SUSPECTED = 64, /* rows that are never used for refused addresses; more than one crash
                             * names */
  OFFENDER_CAUGHT = 2,
  OFFENDER_DEATHS = 4,
  OFFENDER_OTHERS = 3,
  OFFENDER_FORGET_MS = 10 * 60 * 1000,
};

struct offender {
  struct front_note who; /* n is 0: an empty row. For IPv6 the /64 */
  unsigned caught, present;
  uint64_t last_ms;
  uint64_t until_ms; /* when the refusal ends; 0: not refused */
};

struct offenders {
  struct offender rows[OFFENDERS_MAX];
  unsigned deaths; /* consecutive crashes, each at most OFFENDER_FORGET_MS after the previous one */
  uint64_t death_ms;
};

/* A front-end has crashed. Returns the address to refuse for `time_ms` from now, if it was not
 * refused before; NULL: none. */
const struct offender *find_offender(struct offenders *o, const struct front_notes *notes,
                                     uint64_t now_ms, uint64_t time_ms);

#endif
