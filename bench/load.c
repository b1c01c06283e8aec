/* A load generator that knows no server: SMTP messages, POP3 sessions, idle connections.
 *
 *   load smtp PORT --messages N --connections C --size OCTETS --mode new|reuse|pipeline --to PATTERN --users U
 *   load pop3 PORT --sessions N --connections C --user PATTERN --users U --pass WORD --do list|retr
 *   load idle PORT --connections N --hold SECONDS
 *   --tree PID   the server's process: CPU seconds of it and all below it are measured
 *   --drain DIR  the clock stops when no file is left below DIR: a queue that delivers after it answered
 *
 * PATTERN has one %d, which is replaced by 0 … U-1. One thread, epoll, loopback only. Prints one line of
 * key=value: what was done, seconds, rate, and the server's CPU in microseconds for each unit. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum mode { MODE_NEW, MODE_REUSE, MODE_PIPELINE };
enum job { JOB_SMTP, JOB_LIST, JOB_RETR };

struct options {
  const char *what;
  int port, connections, users, hold;
  long count, size;
  enum mode mode;
  enum job job;
  const char *pattern, *pass, *drain;
  pid_t tree;
};

struct client {
  int fd, step;
  long unit;       /* which message or session it works on */
  bool multi;      /* a multi-line POP3 answer is being read */
  long drop, next; /* messages in the maildrop, next to fetch */
  size_t have, sent;
  char in[64 * 1024];
};

static struct options opt = { .connections = 20, .users = 1, .count = 1000, .size = 4096, .hold = 3, .pattern = "user%d@bench.example", .pass = "secret" };
static int ep;
static long started, done, octets;
static char *body;
static size_t body_len;

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- the server's CPU --- */

struct ticks { pid_t pid, parent; double cpu; };

static bool read_stat(pid_t pid, struct ticks *ret) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *f = fopen(path, "r");
  size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
  if (f) fclose(f);
  text[n] = 0;
  char *close = strrchr(text, ')');
  long parent, u, s, cu, cs;
  if (!close || sscanf(close + 2, "%*c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld", &parent, &u, &s, &cu, &cs) != 5) return false;
  *ret = (struct ticks){ pid, (pid_t)parent, (double)(u + s + cu + cs) / (double)sysconf(_SC_CLK_TCK) };
  return true;
}

/* The process, its descendants, and those of them that ended and were waited for. */
static double tree_cpu(pid_t root) {
  static struct ticks all[65536];
  size_t n = 0;
  DIR *d = opendir("/proc");
  for (struct dirent *e; d && n < 65536 && (e = readdir(d));)
    if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && read_stat(atoi(e->d_name), &all[n])) n++;
  if (d) closedir(d);
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    pid_t p = all[i].pid;
    for (int depth = 0; p != root && p > 1 && depth < 16; depth++) {
      size_t k = 0;
      while (k < n && all[k].pid != p) k++;
      p = k < n ? all[k].parent : 0;
    }
    if (p == root) sum += all[i].cpu;
  }
  return sum;
}

/* --- connections --- */

static void open_client(struct client *c) {
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  int on = 1;
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0) die("connect");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
  if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) != 0) die("epoll_ctl");
  c->step = 0;
  c->have = 0;
  c->multi = false;
}

static void say(struct client *c, const char *p, size_t n) {
  while (n) {
    ssize_t k = send(c->fd, p, n, MSG_NOSIGNAL);
    if (k < 0 && errno == EAGAIN) {
      usleep(200);
      continue;
    }
    if (k <= 0) die("send");
    p += k;
    n -= (size_t)k;
  }
}

static void sayf(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void sayf(struct client *c, const char *fmt, ...) {
  char line[1024];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(line, sizeof line, fmt, ap);
  va_end(ap);
  say(c, line, (size_t)n);
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static const char *name_of(long unit) {
  static char name[256];
  snprintf(name, sizeof name, opt.pattern, (int)(unit % opt.users));
  return name;
}

static void make_body(void) {
  body = malloc((size_t)opt.size + 256);
  int n = sprintf(body, "From: <load@example.net>\r\nTo: <you@bench.example>\r\nSubject: load\r\n\r\n");
  body_len = (size_t)n;
  while (body_len < (size_t)opt.size) body_len += (size_t)sprintf(body + body_len, "%.60s\r\n", "The quick brown fox jumps over the lazy dog, again and again, until the size is right.");
  body_len += (size_t)sprintf(body + body_len, ".\r\n");
}

static void next_unit(struct client *c) { c->unit = started++; }

/* --- SMTP: one call for each complete reply --- */

static void expect(struct client *c, const char *line, const char *code) {
  if (strncmp(line, code, strlen(code)) == 0) return;
  fprintf(stderr, "load: step %d: wanted %s, got %.120s\n", c->step, code, line);
  exit(1);
}

static void begin_message(struct client *c) {
  if (opt.mode == MODE_PIPELINE) sayf(c, "MAIL FROM:<load@example.net>\r\nRCPT TO:<%s>\r\nDATA\r\n", name_of(c->unit));
  else sayf(c, "MAIL FROM:<load@example.net>\r\n");
}

/* False: the connection is over. */
static bool smtp_reply(struct client *c, const char *line) {
  switch (c->step++) {
    case 0: expect(c, line, "220"); sayf(c, "EHLO load.example.net\r\n"); break;
    case 1: expect(c, line, "250"); begin_message(c); break;
    case 2: expect(c, line, "250"); if (opt.mode != MODE_PIPELINE) sayf(c, "RCPT TO:<%s>\r\n", name_of(c->unit)); break;
    case 3: expect(c, line, "250"); if (opt.mode != MODE_PIPELINE) sayf(c, "DATA\r\n"); break;
    case 4: expect(c, line, "354"); say(c, body, body_len); break;
    case 5:
      expect(c, line, "250");
      done++;
      if (opt.mode == MODE_NEW || started >= opt.count) {
        sayf(c, "QUIT\r\n");
        break;
      }
      next_unit(c);
      begin_message(c);
      c->step = 2;
      break;
    default: expect(c, line, "221"); return false;
  }
  return true;
}

/* --- POP3: one call for each status line or end of a multi-line answer --- */

static bool pop3_reply(struct client *c, const char *line) {
  if (!c->multi) expect(c, line, "+OK");
  switch (c->step) {
    case 0: sayf(c, "USER %s\r\n", name_of(c->unit)); break;
    case 1: sayf(c, "PASS %s\r\n", opt.pass); break;
    case 2: sayf(c, "STAT\r\n"); break;
    case 3:
      c->drop = atol(line + 4);
      c->next = 1;
      if (opt.job == JOB_LIST) sayf(c, "UIDL\r\n");
      else if (c->drop) sayf(c, "RETR %ld\r\n", c->next++);
      else { sayf(c, "QUIT\r\n"); c->step = 6; return true; }
      break;
    case 4:
      if (!c->multi) { c->multi = true; return true; }
      c->multi = false;
      if (opt.job == JOB_LIST) sayf(c, "LIST\r\n");
      else if (c->next <= c->drop) { sayf(c, "RETR %ld\r\n", c->next++); return true; }
      else { sayf(c, "QUIT\r\n"); c->step = 6; return true; }
      break;
    case 5:
      if (!c->multi) { c->multi = true; return true; }
      c->multi = false;
      sayf(c, "QUIT\r\n");
      break;
    default: done++; return false;
  }
  c->step++;
  return true;
}

/* --- the loop --- */

/* Lines that complete something; the rest of a multi-line answer is passed over. */
static bool on_line(struct client *c, char *line, size_t n) {
  if (opt.job == JOB_SMTP) return n > 3 && line[3] == '-' ? true : smtp_reply(c, line);
  if (c->multi && !(n == 1 && line[0] == '.')) return true;
  return pop3_reply(c, line);
}

/* False: the connection is over. */
static bool on_input(struct client *c) {
  ssize_t got = recv(c->fd, c->in + c->have, sizeof c->in - c->have - 1, 0);
  if (got < 0 && errno == EAGAIN) return true;
  if (got <= 0) die("recv");
  octets += got;
  c->have += (size_t)got;
  size_t at = 0;
  for (char *nl; (nl = memchr(c->in + at, '\n', c->have - at));) {
    char *line = c->in + at;
    size_t n = (size_t)(nl - line);
    if (n && line[n - 1] == '\r') n--;
    line[n] = 0;
    at = (size_t)(nl - c->in) + 1;
    if (!on_line(c, line, n)) return false;
  }
  memmove(c->in, c->in + at, c->have - at);
  c->have -= at;
  return true;
}

static long left_files;

static int on_entry(const char *path, const struct stat *st, int kind, struct FTW *at) {
  left_files += kind == FTW_F;
  return 0;
}

static void wait_drained(void) {
  for (double until = now() + 300; opt.drain && now() < until; usleep(10000)) {
    left_files = 0;
    nftw(opt.drain, on_entry, 16, FTW_PHYS);
    if (left_files == 0) return;
  }
}

static int run(void) {
  struct client *all = calloc((size_t)opt.connections, sizeof *all);
  int open = 0;
  make_body();
  double cpu = opt.tree ? tree_cpu(opt.tree) : 0, begin = now();
  for (int i = 0; i < opt.connections && started < opt.count; i++, open++) {
    next_unit(&all[i]);
    open_client(&all[i]);
  }
  while (open) {
    struct epoll_event ev[128];
    int n = epoll_wait(ep, ev, 128, 60000);
    if (n <= 0) die("no answer for a minute");
    for (int i = 0; i < n; i++) {
      struct client *c = ev[i].data.ptr;
      if (on_input(c)) continue;
      close(c->fd);
      if (started < opt.count) {
        next_unit(c);
        open_client(c);
      } else {
        open--;
      }
    }
  }
  wait_drained();
  double seconds = now() - begin;
  cpu = opt.tree ? tree_cpu(opt.tree) - cpu : 0;
  printf("done=%ld seconds=%.3f per_second=%.0f mb_per_second=%.1f server_cpu_s=%.2f cpu_us_each=%.1f mb_per_cpu_s=%.0f\n", done, seconds,
         (double)done / seconds, (double)octets / seconds / 1e6, cpu, cpu * 1e6 / (double)done, cpu > 0 ? (double)octets / cpu / 1e6 : 0);
  return 0;
}

static int idle(void) {
  struct client *all = calloc((size_t)opt.connections, sizeof *all);
  for (int i = 0; i < opt.connections; i++) {
    open_client(&all[i]);
    char text[512];
    fcntl(all[i].fd, F_SETFL, 0);
    if (recv(all[i].fd, text, sizeof text, 0) <= 0) die("greeting");
  }
  printf("open=%d\n", opt.connections);
  fflush(stdout);
  sleep((unsigned)opt.hold);
  return 0;
}

static void parse(int argc, char **argv) {
  opt.what = argv[1];
  opt.port = atoi(argv[2]);
  for (int i = 3; i + 1 < argc; i += 2) {
    const char *k = argv[i], *v = argv[i + 1];
    if (!strcmp(k, "--messages") || !strcmp(k, "--sessions")) opt.count = atol(v);
    else if (!strcmp(k, "--connections")) opt.connections = atoi(v);
    else if (!strcmp(k, "--size")) opt.size = atol(v);
    else if (!strcmp(k, "--users")) opt.users = atoi(v);
    else if (!strcmp(k, "--to") || !strcmp(k, "--user")) opt.pattern = v;
    else if (!strcmp(k, "--pass")) opt.pass = v;
    else if (!strcmp(k, "--hold")) opt.hold = atoi(v);
    else if (!strcmp(k, "--tree")) opt.tree = atoi(v);
    else if (!strcmp(k, "--drain")) opt.drain = v;
    else if (!strcmp(k, "--mode")) opt.mode = !strcmp(v, "new") ? MODE_NEW : !strcmp(v, "reuse") ? MODE_REUSE : MODE_PIPELINE;
    else if (!strcmp(k, "--do")) opt.job = !strcmp(v, "list") ? JOB_LIST : JOB_RETR;
    else fprintf(stderr, "load: unknown option %s\n", k), exit(64);
  }
  if (!strcmp(opt.what, "pop3") && opt.job == JOB_SMTP) opt.job = JOB_LIST;
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: load smtp|pop3|idle PORT [options]\n"), 64;
  signal(SIGPIPE, SIG_IGN);
  parse(argc, argv);
  ep = epoll_create1(0);
  return !strcmp(opt.what, "idle") ? idle() : run();
}
