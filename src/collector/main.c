/* SPDX-License-Identifier: ISC */
/* The process that fetches mail from other servers: it asks auth for due work, one question ahead
 * of what it can run, and runs it. It makes outgoing TCP connections and nothing else; it has no
 * file, listens nowhere, and names no account. */
#include <string.h>

#include "lib/base/num.h"
#include "lib/tls/digest.h"
#include "src/collector/collector.h"
#include "src/roles.h"

enum { AUTHORITIES_MAX = 4 * 1024 * 1024 };

/* --- TLS --- */

struct tls_client *collector_tls(struct collector *c, struct buf *err) {
  if (c->tls) return c->tls;
  if (!buf_len(&c->authorities)) {
    buf_printf(err, "%s could not be read, so no certificate can be trusted",
               c->process->conf->tls_authorities);
    return NULL;
  }
  const struct tls_client_options o = { .trust = TLS_TRUST_GIVEN,
                                        .authorities = buf_slice(&c->authorities),
                                        .least = TLS_LEAST_1_2,
                                        .ciphers = (enum tls_ciphers)c->process->conf->tls_ciphers,
                                        .alpn = "pop3" };
  return c->tls = tls_client_new(&o, err);
}

/* Before the process is confined. Without the file of CA certificates the process runs all the
 * same: some servers are used without TLS. */
static bool prepare(struct process *r, struct buf *err) {
  struct collector *c = r->arg;
  uint64_t port;
  for (size_t i = 0; i < r->conf->collect_ports.count && r->dial_count < PROCESS_PORTS_MAX; i++)
    if (num_parse(slice_str(r->conf->collect_ports.items[i]), 65535, &port) && port)
      r->dials[r->dial_count++] = (uint16_t)port;
  digest_start(); /* the first login may be APOP or CRAM-MD5 without TLS */
  int why = dial_trust_read(r->conf->tls_authorities, &c->authorities);
  if (why)
    log_print(&r->log, LOG_E_AUTHORITIES, "%s: %s; nothing can be collected over TLS",
              r->conf->tls_authorities, strerror(why));
  return true;
}

/* --- runs --- */

static struct run *find(struct collector *c, uint64_t tag) {
  struct run *r = c->runs;
  while (r && (r->tag != tag || r->over)) r = r->next;
  return r;
}

/* One question more than the runs in progress, up to the maximum. */
static void ask_for_work(struct collector *c) {
  uint32_t auth = process_single(c->process, ROLE_AUTH);
  if (c->waits || !auth || c->process->stopping ||
      c->running >= c->process->conf->collect_connections)
    return;
  c->waits = true;
  process_send(c->process, ROLE_AUTH, auth, collect_ready_type, ++c->tags, SLICE_NONE, -1);
}

static void reap(void *arg) {
  struct collector *c = arg;
  for (struct run **at = &c->runs; *at;) {
    struct run *r = *at;
    if (!r->over) {
      at = &r->next;
      continue;
    }
    *at = r->next;
    c->running--;
    run_free(r);
  }
  if (!c->running) tls_client_free(&c->tls);
  ask_for_work(c);
}

static void log_run(const struct run *r) {
  static const char *const verdicts[COLLECT_VERDICTS] = { "well",    "later",       "here",
                                                          "doubted", "login-wrong", "broken" };
  struct log_line l;
  log_open(&l, &r->collector->process->log,
           r->verdict == COLLECT_WENT_WELL ? LOG_E_COLLECTED : LOG_E_COLLECT_FAILED);
  log_num(&l, LOG_F_COLLECTION, r->number);
  log_str(&l, LOG_F_ACCOUNT, buf_slice(&r->account));
  log_cstr(&l, LOG_F_SERVER, r->host);
  if (r->dial && dial_tls_version(r->dial)[0]) log_cstr(&l, LOG_F_TLS, dial_tls_version(r->dial));
  if (r->pop && r->pop->mechanism) log_cstr(&l, LOG_F_MECHANISM, r->pop->mechanism);
  log_cstr(&l, LOG_F_WENT, verdicts[r->verdict]);
  log_num(&l, LOG_F_FETCHED, r->fetched);
  log_num(&l, LOG_F_DELETED, r->deleted);
  log_num(&l, LOG_F_LEFT, r->left);
  log_num(&l, LOG_F_OCTETS, r->octets);
  log_num(&l, LOG_F_MS, loop_now(r->collector->process->loop) - r->began_ms);
  log_cstr(&l, LOG_F_WORDS, r->words);
  log_end(&l);
}

void collector_sent_result(struct run *r) {
  struct process *process = r->collector->process;
  struct buf b;
  buf_init(&b, 4096);
  struct buf stepped;
  buf_init(&stepped, COLLECT_UIDLS_MAX);
  steps_put(r, &stepped);
  const struct collect_result m = { (uint8_t)r->verdict, r->fetched,
                                    r->deleted,          r->left,
                                    r->octets,           slice_str(r->words),
                                    buf_slice(&stepped) };
  collect_result_put(&b, &m);
  buf_free(&stepped);
  process_send(process, ROLE_AUTH, process_single(process, ROLE_AUTH), collect_result_type, r->tag,
               buf_slice(&b), -1);
  buf_free(&b);
  log_run(r);
}

/* --- the process --- */

static bool start(struct process *r, struct buf *err) {
  struct collector *c = r->arg;
  c->process = r;
  c->reap = (struct loop_later){ .fn = reap, .arg = c };
  return true;
}

static bool from_auth(struct collector *c, const struct ipc_msg *msg) {
  struct collect_job job;
  struct collect_halt halt;
  if (msg->type == collect_halt_type) {
    struct run *r = find(c, msg->tag);
    if (r) run_halt(r);
    return collect_halt_get(msg->payload, &halt);
  }
  if (!collect_job_get(msg->payload, &job) || !c->waits) return false;
  c->waits = false;
  bool ok = run_begin(c, msg->tag, &job);
  ask_for_work(c);
  return ok;
}

static bool message(struct process *r, enum role kind, uint32_t number, const struct ipc_msg *msg,
                    uint8_t state) {
  struct collector *c = r->arg;
  if (kind == ROLE_AUTH) return from_auth(c, msg);
  struct run *run = find(c, msg->tag);
  if (kind == ROLE_RESOLVER) return !run || run_notified(run, msg);
  if (kind != ROLE_STORE) return false;
  return !run || run_store_message(run, msg); /* the answer to a run that is over is discarded */
}

static void peer_connected(struct process *r, enum role kind, uint32_t number, int fd) {
  if (kind == ROLE_AUTH) ask_for_work(r->arg);
}

/* A process that runs report to, deliver to, or resolve names with is gone. */
static void peer_lost(struct process *r, enum role kind, uint32_t number) {
  struct collector *c = r->arg;
  if (kind == ROLE_AUTH) c->waits = false;
  for (struct run *run = c->runs; run; run = run->next)
    if (!run->over && (kind != ROLE_RESOLVER || run->resolving))
      run_fail(run, COLLECT_HERE, "the %s was restarted", role_name(kind));
}

static void stop(struct process *r) {
  struct collector *c = r->arg;
  while (c->runs) {
    struct run *run = c->runs;
    c->runs = run->next;
    if (!run->over) run_fail(run, COLLECT_HERE, "the server was stopped");
    run_free(run);
  }
  loop_later_cancel(r->loop, &c->reap);
  tls_client_free(&c->tls);
  process_exit(r, 0);
}

const struct role_ops collector_ops = {
  .kind = ROLE_COLLECTOR,
  .prepare = prepare,
  .start = start,
  .message = message,
  .peer_connected = peer_connected,
  .peer_lost = peer_lost,
  .stop = stop,
};

void collector_open(struct collector *c) {
  *c = (struct collector){ .process = NULL };
  buf_init(&c->authorities, AUTHORITIES_MAX);
}

void collector_close(struct collector *c) {
  while (c->runs) {
    struct run *run = c->runs;
    c->runs = run->next;
    run_free(run);
  }
  loop_later_cancel(c->process->loop, &c->reap);
  tls_client_free(&c->tls);
  buf_free(&c->authorities);
}

int collector_main(int argc, char **argv) {
  struct collector c;
  collector_open(&c);
  int code =
      process_run(&collector_ops, &c); /* the loop is freed by then, and all its resources with
                                        * it */
  buf_free(&c.authorities);
  return code;
}
