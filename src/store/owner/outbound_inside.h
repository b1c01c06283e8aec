/* SPDX-License-Identifier: ISC */
/* Shared by outbound.c (letters in hands) and outbound_results.c (their results). Only they include
 * this. */
#ifndef QASID_STORE_OWNER_OUTBOUND_INSIDE_H
#define QASID_STORE_OWNER_OUTBOUND_INSIDE_H

#include "src/store/jobs/result.h"
#include "src/store/owner/outbound.h"

enum { SENDING_MEMORY = 256 * 1024 }; /* for the slices of one letter */

/* A letter with a tag: in hands, settling or overdue. */
struct sending {
  uint64_t tag;
  uint32_t sender; /* the process that has it; 0: it is lost */
  struct sched_head *head;
  struct arena memory;
  struct taken_letter letter; /* without octets */
  int64_t since_s;
  uint8_t where; /* enum send_place */
  uint64_t session;
  bool settling, overdue;
};

/* --- outbound.c --- */

/* NULL: there is none with that tag. */
struct sending *outbound_sending_of(struct store *s, uint64_t tag);
/* NULL also if another sender has it. */
struct sending *outbound_sending_by(struct store *s, uint32_t sender, uint64_t tag);
void outbound_sending_free(struct store *s, struct sending *x);
/* Copies everything but the octets into `a`. False without memory. */
bool outbound_copy_letter(struct arena *a, const struct taken_letter *from,
                          struct taken_letter *to);
/* The letter is out of hands; its rows that wait again are due then. `due` 0: as each result of `r`
 * says. `r` NULL: there is no result. */
void outbound_back_to_schedule(struct store *s, struct sending *x, const struct result_job *r,
                               enum sched_news news, int64_t due);

/* The outcome for expired recipients. */
extern const struct send_outcome outbound_over;

/* --- outbound_results.c --- */

/* Handles send_result. False: the sender has broken the rules. */
bool outbound_result(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s);
/* Its sender is lost: records in the history that an attempt was interrupted. False: none was in
 * progress, or no memory. */
bool outbound_settle_cut(struct store *s, struct sending *x, int64_t now_s);
/* Without an attempt: the recipients of `l` end, or wait on, with the outcome `o`. `tag` 0: the
 * letter has none. False without memory. */
bool outbound_settle_here(struct store *s, uint64_t tag, const struct taken_letter *l,
                          const struct send_outcome *o, int64_t now_s);

#endif
