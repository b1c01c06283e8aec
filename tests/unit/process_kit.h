/* SPDX-License-Identifier: ISC */
/* Runs a role as a real, confined process; the test plays its parent and its neighbours. */
#ifndef QASID_TESTS_PROCESS_KIT_H
#define QASID_TESTS_PROCESS_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/conf.h"
#include "ipc/parent_process.h"
#include "ipc/roles.h"
#include "src/roles.h"

enum { NOBODY = 65534, PATIENCE_MS = 60000 };

static pid_t child;
static int parent_fd;

/* One message, one packet; `pass`: a descriptor sent with it, or -1. */
static void put(int fd, uint16_t type, uint64_t tag, const struct buf *payload, int pass) {
  struct buf b;
  buf_init(&b, IPC_PACKET_MAX);
  size_t at = ipc_open(&b, type, tag, pass >= 0);
  if (payload) buf_put(&b, buf_slice(payload));
  ipc_close(&b, at);
  assert_false(b.failed);
  char control[CMSG_SPACE(sizeof(int))] = { 0 };
  struct iovec iov = { (void *)(uintptr_t)buf_slice(&b).p, buf_len(&b) };
  struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
  if (pass >= 0) {
    m.msg_control = control;
    m.msg_controllen = sizeof control;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
                           .cmsg_level = SOL_SOCKET,
                           .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(c), &pass, sizeof pass);
  }
  assert_int_equal(sendmsg(fd, &m, MSG_NOSIGNAL), (ssize_t)buf_len(&b));
  buf_free(&b);
}

/* The process's channel to a new neighbour, at the neighbour's end. */
static int join(enum role kind, uint32_t number) {
  int pair[2];
  struct buf b;
  buf_init(&b, 64);
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
  process_channel_put(&b, &(struct process_channel){ (uint8_t)kind, number });
  put(parent_fd, process_channel_type, 0, &b, pair[1]);
  close(pair[1]);
  buf_free(&b);
  return pair[0];
}

static void spawn(int (*role_main)(int argc, char **argv)) {
  int pair[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
  child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    close(pair[0]);
    if (pair[1] != 3 && dup2(pair[1], 3) != 3) _exit(99);
    if (pair[1] != 3) close(pair[1]);
    _exit(role_main(0, NULL));
  }
  close(pair[1]);
  parent_fd = pair[0];
}

static void say_hello(enum role kind, bool as_root, const char *folder, const char *root_dir) {
  struct buf b;
  buf_init(&b, IPC_PAYLOAD_MAX);
  process_hello_put(&b, &(struct process_hello){ kind, 5, as_root, as_root ? NOBODY : getuid(),
                                                 as_root ? NOBODY : getgid(), slice_str(folder),
                                                 slice_str(root_dir) });
  put(parent_fd, process_hello_type, 0, &b, -1);
  buf_free(&b);
}

static void say_config(const struct conf *conf) {
  struct buf b, packed;
  buf_init(&b, IPC_PAYLOAD_MAX), buf_init(&packed, 64 * 1024);
  conf_pack(conf, &packed);
  process_config_put(&b, &(struct process_config){ buf_slice(&packed) });
  put(parent_fd, process_config_type, 0, &b, -1);
  buf_free(&b), buf_free(&packed);
}

#endif
