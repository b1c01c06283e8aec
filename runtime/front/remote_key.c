/* SPDX-License-Identifier: ISC */
/* A private-key operation requested from the keys process, synchronously on the bare descriptor
 * of the channel.
 * Invariants: one request is open at a time and waits at most KEYS_WAIT_MS; requests are
 * numbered, so a late reply to an earlier request is recognised and discarded; a malformed reply
 * or a closed descriptor sets `lost`, after which every request fails at once. */
#include "runtime/front/remote_key.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "lib/base/sys.h"

enum { FRAME_MAX = 8192 };

void remote_key_init(struct remote_key *r, int fd) { *r = (struct remote_key){ .fd = fd }; }

static bool lose(struct remote_key *r) {
  r->lost = true;
  return false;
}

/* Waits for `events` until `until_ms`. */
static bool wait_for(struct remote_key *r, short events, uint64_t until_ms) {
  for (;;) {
    uint64_t now = sys_mono_ms();
    if (now >= until_ms) return false;
    struct pollfd p = { .fd = r->fd, .events = events };
    int n = poll(&p, 1, (int)(until_ms - now));
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return lose(r);
  }
}

static bool ask(struct remote_key *r, const struct key_sign *question, uint64_t until_ms) {
  struct buf b;
  buf_init(&b, FRAME_MAX);
  size_t at = ipc_open(&b, key_sign_type, ++r->asked, 0);
  key_sign_put(&b, question);
  ipc_close(&b, at);
  bool sent = false;
  while (!sent && !b.failed && !r->lost) {
    struct slice s = buf_slice(&b);
    sent = send(r->fd, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)s.n;
    if (sent || (errno == EAGAIN && !wait_for(r, POLLOUT, until_ms))) break;
    if (errno != EAGAIN && errno != EINTR) lose(r);
  }
  buf_wipe(&b);
  return sent;
}

enum received { NOTHING, ANSWER, REFUSAL };

/* Searches a packet for our answer. */
static enum received find_answer(struct remote_key *r, struct slice packet, struct buf *out) {
  struct ipc_msg m;
  struct key_signed answer;
  uint8_t fds = 0;
  while (packet.n > 0) {
    if (!ipc_next(&packet, &m, &fds) || m.type != key_signed_type || fds != 0 || m.tag > r->asked ||
        !key_signed_get(m.payload, &answer)) {
      lose(r);
      return NOTHING;
    }
    if (m.tag != r->asked) continue;
    buf_put(out, answer.output);
    return answer.output.n > 0 && !out->failed ? ANSWER : REFUSAL;
  }
  return NOTHING;
}

bool remote_key_sign(struct remote_key *r, unsigned key, enum key_use use, struct slice in,
                     struct buf *out) {
  struct key_sign question = { .key = (uint16_t)key, .use = (uint8_t)use, .input = in };
  uint64_t until_ms = sys_mono_ms() + KEYS_WAIT_MS;
  if (r->fd < 0 || r->lost || key > UINT16_MAX || !ask(r, &question, until_ms)) return false;
  uint8_t packet[FRAME_MAX];
  enum received received = NOTHING;
  while (received == NOTHING && !r->lost && wait_for(r, POLLIN, until_ms)) {
    ssize_t n = recv(r->fd, packet, sizeof packet, MSG_DONTWAIT);
    if (n > 0)
      received = find_answer(r, slice_of(packet, (size_t)n), out);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
      lose(r);
  }
  return received == ANSWER;
}

bool remote_key_signer(void *arg, unsigned key, enum key_use use, struct slice in,
                       struct buf *out) {
  return remote_key_sign(arg, key, use, in, out);
}
