/* SPDX-License-Identifier: ISC */
/* A process's life: set up by the parent over one channel, confined, run, reloaded, stopped.
 *
 *   set-up → running     on_go(): prepare(), the sandbox, start(), then the channels are opened
 *   set-up → over        on_go() fails; process_stop; the parent is gone
 *   running → retired    on_retire(): retire() is called once; what has no retire() ends
 *   running → stopping   on_stop(): stop() is called once, after retire() too
 *   any → over           process_exit(): the loop ends; no handler is called any more
 *
 * Invariants: nothing but the parent's messages is read before the sandbox is entered; a process
 * has at most one channel to each single role (auth, store, resolver, keys), and the old one is
 * closed before the new one is used; a breach is reported to the parent, which ends the
 * offender; the first failure that is reported is the one the parent gets. */
#include "runtime/role/process.h"

#include "ipc/parent_process.h"
#include "lib/base/num.h"
#include "lib/base/sys.h"
#include "runtime/role/limits.h"
#include "runtime/sandbox/sandbox.h"

#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct process_peer {
  struct process_peer *next;
  struct process *process;
  enum role kind;
  uint32_t number;
  int fd; /* until the process runs; then the channel owns it */
  struct channel *channel;
};

static struct process_peer *find_peer(struct process *r, enum role kind, uint32_t number) {
  struct process_peer *p = r->peers;
  while (p && (p->kind != kind || p->number != number)) p = p->next;
  return p;
}

struct channel *process_channel_to(struct process *r, enum role kind, uint32_t number) {
  struct process_peer *p = find_peer(r, kind, number);
  return p ? p->channel : NULL;
}

static struct process_peer *first_of(struct process *r, enum role kind) {
  struct process_peer *p = r->peers;
  while (p && p->kind != kind) p = p->next;
  return p;
}

uint32_t process_single(struct process *r, enum role kind) {
  struct process_peer *p = first_of(r, kind);
  return p ? p->number : 0;
}

void process_send(struct process *r, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                  struct slice payload, int fd) {
  struct channel *ch = process_channel_to(r, kind, number);
  struct buf *b = ch ? channel_begin_fd(ch, type, tag, fd) : NULL;
  if (!ch && fd >= 0) close(fd);
  if (!b) return;
  buf_put(b, payload);
  channel_end(ch);
}

void process_send_buf(struct process *r, enum role kind, uint32_t number, uint16_t type,
                      uint64_t tag, struct buf *payload) {
  struct channel *ch = process_channel_to(r, kind, number);
  if (ch)
    channel_send_buf(ch, type, tag, payload);
  else
    buf_wipe(payload);
}

void process_exit(struct process *r, int code) {
  r->exit_code = code;
  r->over = true;
  loop_stop(r->loop);
}

static void send_to_parent(struct process *r, uint16_t type, struct slice payload) {
  channel_send(r->parent, type, 0, payload);
  channel_flush(r->parent);
}

void process_fail(struct process *r, const char *fmt, ...) {
  char text[1024];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  log_print(&r->log, LOG_E_FAILED, "%s", text);
  if (r->over) return; /* the first reason has been sent */
  struct buf b;
  buf_init(&b, 2048);
  process_failed_put(&b, &(struct process_failed){ slice_str(text) });
  send_to_parent(r, process_failed_type, buf_slice(&b));
  buf_free(&b);
  process_exit(r, 75);
}

void process_again(struct process *r, const char *why) {
  if (r->over) return;
  log_print(&r->log, LOG_E_AGAIN, "%s", why);
  send_to_parent(r, process_again_type, SLICE_NONE);
  process_exit(r, 0);
}

#ifdef QASID_TEST_HOOKS
/* Tests can make the start slow: this many reports, a second each. */
static void test_slow_start(void) {
  static uint64_t left = UINT64_MAX;
  const char *seconds = getenv("QASID_TEST_SLOW_START");
  if (left == UINT64_MAX && !(seconds && num_parse(slice_str(seconds), 60, &left))) left = 0;
  if (left) sleep(1), left--;
}
#else
static void test_slow_start(void) {}
#endif

void process_advances(struct process *r) {
  enum { EVERY_MS = 1000 };
  uint64_t now = sys_mono_ms();
  if (r->running || (r->advanced_ms && now - r->advanced_ms < EVERY_MS)) return;
  r->advanced_ms = now;
  send_to_parent(r, process_advances_type, SLICE_NONE);
  test_slow_start();
}

void process_refused(struct process *r, enum log_event event, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(r->refused, sizeof r->refused, fmt, ap);
  va_end(ap);
  log_print(&r->log, event, "%s", r->refused);
}

void process_session_name(const struct process *r, uint32_t number, uint64_t id,
                          char to[PROCESS_SESSION_NAME]) {
  snprintf(to, PROCESS_SESSION_NAME, "%x-%x-%jx", r->started_s, number, (uintmax_t)id);
}

void process_log_setup(struct log *log, const struct conf *conf) {
  log->least = (enum log_level)conf->log_level;
}

/* --- neighbours --- */

static bool peer_message(void *arg, struct channel *ch, const struct ipc_msg *msg, uint8_t state) {
  struct process_peer *p = arg;
  struct process *r = p->process;
  if (!r->over) return r->ops->message(r, p->kind, p->number, msg, state);
  if (msg->fd >= 0) close(msg->fd);
  return true;
}

static void report_breach(struct process *r, const struct process_peer *p, const char *breach) {
  log_print(&r->log, LOG_E_BREACH, "%s-%u: %s; it is being ended", role_name(p->kind), p->number,
            breach);
  struct buf b;
  buf_init(&b, 512);
  process_breach_put(&b,
                     &(struct process_breach){ (uint8_t)p->kind, p->number, slice_str(breach) });
  send_to_parent(r, process_breach_type, buf_slice(&b));
  buf_free(&b);
}

static void drop_peer(struct process_peer *p) {
  struct process *r = p->process;
  struct process_peer **at = &r->peers;
  while (*at != p) at = &(*at)->next;
  *at = p->next;
  channel_free(&p->channel);
  if (r->ops->peer_lost && !r->over) r->ops->peer_lost(r, p->kind, p->number);
  free(p);
}

static void peer_lost(void *arg, struct channel *ch, const char *breach) {
  struct process_peer *p = arg;
  struct process *r = p->process;
  if (breach) report_breach(r, p, breach);
  /* The parent reconnects only processes that were restarted. A command line connects again by
   * itself. */
  if (channel_failed(ch) && p->kind != ROLE_CLI && !r->over)
    process_fail(r, "no memory or descriptors for the channel to %s-%u", role_name(p->kind),
                 p->number);
  drop_peer(p);
}

static const struct channel_ops peer_channel_ops = { peer_message, peer_lost };

/* A neighbour may be ready earlier; its messages are read only once this process runs, and wait in
 * the socket until then. */
static void open_peer(struct process_peer *p) {
  struct process *r = p->process;
  const struct ipc_wire *w = ipc_wire_between(r->kind, p->kind);
  enum ipc_side side = w->left == r->kind ? IPC_LEFT : IPC_RIGHT;
  p->channel = channel_new(r->loop, p->fd, w->pair, side, &peer_channel_ops, p);
  if (!p->channel) {
    process_fail(r, "no memory for the channel to %s-%u", role_name(p->kind), p->number);
    return;
  }
  if (r->ops->peer_connected) r->ops->peer_connected(r, p->kind, p->number, -1);
}

/* A role that answers has one process at a time. A new one may be announced before the end of the
 * old one is noticed: open requests to the old one are then failed first, so that no reply of one
 * is taken for the other's. */
static bool on_channel(struct process *r, const struct ipc_msg *msg) {
  struct process_channel m;
  if (!process_channel_get(msg->payload, &m)) return false;
  enum role kind = (enum role)m.kind;
  const struct ipc_wire *w = ipc_wire_between(r->kind, kind);
  if (!w) return false;
  if (w->blocking && w->left == r->kind) {
    r->ops->peer_connected(r, kind, m.number, msg->fd);
    return true;
  }
  struct process_peer *former = role_rows[kind].answers && r->running ? first_of(r, kind) : NULL;
  if (former) drop_peer(former);
  struct process_peer *p = calloc(1, sizeof *p);
  if (!p) {
    close(msg->fd);
    process_fail(r, "no memory for the channel to %s-%u", role_name(kind), m.number);
    return true;
  }
  *p = (struct process_peer){
    .next = r->peers, .process = r, .kind = kind, .number = m.number, .fd = msg->fd
  };
  r->peers = p;
  if (r->running) open_peer(p);
  return true;
}

/* --- messages from the parent --- */

static bool on_hello(struct process *r, const struct ipc_msg *msg) {
  struct process_hello m;
  if (!process_hello_get(msg->payload, &m) || m.kind != r->kind || m.folder.n >= sizeof r->folder ||
      m.root_dir.n >= sizeof r->root_dir)
    return false;
  r->number = m.number;
  r->started_as_root = m.started_as_root;
  r->started_s = m.started_s;
  r->uid = m.uid;
  r->gid = m.gid;
  memcpy(r->folder, m.folder.p, m.folder.n);
  memcpy(r->root_dir, m.root_dir.p, m.root_dir.n);
  snprintf(r->name, sizeof r->name, "%s-%u", role_name(r->kind), r->number);
  return true;
}

static bool on_config(struct process *r, const struct ipc_msg *msg) {
  struct process_config m;
  if (!process_config_get(msg->payload, &m)) return false;
  struct conf *before = r->conf, *next = conf_unpack(m.packed);
  if (!next) {
    process_fail(r, "the configuration from the parent could not be read");
    return true;
  }
  r->conf = next;
  r->refused[0] = 0; /* a reload begins with this message */
  process_log_setup(&r->log, next);
  if (r->running && r->ops->reload) r->ops->reload(r, before);
  conf_free(&before);
  return true;
}

static bool on_listener(struct process *r, const struct ipc_msg *msg) {
  struct process_listener m;
  if (!process_listener_get(msg->payload, &m) || !r->ops->listener) return false;
  r->ops->listener(r, m.service, m.implicit_tls, msg->fd);
  return true;
}

static bool on_certificate(struct process *r, const struct ipc_msg *msg) {
  struct process_certificate m;
  if (!process_certificate_get(msg->payload, &m) || !r->ops->certificate) return false;
  r->ops->certificate(r, m.index, m.last, m.pem);
  return true;
}

static bool on_tickets(struct process *r, const struct ipc_msg *msg) {
  struct process_tickets m;
  if (!process_tickets_get(msg->payload, &m) || !r->ops->tickets) return false;
  r->ops->tickets(r, m.keys);
  return true;
}

static bool on_notes(struct process *r, const struct ipc_msg *msg) {
  if (!r->ops->notes || r->running) return false;
  r->ops->notes(r, msg->fd);
  return true;
}

static bool on_refuse(struct process *r, const struct ipc_msg *msg) {
  struct process_refuse m;
  if (!process_refuse_get(msg->payload, &m) || !r->ops->refuse) return false;
  r->ops->refuse(r, m.address, m.seconds);
  return true;
}

static bool on_token_keys(struct process *r, const struct ipc_msg *msg) {
  struct process_token_keys m;
  if (!process_token_keys_get(msg->payload, &m) || !r->ops->token_keys) return false;
  r->ops->token_keys(r, m.keys);
  return true;
}

static bool confine(struct process *r, struct buf *missing, struct buf *err) {
  struct sandbox_profile p = {
    .role = r->kind, .started_as_root = r->started_as_root, .uid = r->uid, .gid = r->gid
  };
  p.dials = r->dials;
  p.dial_count = r->dial_count;
  p.binds = r->binds;
  if (r->folder[0]) p.folder = r->folder;
  if (r->started_as_root && r->root_dir[0]) p.root_dir = r->root_dir;
  process_limits(r, &p);
  if (!sandbox_enter(&p, missing, err)) return false;
  r->descriptors = p.descriptors;
  if (buf_len(missing) && r->conf->strict_sandbox) {
    buf_printf(err, "strict_sandbox is on, and this system lacks: %.*s",
               SLICE_ARG(buf_slice(missing)));
    return false;
  }
  /* The process's own folder is its root folder now. */
  if (p.root_dir && p.folder && strcmp(p.root_dir, p.folder) == 0) memcpy(r->folder, "/", 2);
  return true;
}

#ifdef QASID_TEST_HOOKS
/* Tests: if the environment names a folder that contains a file with the process's name, the
 * process removes the file and hangs. */
static void test_hang(const struct process *r) {
  const char *where = getenv("QASID_TEST_HANG");
  char path[1100];
  if (where && snprintf(path, sizeof path, "%s/%s", where, role_name(r->kind)) > 0 &&
      unlink(path) == 0)
    pause();
}
#else
static void test_hang(const struct process *r) { (void)r; }
#endif

/* Allocations of the start persist: a large table gets a mapping of its own, and its pages take no
 * memory until they are written. */
static void start_heap(void) { mallopt(M_MMAP_THRESHOLD, 64 * 1024); }

/* Memory returned to the kernel after each buffer is faulted in and zeroed again for the next one,
 * which costs more than all the work done with it. So from now on the process keeps its memory, up
 * to a bound; only allocations larger than any buffer of this program, such as that of a password
 * hash, are mappings of the kernel's. What only the start needed is returned. */
enum { HEAP_KEPT = 8 * 1024 * 1024, HEAP_GROWS = 256 * 1024, MAPPED_FROM = 1024 * 1024 };

static void keep_heap(void) {
  malloc_trim(0);
  mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
  mallopt(M_TOP_PAD, HEAP_GROWS);
  mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
}

static bool on_go(struct process *r, const struct ipc_msg *msg) {
  test_hang(r);
  struct buf missing, err, b;
  buf_init(&missing, 500);
  buf_init(&err, 1000);
  buf_init(&b, 1024);
  if (!r->conf) return false;
  bool prepared = !r->ops->prepare || r->ops->prepare(r, &err);
  if (!role_rows[r->kind].dials) r->dial_count = 0;
  if (!prepared || !confine(r, &missing, &err) || !r->ops->start(r, &err)) {
    process_fail(r, "%.*s", SLICE_ARG(buf_slice(&err)));
  } else {
    r->running = true;
    for (struct process_peer *p = r->peers; p; p = p->next) open_peer(p);
    process_ready_put(&b, &(struct process_ready){ buf_slice(&missing) });
    send_to_parent(r, process_ready_type, buf_slice(&b));
    keep_heap();
  }
  buf_free(&missing);
  buf_free(&err);
  buf_free(&b);
  return true;
}

static bool on_apply(struct process *r, const struct ipc_msg *msg) {
  struct process_apply m;
  struct buf b;
  if (!process_apply_get(msg->payload, &m)) return false;
  if (!r->running) return true;
  buf_init(&b, 2048);
  process_applied_put(&b, &(struct process_applied){ m.number, slice_str(r->refused) });
  channel_send(r->parent, process_applied_type, 0, buf_slice(&b));
  buf_free(&b);
  return true;
}

static bool on_retire(struct process *r, const struct ipc_msg *msg) {
  if (!r->stopping && r->ops->retire && r->running)
    r->ops->retire(r);
  else if (!r->stopping)
    process_exit(r, 0);
  return true;
}

static bool on_stop(struct process *r, const struct ipc_msg *msg) {
  if (r->stopping) return true; /* sent before */
  r->stopping = true;
  if (r->ops->stop && r->running)
    r->ops->stop(r);
  else
    process_exit(r, 0);
  return true;
}

static const struct {
  uint16_t type;
  bool (*fn)(struct process *, const struct ipc_msg *);
} parent_messages[] = {
  { process_hello_type, on_hello },
  { process_config_type, on_config },
  { process_listener_type, on_listener },
  { process_channel_type, on_channel },
  { process_certificate_type, on_certificate },
  { process_tickets_type, on_tickets },
  { process_token_keys_type, on_token_keys },
  { process_notes_type, on_notes },
  { process_refuse_type, on_refuse },
  { process_apply_type, on_apply },
  { process_go_type, on_go },
  { process_retire_type, on_retire },
  { process_stop_type, on_stop },
};

static bool parent_message(void *arg, struct channel *ch, const struct ipc_msg *msg,
                           uint8_t state) {
  struct process *r = arg;
  if (r->over) return msg->fd < 0 || close(msg->fd) == 0;
  for (size_t i = 0; i < sizeof parent_messages / sizeof *parent_messages; i++)
    if (parent_messages[i].type == msg->type) return parent_messages[i].fn(r, msg);
  return false;
}

static void parent_lost(void *arg, struct channel *ch, const char *breach) {
  struct process *r = arg;
  if (breach) log_print(&r->log, LOG_E_BREACH, "parent: %s", breach);
  process_exit(r, breach ? 70 : 0);
}

static const struct channel_ops parent_channel_ops = { parent_message, parent_lost };

int process_run(const struct role_ops *ops, void *arg) {
  struct process r = { .ops = ops, .arg = arg, .kind = ops->kind, .loop = loop_new() };
  r.log = (struct log){ .fd = STDERR_FILENO, .least = LOG_INFO_ };
  start_heap();
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN); /* reaching RLIMIT_FSIZE is an error of the write, not a signal */
  /* The parent decides when a process ends; a terminal's Ctrl-C goes to the whole group. */
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  if (r.loop)
    r.parent = channel_new(r.loop, PROCESS_PARENT_FD, &ipc_parent_process, IPC_RIGHT,
                           &parent_channel_ops, &r);
  if (!r.parent) return 71;
  loop_run(r.loop);
  channel_flush(r.parent);
  while (r.peers) {
    struct process_peer *p = r.peers;
    r.peers = p->next;
    if (p->channel) channel_flush(p->channel);
    channel_free(&p->channel);
    free(p);
  }
  channel_free(&r.parent);
  if (ops->end) ops->end(&r);
  loop_free(&r.loop);
  conf_free(&r.conf);
  return r.exit_code;
}
