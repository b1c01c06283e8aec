/* DATA: RFC 5321 §4.1.1.4. From the command to the message's durable end.
 *
 * The message collects, with our Received: field in front, in tx->body; a full chunk goes to store
 * (smtp_spool), the rest with the commit. Whatever speaks against the message is noted in tx->verdict
 * when it is seen and said at the end: until then the octets are a message, not commands. A refused
 * message is not kept any more but read on, up to a bound. */
#include "src/smtpd/private.h"

enum smtp_outcome smtpd_data(struct session *s, struct slice argument) {
  struct transaction *tx = s->tx;
  struct buf id;
  buf_init(&id, 64);
  smtpd_put_id(s, &id);
  smtpd_put_received(s, buf_slice(&id), &tx->body);
  bool failed = id.failed || tx->body.failed;
  buf_free(&id);
  if (failed) buf_free(&tx->body);
  if (failed) return SMTP_TROUBLE;
  smtp_data_start(&tx->data, s->service->fix_bare_lf);
  tx->hops = (struct header_hops){ 0 };
  surrogate_open(&tx->surrogate);
  surrogate_put(&tx->surrogate, buf_slice(&tx->body), NULL);
  tx->verdict = SMTP_OK;
  tx->began_ms = tx->last_ms = s->proto.now_ms;
  smtpd_move(s, ST_BODY);
  return SMTP_GO_DATA;
}

/* The message will not be kept: nothing of it is held any more. */
static void refuse(struct session *s, enum smtp_outcome why) {
  struct transaction *tx = s->tx;
  if (tx->verdict == SMTP_OK) tx->verdict = why;
  buf_free(&tx->body);
  surrogate_close(&tx->surrogate);
  if (!tx->spooled) return;
  tx->spooled = false;
  smtpd_tell(s, PROTO_ASK_STORE, smtp_drop_type);
}

/* What speaks against the message as far as it has come; SMTP_OK: nothing. */
static enum smtp_outcome judge(const struct session *s) {
  const struct transaction *tx = s->tx;
  if (tx->data.octets > s->service->message_size_limit) return SMTP_TOO_BIG;
  if (tx->data.nul) return SMTP_HAS_NUL;
  if (tx->data.bare && !s->service->fix_bare_lf) return SMTP_BARE_LF;
  if (tx->hops.count > s->service->received_limit) return SMTP_LOOP;
  return tx->body.failed ? SMTP_TROUBLE : SMTP_OK;
}

/* A refused message may go on for as long again as a good one. */
static bool beyond_excess(const struct session *s) {
  uint64_t limit = s->service->message_size_limit;
  uint64_t excess = limit > SMTPD_EXCESS_MIN ? limit : SMTPD_EXCESS_MIN;
  return s->tx->data.octets > limit && s->tx->data.octets - limit > excess;
}

/* --- questions --- */

static void waited(struct session *s) {
  s->tx->began_ms += s->proto.now_ms - s->asked_ms; /* not the client's time */
  s->tx->last_ms = s->proto.now_ms;
}

static enum smtp_outcome outcome_of(uint8_t outcome) {
  static const enum smtp_outcome outcomes[COMMIT_OUTCOMES] = {
    [COMMIT_DONE] = SMTP_OK, [COMMIT_TROUBLE] = SMTP_TROUBLE, [COMMIT_NO_SPACE] = SMTP_NO_SPACE,
    [COMMIT_TOO_BIG] = SMTP_TOO_BIG,
  };
  return outcome < COMMIT_OUTCOMES ? outcomes[outcome] : SMTP_TROUBLE;
}

static void spool_answer(struct session *s, uint16_t type, struct slice payload);

static void spool(struct session *s) {
  struct transaction *tx = s->tx;
  struct smtp_spool q = { .chunk = buf_slice(&tx->body) };
  smtp_spool_put(smtpd_ask(s, PROTO_ASK_STORE, smtp_spool_type, spool_answer), &q);
  buf_reset(&tx->body);
  if (smtpd_asked(s)) tx->spooled = true;
  else refuse(s, SMTP_TROUBLE);
}

static void spool_answer(struct session *s, uint16_t type, struct slice payload) {
  struct smtp_spooled a;
  waited(s);
  if (type != smtp_spooled_type || !smtp_spooled_get(payload, &a)) smtpd_body_lost(s);
  else if (a.outcome != COMMIT_DONE) refuse(s, outcome_of(a.outcome));
}

/* What store had is gone with it: a commit would keep the tail alone. (The drop that this sends finds
 * nothing in a new store.) */
void smtpd_body_lost(struct session *s) {
  if (s->tx && s->tx->spooled) refuse(s, SMTP_TROUBLE);
}

/* The transaction is over and the message not accepted. */
static void not_kept(struct session *s, enum smtp_outcome why) {
  smtpd_reset(s);
  smtpd_say(s, why);
}

static void commit_answer(struct session *s, uint16_t type, struct slice payload);

static void commit(struct session *s) {
  struct transaction *tx = s->tx;
  struct buf id;
  buf_init(&id, 64);
  smtpd_put_id(s, &id);
  surrogate_end(&tx->surrogate, NULL);
  struct smtp_commit q = {
    .id = buf_slice(&id),
    .return_path = buf_slice(&tx->sender),
    .addresses = buf_slice(&tx->rcpts),
    .account = s->account,
    .dots = tx->data.dots,
    .surrogate = surrogate_size(&tx->surrogate),
    .tail = buf_slice(&tx->body),
  };
  smtp_commit_put(smtpd_ask(s, PROTO_ASK_STORE, smtp_commit_type, commit_answer), &q);
  buf_free(&id);
  buf_free(&tx->body);
  if (smtpd_asked(s)) tx->spooled = false; /* store forgets it with its answer, whatever that is */
  else not_kept(s, SMTP_TROUBLE);
}

/* Accepted: 250 is said here and nowhere else, and only because store says that it is durable. */
static void accepted(struct session *s) {
  struct buf text;
  buf_init(&text, 128);
  smtpd_put_id(s, &text);
  buf_put_str(&text, " accepted");
  s->messages++;
  s->octets += s->tx->data.octets;
  s->junk = 0;
  smtpd_reset(s);
  smtpd_say_text(s, SMTP_OK, buf_slice(&text));
  buf_free(&text);
}

static void commit_answer(struct session *s, uint16_t type, struct slice payload) {
  struct smtp_committed a;
  enum smtp_outcome o = SMTP_TROUBLE;
  if (type == smtp_committed_type && smtp_committed_get(payload, &a)) o = outcome_of(a.outcome);
  if (o == SMTP_OK) accepted(s);
  else not_kept(s, o);
}

/* --- octets --- */

/* The end mark was there. Of all that speaks against the message, the same is said however its octets
 * came in pieces; and what will be wrong with it the next time too goes first. */
static void finish(struct session *s) {
  enum smtp_outcome verdict = s->tx->verdict;
  if (verdict != SMTP_OK && judge(s) != SMTP_OK) verdict = judge(s);
  if (s->proto.trace.fn) {
    struct buf note;
    buf_init(&note, 64);
    buf_put_str(&note, "message of ");
    buf_put_dec(&note, s->tx->data.octets);
    buf_put_str(&note, " octets");
    proto_trace(&s->proto, '*', buf_slice(&note));
    buf_free(&note);
  }
  if (verdict == SMTP_OK) commit(s);
  else not_kept(s, verdict);
}

void smtpd_body(struct session *s, struct slice *in) {
  struct transaction *tx = s->tx;
  bool keep = tx->verdict == SMTP_OK;
  size_t held = buf_len(&tx->body), before = in->n;
  bool end = smtp_data_take(&tx->data, in, keep ? &tx->body : NULL);
  if (in->n != before) tx->last_ms = s->proto.now_ms;
  if (keep) {
    struct slice new = slice_from(buf_slice(&tx->body), held);
    header_hops(&tx->hops, new);
    surrogate_put(&tx->surrogate, new, NULL);
    enum smtp_outcome o = judge(s);
    if (o != SMTP_OK) refuse(s, o);
    else if (!end && in->n) spool(s); /* it stopped because the chunk is full */
  }
  if (end) finish(s);
  else if (beyond_excess(s)) smtpd_end(s, tx->verdict, CLOSE_TOO_BIG);
}
