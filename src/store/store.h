/* SPDX-License-Identifier: ISC */
/* The store without its threads and sockets: its answers, and the work that an answer needs.
 *
 * One thread (the process's loop) owns `struct store`: sessions, grants, maildrop locks, the queue
 * of jobs. Whatever touches the database is a job: passive data that includes its result. The shell
 * (src/store/main.c) has one writer thread that runs all waiting write jobs as one group in one
 * transaction with one sync, and some reader threads; the simulated world runs the same jobs
 * inline. A finished job comes back to the owner with store_finish(), which sends the answers.
 *
 *    message → store_message() → shell.enqueue(job) → store_write_group() | store_read()
 *            → store_finish() → shell.send(answer)
 *
 * Invariants:
 *  1. An answer that promises durability (COMMIT_DONE, POP_DONE to pop_quit) is sent only after the
 *     group's transaction was committed and synced.
 *  2. A group is all or nothing; if one job of a group fails for its own reason, the group is
 *     rolled back and its jobs run one by one.
 *  3. After DB_IOERR every job of the group is answered "try later" and the store is to be closed
 *     and opened again; nothing is retried on the same descriptors (store_broken()).
 *  4. A maildrop is open in at most one session. */
#ifndef QASID_STORE_H
#define QASID_STORE_H

#include "conf/conf.h"
#include "ipc/ipc.h"
#include "ipc/roles.h"
#include "lib/base/log.h"
#include "lib/disk/disk.h"

struct store;        /* the owner's side */
struct store_engine; /* one connection to the database: the writer's or a reader's */
struct store_job;

struct store_shell {
  void *arg;
  /* An answer for the process `kind` with process number `number`. fd: -1, or a descriptor to hand
   * over. */
  void (*send)(void *arg, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
               struct slice payload, int fd);
  /* A job for the writer (is_write) or a reader. The shell owns it until store_finish(). */
  void (*enqueue)(void *arg, struct store_job *job, bool is_write);
  /* Moves the receiver's rule state of a session (auth's grant). */
  void (*set_state)(void *arg, enum role kind, uint32_t number, uint64_t tag, uint8_t state);
  struct log *log; /* NULL: nothing is logged */
  /* Requests a call of store_due() at that time (INT64_MAX: none), replacing any time requested
   * before. */
  void (*wake_at)(void *arg, int64_t at_s);
  /* Unpredictable octets. */
  void (*random)(void *arg, void *to, size_t n);
  /* store_new() takes long, and has made progress; may be NULL. */
  void (*advances)(void *arg);
};

/* Mail in the queue is due. */
void store_due(struct store *s, int64_t now_s);

/* The owner's own connection met a failing disk: the store is to be closed and opened again. To be
 * checked after each message and each finished job. */
bool store_broken(const struct store *s);
/* The process is to exit in order and be started again, as `compact` requested. To be checked after
 * each finished job. */
bool store_restarts(const struct store *s);

/* What the shell does besides: see main.c. */
/* Outstanding jobs, from enqueue() to store_finish(). */
uint64_t store_jobs_out(const struct store *s);
/* Accept no more administrative commands; running ones stop after the current slice. */
void store_stop(struct store *s);

/* Opens (creates, migrates) the store on `disk`. NULL with a sentence in `err`. */
struct store *store_new(struct disk *disk, const struct conf *conf, const struct store_shell *shell,
                        struct buf *err);
void store_free(struct store **s);
void store_reconfigure(struct store *s, const struct conf *conf);

/* A message from a process, already checked against the pair's rules. False: malformed payload.
 * now_s: seconds since 1970. */
bool store_message(struct store *s, enum role kind, uint32_t number, const struct ipc_msg *msg,
                   int64_t now_s);
/* That process is gone: releases its locks, grants and spools. */
void store_process_lost(struct store *s, enum role kind, uint32_t number);

/* Connections for the threads; each is used by one thread at a time. NULL with a sentence in `err`.
 */
struct store_engine *store_engine_open(struct disk *disk, const struct conf *conf, bool writer,
                                       struct buf *err);
void store_engine_close(struct store_engine **e);
/* Runs jobs (a list linked by store_job_next) as one durable transaction. False: the disk failed;
 * close everything and start again from what is on the disk. The jobs carry their results either
 * way. */
bool store_write_group(struct store_engine *e, struct store_job *jobs);
/* Called by the writer when idle: checkpoints the log, removes freed files, returns space. */
bool store_idle(struct store_engine *e);
/* Whether store_idle has work: after STORE_QUIET_MS without jobs, as soon as nothing waits, or
 * before the next group. */
enum store_housekeeping_when {
  STORE_NO_CHORES,
  STORE_HOUSEKEEPING_QUIET,
  STORE_HOUSEKEEPING_IDLE,
  STORE_HOUSEKEEPING_NOW
};
enum { STORE_QUIET_MS = 250 };
enum store_housekeeping_when store_housekeeping_when(struct store_engine *e);
void store_read(struct store_engine *e, struct store_job *job);

/* The connection met a failing disk; every further request on it fails. */
bool store_engine_broken(const struct store_engine *e);

/* A clock in milliseconds, which ends the slices of long work; without one they end by count. */
void store_engine_set_clock(struct store_engine *e, uint64_t (*clock_ms)(void));

/* True for a later slice of long work, and for work that nobody waits for: other writes go
 * first. */
bool store_job_is_patient(const struct store_job *job);
/* True for an administrative command, which may take long: not for the threads that serve mail. */
bool store_job_is_slow(const struct store_job *job);
/* The process number of the command line that it works for; 0: none. */
uint32_t store_job_command_line(const struct store_job *job);
struct store_job *store_job_next(const struct store_job *job);
void store_job_link(struct store_job *job, struct store_job *next);
/* A login waits for a maildrop: store_tick() is to be called each second. */
bool store_waits(const struct store *s);
void store_tick(struct store *s);
/* To be called each STORE_TIDY_EVERY_S: begins a round of time-driven work (housekeeping.c), unless
 * one is running. */
enum { STORE_TIDY_EVERY_S = 60 };
void store_housekeeping(struct store *s, int64_t now_s);
/* Back on the owner's thread: sends the job's answer and frees it. */
void store_finish(struct store *s, struct store_job *job);

#endif
