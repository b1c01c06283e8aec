/* SPDX-License-Identifier: ISC */
/* Shared by the files of conf/ only: the values of an option while a file is read, and the checks.
 */
#ifndef QASID_CONF_INTERNAL_H
#define QASID_CONF_INTERNAL_H

#include "conf/conf.h"
#include "lib/base/arena.h"

enum { CONF_TEXT_MAX = 1024 * 1024, CONF_MEMORY_MAX = 4 * CONF_TEXT_MAX };

/* The allocation of which a struct conf is the first member. */
struct conf_owned {
  struct conf conf;
  struct arena mem; /* all strings and lists */
};
struct conf_owned *conf_new(void);

enum { CONF_UNKNOWN_MAX = 16 }; /* unknown names reported in one go */

/* One file being read: where each option was set, and what was wrong. */
struct conf_read {
  const char *name; /* of the file, for messages */
  struct buf *err;
  size_t mistakes;
  unsigned *lines; /* by option: where it was set last, 0: nowhere */
};

/* Adds "name:line: option: what", without the line when it is 0. */
void conf_mistake(struct conf_read *r, unsigned line, const char *option, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* True when `text` is a value of option `o`; otherwise the mistake is in `r`. A list's one item. */
bool conf_check_value(struct conf_read *r, const struct conf_option *o, unsigned line,
                      struct slice text);
/* Checks of the whole configuration: options that must agree with each other. */
void conf_check_whole(struct conf_read *r, const struct conf *c);

/* "10M" → 10485760. False when it is malformed or passes 2^64 - 1. */
bool conf_parse_size(struct slice text, uint64_t *ret);
bool conf_parse_days(struct slice text, uint64_t *ret);
void conf_put_days(struct buf *out, uint64_t n);
void conf_put_size(struct buf *out, uint64_t n);
void conf_put_time(struct buf *out, uint64_t n);
/* The index of `text` in "a|b|c", or -1. */
int conf_word_place(const char *words, struct slice text);
struct slice conf_word_at(const char *words, unsigned place);
/* The option whose name is nearest to `name`, NULL when none is near. */
const struct conf_option *conf_nearest(const char *name);
/* The option's index in conf_options. */
static inline size_t conf_place(const struct conf_option *o) { return (size_t)(o - conf_options); }

#endif
