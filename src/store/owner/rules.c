/* SPDX-License-Identifier: ISC */
/* The rules of maildrops, an account's own or the option's: what is enforced, and what CAPA may
 * announce before login (RFC 2449 §6.5, §6.7). The announcement is computed at the first request
 * after a change. */
#include "ipc/pop3d_store.h"
#include "src/store/owner/owner.h"
#include "src/store/sql/owner_reads.h"

uint32_t rules_login_delay(const struct store *s, const struct dir_limits *l) {
  return l->login_delay == DIR_DEFAULT ? (uint32_t)s->conf->login_delay : l->login_delay;
}

uint32_t rules_expire(const struct store *s, const struct dir_limits *l) {
  if (l->expire != DIR_DEFAULT) return l->expire == DIR_NEVER ? POP_NEVER : l->expire;
  return s->conf->pop3_expire == CONF_NEVER ? POP_NEVER : (uint32_t)s->conf->pop3_expire;
}

void rules_changed(struct store *s) {
  s->rules_known = false;
  for (struct peer *p = s->peers; p; p = p->next) {
    if (!p->knows_rules) continue;
    p->knows_rules = false;
    pop_rules_changed_put(&s->out, &(struct pop_rules_changed){});
    store_send_to(s, p, pop_rules_changed_type, 0, -1);
  }
}

static bool own_limits(struct store *s, enum own_limit which, struct own_limits *ret) {
  enum db_result r = read_own_limits(s->db, which, ret);
  s->dir.failed |= r == DB_IOERR;
  return r == DB_OK;
}

static bool work_out_delays(struct store *s, struct pop_rules_are *r) {
  struct own_limits own;
  int64_t usual = r->login_delay;
  if (!own_limits(s, OWN_LOGIN_DELAY, &own)) return false;
  if (own.least > own.most) return true;
  r->login_delay_differs = own.least != usual || own.most != usual;
  if (own.most > usual) r->login_delay = (uint32_t)own.most;
  return true;
}

/* Days; -1 is never, and not a number of days. */
static bool compute_expiry(struct store *s, struct pop_rules_are *r) {
  struct own_limits own, days;
  int64_t usual = r->expire == POP_NEVER ? -1 : (int64_t)r->expire;
  if (!own_limits(s, OWN_EXPIRE, &own)) return false;
  if (own.least > own.most) return true;
  r->expire_differs = own.least != usual || own.most != usual;
  if (!own_limits(s, OWN_EXPIRE_DAYS, &days)) return false;
  bool some = days.least <= days.most;
  if (some && (usual < 0 || days.least < usual)) r->expire = (uint32_t)days.least;
  return true;
}

/* "the largest value currently in use for any user" (§6.5), the smallest (§6.7). An account without
 * a limit of its own has the option's; the option counts even if no account has it now, since the
 * next one may. What could not be read is computed again at the next question. */
static void compute_rules(struct store *s) {
  static const struct dir_limits usual = { .login_delay = DIR_DEFAULT, .expire = DIR_DEFAULT };
  struct pop_rules_are r = { .login_delay = rules_login_delay(s, &usual),
                             .expire = rules_expire(s, &usual) };
  s->rules_known = work_out_delays(s, &r) && compute_expiry(s, &r);
  if (!r.login_delay) r.login_delay = POP_NO_DELAY;
  s->rules = r;
}

const struct pop_rules_are *rules_of_all(struct store *s) {
  if (!s->rules_known) compute_rules(s);
  return &s->rules;
}

uint32_t rules_wait(struct store *s, const struct dir_account *a, int64_t now_s) {
  struct maildrop_lock *lock = lock_find(&s->locks, a->id);
  if (!lock || !lock->login_s) return 0;
  int64_t due = lock->login_s + rules_login_delay(s, &a->limits);
  /* the clock was set back: the time of the last login is unknown */
  if (now_s < lock->login_s) lock->login_s = 0;
  return lock->login_s && due > now_s ? (uint32_t)(due - now_s) : 0;
}
