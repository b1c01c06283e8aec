/* SPDX-License-Identifier: ISC */
/* Clients that move mail away by the real client session (mail/pop3/client.h) against the real
 * server's.
 *
 * A mover's disk (crowd.kept) outlives it. A message that has ended is on that disk some time
 * later, and settled some time after that; the mover may be killed at any moment: between its
 * octets, before and after it is on the disk, while DELE and QUIT are on their way. What must hold:
 * no DELE of what is not on the disk, ever; what the server then has or has not is the ledger's. */
#include <stdio.h>

#include "lib/base/num.h"
#include "tests/world/clients.h"
#include "tests/world/must.h"

enum { TICK_MS = 20 * 1000, UNSETTLED = 6 };

static struct rng *chance(struct mover *m) { return &m->crowd->rng; }
static struct world *world_of(struct mover *m) { return m->crowd->w; }

static bool dies(struct mover *m) { return !m->crowd->patient && rng_chance(chance(m), 1, 60); }

/* Everything that it had in memory is gone; its disk is not. */
static void forget(struct mover *m) {
  world_cancel(world_of(m), m);
  pop3_client_free(&m->pop);
  buf_free(&m->text);
  *m = (struct mover){ .crowd = m->crowd };
}

static void die(struct mover *m) {
  struct world_conn *conn = m->conn;
  forget(m);
  if (conn) world_drop(conn);
}

static uint32_t *kept(struct mover *m, const struct pop3_item *item) {
  uint32_t uid = crowd_uid_of(item->uidl);
  return uid < UIDS_MAX ? &m->crowd->kept[m->box][uid] : NULL;
}

/* --- the sink --- */

static enum pop3_sink_verdict listed(void *arg, struct pop3_item *items, size_t count) {
  struct mover *m = arg;
  for (size_t i = 0; i < count; i++) {
    const uint32_t *letter = kept(m, &items[i]);
    if (!items[i].uidl.n)
      world_fail(world_of(m), "message %llu has no UIDL", (unsigned long long)items[i].number);
    items[i].wish = !letter || (!*letter && rng_chance(chance(m), 1, 8)) ? POP3_LEAVE : POP3_MOVE;
  }
  return rng_chance(chance(m), 1, 2) ? POP3_SINK_HOLD : POP3_SINK_ON;
}

static enum pop3_sink_verdict begin(void *arg, struct pop3_item *item) {
  struct mover *m = arg;
  buf_reset(&m->text);
  return POP3_SINK_ON;
}

static enum pop3_sink_verdict piece(void *arg, struct pop3_item *item, struct slice octets) {
  struct mover *m = arg;
  buf_put(&m->text, octets);
  return rng_chance(chance(m), 1, 4) ? POP3_SINK_HOLD : POP3_SINK_ON;
}

static enum pop3_sink_verdict end(void *arg, struct pop3_item *item) {
  struct mover *m = arg;
  if (item->octets != item->size || item->octets != buf_len(&m->text))
    world_fail(world_of(m), "LIST says %llu octets, %llu came", (unsigned long long)item->size,
               (unsigned long long)item->octets);
  item->own = (void *)(uintptr_t)ledger_see(m->crowd->ledger, world_of(m), m->box,
                                            crowd_uid_of(item->uidl), buf_slice(&m->text), false);
  m->crowd->fetched++;
  m->ended[m->ended_n++] = item;
  return POP3_SINK_ON;
}

static void cut(void *arg, struct pop3_item *item) {}

/* --- what it says --- */

/* The rule that all this is for. */
static void check_dele(struct mover *m, struct slice number) {
  uint64_t n = 0;
  num_parse(number, UINT32_MAX, &n);
  for (size_t i = 0; i < m->pop->count; i++) {
    const struct pop3_item *item = &m->pop->items[i];
    if (item->number == n && kept(m, item) && *kept(m, item)) return;
  }
  world_fail(world_of(m), "DELE %llu of what is not safe", (unsigned long long)n);
}

static void say_quit(struct mover *m) {
  uint32_t leaving[512];
  size_t n = 0;
  for (size_t i = 0; i < m->pop->count && n < 512; i++)
    if (m->pop->items[i].state == POP3_DELETED) leaving[n++] = *kept(m, &m->pop->items[i]);
  m->quit = ledger_leave(m->crowd->ledger, m->box, leaving, n);
  m->quit_said = true;
  m->crowd->moved += n;
}

static void flush(struct mover *m) {
  struct buf *out = &m->pop->proto.out;
  for (struct slice rest = buf_slice(out); rest.n;) {
    struct slice line = slice_split(&rest, '\n');
    if (slice_starts(line, SLICE("DELE ")))
      check_dele(m, slice_trim(slice_first(slice_from(line, 5), line.n - 6)));
    if (slice_eq(line, SLICE("QUIT\r")) && m->pop->logged_in) say_quit(m);
  }
  if (m->conn && buf_len(out)) world_send(m->conn, buf_slice(out));
  buf_reset(out);
}

/* --- how it ends --- */

static void finish(struct mover *m) {
  enum pop3_end how = m->pop->end;
  struct world *w = world_of(m);
  bool plain = how == POP3_END_DONE || pop3_end_class(how) == POP3_END_IS_LATER;
  if (!plain)
    world_fail(w, "the client session ends with %s: %.*s", pop3_end_word(how), (int)m->pop->text_n,
               m->pop->text);
  if (m->crowd->patient && how != POP3_END_DONE && how != POP3_END_IN_USE)
    world_fail(w, "no service: %s: %.*s", pop3_end_word(how), (int)m->pop->text_n, m->pop->text);
  bool answered = how == POP3_END_DONE || how == POP3_END_QUIT_REFUSED;
  if (m->quit_said && answered)
    ledger_left(m->crowd->ledger, m->box, m->quit, how == POP3_END_DONE, m->crowd->unsure);
  die(m);
}

/* --- the shell --- */

static void pump(struct mover *m);

static void resume(void *arg) {
  struct mover *m = arg;
  if (!m->pop || !m->pop->proto.holds) return;
  m->pop->proto.now_ms = world_now(world_of(m));
  pop3_client_resume(m->pop);
  pump(m);
}

/* The oldest message: on the disk first, settled the next time. */
static void settle(void *arg) {
  struct mover *m = arg;
  if (!m->pop || !m->ended_n) return;
  struct pop3_item *item = m->ended[0];
  if (!m->kept_first) {
    *kept(m, item) = (uint32_t)(uintptr_t)item->own;
    m->kept_first = true;
  } else {
    m->kept_first = false;
    memmove(m->ended, m->ended + 1, --m->ended_n * sizeof *m->ended);
    m->pop->proto.now_ms = world_now(world_of(m));
    pop3_client_settle(m->pop, item, true);
  }
  if (dies(m))
    die(m);
  else
    pump(m);
}

static void tick(void *arg) {
  struct mover *m = arg;
  if (!m->pop) return;
  m->pop->proto.now_ms = world_now(world_of(m));
  pop3_client_tick(m->pop);
  pump(m);
}

static bool feed(struct mover *m) {
  struct buf *received = world_received(m->conn);
  struct slice in = buf_slice(received);
  size_t before = in.n;
  if (!before || m->pop->proto.holds || m->pop->proto.want != PROTO_READ) return false;
  pop3_client_input(m->pop, &in);
  buf_drop(received, before - in.n);
  return in.n < before;
}

/* Timers of an earlier turn are forgotten: one is due for whatever is waited for. */
static void pump(struct mover *m) {
  struct world *w = world_of(m);
  bool more = true;
  m->pop->proto.now_ms = world_now(w);
  while (m->pop && more) {
    flush(m);
    more = m->conn && feed(m);
  }
  flush(m);
  if (m->pop->end != POP3_END_NONE) {
    finish(m);
    return;
  }
  world_cancel(w, m);
  world_after(w, TICK_MS, tick, m);
  if (m->pop->proto.holds) world_after(w, rng_below(chance(m), 20), resume, m);
  if (m->ended_n) world_after(w, rng_below(chance(m), 30), settle, m);
}

static void readable(void *arg) {
  struct mover *m = arg;
  if (dies(m))
    die(m);
  else
    pump(m);
}

static void closed(void *arg) {
  struct mover *m = arg;
  m->conn = NULL;
  if (!m->pop) return; /* it has gone on what it read last */
  pop3_client_gone(m->pop, POP3_END_GONE);
  pump(m);
}

void crowd_mover(struct crowd *crowd, unsigned box) {
  static const char *const mechanisms[] = { "APOP", "SCRAM-SHA-256", "CRAM-MD5", NULL };
  uint8_t address[4] = { 192, 0, 2, (uint8_t)rng_between(&crowd->rng, 1, 250) };
  struct mover *m = crowd->movers;
  while (m < crowd->movers + MOVERS_MAX && m->pop) m++;
  if (m == crowd->movers + MOVERS_MAX) return;
  char name[64];
  snprintf(name, sizeof name, "box%u@example.org", box);
  struct pop3_client_start start = {
    .user = slice_str(name),
    .secret = SLICE("secret"),
    .host = "mx.example.org",
    .mechanism = mechanisms[rng_below(&crowd->rng, 4)],
    .policy = { .tls = POP3_TLS_NEVER,
                .clear = true,
                .no_pipeline = rng_chance(&crowd->rng, 1, 4) },
    .limits = { .unsettled = UNSETTLED, .window = (uint32_t)rng_between(&crowd->rng, 1, 8) },
    .sink = { listed, begin, piece, end, cut, NULL, m },
    .now_ms = world_now(crowd->w),
  };
  *m = (struct mover){ .crowd = crowd, .box = box };
  buf_init(&m->text, 1 << 22);
  m->pop = pop3_client_new(&start);
  if (!m->pop) abort();
  const struct world_client client = { m, readable, closed };
  m->conn = world_connect(crowd->w, "pop3", address, &client);
  world_after(crowd->w, TICK_MS, tick, m);
}

void crowd_movers_free(struct crowd *c) {
  for (size_t i = 0; i < MOVERS_MAX; i++) {
    pop3_client_free(&c->movers[i].pop);
    buf_free(&c->movers[i].text);
  }
}
