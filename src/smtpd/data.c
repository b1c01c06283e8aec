/* SPDX-License-Identifier: ISC */
/* DATA: RFC 5321 §4.1.1.4. From the command until the message is durable.
 *
 * The message is collected in tx->body; a full chunk goes to store (smtp_spool), the rest with the
 * commit, together with the field to be prepended: our Received:. A reason to refuse the message is
 * recorded in tx->verdict when it is found and replied at the end: until then the octets are a
 * message, not commands. The rest of a refused message is read, up to a bound, and discarded. */
#include "src/smtpd/private.h"

#include <stdlib.h>

/* The fingerprint of a message must be the same in all smtpd processes. */
static const uint8_t no_key[SIPHASH_KEY];

static void drain(struct smtpd_session *s);
static void finish(struct smtpd_session *s);

enum smtp_outcome smtpd_data(struct smtpd_session *s, struct slice argument) {
  struct transaction *transaction = s->transaction;
  if (transaction->utf8) transaction->parts = malloc(sizeof *transaction->parts);
  if (transaction->utf8 && !transaction->parts) return SMTP_TROUBLE;
  smtp_data_start(&transaction->data);
  transaction->hops = (struct header_hops){ 0 };
  surrogate_open(&transaction->surrogate, s->service->surrogates);
  transaction->looked_at = 0;
  if (transaction->parts) seven_begin(transaction->parts, &transaction->plan, false);
  transaction->settled = transaction->ended = false;
  smtpd_submit_begin(s);
  siphash_start(&transaction->print, no_key);
  siphash_put(&transaction->print, buf_slice(&transaction->sender));
  siphash_put(&transaction->print, SLICE("\n"));
  transaction->verdict = SMTP_OK;
  transaction->began_ms = transaction->last_ms = s->proto.now_ms;
  smtpd_move(s, ST_BODY);
  return SMTP_GO_DATA;
}

/* The message will not be kept: discards what is held of it. */
static void refuse(struct smtpd_session *s, enum smtp_outcome why) {
  struct transaction *transaction = s->transaction;
  if (transaction->verdict == SMTP_OK) transaction->verdict = why;
  buf_free(&transaction->body);
  surrogate_close(&transaction->surrogate);
  if (!transaction->spooled) return;
  transaction->spooled = false;
  smtpd_notify(s, ROLE_STORE, smtp_discard_type);
}

/* The reason to refuse the message as far as it has been received; SMTP_OK: none. */
static enum smtp_outcome judge(const struct smtpd_session *s) {
  const struct transaction *transaction = s->transaction;
  if (transaction->data.clean.octets > s->service->message_size_limit) return SMTP_TOO_BIG;
  if (transaction->data.clean.changed.nuls) return SMTP_HAS_NUL;
  if (smtp_data_bare(&transaction->data) && !s->service->fix_bare_lf) return SMTP_BARE_LF;
  if (transaction->hops.count > s->service->received_limit) return SMTP_LOOP;
  return transaction->body.failed ? SMTP_TROUBLE : SMTP_OK;
}

/* A refused message may take as many octets again as an accepted one. */
static bool beyond_excess(const struct smtpd_session *s) {
  uint64_t limit = s->service->message_size_limit;
  uint64_t excess = limit > SMTPD_EXCESS_MIN ? limit : SMTPD_EXCESS_MIN;
  return s->transaction->data.clean.octets > limit &&
         s->transaction->data.clean.octets - limit > excess;
}

/* --- questions --- */

static void waited(struct smtpd_session *s) {
  s->transaction->began_ms += s->proto.now_ms - s->asked_ms; /* time spent waiting for store is not
                                                              * counted against the client */
  s->transaction->last_ms = s->proto.now_ms;
}

static void spool_answer(struct smtpd_session *s, uint16_t type, struct slice payload);

/* Takes a chunk off the body as the payload of smtp_spool or smtp_more; returns its octets. Usually
 * it is the whole body, which is moved without a copy, and a buffer of the same size will be needed
 * again. */
static size_t move_chunk(struct buf *body, struct buf *to) {
  size_t n = buf_len(body);
  if (n > IPC_CHUNK) {
    buf_put(to, slice_first(buf_slice(body), IPC_CHUNK));
    buf_drop(body, IPC_CHUNK);
    return IPC_CHUNK;
  }
  buf_move(to, body);
  if (n > IPC_CHUNK / 2) buf_reserve(body, body->max < IPC_CHUNK ? body->max : IPC_CHUNK);
  return n;
}

/* Sends one chunk; the rest stays. After the end mark it must be one with an answer, or nothing
 * would continue the message. */
static void spool(struct smtpd_session *s) {
  struct transaction *transaction = s->transaction;
  bool asks = !transaction->ahead || transaction->ended;
  struct buf *to = asks ? smtpd_ask(s, ROLE_STORE, smtp_spool_type, spool_answer)
                        : smtpd_notify(s, ROLE_STORE, smtp_more_type);
  if (!asks) transaction->ahead--;
  transaction->looked_at -= move_chunk(&transaction->body, to);
  if (buf_len(&transaction->body) <= IPC_CHUNK) transaction->body.max = IPC_CHUNK;
  if (smtpd_asked(s))
    transaction->spooled = true;
  else
    refuse(s, SMTP_TROUBLE);
}

static void spool_answer(struct smtpd_session *s, uint16_t type, struct slice payload) {
  struct smtp_spooled a;
  waited(s);
  if (type != smtp_spooled_type || !smtp_spooled_get(payload, &a))
    smtpd_body_lost(s);
  else if (a.outcome != COMMIT_DONE)
    refuse(s, smtp_of_commit(a.outcome));
  else
    s->transaction->ahead = a.ahead < SMTP_AHEAD_MAX ? a.ahead : SMTP_AHEAD_MAX;
  drain(s);
}

/* store was lost, and the spooled octets with it: a commit would keep only the rest. (The discard
 * sent by this has no effect on a new store.) */
void smtpd_body_lost(struct smtpd_session *s) {
  if (s->transaction && s->transaction->spooled) refuse(s, SMTP_TROUBLE);
}

/* The transaction is over and the message was not accepted. */
static void not_kept(struct smtpd_session *s, enum smtp_outcome why) {
  smtpd_log_transaction(s, why, SLICE_NONE);
  smtpd_reset(s);
  smtpd_reply(s, why);
}

/* The same with the addresses that the login may use. */
static void not_yours(struct smtpd_session *s, enum smtp_outcome why, struct slice yours) {
  smtpd_log_transaction(s, why, SLICE_NONE);
  smtpd_reset(s);
  smtpd_reply_yours(s, why, yours);
}

static void commit_answer(struct smtpd_session *s, uint16_t type, struct slice payload);

/* The fingerprint by which store recognises a message that is sent again. False: it has none. */
static bool put_print(struct smtpd_session *s, uint8_t to[SIPHASH_SIZE]) {
  struct siphash *print = &s->transaction->print;
  if (!s->has_drop) {
    siphash_end(print, to);
    return message_id_value(&s->transaction->message_id).n > 0;
  }
  siphash_start(print, no_key);
  siphash_put(print, slice_of(&s->uid, sizeof s->uid));
  siphash_put(print, slice_of(s->drop, sizeof s->drop));
  siphash_end(print, to);
  return true;
}

static uint8_t flags_of(const struct transaction *transaction) {
  uint8_t flags = transaction->eight_bit ? ENVELOPE_EIGHT_BIT : 0;
  if (transaction->utf8) flags |= ENVELOPE_UTF8;
  if (transaction->parts && transaction->parts->header_high) flags |= ENVELOPE_UTF8_HEADER;
  return flags;
}

static void commit(struct smtpd_session *s) {
  struct transaction *transaction = s->transaction;
  uint8_t print[SIPHASH_SIZE];
  struct buf id, head;
  buf_init(&id, 64);
  buf_init(&head, MESSAGE_FIELDS_MAX);
  smtpd_put_id(s, &id);
  smtpd_put_received(s, buf_slice(&id), &head);
  bool printed = put_print(s, print);
  surrogate_end(&transaction->surrogate, NULL);
  if (transaction->parts) seven_end(transaction->parts, NULL);
  struct smtp_commit q = {
    .envelope = { .return_path = buf_slice(&transaction->sender),
                  .envid = buf_slice(&transaction->envid),
                  .ret = transaction->ret,
                  .flags = flags_of(transaction),
                  .size = transaction->size,
                  .rcpts = buf_slice(&transaction->rcpts) },
    .end = { .id = buf_slice(&id),
             .surrogate = surrogate_size(&transaction->surrogate),
             .head = buf_slice(&head),
             .tail = buf_slice(&transaction->body) },
    .print = slice_of(print, printed ? sizeof print : 0),
    .authors = buf_slice(&transaction->authors),
    .trusted = s->trusted,
    .once = s->has_drop,
    .login = s->logged_in,
    .local = s->service->local,
  };
  bool fine = !id.failed && !head.failed;
  if (fine) smtp_commit_put(smtpd_ask(s, ROLE_STORE, smtp_commit_type, commit_answer), &q);
  s->has_drop = false; /* the identity is for one message only */
  buf_free(&id), buf_free(&head);
  buf_free(&transaction->body);
  /* store forgets the session's part with its answer, whatever that is */
  if (fine && smtpd_asked(s))
    transaction->spooled = false;
  else
    not_kept(s, SMTP_TROUBLE);
}

/* Accepted: 250 is sent here and nowhere else, and only because store has answered that the message
 * is durable. */
static void accepted(struct smtpd_session *s, struct slice verdicts) {
  struct buf text;
  buf_init(&text, 128);
  smtpd_put_id(s, &text);
  buf_put_str(&text, " accepted");
  smtpd_log_transaction(s, SMTP_OK, verdicts);
  s->messages++;
  s->octets += s->transaction->data.clean.octets;
  mail_changes_add(&s->changed, &s->transaction->data.clean.changed);
  s->kept_ms = s->proto.now_ms;
  s->junk = 0;
  /* Each accepted message makes up for half of the refusals so far. */
  s->errors_made_up += (s->errors - s->errors_made_up + 1) / 2;
  s->unknown_made_up += (s->unknown - s->unknown_made_up + 1) / 2;
  smtpd_reset(s);
  smtpd_reply_text(s, SMTP_OK, buf_slice(&text));
  buf_free(&text);
}

static void commit_answer(struct smtpd_session *s, uint16_t type, struct slice payload) {
  struct smtp_committed a = { .yours = SLICE_NONE };
  enum smtp_outcome o = SMTP_TROUBLE;
  if (type == smtp_committed_type && smtp_committed_get(payload, &a)) o = smtp_of_commit(a.outcome);
  if (o == SMTP_OK) {
    accepted(s, a.verdicts);
  } else if (o == SMTP_NOT_YOUR_FROM) {
    not_yours(s, o, a.yours);
  } else {
    smtpd_log_transaction(s, o, a.verdicts);
    not_kept(s, o);
  }
}

/* --- octets --- */

/* The end mark was received. The reply does not depend on how the octets were divided into pieces;
 * a permanent reason takes precedence over a temporary one. */
static void finish(struct smtpd_session *s) {
  enum smtp_outcome verdict = s->transaction->verdict;
  if (verdict != SMTP_OK && judge(s) != SMTP_OK) verdict = judge(s);
  if (s->proto.trace.fn) {
    struct buf note;
    buf_init(&note, 256);
    buf_put_str(&note, "message of ");
    buf_put_dec(&note, s->transaction->data.clean.octets);
    buf_put_str(&note, " octets");
    if (mail_changes_any(&s->transaction->data.clean.changed)) {
      buf_put_str(&note, ", with ");
      mail_changes_put(&note, &s->transaction->data.clean.changed);
    }
    proto_trace(&s->proto, '*', buf_slice(&note));
    buf_free(&note);
  }
  if (verdict == SMTP_OK)
    commit(s);
  else
    not_kept(s, verdict);
}

/* Examines the client's own octets, which the fingerprint covers. */
static void look_at_clients(struct transaction *transaction, struct slice new) {
  message_id_take(&transaction->message_id, new);
  siphash_put(&transaction->print, new);
}

/* Examines what is new in the body. A login's message waits until its header is complete and
 * repaired. */
static enum smtp_outcome look_at_body(struct smtpd_session *s, bool end) {
  struct transaction *transaction = s->transaction;
  bool held = transaction->held;
  if (!transaction->settled)
    transaction->settled = header_settle(&transaction->body, transaction->looked_at, end);
  if (!transaction->settled) return SMTP_OK;
  if (held) {
    size_t before = transaction->looked_at;
    struct slice clients = slice_from(buf_slice(&transaction->body), before);
    look_at_clients(transaction, clients);
    transaction->looked_at += clients.n;
    enum smtp_outcome o = smtpd_submit(s, before, end);
    if (o != SMTP_OK || transaction->held) return o;
    transaction->looked_at = 0;
  }
  struct slice new = slice_from(buf_slice(&transaction->body), transaction->looked_at);
  header_hops(&transaction->hops, new);
  if (!held) look_at_clients(transaction, new);
  transaction->eight_bit = transaction->eight_bit || slice_has_high(new);
  surrogate_put(&transaction->surrogate, new, NULL);
  if (transaction->parts) seven_put(transaction->parts, new, NULL);
  transaction->looked_at += new.n;
  return SMTP_OK;
}

/* Everything beyond one chunk goes to store before the end does. */
static void drain(struct smtpd_session *s) {
  struct transaction *transaction = s->transaction;
  if (transaction->verdict == SMTP_OK && !transaction->held &&
      buf_len(&transaction->body) > IPC_CHUNK)
    spool(s);
  else if (transaction->ended)
    finish(s);
}

void smtpd_body(struct smtpd_session *s, struct slice *in) {
  struct transaction *transaction = s->transaction;
  bool keep = transaction->verdict == SMTP_OK;
  size_t before = in->n;
  bool end = smtp_data_take(&transaction->data, in, keep ? &transaction->body : NULL);
  if (in->n != before) transaction->last_ms = s->proto.now_ms;
  if (keep) {
    enum smtp_outcome o = look_at_body(s, end), judged = judge(s);
    if (judged != SMTP_OK) o = judged;
    if (o == SMTP_OK && transaction->held && !end && in->n) o = SMTP_LONG_HEADER;
    if (o != SMTP_OK) refuse(s, o);
    /* it stopped because the chunk is full */
    else if (!end && !transaction->held && in->n)
      spool(s);
  }
  transaction->ended = end;
  if (!s->proto.ask.type || s->proto.ask.type == smtp_discard_type) drain(s);
  if (end) return;
  if (beyond_excess(s)) smtpd_end(s, transaction->verdict, CLOSE_TOO_BIG);
}
