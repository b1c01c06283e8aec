/* SPDX-License-Identifier: ISC */
/* The session's sink: asks store which messages are wanted, a thousand UIDLs at a time; each
 * message's octets go to store in chunks and are committed with their UIDL.
 *
 *   listed: HOLD ──collect_ask──► dates → wishes ──► … → resume
 *   piece:  HOLD ──collect_spool─► spooled → resume
 *   end:    HOLD ──collect_commit► committed: DONE or THERE → settle(safe), resume */
#include "lib/base/sys.h"
#include "mail/header.h"
#include "src/collector/collector.h"

static void resume(struct run *r) {
  if (!r->pop || r->pop->proto.want == PROTO_CLOSE) return;
  r->pop->proto.now_ms = loop_now(r->collector->process->loop);
  pop3_client_resume(r->pop);
  dial_wake(r->dial);
}

/* --- the listing --- */

static bool is_wanted_number(const struct pop3_item *item) { return item->uidl.n > 0; }

/* Asks about the next UIDLs, as many as one question takes. False: all were asked. */
static bool ask_dates(struct run *r) {
  struct buf list, sizes, b;
  buf_init(&list, 80 * COLLECT_ASK_MAX);
  buf_init(&sizes, 12 * COLLECT_ASK_MAX);
  buf_init(&b, 96 * 1024);
  size_t i = r->asked, n = 0;
  for (; i < r->pop->count && n < COLLECT_ASK_MAX; i++) {
    if (!is_wanted_number(&r->pop->items[i])) continue;
    ipc_list_put(&list, r->pop->items[i].uidl);
    wire_put_u64(&sizes, r->pop->items[i].size);
    wire_put_u32(&sizes, r->pop->items[i].like->alike);
    n++;
  }
  r->ask_count = i - r->asked;
  collect_ask_put(&b, &(struct collect_ask){ buf_slice(&list), buf_slice(&sizes) });
  if (n && !list.failed && !sizes.failed && !b.failed)
    run_notify_store(r, collect_ask_type, &b, ASKS_DATES);
  else if (n)
    run_fail(r, COLLECT_HERE, "memory ran out");
  buf_free(&list);
  buf_free(&sizes);
  buf_free(&b);
  return n > 0;
}

/* A message that is here already and is to be deleted there is fetched once more: only its octets
 * prove that it is the same. */
static enum pop3_wish wish_of(struct run *r, const struct pop3_item *item, uint64_t date,
                              int64_t now_s) {
  uint64_t age = now_s > 0 && (uint64_t)now_s > date ? (uint64_t)now_s - date : 0;
  if (!steps_wants(r, item, date) || date == COLLECT_SHORT) return POP3_LEAVE;
  if (!date && item->size > r->collector->process->conf->message_size_limit) return POP3_LEAVE;
  if (!date) return r->leave_s ? POP3_FETCH : POP3_MOVE;
  return r->leave_s != COLLECT_LEAVE && age >= r->leave_s ? POP3_MOVE : POP3_LEAVE;
}

static bool take_dates(struct run *r, struct slice dates) {
  struct wire w = wire_open(dates);
  int64_t now_s = sys_wall_s();
  for (size_t end = r->asked + r->ask_count; r->asked < end; r->asked++) {
    struct pop3_item *item = &r->pop->items[r->asked];
    if (!is_wanted_number(item)) {
      r->left++;
      continue;
    }
    uint64_t date = wire_get_u64(&w);
    item->wish = (uint8_t)wish_of(r, item, date, now_s);
    r->left += !date && item->wish == POP3_LEAVE &&
               item->size > r->collector->process->conf->message_size_limit;
  }
  return wire_done(&w);
}

static enum pop3_sink_verdict on_listed(void *arg, struct pop3_item *items, size_t count) {
  struct run *r = arg;
  steps_listed(r);
  if (count && !r->pop->has_uidl) {
    run_note(r, COLLECT_BROKEN,
             "the server has no UIDL (RFC 1939 §7): what was fetched could not be told from what "
             "is new");
    return POP3_SINK_OVER;
  }
  if (ask_dates(r)) return POP3_SINK_HOLD;
  r->listed = true;
  r->left += (uint32_t)count; /* messages without a UIDL, all of them */
  return POP3_SINK_ON;
}

static bool on_dates(struct run *r, const struct ipc_msg *msg) {
  struct collect_dates m;
  if (!collect_dates_get(msg->payload, &m) || m.outcome >= COLLECT_OUTCOMES) return false;
  if (!r->pop || r->pop->proto.want == PROTO_CLOSE) return true;
  if (m.outcome != COLLECT_DONE) {
    run_fail(r, COLLECT_HERE, "the store can't say now what was collected before");
    return true;
  }
  if (!take_dates(r, m.dates)) return false;
  if (r->asked < r->pop->count && ask_dates(r)) return true;
  r->listed = true;
  if (r->halted) pop3_client_finish(r->pop);
  resume(r);
  return true;
}

/* --- a message --- */

static void forget_message(struct run *r) {
  digest_end(&r->digest, NULL);
  r->item = NULL;
  r->refused = COLLECT_DONE;
  buf_free(&r->hold);
}

static enum pop3_sink_verdict on_begin(void *arg, struct pop3_item *item) {
  struct run *r = arg;
  forget_message(r);
  r->item = item;
  r->clean = (struct mail_clean){ .octets = 0 };
  r->digest = digest_begin(DIGEST_SHA256);
  loop_look_begin(&r->loop);
  r->settled = false;
  return r->digest ? POP3_SINK_ON : POP3_SINK_OVER;
}

static void spool(struct run *r) {
  struct buf b;
  buf_init(&b, IPC_CHUNK + 64);
  size_t n = buf_len(&r->hold) < IPC_CHUNK ? buf_len(&r->hold) : IPC_CHUNK;
  collect_spool_put(&b, &(struct collect_spool){ slice_first(buf_slice(&r->hold), n) });
  if (b.failed) {
    run_fail(r, COLLECT_HERE, "memory ran out");
  } else {
    buf_drop(&r->hold, n);
    r->spooled = true;
    run_notify_store(r, collect_spool_type, &b, ASKS_SPOOL);
  }
  buf_free(&b);
}

/* Gives up this message: store discards what it has of it. */
static enum pop3_sink_verdict refuse_message(struct run *r) {
  if (r->spooled) r->discard_due = true;
  r->spooled = false;
  forget_message(r);
  return POP3_SINK_NO;
}

static enum pop3_sink_verdict on_piece(void *arg, struct pop3_item *item, struct slice octets) {
  struct run *r = arg;
  if (r->refused == COLLECT_TOO_BIG) {
    r->left++;
    return refuse_message(r);
  }
  if (r->refused != COLLECT_DONE || r->over) return POP3_SINK_OVER;
  if (loop_look_at(r, octets)) {
    r->looping++;
    return refuse_message(r);
  }
  digest_put(r->digest, octets);
  mail_clean_put(&r->clean, octets, &r->hold);
  if (!r->settled) r->settled = header_settle(&r->hold, 0, false);
  if (r->hold.failed) return POP3_SINK_OVER;
  if (buf_len(&r->hold) < CHUNK_AT) return POP3_SINK_ON;
  spool(r);
  return POP3_SINK_HOLD;
}

/* A failure here that may last is not retried sooner than one of the other server. */
static const struct refusal {
  enum collect_verdict verdict;
  const char *words;
} refusals[COLLECT_OUTCOMES] = {
  [COLLECT_TROUBLE] = { COLLECT_HERE, "the store could not keep a message now" },
  [COLLECT_NO_SPACE] = { COLLECT_LATER, "the disk is full; the rest comes when there is space" },
  [COLLECT_FULL] = { COLLECT_LATER,
                     "the account's quota is used up; the rest comes when there is room" },
  [COLLECT_GONE] = { COLLECT_LATER, "the account was deleted" },
};

/* store refuses the message. If it is too large it is left at the server; any other reason ends the
 * run. */
static void take_refusal(struct run *r, enum collect_outcome o) {
  r->refused = o;
  if (!refusals[o].words) return;
  run_note(r, refusals[o].verdict, "%s", refusals[o].words);
  pop3_client_finish(r->pop);
}

static bool on_spooled(struct run *r, const struct ipc_msg *msg) {
  struct collect_spooled m;
  if (!collect_spooled_get(msg->payload, &m) || m.outcome >= COLLECT_OUTCOMES) return false;
  if (r->drop) {
    r->drop = false;
    r->discard_due = true;
    return true;
  }
  if (!r->pop || r->pop->proto.want == PROTO_CLOSE) return true;
  take_refusal(r, (enum collect_outcome)m.outcome);
  if (r->refused == COLLECT_DONE && buf_len(&r->hold) >= CHUNK_AT)
    spool(r);
  else
    resume(r);
  return true;
}

static enum pop3_sink_verdict on_end(void *arg, struct pop3_item *item) {
  struct run *r = arg;
  struct buf b, id, head;
  uint8_t digest[DIGEST_SHA256_SIZE];
  if (!item->octets) { /* whatever was listed: an empty message is not kept */
    forget_message(r);
    pop3_client_settle(r->pop, item, false);
    return POP3_SINK_ON;
  }
  if (!digest_end(&r->digest, digest)) return POP3_SINK_OVER;
  if (r->refused != COLLECT_DONE) {
    pop3_client_settle(r->pop, item, false);
    return r->refused == COLLECT_TOO_BIG ? POP3_SINK_ON : POP3_SINK_OVER;
  }
  mail_clean_end(&r->clean, &r->hold);
  if (!r->settled) header_settle(&r->hold, 0, true);
  buf_init(&b, IPC_CHUNK + MESSAGE_FIELDS_MAX + 256);
  buf_init(&id, 64);
  buf_init(&head, MESSAGE_FIELDS_MAX);
  trace_put(r, sys_wall_s(), &head);
  buf_printf(&id, "c%llu-%llu-%u", (unsigned long long)r->number, (unsigned long long)r->tag,
             r->fetched + 1);
  collect_commit_put(&b, &(struct collect_commit){ .end = { .id = buf_slice(&id),
                                                            .head = buf_slice(&head),
                                                            .tail = buf_slice(&r->hold) },
                                                   .uidl = item->uidl,
                                                   .size = item->size,
                                                   .octets = item->octets,
                                                   .digest = slice_of(digest, sizeof digest),
                                                   .copy = item->like->kept + 1 });
  bool ok = !b.failed && !id.failed && !head.failed && !r->hold.failed;
  if (ok) {
    r->spooled = false;
    run_notify_store(r, collect_commit_type, &b, ASKS_COMMIT);
  }
  buf_free(&b);
  buf_free(&id);
  buf_free(&head);
  return ok ? POP3_SINK_HOLD : POP3_SINK_OVER;
}

static bool on_committed(struct run *r, const struct ipc_msg *msg) {
  struct collect_committed m;
  if (!collect_committed_get(msg->payload, &m) || m.outcome >= COLLECT_OUTCOMES) return false;
  bool safe = m.outcome == COLLECT_DONE || m.outcome == COLLECT_THERE;
  if (safe && !m.row) return false;
  struct pop3_item *item = r->item;
  r->fetched += m.outcome == COLLECT_DONE;
  if (m.outcome == COLLECT_DONE && item) r->octets += item->octets;
  if (m.outcome == COLLECT_DONE) mail_changes_add(&r->changed, &r->clean.changed);
  if (!r->pop || r->pop->proto.want == PROTO_CLOSE || !item) return true;
  r->left += m.outcome == COLLECT_TOO_BIG;
  if (!safe) take_refusal(r, (enum collect_outcome)m.outcome);
  forget_message(r);
  item->own = (void *)(uintptr_t)m.row;
  pop3_client_settle(r->pop, item, safe);
  resume(r);
  return true;
}

/* A message that was begun does not complete: store discards what it has of it. */
static void on_cut(void *arg, struct pop3_item *item) {
  struct run *r = arg;
  if (r->asks == ASKS_SPOOL)
    r->drop = true;
  else if (r->spooled)
    r->discard_due = true;
  r->left += r->refused == COLLECT_TOO_BIG;
  r->spooled = false;
  forget_message(r);
}

static void on_refused(void *arg, struct pop3_item *item, struct slice words) {
  struct run *r = arg;
  r->left++;
}

struct pop3_sink run_sink(struct run *r) {
  return (struct pop3_sink){ on_listed, on_begin, on_piece, on_end, on_cut, on_refused, r };
}

static bool answered(struct run *r, enum run_asks asks, const struct ipc_msg *msg) {
  switch (msg->type) {
  case collect_dates_type: return asks == ASKS_DATES && on_dates(r, msg);
  case collect_spooled_type: return asks == ASKS_SPOOL && on_spooled(r, msg);
  case collect_committed_type: return asks == ASKS_COMMIT && on_committed(r, msg);
  default: return false;
  }
}

bool sink_store_message(struct run *r, const struct ipc_msg *msg) {
  enum run_asks asks = r->asks;
  r->asks = ASKS_NOTHING;
  bool ok = answered(r, asks, msg);
  if (ok && r->winding && r->asks == ASKS_NOTHING && !r->over) steps_wind_up(r);
  return ok;
}
