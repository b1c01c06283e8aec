#include "src/cli/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/codec.h"
#include "lib/base/sys.h"
#include "lib/tls/digest.h"
#include "src/cli/terminal.h"

/* Something that ends the fetch; the first thing counts. */
static enum pop3_sink_says over(struct fetch *f, int code, const char *why) {
  progress_clear(&f->progress);
  if (f->code == CLI_EXIT_OK) f->code = cli_fail(code, "%s", why);
  return POP3_SINK_OVER;
}

static enum pop3_sink_says dest_over(struct fetch *f) { return over(f, f->dest->code, f->dest->error); }

/* --- what is wished --- */

/* Known: in the memory, with nothing left to be done. */
static uint8_t wish_known(struct fetch *f, const struct memory_entry *e, bool twin) {
  bool old = f->delete_after >= 0 && f->now - e->since >= f->delete_after;
  f->known++;
  return !twin && (f->remove || old) ? POP3_DELETE : POP3_LEAVE;
}

/* Copies may share a UIDL (RFC 1939 §7): the first stands for all in the memory. When they are to be deleted
 * each is fetched, since a server may be wrong about what is a copy. */
static uint8_t wish_one(struct fetch *f, struct pop3_item *m, bool first) {
  const struct memory_entry *e = f->memory && m->uidl.n ? memory_find(f->memory, m->uidl) : NULL;
  if (e) memory_keep(f->memory, m->uidl);
  if (m->size > f->largest) {
    f->too_large++;
    return POP3_LEAVE;
  }
  if (m->twin && f->remove) return POP3_MOVE;
  if (m->twin && !first && f->memory && !f->all) {
    f->twins++;
    return POP3_LEAVE;
  }
  if (e && !f->all) return wish_known(f, e, m->twin);
  if (f->memory && !m->uidl.n && !f->remove && !f->all) {
    f->nameless++;
    return POP3_LEAVE;
  }
  return f->remove || (f->delete_after == 0 && m->uidl.n) ? POP3_MOVE : POP3_FETCH;
}

static int by_uidl(const void *a, const void *b) {
  const struct pop3_item *const *x = a, *const *y = b;
  int order = slice_cmp((*x)->uidl, (*y)->uidl);
  return order ? order : (*x)->number < (*y)->number ? -1 : 1;
}

/* Of those that share a UIDL only the one with the lowest number is `own`ed. */
static bool mark_first_twins(struct fetch *f, struct pop3_item *items, size_t count) {
  size_t n = 0;
  struct pop3_item **twins = calloc(count + 1, sizeof *twins);
  if (!twins) return false;
  for (size_t i = 0; i < count; i++)
    if (items[i].twin) twins[n++] = &items[i];
  if (n) qsort(twins, n, sizeof *twins, by_uidl);
  for (size_t i = 0; i < n; i++)
    if (i == 0 || !slice_eq(twins[i - 1]->uidl, twins[i]->uidl)) twins[i]->own = f;
  free(twins);
  return true;
}

static enum pop3_sink_says listed(void *arg, struct pop3_item *items, size_t count) {
  struct fetch *f = arg;
  uint64_t messages = 0, octets = 0;
  if (f->memory && !f->pop->has_uidl && !f->remove && !f->all)
    return over(
        f, CLI_EXIT_UNAVAILABLE,
        "the server has no UIDL, so what was fetched cannot be told from what was not; --delete takes "
        "mail away from there, --all fetches everything each time");
  if (!mark_first_twins(f, items, count)) return over(f, CLI_EXIT_SYSTEM, "no memory");
  for (size_t i = 0; i < count; i++) {
    items[i].wish = wish_one(f, &items[i], items[i].own != NULL);
    if (items[i].wish != POP3_FETCH && items[i].wish != POP3_MOVE) continue;
    messages++;
    octets += items[i].size;
  }
  progress_start(&f->progress, cli_given(f->c, "quiet") || f->net.verbose, messages, octets);
  return POP3_SINK_ON;
}

/* --- messages --- */

/* The same for one message of one maildrop, whenever it comes, and for no other. */
static void put_id(const struct fetch *f, const struct pop3_item *m, struct buf *id) {
  uint8_t digest[DIGEST_SHA256_SIZE];
  struct slice parts[] = { slice_str(f->user), SLICE("@"), slice_str(f->net.url.host), SLICE("\n"), m->uidl };
  if (m->uidl.n && !m->twin && digest_parts(DIGEST_SHA256, parts, sizeof parts / sizeof *parts, digest))
    hex_put(id, slice_of(digest, sizeof digest));
}

static enum pop3_sink_says begin(void *arg, struct pop3_item *m) {
  struct fetch *f = arg;
  struct buf id;
  buf_init(&id, 2 * DIGEST_SHA256_SIZE);
  put_id(f, m, &id);
  bool ok = f->dest->ops->begin(f->dest, buf_slice(&id));
  buf_free(&id);
  f->fresh = true;
  return ok ? POP3_SINK_ON : dest_over(f);
}

static enum pop3_sink_says piece(void *arg, struct pop3_item *m, struct slice octets) {
  struct fetch *f = arg;
  if (f->fresh) net_show_text(&f->net, "S", octets);
  f->fresh = false;
  f->progress.octets += octets.n;
  progress_step(&f->progress);
  return f->dest->ops->put(f->dest, octets) ? POP3_SINK_ON : dest_over(f);
}

static enum pop3_sink_says end(void *arg, struct pop3_item *m) {
  struct fetch *f = arg;
  struct buf *mark = &f->marks[f->count];
  buf_init(mark, 1024);
  f->progress.messages++;
  progress_step(&f->progress);
  switch (f->dest->ops->end(f->dest, mark)) {
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

static bool note(struct fetch *f, const bool *safe) {
  if (!f->memory) return true;
  for (size_t i = 0; i < f->count; i++)
    if (safe[i] && f->batch[i]->uidl.n)
      memory_add(f->memory, f->batch[i]->uidl, buf_slice(&f->marks[i]), sys_wall_s());
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
    f->fetched += good;
    f->fetched_octets += good ? f->batch[i]->octets : 0;
    f->refused += shown && !safe[i];
    pop3_client_settle(f->pop, f->batch[i], good);
    buf_free(&f->marks[i]);
  }
  f->count = 0;
  f->octets = 0;
}

bool fetch_take_up(struct fetch *f) {
  size_t n = 0;
  const struct memory_entry *e = f->memory ? memory_all(f->memory, &n) : NULL;
  for (size_t i = 0; i < n; i++) {
    if (!e[i].mark.n) continue;
    enum dest_finish how = f->dest->ops->finish ? f->dest->ops->finish(f->dest, e[i].mark) : DEST_SHOWN;
    if (how == DEST_FAILED) return dest_over(f), false;
    if (how == DEST_LOST) memory_lose(f->memory, e[i].uidl);
  }
  if (f->dest->ops->show(f->dest)) return true;
  dest_over(f);
  return false;
}

/* --- where the memory is --- */

bool fetch_state_path(struct slice of, char *to, size_t room) {
  uint8_t digest[DIGEST_SHA256_SIZE];
  const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
  struct buf name;
  buf_init(&name, 2 * DIGEST_SHA256_SIZE);
  int n = -1;
  if (digest_of(DIGEST_SHA256, of, digest)) hex_put(&name, slice_of(digest, 16));
  struct slice hex = buf_slice(&name);
  if (hex.n && state && state[0] == '/')
    n = snprintf(to, room, "%s/qasid/fetch-%.*s", state, SLICE_ARG(hex));
  else if (hex.n && home && home[0] == '/')
    n = snprintf(to, room, "%s/.local/state/qasid/fetch-%.*s", home, SLICE_ARG(hex));
  buf_free(&name);
  return n > 0 && (size_t)n < room;
}
