/* SPDX-License-Identifier: ISC */
/* A POP3 client session against a server that says anything: the first octets choose what the
 * client may do and how the sink behaves, the rest is what comes from the server. Whatever comes, a
 * message is deleted only after it was safe, and the memory follows the input. */
#include "tests/unit/pop3_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_up(struct script *t, const uint8_t *choice) {
  static const char *const mechanisms[] = { NULL,       NULL,    "APOP", "SCRAM-SHA-256",
                                            "CRAM-MD5", "LOGIN", "USER", "XOAUTH2" };
  script_init(t);
  t->start.policy = (struct pop3_client_policy){ .tls = choice[0] & 3,
                                                 .may_show = choice[0] & 4,
                                                 .second_try = choice[0] & 8,
                                                 .delete_short = choice[0] & 16,
                                                 .no_pipeline = choice[0] & 32 };
  t->start.mechanism = mechanisms[choice[1] & 7];
  t->wish = (choice[1] >> 3) % 5;
  t->late = choice[1] & 64;
  t->hold = choice[1] & 128;
  t->unsafe = choice[2] & 1;
  t->at_begin = choice[2] & 2 ? POP3_SINK_NO : POP3_SINK_ON;
  t->at_piece = choice[2] & 4 ? POP3_SINK_NO : POP3_SINK_ON;
  t->cut = choice[2] >> 3;
  t->start.limits = (struct pop3_client_limits){
    .messages = 64, .message = 1 << 16, .unsettled = 4, .window = 3
  };
}

/* DELE of what was never safe is the one thing that must not be. */
static void look(const struct script *t) {
  for (size_t i = 0; i < t->c->count; i++) {
    const struct pop3_item *m = &t->c->items[i];
    if (m->state == POP3_DELETED && (m->wish != POP3_MOVE || t->unsafe)) abort();
  }
  if ((t->c->end != POP3_END_NONE) != (t->c->proto.want == PROTO_CLOSE)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct script t;
  if (size < 3) return 0;
  set_up(&t, data);
  script_play(&t, "");
  if (!t.c) return 0;
  struct slice in = slice_of(data + 3, size - 3);
  /* 0xff stands for a handshake, 0xfe for what the sink had not settled, 0xfd for time. */
  while (in.n && t.c->end == POP3_END_NONE) {
    size_t n = 0;
    while (n < in.n && in.p[n] < 0xfd) n++;
    script_say(&t, slice_first(in, n));
    int mark = slice_at(in, n);
    if (mark == 0xff && t.c->proto.want == PROTO_TLS) pop3_client_secured(t.c);
    if (mark == 0xfe) script_settle(&t, !t.unsafe);
    if (mark == 0xfd) t.c->proto.now_ms += 30000, pop3_client_tick(t.c);
    buf_reset(&t.c->proto.out);
    in = slice_from(in, n + 1);
    look(&t);
  }
  pop3_client_gone(t.c, POP3_END_GONE);
  look(&t);
  script_free(&t);
  return 0;
}
