/* SPDX-License-Identifier: ISC */
/* A connection to a process of the running server, or of one that was started for this command.
 *
 *   link_open   connects to run_dir/control, asks to be connected to the process, gets a
 *               descriptor
 *   link_ask    one command; then link_next() until LINK_DONE (or LINK_LOST)
 * The parent itself answers on the control socket. Synchronous: nothing else happens meanwhile. */
#ifndef QASID_CLI_LINK_H
#define QASID_CLI_LINK_H

#include "ipc/cli_process.h"
#include "ipc/roles.h"
#include "src/cli/base/cli.h"

struct cli_link;

enum link_event {
  LINK_COLUMNS, /* a list of names */
  LINK_ROW,     /* a list of values */
  LINK_OUTPUT,  /* octets */
  LINK_DONE,    /* code and a sentence */
  LINK_LOST,    /* the server is gone, or broke the protocol */
};

struct link_reply {
  enum link_event event;
  struct slice data; /* valid until the next link_next() */
  enum cli_code code;
};

/* NULL with *ret_code set: the reason was printed, except for a process that does not exist
 * (CLI_EXIT_NOT_FOUND, for callers that count processes). */
struct cli_link *link_open(struct cli *c, enum role kind, uint8_t index, int *ret_code);
/* As link_open, but never starts a server: NULL with CLI_EXIT_UNAVAILABLE when none runs. */
struct cli_link *link_open_running(struct cli *c, enum role kind, uint8_t index, int *ret_code);
/* True when a server answers on the control socket. Prints nothing. */
bool link_probe(struct cli *c);
void link_free(struct cli_link **l);

bool link_ask(struct cli_link *l, const struct slice *words, size_t n);
/* Octets that belong to the running command, and their end. */
bool link_input(struct cli_link *l, struct slice s);
bool link_input_end(struct cli_link *l);
enum link_event link_next(struct cli_link *l, struct link_reply *ret);
/* True if link_next() would return a message without waiting. */
bool link_received(struct cli_link *l);
int link_fd(const struct cli_link *l);

/* Prints a process's closing sentence on standard error when it failed; the exit code. */
int link_finish(const struct link_reply *done);

/* --- server.c: a server without listeners for the length of a command --- */
struct server;
/* Starts it and waits until it is ready. NULL: the reason was printed. */
struct server *server_start(const char *config);
/* Ends it and waits for its end. */
void server_stop(struct server **s);

#endif
