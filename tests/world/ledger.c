/* SPDX-License-Identifier: ISC */
#include "tests/world/ledger.h"

#include <stdio.h>

#include "lib/base/num.h"
#include "mail/surrogate.h"
#include "tests/world/must.h"

void ledger_free(struct ledger *l) {
  free(l->letters);
  *l = (struct ledger){ 0 };
}

struct letter *ledger_letter(struct ledger *l, uint32_t id) {
  return id && id <= l->count ? &l->letters[id - 1] : NULL;
}

/* Mostly small; some around the threshold between database and file; a few large. */
static uint32_t some_size(struct rng *rng) {
  switch (rng_below(rng, 16)) {
  case 0: return (uint32_t)rng_between(rng, 60000, 70000);
  case 1: return (uint32_t)rng_between(rng, 30000, 36000);
  case 2: return rng_chance(rng, 1, 6) ? (uint32_t)rng_between(rng, 100000, 300000) : 9000;
  case 3:
  case 4: return (uint32_t)rng_between(rng, 4000, 17000);
  default: return (uint32_t)rng_below(rng, 2500);
  }
}

struct letter *ledger_write(struct ledger *l, struct rng *rng) {
  l->letters = must_fit(l->letters, l->count, &l->room, sizeof *l->letters);
  struct letter *m = &l->letters[l->count++];
  *m = (struct letter){ .id = (uint32_t)l->count, .size = some_size(rng), .seed = rng_next(rng) };
  return m;
}

void letter_put(const struct letter *m, struct buf *out) {
  static const char text[] = "the quick brown fox jumps over the lazy dog and comes home late, as "
                             "couriers do, .......... ";
  struct rng rng = rng_from(m->seed);
  buf_printf(out, "X-World: %u\r\nSubject: letter %u%s\r\n\r\n", m->id, m->id,
             m->id % 4 ? "" : ", m\xc9\x99n g\xc9\x99lir\xc9\x99m");
  while (buf_len(out) < m->size) {
    if (rng_chance(&rng, 1, 8)) buf_put_str(out, rng_chance(&rng, 1, 2) ? "." : "..");
    size_t from = rng_below(&rng, 40);
    buf_put(out, slice_of(text + from, rng_below(&rng, sizeof text - 1 - from)));
    if (m->size > 20000) buf_put(out, slice_of(text, sizeof text - 1));
    buf_put_str(out, "\r\n");
  }
}

void ledger_sent(struct ledger *l, uint32_t id) {
  struct letter *m = ledger_letter(l, id);
  for (unsigned b = 0; b < BOXES; b++)
    if (m->boxes >> b & 1 && m->copies[b] == COPY_NEVER) m->copies[b] = COPY_MAY;
}

void ledger_answered(struct ledger *l, uint32_t id, bool accepted, bool unsure) {
  struct letter *m = ledger_letter(l, id);
  for (unsigned b = 0; b < BOXES; b++) {
    if (!(m->boxes >> b & 1) || m->copies[b] != COPY_MAY) continue;
    if (accepted)
      m->copies[b] = COPY_MUST;
    else if (!unsure)
      m->copies[b] = COPY_NEVER;
  }
}

/* -- what is seen -- */

/* The letter as a client gets it that did not say UTF8. */
static void letter_put_surrogate(const struct letter *m, struct buf *out) {
  struct surrogate s;
  struct buf text;
  buf_init(&text, 1 << 20);
  letter_put(m, &text);
  surrogate_open(&s, SURROGATE_6857);
  surrogate_put(&s, buf_slice(&text), out);
  surrogate_end(&s, out);
  buf_free(&text);
}

static void check_text(struct world *w, const struct letter *m, struct slice octets, size_t at,
                       bool surrogate) {
  struct buf text;
  buf_init(&text, 1 << 20);
  if (surrogate)
    letter_put_surrogate(m, &text);
  else
    letter_put(m, &text);
  if (!slice_eq(slice_from(octets, at), buf_slice(&text)))
    world_fail(w, "letter %u is not what was sent: %zu octets of %zu", m->id, octets.n - at,
               buf_len(&text));
  if (at > 2000 || !slice_starts(octets, SLICE("Return-Path: <")))
    world_fail(w, "letter %u: its trace header is not one", m->id);
  buf_free(&text);
}

/* The letter that these octets are; NULL (and a failure): none. */
static struct letter *identify(struct ledger *l, struct world *w, struct slice octets,
                               bool surrogate) {
  ptrdiff_t at = slice_search(octets, SLICE("\r\nX-World: "));
  struct slice rest = slice_from(octets, at < 0 ? 0 : (size_t)at + 11);
  uint64_t id = 0;
  ptrdiff_t end = slice_find(rest, '\r');
  struct letter *m =
      at >= 0 && end > 0 && num_parse(slice_first(rest, (size_t)end), UINT32_MAX, &id)
          ? ledger_letter(l, (uint32_t)id)
          : NULL;
  if (!m)
    world_fail(w, "a message of %zu octets that nobody sent", octets.n);
  else
    check_text(w, m, octets, (size_t)at + 2, surrogate);
  return m;
}

static void check_uid(struct ledger *l, struct world *w, unsigned box, uint32_t uid,
                      uint32_t letter) {
  struct seen *s = &l->seen[box];
  for (size_t i = 0; i < s->count; i++) {
    if (s->uids[i].uid != uid) continue;
    if (s->uids[i].letter != letter)
      world_fail(w, "box %u: uid %u was letter %u, now it is %u", box, uid, s->uids[i].letter,
                 letter);
    return;
  }
  if (uid <= s->highest)
    world_fail(w, "box %u: uid %u is new, but %u was seen before", box, uid, s->highest);
  if (s->count == UIDS_MAX) return;
  s->uids[s->count].uid = uid;
  s->uids[s->count++].letter = letter;
}

static struct letter *see(struct ledger *l, struct world *w, unsigned box, uint32_t uid,
                          struct slice octets, bool surrogate) {
  struct letter *m = identify(l, w, octets, surrogate);
  if (!m) return NULL;
  check_uid(l, w, box, uid, m->id);
  enum copy *c = &m->copies[box];
  if (*c == COPY_NEVER) world_fail(w, "box %u: letter %u is there and should never be", box, m->id);
  if (*c == COPY_GONE) world_fail(w, "box %u: letter %u was deleted and is back", box, m->id);
  if (*c == COPY_MAY || *c == COPY_RETURNING) *c = COPY_MUST;
  return m;
}

/* A session reads a message that an earlier, unanswered QUIT was to delete. The maildrop's lock
 * says that this QUIT has ended, so all of its messages are there, and a later QUIT may delete some
 * of them. */
static void quit_was_not_made(struct ledger *l, unsigned box, uint32_t quit) {
  for (size_t i = 0; i < l->count; i++) {
    struct letter *m = &l->letters[i];
    if (m->copies[box] == COPY_LEAVING && m->quits[box] == quit) m->copies[box] = COPY_MUST;
  }
}

uint32_t ledger_see(struct ledger *l, struct world *w, unsigned box, uint32_t uid,
                    struct slice octets, bool surrogate) {
  struct letter *m = see(l, w, box, uid, octets, surrogate);
  if (m && m->copies[box] == COPY_LEAVING) quit_was_not_made(l, box, m->quits[box]);
  return m ? m->id : 0;
}

/* -- deletions -- */

uint32_t ledger_leave(struct ledger *l, unsigned box, const uint32_t *letters, size_t count) {
  uint32_t quit = ++l->next_quit;
  for (size_t i = 0; i < count; i++) {
    struct letter *m = ledger_letter(l, letters[i]);
    if (!m || m->copies[box] != COPY_MUST) continue;
    m->copies[box] = COPY_LEAVING;
    m->quits[box] = quit;
  }
  return quit;
}

void ledger_left(struct ledger *l, unsigned box, uint32_t quit, bool ok, bool unsure) {
  for (size_t i = 0; i < l->count; i++) {
    struct letter *m = &l->letters[i];
    if (m->copies[box] != COPY_LEAVING || m->quits[box] != quit) continue;
    if (ok)
      m->copies[box] = COPY_GONE;
    else if (!unsure)
      m->copies[box] = COPY_MUST;
  }
}

static void all_become(struct ledger *l, unsigned box, enum copy from, enum copy to) {
  for (size_t i = 0; i < l->count; i++)
    if (l->letters[i].copies[box] == from) l->letters[i].copies[box] = to;
}

void ledger_undelete(struct ledger *l, unsigned box) {
  all_become(l, box, COPY_GONE, COPY_RETURNING);
}
void ledger_undeleted(struct ledger *l, unsigned box) {
  all_become(l, box, COPY_RETURNING, COPY_GONE);
}

bool ledger_any_gone(const struct ledger *l, unsigned box) {
  for (size_t i = 0; i < l->count; i++)
    if (l->letters[i].copies[box] == COPY_GONE) return true;
  return false;
}

/* The letter with that UIDL: known by it, or by the uid it was made of. */
static struct letter *of_uidl(struct ledger *l, unsigned box, struct slice uidl) {
  const struct seen *s = &l->seen[box];
  char own[20];
  for (size_t i = 0; i < l->count; i++)
    if (slice_eq(slice_str(l->letters[i].uidls[box]), uidl)) return &l->letters[i];
  for (size_t i = 0; i < s->count; i++) {
    snprintf(own, sizeof own, "%08x", (unsigned)s->uids[i].uid);
    if (slice_eq(slice_from(uidl, 8), slice_str(own))) return ledger_letter(l, s->uids[i].letter);
  }
  return NULL;
}

void ledger_back(struct ledger *l, struct world *w, unsigned box, uint32_t uid, struct slice uidl) {
  const struct seen *s = &l->seen[box];
  struct letter *m = of_uidl(l, box, uidl);
  for (size_t i = 0; i < s->count; i++)
    if (s->uids[i].uid == uid) world_fail(w, "box %u: uid %u came back a second time", box, uid);
  if (!m) {
    world_fail(w, "box %u: %.*s came back and nobody had deleted it", box, SLICE_ARG(uidl));
    return;
  }
  if (m->copies[box] != COPY_RETURNING)
    world_fail(w, "box %u: letter %u came back and was not gone", box, m->id);
  m->copies[box] = COPY_MUST;
}

/* -- the whole of a mailbox -- */

static bool is_there(const uint32_t *there, size_t count, uint32_t id) {
  for (size_t i = 0; i < count; i++)
    if (there[i] == id) return true;
  return false;
}

/* The deletions of one QUIT, all or none: the first that is found out decides for the others. */
static void settle_quit(struct ledger *l, struct world *w, unsigned box, uint32_t quit, bool gone,
                        const uint32_t *there, size_t count) {
  for (size_t i = 0; i < l->count; i++) {
    struct letter *m = &l->letters[i];
    if (m->copies[box] != COPY_LEAVING || m->quits[box] != quit) continue;
    if (is_there(there, count, m->id) == gone)
      world_fail(w, "box %u: half of a QUIT's deletions was made", box);
    m->copies[box] = gone ? COPY_GONE : COPY_MUST;
  }
}

static void settle(struct ledger *l, struct world *w, unsigned box, const uint32_t *there,
                   size_t count) {
  for (size_t i = 0; i < l->count; i++) {
    struct letter *m = &l->letters[i];
    bool present = is_there(there, count, m->id);
    if (m->copies[box] == COPY_LEAVING)
      settle_quit(l, w, box, m->quits[box], !present, there, count);
    if (m->copies[box] == COPY_MUST && !present)
      world_fail(w, "box %u: letter %u is lost", box, m->id);
    if (m->copies[box] == COPY_RETURNING) m->copies[box] = COPY_GONE; /* likewise */
    /* absent: ledger_see makes it COPY_MUST */
    if (m->copies[box] == COPY_MAY) m->copies[box] = COPY_NEVER;
  }
}

static void check_uidl(struct world *w, unsigned box, struct letter *m,
                       const struct world_mail *mail) {
  char *had = m->uidls[box];
  if (!had[0]) snprintf(had, sizeof m->uidls[box], "%s", mail->uidl);
  if (strcmp(had, mail->uidl) != 0)
    world_fail(w, "box %u: letter %u had the UIDL %s and has %s", box, m->id, had, mail->uidl);
}

void ledger_compare(struct ledger *l, struct world *w, unsigned box, const struct world_box *b) {
  struct seen *s = &l->seen[box];
  uint32_t *there = must_alloc((b->count + 1) * sizeof *there), last = 0;
  if (s->uidvalidity && s->uidvalidity != b->uidvalidity)
    world_fail(w, "box %u: another uidvalidity", box);
  s->uidvalidity = b->uidvalidity;
  for (size_t i = 0; i < b->count; i++) {
    const struct world_mail *mail = &b->mails[i];
    if (mail->uid <= last) world_fail(w, "box %u: uid %u behind %u", box, mail->uid, last);
    if (mail->octets.n != mail->size)
      world_fail(w, "box %u: %llu octets announced, %zu read", box, (unsigned long long)mail->size,
                 mail->octets.n);
    struct letter *m = see(l, w, box, mail->uid, mail->octets, false);
    uint32_t id = m ? m->id : 0;
    if (m) check_uidl(w, box, m, mail);
    if (id && is_there(there, i, id)) world_fail(w, "box %u: letter %u is there twice", box, id);
    there[i] = id;
    last = mail->uid;
  }
  if (last > s->highest) s->highest = last;
  settle(l, w, box, there, b->count);
  free(there);
}
