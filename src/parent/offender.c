/* SPDX-License-Identifier: ISC */
/* Which client address makes front-ends crash (offender.h has states and rules). Pure: a fixed
 * array of rows, searched in full at each crash. When the array is full, the suspect that was
 * present longest ago is evicted; once an address is refused, the suspects are cleared. */
#include "src/parent/offender.h"

#include <string.h>

static bool is_address(const struct front_note *a) { return a->n == 4 || a->n == 16; }

/* The network of an address in the notes: a host's (IPv6: /64). */
static struct front_note network_of(const struct front_note *a) {
  struct front_note n = { .n = a->n };
  memcpy(n.address, a->address, a->n == 4 ? 4 : 8);
  return n;
}

static bool is_at(const struct offender *r, const struct front_note *who) {
  return r->who.n == who->n && memcmp(r->who.address, who->address, sizeof who->address) == 0;
}

/* True if `a` is to be replaced before `b`: an empty row before a suspect, the suspect present
 * longest ago first. */
static bool goes_before(const struct offender *a, const struct offender *b) {
  return b->who.n && (!a->who.n || a->last_ms < b->last_ms);
}

/* Its row; a new address takes an empty row or a suspect's. At least OFFENDERS_SUSPECTED rows are
 * one or the other. */
static struct offender *row_of(struct offenders *o, const struct front_note *a) {
  struct front_note who = network_of(a);
  struct offender *place = NULL;
  for (size_t i = 0; i < OFFENDERS_MAX; i++) {
    struct offender *r = &o->rows[i];
    if (is_at(r, &who)) return r;
    if (!r->until_ms && (!place || goes_before(r, place))) place = r;
  }
  *place = (struct offender){ .who = who };
  return place;
}

/* Bounds the number of refused addresses: the one whose time ends first is dropped. */
static void bound_refused(struct offenders *o) {
  struct offender *first = NULL;
  size_t n = 0;
  for (size_t i = 0; i < OFFENDERS_MAX; i++) {
    struct offender *r = &o->rows[i];
    if (!r->until_ms) continue;
    n++;
    if (!first || r->until_ms < first->until_ms) first = r;
  }
  if (n == OFFENDERS_MAX - OFFENDERS_SUSPECTED) *first = (struct offender){ .who.n = 0 };
}

static void forget(struct offenders *o, uint64_t now_ms) {
  if (now_ms - o->death_ms > OFFENDER_FORGET_MS) o->deaths = 0;
  for (size_t i = 0; i < OFFENDERS_MAX; i++) {
    struct offender *r = &o->rows[i];
    bool old = r->until_ms ? now_ms >= r->until_ms
                           : !o->deaths || now_ms - r->last_ms > OFFENDER_FORGET_MS;
    if (old) *r = (struct offender){ .who.n = 0 };
  }
}

static void count_presence(struct offenders *o, const struct front_note *a, uint64_t now_ms,
                           bool caught) {
  if (!is_address(a)) return;
  struct offender *r = row_of(o, a);
  r->caught += caught;
  if (r->last_ms == now_ms && r->present)
    return; /* already counted in this crash, from another entry of the page */
  r->last_ms = now_ms;
  r->present++;
}

/* Rule 2. */
static struct offender *always_there(struct offenders *o) {
  struct offender *found = NULL;
  unsigned others = 0;
  if (o->deaths < OFFENDER_DEATHS) return NULL;
  for (size_t i = 0; i < OFFENDERS_MAX; i++) {
    struct offender *r = &o->rows[i];
    if (!r->who.n || r->until_ms) continue;
    if (r->present < o->deaths)
      others++;
    else if (found)
      return NULL;
    else
      found = r;
  }
  return others >= OFFENDER_OTHERS ? found : NULL;
}

const struct offender *find_offender(struct offenders *o, const struct front_notes *notes,
                                     uint64_t now_ms, uint64_t time_ms) {
  forget(o, now_ms);
  if (now_ms == o->death_ms) now_ms++; /* each crash has a distinct time */
  o->deaths++;
  o->death_ms = now_ms;
  count_presence(o, &notes->now, now_ms, true);
  for (size_t i = 0; i < FRONT_NOTES_RECENT; i++)
    count_presence(o, &notes->recent[i], now_ms, false);
  struct offender *r = is_address(&notes->now) ? row_of(o, &notes->now) : NULL;
  if (!r || r->caught < OFFENDER_CAUGHT) r = always_there(o);
  if (!r || r->until_ms || !time_ms) return NULL;
  bound_refused(o);
  r->until_ms = now_ms + time_ms;
  o->deaths = 0; /* once that address is refused the search starts again */
  for (size_t i = 0; i < OFFENDERS_MAX; i++)
    if (!o->rows[i].until_ms) o->rows[i] = (struct offender){ .who.n = 0 };
  return r;
}
