/* SPDX-License-Identifier: ISC */
/* What the files of the front shell share. */
#ifndef QASID_FRONT_PRIVATE_H
#define QASID_FRONT_PRIVATE_H

#include "ipc/front_notes.h"
#include "lib/base/heap.h"
#include "lib/base/map.h"
#include "lib/base/seldom.h"
#include "runtime/front/front.h"
#include "runtime/front/remote_key.h"
#include "lib/tls/tls.h"

enum {
  FRONT_LISTENERS_MAX = 64,
  FRONT_READ = 64 * 1024,       /* octets taken from a socket at once */
  FRONT_IN_MAX = 96 * 1024,     /* parked input of one connection: one read, and a line before it */
  FRONT_BLOCKED_MS = 5 * 60000, /* a client that reads nothing for this long is disconnected */
  FRONT_LINGER_MS = 10000,      /* the same for the last output of a session */
  FRONT_LATER_MS = 1000,        /* delay before a listener that met a limit is tried again, and
                                 * before an idle process frees memory */
  FRONT_STOP_MS = 10000,        /* how long sessions may continue once the server is told to stop */
  FRONT_ACCEPTS = 64,           /* connections accepted in one turn */
  FRONT_SPARE_FDS = 32,         /* descriptors kept for everything but clients */
  FRONT_TRACE_MAX = 1024 * 1024, /* octets of trace that may wait for a command line */
  /* addresses; a new one replaces the one that expires first */
  FRONT_REFUSED_MAX = 64,
  FRONT_NONCES = 256,   /* getrandom(2) never interrupts a request of this size */
  FRONT_AHEAD_MAX = 64, /* connections for which files are opened ahead */
};

/* The configuration of new sessions. A reload creates a new generation; the old one lives as long
 * as its last session. */
struct front_generation {
  unsigned refs;
  struct conf *conf;
  struct tls_server *tls; /* NULL: no certificate */
  void *services[FRONT_LISTENERS_MAX];
  size_t service_count;
};

struct front_listener {
  struct front *front;
  int fd;
  size_t index;
  struct loop_io *io;
  char service[32];
  bool implicit_tls;
};

struct front_watch { /* a command line that traces */
  uint32_t cli;
  char filter[64];
  struct front_watch *next;
};

/* An address whose input crashed processes. */
struct front_offender {
  uint64_t key, until_ms;
};

/* Log records of this turn: gather.c. */
struct front_gathered {
  uint8_t octets[LOG_RECORD_MAX];
  size_t n, records;
  struct loop_later later;
};

struct front {
  struct process *process;
  const struct front_role *role;
  struct front_listener listeners[FRONT_LISTENERS_MAX];
  size_t listener_count;
  struct front_generation *generation;
  struct buf *chains; /* PEM chains received so far, until `last` */
  size_t chain_count;
  uint8_t ticket_keys[TICKET_KEYS_MAX * TICKET_KEY_SIZE];
  size_t ticket_len;
  struct remote_key keys;

  struct map by_id;       /* session number → struct conn */
  struct map per_address; /* address key → open connections */
  struct conn *oldest, *newest;
  size_t count, most;
  size_t parked; /* octets of memory that hold input or output of clients: the sum over all
                    connections */
  struct front_readers readers;
  uint64_t next_id;
  struct heap due;          /* the connections, by the time when their deadlines are to be
                             * checked */
  struct loop_timer *timer; /* for the first of them */
  uint64_t timer_at;        /* the time it is set to; UINT64_MAX: none */
  struct conn *paused_first, *paused_last;
  struct loop_timer *turn;  /* for those */
  struct loop_timer *later; /* for housekeeping */
  bool later_set;
  uint64_t stop_at;  /* 0: not stopping */
  uint8_t *read_mem; /* FRONT_READ octets from a client */
  struct front_watch *watches;
  uint64_t gave_back; /* value of `accepted` when memory was last freed */
  uint64_t accepted, refused, closed_by[CLOSE_REASONS];
  struct seldom notices;
  struct front_notes *notes; /* NULL: none, or no memory for it */
  size_t noted;              /* the index in notes->recent */
  struct front_offender offenders[FRONT_REFUSED_MAX];
  struct front_gathered gathered;
  uint8_t nonces[FRONT_NONCES]; /* for new sessions: one system call serves many */
  size_t nonces_left;
};

/* One client. States: TLS handshake (proto NULL or want == PROTO_TLS) → session → gone. */
struct conn {
  struct front *front;
  struct conn *older, *newer;
  uint64_t id;
  int fd;
  struct loop_io *io;
  struct tls_conn *tls;
  struct proto *proto;
  struct front_generation *generation;
  size_t listener;
  struct heap_node due; /* in front.due */
  struct conn *paused_before, *paused_after;
  bool paused;
  struct buf in; /* octets not yet taken by the session */
  char name[PROCESS_SESSION_NAME];
  uint8_t peer[16];
  uint8_t peer_len;
  bool local;    /* a local program, over a Unix socket: peer is the loopback */
  uint32_t uid;  /* the program's user id, if local */
  bool has_drop; /* it carries a message of the drop folder, with this identity */
  uint8_t drop[16];
  size_t parked; /* its part of front.parked */
  bool handshaking, readable, blocked;
  uint16_t peer_port;
  uint64_t since_ms;    /* connected */
  uint64_t blocked_ms;  /* the time since which nothing could be written */
  uint64_t deadline_ms; /* of the handshake */
  uint64_t octets_in, octets_out;
  void *own; /* the role's: front_role.files */
};

/* conn.c */
/* Starts a new connection: its handshake, or its greeting. It may be freed when this returns. */
void conn_begin(struct conn *c);
void conn_on_io(void *conn, int ready);
/* A message for a session. False: a breach, because it does not answer the open question. */
bool conn_answer(struct front *f, enum role from, const struct ipc_msg *msg);
/* Does all that can be done now. The connection may be freed when it returns. */
void conn_go(struct conn *c);
/* When conn_tick() must be called next, if nothing else happens. */
uint64_t conn_deadline(const struct conn *c);
/* Checks the deadlines. The connection may be freed when it returns. */
void conn_tick(struct conn *c);
/* Ends it because of `why`, without waiting for the client. */
void conn_end(struct conn *c, enum close_reason why);
/* The same for one that has no session yet. */
void conn_finish(struct conn *c, enum close_reason why);
void conn_role_lost(struct conn *c, unsigned role);
/* store has passed a file to this session. False: a breach, and the descriptor is the caller's. */
bool conn_take_file(struct front *f, uint64_t id, struct slice payload, int fd);
/* Another session waits for a resource of this session. */
void conn_wanted(struct front *f, uint64_t id);
/* Begins a log line with the fields that identify the connection. */
void conn_log_open(void *conn, struct log_line *l, enum log_event event);

/* waiting.c */
bool front_waiting_init(struct front *f);
/* Reserves memory for one more connection. False without memory. */
bool conn_wait_reserve(struct front *f);
/* Waits: conn_tick() is called at its deadline. */
void conn_wait(struct conn *c);
/* Yields: it has more to do, and continues after the others. */
void conn_pause(struct conn *c);
void conn_wait_no_more(struct conn *c);

/* front.c: schedules housekeeping. */
void front_housekeeping(struct front *f);

/* clients.c */
void conn_accept(struct front_listener *l);
/* A connection from the role `pickup`, treated like one to the listener `local`. Takes `fd`. False:
 * malformed. */
bool conn_take_drop(struct front *f, struct slice payload, int fd);
/* Removes it from the list and the counts. */
void conn_unlink(struct conn *c);
/* Disconnects clients that read nothing, until less than parked_limit is held for clients. */
void conn_relieve(struct front *f);
void conn_address_text(const struct conn *c, char *to, size_t n);
/* One key for each address; an IPv6 host owns its /64. */
uint64_t conn_address_key(const struct conn *c);

/* gather.c: from front_gather_logs() on, the log lines of a turn are written together, until
 * front_gather_end(). */
void front_gather_logs(struct front *f);
void front_gather_end(struct front *f);

/* notices.c: log lines, at most one a minute for the same cause */
/* A connection ended, or was not accepted (then `c` is NULL), for that reason. */
void notice_limit(struct front *f, struct conn *c, const char *service, enum close_reason why);
/* Clients refuse the certificate: logs it for the administrator. */
void front_notify_refused(struct conn *c, enum close_reason why);
void notice_no_descriptors(struct front *f);

/* offender.c */
void front_notes_open(struct process *r, int fd);
/* Records that this connection is being processed; NULL: none is. */
void front_note(struct front *f, const struct conn *c);
void front_offender(struct process *r, struct slice address, uint32_t seconds);
bool conn_is_offender(const struct conn *c);

/* generation.c */
struct front_generation *front_generation_new(struct front *f, struct buf *err);
void front_generation_unref(struct front_generation **generation, const struct front_role *role);

/* watch.c: the command line's `ps`, `trace`, `status`. */
bool front_command(struct front *f, uint32_t cli, const struct ipc_msg *msg);
void front_watch_session(struct conn *c);
/* A session begins: the state of its TLS, and the greeting. */
void front_trace_greeting(struct conn *c);
/* A remark about the connection, which need not have a session. */
void front_trace(struct conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void front_unwatch(struct front *f, uint32_t cli);
#ifdef QASID_TEST_HOOKS
/* misbehave.c: carries out the misbehaviour named `what`; `notices`: the result. Without a name:
 * lists the names. */
void front_misbehave(struct front *f, struct slice what, struct buf *notices);
#endif

#endif
