/* SPDX-License-Identifier: ISC */
/* An SMTP server that takes everything and keeps nothing: sink PORT MESSAGES [slow=PORT]
 * [dead=PORT] [busy=PORT]. It says "ready", ends when PORT has had so many messages (or nothing
 * comes for three minutes), and prints how many they were, the seconds from the first octet to the
 * last message, and when 99 of 100 were there (at99, seconds since 1970).
 *
 *   slow    each reply comes a second late
 *   dead    connects are not answered
 *   busy    like a large provider with much to do: each third message 451, each tenth 421 */
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

enum { LINE_MAX_ = 4096, OUT_MAX = 64 * 1024, SILENCE_S = 180, DEAD_FILL = 8, TICK_MS = 50 };
enum kind { FINE, SLOW, BUSY, KINDS };

struct client {
  int fd;
  enum kind kind;
  bool data;
  size_t n;
  char line[LINE_MAX_]; /* the beginning of one; of a line of the message only what tells its end */
  struct client *next_late;
  double due; /* SLOW: when `late` is sent */
  size_t late_n;
  char *late;
};

static long messages, wanted, others;
static double first, at99;
static struct client *late; /* clients with a reply that waits */

static double now(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool starts(const char *line, const char *verb) {
  return strncasecmp(line, verb, strlen(verb)) == 0;
}

static const char *taken(struct client *c) {
  if (c->kind != FINE) {
    others++;
    if (c->kind == BUSY && others % 10 == 0) return "421 4.7.0 too busy, come back later\r\n";
    if (c->kind == BUSY && others % 3 == 0) return "451 4.7.1 too many messages at once\r\n";
    return "250 2.0.0 taken\r\n";
  }
  messages++;
  if (at99 == 0 && messages * 100 >= wanted * 99) at99 = now(CLOCK_REALTIME);
  return "250 2.0.0 taken\r\n";
}

/* The reply to a line, or NULL. */
static const char *reply(struct client *c) {
  if (c->data) {
    if (c->n != 2 || c->line[0] != '.') return NULL;
    c->data = false;
    return taken(c);
  }
  if (starts(c->line, "EHLO"))
    return "250-sink.example\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n250 8BITMIME\r\n";
  if (starts(c->line, "DATA")) return c->data = true, "354 go on\r\n";
  if (starts(c->line, "QUIT")) return "221 2.0.0 bye\r\n";
  return "250 2.0.0 ok\r\n";
}

static bool answer(struct client *c, const char *out, size_t n) {
  if (n == 0 || c->kind != SLOW) return n == 0 || send(c->fd, out, n, MSG_NOSIGNAL) == (ssize_t)n;
  if (!c->late) {
    c->late = malloc(OUT_MAX);
    if (!c->late) return false;
  }
  if (!c->late_n) c->due = now(CLOCK_MONOTONIC) + 1, c->next_late = late, late = c;
  if (n > OUT_MAX - c->late_n) n = OUT_MAX - c->late_n;
  memcpy(c->late + c->late_n, out, n);
  c->late_n += n;
  return true;
}

static void send_late(void) {
  double t = now(CLOCK_MONOTONIC);
  for (struct client **at = &late; *at;) {
    struct client *c = *at;
    if (c->due > t) {
      at = &c->next_late;
      continue;
    }
    send(c->fd, c->late, c->late_n, MSG_NOSIGNAL);
    c->late_n = 0;
    *at = c->next_late;
  }
}

/* False: the client is gone. */
static bool take(struct client *c) {
  char in[64 * 1024], out[OUT_MAX];
  ssize_t got = recv(c->fd, in, sizeof in, 0);
  size_t n = 0;
  if (got <= 0) return false;
  if (first == 0 && c->kind == FINE) first = now(CLOCK_MONOTONIC);
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
  return answer(c, out, n);
}

static void gone(struct client *c) {
  for (struct client **at = &late; *at; at = &(*at)->next_late)
    if (*at == c) {
      *at = c->next_late;
      break;
    }
  close(c->fd);
  free(c->late);
  free(c);
}

static void greet(int ep, int listener, enum kind kind) {
  int fd = accept(listener, NULL, NULL), on = 1;
  struct client *c = fd < 0 ? NULL : calloc(1, sizeof *c);
  if (!c) return;
  c->fd = fd;
  c->kind = kind;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
  epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
  send(fd, "220 sink.example ESMTP\r\n", 24, MSG_NOSIGNAL);
}

/* On every loopback address, so that each destination can have one of its own. */
static int listen_at(const char *port, int backlog) {
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  at.sin_addr.s_addr = htonl(INADDR_ANY);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, backlog) != 0)
    perror("sink"), exit(1);
  return fd;
}

/* Nobody accepts, and the kernel's own place is taken: what comes then is not answered. */
static void play_dead(const char *port) {
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listen_at(port, 0);
  for (int i = 0; i < DEAD_FILL; i++) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0 && errno != EINPROGRESS)
      perror("sink"), exit(1);
  }
}

int main(int argc, char **argv) {
  static const char *const names[KINDS] = { [SLOW] = "slow=", [BUSY] = "busy=" };
  int listeners[KINDS] = { -1, -1, -1 }, ep = epoll_create1(0);
  if (argc < 3) return fprintf(stderr, "usage: sink PORT MESSAGES [slow|dead|busy=PORT…]\n"), 64;
  wanted = atol(argv[2]);
  listeners[FINE] = listen_at(argv[1], 1024);
  for (int k = 0; k < KINDS; k++) {
    for (int i = 3; names[k] && i < argc; i++)
      if (starts(argv[i], names[k]))
        listeners[k] = listen_at(argv[i] + strlen(names[k]), 1024);
      else if (k == SLOW && starts(argv[i], "dead="))
        play_dead(argv[i] + 5);
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &listeners[k] };
    epoll_ctl(ep, EPOLL_CTL_ADD, listeners[k], &ev);
  }
  printf("ready\n");
  fflush(stdout);
  double heard = now(CLOCK_MONOTONIC);
  while (messages < wanted && now(CLOCK_MONOTONIC) - heard < SILENCE_S) {
    struct epoll_event all[64];
    long before = messages;
    int n = epoll_wait(ep, all, 64, TICK_MS);
    if (n < 0 && errno != EINTR) break;
    for (int i = 0; i < n; i++) {
      void *of = all[i].data.ptr;
      if (of >= (void *)listeners && of < (void *)(listeners + KINDS))
        greet(ep, *(int *)of, (enum kind)((int *)of - listeners));
      else if (!take(of))
        gone(of);
    }
    send_late();
    if (messages > before) heard = now(CLOCK_MONOTONIC);
  }
  printf("messages=%ld seconds=%.3f at99=%.3f others=%ld\n", messages, now(CLOCK_MONOTONIC) - first,
         at99, others);
  return messages < wanted;
}
