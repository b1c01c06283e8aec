/* RCPT: RFC 5321 §4.1.1.3. RCPTs that come together (RFC 2920) are one question to store: each line's
 * outcome waits in the group, in order, until the first other command, the end of what has come, or a
 * full group ends it. */
#include "src/smtpd/private.h"

enum { GROUP_ASKED = 0xff };
_Static_assert((int)SMTP_OUTCOMES < (int)GROUP_ASKED, "an outcome fits an octet of the group");

/* Beyond the limit: 452, so that the client sends the rest in another transaction (§4.5.3.1.10). A
 * client that does not take the hint for as many again is in error. */
static enum smtp_outcome too_many(struct session *s) {
  if (++s->overshoot > s->service->recipients_per_message) s->errors++;
  return SMTP_RCPT_MANY;
}

/* Puts one address into the question. */
static enum smtp_outcome ask_for(struct session *s, const struct address *a) {
  struct transaction *tx = s->tx;
  struct buf plain;
  buf_init(&plain, SMTP_PATH_MAX);
  address_put_plain(&plain, a);
  size_t room = SMTP_RCPTS_MAX - buf_len(&tx->rcpts) - buf_len(&tx->asked);
  bool fits = tx->rcpt_count + tx->asked_count < s->service->recipients_per_message;
  fits = fits && buf_len(&plain) + 4 <= room;
  bool failed = plain.failed;
  if (fits && !failed) {
    ipc_list_put(&tx->asked, buf_slice(&plain));
    failed = tx->asked.failed;
  }
  buf_free(&plain);
  if (failed) return SMTP_RCPT_TROUBLE;
  if (!fits) return too_many(s);
  tx->asked_count++;
  return SMTP_OK;
}

enum smtp_outcome smtpd_rcpt(struct session *s, struct slice argument) {
  struct address a;
  enum smtp_outcome o = smtp_rcpt_parse(argument, &a);
  if (o == SMTP_OK) o = ask_for(s, &a);
  buf_put_u8(&s->tx->group, o == SMTP_OK ? GROUP_ASKED : (uint8_t)o);
  if (s->tx->group.failed) s->proto.out.failed = true; /* no memory for an octet: the shell ends it */
  return SMTPD_SAID;
}

static enum smtp_outcome outcome_of(uint8_t verdict) {
  static const enum smtp_outcome outcomes[RCPT_VERDICTS] = {
    [RCPT_OURS] = SMTP_RCPT_OK,     [RCPT_UNKNOWN] = SMTP_RCPT_UNKNOWN, [RCPT_ELSEWHERE] = SMTP_RCPT_ELSEWHERE,
    [RCPT_FULL] = SMTP_RCPT_FULL,   [RCPT_NO_SPACE] = SMTP_NO_SPACE,    [RCPT_TROUBLE] = SMTP_RCPT_TROUBLE,
  };
  return verdict < RCPT_VERDICTS ? outcomes[verdict] : SMTP_RCPT_TROUBLE;
}

/* One address of the question with its verdict. */
static enum smtp_outcome settle(struct session *s, struct slice address, uint8_t verdict) {
  struct transaction *tx = s->tx;
  enum smtp_outcome o = outcome_of(verdict);
  if (o != SMTP_RCPT_OK) return o;
  ipc_list_put(&tx->rcpts, address);
  if (tx->rcpts.failed) return SMTP_RCPT_TROUBLE;
  tx->rcpt_count++;
  s->recipients++;
  if (s->state == ST_MAIL) smtpd_move(s, ST_RCPT);
  return o;
}

/* Replies to each line of the group, in order. `verdicts` has one octet for each address asked. */
static void answer_group(struct session *s, struct slice verdicts) {
  struct transaction *tx = s->tx;
  struct buf group = tx->group, asked = tx->asked; /* replies go out from here on, not into the group */
  struct slice outcomes = buf_slice(&group), addresses = buf_slice(&asked), address;
  buf_init(&tx->group, SMTPD_GROUP_MAX);
  buf_init(&tx->asked, SMTP_RCPTS_MAX);
  tx->asked_count = 0;
  for (size_t i = 0; i < outcomes.n && s->state != ST_END; i++) {
    enum smtp_outcome o = (enum smtp_outcome)outcomes.p[i];
    if (outcomes.p[i] == GROUP_ASKED && ipc_list_next(&addresses, &address)) {
      o = settle(s, address, verdicts.n ? verdicts.p[0] : RCPT_TROUBLE);
      verdicts = slice_from(verdicts, 1);
    }
    smtpd_say(s, o);
  }
  buf_free(&group);
  buf_free(&asked);
}

static void rcpt_answer(struct session *s, uint16_t type, struct slice payload);

void smtpd_rcpt_group_end(struct session *s) {
  struct transaction *tx = s->tx;
  if (tx->asked_count == 0) {
    answer_group(s, SLICE_NONE);
    return;
  }
  struct smtp_rcpt q = { .addresses = buf_slice(&tx->asked), .size = tx->size };
  smtp_rcpt_put(smtpd_ask(s, PROTO_ASK_STORE, smtp_rcpt_type, rcpt_answer), &q);
  if (!smtpd_asked(s)) answer_group(s, SLICE_NONE);
}

/* A store that is lost, or answers nonsense, has looked nothing up: 451 for each. */
static void rcpt_answer(struct session *s, uint16_t type, struct slice payload) {
  struct smtp_verdicts a = { .verdicts = SLICE_NONE };
  if (type != smtp_verdicts_type || !smtp_verdicts_get(payload, &a) || a.verdicts.n != s->tx->asked_count)
    a.verdicts = SLICE_NONE;
  answer_group(s, a.verdicts);
}
