/* SPDX-License-Identifier: ISC */
/* One end of a channel between two processes (see ipc/ipc.h), driven by the loop.
 *
 * Sending gathers: what is put during one turn leaves in as few packets as it fits, at the turn's
 * end. Receiving enforces the pair's rules before a handler sees anything. A channel ends (`lost`
 * is called once) when the other side closes it or breaks a rule; what was not sent is dropped. */
#ifndef QASID_CHANNEL_H
#define QASID_CHANNEL_H

#include "ipc/ipc.h"
#include "lib/ev/loop.h"

struct channel;

struct channel_ops {
  /* A message that the rules allow. msg->payload is valid during the call; msg->fd, when not -1, is
   * the handler's to close, but for a message it refuses. `state` is the session's state before the
   * message. Returning false means the payload was malformed: a breach. */
  bool (*message)(void *arg, struct channel *ch, const struct ipc_msg *msg, uint8_t state);
  /* The channel is over. `breach` is NULL when the other side closed, else the rule it broke. The
   * handler frees the channel with channel_free() now or later. */
  void (*lost)(void *arg, struct channel *ch, const char *breach);
};

/* Takes `fd`. `side` is ours; messages are accepted from the other side. NULL without memory (fd is
 * then closed). */
struct channel *channel_new(struct loop *l, int fd, const struct ipc_pair *pair, enum ipc_side side,
                            const struct channel_ops *ops, void *arg);
void channel_free(struct channel **ch);
void *channel_arg(struct channel *ch);

/* Starts a message; put its payload into the buffer that is returned, then channel_end(). */
struct buf *channel_begin(struct channel *ch, uint16_t type, uint64_t tag);
void channel_end(struct channel *ch);
/* The same with a descriptor, which the channel closes once it was sent. */
struct buf *channel_begin_fd(struct channel *ch, uint16_t type, uint64_t tag, int fd);
/* A message without fields, or with its payload already encoded. */
void channel_send(struct channel *ch, uint16_t type, uint64_t tag, struct slice payload);
/* The same with the payload in a buffer that is emptied: a large one goes as it is, and is not
 * copied. */
void channel_send_buf(struct channel *ch, uint16_t type, uint64_t tag, struct buf *payload);
/* Sends what has gathered now rather than at the end of the turn. */
void channel_flush(struct channel *ch);
/* Octets not yet taken by the kernel. The answering side (IPC_RIGHT) takes no more questions while
 * there are more than CHANNEL_HIGH of them: who does not read its answers can't fill our memory.
 * The asking side always reads, so the two never wait for each other. */
enum { CHANNEL_HIGH = 4 * 1024 * 1024 };
size_t channel_backlog(const struct channel *ch);
/* In `lost`: it ended because of this side, which lacked memory or descriptors. The other side has
 * done nothing wrong and may never know. */
bool channel_failed(const struct channel *ch);

/* A channel that keeps more sessions than this at once is broken: no process has that many. */
enum { CHANNEL_SESSIONS_MAX = 400 * 1000 };
/* The state of a tag's session on this channel (0 when it was never heard of). */
uint8_t channel_state(const struct channel *ch, uint64_t tag);
/* Moves it, for what happens outside the channel (auth's grant). */
void channel_set_state(struct channel *ch, uint64_t tag, uint8_t state);

#endif
