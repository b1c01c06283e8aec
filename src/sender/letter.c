/* SPDX-License-Identifier: ISC */
/* A letter, from store's message to its result: its octets for the session, its outcomes, the
 * report. */
#include <stdlib.h>

#include "lib/base/bug.h"
#include "mail/smtp/class.h"
#include "src/sender/sender.h"

/* --- from store --- */

static bool copy(struct letter *l, struct slice from, struct slice *to) {
  *to = from.n ? arena_copy(&l->memory, from) : SLICE_NONE;
  return !from.n || to->p;
}

static bool take_rcpts(struct letter *l, struct slice list) {
  struct envelope_rcpt r;
  for (size_t i = 0; envelope_rcpt_next(&list, &r); i++) {
    l->rows[i] = r.row;
    l->rcpts[i].notify = r.notify;
    if (!copy(l, r.address, &l->rcpts[i].address) || !copy(l, r.orcpt, &l->rcpts[i].orcpt))
      return false;
  }
  return true;
}

static bool take(struct letter *l, const struct send_letter *m, size_t count) {
  const struct envelope *e = &m->envelope;
  l->rcpts = arena_alloc(&l->memory, count * sizeof *l->rcpts);
  l->rows = arena_alloc(&l->memory, count * sizeof *l->rows);
  l->replied = arena_alloc(&l->memory, count * sizeof *l->replied);
  l->undecided = arena_alloc(&l->memory, count * sizeof *l->undecided);
  l->smtp = (struct smtp_letter){
    .ret = e->ret,
    .eight_bit = (e->flags & ENVELOPE_EIGHT_BIT) != 0,
    .utf8 = (e->flags & ENVELOPE_UTF8) && (e->flags & ENVELOPE_UTF8_HEADER),
    .global = !(e->flags & ENVELOPE_UTF8) && (e->flags & ENVELOPE_UTF8_HEADER),
    .size = e->size,
    .rcpts = l->rcpts,
    .count = count,
    .own = l,
  };
  l->size = e->size;
  l->doubts = m->doubts;
  return l->rcpts && l->rows && l->replied && l->undecided && take_rcpts(l, e->rcpts) &&
         copy(l, m->id, &l->id) && copy(l, m->octets, &l->first) &&
         copy(l, m->destination, &l->way.destination) && copy(l, m->account, &l->way.account) &&
         copy(l, m->sender, &l->way.sender) && copy(l, m->signer, &l->signer) &&
         copy(l, e->return_path, &l->smtp.return_path) && copy(l, e->envid, &l->smtp.envid);
}

struct letter *letter_new(struct sender *s, uint64_t tag, const struct send_letter *m,
                          bool *ret_malformed) {
  size_t count = m->envelope.count;
  *ret_malformed = count > SEND_RCPTS_MAX || m->octets.n > m->envelope.size;
  struct letter *l = *ret_malformed ? NULL : calloc(1, sizeof *l);
  if (!l) return NULL;
  l->sender = s;
  l->tag = tag;
  arena_init(&l->memory, LETTER_MEMORY);
  buf_init(&l->chunk, IPC_CHUNK);
  buf_init(&l->plan, SEVEN_PLAN_MAX);
  buf_init(&l->converted, CONVERTED_MAX);
  buf_init(&l->outcomes, SEND_ROWS_MAX);
  if (take(l, m, count) && map_put_ptr(&s->letters, tag, l)) return l;
  letter_free(l);
  return NULL;
}

void letter_free(struct letter *l) {
  sign_drop(l);
  map_remove(&l->sender->letters, l->tag);
  arena_reset(&l->memory);
  if (l->seven) seven_free(l->seven);
  free(l->seven);
  buf_free(&l->plan);
  buf_free(&l->converted);
  buf_free(&l->chunk);
  buf_free(&l->outcomes);
  free(l);
}

/* --- where it is --- */

static struct letter_place place_of(const struct letter *l) {
  const struct link *k = l->link;
  bool at_end = k && k->client && smtp_client_at_end(k->client) == &l->smtp;
  if (k) return (struct letter_place){ at_end ? SEND_AT_END_OF_DATA : SEND_IN_SESSION, k->number };
  if (!l->nexthop || l->signing) return (struct letter_place){ SEND_HANDED_OVER, 0 };
  return (struct letter_place){ l->nexthop->state == NEXTHOP_READY ? SEND_WAITS_FOR_CONNECTION
                                                                   : SEND_WAITS_FOR_DNS,
                                0 };
}

static bool same_place(const struct letter_place *a, const struct letter_place *b) {
  return a->where == b->where && a->session == b->session;
}

static void report_place(struct letter *l) {
  struct buf b;
  buf_init(&b, 16);
  send_where_put(&b, &(struct send_where){ l->seen.where, l->seen.session });
  if (!b.failed)
    process_send(l->sender->process, ROLE_STORE, l->sender->store, send_where_type, l->tag,
                 buf_slice(&b), -1);
  buf_free(&b);
  l->told = l->seen;
}

/* Most letters are finished before store would be told where they are: they cost no message. */
void letters_sweep(struct sender *s) {
  uint64_t key, value;
  for (size_t i = 0; map_each(&s->letters, &i, &key, &value);) {
    struct letter *l = (struct letter *)(uintptr_t)value;
    struct letter_place now = place_of(l);
    bool stays = same_place(&now, &l->seen);
    l->seen = now;
    if (stays && !same_place(&now, &l->told) && !l->ended && s->store) report_place(l);
  }
}

/* --- octets --- */

void letter_ask(struct letter *l, uint64_t offset) {
  struct process *r = l->sender->process;
  struct buf b;
  buf_init(&b, 16);
  send_read_put(&b, &(struct send_read){ offset });
  l->asked = !b.failed;
  l->unreadable = b.failed;
  if (l->asked)
    process_send(r, ROLE_STORE, l->sender->store, send_read_type, l->tag, buf_slice(&b), -1);
  buf_free(&b);
}

bool letter_octets(struct letter *l, struct slice octets) {
  bool stale = l->stale;
  if (!l->asked) return false;
  l->asked = l->stale = false;
  if (l->ended) {
    letter_report(l);
    return true;
  }
  if (stale) {
    if (l->signing)
      sign_resume(l);
    else if (l->link)
      sender_link_wake(l->link);
    return true;
  }
  if (l->signing) {
    sign_octets(l, octets);
    return true;
  }
  l->unreadable = octets.n == 0 || octets.n > l->prefix.n + l->size - l->at;
  buf_reset(&l->chunk);
  if (!l->unreadable) buf_put(&l->chunk, octets);
  l->unreadable |= l->chunk.failed;
  if (l->link) sender_link_wake(l->link);
  return true;
}

/* The available octets from `at` on: of the prefix, of those that came with the letter, of those
 * read from store. */
static struct slice in_hand(const struct letter *l) {
  if (l->at < l->prefix.n) return slice_from(l->prefix, (size_t)l->at);
  uint64_t at = l->at - l->prefix.n;
  return at < l->first.n ? slice_from(l->first, (size_t)at) : buf_slice(&l->chunk);
}

static bool is_read(const struct letter *l) { return l->at == l->prefix.n + l->size; }

/* The available octets were used up to `n`. */
static void used(struct letter *l, size_t n) {
  if (l->at >= l->prefix.n + l->first.n) buf_drop(&l->chunk, n);
  l->at += n;
}

/* Feeds more of the message to the converter: false if it ran out of memory. */
static bool convert(struct letter *l, struct slice from) {
  struct slice some = slice_first(from, CONVERTED_PIECE);
  seven_put(l->seven, some, &l->converted);
  used(l, some.n);
  if (is_read(l)) seven_end(l->seven, &l->converted);
  return !l->converted.failed;
}

static enum smtp_source_verdict read_converted(struct letter *l, struct buf *out, size_t most) {
  struct slice some = slice_first(buf_slice(&l->converted), most);
  buf_put(out, some);
  buf_drop(&l->converted, some.n);
  return is_read(l) && !buf_len(&l->converted) ? SMTP_SOURCE_END : SMTP_SOURCE_MORE;
}

enum smtp_source_verdict letter_read(struct letter *l, struct buf *out, size_t most) {
  if (l->unreadable) return SMTP_SOURCE_BROKEN;
  if (buf_len(&l->converted)) return read_converted(l, out, most);
  if (l->asked) return SMTP_SOURCE_WAIT;
  struct slice from = in_hand(l);
  if (!from.n && !is_read(l)) {
    letter_ask(l, l->at - l->prefix.n);
    return l->unreadable ? SMTP_SOURCE_BROKEN : SMTP_SOURCE_WAIT;
  }
  if (l->seven && l->at >= l->prefix.n)
    return convert(l, from) ? read_converted(l, out, most) : SMTP_SOURCE_BROKEN;
  struct slice some = slice_first(from, most);
  buf_put(out, some);
  used(l, some.n);
  return is_read(l) ? SMTP_SOURCE_END : SMTP_SOURCE_MORE;
}

void letter_rewind(struct letter *l) {
  l->at = 0;
  l->stale = l->asked;
  buf_reset(&l->chunk);
  buf_reset(&l->converted);
  if (!l->seven) return;
  seven_free(l->seven);
  seven_begin(l->seven, &l->plan, true);
}

/* --- outcomes --- */

static void put_outcome(struct letter *l, uint64_t row, const struct smtp_letter_rcpt *r,
                        const struct send_outcome *o) {
  BUG_IF(l->ended, "letter %ju has an outcome after its report: row %ju, fate %d",
         (uintmax_t)l->tag, (uintmax_t)row, o->fate);
  struct send_outcome x = *o;
  x.row = row;
  x.text = slice_first(o->text, SEND_TEXT_MAX);
  send_outcome_put(&l->outcomes, &x);
  if (x.fate != SEND_UNTRIED) sender_log(l, &x, r->address);
}

static struct send_outcome outcome_of(const struct smtp_verdict *v) {
  struct send_outcome o = {
    .fate = v->fate == SMTP_DELIVERED   ? SEND_DELIVERED
            : v->fate == SMTP_PERMANENT ? SEND_PERMANENT
                                        : SEND_TEMPORARY,
    .stage = v->stage,
    .code = v->code,
    .dsn = v->dsn,
    .text = buf_slice(&v->text),
  };
  memcpy(o.enhanced, v->enhanced, sizeof o.enhanced);
  return o;
}

static bool has_replied(const struct letter *l, size_t i) { return l->replied[i].text.n > 0; }

static bool keep_outcome(struct letter *l, const struct send_outcome *o, struct send_outcome *to) {
  struct slice text;
  if (!copy(l, slice_first(o->text, SEND_TEXT_MAX), &text)) return false;
  *to = *o;
  to->text = text.n ? text : SLICE(" ");
  return true;
}

/* --- the other family, another host --- */

static uint8_t family_bit(uint8_t n) { return n == 4 ? 1 : 2; }

/* True for a policy refusal that may be about our source address: x.7.z, or 554 without an enhanced
 * code before any RCPT. */
static bool is_policy(const struct letter *l, const struct smtp_verdict *v) {
  const struct conf_list *own = &l->sender->process->conf->reply_classes;
  const struct smtp_class_rules rules = { own->items, own->count };
  bool early = v->code == 554 && !v->enhanced[0] && v->stage <= SMTP_STAGE_MAIL;
  if (v->fate == SMTP_DELIVERED || !v->code || (v->enhanced[1] != 7 && !early)) return false;
  enum smtp_class c = smtp_class_of(&rules, v->code, v->enhanced, buf_slice(&v->text));
  return c == SMTP_CLASS_POLICY || c == SMTP_CLASS_REPUTATION || c == SMTP_CLASS_AUTHENTICITY;
}

/* True if the refusal does not count yet, because addresses of the other family are tried first.
 * The reply is kept, in case they cannot be reached. */
static bool asks_other_family(struct letter *l, size_t i, const struct send_outcome *o) {
  const struct link *k = l->link;
  const struct smtp_verdict *v = &l->smtp.rcpts[i].verdict;
  if (!k || has_replied(l, i) || l->recalled || (l->families & ~family_bit(k->address.n)) ||
      !is_policy(l, v))
    return false;
  return nexthop_has_other_family(k->nexthop, l, k->address.n) &&
         keep_outcome(l, o, &l->replied[i]);
}

/* True if an earlier attempt left it in doubt whether the server took the message: another server
 * is tried. */
static bool asks_other_host(struct letter *l, size_t i, const struct send_outcome *o) {
  const struct link *k = l->link;
  return k && l->doubts && l->smtp.rcpts[i].verdict.doubtful && !l->recalled &&
         nexthop_has_other_host(k->nexthop, l, k->host) && keep_outcome(l, o, &l->replied[i]);
}

/* True for an attempt that we interrupted: a missing reply is then not a failure of the server. */
static bool was_cut(const struct smtp_verdict *v) {
  return v->fate == SMTP_TEMPORARY && !v->code && v->stage >= SMTP_STAGE_BODY;
}

bool letter_take_verdicts(struct letter *l, bool cut) {
  size_t kept = 0;
  uint8_t asked = l->link ? family_bit(l->link->address.n) : 0;
  l->obstructed = l->other_family = false;
  for (size_t i = 0; i < l->smtp.count; i++) {
    struct smtp_letter_rcpt *r = &l->smtp.rcpts[i];
    struct send_outcome o = outcome_of(&r->verdict);
    if (cut && was_cut(&r->verdict)) o.fate = SEND_CUT;
    bool family = asks_other_family(l, i, &o), other = family || asks_other_host(l, i, &o);
    bool again = r->verdict.fate == SMTP_UNTRIED || other;
    l->other_family |= family;
    if (!again) {
      put_outcome(l, l->rows[i], r, &o);
      buf_free(&r->verdict.text);
      continue;
    }
    struct send_outcome undecided = { 0 };
    if (!other && !r->verdict.obstacle && o.text.n) keep_outcome(l, &o, &undecided);
    buf_free(&r->verdict.text);
    if (r->verdict.obstacle) l->obstacles |= (uint8_t)(1u << r->verdict.obstacle);
    l->obstructed |= other || r->verdict.obstacle != SMTP_NO_OBSTACLE;
    l->smtp.rcpts[kept] = *r;
    l->replied[kept] = l->replied[i];
    l->undecided[kept] = undecided;
    l->rows[kept++] = l->rows[i];
  }
  l->progress = kept < l->smtp.count;
  l->smtp.count = kept;
  if (l->other_family) l->families |= asked;
  l->link = NULL;
  letter_rewind(l);
  return kept == 0;
}

/* The outcome for an obstacle that all hosts have. */
static struct send_outcome final_outcome(const struct smtp_verdict *v, const char *why,
                                         struct buf *text) {
  static const struct {
    uint8_t enhanced[3];
    const char *what;
  } words[] = {
    [SMTP_NO_OBSTACLE] = { { 4, 5, 3 }, "there were too many recipients for one message" },
    [SMTP_LACKS_UTF8] = { { 5, 6, 7 },
                          "no server of the destination offers SMTPUTF8, which the message needs" },
    [SMTP_LACKS_8BITMIME] = { { 5, 6, 3 },
                              "no server of the destination offers 8BITMIME, which the message "
                              "needs" },
    [SMTP_LACKS_SIZE] = { { 5, 3, 4 },
                          "the message is larger than any server of the destination takes" },
  };
  buf_put_str(text, words[v->obstacle].what);
  if (v->obstacle == SMTP_LACKS_8BITMIME)
    buf_printf(text, "; it cannot be converted to 7 bits: %s", why);
  struct send_outcome o = { .fate = v->obstacle ? SEND_PERMANENT : SEND_TEMPORARY,
                            .stage = v->stage,
                            .text = buf_slice(text) };
  memcpy(o.enhanced, words[v->obstacle].enhanced, sizeof o.enhanced);
  return o;
}

void letter_return(struct letter *l) {
  const struct send_outcome untried = { .fate = SEND_UNTRIED };
  for (size_t i = 0; i < l->smtp.count; i++)
    put_outcome(l, l->rows[i], &l->smtp.rcpts[i], &untried);
  l->smtp.count = 0;
  l->sender->returned++;
  letter_report(l);
}

void letter_give_up(struct letter *l, const char *why) {
  for (size_t i = 0; i < l->smtp.count; i++) {
    struct buf text;
    buf_init(&text, SEND_TEXT_MAX);
    struct send_outcome o =
        has_replied(l, i) ? l->replied[i] : final_outcome(&l->smtp.rcpts[i].verdict, why, &text);
    put_outcome(l, l->rows[i], &l->smtp.rcpts[i], &o);
    buf_free(&text);
  }
  l->smtp.count = 0;
  letter_report(l);
}

void letter_decide(struct letter *l, enum send_fate fate, enum smtp_stage stage, uint16_t code,
                   const uint8_t enhanced[3], struct slice text) {
  struct send_outcome o = {
    .fate = (uint8_t)fate, .stage = (uint8_t)stage, .code = code, .text = text
  };
  memcpy(o.enhanced, enhanced, sizeof o.enhanced);
  for (size_t i = 0; i < l->smtp.count; i++)
    put_outcome(l, l->rows[i], &l->smtp.rcpts[i], has_replied(l, i) ? &l->replied[i] : &o);
  l->smtp.count = 0;
}

void letter_put_off(struct letter *l, const struct smtp_verdict *why) {
  struct send_outcome o = outcome_of(why);
  o.fate = SEND_TEMPORARY;
  for (size_t i = 0; i < l->smtp.count; i++) {
    const struct send_outcome *own = &l->undecided[i];
    put_outcome(l, l->rows[i], &l->smtp.rcpts[i],
                has_replied(l, i) ? &l->replied[i]
                : own->text.n     ? own
                                  : &o);
  }
  l->smtp.count = 0;
}

void letter_report(struct letter *l) {
  struct sender *s = l->sender;
  struct buf b;
  l->ended = true;
  l->nexthop = NULL; /* it may be freed before the octets come */
  if (l->asked) return;
  buf_init(&b, 64 * 1024);
  send_result_put(&b, &(struct send_result){ slice_str(l->host), slice_str(l->address),
                                             slice_str(l->tls), l->unreachable,
                                             buf_slice(&l->outcomes) });
  if (b.failed || l->outcomes.failed)
    process_fail(s->process, "no memory for a result"); /* store takes its letters back */
  else
    process_send(s->process, ROLE_STORE, s->store, send_result_type, l->tag, buf_slice(&b), -1);
  buf_free(&b);
  s->freed++;
  letter_free(l);
  sender_turn(s);
}
