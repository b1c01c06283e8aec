/* What every room is besides its work: a process that the parent set up over one inherited channel.
 *
 *   SET-UP   the parent says hello, config, listeners, certificates, channels …
 *   room_go  the room confines itself (lib/sandbox), then start(); room_ready
 *   RUNNING  messages from the other rooms; new channels when a neighbour was restarted; reloads
 *   stop()   the room finishes what was acknowledged and calls room_exit()
 *
 * When the parent is gone the room ends at once. When a neighbour breaks a rule the room tells the
 * parent, which decides who is ended. A channel that fails for want of memory or descriptors on this
 * side ends the room: it starts again with whole channels. After room_exit() nothing is handed to the
 * room any more, and stop() is called once at most. */
#ifndef QASID_ROOM_H
#define QASID_ROOM_H

#include "conf/conf.h"
#include "ipc/rooms.h"
#include "lib/base/log.h"
#include "lib/ev/channel.h"

enum { ROOM_PARENT_FD = 3, ROOM_PORTS_MAX = 8, ROOM_SESSION_NAME = 40 };

struct room_peer;
struct room;

struct room_ops {
  enum room_kind kind;
  /* Everything was said, and the process may still do all that it was started with: opens what it was given. Sets
   * r->dials. NULL: there is nothing to open. False with a sentence in `err`: the room can't work. */
  bool (*prepare)(struct room *r, struct buf *err);
  /* Everything was said and the process is confined. False with a sentence in `err`: the room can't
   * work. r->conf is set. */
  bool (*start)(struct room *r, struct buf *err);
  /* A message that the pair's rules allow; false: its payload was malformed. */
  bool (*message)(struct room *r, enum room_kind kind, uint32_t number, const struct ipc_msg *msg, uint8_t state);
  /* A neighbour is joined, or gone. For a blocking wire `fd` is the bare descriptor, owned by the
   * room from now on; else -1. */
  void (*peer_joined)(struct room *r, enum room_kind kind, uint32_t number, int fd);
  void (*peer_lost)(struct room *r, enum room_kind kind, uint32_t number);
  /* The following may be NULL. */
  void (*listener)(struct room *r, struct slice service, bool implicit_tls, int fd);
  void (*certificate)(struct room *r, uint16_t index, bool last, struct slice pem);
  void (*tickets)(struct room *r, struct slice keys);
  void (*token_keys)(struct room *r, struct slice keys);
  /* Takes `fd`. */
  void (*notes)(struct room *r, int fd);
  void (*refuse)(struct room *r, struct slice address, uint32_t seconds);
  /* r->conf is the new configuration, `before` is freed after the call. */
  void (*reload)(struct room *r, const struct conf *before);
  /* Finish, then room_exit(). NULL: the room may end at once. */
  void (*stop)(struct room *r);
  /* The loop has ended and is about to be freed. */
  void (*end)(struct room *r);
};

struct room {
  const struct room_ops *ops;
  void *arg; /* the room's own struct */
  enum room_kind kind;
  uint32_t number;
  bool started_as_root;
  uint32_t started_s; /* when the parent started */
  uint32_t uid, gid;
  char folder[1101];   /* the room's folder, as it is to be opened once confined; "" for none */
  char root_dir[1101]; /* the root folder it gets when started by root */
  uint16_t dials[ROOM_PORTS_MAX]; /* the TCP ports it may connect to, where its system calls let it at all */
  size_t dial_count;
  bool binds; /* it binds sockets to an address of this machine, at any port */
  struct loop *loop;
  char name[24]; /* "smtpd-3" */
  struct log log;
  struct conf *conf;
  struct channel *parent;
  struct room_peer *peers;
  uint64_t descriptors; /* RLIMIT_NOFILE once it is confined; 0: none */
  bool running, stopping, over;
  char refused[1024]; /* of the present reload; "" for nothing */
  int exit_code;
};

/* Runs the room on descriptor ROOM_PARENT_FD until it ends; returns the exit code. */
int room_run(const struct room_ops *ops, void *arg);
void room_exit(struct room *r, int code);
/* Says to the parent what is wrong, then ends the room with 75 (try again). */
void room_fail(struct room *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A part of the present reload can't take effect, and what was there before stays: the log and whoever asked for
 * the reload are told so. */
void room_refused(struct room *r, enum log_event event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A message for the neighbour `number` of that kind; dropped when it is gone. `fd` is taken. */
void room_send(struct room *r, enum room_kind kind, uint32_t number, uint16_t type, uint64_t tag,
               struct slice payload, int fd);
/* The same with a payload that is emptied, and not copied when it is large. */
void room_send_buf(struct room *r, enum room_kind kind, uint32_t number, uint16_t type, uint64_t tag,
                   struct buf *payload);
/* The channel to it, or NULL. */
struct channel *room_channel_to(struct room *r, enum room_kind kind, uint32_t number);
/* The number of the neighbour of a kind that has only one process; 0: none now. */
uint32_t room_single(struct room *r, enum room_kind kind);

/* The name of session `id` of the front-end `number`: the same in every process, never given twice. */
void room_session_name(const struct room *r, uint32_t number, uint64_t id, char to[ROOM_SESSION_NAME]);

/* The log settings of a configuration. */
void room_log_setup(struct log *log, const struct conf *conf);

#endif
