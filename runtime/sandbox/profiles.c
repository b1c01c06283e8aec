/* SPDX-License-Identifier: ISC */
/* Which role may make which system call. Any other call ends the process.
 *
 * The lists were built from what the processes do, not from what might be useful: a new row needs a
 * reason, and the numbers in tests/unit/test_sandbox.c and SECURITY.md change with it, so that a
 * review sees it. A front-end, which reads what strangers send, may make 28 at most.
 *
 *   front-ends          take connections through an inherited listener; make no socket, open no
 *   (smtpd, pop3d)      file, start no process or thread
 *   pickup              files of the drop folder, which it reads and removes (Landlock); pairs of
 *                       sockets
 *   keys                files below its own folder, the keys that mail is signed with (Landlock)
 *   auth, store         threads, and files below their own folder (Landlock)
 *   collector, sender   TCP sockets of their own that connect (Landlock restricts the ports);
 *                       never listen
 *   resolver            UDP and TCP sockets to name servers (Landlock restricts the TCP ports);
 *                       never listens
 *
 * No process may make memory executable, start a program, or reach another process except through
 * its channels. */
#include "runtime/sandbox/profiles.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* clang-format off */
#define SMTPD (1u << ROLE_SMTPD)
#define POP3D (1u << ROLE_POP3D)
#define KEYS (1u << ROLE_KEYS)
#define RESOLVER (1u << ROLE_RESOLVER)
#define COLLECTOR (1u << ROLE_COLLECTOR)
#define SENDER (1u << ROLE_SENDER)
#define PICKUP (1u << ROLE_PICKUP)
/* The classes, by ipc/roles.def. */
enum {
  FRONTS = 0
#define ROLE(id, name, class, ...) | (ROLE_CLASS_##class == ROLE_CLASS_FRONT) << ROLE_##id
#include "ipc/roles.def"
#undef ROLE
  ,
  FILES = 0
#define ROLE(id, name, class, ...) | (ROLE_CLASS_##class == ROLE_CLASS_FILES) << ROLE_##id
#include "ipc/roles.def"
#undef ROLE
  ,
  DIALS = 0
#define ROLE(id, name, class, ...) | (ROLE_CLASS_##class == ROLE_CLASS_DIALS) << ROLE_##id
#include "ipc/roles.def"
#undef ROLE
};
/* some files in their folder, and no threads */
#define FEW_FILES (KEYS | PICKUP)
#define NO_FILES (FRONTS | FEW_FILES | DIALS)
#define ALL (FILES | NO_FILES)

#define CALL(name, who) { .number = SCMP_SYS(name), .roles = (who) }
#define CALL_IF(name, who, ...) { .number = SCMP_SYS(name), .roles = (who), .a = { __VA_ARGS__ } }
/* Fails without effect: for calls that the library tries but can do without. */
#define REFUSED(name, who) { .number = SCMP_SYS(name), .roles = (who), .refuse = ENOSYS }
#define SOCKET_OPTION(call, who, level, name) \
  { .number = SCMP_SYS(call), .roles = (who), .a = { EQUAL, 1, (level), 0 }, \
    .b = { EQUAL, 2, (name), 0 } }
#define SOCKET(who, family, type) \
  { .number = SCMP_SYS(socket), .roles = (who), .a = { EQUAL, 0, (family), 0 }, \
    .b = { AMONG, 1, (type), SOCK_NONBLOCK | SOCK_CLOEXEC } }
#define FUTEX(op) CALL_IF(futex, ALL, AMONG, 1, (op), FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)

static const struct sandbox_call calls[] = {
  /* octets in and out of descriptors that are already open */
  CALL(read, FILES | RESOLVER), /* the others use sockets only: recv(2) */
  CALL(write, ALL),
  CALL(writev, FILES | RESOLVER), /* libunbound's questions over TCP */
  REFUSED(writev, NO_FILES & ~RESOLVER), /* glibc's message before it aborts; it aborts without */
  CALL(close, ALL),
  CALL(recvmsg, ALL),
  CALL(recvfrom, ALL),
  /* with MSG_FASTOPEN they connect: a listener that was shut down could be used to connect */
  CALL_IF(sendmsg, ALL, BITS_OFF, 2, MSG_FASTOPEN),
  CALL_IF(sendto, ALL, BITS_OFF, 3, MSG_FASTOPEN),
  /* libunbound tries it first; Landlock does not check it. When it fails, libunbound connects in
   * the ordinary way. */
  { .number = SCMP_SYS(sendmsg), .roles = RESOLVER, .a = { BITS_ON, 2, MSG_FASTOPEN, 0 },
    .refuse = EOPNOTSUPP },
  /* never newfstatat, which glibc's fstat(3) uses: the filter cannot see whether its path is empty,
   * and Landlock does not restrict examining a path (lib/disk makes the call itself) */
  CALL(fstat, FILES | FEW_FILES),
  CALL_IF(fcntl, FILES | RESOLVER, EQUAL, 1, F_GETFL),
  CALL_IF(fcntl, FILES | RESOLVER, EQUAL, 1, F_GETFD),
  CALL_IF(fcntl, FILES | RESOLVER, EQUAL, 1, F_SETFD),
  /* waiting */
#ifdef __NR_epoll_wait
  CALL(epoll_wait, ALL),
#else /* newer architectures have these only */
  CALL(epoll_pwait, ALL),
#endif
  CALL(epoll_ctl, ALL),
#ifdef __NR_poll
  CALL(poll, ALL),
#else
  CALL(ppoll, ALL),
#endif
  CALL(restart_syscall, ALL),
  CALL(nanosleep, FILES | RESOLVER),
  CALL(clock_nanosleep, FILES | RESOLVER),
  CALL(sched_yield, FILES | RESOLVER),
  FUTEX(FUTEX_WAIT),
  FUTEX(FUTEX_WAKE),
  FUTEX(FUTEX_CMP_REQUEUE),
  FUTEX(FUTEX_WAKE_OP),
  FUTEX(FUTEX_WAIT_BITSET),
  FUTEX(FUTEX_WAKE_BITSET),
  /* memory, never executable */
  CALL_IF(mmap, ALL, BITS_OFF, 2, PROT_EXEC),
  CALL_IF(mprotect, ALL, BITS_OFF, 2, PROT_EXEC),
  CALL(munmap, ALL),
  CALL(mremap, FILES | DIALS),
  REFUSED(mremap, FRONTS | FEW_FILES), /* realloc(3) of much memory then copies */
  CALL(brk, ALL),
  CALL_IF(madvise, ALL, EQUAL, 2, MADV_DONTNEED),
  CALL_IF(madvise, ALL, EQUAL, 2, MADV_FREE),
  /* time, chance, itself */
  CALL(clock_gettime, ALL),
  CALL(gettimeofday, ALL), /* libevent's, if the clock cannot be read without the kernel */
  CALL(time, FILES | RESOLVER),
  CALL(getrandom, ALL),
  CALL(getpid, ALL),
  CALL(gettid, ALL), /* abort(3), together with tgkill below */
  CALL(sysinfo, FILES | RESOLVER), /* glibc's qsort(3) asks how much memory there is */
  REFUSED(sysinfo, NO_FILES & ~RESOLVER),
  CALL_IF(prlimit64, FILES | RESOLVER, IS_NULL, 2), /* reading limits only */
  CALL(rt_sigreturn, FILES | RESOLVER), /* the others have no signal handlers to return from */
  CALL(rt_sigprocmask, ALL),
  CALL(rt_sigaction, FILES | RESOLVER),
  /* abort(3), when its first signal did not end the process */
  REFUSED(rt_sigaction, NO_FILES & ~RESOLVER),
  CALL_IF(tgkill, ALL, OWN_PID, 0),
  CALL(exit, FILES | RESOLVER), /* a thread's end */
  CALL(exit_group, ALL),
  /* the network, on sockets that the listener gave */
  CALL(accept4, FRONTS),
  /* for writing only: the other directions would end the listener that all front-ends share */
  CALL_IF(shutdown, FRONTS, EQUAL, 1, SHUT_WR),
  SOCKET_OPTION(setsockopt, COLLECTOR | SENDER, IPPROTO_TCP, TCP_NODELAY),
  SOCKET_OPTION(getsockopt, SMTPD, SOL_SOCKET, SO_PEERCRED), /* the user id of a local client */
  /* the network, on sockets of its own */
  /* smtpd gets the other end */
  CALL_IF(socketpair, PICKUP, EQUAL, 0, AF_UNIX),
  SOCKET(RESOLVER, AF_INET, SOCK_DGRAM),
  SOCKET(RESOLVER, AF_INET6, SOCK_DGRAM),
  SOCKET(DIALS, AF_INET, SOCK_STREAM),
  SOCKET(DIALS, AF_INET6, SOCK_STREAM),
  CALL(connect, DIALS),
  /* each query over UDP has a random port; TCP is restricted by Landlock */
  CALL(bind, RESOLVER),
  /* bind(2) to one of source_addresses, at a port that the kernel chooses (Landlock); it has TCP
   * only, and cannot listen */
  CALL(bind, SENDER),
  SOCKET_OPTION(setsockopt, SENDER, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
  { .number = SCMP_SYS(fcntl), .roles = RESOLVER, .a = { EQUAL, 1, F_SETFL, 0 },
    .b = { BITS_ON, 2, O_NONBLOCK, 0 } },
  SOCKET_OPTION(getsockopt, DIALS, SOL_SOCKET, SO_ERROR),
  SOCKET_OPTION(setsockopt, RESOLVER, SOL_SOCKET, SO_REUSEADDR),
  SOCKET_OPTION(setsockopt, RESOLVER, IPPROTO_IP, IP_MTU_DISCOVER),
  SOCKET_OPTION(setsockopt, RESOLVER, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
  SOCKET_OPTION(setsockopt, RESOLVER, IPPROTO_IPV6, IPV6_V6ONLY),
  SOCKET_OPTION(setsockopt, RESOLVER, IPPROTO_IPV6, IPV6_MTU),
  SOCKET_OPTION(setsockopt, RESOLVER, IPPROTO_IPV6, IPV6_MTU_DISCOVER),
  /* a message body that store shared as a read-only descriptor */
  CALL(pread64, POP3D | FILES | FEW_FILES),
  /* threads; clone3's arguments cannot be examined, so glibc is made to use clone */
  CALL_IF(clone, FILES, BITS_ON, 0, CLONE_THREAD | CLONE_VM | CLONE_SIGHAND),
  REFUSED(clone3, FILES),
  CALL(set_robust_list, FILES),
  CALL(rseq, FILES),
  CALL(sched_getaffinity, FILES), /* the number of processors: threads, malloc's arenas */
  CALL_IF(prctl, FILES, EQUAL, 0, PR_SET_NAME),
  CALL(eventfd2, FILES), /* a thread wakes the loop */
  CALL(pipe2, FILES),
  /* files; Landlock restricts where */
  CALL(openat, FILES | FEW_FILES),
  CALL(openat2, FILES | KEYS),
  CALL(lseek, FILES | PICKUP), /* pickup: to rewind its folder */
  CALL(pwrite64, FILES | KEYS),
  CALL(pwritev, FILES),
  CALL(ftruncate, FILES),
  CALL(fallocate, FILES),
  CALL(fadvise64, FILES | KEYS),
  CALL(fsync, FILES | FEW_FILES),
  CALL(fdatasync, FILES | KEYS),
  CALL(syncfs, FILES),
  CALL(renameat, FILES | FEW_FILES),
  CALL(renameat2, FILES),
  CALL(unlinkat, FILES | FEW_FILES),
  CALL(mkdirat, FILES),
  CALL(getdents64, FILES | FEW_FILES),
  CALL(fstatfs, FILES),
  CALL_IF(fcntl, FILES, EQUAL, 1, F_OFD_SETLK),
  CALL_IF(fcntl, FILES, EQUAL, 1, F_OFD_GETLK),
  CALL_IF(fcntl, FILES, EQUAL, 1, F_DUPFD_CLOEXEC),
};

/* A sanitizer prints stacks and, at the end, stops all threads from a process of its own to look
 * for leaks. Builds with one are for tests; they keep Landlock, the users, and everything above. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const struct sandbox_call tool_calls[] = {
  CALL(openat, NO_FILES & ~FEW_FILES),
  CALL(readlink, ALL),
  CALL(readlinkat, ALL),
  CALL(newfstatat, ALL),
  CALL(stat, ALL),
  CALL(lseek, NO_FILES),
  CALL(getdents64, NO_FILES & ~FEW_FILES),
  CALL(madvise, ALL),
  CALL(sigaltstack, ALL),
  CALL(sched_getaffinity, NO_FILES),
  CALL(prctl, ALL),
  CALL(prlimit64, ALL),
  CALL(futex, ALL),
  CALL(clone, ALL),
  CALL(wait4, ALL),
  CALL(ptrace, ALL),
  CALL(read, NO_FILES),
  CALL(writev, NO_FILES),
  CALL(fstat, NO_FILES & ~FEW_FILES),
  CALL(mremap, ALL),
  CALL(sched_yield, NO_FILES),
  CALL(nanosleep, NO_FILES),
  CALL(clock_nanosleep, NO_FILES),
  CALL(rt_sigaction, NO_FILES),
  CALL(rt_sigreturn, NO_FILES),
  CALL_IF(fcntl, NO_FILES, EQUAL, 1, F_GETFL),
  CALL_IF(fcntl, NO_FILES, EQUAL, 1, F_GETFD),
  CALL_IF(fcntl, NO_FILES, EQUAL, 1, F_SETFD),
  CALL(sysinfo, NO_FILES),
  CALL(exit, NO_FILES),
  CALL(process_vm_readv, ALL),
  CALL(getppid, ALL),
  CALL(mlock, ALL),
  CALL(munlock, ALL),
  CALL(pipe2, NO_FILES),
  CALL(set_robust_list, NO_FILES),
  CALL(rseq, NO_FILES),
  CALL_IF(ioctl, ALL, EQUAL, 1, TCGETS),
};
#endif
/* clang-format on */

const struct sandbox_call *sandbox_calls(size_t *ret_count) {
  *ret_count = sizeof calls / sizeof *calls;
  return calls;
}

const struct sandbox_call *sandbox_tool_calls(size_t *ret_count) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  *ret_count = sizeof tool_calls / sizeof *tool_calls;
  return tool_calls;
#else
  *ret_count = 0;
  return NULL;
#endif
}
