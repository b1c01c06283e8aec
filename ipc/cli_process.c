/* SPDX-License-Identifier: ISC */
/* The cli-process pair, generated from the rows of cli_process.h, and the encoder of one table
 * row.
 * Invariant: a row or list that does not fit leaves the buffer `failed`, never cut short. */
#include "ipc/cli_process.h"

CLI_PROCESS_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_cli_process, "cli-process", CLI_PROCESS_MESSAGES);

void cli_table_put(struct buf *b, const struct slice *values, size_t n) {
  struct buf list;
  buf_init(&list, 64 * 1024); /* cli_row_FIELDS */
  for (size_t i = 0; i < n; i++) ipc_list_put(&list, values[i]);
  b->failed |= list.failed;
  cli_row_put(b, &(struct cli_row){ .values = buf_slice(&list) });
  buf_free(&list);
}
