/* SPDX-License-Identifier: ISC */
/* Converts a message for a client that did not send UTF8 (RFC 6856 §2.1): its pieces become its
 * surrogate (mail/surrogate.h), which goes in steps to the stuffer, which checks it against the
 * size announced by LIST.
 *
 * A message that has not been measured is processed in the same way. If its headers are ASCII it
 * comes out unchanged, with the announced size. If not, it is refused with [UTF8], before any line
 * of it is sent if its first piece shows this, as it nearly always does. */
#include <stdlib.h>

#include "src/pop3d/state.h"

enum {
  /* SURROGATE_GROWTH times a piece and a field; ordinary text does not double */
  CONVERTED_MAX = 2 * 1024 * 1024,
  CONVERTED_STEP = 32 * 1024 /* octets given to the stuffer at once */
};

bool converted_open(struct pop3d_session *s, const struct maildrop_message *m) {
  struct converted *c = calloc(1, sizeof *c);
  if (!c) return false;
  surrogate_open(&c->made, s->maildrop.way);
  buf_init(&c->text, CONVERTED_MAX);
  c->unknown = m->sent == DROP_UNKNOWN;
  s->converted = c;
  return true;
}

void converted_free(struct pop3d_session *s) {
  struct converted *c = s->converted;
  if (!c) return;
  surrogate_close(&c->made);
  buf_free(&c->text);
  free(c);
  s->converted = NULL;
}

enum converted_taken converted_take(struct pop3d_session *s, struct slice piece) {
  struct converted *c = s->converted;
  surrogate_put(&c->made, piece, &c->text);
  c->ended = piece.n == 0 || (piece.n < s->read_most && c->made.put == s->stuffer.announced);
  if (c->ended) surrogate_end(&c->made, &c->text);
  if (c->made.failed || c->text.failed) return CONVERTED_FAILED;
  if (c->unknown && c->made.changed) return CONVERTED_REFUSED;
  return converted_waits(s) ? CONVERTED_SOME : CONVERTED_NONE;
}

bool converted_waits(const struct pop3d_session *s) {
  const struct converted *c = s->converted;
  return c && (c->ended || buf_len(&c->text) > 0);
}

enum pop3_stuff converted_stuff(struct pop3d_session *s) {
  struct converted *c = s->converted;
  struct slice some = slice_first(buf_slice(&c->text), CONVERTED_STEP);
  enum pop3_stuff r = some.n ? pop3_stuff_put(&s->stuffer, some, &s->proto.out) : POP3_STUFF_MORE;
  buf_drop(&c->text, some.n);
  if (r != POP3_STUFF_MORE || !c->ended || buf_len(&c->text)) return r;
  return read_is_right(s) ? pop3_stuff_end(&s->stuffer, &s->proto.out) : POP3_STUFF_WRONG;
}
