/* SPDX-License-Identifier: ISC */
/* Answers `qasid dkim …`: a table of commands over mail_keys.h. Each runs at once and ends with one
 * cli_done. Invariant: rows contain public keys only. */
#include "src/keys/admin.h"

#include <stdio.h>

#include "lib/base/sys.h"
#include "runtime/admin/admin.h"

/* The context of a command. */
struct keys_owner {
  struct mail_keys *keys;
  const struct admin_command *command;
  struct buf why;
};

static void send_row(void *arg, const struct mail_key_row *row) {
  const struct keys_owner *c = arg;
  char since[24];
  struct buf record, name;
  buf_init(&record, 2048);
  buf_init(&name, 512);
  snprintf(since, sizeof since, "%lld", (long long)row->since_s);
  dkim_record(row->algorithm, row->public_key, &record);
  buf_printf(&name, "%s._domainkey.%s", row->selector, row->domain);
  const struct slice values[] = { slice_str(row->domain),
                                  slice_str(dkim_algorithm_name(row->algorithm)),
                                  slice_str(mail_key_state_name(row->state)),
                                  slice_str(since),
                                  buf_slice(&name),
                                  buf_slice(&record) };
  admin_answer_row(&c->command->to, values, sizeof values / sizeof *values);
  buf_free(&record);
  buf_free(&name);
}

static enum cli_code list(struct keys_owner *c, struct slice domain) {
  admin_answer_columns(&c->command->to, "domain algorithm state since name record");
  return mail_keys_list(c->keys, domain, send_row, c, &c->why);
}

static enum cli_code make(struct keys_owner *c, struct slice domain) {
  uint8_t chance;
  sys_random(&chance, 1);
  return mail_keys_make(c->keys, domain, sys_wall_s(), chance, &c->why);
}

static enum cli_code replace(struct keys_owner *c, struct slice domain) {
  return mail_keys_switch(c->keys, domain, sys_wall_s(), &c->why);
}

static enum cli_code retire(struct keys_owner *c, struct slice domain) {
  return mail_keys_retire(c->keys, domain, slice_eq(c->command->args[1], SLICE("--force")),
                          sys_wall_s(), &c->why);
}

static enum cli_code forget(struct keys_owner *c, struct slice domain) {
  return mail_keys_forget(c->keys, domain, &c->why);
}

static void run(void *arg, const struct admin_command *command,
                enum cli_code (*fn)(struct keys_owner *, struct slice domain)) {
  struct keys_owner *c = arg;
  c->command = command;
  if (!c->keys) buf_put_str(&c->why, "the folder of the keys cannot be opened");
  enum cli_code code = c->keys ? fn(c, command->args[0]) : CLI_TROUBLE;
  admin_answer_done(&command->to, code, buf_slice(&c->why));
}

static void run_list(void *arg, const struct admin_command *c) { run(arg, c, list); }
static void run_make(void *arg, const struct admin_command *c) { run(arg, c, make); }
static void run_switch(void *arg, const struct admin_command *c) { run(arg, c, replace); }
static void run_retire(void *arg, const struct admin_command *c) { run(arg, c, retire); }
static void run_forget(void *arg, const struct admin_command *c) { run(arg, c, forget); }

static const struct admin_row rows[] = {
  { "dkim list", "[DOMAIN]", 0, 1, run_list },
  { "dkim make", "DOMAIN", 1, 1, run_make },
  { "dkim switch", "DOMAIN", 1, 1, run_switch },
  { "dkim retire", "DOMAIN [--force]", 1, 2, run_retire },
  { "dkim forget", "DOMAIN", 1, 1, run_forget },
};

bool keys_admin(struct process *r, struct mail_keys *m, uint32_t number,
                const struct ipc_msg *msg) {
  if (msg->type == cli_input_type || msg->type == cli_input_end_type) return true;
  struct keys_owner c = { .keys = m };
  const struct admin_answer to = admin_answer_of(r, number);
  buf_init(&c.why, 1024);
  bool ok = admin_run(rows, sizeof rows / sizeof *rows, &c, &to, msg);
  buf_free(&c.why);
  return ok;
}
