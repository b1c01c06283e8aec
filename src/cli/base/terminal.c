/* SPDX-License-Identifier: ISC */
/* Output for a person's eyes (terminal.h): colours, text without control characters, passwords
 * without echo. Invariant: text from mail or from the network reaches the terminal through
 * text_put_safe() only, and echo is restored when a password was read. */
#include "src/cli/base/terminal.h"

#include "lib/base/utf8.h"

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

void text_put_safe(struct buf *out, struct slice s) {
  while (s.n) {
    uint32_t point;
    size_t n = utf8_first(s, &point);
    bool shown = n && utf8_is_shown(point);
    if (shown) buf_put(out, slice_first(s, n));
    for (size_t i = 0; !shown && i < (n ? n : 1); i++) buf_printf(out, "\\x%02x", s.p[i]);
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

/* Octet by octet, so that nothing after the line is consumed. */
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
