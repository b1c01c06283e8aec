/* SPDX-License-Identifier: ISC */
/* Building a command's answer (admin.h): it is collected in the job, and discarded as a whole if a
 * slice fails. */
#include "src/store/jobs/admin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/admin/admin.h"
#include "src/store/jobs/frees.h"

enum db_result admin_send(struct admin_job *a, enum cli_code code, const char *fmt, ...) {
  char text[1024];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  a->code = code;
  buf_reset(&a->text);
  buf_put_str(&a->text, text);
  return DB_OK;
}

static void put_message(void *arg, uint32_t number, uint16_t type, struct slice payload) {
  struct admin_job *a = arg;
  size_t at = ipc_open(&a->out, type, 0, 0);
  buf_put(&a->out, payload);
  ipc_close(&a->out, at);
}

static struct admin_answer answer_of(struct admin_job *a) {
  return (struct admin_answer){ put_message, a, 0, &a->out.failed };
}

void admin_columns(struct admin_job *a, const char *names) {
  const struct admin_answer to = answer_of(a);
  if (!a->columns_sent) admin_answer_columns(&to, names);
  a->columns_sent = true;
}

void admin_row(struct admin_job *a, const struct slice *values, size_t count) {
  const struct admin_answer to = answer_of(a);
  admin_answer_row(&to, values, count);
}

struct slice admin_num(struct admin_job *a, uint64_t n) {
  struct buf b;
  buf_init(&b, 32);
  buf_put_dec(&b, n);
  struct slice s = admin_copy(a, buf_slice(&b));
  buf_free(&b);
  return s;
}

void admin_fact(struct admin_job *a, const char *name, uint64_t n) {
  ADMIN_ROW(a, slice_str(name), admin_num(a, n));
}

void admin_output(struct admin_job *a, struct slice octets) {
  const struct admin_answer to = answer_of(a);
  admin_answer_output(&to, octets);
}

struct slice admin_copy(struct admin_job *a, struct slice s) {
  return arena_copy(&a->memory, s);
}

struct change *admin_change(struct admin_job *a, enum change_kind kind) {
  struct change *c = arena_alloc(&a->memory, sizeof *c);
  if (!c) return NULL;
  c->kind = kind;
  *a->changes_end = c;
  a->changes_end = &c->next;
  return c;
}

enum db_result admin_changed(struct admin_job *a, enum change_kind kind, struct slice text) {
  struct change *c = admin_change(a, kind);
  if (!c || !text.p) return DB_NOMEM;
  c->text = text;
  return DB_OK;
}

enum db_result admin_changed_id(struct admin_job *a, enum change_kind kind, uint64_t id) {
  struct change *c = admin_change(a, kind);
  if (!c) return DB_NOMEM;
  c->id = id;
  return DB_OK;
}

void admin_begin_slice(struct admin_job *a) {
  buf_reset(&a->out);
  buf_reset(&a->text);
  arena_reset(&a->memory);
  a->code = CLI_OK;
  a->changes = NULL;
  a->changes_end = &a->changes;
}

/* Discards the collected answer; only the reason is sent. */
void admin_trouble(struct admin_job *a, const char *why) {
  char text[256];
  snprintf(text, sizeof text, "%s", why);
  admin_begin_slice(a);
  admin_send(a, CLI_TROUBLE, "nothing was changed: %s", text);
}

void admin_set_state(struct admin_job *a, void *state, void (*state_free)(void *state)) {
  a->state = state;
  a->state_free = state_free;
}

void command_free(struct store_job *j) {
  struct admin_job *a = (struct admin_job *)j;
  if (a->state) a->state_free(a->state);
  queue_view_free(&a->view);
  buf_free(&a->out);
  buf_free(&a->text);
  buf_free(&a->bulk);
  arena_reset(&a->memory);
}
