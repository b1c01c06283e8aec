/* SPDX-License-Identifier: ISC */
#include "tests/world/outside/post.h"

#include <stdio.h>

#include "lib/base/num.h"
#include "tests/world/must.h"

void post_free(struct post *p) {
  for (size_t i = 0; i < p->count; i++) free(p->letters[i]);
  free(p->letters);
}

/* --- letters --- */

struct post_letter *post_letter(struct post *p, uint32_t id) {
  return id && id <= p->count ? p->letters[id - 1] : NULL;
}

/* A few are larger than what the sender is given at once. */
static uint32_t some_size(struct rng *rng) {
  if (rng_chance(rng, 1, 16)) return (uint32_t)rng_between(rng, 60000, 300000);
  return (uint32_t)rng_below(rng, rng_chance(rng, 1, 4) ? 20000 : 1500);
}

struct post_letter *post_write(struct post *p, struct rng *rng) {
  p->letters = must_fit(p->letters, p->count, &p->room, sizeof *p->letters);
  struct post_letter *l = p->letters[p->count++] = must_alloc(sizeof *l);
  *l = (struct post_letter){ .id = (uint32_t)p->count,
                             .size = some_size(rng),
                             .seed = rng_next(rng),
                             .forwarded = rng_chance(rng, 1, 3),
                             .box = (unsigned)rng_below(rng, POST_BOXES) };
  return l;
}

void post_put(const struct post_letter *l, struct buf *out) {
  static const char text[] = "wind and weather permitting, the post goes out at noon and comes "
                             "back before the tide ......... ";
  struct rng rng = rng_from(l->seed);
  buf_printf(out,
             "X-World: %u\r\nFrom: <box%u@example.org>\r\nDate: Thu, 15 Oct 2026 12:00:00 "
             "+0000\r\nMessage-ID: <%u@world>\r\n"
             "Subject: letter %u%s\r\n\r\n",
             l->id, l->box, l->id, l->id, l->id % 5 ? "" : ", m\xc9\x99n");
  while (buf_len(out) < l->size) {
    if (rng_chance(&rng, 1, 8)) buf_put_str(out, rng_chance(&rng, 1, 2) ? "." : "..");
    size_t from = rng_below(&rng, 40);
    buf_put(out, slice_of((const uint8_t *)text + from, rng_below(&rng, sizeof text - 1 - from)));
    if (l->size > 20000) buf_put_str(out, text);
    buf_put_str(out, "\r\n");
  }
}

void post_sent(struct post *p, uint32_t id) {
  struct post_letter *l = post_letter(p, id);
  if (l->state == POST_NEVER) l->state = POST_MAY;
}

void post_answered(struct post *p, uint32_t id, bool accepted, bool unsure) {
  struct post_letter *l = post_letter(p, id);
  if (accepted) {
    l->state = POST_MUST;
    p->accepted++;
  } else if (!unsure && l->state == POST_MAY) {
    l->state = POST_NEVER;
  }
}

static struct post_rcpt *rcpt_of(struct post_letter *l, struct slice address) {
  for (unsigned i = 0; i < l->count; i++)
    if (slice_caseeq(slice_str(l->rcpts[i].address), address)) return &l->rcpts[i];
  return NULL;
}

static void saw_trace(struct post *p, struct post_letter *l) {
  if (l->state == POST_NEVER)
    world_fail(p->w, "letter %u was refused, and leaves all the same", l->id);
  l->state = POST_MUST;
}

/* The number behind the first of those words. */
static uint32_t number_behind(struct slice text, const char *word, uint8_t end) {
  ptrdiff_t at = slice_search(text, slice_str(word));
  struct slice rest = slice_from(text, at < 0 ? text.n : (size_t)at + strlen(word));
  ptrdiff_t stop = slice_find(rest, end);
  uint64_t n = 0;
  return stop > 0 && num_parse(slice_first(rest, (size_t)stop), UINT32_MAX, &n) ? (uint32_t)n : 0;
}

/* --- windows --- */

void post_life(struct post *p, bool unsure) {
  p->unsure = unsure;
  p->life_ms = world_now(p->w);
}

void post_loss(struct post *p) {
  uint64_t now = world_now(p->w), since = p->unsure ? p->life_ms : now;
  size_t at = p->loss_count++ % POST_LOSSES;
  p->losses[at].ms = now;
  p->losses[at].from_ms = since > WINDOW_MS ? since - WINDOW_MS : 0;
}

/* May what became sure then be unknown to us all the same? */
static bool may_be_unknown(const struct post *p, const struct post_copy *c) {
  size_t n = p->loss_count < POST_LOSSES ? p->loss_count : POST_LOSSES;
  if (!c->sure) return true;
  for (size_t i = 0; i < n; i++)
    if (p->losses[i].ms >= c->at_ms && (!c->alone || c->at_ms >= p->losses[i].from_ms)) return true;
  return false;
}

void post_sure(struct post *p, struct post_copy *c) {
  c->sure = true;
  c->at_ms = world_now(p->w);
}

static struct post_copy *one_more(struct post *p, struct post_copy *c, unsigned open) {
  p->again += c->count > 0;
  *c = (struct post_copy){ .count = c->count + 1, .alone = open == 0, .at_ms = world_now(p->w) };
  return c;
}

/* --- reports --- */

static void take_action(struct post *p, struct post_letter *l, struct slice address,
                        struct slice action) {
  struct post_rcpt *r = rcpt_of(l, address);
  if (!r) {
    world_fail(p->w, "letter %u: a report about %.*s, who is no recipient", l->id,
               SLICE_ARG(address));
  } else if (slice_eq(action, SLICE("delayed"))) {
    if (r->delayed++)
      world_fail(p->w, "letter %u: twice reported as delayed for %s", l->id, r->address);
    p->delayed++;
  } else if (slice_eq(action, SLICE("failed"))) {
    if (r->failed++)
      world_fail(p->w, "letter %u: twice reported as failed for %s", l->id, r->address);
    if (r->there.count && !may_be_unknown(p, &r->there))
      world_fail(p->w, "letter %u: %s has it, and it is reported as failed", l->id, r->address);
    p->both += r->there.count > 0;
    p->failed++;
  } else {
    world_fail(p->w, "letter %u: reported as \"%.*s\"", l->id, SLICE_ARG(action));
  }
}

/* The recipients that it names. */
static void read_report(struct post *p, struct post_letter *l, struct slice octets) {
  static const char final[] = "Final-Recipient: rfc822; ", action[] = "Action: ";
  struct slice address = SLICE_NONE;
  unsigned named = 0;
  saw_trace(p, l);
  while (octets.n) {
    struct slice line = slice_split(&octets, '\n');
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    if (slice_starts(line, slice_str(final))) address = slice_from(line, sizeof final - 1);
    if (!slice_starts(line, slice_str(action)) || !address.n) continue;
    take_action(p, l, address, slice_from(line, sizeof action - 1));
    address = SLICE_NONE;
    named++;
  }
  if (!named) world_fail(p->w, "letter %u: a report that names nobody", l->id);
}

static uint64_t message_id(struct slice octets) {
  ptrdiff_t at = slice_search(octets, SLICE("\r\nMessage-ID: <"));
  struct slice rest = slice_from(octets, at < 0 ? octets.n : (size_t)at + 15);
  ptrdiff_t end = slice_find(rest, '>');
  return slice_hash(slice_first(rest, end > 0 ? (size_t)end : 0));
}

static struct post_copy *report_arrived(struct post *p, struct post_letter *l,
                                        struct slice octets) {
  uint64_t name = message_id(octets);
  unsigned i = 0;
  while (i < l->report_count && l->reports[i].name != name) i++;
  if (i == l->report_count) {
    if (i == sizeof l->reports / sizeof *l->reports) {
      world_fail(p->w, "letter %u: reports without end", l->id);
      return NULL;
    }
    l->reports[l->report_count++].name = name;
    read_report(p, l, octets);
  } else if (!may_be_unknown(p, &l->reports[i].there)) {
    world_fail(p->w, "letter %u: one report was sent twice", l->id);
  }
  return one_more(p, &l->reports[i].there, 0);
}

void post_reported(struct post *p, unsigned box, struct slice octets) {
  struct post_letter *l = post_letter(p, number_behind(octets, "\r\nX-World: ", '\r'));
  if (!l || l->box != box || l->forwarded)
    world_fail(p->w, "box %u: a message that nobody sent", box);
  else
    read_report(p, l, octets);
}

/* --- arrivals --- */

static void check_text(struct post *p, const struct post_letter *l, struct slice octets) {
  struct buf text;
  buf_init(&text, 1 << 20);
  post_put(l, &text);
  ptrdiff_t at = slice_search(octets, SLICE("X-World: "));
  if (!slice_eq(slice_from(octets, (size_t)at), buf_slice(&text)))
    world_fail(p->w, "letter %u arrives as %zu octets that are not its own %zu", l->id,
               octets.n - (size_t)at, buf_len(&text));
  if (at > 4000 || slice_search(slice_first(octets, (size_t)at), SLICE("Received: ")) < 0 ||
      slice_search(slice_first(octets, (size_t)at), SLICE("Return-Path:")) >= 0)
    world_fail(p->w, "letter %u arrives without our trace, or with our Return-Path", l->id);
  buf_free(&text);
}

struct post_copy *post_arrived(struct post *p, struct slice octets, struct slice path,
                               struct slice rcpt, unsigned open) {
  struct post_letter *l = post_letter(p, number_behind(octets, "X-World: ", '\r'));
  char client[64];
  if (!l) {
    world_fail(p->w, "a message of %zu octets arrives for %.*s, and nobody sent it", octets.n,
               SLICE_ARG(rcpt));
    return NULL;
  }
  snprintf(client, sizeof client, "l%u@client.example", l->id);
  if (!path.n && l->forwarded && slice_eq(rcpt, slice_str(client)))
    return report_arrived(p, l, octets);
  struct post_rcpt *r = rcpt_of(l, rcpt);
  if (!r || !path.n) {
    world_fail(p->w, "letter %u arrives from <%.*s> for %.*s", l->id, SLICE_ARG(path),
               SLICE_ARG(rcpt));
    return NULL;
  }
  check_text(p, l, octets);
  saw_trace(p, l);
  if (r->failed)
    world_fail(p->w, "letter %u: reported as failed for %s, and it arrives", l->id, r->address);
  if (r->there.count && !may_be_unknown(p, &r->there))
    world_fail(p->w, "letter %u arrives again for %s", l->id, r->address);
  p->delivered += r->there.count == 0;
  return one_more(p, &r->there, open);
}

/* --- a look at all --- */

void post_look_begins(struct post *p) {
  p->look_ms = world_now(p->w);
  for (size_t i = 0; i < p->count; i++) {
    struct post_letter *l = p->letters[i];
    l->report_queued = false;
    for (unsigned k = 0; k < l->count; k++) {
      l->rcpts[k].queued = false;
      l->rcpts[k].failed_before = l->rcpts[k].failed > 0;
    }
  }
}

void post_queue_row(struct post *p, struct slice from, struct slice to) {
  bool report = slice_eq(from, SLICE("<>")), forwarded = slice_starts(from, SLICE("l"));
  struct post_letter *l = post_letter(p, report      ? number_behind(to, "l", '@')
                                         : forwarded ? number_behind(from, "l", '@')
                                                     : number_behind(to, "r", '-'));
  struct post_rcpt *r = l && !report ? rcpt_of(l, to) : NULL;
  if (!l || (!report && !r)) {
    world_fail(p->w, "the queue has a message from %.*s to %.*s, and nobody sent it",
               SLICE_ARG(from), SLICE_ARG(to));
    return;
  }
  saw_trace(p, l);
  if (report)
    l->report_queued = true;
  else if (r->queued)
    world_fail(p->w, "letter %u is in the queue twice for %s", l->id, r->address);
  else
    r->queued = true;
}

static void check_rcpt(struct post *p, const struct post_letter *l, struct post_rcpt *r) {
  bool ended = r->there.count || r->failed || r->may_go || l->report_queued;
  if (!r->queued && !ended) world_fail(p->w, "letter %u is lost for %s", l->id, r->address);
  if (r->queued && r->failed_before)
    world_fail(p->w, "letter %u: reported as failed for %s, and it is in the queue", l->id,
               r->address);
  bool known = r->there.count && r->there.alone && !may_be_unknown(p, &r->there) &&
               p->look_ms > r->there.at_ms + WINDOW_MS;
  if (r->queued && known)
    world_fail(p->w, "letter %u: %s has it, and it is in the queue", l->id, r->address);
}

static bool any_trace(const struct post_letter *l) {
  bool any = l->report_queued || l->report_count;
  for (unsigned i = 0; i < l->count; i++)
    any |= l->rcpts[i].queued || l->rcpts[i].there.count || l->rcpts[i].failed;
  return any;
}

void post_look_ends(struct post *p) {
  for (size_t i = 0; i < p->count; i++) {
    struct post_letter *l = p->letters[i];
    /* all of it or nothing: it never will be */
    if (l->state == POST_MAY && !any_trace(l)) l->state = POST_NEVER;
    if (l->state == POST_NEVER) continue;
    for (unsigned k = 0; k < l->count; k++) check_rcpt(p, l, &l->rcpts[k]);
  }
}

bool post_all_ended(const struct post *p) {
  for (size_t i = 0; i < p->count; i++) {
    const struct post_letter *l = p->letters[i];
    if (l->state != POST_NEVER && l->report_queued) return false;
    for (unsigned k = 0; k < l->count; k++)
      if (l->state != POST_NEVER && l->rcpts[k].queued) return false;
  }
  return true;
}
