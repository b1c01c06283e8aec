/* SPDX-License-Identifier: ISC */
/* When which collection runs (schedule.h has the states): entries in memory, one for each row of
 * auth.db, and the queue of the collector's runs that wait for work.
 * Invariants: the result of a run is written before the entry can run again; at most
 * SCHEDULE_PER_HOST entries of one host are granted or running; an entry deleted while it runs
 * stays until its run has ended; the end of a run revokes its grant at store. */
#include "src/auth/schedule.h"

#include <stdlib.h>

#include "ipc/auth_store.h"
#include "lib/base/array.h"
#include "lib/base/bug.h"
#include "src/auth/core.h"

static int64_t wall(const struct auth *a) {
  return a->shell.wall ? a->shell.wall(a->shell.arg) : 0;
}

/* --- the entries --- */

static bool add(struct collect_schedule *x, const struct collection *c) {
  if (x->count == COLLECTIONS_MAX) return false;
  if (!array_reserve(&x->entries, &x->cap, x->count + 1, sizeof *x->entries)) return false;
  x->entries[x->count++] =
      (struct schedule_entry){ .id = c->id,
                               .source = c->source,
                               .host = slice_hash_lower(slice_of(c->host, c->host_n)),
                               .next = c->next,
                               .paused = c->paused };
  return true;
}

static struct schedule_entry *entry_of(const struct collect_schedule *x, uint64_t id) {
  for (size_t i = 0; i < x->count; i++)
    if (x->entries[i].id == id) return &x->entries[i];
  return NULL;
}

static struct schedule_entry *entry_with_tag(const struct collect_schedule *x, uint64_t tag) {
  for (size_t i = 0; i < x->count; i++)
    if (x->entries[i].state != SCHEDULE_ASLEEP && x->entries[i].tag == tag) return &x->entries[i];
  return NULL;
}

struct loading {
  struct collect_schedule *x;
  bool ok;
};

static void load_one(void *arg, const struct collection *c) {
  struct loading *l = arg;
  l->ok = l->ok && add(l->x, c);
}

bool schedule_load(struct auth *a) {
  struct loading l = { &a->schedule, true };
  return collections_each(&a->accounts, load_one, &l) == ACCOUNT_OK && l.ok;
}

void schedule_free(struct auth *a) {
  free(a->schedule.entries);
  a->schedule = (struct collect_schedule){ 0 };
}

/* --- messages to the other processes --- */

#define SEND(a, kind, number, name, tag, ...)                                              \
  do {                                                                                     \
    struct buf send_b;                                                                     \
    buf_init(&send_b, 4096);                                                               \
    buf_reserve(&send_b, 2048); /* full size at once: it may be a password */              \
    name##_put(&send_b, &(struct name){ __VA_ARGS__ });                                    \
    if (!send_b.failed)                                                                    \
      (a)->shell.send((a)->shell.arg, kind, number, name##_type, tag, buf_slice(&send_b)); \
    buf_wipe(&send_b);                                                                     \
  } while (0)

/* Revokes the run's grant at store, whatever the collector reports about it. */
static void revoke(struct auth *a, uint64_t tag) {
  SEND(a, ROLE_STORE, 0, auth_revoke, 0, .front = a->schedule.number, .session = tag);
}

static void warn(const struct auth *a, const char *what, const struct collection *c) {
  if (a->shell.warn) a->shell.warn(a->shell.arg, what, slice_of(c->account, c->account_n));
}

/* --- a run's end --- */

/* Doubled with each failure. */
static int64_t pause_of(uint64_t first, uint64_t failures, uint64_t most) {
  for (uint64_t i = 1; i < failures && first < most; i++) first *= 2;
  return (int64_t)(first < most ? first : most);
}

static bool is_stop(enum collect_verdict v, uint64_t failures) {
  return v == COLLECT_LOGIN_WRONG || (v == COLLECT_DOUBTED && failures >= SCHEDULE_DOUBTS);
}

/* Random spread, so that collections added together do not run together for ever. */
static int64_t spread(struct auth *a, uint64_t every_s) {
  uint32_t chance;
  a->shell.random(a->shell.arg, &chance, sizeof chance);
  return (int64_t)(chance % (every_s / 10 + 1));
}

static void plan_next(struct auth *a, struct collection *c, enum collect_verdict v, int64_t now_s) {
  c->failures = v == COLLECT_WENT_WELL ? 0 : c->failures + 1;
  if (v == COLLECT_WENT_WELL)
    c->next = c->last + (int64_t)c->every_s + spread(a, c->every_s);
  else if (v == COLLECT_HERE)
    c->next = now_s + pause_of(SCHEDULE_HERE_S, c->failures, c->every_s);
  else
    c->next = now_s + pause_of(c->every_s, c->failures,
                               c->every_s > SCHEDULE_DAY_S ? c->every_s : SCHEDULE_DAY_S);
  c->paused |= is_stop(v, c->failures);
}

/* Text from outside: one line, no control characters, valid UTF-8 or else only its ASCII. */
static void take_words(struct collection *c, struct slice words) {
  bool utf8 = sasl_safe_utf8(words);
  words = slice_first(words, sizeof c->last_words);
  for (size_t i = 0; i < words.n; i++) {
    uint8_t o = words.p[i];
    c->last_words[i] = ascii_is_control(o) ? ' ' : o > 0x7f && !utf8 ? '?' : o;
  }
  c->last_words_n = words.n;
}

/* Stores UIDLs separated by spaces, or nothing if malformed. */
static void take_stepped(struct collection *c, struct slice stepped) {
  c->stepped_n = 0;
  for (size_t i = 0; i < stepped.n; i++)
    if (!ascii_is_print(stepped.p[i])) return;
  if (stepped.n > sizeof c->stepped) return;
  if (stepped.n) memcpy(c->stepped, stepped.p, stepped.n);
  c->stepped_n = stepped.n;
}

/* ASLEEP → GRANTING → RUNNING → ASLEEP; GRANTING → ASLEEP, when it is called off. */
static void schedule_to(struct schedule_entry *e, enum schedule_state to) {
  bool fine = to == SCHEDULE_ASLEEP || (to == SCHEDULE_GRANTING && e->state == SCHEDULE_ASLEEP) ||
              (to == SCHEDULE_RUNNING && e->state == SCHEDULE_GRANTING);
  BUG_IF(!fine, "collection %ju goes from state %d to %d, run %ju", (uintmax_t)e->id, e->state, to,
         (uintmax_t)e->serial);
  e->state = to;
}

/* It was deleted, and no run of it is left. */
static void forget(struct auth *a, struct schedule_entry *e) {
  struct collect_schedule *x = &a->schedule;
  SEND(a, ROLE_STORE, 0, auth_uncollect, 0, .account = e->account, .source = e->source);
  *e = x->entries[--x->count];
}

/* The run of `e` is over; `stepped` p NULL: unchanged. The row is written before anything else is
 * begun. */
static void finish(struct auth *a, struct schedule_entry *e, enum collect_verdict v,
                   uint64_t fetched, struct slice words, struct slice stepped) {
  struct collection c;
  int64_t now_s = wall(a);
  schedule_to(e, SCHEDULE_ASLEEP);
  e->next = now_s + SCHEDULE_HERE_S; /* if the row cannot be read now */
  bool unwanted = e->halted && e->paused;
  e->halted = false;
  if (e->gone) {
    forget(a, e);
    return;
  }
  if (unwanted) return;
  if (collections_find(&a->accounts, e->id, &c) != ACCOUNT_OK) return;
  c.last = e->began;
  c.fetched = fetched;
  c.total += fetched;
  take_words(&c, words);
  if (stepped.p) take_stepped(&c, stepped);
  bool was_paused = c.paused;
  plan_next(a, &c, v, now_s);
  if (c.paused && !was_paused)
    warn(a, "a collection is paused: its login was refused; see `qasid account collect list`", &c);
  if (collections_update(&a->accounts, &c) == ACCOUNT_OK) {
    e->next = c.next;
    e->paused = c.paused;
  }
  a->schedule.runs++;
  a->schedule.failed += v != COLLECT_WENT_WELL;
  a->schedule.fetched += fetched;
}

static bool take_result(struct auth *a, uint64_t tag, struct slice payload) {
  struct collect_result m;
  if (!collect_result_get(payload, &m) || m.verdict >= COLLECT_VERDICTS) return false;
  struct schedule_entry *e = entry_with_tag(&a->schedule, tag);
  revoke(a, tag);
  if (e && e->state == SCHEDULE_RUNNING)
    finish(a, e, (enum collect_verdict)m.verdict, m.fetched, m.words,
           m.stepped.p ? m.stepped : SLICE(""));
  return true; /* without an entry: the collection was deleted while it ran */
}

/* --- a run's beginning --- */

/* The servers of current runs, one entry for each run. */
struct busy {
  uint64_t hosts[COLLECT_RUNS_MAX];
  size_t count;
};

static void find_busy_hosts(const struct collect_schedule *x, struct busy *ret) {
  ret->count = 0;
  for (size_t i = 0; i < x->count && ret->count < COLLECT_RUNS_MAX; i++)
    if (x->entries[i].state != SCHEDULE_ASLEEP) ret->hosts[ret->count++] = x->entries[i].host;
}

static bool is_busy(const struct busy *b, uint64_t host) {
  unsigned n = 0;
  for (size_t i = 0; i < b->count; i++) n += b->hosts[i] == host;
  return n >= SCHEDULE_PER_HOST;
}

/* The longest due one whose server has a free place; NULL: none. *ret_next: when the next one is
 * due, of those that wait for nothing else. */
static struct schedule_entry *first_due(struct collect_schedule *x, int64_t now_s,
                                        int64_t *ret_next) {
  struct schedule_entry *best = NULL;
  struct busy busy;
  find_busy_hosts(x, &busy);
  *ret_next = INT64_MAX;
  for (size_t i = 0; i < x->count; i++) {
    struct schedule_entry *e = &x->entries[i];
    if (e->state != SCHEDULE_ASLEEP || e->paused) continue;
    if (e->next > now_s) {
      if (e->next < *ret_next) *ret_next = e->next;
    } else if ((!best || e->next < best->next) && !is_busy(&busy, e->host)) {
      best = e;
    }
  }
  return best;
}

/* Asks store to grant this run. False: it cannot run now. */
static bool ask_store(struct auth *a, struct schedule_entry *e, uint64_t now_ms) {
  struct collection c;
  struct account row = { .enabled = false };
  enum account_result r = collections_find(&a->accounts, e->id, &c);
  if (r == ACCOUNT_OK) r = accounts_find(&a->accounts, slice_of(c.account, c.account_n), &row);
  bool ok = r == ACCOUNT_OK && row.enabled;
  if (ok) {
    e->serial = ++a->serial;
    schedule_to(e, SCHEDULE_GRANTING);
    e->began = wall(a);
    e->patience_ms = now_ms + SCHEDULE_GRANT_MS;
    SEND(a, ROLE_STORE, 0, auth_grant, e->serial, a->schedule.number, e->tag, row.id,
         GRANT_COLLECTION, e->source);
  }
  explicit_bzero(&row, sizeof row);
  return ok;
}

/* The run gets no work now: it waits again. */
static void put_back(struct auth *a, uint64_t tag) {
  struct collect_schedule *x = &a->schedule;
  if (x->number && x->waiting_n < COLLECT_RUNS_MAX) x->waiting[x->waiting_n++] = tag;
}

/* Calls the tick again at `ms`, or earlier if that was requested already. */
static void request_tick(struct collect_schedule *x, uint64_t ms) {
  if (!x->due_ms || ms < x->due_ms) x->due_ms = ms;
}

/* Starts what is due, while runs of the collector wait for work. */
static void start_due(struct auth *a, uint64_t now_ms) {
  struct collect_schedule *x = &a->schedule;
  int64_t now_s = wall(a), next;
  while (x->number && x->waiting_n) {
    struct schedule_entry *e = first_due(x, now_s, &next);
    if (!e) {
      int64_t ms = next == INT64_MAX ? SCHEDULE_LOOK_MS : (next - now_s) * 1000;
      request_tick(x, now_ms + (uint64_t)(ms < SCHEDULE_LOOK_MS ? ms : SCHEDULE_LOOK_MS));
      return;
    }
    e->tag = x->waiting[0];
    if (!ask_store(a, e, now_ms)) {
      /* its account cannot log in, or the database cannot be read now */
      e->next = now_s + COLLECT_EVERY_LEAST;
      continue;
    }
    memmove(x->waiting, x->waiting + 1, --x->waiting_n * sizeof *x->waiting);
  }
}

/* Ends GRANTING after a time-out: a store that is being restarted may never have received the
 * question. */
static void expire_grants(struct auth *a, uint64_t now_ms) {
  struct collect_schedule *x = &a->schedule;
  for (size_t i = x->count; i-- > 0;) {
    struct schedule_entry *e = &x->entries[i];
    if (e->state != SCHEDULE_GRANTING || now_ms < e->patience_ms) continue;
    revoke(a, e->tag);
    put_back(a, e->tag);
    finish(a, e, COLLECT_HERE, 0, SLICE("the store did not answer"), SLICE_NONE);
  }
}

uint64_t schedule_tick(struct auth *a, uint64_t now_ms) {
  struct collect_schedule *x = &a->schedule;
  if (!x->changed && (!x->due_ms || now_ms < x->due_ms)) return x->due_ms;
  x->changed = false;
  x->due_ms = 0;
  expire_grants(a, now_ms);
  start_due(a, now_ms);
  for (size_t i = 0; i < x->count; i++)
    if (x->entries[i].state == SCHEDULE_GRANTING) request_tick(x, x->entries[i].patience_ms);
  return x->due_ms;
}

static void send_job(struct auth *a, struct schedule_entry *e, const struct collection *c,
                     struct slice secret) {
  SEND(a, ROLE_COLLECTOR, a->schedule.number, collect_job, e->tag, c->id,
       slice_of(c->account, c->account_n), slice_of(c->host, c->host_n), c->port, c->discover,
       c->tls, slice_of(c->user, c->user_n), slice_of(c->mechanism, c->mechanism_n), secret,
       c->leave_s, slice_of(c->left_out, c->left_out_n), slice_of(c->stepped, c->stepped_n));
  schedule_to(e, SCHEDULE_RUNNING);
}

/* It was paused or deleted while the question was at store. */
static void cancel_grant(struct auth *a, struct schedule_entry *e) {
  revoke(a, e->tag);
  put_back(a, e->tag);
  e->halted = false;
  schedule_to(e, SCHEDULE_ASLEEP);
}

static void start_run(struct auth *a, struct schedule_entry *e) {
  struct collection c;
  struct buf secret;
  buf_init(&secret, COLLECT_SECRET_MAX);
  buf_reserve(&secret, COLLECT_SECRET_MAX);
  bool found = collections_find(&a->accounts, e->id, &c) == ACCOUNT_OK;
  if (found && collection_unseal(&a->accounts, &c, &secret)) {
    send_job(a, e, &c, buf_slice(&secret));
  } else {
    revoke(a, e->tag);
    put_back(a, e->tag);
    finish(
        a, e, COLLECT_LOGIN_WRONG, 0,
        SLICE("its password was sealed under another key; delete the collection and add it anew"),
        SLICE_NONE);
  }
  buf_wipe(&secret);
}

bool schedule_granted(struct auth *a, uint64_t serial, bool known) {
  struct collect_schedule *x = &a->schedule;
  for (size_t i = 0; i < x->count; i++) {
    struct schedule_entry *e = &x->entries[i];
    if (e->state != SCHEDULE_GRANTING || e->serial != serial) continue;
    x->changed = true;
    if (e->halted) {
      cancel_grant(a, e);
    } else if (known) {
      start_run(a, e);
    } else {
      put_back(a, e->tag);
      finish(a, e, COLLECT_HERE, 0, SLICE("there is no mailbox for this account"), SLICE_NONE);
    }
    return true;
  }
  return false;
}

/* --- the pair --- */

bool schedule_message(struct auth *a, uint32_t number, const struct ipc_msg *msg) {
  struct collect_schedule *x = &a->schedule;
  struct collect_ready ready;
  x->changed = true;
  if (x->number != number) {
    if (x->number) schedule_collector_lost(a, x->number); /* its end was not noticed yet */
    x->number = number;
  }
  if (msg->type == collect_result_type) return take_result(a, msg->tag, msg->payload);
  bool ok = msg->type == collect_ready_type && collect_ready_get(msg->payload, &ready) &&
            x->waiting_n < COLLECT_RUNS_MAX;
  if (ok) x->waiting[x->waiting_n++] = msg->tag;
  return ok;
}

void schedule_collector_lost(struct auth *a, uint32_t number) {
  struct collect_schedule *x = &a->schedule;
  if (x->number != number) return;
  x->waiting_n = 0;
  for (size_t i = x->count; i-- > 0;) { /* backwards: an entry may be removed on the way */
    struct schedule_entry *e = &x->entries[i];
    if (e->state == SCHEDULE_ASLEEP) continue;
    if (e->state == SCHEDULE_GRANTING) revoke(a, e->tag);
    finish(a, e, COLLECT_HERE, 0, SLICE("the collector was ended while it ran"), SLICE_NONE);
  }
  x->number = 0;
}

/* Open questions there will not be answered, and its grants are void. */
void schedule_store_lost(struct auth *a) {
  struct collect_schedule *x = &a->schedule;
  x->changed = true;
  for (size_t i = x->count; i-- > 0;) {
    struct schedule_entry *e = &x->entries[i];
    if (e->state == SCHEDULE_RUNNING) SEND(a, ROLE_COLLECTOR, x->number, collect_halt, e->tag, );
    if (e->state != SCHEDULE_GRANTING) continue;
    put_back(a, e->tag);
    finish(a, e, COLLECT_HERE, 0, SLICE("the store was restarted"), SLICE_NONE);
  }
}

/* --- changes by the administrator --- */

bool schedule_added(struct auth *a, const struct collection *c) {
  a->schedule.changed = true;
  return add(&a->schedule, c);
}

static void halt(struct auth *a, struct schedule_entry *e) {
  if (e->state == SCHEDULE_ASLEEP) return;
  e->halted = true;
  if (e->state == SCHEDULE_RUNNING)
    SEND(a, ROLE_COLLECTOR, a->schedule.number, collect_halt, e->tag, );
}

void schedule_changed(struct auth *a, const struct collection *c) {
  struct schedule_entry *e = entry_of(&a->schedule, c->id);
  if (!e) return;
  a->schedule.changed = true;
  e->paused = c->paused;
  e->next = c->next;
  if (c->paused) halt(a, e);
}

/* While its run goes on, the entry stays: the run may still bring a message, and its end has to be
 * received. */
void schedule_deleted(struct auth *a, const struct collection *c) {
  struct schedule_entry *e = entry_of(&a->schedule, c->id);
  struct account row;
  if (!e) return;
  e->gone = true;
  e->paused = true;
  if (accounts_find(&a->accounts, slice_of(c->account, c->account_n), &row) == ACCOUNT_OK)
    e->account = row.id;
  explicit_bzero(&row, sizeof row);
  if (e->state == SCHEDULE_GRANTING) cancel_grant(a, e);
  if (e->state == SCHEDULE_ASLEEP)
    forget(a, e);
  else
    halt(a, e);
}

bool schedule_runs_now(const struct auth *a, uint64_t id) {
  const struct schedule_entry *e = entry_of(&a->schedule, id);
  return e && e->state != SCHEDULE_ASLEEP;
}

struct ending {
  struct slice account;
  uint64_t ids[64];
  size_t count;
};

static void note_id(void *arg, const struct collection *c) {
  struct ending *x = arg;
  if (x->count < sizeof x->ids / sizeof *x->ids &&
      slice_eq(slice_of(c->account, c->account_n), x->account))
    x->ids[x->count++] = c->id;
}

enum account_result schedule_account_deleted(struct auth *a, const struct account *account) {
  uint8_t folded[AUTH_NAME_MAX];
  struct collection c;
  struct ending x = { .account = account_key(account, folded) };
  enum account_result r;
  do {
    x.count = 0;
    r = collections_each(&a->accounts, note_id, &x);
    for (size_t i = 0; r == ACCOUNT_OK && i < x.count; i++) {
      r = collections_find(&a->accounts, x.ids[i], &c);
      if (r == ACCOUNT_OK) r = collections_delete(&a->accounts, x.ids[i]);
      if (r == ACCOUNT_OK) schedule_deleted(a, &c);
    }
  } while (r == ACCOUNT_OK && x.count);
  return r;
}
