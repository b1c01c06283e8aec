/* SPDX-License-Identifier: ISC */
/* The shell around a session, which carries out what proto_next() says as runtime/front does, and
 * the network between it and a client.
 *
 * Octets of a client wait in `to_server` (the network), then in `in` (the shell); the server's in
 * proto.out, then in `to_client` (the kernel), then in `received` (the client). */
#include "tests/world/world_in.h"

#include <stdio.h>

#include "ipc/pop3d_store.h"

struct world_conn {
  struct world *w;
  struct world_conn *next;
  struct world_client client;
  const struct service *service;
  uint64_t id;
  char name[24];
  struct proto *p;        /* NULL once the session is over */
  bool handshake;         /* the server waits for world_secure() */
  bool paused;            /* the client does not read */
  bool arriving, leaving; /* those events are due */
  bool gone, over;        /* the client has closed; it is being told that it is over */
  struct buf to_server, in, to_client, received;
  struct world_ref arrive, leave, tick, finish; /* names of its events */
  uint64_t tick_at;
  uint8_t certificate[32]; /* fingerprint of what the client shows */
};

/* The connection that an event belongs to. */
#define CONN(arg, event) \
  ((struct world_conn *)(void *)((char *)(arg)-offsetof(struct world_conn, event)))

static void pump(struct world_conn *c);

static void before_call(struct world_conn *c) {
  c->p->now_ms = c->w->now;
  c->p->wall_s = world_wall(c->w);
  alloc_enter();
}

static void after_call(struct world_conn *c) {
  (void)c;
  alloc_leave();
}

static void show(void *arg, char direction, struct slice line) {
  struct world_conn *c = arg;
  unsigned was = alloc_out();
  fprintf(stderr, "%8llu %s %c: %.*s\n", (unsigned long long)c->w->now, c->name, direction,
          (int)line.n, line.n ? (const char *)line.p : "");
  alloc_back(was);
}

/* -- the end of a session and of its connection -- */

static void conn_free(struct world_conn *c) {
  struct world_conn **at = &c->w->conns;
  while (*at != c) at = &(*at)->next;
  *at = c->next;
  struct world_ref *events[] = { &c->arrive, &c->leave, &c->tick, &c->finish };
  for (size_t i = 0; i < 4; i++) world_cancel(c->w, events[i]);
  buf_free(&c->to_server);
  buf_free(&c->in);
  buf_free(&c->to_client);
  buf_free(&c->received);
  free(c);
}

/* The client reads what is left, then learns that it is over. */
static void finish(void *arg) {
  struct world_conn *c = CONN(arg, finish);
  struct world_client client = c->client;
  c->over = true;
  buf_put(&c->received, buf_slice(&c->to_client));
  buf_reset(&c->to_client);
  if (buf_len(&c->received)) client.readable(client.arg);
  client.closed(client.arg);
  conn_free(c);
}

static void free_session(struct world_conn *c) {
  if (!c->p) return;
  if (c->p->reason != CLOSE_NONE) c->w->last_reason = c->p->reason;
  if (c->w->verbose)
    fprintf(stderr, "%8llu %s closed: %s\n", (unsigned long long)c->w->now, c->name,
            close_reason_word(c->p->reason));
  alloc_enter();
  c->service->ops->free(&c->p);
  alloc_leave();
  world_cancel(c->w, &c->tick);
  world_cancel(c->w, &c->arrive);
  c->handshake = false;
}

static void server_closes(struct world_conn *c) {
  free_session(c);
  if (!c->gone)
    world_after(c->w, world_moment(c->w), finish, &c->finish);
  else
    conn_free(c);
}

/* -- questions -- */

/* The process is to be lost at this question; it happens outside of the session's own call. */
static void lose_role(void *arg) {
  struct world_ref *ref = arg;
  world_kill(ref->world, ref->world->lost_role);
}

static bool to_be_lost(struct world_conn *c) {
  struct world *w = c->w;
  if (++w->questions != w->lose_at) return false;
  w->lost_role = (enum role)c->p->ask.role;
  world_after(w, w->lose_after ? 2 : 0, lose_role, &w->lose);
  return !w->lose_after;
}

static void send_question(struct world_conn *c) {
  struct proto_ask *q = &c->p->ask;
  enum ipc_side far;
  struct link *l = link_find(c->w, c->service->role, (enum role)c->p->ask.role, 0, &far);
  bool lost = to_be_lost(c);
  q->sent = true;
  /* no memory for it: the session can't go on (runtime/front does the same) */
  if (q->body.failed) {
    proto_close(c->p, CLOSE_NO_MEMORY);
    q->type = 0;
    return;
  }
  if (l && !lost) link_send(l, far, q->type, c->id, buf_slice(&q->body));
  if (!q->wants_answer) q->type = 0;
}

static struct world_conn *conn_of(struct world *w, uint64_t id) {
  for (struct world_conn *c = w->conns; c; c = c->next)
    if (c->id == id && c->p) return c;
  return NULL;
}

static bool waits(const struct world_conn *c) { return c->p->ask.type && c->p->ask.sent; }

static void give_answer(struct world_conn *c, uint16_t type, struct slice payload) {
  before_call(c);
  c->service->ops->answer(c->p, type, payload);
  after_call(c);
  pump(c);
}

/* As runtime/front does: a session that does not yield keeps its maildrop. */
static void tell_wanted(struct world *w, struct world_conn *c) {
  enum ipc_side far;
  struct link *l = link_find(w, ROLE_POP3D, ROLE_STORE, 0, &far);
  before_call(c);
  bool yields = !buf_len(&c->to_client) && c->service->ops->yield(c->p);
  after_call(c);
  if (yields)
    pump(c);
  else if (l)
    link_send(l, far, pop_keep_type, c->id, SLICE_NONE);
}

void shell_answer(struct world *w, enum role front, enum role from, const struct ipc_msg *msg) {
  if (msg->tag == 0) {
    services_notice(w->services, from, msg->type, msg->payload);
    return;
  }
  struct world_conn *c = conn_of(w, msg->tag);
  if (msg->rule->kind & IPC_NOTIFY) {
    if (c) tell_wanted(w, c);
    return;
  }
  /* Else the session has ended meanwhile. */
  if (!c || c->service->role != front || !waits(c)) return;
  if (c->p->ask.role == from && !ipc_rule_answers(msg->rule, c->p->ask.type))
    world_fail(w, "%s does not answer question %u", msg->rule->name, c->p->ask.type);
  give_answer(c, msg->type, msg->payload);
}

static void report_lost(struct world_conn *c, unsigned role) {
  if (waits(c) && c->p->ask.role == role) {
    give_answer(c, 0, SLICE_NONE);
    return;
  }
  before_call(c);
  c->service->ops->role_lost(c->p, role);
  after_call(c);
  pump(c);
}

void shell_role_lost(struct world *w, unsigned role) {
  services_notice(w->services, role, 0, SLICE_NONE);
  uint64_t last = w->next_session; /* those that are there now; each call may end some */
  for (uint64_t id = 1; id < last; id++) {
    struct world_conn *c = conn_of(w, id);
    if (c) report_lost(c, role);
  }
}

/* -- the loop -- */

static void leave(void *arg);

/* As much of the output as the kernel takes. */
static void flush(struct world_conn *c) {
  struct buf *out = &c->p->out;
  size_t n = WORLD_PIPE - buf_len(&c->to_client);
  if (n > buf_len(out)) n = buf_len(out);
  if (!n) return;
  buf_put(&c->to_client, slice_first(buf_slice(out), n));
  buf_drop(out, n);
  buf_release_if_empty(out);
  if (!c->leaving && !c->paused) {
    c->leaving = true;
    world_after(c->w, world_moment(c->w), leave, &c->leave);
  }
}

/* Octets are given to the session; false when it took none. */
static bool feed(struct world_conn *c) {
  struct slice in = buf_slice(&c->in);
  size_t before = in.n;
  before_call(c);
  c->service->ops->input(c->p, &in);
  after_call(c);
  if (in.n > before || (in.n && in.p + in.n != buf_slice(&c->in).p + before))
    world_fail(c->w, "%s: input() moved the slice to octets that are not its own", c->name);
  buf_drop(&c->in, before - in.n);
  return in.n != before;
}

static void end_session(struct world_conn *c, enum close_reason why) {
  before_call(c);
  c->service->ops->gone(c->p, why);
  after_call(c);
  if (c->p->want != PROTO_CLOSE) world_fail(c->w, "%s: still there after gone()", c->name);
  if (c->p->ask.type && !c->p->ask.sent) send_question(c);
  server_closes(c);
}

static void produce(struct world_conn *c) {
  struct proto *p = c->p;
  size_t before = buf_len(&p->out);
  before_call(c);
  c->service->ops->produce(p);
  after_call(c);
  if (p->more && buf_len(&p->out) == before && !p->ask.type && !p->out.failed)
    world_fail(c->w, "%s: produce() wrote nothing and wants more", c->name);
}

static void fail(struct world_conn *c) { /* memory, or the session's own limit */
  if (!alloc_fail.armed) world_fail(c->w, "%s: the output buffer failed", c->name);
  end_session(c, CLOSE_NO_MEMORY);
}

/* One action. False: nothing to do until something comes, or it is over. */
static bool act(struct world_conn *c, struct proto_turn *t) {
  t->in = buf_len(&c->in);
  switch (proto_next(c->p, t)) {
  case PROTO_DO_ASK: send_question(c); return true;
  case PROTO_DO_FLUSH:
    flush(c);
    t->blocked = buf_len(&c->p->out) > 0;
    return true;
  case PROTO_DO_PRODUCE: produce(c); return true;
  case PROTO_DO_INPUT: t->fed = !feed(c); return true;
  case PROTO_DO_PAUSE: t->work = 0; return true;
  case PROTO_DO_TLS: c->handshake = true; return false;
  case PROTO_DO_INJECTED: end_session(c, CLOSE_TLS_INJECTION); return false;
  case PROTO_DO_CLOSE: server_closes(c); return false;
  case PROTO_DO_FAIL: fail(c); return false;
  default: return false;
  }
}

static void tick(void *arg);

static void set_tick(struct world_conn *c) {
  uint64_t at = c->p->deadline_ms;
  if (at == c->tick_at) return;
  world_cancel(c->w, &c->tick);
  c->tick_at = at;
  if (at) world_after(c->w, at > c->w->now ? at - c->w->now : 0, tick, &c->tick);
}

static void arrive(void *arg);

/* More is read when the session can take it. */
static void set_arrival(struct world_conn *c) {
  if (c->arriving || !buf_len(&c->to_server) || waits(c) || buf_len(&c->in) >= WORLD_IN_MAX) return;
  if (buf_len(&c->p->out) > c->p->out_high || c->p->want == PROTO_CLOSE) return;
  c->arriving = true;
  world_after(c->w, world_moment(c->w), arrive, &c->arrive);
}

static void pump(struct world_conn *c) {
  uint64_t id = c->id;
  struct world *w = c->w;
  struct proto_turn t = { 0 };
  for (size_t i = 0; act(c, &t); i++)
    if (i > WORLD_STEPS_MAX) {
      world_fail(w, "%s: no end of turns", c->name);
      break;
    }
  if (conn_of(w, id) != c) return; /* it is over */
  set_tick(c);
  set_arrival(c);
}

static void tick(void *arg) {
  struct world_conn *c = CONN(arg, tick);
  c->tick_at = 0;
  before_call(c);
  c->service->ops->tick(c->p);
  after_call(c);
  if (c->p->deadline_ms && c->p->deadline_ms <= c->w->now && c->p->want != PROTO_CLOSE)
    world_fail(c->w, "%s: the deadline stays in the past", c->name);
  pump(c);
}

/* -- the network -- */

static size_t segment(struct world_conn *c) {
  size_t n = buf_len(&c->to_server);
  struct rng *rng = &c->w->rng;
  if (c->w->cuts == CUT_BYTES) return 1;
  if (c->w->cuts == CUT_RANDOM) {
    size_t most = rng_chance(rng, 1, 4) ? rng_between(rng, 1, 8) : rng_between(rng, 1, 1500);
    if (n > 16 * 1024) most = 16 * 1024; /* a long body need not come in slices only */
    if (n > most) n = most;
  }
  return n;
}

static void arrive(void *arg) {
  struct world_conn *c = CONN(arg, arrive);
  c->arriving = false;
  size_t n = segment(c), role = WORLD_IN_MAX - buf_len(&c->in);
  if (n > role) n = role;
  if (c->handshake) { /* what is not a ClientHello breaks the handshake */
    end_session(c, CLOSE_TLS_FAILED);
    return;
  }
  buf_put(&c->in, slice_first(buf_slice(&c->to_server), n));
  buf_drop(&c->to_server, n);
  if (buf_len(&c->in) == WORLD_IN_MAX && !feed(c) && !c->p->ask.type && c->p->want == PROTO_READ)
    world_fail(c->w, "%s: takes nothing of %d octets", c->name, WORLD_IN_MAX);
  pump(c);
}

static void leave(void *arg) {
  struct world_conn *c = CONN(arg, leave);
  c->leaving = false;
  buf_put(&c->received, buf_slice(&c->to_client));
  buf_reset(&c->to_client);
  struct world_client client = c->client;
  uint64_t id = c->id;
  struct world *w = c->w;
  client.readable(client.arg);
  /* There is room again, if the client has not gone meanwhile. */
  struct world_conn *same = conn_of(w, id);
  if (same == c) pump(c);
}

/* -- what a client does -- */

static void refuse(struct world_conn *c) {
  world_after(c->w, world_moment(c->w), finish, &c->finish);
}

static void log_of(void *arg, struct log_line *l, enum log_event event) {
  struct world_conn *c = arg;
  log_open(l, &c->w->log, event);
  log_cstr(l, LOG_F_SESSION, c->name);
  log_cstr(l, LOG_F_SERVICE, c->service->name);
}

static void begin(struct world_conn *c, const uint8_t address[4]) {
  struct proto_start start = {
    .id = c->id,
    .session = c->name,
    .peer_len = 4,
    .peer_port = 40000,
    .service = c->service->name,
    .secure = c->service->implicit_tls,
    .now_ms = c->w->now,
    .wall_s = world_wall(c->w),
    .tls_version = c->service->implicit_tls ? "TLSv1.3" : NULL,
    .tls_cipher = c->service->implicit_tls ? "TLS_AES_256_GCM_SHA384" : NULL,
  };
  memcpy(start.peer, address, 4);
  for (size_t i = 0; i < sizeof start.nonce; i++) start.nonce[i] = (uint8_t)rng_next(&c->w->rng);
  alloc_enter();
  c->p = c->service->ops->new (c->service->state, &start);
  alloc_leave();
  if (c->p) c->p->log = (struct proto_log){ log_of, c };
  if (c->p && c->w->verbose) c->p->trace = (struct proto_trace){ show, c };
}

struct world_conn *world_connect(struct world *w, const char *service, const uint8_t address[4],
                                 const struct world_client *client) {
  struct world_conn *c = must_alloc(sizeof *c);
  c->w = w;
  c->client = *client;
  c->service = services_find(w->services, service);
  c->id = w->next_session++;
  snprintf(c->name, sizeof c->name, "w%llu", (unsigned long long)c->id);
  c->arrive.world = c->leave.world = c->tick.world = c->finish.world = w;
  buf_init(&c->to_server, SIZE_MAX / 4);
  buf_init(&c->in, WORLD_IN_MAX);
  buf_init(&c->to_client, WORLD_PIPE);
  buf_init(&c->received, SIZE_MAX / 4);
  c->next = w->conns;
  w->conns = c;
  if (c->service) begin(c, address);
  if (c->p)
    pump(c);
  else
    refuse(c);
  return c;
}

void world_send(struct world_conn *c, struct slice s) {
  buf_put(&c->to_server, s);
  if (c->p) set_arrival(c);
}

struct buf *world_received(struct world_conn *c) {
  return &c->received;
}

bool world_wants_secure(const struct world_conn *c) { return c->handshake; }

static size_t put_certificate(void *arg, uint8_t to[32]) {
  const struct world_conn *c = arg;
  memcpy(to, c->certificate, sizeof c->certificate);
  return sizeof c->certificate;
}

void world_secure_with(struct world_conn *c, const uint8_t fingerprint[32]) {
  memcpy(c->certificate, fingerprint, sizeof c->certificate);
  if (c->handshake)
    c->p->channel = (struct proto_channel){ .arg = c, .certificate = put_certificate };
  world_secure(c);
}

void world_secure(struct world_conn *c) {
  if (!c->handshake) return;
  static const struct proto_secured tls = { "TLSv1.3", "TLS_AES_256_GCM_SHA384" };
  c->handshake = false;
  c->p->want = PROTO_READ;
  before_call(c);
  c->service->ops->secured(c->p, &tls);
  after_call(c);
  pump(c);
}

void world_drop(struct world_conn *c) {
  c->gone = true;
  if (c->over) return;
  if (c->p)
    end_session(c, CLOSE_PEER_GONE);
  else
    conn_free(c);
}

void world_pause(struct world_conn *c, bool paused) {
  c->paused = paused;
  if (paused || c->leaving || !buf_len(&c->to_client)) return;
  c->leaving = true;
  world_after(c->w, world_moment(c->w), leave, &c->leave);
}

size_t world_sessions(const struct world *w) {
  size_t n = 0;
  for (const struct world_conn *c = w->conns; c; c = c->next) n += c->p != NULL;
  return n;
}

enum close_reason world_last_reason(const struct world *w) { return w->last_reason; }

/* The process is gone; the clients see a reset. */
void shell_drop_sessions(struct world *w, enum role front) {
  for (struct world_conn *c = w->conns, *next; c; c = next) {
    next = c->next;
    if (front != ROLE_COUNT && c->service && c->service->role != front) continue;
    struct world_client client = c->client;
    free_session(c);
    conn_free(c);
    client.closed(client.arg);
    next = w->conns; /* closed() may have done anything */
  }
}
