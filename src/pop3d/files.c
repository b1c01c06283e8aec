/* SPDX-License-Identifier: ISC */
/* Messages that store keeps as files: store sends a read-only descriptor (pop_file) instead of the
 * first piece. From then on the session's reads of that message are answered here, without store;
 * the session sees the same pop_chunk answers either way. The descriptor is closed with the last
 * piece.
 *
 * A client that fetches one message directly after another is likely to fetch the next ones too:
 * store is asked to send some ahead, so that eight messages cost one request. The next request
 * reports which of them the client has begun to read, for the history. A descriptor that was sent
 * ahead is closed when a later message is read, or with the connection. The shell allows this to a
 * few connections at a time, so that it never takes descriptors away from clients. */
#include "src/pop3d/files.h"

#include <stdlib.h>
#include <unistd.h>

#include "runtime/body/body_files.h"
#include "src/pop3d/session.h"

_Static_assert((int)BODY_FILES_MAX == 1 + (int)POP_AHEAD_MAX, "the one read, and those ahead");

/* The state of one connection: front_role's `own`. */
struct reader {
  struct body_files *files;      /* NULL until there is one */
  struct pop_read last;          /* the last request; its lists are not kept */
  uint32_t begun[POP_BEGUN_MAX]; /* uids read from files since the last request to store */
  size_t begun_count;
  bool ahead; /* it may read ahead */
};

static struct reader *reader_of(void **own) {
  if (!*own) *own = calloc(1, sizeof(struct reader));
  return *own;
}

void pop3d_files_free(struct front_readers *all, void **own) {
  struct reader *r = *own;
  if (!r) return;
  if (r->files) body_files_close_all(r->files);
  if (r->ahead) all->now--;
  free(r->files);
  free(r);
  *own = NULL;
}

static void answer(struct front_readers *all, struct reader *r, struct body_file *f,
                   struct proto *p) {
  static const enum pop_outcome outcomes[] = {
    [BODY_READ] = POP_DONE, [BODY_READ_TROUBLE] = POP_TROUBLE, [BODY_READ_SHORT] = POP_DAMAGED
  };
  struct pop_chunk m = { .summed = f->summed, .sum = f->sum };
  size_t most = r->last.most < IPC_CHUNK ? r->last.most : IPC_CHUNK, n;
  m.outcome = outcomes[body_file_read(f, r->last.offset, most, all->octets, &n)];
  m.data = slice_of(all->octets, n);
  if (m.outcome != POP_DONE) m = (struct pop_chunk){ .outcome = m.outcome };
  if (m.outcome != POP_DONE || m.data.n < r->last.most) body_files_close(r->files, f);
  pop3d_session_chunk(p, &m);
}

static bool may_read_ahead(struct front_readers *all, struct reader *r) {
  if (!r->files || r->ahead) return r->files != NULL;
  r->ahead = all->now < all->most;
  all->now += r->ahead;
  return r->ahead;
}

static struct body_file *open_file_of(struct reader *r) {
  if (!r->files) return NULL;
  body_files_close_below(r->files, r->last.uid);
  return body_files_find(r->files, r->last.uid);
}

/* Between two requests at most the files of one request can be begun. */
static void note_begun(struct reader *r) {
  bool noted = r->begun_count && r->begun[r->begun_count - 1] == r->last.uid;
  if (r->last.offset || noted || r->begun_count == POP_BEGUN_MAX) return;
  r->begun[r->begun_count++] = r->last.uid;
}

static struct slice take_begun(struct reader *r, uint8_t *room) {
  size_t n = r->begun_count;
  for (size_t i = 0; i < n; i++) wire_store_u32(room + 4 * i, r->begun[i]);
  r->begun_count = 0;
  return slice_of(room, 4 * n);
}

/* The request goes to store. */
static void complete_read(struct front_readers *all, struct reader *r, struct buf *body) {
  struct pop_read m = r->last;
  if (m.ahead.n && !may_read_ahead(all, r)) m.ahead = SLICE_NONE;
  if (m.ahead.n == r->last.ahead.n && !r->begun_count) return;
  uint8_t ahead[4 * POP_AHEAD_MAX], begun[4 * POP_BEGUN_MAX];
  if (m.ahead.n) memcpy(ahead, m.ahead.p, m.ahead.n); /* it is in `body` */
  m.ahead.p = ahead;
  m.begun = take_begun(r, begun);
  buf_reset(body);
  pop_read_put(body, &m);
}

static bool ask_read(struct front_readers *all, struct reader *r, struct proto *p) {
  struct proto_ask *ask = &p->ask;
  if (!pop_read_get(buf_slice(&ask->body), &r->last)) return false;
  struct body_file *f = open_file_of(r);
  if (!f) {
    complete_read(all, r, &ask->body);
    return false;
  }
  note_begun(r);
  ask->sent = true;
  answer(all, r, f, p);
  return true;
}

bool pop3d_files_ask(struct front_readers *all, void **own, struct proto *p) {
  struct proto_ask *ask = &p->ask;
  struct reader *r = ask->type == pop_read_type ? reader_of(own) : *own;
  if (!r) return false;
  if (ask->type == pop_read_type) return ask_read(all, r, p);
  if (!r->begun_count || (ask->type != pop_quit_type && ask->type != pop_close_type)) return false;
  uint8_t begun[4 * POP_BEGUN_MAX];
  buf_reset(&ask->body);
  if (ask->type == pop_quit_type)
    pop_quit_put(&ask->body, &(struct pop_quit){ take_begun(r, begun) });
  else
    pop_close_put(&ask->body, &(struct pop_close){ take_begun(r, begun) });
  return false;
}

enum front_file pop3d_files_take(struct front_readers *all, void **own, struct proto *p,
                                 struct slice payload, int fd) {
  struct pop_file m;
  if (!pop_file_get(payload, &m)) return FRONT_FILE_MALFORMED;
  struct reader *r = *own;
  if (!r || p->ask.type != pop_read_type || !p->ask.sent) { /* it no longer waits for one */
    close(fd);
    return FRONT_FILE_KEPT;
  }
  const struct body_file file = { m.uid, fd, m.head, m.start, m.size, m.summed, m.sum };
  if (!r->files) r->files = calloc(1, sizeof *r->files);
  struct body_file *kept = r->files ? body_files_keep(r->files, &file) : NULL;
  if (!kept) close(fd);
  if (m.uid != r->last.uid) return FRONT_FILE_KEPT;
  if (kept)
    answer(all, r, kept, p);
  else
    pop3d_session_chunk(p, &(struct pop_chunk){ .outcome = POP_TROUBLE });
  return FRONT_FILE_ANSWERED;
}
