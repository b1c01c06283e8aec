/* SPDX-License-Identifier: ISC */
/* A server without listeners, for a command that needs a process while no server runs. So there is
 * one way to administer, with the locks and checks of the processes.
 *
 * It is this program again, "serve --offline"; it writes "ready\n" to descriptor 3 once its
 * processes answer, and ends on SIGTERM, which it also gets when this process dies. Its log is kept
 * in memory, and shown if it cannot start. */
#include "src/cli/link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/sys.h"

enum { READY_FD = 3, START_MS = 20000, STOP_MS = 30000 };

struct server {
  pid_t pid;
};

/* In the child: descriptor 3 is the pipe's end, no descriptor above it stays open, and there is no
 * terminal to read from. */
static void become_server(const char *config, int ready, int log) {
  int null = open("/dev/null", O_RDWR);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
    _exit(CLI_EXIT_SYSTEM);
  if (dup2(log, STDERR_FILENO) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) _exit(CLI_EXIT_SYSTEM);
  if (ready == READY_FD ? fcntl(ready, F_SETFD, 0) < 0 : dup2(ready, READY_FD) < 0)
    _exit(CLI_EXIT_SYSTEM);
  close_range(READY_FD + 1, ~0u, 0);
  setpgid(0, 0); /* a ^C is for the command, which then stops the server properly */
  execl("/proc/self/exe", "qasid", "serve", "--offline", "--config", config, (char *)NULL);
  _exit(CLI_EXIT_SYSTEM);
}

/* True if "ready" came in time. */
static bool wait_ready(int fd) {
  char text[6];
  size_t got = 0;
  uint64_t end = sys_mono_ms() + START_MS;
  while (got < sizeof text) {
    uint64_t now = sys_mono_ms();
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int n = now < end ? poll(&p, 1, (int)(end - now)) : 0;
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    ssize_t r = read(fd, text + got, sizeof text - got);
    if (r < 0 && errno == EINTR) continue;
    if (r <= 0) return false;
    got += (size_t)r;
  }
  return memcmp(text, "ready\n", sizeof text) == 0;
}

static void show_log(int log) {
  char text[4096];
  ssize_t n;
  off_t at = 0;
  while ((n = pread(log, text, sizeof text, at)) > 0) {
    fwrite(text, 1, (size_t)n, stderr);
    at += n;
  }
}

struct server *server_start(const char *config) {
  int ends[2] = { -1, -1 }, log = memfd_create("qasid-log", MFD_CLOEXEC);
  struct server *s = calloc(1, sizeof *s);
  bool ready = false;
  if (s && log >= 0 && pipe2(ends, O_CLOEXEC) == 0) {
    s->pid = fork();
    if (s->pid == 0) become_server(config, ends[1], log);
    close(ends[1]);
    ready = s->pid > 0 && wait_ready(ends[0]);
    close(ends[0]);
  }
  if (!ready) {
    server_stop(&s);
    if (log >= 0) show_log(log);
    cli_fail(
        0, "the server without listeners that this needs could not start: the lines above say why");
  }
  if (log >= 0) close(log);
  return s;
}

static bool ended(pid_t pid, uint64_t within_ms) {
  uint64_t end = sys_mono_ms() + within_ms;
  struct timespec pause = { 0, 2 * 1000 * 1000 };
  for (;;) {
    pid_t r = waitpid(pid, NULL, WNOHANG);
    if (r == pid || (r < 0 && errno != EINTR)) return true;
    if (sys_mono_ms() >= end) return false;
    nanosleep(&pause, NULL);
  }
}

void server_stop(struct server **s) {
  if (!*s) return;
  pid_t pid = (*s)->pid;
  if (pid > 0 && kill(pid, SIGTERM) == 0 && !ended(pid, STOP_MS)) {
    kill(pid, SIGKILL);
    ended(pid, STOP_MS);
  }
  free(*s);
  *s = NULL;
}
