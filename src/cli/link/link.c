/* SPDX-License-Identifier: ISC */
/* A connection of the command line to a process (link.h): packets of messages over a blocking
 * socket. Invariants: a message is accepted only if the pair's table allows a process to send it;
 * everything else, and a lost process, ends the link as LINK_LOST; buffers that may have carried a
 * password are wiped. */
#include "src/cli/link/link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct cli_link {
  int fd;
  uint8_t *packet;   /* IPC_PACKET_MAX octets */
  struct slice rest; /* messages of the packet not yet given */
  int fds[IPC_FDS_MAX];
  size_t fd_count, fd_at;
  struct buf out;
};

/* The exit code for a process's answer. */
static int link_exit(enum cli_code code) {
  static const int exits[CLI_CODES] = {
    [CLI_OK] = CLI_EXIT_OK,
    [CLI_USAGE] = CLI_EXIT_USAGE,
    [CLI_NOT_FOUND] = CLI_EXIT_NOT_FOUND,
    [CLI_EXISTS] = CLI_EXIT_EXISTS,
    [CLI_TROUBLE] = CLI_EXIT_TEMPORARY,
    [CLI_DAMAGE] = CLI_EXIT_DATA,
    [CLI_REFUSED] = CLI_EXIT_CONFIG,
  };
  return exits[code];
}

/* --- packets --- */

static bool send_packet(struct cli_link *l) {
  struct slice s = buf_slice(&l->out);
  ssize_t n = -1;
  while (!l->out.failed && (n = send(l->fd, s.p, s.n, MSG_NOSIGNAL)) < 0 && errno == EINTR) {
  }
  buf_reset(&l->out);
  return n == (ssize_t)s.n;
}

static void keep_fds(struct cli_link *l, struct msghdr *msg) {
  l->fd_count = l->fd_at = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    l->fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(l->fds, CMSG_DATA(c), l->fd_count * sizeof(int));
  }
}

static void drop_fds(struct cli_link *l) {
  while (l->fd_at < l->fd_count) close(l->fds[l->fd_at++]);
}

static bool receive_packet(struct cli_link *l) {
  union {
    struct cmsghdr align;
    char room[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
  } control;
  drop_fds(l);
  struct iovec io = { l->packet, IPC_PACKET_MAX };
  struct msghdr msg = {
    .msg_iov = &io, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
  };
  ssize_t n;
  do n = recvmsg(l->fd, &msg, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n <= 0) return false;
  keep_fds(l, &msg);
  l->rest = slice_of(l->packet, (size_t)n);
  return !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
}

/* The next message that a process may send to the command line. Its descriptor, if any, is the
 * caller's. */
static bool next_message(struct cli_link *l, struct ipc_msg *ret) {
  uint8_t fds;
  if (l->rest.n == 0 && !receive_packet(l)) return false;
  if (!ipc_next(&l->rest, ret, &fds)) return false;
  const struct ipc_rule *rule = ipc_rule_for(&ipc_cli_process, IPC_RIGHT, ret->type, CLI_BUSY);
  if (!rule || ret->payload.n > rule->max || fds != rule->fds || l->fd_count - l->fd_at < fds)
    return false;
  ret->fd = fds ? l->fds[l->fd_at++] : -1;
  return true;
}

/* --- opening --- */

static struct cli_link *link_new(int fd) {
  struct cli_link *l = calloc(1, sizeof *l);
  uint8_t *packet = malloc(IPC_PACKET_MAX);
  if (!l || !packet) {
    free(l);
    free(packet);
    close(fd);
    return NULL;
  }
  *l = (struct cli_link){ .fd = fd, .packet = packet };
  buf_init(&l->out, IPC_PACKET_MAX);
  return l;
}

void link_free(struct cli_link **l) {
  if (!*l) return;
  drop_fds(*l);
  close((*l)->fd);
  buf_wipe(&(*l)->out); /* a password may have passed through it */
  free((*l)->packet);
  free(*l);
  *l = NULL;
}

/* -1 with errno. */
static int connect_control(const struct conf *conf) {
  struct sockaddr_un to = { .sun_family = AF_UNIX };
  int n = snprintf(to.sun_path, sizeof to.sun_path, "%s/control", conf->run_dir);
  if (n < 0 || (size_t)n >= sizeof to.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
  int why = errno;
  close(fd);
  errno = why;
  return -1;
}

bool link_probe(struct cli *c) {
  int fd = c->conf ? connect_control(c->conf) : -1;
  if (fd >= 0) close(fd);
  return fd >= 0;
}

static struct cli_link *open_control(struct cli *c, bool start, int *ret_code) {
  const struct conf *conf = cli_conf(c);
  *ret_code = CLI_EXIT_CONFIG;
  if (!conf) return NULL;
  int fd = connect_control(conf);
  bool none = fd < 0 && (errno == ENOENT || errno == ECONNREFUSED);
  *ret_code = CLI_EXIT_UNAVAILABLE;
  if (none && start && !c->server) {
    c->server = server_start(c->config);
    if (!c->server) return NULL;
    fd = connect_control(conf);
  }
  if (fd >= 0) {
    *ret_code = CLI_EXIT_SYSTEM;
    return link_new(fd);
  }
  if (none && !start)
    cli_fail(0, "no server runs with %s (no socket %s/control); `qasid serve` starts one",
             c->config, conf->run_dir);
  else
    *ret_code = cli_fail(
        errno == EACCES || errno == EPERM ? CLI_EXIT_REFUSED : CLI_EXIT_UNAVAILABLE,
        "%s/control: %s%s", conf->run_dir, strerror(errno),
        errno == EACCES ? "; only the user who started the server, and root, may ask it" : "");
  return NULL;
}

/* On the control socket: asks to be connected to the process. The new channel replaces it. */
static struct cli_link *join(struct cli_link *control, enum role kind, uint8_t index,
                             int *ret_code) {
  struct ipc_msg m;
  struct cli_connected joined;
  struct cli_done done;
  size_t at = ipc_open(&control->out, cli_connect_type, 0, 0);
  cli_connect_put(&control->out, &(struct cli_connect){ (uint8_t)kind, index });
  ipc_close(&control->out, at);
  struct cli_link *l = NULL;
  *ret_code = CLI_EXIT_UNAVAILABLE;
  if (!send_packet(control) || !next_message(control, &m)) {
    cli_fail(0, "the server closed the control socket");
  } else if (m.type == cli_connected_type && cli_connected_get(m.payload, &joined)) {
    *ret_code = CLI_EXIT_SYSTEM;
    l = link_new(m.fd);
  } else if (m.type == cli_done_type && cli_done_get(m.payload, &done)) {
    *ret_code = link_exit(done.code < CLI_CODES ? (enum cli_code)done.code : CLI_TROUBLE);
    if (done.code != CLI_NOT_FOUND) cli_fail(0, "%.*s", SLICE_ARG(done.text));
  } else {
    *ret_code =
        cli_fail(CLI_EXIT_PROTOCOL,
                 "the server did not answer as this qasid expects; are both of one version?");
  }
  link_free(&control);
  return l;
}

static struct cli_link *open_process(struct cli *c, enum role kind, uint8_t index, bool start,
                                     int *ret_code) {
  struct cli_link *control = open_control(c, start, ret_code);
  return control && kind != ROLE_PARENT ? join(control, kind, index, ret_code) : control;
}

struct cli_link *link_open(struct cli *c, enum role kind, uint8_t index, int *ret_code) {
  return open_process(c, kind, index, true, ret_code);
}

struct cli_link *link_open_running(struct cli *c, enum role kind, uint8_t index, int *ret_code) {
  return open_process(c, kind, index, false, ret_code);
}

/* --- sending --- */

bool link_ask(struct cli_link *l, const struct slice *words, size_t n) {
  struct buf list;
  buf_init(&list, 64 * 1024);
  for (size_t i = 0; i < n; i++) ipc_list_put(&list, words[i]);
  size_t at = ipc_open(&l->out, cli_command_type, 0, 0);
  cli_command_put(&l->out, &(struct cli_command){ buf_slice(&list) });
  ipc_close(&l->out, at);
  if (list.failed) l->out.failed = true;
  buf_wipe(&list);
  return send_packet(l);
}

bool link_input(struct cli_link *l, struct slice s) {
  while (s.n) {
    size_t at = ipc_open(&l->out, cli_input_type, 0, 0);
    cli_input_put(&l->out, &(struct cli_input){ slice_first(s, IPC_CHUNK) });
    ipc_close(&l->out, at);
    if (!send_packet(l)) return false;
    s = slice_from(s, IPC_CHUNK);
  }
  return true;
}

bool link_input_end(struct cli_link *l) {
  size_t at = ipc_open(&l->out, cli_input_end_type, 0, 0);
  ipc_close(&l->out, at);
  return send_packet(l);
}

static bool decode(const struct ipc_msg *m, struct link_reply *ret) {
  struct cli_columns columns;
  struct cli_row row;
  struct cli_output output;
  struct cli_done done;
  switch (m->type) {
  case cli_columns_type:
    if (!cli_columns_get(m->payload, &columns)) return false;
    *ret = (struct link_reply){ LINK_COLUMNS, columns.names, CLI_OK };
    return true;
  case cli_row_type:
    if (!cli_row_get(m->payload, &row)) return false;
    *ret = (struct link_reply){ LINK_ROW, row.values, CLI_OK };
    return true;
  case cli_output_type:
    if (!cli_output_get(m->payload, &output)) return false;
    *ret = (struct link_reply){ LINK_OUTPUT, output.data, CLI_OK };
    return true;
  case cli_done_type:
    if (!cli_done_get(m->payload, &done) || done.code >= CLI_CODES) return false;
    *ret = (struct link_reply){ LINK_DONE, done.text, (enum cli_code)done.code };
    return true;
  }
  return false;
}

enum link_event link_next(struct cli_link *l, struct link_reply *ret) {
  struct ipc_msg m = { .fd = -1 };
  *ret =
      (struct link_reply){ LINK_LOST, SLICE("the server closed the connection before it was done"),
                           CLI_TROUBLE };
  if (!next_message(l, &m)) return LINK_LOST;
  if (!decode(&m, ret)) ret->event = LINK_LOST;
  if (m.fd >= 0) close(m.fd);
  return ret->event;
}

bool link_received(struct cli_link *l) {
  struct pollfd p = { .fd = l->fd, .events = POLLIN };
  return l->rest.n > 0 || poll(&p, 1, 0) > 0;
}

int link_fd(const struct cli_link *l) { return l->fd; }

int link_finish(const struct link_reply *done) {
  int code = link_exit(done->code);
  struct slice rest = done->data;
  while (code != CLI_EXIT_OK && rest.n) {
    struct slice line = slice_split(&rest, '\n');
    if (line.n) cli_fail(code, "%.*s", SLICE_ARG(line));
  }
  return code;
}
