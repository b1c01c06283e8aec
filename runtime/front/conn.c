/* SPDX-License-Identifier: ISC */
/* One client's connection: carries out what proto_next() says for its session.
 *
 * Invariants:
 *  1. Nothing is read while a question is open, output is above its mark, or the session closes:
 * the client waits in its own socket.
 *  2. Every path that ends a connection goes through finish(), which logs the closing line once.
 *  3. After a call of conn_go, conn_tick, conn_end, conn_answer or conn_role_lost the connection
 * may be freed; no caller touches it again. */
#include "runtime/front/private.h"

#include "lib/base/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert((int)PROTO_ASK_MAX <= (int)IPC_PAYLOAD_MAX, "a question fits into one message");

enum flow { FLOW_DONE, FLOW_BLOCKED, FLOW_DEAD };
enum conn_step { STEP_AGAIN, STEP_PARK, STEP_READ, STEP_GONE };

/* From the entry into the loop until the connection waits: the octets that the session has not
 * taken, at the end of conn.in or of the front's read memory. */
struct turn {
  struct proto_turn next;
  struct slice work;
  bool from_in;
};

/* --- the end --- */

static void put_summary(void *arg, const char *key, struct slice value) {
  for (int field = 0; field < LOG_FIELDS; field++)
    if (strcmp(log_fields[field].word, key) == 0) log_str(arg, (enum log_field)field, value);
}

void conn_log_open(void *arg, struct log_line *l, enum log_event event) {
  struct conn *c = arg;
  char address[64];
  conn_address_text(c, address, sizeof address);
  log_open(l, &c->front->process->log, event);
  log_cstr(l, LOG_F_SESSION, c->name);
  log_cstr(l, LOG_F_SERVICE, c->front->listeners[c->listener].service);
  log_cstr(l, LOG_F_CLIENT, address);
}

static void log_closed(struct conn *c, enum close_reason why) {
  struct log_line l;
  conn_log_open(c, &l, LOG_E_CLOSED);
  log_cstr(&l, LOG_F_WHY, close_reason_word(why));
  bool words = c->handshaking || why == CLOSE_CERTIFICATE_REFUSED;
  if (c->tls) log_cstr(&l, LOG_F_TLS, words ? tls_reason(c->tls) : tls_version_name(c->tls));
  log_num(&l, LOG_F_MS, loop_now(c->front->process->loop) - c->since_ms);
  log_num(&l, LOG_F_IN, c->octets_in);
  log_num(&l, LOG_F_OUT, c->octets_out);
  if (c->proto) c->front->role->ops->summary(c->proto, put_summary, &l);
  log_end(&l);
}

/* Octets held in memory for this client, in both directions. */
static size_t parked(const struct conn *c) {
  return c->in.cap + (c->proto ? c->proto->out.cap : 0);
}

static void count_parked(struct conn *c) {
  size_t now = parked(c);
  c->front->parked += now - c->parked;
  c->parked = now;
}

/* Unread octets would turn close(2) into a reset, and the client might lose our last reply. */
static void drain(struct conn *c) {
  shutdown(c->fd, SHUT_WR);
  ssize_t n = recv(c->fd, c->front->read_mem, FRONT_READ, MSG_DONTWAIT);
  (void)n;
}

static enum conn_step finish(struct conn *c, enum close_reason why) {
  struct front *f = c->front;
  log_closed(c, why);
  front_trace(c, "closed: %s%s%s", close_reason_word(why), c->tls && c->handshaking ? ": " : "",
              c->tls && c->handshaking ? tls_reason(c->tls) : "");
  notice_limit(f, c, NULL, why);
  front_notify_refused(c, why);
  f->closed_by[why]++;
  f->parked -= c->parked;
  if (why != CLOSE_QUIT && why != CLOSE_PEER_GONE) drain(c);
  conn_unlink(c);
  if (c->proto) f->role->ops->free(&c->proto);
  tls_conn_free(&c->tls);
  loop_io_free(&c->io);
  close(c->fd);
  buf_wipe(&c->in);
  if (f->role->files.free) f->role->files.free(&f->readers, &c->own);
  front_generation_unref(&c->generation, f->role);
  free(c);
  if (f->stop_at && f->count == 0) process_exit(f->process, 0);
  return STEP_GONE;
}

/* --- octets out --- */

static enum flow write_some(struct conn *c, struct slice s, size_t *ret_n) {
  *ret_n = 0;
  if (c->tls) {
    enum tls_result r = tls_write(c->tls, s, ret_n);
    return r == TLS_DONE                               ? FLOW_DONE
           : r == TLS_WANT_READ || r == TLS_WANT_WRITE ? FLOW_BLOCKED
                                                       : FLOW_DEAD;
  }
  ssize_t n;
  do n = send(c->fd, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? FLOW_BLOCKED : FLOW_DEAD;
  *ret_n = (size_t)n;
  return (size_t)n == s.n ? FLOW_DONE : FLOW_BLOCKED;
}

static enum flow flush(struct conn *c) {
  struct buf *out = &c->proto->out;
  if (buf_len(out) == 0) return FLOW_DONE;
  size_t n;
  enum flow flow = write_some(c, buf_slice(out), &n);
  buf_drop(out, n);
  c->octets_out += n;
  if (n || !c->blocked) c->blocked_ms = c->proto->now_ms;
  c->blocked = flow == FLOW_BLOCKED;
  if (flow == FLOW_DONE) buf_release_if_empty(out);
  return flow;
}

/* --- the end from outside the session's own flow --- */

static void put_question(struct conn *c) {
  struct proto *p = c->proto;
  enum role role = (enum role)p->ask.role;
  struct process *r = c->front->process;
  p->ask.sent = true;
  process_send_buf(r, role, process_single(r, role), p->ask.type, c->id, &p->ask.body);
}

/* The role completes a question to store, or answers it from a file that it has open. */
static bool answered_from_file(struct conn *c) {
  struct front *f = c->front;
  return f->role->files.ask && c->proto->ask.role == ROLE_STORE &&
         f->role->files.ask(&f->readers, &c->own, c->proto);
}

/* The client or the server ends it. The session's last output ("421 …") is sent if the socket
 * accepts it at once: the shell does not wait for a client that is being closed. */
static enum conn_step lose(struct conn *c, enum close_reason why) {
  struct proto *p = c->proto;
  if (!p) return finish(c, why);
  c->front->role->ops->gone(p, why);
  bool last_words = p->ask.type && !p->ask.wants_answer && !p->ask.body.failed;
  if (last_words && !answered_from_file(c)) put_question(c);
  bool sent = !c->handshaking && !p->out.failed && flush(c) == FLOW_DONE;
  if (sent && c->tls) tls_shutdown(c->tls); /* RFC 8446 §6.1: also when the client's came first */
  return finish(c, p->reason == CLOSE_NONE ? why : p->reason);
}

void conn_end(struct conn *c, enum close_reason why) { lose(c, why); }

void conn_finish(struct conn *c, enum close_reason why) { finish(c, why); }

/* --- TLS --- */

static bool start_session(struct conn *c);

static void set_clock(struct conn *c) {
  c->proto->now_ms = loop_now(c->front->process->loop);
  c->proto->wall_s = sys_wall_s();
}

static void put_bindings(void *arg, struct proto_bindings *ret) {
  _Static_assert(sizeof ret->exporter >= TLS_BINDING_MAX, "a binding fits");
  struct conn *c = arg;
  ret->exporter_n = tls_binding_exporter(c->tls, ret->exporter);
  ret->end_point_n = tls_binding_end_point(c->tls, ret->end_point);
}

static size_t put_certificate(void *arg, uint8_t to[32]) {
  struct conn *c = arg;
  return tls_client_certificate(c->tls, sys_wall_s(), to);
}

static void set_channel(struct conn *c) {
  uint8_t certificate[TLS_FINGERPRINT];
  if (!c->tls) return;
  c->proto->channel = (struct proto_channel){
    .bindings = tls_binds(c->tls) ? put_bindings : NULL,
    .arg = c,
    .certificate = put_certificate(c, certificate) ? put_certificate : NULL,
  };
}

static enum conn_step handshake(struct conn *c) {
  enum tls_result r = tls_handshake(c->tls);
  if (r == TLS_WANT_READ || r == TLS_WANT_WRITE) {
    loop_io_want(c->io, r == TLS_WANT_READ ? LOOP_READ : LOOP_WRITE);
    return STEP_PARK;
  }
  if (r != TLS_DONE)
    return lose(c, tls_refused(c->tls) ? CLOSE_CERTIFICATE_REFUSED : CLOSE_TLS_FAILED);
  c->handshaking = false;
  c->readable = true; /* commands may have arrived with the last flight */
  loop_io_want(c->io, LOOP_READ);
  if (!c->proto) return start_session(c) ? STEP_AGAIN : finish(c, CLOSE_NO_MEMORY);
  if (c->proto->want != PROTO_TLS) return STEP_AGAIN; /* it closed meanwhile: a process was lost */
  c->proto->want = PROTO_READ;
  set_clock(c);
  set_channel(c);
  c->front->role->ops->secured(
      c->proto, &(struct proto_secured){ tls_version_name(c->tls), tls_cipher_name(c->tls) });
  return STEP_AGAIN;
}

static enum conn_step start_tls(struct conn *c) {
  c->tls = c->generation->tls ? tls_accept(c->generation->tls, c->fd) : NULL;
  if (!c->tls) return lose(c, CLOSE_NO_MEMORY);
  c->handshaking = true;
  c->deadline_ms =
      loop_now(c->front->process->loop) + c->generation->conf->tls_handshake_timeout * 1000;
  return handshake(c);
}

/* --- what proto_next() asks for --- */

static enum conn_step do_ask(struct conn *c, struct turn *t) {
  struct proto *p = c->proto;
  struct process *r = c->front->process;
  if (answered_from_file(c)) return STEP_AGAIN;
  bool there = process_single(r, (enum role)p->ask.role) != 0;
  if (there) put_question(c);
  if (there && p->ask.wants_answer) return STEP_PARK;
  p->ask.sent = true;
  if (p->ask.wants_answer) c->front->role->ops->answer(p, 0, SLICE_NONE);
  /* It expects no answer, or neither took the answer nor asked again: it would be asked for
   * ever. */
  if (p->ask.sent) p->ask.type = 0;
  return STEP_AGAIN;
}

static enum conn_step do_wait(struct conn *c, struct turn *t) { return STEP_PARK; }

static enum conn_step do_flush(struct conn *c, struct turn *t) {
  enum flow flow = flush(c);
  t->next.blocked = flow == FLOW_BLOCKED;
  return flow == FLOW_DEAD ? lose(c, CLOSE_SOCKET_ERROR) : STEP_AGAIN;
}

static enum conn_step do_produce(struct conn *c, struct turn *t) {
  c->front->role->ops->produce(c->proto);
  return STEP_AGAIN;
}

static enum conn_step do_input(struct conn *c, struct turn *t) {
  size_t before = t->work.n;
  c->front->role->ops->input(c->proto, &t->work);
  t->next.in = t->work.n;
  t->next.fed = t->work.n == before;
  return STEP_AGAIN;
}

static enum conn_step do_tls(struct conn *c, struct turn *t) { return start_tls(c); }

static enum conn_step do_injected(struct conn *c, struct turn *t) {
  return lose(c, CLOSE_TLS_INJECTION);
}

static enum conn_step do_close(struct conn *c, struct turn *t) {
  if (c->tls) tls_shutdown(c->tls);
  return finish(c, c->proto->reason);
}

static enum conn_step do_fail(struct conn *c, struct turn *t) { return lose(c, CLOSE_NO_MEMORY); }

static enum conn_step do_pause(struct conn *c, struct turn *t) {
  conn_pause(c);
  return STEP_PARK;
}

/* TLS has to send something of its own first (RFC 8446 §4.6.3: the answer to a KeyUpdate). */
static void wait_to_write(struct conn *c, bool waits) {
  if (waits && !c->blocked) c->blocked_ms = loop_now(c->front->process->loop);
  c->blocked = waits;
}

#ifdef QASID_TEST_HOOKS
/* Test builds: the process can be made to crash on certain input. */
static void test_crash(struct slice octets) {
  if (slice_search(octets, SLICE("qasid-test-die")) >= 0) abort();
}
#else
static void test_crash(struct slice octets) { (void)octets; }
#endif

/* Octets from the client into the front's read memory. STEP_AGAIN: *ret has some. */
static enum conn_step read_some(struct conn *c, struct slice *ret) {
  uint8_t *mem = c->front->read_mem;
  size_t n = 0, most = c->proto->in_most < FRONT_READ ? c->proto->in_most : FRONT_READ;
  if (c->tls) {
    enum tls_result r = tls_read(c->tls, mem, most, &n);
    if (r == TLS_CLOSED) return lose(c, CLOSE_PEER_GONE);
    if (r == TLS_ERROR)
      return lose(c, tls_refused(c->tls) ? CLOSE_CERTIFICATE_REFUSED : CLOSE_TLS_ENDED);
    wait_to_write(c, r == TLS_WANT_WRITE);
    c->readable = r == TLS_WANT_WRITE || (r == TLS_DONE && tls_pending(c->tls));
    if (r != TLS_DONE) return STEP_READ;
  } else {
    ssize_t got;
    do got = recv(c->fd, mem, most, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got == 0) return lose(c, CLOSE_PEER_GONE);
    c->readable = got > 0 && (size_t)got == most;
    if (got < 0)
      return errno == EAGAIN || errno == EWOULDBLOCK ? STEP_READ : lose(c, CLOSE_PEER_GONE);
    n = (size_t)got;
  }
  c->octets_in += n;
  *ret = slice_of(mem, n);
  test_crash(*ret);
  return STEP_AGAIN;
}

/* Keeps what the session did not take, before the read memory is used again. */
static bool park_input(struct conn *c, struct turn *t) {
  if (t->from_in)
    buf_drop(&c->in, buf_len(&c->in) - t->work.n);
  else
    buf_put(&c->in, t->work);
  t->work = SLICE_NONE;
  t->from_in = buf_len(&c->in) > 0;
  /* a password may have waited there */
  if (!t->from_in && !c->in.failed) buf_wipe(&c->in);
  return !c->in.failed;
}

/* Gives the session the parked octets, followed by those just read. */
static bool take_input(struct conn *c, struct turn *t, struct slice fresh) {
  t->from_in = buf_len(&c->in) > 0;
  if (t->from_in) buf_put(&c->in, fresh);
  t->work = t->from_in ? buf_slice(&c->in) : fresh;
  t->next.in = t->work.n;
  t->next.fed = false;
  return !c->in.failed;
}

static enum conn_step do_read(struct conn *c, struct turn *t) {
  struct slice fresh = SLICE_NONE;
  if (!park_input(c, t)) return lose(c, CLOSE_NO_MEMORY);
  enum conn_step s = c->readable ? read_some(c, &fresh) : STEP_READ;
  if (s == STEP_GONE) return s;
  /* the work in progress when the server was told to stop is done */
  if (s == STEP_READ && c->front->stop_at) return lose(c, CLOSE_STOPPING);
  if (!take_input(c, t, fresh)) return lose(c, CLOSE_NO_MEMORY);
  return s;
}

static enum conn_step (*const actions[PROTO_ACTIONS])(struct conn *c, struct turn *t) = {
  [PROTO_DO_ASK] = do_ask,     [PROTO_DO_AWAIT] = do_wait,      [PROTO_DO_FLUSH] = do_flush,
  [PROTO_DO_DRAIN] = do_wait,  [PROTO_DO_PRODUCE] = do_produce, [PROTO_DO_INPUT] = do_input,
  [PROTO_DO_READ] = do_read,   [PROTO_DO_TLS] = do_tls,         [PROTO_DO_INJECTED] = do_injected,
  [PROTO_DO_CLOSE] = do_close, [PROTO_DO_FAIL] = do_fail,       [PROTO_DO_PAUSE] = do_pause,
};

static enum conn_step run(struct conn *c) {
  struct turn t = { 0 };
  enum conn_step s;
  if (!take_input(c, &t, SLICE_NONE)) return lose(c, CLOSE_NO_MEMORY);
  set_clock(c);
  do s = actions[proto_next(c->proto, &t.next)](c, &t);
  while (s == STEP_AGAIN && !c->handshaking);
  if (s == STEP_GONE) return s;
  return park_input(c, &t) ? s : lose(c, CLOSE_NO_MEMORY);
}

/* False: the connection is gone. */
static bool drive_session(struct conn *c) {
  enum conn_step s = c->handshaking ? handshake(c) : STEP_AGAIN;
  if (s == STEP_AGAIN) s = run(c);
  if (s == STEP_GONE) return false;
  if (c->handshaking) return true;
  /* While a question is open the descriptor stays watched for reading: usually the answer comes
   * before more input, and two system calls are saved. If not, on_io() stops watching. */
  int want = c->blocked ? LOOP_WRITE : 0;
  if (!c->blocked && (s == STEP_READ || !c->readable)) want |= LOOP_READ;
  loop_io_want(c->io, want);
  count_parked(c);
  return true;
}

void conn_go(struct conn *c) {
  struct front *f = c->front;
  front_note(f, c);
  if (drive_session(c)) conn_wait(c);
  front_note(f, NULL);
}

void conn_on_io(void *arg, int ready) {
  struct conn *c = arg;
  if (ready & LOOP_READ) c->readable = true;
  struct front *f = c->front;
  bool asking = c->proto && c->proto->ask.type && c->proto->ask.sent;
  if (asking && !c->handshaking)
    loop_io_want(c->io, 0);
  else
    conn_go(c);
  if (f->parked > f->generation->conf->parked_limit) conn_relieve(f);
}

bool conn_answer(struct front *f, enum role from, const struct ipc_msg *msg) {
  struct conn *c = map_ptr(&f->by_id, msg->tag);
  struct proto *p = c ? c->proto : NULL;
  if (!p || !p->ask.type || !p->ask.sent) return true; /* the client disconnected meanwhile */
  if (p->ask.role != from) return true; /* each pair counts its types from the same number */
  if (!ipc_rule_answers(msg->rule, p->ask.type)) return false;
  set_clock(c);
  front_note(f, c);
  f->role->ops->answer(p, msg->type, msg->payload);
  conn_go(c);
  return true;
}

bool conn_take_file(struct front *f, uint64_t id, struct slice payload, int fd) {
  struct conn *c = map_ptr(&f->by_id, id);
  if (!f->role->files.take) return false;
  if (!c || !c->proto) { /* the client disconnected meanwhile */
    close(fd);
    return true;
  }
  set_clock(c);
  enum front_file what = f->role->files.take(&f->readers, &c->own, c->proto, payload, fd);
  if (what == FRONT_FILE_ANSWERED) conn_go(c);
  return what != FRONT_FILE_MALFORMED;
}

void conn_wanted(struct front *f, uint64_t id) {
  struct conn *c = map_ptr(&f->by_id, id);
  if (!c || !c->proto)
    return; /* the client disconnected meanwhile, and its session released
                                * everything */
  set_clock(c);
  if (!c->blocked && f->role->ops->yield && f->role->ops->yield(c->proto))
    conn_go(c);
  else
    process_send(f->process, ROLE_STORE, process_single(f->process, ROLE_STORE),
                 f->role->in_use_type, id, SLICE_NONE, -1);
}

void conn_role_lost(struct conn *c, unsigned role) {
  struct proto *p = c->proto;
  if (!p) return;
  set_clock(c);
  if (p->ask.type && p->ask.sent && p->ask.role == role)
    c->front->role->ops->answer(p, 0, SLICE_NONE);
  else
    c->front->role->ops->role_lost(p, role);
  if (!c->handshaking) conn_go(c);
}

/* The deadline for a client that takes none of our output. */
static uint64_t blocked_until(const struct conn *c) {
  return c->blocked_ms + (c->proto->want == PROTO_CLOSE ? FRONT_LINGER_MS : FRONT_BLOCKED_MS);
}

uint64_t conn_deadline(const struct conn *c) {
  if (c->handshaking) return c->deadline_ms;
  uint64_t at = c->proto && c->proto->deadline_ms ? c->proto->deadline_ms : UINT64_MAX;
  return c->blocked && blocked_until(c) < at ? blocked_until(c) : at;
}

void conn_tick(struct conn *c) {
  uint64_t now = loop_now(c->front->process->loop);
  if (now < conn_deadline(c)) {
    conn_wait(c);
  } else if (c->handshaking) {
    lose(c, CLOSE_TLS_FAILED);
  } else if (c->blocked && now >= blocked_until(c)) {
    lose(c, CLOSE_TOO_SLOW);
  } else {
    set_clock(c);
    c->front->role->ops->tick(c->proto);
    conn_go(c);
  }
}

/* --- the beginning --- */

/* Each nonce is used once, and its copy is wiped. */
static void take_nonce(struct front *f, uint8_t to[16]) {
  if (!f->nonces_left) {
    sys_random(f->nonces, sizeof f->nonces);
    f->nonces_left = sizeof f->nonces;
  }
  f->nonces_left -= 16;
  memcpy(to, f->nonces + f->nonces_left, 16);
  explicit_bzero(f->nonces + f->nonces_left, 16);
}

static bool start_session(struct conn *c) {
  const struct front_listener *l = &c->front->listeners[c->listener];
  struct proto_start start = {
    .id = c->id,
    .session = c->name,
    .peer_len = c->peer_len,
    .peer_port = c->peer_port,
    .uid = c->uid,
    .has_drop = c->has_drop,
    .service = l->service,
    .secure = c->tls != NULL,
    .now_ms = loop_now(c->front->process->loop),
    .wall_s = sys_wall_s(),
  };
  memcpy(start.peer, c->peer, sizeof start.peer);
  memcpy(start.drop, c->drop, sizeof start.drop);
  take_nonce(c->front, start.nonce);
  if (c->tls) {
    start.tls_version = tls_version_name(c->tls);
    start.tls_cipher = tls_cipher_name(c->tls);
  }
  c->proto = c->front->role->ops->new (c->generation->services[c->listener], &start);
  if (!c->proto) return false;
  c->proto->log = (struct proto_log){ conn_log_open, c };
  set_channel(c);
  front_watch_session(c);
  front_trace_greeting(c);
  return true;
}

void conn_begin(struct conn *c) {
  char address[64];
  conn_address_text(c, address, sizeof address);
  front_trace(c, "%s from %s", c->front->listeners[c->listener].service, address);
  bool tls = c->front->listeners[c->listener].implicit_tls;
  enum conn_step s = tls                ? start_tls(c)
                     : start_session(c) ? STEP_AGAIN
                                        : finish(c, CLOSE_NO_MEMORY);
  if (s == STEP_AGAIN)
    conn_go(c);
  else if (s != STEP_GONE)
    conn_wait(c);
}
