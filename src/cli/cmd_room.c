/* Commands that are the store's own: their words go to it as they are. */
#include "src/cli/ask.h"

/* --all and --since go to the store as words. */
int cmd_mail_undelete(struct cli *c) {
  struct slice words[CLI_WORDS_MAX + 5];
  const char *since = cli_given(c, "since");
  size_t n = ask_words(c, words);
  if (cli_given(c, "all")) words[n++] = SLICE("--all");
  if (since) words[n++] = SLICE("--since"), words[n++] = slice_str(since);
  return ask_print(c, ROOM_STORE, words, n);
}

int cmd_room(struct cli *c) {
  struct slice words[CLI_WORDS_MAX + 2];
  return ask_print(c, ROOM_STORE, words, ask_words(c, words));
}
