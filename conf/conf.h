/* The configuration as a struct: one member for each row of options.def, filled from one file with
 * libconfuse's grammar. Read-only once loaded. */
#ifndef QASID_CONF_H
#define QASID_CONF_H

#include "lib/base/buf.h"

struct conf_list {
  const char **items;
  size_t count;
};

#define CONF_NUM uint64_t
#define CONF_SIZE uint64_t
#define CONF_TIME uint64_t
#define CONF_FLAG bool
#define CONF_TEXT const char *
#define CONF_LIST struct conf_list
#define CONF_WORD uint8_t

struct conf {
#define OPTION(kind, name, def, least, most, reload, section, prose) CONF_##kind name;
#include "conf/options.def"
#undef OPTION
};

/* Reads and checks the file at `path`. NULL when anything is wrong; `err` then has one line for
 * each mistake: "file:line: option: what is wrong, what was meant". */
struct conf *conf_load(const char *path, struct buf *err);
/* The same from text (what conf_dump made); `name` stands for the file in messages. */
struct conf *conf_parse(struct slice text, const char *name, struct buf *err);
/* All defaults. */
struct conf *conf_defaults(void);
void conf_free(struct conf **c);
/* The whole configuration as a file that conf_parse reads back to the same values. */
void conf_dump(const struct conf *c, struct buf *out);
/* Names, comma-separated, of options that differ and need a restart. */
void conf_restart_needed(const struct conf *before, const struct conf *after, struct buf *out);
/* The words of WORD options, as places in their lists. */
enum { CONF_BARE_LF_REJECT, CONF_BARE_LF_FIX };
enum { CONF_TLS_1_2, CONF_TLS_1_3 };

#endif
