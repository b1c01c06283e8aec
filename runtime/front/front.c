/* SPDX-License-Identifier: ISC */
/* The front-end process around its connections: set-up by the parent, replies from auth and store,
 * housekeeping on demand, and stopping. */
#include "runtime/front/private.h"

#include "ipc/cli_process.h"
#include "lib/base/sys.h"

#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

static void on_listener_ready(void *arg, int ready) { conn_accept(arg); }

static void on_listener(struct process *r, struct slice service, bool implicit_tls, int fd) {
  struct front *f = r->arg;
  struct front_listener *l = &f->listeners[f->listener_count];
  if (f->listener_count == FRONT_LISTENERS_MAX || service.n >= sizeof l->service) {
    log_print(&r->log, LOG_E_LISTENER, "more than %d listeners: one was left out",
              FRONT_LISTENERS_MAX);
    close(fd);
    return;
  }
  *l = (struct front_listener){
    .front = f, .fd = fd, .index = f->listener_count, .implicit_tls = implicit_tls
  };
  memcpy(l->service, service.p, service.n);
  f->listener_count++;
}

/* --- certificates and tickets --- */

static void drop_chains(struct front *f) {
  for (size_t i = 0; i < f->chain_count; i++) buf_free(&f->chains[i]);
  free(f->chains);
  f->chains = NULL;
  f->chain_count = 0;
}

static void new_generation(struct front *f) {
  struct buf err;
  buf_init(&err, 1024);
  struct front_generation *generation = front_generation_new(f, &err);
  if (generation) {
    front_generation_unref(&f->generation, f->role);
    f->generation = generation;
  } else {
    process_refused(f->process, LOG_E_RELOAD_REFUSED,
                    "nothing changed, the old settings stay: %.*s", SLICE_ARG(buf_slice(&err)));
  }
  buf_free(&err);
}

static void on_certificate(struct process *r, uint16_t index, bool last, struct slice pem) {
  struct front *f = r->arg;
  if (index == 0) drop_chains(f);
  struct buf *more =
      index == f->chain_count ? realloc(f->chains, (f->chain_count + 1) * sizeof *more) : NULL;
  if (!more) {
    log_print(&r->log, LOG_E_CERTIFICATE, "certificate %u could not be taken", index + 1u);
    return;
  }
  f->chains = more;
  buf_init(&f->chains[f->chain_count], 64 * 1024);
  buf_put(&f->chains[f->chain_count++], pem);
  if (last && r->running) new_generation(f);
}

static void on_tickets(struct process *r, struct slice keys) {
  struct front *f = r->arg;
  if (keys.n > sizeof f->ticket_keys) return;
  memcpy(f->ticket_keys, keys.p, keys.n);
  f->ticket_len = keys.n;
  if (f->generation && f->generation->tls) tls_server_tickets(f->generation->tls, keys);
}

/* --- start, housekeeping, stop --- */

/* When no client is left, the memory that a burst needed is freed (process.c keeps some of it until
 * then). */
static void give_back(struct front *f) {
  if (f->count || f->accepted == f->gave_back) return;
  f->gave_back = f->accepted;
  malloc_trim(0);
}

static void on_later(void *arg) {
  struct front *f = arg;
  f->later_set = false;
  if (f->stop_at) {
    while (f->oldest) conn_end(f->oldest, CLOSE_STOPPING);
    process_exit(f->process, 0);
    return;
  }
  for (size_t i = 0; i < f->listener_count; i++) loop_io_want(f->listeners[i].io, LOOP_READ);
  give_back(f);
}

void front_housekeeping(struct front *f) {
  if (f->later_set || f->stop_at) return;
  f->later_set = true;
  loop_timer_set(f->later, loop_now(f->process->loop) + FRONT_LATER_MS);
}

/* The number of clients. One that reads messages may have an open file beside its socket, and a few
 * of them some of the following messages. */
static void set_limits(struct front *f, const struct conf *conf) {
  size_t most = conf->connections_per_process, fds = f->process->descriptors;
  if (fds == 0) fds = SIZE_MAX; /* no limit */
  fds = fds > FRONT_SPARE_FDS ? fds - FRONT_SPARE_FDS : 1;
  size_t ahead = f->role->files.ahead;
  if (ahead) {
    size_t readers = fds / 16 / ahead;
    f->readers.most = readers < FRONT_AHEAD_MAX ? readers : FRONT_AHEAD_MAX;
    fds = (fds - f->readers.most * ahead + 1) / 2;
  }
  f->most = fds < most ? fds : most;
}

static bool start(struct process *r, struct buf *err) {
  struct front *f = r->arg;
  f->process = r;
  set_limits(f, r->conf);
  f->read_mem = malloc(FRONT_READ);
  f->readers.octets = malloc(IPC_CHUNK);
  f->later = loop_timer_new(r->loop, on_later, f);
  bool ready = f->read_mem && f->readers.octets && f->later && front_waiting_init(f);
  f->generation = ready ? front_generation_new(f, err) : NULL;
  if (!f->generation) return false;
  for (size_t i = 0; i < f->listener_count; i++) {
    struct front_listener *l = &f->listeners[i];
    l->io = loop_io_new(r->loop, l->fd, on_listener_ready, l);
    if (!l->io) return false;
  }
  front_gather_logs(f);
  return true;
}

static void reload(struct process *r, const struct conf *before) { new_generation(r->arg); }

/* Sessions with a message under way finish; the others are closed. */
/* Stopping does not wait for a login: the client was promised nothing, and under password guessing
 * the queue at auth is long. */
static bool under_way(const struct conn *c) {
  return c->proto && c->proto->ask.type && c->proto->ask.role != ROLE_AUTH;
}

static void stop(struct process *r) {
  struct front *f = r->arg;
  f->stop_at = loop_now(r->loop) + FRONT_STOP_MS;
  loop_timer_set(f->later, f->stop_at);
  for (size_t i = 0; i < f->listener_count; i++) {
    loop_io_free(&f->listeners[i].io);
    close(f->listeners[i].fd);
  }
  for (struct conn *c = f->oldest, *next; c; c = next) {
    next = c->newer;
    if (!under_way(c)) conn_end(c, CLOSE_STOPPING);
  }
  if (f->count == 0) process_exit(r, 0);
}

static void end(struct process *r) { front_gather_end(r->arg); }

/* --- neighbours --- */

static void on_peer_connected(struct process *r, enum role kind, uint32_t number, int fd) {
  struct front *f = r->arg;
  if (kind != ROLE_KEYS) return;
  if (f->keys.fd >= 0) close(f->keys.fd);
  remote_key_init(&f->keys, fd);
}

static void on_peer_lost(struct process *r, enum role kind, uint32_t number) {
  struct front *f = r->arg;
  if (kind == ROLE_CLI) front_unwatch(f, number);
  if (kind != ROLE_AUTH && kind != ROLE_STORE) return;
  if (f->role->notice) f->role->notice(kind, 0, SLICE_NONE);
  for (struct conn *c = f->oldest, *next; c; c = next) {
    next = c->newer;
    conn_role_lost(c, kind);
  }
}

static bool on_message(struct process *r, enum role kind, uint32_t number,
                       const struct ipc_msg *msg, uint8_t state) {
  struct front *f = r->arg;
  if (kind == ROLE_CLI) return front_command(f, number, msg);
  if (kind == ROLE_PICKUP) return conn_take_drop(f, msg->payload, msg->fd);
  if (msg->tag == 0 && f->role->notice) {
    f->role->notice(kind, msg->type, msg->payload);
    return true;
  }
  if (msg->fd >= 0) return conn_take_file(f, msg->tag, msg->payload, msg->fd);
  if (!(msg->rule->kind & IPC_NOTIFY)) return conn_answer(f, kind, msg);
  conn_wanted(f, msg->tag);
  return true;
}

int front_run(const struct front_role *role) {
  const struct role_ops ops = {
    .kind = role->kind,
    .start = start,
    .message = on_message,
    .peer_connected = on_peer_connected,
    .peer_lost = on_peer_lost,
    .listener = on_listener,
    .certificate = on_certificate,
    .tickets = on_tickets,
    .notes = front_notes_open,
    .refuse = front_offender,
    .reload = reload,
    .stop = stop,
    .end = end,
  };
  struct front *f = calloc(1, sizeof *f);
  if (!f) return 71;
  f->role = role;
  remote_key_init(&f->keys, -1);
  map_init(&f->by_id);
  map_init(&f->per_address);
  int code = process_run(&ops, f);
  return code;
}
