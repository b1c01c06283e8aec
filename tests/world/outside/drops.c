/* SPDX-License-Identifier: ISC */
#include "tests/world/outside/drops.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/base/num.h"
#include "tests/world/must.h"

enum { LINE_MOST = 2000, NEVER = 1 << 30, TEMPER_MOST_MS = 5 * 60 * 1000 };

struct drop_conn {
  struct drop *drop;
  struct net_conn *net;
  struct buf line;
  bool secure, user, in, dead, securing, silent, locks;
  unsigned cut_out; /* octets until it is cut */
  bool cut_resets;
  unsigned stall_at; /* commands until it says nothing any more */
  /* the session's listing */
  size_t mails[DROP_MAIL_MAX];
  uint64_t listed[DROP_MAIL_MAX];
  long sent[DROP_MAIL_MAX]; /* the version that this session has sent whole; -1: none */
  bool marked[DROP_MAIL_MAX];
  size_t count;
};

static struct rng *rng_of(struct drop_conn *c) { return &c->drop->all->rng; }
static bool may(struct drop_conn *c, unsigned of, unsigned in) {
  return !c->drop->all->calm && rng_chance(rng_of(c), of, in);
}

static enum drop_temper temper_of(struct drop *d) {
  static const enum drop_temper often[] = { DROP_WELL,  DROP_WELL,  DROP_WELL,   DROP_FLAKY,
                                            DROP_FLAKY, DROP_FLAKY, DROP_CUTTER, DROP_CUTTER,
                                            DROP_LIAR,  DROP_LIAR,  DROP_DEAD,   DROP_SILENT };
  struct drops *all = d->all;
  if (all->calm) return DROP_WELL;
  if (world_now(all->w) < d->until_ms) return d->temper;
  d->temper = often[rng_below(&all->rng, sizeof often / sizeof *often)];
  d->until_ms = world_now(all->w) + rng_between(&all->rng, 1000, TEMPER_MOST_MS);
  return d->temper;
}

static bool is(struct drop_conn *c, enum drop_temper t) { return temper_of(c->drop) == t; }

/* --- mail --- */

static void put_text(const struct drop_mail *m, struct buf *out) {
  struct rng rng = rng_from(m->seed);
  if (m->dot_first) buf_put_str(out, ".\r\n");
  buf_printf(out, "X-World: %u\r\nSubject: number %u\r\n\r\n", m->id, m->id);
  while (buf_len(out) < m->size) {
    static const char *const lines[] = {
      "", ".", "..", ".x", "From here", "-ERR", "+OK", "a line of text that is longer than others"
    };
    buf_put_str(out, lines[rng_below(&rng, sizeof lines / sizeof *lines)]);
    buf_put_str(out, "\r\n");
  }
  buf_put_str(out, "the end\r\n");
}

/* A UIDL of a message that is gone, or that another has: not where the collection leaves its mail,
 * which goes by UIDL and size alone. */
static void name_mail(struct drop *d, struct drop_mail *m) {
  struct rng *rng = &d->all->rng;
  struct drop_mail *other =
      m > d->mails ? &d->mails[rng_below(rng, (uint64_t)(m - d->mails))] : NULL;
  bool same = other && !d->stays && rng_chance(rng, 1, other->gone ? 2 : 8);
  if (same)
    memcpy(m->uidl, other->uidl, sizeof m->uidl);
  else
    snprintf(m->uidl, sizeof m->uidl, "u%u-%llx", m->id, (unsigned long long)(m->seed & 0xffff));
}

static void come(struct drop *d) {
  struct rng *rng = &d->all->rng;
  if (d->count == DROP_MAIL_MAX) return;
  struct drop_mail *m = &d->mails[d->count++];
  static const uint32_t sizes[] = { 100, 100, 300, 300, 1000, 5000, 5000, 150 * 1000 };
  *m = (struct drop_mail){ .id = ++d->all->ids,
                           .seed = rng_next(rng),
                           .dot_first = rng_chance(rng, 1, 8) };
  m->size = sizes[rng_below(rng, rng_chance(rng, 1, 4) ? 8 : 6)];
  name_mail(d, m);
}

void drops_mail(struct drops *d) {
  for (unsigned n = (unsigned)rng_below(&d->rng, 5); n; n--)
    come(&d->drops[rng_below(&d->rng, DROPS)]);
}

void drops_init(struct drops *d, struct world *w, uint64_t seed) {
  static const struct {
    enum drop_tls tls;
    bool stays;
  } kinds[DROPS] = {
    { DROP_IMPLICIT, false },
    { DROP_NONE, false },
    { DROP_STARTED, true },
    { DROP_NONE, false },
  };
  d->w = w;
  d->rng = rng_from(seed);
  for (unsigned i = 0; i < DROPS; i++) {
    d->drops[i].all = d, d->drops[i].index = i;
    d->drops[i].tls = kinds[i].tls, d->drops[i].stays = kinds[i].stays;
    d->drops[i].never_stuffs = i == 1;
  }
}

void drops_free(struct drops *d) {
  for (unsigned i = 0; i < DROPS; i++) free(d->drops[i].versions);
}

/* --- versions --- */

static struct drop_version *version_find(struct drop *d, struct slice octets, uint32_t id) {
  uint64_t hash = slice_hash(octets);
  for (size_t i = 0; i < d->version_count; i++) {
    struct drop_version *v = &d->versions[i];
    if (v->id == id && v->hash == hash && v->length == octets.n) return v;
  }
  return NULL;
}

static long version_add(struct drop *d, const struct drop_mail *m, struct slice octets,
                        bool whole) {
  struct drop_version *v = version_find(d, octets, m->id);
  if (!v) {
    d->versions = must_fit(d->versions, d->version_count, &d->version_process, sizeof *d->versions);
    v = &d->versions[d->version_count++];
    *v = (struct drop_version){ .id = m->id, .hash = slice_hash(octets), .length = octets.n };
  }
  v->whole |= whole;
  return v - d->versions;
}

/* --- what it says --- */

static void end(struct drop_conn *c, bool reset) {
  if (c->dead) return;
  c->dead = true;
  net_end(c->net, reset);
}

static void show(const struct drop_conn *c, char direction, struct slice s) {
  if (c->drop->all->verbose)
    fprintf(stderr, "%8llu drop%u %c: %.*s\n", (unsigned long long)world_now(c->drop->all->w),
            c->drop->index, direction, SLICE_ARG(slice_first(s, 70)));
}

/* As much of it as it lives to say; true: all. */
static bool put(struct drop_conn *c, struct slice s) {
  if (c->dead) return false;
  show(c, 'S', s);
  if (s.n >= c->cut_out) {
    bool all = s.n == c->cut_out; /* it dies behind the last octet */
    net_put(c->net, slice_first(s, c->cut_out));
    c->drop->all->cuts++;
    end(c, c->cut_resets);
    return all;
  }
  if (c->cut_out < NEVER) c->cut_out -= (unsigned)s.n;
  net_put(c->net, s);
  return true;
}

__attribute__((format(printf, 2, 3))) static void say(struct drop_conn *c, const char *fmt, ...) {
  char text[300];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(text, sizeof text - 2, fmt, ap);
  va_end(ap);
  memcpy(text + n, "\r\n", 2);
  put(c, slice_of((const uint8_t *)text, (size_t)n + 2));
}

static void greet(struct drop_conn *c) {
  if (is(c, DROP_SILENT))
    c->silent = true;
  else if (is(c, DROP_FLAKY) && may(c, 1, 8))
    say(c, "-ERR [SYS/TEMP] not now"), end(c, false);
  else
    say(c, "+OK ready <1.%u@drop.test>", c->drop->index);
}

/* --- the login --- */

static uint64_t listed_size(struct drop_conn *c, uint64_t real) {
  if (!is(c, DROP_LIAR) || !may(c, 1, 2)) return real;
  c->drop->all->lies++;
  switch (rng_below(rng_of(c), 5)) {
  case 0: return 1;
  case 1: return real + rng_between(rng_of(c), 1, 50);
  case 2: return UINT64_C(1) << 40;
  case 3: return 0;
  default: return real - rng_between(rng_of(c), 1, real - 1);
  }
}

static void open_drop(struct drop_conn *c) {
  struct drop *d = c->drop;
  if (d->locked || (is(c, DROP_FLAKY) && may(c, 1, 8))) {
    say(c, "-ERR [IN-USE] it is open elsewhere");
    return;
  }
  d->locked = c->locks = c->in = true;
  for (size_t i = 0; i < d->count; i++) {
    if (d->mails[i].gone) continue;
    struct buf text;
    buf_init(&text, 1 << 20);
    put_text(&d->mails[i], &text);
    c->mails[c->count] = i;
    c->sent[c->count] = -1;
    c->listed[c->count++] = listed_size(c, buf_len(&text));
    buf_free(&text);
  }
  say(c, "+OK welcome");
}

static void on_capa(struct drop_conn *c) {
  say(c, "+OK");
  say(c, c->drop->index % 2 ? "UIDL\r\nPIPELINING" : "UIDL");
  if (c->drop->tls != DROP_NONE) say(c, c->secure ? "USER" : "STLS");
  say(c, ".");
}

/* --- the listing --- */

static void on_list(struct drop_conn *c, bool uidls) {
  struct buf out;
  buf_init(&out, 1 << 20);
  buf_put_str(&out, "+OK\r\n");
  for (size_t i = 0; i < c->count; i++) {
    if (uidls)
      buf_printf(&out, "%zu %s\r\n", i + 1, c->drop->mails[c->mails[i]].uidl);
    else
      buf_printf(&out, "%zu %llu\r\n", i + 1, (unsigned long long)c->listed[i]);
  }
  buf_put_str(&out, ".\r\n");
  put(c, buf_slice(&out));
  buf_free(&out);
}

/* --- messages --- */

static void stuff(struct slice text, bool first_too, struct buf *out) {
  for (bool first = true; text.n; first = false) {
    struct slice line = slice_split(&text, '\n');
    if (slice_at(line, 0) == '.' && (!first || first_too)) buf_put_u8(out, '.');
    buf_put(out, line);
    buf_put_u8(out, '\n');
  }
}

/* Whole lines of it, fewer than there are; the last is not an empty one, for that is what we add
 * where a header has no end. */
static struct slice cut_short(struct drop_conn *c, struct slice text) {
  size_t n = rng_below(rng_of(c), text.n);
  while (n && (text.p[n - 1] != '\n' || (n > 3 && text.p[n - 3] == '\n'))) n--;
  if (n == 3) n = 0; /* a dot alone would not say whose it is */
  c->drop->all->short_ones++;
  return slice_first(text, n);
}

static void on_retr(struct drop_conn *c, size_t at) {
  struct drop_mail *m = &c->drop->mails[c->mails[at]];
  bool cutter = is(c, DROP_CUTTER),
       cuts = (cutter && may(c, 1, 3)) || (is(c, DROP_LIAR) && may(c, 1, 8));
  bool unstuffed = m->dot_first && (c->drop->never_stuffs || (cutter && may(c, 2, 3)));
  struct buf text, out;
  if (cutter && may(c, 1, 10)) {
    say(c, "-ERR it can't be read");
    return;
  }
  buf_init(&text, 1 << 20), buf_init(&out, 1 << 20);
  put_text(m, &text);
  struct slice told = cuts ? cut_short(c, buf_slice(&text)) : buf_slice(&text);
  buf_put_str(&out, "+OK\r\n");
  stuff(told, !unstuffed, &out);
  buf_put_str(&out, ".\r\n");
  if (unstuffed) told = SLICE_NONE; /* its first line is its end */
  if (put(c, buf_slice(&out)))
    c->sent[at] = version_add(c->drop, m, told, told.n == buf_len(&text));
  buf_free(&text), buf_free(&out);
}

/* Rule 1. */
static void on_dele(struct drop_conn *c, size_t at) {
  struct drop *d = c->drop;
  const struct drop_mail *m = &d->mails[c->mails[at]];
  struct drop_version *v = c->sent[at] < 0 ? NULL : &d->versions[c->sent[at]];
  d->all->deles++;
  if (d->stays)
    world_fail(d->all->w, "drop %u: DELE of mail that is to stay", d->index);
  else if (!v)
    world_fail(d->all->w,
               "drop %u: DELE of message %u (%s), which did not come whole in that session",
               d->index, m->id, m->uidl);
  else if (v->length < c->listed[at])
    world_fail(d->all->w, "drop %u: DELE of message %u, of which %zu octets came of %llu", d->index,
               m->id, v->length, (unsigned long long)c->listed[at]);
  else
    v->must = true;
  if (is(c, DROP_FLAKY) && may(c, 1, 12)) {
    say(c, "-ERR no");
    return;
  }
  c->marked[at] = true;
  say(c, "+OK");
}

static void delete_marked(struct drop_conn *c, unsigned of, unsigned in) {
  for (size_t i = 0; i < c->count; i++) {
    if (!c->marked[i] || !rng_chance(rng_of(c), of, in)) continue;
    c->drop->mails[c->mails[i]].gone = true;
    c->drop->all->deleted++;
    c->marked[i] = false;
  }
}

static void on_quit(struct drop_conn *c) {
  bool liar = is(c, DROP_LIAR);
  if (liar && may(c, 1, 3)) {
    for (size_t i = 0; i < c->count; i++) c->drop->mails[c->mails[i]].kept_after_ok += c->marked[i];
    c->drop->all->lies++;
    memset(c->marked, 0, sizeof c->marked);
  } else if (liar && may(c, 1, 4)) {
    delete_marked(c, 1, 2);
    memset(c->marked, 0, sizeof c->marked);
    say(c, "-ERR some deleted messages not removed");
    end(c, false);
    return;
  }
  if (!(is(c, DROP_FLAKY) && may(c, 1, 8))) delete_marked(c, 1, 1), say(c, "+OK bye");
  memset(c->marked, 0, sizeof c->marked);
  end(c, false);
}

/* --- commands --- */

static void on_numbered(struct drop_conn *c, struct slice verb, struct slice number) {
  uint64_t n;
  if (!num_parse(number, DROP_MAIL_MAX, &n) || !n || n > c->count || c->marked[n - 1])
    say(c, "-ERR no such message");
  else if (slice_eq(verb, SLICE("RETR")))
    on_retr(c, n - 1);
  else
    on_dele(c, n - 1);
}

static void on_command(struct drop_conn *c, struct slice line) {
  show(c, 'C', line);
  if (c->stall_at && !--c->stall_at) c->silent = true;
  if (c->silent) return;
  struct slice rest = line, verb = slice_split(&rest, ' ');
  bool needs_tls = c->drop->tls != DROP_NONE && !c->secure;
  if (slice_eq(verb, SLICE("CAPA")))
    on_capa(c);
  else if (slice_eq(verb, SLICE("QUIT")))
    on_quit(c);
  else if (slice_eq(verb, SLICE("STLS")) && needs_tls)
    c->securing = true, say(c, "+OK go on");
  else if (slice_eq(verb, SLICE("USER")) && !needs_tls)
    c->user = true, say(c, "+OK");
  else if (slice_eq(verb, SLICE("PASS")) && c->user && !c->in)
    open_drop(c);
  else if (slice_eq(verb, SLICE("APOP")) && !needs_tls && !c->in)
    open_drop(c);
  else if (!c->in)
    say(c, "-ERR what?");
  else if (slice_eq(verb, SLICE("LIST")))
    on_list(c, false);
  else if (slice_eq(verb, SLICE("UIDL")))
    on_list(c, true);
  else if (slice_eq(verb, SLICE("STAT")))
    say(c, "+OK %zu 0", c->count);
  else if (slice_eq(verb, SLICE("NOOP")))
    say(c, "+OK");
  else if (slice_eq(verb, SLICE("RETR")) || slice_eq(verb, SLICE("DELE")))
    on_numbered(c, verb, rest);
  else
    say(c, "-ERR what?");
}

/* --- the network's far side --- */

static enum net_says on_connect(void *arg, const struct dial_address *to, struct net_conn *net,
                                void **ret_actor) {
  struct drops *all = arg;
  unsigned index = to->octets[3];
  all->connections++;
  if (to->n != 4 || index >= DROPS) {
    world_fail(all->w, "an address that no collection has was dialled");
    return NET_UNREACHABLE;
  }
  struct drop *d = &all->drops[index];
  if (temper_of(d) == DROP_DEAD) return rng_chance(&all->rng, 1, 2) ? NET_REFUSES : NET_UNREACHABLE;
  struct drop_conn *c = must_alloc(sizeof *c);
  *c = (struct drop_conn){ .drop = d, .net = net, .cut_out = NEVER };
  buf_init(&c->line, LINE_MOST);
  static const unsigned most[] = { 300, 3000, 30000 };
  if (is(c, DROP_FLAKY) && may(c, 1, 2))
    c->cut_out = (unsigned)rng_below(&all->rng, most[rng_below(&all->rng, 3)]);
  if (is(c, DROP_FLAKY) && may(c, 1, 6)) c->stall_at = (unsigned)rng_between(&all->rng, 1, 20);
  c->cut_resets = rng_chance(&all->rng, 1, 2);
  *ret_actor = c;
  return NET_TAKES;
}

static void on_open(void *actor) {
  struct drop_conn *c = actor;
  if (c->drop->tls != DROP_IMPLICIT) greet(c);
}

static enum net_tls on_hello(void *actor) {
  struct drop_conn *c = actor;
  if (is(c, DROP_FLAKY) && may(c, 1, 12)) return may(c, 1, 2) ? NET_STALLS : NET_NOT_SECURE;
  c->secure = true;
  c->securing = false;
  if (c->drop->tls == DROP_IMPLICIT) greet(c);
  return NET_SECURE;
}

static void on_input(void *actor, struct slice octets) {
  struct drop_conn *c = actor;
  while (octets.n && !c->dead) {
    ptrdiff_t nl = slice_find(octets, '\n');
    buf_put(&c->line, slice_first(octets, nl < 0 ? octets.n : (size_t)nl));
    octets = slice_from(octets, nl < 0 ? octets.n : (size_t)nl + 1);
    if (nl < 0) return;
    struct slice line = buf_slice(&c->line);
    on_command(c, slice_first(line, line.n ? line.n - 1 : 0));
    buf_reset(&c->line);
  }
}

static void on_taken(void *actor, uint64_t octets) {}

/* No QUIT: nothing is deleted (RFC 1939 §6), but by some. */
static void on_gone(void *actor) {
  struct drop_conn *c = actor;
  if (c->in && is(c, DROP_LIAR) && may(c, 1, 3)) delete_marked(c, 1, 1);
  if (c->locks) c->drop->locked = false;
  buf_free(&c->line);
  free(c);
}

struct net_far drops_far(struct drops *d) {
  return (struct net_far){ on_connect, on_open, on_input, on_hello, on_taken, on_gone, d };
}

/* --- our mailboxes --- */

void drop_look_begins(struct drop *d) {
  for (size_t i = 0; i < d->version_count; i++)
    d->versions[i].seen = 0, d->versions[i].due = d->versions[i].must;
}

static struct drop_mail *mail_of(struct drop *d, uint32_t id) {
  for (size_t i = 0; i < d->count; i++)
    if (d->mails[i].id == id) return &d->mails[i];
  return NULL;
}

/* Behind our trace field, and the empty line that stands in front of what is no header. */
static struct slice behind_trace(struct slice octets) {
  slice_split(&octets, '\n');
  while (slice_at(octets, 0) == '\t' || slice_at(octets, 0) == ' ') slice_split(&octets, '\n');
  return slice_starts(octets, SLICE("\r\n")) ? slice_from(octets, 2) : octets;
}

static bool note_seen(struct drop *d, struct slice text) {
  for (size_t i = 0; i < d->version_count; i++) {
    struct drop_version *v = &d->versions[i];
    if (v->length != text.n || v->hash != slice_hash(text)) continue;
    struct drop_mail *m = mail_of(d, v->id);
    if (++v->seen > 1 + m->kept_after_ok)
      world_fail(d->all->w, "box %u has %zu octets of message %u %u times", d->index, v->length,
                 v->id, v->seen);
    return true;
  }
  return false;
}

/* One that was cut inside its header has an empty line behind it. */
void drop_seen(struct drop *d, struct slice octets) {
  struct slice text = behind_trace(octets);
  if (note_seen(d, text) || (text.n > 2 && note_seen(d, slice_first(text, text.n - 2)))) return;
  world_fail(d->all->w, "box %u has %zu octets that no server has sent whole: %.*s", d->index,
             text.n, SLICE_ARG(slice_first(text, 60)));
}

void drop_look_ends(struct drop *d) {
  for (size_t i = 0; i < d->version_count; i++) {
    struct drop_version *v = &d->versions[i];
    if (v->due && !v->seen)
      world_fail(d->all->w, "box %u: DELE was said of message %u (%zu octets), which is not here",
                 d->index, v->id, v->length);
    if (v->seen < v->most)
      world_fail(d->all->w, "box %u: message %u was here %u times, and is %u times", d->index,
                 v->id, v->most, v->seen);
    d->all->came += v->seen && !v->most;
    d->all->again += v->seen > 1 && v->seen > v->most ? v->seen - (v->most ? v->most : 1) : 0;
    v->most = v->seen;
  }
}

static bool is_whole_here(const struct drop *d, uint32_t id) {
  for (size_t i = 0; i < d->version_count; i++)
    if (d->versions[i].id == id && d->versions[i].whole && d->versions[i].seen) return true;
  return false;
}

/* Itself, or one with its UIDL, ends each session. */
static bool cannot_come(const struct drop *d, const struct drop_mail *m) {
  for (size_t i = 0; d->never_stuffs && i < d->count; i++)
    if (d->mails[i].dot_first && !d->mails[i].gone && strcmp(d->mails[i].uidl, m->uidl) == 0)
      return true;
  return false;
}

const char *drop_misses(struct drop *d) {
  static char words[100];
  for (size_t i = 0; i < d->count; i++) {
    const struct drop_mail *m = &d->mails[i];
    if (m->gone || cannot_come(d, m) || (is_whole_here(d, m->id) && d->stays)) continue;
    snprintf(words, sizeof words, "drop %u: message %u (%s) %s", d->index, m->id, m->uidl,
             is_whole_here(d, m->id) ? "is here, and is not deleted there" : "never came whole");
    return words;
  }
  return NULL;
}
