/* SPDX-License-Identifier: ISC */
/* find_offender: who sends what ends front-ends?
 *
 *   unknown --present at a death--> suspected --by the rules--> refused --its time is over-->
 * unknown
 *                                       |
 *                                       +--no death for OFFENDER_FORGET_MS--> unknown
 *
 * An address is refused when
 *   1. it was being worked at in OFFENDER_CAUGHT deaths, or
 *   2. it was among those lately worked at in each of the last OFFENDER_DEATHS deaths or more, no
 * other was, and OFFENDER_OTHERS others were in some of them: what damages memory may kill later,
 * in another's turn. A front-end that was taken over can name whom it likes: an innocent address is
 * then refused, for a while, at the price of a process each time.
 *
 * Pure. Memory: OFFENDERS_MAX rows; the one that was present longest ago makes room. */
#ifndef QASID_PARENT_OFFENDER_H
#define QASID_PARENT_OFFENDER_H

#include <stdbool.h>
#include <stddef.h>

#include "ipc/front_notes.h"

enum {
  OFFENDERS_MAX = 256,
  OFFENDER_CAUGHT = 2,
  OFFENDER_DEATHS = 4,
  OFFENDER_OTHERS = 3,
  OFFENDER_FORGET_MS = 10 * 60 * 1000,
};

struct offender {
  struct front_note who; /* n is 0: an empty row. Of IPv6 the /64 */
  unsigned caught, present;
  uint64_t last_ms;
  uint64_t until_ms; /* refused; 0: it is not */
};

struct offenders {
  struct offender rows[OFFENDERS_MAX];
  unsigned deaths; /* in a row, none longer than OFFENDER_FORGET_MS behind another */
  uint64_t death_ms;
};

/* A front-end was ended by a fault. Who is to be refused for `time_ms` now, and was not before;
 * NULL: nobody new. */
const struct offender *find_offender(struct offenders *o, const struct front_notes *notes,
                                     uint64_t now_ms, uint64_t time_ms);

#endif
