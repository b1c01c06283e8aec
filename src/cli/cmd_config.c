/* `qasid config`, `qasid check-config`. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/docs.h"
#include "lib/jwt/keys.h"
#include "lib/tls/key.h"
#include "src/cli/dns.h"
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

enum { PEM_MAX = 64 * 1024 };

static bool read_pem(struct cli *c, const char *option, const char *path, struct buf *to) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = -1;
  while (fd >= 0) {
    uint8_t *at = buf_reserve(to, 4096);
    n = at ? read(fd, at, 4096) : -1;
    if (n <= 0) break;
    buf_added(to, (size_t)n);
  }
  int why = errno;
  if (fd >= 0) close(fd);
  if (n == 0) return true;
  fprintf(stderr, "%s: %s: \"%s\": %s\n", c->config, option, path,
          to->failed ? "is larger than 64K" : strerror(why));
  return false;
}

static bool mistake(struct cli *c, const char *option, const char *path, const char *what) {
  fprintf(stderr, "%s: %s: \"%s\" %s\n", c->config, option, path, what);
  return false;
}

static bool check_mode(struct cli *c, const char *path) {
  struct stat st;
  if (stat(path, &st) != 0 || !(st.st_mode & 077)) return true;
  return mistake(c, "tls_keys", path, "can be read by others; chmod 600 is meant");
}

/* One certificate and the key at the same place. */
static bool check_pair(struct cli *c, const char *cert_path, const char *key_path) {
  struct buf cert, pem, err;
  struct tls_key *key = NULL;
  buf_init(&cert, PEM_MAX), buf_init(&pem, PEM_MAX), buf_init(&err, 1024);
  buf_reserve(&pem, PEM_MAX); /* at once, so that growing leaves no copy behind */
  bool ok = read_pem(c, "tls_certificates", cert_path, &cert);
  ok = read_pem(c, "tls_keys", key_path, &pem) && ok;
  if (ok && !(key = tls_key_load(buf_slice(&pem), &err)))
    ok = mistake(c, "tls_keys", key_path, buf_cstr(&err) ? buf_cstr(&err) : "is no private key");
  if (ok && !tls_key_fits(key, buf_slice(&cert)))
    ok = mistake(c, "tls_keys", key_path, "is not the key of the certificate at the same place");
  tls_key_free(&key);
  buf_free(&cert), buf_free(&err);
  buf_wipe(&pem);
  return check_mode(c, key_path) && ok;
}

static int check_files(struct cli *c, const struct conf *conf) {
  int wrong = 0;
  for (size_t i = 0; i < conf->tls_certificates.count; i++)
    wrong += !check_pair(c, conf->tls_certificates.items[i], conf->tls_keys.items[i]);
  return wrong;
}

static int check_token_keys(struct cli *c, const struct conf *conf) {
  struct buf text, err;
  struct jwt_keys *keys = NULL;
  if (!conf->oauth_keys[0]) return 0;
  buf_init(&text, PEM_MAX), buf_init(&err, 512);
  bool read = read_pem(c, "oauth_keys", conf->oauth_keys, &text);
  if (read && !(keys = jwt_keys_read(buf_slice(&text), &err)))
    mistake(c, "oauth_keys", conf->oauth_keys, buf_cstr(&err) ? buf_cstr(&err) : "is no key set");
  int wrong = !keys;
  jwt_keys_free(&keys);
  buf_free(&text), buf_free(&err);
  return wrong;
}

/* Name servers and trust anchor as the resolver would read them; nobody is asked anything. */
static int check_dns(struct cli *c) {
  struct dns_settings settings;
  struct buf err;
  struct loop *loop = loop_new();
  buf_init(&err, 1024);
  struct dns *dns = loop && cli_dns_settings(c, &settings) ? dns_new(loop, &settings, &err) : NULL;
  int wrong = !dns;
  if (wrong) fprintf(stderr, "%s: dns_trust_anchor: %.*s\n", c->config, SLICE_ARG(buf_slice(&err)));
  dns_free(&dns);
  loop_free(&loop);
  buf_free(&err);
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
  int wrong = check_files(c, conf) + check_token_keys(c, conf) + check_dns(c) +
              check_folder(c, "data_dir", conf->data_dir) +
              check_folder(c, "run_dir", conf->run_dir);
  if (wrong) return CLI_EXIT_CONFIG;
  if (conf->tls_certificates.count == 0)
    fprintf(stderr, "%s: tls_certificates: none, so nothing is encrypted; `qasid init` makes one\n",
            c->config);
  printf("%s: ok\n", c->config);
  return CLI_EXIT_OK;
}
