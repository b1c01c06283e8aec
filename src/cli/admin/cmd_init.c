/* SPDX-License-Identifier: ISC */
/* `qasid init`: sets up everything a server needs, for one address. Nothing that exists is
 * overwritten; if a file cannot be created, those created before are removed; if the account cannot
 * be created, what was created before stays and is listed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/num.h"
#include "lib/tls/selfsigned.h"
#include "src/cli/admin/account.h"
#include "src/cli/admin/commands.h"
#include "src/cli/admin/dkim.h"
#include "src/cli/base/secret.h"
#include "src/cli/base/terminal.h"

enum { PATH_ROOM = 1100 };

struct init {
  const char *address, *domain;
  char hostname[256];
  char config[PATH_ROOM], data[PATH_ROOM], run[PATH_ROOM], cert[PATH_ROOM], key[PATH_ROOM];
  const char *listen;        /* the address to listen on, as in the configuration */
  bool standard, own_folder; /* standard: the well-known ports; own_folder: everything in one
                              * folder */
  unsigned ports[5];         /* in the order of the table below */
};

static const struct port {
  const char *option, *name, *what;
  unsigned standard; /* "high" is 2000 more, except for smtp: 2525 */
} ports[] = {
  { "listen_smtp", "smtp", "mail from other servers", 25 },
  { "listen_submission", "submission", "users' mail, STARTTLS", 587 },
  { "listen_submissions", "submissions", "users' mail, TLS", 465 },
  { "listen_pop3", "pop3", "POP3, STLS", 110 },
  { "listen_pop3s", "pop3s", "POP3, TLS", 995 },
};
enum { PORTS = sizeof ports / sizeof *ports };

/* --- what is wanted --- */

static bool put_path(char *to, const char *folder, const char *name) {
  int n = snprintf(to, PATH_ROOM, "%s/%s", folder, name);
  return n > 0 && n < PATH_ROOM;
}

/* --dir as an absolute path: the configuration has only absolute paths. */
static bool whole_path(const char *path, char *ret) {
  char here[PATH_ROOM];
  if (path[0] == '/') return snprintf(ret, PATH_ROOM, "%s", path) < PATH_ROOM;
  return getcwd(here, sizeof here) && snprintf(ret, PATH_ROOM, "%s/%s", here, path) < PATH_ROOM;
}

static bool paths_in(struct init *x, const char *conf, const char *data, const char *run) {
  return put_path(x->config, conf, "qasid.conf") && put_path(x->cert, conf, "certificate.pem") &&
         put_path(x->key, conf, "key.pem") &&
         snprintf(x->data, PATH_ROOM, "%s", data) < PATH_ROOM &&
         snprintf(x->run, PATH_ROOM, "%s", run) < PATH_ROOM;
}

static bool choose_paths(struct cli *c, struct init *x) {
  char dir[PATH_ROOM], data[PATH_ROOM], run[PATH_ROOM];
  const char *named = cli_given(c, "dir"), *home = getenv("HOME");
  bool ok;
  if (named) {
    x->own_folder = true;
    ok = whole_path(named, dir) && put_path(data, dir, "data") && put_path(run, dir, "run") &&
         paths_in(x, dir, data, run);
  } else if (geteuid() == 0) {
    ok = paths_in(x, "/etc/qasid", "/var/lib/qasid", "/run/qasid");
  } else {
    ok = home && put_path(dir, home, ".config/qasid") &&
         put_path(data, home, ".local/share/qasid") &&
         put_path(run, home, ".local/share/qasid/run") && paths_in(x, dir, data, run);
  }
  if (ok && c->config_named) ok = whole_path(c->config, x->config);
  return ok;
}

/* "standard", "high", or the first of five ports in a row. */
static bool choose_ports(struct init *x, const char *which) {
  uint64_t first = 0;
  bool high = which ? strcmp(which, "high") == 0 : geteuid() != 0;
  x->standard = which ? strcmp(which, "standard") == 0 : !high;
  if (!high && !x->standard && (!num_parse(slice_str(which), 65535 - PORTS, &first) || first == 0))
    return cli_fail(0, "--ports is high, standard, or the first of five ports in a row");
  for (size_t i = 0; i < PORTS; i++)
    x->ports[i] = first ? (unsigned)(first + i)
                        : ports[i].standard + (x->standard ? 0
                                               : i         ? 2000
                                                           : 2500);
  return true;
}

static bool choose(struct cli *c, struct init *x) {
  const char *at = strrchr(c->args[0], '@'), *name = cli_given(c, "hostname"),
             *which = cli_given(c, "ports");
  x->address = c->args[0];
  x->domain = at ? at + 1 : "";
  if (!at || at == c->args[0] || !*x->domain)
    return cli_fail(0, "%s is not an address; you@example.org is meant", c->args[0]);
  if (!choose_ports(x, which)) return false;
  x->listen = cli_given(c, "address") ? cli_given(c, "address") : "*";
  int n = name ? snprintf(x->hostname, sizeof x->hostname, "%s", name)
               : snprintf(x->hostname, sizeof x->hostname, "mail.%s", x->domain);
  if (n < 0 || (size_t)n >= sizeof x->hostname) return cli_fail(0, "the server's name is too long");
  if (!choose_paths(c, x))
    return cli_fail(0, "the folders' names are too long, or there is no home folder");
  return true;
}

/* --- the configuration --- */

static void put_listen(struct buf *out, const struct init *x, size_t i) {
  bool v6 = strchr(x->listen, ':') != NULL;
  buf_printf(out, "%-19s= {\"%s%s%s:%u\"}\n", ports[i].option, v6 ? "[" : "", x->listen,
             v6 ? "]" : "", x->ports[i]);
}

static void put_config(struct buf *out, const struct init *x) {
  buf_put_str(out, "# Qasid's configuration. Every option: `qasid config --help`, qasid.conf(5).\n"
                   "# After a change: `qasid check-config`, then `qasid reload`.\n\n");
  buf_printf(out, "%-19s= \"%s\"\n", "hostname", x->hostname);
  buf_printf(out, "%-19s= \"%s\"\n", "data_dir", x->data);
  buf_printf(out, "%-19s= \"%s\"\n", "run_dir", x->run);
  buf_printf(out, "%-19s= {\"%s\"}\n", "tls_certificates", x->cert);
  buf_printf(out, "%-19s= {\"%s\"}\n\n", "tls_keys", x->key);
  bool usual = x->standard && strcmp(x->listen, "*") == 0; /* the defaults are the same */
  for (size_t i = 0; !usual && i < PORTS; i++) put_listen(out, x, i);
}

/* --- making --- */

/* The folder and those above it. */
static bool make_folders(const char *path, mode_t mode) {
  char part[PATH_ROOM];
  for (size_t i = 1;; i++) {
    if (path[i] != '/' && path[i] != 0) continue;
    memcpy(part, path, i);
    part[i] = 0;
    if (mkdir(part, path[i] ? 0755 : mode) != 0 && errno != EEXIST) return false;
    if (!path[i]) return true;
  }
}

static bool make_folder_of(const char *file, mode_t mode) {
  char folder[PATH_ROOM];
  snprintf(folder, sizeof folder, "%s", file);
  char *slash = strrchr(folder, '/');
  if (slash == folder || !slash) return true;
  *slash = 0;
  return make_folders(folder, mode);
}

static int make_file(const char *path, mode_t mode, struct slice s) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  bool ok = fd >= 0;
  while (ok && s.n) {
    ssize_t n = write(fd, s.p, s.n);
    ok = n > 0 || (n < 0 && errno == EINTR);
    if (n > 0) s = slice_from(s, (size_t)n);
  }
  ok = ok && fsync(fd) == 0;
  int why = errno;
  if (fd >= 0) close(fd);
  if (fd >= 0 && !ok) unlink(path);
  return ok ? CLI_EXIT_OK
            : cli_fail(why == EEXIST ? CLI_EXIT_EXISTS : CLI_EXIT_IO, "%s: %s", path,
                       strerror(why));
}

static int make_certificate(const struct init *x) {
  const char *names[] = { x->hostname, x->domain, "localhost", "127.0.0.1", "::1" };
  struct buf cert, key;
  buf_init(&cert, 16 * 1024), buf_init(&key, 16 * 1024);
  int code = CLI_EXIT_USAGE;
  if (!tls_make_self_signed(names, sizeof names / sizeof *names, &cert, &key))
    cli_fail(code, "no certificate can be made for %s and %s; are they host names?", x->hostname,
             x->domain);
  else if ((code = make_file(x->key, 0600, buf_slice(&key))) == CLI_EXIT_OK &&
           (code = make_file(x->cert, 0644, buf_slice(&cert))) != CLI_EXIT_OK)
    unlink(x->key);
  buf_free(&cert);
  buf_wipe(&key);
  return code;
}

/* Everything is checked before the first file is created. */
static int check_free(const struct init *x, struct slice text) {
  const char *files[] = { x->config, x->cert, x->key };
  struct buf err;
  struct stat st;
  for (size_t i = 0; i < 3; i++)
    if (lstat(files[i], &st) == 0)
      return cli_fail(CLI_EXIT_EXISTS,
                      "%s exists already, and nothing is overwritten. What an init that was broken "
                      "off has made can be removed, or completed: qasid -c %s domain add %s, then "
                      "account add %s",
                      files[i], x->config, x->domain, x->address);
  buf_init(&err, 64 * 1024);
  struct conf *conf = conf_parse(text, x->config, &err);
  int code =
      conf ? CLI_EXIT_OK : cli_fail(CLI_EXIT_USAGE, "with this no configuration can be made:");
  if (!conf) fwrite(buf_slice(&err).p, 1, buf_len(&err), stderr);
  conf_free(&conf);
  buf_free(&err);
  return code;
}

static int make_files(const struct init *x) {
  struct buf text;
  buf_init(&text, 64 * 1024);
  put_config(&text, x);
  int code = check_free(x, buf_slice(&text));
  mode_t mode = x->own_folder ? 0700 : 0755;
  /* As root the processes have users of their own, which must reach their folders below
   * data_dir. */
  if (geteuid() == 0) mode = 0755;
  if (code == CLI_EXIT_OK && (!make_folder_of(x->config, mode) || !make_folder_of(x->cert, mode) ||
                              !make_folders(x->data, geteuid() == 0 ? 0755 : 0700) ||
                              !make_folders(x->run, geteuid() == 0 ? 0755 : 0700)))
    code = cli_fail(CLI_EXIT_IO, "the folders cannot be made: %s", strerror(errno));
  if (code == CLI_EXIT_OK) code = make_certificate(x);
  bool certified = code == CLI_EXIT_OK;
  if (certified) code = make_file(x->config, 0644, buf_slice(&text));
  if (certified && code != CLI_EXIT_OK) unlink(x->cert), unlink(x->key);
  buf_free(&text);
  return code;
}

static int make_account(struct cli *c, const struct init *x, struct slice password,
                        struct table *keys) {
  struct slice words[] = { SLICE("domain"), SLICE("add"), slice_str(x->domain) };
  struct table t;
  table_init(&t);
  c->config = x->config;
  int code = ask_table(c, ROLE_STORE, words, 3, &t, NULL);
  if (code == CLI_EXIT_OK) code = dkim_make(c, x->domain, keys);
  struct account_wish w = { .address = slice_str(x->address),
                            .password = password,
                            .legacy = cli_given(c, "legacy-auth") != NULL };
  if (code == CLI_EXIT_OK) code = account_make(c, &w);
  table_free(&t);
  return code;
}

/* --- what to do next --- */

static void print_dns(const struct init *x, const struct table *keys) {
  const char *d = x->domain, *h = x->hostname;
  printf("\n%sSet in DNS%s (for %s; ADDRESS is this machine's):\n",
         terminal_tint(stdout, TINT_BOLD), terminal_tint(stdout, TINT_NONE), d);
  printf("  %s.  A     ADDRESS           ; and AAAA for IPv6; its PTR must lead back to %s\n", h,
         h);
  printf("  %s.  MX    10 %s.\n", d, h);
  printf("  %s.  TXT   \"v=spf1 mx -all\"\n", d);
  dkim_print_records(keys, "current", "  ");
  printf("  _dmarc.%s.  TXT \"v=DMARC1; p=quarantine\"\n", d);
  printf("  _submissions._tcp.%s.  SRV  0 1 465 %s.   ; RFC 8314\n", d, h);
  printf("  _submission._tcp.%s.   SRV  5 1 587 %s.   ; RFC 6186\n", d, h);
  printf("  _pop3s._tcp.%s.        SRV  0 1 995 %s.\n", d, h);
  printf("  _pop3._tcp.%s.         SRV  0 0 0   .              ; none without TLS\n", d);
  if (!x->standard)
    printf("  (The world delivers to port 25 only: forward 25, 465, 587 and 995 to the ports "
           "above.)\n");
}

static void print_all(struct cli *c, const struct init *x, const struct buf *password,
                      const struct table *keys) {
  const char *bold = terminal_tint(stdout, TINT_BOLD), *plain = terminal_tint(stdout, TINT_NONE);
  printf("configuration  %s\nmail           %s\ncertificate    %s (self-signed: put a real one "
         "there, then "
         "`qasid reload`)\n",
         x->config, x->data, x->cert);
  for (size_t i = 0; i < PORTS; i++)
    printf("%-14s port %u, %s\n", ports[i].name, x->ports[i], ports[i].what);
  printf("\naccount        %s%s%s\n", bold, x->address, plain);
  if (!cli_given(c, "password-stdin"))
    printf("password       %s%.*s%s   (shown this once)\n", bold, SLICE_ARG(buf_slice(password)),
           plain);
  print_dns(x, keys);
  printf("\nWhether DNS has all of it: qasid domain check\nNext: %sqasid serve%s%s%s\n", bold,
         x->own_folder || c->config_named ? " -c " : "",
         x->own_folder || c->config_named ? x->config : "", plain);
}

int cmd_init(struct cli *c) {
  struct init x = { .standard = false };
  struct buf password;
  struct table keys;
  if (!choose(c, &x)) return CLI_EXIT_USAGE;
  buf_init(&password, SECRET_MAX);
  table_init(&keys);
  int code = CLI_EXIT_OK;
  if (cli_given(c, "password-stdin"))
    code = secret_get(c, "", false, &password);
  else
    secret_make(&password);
  if (code == CLI_EXIT_OK) code = make_files(&x);
  if (code == CLI_EXIT_OK &&
      (code = make_account(c, &x, buf_slice(&password), &keys)) != CLI_EXIT_OK)
    fprintf(stderr,
            "qasid: the files are made, the account is not; from here on: qasid -c %s domain add "
            "%s, then "
            "account add %s\n",
            x.config, x.domain, x.address);
  if (code == CLI_EXIT_OK) print_all(c, &x, &password, &keys);
  table_free(&keys);
  buf_wipe(&password);
  return code;
}
