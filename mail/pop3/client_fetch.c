/* SPDX-License-Identifier: ISC */
/* Messages: RETR and TOP in a window, their octets to the sink, DELE of what is safe, QUIT.
 *
 * Invariants: messages are requested in the list's order, so octets belong to the oldest RETR. DELE
 * begins when no RETR is outstanding and nothing is unsettled: whether to delete depends only on
 * `safe`, the sink's wish and whether a message came short, and all are final by then. `under_way`
 * is the sum of the sizes of outstanding messages. */
#include <inttypes.h>
#include <stdio.h>

#include "mail/pop3/client_inside.h"

/* A message may be this much longer than twice the announced size: some servers count a line end as
 * one octet. Octets beyond it are discarded. */
enum { SLACK = 64 * 1024 };

static struct pop3_item *item_of(struct pop3_client_session *s, size_t i) {
  return &s->pub.items[i];
}

static void send_number(struct pop3_client_session *s, enum pop3_client_verb verb, size_t i) {
  const struct pop3_item *m = item_of(s, i);
  static const char *const words[VERBS] = {
    [VERB_RETR] = "RETR", [VERB_TOP] = "TOP", [VERB_STEP] = "UIDL", [VERB_DELE] = "DELE"
  };
  char line[64];
  int n = snprintf(line, sizeof line, "%s %" PRIu64, words[verb], m->number);
  if (verb == VERB_TOP) n += snprintf(line + n, sizeof line - (size_t)n, " %" PRIu32, m->lines);
  client_send(s, verb, i, slice_of(line, (size_t)n), NULL);
}

/* --- asking --- */

static uint64_t weight(const struct pop3_item *m) { return m->wish == POP3_LOOK ? 0 : m->size; }

static bool wanted(struct pop3_client_session *s, struct pop3_item *m) {
  if (m->wish == POP3_LOOK) return true;
  if (m->wish != POP3_FETCH && m->wish != POP3_MOVE) return false;
  if (m->size <= s->limits.message) return true;
  m->state = POP3_FAILED;
  return false;
}

static bool has_room(const struct pop3_client_session *s, const struct pop3_item *m) {
  if (s->asked_n == 0) return s->unsettled < s->limits.unsettled;
  if (s->one_by_one) return false;
  return s->asked_n < client_window(s) && s->unsettled + s->asked_n < s->limits.unsettled &&
         s->under_way <= s->limits.window_octets &&
         weight(m) <= s->limits.window_octets - s->under_way;
}

/* A message with a UIDL, from the next one to be requested on; NULL: none has one. */
static const struct pop3_item *named_item(const struct pop3_client_session *s) {
  for (size_t n = 0; n < s->pub.count; n++) {
    const struct pop3_item *m = &s->pub.items[(s->next + n) % s->pub.count];
    if (m->uidl.n) return m;
  }
  return NULL;
}

/* A server that does not stuff a line "." ends the message there, and sends the rest as if it were
 * replies: the author of the message controls them, and could have the client take them for the
 * next messages. So after a message that came short the server must first name a UIDL, which the
 * author cannot know. Without UIDLs what follows stays doubtful. */
static bool is_doubted(const struct pop3_client_session *s) { return s->in_doubt && named_item(s); }

static bool is_in_step(struct pop3_client_session *s) {
  if (!is_doubted(s)) return true;
  if (!s->asked_n) send_number(s, VERB_STEP, (size_t)(named_item(s) - s->pub.items));
  return false;
}

static void ask_messages(struct pop3_client_session *s) {
  for (; s->next < s->pub.count && s->phase == PHASE_FETCH; s->next++) {
    struct pop3_item *m = item_of(s, s->next);
    if (s->finishing || !wanted(s, m)) continue;
    if (!is_in_step(s) || !has_room(s, m)) return;
    m->state = POP3_ASKED;
    s->under_way += weight(m);
    send_number(s, m->wish == POP3_LOOK ? VERB_TOP : VERB_RETR, s->next);
  }
}

/* --- deleting --- */

static bool may_delete(struct pop3_client_session *s, struct pop3_item *m) {
  if (m->wish != POP3_MOVE || m->state != POP3_SAFE) return false;
  if ((!m->is_short && !m->doubtful) || s->policy.delete_short) return true;
  m->state = POP3_KEPT_BACK;
  return false;
}

static void ask_deletions(struct pop3_client_session *s) {
  for (; s->next < s->pub.count && s->asked_n < client_window(s) && s->phase == PHASE_DELETE;
       s->next++) {
    if (!may_delete(s, item_of(s, s->next))) continue;
    s->marked = true;
    send_number(s, VERB_DELE, s->next);
  }
}

void dele_answer(struct pop3_client_session *s, const struct pop3_reply *r) {
  struct pop3_item *m = item_of(s, client_head(s)->item);
  client_answered(s);
  if (r->status == POP3_OK)
    m->state = POP3_DELETED;
  else if (s->sink.refused)
    s->sink.refused(s->sink.arg, m, r->text);
}

/* Judging by its size, the last message may be truncated: only a UIDL can tell. */
static bool is_end_proven(struct pop3_client_session *s) {
  return !s->last_cut || s->last_cut->is_short || is_in_step(s);
}

void fetch_advance(struct pop3_client_session *s) {
  if (s->phase == PHASE_FETCH) {
    ask_messages(s);
    if (s->phase != PHASE_FETCH || s->next < s->pub.count || s->asked_n || s->unsettled) return;
    if (!is_end_proven(s)) return;
    if (s->policy.no_quit) {
      client_end(s, POP3_END_DONE);
      return;
    }
    s->phase = PHASE_DELETE;
    s->next = 0;
  }
  if (s->phase != PHASE_DELETE) return;
  ask_deletions(s);
  if (s->phase == PHASE_DELETE && s->next == s->pub.count && s->asked_n == 0) client_quit(s);
}

/* --- a message --- */

void fetch_answer(struct pop3_client_session *s, const struct pop3_reply *r) {
  size_t i = client_head(s)->item;
  struct pop3_item *m = item_of(s, i);
  bool doubted = is_doubted(s);
  if (doubted && i < s->next) s->next = i; /* it is requested again */
  if (r->status != POP3_OK) {
    s->under_way -= weight(m);
    client_answered(s);
    m->state = doubted ? POP3_LISTED : POP3_REFUSED;
    if (doubted) return;
    if (s->sink.refused) s->sink.refused(s->sink.arg, m, r->text);
    return;
  }
  s->inside = true;
  s->credited = s->line_ends = 0;
  pop3_unstuff_open(&s->unstuff, s->limits.message);
  m->state = doubted ? POP3_LISTED : POP3_COMING;
  s->drain = doubted || !client_heed(s, m, s->sink.begin(s->sink.arg, m));
}

/* It is longer than announced: rejected. */
static bool overlong(const struct pop3_client_session *s, const struct pop3_item *m) {
  return m->size < (UINT64_MAX - SLACK) / 2 && s->unstuff.octets > 2 * m->size + SLACK;
}

static uint64_t count_line_ends(struct slice octets) {
  uint64_t n = 0;
  for (ptrdiff_t at; (at = slice_find(octets, '\n')) >= 0; n++)
    octets = slice_from(octets, (size_t)at + 1);
  return n;
}

static void give(struct pop3_client_session *s, struct pop3_item *m) {
  m->octets = s->unstuff.octets;
  s->line_ends += count_line_ends(buf_slice(&s->piece));
  if (!s->drain && overlong(s, m)) {
    s->drain = true;
    m->state = POP3_FAILED;
    s->sink.cut(s->sink.arg, m);
  }
  if (!s->drain && buf_len(&s->piece))
    s->drain = !client_heed(s, m, s->sink.piece(s->sink.arg, m, buf_slice(&s->piece)));
  buf_reset(&s->piece);
}

/* Some servers count a line end as one octet in LIST. A truncated message of such a server may
 * still have as many octets as announced: its size proves it complete only if it also agrees
 * without the CRs. */
static bool may_be_cut(struct pop3_client_session *s, const struct pop3_item *m) {
  uint64_t least = m->octets - s->line_ends;
  s->last_whole = m->size && least == m->size;
  s->counts_lf |= s->last_whole && s->line_ends;
  return least < m->size && (m->octets > m->size || s->counts_lf);
}

/* After a message that is or may be truncated, the session may be out of step. */
static void look_at_size(struct pop3_client_session *s, struct pop3_item *m) {
  s->last_came = m;
  m->doubtful = s->in_doubt;
  m->is_short = m->octets < m->size || !m->octets; /* an empty message proves nothing */
  bool unsure = may_be_cut(s, m) && !m->is_short;
  if (!m->is_short && !unsure) return;
  s->last_cut = m;
  s->in_doubt = !s->policy.delete_short;
  if (!unsure) return;
  s->one_by_one = true;
  if (is_doubted(s))
    s->unproven = m;
  else
    m->doubtful = true;
}

static void give_end(struct pop3_client_session *s, struct pop3_item *m) {
  bool look = m->wish == POP3_LOOK;
  m->state = look ? POP3_LISTED : POP3_WHOLE;
  if (!look) s->unsettled++;
  enum pop3_sink_verdict verdict = s->sink.end(s->sink.arg, m);
  if (verdict == POP3_SINK_NO && m->state == POP3_WHOLE) s->unsettled--;
  client_heed(s, m, verdict);
}

void step_answer(struct pop3_client_session *s, const struct pop3_reply *r) {
  const struct pop3_item *m = item_of(s, client_head(s)->item);
  uint64_t number;
  struct slice uidl;
  bool right = r->status == POP3_OK && pop3_reply_uidl(r->text, &number, &uidl) &&
               number == m->number && uidl_is(s, m, uidl);
  client_answered(s);
  if (!right) {
    client_end(s, POP3_END_PROTOCOL);
    return;
  }
  s->in_doubt = false;
  struct pop3_item *proven = s->unproven;
  s->unproven = NULL;
  if (proven) give_end(s, proven);
}

static void finish(struct pop3_client_session *s, struct pop3_item *m) {
  char note[80];
  int n = snprintf(note, sizeof note, "(message %" PRIu64 ", %" PRIu64 " octets)", m->number,
                   m->octets);
  proto_trace(&s->pub.proto, '*', slice_of(note, (size_t)n));
  s->under_way -= weight(m);
  client_answered(s);
  s->unstuff.octets = s->credited = 0;
  if (s->drain) return;
  if (m->wish != POP3_LOOK) look_at_size(s, m);
  if (s->unproven != m) give_end(s, m);
}

/* The sink held, and the message's end has already arrived. */
void fetch_resume(struct pop3_client_session *s) {
  if (s->end_waits) finish(s, item_of(s, client_head(s)->item));
  s->end_waits = false;
}

bool fetch_body(struct pop3_client_session *s, struct slice *in) {
  struct pop3_item *m = item_of(s, client_head(s)->item);
  size_t before = in->n;
  enum pop3_unstuff how = pop3_unstuff_put(&s->unstuff, in, &s->piece);
  if (s->piece.failed) {
    client_end(s, POP3_END_NO_MEMORY);
    return false;
  }
  if (how == POP3_UNSTUFF_TOO_BIG) {
    client_end(s, POP3_END_TOO_MUCH);
    return false;
  }
  give(s, m);
  if (s->phase == PHASE_OVER) return false;
  s->end_waits = how == POP3_UNSTUFF_END && s->pub.proto.holds;
  if (how == POP3_UNSTUFF_END && !s->end_waits) finish(s, m);
  return in->n < before;
}

/* The item at fault: the rest of a message that ended too early is read as replies; otherwise it is
 * the message being received, or whose RETR awaits its reply. If a reply is malformed, the message
 * before it is at fault, unless its size proves it complete. */
struct pop3_item *fetch_stuck(struct pop3_client_session *s, enum pop3_end end) {
  bool out_of_step = end == POP3_END_PROTOCOL || end == POP3_END_TOO_MUCH;
  bool broken = out_of_step || end == POP3_END_GONE || end == POP3_END_IDLE;
  if (!broken || s->phase < PHASE_FETCH || s->phase > PHASE_QUIT) return NULL;
  if (s->last_cut && !s->inside) return s->last_cut;
  if (out_of_step && !s->inside && s->last_came && !s->last_whole) return s->last_came;
  if (!s->asked_n) return NULL;
  const struct asked *head = client_head(s);
  return head->verb == VERB_RETR || head->verb == VERB_TOP ? item_of(s, head->item) : NULL;
}

void fetch_cut(struct pop3_client_session *s) {
  for (size_t i = 0; i < s->pub.count; i++) {
    struct pop3_item *m = item_of(s, i);
    if (m->state == POP3_COMING) s->sink.cut(s->sink.arg, m);
    if (m->state == POP3_COMING || m->state == POP3_ASKED) m->state = POP3_FAILED;
  }
}
