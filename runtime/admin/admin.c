/* SPDX-License-Identifier: ISC */
/* Finds the verb of a command and makes the messages of its answer. Stateless. */
#include "runtime/admin/admin.h"

#include <stdio.h>

enum { COLUMNS_MAX = 16 };

static void answer_send(const struct admin_answer *to, uint16_t type, const struct buf *payload) {
  if (!payload->failed)
    to->send(to->arg, to->number, type, buf_slice(payload));
  else if (to->failed)
    *to->failed = true;
}

static void answer_table(const struct admin_answer *to, uint16_t type, const struct slice *values,
                         size_t n) {
  struct buf b;
  buf_init(&b, IPC_PAYLOAD_MAX);
  cli_table_put(&b, values, n);
  answer_send(to, type, &b);
  buf_free(&b);
}

void admin_answer_columns(const struct admin_answer *to, const char *names) {
  struct slice head[COLUMNS_MAX], rest = slice_str(names);
  size_t n = 0;
  while (rest.p && n < COLUMNS_MAX) head[n++] = slice_split(&rest, ' ');
  answer_table(to, cli_columns_type, head, n);
}

void admin_answer_row(const struct admin_answer *to, const struct slice *values, size_t n) {
  answer_table(to, cli_row_type, values, n);
}

void admin_answer_output(const struct admin_answer *to, struct slice octets) {
  struct buf b;
  buf_init(&b, IPC_CHUNK + 64);
  cli_output_put(&b, &(struct cli_output){ octets });
  answer_send(to, cli_output_type, &b);
  buf_wipe(&b);
}

void admin_answer_done(const struct admin_answer *to, enum cli_code code, struct slice text) {
  struct buf b;
  buf_init(&b, 8192);
  cli_done_put(&b, &(struct cli_done){ (uint8_t)code, slice_first(text, 4096) });
  answer_send(to, cli_done_type, &b);
  buf_free(&b);
}

void admin_answer_counter(const struct admin_answer *to, const char *process, const char *name,
                          uint64_t value, const char *meaning) {
  char text[24];
  snprintf(text, sizeof text, "%ju", (uintmax_t)value);
  const struct slice row[] = { slice_str(process), slice_str(name), slice_str(text),
                               slice_str(meaning) };
  admin_answer_row(to, row, 4);
}

size_t admin_matches(const char *verb, const struct slice *words, size_t count) {
  struct slice rest = slice_str(verb);
  size_t n = 0;
  while (rest.p) {
    struct slice word = slice_split(&rest, ' ');
    if (n == count || !slice_eq(words[n], word)) return 0;
    n++;
  }
  return n;
}

/* `row` NULL: there is no such command; the answer lists all. */
static void answer_usage(const struct admin_answer *to, const struct admin_row *row,
                         const struct admin_row *rows, size_t n) {
  struct buf b;
  buf_init(&b, 4096);
  buf_put_str(&b, row ? "usage: " : "this process knows: ");
  for (size_t i = 0; i < n; i++)
    if (!row || row == &rows[i])
      buf_printf(&b, "%s%s%s%s", !row && i ? ", " : "", rows[i].words, *rows[i].usage ? " " : "",
                 rows[i].usage);
  admin_answer_done(to, CLI_USAGE, buf_slice(&b));
  buf_free(&b);
}

bool admin_run(const struct admin_row *rows, size_t n, void *owner, const struct admin_answer *to,
               const struct ipc_msg *msg) {
  struct cli_command m;
  struct admin_command c = { .to = *to };
  struct slice words[ADMIN_ARGS_MAX];
  size_t count = 0, used = 0;
  const struct admin_row *row = NULL;
  if (msg->type != cli_command_type || !cli_command_get(msg->payload, &m)) return false;
  while (count < ADMIN_ARGS_MAX && ipc_list_next(&m.words, &words[count])) count++;
  if (!count) return false;
  for (size_t i = 0; !row && i < n; i++)
    if ((used = admin_matches(rows[i].words, words, count))) row = &rows[i];
  for (size_t i = used; row && i < count; i++) c.args[c.count++] = words[i];
  if (!row || m.words.n || c.count < row->least || c.count > row->most)
    answer_usage(to, row, rows, n);
  else
    row->run(owner, &c);
  return true;
}
