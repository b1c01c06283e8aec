/* SPDX-License-Identifier: ISC */
/* QUIT (RFC 1939 §4, §6): the marks become deletions, all or none, and only then "+OK".
 *
 *   QUIT ──pop_delete (as many as needed)──> pop_quit ──> pop_done: "+OK" or "-ERR", close
 *
 * Store is asked even if nothing is marked: after "+OK" a client may connect again at once, through
 * another front-end, and must find the maildrop released. */
#include "ipc/pop3d_store.h"
#include "src/pop3d/state.h"

static void sign_off(struct pop3d_session *s) {
  const char *host = s->service->hostname;
  if (s->state == ST_AUTHORIZATION)
    pop3d_ok(s, "%s POP3 server signing off", host);
  else if (s->maildrop.left == 0)
    pop3d_ok(s, "%s POP3 server signing off (maildrop empty)", host);
  else
    pop3d_ok(s, "%s POP3 server signing off (%u %s left)", host, s->maildrop.left,
             pop3d_plural(s, s->maildrop.left));
  proto_close(&s->proto, CLOSE_QUIT);
}

void pop3_quit(struct pop3d_session *s, const struct pop3_args *a) {
  /* EXPIRE 0, RFC 2449 §6.7: "the server MAY assume an implicit DELE for each message which was
   * downloaded with RETR". */
  if (s->state == ST_TRANSACTION && s->expire == 0) maildrop_delete_fetched(&s->maildrop);
  if (s->state == ST_TRANSACTION) session_to(s, ST_UPDATE);
  if (!s->granted) {
    sign_off(s);
    return;
  }
  s->next = 1;
  work_on(s, WORK_DELETE);
  delete_more(s);
}

/* Up to POP_DELETES_MAX uids in one message. */
static bool ask_delete(struct pop3d_session *s) {
  struct buf uids;
  buf_init(&uids, 4 * POP_DELETES_MAX);
  for (; s->next <= s->maildrop.listed && buf_room(&uids) >= 4; s->next++) {
    const struct maildrop_message *m = maildrop_at(&s->maildrop, s->next);
    if (m->deleted) wire_put_u32(&uids, m->uid);
  }
  const struct pop_delete m = { .uids = buf_slice(&uids) };
  bool any = buf_len(&uids) > 0;
  if (any) {
    struct buf *body = proto_ask(&s->proto, ROLE_STORE, pop_delete_type, false);
    pop_delete_put(body, &m);
    if (uids.failed) body->failed = true;
  }
  buf_free(&uids);
  return any;
}

void delete_more(struct pop3d_session *s) {
  if (ask_delete(s))
    return; /* the message is sent at once; then produce() calls this function
                              * again */
  work_done(s);
  pop_quit_put(proto_ask(&s->proto, ROLE_STORE, pop_quit_type, true),
               &(struct pop_quit){ SLICE_NONE });
  s->wait = WAIT_QUIT;
}

void quit_answer(struct pop3d_session *s, struct slice payload) {
  struct pop_done m;
  if (!pop_done_get(payload, &m)) m = (struct pop_done){ .outcome = POP_TROUBLE };
  pop3d_answered(s);
  s->granted = false;
  if (m.outcome == POP_DONE || maildrop_deleted(&s->maildrop) == 0) {
    s->deleted = maildrop_deleted(&s->maildrop);
    sign_off(s);
    return;
  }
  /* RFC 1939 §6 has "-ERR some deleted messages not removed"; here none was removed. */
  if (m.outcome == POP_DAMAGED) {
    log_damage(s, 0, "the mailbox is damaged: deleted messages were not removed");
    pop3d_err(s, "[SYS/PERM] deleted messages not removed");
  } else {
    pop3d_err(s, "[SYS/TEMP] deleted messages not removed");
  }
  proto_close(&s->proto, CLOSE_QUIT);
}
