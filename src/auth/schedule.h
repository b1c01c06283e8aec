/* SPDX-License-Identifier: ISC */
/* When collections run: auth's side of ipc/collector_auth.h.
 *
 *   ASLEEP --due, and a run waits for work--> GRANTING --store knows--> RUNNING --result--> ASLEEP
 *      ^                                         | store lost, or no such mailbox            |
 *      +-----------------------------------------+-------------------------------------------+
 *
 * At most SCHEDULE_PER_HOST runs of one server at a time, the longest due first. A paused
 * collection stays asleep. Each result is written to auth.db before the next step. */
#ifndef QASID_AUTH_SCHEDULE_H
#define QASID_AUTH_SCHEDULE_H

#include "lib/base/map.h"
#include "src/auth/collections.h"

struct auth;
struct ipc_msg;

enum {
  SCHEDULE_PER_HOST = 2,
  SCHEDULE_DAY_S = 24 * 3600,
  SCHEDULE_HERE_S = 10,     /* the first pause after a temporary failure here; doubled */
  SCHEDULE_DOUBTS = 3,      /* refused logins in a row before the password counts as wrong */
  SCHEDULE_LOOK_MS = 60000, /* the wall clock may be set: checked this often */
  SCHEDULE_GRANT_MS = 3000, /* store answers at once, unless it is being restarted and never
                               received the question */
};

enum schedule_state { SCHEDULE_ASLEEP, SCHEDULE_GRANTING, SCHEDULE_RUNNING };

/* The part of each collection that is kept in memory. */
struct schedule_entry {
  /* host: a hash; two hosts with the same only share the limit of runs for a host */
  uint64_t id, source, host;
  uint64_t account; /* store's number of it; only while `gone` */
  int64_t next;
  enum schedule_state state;
  bool paused, gone;    /* gone: deleted while it ran */
  bool halted;          /* the run's result is not stored, since the administrator paused it */
  uint64_t tag, serial; /* the run's, and our question's at store */
  uint64_t patience_ms; /* GRANTING: store must have answered by then */
  int64_t began;
};

struct collect_schedule {
  struct schedule_entry *entries;
  size_t count, cap;
  uint32_t number;                    /* the collector's process; 0: none */
  uint64_t waiting[COLLECT_RUNS_MAX]; /* tags of runs without work, the oldest first */
  size_t waiting_n;
  bool changed;                   /* schedule_tick must look at once */
  uint64_t due_ms;                /* when it must look again; 0: it need not */
  uint64_t runs, failed, fetched; /* for `status` */
};

/* Loads them from the database, at start. False: it cannot be read. */
bool schedule_load(struct auth *a);
void schedule_free(struct auth *a);
/* A message from the collector. False: malformed. */
bool schedule_message(struct auth *a, uint32_t number, const struct ipc_msg *msg);
/* store's answer to our question `serial`. False: not one of these questions. */
bool schedule_granted(struct auth *a, uint64_t serial, bool known);
void schedule_collector_lost(struct auth *a, uint32_t number);
void schedule_store_lost(struct auth *a);
/* Starts what is due. Returns when to be called next, 0: not needed. */
uint64_t schedule_tick(struct auth *a, uint64_t now_ms);

/* --- for admin_collect.c: the row is changed already, or gone --- */
/* False: the maximum is reached, or no memory. */
bool schedule_added(struct auth *a, const struct collection *c);
void schedule_changed(struct auth *a, const struct collection *c);
void schedule_deleted(struct auth *a, const struct collection *c);
bool schedule_runs_now(const struct auth *a, uint64_t id);
/* Deletes all collections of a deleted account. OK, or TROUBLE: some stay. */
enum account_result schedule_account_deleted(struct auth *a, const struct account *account);

#endif
