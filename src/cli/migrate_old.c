#include <stdio.h>

#include "lib/base/num.h"
#include "src/cli/migrate.h"
#include "src/cli/pop3_client.h"

/* --- logging in --- */

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

static int log_in(struct pop3_client *p, const struct migrate_from *from, const struct migrate_account *a) {
  struct slice master = slice_str(from->master);
  if (!from->master && !a->password.p) return cli_fail(CLI_EXIT_NO_INPUT, "the file of accounts has no password");
  if (!from->master) return pop3_client_login(p, from->auth, a->login, a->password);
  if (slice_eq(slice_str(from->master_form), SLICE("authzid"))) {
    p->authzid = a->login;
    return pop3_client_login(p, from->auth ? from->auth : "plain", master, from->master_password);
  }
  struct buf login;
  buf_init(&login, 4096);
  put_login(&login, from->master_form, a->login, master);
  int code = pop3_client_login(p, from->auth, buf_slice(&login), from->master_password);
  buf_free(&login);
  return code;
}

/* --- listing --- */

struct listing {
  struct migrate_plan *plan;
  size_t at;
  bool bad;
};

/* RFC 1939 §7 allows 70 octets; what a server of less discipline says is still its UIDL. */
static void take_uidl(void *arg, struct slice line) {
  struct listing *l = arg;
  uint64_t number;
  struct slice text = slice_trim(line), first = slice_split(&text, ' ');
  if (!num_parse(first, UINT32_MAX, &number) || !text.n || !migrate_plan_old(l->plan, number, slice_trim(text)))
    l->bad = true;
}

static void take_size(void *arg, struct slice line) {
  struct listing *l = arg;
  uint64_t number, size;
  if (!pop3_reply_pair(line, &number, &size))
    l->bad = true;
  else
    migrate_plan_size(l->plan, &l->at, number, size);
}

static int list(struct pop3_client *p, struct migrate_plan *plan) {
  struct listing l = { .plan = plan };
  int code = CLI_EXIT_PROTOCOL;
  if (!pop3_client_ask(p, "UIDL", &code) || !pop3_client_lines(p, take_uidl, &l, &code)) return code;
  if (!pop3_client_ask(p, "LIST", &code) || !pop3_client_lines(p, take_size, &l, &code)) return code;
  return l.bad ? cli_fail(CLI_EXIT_PROTOCOL, "the old server's list is not understood") : CLI_EXIT_OK;
}

/* --- fetching --- */

/* *ret_on false: there is no going on. */
static int fetch(struct pop3_client *p, struct migrate_message *m, const struct migrate_sink *sink, bool *ret_on) {
  char line[40];
  int code = CLI_EXIT_OK;
  snprintf(line, sizeof line, "RETR %llu", (unsigned long long)m->number);
  bool came = pop3_client_ask(p, line, &code);
  *ret_on = came || !p->net.over;
  if (came) *ret_on = came = pop3_client_text(p, sink->piece, sink->arg, &code);
  if (*ret_on) *ret_on = sink->end(sink->arg, m, came);
  return code;
}

int migrate_old_read(struct cli *c, const struct migrate_from *from, const struct migrate_account *account,
                     struct migrate_plan *plan, const struct migrate_sink *sink) {
  struct pop3_client p;
  int code = pop3_client_open(&p, c, &from->url);
  bool on = true;
  if (code == CLI_EXIT_OK) code = log_in(&p, from, account);
  if (code == CLI_EXIT_OK) code = list(&p, plan);
  if (code == CLI_EXIT_OK) on = sink->listed(sink->arg);
  for (size_t i = 0; code == CLI_EXIT_OK && on && i < plan->old_count; i++) {
    int failed = sink->wants(sink->arg, &plan->old[i]) ? fetch(&p, &plan->old[i], sink, &on) : CLI_EXIT_OK;
    if (!on) code = failed;
  }
  pop3_client_close(&p); /* without QUIT: see migrate.h */
  return code;
}
