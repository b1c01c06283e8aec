/* SPDX-License-Identifier: ISC */
/* From one session of a run to the next, and the report at its end.
 *
 * A single message can make every session fail: the other server does not stuff its dots, or
 * crashes on it. It is skipped: a new session fetches the others. A message that came shorter than
 * announced is treated likewise: nothing that follows it in the same session is deleted
 * (mail/pop3/client.h), so it is left out. auth keeps the UIDLs of both, and the next run tries
 * each again, alone, in a session of its own after all the others.
 *
 *   session for all but the suspects --stuck at a message--> it becomes a suspect --+
 *      ^     |                                                                      |
 *      +-----|----------------------------------------------------------------------+
 *            +--done--> rows of deleted messages are removed → the listing was complete → a session
 *                       for the next suspect …
 *
 * A run has at most RUN_SESSIONS, and a list of UIDLs COLLECT_UIDLS_MAX octets; the rest is left to
 * later runs: suspects that had no session in this one come first in the next. */
#include <stdio.h>

#include "src/collector/collector.h"

/* --- lists of UIDLs --- */

/* steps.c */
static bool steps_has(const struct buf *list, struct slice uidl) {
  for (struct slice rest = buf_slice(list); rest.n;)
    if (slice_eq(slice_split(&rest, ' '), uidl)) return true;
  return false;
}

static bool add(struct buf *list, struct slice uidl) {
  if (steps_has(list, uidl)) return true;
  if (!uidl.n || uidl.n + 1 > COLLECT_UIDLS_MAX - buf_len(list)) return false;
  if (buf_len(list)) buf_put_u8(list, ' ');
  buf_put(list, uidl);
  return !list->failed;
}

static void drop(struct buf *list, struct slice uidl) {
  struct buf rest;
  buf_init(&rest, COLLECT_UIDLS_MAX);
  for (struct slice all = buf_slice(list); all.n;) {
    struct slice one = slice_split(&all, ' ');
    if (!slice_eq(one, uidl)) add(&rest, one);
  }
  buf_reset(list);
  buf_put(list, buf_slice(&rest));
  buf_free(&rest);
}

static uint32_t count(const struct buf *list) {
  uint32_t n = 0;
  for (struct slice rest = buf_slice(list); rest.n; n++) slice_split(&rest, ' ');
  return n;
}

/* The remaining suspects of the last run, in its order: those tried, or the others. */
static void put_suspects(const struct run *r, bool tried, struct buf *out) {
  const struct buf *left = r->seen_list ? &r->waiting : &r->suspects;
  for (struct slice rest = buf_slice(&r->suspects); rest.n;) {
    struct slice one = slice_split(&rest, ' ');
    if (steps_has(left, one) && steps_has(&r->probed, one) == tried) add(out, one);
  }
}

void steps_put(const struct run *r, struct buf *out) {
  put_suspects(r, false, out);
  for (struct slice rest = buf_slice(&r->stepped); rest.n;) add(out, slice_split(&rest, ' '));
  put_suspects(r, true, out);
}

/* --- the listing --- */

static bool is_probe(const struct run *r) { return r->probe[0] != 0; }

void steps_listed(struct run *r) {
  if (is_probe(r)) return;
  r->left = r->out = r->looping = 0;
  r->seen_list = true;
  buf_reset(&r->waiting);
}

static bool was_stuck_at(const struct run *r, const struct pop3_item *item) {
  bool was = false;
  for (size_t i = 0; i < r->stuck_count; i++) was |= r->stuck[i] == item->number;
  return was;
}

/* A suspect already known complete, or to be left for now, is not tried; its twin is. */
bool steps_wants(struct run *r, const struct pop3_item *item, uint64_t date) {
  if (was_stuck_at(r, item)) return false;
  if (is_probe(r)) return slice_eq(item->uidl, slice_str(r->probe));
  if (steps_has(&r->left_out, item->uidl)) {
    r->out++;
    return false;
  }
  if (steps_has(&r->stepped, item->uidl)) return item->twin;
  if (!steps_has(&r->suspects, item->uidl)) return true;
  add(&r->waiting, item->uidl);
  if (date == COLLECT_SHORT) add(&r->probed, item->uidl);
  return false;
}

/* --- what became of the session --- */

static void name_step(struct run *r, const struct pop3_item *item, const char *why) {
  if (r->step_words[0]) return;
  snprintf(r->step_words, sizeof r->step_words, "message %llu (%.*s): %s",
           (unsigned long long)item->number, SLICE_ARG(item->uidl), why);
}

/* The rows of messages that were deleted there for good (RFC 1939 §6: when QUIT was answered). */
static void take_deleted(struct run *r) {
  for (size_t i = 0; r->pop->end == POP3_END_DONE && i < r->pop->count; i++) {
    const struct pop3_item *item = &r->pop->items[i];
    if (item->state != POP3_DELETED) continue;
    r->deleted++;
    wire_put_u64(&r->gone, (uint64_t)(uintptr_t)item->own);
  }
}

/* Messages that came short are left out from now on. True: another session may delete those that
 * followed them. */
static bool take_shorts(struct run *r) {
  bool some = false, held_up = false;
  for (size_t i = 0; i < r->pop->count; i++) {
    const struct pop3_item *item = &r->pop->items[i];
    held_up |= item->wish == POP3_MOVE && item->state == POP3_KEPT_BACK && item->doubtful &&
               !item->is_short;
    if (!item->is_short || item->state == POP3_LISTED) continue;
    name_step(r, item, item->octets ? "fewer octets came than are listed" : "nothing came of it");
    if (is_probe(r)) continue;
    some |= add(&r->stepped, item->uidl);
  }
  return some && held_up;
}

/* It is known: the suspect is the other message with that UIDL. */
static bool is_other_twin(const struct run *r, const struct pop3_item *item) {
  return item->twin && item->wish == POP3_LEAVE && !was_stuck_at(r, item);
}

/* It came complete, or is not listed any more. */
static void take_probe(struct run *r) {
  bool there = false;
  for (size_t i = 0; i < r->pop->count; i++) {
    const struct pop3_item *item = &r->pop->items[i];
    bool safe = item->state == POP3_SAFE || item->state == POP3_DELETED;
    there |= slice_eq(item->uidl, slice_str(r->probe)) &&
             (item->is_short || (!safe && !is_other_twin(r, item)));
  }
  if (!there) drop(&r->waiting, slice_str(r->probe));
}

/* In the order of the last run, not in that of the listing. */
static bool next_suspect(const struct run *r, struct slice *ret) {
  for (struct slice rest = buf_slice(&r->suspects); rest.n;) {
    *ret = slice_split(&rest, ' ');
    if (steps_has(&r->waiting, *ret) && !steps_has(&r->probed, *ret)) return true;
  }
  return false;
}

/* Plans the next session, if there is one. */
static bool plan_probe(struct run *r) {
  struct slice next;
  r->probe[0] = 0;
  if (!r->seen_list || !next_suspect(r, &next)) return false;
  snprintf(r->probe, sizeof r->probe, "%.*s", SLICE_ARG(next));
  add(&r->probed, next);
  return true;
}

static bool session_done(struct run *r) {
  if (is_probe(r)) take_probe(r);
  bool again = take_shorts(r);
  if (!is_probe(r) && r->listed && r->pop->has_uidl && !r->pop->list_cut)
    r->housekeeping_due = true;
  return (again && !is_probe(r)) || plan_probe(r);
}

/* Stuck at a message: skips it. */
static bool step_over(struct run *r) {
  const struct pop3_item *stuck = r->pop->stuck;
  if (stuck && stuck->uidl.n) name_step(r, stuck, pop3_end_meaning(r->pop->end));
  if (stuck && r->stuck_count < RUN_SESSIONS) r->stuck[r->stuck_count++] = stuck->number;
  if (is_probe(r)) return stuck && (stuck->twin || plan_probe(r));
  return stuck && add(&r->stepped, stuck->uidl);
}

static void note_failure(struct run *r, const char *why) {
  const struct pop3_client *p = r->pop;
  const char *more = p->end == POP3_END_TLS_FAILED || p->end == POP3_END_GONE ? why : "";
  bool words = p->text_n && !more[0];
  run_note(r, run_verdict(p), "%s%s%.*s%s%s", pop3_end_meaning(p->end),
           words     ? "; it said: "
           : more[0] ? ": "
                     : "",
           words ? (int)p->text_n : (int)strlen(more), words ? p->text : more,
           r->step_words[0] ? "; stepped over: " : "", r->step_words);
}

void steps_session_over(struct run *r, const char *why) {
  bool last = r->halted || r->sessions >= RUN_SESSIONS;
  bool done = r->pop->end == POP3_END_DONE, probe = is_probe(r);
  take_deleted(r);
  r->more = (done ? session_done(r) : step_over(r)) && !last;
  /* a suspect does not make the run fail: the other messages are here */
  if (!done && !r->more && !probe) note_failure(r, why);
  r->winding = true;
  if (r->asks == ASKS_NOTHING) steps_wind_up(r);
}

/* --- the end --- */

static void put_count(struct buf *b, uint32_t n, const char *what) {
  if (n) buf_printf(b, "%s%u %s", buf_len(b) ? ", " : "", n, what);
}

static void print_success(struct run *r) {
  struct buf b, stepped;
  buf_init(&b, COLLECT_TEXT_MAX);
  buf_init(&stepped, COLLECT_UIDLS_MAX);
  steps_put(r, &stepped);
  put_count(&b, r->fetched, "fetched");
  put_count(&b, r->deleted, "deleted there");
  put_count(&b, r->left, "left there: too large, refused or without UIDL");
  put_count(&b, r->out, "left out");
  put_count(&b, count(&stepped), "stepped over");
  if (r->step_words[0]) buf_printf(&b, "%s%s", count(&stepped) ? ": " : ", ", r->step_words);
  if (r->pop && r->pop->list_cut)
    buf_printf(&b, "%smore than %d messages are listed", buf_len(&b) ? ", " : "", RUN_LIST_MAX);
  if (mail_changes_any(&r->changed)) {
    buf_put_str(&b, buf_len(&b) ? ", made over: " : "made over: ");
    mail_changes_put(&b, &r->changed);
  }
  const char *text = buf_cstr(&b);
  if (r->looping)
    run_note(r, COLLECT_BROKEN,
             "%u messages there came through this collection before: it leads in a circle",
             r->looping);
  run_note(r, COLLECT_WENT_WELL, "%s", buf_len(&b) && text ? text : "nothing new");
  buf_free(&b), buf_free(&stepped);
}

static void again(void *arg) {
  struct run *r = arg;
  if (r->over) return;
  dial_free(&r->dial);
  pop3_client_free(&r->pop);
  r->asked = r->ask_count = 0;
  r->listed = r->spooled = r->drop = false;
  r->item = NULL;
  r->refused = COLLECT_DONE;
  run_connect(r);
}

static bool wait_a_little(struct run *r) {
  struct loop *loop = r->collector->process->loop;
  if (!r->pause) r->pause = loop_timer_new(loop, again, r);
  if (r->pause) loop_timer_set(r->pause, loop_now(loop) + RUN_SESSION_PAUSE_MS);
  return r->pause != NULL;
}

static void notify_deleted(struct run *r) {
  struct buf b;
  struct slice rows = slice_first(buf_slice(&r->gone), 8 * COLLECT_ASK_MAX);
  buf_init(&b, 16 * 1024);
  collect_deleted_put(&b, &(struct collect_deleted){ rows });
  run_notify_store(r, collect_deleted_type, &b, ASKS_DELETED);
  buf_drop(&r->gone, rows.n);
  buf_free(&b);
}

/* If store has not recorded it, nothing is lost: the message is fetched once more. */
void steps_wind_up(struct run *r) {
  if (r->over) return;
  r->winding = true;
  if (buf_len(&r->gone) && !r->gone.failed) {
    notify_deleted(r);
    return;
  }
  if (r->housekeeping_due) {
    r->housekeeping_due = false;
    run_notify_store(r, collect_listed_type, NULL, ASKS_HOUSEKEEPING);
    return;
  }
  r->winding = false;
  if (r->more && !r->halted) {
    r->more = false;
    if (wait_a_little(r)) return;
    run_note(r, COLLECT_HERE, "memory ran out");
  }
  if (!r->words[0]) print_success(r);
  run_end(r);
}
