/* SPDX-License-Identifier: ISC */
/* One end of a channel between two processes (see ipc/ipc.h), driven by the loop.
 *
 * Output is gathered: the messages of one turn leave in as few packets as possible, at the end of
 * the turn. On input the pair's rules are enforced before a handler sees a message. A channel ends
 * (`lost` is called once) when the other side closes it or breaks a rule; unsent output is
 * discarded. */
#ifndef QASID_CHANNEL_H
#define QASID_CHANNEL_H

#include "ipc/ipc.h"
#include "lib/ev/loop.h"

struct channel;

struct channel_ops {
  /* A message that the rules allow. msg->payload is valid during the call; msg->fd, unless -1, is
   * the handler's to close, except for a message it refuses. `state` is the session's state before
   * the message. Returning false means that the payload was malformed: a breach. */
  bool (*message)(void *arg, struct channel *ch, const struct ipc_msg *msg, uint8_t state);
  /* The channel has ended. `breach` is NULL when the other side closed it, else the rule it broke.
   * The handler frees the channel with channel_free() now or later. */
  void (*lost)(void *arg, struct channel *ch, const char *breach);
};

/* Takes ownership of `fd`. `side` is ours; messages are accepted from the other side. NULL without
 * memory (fd is then closed). */
struct channel *channel_new(struct loop *l, int fd, const struct ipc_pair *pair, enum ipc_side side,
                            const struct channel_ops *ops, void *arg);
void channel_free(struct channel **ch);

/* Starts a message; put its payload into the returned buffer, then call channel_end(). NULL: the
 * channel has ended, or this is a notification that would only repeat an earlier one. */
struct buf *channel_begin(struct channel *ch, uint16_t type, uint64_t tag);
void channel_end(struct channel *ch);
/* The same with a descriptor, which the channel closes once it is sent. */
struct buf *channel_begin_fd(struct channel *ch, uint16_t type, uint64_t tag, int fd);
/* A message without fields, or with its payload already encoded. */
void channel_send(struct channel *ch, uint16_t type, uint64_t tag, struct slice payload);
/* The same with the payload in a buffer, which is emptied: a large payload is sent without being
 * copied. */
void channel_send_buf(struct channel *ch, uint16_t type, uint64_t tag, struct buf *payload);
/* Sends the gathered output now rather than at the end of the turn. */
void channel_flush(struct channel *ch);
/* Octets that the kernel has not accepted yet. The replying side (IPC_RIGHT) reads no more requests
 * while there are more than CHANNEL_HIGH of them: a peer that does not read its replies cannot fill
 * our memory. The requesting side always reads, so the two never wait for each other. */
enum { CHANNEL_HIGH = 4 * 1024 * 1024 };
size_t channel_backlog(const struct channel *ch);
/* In `lost`: the channel ended because this side lacked memory or descriptors. The other side has
 * broken no rule and may not notice. */
bool channel_failed(const struct channel *ch);

/* A channel with more sessions than this at once is broken: no process has that many. */
enum { CHANNEL_SESSIONS_MAX = 400 * 1000 };
/* Sets the state, for events outside the channel (auth's grant). */
void channel_set_state(struct channel *ch, uint64_t tag, uint8_t state);

#endif
