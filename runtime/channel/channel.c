/* SPDX-License-Identifier: ISC */
/* One end of a channel: packets received and checked by the pair's rules, output gathered and sent.
 *
 * Invariants:
 *   1. `lost` is called at most once, never from inside a call by the owner; after it nothing is
 *      sent or received.
 *   2. A packet holds whole messages; descriptors travel with their message's packet, in order.
 *   3. A session's state moves by the rules of both directions, so it is the same at both ends.
 *   4. The memory that the other side can occupy is bounded: replies by CHANNEL_HIGH and the one
 *      request being answered, states by CHANNEL_SESSIONS_MAX. Input is wiped once it was handled.
 *   5. Every tag in `notified` has a state: both are removed together. */
#include "runtime/channel/channel.h"

#include "lib/base/bug.h"
#include "lib/base/map.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct packet {
  struct packet *next;
  struct buf b;
  struct buf tail; /* the end of its last message's payload; no message may follow it */
  int fds[IPC_FDS_MAX];
  size_t fd_count;
};

struct channel {
  struct loop *loop;
  struct loop_io *io;
  int fd;
  const struct ipc_pair *pair;
  enum ipc_side side;
  const struct channel_ops *ops;
  void *arg;
  struct map states;         /* tag → state, for those not 0 */
  struct map notified;       /* tags of sessions that were notified and have not replied */
  struct packet *out, *last; /* not yet sent; messages are appended to `last` */
  size_t open_at;            /* where the message being put begins */
  size_t backlog;
  struct loop_later flush, end;
  bool over, failed;
  bool building; /* a message was begun and not ended */
  const char *breach;
};

static void packet_free(struct packet *p) {
  for (size_t i = 0; i < p->fd_count; i++) close(p->fds[i]);
  buf_wipe(&p->b);
  buf_wipe(&p->tail);
  free(p);
}

static void drop_output(struct channel *ch) {
  while (ch->out) {
    struct packet *p = ch->out;
    ch->out = p->next;
    packet_free(p);
  }
  ch->last = NULL;
  ch->backlog = 0;
}

/* Ends the channel; the owner is notified at the end of the turn. */
static void end(struct channel *ch, const char *breach) {
  if (ch->over) return;
  ch->over = true;
  ch->breach = breach;
  loop_io_free(&ch->io);
  drop_output(ch);
  loop_later_cancel(ch->loop, &ch->flush);
  loop_later(ch->loop, &ch->end);
}

/* Ends the channel because of a failure on this side. */
static void fail(struct channel *ch) {
  if (!ch->over) ch->failed = true;
  end(ch, NULL);
}

static void report_lost(void *arg) {
  struct channel *ch = arg;
  ch->ops->lost(ch->arg, ch, ch->breach);
}

/* The state of a tag's session on this channel (0 for an unknown tag). */
static uint8_t channel_state(const struct channel *ch, uint64_t tag) {
  uint64_t state = 0;
  map_get(&ch->states, tag, &state);
  return (uint8_t)state;
}

void channel_set_state(struct channel *ch, uint64_t tag, uint8_t state) {
  if (state == 0 && ch->notified.count) map_remove(&ch->notified, tag);
  if (state == 0)
    map_remove(&ch->states, tag);
  else if (!map_put(&ch->states, tag, state))
    fail(ch);
  else if (ch->states.count > CHANNEL_SESSIONS_MAX)
    end(ch, "too many sessions");
}

static void move_state(struct channel *ch, uint64_t tag, uint8_t now, uint8_t next) {
  if (next != IPC_SAME && next != now) channel_set_state(ch, tag, next);
}

/* Sends one packet. 1: sent, 0: the kernel's queue is full, -1 with errno: the channel is broken.
 */
static int send_packet(struct channel *ch, struct packet *p) {
  struct slice s = buf_slice(&p->b), tail = buf_slice(&p->tail);
  struct iovec iov[] = { { (void *)(uintptr_t)s.p, s.n }, { (void *)(uintptr_t)tail.p, tail.n } };
  union {
    char mem[CMSG_SPACE(sizeof p->fds)];
    struct cmsghdr align;
  } control;
  struct msghdr msg = { .msg_iov = iov, .msg_iovlen = tail.n ? 2 : 1 };
  if (p->fd_count) {
    size_t n = p->fd_count * sizeof(int);
    memset(&control, 0, sizeof control);
    msg.msg_control = control.mem;
    msg.msg_controllen = CMSG_SPACE(n);
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                           .cmsg_type = SCM_RIGHTS,
                           .cmsg_len = CMSG_LEN(n) };
    memcpy(CMSG_DATA(c), p->fds, n);
  }
  ssize_t n;
  do n = sendmsg(ch->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n >= 0) return 1;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? 0 : -1;
}

static void watch(struct channel *ch) {
  bool listens = ch->side == IPC_LEFT || ch->backlog <= CHANNEL_HIGH;
  if (!ch->over) loop_io_want(ch->io, (listens ? LOOP_READ : 0) | (ch->out ? LOOP_WRITE : 0));
}

void channel_flush(struct channel *ch) {
  while (!ch->over && ch->out) {
    struct packet *p = ch->out;
    if (p->b.failed) {
      fail(ch);
      return;
    }
    int sent = send_packet(ch, p);
    if (sent < 0) {
      if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
        end(ch, NULL);
      else
        fail(ch);
      return;
    }
    if (sent == 0) break;
    ch->backlog -= buf_len(&p->b) + buf_len(&p->tail);
    ch->out = p->next;
    if (!ch->out) ch->last = NULL;
    packet_free(p);
  }
  watch(ch);
}

static void flush_later(void *arg) { channel_flush(arg); }

/* The packet that a message with `fds` descriptors can be put into: the last one, while a message
 * of the greatest size still fits. */
static struct packet *packet_for(struct channel *ch, size_t fds) {
  struct packet *p = ch->last;
  if (p && !buf_len(&p->tail) && buf_len(&p->b) <= IPC_PACKET_MAX - IPC_PAYLOAD_MAX - IPC_HEAD &&
      p->fd_count + fds <= IPC_FDS_MAX)
    return p;
  p = calloc(1, sizeof *p);
  if (!p) return NULL;
  buf_init(&p->b, IPC_PACKET_MAX);
  if (ch->last)
    ch->last->next = p;
  else
    ch->out = p;
  return ch->last = p;
}

/* True if a notification is on its way, or has not been reacted to yet, so that another would only
 * repeat it. Sessions without a state are not recorded, so that nothing has to remove them. */
static bool is_notified(struct channel *ch, const struct ipc_rule *rule, uint64_t tag) {
  if (!rule || !(rule->kind & IPC_NOTIFY) || !channel_state(ch, tag)) return false;
  uint64_t before = 0;
  if (map_get(&ch->notified, tag, &before) && before == rule->type) return true;
  map_put(&ch->notified, tag, rule->type); /* without memory it may be repeated */
  return false;
}

struct buf *channel_begin_fd(struct channel *ch, uint16_t type, uint64_t tag, int fd) {
  const struct ipc_rule *rule = ipc_rule_named(ch->pair, type);
  if (is_notified(ch, rule, tag)) return NULL;
  struct packet *p = ch->over ? NULL : packet_for(ch, fd >= 0);
  if (!p) {
    if (fd >= 0) close(fd);
    fail(ch);
    return NULL;
  }
  if (fd >= 0) p->fds[p->fd_count++] = fd;
  if (rule && rule->next != IPC_SAME) move_state(ch, tag, channel_state(ch, tag), rule->next);
  BUG_IF(ch->building, "%s: message %u of session %ju is begun inside another", ch->pair->name,
         type, (uintmax_t)tag);
  ch->building = true;
  ch->open_at = ipc_open(&p->b, type, tag, fd >= 0);
  return &p->b;
}

struct buf *channel_begin(struct channel *ch, uint16_t type, uint64_t tag) {
  return channel_begin_fd(ch, type, tag, -1);
}

void channel_end(struct channel *ch) {
  ch->building = false;
  if (ch->over || !ch->last) return;
  ipc_close(&ch->last->b, ch->open_at);
  ch->backlog += buf_len(&ch->last->b) - ch->open_at;
  loop_later(ch->loop, &ch->flush);
}

void channel_send(struct channel *ch, uint16_t type, uint64_t tag, struct slice payload) {
  struct buf *b = channel_begin(ch, type, tag);
  if (!b) return;
  buf_put(b, payload);
  channel_end(ch);
}

/* From this size on the payload ends the packet, whether it is sent as a tail or not; smaller ones
 * share a packet. */
enum { TAIL_FROM = IPC_PACKET_MAX - IPC_PAYLOAD_MAX };

void channel_send_buf(struct channel *ch, uint16_t type, uint64_t tag, struct buf *payload) {
  /* truncated, it would be taken for a breach; omitted, it would be missed */
  if (payload->failed) fail(ch);
  struct buf *b = channel_begin(ch, type, tag);
  if (b && buf_len(payload) < TAIL_FROM) {
    buf_put(b, buf_slice(payload));
    channel_end(ch);
  } else if (b) {
    size_t more = buf_len(payload);
    ch->last->tail.max = IPC_PAYLOAD_MAX;
    buf_move(&ch->last->tail, payload);
    ipc_close_with(b, ch->open_at, more);
    ch->backlog += buf_len(b) - ch->open_at + more;
    ch->building = false;
    loop_later(ch->loop, &ch->flush);
  }
  buf_wipe(payload);
}

size_t channel_backlog(const struct channel *ch) { return ch->backlog; }
bool channel_failed(const struct channel *ch) { return ch->failed; }

/* The input of one packet, while its messages are handled. */
struct arrival {
  struct slice packet;
  int fds[IPC_FDS_MAX];
  size_t fd_count, fd_next;
};

static void take_fds(struct msghdr *msg, struct arrival *a) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    a->fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(a->fds, CMSG_DATA(c), a->fd_count * sizeof(int));
  }
}

/* Handles the messages of a packet. NULL, or the rule that the next message broke. */
static const char *hand_out(struct channel *ch, struct arrival *a) {
  struct ipc_msg msg;
  uint8_t fds;
  if (!ipc_next(&a->packet, &msg, &fds)) return "malformed packet";
  uint8_t state = channel_state(ch, msg.tag);
  const struct ipc_rule *rule =
      ipc_rule_for(ch->pair, ch->side == IPC_LEFT ? IPC_RIGHT : IPC_LEFT, msg.type, state);
  if (!rule) return "message not allowed now";
  if (msg.payload.n > rule->max) return "message too large";
  if (fds != rule->fds || a->fd_count - a->fd_next < fds) return "wrong number of descriptors";
  if (fds) msg.fd = a->fds[a->fd_next];
  msg.rule = rule;
  if (ch->notified.count) map_remove(&ch->notified, msg.tag);
  move_state(ch, msg.tag, state, rule->next);
  if (!ch->ops->message(ch->arg, ch, &msg, state)) return "malformed message";
  a->fd_next += fds;
  return NULL;
}

/* The kernel drops descriptors of a packet that has too many, or when this process cannot have
 * more. */
static bool out_of_descriptors(const struct msghdr *msg, const struct arrival *a) {
  return msg->msg_flags & MSG_CTRUNC && a->fd_count < IPC_FDS_MAX;
}

static void hand_out_all(struct channel *ch, const struct msghdr *msg, struct arrival *a) {
  const char *breach = NULL;
  if (out_of_descriptors(msg, a))
    fail(ch);
  else if (msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC))
    breach = "packet too large";
  else if (a->packet.n == 0)
    end(ch, NULL); /* the other side closed */
  while (!breach && !ch->over && a->packet.n) breach = hand_out(ch, a);
  if (!breach && !ch->over && a->fd_next < a->fd_count) breach = "wrong number of descriptors";
  if (breach) end(ch, breach);
}

static void receive(struct channel *ch) {
  uint8_t *mem = loop_scratch(ch->loop, IPC_PACKET_MAX);
  if (!mem) return;
  struct iovec iov = { mem, IPC_PACKET_MAX };
  union {
    char mem[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
    struct cmsghdr align;
  } control;
  struct msghdr msg = {
    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.mem, .msg_controllen = sizeof control
  };
  ssize_t n;
  do n = recvmsg(ch->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
  if (n < 0) {
    end(ch, NULL);
    return;
  }
  struct arrival a = { .packet = slice_of(mem, (size_t)n) };
  take_fds(&msg, &a);
  hand_out_all(ch, &msg, &a);
  while (a.fd_next < a.fd_count) close(a.fds[a.fd_next++]);
  explicit_bzero(mem, (size_t)n); /* passwords and private keys come this way */
}

static void on_io(void *arg, int ready) {
  struct channel *ch = arg;
  if (ready & LOOP_WRITE) channel_flush(ch);
  if (ready & LOOP_READ && !ch->over) receive(ch);
}

struct channel *channel_new(struct loop *l, int fd, const struct ipc_pair *pair, enum ipc_side side,
                            const struct channel_ops *ops, void *arg) {
  struct channel *ch = calloc(1, sizeof *ch);
  if (!ch) {
    close(fd);
    return NULL;
  }
  *ch = (struct channel){ .loop = l, .fd = fd, .pair = pair, .side = side, .ops = ops, .arg = arg };
  ch->flush = (struct loop_later){ .fn = flush_later, .arg = ch };
  ch->end = (struct loop_later){ .fn = report_lost, .arg = ch };
  map_init(&ch->states);
  map_init(&ch->notified);
  ch->io = loop_io_new(l, fd, on_io, ch);
  if (!ch->io) channel_free(&ch);
  return ch;
}

void channel_free(struct channel **chp) {
  struct channel *ch = *chp;
  if (!ch) return;
  loop_later_cancel(ch->loop, &ch->flush);
  loop_later_cancel(ch->loop, &ch->end);
  loop_io_free(&ch->io);
  drop_output(ch);
  map_free(&ch->states);
  map_free(&ch->notified);
  close(ch->fd);
  free(ch);
  *chp = NULL;
}
