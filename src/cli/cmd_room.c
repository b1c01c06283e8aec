/* Commands that are the store's own: their words go to it as they are. */
#include "src/cli/ask.h"

int cmd_room(struct cli *c) {
  struct slice words[CLI_WORDS_MAX + 2];
  return ask_print(c, ROOM_STORE, words, ask_words(c, words));
}
