/* SPDX-License-Identifier: ISC */
/* Answers the command line: `dns lookup`, whose question is handled like all others, and the
 * counters for `status`. Stateless; each command ends with one cli_done. */
#include "src/resolver/admin.h"

#include "runtime/admin/admin.h"

void resolver_admin_answer(struct process *process, uint32_t number,
                           const struct dns_answer *answer) {
  struct admin_answer to = admin_answer_of(process, number);
  struct buf text;
  buf_init(&text, DNS_ANSWER_MAX);
  dns_answer_put(&text, answer);
  if (!text.failed) admin_answer_output(&to, buf_slice(&text));
  admin_answer_done(&to, text.failed ? CLI_TROUBLE : CLI_OK, SLICE_NONE);
  buf_free(&text);
}

/* The context of a command. */
struct resolver_owner {
  struct process *process;
  struct resolver *resolver;
};

static void run_status(void *arg, const struct admin_command *c) {
  const struct resolver_owner *o = arg;
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
    [DNS_BAD_NAME] = "questions for what is not a name",
  };
  const struct resolver_counts *counts = resolver_counts(o->resolver);
  const char *name = o->process->name;
  admin_answer_columns(&c->to, ADMIN_COUNTER_COLUMNS);
  admin_answer_counter(&c->to, name, "open", counts->open, "questions that wait for their answer");
  for (int i = 0; i < DNS_RESULTS; i++)
    admin_answer_counter(&c->to, name, words[i], counts->answered[i], meanings[i]);
  admin_answer_counter(&c->to, name, "turned-away", counts->turned_away,
                       "questions of a process that asked too much");
  admin_answer_done(&c->to, CLI_OK, SLICE_NONE);
}

static void run_lookup(void *arg, const struct admin_command *c) {
  const struct resolver_owner *o = arg;
  enum dns_kind kind = dns_kind_named(c->args[1]);
  if (kind == DNS_KINDS || c->args[0].n > DNS_NAME_MAX + 1)
    admin_answer_done(&c->to, CLI_USAGE,
                      SLICE("a name of at most 254 octets, and address, srv, mx, txt or ptr"));
  else
    resolver_ask(o->resolver, ROLE_CLI, c->to.number, 0, c->args[0], kind,
                 loop_now(o->process->loop));
}

static const struct admin_row rows[] = {
  { "status", "", 0, 0, run_status },
  { "dns lookup", "NAME KIND", 2, 2, run_lookup },
};

bool resolver_admin(struct process *process, struct resolver *r, uint32_t number,
                    const struct ipc_msg *msg) {
  const struct admin_answer to = admin_answer_of(process, number);
  return admin_run(rows, sizeof rows / sizeof *rows, &(struct resolver_owner){ process, r }, &to,
                   msg);
}
