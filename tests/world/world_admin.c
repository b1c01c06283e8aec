/* SPDX-License-Identifier: ISC */
/* The command line's side of a process's administration: one command, its rows, its end. */
#include "tests/world/world_in.h"

#include "ipc/cli_process.h"

static void put_row(struct buf *out, struct slice values) {
  struct slice v;
  for (bool first = true; ipc_list_next(&values, &v); first = false) {
    if (!first) buf_put_u8(out, ' ');
    buf_put(out, v);
  }
  buf_put_u8(out, '\n');
}

bool world_admin_message(struct world *w, const struct ipc_msg *msg) {
  struct admin *a = w->admin;
  struct cli_row row;
  struct cli_output output;
  struct cli_done done;
  if (!a) return true; /* the answer to a command that was given up */
  switch (msg->type) {
  case cli_row_type:
    if (!cli_row_get(msg->payload, &row)) return false;
    if (a->out) put_row(a->out, row.values);
    return true;
  case cli_output_type:
    if (!cli_output_get(msg->payload, &output)) return false;
    if (a->out) buf_put(a->out, output.data);
    return true;
  case cli_done_type:
    if (!cli_done_get(msg->payload, &done)) return false;
    if (a->out && done.text.n) buf_put(a->out, done.text), buf_put_u8(a->out, '\n');
    a->code = done.code;
    a->done = true;
    return true;
  default: return true; /* columns */
  }
}

static void send_input(struct link *l, enum ipc_side far, struct slice input) {
  struct buf b;
  buf_init(&b, 70 * 1024);
  while (input.n) {
    struct slice part = slice_first(input, IPC_CHUNK);
    buf_reset(&b);
    cli_input_put(&b, &(struct cli_input){ part });
    link_send(l, far, cli_input_type, 0, buf_slice(&b));
    input = slice_from(input, part.n);
  }
  link_send(l, far, cli_input_end_type, 0, SLICE_NONE);
  buf_free(&b);
}

int world_admin(struct world *w, enum role role, const char *const *words, size_t count,
                struct slice input, struct buf *out) {
  enum ipc_side far;
  struct link *l = link_find(w, ROLE_CLI, role, 0, &far);
  if (!l) return -1;
  struct buf list, payload;
  buf_init(&list, 64 * 1024);
  buf_init(&payload, 70 * 1024);
  for (size_t i = 0; i < count; i++) ipc_list_put(&list, slice_str(words[i]));
  cli_command_put(&payload, &(struct cli_command){ .words = buf_slice(&list) });
  link_send(l, far, cli_command_type, 0, buf_slice(&payload));
  buf_free(&list);
  buf_free(&payload);
  if (input.n) send_input(l, far, input);
  struct admin a = { .out = out, .code = -1 };
  uint32_t number = w->numbers[role];
  w->admin = &a;
  for (size_t i = 0; !a.done && i < WORLD_STEPS_MAX && w->numbers[role] == number; i++)
    if (!world_step(w, w->now + 60 * 1000)) break;
  w->admin = NULL;
  return a.done ? a.code : -1;
}
