/* SPDX-License-Identifier: ISC */
/* `qasid classify`: what a reply of another server means, by the same rules as the server's. */
#include <stdio.h>
#include <unistd.h>

#include "ipc/ipc.h"
#include "mail/smtp/class.h"
#include "src/cli/admin/commands.h"
#include "src/cli/base/table.h"

enum { LINE_MAX_OCTETS = 4096 };

static void put_seconds(struct buf *list, uint64_t n, uint64_t most) {
  struct buf text;
  buf_init(&text, 32);
  buf_put_dec(&text, n < most ? n : most);
  ipc_list_put(list, buf_slice(&text));
  buf_free(&text);
}

static bool add_class(struct table *t, const struct conf *conf, enum smtp_class class) {
  struct smtp_class_delay d = smtp_class_delay(class);
  struct buf list;
  buf_init(&list, 1024);
  ipc_list_put(&list, slice_str(smtp_class_word(class)));
  put_seconds(&list, conf->retry_first * d.first, conf->retry_most);
  put_seconds(&list, d.most ? conf->retry_first * d.most : conf->retry_most, conf->retry_most);
  ipc_list_put(&list, slice_str(smtp_class_meaning(class)));
  bool fine = !list.failed && table_add(t, buf_slice(&list));
  buf_free(&list);
  return fine;
}

static bool set_columns(struct table *t) {
  struct buf list;
  buf_init(&list, 128);
  static const char *const names[] = { "class", "first", "most", "meaning" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    ipc_list_put(&list, slice_str(names[i]));
  bool fine = table_columns(t, buf_slice(&list));
  buf_free(&list);
  return fine;
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
