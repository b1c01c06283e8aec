/* SPDX-License-Identifier: ISC */
/* The parent: reads the configuration, binds ports, opens key files, and starts, connects, restarts
 * and stops the processes. It reads no untrusted input.
 *
 * It keeps the private keys in memory for as long as it runs, so that a restarted keys process gets
 * those that match the front-ends' certificates: the files may have been replaced since. Its memory
 * cannot be dumped or attached to, and buffers that carry keys to the process are wiped.
 *
 * States of the server: STARTING (until each process was ready once) → SERVING → STOPPING
 * (front-ends, then auth and keys, then store, so that what was acknowledged is finished).
 *
 * States of a process: absent (pid 0) → set up (pid) → ready → gone, and after a pause, which grows
 * with quick deaths, set up again under a new number. A sender may be replaced while it runs: once
 * the new one is ready, the former one is retired, finishes its letters, and its entry is spare
 * (renew.c). */
#ifndef QASID_PARENT_H
#define QASID_PARENT_H

#include "conf/conf.h"
#include "lib/base/log.h"
#include "runtime/channel/channel.h"
#include "ipc/roles.h"
#include "src/parent/logs.h"
#include "src/parent/offender.h"

#include <sys/types.h>

enum {
  PARENT_PROCS_MAX = 160,
  PARENT_LISTENERS_MAX = 64,
  PARENT_CERTS_MAX = 256,
  /* a process that lived this long did not die because of its start */
  PARENT_STEADY_MS = 10000,
  PARENT_PAUSE_MS = 20, /* before the first restart */
  PARENT_PAUSE_MOST_MS = 10000,
  PARENT_LINGER_MS = 5000,  /* how long a process may live on without its channel */
  PARENT_RELOAD_MS = 30000, /* after this time a reload is over even without the missing answers */
  /* after this time remaining processes are killed; sender_stop_time is added to it */
  PARENT_STOP_MS = 20000,
  /* senders finishing their sessions: an end of data takes ten minutes at most, and with more
   * reloads than this in that time the sender is not replaced */
  PARENT_RETIRED_MAX = 8,
  PARENT_TICKET_KEYS = 3,
  PARENT_TICKET_KEY_SIZE = 80,
};

struct parent;

struct proc {
  struct parent *parent;
  enum role kind;
  unsigned index;  /* among those of its kind */
  uint32_t number; /* of the current process; 0: not running */
  pid_t pid;
  struct channel *channel;
  int notes; /* of a front-end: ipc/front_notes.h, plus one; 0: none */
  bool ready;
  bool renewed; /* it was asked to exit, to be started again */
  bool applies; /* it was sent a reload, and has not answered */
  uint64_t started_ms;
  unsigned quick_deaths, restarts;
  struct loop_timer *restart;
  struct buf reads;       /* for a role that may be renewed: what it read at its start (renew.c) */
  struct proc *successor; /* a process that is being started to replace it; NULL: none */
  bool retired;           /* its successor is ready */
  bool spare;             /* it was replaced, and has ended: the entry is free */
  char missing[512];      /* sandbox facilities that the system lacks */
};

struct listener {
  int fd;
  enum role kind;
  const char *service;
  bool implicit_tls;
};

struct identity {
  uid_t uid;
  gid_t gid;
};

struct parent {
  const char *config_path;
  bool offline; /* no listeners, no front-ends: for the command line */
  bool as_root, stopping, was_ready, late_started;
  int exit_code, self_fd;
  struct loop *loop;
  struct logs *logs;
  struct log log;
  struct conf *conf;
  char hostname[256];
  struct proc procs[PARENT_PROCS_MAX];
  size_t proc_count;
  struct listener listeners[PARENT_LISTENERS_MAX];
  size_t listener_count;
  struct buf chains[PARENT_CERTS_MAX], keys[PARENT_CERTS_MAX]; /* PEM */
  size_t cert_count;
  struct buf token_keys; /* the file of oauth_keys; empty: none */
  uint8_t tickets[ROLE_COUNT][PARENT_TICKET_KEYS * PARENT_TICKET_KEY_SIZE];
  size_t ticket_keys;
  struct identity identities[ROLE_COUNT];
  uint32_t last_number;
  struct offenders offenders;
  int stop_stage;
  uint64_t start_ms;
  uint32_t started_s; /* since 1970: a part of every session's name */
  struct loop_timer *ticket_timer, *stop_timer;
  struct reload {
    uint32_t number;   /* of the last one */
    bool waits;        /* for processes */
    bool refused;      /* some of it was refused */
    struct buf report; /* its result, one item on each line */
    struct loop_timer *timer;
  } reload;
  int control_fd;
  struct loop_io *control;
  struct client *clients; /* of the control socket */
};

/* procs.c */
void procs_plan(struct parent *p);
void procs_start(struct parent *p);
void procs_reap(struct parent *p);
/* Sends the configuration and certificates again to every process; proc.applies is set until it has
 * answered, or was restarted. */
void procs_reconfigure(struct parent *p);
void procs_send_tickets(struct parent *p);
void procs_start_one(struct proc *proc);
/* An entry for another process of that kind; NULL: there is none. */
struct proc *procs_place_like(struct proc *like);
/* Which process to end when `accuser` reports that the process `number` of that kind broke a rule;
 * NULL: none. A front-end, which reads untrusted input, is not believed against the processes
 * behind it: it is ended itself, and restarted with new channels. So is an accuser that has no
 * channel to that process. */
struct proc *procs_accuse(struct parent *p, struct proc *accuser, enum role kind, uint32_t number);
/* The delay before a dead process is restarted: longer with each quick death. But a front-end is
 * restarted at once while another of its kind serves: that one proves that it can be started, and a
 * client that has found out how to crash a process must not stop the service through the delays. */
uint64_t procs_pause(const struct parent *p, const struct proc *proc);
/* Requests the end of the processes of one stage; true when none of them is left. */
bool procs_stop_stage(struct parent *p, int stage);
/* True if every process is ready. Those for which no client waits are started here, once the others
 * are. */
bool procs_ready(struct parent *p);
void procs_kill(struct parent *p);
/* Makes a channel between the process and the command line: the returned descriptor is the left
 * end; -1 on failure. */
int procs_connect_cli(struct parent *p, enum role kind, unsigned index, uint32_t number);

/* renew.c: processes that a reload replaces */

/* False: the process stays, and is sent the configuration. */
bool procs_renew(struct proc *proc);
/* The process is being started: records what it reads. */
void renew_note_reads(struct proc *proc);
/* It is ready: retires the one that it replaces. */
void renew_ready(struct proc *proc);
/* It has ended. False: it is to be restarted. */
bool renew_ended(struct proc *proc);

/* setup.c: what the processes are given */
bool setup_listeners(struct parent *p, struct buf *err);
/* After control_open(), which detects a running server. */
bool setup_local_listener(struct parent *p, struct buf *err);
/* Checks that the resolver will be able to read the file, before a reload stops the former one. */
bool setup_anchor(const struct conf *conf, struct buf *err);
/* Checks that the file of route_passwords can be read, and fits `routes`. */
bool setup_logins(struct parent *p, const struct conf *conf, struct buf *err);
bool setup_certificates(struct parent *p, const struct conf *conf, struct buf *err);
/* Reads the file of oauth_keys; auth checks its contents. False: the former one stays. */
bool setup_token_keys(struct parent *p, const struct conf *conf, struct buf *err);
bool setup_identities(struct parent *p, struct buf *err);
bool setup_folders(struct parent *p, struct buf *err);
void setup_tickets(struct parent *p);
/* The folder a process works in, "" for none. */
void setup_folder_of(const struct parent *p, enum role kind, char *to, size_t n);

/* rights.c: if started by root, keeps only the capabilities for starting and ending processes. */
bool rights_reduce(struct buf *err);

/* control.c: the socket of the command line */
bool control_open(struct parent *p, struct buf *err);
/* Checked before any port is bound. False: another server answers there; its exit code is set. */
bool control_is_free(struct parent *p, struct buf *err);
void control_close(struct parent *p);
/* Reports the result of the reload to whoever requested it. */
void control_reloaded(struct parent *p, bool refused, struct slice report);

/* notify.c: systemd's notification protocol, sd_notify(3) */
void notify_state(const char *state);

/* reload.c */
void parent_reload(struct parent *p);
/* An answer to process_apply. */
void reload_answered(struct parent *p, const struct proc *proc, struct slice refused);
/* A process has answered, or is gone: the reload may be over. */
void reload_progress(struct parent *p);

/* parent.c */
void parent_name_host(struct parent *p, struct conf *conf);
/* Reads all files that the configuration names; if one of them is unusable, the old set stays. */
bool parent_read_files(struct parent *p, const struct conf *conf, struct buf *err);
void parent_stop(struct parent *p, int exit_code);
/* A process is ready, or gone: updates the state of the server. */
void parent_progress(struct parent *p);

#endif
