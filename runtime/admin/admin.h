/* SPDX-License-Identifier: ISC */
/* The commands of `qasid` in a process: the table of its verbs, and the messages of an answer
 * (ipc/cli_process.h).
 *
 * An answer is columns and rows, or octets, ended by one admin_answer_done(). A message that is too
 * large for its channel, or for which there is no memory, is left out. */
#ifndef QASID_ADMIN_H
#define QASID_ADMIN_H

#include "ipc/cli_process.h"

struct process;

/* The destination of an answer: a value, copied freely; valid as long as `arg`. */
struct admin_answer {
  void (*send)(void *arg, uint32_t number, uint16_t type, struct slice payload);
  void *arg;
  uint32_t number; /* the number of the command line's channel */
  bool *failed;    /* set to true if a message could not be made; NULL: not wanted */
};

/* Column names, separated by spaces. */
void admin_answer_columns(const struct admin_answer *to, const char *names);
void admin_answer_row(const struct admin_answer *to, const struct slice *values, size_t n);
/* At most IPC_CHUNK octets of a stream. */
void admin_answer_output(const struct admin_answer *to, struct slice octets);
/* Ends the command, with a sentence or "". */
void admin_answer_done(const struct admin_answer *to, enum cli_code code, struct slice text);
/* A row of `status`: its columns are ADMIN_COUNTER_COLUMNS. */
#define ADMIN_COUNTER_COLUMNS "process counter value meaning"
void admin_answer_counter(const struct admin_answer *to, const char *process, const char *name,
                          uint64_t value, const char *meaning);

/* The command line connected to this process under that number (process.c). */
struct admin_answer admin_answer_of(struct process *process, uint32_t number);

/* The number of words of the command that the verb takes up ("account add"); 0: it is another
 * verb. */
size_t admin_matches(const char *verb, const struct slice *words, size_t count);

enum { ADMIN_ARGS_MAX = 256 };

struct admin_command {
  struct admin_answer to;
  struct slice args[ADMIN_ARGS_MAX]; /* the words after the verb, then empty slices */
  size_t count;
};

/* For roles whose commands are complete when the function returns, or finish by themselves. */
struct admin_row {
  const char *words, *usage; /* of the verb, and of its arguments */
  uint16_t least, most;      /* arguments */
  void (*run)(void *owner, const struct admin_command *c);
};
/* Finds the verb, checks the number of arguments and runs it; or answers with the usage. False:
 * malformed, a breach. */
bool admin_run(const struct admin_row *rows, size_t n, void *owner, const struct admin_answer *to,
               const struct ipc_msg *msg);

#endif
