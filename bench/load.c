/* SPDX-License-Identifier: ISC */
/* A load generator that knows no server: SMTP messages, POP3 sessions, idle connections.
 *
 *   load smtp PORT --messages N --connections C --size OCTETS --mode new|reuse|pipeline --to
 * PATTERN --users U load pop3 PORT --sessions N --connections C --user PATTERN --users U --pass
 * WORD --do login|list|retr|delete load idle PORT --connections N --hold SECONDS load cpu PID the
 * seconds of CPU so far, as --tree counts them
 *   --ahead N    RETRs under way at once (1)
 *   --tls yes    TLS from the first octet, or for smtp by STARTTLS; certificates are not looked at
 *   --domains N  a recipient's domain has the message's number modulo N in front: "dN.…"
 *   --from A     the reverse-path of messages
 *   --stride N   the numbers in addresses are the messages' times N, so that they come in no order
 *   --mode rcpt  for smtp: no message, only MAIL, RCPT and RSET in one write; 250 and 550 are fine
 *   --tree PID   the server's process: CPU seconds of it and all below it are measured
 *   --drain DIR  the clock stops when no file is left below DIR (up to 4): a queue that delivers
 * after it answered
 *
 * PATTERN has one %d, which is replaced by 0 … U-1. One thread, epoll, loopback only. Prints one
 * line of key=value: what was done, seconds, rate, the server's CPU in microseconds for each unit,
 * and the longest wait for the answer to QUIT. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
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

enum mode { MODE_NEW, MODE_REUSE, MODE_PIPELINE, MODE_RCPT };
enum job { JOB_SMTP, JOB_LOGIN, JOB_LIST, JOB_RETR, JOB_DELETE };
enum { RCPTS_A_CONNECTION = 90 /* a server may close after more without mail */ };
enum { DRAINS_MAX = 4, DELES_AT_ONCE = 100, STEP_TLS = 20 };

struct options {
  const char *what, *from;
  int port, connections, users, hold;
  long domains, stride;
  long ahead; /* RETRs under way at once */
  long count, size;
  enum mode mode;
  enum job job;
  const char *pattern, *pass, *drain[DRAINS_MAX];
  int drains;
  SSL_CTX *tls;
  pid_t tree;
};

struct client {
  int fd, step;
  long unit;       /* which message or session it works on */
  bool multi;      /* a multi-line POP3 answer is being read */
  long drop, next; /* messages in the maildrop, next to fetch or delete */
  long waiting;    /* answers to DELE or RETR that are to come */
  double quit_at;  /* when QUIT was said */
  SSL *ssl;
  const char *rest; /* of a body, which is sent while others are served */
  size_t left;
  size_t have;
  char in[64 * 1024];
};

static struct options opt = { .connections = 20,
                              .from = "load@example.net",
                              .users = 1,
                              .stride = 1,
                              .count = 1000,
                              .size = 4096,
                              .hold = 3,
                              .ahead = 1,
                              .pattern = "user%d@bench.example",
                              .pass = "secret" };
static int ep;
static long started, done, octets;
static double slowest_quit;
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

struct usage {
  pid_t pid, parent;
  double cpu, faults;
};

/* Nanoseconds that each thread of a process has run: finer than the ticks of its stat file. */
static double thread_seconds(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR *d = opendir(path);
  double sum = 0;
  for (struct dirent *e; d && (e = readdir(d));) {
    char file[400];
    unsigned long long ran;
    snprintf(file, sizeof file, "%s/%s/schedstat", path, e->d_name);
    FILE *f = e->d_name[0] == '.' ? NULL : fopen(file, "r");
    if (f && fscanf(f, "%llu", &ran) == 1) sum += (double)ran / 1e9;
    if (f) fclose(f);
  }
  if (d) closedir(d);
  return sum;
}

/* The process itself, and its children that ended. */
static bool read_usage(pid_t pid, struct usage *ret) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *f = fopen(path, "r");
  size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
  if (f) fclose(f);
  text[n] = 0;
  char *close = strrchr(text, ')');
  long parent, faults, cu, cs;
  if (!close || sscanf(close + 2, "%*c %ld %*d %*d %*d %*d %*u %ld %*u %*u %*u %*d %*d %ld %ld",
                       &parent, &faults, &cu, &cs) != 4)
    return false;
  *ret = (struct usage){ pid, (pid_t)parent,
                         thread_seconds(pid) + (double)(cu + cs) / (double)sysconf(_SC_CLK_TCK),
                         (double)faults };
  return true;
}

/* The process, its descendants, and those of them that ended and were waited for. */
static struct usage tree_usage(pid_t root) {
  static struct usage all[65536];
  size_t n = 0;
  DIR *d = opendir("/proc");
  for (struct dirent *e; d && n < 65536 && (e = readdir(d));)
    if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && read_usage(atoi(e->d_name), &all[n])) n++;
  if (d) closedir(d);
  struct usage sum = { root, 0, 0, 0 };
  for (size_t i = 0; root && i < n; i++) {
    pid_t p = all[i].pid;
    for (int depth = 0; p != root && p > 1 && depth < 16; depth++) {
      size_t k = 0;
      while (k < n && all[k].pid != p) k++;
      p = k < n ? all[k].parent : 0;
    }
    if (p != root) continue;
    sum.cpu += all[i].cpu;
    sum.faults += all[i].faults;
  }
  return sum;
}

/* --- connections --- */

/* The socket blocks. */
static void start_tls(struct client *c) {
  c->ssl = SSL_new(opt.tls);
  if (!c->ssl || !SSL_set_fd(c->ssl, c->fd) || SSL_connect(c->ssl) != 1) die("TLS");
}

static void open_client(struct client *c) {
  struct sockaddr_in to = { .sin_family = AF_INET,
                            .sin_port = htons((uint16_t)opt.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  int on = 1;
  SSL_free(c->ssl);
  c->ssl = NULL;
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0) die("connect");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (opt.tls && opt.job != JOB_SMTP) start_tls(c);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
  if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) != 0) die("epoll_ctl");
  c->step = 0;
  c->have = c->left = 0;
  c->multi = false;
}

/* As send(2) and recv(2) without waiting: -1 with EAGAIN. */
static ssize_t give(struct client *c, const char *p, size_t n) {
  if (!c->ssl) return send(c->fd, p, n, MSG_NOSIGNAL);
  int k = SSL_write(c->ssl, p, (int)n);
  errno = k <= 0 && SSL_get_error(c->ssl, k) == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
  return k > 0 ? k : -1;
}

static ssize_t take(struct client *c, char *p, size_t n) {
  if (!c->ssl) return recv(c->fd, p, n, 0);
  int k = SSL_read(c->ssl, p, (int)n);
  int why = SSL_get_error(c->ssl, k);
  errno = why == SSL_ERROR_WANT_READ ? EAGAIN : EPROTO;
  return k > 0 ? k : why == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static void say(struct client *c, const char *p, size_t n) {
  while (n) {
    ssize_t k = give(c, p, n);
    if (k < 0 && errno == EAGAIN) {
      usleep(200);
      continue;
    }
    if (k <= 0) die("send");
    p += k;
    n -= (size_t)k;
  }
}

/* As much of the body as the socket takes now. */
static void go_on(struct client *c) {
  bool waited = c->left > 0;
  if (!waited) {
    c->rest = body;
    c->left = body_len;
  }
  while (c->left) {
    ssize_t k = give(c, c->rest, c->left);
    if (k < 0 && errno == EAGAIN) break;
    if (k <= 0) die("send");
    c->rest += k;
    c->left -= (size_t)k;
  }
  if (waited == (c->left > 0)) return;
  struct epoll_event ev = { .events = EPOLLIN | (c->left ? EPOLLOUT : 0), .data.ptr = c };
  if (epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev) != 0) die("epoll_ctl");
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
  static char name[600], user[256];
  unit *= opt.stride;
  snprintf(user, sizeof user, opt.pattern, (int)(unit % opt.users));
  char *at = strchr(user, '@');
  if (!opt.domains || !at) return strcpy(name, user);
  *at = 0;
  snprintf(name, sizeof name, "%s@d%ld.%s", user, unit % opt.domains, at + 1);
  return name;
}

static void make_body(void) {
  body = malloc((size_t)opt.size + 256);
  int n =
      sprintf(body, "From: <%.200s>\r\nTo: <you@bench.example>\r\nSubject: load\r\n\r\n", opt.from);
  body_len = (size_t)n;
  while (body_len < (size_t)opt.size)
    body_len += (size_t)sprintf(
        body + body_len, "%.60s\r\n",
        "The quick brown fox jumps over the lazy dog, again and again, until the size is right.");
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
  if (opt.mode == MODE_RCPT)
    sayf(c, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nRSET\r\n", opt.from, name_of(c->unit));
  else if (opt.mode == MODE_PIPELINE)
    sayf(c, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", opt.from, name_of(c->unit));
  else
    sayf(c, "MAIL FROM:<%s>\r\n", opt.from);
}

/* False: the connection is over. */
static bool smtp_reply(struct client *c, const char *line) {
  switch (c->step++) {
  case 0:
    expect(c, line, "220");
    sayf(c, "EHLO load.example.net\r\n");
    break;
  case 1:
    expect(c, line, "250");
    if (!opt.tls || c->ssl)
      begin_message(c);
    else
      sayf(c, "STARTTLS\r\n"), c->step = STEP_TLS;
    break;
  case STEP_TLS:
    expect(c, line, "220");
    fcntl(c->fd, F_SETFL, 0);
    start_tls(c);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    sayf(c, "EHLO load.example.net\r\n");
    c->step = 1;
    break;
  case 2:
    expect(c, line, "250");
    if (opt.mode < MODE_PIPELINE) sayf(c, "RCPT TO:<%s>\r\n", name_of(c->unit));
    break;
  case 3:
    if (opt.mode != MODE_RCPT || strncmp(line, "550", 3)) expect(c, line, "250");
    if (opt.mode == MODE_RCPT) c->step = 5;
    if (opt.mode < MODE_PIPELINE) sayf(c, "DATA\r\n");
    break;
  case 4:
    expect(c, line, "354");
    go_on(c);
    break;
  case 5:
    expect(c, line, "250");
    done++;
    if (opt.mode == MODE_NEW || started >= opt.count ||
        (opt.mode == MODE_RCPT && ++c->next % RCPTS_A_CONNECTION == 0)) {
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

static void say_quit(struct client *c) {
  c->quit_at = now();
  sayf(c, "QUIT\r\n");
  c->step = 6;
}

static void say_deles(struct client *c) {
  char lines[DELES_AT_ONCE * 20];
  size_t n = 0;
  for (; c->waiting < DELES_AT_ONCE && c->next <= c->drop; c->waiting++)
    n += (size_t)snprintf(lines + n, sizeof lines - n, "DELE %ld\r\n", c->next++);
  say(c, lines, n);
}

static void say_retrs(struct client *c) {
  char lines[DELES_AT_ONCE * 20];
  size_t n = 0;
  for (; c->waiting < opt.ahead && c->next <= c->drop; c->waiting++)
    n += (size_t)snprintf(lines + n, sizeof lines - n, "RETR %ld\r\n", c->next++);
  say(c, lines, n);
}

static void maildrop_open(struct client *c) {
  c->next = 1;
  c->step = 4;
  if (opt.job == JOB_LOGIN || !c->drop)
    say_quit(c);
  else if (opt.job == JOB_LIST)
    sayf(c, "UIDL\r\n");
  else if (opt.job == JOB_RETR)
    say_retrs(c);
  else
    say_deles(c);
}

/* An answer inside the maildrop came in whole. */
static void maildrop_reply(struct client *c) {
  if (opt.job == JOB_LIST && c->step++ == 4)
    sayf(c, "LIST\r\n");
  else if (opt.job == JOB_RETR && --c->waiting > (c->next > c->drop ? 0 : opt.ahead / 2))
    return;
  else if (opt.job == JOB_RETR && c->next <= c->drop)
    say_retrs(c);
  else if (opt.job == JOB_DELETE && --c->waiting > 0)
    return;
  else if (opt.job == JOB_DELETE && c->next <= c->drop)
    say_deles(c);
  else
    say_quit(c);
}

/* False: the connection is over. */
static bool pop3_reply(struct client *c, const char *line) {
  if (!c->multi) expect(c, line, "+OK");
  switch (c->step) {
  case 0:
    sayf(c, "USER %s\r\n", name_of(c->unit));
    c->step++;
    break;
  case 1:
    sayf(c, "PASS %s\r\n", opt.pass);
    c->step++;
    break;
  case 2:
    sayf(c, "STAT\r\n");
    c->step++;
    break;
  case 3:
    c->drop = atol(line + 4);
    maildrop_open(c);
    break;
  case 4:
  case 5:
    if (opt.job != JOB_DELETE) c->multi = !c->multi;
    if (!c->multi) maildrop_reply(c);
    break;
  default:
    done++;
    if (now() - c->quit_at > slowest_quit) slowest_quit = now() - c->quit_at;
    return false;
  }
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
  ssize_t got = take(c, c->in + c->have, sizeof c->in - c->have - 1);
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
  return c->ssl && SSL_pending(c->ssl) ? on_input(c) : true;
}

static long left_files;

static int on_entry(const char *path, const struct stat *st, int kind, struct FTW *at) {
  left_files += kind == FTW_F;
  return 0;
}

static void wait_drained(void) {
  for (double until = now() + 300; opt.drains && now() < until; usleep(10000)) {
    left_files = 0;
    for (int i = 0; i < opt.drains; i++) nftw(opt.drain[i], on_entry, 16, FTW_PHYS);
    if (left_files == 0) return;
  }
}

static int run(void) {
  struct client *all = calloc((size_t)opt.connections, sizeof *all);
  int open = 0;
  make_body();
  struct usage before = tree_usage(opt.tree);
  double begin = now();
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
      if (ev[i].events & EPOLLOUT && c->left) go_on(c);
      if (!(ev[i].events & ~(uint32_t)EPOLLOUT) || on_input(c)) continue;
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
  struct usage after = tree_usage(opt.tree);
  double cpu = after.cpu - before.cpu;
  printf("done=%ld seconds=%.3f per_second=%.0f mb_per_second=%.1f server_cpu_s=%.2f "
         "cpu_us_each=%.1f mb_per_cpu_s=%.0f quit_ms=%.1f faults_each=%.1f\n",
         done, seconds, (double)done / seconds, (double)octets / seconds / 1e6, cpu,
         cpu * 1e6 / (double)done, cpu > 0 ? (double)octets / cpu / 1e6 : 0, slowest_quit * 1e3,
         (after.faults - before.faults) / (double)done);
  return 0;
}

static int idle(void) {
  struct client *all = calloc((size_t)opt.connections, sizeof *all);
  for (int i = 0; i < opt.connections; i++) {
    open_client(&all[i]);
    char text[512];
    fcntl(all[i].fd, F_SETFL, 0);
    if (take(&all[i], text, sizeof text) <= 0) die("greeting");
  }
  printf("open=%d\n", opt.connections);
  fflush(stdout);
  sleep((unsigned)opt.hold);
  return 0;
}

static enum job job_named(const char *v) {
  static const struct {
    const char *name;
    enum job job;
  } jobs[] = {
    { "login", JOB_LOGIN }, { "list", JOB_LIST }, { "retr", JOB_RETR }, { "delete", JOB_DELETE }
  };
  for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
    if (!strcmp(jobs[i].name, v)) return jobs[i].job;
  fprintf(stderr, "load: no such work: %s\n", v);
  exit(64);
}

static void parse(int argc, char **argv) {
  opt.what = argv[1];
  opt.port = atoi(argv[2]);
  for (int i = 3; i + 1 < argc; i += 2) {
    const char *k = argv[i], *v = argv[i + 1];
    if (!strcmp(k, "--messages") || !strcmp(k, "--sessions"))
      opt.count = atol(v);
    else if (!strcmp(k, "--connections"))
      opt.connections = atoi(v);
    else if (!strcmp(k, "--size"))
      opt.size = atol(v);
    else if (!strcmp(k, "--users"))
      opt.users = atoi(v);
    else if (!strcmp(k, "--to") || !strcmp(k, "--user"))
      opt.pattern = v;
    else if (!strcmp(k, "--pass"))
      opt.pass = v;
    else if (!strcmp(k, "--ahead"))
      opt.ahead = atol(v) < DELES_AT_ONCE ? atol(v) : DELES_AT_ONCE;
    else if (!strcmp(k, "--from"))
      opt.from = v;
    else if (!strcmp(k, "--domains"))
      opt.domains = atol(v);
    else if (!strcmp(k, "--stride"))
      opt.stride = atol(v);
    else if (!strcmp(k, "--hold"))
      opt.hold = atoi(v);
    else if (!strcmp(k, "--tree"))
      opt.tree = atoi(v);
    else if (!strcmp(k, "--drain") && opt.drains < DRAINS_MAX)
      opt.drain[opt.drains++] = v;
    else if (!strcmp(k, "--tls"))
      opt.tls = SSL_CTX_new(TLS_client_method());
    else if (!strcmp(k, "--mode"))
      opt.mode = !strcmp(v, "new")     ? MODE_NEW
                 : !strcmp(v, "reuse") ? MODE_REUSE
                 : !strcmp(v, "rcpt")  ? MODE_RCPT
                                       : MODE_PIPELINE;
    else if (!strcmp(k, "--do"))
      opt.job = job_named(v);
    else
      fprintf(stderr, "load: unknown option %s\n", k), exit(64);
  }
  if (strcmp(opt.what, "smtp") && opt.job == JOB_SMTP) opt.job = JOB_LIST;
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: load smtp|pop3|idle PORT [options]\n"), 64;
  signal(SIGPIPE, SIG_IGN);
  if (!strcmp(argv[1], "cpu")) return printf("cpu_s=%.6f\n", tree_usage(atoi(argv[2])).cpu), 0;
  parse(argc, argv);
  ep = epoll_create1(0);
  return !strcmp(opt.what, "idle") ? idle() : run();
}
