/* SPDX-License-Identifier: ISC */
/* Reads one configuration file into one struct conf. libconfuse parses the grammar (it is used in
 * this file only); check.c checks the values.
 *
 * Every option is a string or a list of strings to libconfuse, so that sizes, times and ranges are
 * parsed here and every mistake of a file is reported, not only the first. libconfuse stops at a
 * name that it does not know: that name is then declared as a list whose value is ignored, and the
 * text is parsed again.
 *
 * libconfuse miscounts lines at comments in the C style and allows no comment inside a list, so
 * comments are blanked out before it sees the text. */
#include "conf/conf.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/internal.h"
#include "lib/base/arena.h"
#include "lib/base/num.h"

enum { CONF_NAME_SHOWN = 64 };

#define OPTION(kind, name, def, least, most, reload, section, prose) +1
enum {
  OPTIONS = 0
#include "conf/options.def"
};
#undef OPTION

/* Rows given to libconfuse: the first carries our context (its callbacks get nothing else of ours),
 * then the options in their order, then the names that are unknown, then the end. */
enum {
  ROW_CONTEXT,
  ROW_OPTION,
  ROW_UNKNOWN = ROW_OPTION + OPTIONS,
  ROWS = ROW_UNKNOWN + CONF_UNKNOWN_MAX + 1
};

struct conf_reading {
  struct conf_read read;
  unsigned lines[OPTIONS];
  char unknown[CONF_UNKNOWN_MAX][CONF_NAME_SHOWN + 1];
  size_t unknowns;
  bool again; /* another unknown name was found */
};

static struct conf_reading *context_of(cfg_t *cfg) {
  return (struct conf_reading *)cfg->opts[ROW_CONTEXT].simple_value.ptr;
}

/* --- libconfuse's callbacks --- */

/* Takes the name out of libconfuse's message. False: it is another error, or one name too many. */
static bool note_unknown(struct conf_reading *r, struct slice text) {
  struct slice prefix = SLICE("no such option '");
  if (!slice_starts(text, prefix) || r->unknowns == CONF_UNKNOWN_MAX) return false;
  struct slice name = slice_from(text, prefix.n);
  if (name.n < 2 || name.n - 1 > CONF_NAME_SHOWN) return false;
  name.n--; /* the closing quote */
  for (size_t i = 0; i < r->unknowns; i++)
    if (slice_eq(name, slice_str(r->unknown[i]))) return false;
  memcpy(r->unknown[r->unknowns++], name.p, name.n);
  return r->again = true;
}

__attribute__((format(printf, 2, 0))) static void on_error(cfg_t *cfg, const char *fmt,
                                                           va_list ap) {
  struct conf_reading *r = context_of(cfg);
  char text[256];
  if (!r || vsnprintf(text, sizeof text, fmt, ap) < 0) return;
  if (!note_unknown(r, slice_str(text)))
    conf_mistake(&r->read, (unsigned)cfg->line, NULL, "%s", text);
}

/* A value of a known option. It is always accepted, so that the rest of the file is read too. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result) {
  *(const char **)result = value;
  struct conf_reading *r = context_of(cfg);
  if (!r) return 0; /* a default */
  const struct conf_option *o = &conf_options[opt - cfg->opts - ROW_OPTION];
  unsigned *set = &r->lines[conf_place(o)];
  if (*set && o->kind != CONF_KIND_LIST)
    conf_mistake(&r->read, (unsigned)cfg->line, o->name,
                 "is set a second time; the first is in line %u", *set);
  *set = (unsigned)cfg->line;
  conf_check_value(&r->read, o, *set, slice_str(value));
  return 0;
}

static int on_unknown(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result) {
  *(const char **)result = value;
  struct conf_reading *r = context_of(cfg);
  if (!r) return 0;
  const struct conf_option *near = conf_nearest(opt->name);
  if (near)
    conf_mistake(&r->read, (unsigned)cfg->line, opt->name, "there is no such option; %s is near",
                 near->name);
  else
    conf_mistake(&r->read, (unsigned)cfg->line, opt->name,
                 "there is no such option; `qasid config --help` has all");
  return 0;
}

/* --- comments --- */

/* The end (after its last octet) of the quoted string or the comment that begins at `at`. */
static size_t end_of_quoted(struct slice s, size_t at) {
  uint8_t quote = s.p[at++];
  while (at < s.n && s.p[at] != quote) at += s.p[at] == '\\' ? 2 : 1;
  return at < s.n ? at + 1 : s.n;
}

static size_t end_of_comment(struct slice s, size_t at) {
  bool block = s.p[at] == '/' && slice_at(s, at + 1) == '*';
  struct slice rest = slice_from(s, at + (block ? 2 : 1));
  ptrdiff_t n = block ? slice_search(rest, SLICE("*/")) : slice_find(rest, '\n');
  if (n < 0) return s.n;
  return s.n - rest.n + (size_t)n + (block ? 2 : 0);
}

/* "#", and "//" or a block comment where a word could begin. */
static bool begins_comment(struct slice s, size_t at) {
  if (s.p[at] == '#') return true;
  int next = slice_at(s, at + 1);
  return s.p[at] == '/' && (next == '/' || next == '*');
}

/* The text with every comment overwritten by spaces; line numbers stay the same. */
static void put_without_comments(struct buf *out, struct slice s) {
  for (size_t at = 0; at < s.n;) {
    uint8_t c = s.p[at];
    bool comment = begins_comment(s, at);
    size_t end = comment                 ? end_of_comment(s, at)
                 : c == '"' || c == '\'' ? end_of_quoted(s, at)
                                         : at + 1;
    for (; at < end; at++) buf_put_u8(out, comment && s.p[at] != '\n' ? ' ' : s.p[at]);
  }
}

/* --- lists that are set twice --- */

/* libconfuse silently forgets a list when it is set again. `at`: after a name. Returns the position
 * of "=", or 0; a "+=" appends on purpose. */
static size_t assignment_behind(struct slice s, size_t at) {
  while (at < s.n && (s.p[at] == ' ' || s.p[at] == '\t')) at++;
  return slice_at(s, at) == '=' ? at : 0;
}

static bool is_name_octet(int c) {
  return c >= 0 && (ascii_is_alnum((uint8_t)c) || c == '_' || c == '-');
}

static void note_list(struct conf_reading *r, unsigned lines[static OPTIONS], struct slice name,
                      unsigned line) {
  for (size_t i = 0; i < OPTIONS; i++) {
    const struct conf_option *o = &conf_options[i];
    if (o->kind != CONF_KIND_LIST || !slice_eq(name, slice_str(o->name))) continue;
    if (lines[i])
      conf_mistake(&r->read, line, o->name,
                   "is set a second time; the first is in line %u, and += adds to it", lines[i]);
    else
      lines[i] = line;
  }
}

/* Names outside of braces and quotes that are followed by "="; `s` has no comments. */
static void check_lists(struct conf_reading *r, struct slice s) {
  unsigned lines[OPTIONS] = { 0 }, line = 1, depth = 0;
  for (size_t at = 0; at < s.n;) {
    size_t from = at;
    uint8_t c = s.p[at];
    if (c == '"' || c == '\'')
      at = end_of_quoted(s, at);
    else if (is_name_octet(c))
      while (is_name_octet(slice_at(s, at))) at++;
    else
      at++;
    if (c == '{') depth++;
    if (c == '}' && depth) depth--;
    if (!depth && is_name_octet(c) && assignment_behind(s, at))
      note_list(r, lines, slice_first(slice_from(s, from), at - from), line);
    for (size_t i = from; i < at && i < s.n; i++) line += s.p[i] == '\n';
  }
}

/* --- reading --- */

static int on_context(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result) { return 1; }

static void make_rows(cfg_opt_t *rows, const struct conf_reading *r) {
  cfg_opt_t end = CFG_END();
  cfg_opt_t context = CFG_PTR_CB("", NULL, CFGF_NODEFAULT, on_context, NULL);
  rows[ROW_CONTEXT] = context;
  for (size_t i = 0; i < OPTIONS; i++) {
    const struct conf_option *o = &conf_options[i];
    cfg_opt_t one = CFG_STR_CB(o->name, o->def, CFGF_NONE, on_value);
    cfg_opt_t list = CFG_STR_LIST_CB(o->name, (char *)(uintptr_t)o->def, CFGF_NONE, on_value);
    rows[ROW_OPTION + i] = o->kind == CONF_KIND_LIST ? list : one;
  }
  for (size_t i = 0; i < r->unknowns; i++) {
    cfg_opt_t list = CFG_STR_LIST_CB(r->unknown[i], NULL, CFGF_NODEFAULT, on_unknown);
    rows[ROW_UNKNOWN + i] = list;
  }
  rows[ROW_UNKNOWN + r->unknowns] = end;
}

/* Parses `text` once. NULL without memory. */
static cfg_t *read_once(struct conf_reading *r, const char *text) {
  cfg_opt_t rows[ROWS];
  make_rows(rows, r);
  cfg_t *cfg = cfg_init(rows, CFGF_NONE);
  if (!cfg) return NULL;
  r->again = false;
  cfg->opts[ROW_CONTEXT].simple_value.ptr = (void **)r;
  cfg_set_error_function(cfg, on_error);
  int result = *text ? cfg_parse_buf(cfg, text) : CFG_SUCCESS;
  if (result != CFG_SUCCESS && !r->again && r->read.mistakes == 0)
    conf_mistake(&r->read, (unsigned)cfg->line, NULL, "this is not understood");
  return cfg;
}

/* Parses until no new unknown name is found. */
static cfg_t *read_all(struct conf_reading *r, const char *text) {
  for (;;) {
    size_t before = buf_len(r->read.err);
    cfg_t *cfg = read_once(r, text);
    if (!cfg || !r->again) return cfg;
    cfg_free(cfg);
    buf_truncate(r->read.err, before);
    r->read.mistakes = 0;
    memset(r->lines, 0, sizeof r->lines);
  }
}

/* --- filling the struct --- */

static void set_list(struct conf_owned *c, struct conf_list *to, cfg_opt_t *opt) {
  const char **items = arena_alloc(&c->mem, (opt->nvalues + 1) * sizeof *items);
  if (!items) return;
  for (unsigned i = 0; i < opt->nvalues; i++)
    items[i] = arena_cstr(&c->mem, slice_str(cfg_opt_getnstr(opt, i)));
  *to = (struct conf_list){ items, opt->nvalues };
}

/* The value was checked, so the conversion cannot fail. */
static void set_value(struct conf_owned *c, const struct conf_option *o, cfg_opt_t *opt) {
  void *to = (char *)&c->conf + o->offset;
  struct slice text = o->kind == CONF_KIND_LIST ? SLICE_NONE : slice_str(cfg_opt_getnstr(opt, 0));
  switch (o->kind) {
  case CONF_KIND_NUM: num_parse(text, UINT64_MAX, to); break;
  case CONF_KIND_SIZE: conf_parse_size(text, to); break;
  case CONF_KIND_TIME: conf_parse_time(text, to); break;
  case CONF_KIND_DAYS: conf_parse_days(text, to); break;
  case CONF_KIND_FLAG: *(bool *)to = conf_word_place(o->words, text) == 1; break;
  case CONF_KIND_WORD: *(uint8_t *)to = (uint8_t)conf_word_place(o->words, text); break;
  case CONF_KIND_TEXT: *(const char **)to = arena_cstr(&c->mem, text); break;
  case CONF_KIND_LIST: set_list(c, to, opt); break;
  }
}

static struct conf_owned *fill(struct conf_reading *r, cfg_t *cfg) {
  struct conf_owned *c = conf_new();
  if (!c) return NULL;
  for (size_t i = 0; i < OPTIONS; i++) set_value(c, &conf_options[i], &cfg->opts[ROW_OPTION + i]);
  if (!c->mem.failed) {
    conf_check_whole(&r->read, &c->conf);
    if (r->read.mistakes == 0) return c;
  }
  arena_reset(&c->mem);
  free(c);
  return NULL;
}

struct conf *conf_parse(struct slice text, const char *name, struct buf *err) {
  struct conf_reading r = { .read = { .name = name, .err = err } };
  r.read.lines = r.lines;
  if (slice_find(text, 0) >= 0 || text.n > CONF_TEXT_MAX) {
    conf_mistake(&r.read, 0, NULL, "is not text of at most 1M");
    return NULL;
  }
  struct buf plain;
  buf_init(&plain, CONF_TEXT_MAX + 1);
  put_without_comments(&plain, text);
  const char *cstr = buf_cstr(&plain);
  cfg_t *cfg = cstr ? read_all(&r, cstr) : NULL;
  if (cstr) check_lists(&r, buf_slice(&plain));
  struct conf_owned *c = cfg && r.read.mistakes == 0 ? fill(&r, cfg) : NULL;
  if (cfg) cfg_free(cfg);
  buf_free(&plain);
  if (!c && r.read.mistakes == 0) conf_mistake(&r.read, 0, NULL, "could not be read: no memory");
  return c ? &c->conf : NULL;
}

static bool read_file(int fd, struct buf *to) {
  for (;;) {
    uint8_t *at = buf_reserve(to, 4096);
    ssize_t n = at ? read(fd, at, 4096) : -1;
    if (n == 0) return true;
    if (n < 0 && (!at || errno != EINTR)) return false;
    if (n > 0) buf_added(to, (size_t)n);
  }
}

/* False with errno, which is 0 when the file is too large. */
static bool load_text(const char *path, struct buf *to) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  errno = fd < 0 ? errno : 0;
  bool good = fd >= 0 && read_file(fd, to);
  int why = errno;
  if (fd >= 0) close(fd);
  errno = why;
  return good;
}

struct conf *conf_load(const char *path, struct buf *err) {
  struct buf text;
  buf_init(&text, CONF_TEXT_MAX + 4096);
  struct conf *c = NULL;
  if (load_text(path, &text))
    c = conf_parse(buf_slice(&text), path, err);
  else
    buf_printf(err, "%s: cannot be read: %s\n", path, errno ? strerror(errno) : "larger than 1M");
  buf_free(&text);
  return c;
}

/* Lines are examined one by one, so that an unclosed quote, for instance, does not affect later
 * lines. conf_parse() refuses a file that sets run_dir twice. */
struct conf *conf_load_run_dir(const char *path) {
  struct buf text, lines, err;
  buf_init(&text, CONF_TEXT_MAX + 4096), buf_init(&lines, CONF_TEXT_MAX), buf_init(&err, 64 * 1024);
  bool good = load_text(path, &text);
  for (struct slice rest = buf_slice(&text); rest.n;) {
    struct slice line = slice_trim(slice_split(&rest, '\n'));
    if (!slice_starts(line, SLICE("run_dir"))) continue;
    buf_put(&lines, line);
    buf_put_u8(&lines, '\n');
  }
  struct conf *c =
      good && !text.failed && !lines.failed ? conf_parse(buf_slice(&lines), path, &err) : NULL;
  buf_free(&text), buf_free(&lines), buf_free(&err);
  return c;
}

struct conf *conf_defaults(void) {
  struct buf err;
  buf_init(&err, 4096);
  struct conf *c = conf_parse(SLICE_NONE, "defaults", &err);
  buf_free(&err);
  return c;
}
