/* SPDX-License-Identifier: ISC */
/* `qasid send`: one message to a server by SMTP (RFC 5321, 3207, 4954), all recipients or none. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/sys.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/mailboxes.h"
#include "src/cli/client/commands.h"
#include "src/cli/client/login.h"
#include "src/cli/mailbox/mbox.h"
#include "src/cli/base/secret.h"
#include "src/cli/client/smtp_client.h"
#include "src/cli/base/terminal.h"

#define SEND_MAX (1024ull * 1024 * 1024)

struct send_run {
  struct smtp_run smtp;
  struct buf message; /* in wire form */
  bool has_eight_bit;
  uint64_t crs;     /* lone ones in what was read */
  struct buf named; /* recipients out of its header, a line each */
  struct buf from;  /* the first address of From:, when nothing else says who sends */
};

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
  return cli_fail(CLI_EXIT_NO_INPUT, "%s: %s", path,
                  to->failed ? "the message is too large" : strerror(why));
}

/* A header value must not end its line. */
static bool is_one_line(const char *text) { return !text[strcspn(text, "\r\n")]; }

/* The header of a message that --subject asks for (RFC 5322 §3.6). */
static void put_header(const struct cli *c, struct buf *out, const char *from,
                       const char *subject) {
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

static void keep_first(void *arg, const struct address *a) {
  struct buf *first = arg;
  if (!buf_len(first)) address_put(first, a);
}

/* --headers: who is named, and the message as they are to see it. */
static int take_header(struct send_run *s) {
  struct buf wrong, shown;
  struct header_field f;
  struct slice part;
  int code = CLI_EXIT_OK;
  buf_init(&wrong, 1024), buf_init(&shown, 2 * SEND_MAX);
  if (!mailboxes_of_header(buf_slice(&s->message), SLICE_NONE, &s->named, &wrong)) {
    struct buf safe;
    buf_init(&safe, 8192);
    text_put_safe(&safe, buf_slice(&wrong));
    code = cli_fail(CLI_EXIT_DATA, "the message names what is not an address: %.*s",
                    SLICE_ARG(buf_slice(&safe)));
    buf_free(&safe);
  } else if (!buf_len(&s->named)) {
    code = cli_fail(CLI_EXIT_DATA, "the message names no recipient in To:, Cc: or Bcc:");
  }
  if (header_find(buf_slice(&s->message), SLICE("From"), &f))
    mailboxes_each(f.body, keep_first, &s->from, &part);
  mailboxes_put_without_bcc(buf_slice(&s->message), &shown);
  buf_free(&wrong), buf_free(&s->message);
  s->message = shown;
  return code == CLI_EXIT_OK && shown.failed ? cli_fail(CLI_EXIT_SYSTEM, "no memory") : code;
}

static int make_message(struct cli *c, struct send_run *s, const char *from) {
  const char *subject = cli_given(c, "subject");
  struct buf raw;
  if (subject && !is_one_line(subject)) return cli_fail(CLI_EXIT_USAGE, "a subject is one line");
  buf_init(&raw, SEND_MAX);
  int code = read_all(c->arg_count > 1 ? c->args[1] : "-", &raw);
  if (subject) put_header(c, &s->message, from, subject);
  struct to_wire w = to_wire_open(MBOX_QUOTES_NONE);
  to_wire_put(&w, buf_slice(&raw), &s->message);
  to_wire_end(&w, &s->message);
  s->crs = w.crs;
  struct slice m = buf_slice(&s->message);
  for (size_t i = 0; i < m.n && !s->has_eight_bit; i++)
    s->has_eight_bit = m.p[i] >= 0x80 || !m.p[i];
  if (code == CLI_EXIT_OK && s->message.failed)
    code = cli_fail(CLI_EXIT_SYSTEM, "no memory for the message");
  if (code == CLI_EXIT_OK && m.n == 0) code = cli_fail(CLI_EXIT_DATA, "the message is empty");
  buf_free(&raw);
  if (code == CLI_EXIT_OK && cli_given(c, "headers")) code = take_header(s);
  return code;
}

/* --- the transaction --- */

/* All or none: a refused recipient is reported, and so are the others. */
static int print_recipient(struct send_run *s, const char *to, int code) {
  int one = s->smtp.net.over ? CLI_EXIT_UNAVAILABLE : smtp_client_rcpt(&s->smtp, to);
  return one != CLI_EXIT_OK ? one : code;
}

static int print_recipients(struct cli *c, struct send_run *s) {
  const char *to;
  char path[2 * ADDRESS_PATH_MAX];
  int code = CLI_EXIT_OK;
  for (size_t at = 0; (to = cli_given_next(c, "to", &at));) code = print_recipient(s, to, code);
  for (struct slice rest = buf_slice(&s->named); rest.n;) {
    struct slice one = slice_split(&rest, '\n');
    snprintf(path, sizeof path, "%.*s", SLICE_ARG(one));
    code = print_recipient(s, path, code);
  }
  if (code != CLI_EXIT_OK) cli_fail(0, "so it was sent to nobody");
  return code;
}

static int converse(struct cli *c, struct send_run *s, const char *from, struct slice password) {
  struct smtp_run *smtp = &s->smtp;
  smtp->changed.crs = s->crs;
  int code = smtp_client_secure(smtp);
  if (code == CLI_EXIT_OK && smtp->net.url.user[0])
    code = smtp_client_login(smtp, cli_given(c, "auth"), password);
  if (code == CLI_EXIT_OK)
    code = smtp_client_mail(smtp, from, buf_len(&s->message), s->has_eight_bit);
  if (code == CLI_EXIT_OK) code = print_recipients(c, s);
  if (code == CLI_EXIT_OK) code = smtp_client_data(smtp, buf_slice(&s->message));
  if (code == CLI_EXIT_OK) printf("%.*s\n", SLICE_ARG(buf_slice(&smtp->reply.text)));
  return code;
}

/* Envelope addresses as they stand between the angle brackets. */
static bool check_addresses(const struct cli *c, const char *from) {
  size_t at = 0, count = 0;
  const char *to = from;
  do {
    if (strlen(to) > 320 || to[strcspn(to, "<>\r\n ")]) {
      cli_fail(0, "%s is not an address", to);
      return false;
    }
  } while ((to = cli_given_next(c, "to", &at)) && ++count);
  if (count || cli_given(c, "headers")) return true;
  cli_fail(0, "to whom? --to ADDRESS, or --headers: those that the message names");
  return false;
}

int cmd_send(struct cli *c) {
  struct send_run s = { .has_eight_bit = false };
  struct url url;
  struct buf err, password;
  buf_init(&err, 4096), buf_init(&password, TOKEN_MAX), buf_init(&s.message, 2 * SEND_MAX);
  buf_init(&s.named, 1024 * 1024), buf_init(&s.from, 2 * ADDRESS_PATH_MAX);
  if (!url_parse(c->args[0], "smtp", 587, 465, &url, &err))
    return cli_fail(CLI_EXIT_USAGE, "%.*s", SLICE_ARG(buf_slice(&err)));
  const char *from = cli_given(c, "from") ? cli_given(c, "from") : url.user;
  int code = check_addresses(c, from) ? CLI_EXIT_OK : CLI_EXIT_USAGE;
  if (code == CLI_EXIT_OK && url.user[0] && login_needs_secret(cli_given(c, "auth")))
    code = secret_get(c, "Password: ", false, &password);
  if (code == CLI_EXIT_OK) code = make_message(c, &s, from);
  if (code == CLI_EXIT_OK && !from[0] && !cli_given(c, "from") && buf_len(&s.from))
    from = buf_cstr(&s.from);
  if (code == CLI_EXIT_OK) {
    code = smtp_client_open(&s.smtp, c, &url, false);
    if (code == CLI_EXIT_OK) code = converse(c, &s, from, buf_slice(&password));
    smtp_client_close(&s.smtp);
  }
  buf_free(&err), buf_free(&s.message), buf_free(&s.named), buf_free(&s.from);
  buf_wipe(&password);
  return code;
}
