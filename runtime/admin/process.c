/* SPDX-License-Identifier: ISC */
/* Answers that leave a process over its channel to the command line. */
#include "runtime/admin/admin.h"
#include "runtime/role/process.h"

static void send_by_process(void *arg, uint32_t number, uint16_t type, struct slice payload) {
  process_send(arg, ROLE_CLI, number, type, 0, payload, -1);
}

struct admin_answer admin_answer_of(struct process *process, uint32_t number) {
  return (struct admin_answer){ send_by_process, process, number, NULL };
}
