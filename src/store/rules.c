/* SPDX-License-Identifier: ISC */
/* The rules of maildrops, an account's own or the option's: what is enforced, and what CAPA may
 * announce before login (RFC 2449 §6.5, §6.7). The announcement is computed at the first request
 * after a change. */
#include "ipc/pop3d_store.h"
#include "src/store/owner.h"

uint32_t rules_login_delay(const struct store *s, const struct dir_account *a) {
  return a->limits.login_delay == DIR_DEFAULT ? (uint32_t)s->conf->login_delay
                                              : a->limits.login_delay;
}

uint32_t rules_expire(const struct store *s, const struct dir_account *a) {
  if (a->limits.expire != DIR_DEFAULT)
    return a->limits.expire == DIR_NEVER ? POP_NEVER : a->limits.expire;
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

static bool has_own(const struct dir_limits *l) {
  return l && (l->login_delay != DIR_DEFAULT || l->expire != DIR_DEFAULT);
}

/* Thousands of accounts without limits of their own may be added and removed without any effect. */
void rules_account(struct store *s, const struct dir_account *a, const struct dir_limits *limits) {
  if (has_own(limits) || (a && has_own(&a->limits))) rules_changed(s);
}

/* "the largest value currently in use for any user" (§6.5), the smallest (§6.7). An account without
 * a limit of its own has the option's; the option counts even if no account has it now, since the
 * next one may. */
static void work_out(struct store *s) {
  static const struct dir_account nobody = {
    .limits = { .quota = DIR_QUOTA_DEFAULT, .login_delay = DIR_DEFAULT, .expire = DIR_DEFAULT }
  };
  uint32_t usual = rules_login_delay(s, &nobody), usual_days = rules_expire(s, &nobody);
  struct pop_rules_are r = { .login_delay = usual, .expire = usual_days };
  for (const struct dir_account *a = s->dir.oldest; a; a = a->newer) {
    uint32_t own = rules_login_delay(s, a);
    r.login_delay_differs |= own != usual;
    if (own > r.login_delay) r.login_delay = own;
    uint32_t days = rules_expire(s, a);
    r.expire_differs |= days != usual_days;
    if (days < r.expire) r.expire = days;
  }
  if (!r.login_delay) r.login_delay = POP_NO_DELAY;
  s->rules = r;
  s->rules_known = true;
}

const struct pop_rules_are *rules_of_all(struct store *s) {
  if (!s->rules_known) work_out(s);
  return &s->rules;
}

uint32_t rules_wait(const struct store *s, struct dir_account *a, int64_t now_s) {
  int64_t due = a->login_s + rules_login_delay(s, a);
  /* the clock was set back: the time of the last login is unknown */
  if (now_s < a->login_s) a->login_s = 0;
  return a->login_s && due > now_s ? (uint32_t)(due - now_s) : 0;
}
