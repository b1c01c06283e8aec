/* SPDX-License-Identifier: ISC */
/* The socket of an outgoing connection: connect, read, write, close, all non-blocking.
 * Invariant: these are the only system calls of runtime/dial; the simulated world replaces this
 * file. */
#include "runtime/dial/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union socket_name {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

static union socket_name name_of(const struct dial_address *a) {
  union socket_name n = { .v6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->port) } };
  if (a->n == 4) n.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(a->port) };
  memcpy(a->n == 4 ? (void *)&n.v4.sin_addr : (void *)&n.v6.sin6_addr, a->octets, a->n);
  return n;
}

static socklen_t name_size(const struct dial_address *a) {
  return a->n == 4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* tools/link-check verifies that no other function of a process makes a socket. */
__attribute__((noinline)) int dial_connect(const struct dial_address *to,
                                           const struct dial_address *from) {
  union socket_name at = name_of(to);
  int on = 1,
      fd = socket(to->n == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  bool bound = true;
  if (from) {
    union socket_name own = name_of(from);
    /* connect() chooses the port, among all that are free for `to` */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    bound = bind(fd, &own.any, name_size(from)) == 0;
  }
  if (bound && (connect(fd, &at.any, name_size(to)) == 0 || errno == EINPROGRESS)) return fd;
  int why = errno;
  close(fd);
  errno = why;
  return -1;
}

int dial_socket_error(int fd) {
  int why = 0;
  socklen_t n = sizeof why;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &n) == 0 ? why : errno;
}

ssize_t dial_socket_read(int fd, void *to, size_t n) { return recv(fd, to, n, MSG_DONTWAIT); }
ssize_t dial_socket_write(int fd, struct slice s) {
  return send(fd, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);
}
void dial_socket_close(int fd) { close(fd); }
