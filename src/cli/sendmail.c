/* SPDX-License-Identifier: ISC */
/* The program called as sendmail, by cron, PHP's mail(), git send-email, mailx, mutt and others.
 *
 *   sendmail [-t] [-i] [-f ADDRESS] [-F NAME] [-N WHEN] [-R full|hdrs] [-V ENVID] [RECIPIENT …]
 *   sendmail -bs      SMTP on standard input and output
 *   mailq, sendmail -bp; sendmail -q, newaliases
 *
 * It has no privileges: a message goes to the server's socket `submit`, which determines the user
 * of this process. While the server is down it is left in the drop folder instead, on the disk
 * (docs/design/pickup.md). A message that was neither answered with 250 nor left there was not
 * sent, and the exit code says so: 75 if it should be tried again. Of several recipients the
 * refused ones are named, and determine the exit code; the others get the message.
 *
 * Options of other sendmails without meaning here are accepted and ignored. */
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/sys.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/mailboxes.h"
#include "mail/smtp/command.h"
#include "mail/smtp/drop.h"
#include "src/cli/base/drops.h"
#include "src/cli/command_line.h"
#include "src/cli/mailbox/mbox.h"
#include "src/cli/client/smtp_shell.h"
#include "src/cli/link/link.h"

#define MESSAGE_MAX (1024ull * 1024 * 1024)
enum { RECIPIENTS_MAX = 10000 };

enum sendmail_work { WORK_SEND, WORK_SMTP, WORK_LIST, WORK_RETRY, WORK_NOTHING };

struct call {
  enum sendmail_work work;
  bool of_header;   /* -t */
  bool dots;        /* -i: a line with a single dot is ordinary text */
  const char *from; /* "": the empty reverse-path */
  const char *name, *notify, *ret, *envid, *config;
  char *const *to;
  size_t to_count;
};

struct submission {
  struct smtp_shell smtp;
  struct buf message;      /* in wire form */
  struct buf recipients;   /* a line each */
  struct buf user;         /* the calling user, without a domain */
  struct buf domain;       /* for an address without one */
  const struct conf *conf; /* NULL: this user may not read it */
  bool down;               /* nobody listens: the message is left in the drop folder */
};

/* --- the command line --- */

/* Letters of options with a value, attached or following. */
static const char letters_with_value[] = "fFrNRVBbCXhLopdqOA";

static bool take_mode(struct call *k, const char *mode) {
  static const struct {
    char letter;
    enum sendmail_work work;
  } modes[] = {
    { 'm', WORK_SEND },
    { 's', WORK_SMTP },
    { 'p', WORK_LIST },
    { 'i', WORK_NOTHING },
  };
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
    if (mode[0] == modes[i].letter && !mode[1]) {
      k->work = modes[i].work;
      return true;
    }
  return false;
}

static void take_value(struct call *k, char letter, const char *value) {
  switch (letter) {
  case 'f':
  case 'r': k->from = strcmp(value, "<>") == 0 ? "" : value; break;
  case 'F': k->name = value; break;
  case 'N': k->notify = value; break;
  case 'R': k->ret = value; break;
  case 'V': k->envid = value; break;
  case 'C': k->config = value; break;
  case 'o': k->dots |= value[0] == 'i' && !value[1]; break;
  case 'q': k->work = WORK_RETRY; break;
  }
}

/* One argument that begins with a hyphen; *at is moved past a separate value. False: it is not
 * supported. */
static bool take_option(struct call *k, int argc, char **argv, int *at) {
  const char *a = argv[*at] + 1;
  bool has_value = strchr(letters_with_value, *a) != NULL, attached = a[1] != 0;
  if (*a == 't') k->of_header = true;
  if (*a == 't') k->dots |= a[1] == 'i'; /* "-ti", as PHP has it */
  if (*a == 'i') k->dots = true;
  if (*a == 'i') k->of_header |= a[1] == 't';
  if (!has_value) return true;
  bool alone = strchr("qodB", *a) != NULL; /* their value, if any, is attached */
  const char *value = attached ? a + 1 : !alone && *at + 1 < argc ? argv[++*at] : "";
  if (*a == 'b') return take_mode(k, value);
  take_value(k, *a, value);
  return true;
}

static int take_call(struct call *k, int argc, char **argv) {
  int at = 1;
  for (; at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
    if (strcmp(argv[at], "--") == 0) {
      at++;
      break;
    }
    if (!take_option(k, argc, argv, &at))
      return cli_fail(CLI_EXIT_USAGE, "%s is not what this sendmail does", argv[at]);
  }
  k->to = argv + at;
  k->to_count = (size_t)(argc - at);
  return CLI_EXIT_OK;
}

/* --- who calls, and where the server is --- */

static void name_user(struct submission *s) {
  const struct passwd *who = getpwuid(getuid());
  if (who)
    buf_put_str(&s->user, who->pw_name);
  else
    buf_printf(&s->user, "uid%u", (unsigned)getuid());
}

/* The configuration, if it can be read: not every user may. */
static void find_server(struct submission *s, struct cli *c, struct url *url) {
  const struct conf *conf = access(c->config, R_OK) == 0 ? cli_conf(c) : NULL;
  s->conf = conf;
  snprintf(url->host, sizeof url->host, "%s/submit", conf ? conf->run_dir : "/run/qasid");
  if (conf && *conf->login_domain) buf_put_str(&s->domain, conf->login_domain);
}

/* The domain of last resort is the server's own name. */
static void take_domain(struct submission *s) {
  if (!buf_len(&s->domain)) buf_put_str(&s->domain, s->smtp.server);
}

/* --- the message --- */

static bool ends_here(struct slice *line) {
  if (line->n && line->p[line->n - 1] == '\n') line->n--;
  if (line->n && line->p[line->n - 1] == '\r') line->n--;
  return line->n == 1 && line->p[0] == '.';
}

/* Standard input to its end, or to a line with a single dot if that ends it. */
static int read_message(const struct call *k, struct buf *raw) {
  char *line = NULL;
  size_t cap = 0;
  ssize_t n;
  while ((n = getline(&line, &cap, stdin)) >= 0 && !raw->failed) {
    struct slice text = slice_of(line, (size_t)n), bare = text;
    if (!k->dots && ends_here(&bare)) break;
    buf_put(raw, text);
  }
  bool broken = ferror(stdin);
  free(line);
  if (broken) return cli_fail(CLI_EXIT_IO, "standard input: %s", strerror(errno));
  return raw->failed ? cli_fail(CLI_EXIT_DATA, "the message is too large") : CLI_EXIT_OK;
}

static void put_address(const struct submission *s, struct buf *out, struct slice address) {
  buf_put(out, address);
  if (slice_rfind(address, '@') >= 0) return;
  buf_put_u8(out, '@');
  buf_put(out, buf_slice(&s->domain));
}

/* A name as a quoted string (RFC 5322 §3.2.4). */
static void put_name(struct buf *out, const char *name) {
  buf_put_u8(out, '"');
  for (; *name; name++) {
    if (ascii_is_control((uint8_t)*name)) continue;
    if (*name == '"' || *name == '\\') buf_put_u8(out, '\\');
    buf_put_u8(out, (uint8_t)*name);
  }
  buf_put_str(out, "\" ");
}

/* Adds the fields that every message must have (RFC 5322 §3.6) if the program left them out. */
static void put_missing(const struct submission *s, const struct call *k, struct slice message,
                        struct buf *out) {
  uint8_t id[16];
  struct slice from = k->from && *k->from ? slice_str(k->from) : buf_slice(&s->user);
  if (!header_count(message, SLICE("From"))) {
    buf_put_str(out, "From: ");
    if (k->name) put_name(out, k->name);
    buf_put_u8(out, '<');
    put_address(s, out, from);
    buf_put_str(out, ">\r\n");
  }
  if (!header_count(message, SLICE("Date"))) {
    buf_put_str(out, "Date: ");
    date_put(out, sys_wall_s(), 0);
    buf_put_str(out, "\r\n");
  }
  if (header_count(message, SLICE("Message-ID"))) return;
  sys_random(id, sizeof id);
  buf_put_str(out, "Message-ID: <");
  for (size_t i = 0; i < sizeof id; i++) buf_printf(out, "%02x", id[i]);
  buf_printf(out, "@%.*s>\r\n", SLICE_ARG(buf_slice(&s->domain)));
}

/* -t: the recipients in the header, except those on the command line (as documented for
 * sendmail). */
static int take_recipients(struct submission *s, const struct call *k, struct slice message) {
  struct buf wrong;
  int code = CLI_EXIT_OK;
  buf_init(&wrong, 4096);
  if (k->of_header && !mailboxes_of_header(message, buf_slice(&s->domain), &s->recipients, &wrong))
    code = cli_fail(CLI_EXIT_DATA, "the message names what is not an address: %.*s",
                    SLICE_ARG(buf_slice(&wrong)));
  for (size_t i = 0; i < k->to_count && code == CLI_EXIT_OK; i++) {
    if (k->to[i][strcspn(k->to[i], "\r\n<>")])
      code = cli_fail(CLI_EXIT_USAGE, "%s is not an address", k->to[i]);
    buf_put_str(&s->recipients, k->to[i]);
    buf_put_u8(&s->recipients, '\n');
  }
  if (code == CLI_EXIT_OK && !buf_len(&s->recipients))
    code = cli_fail(CLI_EXIT_USAGE, "no recipient was named");
  if (code == CLI_EXIT_OK && s->recipients.failed)
    code = cli_fail(CLI_EXIT_DATA, "too many recipients");
  buf_free(&wrong);
  return code;
}

/* The length of the mbox "From " lines that a program has left before the header; Postfix's
 * sendmail removes them too, quoted or not. */
static size_t measure_mbox_lines(struct slice message) {
  struct slice rest = message, line;
  size_t n = 0;
  do {
    n = slice_offset(message, rest);
    line = slice_split(&rest, '\n');
    while (slice_starts(line, SLICE(">"))) line = slice_from(line, 1);
  } while (slice_starts(line, SLICE("From ")));
  return n;
}

/* The message as it is sent: line ends, missing fields, no mbox line, no Bcc. */
static int make_message(struct submission *s, const struct call *k, struct slice raw) {
  struct buf wire;
  buf_init(&wire, 2 * MESSAGE_MAX);
  struct to_wire w = to_wire_open(MBOX_QUOTES_NONE);
  to_wire_put(&w, raw, &wire);
  to_wire_end(&w, &wire);
  buf_drop(&wire, measure_mbox_lines(buf_slice(&wire)));
  header_settle(&wire, 0, true);
  struct slice m = buf_slice(&wire);
  bool whole = !wire.failed;
  int code = take_recipients(s, k, m);
  put_missing(s, k, m, &s->message);
  mailboxes_put_sent(m, !k->of_header, &s->message);
  buf_free(&wire);
  whole = whole && !s->message.failed;
  return code == CLI_EXIT_OK && !whole ? cli_fail(CLI_EXIT_TEMPORARY, "no memory for the message")
                                       : code;
}

/* --- the transaction --- */

/* The values of -f, -R and -V; `line` is kept as long as the letter. */
static int take_envelope(struct submission *s, const struct call *k, struct buf *path,
                         struct buf *line, struct smtp_letter *l) {
  struct slice from = k->from ? slice_str(k->from) : buf_slice(&s->user);
  struct smtp_mail mail;
  if (from.n) put_address(s, path, from);
  buf_put_str(line, "FROM:<>");
  if (k->ret) buf_printf(line, " RET=%s", k->ret);
  if (k->envid) buf_printf(line, " ENVID=%s", k->envid);
  if ((k->from && k->from[strcspn(k->from, "\r\n<>")]) || path->failed || line->failed ||
      smtp_mail_parse(buf_slice(line), SMTP_PARAMS_DSN, SLICE_NONE, &mail) != SMTP_OK)
    return cli_fail(CLI_EXIT_USAGE, "-f, -R or -V has what can't stand there");
  l->return_path = buf_slice(path);
  l->ret = mail.ret;
  l->envid = mail.envid;
  return CLI_EXIT_OK;
}

/* -N, for each recipient. */
static int take_rcpts(struct submission *s, const struct call *k, struct smtp_letter *l) {
  struct smtp_recipient all = { .notify = 0 };
  struct buf line;
  buf_init(&line, 1024);
  buf_printf(&line, "TO:<a@b.example>%s%s", k->notify ? " NOTIFY=" : "",
             k->notify ? k->notify : "");
  bool ok = smtp_rcpt_parse(buf_slice(&line), SMTP_PARAMS_DSN, SLICE_NONE, &all) == SMTP_OK;
  buf_free(&line);
  if (!ok) return cli_fail(CLI_EXIT_USAGE, "-N has what can't stand there");
  for (struct slice rest = buf_slice(&s->recipients); rest.n; l->count++) slice_split(&rest, '\n');
  l->rcpts = calloc(l->count, sizeof *l->rcpts);
  if (!l->rcpts) return cli_fail(CLI_EXIT_TEMPORARY, "no memory for the recipients");
  struct slice rest = buf_slice(&s->recipients);
  for (size_t i = 0; i < l->count; i++)
    l->rcpts[i] =
        (struct smtp_letter_rcpt){ .address = slice_split(&rest, '\n'), .notify = all.notify };
  return CLI_EXIT_OK;
}

/* Sends those refused with "too many recipients" in another transaction (RFC 5321 §4.5.3.1.10). */
static void keep_untried(struct smtp_letter *l) {
  size_t n = 0;
  smtp_letter_free_verdicts(l);
  for (size_t i = 0; i < l->count; i++)
    if (l->rcpts[i].verdict.fate == SMTP_UNTRIED && !l->rcpts[i].verdict.obstacle)
      l->rcpts[n++] = l->rcpts[i];
  l->count = n;
}

/* The exit code of the worst refusal. */
static int send_letter(struct submission *s, struct smtp_letter *l) {
  struct smtp_shell_result r;
  size_t taken = 0;
  int refused = CLI_EXIT_OK;
  do {
    smtp_shell_send(&s->smtp, l, buf_slice(&s->message));
    r = smtp_shell_report(&s->smtp, l);
    keep_untried(l);
    taken += r.taken;
    if (refused != CLI_EXIT_TEMPORARY && r.refused != CLI_EXIT_OK) refused = r.refused;
  } while (r.left && r.taken && r.whole == CLI_EXIT_OK);
  if (r.whole != CLI_EXIT_OK)
    refused = r.whole;
  else if (r.left)
    refused = CLI_EXIT_TEMPORARY;
  if (taken) return refused ? cli_fail(refused, "it was sent to the other recipients") : refused;
  return r.whole != CLI_EXIT_OK ? refused : cli_fail(refused, "so it was sent to nobody");
}

/* Without a server: docs/design/pickup.md. */
static int leave_letter(const struct submission *s, const struct smtp_letter *l) {
  if (s->conf && buf_len(&s->message) > s->conf->message_size_limit)
    return cli_fail(CLI_EXIT_DATA, "the message is larger than message_size_limit");
  return drops_leave(s->conf ? s->conf->data_dir : "/var/lib/qasid", l, buf_slice(&s->domain),
                     buf_slice(&s->message));
}

static int converse(struct submission *s, const struct call *k) {
  struct smtp_letter l = { .eight_bit = smtp_shell_has_eight_bit(buf_slice(&s->message)) };
  struct buf path, line;
  buf_init(&path, 2048), buf_init(&line, 2048);
  int code = take_envelope(s, k, &path, &line, &l);
  if (code == CLI_EXIT_OK) code = take_rcpts(s, k, &l);
  if (code == CLI_EXIT_OK) code = s->down ? leave_letter(s, &l) : send_letter(s, &l);
  free(l.rcpts);
  buf_free(&path), buf_free(&line);
  return code;
}

/* A server that cannot be reached is a temporary failure: no recipient was refused. */
static int open_server(struct submission *s, struct cli *c, const struct url *url) {
  int code = smtp_shell_open(&s->smtp, c, url, false);
  s->smtp.net.plain = true; /* nobody can listen between two processes of one machine */
  if (code == CLI_EXIT_OK) code = smtp_shell_start(&s->smtp, &(struct smtp_shell_start){ 0 });
  return code == CLI_EXIT_UNAVAILABLE
             ? cli_fail(CLI_EXIT_TEMPORARY, "the message was not taken; is the server running?")
             : code;
}

/* True if nobody listens: the socket does not exist, or is stale. If the control socket of a
 * running server exists beside it, the option local_submission is off. */
static bool is_down(const struct submission *s, const struct url *url) {
  struct sockaddr_un at = { .sun_family = AF_UNIX };
  char control[sizeof at.sun_path + 16];
  if (s->conf && !s->conf->local_submission) return false;
  if ((size_t)snprintf(at.sun_path, sizeof at.sun_path, "%s", url->host) >= sizeof at.sun_path)
    return false;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int why = fd < 0 ? errno : connect(fd, (struct sockaddr *)&at, sizeof at) == 0 ? 0 : errno;
  if (fd >= 0) close(fd);
  snprintf(control, sizeof control, "%.*s/control", (int)(strlen(url->host) - strlen("/submit")),
           url->host);
  return why == ECONNREFUSED || (why == ENOENT && access(control, F_OK) != 0);
}

/* The domain of last resort is the machine's name, as for the server. */
static void take_own_domain(struct submission *s) {
  char name[256] = "localhost";
  if (buf_len(&s->domain)) return;
  if (s->conf && *s->conf->hostname)
    buf_put_str(&s->domain, s->conf->hostname);
  else if (gethostname(name, sizeof name - 1) == 0 && *name)
    buf_put_str(&s->domain, name);
}

static int send_one(struct submission *s, struct cli *c, const struct call *k,
                    const struct url *url) {
  struct buf raw;
  buf_init(&raw, MESSAGE_MAX);
  int code = read_message(k, &raw);
  s->down = code == CLI_EXIT_OK && is_down(s, url);
  if (code == CLI_EXIT_OK && !s->down) code = open_server(s, c, url);
  if (code == CLI_EXIT_OK) {
    if (s->down)
      take_own_domain(s);
    else
      take_domain(s);
    code = make_message(s, k, buf_slice(&raw));
  }
  if (code == CLI_EXIT_OK) code = converse(s, k);
  if (code == CLI_EXIT_UNAVAILABLE && s->smtp.net.over) code = CLI_EXIT_TEMPORARY;
  if (!s->down) smtp_shell_close(&s->smtp);
  buf_free(&raw);
  return code;
}

/* --- -bs --- */

/* Copies octets in both directions, until one side is over. */
static int pump(int server) {
  struct pollfd p[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                        { .fd = server, .events = POLLIN } };
  const int to[] = { server, STDOUT_FILENO };
  uint8_t octets[16 * 1024];
  for (;;) {
    if (poll(p, 2, -1) < 0 && errno != EINTR)
      return cli_fail(CLI_EXIT_IO, "poll: %s", strerror(errno));
    for (int i = 0; i < 2; i++) {
      if (p[i].fd < 0 || !p[i].revents) continue;
      ssize_t n = read(p[i].fd, octets, sizeof octets);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (n <= 0 && i == 1) return CLI_EXIT_OK;
      if (n <= 0) p[i].fd = -1; /* the server has not finished */
      if (n <= 0 && shutdown(server, SHUT_WR) < 0)
        return cli_fail(CLI_EXIT_IO, "shutdown: %s", strerror(errno));
      for (ssize_t done = 0, one; done < n; done += one) {
        one = write(to[i], octets + done, (size_t)(n - done));
        if (one < 0 && errno == EINTR) one = 0;
        if (one < 0 && errno == EAGAIN)
          one = poll(&(struct pollfd){ .fd = to[i], .events = POLLOUT }, 1, -1) < 0 ? -1 : 0;
        if (one < 0) return cli_fail(CLI_EXIT_IO, "%s", strerror(errno));
      }
    }
  }
}

static int speak_smtp(struct cli *c, const struct url *url) {
  struct net net;
  int code = net_open(&net, c, url, NULL);
  if (code == CLI_EXIT_OK) code = pump(net.fd);
  net_close(&net);
  return code == CLI_EXIT_UNAVAILABLE ? CLI_EXIT_TEMPORARY : code;
}

/* --- the whole --- */

static int command(struct cli *c, const char *const *words, int count) {
  struct buf err;
  buf_init(&err, 4096);
  int code = cli_parse(c, count, (char *const *)(uintptr_t)words, &err);
  if (code == CLI_EXIT_OK)
    code = c->command->run(c);
  else
    cli_fail(code, "%.*s", SLICE_ARG(buf_slice(&err)));
  buf_free(&err);
  return code;
}

static void print_waiting(struct cli *c) {
  struct drops n;
  const struct conf *conf = cli_conf(c);
  if (!conf || !drops_count(conf, &n) || !(n.waiting + n.aside)) return;
  printf("%zu messages wait in the drop folder %s/" DROP_FOLDER ", %zu were set aside there\n",
         n.waiting, conf->data_dir, n.aside);
}

static int submit(struct cli *c, const struct call *k) {
  struct submission s = { .smtp.net.fd = -1 };
  struct url url = { .scheme = "smtp" };
  buf_init(&s.message, 2 * MESSAGE_MAX), buf_init(&s.recipients, RECIPIENTS_MAX * 64);
  buf_init(&s.user, 256), buf_init(&s.domain, 256);
  name_user(&s);
  find_server(&s, c, &url);
  int code = k->work == WORK_SMTP ? speak_smtp(c, &url) : send_one(&s, c, k, &url);
  buf_free(&s.message), buf_free(&s.recipients), buf_free(&s.user), buf_free(&s.domain);
  return code;
}

int sendmail_main(const char *name, int argc, char **argv) {
  static const char *const none[] = { "qasid", "status" },
                           *const list[] = { "qasid", "queue", "list" },
                           *const retry[] = { "qasid", "queue", "retry", "state=waiting" };
  struct call k = { .work = strcmp(name, "mailq") == 0        ? WORK_LIST
                            : strcmp(name, "newaliases") == 0 ? WORK_NOTHING
                                                              : WORK_SEND };
  struct cli c = { .config = NULL };
  struct buf err;
  int code = take_call(&k, argc, argv);
  if (code != CLI_EXIT_OK) return code;
  if (k.config) setenv("QASID_CONF", k.config, 1);
  buf_init(&err, 4096);
  code = cli_parse(&c, 2, (char *const *)(uintptr_t)none, &err); /* which configuration */
  buf_free(&err);
  if (code == CLI_EXIT_OK) switch (k.work) {
    case WORK_SEND:
    case WORK_SMTP: code = submit(&c, &k); break;
    case WORK_LIST:
      print_waiting(&c);
      code = command(&c, list, 3);
      break;
    case WORK_RETRY: code = command(&c, retry, 4); break;
    case WORK_NOTHING: break; /* aliases are the server's own, and need not be rebuilt */
    }
  server_stop(&c.server);
  cli_close(&c);
  return fflush(stdout) != 0 && code == CLI_EXIT_OK ? CLI_EXIT_IO : code;
}
