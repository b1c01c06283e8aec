/* SPDX-License-Identifier: ISC */
/* What the command line can see of the sessions: `ps`, `status`, and `trace` of one client. A trace
 * line comes from the session itself, which has removed passwords and message bodies. */
#include "runtime/front/private.h"

#include "lib/base/sys.h"

#include "runtime/admin/admin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool matches(const struct conn *c, const char *filter) {
  char address[64];
  conn_address_text(c, address, sizeof address);
  return strcmp(filter, address) == 0 || strcmp(filter, c->name) == 0;
}

/* A suspended terminal misses lines rather than filling our memory. */
static bool takes_more(struct front *f, uint32_t cli) {
  struct channel *ch = process_channel_to(f->process, ROLE_CLI, cli);
  return ch && channel_backlog(ch) < FRONT_TRACE_MAX;
}

static void send_trace(struct front *f, uint32_t cli, const struct slice row[static 4]) {
  const struct admin_answer to = admin_answer_of(f->process, cli);
  admin_answer_row(&to, row, 4);
}

static void trace_line(void *arg, char direction, struct slice line) {
  struct conn *c = arg;
  char from[2] = { direction, 0 }, time[24];
  snprintf(time, sizeof time, "%ju", (uintmax_t)sys_wall_us());
  struct slice row[] = { slice_str(time), slice_str(c->name), slice_str(from),
                         slice_first(line, 8192) };
  for (struct front_watch *w = c->front->watches; w; w = w->next)
    if (matches(c, w->filter) && takes_more(c->front, w->cli)) send_trace(c->front, w->cli, row);
}

void front_trace(struct conn *c, const char *fmt, ...) {
  char text[400];
  va_list ap;
  if (!c->front->watches) return;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  trace_line(c, '*', slice_str(text));
}

void front_trace_greeting(struct conn *c) {
  if (!c->proto->trace.fn) return;
  if (c->tls)
    proto_trace_tls(c->proto,
                    &(struct proto_secured){ tls_version_name(c->tls), tls_cipher_name(c->tls) });
  for (struct slice rest = buf_slice(&c->proto->out); rest.n;) {
    struct slice line = slice_split(&rest, '\n');
    trace_line(c, 'S', slice_first(line, line.n ? line.n - 1 : 0));
  }
}

void front_watch_session(struct conn *c) {
  bool watched = false;
  for (struct front_watch *w = c->front->watches; w && !watched; w = w->next)
    watched = matches(c, w->filter);
  c->proto->trace = watched ? (struct proto_trace){ trace_line, c } : (struct proto_trace){ 0 };
}

static void watch_all_again(struct front *f) {
  for (struct conn *c = f->oldest; c; c = c->newer)
    if (c->proto) front_watch_session(c);
}

void front_unwatch(struct front *f, uint32_t cli) {
  for (struct front_watch **at = &f->watches; *at;) {
    struct front_watch *w = *at;
    if (w->cli != cli) {
      at = &w->next;
      continue;
    }
    *at = w->next;
    free(w);
  }
  watch_all_again(f);
}

/* `trace ADDRESS|SESSION`: rows until the command line disconnects. */
static void command_trace(void *arg, const struct admin_command *q) {
  struct front *f = arg;
  struct slice filter = q->args[0];
  struct front_watch *w = calloc(1, sizeof *w);
  if (!w || filter.n == 0 || filter.n >= sizeof w->filter) {
    free(w);
    admin_answer_done(&q->to, CLI_USAGE, SLICE("trace ADDRESS or trace SESSION"));
    return;
  }
  *w = (struct front_watch){ .cli = q->to.number, .next = f->watches };
  memcpy(w->filter, filter.p, filter.n);
  f->watches = w;
  admin_answer_columns(&q->to, "time session from line");
  watch_all_again(f);
}

static const char *activity_of(const struct conn *c) {
  if (c->handshaking) return "TLS handshake";
  if (c->proto->ask.type && c->proto->ask.sent)
    return c->proto->ask.role == ROLE_AUTH ? "waits for auth" : "waits for store";
  return c->blocked ? "client does not read" : "waits for the client";
}

/* From the session's summary: the login, and whether it holds the maildrop, which no other session
 * can open meanwhile (a POP3 session reports the number of marks once it has one). */
struct seen {
  char login[321];
  bool maildrop;
};

static void see(void *arg, const char *key, struct slice value) {
  struct seen *s = arg;
  if (strcmp(key, "login") == 0)
    snprintf(s->login, sizeof s->login, "%.*s", SLICE_ARG(slice_first(value, 320)));
  if (strcmp(key, "marked") == 0) s->maildrop = true;
}

static void command_ps(void *arg, const struct admin_command *q) {
  struct front *f = arg;
  admin_answer_columns(&q->to, "session service client login maildrop seconds in out now");
  for (struct conn *c = f->oldest; c; c = c->newer) {
    char address[64], seconds[24], in[24], out[24];
    conn_address_text(c, address, sizeof address);
    snprintf(seconds, sizeof seconds, "%ju",
             (uintmax_t)((loop_now(f->process->loop) - c->since_ms) / 1000));
    snprintf(in, sizeof in, "%ju", (uintmax_t)c->octets_in);
    snprintf(out, sizeof out, "%ju", (uintmax_t)c->octets_out);
    struct seen seen = { .maildrop = false };
    if (c->proto) f->role->ops->summary(c->proto, see, &seen);
    struct slice row[] = { slice_str(c->name),
                           slice_str(f->listeners[c->listener].service),
                           slice_str(address),
                           slice_str(seen.login),
                           seen.maildrop ? SLICE("locked") : SLICE_NONE,
                           slice_str(seconds),
                           slice_str(in),
                           slice_str(out),
                           slice_str(activity_of(c)) };
    admin_answer_row(&q->to, row, 9);
  }
  admin_answer_done(&q->to, CLI_OK, SLICE_NONE);
}

static void command_status(void *arg, const struct admin_command *q) {
  const struct front *f = arg;
  const char *name = f->process->name;
  admin_answer_columns(&q->to, ADMIN_COUNTER_COLUMNS);
  admin_answer_counter(&q->to, name, "open", f->count, "connections now");
  admin_answer_counter(&q->to, name, "accepted", f->accepted, "connections since the start");
  admin_answer_counter(&q->to, name, "refused", f->refused, "connections turned away");
  for (int why = CLOSE_NONE + 1; why < CLOSE_REASONS; why++)
    if (f->closed_by[why])
      admin_answer_counter(&q->to, name, close_reason_word(why), f->closed_by[why],
                           close_reason_meaning(why));
  admin_answer_done(&q->to, CLI_OK, SLICE_NONE);
}

#ifdef QASID_TEST_HOOKS
static void command_misbehave(void *arg, const struct admin_command *q) {
  struct buf notices;
  buf_init(&notices, 4096);
  front_misbehave(arg, q->args[0], &notices);
  admin_answer_done(&q->to, CLI_OK, buf_slice(&notices));
  buf_free(&notices);
}
#endif

static const struct admin_row rows[] = {
  { "ps", "", 0, 0, command_ps },
  { "status", "", 0, 0, command_status },
  { "trace", "ADDRESS|SESSION", 1, 1, command_trace },
#ifdef QASID_TEST_HOOKS
  { "misbehave", "WHAT", 1, 1, command_misbehave },
#endif
};

bool front_command(struct front *f, uint32_t cli, const struct ipc_msg *msg) {
  const struct admin_answer to = admin_answer_of(f->process, cli);
  return admin_run(rows, sizeof rows / sizeof *rows, f, &to, msg);
}
