/* SPDX-License-Identifier: ISC */
/* `qasid config`. */
#include <stdio.h>
#include <string.h>

#include "conf/docs.h"
#include "ipc/roles.h"
#include "runtime/sandbox/sandbox.h"
#include "src/cli/admin/commands.h"
#include "src/cli/admin/log_manual.h"
#include "src/cli/base/terminal.h"

static int print(struct buf *out) {
  if (out->failed) return cli_fail(CLI_EXIT_SYSTEM, "no memory");
  out_put(out);
  return CLI_EXIT_OK;
}

static int show(struct cli *c, struct buf *out) {
  const struct conf *conf = cli_conf(c);
  if (!conf) return CLI_EXIT_CONFIG;
  conf_dump(conf, out);
  return print(out);
}

static int explain(const char *name, struct buf *out) {
  if (conf_help(out, name)) return print(out);
  return cli_fail(CLI_EXIT_NOT_FOUND, "there is no option %s; `qasid config --help` has all", name);
}

int cmd_config(struct cli *c) {
  struct buf out;
  buf_init(&out, 4 * 1024 * 1024);
  const char *what = c->arg_count ? c->args[0] : "show";
  int code;
  if (strcmp(what, "show") == 0) {
    code = show(c, &out);
  } else if (strcmp(what, "sample") == 0) {
    conf_sample(&out);
    code = print(&out);
  } else if (strcmp(what, "manual") == 0) {
    conf_manual(&out);
    code = print(&out);
  } else if (strcmp(what, "log-manual") == 0) {
    cli_log_manual(&out);
    code = print(&out);
  } else if (strcmp(what, "system-calls") == 0) {
    sandbox_put_counts(&out);
    code = print(&out);
  } else if (strcmp(what, "roles") == 0) {
    role_put_table(&out);
    code = print(&out);
  } else if (strcmp(what, "sysusers") == 0) {
    role_put_sysusers(&out);
    code = print(&out);
  } else {
    code = explain(what, &out);
  }
  buf_free(&out);
  return code;
}
