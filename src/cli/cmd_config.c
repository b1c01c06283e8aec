/* `qasid config`, `qasid check-config`. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/docs.h"
#include "src/cli/cli.h"
#include "src/cli/terminal.h"

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
  } else {
    code = explain(what, &out);
  }
  buf_free(&out);
  return code;
}

/* --- what the configuration names --- */

/* Reads a little of it. */
static bool check_file(struct cli *c, const char *option, const char *path, struct stat *st) {
  char octet;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  bool ok = fd >= 0 && fstat(fd, st) == 0 && read(fd, &octet, 1) == 1;
  if (!ok)
    fprintf(stderr, "%s: %s: \"%s\" %s\n", c->config, option, path,
            fd < 0 || errno == EISDIR ? strerror(errno) : "is empty");
  if (fd >= 0) close(fd);
  return ok;
}

static int check_files(struct cli *c, const struct conf *conf) {
  struct stat st;
  int wrong = 0;
  for (size_t i = 0; i < conf->tls_certificates.count; i++)
    wrong += !check_file(c, "tls_certificates", conf->tls_certificates.items[i], &st);
  for (size_t i = 0; i < conf->tls_keys.count; i++) {
    const char *path = conf->tls_keys.items[i];
    if (!check_file(c, "tls_keys", path, &st)) {
      wrong++;
    } else if (st.st_mode & 077) {
      fprintf(stderr, "%s: tls_keys: \"%s\" can be read by others (mode %03o); chmod 600 is meant\n",
              c->config, path, (unsigned)st.st_mode & 0777);
      wrong++;
    }
  }
  return wrong;
}

/* A folder that is missing is made at the start; something else in its place is wrong. */
static int check_folder(struct cli *c, const char *option, const char *path) {
  struct stat st;
  if (stat(path, &st) != 0 || S_ISDIR(st.st_mode)) return 0;
  fprintf(stderr, "%s: %s: \"%s\" is no folder\n", c->config, option, path);
  return 1;
}

int cmd_check_config(struct cli *c) {
  const struct conf *conf = cli_conf(c);
  if (!conf) return CLI_EXIT_CONFIG;
  int wrong = check_files(c, conf) + check_folder(c, "data_dir", conf->data_dir) +
              check_folder(c, "run_dir", conf->run_dir);
  if (wrong) return CLI_EXIT_CONFIG;
  if (conf->tls_certificates.count == 0)
    fprintf(stderr, "%s: tls_certificates: none, so nothing is encrypted; `qasid init` makes one\n",
            c->config);
  printf("%s: ok\n", c->config);
  return CLI_EXIT_OK;
}
