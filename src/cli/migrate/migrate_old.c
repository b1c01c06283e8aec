/* SPDX-License-Identifier: ISC */
/* The old server of a migration (migrate.h): one POP3 session that lists into the plan and fetches
 * what the sink wants. Invariant: nothing is deleted there; no message is marked for deletion and
 * the session ends without QUIT. */
#include <stdio.h>

#include "src/cli/migrate/migrate.h"
#include "src/cli/client/pop3_shell.h"

enum { MESSAGES_MAX = 10 * 1000 * 1000 /* about 2 GB of memory */ };
#define SESSION_MS (UINT64_C(7) * 24 * 3600 * 1000)

/* One session, between the client's sink and the migration's. */
struct old_reading {
  struct migrate_plan *plan;
  const struct migrate_sink *sink;
  struct pop3_client *session;
  struct migrate_message *stuck;
};

/* "%u*%m" → "alice*master". */
static void put_login(struct buf *out, const char *form, struct slice user, struct slice master) {
  for (struct slice s = slice_str(form); s.n; s = slice_from(s, 1)) {
    int next = s.p[0] == '%' ? slice_at(s, 1) : -1;
    if (next != 'u' && next != 'm') {
      buf_put_u8(out, s.p[0]);
      continue;
    }
    buf_put(out, next == 'u' ? user : master);
    s = slice_from(s, 1);
  }
}

static enum pop3_sink_verdict listed(void *arg, struct pop3_item *items, size_t count) {
  struct old_reading *r = arg;
  for (size_t i = 0; i < count; i++)
    if (!migrate_plan_old(r->plan, items[i].number, items[i].size,
                          items[i].made ? SLICE_NONE : items[i].uidl))
      return POP3_SINK_OVER;
  if (!r->sink->listed(r->sink->arg)) return POP3_SINK_OVER;
  for (size_t i = 0; i < count; i++) {
    items[i].own = &r->plan->old[i];
    if (r->sink->wants(r->sink->arg, &r->plan->old[i])) items[i].wish = POP3_FETCH;
  }
  return POP3_SINK_ON;
}

static enum pop3_sink_verdict begin(void *arg, struct pop3_item *item) { return POP3_SINK_ON; }

static enum pop3_sink_verdict piece(void *arg, struct pop3_item *item, struct slice octets) {
  const struct old_reading *r = arg;
  return r->sink->piece(r->sink->arg, octets) ? POP3_SINK_ON : POP3_SINK_OVER;
}

/* Durability here does not matter to this session: nothing is deleted there. */
static enum pop3_sink_verdict end(void *arg, struct pop3_item *item) {
  const struct old_reading *r = arg;
  pop3_client_settle(r->session, item, true);
  return r->sink->end(r->sink->arg, item->own, true) ? POP3_SINK_ON : POP3_SINK_OVER;
}

static void on_cut(void *arg, struct pop3_item *item) {
  const struct old_reading *r = arg;
  r->sink->end(r->sink->arg, item->own, false);
}

static void refused(void *arg, struct pop3_item *item, struct slice words) { on_cut(arg, item); }

static int run(struct net *n, struct old_reading *r, const struct pop3_client_start *start) {
  r->session = pop3_client_new(start);
  if (!r->session) return cli_fail(CLI_EXIT_SYSTEM, "no memory");
  pop3_shell_run(n, r->session, NULL, NULL);
  int code = pop3_shell_report(n, r->session);
  if (r->session->stuck) r->stuck = r->session->stuck->own;
  if (r->session->list_cut)
    code = cli_fail(CLI_EXIT_PROTOCOL, "the old server lists more than %u messages",
                    (unsigned)MESSAGES_MAX);
  pop3_client_free(&r->session);
  return code;
}

int migrate_old_read(struct cli *c, const struct migrate_from *from,
                     const struct migrate_account *account, struct migrate_plan *plan,
                     const struct migrate_sink *sink, struct migrate_message **ret_stuck) {
  struct old_reading r = { .plan = plan, .sink = sink };
  struct pop3_client_start start = { .user = account->login,
                                     .secret = account->password,
                                     .sink = { listed, begin, piece, end, on_cut, refused, &r } };
  struct net n;
  struct buf login;
  if (!from->master && !account->password.p)
    return cli_fail(CLI_EXIT_NO_INPUT, "the file of accounts has no password");
  buf_init(&login, 4096);
  int code = net_open(&n, c, &from->url, "pop3");
  if (code == CLI_EXIT_OK) {
    pop3_shell_start(&n, c, &start);
    start.policy.no_quit = true; /* see migrate.h */
    start.limits.messages = MESSAGES_MAX;
    start.limits.session_ms = SESSION_MS;
    bool by_authzid = from->master && slice_eq(slice_str(from->master_form), SLICE("authzid"));
    if (from->master && !by_authzid)
      put_login(&login, from->master_form, account->login, slice_str(from->master));
    if (from->master) start.secret = from->master_password;
    if (from->master) start.user = by_authzid ? slice_str(from->master) : buf_slice(&login);
    if (by_authzid) start.authzid = account->login;
    if (by_authzid && !start.mechanism) start.mechanism = "PLAIN";
    code = run(&n, &r, &start);
  }
  *ret_stuck = r.stuck;
  net_close(&n);
  buf_free(&login);
  return code;
}
