/* SPDX-License-Identifier: ISC */
/* Routes whose server refuses our login: `status` lists them, the log has at most one line a minute
 * for each with the number of refusals, and store notifies the postmaster. A successful login ends
 * it. Invariant: a server and login have one entry; beyond ALARMS_MAX of them the others appear
 * only in the log lines of their messages. */
#include <stdio.h>
#include <string.h>

#include "src/sender/sender.h"

static struct login_alarm *find(struct sender *s, const struct nexthop *l) {
  struct login_alarm *place = NULL;
  for (size_t i = 0; i < ALARMS_MAX; i++) {
    struct login_alarm *a = &s->alarms[i];
    if (strcmp(a->nexthop, l->name) == 0 &&
        slice_eq(slice_str(a->user), slice_first(l->route.user, sizeof a->user - 1)))
      return a;
    if (!place && !a->nexthop[0]) place = a;
  }
  return place;
}

static void send_to_store(struct sender *s, const struct link *k, const struct login_alarm *a) {
  struct buf b;
  buf_init(&b, 2048);
  send_login_refused_put(&b, &(struct send_login_refused){ slice_str(a->nexthop),
                                                           slice_first(k->nexthop->route.user, 255),
                                                           slice_str(a->words) });
  if (!b.failed && s->store)
    process_send(s->process, ROLE_STORE, s->store, send_login_refused_type, 0, buf_slice(&b), -1);
  buf_free(&b);
}

static void report_refused(struct sender *s, const struct link *k, const struct login_alarm *a) {
  uint64_t times;
  struct log_line l;
  if (!seldom_due(&s->refusals, slice_hash(slice_str(a->nexthop)) ^ slice_hash(slice_str(a->user)),
                  loop_now(s->process->loop), &times))
    return;
  log_open(&l, &s->process->log, LOG_E_LOGIN_REFUSED);
  log_cstr(&l, LOG_F_HOST, a->nexthop);
  log_str(&l, LOG_F_NAME, k->nexthop->route.user);
  log_cstr(&l, LOG_F_REASON, a->words);
  log_num(&l, LOG_F_COUNT, times);
  log_end(&l);
  send_to_store(s, k, a);
}

void alarm_login(const struct link *k) {
  struct sender *s = k->nexthop->sender;
  const struct smtp_client *c = k->client;
  if (!k->nexthop->route.user.n) return;
  struct login_alarm *a = find(s, k->nexthop);
  bool refused = c->end == SMTP_END_LOGIN_WRONG || c->end == SMTP_END_NO_MECHANISM ||
                 c->end == SMTP_END_UNPROVEN;
  if (a && c->ready) a->nexthop[0] = 0;
  if (!a || !refused) return;
  if (!a->nexthop[0]) {
    *a = (struct login_alarm){ 0 };
    snprintf(a->nexthop, sizeof a->nexthop, "%s", k->nexthop->name);
    snprintf(a->user, sizeof a->user, "%.*s",
             SLICE_ARG(slice_first(k->nexthop->route.user, sizeof a->user - 1)));
  }
  int n = c->last.code ? snprintf(a->words, sizeof a->words, "%u ", c->last.code) : 0;
  struct slice text = buf_slice(&c->last.text);
  snprintf(a->words + n, sizeof a->words - (size_t)n, "%.*s",
           SLICE_ARG(slice_first(text, sizeof a->words - 8)));
  for (char *p = a->words; *p; p++)
    if (*p == '\n') *p = ' ';
  report_refused(s, k, a);
}

void alarm_status(const struct sender *s, const struct admin_command *c) {
  char meaning[SEND_DESTINATION_MAX + 256 + WHY_MAX + 80];
  size_t count = 0;
  for (size_t i = 0; i < ALARMS_MAX; i++) count += s->alarms[i].nexthop[0] != 0;
  if (!count)
    admin_answer_counter(&c->to, s->process->name, "login-refused", 0,
                         "1: a server of routes refuses the login");
  for (size_t i = 0; i < ALARMS_MAX; i++) {
    if (!s->alarms[i].nexthop[0]) continue;
    snprintf(meaning, sizeof meaning,
             "%s refuses the login %s of route_passwords, mail for it waits: %s",
             s->alarms[i].nexthop, s->alarms[i].user, s->alarms[i].words);
    admin_answer_counter(&c->to, s->process->name, "login-refused", 1, meaning);
  }
}
