/* SPDX-License-Identifier: ISC */
/* Input that crashes processes: records of the clients being served, for the parent to read when
 * this process is dead (src/parent/offender.h), and the addresses that are refused as a result. */
#include "runtime/front/private.h"

#include <sys/mman.h>
#include <unistd.h>

void front_notes_open(struct process *r, int fd) {
  struct front *f = r->arg;
  void *at = mmap(NULL, sizeof *f->notes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (at == MAP_FAILED)
    return; /* without the page the parent finds no offender; nothing else is lost */
  if (f->notes) munmap(f->notes, sizeof *f->notes);
  f->notes = at;
}

/* Written octet by octet through volatile, so that the page is current when the next instruction
 * crashes. */
static void write_note(volatile struct front_note *to, const struct conn *c) {
  to->n = 0;
  for (size_t i = 0; i < c->peer_len; i++) to->address[i] = c->peer[i];
  to->n = c->peer_len;
}

static bool is_noted(const struct front_note *n, const struct conn *c) {
  return n->n == c->peer_len && memcmp(n->address, c->peer, c->peer_len) == 0;
}

void front_note(struct front *f, const struct conn *c) {
  if (!f->notes) return;
  volatile struct front_note *now = &f->notes->now;
  if (!c) {
    now->n = 0;
    return;
  }
  write_note(now, c);
  if (is_noted(&f->notes->recent[f->noted], c)) return;
  f->noted = (f->noted + 1) % FRONT_NOTES_RECENT;
  write_note(&f->notes->recent[f->noted], c);
}

/* --- refused addresses --- */

void front_offender(struct process *r, struct slice address, uint32_t seconds) {
  struct front *f = r->arg;
  struct conn who = { .peer_len = (uint8_t)address.n };
  if (address.n != 4 && address.n != 16) return;
  memcpy(who.peer, address.p, address.n);
  struct front_offender *first = &f->offenders[0];
  for (size_t i = 1; i < FRONT_REFUSED_MAX; i++)
    if (f->offenders[i].until_ms < first->until_ms) first = &f->offenders[i];
  *first = (struct front_offender){ conn_address_key(&who),
                                    loop_now(r->loop) + (uint64_t)seconds * 1000 };
  for (struct conn *c = f->oldest, *next; c; c = next) {
    next = c->newer;
    if (conn_address_key(c) == first->key) conn_end(c, CLOSE_OFFENDER);
  }
}

bool conn_is_offender(const struct conn *c) {
  uint64_t key = conn_address_key(c), now = loop_now(c->front->process->loop);
  for (size_t i = 0; i < FRONT_REFUSED_MAX; i++)
    if (c->front->offenders[i].key == key && now < c->front->offenders[i].until_ms) return true;
  return false;
}
