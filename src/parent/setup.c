/* SPDX-License-Identifier: ISC */
/* What the processes are given: sockets, certificates, users, folders. Everything that needs
 * privileges is done here, before a process is started. */
#include "src/parent/parent.h"

#include "lib/base/file.h"
#include "lib/base/sys.h"
#include "mail/smtp/drop.h"
#include "lib/tls/pair.h"
#include "lib/tls/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- listeners --- */

enum {
  BACKLOG = 1024,
  /* A client that vanished keeps its maildrop locked until that is noticed: after a minute of
   * silence TCP probes it three times, 20 seconds apart. */
  ALIVE_IDLE_S = 60,
  ALIVE_EVERY_S = 20,
  ALIVE_TIMES = 3,
};

/* Accepted sockets inherit these from their listener, so that no front-end needs the right to set
 * them (tcp(7)). */
static void set_options(int fd) {
  const struct {
    int level, option, value;
  } wants[] = {
    { SOL_SOCKET, SO_KEEPALIVE, 1 },
    { IPPROTO_TCP, TCP_KEEPIDLE, ALIVE_IDLE_S },
    { IPPROTO_TCP, TCP_KEEPINTVL, ALIVE_EVERY_S },
    { IPPROTO_TCP, TCP_KEEPCNT, ALIVE_TIMES },
    { IPPROTO_TCP, TCP_NODELAY, 1 }, /* what is written is a whole reply */
  };
  for (size_t i = 0; i < sizeof wants / sizeof *wants; i++)
    setsockopt(fd, wants[i].level, wants[i].option, &wants[i].value, sizeof wants[i].value);
}

static int bind_one(const struct addrinfo *a) {
  int on = 1, off = 0;
  int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  set_options(fd);
  if (a->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) return fd;
  int why = errno;
  close(fd);
  errno = why;
  return -1;
}

/* Binds the first address that the names resolve to. -1 with a reason in *ret_why. */
static int bind_names(const char *host, const char *port, int family, const char **ret_why) {
  struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                            .ai_socktype = SOCK_STREAM,
                            .ai_family = family };
  struct addrinfo *list = NULL;
  int code = getaddrinfo(host, port, &hints, &list);
  int fd = code == 0 && list ? bind_one(list) : -1;
  int error = errno;
  if (list) freeaddrinfo(list);
  *ret_why = code ? gai_strerror(code) : strerror(error);
  errno = code ? 0 : error;
  return fd;
}

/* Advice for the usual errors. */
static const char *bind_hint(int error) {
  if (error == EADDRINUSE)
    return ": another server has this port; stop it or change the listen_* option";
  if (error == EACCES) return ": ports below 1024 need root or CAP_NET_BIND_SERVICE";
  return "";
}

/* "host:port", "[v6]:port", "*:port": all addresses, both families in one socket when there is
 * IPv6. */
static int bind_address(const char *text, struct buf *err) {
  struct slice host;
  uint16_t port;
  char h[256], p[8];
  const char *why = "";
  if (!conf_listen_split(slice_str(text), &host, &port) || host.n >= sizeof h) {
    buf_printf(err, "listen address %s: want HOST:PORT, [IPV6]:PORT or *:PORT", text);
    return -1;
  }
  snprintf(h, sizeof h, "%.*s", SLICE_ARG(host));
  snprintf(p, sizeof p, "%u", port);
  bool all = strcmp(h, "*") == 0;
  int fd = bind_names(all ? NULL : h, p, all ? AF_INET6 : AF_UNSPEC, &why);
  if (fd < 0 && all) fd = bind_names(NULL, p, AF_INET, &why);
  if (fd < 0) buf_printf(err, "%s: %s%s", text, why, bind_hint(errno));
  return fd;
}

bool setup_listeners(struct parent *p, struct buf *err) {
  const struct {
    const struct conf_list *addresses;
    enum role kind;
    const char *service;
    bool implicit_tls;
  } table[] = {
    { &p->conf->listen_smtp, ROLE_SMTPD, "smtp", false },
    { &p->conf->listen_submission, ROLE_SMTPD, "submission", false },
    { &p->conf->listen_submissions, ROLE_SMTPD, "submissions", true },
    { &p->conf->listen_pop3, ROLE_POP3D, "pop3", false },
    { &p->conf->listen_pop3s, ROLE_POP3D, "pop3s", true },
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    if (table[i].implicit_tls && p->cert_count == 0) continue;
    for (size_t k = 0; k < table[i].addresses->count; k++) {
      if (p->listener_count == PARENT_LISTENERS_MAX - 1) { /* one entry is reserved for the local
                                                            * listener */
        buf_printf(err, "more than %d listen addresses", PARENT_LISTENERS_MAX - 1);
        return false;
      }
      int fd = bind_address(table[i].addresses->items[k], err);
      if (fd < 0) return false;
      p->listeners[p->listener_count++] =
          (struct listener){ fd, table[i].kind, table[i].service, table[i].implicit_tls };
    }
  }
  return true;
}

/* The socket for local programs. The control socket is made first and detects a running server: a
 * file found here is stale. */
bool setup_local_listener(struct parent *p, struct buf *err) {
  struct sockaddr_un at = { .sun_family = AF_UNIX };
  size_t n = (size_t)snprintf(at.sun_path, sizeof at.sun_path, "%s/submit", p->conf->run_dir);
  if (n < sizeof at.sun_path) unlink(at.sun_path);
  if (!p->conf->local_submission) return true;
  int fd =
      n < sizeof at.sun_path ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
  if (n >= sizeof at.sun_path) errno = ENAMETOOLONG;
  if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
      chmod(at.sun_path, 0666) == 0 && listen(fd, BACKLOG) == 0) {
    p->listeners[p->listener_count++] = (struct listener){ fd, ROLE_SMTPD, "local", false };
    return true;
  }
  buf_printf(err, "%s/submit: %s", p->conf->run_dir, strerror(errno));
  if (fd >= 0) close(fd);
  return false;
}

/* --- certificates --- */

static bool read_file(const char *option, const char *path, struct buf *to, struct buf *err) {
  size_t before = buf_len(err);
  buf_printf(err, "%s: ", option);
  if (!file_read(path, to, err)) return false;
  buf_truncate(err, before);
  return true;
}

static bool signs_nothing(void *arg, unsigned key, enum key_use use, struct slice in,
                          struct buf *out) {
  return false;
}

static struct tls_file file_of(const char *path, const struct buf *pem) {
  return (struct tls_file){ path, buf_slice(pem) };
}

static bool is_in_use(const struct parent *p, struct slice chain) {
  bool is = false;
  for (size_t i = 0; i < p->cert_count; i++) is |= slice_eq(buf_slice(&p->chains[i]), chain);
  return is;
}

/* One certificate and its key. An expired one replaces no other, but is not removed either: it is
 * better than none. */
static bool is_good_pair(const struct parent *p, const struct tls_file *certificate,
                         const struct tls_file *key, struct buf *err) {
  size_t before = buf_len(err);
  buf_put_str(err, "tls_certificates: ");
  if (!tls_pair_certificate(certificate, err)) return false;
  if (p->was_ready && !is_in_use(p, certificate->pem) &&
      tls_pair_expired(certificate, sys_wall_s(), err))
    return false;
  buf_truncate(err, before);
  buf_put_str(err, "tls_keys: ");
  if (!tls_pair_key(certificate, key, err)) return false;
  buf_truncate(err, before);
  return true;
}

/* True if keys and front-ends would accept them: checked by the same code. */
static bool certificates_are_good(const struct parent *p, const struct buf *chains,
                                  const struct buf *keys, const struct conf *conf,
                                  struct buf *err) {
  size_t n = conf->tls_certificates.count;
  struct slice *texts = calloc(n + 1, sizeof *texts);
  bool good = texts;
  for (size_t i = 0; good && i < n; i++) {
    struct tls_file certificate = file_of(conf->tls_certificates.items[i], &chains[i]);
    struct tls_file key = file_of(conf->tls_keys.items[i], &keys[i]);
    good = is_good_pair(p, &certificate, &key, err);
    texts[i] = certificate.pem;
  }
  struct tls_service s = { .name = "check",
                           .least = (enum tls_version)conf->tls_least,
                           .chains = texts,
                           .chain_count = n,
                           .signer = { signs_nothing, NULL },
                           .ticket_life_s = conf->tls_ticket_life };
  struct tls_server *server = good && n ? tls_server_new(&s, err) : NULL;
  good = good && (server || !n);
  if (server) tls_server_unref(&server);
  free(texts);
  return good;
}

/* In a process of its own, so that no library parses them in this one, which has root
 * privileges. */
static bool check_certificates(const struct parent *p, const struct buf *chains,
                               const struct buf *keys, const struct conf *conf, struct buf *err) {
  int ends[2], status = 0;
  uint8_t text[2048];
  ssize_t n;
  if (pipe2(ends, O_CLOEXEC) != 0) {
    buf_printf(err, "the certificates could not be checked: %s", strerror(errno));
    return false;
  }
  pid_t pid = fork();
  if (pid == 0) {
    struct buf why;
    buf_init(&why, sizeof text);
    bool good = certificates_are_good(p, chains, keys, conf, &why);
    n = write(ends[1], buf_slice(&why).p, buf_len(&why));
    _exit(good ? 0 : 1);
  }
  close(ends[1]);
  while ((n = read(ends[0], text, sizeof text)) > 0) buf_put(err, slice_of(text, (size_t)n));
  close(ends[0]);
  while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (pid > 0 && status == 0) return true;
  if (!buf_len(err)) buf_put_str(err, "the certificates could not be checked");
  return false;
}

bool setup_certificates(struct parent *p, const struct conf *conf, struct buf *err) {
  static struct buf none;
  size_t n = conf->tls_certificates.count;
  struct buf *chains = calloc(n + 1, sizeof none), *keys = calloc(n + 1, sizeof none);
  bool good = chains && keys && n <= PARENT_CERTS_MAX;
  for (size_t i = 0; good && i < n; i++) {
    buf_init(&chains[i], 64 * 1024);
    buf_init(&keys[i], 64 * 1024);
    good = read_file("tls_certificates", conf->tls_certificates.items[i], &chains[i], err) &&
           read_file("tls_keys", conf->tls_keys.items[i], &keys[i], err);
  }
  /* All or nothing: a reload with one bad file keeps the old set. */
  if (good && n) good = check_certificates(p, chains, keys, conf, err);
  for (size_t i = 0; good && i < p->cert_count; i++) {
    buf_free(&p->chains[i]);
    buf_wipe(&p->keys[i]);
  }
  for (size_t i = 0; chains && keys && i < n; i++) {
    if (good) {
      p->chains[i] = chains[i];
      p->keys[i] = keys[i];
    } else if (i < PARENT_CERTS_MAX) {
      buf_free(&chains[i]);
      buf_wipe(&keys[i]);
    }
  }
  if (good) p->cert_count = n;
  free(chains);
  free(keys);
  return good;
}

bool setup_anchor(const struct conf *conf, struct buf *err) {
  struct buf text;
  buf_init(&text, 64 * 1024);
  bool ok = !conf->dns_trust_anchor[0] ||
            read_file("dns_trust_anchor", conf->dns_trust_anchor, &text, err);
  buf_free(&text);
  return ok;
}

bool setup_token_keys(struct parent *p, const struct conf *conf, struct buf *err) {
  struct buf text;
  buf_init(&text, 64 * 1024);
  if (conf->oauth_keys[0] && !read_file("oauth_keys", conf->oauth_keys, &text, err)) {
    buf_free(&text);
    return false;
  }
  buf_free(&p->token_keys);
  p->token_keys = text;
  return true;
}

/* A login that no route uses does not keep the server from starting: it is logged. A reload refuses
 * it, since an administrator waits for the answer. */
static bool take_unused(struct parent *p, struct slice lines, struct buf *err) {
  if (p->was_ready) {
    buf_put(err, lines);
    return false;
  }
  while (lines.n) {
    struct slice line = slice_split(&lines, '\n');
    if (line.n) log_print(&p->log, LOG_E_START, "%.*s", SLICE_ARG(line));
  }
  return true;
}

/* The sender reads the file itself, before it is confined. */
bool setup_logins(struct parent *p, const struct conf *conf, struct buf *err) {
  struct buf text, unused;
  struct stat st;
  const char *path = conf->route_passwords;
  if (!path[0]) return true;
  buf_init(&text, 64 * 1024), buf_init(&unused, 64 * 1024);
  bool ok = read_file("route_passwords", path, &text, err);
  if (ok && (stat(path, &st) != 0 || (st.st_mode & 077))) {
    buf_printf(err, "%s can be read by others; chmod 600 is meant", path);
    ok = false;
  }
  if (ok && !conf_check_logins(conf, buf_slice(&text), &unused))
    ok = take_unused(p, buf_slice(&unused), err);
  buf_wipe(&text), buf_free(&unused);
  return ok;
}

void setup_tickets(struct parent *p) {
  for (int kind = 0; kind < ROLE_COUNT; kind++) {
    memmove(p->tickets[kind] + PARENT_TICKET_KEY_SIZE, p->tickets[kind],
            (PARENT_TICKET_KEYS - 1) * PARENT_TICKET_KEY_SIZE);
    sys_random(p->tickets[kind], PARENT_TICKET_KEY_SIZE);
  }
  if (p->ticket_keys < PARENT_TICKET_KEYS) p->ticket_keys++;
}

/* --- users and folders --- */

enum {
  IDENTITY_BASE = 64240
}; /* for systems where neither a package manager nor systemd assigns
                                 * ids */

void setup_folder_of(const struct parent *p, enum role kind, char *to, size_t n) {
  if (role_rows[kind].folder)
    snprintf(to, n, "%s/%s", p->conf->data_dir, role_name(kind));
  else
    to[0] = 0;
}

/* The folder's owner comes first: the user who owns the mail keeps it, even if users were created
 * since. Then <user>-<process>, then <user>, then a number of our own. */
static struct identity identity_of(const struct parent *p, enum role kind) {
  char name[80], folder[1101];
  struct stat st;
  setup_folder_of(p, kind, folder, sizeof folder);
  if (folder[0] && stat(folder, &st) == 0 && st.st_uid != 0)
    return (struct identity){ st.st_uid, st.st_gid };
  snprintf(name, sizeof name, "%s-%s", p->conf->user, role_name(kind));
  struct passwd *pw = getpwnam(name);
  if (!pw) pw = getpwnam(p->conf->user);
  if (pw && pw->pw_uid != 0) return (struct identity){ pw->pw_uid, pw->pw_gid };
  return (struct identity){ IDENTITY_BASE + kind, IDENTITY_BASE + kind };
}

bool setup_identities(struct parent *p, struct buf *err) {
  for (int kind = 0; kind < ROLE_COUNT; kind++)
    p->identities[kind] =
        p->as_root ? identity_of(p, (enum role)kind) : (struct identity){ getuid(), getgid() };
  return true;
}

static bool make_folder(const char *path, mode_t mode, const struct identity *owner,
                        struct buf *err) {
  struct stat st;
  if (mkdir(path, mode) == 0) {
    bool ok = chmod(path, mode) == 0; /* the umask makes what the parent creates private */
    if (ok && (!owner || chown(path, owner->uid, owner->gid) == 0)) return true;
  } else if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
    return true;
  }
  buf_printf(err, "%s: %s", path, strerror(errno));
  return false;
}

static const struct identity *owner_in(const struct parent *p, enum role kind) {
  return p->as_root ? &p->identities[kind] : NULL;
}

/* Local users may put files into it, but not list it (docs/design/pickup.md). It is opened to them
 * last, so that its subfolder is ours. A server without root could not read their files. */
static bool make_drop_folder(const struct parent *p, const char *path, enum role kind,
                             struct buf *err) {
  char aside[1101 + sizeof DROP_ASIDE];
  struct stat st;
  bool there = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
  if (there && (!p->as_root || st.st_uid != 0)) return true;
  snprintf(aside, sizeof aside, "%s/" DROP_ASIDE, path);
  if (!make_folder(path, 0700, NULL, err) || !make_folder(aside, 0700, owner_in(p, kind), err))
    return false;
  if (!p->as_root) return true;
  const struct identity *owner = &p->identities[kind];
  if (chmod(path, 01733) == 0 && chown(path, owner->uid, owner->gid) == 0) return true;
  buf_printf(err, "%s: %s", path, strerror(errno));
  return false;
}

bool setup_folders(struct parent *p, struct buf *err) {
  char path[1101];
  if (!make_folder(p->conf->data_dir, p->as_root ? 0755 : 0700, NULL, err)) return false;
  if (!make_folder(p->conf->run_dir, p->as_root ? 0755 : 0700, NULL, err)) return false;
  snprintf(path, sizeof path, "%s/empty", p->conf->data_dir);
  if (!make_folder(path, 0555, NULL, err)) return false;
  for (int kind = 0; kind < ROLE_COUNT; kind++) {
    setup_folder_of(p, (enum role)kind, path, sizeof path);
    bool ok = role_rows[kind].class == ROLE_CLASS_DROPS
                  ? make_drop_folder(p, path, (enum role)kind, err)
                  : !path[0] || make_folder(path, 0700, owner_in(p, (enum role)kind), err);
    if (!ok) return false;
  }
  return true;
}
