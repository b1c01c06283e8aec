/* SPDX-License-Identifier: ISC */
/* The simulated world: the server's own sessions, store and auth, with everything around them made
 * here — clock, network, disk, the channels between processes, and the clients.
 *
 * One thread, one seed. Time is virtual: it jumps to the next event. With `chaos` the order and the
 * delay of everything are drawn from the seed: how octets are split on the network, when a question
 * reaches its process, which jobs form the writer's group, when an answer comes back. Without it,
 * everything happens at once and in order; then `cuts` says how the octets of a client are split.
 *
 * What is real: the protocol sessions behind runtime/proto/proto.h, the store core behind
 * src/store/store.h with SQLite on the simulated disk, the auth core behind src/auth/auth.h, every
 * message between them in its encoded form, checked by the receiver's rules (ipc/).
 * What stands in: runtime/front by world_shell.c, lib/ev's channels by world_link.c, the processes'
 * main.c by world_roles.c, TLS by a word.
 *
 * Nothing here is ever "retried until it works": each loop has a bound, and passing it is a
 * failure. */
#ifndef QASID_WORLD_WORLD_H
#define QASID_WORLD_WORLD_H

#include "conf/conf.h"
#include "ipc/roles.h"
#include "runtime/proto/proto.h"
#include "tests/world/disk_sim.h"
#include "tests/world/rng.h"

struct world;
struct world_conn;

/* -- the world -- */

/* `options` is configuration text as in qasid.conf, behind the world's own; "" for none. `disk`
 * becomes the world's; NULL: a new one. NULL with a sentence in `err` when the options are wrong
 * (the disk is then gone too). Nothing is opened yet. */
struct world *world_new(uint64_t seed, bool chaos, struct slice options, struct disk_sim *disk,
                        struct buf *err);
void world_free(struct world **w);

struct disk_sim *world_disk(struct world *w);
struct rng *world_rng(struct world *w);
uint64_t world_now(const struct world *w);
/* The first thing that must never be was seen: a line about it. NULL: none yet. */
const char *world_failure(const struct world *w);
void world_fail(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Wire traces, questions and close reasons, to standard error. */
void world_verbose(struct world *w);

/* -- time -- */

/* Calls fn(arg) `delay_ms` from now. */
void world_after(struct world *w, uint64_t delay_ms, void (*fn)(void *arg), void *arg);
/* Forgets all such calls with this `arg`. */
void world_cancel(struct world *w, const void *arg);
/* Does the next thing, if it is due before `until_ms`; time moves there. False: nothing was due,
 * and time has not moved. */
bool world_step(struct world *w, uint64_t until_ms);
/* Does all that is due until then, and moves the time there. False when the disk died. */
bool world_run(struct world *w, uint64_t until_ms);
/* A moment's delay of the kind that processes and networks have: 0 without chaos. */
uint64_t world_moment(struct world *w);

/* -- life and death -- */

/* Opens auth and store on the disk and joins the processes. False with a sentence in `err`; the
 * disk may have died in it. All is closed again then. */
bool world_boot(struct world *w, struct buf *err);
/* True when the disk has died: nothing more happens until world_power_loss() or world_revive(). */
bool world_died(const struct world *w);
/* Everything stops at once: all connections are lost, all processes are gone, and the disk keeps
 * what disk_sim.h says. Then world_boot() again. */
void world_power_loss(struct world *w);
/* The same, but only the processes died; the kernel has all that was written. */
void world_revive(struct world *w);
/* kill -9 of one process, and its restart (store and auth open their files again). False when the
 * restart failed. */
bool world_kill(struct world *w, enum role role);
/* The same, as soon as what is under way has returned. */
void world_kill_soon(struct world *w, enum role role);
/* How often store was closed and opened again because its disk had failed. */
unsigned world_store_reopened(const struct world *w);

/* The Nth question of all sessions from now on (from 1; 0: none) loses its process: before it
 * arrives, or (`after`) when the answer is on its way. */
void world_lose_question(struct world *w, uint64_t nth, bool after);
/* Questions asked since then. */
uint64_t world_questions(const struct world *w);

/* -- processes that only some worlds have: the sender, the resolver, keys, the collector -- */

/* How one of them lives. Its messages go by world_guest_send(); what it schedules, it takes back in
 * halt(). */
struct world_guest {
  void (*boot)(void *arg);
  /* It is gone, as by kill -9. */
  void (*halt)(void *arg);
  void (*joined)(void *arg, enum role kind, uint32_t number);
  void (*lost)(void *arg, enum role kind, uint32_t number);
  /* False: malformed. */
  bool (*message)(void *arg, enum role kind, uint32_t number, const struct ipc_msg *msg);
  void *arg;
};
/* Before world_boot(); `guest` must outlive the world. Without one the process of that kind never
 * says anything. */
void world_guest_add(struct world *w, enum role kind, const struct world_guest *guest);
/* A message from that process to another; dropped when the other is gone. */
void world_guest_send(struct world *w, enum role from, enum role to, uint32_t number, uint16_t type,
                      uint64_t tag, struct slice payload);
/* The number of the process of that kind, as `from` knows it; 0: it is not joined. */
uint32_t world_neighbour(struct world *w, enum role from, enum role to);
const struct conf *world_conf(const struct world *w);
struct log *world_log(struct world *w);
int64_t world_wall_s(const struct world *w);

/* -- administration: what `qasid …` would ask of a process -- */

/* Runs a command, words as typed, until it is done. `input`, when there is some, is what the
 * command is given to read. Rows and its sentence, one a line, go to `out` when it is not NULL.
 * Returns the process's enum cli_code, or -1 when the process or the disk died. */
int world_admin(struct world *w, enum role role, const char *const *words, size_t count,
                struct slice input, struct buf *out);

/* -- clients -- */

struct world_client {
  void *arg;
  /* There is something new in world_received(). */
  void (*readable)(void *arg);
  /* The connection is over, whoever ended it; it must not be used after this. */
  void (*closed)(void *arg);
};

enum world_cuts {
  CUT_NONE,   /* as the client sent it */
  CUT_BYTES,  /* each octet arrives alone */
  CUT_RANDOM, /* segments of 1 to 1,500 octets, small ones often */
};
void world_set_cuts(struct world *w, enum world_cuts cuts);

/* A connection to that service ("smtp", "submission", "submissions", "pop3", "pop3s") from an IPv4
 * address. Never NULL; when the server takes no connection, closed() comes soon. */
struct world_conn *world_connect(struct world *w, const char *service, const uint8_t address[4],
                                 const struct world_client *client);
void world_send(struct world_conn *c, struct slice s);
/* What came and was not dropped yet. */
struct buf *world_received(struct world_conn *c);
/* The client's half of the handshake, for which the server waits after it said yes to STARTTLS. */
void world_secure(struct world_conn *c);
/* The same, and it shows a certificate with this fingerprint (SHA-256). */
void world_secure_with(struct world_conn *c, const uint8_t fingerprint[32]);
/* True while the server waits for it. */
bool world_wants_secure(const struct world_conn *c);
/* The client closes, or (reset) its machine vanishes. closed() is not called. */
void world_drop(struct world_conn *c);
/* The client stops reading, or goes on. */
void world_pause(struct world_conn *c, bool paused);
/* Sessions that are open. */
size_t world_sessions(const struct world *w);
/* Why the last session ended. */
enum close_reason world_last_reason(const struct world *w);

/* -- looking into mailboxes, past the protocols -- */

struct world_mail {
  uint32_t uid;
  char uidl[72];
  uint64_t size;       /* as announced */
  struct slice octets; /* as read */
};
struct world_box {
  uint32_t uidvalidity;
  struct world_mail *mails;
  size_t count;
};

/* All of the account's mailbox, read over the store's channel by a front-end of the world's own.
 * With `sizes_only` the octets are not read. NULL when it could not be read (world_failure says why
 * unless the disk died). */
/* The lines that were logged, without time. */
void world_logged(const struct world *w, struct buf *out);
struct world_box *world_look(struct world *w, uint64_t account, bool sizes_only);
void world_box_free(struct world_box **b);

#endif
