/* SPDX-License-Identifier: ISC */
/* The sender's process: messages from other processes, the work at the end of a turn, shutdown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/dialer_resolver.h"
#include "mail/smtp/class.h"
#include "src/roles.h"
#include "src/sender/sender.h"

enum { SENDER_AUTHORITIES_MAX = 4 * 1024 * 1024, SWEEP_MS = 1000, SWEEPS_OF_NEXTHOPS = 5 };

/* --- TLS --- */

/* The CA certificates are parsed when a route first needs them: that takes longer than all the rest
 * of the start, and megabytes. */
static struct tls_client *tls_verified(struct sender *s) {
  struct buf err;
  if (s->tls_verified || !buf_len(&s->authorities))
    return s->tls_verified; /* logged in prepare() */
  const struct tls_client_options o = { .trust = TLS_TRUST_GIVEN,
                                        .authorities = buf_slice(&s->authorities),
                                        .least = TLS_LEAST_1_2 };
  buf_init(&err, 1024);
  s->tls_verified = tls_client_new(&o, &err);
  if (!s->tls_verified)
    log_print(&s->process->log, LOG_E_AUTHORITIES, "%s: %.*s", s->process->conf->tls_authorities,
              SLICE_ARG(buf_slice(&err)));
  buf_free(&err);
  return s->tls_verified;
}

struct tls_client *sender_tls(struct sender *s, bool verified) {
  return verified ? tls_verified(s) : s->tls_any;
}

void sender_note_port(struct sender *s, const struct dial_address *to, int why) {
  uint64_t now = loop_now(s->process->loop);
  if (to->port != s->process->conf->remote_port ||
      (!dial_address_is_public(to) && !s->process->conf->send_private_addresses))
    return;
  if (!why)
    blocked_connected(&s->blocked);
  else
    blocked_failed(&s->blocked, to, why, now);
  if (s->blocked.told || !blocked_is(&s->blocked, now)) return;
  s->blocked.told = true;
  log_print(&s->process->log, LOG_E_PORT_BLOCKED,
            "no server elsewhere answers at port %u: the provider seems to block it; send through "
            "a smarthost (the option routes)",
            to->port);
}

static bool make_tls(struct sender *s, struct buf *err) {
  const struct tls_client_options o = { .trust = TLS_TRUST_ANYONE, .least = TLS_LEAST_1_2 };
  s->tls_any = tls_client_new(&o, err);
  return s->tls_any != NULL;
}

/* --- the log --- */

void sender_log(const struct letter *l, const struct send_outcome *o, struct slice address) {
  static const enum log_event events[SEND_FATES] = { [SEND_DELIVERED] = LOG_E_SENT,
                                                     [SEND_TEMPORARY] = LOG_E_DEFERRED,
                                                     [SEND_PERMANENT] = LOG_E_UNDELIVERABLE,
                                                     [SEND_CUT] = LOG_E_CUT };
  const struct conf_list *own = &l->sender->process->conf->reply_classes;
  const struct smtp_class_rules rules = { own->items, own->count };
  struct log_line line;
  log_open(&line, &l->sender->process->log, events[o->fate]);
  log_str(&line, LOG_F_ID, l->id);
  log_str(&line, LOG_F_FROM, l->smtp.return_path.n ? l->smtp.return_path : SLICE("<>"));
  log_str(&line, LOG_F_TO, address);
  log_cstr(&line, LOG_F_STAGE, send_stage_word(o->stage));
  if (l->session) log_num(&line, LOG_F_SESSION, l->session);
  if (o->code) log_num(&line, LOG_F_CODE, o->code);
  if (o->fate == SEND_TEMPORARY || o->fate == SEND_PERMANENT)
    log_cstr(&line, LOG_F_CLASS,
             smtp_class_word(smtp_class_of(&rules, o->code, o->enhanced, o->text)));
  log_str(&line, LOG_F_REASON, o->text);
  if (l->host[0]) log_cstr(&line, LOG_F_HOST, l->host);
  if (l->address[0]) log_cstr(&line, LOG_F_ADDRESS, l->address);
  if (l->tls[0]) log_cstr(&line, LOG_F_TLS, l->tls);
  log_end(&line);
}

/* --- the turn --- */

static void forget_all(struct sender *s);

void sender_give_up(struct sender *s) {
  sender_plans_drop(s, 0);
  s->store = 0;
  forget_all(s);
  loop_later_cancel(s->process->loop, &s->turn);
  loop_timer_free(&s->sweep);
  loop_timer_free(&s->sign_pause);
  signed_free(&s->signatures);
  tls_client_free(&s->tls_any);
  tls_client_free(&s->tls_verified);
}

static void exit_now(struct sender *s) {
  sender_give_up(s);
  process_exit(s->process, 0);
}

static void on_turn(void *arg) {
  struct sender *s = arg;
  if (s->starved && s->connections < s->process->conf->sender_connections) nexthops_sweep(s);
  nexthops_turn(s);
  if (s->ending && !s->connections && !s->letters.count) {
    exit_now(s);
    return;
  }
  if (!s->freed || !s->store || s->ending) return;
  struct buf b;
  buf_init(&b, 8);
  send_ready_put(&b, &(struct send_ready){ s->freed });
  if (!b.failed) {
    process_send(s->process, ROLE_STORE, s->store, send_ready_type, 0, buf_slice(&b), -1);
    s->freed = 0;
  }
  buf_free(&b);
}

void sender_turn(struct sender *s) { loop_later(s->process->loop, &s->turn); }

static void cut_late(struct sender *s) {
  uint64_t now = loop_now(s->process->loop);
  if (now >= s->cut_end_ms)
    nexthops_cut(s, true);
  else if (now >= s->cut_ms)
    nexthops_cut(s, false);
  sender_turn(s);
}

static void on_sweep(void *arg) {
  struct sender *s = arg;
  if (s->ending) cut_late(s);
  s->asked = 0;
  nexthop_ask_next(s);
  letters_sweep(s);
  sources_sweep(s);
  if (++s->sweeps % SWEEPS_OF_NEXTHOPS == 0) {
    nexthops_sweep(s);
    sign_sweep(s);
  }
  loop_timer_set(s->sweep, loop_now(s->process->loop) + SWEEP_MS);
}

/* --- messages --- */

static bool take_letter(struct sender *s, const struct ipc_msg *msg) {
  struct send_letter m;
  bool malformed = true;
  struct letter *l =
      send_letter_get(msg->payload, &m) ? letter_new(s, msg->tag, &m, &malformed) : NULL;
  if (malformed) return false;
  if (l && s->ending)
    letter_return(l);
  else if (l)
    sign_begin(l);
  else
    process_fail(s->process, "no memory for a letter");
  return true;
}

static bool from_store(struct sender *s, const struct ipc_msg *msg) {
  struct letter *l = map_ptr(&s->letters, msg->tag);
  struct send_octets octets;
  switch (msg->type) {
  case send_letter_type: return take_letter(s, msg);
  case send_octets_type:
    return send_octets_get(msg->payload, &octets) && (!l || letter_octets(l, octets.octets));
  case send_recall_type:
    if (l) l->recalled = true;
    return true;
  case send_known_no_tls_type: return sender_known_no_tls(s, msg);
  default: return false;
  }
}

static bool from_resolver(struct sender *s, const struct ipc_msg *msg) {
  struct dns_reply m;
  struct dns_answer a;
  if (!dns_reply_get(msg->payload, &m) || !dns_answer_get(m.answer, &a)) return false;
  if (!sender_plan_answer(s, msg->tag, &a) && !source_answer(s, msg->tag, &a))
    nexthop_answer(s, msg->tag, &a);
  return true;
}

static bool from_keys(struct sender *s, const struct ipc_msg *msg) {
  struct dkim_signed m;
  return dkim_signed_get(msg->payload, &m) && m.outcome < SIGN_OUTCOMES &&
         sign_answer(s, msg->tag, &m);
}

static bool message(struct process *r, enum role kind, uint32_t number, const struct ipc_msg *msg,
                    uint8_t state) {
  if (kind == ROLE_STORE) return from_store(r->arg, msg);
  if (kind == ROLE_KEYS) return from_keys(r->arg, msg);
  if (kind == ROLE_CLI) return sender_admin(r->arg, number, msg);
  return kind == ROLE_RESOLVER && from_resolver(r->arg, msg);
}

/* --- neighbours --- */

static void peer_connected(struct process *r, enum role kind, uint32_t number, int fd) {
  struct sender *s = r->arg;
  if (kind == ROLE_RESOLVER) {
    s->resolver = number;
    sources_sweep(s);
    nexthop_ask_next(s);
  }
  if (kind == ROLE_KEYS) sign_keys_connected(s, number);
  if (kind != ROLE_STORE) return;
  s->store = number;
  s->freed = (uint32_t)(r->conf->sender_connections < SEND_CREDIT_MAX ? r->conf->sender_connections
                                                                      : SEND_CREDIT_MAX);
  sender_send_no_tls(s);
  sender_turn(s);
}

/* Its letters are store's again; a new store hands them out again. */
static void forget_all(struct sender *s) {
  while (s->oldest) {
    struct nexthop *l = s->oldest;
    for (struct link *k = l->links; k; k = k->next) {
      dial_free(&k->dial);
      smtp_client_free(&k->client);
    }
    nexthop_drop_letters(l);
    nexthop_free(l);
  }
  uint64_t key, value; /* letters in no next hop: being signed */
  for (size_t i = 0; map_each(&s->letters, &i, &key, &value); i = 0)
    letter_free((struct letter *)(uintptr_t)value);
  s->freed = 0;
}

static void peer_lost(struct process *r, enum role kind, uint32_t number) {
  struct sender *s = r->arg;
  if (kind == ROLE_RESOLVER && number == s->resolver) {
    s->resolver = 0;
    nexthops_resolver_lost(s);
    sender_plans_resolver_lost(s);
    sources_resolver_lost(s);
  }
  if (kind == ROLE_KEYS) sign_keys_lost(s, number);
  if (kind == ROLE_CLI) sender_plans_drop(s, number);
  if (kind != ROLE_STORE || number != s->store) return;
  s->store = 0;
  forget_all(s);
  if (s->ending) sender_turn(s);
}

/* --- life --- */

static bool prepare(struct process *r, struct buf *err) {
  struct sender *s = r->arg;
  route_ports(r);
  s->process = r;
  hosts_read_own(s);
  sources_read(s);
  int why = dial_trust_read(r->conf->tls_authorities, &s->authorities);
  if (why)
    log_print(&r->log, LOG_E_AUTHORITIES,
              "%s: %s; routes that need a verified certificate will not work",
              r->conf->tls_authorities, strerror(why));
  return route_read_credentials(r->conf->route_passwords, &s->credentials, err);
}

static bool start(struct process *r, struct buf *err) {
  struct sender *s = r->arg;
  s->turn = (struct loop_later){ .fn = on_turn, .arg = s };
  s->sweep = loop_timer_new(r->loop, on_sweep, s);
  if (!s->sweep) {
    buf_put_str(err, "out of memory");
    return false;
  }
  loop_timer_set(s->sweep, loop_now(r->loop) + SWEEP_MS);
  return make_tls(s, err);
}

/* What is read at the start has not changed (src/parent/renew.c); the choice of a destination's
 * hosts may have. */
static void reload(struct process *r, const struct conf *before) { nexthops_forget_hosts(r->arg); }

/* Returns the letters in no next hop: those being signed or converted. */
static void return_unsigned(struct sender *s) {
  uint64_t key, value;
  for (size_t i = 0; map_each(&s->letters, &i, &key, &value);) {
    struct letter *l = (struct letter *)(uintptr_t)value;
    if (!l->signing || l->ended) continue;
    sign_drop(l);
    letter_return(l);
    i = 0; /* the table has changed */
  }
}

static void end_by(struct sender *s, uint64_t cut_ms, uint64_t cut_end_ms) {
  uint64_t now = loop_now(s->process->loop);
  s->cut_ms = now + cut_ms;
  s->cut_end_ms = now + cut_end_ms;
  sender_turn(s);
  if (s->ending) return;
  s->ending = true;
  return_unsigned(s);
  nexthops_finish(s);
  log_print(&s->process->log, LOG_E_SENDER_ENDS, "it finishes %zu messages, %u went back",
            s->letters.count, s->returned);
}

/* A session that by then awaits the reply to an end of data gets the full time-out for that, and a
 * minute. */
static void retire(struct process *r) {
  end_by(r->arg, RETIRE_MS, RETIRE_MS + r->conf->sender_end_timeout * 1000 + 60 * 1000);
}

static void stop(struct process *r) {
  uint64_t most = r->conf->sender_stop_time * 1000;
  end_by(r->arg, STOP_MS < most ? STOP_MS : most, most);
}

const struct role_ops sender_ops = {
  .kind = ROLE_SENDER,
  .prepare = prepare,
  .start = start,
  .message = message,
  .peer_connected = peer_connected,
  .peer_lost = peer_lost,
  .reload = reload,
  .retire = retire,
  .stop = stop,
};

struct sender *sender_new(void) {
  struct sender *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  map_init(&s->letters);
  map_init(&s->nexthops);
  map_init(&s->asking);
  s->last_asking = &s->first_asking;
  s->last_signing = &s->first_signing;
  buf_init(&s->authorities, SENDER_AUTHORITIES_MAX);
  buf_init(&s->credentials.file, 65 * 1024);
  return s;
}

void sender_free(struct sender **ptr) {
  struct sender *s = *ptr;
  if (!s) return;
  buf_free(&s->authorities);
  buf_wipe(&s->credentials.file);
  map_free(&s->letters);
  map_free(&s->nexthops);
  map_free(&s->asking);
  free(s);
  *ptr = NULL;
}

int sender_main(int argc, char **argv) {
  struct sender *s = sender_new();
  if (!s) return 75;
  int code = process_run(&sender_ops, s);
  sender_free(&s);
  return code;
}
