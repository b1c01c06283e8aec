/* SPDX-License-Identifier: ISC */
/* Passwords for a command (secret.h): read from standard input, typed at the terminal, or made at
 * random without bias. Invariant: a password lies only in the caller's buffer, which is allocated
 * at its full size before, so that no copy is left behind. */
#include "src/cli/base/secret.h"

#include <unistd.h>

#include "lib/base/sys.h"
#include "mail/sasl/sasl.h"
#include "src/cli/base/terminal.h"

static int ask_twice(const char *prompt, bool again, struct buf *ret) {
  struct buf second;
  if (!ask_secret(prompt, ret)) return cli_fail(CLI_EXIT_NO_INPUT, "no password was given");
  if (!again || !isatty(STDIN_FILENO)) return CLI_EXIT_OK;
  buf_init(&second, SECRET_MAX);
  bool same = ask_secret("Again: ", &second) && slice_secret_eq(buf_slice(ret), buf_slice(&second));
  buf_wipe(&second);
  return same ? CLI_EXIT_OK : cli_fail(CLI_EXIT_USAGE, "the two were not the same");
}

int secret_get(const struct cli *c, const char *prompt, bool again, struct buf *ret) {
  uint8_t *room = buf_reserve(ret, ret->max); /* full size at once, so that growing leaves no copy
                                               * behind */
  int code = CLI_EXIT_OK;
  if (!room) return cli_fail(CLI_EXIT_SYSTEM, "no memory");
  if (!cli_given(c, "password-stdin"))
    code = ask_twice(prompt, again, ret);
  else if (!read_secret_line(STDIN_FILENO, ret))
    code = cli_fail(CLI_EXIT_NO_INPUT, "standard input has no password in its first line");
  if (code == CLI_EXIT_OK && buf_len(ret) == 0)
    code = cli_fail(CLI_EXIT_USAGE, "the password is empty");
  return code;
}

bool secret_is_needed(const char *mechanism) {
  const struct sasl_mechanism *m = mechanism ? sasl_find(slice_str(mechanism)) : NULL;
  return !m || m->by != SASL_BY_CERTIFICATE;
}

void secret_make(struct buf *ret) {
  static const char letters[] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
  enum { LETTERS = sizeof letters - 1, WHOLE = 256 - 256 % LETTERS };
  while (!ret->failed && buf_len(ret) < 20) {
    uint8_t octet;
    sys_random(&octet, 1);
    if (octet < WHOLE) buf_put_u8(ret, (uint8_t)letters[octet % LETTERS]);
  }
}
