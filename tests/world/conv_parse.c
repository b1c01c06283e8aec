/* SPDX-License-Identifier: ISC */
/* A conversation's file, into steps. */
#include <stdio.h>

#include "lib/base/num.h"
#include "tests/world/conv.h"
#include "tests/world/must.h"

/* How each kind of line begins. What follows the word is the step's text. */
static const struct {
  const char *word;
  enum conv_kind kind;
  bool counted; /* "C(20):" */
} words[] = {
  { "connect", CONV_CONNECT, false }, { "C:", CONV_CLIENT, false },
  { "C(", CONV_CLIENT, true },        { "C-", CONV_RAW, false },
  { "S:", CONV_SERVER, false },       { "S(", CONV_SERVER, true },
  { "S*:", CONV_REPLY, false },       { "has", CONV_HAS, false },
  { "hasnt", CONV_HASNT, false },     { "secure", CONV_SECURE, false },
  { "drop", CONV_DROP, false },       { "pause", CONV_PAUSE, false },
  { "resume", CONV_RESUME, false },   { "expect", CONV_EXPECT, false },
  { "clock", CONV_CLOCK, false },     { "kill", CONV_KILL, false },
  { "restart", CONV_RESTART, false }, { "disk", CONV_DISK, false },
  { "qasid", CONV_QASID, false },     { "account", CONV_ACCOUNT, false },
  { "alias", CONV_ALIAS, false },     { "message", CONV_MESSAGE, false },
  { "log", CONV_LOG, false },         { "nolog", CONV_LOG, false },
};
enum { WORDS = sizeof words / sizeof *words };

static bool wrong(const struct conv *c, unsigned line, const char *what, struct buf *err) {
  buf_printf(err, "%s:%u: %s", c->name, line, what);
  return false;
}

/* The step's word at the front of `*s`, cut off with the one space behind it. -1: none. */
static int take_word(struct slice *s, unsigned *ret_times) {
  for (int i = 0; i < WORDS; i++) {
    struct slice word = slice_str(words[i].word), rest = slice_from(*s, word.n);
    if (!slice_starts(*s, word)) continue;
    uint64_t times = 1;
    if (words[i].counted) {
      ptrdiff_t close = slice_search(rest, SLICE("):"));
      if (close < 0 || !num_parse(slice_first(rest, (size_t)close), 1000000, &times)) continue;
      rest = slice_from(rest, (size_t)close + 2);
    } else if (rest.n && rest.p[0] != ' ') {
      continue;
    }
    *ret_times = (unsigned)times;
    *s = slice_from(rest, rest.n ? 1 : 0);
    return i;
  }
  return -1;
}

static struct conv_step *add_step(struct conv *c) {
  c->steps = must_fit(c->steps, c->count, &c->room, sizeof *c->steps);
  struct conv_step *s = &c->steps[c->count++];
  *s = (struct conv_step){ 0 };
  return s;
}

/* Options are configuration lines; a value that is not a number or a word for yes and no is quoted
 * by whoever writes the conversation. */
static void add_option(struct conv *c, struct slice s) {
  struct slice value = s, name = slice_split(&value, ' ');
  buf_put(&c->options, name);
  buf_put_str(&c->options, " = ");
  buf_put(&c->options, value);
  buf_put_u8(&c->options, '\n');
}

static bool parse_step(struct conv *c, struct slice s, unsigned line, struct buf *err) {
  struct slice rest = s;
  struct conv_step step = { .line = line };
  int word = take_word(&rest, &step.times);
  if (word < 0) { /* a connection's name in front */
    rest = s;
    struct slice actor = slice_split(&rest, ' ');
    if (!actor.n || actor.n >= sizeof step.actor) return wrong(c, line, "no such word", err);
    memcpy(step.actor, actor.p, actor.n);
    word = take_word(&rest, &step.times);
  }
  if (word < 0) return wrong(c, line, "no such word", err);
  step.kind = words[word].kind;
  step.none = strcmp(words[word].word, "nolog") == 0;
  step.text = rest;
  *add_step(c) = step;
  return true;
}

/* `| line` belongs to the message before it. */
static bool parse_body(struct conv *c, struct slice s, unsigned line, struct buf *err) {
  struct conv_step *step = c->count ? &c->steps[c->count - 1] : NULL;
  if (!step || step->kind != CONV_MESSAGE) return wrong(c, line, "a line of no message", err);
  if (!step->body.p) step->body = slice_of(s.p, 0);
  step->body.n = (size_t)(s.p + s.n - step->body.p);
  return true;
}

static bool parse_line(struct conv *c, struct slice s, unsigned line, struct buf *err) {
  if (line == 1) {
    if (!slice_starts(s, SLICE("spec: ")))
      return wrong(c, line, "the first line is not `spec: …`", err);
    c->spec = slice_from(s, 6);
    return true;
  }
  if (!s.n || s.p[0] == '#' || slice_starts(s, SLICE("attack: "))) return true;
  if (slice_starts(s, SLICE("|"))) return parse_body(c, s, line, err);
  if (slice_starts(s, SLICE("option "))) {
    add_option(c, slice_from(s, 7));
    return true;
  }
  return parse_step(c, s, line, err);
}

static bool read_all(const char *path, struct buf *to) {
  FILE *f = fopen(path, "rb");
  if (!f) return false;
  uint8_t block[4096];
  for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;) buf_put(to, slice_of(block, n));
  fclose(f);
  return !to->failed;
}

struct conv *conv_load(const char *path, struct buf *err) {
  struct conv *c = must_alloc(sizeof *c);
  c->name = must_copy(path);
  buf_init(&c->file, 1 << 20);
  buf_init(&c->options, 64 * 1024);
  bool ok = read_all(path, &c->file) || wrong(c, 0, "can't be read", err);
  struct slice rest = buf_slice(&c->file);
  for (unsigned line = 1; ok && rest.n; line++)
    ok = parse_line(c, slice_split(&rest, '\n'), line, err);
  if (!ok) conv_free(&c);
  return c;
}

void conv_free(struct conv **cp) {
  struct conv *c = *cp;
  if (!c) return;
  disk_sim_free(&c->scene);
  buf_free(&c->file);
  buf_free(&c->options);
  free(c->steps);
  free(c->name);
  free(c);
  *cp = NULL;
}
