/* SPDX-License-Identifier: ISC */
/* Messages that store keeps as files: store sends pop3d a read-only descriptor (pop_file) in place
 * of the first piece. From then on the session's reads of that message are answered here, without
 * store; the session sees the same pop_chunk answers either way. The descriptor is closed with the
 * last piece.
 *
 * A client that fetches a second message behind the first is likely to fetch the next ones too:
 * store is asked to send some ahead, so that eight messages cost one request. A descriptor that was
 * sent ahead is closed when a later message is read, or with the connection. At most
 * `readers_ahead_most` connections may do this at a time, and never at the cost of descriptors for
 * clients. */
#include "runtime/front/private.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static struct conn_file *file_of(const struct conn *c, uint32_t uid) {
  for (size_t i = 0; c->files && i < c->files->count; i++)
    if (c->files->f[i].is.uid == uid) return &c->files->f[i];
  return NULL;
}

static void drop_file(struct conn *c, struct conn_file *f) {
  close(f->fd);
  *f = c->files->f[--c->files->count];
}

/* The client has passed these by. */
static void drop_below(struct conn *c, uint32_t uid) {
  for (size_t i = c->files ? c->files->count : 0; i-- > 0;)
    if (c->files->f[i].is.uid < uid) drop_file(c, &c->files->f[i]);
}

/* NULL: no memory, and `fd` is closed. */
static struct conn_file *keep_file(struct conn *c, const struct pop_file *m, int fd) {
  struct conn_file *f = file_of(c, m->uid);
  if (f) drop_file(c, f);
  if (!c->files) c->files = calloc(1, sizeof *c->files);
  if (!c->files) {
    close(fd);
    return NULL;
  }
  if (c->files->count == sizeof c->files->f / sizeof *c->files->f) drop_file(c, &c->files->f[0]);
  f = &c->files->f[c->files->count++];
  *f = (struct conn_file){ fd, *m };
  return f;
}

void conn_files_close(struct conn *c) {
  if (!c->files) return;
  while (c->files->count) drop_file(c, &c->files->f[0]);
  if (c->files->ahead) c->front->readers_ahead--;
  free(c->files);
  c->files = NULL;
}

/* The piece of `f` that c->reading requests. A file that is shorter than announced is damaged; a
 * read error may be temporary. */
static enum pop_outcome read_piece(struct conn *c, const struct conn_file *f, struct slice *ret) {
  uint64_t left = c->reading.offset < f->is.size ? f->is.size - c->reading.offset : 0;
  size_t n = c->reading.most < IPC_CHUNK ? c->reading.most : IPC_CHUNK;
  if (n > left) n = (size_t)left;
  ssize_t got;
  do got = n ? pread(f->fd, c->front->file_mem, n, (off_t)(f->is.start + c->reading.offset)) : 0;
  while (got < 0 && errno == EINTR);
  *ret = slice_of(c->front->file_mem, n);
  return got == (ssize_t)n ? POP_DONE : got < 0 ? POP_TROUBLE : POP_DAMAGED;
}

static void answer(struct conn *c, struct conn_file *f) {
  struct pop_chunk m = { .dots = f->is.dots, .summed = f->is.summed, .sum = f->is.sum };
  m.outcome = read_piece(c, f, &m.data);
  if (m.outcome != POP_DONE) m = (struct pop_chunk){ .outcome = m.outcome };
  if (m.outcome != POP_DONE || m.data.n < c->reading.most) drop_file(c, f);
  c->front->role->chunk(c->proto, &m);
}

static bool may_read_ahead(struct conn *c) {
  struct front *f = c->front;
  if (!c->files || c->files->ahead) return c->files != NULL;
  c->files->ahead = f->readers_ahead < f->readers_ahead_most;
  f->readers_ahead += c->files->ahead;
  return c->files->ahead;
}

bool conn_file_read(struct conn *c) {
  struct proto_ask *ask = &c->proto->ask;
  if (!c->front->role->chunk || ask->role != PROTO_ASK_STORE || ask->type != pop_read_type)
    return false;
  uint32_t before = c->reading.uid;
  if (!pop_read_get(buf_slice(&ask->body), &c->reading)) return false;
  drop_below(c, c->reading.uid);
  struct conn_file *f = file_of(c, c->reading.uid);
  if (f) {
    ask->sent = true;
    answer(c, f);
  } else if (before && before < c->reading.uid && may_read_ahead(c)) {
    c->reading.ahead = POP_AHEAD_MAX;
    buf_reset(&ask->body);
    pop_read_put(&ask->body, &c->reading);
  }
  return f != NULL;
}

bool conn_file_answer(struct front *f, uint64_t id, struct slice payload, int fd) {
  struct pop_file m;
  struct conn *c = map_ptr(&f->by_id, id);
  if (!pop_file_get(payload, &m)) return false;
  if (!c || !c->proto || c->proto->ask.type != pop_read_type || !c->proto->ask.sent) {
    close(fd); /* it left meanwhile */
    return true;
  }
  struct conn_file *kept = keep_file(c, &m, fd);
  if (m.uid != c->reading.uid) return true;
  c->proto->now_ms = loop_now(f->process->loop);
  if (kept)
    answer(c, kept);
  else
    f->role->chunk(c->proto, &(struct pop_chunk){ .outcome = POP_TROUBLE });
  conn_go(c);
  return true;
}
