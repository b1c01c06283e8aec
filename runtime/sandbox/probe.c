/* SPDX-License-Identifier: ISC */
/* Forbidden operations, attempted from inside a sandbox. In test builds only. */
#include "runtime/sandbox/sandbox.h"

#ifdef QASID_TEST_HOOKS

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static long try_execve(void) {
  char *const none[] = { NULL };
  return syscall(SYS_execve, "/bin/true", none, none);
}
static long try_execveat(void) { return syscall(SYS_execveat, 0, "", NULL, NULL, AT_EMPTY_PATH); }
static long try_open(void) { return syscall(SYS_open, "/etc/passwd", O_RDONLY); }
static long try_openat(void) { return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY); }
static long try_openat_root(void) {
  return syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
}
/* fstat(3) as newfstatat; with a path it can examine any file, if the process has no root folder of
 * its own. */
static long try_stat_path(void) {
  struct stat st;
  return syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &st, AT_EMPTY_PATH);
}
static long try_statx(void) {
  struct statx st;
  return syscall(SYS_statx, AT_FDCWD, "/etc/passwd", AT_EMPTY_PATH, STATX_SIZE, &st);
}
static long try_creat(void) {
  return syscall(SYS_openat, AT_FDCWD, "/tmp/.sandbox-probe", O_CREAT | O_RDWR, 0600);
}
static long try_unlink(void) { return syscall(SYS_unlink, "/tmp/.sandbox-probe"); }
static long try_socket(void) { return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0); }
static long try_socket_unix(void) { return syscall(SYS_socket, AF_UNIX, SOCK_DGRAM, 0); }
static long try_socket_raw(void) { return syscall(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP); }
static long try_socket_netlink(void) { return syscall(SYS_socket, AF_NETLINK, SOCK_DGRAM, 0); }
static long try_socket_packet(void) { return syscall(SYS_socket, AF_PACKET, SOCK_DGRAM, 0); }
/* A process that may create sockets: connecting to a forbidden port, and listening. */
static long with_tcp(int call) {
  struct sockaddr_in to = { .sin_family = AF_INET,
                            .sin_port = htons(1),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
  return syscall(call, fd, &to, sizeof to);
}
static long try_tcp_connect(void) { return with_tcp(SYS_connect); }
static long try_tcp_bind(void) { return with_tcp(SYS_bind); }
static long try_connect(void) { return syscall(SYS_connect, 0, NULL, 0); }
static long try_bind(void) { return syscall(SYS_bind, 0, NULL, 0); }
static long try_listen(void) { return syscall(SYS_listen, 0, 5); }
static long try_fastopen(void) { return syscall(SYS_sendto, 0, "x", 1, MSG_FASTOPEN, NULL, 0); }
static long try_fastopen_msg(void) {
  return syscall(SYS_sendmsg, 0, NULL, MSG_FASTOPEN | MSG_DONTWAIT);
}
static long try_shutdown_listener(void) { return syscall(SYS_shutdown, 0, SHUT_RDWR); }
static long try_make_blocking(void) { return syscall(SYS_fcntl, 0, F_SETFL, 0); }
static long try_ptrace(void) { return syscall(SYS_ptrace, PTRACE_ATTACH, getppid(), 0, 0); }
static long try_vm_readv(void) {
  char mine[8];
  /* the same address over there */
  struct iovec to = { mine, sizeof mine }, from = { mine, sizeof mine };
  return syscall(SYS_process_vm_readv, getppid(), &to, 1, &from, 1, 0);
}
static long try_mmap_exec(void) {
  return (long)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                       0);
}
static long try_mprotect_exec(void) {
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return syscall(SYS_mprotect, page, 4096, PROT_READ | PROT_EXEC);
}
static long try_kill(void) { return syscall(SYS_kill, 1, 0); }
static long try_tgkill(void) { return syscall(SYS_tgkill, 1, 1, SIGCONT); }
static long try_fork(void) { return syscall(SYS_fork); }
static long try_clone(void) {
  long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
  if (pid == 0) _exit(0);
  return pid;
}
static long try_io_uring(void) { return syscall(SYS_io_uring_setup, 1, NULL); }
static long try_bpf(void) { return syscall(SYS_bpf, 0, NULL, 0); }
static long try_userfaultfd(void) { return syscall(SYS_userfaultfd, 0); }
static long try_mount(void) { return syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL); }
static long try_unshare(void) { return syscall(SYS_unshare, CLONE_NEWUSER); }
static long try_setns(void) { return syscall(SYS_setns, 0, 0); }
static long try_chroot(void) { return syscall(SYS_chroot, "/"); }
static long try_setuid(void) { return syscall(SYS_setuid, 0); }
static long try_setrlimit(void) {
  uint64_t most[2] = { 1, 1 };
  return syscall(SYS_prlimit64, 0, 7, most, NULL);
}
static long try_keyctl(void) { return syscall(SYS_keyctl, 0, 0, 0, 0, 0); }
static long try_perf(void) { return syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0); }
static long try_module(void) { return syscall(SYS_init_module, NULL, 0, ""); }
static long try_by_handle(void) { return syscall(SYS_open_by_handle_at, 0, NULL, 0); }
static long try_chmod(void) { return syscall(SYS_chmod, "/", 0755); }
static long try_link(void) { return syscall(SYS_link, "/etc/passwd", "/tmp/.sandbox-link"); }
static long try_symlink(void) { return syscall(SYS_symlink, "/etc/passwd", "/tmp/.sandbox-link"); }
static long try_tty_input(void) { return syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x"); }
static long try_setowner(void) { return syscall(SYS_fcntl, 0, F_SETOWN, 1); }
static long try_memfd(void) { return syscall(SYS_memfd_create, "x", MFD_CLOEXEC); }
/* The x32 ABI, which bypasses a filter that examines numbers only. */
static long try_x32(void) { return syscall(0x40000000 | SYS_getpid); }

static const struct {
  const char *word;
  long (*fn)(void);
} probes[] = {
  { "execve", try_execve },
  { "execveat", try_execveat },
  { "open", try_open },
  { "openat", try_openat },
  { "openat-root", try_openat_root },
  { "newfstatat-path", try_stat_path },
  { "statx", try_statx },
  { "creat", try_creat },
  { "unlink", try_unlink },
  { "socket", try_socket },
  { "socket-unix", try_socket_unix },
  { "socket-raw", try_socket_raw },
  { "socket-netlink", try_socket_netlink },
  { "socket-packet", try_socket_packet },
  { "tcp-connect", try_tcp_connect },
  { "tcp-bind", try_tcp_bind },
  { "connect", try_connect },
  { "bind", try_bind },
  { "listen", try_listen },
  { "sendto-fastopen", try_fastopen },
  { "sendmsg-fastopen", try_fastopen_msg },
  { "shutdown-listener", try_shutdown_listener },
  { "fcntl-blocking", try_make_blocking },
  { "ptrace", try_ptrace },
  { "process_vm_readv", try_vm_readv },
  { "mmap-exec", try_mmap_exec },
  { "mprotect-exec", try_mprotect_exec },
  { "kill", try_kill },
  { "tgkill", try_tgkill },
  { "fork", try_fork },
  { "clone", try_clone },
  { "io_uring_setup", try_io_uring },
  { "bpf", try_bpf },
  { "userfaultfd", try_userfaultfd },
  { "mount", try_mount },
  { "unshare", try_unshare },
  { "setns", try_setns },
  { "chroot", try_chroot },
  { "setuid", try_setuid },
  { "setrlimit", try_setrlimit },
  { "keyctl", try_keyctl },
  { "perf_event_open", try_perf },
  { "init_module", try_module },
  { "open_by_handle_at", try_by_handle },
  { "chmod", try_chmod },
  { "link", try_link },
  { "symlink", try_symlink },
  { "ioctl-tiocsti", try_tty_input },
  { "fcntl-setown", try_setowner },
  { "memfd_create", try_memfd },
  { "x32", try_x32 },
};

const char *sandbox_probe_word(size_t i) {
  return i < sizeof probes / sizeof *probes ? probes[i].word : NULL;
}

int sandbox_probe(const char *what) {
  for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
    if (strcmp(probes[i].word, what) != 0) continue;
    errno = 0;
    return probes[i].fn() == -1 ? errno : 0;
  }
  return -1;
}

#endif
