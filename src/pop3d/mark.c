/* SPDX-License-Identifier: ISC */
/* DELE, RSET, NOOP. A mark exists only in this session's memory; QUIT executes it. */
#include "src/pop3d/state.h"

void pop3_dele(struct pop3d_session *s, const struct pop3_args *a) {
  struct maildrop_message *m = named_message(s, a->number);
  if (!m) return;
  maildrop_delete(&s->maildrop, m);
  pop3d_ok(s, "message %llu deleted", (unsigned long long)a->number);
}

void pop3_noop(struct pop3d_session *s, const struct pop3_args *a) { pop3d_ok(s, "%s", ""); }

void pop3_rset(struct pop3d_session *s, const struct pop3_args *a) {
  maildrop_restore(&s->maildrop);
  s->maildrop.last = 0;
  pop3d_ok(s, "maildrop has %u %s (%llu %s)", s->maildrop.left, pop3d_plural(s, s->maildrop.left),
           (unsigned long long)s->maildrop.octets_left, octets_word(s, s->maildrop.octets_left));
}
