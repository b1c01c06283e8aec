/* SPDX-License-Identifier: ISC */
/* Fetches mail (fetch.h): the sink of a POP3 client session between memory and destination.
 *
 *   listed → wished | known → octets → complete → ready → recorded → visible → settled (may be
 *   deleted)
 *
 * Invariants: a message may be deleted at the server only after its destination has it durably and,
 * if there is a memory, that was recorded; a known message is deleted only if its octets are the
 * recorded ones; after the first reason to end, nothing more is begun. */
#include "src/cli/client/fetch.h"

#include "src/cli/client/had_tls.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/codec.h"
#include "lib/base/sys.h"
#include "lib/tls/digest.h"
#include "src/cli/base/terminal.h"

/* Record why the fetch ends; the first reason is kept. */
static enum pop3_sink_verdict over(struct fetch *f, int code, const char *why) {
  progress_clear(&f->progress);
  if (f->code == CLI_EXIT_OK) f->code = cli_fail(code, "%s", why);
  return POP3_SINK_OVER;
}

static enum pop3_sink_verdict dest_over(struct fetch *f) {
  return over(f, f->dest->code, f->dest->error);
}

/* --- what to fetch --- */

/* In the memory. A message to be deleted is fetched once more: only its octets prove which one it
 * is. */
static uint8_t wish_known(struct fetch *f, int64_t since) {
  bool old = f->delete_after == 0 || (f->delete_after > 0 && f->now - since >= f->delete_after);
  f->known += f->lists == 1;
  return f->remove || old ? POP3_MOVE : POP3_LEAVE;
}

static uint8_t wish_one(struct fetch *f, const struct pop3_item *m) {
  bool named = f->memory && m->uidl.n;
  int64_t since;
  bool known = named && memory_knows(f->memory, m->uidl, m->size, m->like->alike, &since);
  if (named) memory_keep(f->memory, m->uidl, m->size);
  if (stepped_has(&f->stepped, m->number, m->size, m->uidl)) return POP3_LEAVE;
  if (m->size > f->largest) {
    f->too_large += f->lists == 1;
    return POP3_LEAVE;
  }
  if (known && !f->all) return wish_known(f, since);
  if (f->memory && !m->uidl.n && !f->remove && !f->all) {
    f->nameless += f->lists == 1;
    return POP3_LEAVE;
  }
  bool move = f->remove || (f->delete_after == 0 && m->uidl.n);
  return move ? POP3_MOVE : fetched_find(&f->here, m) ? POP3_LEAVE : POP3_FETCH;
}

static enum pop3_sink_verdict listed(void *arg, struct pop3_item *items, size_t count) {
  struct fetch *f = arg;
  uint64_t messages = 0, octets = 0;
  f->lists++;
  f->refused = 0;
  if (f->memory && !f->pop->has_uidl && !f->remove && !f->all)
    return over(f, CLI_EXIT_UNAVAILABLE,
                "the server has no UIDL, so what was fetched cannot be told from what was not; "
                "--delete takes "
                "mail away from there, --all fetches everything each time");
  for (size_t i = 0; i < count; i++) {
    items[i].wish = wish_one(f, &items[i]);
    if (items[i].wish != POP3_FETCH && items[i].wish != POP3_MOVE) continue;
    messages++;
    octets += items[i].size;
  }
  progress_start(&f->progress, cli_given(f->c, "quiet") || f->net.verbose, messages, octets);
  return POP3_SINK_ON;
}

/* --- messages --- */

/* The same for these octets under this UIDL of this maildrop, whenever they come, and for no
 * others. */
static void put_id(const struct fetch *f, const struct pop3_item *m, const uint8_t *octets,
                   struct buf *id) {
  uint8_t digest[DIGEST_SHA256_SIZE];
  struct buf of;
  buf_init(&of, 8192);
  fetch_put_maildrop(f, &of);
  struct slice parts[] = { buf_slice(&of), SLICE("\n"), m->uidl,
                           slice_of(octets, DIGEST_SHA256_SIZE) };
  if (m->uidl.n && !of.failed &&
      digest_parts(DIGEST_SHA256, parts, sizeof parts / sizeof *parts, digest))
    hex_put(id, slice_of(digest, sizeof digest));
  buf_free(&of);
}

void fetch_put_maildrop(const struct fetch *f, struct buf *out) {
  const struct url *u = &f->net.url;
  buf_printf(out, "%s://%s@%s:%u", u->tls ? "pop3s" : "pop3", f->user, u->host, (unsigned)u->port);
}

static enum pop3_sink_verdict begin(void *arg, struct pop3_item *m) {
  struct fetch *f = arg;
  digest_end(&f->digest, NULL);
  f->digest = digest_begin(DIGEST_SHA256);
  if (!f->digest) return over(f, CLI_EXIT_SYSTEM, "no memory");
  f->fresh = true;
  return f->dest->ops->begin(f->dest) ? POP3_SINK_ON : dest_over(f);
}

static enum pop3_sink_verdict piece(void *arg, struct pop3_item *m, struct slice octets) {
  struct fetch *f = arg;
  if (f->fresh) net_show_text(&f->net, "S", octets);
  f->fresh = false;
  f->progress.octets += octets.n;
  progress_step(&f->progress);
  digest_put(f->digest, octets);
  return f->dest->ops->put(f->dest, octets) ? POP3_SINK_ON : dest_over(f);
}

/* True if it is at its destination from an earlier run, or is a copy of one that is: these very
 * octets under this UIDL. If its listed size changed, or there is one more copy, it is recorded
 * again. */
static bool is_here(struct fetch *f, struct pop3_item *m, const uint8_t *digest) {
  const struct fetched_message *before = fetched_find(&f->here, m);
  if (before && memcmp(before->octets, digest, DIGEST_SHA256_SIZE) == 0) {
    m->own = before->own;
    return true;
  }
  if (!f->memory || !m->uidl.n || f->all) return false;
  if (m->twin) fetch_settle(f); /* a copy may be in the batch */
  size_t number = memory_same(f->memory, m->uidl, digest, m->twin);
  if (!number) return false;
  m->own = (void *)(uintptr_t)number;
  struct memory_entry again = *memory_at(f->memory, number);
  again.size = m->size, again.octets = m->octets, again.mark = SLICE_NONE;
  if (memory_count(f->memory, m->uidl, m->size, m->twin) <= m->like->kept)
    memory_add(f->memory, &again);
  return memory_sync(f->memory);
}

/* A message with a known UIDL turned out to be another one: it is fetched after all. */
static void count_new(struct fetch *f, const struct pop3_item *m) {
  int64_t since;
  bool known = f->memory && m->uidl.n && !f->all &&
               memory_knows(f->memory, m->uidl, m->size, m->like->alike, &since);
  if (known && f->known) f->known--;
}

/* The server cannot read a message, or does not stuff its first dot. */
static enum pop3_sink_verdict nothing_came(struct fetch *f, const struct pop3_item *m) {
  f->dest->ops->cut(f->dest);
  progress_clear(&f->progress);
  cli_fail(0, "message %llu: nothing came of the %llu octets that are listed",
           (unsigned long long)m->number, (unsigned long long)m->size);
  f->refused++;
  return POP3_SINK_NO;
}

static enum pop3_sink_verdict end(void *arg, struct pop3_item *m) {
  struct fetch *f = arg;
  uint8_t digest[DIGEST_SHA256_SIZE];
  struct buf id;
  f->progress.messages++;
  progress_step(&f->progress);
  if (!digest_end(&f->digest, digest)) return over(f, CLI_EXIT_SYSTEM, "no memory");
  if (!m->octets && m->size) return nothing_came(f, m);
  if (is_here(f, m, digest)) {
    f->dest->ops->cut(f->dest);
    pop3_client_settle(f->pop, m, true);
    return POP3_SINK_ON;
  }
  if (f->code != CLI_EXIT_OK) return POP3_SINK_OVER;
  count_new(f, m);
  struct buf *mark = &f->marks[f->count];
  buf_init(mark, 1024);
  buf_init(&id, 2 * DIGEST_SHA256_SIZE);
  put_id(f, m, digest, &id);
  memcpy(f->digests[f->count], digest, sizeof digest);
  enum dest_end how = f->dest->ops->end(f->dest, buf_slice(&id), mark);
  buf_free(&id);
  switch (how) {
  case DEST_BROKEN: buf_free(mark); return dest_over(f);
  case DEST_REFUSED:
    buf_free(mark);
    progress_clear(&f->progress);
    if (!f->refused++)
      cli_fail(0, "message %llu was not taken: %s", (unsigned long long)m->number, f->dest->error);
    f->dest->error[0] = 0;
    return POP3_SINK_NO;
  case DEST_TAKEN: break;
  }
  f->batch[f->count++] = m;
  f->octets += m->octets;
  if (f->count == FETCH_BATCH || f->octets >= FETCH_BATCH_OCTETS) fetch_settle(f);
  return f->code == CLI_EXIT_OK ? POP3_SINK_ON : POP3_SINK_OVER;
}

static void cut(void *arg, struct pop3_item *m) {
  struct fetch *f = arg;
  f->dest->ops->cut(f->dest);
}

static void refused(void *arg, struct pop3_item *m, struct slice words) {
  struct fetch *f = arg;
  struct buf safe;
  buf_init(&safe, 4096);
  text_put_safe(&safe, slice_first(words, 200));
  progress_clear(&f->progress);
  cli_fail(0, "message %llu: the server says %.*s", (unsigned long long)m->number,
           SLICE_ARG(buf_slice(&safe)));
  f->refused++;
  buf_free(&safe);
}

struct pop3_sink fetch_sink(struct fetch *f) {
  return (struct pop3_sink){ listed, begin, piece, end, cut, refused, f };
}

/* --- safe --- */

static void add_to_memory(struct fetch *f, size_t at) {
  struct pop3_item *m = f->batch[at];
  struct memory_entry e = { .uidl = m->uidl,
                            .mark = buf_slice(&f->marks[at]),
                            .since = sys_wall_s(),
                            .size = m->size,
                            .octets = m->octets };
  memcpy(e.digest, f->digests[at], sizeof e.digest);
  m->own = (void *)(uintptr_t)memory_add(f->memory, &e);
}

static bool note(struct fetch *f, const bool *safe) {
  if (!f->memory) return true;
  for (size_t i = 0; i < f->count; i++)
    if (safe[i] && f->batch[i]->uidl.n) add_to_memory(f, i);
  if (memory_sync(f->memory)) return true;
  char why[300];
  snprintf(why, sizeof why, "what was fetched cannot be noted: %s", strerror(errno));
  over(f, CLI_EXIT_IO, why);
  return false;
}

void fetch_settle(void *fetch) {
  struct fetch *f = fetch;
  bool safe[FETCH_BATCH];
  for (size_t i = 0; i < f->count; i++) safe[i] = true;
  bool ready = f->dest->ops->ready(f->dest, safe, f->count);
  if (!ready) dest_over(f);
  bool noted = ready && note(f, safe);
  bool shown = noted && f->dest->ops->show(f->dest);
  if (noted && !shown) dest_over(f);
  for (size_t i = 0; i < f->count; i++) {
    bool good = shown && safe[i];
    if (good && !fetched_add(&f->here, f->batch[i], f->digests[i]))
      over(f, CLI_EXIT_SYSTEM, "no memory");
    f->fetched += good;
    f->fetched_octets += good ? f->batch[i]->octets : 0;
    f->refused += shown && !safe[i];
    pop3_client_settle(f->pop, f->batch[i], good);
    buf_free(&f->marks[i]);
  }
  f->count = 0;
  f->octets = 0;
}

bool fetch_step_over(struct fetch *f) {
  const struct pop3_item *m = f->pop->stuck;
  if (f->code != CLI_EXIT_OK || f->pop->end == POP3_END_DONE || !m) return false;
  if (!stepped_over(&f->stepped, m->number, m->size, m->uidl)) return false;
  struct buf name;
  buf_init(&name, 1024);
  text_put_safe(&name, slice_first(m->uidl, 80));
  cli_fail(0,
           "message %" PRIu64
           "%s%.*s%s ends the session; it is left there, and another session fetches the others",
           m->number, m->uidl.n ? " (" : "", SLICE_ARG(buf_slice(&name)), m->uidl.n ? ")" : "");
  buf_free(&name);
  return true;
}

bool fetch_take_up(struct fetch *f) {
  size_t n = 0;
  const struct memory_entry *e = f->memory ? memory_all(f->memory, &n) : NULL;
  for (size_t i = 0; i < n; i++) {
    if (!e[i].mark.n) continue;
    enum dest_finish how =
        f->dest->ops->finish ? f->dest->ops->finish(f->dest, e[i].mark) : DEST_SHOWN;
    if (how == DEST_FAILED) return dest_over(f), false;
    if (how == DEST_LOST) memory_lose(f->memory, i + 1);
  }
  if (f->dest->ops->show(f->dest)) return true;
  dest_over(f);
  return false;
}

void fetch_forget_deleted(struct fetch *f) {
  if (!f->memory || f->pop->end != POP3_END_DONE) return;
  for (size_t i = 0; i < f->pop->count; i++) {
    const struct pop3_item *m = &f->pop->items[i];
    if (m->state == POP3_DELETED && m->own) memory_lose(f->memory, (size_t)(uintptr_t)m->own);
  }
}

/* --- where the memory is --- */

bool fetch_state_path(struct slice of, char *to, size_t room) {
  return had_tls_path("fetch", of, to, room);
}
