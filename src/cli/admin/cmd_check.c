/* SPDX-License-Identifier: ISC */
/* `qasid check-config`: checks the configuration and what it refers to, and warns of upcoming
 * problems.
 *
 * A mistake ends the command with 78: the server would not start, or not do what was meant. A
 * warning does not, because the unit runs this command before each start, and a server whose
 * certificate has expired is still better than none. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/docs.h"
#include "ipc/roles.h"
#include "lib/base/file.h"
#include "lib/base/sys.h"
#include "lib/json/json.h"
#include "lib/jwt/keys.h"
#include "lib/tls/facts.h"
#include "lib/tls/pair.h"
#include "src/cli/admin/certificates.h"
#include "src/cli/admin/commands.h"
#include "src/cli/base/dns.h"
#include "src/cli/base/terminal.h"

enum { PEM_MAX = 64 * 1024 };

struct findings {
  struct cli *cli;
  const struct conf *conf;
  struct json_value *rows; /* with --json */
  size_t mistakes;
};

static void find(struct findings *f, bool mistake, const char *option, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void find(struct findings *f, bool mistake, const char *option, const char *fmt, ...) {
  char text[2048];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  f->mistakes += mistake;
  if (!f->rows) {
    fprintf(stderr, "%s: %s: %s%s\n", f->cli->config, option, mistake ? "" : "warning: ", text);
    return;
  }
  struct json_value *row = json_new_object();
  json_put_text(row, "severity", mistake ? SLICE("mistake") : SLICE("warning"));
  json_put_text(row, "option", slice_str(option));
  json_put_text(row, "what", slice_str(text));
  json_put_item(f->rows, row);
}

/* The text from lib/tls/pair.h or lib/base/file.h. */
static void find_words(struct findings *f, bool mistake, const char *option, struct buf *words) {
  const char *text = buf_len(words) ? buf_cstr(words) : NULL;
  if (text) find(f, mistake, option, "%s", text);
  buf_reset(words);
}

static bool read_pem(struct findings *f, const char *option, const char *path, struct buf *to) {
  struct buf err;
  buf_init(&err, 2048);
  bool ok = file_read(path, to, &err);
  find_words(f, true, option, &err);
  buf_free(&err);
  return ok;
}

static void check_mode(struct findings *f, const char *path) {
  struct stat st;
  if (stat(path, &st) == 0 && (st.st_mode & 077))
    find(f, true, "tls_keys", "\"%s\" can be read by others; chmod 600 is meant", path);
}

/* Its time. */
static void check_time(struct findings *f, const struct tls_file *c,
                       const struct tls_facts *facts) {
  char date[32];
  struct buf words;
  int64_t now = sys_wall_s(), days = (facts->ends_s - now) / 86400;
  buf_init(&words, 1024);
  if (facts->begins_s > now)
    find(f, false, "tls_certificates", "\"%s\" is valid from %s on only", c->path,
         certificate_date(facts->begins_s, date));
  if (tls_pair_expired(c, now, &words))
    find_words(f, false, "tls_certificates", &words);
  else if (days < CERTIFICATE_WARN_DAYS)
    find(f, false, "tls_certificates", "\"%s\" expires on %s, in %lld day%s", c->path,
         certificate_date(facts->ends_s, date), (long long)days, days == 1 ? "" : "s");
  buf_free(&words);
}

/* One certificate and its key. True: it covers `hostname`. */
static bool check_pair(struct findings *f, const char *hostname, const char *cert_path,
                       const char *key_path) {
  struct buf cert, pem, err;
  struct tls_facts facts = { 0 };
  buf_init(&cert, PEM_MAX), buf_init(&pem, PEM_MAX), buf_init(&err, 2048);
  buf_reserve(&pem, PEM_MAX); /* full size at once, so that growing leaves no copy behind */
  bool has_cert = read_pem(f, "tls_certificates", cert_path, &cert);
  bool has_key = read_pem(f, "tls_keys", key_path, &pem);
  struct tls_file c = { cert_path, buf_slice(&cert) }, key = { key_path, buf_slice(&pem) };
  bool good = has_cert && tls_pair_certificate(&c, &err);
  find_words(f, true, "tls_certificates", &err);
  if (good && tls_facts(c.pem, hostname, &facts, NULL)) check_time(f, &c, &facts);
  if (good && has_key) tls_pair_key(&c, &key, &err);
  find_words(f, true, "tls_keys", &err);
  buf_free(&cert), buf_free(&err);
  buf_wipe(&pem);
  check_mode(f, key_path);
  return facts.fits;
}

static void check_certificates(struct findings *f) {
  const struct conf *conf = f->conf;
  char machine[256] = "";
  if (!conf->hostname[0]) gethostname(machine, sizeof machine - 1);
  const char *hostname = conf->hostname[0] ? conf->hostname : machine;
  bool fits = false;
  for (size_t i = 0; i < conf->tls_certificates.count; i++)
    fits |= check_pair(f, hostname, conf->tls_certificates.items[i], conf->tls_keys.items[i]);
  if (conf->tls_certificates.count == 0)
    find(f, false, "tls_certificates", "none, so nothing is encrypted; `qasid init` makes one");
  else if (!fits)
    find(f, false, "tls_certificates",
         "none of them is for %s, the server's name (hostname); clients that connect to it by that "
         "name refuse them",
         hostname);
}

static void check_token_keys(struct findings *f) {
  struct buf text, err;
  struct jwt_keys *keys = NULL;
  if (!f->conf->oauth_keys[0]) return;
  buf_init(&text, PEM_MAX), buf_init(&err, 512);
  bool read = read_pem(f, "oauth_keys", f->conf->oauth_keys, &text);
  if (read && !(keys = jwt_keys_read(buf_slice(&text), &err)))
    find(f, true, "oauth_keys", "\"%s\" %s", f->conf->oauth_keys,
         buf_cstr(&err) ? buf_cstr(&err) : "is not a key set");
  jwt_keys_free(&keys);
  buf_free(&text), buf_free(&err);
}

/* Checked as the parent does at a reload. */
static void check_logins(struct findings *f) {
  const char *path = f->conf->route_passwords;
  struct buf text, wrong;
  struct stat st;
  if (!path[0]) return;
  buf_init(&text, PEM_MAX), buf_init(&wrong, 4096);
  if (read_pem(f, "route_passwords", path, &text)) {
    if (stat(path, &st) == 0 && (st.st_mode & 077))
      find(f, true, "route_passwords", "\"%s\" can be read by others; chmod 600 is meant", path);
    conf_check_logins(f->conf, buf_slice(&text), &wrong);
    for (struct slice rest = buf_slice(&wrong); rest.n;) {
      struct slice line = slice_split(&rest, '\n');
      if (line.n) find(f, true, "route_passwords", "%.*s", SLICE_ARG(line));
    }
  }
  buf_wipe(&text), buf_free(&wrong);
}

/* Checks name servers and trust anchor as the resolver would read them; no server is queried. */
static void check_dns(struct findings *f) {
  struct dns_settings settings;
  struct buf err;
  struct loop *loop = loop_new();
  buf_init(&err, 1024);
  struct dns *dns =
      loop && cli_dns_settings(f->cli, &settings) ? dns_new(loop, &settings, &err) : NULL;
  if (!dns) find(f, true, "dns_trust_anchor", "%.*s", SLICE_ARG(buf_slice(&err)));
  dns_free(&dns);
  loop_free(&loop);
  buf_free(&err);
}

/* A missing folder is created at the start; anything else in its place is an error. */
static void check_folder(struct findings *f, const char *option, const char *path) {
  struct stat st;
  if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
    find(f, true, option, "\"%s\" is not a folder", path);
}

static bool is_user(const char *name, const char *role) {
  char text[80];
  snprintf(text, sizeof text, "%s%s%s", name, role ? "-" : "", role ? role : "");
  return getpwnam(text) != NULL;
}

/* Without the default users, numeric ids are used; a user name that was configured must exist. */
static void check_user(struct findings *f) {
  const char *user = f->conf->user;
  if (!user[0] || strcmp(user, "qasid") == 0 || is_user(user, NULL)) return;
  for (int kind = 0; kind < ROLE_COUNT; kind++)
    if (is_user(user, role_name((enum role)kind))) return;
  find(f, false, "user",
       "there is no user \"%s\", and none of the kind \"%s-smtpd\"; started by root, the processes "
       "run under bare numbers",
       user, user);
}

/* Prints the mistakes of a file that cannot be read as a configuration, one per line. */
static void find_lines(struct findings *f, struct slice text) {
  while (text.n) {
    struct slice line = slice_split(&text, '\n');
    struct json_value *row = json_new_object();
    json_put_text(row, "severity", SLICE("mistake"));
    json_put_text(row, "what", line);
    json_put_item(f->rows, row);
    f->mistakes++;
  }
}

static bool load(struct findings *f) {
  struct buf err;
  if (!f->rows) return (f->conf = cli_conf(f->cli)) != NULL;
  buf_init(&err, 64 * 1024);
  f->cli->conf = conf_load(f->cli->config, &err);
  f->conf = f->cli->conf;
  find_lines(f, buf_slice(&err));
  buf_free(&err);
  return f->conf != NULL;
}

int cmd_check_config(struct cli *c) {
  struct findings f = { .cli = c, .rows = c->json ? json_new_array() : NULL };
  bool loaded = load(&f);
  if (loaded) {
    check_certificates(&f);
    check_token_keys(&f);
    check_logins(&f);
    check_dns(&f);
    check_user(&f);
    check_folder(&f, "data_dir", f.conf->data_dir);
    check_folder(&f, "run_dir", f.conf->run_dir);
  }
  int code = loaded && !f.mistakes ? CLI_EXIT_OK : CLI_EXIT_CONFIG;
  if (f.rows)
    json_write(f.rows, stdout, false);
  else if (code == CLI_EXIT_OK)
    printf("%s: ok\n", c->config);
  json_done(&f.rows);
  return code;
}
