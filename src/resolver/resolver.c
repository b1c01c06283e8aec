/* SPDX-License-Identifier: ISC */
/* Passes questions on to lib/dns within each asker's limits (resolver.h has the invariants): a
 * fixed table of askers with a token bucket each, and a record of each open question, which leads
 * its answer back to its asker. */
#include "src/resolver/resolver.h"

#include <stdlib.h>

#include "conf/conf.h"

struct asker {
  enum role kind;
  uint32_t number; /* 0: a free entry */
  unsigned open;
  uint64_t allowance; /* in thousandths of a question */
  uint64_t seen_ms;
};

struct open {
  struct open *next;
  struct resolver *resolver;
  struct asker *asker;
  uint64_t tag;
  struct dns_question *question;
};

struct resolver {
  struct dns *dns;
  resolver_reply *reply;
  void *arg;
  struct asker askers[RESOLVER_ASKERS_MAX];
  struct open *open;
  unsigned others_open; /* of all but the sender */
  struct asker_limits {
    unsigned open, together;
    uint64_t per_second;
  } sender, others;
  struct resolver_counts counts;
};

struct resolver *resolver_new(struct dns *dns, const struct conf *conf, resolver_reply *reply,
                              void *arg) {
  struct resolver *r = calloc(1, sizeof *r);
  unsigned sender = (unsigned)conf->dns_sender_open_questions + RESOLVER_SENDER_MORE;
  if (!r) return NULL;
  *r = (struct resolver){ .dns = dns, .reply = reply, .arg = arg };
  r->sender = (struct asker_limits){ sender, DNS_OPEN_MAX,
                                     conf->dns_sender_questions_per_second + RESOLVER_SENDER_MORE };
  r->others = (struct asker_limits){ (unsigned)conf->dns_open_questions, DNS_OPEN_MAX - sender,
                                     conf->dns_questions_per_second };
  return r;
}

void resolver_free(struct resolver **r) {
  if (!*r) return;
  for (size_t i = 0; i < RESOLVER_ASKERS_MAX; i++)
    if ((*r)->askers[i].number)
      resolver_asker_lost(*r, (*r)->askers[i].kind, (*r)->askers[i].number);
  free(*r);
  *r = NULL;
}

/* --- askers --- */

static const struct asker_limits *limits_of(const struct resolver *r, enum role kind) {
  return kind == ROLE_SENDER ? &r->sender : &r->others;
}

/* The maximum allowance, in thousandths of a question. */
static uint64_t most_allowed(const struct asker_limits *l) {
  return l->per_second * RESOLVER_BURST * 1000;
}

static struct asker *find_asker(struct resolver *r, enum role kind, uint32_t number) {
  for (size_t i = 0; i < RESOLVER_ASKERS_MAX; i++)
    if (r->askers[i].number == number && (r->askers[i].kind == kind || !number))
      return &r->askers[i];
  return NULL;
}

/* The known one, or a new one in a free entry; NULL: none is free. */
static struct asker *asker(struct resolver *r, enum role kind, uint32_t number, uint64_t now_ms) {
  struct asker *a = find_asker(r, kind, number);
  if (a) return a;
  a = find_asker(r, kind, 0);
  if (a) *a = (struct asker){ kind, number, 0, most_allowed(limits_of(r, kind)), now_ms };
  return a;
}

/* Deducts one question from its allowance. False: it has none left. */
static bool may_ask(const struct resolver *r, struct asker *a, uint64_t now_ms) {
  const struct asker_limits *l = limits_of(r, a->kind);
  uint64_t gained = (now_ms - a->seen_ms) * l->per_second, most = most_allowed(l);
  a->seen_ms = now_ms;
  a->allowance = a->allowance + gained < most ? a->allowance + gained : most;
  if (a->allowance < 1000 || a->open >= l->open) return false;
  if (a->kind != ROLE_SENDER && r->others_open >= l->together) return false;
  a->allowance -= 1000;
  return true;
}

void resolver_asker_lost(struct resolver *r, enum role kind, uint32_t number) {
  struct asker *a = find_asker(r, kind, number);
  if (!a || !number) return;
  for (struct open **at = &r->open; *at;) {
    struct open *o = *at;
    if (o->asker != a) {
      at = &o->next;
      continue;
    }
    *at = o->next;
    dns_cancel(&o->question);
    r->counts.open--;
    r->others_open -= a->kind != ROLE_SENDER;
    free(o);
  }
  *a = (struct asker){ 0 };
}

/* --- questions --- */

static void answer_one(struct resolver *r, enum role kind, uint32_t number, uint64_t tag,
                       const struct dns_answer *answer) {
  r->counts.answered[answer->result]++;
  r->reply(r->arg, kind, number, tag, answer);
}

static void refuse_question(struct resolver *r, enum role kind, uint32_t number, uint64_t tag,
                            enum dns_kind what) {
  struct dns_answer answer = { .kind = what,
                               .result = DNS_LATER,
                               .why = "the resolver has too much to do" };
  r->counts.turned_away++;
  answer_one(r, kind, number, tag, &answer);
}

static void answered(void *arg, const struct dns_answer *answer) {
  struct open *o = arg;
  struct resolver *r = o->resolver;
  struct open **at = &r->open;
  while (*at != o) at = &(*at)->next;
  *at = o->next;
  o->asker->open--;
  r->counts.open--;
  r->others_open -= o->asker->kind != ROLE_SENDER;
  answer_one(r, o->asker->kind, o->asker->number, o->tag, answer);
  free(o);
}

static bool open_question(struct resolver *r, struct asker *a, uint64_t tag, struct slice name,
                          enum dns_kind kind) {
  struct open *o = malloc(sizeof *o);
  if (!o) return false;
  *o = (struct open){ r->open, r, a, tag, NULL };
  o->question = dns_ask(r->dns, name, kind, answered, o);
  if (!o->question) {
    free(o);
    return false;
  }
  r->open = o;
  r->counts.open++;
  r->others_open += a->kind != ROLE_SENDER;
  a->open++;
  return true;
}

void resolver_ask(struct resolver *r, enum role kind, uint32_t number, uint64_t tag,
                  struct slice name, enum dns_kind what, uint64_t now_ms) {
  struct asker *a = asker(r, kind, number, now_ms);
  if (!a || !may_ask(r, a, now_ms) || !open_question(r, a, tag, name, what))
    refuse_question(r, kind, number, tag, what);
}

const struct resolver_counts *resolver_counts(const struct resolver *r) { return &r->counts; }
