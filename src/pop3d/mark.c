/* DELE, RSET, NOOP. A mark is in this session's memory only; QUIT makes it true. */
#include "src/pop3d/state.h"

void pop3_dele(struct session *s, const struct pop3_args *a) {
  struct drop_message *m = named_message(s, a->number);
  if (!m) return;
  drop_delete(&s->drop, m);
  ok(s, "message %llu deleted", (unsigned long long)a->number);
}

void pop3_noop(struct session *s, const struct pop3_args *a) { ok(s, "%s", ""); }

void pop3_rset(struct session *s, const struct pop3_args *a) {
  drop_restore(&s->drop);
  s->drop.last = 0;
  ok(s, "maildrop has %u %s (%llu %s)", s->drop.left, plural(s, s->drop.left),
     (unsigned long long)s->drop.octets_left, octets_word(s, s->drop.octets_left));
}
