/* SPDX-License-Identifier: ISC */
/* A message of the drop folder while it is submitted and reported on: shared by submit.c and
 * tell.c. */
#ifndef QASID_PICKUP_SUBMISSION_H
#define QASID_PICKUP_SUBMISSION_H

#include "lib/base/arena.h"
#include "src/pickup/own_mail.h"

/* Reports on a message, in this order. */
enum tell_step {
  TELL_REFUSED, /* permanently refused recipients */
  TELL_EXPIRED, /* those refused temporarily until the message was too old */
  TELL_STEPS
};

struct telling {
  enum tell_step step;
  bool to_postmaster; /* the reverse-path is empty, or has refused the report */
  struct own_mail mail;
};

struct drop_submission {
  struct pickup *pickup;
  struct found found;
  struct arena memory; /* the envelope */
  struct smtp_letter letter;
  uint64_t begin, at, end; /* octets of the file: the message's first, the read position, the end */
  bool given;              /* the session has the letter, or had it */
  bool later;              /* some recipients wait */
  struct telling tell;
  char words[400]; /* the first refusal, for the log */
};

/* --- submit.c --- */

/* All of [at, at+n) of the file. */
bool submit_read(int fd, uint8_t *to, size_t n, uint64_t at);
/* Ends the submission. */
void submit_end(struct drop_submission *s, enum outcome o);

/* --- tell.c --- */

/* The session with the message is over: sends the reports that are due, then calls submit_end(). */
void tell_go(struct drop_submission *s);

#endif
