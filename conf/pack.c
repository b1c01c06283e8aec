/* SPDX-License-Identifier: ISC */
/* The memory of a configuration, and its encoding for the processes: the values in the order of
 * options.def, encoded as in ipc/. So a confined process needs no parser of configuration files. */
#include "conf/internal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/wire.h"

#define ROW_NUM(from, to) .least = (from), .most = (to)
#define ROW_SIZE ROW_NUM
#define ROW_TIME ROW_NUM
#define ROW_DAYS ROW_NUM
#define ROW_TEXT ROW_NUM
#define ROW_FLAG(from, to) .words = "no|yes"
#define ROW_LIST(from, to) .words = NULL
#define ROW_WORD(list, none) .words = (list)
#define RELOADS_R true
#define RELOADS_S false

const struct conf_option conf_options[] = {
#define OPTION(kind_, name_, def_, least_, most_, reload_, section_, prose_) \
  { .kind = CONF_KIND_##kind_,                                               \
    .name = #name_,                                                          \
    .def = def_,                                                             \
    ROW_##kind_(least_, most_),                                              \
    .reloads = RELOADS_##reload_,                                            \
    .section = section_,                                                     \
    .prose = prose_,                                                         \
    .offset = offsetof(struct conf, name_) },
#include "conf/options.def"
#undef OPTION
};
const size_t conf_option_count = sizeof conf_options / sizeof *conf_options;

struct conf_owned *conf_new(void) {
  struct conf_owned *c = calloc(1, sizeof *c);
  if (c) arena_init(&c->mem, CONF_MEMORY_MAX);
  return c;
}

void conf_free(struct conf **c) {
  if (!*c) return;
  struct conf_owned *owned = (struct conf_owned *)*c; /* its first member */
  arena_reset(&owned->mem);
  free(owned);
  *c = NULL;
}

bool conf_set_hostname(struct conf *c, const char *name) {
  struct conf_owned *owned = (struct conf_owned *)c;
  const char *copy = arena_cstr(&owned->mem, slice_str(name));
  if (copy) c->hostname = copy;
  return copy != NULL;
}

static void pack_value(const struct conf_option *o, const void *at, struct buf *out) {
  const struct conf_list *list = at;
  switch (o->kind) {
  case CONF_KIND_NUM:
  case CONF_KIND_SIZE:
  case CONF_KIND_TIME:
  case CONF_KIND_DAYS: wire_put_u64(out, *(const uint64_t *)at); break;
  case CONF_KIND_FLAG: wire_put_bool(out, *(const bool *)at); break;
  case CONF_KIND_WORD: buf_put_u8(out, *(const uint8_t *)at); break;
  case CONF_KIND_TEXT: wire_put_bytes(out, slice_str(*(const char *const *)at)); break;
  case CONF_KIND_LIST:
    wire_put_u32(out, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++) wire_put_bytes(out, slice_str(list->items[i]));
    break;
  }
}

void conf_pack(const struct conf *c, struct buf *out) {
  for (size_t i = 0; i < conf_option_count; i++)
    pack_value(&conf_options[i], (const char *)c + conf_options[i].offset, out);
}

static bool is_named(const char *names, const char *name) {
  struct slice rest = slice_str(names);
  while (rest.n)
    if (slice_eq(slice_split(&rest, ' '), slice_str(name))) return true;
  return false;
}

void conf_pack_only(const struct conf *c, const char *names, struct buf *out) {
  struct conf *defaults = conf_defaults();
  out->failed |= !defaults;
  for (size_t i = 0; defaults && i < conf_option_count; i++) {
    const struct conf_option *o = &conf_options[i];
    pack_value(o, (const char *)(is_named(names, o->name) ? c : defaults) + o->offset, out);
  }
  conf_free(&defaults);
}

uint64_t conf_number(const struct conf *c, const char *name) {
  for (size_t i = 0; i < conf_option_count; i++) {
    const struct conf_option *o = &conf_options[i];
    if (o->kind == CONF_KIND_NUM && strcmp(o->name, name) == 0)
      return *(const uint64_t *)(const void *)((const char *)c + o->offset);
  }
  return 0;
}

static const char *unpack_text(struct conf_owned *c, struct wire *w) {
  const char *text = arena_cstr(&c->mem, wire_get_bytes(w, CONF_TEXT_MAX));
  if (!text) w->bad = true;
  return text;
}

static void unpack_list(struct conf_owned *c, struct wire *w, struct conf_list *to) {
  size_t count = wire_get_u32(w);
  if (count > w->rest.n / 4) w->bad = true; /* each item has a length of four octets */
  to->items = w->bad ? NULL : arena_alloc(&c->mem, count * sizeof *to->items);
  if (!to->items) w->bad = true;
  for (; !w->bad && to->count < count; to->count++) to->items[to->count] = unpack_text(c, w);
}

static void unpack_value(struct conf_owned *c, const struct conf_option *o, struct wire *w) {
  void *at = (char *)&c->conf + o->offset;
  switch (o->kind) {
  case CONF_KIND_NUM:
  case CONF_KIND_SIZE:
  case CONF_KIND_TIME:
  case CONF_KIND_DAYS: *(uint64_t *)at = wire_get_u64(w); break;
  case CONF_KIND_FLAG: *(bool *)at = wire_get_bool(w); break;
  case CONF_KIND_WORD: *(uint8_t *)at = wire_get_u8(w); break;
  case CONF_KIND_TEXT: *(const char **)at = unpack_text(c, w); break;
  case CONF_KIND_LIST: unpack_list(c, w, at); break;
  }
}

struct conf *conf_unpack(struct slice packed) {
  struct conf_owned *c = conf_new();
  struct conf *conf = c ? &c->conf : NULL;
  struct wire w = wire_open(packed);
  for (size_t i = 0; c && i < conf_option_count; i++) unpack_value(c, &conf_options[i], &w);
  if (c && !wire_done(&w)) conf_free(&conf);
  return conf;
}

struct conf *conf_reloaded(const struct conf *running, const struct conf *next) {
  struct buf packed;
  buf_init(&packed, CONF_MEMORY_MAX);
  for (size_t i = 0; i < conf_option_count; i++) {
    const struct conf_option *o = &conf_options[i];
    pack_value(o, (const char *)(o->reloads ? next : running) + o->offset, &packed);
  }
  struct conf *conf = packed.failed ? NULL : conf_unpack(buf_slice(&packed));
  buf_free(&packed);
  return conf;
}
