/* SPDX-License-Identifier: ISC */
/* The history of the queue's recipients (table `attempt`): each attempt, each act of the
 * administrator, each report to the message's sender is a row, written in the transaction of what
 * it tells. `queue history` and `why` show them; housekeeping trims them (KIND_ATTEMPTS). */
#ifndef QASID_STORE_JOBS_ATTEMPT_H
#define QASID_STORE_JOBS_ATTEMPT_H

#include "lib/base/slice.h"

/* Kept in the database: new ones at the end. */
enum attempt_what {
  ATTEMPT_SENT,
  ATTEMPT_FAILED,
  ATTEMPT_DEFERRED,
  ATTEMPT_DROPPED,
  ATTEMPT_EXPIRED, /* failed because its time was over; reply: of the last attempt */
  ATTEMPT_HELD,
  ATTEMPT_RELEASED,
  ATTEMPT_RETRIED,
  ATTEMPT_TO_FAIL,  /* the administrator's word; ATTEMPT_FAILED follows */
  ATTEMPT_REPORTED, /* address: who gets the report */
  ATTEMPT_CUT       /* it was cut here, as its sender ended */
};
const char *attempt_word(int64_t what);
/* Of what was no attempt. */
enum { ATTEMPT_NO_STAGE = 255 };
/* "rcpt", …; "": none. */
const char *attempt_stage_word(int64_t stage);
/* It was an attempt, or the end of them, that did not succeed. */
bool attempt_was_in_vain(int64_t what);

struct attempt {
  int64_t at_s, due_s; /* due_s: the next one; 0: none */
  struct slice name, return_path, address;
  enum attempt_what what;
  uint8_t stage; /* enum smtp_stage, ATTEMPT_NO_STAGE */
  uint16_t code;
  uint8_t enhanced[3];
  struct slice reply, host, ip, tls;
};
/* What another server said last of a recipient that waits, or why it could not be spoken to. All
 * zero: it was not tried yet, or memory ran out. */
struct attempt_last {
  int64_t at_s; /* 0: not known */
  uint16_t code;
  uint8_t enhanced[3];
  struct slice reply, host;
};
#endif
