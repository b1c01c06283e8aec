/* SPDX-License-Identifier: ISC */
/* Answers the command line: `dns lookup`, whose question goes the way of all others, and the
 * counters for `status`. Stateless; each command ends with one cli_done. */
#include "src/resolver/admin.h"

#include "ipc/cli_process.h"

#include <stdio.h>

static void send_cli(struct process *process, uint32_t number, uint16_t type,
                     const struct buf *payload) {
  if (!payload->failed) process_send(process, ROLE_CLI, number, type, 0, buf_slice(payload), -1);
}

static void done(struct process *process, uint32_t number, enum cli_code code, const char *text) {
  struct buf b;
  buf_init(&b, 1024);
  cli_done_put(&b, &(struct cli_done){ .code = (uint8_t)code, .text = slice_str(text) });
  send_cli(process, number, cli_done_type, &b);
  buf_free(&b);
}

static void line(struct process *process, uint32_t number, uint16_t type,
                 const struct slice *values, size_t n) {
  struct buf b;
  buf_init(&b, 4096);
  cli_table_put(&b, values, n);
  send_cli(process, number, type, &b);
  buf_free(&b);
}

void resolver_admin_answer(struct process *process, uint32_t number,
                           const struct dns_answer *answer) {
  struct buf text, b;
  buf_init(&text, DNS_ANSWER_MAX);
  buf_init(&b, DNS_ANSWER_MAX + 8);
  dns_answer_put(&text, answer);
  cli_output_put(&b, &(struct cli_output){ buf_slice(&text) });
  send_cli(process, number, cli_output_type, &b);
  done(process, number, text.failed || b.failed ? CLI_TROUBLE : CLI_OK, "");
  buf_free(&text);
  buf_free(&b);
}

static void counter(struct process *process, uint32_t number, const char *name, uint64_t value,
                    const char *meaning) {
  char text[24];
  snprintf(text, sizeof text, "%ju", (uintmax_t)value);
  struct slice row[] = { slice_str(process->name), slice_str(name), slice_str(text),
                         slice_str(meaning) };
  line(process, number, cli_row_type, row, 4);
}

static void status(struct process *process, struct resolver *r, uint32_t number) {
  static const char *const words[DNS_RESULTS] = {
    [DNS_FOUND] = "found",       [DNS_NONE] = "none",       [DNS_REFUSED] = "refused",
    [DNS_NO_NAME] = "no-name",   [DNS_LATER] = "no-answer", [DNS_BOGUS] = "bogus",
    [DNS_BAD_NAME] = "bad-name",
  };
  static const char *const meanings[DNS_RESULTS] = {
    [DNS_FOUND] = "questions that were answered with hosts",
    [DNS_NONE] = "names that are there, but have nothing of that kind",
    [DNS_REFUSED] = "domains that say they have no such service",
    [DNS_NO_NAME] = "names that are not there",
    [DNS_LATER] = "questions that got no answer, or one of no use",
    [DNS_BOGUS] = "answers that DNSSEC shows to be forged or broken",
    [DNS_BAD_NAME] = "questions for what is no name",
  };
  struct slice columns[] = { SLICE("process"), SLICE("counter"), SLICE("value"), SLICE("meaning") };
  const struct resolver_counts *counts = resolver_counts(r);
  line(process, number, cli_columns_type, columns, 4);
  counter(process, number, "open", counts->open, "questions that wait for their answer");
  for (int i = 0; i < DNS_RESULTS; i++)
    counter(process, number, words[i], counts->answered[i], meanings[i]);
  counter(process, number, "turned-away", counts->turned_away,
          "questions of a process that asked too much");
  done(process, number, CLI_OK, "");
}

/* "dns lookup NAME KIND", the first two words taken off. */
static void lookup(struct process *process, struct resolver *r, uint32_t number,
                   struct slice words) {
  struct slice name = SLICE_NONE, word = SLICE_NONE;
  enum dns_kind kind = DNS_KINDS;
  if (ipc_list_next(&words, &name) && ipc_list_next(&words, &word)) kind = dns_kind_named(word);
  if (kind == DNS_KINDS || name.n > DNS_NAME_MAX + 1)
    done(process, number, CLI_USAGE,
         "a name of at most 254 octets, and address, srv, mx, txt or ptr");
  else
    resolver_ask(r, ROLE_CLI, number, 0, name, kind, loop_now(process->loop));
}

bool resolver_admin(struct process *process, struct resolver *r, uint32_t number,
                    const struct ipc_msg *msg) {
  struct cli_command m;
  struct slice first, second;
  if (msg->type != cli_command_type || !cli_command_get(msg->payload, &m) ||
      !ipc_list_next(&m.words, &first))
    return false;
  if (slice_eq(first, SLICE("status")))
    status(process, r, number);
  else if (slice_eq(first, SLICE("dns")) && ipc_list_next(&m.words, &second) &&
           slice_eq(second, SLICE("lookup")))
    lookup(process, r, number, m.words);
  else
    done(process, number, CLI_USAGE, "the resolver knows no such command");
  return true;
}
