/* SPDX-License-Identifier: ISC */
/* One command to one process; its answer is printed or collected. */
#ifndef QASID_CLI_ASK_H
#define QASID_CLI_ASK_H

#include "src/cli/link/link.h"
#include "src/cli/base/table.h"

/* The command's words and arguments, as typed, for a process: at most CLI_WORDS_MAX + 2. */
size_t ask_words(const struct cli *c, struct slice *ret);
/* Asks the first process of that kind; the table is filled, output octets are dropped. Returns the
 * exit code; a failure was printed. `say` gets the closing sentence (NULL: dropped on success). */
int ask_table(struct cli *c, enum role kind, const struct slice *words, size_t n, struct table *t,
              struct buf *text);
/* The same, and nothing is printed. False: it failed; the table may contain part of the answer. */
bool ask_quietly(struct cli *c, enum role kind, const struct slice *words, size_t n,
                 struct table *t);
/* As ask_table(), and prints the table, then the sentence on standard error. */
int ask_print(struct cli *c, enum role kind, const struct slice *words, size_t n);
/* Reads an answer on an open link into the table. */
int ask_answer(struct cli_link *l, struct table *t, struct buf *text);
/* --- the running server: none is started --- */

/* One word to the parent. */
int ask_parent(struct cli *c, const char *word, struct table *t, struct buf *text);
/* The same word to every process of a kind, all rows in one table. */
int ask_all(struct cli *c, enum role kind, const char *word, struct table *t);

#endif
