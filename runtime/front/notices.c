/* SPDX-License-Identifier: ISC */
/* Log lines for limits that were reached, at most one a minute for each cause. */
#include "runtime/front/private.h"

/* Limits of the process or of an address, and clients that only keep the server busy. Limits that
 * concern one session alone (too many errors, too slow) are in its closing line. */
static bool is_limit(enum close_reason why) {
  return why == CLOSE_ADDRESS_LIMIT || why == CLOSE_CONNECTION_LIMIT ||
         why == CLOSE_NO_DESCRIPTORS || why == CLOSE_PARKED || why == CLOSE_OFFENDER ||
         why == CLOSE_NO_PROGRESS;
}

void notice_limit(struct front *f, struct conn *c, const char *service, enum close_reason why) {
  struct log_line l;
  uint64_t times, address = c && (why == CLOSE_ADDRESS_LIMIT || why == CLOSE_OFFENDER ||
                                  why == CLOSE_NO_PROGRESS)
                                ? conn_address_key(c)
                                : 0;
  if (!is_limit(why)) return;
  if (!seldom_due(&f->notices, address * CLOSE_REASONS + why, loop_now(f->process->loop), &times))
    return;
  if (c) {
    conn_log_open(c, &l, LOG_E_LIMIT_HIT);
  } else {
    log_open(&l, &f->process->log, LOG_E_LIMIT_HIT);
    log_cstr(&l, LOG_F_SERVICE, service);
  }
  log_cstr(&l, LOG_F_LIMIT, close_reason_word(why));
  log_cstr(&l, LOG_F_MSG, close_reason_meaning(why));
  log_num(&l, LOG_F_COUNT, times);
  log_end(&l);
}

void front_notify_refused(struct conn *c, enum close_reason why) {
  struct log_line l;
  uint64_t times;
  struct front *f = c->front;
  if (why != CLOSE_CERTIFICATE_REFUSED) return;
  if (!seldom_due(&f->notices, conn_address_key(c) * CLOSE_REASONS + why,
                  loop_now(f->process->loop), &times))
    return;
  conn_log_open(c, &l, LOG_E_CERTIFICATE_REFUSED);
  log_cstr(&l, LOG_F_MSG, tls_reason(c->tls));
  log_num(&l, LOG_F_COUNT, times);
  log_end(&l);
}

void notice_no_descriptors(struct front *f) {
  struct log_line l;
  uint64_t times;
  if (!seldom_due(&f->notices, UINT64_MAX, loop_now(f->process->loop), &times)) return;
  log_open(&l, &f->process->log, LOG_E_NO_DESCRIPTORS);
  log_cstr(&l, LOG_F_MSG, "no more connections are taken for a moment: raise LimitNOFILE");
  log_num(&l, LOG_F_COUNT, times);
  log_end(&l);
}
