/* SPDX-License-Identifier: ISC */
/* `qasid send`: one message to a server by SMTP (RFC 5321, 3207, 4954), all recipients or none. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/sys.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/mailboxes.h"
#include "src/cli/client/commands.h"
#include "src/cli/mailbox/mbox.h"
#include "src/cli/base/secret.h"
#include "src/cli/client/smtp_shell.h"
#include "src/cli/base/terminal.h"

#define SEND_MAX (1024ull * 1024 * 1024)

struct send_run {
  struct smtp_shell smtp;
  struct buf message; /* in wire form */
  uint64_t crs;       /* bare CRs in the input */
  struct buf named;   /* recipients from its header, one per line */
  struct buf from;    /* the first address of From:, if no other sender is given */
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

/* The header of a message written by --subject (RFC 5322 §3.6). */
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

/* The message as recipients are to see it: without a Return-Path, which the last server writes
 * (RFC 5321 §4.4), and, unless `bcc`, without Bcc. */
static int prepare(struct send_run *s, bool bcc) {
  struct buf shown;
  buf_init(&shown, 2 * SEND_MAX);
  mailboxes_put_sent(buf_slice(&s->message), bcc, &shown);
  buf_free(&s->message);
  s->message = shown;
  return shown.failed ? cli_fail(CLI_EXIT_SYSTEM, "no memory") : CLI_EXIT_OK;
}

/* --headers: collects the recipients. */
static int take_header(struct send_run *s) {
  struct buf wrong;
  struct header_field f;
  struct slice part;
  int code = CLI_EXIT_OK;
  buf_init(&wrong, 1024);
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
  buf_free(&wrong);
  return code;
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
  if (code == CLI_EXIT_OK && s->message.failed)
    code = cli_fail(CLI_EXIT_SYSTEM, "no memory for the message");
  if (code == CLI_EXIT_OK && !buf_len(&s->message))
    code = cli_fail(CLI_EXIT_DATA, "the message is empty");
  buf_free(&raw);
  bool headers = cli_given(c, "headers");
  if (code == CLI_EXIT_OK && headers) code = take_header(s);
  return code == CLI_EXIT_OK ? prepare(s, !headers) : code;
}

/* --- the transaction --- */

static size_t count_recipients(const struct cli *c, const struct send_run *s) {
  size_t at = 0, n = 0;
  while (cli_given_next(c, "to", &at)) n++;
  for (struct slice rest = buf_slice(&s->named); rest.n; n++) slice_split(&rest, '\n');
  return n;
}

/* The recipients of --to, and those of the header. */
static struct smtp_letter_rcpt *make_recipients(const struct cli *c, struct send_run *s,
                                                size_t count) {
  struct smtp_letter_rcpt *r = calloc(count, sizeof *r);
  size_t at = 0, n = 0;
  const char *to;
  while (r && (to = cli_given_next(c, "to", &at))) r[n++].address = slice_str(to);
  for (struct slice rest = buf_slice(&s->named); r && rest.n;)
    r[n++].address = slice_split(&rest, '\n');
  return r;
}

/* All or none: a refused recipient is reported, and so are the others. */
static int send_it(struct cli *c, struct send_run *s, const char *from) {
  struct slice message = buf_slice(&s->message);
  struct smtp_letter l = { .return_path = slice_str(from),
                           .eight_bit = smtp_shell_has_eight_bit(message),
                           .count = count_recipients(c, s) };
  l.rcpts = make_recipients(c, s, l.count);
  if (!l.rcpts) return cli_fail(CLI_EXIT_SYSTEM, "no memory for the recipients");
  s->smtp.changed.crs = s->crs;
  smtp_shell_send(&s->smtp, &l, message);
  struct smtp_shell_result r = smtp_shell_report(&s->smtp, &l);
  if (r.taken) printf("%.*s\n", SLICE_ARG(buf_slice(&l.rcpts[0].verdict.text)));
  int code = r.whole != CLI_EXIT_OK ? r.whole : r.refused;
  if (r.refused != CLI_EXIT_OK) cli_fail(0, "so it was sent to nobody");
  smtp_letter_free_verdicts(&l);
  free(l.rcpts);
  return code;
}

static int converse(struct cli *c, struct send_run *s, const char *from, struct slice password) {
  const struct smtp_shell_start how = { .password = password,
                                        .mechanism = cli_given(c, "auth"),
                                        .all_or_none = true,
                                        .tls_is_gone = cli_given(c, "tls-is-gone") != NULL };
  int code = smtp_shell_start(&s->smtp, &how);
  return code == CLI_EXIT_OK ? send_it(c, s, from) : code;
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
  cli_fail(0, "no recipient: --to ADDRESS, or --headers for those in the message");
  return false;
}

int cmd_send(struct cli *c) {
  struct send_run s = { .crs = 0 };
  struct url url;
  struct buf err, password;
  buf_init(&err, 4096), buf_init(&password, TOKEN_MAX), buf_init(&s.message, 2 * SEND_MAX);
  buf_init(&s.named, 1024 * 1024), buf_init(&s.from, 2 * ADDRESS_PATH_MAX);
  if (!url_parse(c->args[0], "smtp", 587, 465, &url, &err))
    return cli_fail(CLI_EXIT_USAGE, "%.*s", SLICE_ARG(buf_slice(&err)));
  const char *from = cli_given(c, "from") ? cli_given(c, "from") : url.user;
  int code = check_addresses(c, from) ? CLI_EXIT_OK : CLI_EXIT_USAGE;
  if (code == CLI_EXIT_OK && url.user[0] && secret_is_needed(cli_given(c, "auth")))
    code = secret_get(c, "Password: ", false, &password);
  if (code == CLI_EXIT_OK) code = make_message(c, &s, from);
  if (code == CLI_EXIT_OK && !from[0] && !cli_given(c, "from") && buf_len(&s.from))
    from = buf_cstr(&s.from);
  if (code == CLI_EXIT_OK) {
    code = smtp_shell_open(&s.smtp, c, &url, false);
    if (code == CLI_EXIT_OK) code = converse(c, &s, from, buf_slice(&password));
    smtp_shell_close(&s.smtp);
  }
  buf_free(&err), buf_free(&s.message), buf_free(&s.named), buf_free(&s.from);
  buf_wipe(&password);
  return code;
}
