/* SPDX-License-Identifier: ISC */
/* systemd's notification protocol, sd_notify(3): one datagram to $NOTIFY_SOCKET for each state.
 * Stateless; without that variable, or if nobody receives it, nothing happens. */
#include "src/parent/parent.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify_state(const char *state) {
  const char *path = getenv("NOTIFY_SOCKET");
  struct sockaddr_un to = { .sun_family = AF_UNIX };
  size_t n = path ? strlen(path) : 0;
  if (n == 0 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@')) return;
  memcpy(to.sun_path, path, n);
  if (path[0] == '@') to.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
                        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
  (void)sent; /* nobody receives it: not an error here */
  close(fd);
}
