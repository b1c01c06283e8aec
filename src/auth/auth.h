/* SPDX-License-Identifier: ISC */
/* auth without its threads and sockets: the logins in progress, and the hashes they need.
 *
 * One thread (the process's loop) owns `struct auth`. A password hash takes milliseconds, so it is
 * a job for a pool of threads; everything else is done at once. The answer to a failing network is
 * delayed (auth_tick), which costs that network time and no other.
 *
 * A login succeeds in two steps: the verified account is granted to the session at store
 * (auth_grant), and only when store has answered is auth_ok sent to the front-end. */
#ifndef QASID_AUTH_H
#define QASID_AUTH_H

#include "conf/conf.h"
#include "ipc/ipc.h"
#include "ipc/roles.h"
#include "lib/disk/disk.h"

struct auth;
struct auth_job;

/* A login that failed. */
struct auth_refusal {
  enum role kind; /* the front-end that asked */
  uint32_t front;
  uint64_t session;
  struct slice peer;   /* 4 or 16 octets */
  const char *service; /* of the listener that the client connected to */
  struct slice name;   /* the name that was tried; may be empty */
  const char *mechanism, *why;
};

struct auth_shell {
  void *arg;
  void (*send)(void *arg, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
               struct slice payload);
  /* A hash to be computed by auth_work() in another thread, then handed to auth_finish(). */
  void (*enqueue)(void *arg, struct auth_job *job);
  void (*random)(void *arg, void *to, size_t n);
  /* The following may be NULL or 0. Seconds since 1970. */
  int64_t (*wall)(void *arg);
  /* A warning for the operator, about the account `name` (may be empty). */
  void (*warn)(void *arg, const char *what, struct slice name);
  /* How many jobs the shell computes at once (0: one). Others wait here, in a fair order. */
  unsigned threads;
  /* A login failed: for the log. May be NULL. */
  void (*refused)(void *arg, const struct auth_refusal *r);
};

/* Opens (creates, migrates) the accounts database on `disk`, whose root is auth's own folder:
 * auth.db, and auth.key with the key of the sealed secrets. NULL with a sentence in `err`. `conf`
 * is borrowed until auth_reconfigure() or auth_free(). */
struct auth *auth_new(struct disk *disk, const struct conf *conf, const struct auth_shell *shell,
                      struct buf *err);
/* To be called when no job is running. */
void auth_free(struct auth **a);
void auth_reconfigure(struct auth *a, const struct conf *conf);
/* The key set that access tokens are verified with (lib/jwt/keys.h); empty: tokens are not
 * accepted. False with a sentence in `err`: the former set stays. */
bool auth_token_keys(struct auth *a, struct slice keys, struct buf *err);
/* A message from a process, checked against the pair's rules. False: malformed payload. */
bool auth_message(struct auth *a, enum role kind, uint32_t number, const struct ipc_msg *msg,
                  uint64_t now_ms);
/* A front-end was connected: sends it what it may announce to clients. */
void auth_process_connected(struct auth *a, enum role kind, uint32_t number);
void auth_process_lost(struct auth *a, enum role kind, uint32_t number);
/* Computes one hash. Thread-safe; touches the job only. */
void auth_work(struct auth_job *job);
/* Takes the job back and frees it; may be called from inside enqueue(). */
void auth_finish(struct auth *a, struct auth_job *job, uint64_t now_ms);
/* Sends the answers whose delay is over. Returns when it is to be called next, 0: not needed. */
uint64_t auth_tick(struct auth *a, uint64_t now_ms);
/* Maintenance of the database while nothing changes (quiet.c): to be called after each message, and
 * at the returned time; 0: not before the next message. */
uint64_t auth_quiet(struct auth *a, uint64_t now_ms);

#endif
