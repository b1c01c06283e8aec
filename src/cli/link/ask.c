/* SPDX-License-Identifier: ISC */
/* One command to one process and its answer (ask.h): opens the link, sends the words, gathers rows
 * in a table, prints them, and turns the result into an exit code. Texts from a process are printed
 * with control characters escaped. */
#include "src/cli/link/ask.h"

#include <stdio.h>
#include <string.h>

#include "src/cli/base/terminal.h"

size_t ask_words(const struct cli *c, struct slice *ret) {
  size_t n = 0;
  struct slice rest = slice_str(c->command->words);
  while (rest.p) ret[n++] = slice_split(&rest, ' ');
  for (size_t i = 0; i < c->arg_count; i++) ret[n++] = slice_str(c->args[i]);
  return n;
}

/* Reads to its end, which is *ret: LINK_DONE or LINK_LOST. False: the table has no room. */
static bool take_answer(struct cli_link *l, struct table *t, struct link_reply *ret) {
  bool room = true;
  for (;;) {
    switch (link_next(l, ret)) {
    case LINK_COLUMNS: room = room && table_columns(t, ret->data); break;
    case LINK_ROW: room = room && table_add(t, ret->data); break;
    case LINK_OUTPUT: break;
    case LINK_LOST:
    case LINK_DONE: return room;
    }
  }
}

int ask_answer(struct cli_link *l, struct table *t, struct buf *text) {
  struct link_reply reply;
  if (!take_answer(l, t, &reply) && reply.event == LINK_DONE)
    return cli_fail(CLI_EXIT_SYSTEM, "the answer is too large for the memory there is");
  if (reply.event == LINK_DONE && reply.code == CLI_OK && text) buf_put(text, reply.data);
  return link_finish(&reply);
}

bool ask_quietly(struct cli *c, enum role kind, const struct slice *words, size_t n,
                 struct table *t) {
  int code;
  struct link_reply reply = { .event = LINK_LOST };
  struct cli_link *l = link_open(c, kind, 0, &code);
  bool room = l && link_ask(l, words, n) && take_answer(l, t, &reply);
  link_free(&l);
  return room && reply.event == LINK_DONE && reply.code == CLI_OK;
}

int ask_table(struct cli *c, enum role kind, const struct slice *words, size_t n, struct table *t,
              struct buf *text) {
  int code;
  struct cli_link *l = link_open(c, kind, 0, &code);
  if (!l) {
    if (code == CLI_EXIT_NOT_FOUND)
      code = cli_fail(CLI_EXIT_UNAVAILABLE, "%s does not run now", role_name(kind));
    return code;
  }
  code = link_ask(l, words, n)
             ? ask_answer(l, t, text)
             : cli_fail(CLI_EXIT_TEMPORARY, "the server did not accept the command");
  link_free(&l);
  return code;
}

int ask_print(struct cli *c, enum role kind, const struct slice *words, size_t n) {
  struct table t;
  struct buf text, line;
  table_init(&t);
  buf_init(&text, 8192), buf_init(&line, 64 * 1024);
  int code = ask_table(c, kind, words, n, &t, &text);
  if (t.columns || (c->json && code == CLI_EXIT_OK)) table_print(&t, c->json);
  if (buf_len(&text)) {
    text_put_safe(&line, buf_slice(&text));
    fprintf(stderr, "%.*s\n", SLICE_ARG(buf_slice(&line)));
  }
  buf_free(&text), buf_free(&line);
  table_free(&t);
  return code;
}

/* --- the running server --- */

int ask_parent(struct cli *c, const char *word, struct table *t, struct buf *text) {
  int code;
  struct cli_link *l = link_open_running(c, ROLE_PARENT, 0, &code);
  if (!l) return code;
  struct slice words[] = { slice_str(word) };
  code = link_ask(l, words, 1) ? ask_answer(l, t, text)
                               : cli_fail(CLI_EXIT_UNAVAILABLE, "the server did not answer");
  link_free(&l);
  return code;
}

int ask_all(struct cli *c, enum role kind, const char *word, struct table *t) {
  struct slice words[] = { slice_str(word) };
  int code = CLI_EXIT_OK;
  for (unsigned index = 0; code == CLI_EXIT_OK && index < 256; index++) {
    struct cli_link *l = link_open_running(c, kind, (uint8_t)index, &code);
    if (!l) return code == CLI_EXIT_NOT_FOUND ? CLI_EXIT_OK : code;
    code = link_ask(l, words, 1) ? ask_answer(l, t, NULL) : CLI_EXIT_UNAVAILABLE;
    link_free(&l);
  }
  return code;
}
