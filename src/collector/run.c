/* SPDX-License-Identifier: ISC */
/* One run, from its job to its result: name, connection, session, and the report to auth.
 * collector.h has the states. Invariants: a run ends once, with the first reason recorded; it is
 * freed at the end of the turn, never under a callback of its session or connection. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipc/dialer_resolver.h"
#include "lib/base/bug.h"
#include "lib/base/sys.h"
#include "lib/dns/dns.h"
#include "src/collector/collector.h"

/* --- what became of it --- */

__attribute__((format(printf, 3, 0))) static void note(struct run *r, enum collect_verdict v,
                                                       const char *fmt, va_list ap) {
  if (r->words[0]) return;
  r->verdict = v;
  vsnprintf(r->words, sizeof r->words, fmt, ap);
}

void run_note(struct run *r, enum collect_verdict v, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  note(r, v, fmt, ap);
  va_end(ap);
}

void run_fail(struct run *r, enum collect_verdict v, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  note(r, v, fmt, ap);
  va_end(ap);
  run_end(r);
}

/* --- store --- */

void run_notify_store(struct run *r, uint16_t type, const struct buf *payload, enum run_asks asks) {
  struct slice octets = payload ? buf_slice(payload) : SLICE_NONE;
  bool discard = r->discard_due && type != collect_end_type;
  BUG_IF(r->over && type != collect_end_type, "run %ju is over and asks %u of store, after %d",
         (uintmax_t)r->number, type, r->asks);
  r->discard_due = false;
  if (discard)
    process_send(r->collector->process, ROLE_STORE, r->store, collect_discard_type, r->tag,
                 SLICE_NONE, -1);
  r->asks = asks;
  process_send(r->collector->process, ROLE_STORE, r->store, type, r->tag, octets, -1);
}

bool run_store_message(struct run *r, const struct ipc_msg *msg) {
  struct collect_tidied m;
  struct collect_forgotten forgotten;
  bool ok;
  if (msg->type == collect_tidied_type)
    ok = r->asks == ASKS_HOUSEKEEPING && collect_tidied_get(msg->payload, &m);
  else if (msg->type == collect_forgotten_type)
    ok = r->asks == ASKS_DELETED && collect_forgotten_get(msg->payload, &forgotten);
  else
    return sink_store_message(r, msg);
  r->asks = ASKS_NOTHING;
  if (ok) steps_wind_up(r);
  return ok;
}

/* --- the end --- */

void run_end(struct run *r) {
  if (r->over) return;
  r->over = true;
  run_notify_store(r, collect_end_type, NULL, ASKS_NOTHING);
  collector_sent_result(r);
  loop_later(r->collector->process->loop, &r->collector->reap);
}

void run_free(struct run *r) {
  dial_free(&r->dial);
  pop3_client_free(&r->pop);
  buf_free(&r->account);
  buf_free(&r->user);
  buf_wipe(&r->secret);
  buf_free(&r->hold);
  buf_free(&r->left_out), buf_free(&r->suspects), buf_free(&r->waiting), buf_free(&r->probed);
  buf_free(&r->stepped), buf_free(&r->gone), buf_free(&r->loop.line);
  digest_end(&r->digest, NULL);
  loop_timer_free(&r->pause);
  free(r);
}

void run_halt(struct run *r) {
  r->halted = true;
  if (r->over) return;
  run_note(r, COLLECT_HERE, "it was stopped from here; the rest comes with the next run");
  bool talks = r->pop && r->pop->proto.want != PROTO_CLOSE && r->listed;
  if (!talks) {
    run_end(r);
    return;
  }
  r->pop->proto.now_ms = loop_now(r->collector->process->loop);
  pop3_client_finish(r->pop);
  dial_wake(r->dial);
}

/* --- the session's end --- */

enum collect_verdict run_verdict(const struct pop3_client *p) {
  /* RFC 3206 §4: the name or the password is wrong */
  static const struct slice sure = SLICE("[AUTH]");
  switch (pop3_end_class(p->end)) {
  case POP3_END_IS_DONE: return COLLECT_WENT_WELL;
  case POP3_END_IS_LOGIN:
    return slice_case_starts(slice_of(p->text, p->text_n), sure) ? COLLECT_LOGIN_WRONG
                                                                 : COLLECT_DOUBTED;
  case POP3_END_IS_BROKEN: return COLLECT_BROKEN;
  default: return COLLECT_LATER;
  }
}

/* --- the connection --- */

static void get_bindings(void *arg, struct proto_bindings *ret) {
  dial_bindings(((struct run *)arg)->dial, ret);
}

static struct pop3_client_policy policy_of(const struct run *r) {
  static const enum pop3_client_tls how[COLLECT_TLS_KINDS] = {
    [COLLECT_TLS_IMPLICIT] = POP3_TLS_IMPLICIT,
    [COLLECT_TLS_STARTED] = POP3_TLS_MUST,
    [COLLECT_TLS_NONE] = POP3_TLS_NEVER
  };
  return (struct pop3_client_policy){ .tls = how[r->tls],
                                      .clear = r->tls == COLLECT_TLS_NONE,
                                      .second_try = true };
}

static struct proto *on_ready(void *arg) {
  struct run *r = arg;
  const struct conf *conf = r->collector->process->conf;
  struct pop3_client_start s = {
    .user = buf_slice(&r->user),
    .secret = buf_slice(&r->secret),
    .mechanism = r->mechanism[0] ? r->mechanism : NULL,
    .host = r->host,
    .port = r->port,
    .policy = policy_of(r),
    .limits = { .messages = RUN_LIST_MAX,
                .message = conf->message_size_limit,
                .session_ms = RUN_SESSION_MS },
    .sink = run_sink(r),
    .channel = { get_bindings, r },
    .now_ms = loop_now(r->collector->process->loop),
  };
  sys_random(s.nonce, sizeof s.nonce);
  r->pop = pop3_client_new(&s);
  return r->pop ? &r->pop->proto : NULL;
}

static void on_over(void *arg, enum dial_end end, const char *why) {
  struct run *r = arg;
  if (r->over) return;
  if (end == DIAL_SESSION_ENDED)
    steps_session_over(r, why);
  else if (end == DIAL_NO_SESSION)
    run_fail(r, COLLECT_HERE, "memory ran out");
  else
    run_fail(r, COLLECT_LATER, "%s", why);
}

void run_connect(struct run *r) {
  struct collector *c = r->collector;
  struct buf err;
  buf_init(&err, 256);
  const struct dial_ops ops = { on_ready, on_over, r, &pop3_client_ops };
  struct dial_target t = { r->addresses, r->address_count, r->host, r->tls == COLLECT_TLS_IMPLICIT,
                           NULL };
  t.tls = r->tls == COLLECT_TLS_NONE ? NULL : collector_tls(c, &err);
  r->sessions++;
  if (r->tls != COLLECT_TLS_NONE && !t.tls)
    run_fail(r, COLLECT_HERE, "%.*s", SLICE_ARG(buf_slice(&err)));
  else if (!(r->dial = dial_new(c->process->loop, &t, &ops)))
    run_fail(r, COLLECT_HERE, "memory ran out");
  buf_free(&err);
}

/* The addresses that a collection may connect to. */
static size_t allowed(const struct run *r, const struct dial_address *from, size_t count,
                      struct dial_address *to) {
  size_t n = 0;
  for (size_t i = 0; i < count && n < RUN_PER_ADDRESS; i++)
    if (r->collector->process->conf->collect_private_addresses || dial_address_is_public(&from[i]))
      to[n++] = from[i];
  return n;
}

static void reach(struct run *r, const struct dial_address *addresses, size_t count) {
  r->address_count = allowed(r, addresses, count, r->addresses);
  if (r->address_count)
    run_connect(r);
  else
    run_fail(r, COLLECT_BROKEN,
             "%s is an address of this machine or of a private network, and "
             "collect_private_addresses is \"no\"",
             r->host);
}

/* --- names --- */

/* For a domain its POP3 services (RFC 6186 §3.3), for a host its addresses. */
static void look_up(struct run *r, enum dns_kind kind) {
  struct process *process = r->collector->process;
  uint32_t resolver = process_single(process, ROLE_RESOLVER);
  struct buf name, b;
  if (!resolver) {
    run_fail(r, COLLECT_HERE, "the resolver is being restarted");
    return;
  }
  buf_init(&name, 300);
  buf_init(&b, 512);
  if (kind == DNS_SRV)
    buf_put_str(&name, r->tls == COLLECT_TLS_IMPLICIT ? "_pop3s._tcp." : "_pop3._tcp.");
  buf_put_str(&name, r->host);
  dns_ask_put(&b,
              &(struct dns_ask){ (uint8_t)kind, slice_first(buf_slice(&name), DNS_NAME_MAX + 1) });
  r->resolving = true;
  process_send(process, ROLE_RESOLVER, resolver, dns_ask_type, r->tag, buf_slice(&b), -1);
  buf_free(&name);
  buf_free(&b);
}

static size_t addresses_of(const struct run *r, const struct dns_answer *a, struct dial_address *to,
                           size_t most) {
  size_t n = 0;
  for (size_t h = 0; h < a->host_count; h++)
    for (size_t i = 0; i < a->hosts[h].address_count && n < most; i++, n++) {
      const struct dns_address *from = &a->hosts[h].addresses[i];
      to[n] = (struct dial_address){ .n = from->n,
                                     .port = a->kind == DNS_SRV ? a->hosts[h].port : r->port };
      memcpy(to[n].octets, from->octets, sizeof to[n].octets);
    }
  return n;
}

static void found(struct run *r, const struct dns_answer *a) {
  struct dial_address addresses[DIAL_ADDRESSES_MAX];
  /* The SRV answer of a domain is trusted only if DNSSEC proves it (RFC 6186 §6): otherwise the
   * certificate must be the domain's own. */
  struct dns_answer first = *a;
  if (a->kind == DNS_SRV && a->secure && a->hosts[0].address_count) {
    snprintf(r->host, sizeof r->host, "%s", a->hosts[0].name);
    first.host_count = 1;
    a = &first;
  }
  reach(r, addresses, addresses_of(r, a, addresses, DIAL_ADDRESSES_MAX));
}

static void not_found(struct run *r, const struct dns_answer *a) {
  bool passes = a->result == DNS_LATER || a->result == DNS_BOGUS;
  if (a->kind == DNS_SRV && a->result == DNS_REFUSED)
    run_fail(r, COLLECT_BROKEN, "%s says that it has no such POP3 service", r->host);
  else
    run_fail(r, passes ? COLLECT_LATER : COLLECT_BROKEN, "%s: %s%s%s", r->host,
             dns_result_name(a->result), a->why[0] ? ": " : "", a->why);
}

bool run_notified(struct run *r, const struct ipc_msg *msg) {
  struct dns_reply m;
  struct dns_answer a;
  if (!r->resolving || !dns_reply_get(msg->payload, &m) || !dns_answer_get(m.answer, &a))
    return false;
  r->resolving = false;
  bool no_service = a.kind == DNS_SRV && (a.result == DNS_NONE || a.result == DNS_NO_NAME);
  if (a.result == DNS_FOUND)
    found(r, &a);
  else if (no_service)
    look_up(r, DNS_ADDRESS); /* fall back to the domain's own host */
  else
    not_found(r, &a);
  return true;
}

/* --- the job --- */

static bool take_job(struct run *r, const struct collect_job *job) {
  if (job->tls >= COLLECT_TLS_KINDS || !job->host.n || !job->port ||
      slice_find(job->host, 0) >= 0 || slice_find(job->mechanism, 0) >= 0)
    return false;
  memcpy(r->host, job->host.p, job->host.n);
  if (job->mechanism.n) memcpy(r->mechanism, job->mechanism.p, job->mechanism.n);
  r->number = job->number;
  r->port = job->port;
  r->tls = (enum collect_tls)job->tls;
  r->leave_s = job->leave_s;
  buf_put(&r->account, job->account);
  buf_put(&r->user, job->user);
  buf_reserve(&r->secret, COLLECT_SECRET_MAX); /* full size at once: it is a password */
  buf_put(&r->secret, job->secret);
  buf_put(&r->left_out, job->left_out);
  buf_put(&r->suspects, job->stepped);
  return true;
}

bool run_begin(struct collector *c, uint64_t tag, const struct collect_job *job) {
  struct run *r = calloc(1, sizeof *r);
  struct dial_address address;
  if (!r) {
    process_fail(c->process, "no memory for a run");
    return true;
  }
  r->collector = c;
  r->tag = tag;
  r->began_ms = loop_now(c->process->loop);
  r->store = process_single(c->process, ROLE_STORE);
  buf_init(&r->account, 320);
  buf_init(&r->user, COLLECT_USER_MAX);
  buf_init(&r->secret, COLLECT_SECRET_MAX);
  buf_init(&r->hold, HOLD_MAX);
  struct buf *lists[] = { &r->left_out, &r->suspects, &r->waiting, &r->probed, &r->stepped };
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) buf_init(lists[i], COLLECT_UIDLS_MAX);
  buf_init(&r->gone, 8 * RUN_LIST_MAX);
  buf_init(&r->loop.line, 1024);
  r->next = c->runs;
  c->runs = r;
  c->running++;
  if (!take_job(r, job)) return false;
  if (!r->store)
    run_fail(r, COLLECT_HERE, "the store is being restarted");
  else if (r->account.failed || r->user.failed || r->secret.failed)
    run_fail(r, COLLECT_HERE, "memory ran out");
  else if (dial_address_parse(r->host, r->port, &address))
    reach(r, &address, 1);
  else if (job->discover)
    look_up(r, DNS_SRV);
  else
    look_up(r, DNS_ADDRESS);
  return true;
}
