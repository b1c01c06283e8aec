/* SPDX-License-Identifier: ISC */
/* A message and its remote recipients, as described when they are written to the queue. */
#ifndef QASID_STORE_JOBS_QUEUE_LETTER_H
#define QASID_STORE_JOBS_QUEUE_LETTER_H

#include "lib/base/slice.h"

/* In addition to enum envelope_flags, in store only: the reverse-path is in a domain of ours; the
 * message is a report of ours; a program of this machine submitted it. */
enum {
  QUEUE_PATH_OURS = 0x80,
  QUEUE_REPORT = 0x40,
  QUEUE_LOCAL = 0x20,
  QUEUE_FLAGS = QUEUE_PATH_OURS | QUEUE_REPORT | QUEUE_LOCAL
};

struct queue_letter {
  struct slice return_path; /* "": <> */
  struct slice envid;       /* xtext as it came, or empty */
  uint8_t ret;              /* enum smtp_ret */
  uint8_t flags;            /* enum envelope_flags, QUEUE_PATH_OURS */
  uint64_t account;         /* the account that submitted it; 0: no login */
};

struct queue_rcpt {
  struct slice address; /* in wire form, without brackets */
  /* its domain in lower case, and what else its routing depends on (src/store/owner/routes.h) */
  struct slice destination;
  struct slice orcpt; /* "rfc822;xtext" or empty */
  /* the local address through which it is reached; empty: the envelope's own recipient */
  struct slice forwarder;
  uint8_t notify; /* enum smtp_notify; 0: not given */
  bool held;
  uint8_t why; /* if held: enum queue_held_by */
};

/* Why a recipient is held: by the administrator, or by a limit of the account, in the order of enum
 * dir_sends. */
enum queue_held_by {
  QUEUE_BY_ADMIN,
  QUEUE_BY_MESSAGES_HOUR,
  QUEUE_BY_RECIPIENTS_HOUR,
  QUEUE_BY_MESSAGES_DAY,
  QUEUE_BY_RECIPIENTS_DAY,
  QUEUE_BY_NEW_DAY,
};

#endif
