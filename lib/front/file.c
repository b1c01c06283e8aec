/* A message that store keeps as a file comes to pop3d as a read-only descriptor (pop_file) in place of its
 * first piece. From then on the session's reads of that message are answered here, without store; the
 * session sees the same pop_chunk answers either way. The descriptor goes with the last piece. */
#include "lib/front/private.h"

#include <errno.h>
#include <unistd.h>

void conn_file_close(struct conn *c) {
  if (c->file.fd >= 0) close(c->file.fd);
  c->file.fd = -1;
}

/* The piece of the open file that c->reading asks for; false when the disk fails. */
static bool read_piece(struct conn *c, struct slice *ret) {
  const struct conn_file *f = &c->file;
  uint64_t left = c->reading.offset < f->size ? f->size - c->reading.offset : 0;
  size_t n = c->reading.most < IPC_CHUNK ? c->reading.most : IPC_CHUNK;
  if (n > left) n = (size_t)left;
  ssize_t got;
  do got = n ? pread(f->fd, c->front->file_mem, n, (off_t)(f->start + c->reading.offset)) : 0;
  while (got < 0 && errno == EINTR);
  *ret = slice_of(c->front->file_mem, n);
  return got == (ssize_t)n; /* a file that is shorter than it was said to be is damaged */
}

static void answer(struct conn *c) {
  struct buf payload;
  struct pop_chunk m = { .outcome = POP_DONE, .dots = c->file.dots };
  buf_init(&payload, IPC_PAYLOAD_MAX);
  if (!read_piece(c, &m.data)) m = (struct pop_chunk){ .outcome = POP_DAMAGED };
  if (m.outcome != POP_DONE || m.data.n < c->reading.most) conn_file_close(c);
  pop_chunk_put(&payload, &m);
  c->front->role->ops->answer(c->proto, payload.failed ? 0 : pop_chunk_type, buf_slice(&payload));
  buf_free(&payload);
}

bool conn_file_read(struct conn *c) {
  const struct proto_ask *ask = &c->proto->ask;
  if (c->front->role->kind != ROOM_POP3D || ask->room != PROTO_ASK_STORE || ask->type != pop_read_type) return false;
  if (!pop_read_get(buf_slice(&ask->body), &c->reading)) return false;
  if (c->file.fd >= 0 && c->file.uid != c->reading.uid) conn_file_close(c);
  if (c->file.fd < 0) return false;
  c->proto->ask.sent = true;
  answer(c);
  return true;
}

bool conn_file_answer(struct front *f, uint64_t id, struct slice payload, int fd) {
  struct pop_file m;
  struct conn *c = map_ptr(&f->by_id, id);
  if (!pop_file_get(payload, &m)) return false;
  if (!c || !c->proto || c->proto->ask.type != pop_read_type || !c->proto->ask.sent) {
    close(fd); /* it left meanwhile */
    return true;
  }
  conn_file_close(c);
  c->file = (struct conn_file){ fd, c->reading.uid, m.start, m.size, m.dots };
  c->proto->now_ms = loop_now(f->room->loop);
  answer(c);
  conn_go(c);
  return true;
}
