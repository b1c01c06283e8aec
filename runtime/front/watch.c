/* SPDX-License-Identifier: ISC */
/* What the command line may see of the sessions: `ps`, `status`, and `trace` of one client. A trace
 * line comes from the session itself, which has removed passwords and message bodies. */
#include "runtime/front/private.h"

#include "lib/base/sys.h"

#include "ipc/cli_process.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void send_list(struct front *f, uint32_t cli, uint16_t type, const struct slice *items,
                      size_t n) {
  struct buf b;
  buf_init(&b, IPC_PAYLOAD_MAX);
  cli_table_put(&b, items, n);
  if (!b.failed) process_send(f->process, ROLE_CLI, cli, type, 0, buf_slice(&b), -1);
  buf_free(&b);
}

static void done_with(struct front *f, uint32_t cli, enum cli_code code, struct slice text) {
  struct buf b;
  buf_init(&b, 8192);
  cli_done_put(&b, &(struct cli_done){ (uint8_t)code, text });
  process_send(f->process, ROLE_CLI, cli, cli_done_type, 0, buf_slice(&b), -1);
  buf_free(&b);
}

static void done(struct front *f, uint32_t cli, enum cli_code code, const char *text) {
  done_with(f, cli, code, slice_str(text));
}

static bool matches(const struct conn *c, const char *filter) {
  char address[64];
  conn_address_text(c, address, sizeof address);
  return strcmp(filter, address) == 0 || strcmp(filter, c->name) == 0;
}

/* A terminal that was stopped misses lines; it does not fill our memory. */
static bool takes_more(struct front *f, uint32_t cli) {
  struct channel *ch = process_channel_to(f->process, ROLE_CLI, cli);
  return ch && channel_backlog(ch) < FRONT_TRACE_MAX;
}

static void trace_line(void *arg, char direction, struct slice line) {
  struct conn *c = arg;
  char from[2] = { direction, 0 }, time[24];
  snprintf(time, sizeof time, "%ju", (uintmax_t)sys_wall_us());
  struct slice row[] = { slice_str(time), slice_str(c->name), slice_str(from),
                         slice_first(line, 8192) };
  for (struct front_watch *w = c->front->watches; w; w = w->next)
    if (matches(c, w->filter) && takes_more(c->front, w->cli))
      send_list(c->front, w->cli, cli_row_type, row, 4);
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

/* `trace ADDRESS|SESSION`: rows until the command line goes away. */
static void command_trace(struct front *f, uint32_t cli, struct slice filter) {
  struct front_watch *w = calloc(1, sizeof *w);
  if (!w || filter.n == 0 || filter.n >= sizeof w->filter) {
    free(w);
    done(f, cli, CLI_USAGE, "trace ADDRESS or trace SESSION");
    return;
  }
  *w = (struct front_watch){ .cli = cli, .next = f->watches };
  memcpy(w->filter, filter.p, filter.n);
  f->watches = w;
  struct slice columns[] = { SLICE("time"), SLICE("session"), SLICE("from"), SLICE("line") };
  send_list(f, cli, cli_columns_type, columns, 4);
  watch_all_again(f);
}

static const char *doing(const struct conn *c) {
  if (c->handshaking) return "TLS handshake";
  if (c->proto->ask.type && c->proto->ask.sent)
    return c->proto->ask.role == PROTO_ASK_AUTH ? "waits for auth" : "waits for store";
  return c->blocked ? "client does not read" : "waits for the client";
}

/* From the session's summary: the login, and (a POP3 session counts marks once it has one) whether
 * it holds the maildrop, which no other session can open meanwhile. */
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

static void command_ps(struct front *f, uint32_t cli, struct slice rest) {
  struct slice columns[] = { SLICE("session"), SLICE("service"),  SLICE("client"),
                             SLICE("login"),   SLICE("maildrop"), SLICE("seconds"),
                             SLICE("in"),      SLICE("out"),      SLICE("now") };
  send_list(f, cli, cli_columns_type, columns, 9);
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
                           slice_str(doing(c)) };
    send_list(f, cli, cli_row_type, row, 9);
  }
  done(f, cli, CLI_OK, "");
}

static void counter(struct front *f, uint32_t cli, const char *name, uint64_t value,
                    const char *meaning) {
  char text[24];
  snprintf(text, sizeof text, "%ju", (uintmax_t)value);
  struct slice row[] = { slice_str(f->process->name), slice_str(name), slice_str(text),
                         slice_str(meaning) };
  send_list(f, cli, cli_row_type, row, 4);
}

static void command_status(struct front *f, uint32_t cli, struct slice rest) {
  struct slice columns[] = { SLICE("process"), SLICE("counter"), SLICE("value"), SLICE("meaning") };
  send_list(f, cli, cli_columns_type, columns, 4);
  counter(f, cli, "open", f->count, "connections now");
  counter(f, cli, "accepted", f->accepted, "connections since the start");
  counter(f, cli, "refused", f->refused, "connections turned away");
  for (int why = CLOSE_NONE + 1; why < CLOSE_REASONS; why++)
    if (f->closed_by[why])
      counter(f, cli, close_reason_word(why), f->closed_by[why], close_reason_meaning(why));
  done(f, cli, CLI_OK, "");
}

#ifdef QASID_TEST_HOOKS
static void command_misbehave(struct front *f, uint32_t cli, struct slice what) {
  struct buf notices;
  buf_init(&notices, 4096);
  front_misbehave(f, what, &notices);
  done_with(f, cli, CLI_OK, buf_slice(&notices));
  buf_free(&notices);
}
#endif

static const struct {
  const char *word;
  void (*fn)(struct front *f, uint32_t cli, struct slice argument);
} commands[] = {
  { "ps", command_ps },
  { "status", command_status },
  { "trace", command_trace },
#ifdef QASID_TEST_HOOKS
  { "misbehave", command_misbehave },
#endif
};

bool front_command(struct front *f, uint32_t cli, const struct ipc_msg *msg) {
  struct cli_command m;
  struct slice word, argument = SLICE_NONE;
  if (msg->type != cli_command_type || !cli_command_get(msg->payload, &m)) return false;
  if (!ipc_list_next(&m.words, &word)) return false;
  ipc_list_next(&m.words, &argument);
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    if (!slice_eq(word, slice_str(commands[i].word))) continue;
    commands[i].fn(f, cli, argument);
    return true;
  }
  done(f, cli, CLI_USAGE, "this process knows: ps, status, trace ADDRESS|SESSION");
  return true;
}
