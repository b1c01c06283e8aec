/* SPDX-License-Identifier: ISC */
/* What the world's own files share. */
#ifndef QASID_WORLD_WORLD_IN_H
#define QASID_WORLD_WORLD_IN_H

#include "lib/base/map.h"
#include "src/auth/auth.h"
#include "src/store/store.h"
#include "tests/world/alloc_fail.h"
#include "tests/world/must.h"
#include "tests/world/services.h"
#include "tests/world/world.h"

enum {
  WORLD_STEPS_MAX = 2000000,  /* events of one world_run(): more is a loop */
  WORLD_PIPE = 64 * 1024,     /* octets that a connection's kernel buffers hold, each way */
  WORLD_IN_MAX = 64 * 1024,   /* octets of a client's that the shell holds */
  WORLD_QUEUE_MAX = 64 << 20, /* octets waiting on one channel */
  WORLD_LOG_MAX = 256 * 1024, /* octets of log records that are kept */
  LOOK_AUTH = 900000001,      /* numbers of the two processes that world_look() plays */
  LOOK_FRONT,
};

struct event {
  uint64_t at, order;
  void (*fn)(void *arg);
  void *arg;
};

/* One end of a channel. Its states are those that the receiver there keeps. */
struct link_end {
  struct link *link;
  enum role kind;
  uint32_t number;
  struct map states;
  struct buf queue; /* messages on their way to this end */
  bool due;
};

struct link {
  struct world *w;
  struct link *next;
  const struct ipc_pair *pair;
  struct link_end ends[2]; /* by enum ipc_side */
  bool cut, busy; /* busy: a delivery is under way; it frees a link that is cut meanwhile */
};

struct jobs {
  struct store_job **items;
  size_t count, room;
};

/* So that an event has an address of its own. */
struct world_ref {
  struct world *world;
};

/* The store's process. */
struct store_process {
  struct world *world;
  struct store *core;
  struct store_engine *writer, *reader;
  struct jobs writes, reads, done;
  struct world_ref idle, housekeeping, tick, wake; /* names of events */
  bool ticking, due, idle_due, broken;
};

struct auth_process {
  struct auth *core;
  struct auth_job **jobs;
  size_t count, room;
  struct world_ref timer;
};

/* A command of the administration under way. */
struct admin {
  struct buf *out;
  int code;
  bool done;
};

struct world {
  struct rng rng;
  uint64_t now, order;
  struct event *events; /* heap by (at, order) */
  size_t event_count, event_role;
  bool chaos, verbose;
  char *failure;

  struct conf *conf;
  struct services *services;
  struct disk_sim *disk;
  struct store_process store;
  struct auth_process auth;
  uint32_t numbers[ROLE_COUNT], next_number;
  uint64_t next_session;
  struct link *links;
  unsigned reopened;

  struct world_conn *conns;
  enum world_cuts cuts;
  enum close_reason last_reason;
  uint64_t questions, lose_at;
  bool lose_after;
  enum role lost_role;
  struct world_ref lose, breach[ROLE_COUNT];
  const struct world_guest *guests[ROLE_COUNT];
  struct admin *admin;
  struct log log;
  uint8_t *records; /* what was logged; kept outside of the allocations that are counted */
  size_t record_octets;
  struct look *look;
};

/* world.c: the log of sessions and of auth */
void world_log_login(void *arg, const struct auth_refusal *r);

static inline int64_t world_wall(const struct world *w) {
  return 1792108800 + (int64_t)(w->now / 1000);
}

/* world_link.c */
struct link *link_new(struct world *w, const struct ipc_pair *pair, enum role left,
                      enum role right);
/* The channel between these two, or NULL. `number` is the far one's; 0: any but world_look()'s. */
struct link *link_find(struct world *w, enum role mine, enum role far, uint32_t number,
                       enum ipc_side *ret_far);
void link_send(struct link *l, enum ipc_side to, uint16_t type, uint64_t tag, struct slice payload);
/* Ends the channels of a process (ROLE_COUNT: all), telling nobody. */
void links_cut(struct world *w, enum role role);
/* Moves the state that the receiver at `side` keeps for a tag. */
void link_set_state(struct link *l, enum ipc_side side, uint64_t tag, uint8_t state);

/* world_roles.c */
bool roles_open(struct world *w, struct buf *err);
void roles_close(struct world *w);
/* One process ends, its neighbours are told, and it starts again. */
bool process_restart(struct world *w, enum role role, struct buf *err);
/* A message for a guest. */
bool guest_take(struct world *w, enum role kind, const struct link_end *from,
                const struct ipc_msg *msg);
/* A message for store or auth from the process `from`. */
bool store_take(struct world *w, const struct link_end *from, const struct ipc_msg *msg);
bool auth_take(struct world *w, const struct link_end *from, const struct ipc_msg *msg);

/* world_shell.c */
void shell_answer(struct world *w, enum role front, enum role from, const struct ipc_msg *msg);
/* That process is gone for all sessions that have to do with it. */
void shell_role_lost(struct world *w, unsigned role);
/* Every session of a front-end (or of all) is gone at once, without a word. */
void shell_drop_sessions(struct world *w, enum role front);

/* world_admin.c, world_look.c */
bool world_admin_message(struct world *w, const struct ipc_msg *msg);
bool look_message(struct world *w, enum role to, const struct ipc_msg *msg);

#endif
