/* SPDX-License-Identifier: ISC */
/* Answers `qasid dkim …`: a table of commands over mail_keys.h. Each is carried out at once and
 * ends with one cli_done. Invariant: rows have public keys only. */
#include "src/keys/admin.h"

#include <stdio.h>

#include "ipc/cli_process.h"
#include "lib/base/sys.h"

enum { WORDS_MAX = 4 };

struct call {
  struct process *process;
  struct mail_keys *keys;
  uint32_t number; /* the command line's */
  struct slice words[WORDS_MAX];
  size_t count;
  struct buf why;
};

static void send_table(struct call *c, uint16_t type, const struct slice *values, size_t n) {
  struct buf b;
  buf_init(&b, 8192);
  cli_table_put(&b, values, n);
  if (!b.failed) process_send(c->process, ROLE_CLI, c->number, type, 0, buf_slice(&b), -1);
  buf_free(&b);
}

static void send_row(void *arg, const struct mail_key_row *row) {
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
  send_table(arg, cli_row_type, values, sizeof values / sizeof *values);
  buf_free(&record);
  buf_free(&name);
}

static enum cli_code list(struct call *c, struct slice domain) {
  const struct slice head[] = { SLICE("domain"), SLICE("algorithm"), SLICE("state"),
                                SLICE("since"),  SLICE("name"),      SLICE("record") };
  send_table(c, cli_columns_type, head, sizeof head / sizeof *head);
  return mail_keys_list(c->keys, domain, send_row, c, &c->why);
}

static enum cli_code make(struct call *c, struct slice domain) {
  uint8_t chance;
  sys_random(&chance, 1);
  return mail_keys_make(c->keys, domain, sys_wall_s(), chance, &c->why);
}

static enum cli_code replace(struct call *c, struct slice domain) {
  return mail_keys_switch(c->keys, domain, sys_wall_s(), &c->why);
}

static enum cli_code retire(struct call *c, struct slice domain) {
  return mail_keys_retire(c->keys, domain, slice_eq(c->words[3], SLICE("--force")), sys_wall_s(),
                          &c->why);
}

static enum cli_code forget(struct call *c, struct slice domain) {
  return mail_keys_forget(c->keys, domain, &c->why);
}

static const struct command {
  const char *word;
  bool needs_domain;
  enum cli_code (*fn)(struct call *, struct slice domain);
} commands[] = {
  { "list", false, list },    { "make", true, make },     { "switch", true, replace },
  { "retire", true, retire }, { "forget", true, forget },
};

static enum cli_code run(struct call *c) {
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    if (!slice_eq(c->words[0], SLICE("dkim")) ||
        !slice_eq(c->words[1], slice_str(commands[i].word)))
      continue;
    if (commands[i].needs_domain && c->count < 3) break;
    if (c->keys) return commands[i].fn(c, c->words[2]);
    buf_put_str(&c->why, "the folder of the keys cannot be opened");
    return CLI_TROUBLE;
  }
  buf_put_str(&c->why, "keys knows no such command");
  return CLI_USAGE;
}

bool keys_admin(struct process *r, struct mail_keys *m, uint32_t number,
                const struct ipc_msg *msg) {
  struct cli_command q;
  struct call c = { .process = r, .keys = m, .number = number };
  struct buf b;
  if (msg->type != cli_command_type)
    return msg->type == cli_input_type || msg->type == cli_input_end_type;
  if (!cli_command_get(msg->payload, &q)) return false;
  while (c.count < WORDS_MAX && ipc_list_next(&q.words, &c.words[c.count])) c.count++;
  buf_init(&c.why, 1024);
  buf_init(&b, 2048);
  enum cli_code code = q.words.n ? CLI_USAGE : run(&c);
  cli_done_put(&b, &(struct cli_done){ .code = (uint8_t)code, .text = buf_slice(&c.why) });
  process_send(r, ROLE_CLI, number, cli_done_type, 0, buf_slice(&b), -1);
  buf_free(&b);
  buf_free(&c.why);
  return true;
}
