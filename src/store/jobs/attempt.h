/* SPDX-License-Identifier: ISC */
/* The history of the queue's recipients (table `attempt`): each attempt, each administrative action
 * and each report to the message's sender is a row, written in the transaction that it records.
 * `queue history` and `why` show them; housekeeping trims them (KIND_ATTEMPTS). */
#ifndef QASID_STORE_JOBS_ATTEMPT_H
#define QASID_STORE_JOBS_ATTEMPT_H

#include "lib/base/slice.h"

/* Stored in the database: append new ones. */
enum attempt_what {
  ATTEMPT_SENT,
  ATTEMPT_FAILED,
  ATTEMPT_DEFERRED,
  ATTEMPT_DROPPED,
  ATTEMPT_EXPIRED, /* failed because it expired; reply: of the last attempt */
  ATTEMPT_HELD,
  ATTEMPT_RELEASED,
  ATTEMPT_RETRIED,
  ATTEMPT_TO_FAIL,  /* failed by the administrator; ATTEMPT_FAILED follows */
  ATTEMPT_REPORTED, /* address: the recipient of the report */
  ATTEMPT_CUT       /* interrupted, because its sender ended */
};
const char *attempt_word(int64_t what);
/* Stage of rows that are not attempts. */
enum { ATTEMPT_NO_STAGE = 255 };
/* "rcpt", …; "": none. */
const char *attempt_stage_word(int64_t stage);
/* True for an attempt, or the end of attempts, that did not succeed. */
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
/* The last reply of another server for a waiting recipient, or why no server could be reached. All
 * zero: not tried yet, or no memory. */
struct attempt_last {
  int64_t at_s; /* 0: not known */
  uint16_t code;
  uint8_t enhanced[3];
  struct slice reply, host;
};
#endif
