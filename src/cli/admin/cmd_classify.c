/* SPDX-License-Identifier: ISC */
/* `qasid classify`: what a reply of another server means, by the same rules as the server's. */
#include <stdio.h>
#include <unistd.h>

#include "ipc/ipc.h"
#include "mail/smtp/class.h"
#include "src/cli/admin/commands.h"
#include "src/cli/base/table.h"

enum { LINE_MAX_OCTETS = 4096 };

static uint64_t at_most(uint64_t n, uint64_t most) { return n < most ? n : most; }

static bool add_class(struct table *t, const struct conf *conf, enum smtp_class class) {
  struct smtp_class_delay d = smtp_class_delay(class);
  uint64_t most = d.most ? conf->retry_first * d.most : conf->retry_most;
  return TABLE_ROW(t, slice_str(smtp_class_word(class)),
                   TABLE_NUMBER(at_most(conf->retry_first * d.first, conf->retry_most)),
                   TABLE_NUMBER(at_most(most, conf->retry_most)),
                   slice_str(smtp_class_meaning(class)));
}

static bool set_columns(struct table *t) {
  return table_set_columns(t, "class first most meaning");
}

static bool read_reply(const struct cli *c, const struct conf *conf, enum smtp_class *ret) {
  const struct smtp_class_rules own = { conf->reply_classes.items, conf->reply_classes.count };
  struct slice text;
  struct buf line;
  uint16_t code;
  uint8_t enhanced[3];
  buf_init(&line, LINE_MAX_OCTETS);
  for (int i = 0; i < (int)c->arg_count; i++) buf_printf(&line, "%s%s", i ? " " : "", c->args[i]);
  bool fine = !line.failed && smtp_class_split(buf_slice(&line), &code, enhanced, &text);
  if (fine) *ret = smtp_class_of(&own, code, enhanced, text);
  buf_free(&line);
  return fine;
}

int cmd_classify(struct cli *c) {
  bool configured = c->config_named || access(c->config, R_OK) == 0;
  struct conf *defaults = configured ? NULL : conf_defaults();
  const struct conf *conf = configured ? cli_conf(c) : defaults;
  enum smtp_class class = SMTP_CLASS_UNKNOWN;
  if (!conf) return CLI_EXIT_CONFIG;
  if (c->arg_count && !read_reply(c, conf, &class)) {
    conf_free(&defaults);
    return cli_fail(CLI_EXIT_USAGE, "a reply begins with its code, three digits such as 550");
  }
  struct table t;
  table_init(&t);
  bool fine = set_columns(&t);
  for (int i = 0; fine && i < SMTP_CLASSES; i++)
    if (!c->arg_count || i == (int)class) fine = add_class(&t, conf, (enum smtp_class)i);
  if (fine) table_print(&t, c->json);
  table_free(&t);
  conf_free(&defaults);
  return fine ? CLI_EXIT_OK : cli_fail(CLI_EXIT_SYSTEM, "no memory");
}
