#include "lib/dial/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* tools/link-check looks that no other function of a room makes a socket. */
__attribute__((noinline)) int dial_connect(const struct dial_address *to) {
  struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(to->port) };
  struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(to->port) };
  int on = 1, fd = socket(to->n == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  memcpy(&a4.sin_addr, to->octets, 4);
  memcpy(&a6.sin6_addr, to->octets, 16);
  const struct sockaddr *a = to->n == 4 ? (const struct sockaddr *)&a4 : (const struct sockaddr *)&a6;
  if (connect(fd, a, to->n == 4 ? sizeof a4 : sizeof a6) == 0 || errno == EINPROGRESS) return fd;
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
ssize_t dial_socket_write(int fd, struct slice s) { return send(fd, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT); }
void dial_socket_close(int fd) { close(fd); }
