/* SPDX-License-Identifier: ISC */
/* An SMTP or LMTP server: each message in a transaction of its own, to one recipient, from the
 * sender in its Return-Path:. 250 makes it safe. A process that is killed between the 250 and
 * recording it sends that message again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/client/dest.h"
#include "src/cli/client/smtp_shell.h"
#include "src/cli/link/spooled.h"

struct dest_smtp {
  struct dest d;
  struct smtp_shell smtp;
  struct spooled message;
  char rcpt[321];
};

static struct dest_smtp *of(struct dest *d) { return (struct dest_smtp *)d; }

static bool no_room(struct dest *d) {
  return dest_fail(d, CLI_EXIT_SYSTEM, "a message does not fit into memory: %s", strerror(errno));
}

static bool begin(struct dest *d) { return spooled_reset(&of(d)->message) || no_room(d); }

static bool put(struct dest *d, struct slice piece) {
  return spooled_put(&of(d)->message, piece) || no_room(d);
}

/* Takes "Return-Path: <a@b>" off the front, where the last server put it: the next one makes its
 * own (RFC 5321 §4.4). Empty: none. */
static void take_sender(struct slice *message, char *to, size_t room) {
  struct slice rest = *message, line = slice_split(&rest, '\n');
  to[0] = 0;
  if (!slice_case_starts(line, SLICE("Return-Path:"))) return;
  if (slice_at(rest, 0) == ' ' || slice_at(rest, 0) == '\t')
    return; /* a folded field, not from our
                                                                      * kind of server */
  *message = rest;
  ptrdiff_t open = slice_find(line, '<'), close = slice_find(line, '>');
  if (open < 0 || close <= open) return;
  struct slice path = slice_from(slice_first(line, (size_t)close), (size_t)open + 1);
  for (size_t i = 0; i < path.n; i++)
    if (!ascii_is_graph(path.p[i]) || path.p[i] == '<') return;
  if (path.n < room) snprintf(to, room, "%.*s", SLICE_ARG(path));
}

static enum dest_end end(struct dest *d, struct slice id, struct buf *mark) {
  struct dest_smtp *t = of(d);
  char from[321];
  struct slice octets;
  if (!spooled_get(&t->message, &octets)) return no_room(d), DEST_BROKEN;
  take_sender(&octets, from, sizeof from);
  struct smtp_letter_rcpt rcpt = { .address = slice_str(t->rcpt) };
  struct smtp_letter l = { .return_path = slice_str(from),
                           .eight_bit = smtp_shell_has_eight_bit(octets),
                           .rcpts = &rcpt,
                           .count = 1 };
  smtp_shell_send(&t->smtp, &l, octets);
  struct smtp_shell_result r = smtp_shell_report(&t->smtp, &l);
  smtp_letter_free_verdicts(&l);
  if (r.taken) return DEST_TAKEN;
  dest_fail(d, r.whole != CLI_EXIT_OK ? r.whole : r.refused, "%s does not take it",
            t->smtp.net.url.host);
  /* there is no server to deliver to */
  bool nobody = r.refused == CLI_EXIT_NOT_FOUND;
  return nobody || smtp_shell_is_over(&t->smtp) ? DEST_BROKEN : DEST_REFUSED;
}

static void cut(struct dest *d) { spooled_reset(&of(d)->message); }
static bool ready(struct dest *d, bool *safe, size_t count) { return true; }
static bool show(struct dest *d) { return true; }

static void free_all(struct dest *d) {
  smtp_shell_close(&of(d)->smtp);
  spooled_close(&of(d)->message);
  free(d);
}

static const struct dest_ops ops = { begin, put, end, cut, ready, show, NULL, free_all };

/* lmtp://host:port/recipient */
static bool take_url(struct dest_smtp *t, const char *text, bool lmtp, struct url *url,
                     struct buf *err) {
  const char *host = strstr(text, "://") + 3, *slash = strchr(host, '/');
  char place[400];
  if (!slash || !slash[1] || strlen(slash + 1) >= sizeof t->rcpt ||
      slash[1 + strcspn(slash + 1, "<>\r\n ")]) {
    buf_printf(err, "%s: %.4s://HOST[:PORT]/RECIPIENT is meant", text, text);
    return false;
  }
  snprintf(place, sizeof place, "%.*s", (int)(slash - text), text);
  snprintf(t->rcpt, sizeof t->rcpt, "%s", slash + 1);
  if (!url_parse(place, lmtp ? "lmtp" : "smtp", lmtp ? 24 : 25, 465, url, err)) return false;
  if (!url->user[0]) return true;
  buf_put_str(err, "mail is handed on without a login: no USER@ in --to");
  return false;
}

struct dest *dest_smtp_open(struct cli *c, const char *text, int *ret_code) {
  struct dest_smtp *t = calloc(1, sizeof *t);
  bool lmtp = strncmp(text, "lmtp", 4) == 0;
  struct url url;
  struct buf err;
  *ret_code = CLI_EXIT_SYSTEM;
  if (!t) return cli_fail(CLI_EXIT_SYSTEM, "no memory"), NULL;
  buf_init(&err, 4096);
  t->d.ops = &ops;
  t->smtp.net.fd = t->message.fd = -1;
  if (!take_url(t, text, lmtp, &url, &err)) {
    *ret_code = cli_fail(CLI_EXIT_USAGE, "%.*s", SLICE_ARG(buf_slice(&err)));
  } else if (!spooled_open(&t->message)) {
    cli_fail(CLI_EXIT_SYSTEM, "no memory: %s", strerror(errno));
  } else {
    *ret_code = smtp_shell_open(&t->smtp, c, &url, lmtp);
    t->smtp.net.strict = false; /* these options refer to the POP3 server */
    t->smtp.net.plain = url_is_loopback(url.host);
    const struct smtp_shell_start how = { .tls_is_gone = cli_given(c, "tls-is-gone") != NULL };
    if (*ret_code == CLI_EXIT_OK) *ret_code = smtp_shell_start(&t->smtp, &how);
  }
  buf_free(&err);
  struct dest *d = &t->d;
  if (*ret_code != CLI_EXIT_OK) dest_free(&d);
  return d;
}
