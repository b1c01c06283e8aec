/* SPDX-License-Identifier: ISC */
/* The state of the owner's thread: the processes that communicate with the store, their sessions,
 * the directory.
 *
 *   process   a process with a channel to us, known from its first message (or auth's grant for it)
 *   session one of its tags that has state: a spool, a grant, an open maildrop, a running command,
 *             or an open question
 *
 * A session is in exactly one of these states:
 *   at rest   nothing asked; it is freed if it holds nothing
 *   pending   one job is outstanding for it; a second question meanwhile is a breach
 *   gone its process is lost or it closed while a job is outstanding; the job's finish frees it */
#ifndef QASID_STORE_OWNER_OWNER_H
#define QASID_STORE_OWNER_OWNER_H

#include "lib/base/seldom.h"
#include "src/store/jobs/collected.h"
#include "src/store/jobs/housekeeping.h"
#include "src/store/jobs/job.h"
#include "src/store/jobs/maildrop.h"
#include "src/store/owner/history.h"
#include "src/store/owner/incoming.h"
#include "src/store/owner/locks.h"
#include "src/store/owner/outbound.h"
#include "src/store/owner/partly.h"
#include "src/store/owner/tls_failures.h"
#include "src/store/sql/directory.h"
#include "src/store/sql/folders.h"

enum {
  SESSIONS_MAX = 200000, /* of one process: twice the maximum of connections_per_process */
  POP_WAITERS_MAX = 4,   /* logins that wait for one maildrop */
  NOTIFIED_ROUTES = 64,
};

struct import; /* src/store/owner/import.c */

/* smtp.c: chunks that an smtpd session may send, and has sent, without answers. */
struct ahead {
  uint8_t left;                    /* chunks that may still come before the next question */
  struct spool_job *chunks, *last; /* those that came: one job, with the question's chunk */
  struct buf commit;               /* the payload of a commit that waits until they are written */
};

struct peer {
  struct peer *next;
  enum role kind; /* ROLE_COUNT: no message from it yet */
  uint32_t number;
  bool knows_rules; /* pop3d: it caches the rules sent to it until pop_rules_changed */
  struct map by_tag;
  struct session *sessions;
};

struct session {
  struct peer *peer;
  uint64_t tag;
  struct session *prev, *next;
  bool pending, gone;
  struct incoming in;  /* smtpd, collector, cli's import: the message being received */
  struct ahead *ahead; /* smtpd: chunks may come without an answer; NULL: they may not */
  uint64_t account;    /* pop3d, smtpd, collector: granted by auth; 0: none */
  uint64_t source;     /* collector: which collection of that account; 0: none */
  /* collector: rows of `collected` that the other server still lists, u64 each */
  struct buf listed;
  bool open;       /* this session has the maildrop's lock */
  bool waiting;    /* waits for another session's maildrop: pending although no job is
                    * outstanding */
  uint32_t wait_s; /* ticks until it stops waiting */
  struct session *next_waiter;
  bool taken;      /* the maildrop was taken over from an idle session */
  int64_t asked_s; /* when pop_open came */
  uint64_t inbox;
  uint32_t uid_end, count;
  struct buf deletes;    /* uids, u32 each in network order, that pop_quit is to delete */
  struct import *import; /* cli: messages are being imported */
  struct buf bulk;       /* cli: rows for the next bulk command (admin_bulk.c) */
};

struct housekeeping {
  enum housekeeping_step step;
  bool out; /* its job is outstanding */
  int64_t now_s;
  /* HOUSEKEEPING_EXPIRE */
  bool walking;                   /* a scan of the accounts is in progress */
  uint64_t after;                 /* account numbers scanned so far; UINT64_MAX: all */
  int64_t walked_s;               /* when the last scan began */
  uint64_t found[OLD_MAIL_FOUND]; /* accounts that were found; those from found_at on are still to
                                   * be done */
  size_t found_count, found_at;
  uint64_t account;         /* the account whose messages the outstanding job may remove; 0: none */
  struct store_job *parked; /* the job that opens that account's maildrop, once it is back */
};

struct store {
  struct disk *disk;
  const struct conf *conf;
  struct store_shell shell;
  struct db *db; /* the owner's own connection, used by `dir`, `folders` and the rules */
  struct directory dir;
  struct folders folders;
  struct locks locks;
  struct peer *peers;
  struct session *waiters; /* logins that wait for a maildrop, the oldest first */
  struct dir_found found;
  struct partly partly;
  struct partly dropped; /* the contents of the table (src/store/sql/dropped.h) */
  struct buf out;        /* an answer being encoded */
  uint64_t spools;       /* numbers given */
  size_t aheads;         /* sessions that may send chunks ahead */
  struct housekeeping housekeeping;
  struct outbound outbound;
  struct tls_failures tls_failures;
  /* postmaster.c: routes about whose refused login the postmaster was notified */
  struct notified_routes {
    struct {
      uint64_t hash;
      int64_t at_s;
    } rows[NOTIFIED_ROUTES];
  } notified_routes;
  struct history history;
  bool stopping;
  /* compact.c: the process is to be restarted; the result of compacting at this process's start */
  bool restarts;
  enum { COMPACT_NONE, COMPACT_DONE, COMPACT_FAILED } compacted;
  struct pop_rules_are rules; /* when rules_known */
  bool rules_known;
  int64_t low_space_s; /* when low disk space was last seen, 0: never */
  struct seldom
      notices; /* the times of the last log lines: for an account by its id, for the disk by 0 */
  /* for `status` */
  uint64_t groups, messages_in, deleted, purged, expired, undeleted, jobs_out;
};

/* --- sessions.c --- */

struct peer *peer_get(struct store *s, enum role kind, uint32_t number);
struct session *session_find(struct peer *p, uint64_t tag);
/* Created if missing; NULL without memory or above SESSIONS_MAX. */
struct session *session_get(struct peer *p, uint64_t tag);
/* Frees it if it holds nothing and nothing is outstanding. */
void session_release_if_unused(struct session *session);
/* Ends it: releases what it holds, now or when its job comes back. */
void session_end(struct store *s, struct session *session);
/* smtp.c: it may send nothing ahead any more; what it has sent is discarded. */
void session_no_ahead(struct store *s, struct session *session);
/* The oldest login that waits for the account's maildrop, or NULL. */
struct session *session_waiter(struct store *s, uint64_t account);
/* It stops waiting; the caller answers it. */
void session_wait_over(struct store *s, struct session *session);
/* pop.c: the maildrop that it waited for is free. */
void pop_open_now(struct store *s, struct session *session);
/* Submits the job; the session waits for it. It may be finished before this returns. */
void session_ask(struct store *s, struct session *session, struct store_job *j);
/* At the beginning of a finish: the session to be answered, or NULL if it is over. */
struct session *session_answered(struct store *s, struct store_job *j);

void store_send(struct store *s, struct session *session, uint16_t type);
void store_send_to(struct store *s, const struct peer *p, uint16_t type, uint64_t tag, int fd);

/* --- rules.c --- */

/* Seconds, 0: none. */
uint32_t rules_login_delay(const struct store *s, const struct dir_limits *l);
/* Days, or POP_NEVER. */
uint32_t rules_expire(const struct store *s, const struct dir_limits *l);
/* How long the account's next login has to wait, in seconds. */
uint32_t rules_wait(struct store *s, const struct dir_account *a, int64_t now_s);
const struct pop_rules_are *rules_of_all(struct store *s);
/* An option changed, or an account's own limits. */
void rules_changed(struct store *s);

/* --- notices.c: log lines, at most one a minute of the same kind --- */

/* Causes besides accounts; no account has one of these as its id. */
enum { NOTICE_DISK = 0 };
#define NOTICE_REPORTS (UINT64_MAX)

/* Mail was refused because the disk is full, or so nearly that no mail is taken. */
void notice_disk_full(struct store *s, int64_t now_s);
/* Mail for that account was refused because of its quota. */
void notice_mailbox_full(struct store *s, uint64_t account, int64_t now_s);

/* --- housekeeping.c --- */

/* True: took over the job that opens the account's maildrop, and starts it when the outstanding
 * housekeeping job, which may remove messages from it, is back. */
bool housekeeping_parks(struct store *s, uint64_t account, struct session *session,
                        struct store_job *open);

/* queue_view.c: NULL without memory. */
struct queue_view *queue_view_new(const struct store *s);

/* --- one per pair; false: malformed or a breach --- */

bool smtp_message(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s);
bool pop_message(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s);
bool grant_message(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s);
bool collect_message(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s);
/* collect.c: auth's messages about the collector. */
struct auth_grant;
bool collect_grant(struct store *s, const struct auth_grant *q);
bool collect_forget(struct store *s, const struct ipc_msg *m, int64_t now_s);
struct auth_revoke;
/* False: that process is no collector. */
bool collect_ungrant(struct store *s, const struct auth_revoke *q);
/* room.c: whether `size` more octets fit into the mailbox; 0: any octet. */
enum room { ROOM_ENOUGH, ROOM_FULL, ROOM_NEVER /* more than the whole quota */, ROOM_UNKNOWN };
enum room store_room(struct store *s, const struct dir_account *a, uint64_t size);
/* room.c: the same for a whole message of `size` octets whose `announced` size (0: none) RCPT has
 * accepted. A mailbox may exceed its quota by one message that announced none; one that is larger
 * than the whole quota never fits. */
enum room store_room_for(struct store *s, const struct dir_account *a, uint64_t size,
                         uint64_t announced);
/* room.c: counts the message as pending in all of the job's places; deliver_count() takes it off.
 * False without memory: then in none. */
bool deliver_coming(struct store *s, struct deliver_job *d);
void deliver_count(struct store *s, const struct deliver_job *d);
bool admin_message(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s);
/* import.c: cli_input and its end, while ss->import. */
bool import_message(struct store *s, struct session *session, const struct ipc_msg *m,
                    int64_t now_s);
void import_free(struct import **i);

#endif
