/* SPDX-License-Identifier: ISC */
/* Used by every command: the given options, the configuration, failing. */
#include "src/cli/base/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/cli/base/terminal.h"

int cli_fail(int code, const char *fmt, ...) {
  char text[1024];
  struct buf line;
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  buf_init(&line, 8192);
  buf_put_str(&line, "qasid: ");
  text_put_safe(&line, slice_str(text));
  buf_put_u8(&line, '\n');
  fwrite(buf_slice(&line).p, 1, buf_len(&line), stderr);
  buf_free(&line);
  return code;
}

const struct conf *cli_conf(struct cli *c) {
  if (c->conf) return c->conf;
  struct buf err;
  buf_init(&err, 64 * 1024);
  c->conf = conf_load(c->config, &err);
  if (!c->conf) {
    fwrite(buf_slice(&err).p, 1, buf_len(&err), stderr);
    if (!c->config_named)
      fprintf(stderr,
              "qasid: `qasid init you@example.org` makes a configuration, -c FILE names one\n");
  }
  buf_free(&err);
  return c->conf;
}

void cli_close(struct cli *c) { conf_free(&c->conf); }

const char *cli_given_next(const struct cli *c, const char *name, size_t *at) {
  while (*at < c->given_count) {
    const struct cli_given *g = &c->given[(*at)++];
    if (strcmp(g->name, name) == 0) return g->value;
  }
  return NULL;
}

const char *cli_given(const struct cli *c, const char *name) {
  const char *last = NULL, *value;
  for (size_t at = 0; (value = cli_given_next(c, name, &at));) last = value;
  return last;
}
