/* `qasid send`: one message to a server by SMTP (RFC 5321, 3207, 4954), all recipients or none. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/num.h"
#include "lib/base/sys.h"
#include "lib/mail/date.h"
#include "lib/smtp/data.h"
#include "lib/smtp/reply.h"
#include "src/cli/login.h"
#include "src/cli/mbox.h"
#include "src/cli/secret.h"
#include "src/cli/terminal.h"

#define SEND_MAX (1024ull * 1024 * 1024)

struct sender {
  struct net net; /* first: see hear_sasl() */
  struct smtp_reply reply;
  bool starttls, eight_bit, has_size;
  uint64_t size_limit; /* 0: it says none */
  char mechanisms[512];
  struct buf message; /* in wire form */
  bool has_eight_bit;
};

static int over(struct sender *s) { return cli_fail(CLI_EXIT_UNAVAILABLE, "%s", s->net.error); }

/* --- replies --- */

static void show_reply(struct sender *s) {
  struct slice rest = buf_slice(&s->reply.text);
  struct buf line;
  buf_init(&line, 4096);
  do {
    struct slice text = slice_split(&rest, '\n');
    buf_reset(&line);
    buf_printf(&line, "%u%c", s->reply.code, rest.p ? '-' : ' ');
    buf_put(&line, text);
    net_show(&s->net, "S", buf_slice(&line));
  } while (rest.p);
  buf_free(&line);
}

/* The next reply. False: the connection is over. */
static bool hear(struct sender *s) {
  smtp_reply_reset(&s->reply);
  for (;;) {
    struct slice in = buf_slice(&s->net.in);
    enum smtp_read r = smtp_reply_read(&s->reply, &in);
    buf_drop(&s->net.in, buf_len(&s->net.in) - in.n);
    if (r == SMTP_READ_DONE) {
      show_reply(s);
      return true;
    }
    if (r == SMTP_READ_MORE && net_fill(&s->net)) continue;
    if (!s->net.over) snprintf(s->net.error, sizeof s->net.error, "%s does not speak SMTP", s->net.url.host);
    s->net.over = true;
    return false;
  }
}

static int refused(struct sender *s, const char *what) {
  struct slice words = buf_slice(&s->reply.text);
  int code = s->reply.code / 100 == 4 ? CLI_EXIT_TEMPORARY : CLI_EXIT_UNAVAILABLE;
  return cli_fail(code, "%s: %u %.*s", what, s->reply.code, SLICE_ARG(words));
}

/* A command and a reply of that class (2 or 3). */
static int ask(struct sender *s, const char *line, unsigned class) {
  if (!net_line(&s->net, slice_str(line), NULL) || !hear(s)) return over(s);
  return s->reply.code / 100 == class ? CLI_EXIT_OK : refused(s, line);
}

/* --- the greeting's part --- */

static void take_keyword(struct sender *s, struct slice line) {
  struct slice word = slice_split(&line, ' ');
  if (slice_caseeq(word, SLICE("STARTTLS"))) s->starttls = true;
  if (slice_caseeq(word, SLICE("8BITMIME"))) s->eight_bit = true;
  if (slice_caseeq(word, SLICE("SIZE"))) {
    s->has_size = true;
    if (!num_parse(line, UINT64_MAX, &s->size_limit)) s->size_limit = 0;
  }
  if (slice_caseeq(word, SLICE("AUTH")) && line.n < sizeof s->mechanisms)
    snprintf(s->mechanisms, sizeof s->mechanisms, "%.*s", SLICE_ARG(line));
}

static int say_ehlo(struct sender *s) {
  char host[256] = "", line[300];
  if (gethostname(host, sizeof host - 1) != 0 || !host[0]) snprintf(host, sizeof host, "localhost");
  snprintf(line, sizeof line, "EHLO %s", host);
  s->starttls = s->eight_bit = s->has_size = false;
  s->mechanisms[0] = 0;
  int code = ask(s, line, 2);
  struct slice rest = buf_slice(&s->reply.text);
  slice_split(&rest, '\n'); /* the first line greets */
  while (code == CLI_EXIT_OK && rest.p) take_keyword(s, slice_split(&rest, '\n'));
  return code;
}

static int secure(struct sender *s) {
  if (s->net.tls || s->net.plain || (!s->starttls && !s->net.strict)) return CLI_EXIT_OK;
  if (!s->starttls) return cli_fail(CLI_EXIT_REFUSED, "%s has no STARTTLS", s->net.url.host);
  int code = ask(s, "STARTTLS", 2);
  if (code != CLI_EXIT_OK) return code;
  if (!net_start_tls(&s->net)) return cli_fail(CLI_EXIT_REFUSED, "%s", s->net.error);
  return say_ehlo(s); /* RFC 3207 §4.2 */
}

static enum login_answer hear_sasl(struct net *n, struct buf *ret) {
  struct sender *s = (struct sender *)n;
  if (!hear(s)) return LOGIN_OVER;
  buf_put(ret, buf_slice(&s->reply.text));
  if (s->reply.code == 334) return LOGIN_CHALLENGE;
  return s->reply.code / 100 == 2 ? LOGIN_ACCEPTED : LOGIN_REFUSED;
}

static int log_in(struct sender *s, const char *named, struct slice password) {
  bool tls = s->net.tls != NULL;
  const struct sasl_mechanism *m = login_choose(slice_str(s->mechanisms), named, tls);
  if (!m)
    return cli_fail(CLI_EXIT_REFUSED,
                    tls ? "%s offers no mechanism that is known here"
                        : "%s offers no TLS, and no login that hides the password",
                    s->net.url.host);
  if (m->plaintext && !tls && !s->net.plain)
    return cli_fail(CLI_EXIT_REFUSED,
                    "%s has no TLS, and the password would go in the clear; --no-starttls lets it",
                    s->net.url.host);
  struct buf why;
  buf_init(&why, 4096);
  enum login_answer a =
      login_sasl(&s->net, m, slice_str(s->net.url.user), slice_str(s->mechanisms), password,
                 SASL_MESSAGE_MAX, hear_sasl, &why);
  int code = a == LOGIN_ACCEPTED ? CLI_EXIT_OK
             : a == LOGIN_OVER
                 ? over(s)
                 : cli_fail(CLI_EXIT_REFUSED, "the login was refused: %.*s", SLICE_ARG(buf_slice(&why)));
  buf_free(&why);
  return code;
}

/* --- the message --- */

static int read_all(const char *path, struct buf *to) {
  int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = -1;
  while (fd >= 0) {
    uint8_t *at = buf_reserve(to, 64 * 1024);
    n = at ? read(fd, at, 64 * 1024) : -1;
    if (n < 0 && at && errno == EINTR) continue;
    if (n <= 0) break;
    buf_added(to, (size_t)n);
  }
  int why = errno;
  if (fd >= 0) close(fd);
  if (n == 0) return CLI_EXIT_OK;
  return cli_fail(CLI_EXIT_NO_INPUT, "%s: %s", path, to->failed ? "the message is too large" : strerror(why));
}

/* A header value must not end its line. */
static bool is_one_line(const char *text) { return !text[strcspn(text, "\r\n")]; }

/* The header of a message that --subject asks for (RFC 5322 §3.6). */
static void put_header(const struct cli *c, struct buf *out, const char *from, const char *subject) {
  uint8_t id[16];
  size_t at = 0;
  const char *to;
  sys_random(id, sizeof id);
  buf_printf(out, "From: <%s>\r\n", from);
  for (bool first = true; (to = cli_given_next(c, "to", &at)); first = false)
    buf_printf(out, "%s<%s>", first ? "To: " : ",\r\n ", to);
  buf_printf(out, "\r\nSubject: %s\r\nDate: ", subject);
  date_put(out, sys_wall_s(), 0);
  buf_put_str(out, "\r\nMessage-ID: <");
  for (size_t i = 0; i < sizeof id; i++) buf_printf(out, "%02x", id[i]);
  const char *domain = strrchr(from, '@');
  buf_printf(out, "@%s>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n",
             domain ? domain + 1 : "localhost");
  buf_put_str(out, "Content-Transfer-Encoding: 8bit\r\n\r\n");
}

static int make_message(struct cli *c, struct sender *s, const char *from) {
  const char *subject = cli_given(c, "subject");
  struct buf raw;
  if (subject && !is_one_line(subject)) return cli_fail(CLI_EXIT_USAGE, "a subject is one line");
  buf_init(&raw, SEND_MAX);
  int code = read_all(c->arg_count > 1 ? c->args[1] : "-", &raw);
  if (subject) put_header(c, &s->message, from, subject);
  struct to_wire w = to_wire_open(buf_slice(&raw), false);
  while (to_wire_next(&w, &s->message, SIZE_MAX / 2)) {
  }
  struct slice m = buf_slice(&s->message);
  for (size_t i = 0; i < m.n && !s->has_eight_bit; i++) s->has_eight_bit = m.p[i] >= 0x80;
  if (code == CLI_EXIT_OK && s->message.failed) code = cli_fail(CLI_EXIT_SYSTEM, "no memory for the message");
  if (code == CLI_EXIT_OK && m.n == 0) code = cli_fail(CLI_EXIT_DATA, "the message is empty");
  buf_free(&raw);
  return code;
}

/* --- the transaction --- */

static int say_mail(struct sender *s, const char *from) {
  char line[800], size[40] = "";
  if (s->has_eight_bit && !s->eight_bit)
    return cli_fail(CLI_EXIT_DATA, "%s takes no message with 8-bit characters", s->net.url.host);
  if (s->size_limit && buf_len(&s->message) > s->size_limit)
    return cli_fail(CLI_EXIT_DATA, "the message has %zu octets, %s takes %llu", buf_len(&s->message),
                    s->net.url.host, (unsigned long long)s->size_limit);
  if (s->has_size) snprintf(size, sizeof size, " SIZE=%zu", buf_len(&s->message));
  snprintf(line, sizeof line, "MAIL FROM:<%s>%s%s", from, size, s->has_eight_bit ? " BODY=8BITMIME" : "");
  return ask(s, line, 2);
}

static int say_recipients(struct cli *c, struct sender *s) {
  const char *to;
  char line[400];
  int code = CLI_EXIT_OK;
  for (size_t at = 0; (to = cli_given_next(c, "to", &at));) {
    snprintf(line, sizeof line, "RCPT TO:<%s>", to);
    int one = ask(s, line, 2);
    if (one == CLI_EXIT_UNAVAILABLE && !s->net.over) one = CLI_EXIT_NOT_FOUND;
    if (s->net.over) return one;
    if (one != CLI_EXIT_OK) code = one;
  }
  if (code != CLI_EXIT_OK) cli_fail(0, "so it was sent to nobody");
  return code;
}

static int say_data(struct sender *s) {
  enum { PIECE = 64 * 1024 };
  struct smtp_stuff stuff = { .any = false };
  struct buf out;
  int code = ask(s, "DATA", 3);
  if (code != CLI_EXIT_OK) return code;
  bool ok = true;
  buf_init(&out, 4 * PIECE);
  for (struct slice rest = buf_slice(&s->message); ok && rest.n; rest = slice_from(rest, PIECE)) {
    smtp_stuff_put(&stuff, &out, slice_first(rest, PIECE));
    ok = !out.failed && net_write(&s->net, buf_slice(&out));
    buf_reset(&out);
  }
  smtp_stuff_end(&stuff, &out);
  net_show_text(&s->net, "C", buf_slice(&s->message));
  net_show(&s->net, "C", SLICE("."));
  ok = ok && !out.failed && net_write(&s->net, buf_slice(&out)) && hear(s);
  buf_free(&out);
  if (!ok) return over(s);
  if (s->reply.code / 100 != 2) return refused(s, "the message");
  printf("%.*s\n", SLICE_ARG(buf_slice(&s->reply.text)));
  return CLI_EXIT_OK;
}

static int converse(struct cli *c, struct sender *s, const char *from, struct slice password) {
  if (!hear(s)) return over(s);
  if (s->reply.code / 100 != 2) return refused(s, s->net.url.host);
  int code = say_ehlo(s);
  if (code == CLI_EXIT_OK) code = secure(s);
  if (code == CLI_EXIT_OK && s->net.url.user[0]) code = log_in(s, cli_given(c, "auth"), password);
  if (code == CLI_EXIT_OK) code = say_mail(s, from);
  if (code == CLI_EXIT_OK) code = say_recipients(c, s);
  if (code == CLI_EXIT_OK) code = say_data(s);
  if (!s->net.over) ask(s, "QUIT", 2);
  return code;
}

/* Envelope addresses as they stand between the angle brackets. */
static bool check_addresses(const struct cli *c, const char *from) {
  size_t at = 0, count = 0;
  const char *to = from;
  do {
    if (strlen(to) > 320 || to[strcspn(to, "<>\r\n ")]) {
      cli_fail(0, "%s is no address", to);
      return false;
    }
  } while ((to = cli_given_next(c, "to", &at)) && ++count);
  if (count) return true;
  cli_fail(0, "to whom? --to ADDRESS");
  return false;
}

int cmd_send(struct cli *c) {
  struct sender s = { .starttls = false };
  struct url url;
  struct buf err, password;
  buf_init(&err, 4096), buf_init(&password, TOKEN_MAX), buf_init(&s.message, 2 * SEND_MAX);
  if (!url_parse(c->args[0], "smtp", 587, 465, &url, &err))
    return cli_fail(CLI_EXIT_USAGE, "%.*s", SLICE_ARG(buf_slice(&err)));
  const char *from = cli_given(c, "from") ? cli_given(c, "from") : url.user;
  int code = check_addresses(c, from) ? CLI_EXIT_OK : CLI_EXIT_USAGE;
  if (code == CLI_EXIT_OK && url.user[0] && login_needs_secret(cli_given(c, "auth")))
    code = secret_get(c, "Password: ", false, &password);
  if (code == CLI_EXIT_OK) code = make_message(c, &s, from);
  if (code == CLI_EXIT_OK) {
    smtp_reply_init(&s.reply);
    code = net_open(&s.net, c, &url, "smtp");
    if (code == CLI_EXIT_OK) code = converse(c, &s, from, buf_slice(&password));
    net_close(&s.net);
    smtp_reply_free(&s.reply);
  }
  buf_free(&err), buf_free(&s.message);
  buf_wipe(&password);
  return code;
}
