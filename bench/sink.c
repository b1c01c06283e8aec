/* SPDX-License-Identifier: ISC */
/* An SMTP server that takes everything and keeps nothing: sink PORT MESSAGES. It says "ready", ends
 * when it has had so many messages (or nothing comes for a minute), and prints how many they were
 * and the seconds from the first to the last. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_ = 4096 };

struct client {
  int fd;
  bool data;
  size_t n;
  char line[LINE_MAX_]; /* the beginning of one; of a line of the message only what tells its end */
};

static long messages;
static double first;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool starts(const char *line, const char *verb) {
  return strncasecmp(line, verb, strlen(verb)) == 0;
}

/* The reply to a line, or NULL. */
static const char *reply(struct client *c) {
  if (c->data) {
    if (c->n != 2 || c->line[0] != '.') return NULL;
    c->data = false;
    messages++;
    return "250 2.0.0 taken\r\n";
  }
  if (starts(c->line, "EHLO"))
    return "250-sink.example\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n250 8BITMIME\r\n";
  if (starts(c->line, "DATA")) return c->data = true, "354 go on\r\n";
  if (starts(c->line, "QUIT")) return "221 2.0.0 bye\r\n";
  return "250 2.0.0 ok\r\n";
}

/* False: the client is gone. */
static bool take(struct client *c) {
  char in[64 * 1024], out[64 * 1024];
  ssize_t got = recv(c->fd, in, sizeof in, 0);
  size_t n = 0;
  if (got <= 0) return false;
  if (first == 0) first = now();
  for (ssize_t i = 0; i < got; i++) {
    if (in[i] != '\n') {
      if (c->n < sizeof c->line - 1) c->line[c->n++] = in[i];
      continue;
    }
    c->line[c->n] = 0;
    const char *words = reply(c);
    c->n = 0;
    if (words && n + strlen(words) < sizeof out) n += (size_t)sprintf(out + n, "%s", words);
  }
  return n == 0 || send(c->fd, out, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static void greet(int ep, int listener) {
  int fd = accept(listener, NULL, NULL), on = 1;
  struct client *c = fd < 0 ? NULL : calloc(1, sizeof *c);
  if (!c) return;
  c->fd = fd;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
  epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
  send(fd, "220 sink.example ESMTP\r\n", 24, MSG_NOSIGNAL);
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: sink PORT MESSAGES\n"), 64;
  struct sockaddr_in at = { .sin_family = AF_INET,
                            .sin_port = htons((uint16_t)atoi(argv[1])),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  int listener = socket(AF_INET, SOCK_STREAM, 0), ep = epoll_create1(0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 1024) != 0)
    return perror("sink"), 1;
  struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };
  epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
  printf("ready\n");
  fflush(stdout);
  while (messages < atol(argv[2])) {
    struct epoll_event all[64];
    int n = epoll_wait(ep, all, 64, 60000);
    if (n <= 0 && errno != EINTR) break;
    for (int i = 0; i < n; i++) {
      struct client *c = all[i].data.ptr;
      if (!c)
        greet(ep, listener);
      else if (!take(c))
        close(c->fd), free(c);
    }
  }
  printf("messages=%ld seconds=%.3f\n", messages, now() - first);
  return messages < atol(argv[2]);
}
