/* SPDX-License-Identifier: ISC */
#include "tests/world/outside/roles.h"

#include "ipc/dialer_resolver.h"
#include "ipc/sender_keys.h"
#include "tests/world/must.h"

static struct roles *roles; /* the process makes no difference: there is one world at a time */

/* --- the sender --- */

static void make_sender(struct guest *p) {
  struct buf err;
  buf_init(&err, 256);
  struct sender *s = roles->sender_core = sender_new();
  s->process = &p->process;
  p->process.arg = s;
  s->own[0] = (struct dial_address){ 4, { 5, 9, 0, 1 }, 0 };
  s->own_count = 1;
  buf_put_str(&s->authorities, "any");
  if (!sender_ops.start(&p->process, &err))
    world_fail(p->world, "the sender does not start: %s", buf_cstr(&err));
  buf_free(&err);
}

static void end_sender(struct guest *p) {
  sender_give_up(roles->sender_core);
  sender_free(&roles->sender_core);
}

/* --- the resolver --- */

struct dns_question {
  struct dns_question *next;
  dns_fn *fn;
  void *arg;
  char name[DNS_NAME_MAX + 1];
  enum dns_kind kind;
};
static struct dns_question *open_questions;

static void answer_question(void *arg) {
  struct dns_question *q = arg, **at = &open_questions;
  struct dns_answer *a = must_alloc(sizeof *a);
  while (*at != q) at = &(*at)->next;
  *at = q->next;
  mx_answer(roles->mx, q->name, q->kind, a);
  if (guest_in(&roles->resolver)) {
    q->fn(q->arg, a);
    guest_out(&roles->resolver);
  }
  free(a);
  free(q);
}

struct dns_question *dns_ask(struct dns *d, struct slice name, enum dns_kind kind, dns_fn *fn,
                             void *arg) {
  struct rng *rng = &roles->mx->rng;
  struct dns_question *q = must_alloc(sizeof *q);
  *q = (struct dns_question){ open_questions, fn, arg, "", kind };
  memcpy(q->name, name.p, name.n < DNS_NAME_MAX ? name.n : DNS_NAME_MAX);
  open_questions = q;
  bool slow = !roles->mx->calm && rng_chance(rng, 1, 12);
  world_after(roles->w, slow ? rng_below(rng, DNS_TIMEOUT_MS) : rng_below(rng, 20), answer_question,
              q);
  return q;
}

void dns_cancel(struct dns_question **q) {
  struct dns_question **at = &open_questions;
  if (!*q) return;
  while (*at != *q) at = &(*at)->next;
  *at = (*q)->next;
  world_cancel(roles->w, *q);
  free(*q);
  *q = NULL;
}

static void say_answer(void *arg, enum role kind, uint32_t number, uint64_t tag,
                       const struct dns_answer *answer) {
  struct buf text, b;
  buf_init(&text, DNS_ANSWER_MAX);
  buf_init(&b, DNS_ANSWER_MAX + 8);
  dns_answer_put(&text, answer);
  dns_reply_put(&b, &(struct dns_reply){ buf_slice(&text) });
  process_send(arg, kind, number, dns_reply_type, tag, buf_slice(&b), -1);
  buf_free(&text);
  buf_free(&b);
}

static void make_resolver(struct guest *p) {
  roles->resolver_core = resolver_new(NULL, p->process.conf, say_answer, &p->process);
}
static void end_resolver(struct guest *p) { resolver_free(&roles->resolver_core); }

static bool resolver_message(struct process *r, enum role kind, uint32_t number,
                             const struct ipc_msg *msg, uint8_t state) {
  struct dns_ask m;
  if (msg->type != dns_ask_type || !dns_ask_get(msg->payload, &m) || m.kind >= DNS_KINDS)
    return false;
  resolver_ask(roles->resolver_core, kind, number, msg->tag, m.name, (enum dns_kind)m.kind,
               loop_now(r->loop));
  return true;
}

static void resolver_lost(struct process *r, enum role kind, uint32_t number) {
  resolver_asker_lost(roles->resolver_core, kind, number);
}

static const struct role_ops resolver_ops = { .kind = ROLE_RESOLVER,
                                              .message = resolver_message,
                                              .peer_lost = resolver_lost };

/* --- keys: signs, has none, has too much to do, cannot read them, or does not answer --- */

struct key_answer {
  struct key_answer *next;
  uint32_t number;
  uint64_t tag;
};

static void keys_answer(void *arg) {
  struct key_answer *a = arg, **at = &roles->answers;
  struct rng *rng = &roles->mx->rng;
  static const enum sign_outcome often[] = { SIGN_DONE,   SIGN_DONE, SIGN_DONE,      SIGN_DONE,
                                             SIGN_NO_KEY, SIGN_BUSY, SIGN_UNREADABLE };
  enum sign_outcome o =
      roles->mx->calm ? SIGN_DONE : often[rng_below(rng, sizeof often / sizeof *often)];
  struct buf b;
  while (*at != a) at = &(*at)->next;
  *at = a->next;
  buf_init(&b, 1024);
  struct slice fields =
      o == SIGN_DONE ? SLICE("DKIM-Signature: v=1; a=none; d=example.org;\r\n\ts=world; b=AAAA\r\n")
                     : SLICE_NONE;
  dkim_signed_put(&b, &(struct dkim_signed){ (uint8_t)o, fields });
  world_guest_send(roles->w, ROLE_KEYS, ROLE_SENDER, a->number, dkim_signed_type, a->tag,
                   buf_slice(&b));
  buf_free(&b);
  free(a);
}

static bool keys_message(void *arg, enum role kind, uint32_t number, const struct ipc_msg *msg) {
  struct dkim_sign m;
  if (kind != ROLE_SENDER || msg->type != dkim_sign_type) return kind != ROLE_SENDER;
  if (!dkim_sign_get(msg->payload, &m)) return false;
  if (!roles->mx->calm && rng_chance(&roles->mx->rng, 1, 20)) return true; /* it has hung */
  struct key_answer *a = must_alloc(sizeof *a);
  *a = (struct key_answer){ roles->answers, number, msg->tag };
  roles->answers = a;
  world_after(roles->w, rng_below(&roles->mx->rng, 40), keys_answer, a);
  return true;
}

static void keys_halt(void *arg) {
  while (roles->answers) {
    struct key_answer *a = roles->answers;
    roles->answers = a->next;
    world_cancel(roles->w, a);
    free(a);
  }
}

static void keys_boot(void *arg) {}
static void keys_neighbour(void *arg, enum role kind, uint32_t number) {}

/* --- all --- */

void roles_retire_sender(struct roles *r) {
  if (!guest_in(&r->sender)) return;
  sender_ops.retire(&r->sender.process);
  guest_out(&r->sender);
}

void roles_join(struct roles *r, struct world *w, struct mx *mx) {
  roles = r;
  *r = (struct roles){ .w = w, .mx = mx };
  r->sender =
      (struct guest){ .world = w, .ops = &sender_ops, .make = make_sender, .end = end_sender };
  r->resolver = (struct guest){
    .world = w, .ops = &resolver_ops, .make = make_resolver, .end = end_resolver
  };
  r->keys =
      (struct world_guest){ keys_boot, keys_halt, keys_neighbour, keys_neighbour, keys_message, r };
  guest_join(&r->sender);
  guest_join(&r->resolver);
  world_guest_add(w, ROLE_KEYS, &r->keys);
}
