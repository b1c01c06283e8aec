/* SPDX-License-Identifier: ISC */
/* The socket of the command line: run_dir/control, mode 0600. Only root or the user who started the
 * server may connect. A connection is either connected to a process or sends commands to the
 * parent. */
#include "src/parent/parent.h"

#include "runtime/admin/admin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CERTIFICATE_SHOWN_MAX = 32 * 1024 };

struct client {
  struct parent *parent;
  struct channel *channel;
  struct client *next;
  bool waits; /* for a reload */
};

static void send_by_client(void *arg, uint32_t number, uint16_t type, struct slice payload) {
  struct client *c = arg;
  channel_send(c->channel, type, 0, payload);
}

static struct admin_answer answer_of(struct client *c) {
  return (struct admin_answer){ send_by_client, c, 0, NULL };
}

static const char *state_of(const struct proc *proc) {
  if (proc->retired) return "finishing";
  return proc->ready ? "ready" : proc->pid ? "starting" : "waits for its restart";
}

static void command_ps(void *arg, const struct admin_command *q) {
  struct parent *p = ((struct client *)arg)->parent;
  admin_answer_columns(&q->to, "role index number pid state seconds restarts sandbox");
  for (size_t i = 0; i < p->proc_count; i++) {
    const struct proc *proc = &p->procs[i];
    if (proc->spare) continue;
    char index[16], number[16], pid[16], seconds[24], restarts[16];
    snprintf(index, sizeof index, "%u", proc->index);
    snprintf(number, sizeof number, "%u", proc->number);
    snprintf(pid, sizeof pid, "%d", (int)proc->pid);
    snprintf(seconds, sizeof seconds, "%ju",
             (uintmax_t)(proc->pid ? (loop_now(p->loop) - proc->started_ms) / 1000 : 0));
    snprintf(restarts, sizeof restarts, "%u", proc->restarts);
    struct slice row[] = { slice_str(role_name(proc->kind)),
                           slice_str(index),
                           slice_str(number),
                           slice_str(pid),
                           slice_str(state_of(proc)),
                           slice_str(seconds),
                           slice_str(restarts),
                           slice_str(proc->missing[0] ? proc->missing : "complete") };
    admin_answer_row(&q->to, row, 8);
  }
  admin_answer_done(&q->to, CLI_OK, SLICE_NONE);
}

static void command_status(void *arg, const struct admin_command *q) {
  struct parent *p = ((struct client *)arg)->parent;
  size_t ready = 0, all = 0;
  char text[200], started[24];
  const char *least = "complete";
  for (size_t i = 0; i < p->proc_count; i++) {
    if (p->procs[i].spare || p->procs[i].retired) continue;
    all++;
    ready += p->procs[i].ready;
    if (p->procs[i].missing[0]) least = p->procs[i].missing;
  }
  snprintf(text, sizeof text, "%zu of %zu processes ready%s", ready, all,
           p->stopping ? ", stopping" : "");
  snprintf(started, sizeof started, "%ju", (uintmax_t)((loop_now(p->loop) - p->start_ms) / 1000));
  struct slice row[] = { SLICE(QASID_VERSION), slice_str(p->conf->hostname), slice_str(text),
                         slice_str(started),   slice_str(p->config_path),    slice_str(least) };
  admin_answer_columns(&q->to, "version hostname processes seconds config sandbox");
  admin_answer_row(&q->to, row, 6);
  admin_answer_done(&q->to, CLI_OK, SLICE_NONE);
}

/* The certificates in use, which may differ from the files: each as PEM, for the command line to
 * read. */
static void command_certificates(void *arg, const struct admin_command *q) {
  struct client *c = arg;
  static const struct slice end = { (const uint8_t *)"-----END CERTIFICATE-----\n", 26 };
  struct parent *p = c->parent;
  admin_answer_columns(&q->to, "file hostname pem");
  for (size_t i = 0; i < p->cert_count; i++) {
    struct slice pem = buf_slice(&p->chains[i]);
    ptrdiff_t first = slice_search(pem, end);
    const char *file =
        i < p->conf->tls_certificates.count ? p->conf->tls_certificates.items[i] : "";
    if (first < 0 || first > CERTIFICATE_SHOWN_MAX)
      first = CERTIFICATE_SHOWN_MAX - (ptrdiff_t)end.n;
    struct slice row[] = { slice_str(file), slice_str(p->conf->hostname),
                           slice_first(pem, (size_t)first + end.n) };
    admin_answer_row(&q->to, row, 3);
  }
  admin_answer_done(&q->to, CLI_OK, SLICE_NONE);
}

static void command_reload(void *arg, const struct admin_command *q) {
  struct client *c = arg;
  c->waits = true;
  parent_reload(c->parent);
}

void control_reloaded(struct parent *p, bool refused, struct slice report) {
  while (report.n && report.p[report.n - 1] == '\n') report.n--;
  for (struct client *c = p->clients; c; c = c->next) {
    if (!c->waits) continue;
    c->waits = false;
    const struct admin_answer to = answer_of(c);
    admin_answer_done(&to, refused ? CLI_REFUSED : CLI_OK, report);
  }
}

static void command_stop(void *arg, const struct admin_command *q) {
  struct client *c = arg;
  admin_answer_done(&q->to, CLI_OK, SLICE("stopping"));
  channel_flush(c->channel);
  parent_stop(c->parent, 0);
}

static const struct admin_row rows[] = {
  { "ps", "", 0, 0, command_ps },
  { "status", "", 0, 0, command_status },
  { "certificates", "", 0, 0, command_certificates },
  { "reload", "", 0, 0, command_reload },
  { "stop", "", 0, 0, command_stop },
};

static bool on_connect_request(struct client *c, const struct ipc_msg *msg) {
  struct cli_connect m;
  if (!cli_connect_get(msg->payload, &m)) return false;
  uint32_t number = ++c->parent->last_number;
  int fd =
      m.kind < ROLE_COUNT ? procs_connect_cli(c->parent, (enum role)m.kind, m.index, number) : -1;
  if (fd < 0) {
    const struct admin_answer to = answer_of(c);
    admin_answer_done(&to, CLI_NOT_FOUND, SLICE("there is no such process now"));
    return true;
  }
  struct buf *b = channel_begin_fd(c->channel, cli_connected_type, 0, fd);
  if (b) cli_connected_put(b, &(struct cli_connected){ number });
  channel_end(c->channel);
  return true;
}

static bool on_message(void *arg, struct channel *ch, const struct ipc_msg *msg, uint8_t state) {
  const struct admin_answer to = answer_of(arg);
  if (msg->type == cli_connect_type) return on_connect_request(arg, msg);
  return admin_run(rows, sizeof rows / sizeof *rows, arg, &to, msg);
}

static void on_lost(void *arg, struct channel *ch, const char *breach) {
  struct client *c = arg, **at = &c->parent->clients;
  while (*at != c) at = &(*at)->next;
  *at = c->next;
  channel_free(&c->channel);
  free(c);
}

static const struct channel_ops client_ops = { on_message, on_lost };

static void on_connect(void *arg, int ready) {
  struct parent *p = arg;
  struct ucred who;
  socklen_t len = sizeof who;
  int fd = accept4(p->control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
               (who.uid == 0 || who.uid == geteuid());
  struct client *c = known ? calloc(1, sizeof *c) : NULL;
  if (!c) {
    log_print(&p->log, LOG_E_CONTROL, "a connection by uid %d was refused",
              known ? -1 : (int)who.uid);
    close(fd);
    return;
  }
  c->parent = p;
  c->channel = channel_new(p->loop, fd, &ipc_cli_process, IPC_RIGHT, &client_ops, c);
  if (!c->channel) {
    free(c);
    return;
  }
  c->next = p->clients;
  p->clients = c;
}

/* A socket on which a server answers belongs to a running one; otherwise it is stale. */
static bool is_alive(const struct sockaddr_un *at) {
  int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  bool alive = probe >= 0 && connect(probe, (const struct sockaddr *)at, sizeof *at) == 0;
  if (probe >= 0) close(probe);
  return alive;
}

bool control_is_free(struct parent *p, struct buf *err) {
  struct sockaddr_un at = { .sun_family = AF_UNIX };
  int n = snprintf(at.sun_path, sizeof at.sun_path, "%s/control", p->conf->run_dir);
  if (n < 0 || (size_t)n >= sizeof at.sun_path || !is_alive(&at)) return true;
  buf_printf(err, "%s: a server with this configuration is running already", at.sun_path);
  p->exit_code = 75;
  return false;
}

static bool bind_control(int fd, const char *path) {
  struct sockaddr_un at = { .sun_family = AF_UNIX };
  if (strlen(path) >= sizeof at.sun_path) {
    errno = ENAMETOOLONG;
    return false;
  }
  memcpy(at.sun_path, path, strlen(path));
  if (is_alive(&at)) {
    errno = EADDRINUSE;
    return false;
  }
  unlink(path);
  mode_t before = umask(0177);
  bool bound = bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
  umask(before);
  return bound && listen(fd, 16) == 0;
}

bool control_open(struct parent *p, struct buf *err) {
  char path[256];
  snprintf(path, sizeof path, "%s/control", p->conf->run_dir);
  p->control_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (p->control_fd >= 0 && bind_control(p->control_fd, path)) {
    p->control = loop_io_new(p->loop, p->control_fd, on_connect, p);
    if (p->control) return true;
  }
  if (errno == EADDRINUSE) p->exit_code = 75;
  buf_printf(err, "%s: %s", path,
             errno == EADDRINUSE ? "a server with this configuration is running already"
                                 : strerror(errno));
  if (p->control_fd >= 0) close(p->control_fd);
  p->control_fd = -1;
  return false;
}

void control_close(struct parent *p) {
  char path[256];
  if (p->control_fd < 0) return;
  snprintf(path, sizeof path, "%s/control", p->conf->run_dir);
  loop_io_free(&p->control);
  close(p->control_fd);
  p->control_fd = -1;
  unlink(path);
}
