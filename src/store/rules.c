/* SPDX-License-Identifier: ISC */
/* The rules of maildrops, an account's own or the option's: what is enforced, and what CAPA may
 * announce before login (RFC 2449 §6.5, §6.7). The announcement is computed at the first request
 * after a change. */
#include "ipc/pop3d_store.h"
#include "src/store/owner.h"

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

/* The smallest and the largest of the accounts' own limits, by their indexes. *ret_min above
 * *ret_max: none has one. */
static bool own_limits(struct store *s, struct db_stmt *q, int64_t *ret_min, int64_t *ret_max) {
  enum db_result r = db_step(q);
  *ret_min = 1;
  *ret_max = 0;
  if (r == DB_ROW && !db_is_null(q, 0)) {
    *ret_min = db_int(q, 0);
    *ret_max = db_int(q, 1);
  }
  db_reset(q);
  s->dir.failed |= r == DB_IOERR;
  return r == DB_ROW;
}

static bool work_out_delays(struct store *s, struct pop_rules_are *r) {
  int64_t least, most, usual = r->login_delay;
  struct db_stmt *q = db_prepare(
      s->db, "SELECT (SELECT min(login_delay) FROM account WHERE login_delay IS NOT NULL),"
             " (SELECT max(login_delay) FROM account WHERE login_delay IS NOT NULL)");
  if (!own_limits(s, q, &least, &most)) return false;
  if (least > most) return true;
  r->login_delay_differs = least != usual || most != usual;
  if (most > usual) r->login_delay = (uint32_t)most;
  return true;
}

/* Days; -1 is never, which is no number of days. */
static bool work_out_expiry(struct store *s, struct pop_rules_are *r) {
  int64_t least, most, days, none, usual = r->expire == POP_NEVER ? -1 : (int64_t)r->expire;
  struct db_stmt *q =
      db_prepare(s->db, "SELECT (SELECT min(expire) FROM account WHERE expire IS NOT NULL),"
                        " (SELECT max(expire) FROM account WHERE expire IS NOT NULL)");
  if (!own_limits(s, q, &least, &most)) return false;
  if (least > most) return true;
  r->expire_differs = least != usual || most != usual;
  q = db_prepare(s->db, "SELECT (SELECT min(expire) FROM account WHERE expire >= 0), 0");
  if (!own_limits(s, q, &days, &none)) return false;
  if (most >= 0 && (usual < 0 || days < usual)) r->expire = (uint32_t)days;
  return true;
}

/* "the largest value currently in use for any user" (§6.5), the smallest (§6.7). An account without
 * a limit of its own has the option's; the option counts even if no account has it now, since the
 * next one may. What could not be read is worked out again at the next question. */
static void work_out(struct store *s) {
  static const struct dir_limits usual = { .login_delay = DIR_DEFAULT, .expire = DIR_DEFAULT };
  struct pop_rules_are r = { .login_delay = rules_login_delay(s, &usual),
                             .expire = rules_expire(s, &usual) };
  s->rules_known = work_out_delays(s, &r) && work_out_expiry(s, &r);
  if (!r.login_delay) r.login_delay = POP_NO_DELAY;
  s->rules = r;
}

const struct pop_rules_are *rules_of_all(struct store *s) {
  if (!s->rules_known) work_out(s);
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
