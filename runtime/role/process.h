/* SPDX-License-Identifier: ISC */
/* What all processes share: each is set up by the parent over one inherited channel.
 *
 *   SET-UP       the parent sends hello, config, listeners, certificates, channels …
 *   process_go   the process confines itself (runtime/sandbox), then start(); process_ready
 *   RUNNING      messages from the other processes; new channels when a neighbour was restarted;
 *                reloads
 *   retire()     another process has replaced it: the process finishes its work and calls
 *                process_exit()
 *   stop()       the process finishes what was acknowledged and calls process_exit()
 *
 * If the parent disappears the process ends at once. If a neighbour breaks a rule the process
 * reports it to the parent, which decides which process to end. A channel that fails for lack of
 * memory or descriptors on this side ends the process: it is restarted with new channels. After
 * process_exit() no handler is called, and stop() is called at most once. */
#ifndef QASID_ROLE_PROCESS_H
#define QASID_ROLE_PROCESS_H

#include "conf/conf.h"
#include "ipc/roles.h"
#include "lib/base/log.h"
#include "runtime/channel/channel.h"

enum { PROCESS_PARENT_FD = 3, PROCESS_PORTS_MAX = CONF_DIALS_MAX, PROCESS_SESSION_NAME = 40 };

struct process_peer;
struct process;

struct role_ops {
  enum role kind;
  /* Set-up is complete, and the process still has all its rights: opens what it was given. Sets
   * r->dials. NULL: there is nothing to open. False with a sentence in `err`: the process cannot
   * work. */
  bool (*prepare)(struct process *r, struct buf *err);
  /* Set-up is complete and the process is confined. False with a sentence in `err`: the process
   * cannot work. r->conf is set. */
  bool (*start)(struct process *r, struct buf *err);
  /* A message that the pair's rules allow; false: its payload was malformed. */
  bool (*message)(struct process *r, enum role kind, uint32_t number, const struct ipc_msg *msg,
                  uint8_t state);
  /* A neighbour was connected, or is gone. For a blocking wire `fd` is the bare descriptor, owned
   * by the process from now on; else -1. */
  void (*peer_connected)(struct process *r, enum role kind, uint32_t number, int fd);
  void (*peer_lost)(struct process *r, enum role kind, uint32_t number);
  /* The following may be NULL. */
  void (*listener)(struct process *r, struct slice service, bool implicit_tls, int fd);
  void (*certificate)(struct process *r, uint16_t index, bool last, struct slice pem);
  void (*tickets)(struct process *r, struct slice keys);
  void (*token_keys)(struct process *r, struct slice keys);
  /* Takes ownership of `fd`. */
  void (*notes)(struct process *r, int fd);
  void (*refuse)(struct process *r, struct slice address, uint32_t seconds);
  /* r->conf is the new configuration, `before` is freed after the call. */
  void (*reload)(struct process *r, const struct conf *before);
  /* Another process has replaced it: no new work, then process_exit(). stop() may follow. */
  void (*retire)(struct process *r);
  /* Finish, then process_exit(). NULL: the process may end at once. */
  void (*stop)(struct process *r);
  /* The loop has ended and is about to be freed. */
  void (*end)(struct process *r);
};

struct process {
  const struct role_ops *ops;
  void *arg; /* the process's own struct */
  enum role kind;
  uint32_t number;
  bool started_as_root;
  uint32_t started_s; /* when the parent started */
  uint32_t uid, gid;
  char folder[1101];   /* the process's folder, as it is opened once confined; "" for none */
  char root_dir[1101]; /* the root folder it gets when started by root */
  /* the TCP ports it may connect to, if its system calls permit connecting at all */
  uint16_t dials[PROCESS_PORTS_MAX];
  size_t dial_count;
  bool binds; /* it binds sockets to an address of this machine, at any port */
  struct loop *loop;
  char name[24]; /* "smtpd-3" */
  struct log log;
  struct conf *conf;
  struct channel *parent;
  struct process_peer *peers;
  uint64_t descriptors; /* RLIMIT_NOFILE once it is confined; 0: none */
  bool running, stopping, over;
  uint64_t advanced_ms; /* when progress of the start was last reported to the parent */
  char refused[1024];   /* by the current reload; "" if nothing */
  int exit_code;
};

/* Runs the process on descriptor PROCESS_PARENT_FD until it ends; returns the exit code. */
int process_run(const struct role_ops *ops, void *arg);
void process_exit(struct process *r, int code);
/* Reports the failure to the parent, then ends the process with 75 (EX_TEMPFAIL). */
void process_fail(struct process *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Logs the request, then ends the process so that it is started again. */
void process_again(struct process *r, const char *why);
/* Reports that a long start() makes progress; may be called as often as it likes. A start that
 * reports nothing for role_row.ready_s is killed. */
void process_advances(struct process *r);

/* A part of the current reload cannot take effect, and the previous state stays: logs it, and
 * reports it to whoever requested the reload. */
void process_refused(struct process *r, enum log_event event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sends a message to the neighbour `number` of that role; discarded if it is gone. `fd` is
 * taken. */
void process_send(struct process *r, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                  struct slice payload, int fd);
/* The same with a buffer, which is emptied, and not copied when it is large. */
void process_send_buf(struct process *r, enum role kind, uint32_t number, uint16_t type,
                      uint64_t tag, struct buf *payload);
/* The channel to it, or NULL. */
struct channel *process_channel_to(struct process *r, enum role kind, uint32_t number);
/* The number of the neighbour in a role that has only one process; 0: none now. */
uint32_t process_single(struct process *r, enum role kind);

/* The name of session `id` of the front-end `number`: the same in every process, never reused. */
void process_session_name(const struct process *r, uint32_t number, uint64_t id,
                          char to[PROCESS_SESSION_NAME]);

/* The log settings of a configuration. */
void process_log_setup(struct log *log, const struct conf *conf);

#endif
