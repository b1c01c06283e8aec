/* SPDX-License-Identifier: ISC */
/* Output for a person's eyes (terminal.h): colours, text without control characters, passwords
 * without echo. Invariant: text from mail or from the network reaches the terminal through
 * text_put_safe() only, and echo is restored when a password was read. */
#include "src/cli/base/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

const char *terminal_tint(FILE *f, enum tint t) {
  static const char *const sequences[] = {
    [TINT_NONE] = "\033[0m",  [TINT_BOLD] = "\033[1m",   [TINT_DIM] = "\033[2m",
    [TINT_RED] = "\033[31m",  [TINT_GREEN] = "\033[32m", [TINT_YELLOW] = "\033[33m",
    [TINT_BLUE] = "\033[34m", [TINT_CYAN] = "\033[36m",
  };
  const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
  if ((no && *no) || !term || strcmp(term, "dumb") == 0 || !isatty(fileno(f))) return "";
  return sequences[t];
}

/* The length of the UTF-8 character at the front of `s` (RFC 3629 §4), 0: it is none, or one of the
 * C1 control characters. */
static size_t utf8_length(struct slice s) {
  static const struct {
    uint8_t first, last, low, high, length; /* low, high: of the second octet */
  } rows[] = {
    { 0xc2, 0xc2, 0xa0, 0xbf, 2 }, { 0xc3, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
    { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
    { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (s.p[0] < rows[i].first || s.p[0] > rows[i].last) continue;
    if (s.n < rows[i].length || s.p[1] < rows[i].low || s.p[1] > rows[i].high) return 0;
    for (size_t j = 2; j < rows[i].length; j++)
      if ((s.p[j] & 0xc0) != 0x80) return 0;
    return rows[i].length;
  }
  return 0;
}

void text_put_safe(struct buf *out, struct slice s) {
  while (s.n) {
    size_t n = ascii_is_print(s.p[0]) ? 1 : s.p[0] < 0x80 ? 0 : utf8_length(s);
    if (n)
      buf_put(out, slice_first(s, n));
    else
      buf_printf(out, "\\x%02x", s.p[0]);
    s = slice_from(s, n ? n : 1);
  }
}

size_t text_width(struct slice s) {
  size_t n = 0;
  for (size_t i = 0; i < s.n; i++) n += (s.p[i] & 0xc0) != 0x80;
  return n;
}

void out_put(const struct buf *b) {
  if (buf_len(b)) fwrite(buf_slice(b).p, 1, buf_len(b), stdout);
}

/* Octet by octet, so that nothing behind the line is consumed. */
bool read_secret_line(int fd, struct buf *ret) {
  for (;;) {
    char c;
    ssize_t n = read(fd, &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return buf_len(ret) > 0 && !ret->failed;
    if (c == '\n') break;
    buf_put_u8(ret, (uint8_t)c);
  }
  size_t len = buf_len(ret);
  if (len && buf_slice(ret).p[len - 1] == '\r') buf_truncate(ret, len - 1);
  return !ret->failed;
}

bool ask_secret(const char *prompt, struct buf *ret) {
  int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
  if (tty < 0) return read_secret_line(STDIN_FILENO, ret);
  struct termios before, quiet;
  bool changed = tcgetattr(tty, &before) == 0;
  quiet = before;
  if (changed) {
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    changed = tcsetattr(tty, TCSAFLUSH, &quiet) == 0;
  }
  dprintf(tty, "%s", prompt);
  bool ok = read_secret_line(tty, ret);
  if (changed) tcsetattr(tty, TCSAFLUSH, &before);
  dprintf(tty, "\n");
  close(tty);
  return ok;
}

bool ask_yes(const char *question) {
  struct buf answer;
  buf_init(&answer, 64);
  int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
  if (tty < 0) return false;
  dprintf(tty, "%s (yes/no) ", question);
  bool yes = read_secret_line(tty, &answer) && slice_caseeq(buf_slice(&answer), SLICE("yes"));
  close(tty);
  buf_free(&answer);
  return yes;
}
