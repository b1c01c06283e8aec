/* SPDX-License-Identifier: ISC */
/* Writes a configuration as text that conf_parse() reads back to the same values. */
#include "conf/internal.h"

/* In double quotes, with what libconfuse gives a meaning escaped ("$" begins an environment
 * variable). */
static void put_quoted(struct buf *out, const char *text) {
  buf_put_u8(out, '"');
  for (; *text; text++) {
    if (*text == '"' || *text == '\\' || *text == '$') buf_put_u8(out, '\\');
    buf_put_u8(out, (uint8_t)*text);
  }
  buf_put_u8(out, '"');
}

static void put_list(struct buf *out, const struct conf_list *list) {
  buf_put_str(out, "{");
  for (size_t i = 0; i < list->count; i++) {
    if (i) buf_put_str(out, ", ");
    put_quoted(out, list->items[i]);
  }
  buf_put_str(out, "}");
}

/* Puts the text of this option's value in `c`, as it would follow "name = " in a file. */
static void conf_put_value(const struct conf *c, const struct conf_option *o, struct buf *out) {
  const void *at = (const char *)c + o->offset;
  switch (o->kind) {
  case CONF_KIND_NUM: buf_put_dec(out, *(const uint64_t *)at); break;
  case CONF_KIND_SIZE: conf_put_size(out, *(const uint64_t *)at); break;
  case CONF_KIND_TIME: conf_put_time(out, *(const uint64_t *)at); break;
  case CONF_KIND_DAYS: conf_put_days(out, *(const uint64_t *)at); break;
  case CONF_KIND_FLAG: buf_put_str(out, *(const bool *)at ? "yes" : "no"); break;
  case CONF_KIND_WORD: buf_put(out, conf_word_at(o->words, *(const uint8_t *)at)); break;
  case CONF_KIND_TEXT: put_quoted(out, *(const char *const *)at); break;
  case CONF_KIND_LIST: put_list(out, at); break;
  }
}

void conf_dump(const struct conf *c, struct buf *out) {
  for (size_t i = 0; i < conf_option_count; i++) {
    buf_printf(out, "%s = ", conf_options[i].name);
    conf_put_value(c, &conf_options[i], out);
    buf_put_u8(out, '\n');
  }
}

static void differing(const struct conf *before, const struct conf *after, bool reloads,
                      struct buf *out) {
  struct buf a, b;
  buf_init(&a, 1024 * 1024);
  buf_init(&b, 1024 * 1024);
  size_t start = buf_len(out);
  for (size_t i = 0; i < conf_option_count; i++) {
    if (conf_options[i].reloads != reloads) continue;
    buf_reset(&a);
    buf_reset(&b);
    conf_put_value(before, &conf_options[i], &a);
    conf_put_value(after, &conf_options[i], &b);
    if (slice_eq(buf_slice(&a), buf_slice(&b))) continue;
    buf_printf(out, "%s%s", buf_len(out) > start ? ", " : "", conf_options[i].name);
  }
  buf_free(&a);
  buf_free(&b);
}

void conf_changes(const struct conf *before, const struct conf *after, struct buf *out) {
  differing(before, after, true, out);
}

void conf_restart_needed(const struct conf *before, const struct conf *after, struct buf *out) {
  differing(before, after, false, out);
}
