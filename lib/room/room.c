#include "lib/room/room.h"

#include "ipc/parent_room.h"
#include "lib/room/limits.h"
#include "lib/sandbox/sandbox.h"

#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct room_peer {
  struct room_peer *next;
  struct room *room;
  enum room_kind kind;
  uint32_t number;
  int fd;                  /* until the room runs; then the channel has it */
  struct channel *channel;
};

static struct room_peer *find_peer(struct room *r, enum room_kind kind, uint32_t number) {
  struct room_peer *p = r->peers;
  while (p && (p->kind != kind || p->number != number)) p = p->next;
  return p;
}

struct channel *room_channel_to(struct room *r, enum room_kind kind, uint32_t number) {
  struct room_peer *p = find_peer(r, kind, number);
  return p ? p->channel : NULL;
}

static struct room_peer *first_of(struct room *r, enum room_kind kind) {
  struct room_peer *p = r->peers;
  while (p && p->kind != kind) p = p->next;
  return p;
}

uint32_t room_single(struct room *r, enum room_kind kind) {
  struct room_peer *p = first_of(r, kind);
  return p ? p->number : 0;
}

void room_send(struct room *r, enum room_kind kind, uint32_t number, uint16_t type, uint64_t tag,
               struct slice payload, int fd) {
  struct channel *ch = room_channel_to(r, kind, number);
  struct buf *b = ch ? channel_begin_fd(ch, type, tag, fd) : NULL;
  if (!ch && fd >= 0) close(fd);
  if (!b) return;
  buf_put(b, payload);
  channel_end(ch);
}

void room_send_buf(struct room *r, enum room_kind kind, uint32_t number, uint16_t type, uint64_t tag,
                   struct buf *payload) {
  struct channel *ch = room_channel_to(r, kind, number);
  if (ch) channel_send_buf(ch, type, tag, payload);
  else buf_wipe(payload);
}

void room_exit(struct room *r, int code) {
  r->exit_code = code;
  r->over = true;
  loop_stop(r->loop);
}

static void say_to_parent(struct room *r, uint16_t type, struct slice payload) {
  channel_send(r->parent, type, 0, payload);
  channel_flush(r->parent);
}

void room_fail(struct room *r, const char *fmt, ...) {
  char text[1024];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  log_say(&r->log, LOG_E_FAILED, "%s", text);
  if (r->over) return; /* the first reason was sent */
  struct buf b;
  buf_init(&b, 2048);
  room_failed_put(&b, &(struct room_failed){ slice_str(text) });
  say_to_parent(r, room_failed_type, buf_slice(&b));
  buf_free(&b);
  room_exit(r, 75);
}

void room_refused(struct room *r, enum log_event event, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(r->refused, sizeof r->refused, fmt, ap);
  va_end(ap);
  log_say(&r->log, event, "%s", r->refused);
}

void room_session_name(const struct room *r, uint32_t number, uint64_t id, char to[ROOM_SESSION_NAME]) {
  snprintf(to, ROOM_SESSION_NAME, "%x-%x-%jx", r->started_s, number, (uintmax_t)id);
}

void room_log_setup(struct log *log, const struct conf *conf) {
  log->least = (enum log_level)conf->log_level;
}

/* --- neighbours --- */

static bool peer_message(void *arg, struct channel *ch, const struct ipc_msg *msg, uint8_t state) {
  struct room_peer *p = arg;
  struct room *r = p->room;
  if (!r->over) return r->ops->message(r, p->kind, p->number, msg, state);
  if (msg->fd >= 0) close(msg->fd);
  return true;
}

static void tell_breach(struct room *r, const struct room_peer *p, const char *breach) {
  log_say(&r->log, LOG_E_BREACH, "%s-%u: %s; it is being ended", room_name(p->kind), p->number, breach);
  struct buf b;
  buf_init(&b, 512);
  room_breach_put(&b, &(struct room_breach){ (uint8_t)p->kind, p->number, slice_str(breach) });
  say_to_parent(r, room_breach_type, buf_slice(&b));
  buf_free(&b);
}

static void drop_peer(struct room_peer *p) {
  struct room *r = p->room;
  struct room_peer **at = &r->peers;
  while (*at != p) at = &(*at)->next;
  *at = p->next;
  channel_free(&p->channel);
  if (r->ops->peer_lost && !r->over) r->ops->peer_lost(r, p->kind, p->number);
  free(p);
}

static void peer_lost(void *arg, struct channel *ch, const char *breach) {
  struct room_peer *p = arg;
  struct room *r = p->room;
  if (breach) tell_breach(r, p, breach);
  /* The parent joins only rooms that were started anew. A command line asks again by itself. */
  if (channel_failed(ch) && p->kind != ROOM_CLI && !r->over)
    room_fail(r, "no memory or descriptors for the channel to %s-%u", room_name(p->kind), p->number);
  drop_peer(p);
}

static const struct channel_ops peer_channel_ops = { peer_message, peer_lost };

/* A neighbour that was quicker is heard only once the room runs: until then its words wait in the socket. */
static void open_peer(struct room_peer *p) {
  struct room *r = p->room;
  const struct ipc_wire *w = ipc_wire_between(r->kind, p->kind);
  enum ipc_side side = w->left == r->kind ? IPC_LEFT : IPC_RIGHT;
  p->channel = channel_new(r->loop, p->fd, w->pair, side, &peer_channel_ops, p);
  if (!p->channel) {
    room_fail(r, "no memory for the channel to %s-%u", room_name(p->kind), p->number);
    return;
  }
  if (r->ops->peer_joined) r->ops->peer_joined(r, p->kind, p->number, -1);
}

/* There is one of them at a time. A new one may be announced before the end of the former is seen: what
 * was asked there is lost first, so that no answer of one is taken for the other's. */
static bool is_single(enum room_kind kind) {
  return kind == ROOM_AUTH || kind == ROOM_STORE || kind == ROOM_RESOLVER || kind == ROOM_KEYS;
}

static bool on_channel(struct room *r, const struct ipc_msg *msg) {
  struct room_channel m;
  if (!room_channel_get(msg->payload, &m)) return false;
  enum room_kind kind = (enum room_kind)m.kind;
  const struct ipc_wire *w = ipc_wire_between(r->kind, kind);
  if (!w) return false;
  if (w->blocking && w->left == r->kind) {
    r->ops->peer_joined(r, kind, m.number, msg->fd);
    return true;
  }
  struct room_peer *former = is_single(kind) && r->running ? first_of(r, kind) : NULL;
  if (former) drop_peer(former);
  struct room_peer *p = calloc(1, sizeof *p);
  if (!p) {
    close(msg->fd);
    room_fail(r, "no memory for the channel to %s-%u", room_name(kind), m.number);
    return true;
  }
  *p = (struct room_peer){ .next = r->peers, .room = r, .kind = kind, .number = m.number, .fd = msg->fd };
  r->peers = p;
  if (r->running) open_peer(p);
  return true;
}

/* --- what the parent says --- */

static bool on_hello(struct room *r, const struct ipc_msg *msg) {
  struct room_hello m;
  if (!room_hello_get(msg->payload, &m) || m.kind != r->kind || m.folder.n >= sizeof r->folder ||
      m.root_dir.n >= sizeof r->root_dir)
    return false;
  r->number = m.number;
  r->started_as_root = m.started_as_root;
  r->started_s = m.started_s;
  r->uid = m.uid;
  r->gid = m.gid;
  memcpy(r->folder, m.folder.p, m.folder.n);
  memcpy(r->root_dir, m.root_dir.p, m.root_dir.n);
  snprintf(r->name, sizeof r->name, "%s-%u", room_name(r->kind), r->number);
  return true;
}

static bool on_config(struct room *r, const struct ipc_msg *msg) {
  struct room_config m;
  if (!room_config_get(msg->payload, &m)) return false;
  struct conf *before = r->conf, *next = conf_unpack(m.packed);
  if (!next) {
    room_fail(r, "the configuration from the parent could not be read");
    return true;
  }
  r->conf = next;
  r->refused[0] = 0; /* a reload begins with it */
  room_log_setup(&r->log, next);
  if (r->running && r->ops->reload) r->ops->reload(r, before);
  conf_free(&before);
  return true;
}

static bool on_listener(struct room *r, const struct ipc_msg *msg) {
  struct room_listener m;
  if (!room_listener_get(msg->payload, &m) || !r->ops->listener) return false;
  r->ops->listener(r, m.service, m.implicit_tls, msg->fd);
  return true;
}

static bool on_certificate(struct room *r, const struct ipc_msg *msg) {
  struct room_certificate m;
  if (!room_certificate_get(msg->payload, &m) || !r->ops->certificate) return false;
  r->ops->certificate(r, m.index, m.last, m.pem);
  return true;
}

static bool on_tickets(struct room *r, const struct ipc_msg *msg) {
  struct room_tickets m;
  if (!room_tickets_get(msg->payload, &m) || !r->ops->tickets) return false;
  r->ops->tickets(r, m.keys);
  return true;
}

static bool on_notes(struct room *r, const struct ipc_msg *msg) {
  if (!r->ops->notes || r->running) return false;
  r->ops->notes(r, msg->fd);
  return true;
}

static bool on_refuse(struct room *r, const struct ipc_msg *msg) {
  struct room_refuse m;
  if (!room_refuse_get(msg->payload, &m) || !r->ops->refuse) return false;
  r->ops->refuse(r, m.address, m.seconds);
  return true;
}

static bool on_token_keys(struct room *r, const struct ipc_msg *msg) {
  struct room_token_keys m;
  if (!room_token_keys_get(msg->payload, &m) || !r->ops->token_keys) return false;
  r->ops->token_keys(r, m.keys);
  return true;
}

static bool confine(struct room *r, struct buf *missing, struct buf *err) {
  struct sandbox_profile p = { .room = r->kind, .started_as_root = r->started_as_root, .uid = r->uid, .gid = r->gid };
  p.dials = r->dials;
  p.dial_count = r->dial_count;
  p.binds = r->binds;
  if (r->folder[0]) p.folder = r->folder;
  if (r->started_as_root && r->root_dir[0]) p.root_dir = r->root_dir;
  room_limits(r, &p);
  if (!sandbox_enter(&p, missing, err)) return false;
  r->descriptors = p.descriptors;
  if (buf_len(missing) && r->conf->strict_sandbox) {
    buf_printf(err, "strict_sandbox is on, and this system lacks: %.*s", SLICE_ARG(buf_slice(missing)));
    return false;
  }
  /* The room's own folder is its root folder now. */
  if (p.root_dir && p.folder && strcmp(p.root_dir, p.folder) == 0) memcpy(r->folder, "/", 2);
  return true;
}

#ifdef QASID_TEST_HOOKS
/* Where the environment names a folder with a file of the room's name in it, the room takes the file away and hangs. */
static void may_hang(const struct room *r) {
  const char *where = getenv("QASID_TEST_HANG");
  char path[1100];
  if (where && snprintf(path, sizeof path, "%s/%s", where, room_name(r->kind)) > 0 && unlink(path) == 0) pause();
}
#else
static void may_hang(const struct room *r) { (void)r; }
#endif

static bool on_go(struct room *r, const struct ipc_msg *msg) {
  may_hang(r);
  struct buf missing, err, b;
  buf_init(&missing, 500);
  buf_init(&err, 1000);
  buf_init(&b, 1024);
  if (!r->conf) return false;
  if ((r->ops->prepare && !r->ops->prepare(r, &err)) || !confine(r, &missing, &err) || !r->ops->start(r, &err)) {
    room_fail(r, "%.*s", SLICE_ARG(buf_slice(&err)));
  } else {
    r->running = true;
    for (struct room_peer *p = r->peers; p; p = p->next) open_peer(p);
    room_ready_put(&b, &(struct room_ready){ buf_slice(&missing) });
    say_to_parent(r, room_ready_type, buf_slice(&b));
    malloc_trim(0); /* what only the start needed */
  }
  buf_free(&missing);
  buf_free(&err);
  buf_free(&b);
  return true;
}

static bool on_apply(struct room *r, const struct ipc_msg *msg) {
  struct room_apply m;
  struct buf b;
  if (!room_apply_get(msg->payload, &m)) return false;
  if (!r->running) return true;
  buf_init(&b, 2048);
  room_applied_put(&b, &(struct room_applied){ m.number, slice_str(r->refused) });
  channel_send(r->parent, room_applied_type, 0, buf_slice(&b));
  buf_free(&b);
  return true;
}

static bool on_stop(struct room *r, const struct ipc_msg *msg) {
  if (r->stopping) return true; /* said already */
  r->stopping = true;
  if (r->ops->stop && r->running) r->ops->stop(r);
  else room_exit(r, 0);
  return true;
}

static const struct {
  uint16_t type;
  bool (*fn)(struct room *, const struct ipc_msg *);
} parent_messages[] = {
  { room_hello_type, on_hello },     { room_config_type, on_config },           { room_listener_type, on_listener },
  { room_channel_type, on_channel }, { room_certificate_type, on_certificate }, { room_tickets_type, on_tickets },
  { room_token_keys_type, on_token_keys }, { room_notes_type, on_notes }, { room_refuse_type, on_refuse },
  { room_apply_type, on_apply },
  { room_go_type, on_go },           { room_stop_type, on_stop },
};

static bool parent_message(void *arg, struct channel *ch, const struct ipc_msg *msg, uint8_t state) {
  struct room *r = arg;
  if (r->over) return msg->fd < 0 || close(msg->fd) == 0;
  for (size_t i = 0; i < sizeof parent_messages / sizeof *parent_messages; i++)
    if (parent_messages[i].type == msg->type) return parent_messages[i].fn(r, msg);
  return false;
}

static void parent_lost(void *arg, struct channel *ch, const char *breach) {
  struct room *r = arg;
  if (breach) log_say(&r->log, LOG_E_BREACH, "parent: %s", breach);
  room_exit(r, breach ? 70 : 0);
}

static const struct channel_ops parent_channel_ops = { parent_message, parent_lost };

/* A buffer's memory that goes back to the kernel is faulted in and zeroed again for the next one, which costs more than
 * all that is done with it. So the process keeps what it had, up to a bound; only what is greater than any buffer of
 * this program's ever is, like the memory of a password's hash, is the kernel's own mapping. */
enum { HEAP_KEPT = 8 * 1024 * 1024, HEAP_GROWS = 256 * 1024, MAPPED_FROM = 1024 * 1024 };

static void keep_heap(void) {
  mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
  mallopt(M_TOP_PAD, HEAP_GROWS);
  mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
}

int room_run(const struct room_ops *ops, void *arg) {
  struct room r = { .ops = ops, .arg = arg, .kind = ops->kind, .loop = loop_new() };
  r.log = (struct log){ .fd = STDERR_FILENO, .least = LOG_INFO_ };
  keep_heap();
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN); /* a file at RLIMIT_FSIZE is an error of its write */
  /* The parent decides when a room ends; a terminal's Ctrl-C goes to the whole group. */
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  if (r.loop) r.parent = channel_new(r.loop, ROOM_PARENT_FD, &ipc_parent_room, IPC_RIGHT, &parent_channel_ops, &r);
  if (!r.parent) return 71;
  loop_run(r.loop);
  channel_flush(r.parent);
  while (r.peers) {
    struct room_peer *p = r.peers;
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
