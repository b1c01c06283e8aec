/* `qasid queue show` and `queue body`: one message of the queue. */
#include <stdio.h>

#include "src/cli/ask.h"

static void show(struct cli *c, const char *name, const struct table *t, bool first) {
  if (c->json) printf("%s\"%s\": ", first ? "{" : ", ", name);
  else if (!first && t->row_count) printf("\n%s\n", name);
  if (c->json || t->row_count) table_print(t, c->json);
}

int cmd_queue_show(struct cli *c) {
  static const struct {
    const char *verb, *name;
  } parts[] = { { "letter", "message" }, { "list", "recipients" }, { "history", "attempts" } };
  enum { PARTS = sizeof parts / sizeof *parts };
  struct table tables[PARTS];
  int code = CLI_EXIT_OK;
  for (size_t i = 0; i < PARTS; i++) table_init(&tables[i]);
  for (size_t i = 0; code == CLI_EXIT_OK && i < PARTS; i++) {
    const struct slice words[] = { SLICE("queue"), slice_str(parts[i].verb), slice_str(c->args[0]) };
    code = ask_table(c, ROOM_STORE, words, 3, &tables[i], NULL);
  }
  if (code == CLI_EXIT_OK && !tables[0].row_count)
    code = cli_fail(CLI_EXIT_NOT_FOUND, "no message with that id is in the queue; qasid queue history shows those that were");
  for (size_t i = 0; code == CLI_EXIT_OK && i < PARTS; i++) show(c, parts[i].name, &tables[i], i == 0);
  if (code == CLI_EXIT_OK && c->json) printf("}\n");
  for (size_t i = 0; i < PARTS; i++) table_free(&tables[i]);
  return code;
}

static int print(struct link *l) {
  struct link_said said;
  bool fine = true;
  while (link_next(l, &said) == LINK_OUTPUT) fine = fine && fwrite(said.data.p, 1, said.data.n, stdout) == said.data.n;
  int code = link_finish(&said);
  if (code == CLI_EXIT_OK && (!fine || fflush(stdout) != 0)) code = cli_fail(CLI_EXIT_IO, "standard output could not be written");
  return code;
}

int cmd_queue_body(struct cli *c) {
  const struct slice words[] = { SLICE("queue"), SLICE("body"), slice_str(c->args[0]) };
  int code;
  struct link *l = link_open(c, ROOM_STORE, 0, &code);
  if (!l) return code == CLI_EXIT_NOT_FOUND ? cli_fail(CLI_EXIT_UNAVAILABLE, "the store does not run now") : code;
  code = link_ask(l, words, 3) ? print(l) : cli_fail(CLI_EXIT_TEMPORARY, "the server did not take the command");
  link_free(&l);
  return code;
}
