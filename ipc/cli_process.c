/* SPDX-License-Identifier: ISC */
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
