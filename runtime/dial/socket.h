/* SPDX-License-Identifier: ISC */
/* The socket below an outgoing connection: the only system calls of runtime/dial. The simulated
 * world links its own implementation in place of socket.c, so that every user of runtime/dial runs
 * there unchanged. */
#ifndef QASID_DIAL_SOCKET_H
#define QASID_DIAL_SOCKET_H

#include <sys/types.h>

#include "runtime/dial/dial.h"

/* A non-blocking socket that is connecting, or -1 with errno. from: the local address, port 0;
 * NULL: any. */
int dial_connect(const struct dial_address *to, const struct dial_address *from);
/* The result of connecting, once the socket is writable: 0 or an errno. */
int dial_socket_error(int fd);
/* As recv(2) and send(2) without waiting and without a signal. */
ssize_t dial_socket_read(int fd, void *to, size_t n);
ssize_t dial_socket_write(int fd, struct slice s);
void dial_socket_close(int fd);

#endif
