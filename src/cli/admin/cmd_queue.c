/* SPDX-License-Identifier: ISC */
/* `qasid queue show` and `queue body`: one message of the queue. */
#include <stdio.h>

#include "src/cli/admin/commands.h"
#include "src/cli/link/ask.h"

static void show(struct cli *c, const char *name, const struct table *t, bool first) {
  if (c->json)
    printf("%s\"%s\": ", first ? "{" : ", ", name);
  else if (!first && t->row_count)
    printf("\n%s\n", name);
  if (c->json || t->row_count) table_print(t, c->json);
}

/* Puts the routes of its recipients, and the servers tried, so that the running sender can report
 * what it remembers about their TLS. Without a sender there is nothing to report. */
static void put_word(struct buf *words, struct slice word) {
  for (struct slice rest = buf_slice(words), one; ipc_list_next(&rest, &one);)
    if (slice_eq(one, word)) return;
  if (word.n && buf_room(words) > word.n + 8) ipc_list_put(words, word);
}

static void ask_tls(struct cli *c, const struct table *ways, const struct table *attempts,
                    struct table *t) {
  struct slice list[CLI_WORDS_MAX] = { SLICE("tls") }, rest;
  struct buf words;
  size_t n = 1;
  int code;
  buf_init(&words, 32 * 1024);
  for (const struct table_row *r = ways->first; r; r = r->next)
    put_word(&words, table_cell(ways, r, "way"));
  for (const struct table_row *r = attempts->first; r; r = r->next)
    put_word(&words, table_cell(attempts, r, "address"));
  for (rest = buf_slice(&words); n < CLI_WORDS_MAX && ipc_list_next(&rest, &list[n]);) n++;
  struct cli_link *l = n > 1 && link_probe(c) ? link_open_running(c, ROLE_SENDER, 0, &code) : NULL;
  if (l && link_ask(l, list, n)) ask_answer(l, t, NULL);
  link_free(&l);
  buf_free(&words);
}

int cmd_queue_show(struct cli *c) {
  static const struct {
    const char *verb, *name;
  } parts[] = {
    { "letter", "message" }, { "list", "recipients" }, { "history", "attempts" }, { "ways", NULL }
  };
  enum { PARTS = sizeof parts / sizeof *parts, WAYS = PARTS - 1 };
  struct table tables[PARTS], tls;
  int code = CLI_EXIT_OK;
  for (size_t i = 0; i < PARTS; i++) table_init(&tables[i]);
  table_init(&tls);
  for (size_t i = 0; code == CLI_EXIT_OK && i < PARTS; i++) {
    const struct slice words[] = { SLICE("queue"), slice_str(parts[i].verb),
                                   slice_str(c->args[0]) };
    code = ask_table(c, ROLE_STORE, words, 3, &tables[i], NULL);
  }
  if (code == CLI_EXIT_OK && !tables[0].row_count)
    code = cli_fail(
        CLI_EXIT_NOT_FOUND,
        "no message with that id is in the queue; qasid queue history shows those that were");
  for (size_t i = 0; code == CLI_EXIT_OK && i < WAYS; i++)
    show(c, parts[i].name, &tables[i], i == 0);
  if (code == CLI_EXIT_OK) {
    ask_tls(c, &tables[WAYS], &tables[2], &tls);
    show(c,
         c->json ? "tls" : "TLS that failed (mail goes there in the clear until it is tried again)",
         &tls, false);
  }
  if (code == CLI_EXIT_OK && c->json) printf("}\n");
  table_free(&tls);
  for (size_t i = 0; i < PARTS; i++) table_free(&tables[i]);
  return code;
}

static int print(struct cli_link *l) {
  struct link_reply reply;
  bool fine = true;
  while (link_next(l, &reply) == LINK_OUTPUT)
    fine = fine && fwrite(reply.data.p, 1, reply.data.n, stdout) == reply.data.n;
  int code = link_finish(&reply);
  if (code == CLI_EXIT_OK && (!fine || fflush(stdout) != 0))
    code = cli_fail(CLI_EXIT_IO, "standard output could not be written");
  return code;
}

int cmd_queue_body(struct cli *c) {
  const struct slice words[] = { SLICE("queue"), SLICE("body"), slice_str(c->args[0]) };
  int code;
  struct cli_link *l = link_open(c, ROLE_STORE, 0, &code);
  if (!l)
    return code == CLI_EXIT_NOT_FOUND ? cli_fail(CLI_EXIT_UNAVAILABLE, "the store does not run now")
                                      : code;
  code = link_ask(l, words, 3)
             ? print(l)
             : cli_fail(CLI_EXIT_TEMPORARY, "the server did not accept the command");
  link_free(&l);
  return code;
}
