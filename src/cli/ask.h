/* One command to one room, its answer printed or gathered. */
#ifndef QASID_CLI_ASK_H
#define QASID_CLI_ASK_H

#include "src/cli/link.h"
#include "src/cli/table.h"

/* The command's words and arguments, as typed, for a room: at most CLI_WORDS_MAX + 2. */
size_t ask_words(const struct cli *c, struct slice *ret);
/* Asks the first process of that kind; the table is filled, output octets are dropped. Returns the
 * exit code; what failed was said. `say` gets the closing sentence (NULL: dropped when all is well). */
int ask_table(struct cli *c, enum room_kind kind, const struct slice *words, size_t n, struct table *t,
              struct buf *say);
/* The same and prints the table, then the sentence on standard error. */
int ask_print(struct cli *c, enum room_kind kind, const struct slice *words, size_t n);
/* Reads an answer on an open link into the table. */
int ask_answer(struct link *l, struct table *t, struct buf *say);

#endif
