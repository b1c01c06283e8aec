/* SPDX-License-Identifier: ISC */
/* RETR and TOP: the message comes from store in pieces, one question each, and is sent dot-stuffed.
 * The next piece is requested when most of the output has been sent, so a session holds at most two
 * pieces, however large the message and however slow the client.
 *
 * Only the stuffer knows how much of the message was sent; the function that takes a piece
 * (piece_taken) does not depend on its source.
 *
 * The octets read are checked against the checksum that was made when the message was stored. A
 * message that was damaged since is never sent to its end: the connection is closed before the
 * final ".".
 *
 * A client that did not send UTF8 gets the surrogate of a message whose headers are not ASCII: then
 * each piece, a smaller one, is converted first, and the stuffer takes the result (convert.c).
 * Ordinary mail is not converted. */
#include "ipc/pop3d_store.h"
#include "lib/base/crc32c.h"
#include "src/pop3d/state.h"

enum { FIRST_OF_TOP = 16 * 1024 };    /* most headers and some lines */
enum { CONVERTED_PIECE = 16 * 1024 }; /* it may grow */

/* A client that reads a later message than before is likely to continue with the next ones: message
 * numbers begin with 1, so the next one is at [reading]. */
static struct slice likely_next(const struct pop3d_session *s, uint8_t *room) {
  size_t n = 0;
  const struct maildrop *d = &s->maildrop;
  uint32_t end = s->read_before && s->read_before < s->reading ? d->listed : 0;
  for (uint32_t i = s->reading; i < end && n < POP_AHEAD_MAX; i++)
    if (!d->messages[i].deleted) wire_store_u32(room + 4 * n++, d->messages[i].uid);
  return slice_of(room, 4 * n);
}

/* Requests one octet more than expected, so that a message longer than announced is detected
 * without another question. */
static void ask_piece(struct pop3d_session *s) {
  uint64_t left = s->stuffer.announced - s->stuffer.taken;
  uint32_t most = s->top && s->stuffer.taken == 0 ? FIRST_OF_TOP : IPC_CHUNK;
  if (left < most) most = (uint32_t)left + 1;
  if (s->converted) most = CONVERTED_PIECE; /* the size of the original is unknown */
  struct pop_read m = {
    .uid = maildrop_at(&s->maildrop, s->reading)->uid,
    .offset = s->converted ? s->converted->made.taken : s->stuffer.taken,
    .most = most,
  };
  uint8_t ahead[4 * POP_AHEAD_MAX];
  if (!m.offset) m.ahead = likely_next(s, ahead);
  s->read_most = most;
  pop_read_put(proto_ask(&s->proto, ROLE_STORE, pop_read_type, true), &m);
  s->wait = WAIT_CHUNK;
}

static void read_message(struct pop3d_session *s, uint64_t number,
                         const struct maildrop_message *m) {
  s->reading = (uint32_t)number;
  s->sum = 0;
  s->summed = false;
  if (m->sent == MAILDROP_MESSAGE || converted_open(s, m))
    ask_piece(s);
  else
    pop3d_err(s, "[SYS/TEMP] message %u can't be read at the moment, try again later", s->reading);
  s->read_before = s->reading;
}

void pop3_retr(struct pop3d_session *s, const struct pop3_args *a) {
  const struct maildrop_message *m = named_message(s, a->number);
  if (!m) return;
  pop3_stuff_open(&s->stuffer, m->octets);
  s->top = false;
  read_message(s, a->number, m);
}

void pop3_top(struct pop3d_session *s, const struct pop3_args *a) {
  const struct maildrop_message *m = named_message(s, a->number);
  if (!m) return;
  pop3_stuff_open_top(&s->stuffer, m->octets, a->lines);
  s->top = true;
  read_message(s, a->number, m);
}

/* The first line waits for the first piece, so that an unreadable message gets an -ERR. */
static void begin(struct pop3d_session *s) {
  if (s->top)
    pop3d_ok(s, "top of message follows");
  else
    pop3d_ok(s, "%llu %s", (unsigned long long)s->stuffer.announced,
             octets_word(s, s->stuffer.announced));
  s->begun = true;
}

static void finish(struct pop3d_session *s) {
  s->begun = false;
  converted_free(s);
  s->octets += s->stuffer.taken;
  pop3d_remark(s, "%llu octets of message %u", (unsigned long long)s->stuffer.taken, s->reading);
  if (s->top) return;
  s->retrieved++;
  maildrop_at(&s->maildrop, s->reading)->fetched = 1;
  if (s->reading > s->maildrop.last) s->maildrop.last = s->reading;
}

/* If nothing of the message was sent, an -ERR is possible. Otherwise the connection is closed
 * before the final "." could make a part look like the whole. */
static void fail(struct pop3d_session *s, enum pop_outcome why) {
  converted_free(s);
  if (why == POP_DAMAGED)
    log_damage(s, maildrop_at(&s->maildrop, s->reading)->uid,
               s->begun ? "the message is damaged: closed before its end"
                        : "the message is damaged: refused");
  if (s->begun) {
    pop3d_remark(s, "message %u can't be read on", s->reading);
    session_abort(s, CLOSE_READ_ERROR);
  } else if (why == POP_DAMAGED) {
    pop3d_err(s, "[SYS/PERM] message %u is damaged, tell the postmaster", s->reading);
  } else {
    pop3d_err(s, "[SYS/TEMP] message %u can't be read at the moment, try again later", s->reading);
  }
}

bool read_is_right(const struct pop3d_session *s) { return !s->summed || s->sum == s->sum_kept; }

static enum pop3_stuff stuff_end(struct pop3d_session *s) {
  return read_is_right(s) ? pop3_stuff_end(&s->stuffer, &s->proto.out) : POP3_STUFF_WRONG;
}

static enum pop3_stuff stuff(struct pop3d_session *s, struct slice piece) {
  if (s->converted) return converted_stuff(s);
  if (piece.n == 0) return stuff_end(s);
  enum pop3_stuff r = pop3_stuff_put(&s->stuffer, piece, &s->proto.out);
  bool whole = s->stuffer.taken == s->stuffer.announced && piece.n < s->read_most;
  return r == POP3_STUFF_MORE && whole ? stuff_end(s) : r;
}

/* Processes what was received as far as possible: into `out`, or until more of the message is
 * needed. */
static void go_on(struct pop3d_session *s, struct slice piece) {
  size_t before = buf_len(&s->proto.out);
  bool first = !s->begun;
  if (first) begin(s);
  switch (stuff(s, piece)) {
  case POP3_STUFF_DONE: finish(s); break;
  case POP3_STUFF_MORE:
    if (buf_len(&s->proto.out) > s->proto.out_high || converted_waits(s))
      work_on(s, WORK_READ);
    else
      ask_piece(s);
    break;
  case POP3_STUFF_WRONG:
    if (s->proto.out.failed) break; /* ends the session */
    if (first) {
      buf_truncate(&s->proto.out, before);
      s->begun = false;
      pop3d_remark(s, "it is not what was stored: the reply is taken back");
    }
    fail(s, POP_DAMAGED);
  }
}

void read_more(struct pop3d_session *s) {
  work_done(s);
  if (converted_waits(s))
    go_on(s, SLICE_NONE);
  else
    ask_piece(s);
}

/* RFC 6856 §5. */
static void refuse_unknown(struct pop3d_session *s) {
  if (s->begun) {
    fail(s, POP_TROUBLE);
    return;
  }
  converted_free(s);
  pop3d_err(s, "[UTF8] message %u has a header in UTF-8: say UTF8 before you log in", s->reading);
}

static void piece_taken(struct pop3d_session *s, struct slice piece) {
  s->sum = crc32c(s->sum, piece);
  switch (s->converted ? converted_take(s, piece) : CONVERTED_SOME) {
  case CONVERTED_SOME: go_on(s, piece); break;
  case CONVERTED_NONE: ask_piece(s); break;
  case CONVERTED_REFUSED: refuse_unknown(s); break;
  case CONVERTED_FAILED: fail(s, POP_TROUBLE); break;
  }
}

void chunk_take(struct pop3d_session *s, const struct pop_chunk *m) {
  pop3d_answered(s);
  s->summed = m->summed;
  s->sum_kept = m->sum;
  if (m->data.n > s->read_most)
    fail(s, POP_TROUBLE);
  else if (m->outcome != POP_DONE)
    fail(s, m->outcome);
  else
    piece_taken(s, m->data);
}

void chunk_answer(struct pop3d_session *s, struct slice payload) {
  struct pop_chunk m;
  if (!pop_chunk_get(payload, &m)) m = (struct pop_chunk){ .outcome = POP_TROUBLE };
  chunk_take(s, &m);
}
