/* SPDX-License-Identifier: ISC */
/* Sending limits of accounts: the owner puts the limits into the job, the writer counts and decides
 * inside the message's transaction, the owner notifies the postmaster (send_limits.h). Invariant:
 * counts and the message that they count are in one transaction; a message is counted and held as a
 * whole. */
#include "src/store/owner/send_limits.h"

#include <stdlib.h>

#include "src/store/owner/postmaster.h"

enum { NOTICE_MAX = 4096 };

/* --- limits --- */

void send_limits_set(struct store *s, const struct session *session, struct deliver_job *d) {
  struct dir_account a;
  bool on = session->account && d->elsewhere_count &&
            dir_account(&s->dir, session->account, &a) == DIR_FOUND;
  const uint64_t options[DIR_SENDS] = {
    s->conf->account_messages_per_hour,      s->conf->account_recipients_per_hour,
    s->conf->account_messages_per_day,       s->conf->account_recipients_per_day,
    s->conf->account_new_recipients_per_day,
  };
  d->send_limits = (struct deliver_send_limits){ .on = on };
  for (int i = 0; on && i < DIR_SENDS; i++)
    d->send_limits.limits[i] = a.limits.sends[i] == DIR_DEFAULT ? options[i] : a.limits.sends[i];
}

/* --- the postmaster --- */

static void put_notice(struct buf *b, struct slice name, const struct deliver_job *d) {
  buf_put_str(b, "The account ");
  buf_put(b, name);
  buf_printf(b,
             " sends more than it may (%s, limit %llu).\r\nIts mail to other servers is taken, but "
             "held in the queue.\r\n\r\n",
             send_limits_words(d->send_limits.why),
             (unsigned long long)d->send_limits.limits[d->send_limits.why - 1]);
  buf_put_str(
      b,
      "If somebody else has its password: qasid account disable, then qasid queue drop account=");
  buf_put(b, name);
  buf_put_str(b, "\r\nIf it is well: qasid queue release account=");
  buf_put(b, name);
  buf_put_str(b, "\r\nTo let it send more: qasid account set\r\n");
}

static void log_it(struct store *s, struct slice name, const struct deliver_job *d) {
  struct log_line l;
  log_open(&l, s->shell.log, LOG_E_ACCOUNT_LIMIT);
  log_str(&l, LOG_F_NAME, name);
  log_cstr(&l, LOG_F_REASON, send_limits_words(d->send_limits.why));
  log_num(&l, LOG_F_RECIPIENTS, d->elsewhere_count);
  log_end(&l);
}

void send_limits_notify(struct store *s, const struct deliver_job *d, int64_t now_s) {
  struct maildrop_lock *a = lock_get(&s->locks, d->letter.account);
  if (!a || (a->over_limit_s && now_s >= a->over_limit_s &&
             now_s - a->over_limit_s < SEND_LIMITS_NOTICE_EVERY_S))
    return;
  struct buf text, subject, address;
  a->over_limit_s = now_s;
  buf_init(&text, NOTICE_MAX), buf_init(&subject, 400), buf_init(&address, DIR_ADDRESS_MAX);
  dir_put_name(&s->dir, d->letter.account, &address);
  struct slice name = buf_slice(&address);
  buf_printf(&subject, "Mail of %.*s is held", SLICE_ARG(name));
  log_it(s, name, d);
  put_notice(&text, name, d);
  if (!text.failed && !subject.failed)
    postmaster_send(s, buf_slice(&subject), buf_slice(&text), now_s);
  buf_free(&text), buf_free(&subject), buf_free(&address);
}
