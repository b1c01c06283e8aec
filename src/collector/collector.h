/* SPDX-License-Identifier: ISC */
/* Inside the collector: declarations shared by its files.
 *
 * A run is one collection done once:
 *
 *   job from auth → (RESOLVING) → TALKING → SETTLING → result to auth, end
 *                        |        ^  |        |            ^
 *                        |        +--|-- more +            |
 *                        +-----------+---- any failure ----+
 *
 * TALKING is a POP3 session, whose sink asks store; SETTLING tells store what was deleted there,
 * and that the listing was complete. A message at which a session is stuck is skipped by another
 * session (steps.c). A run has at most one question open at store (ipc/collector_store.h) and holds
 * the session while it waits. A message is `safe`, and so may be deleted at the other server, when
 * store has answered that it is durable: no other line of this process sets it (sink.c). When auth
 * or store is lost, the runs end: the next run asks again what was not answered, and store knows
 * what it has. */
#ifndef QASID_COLLECTOR_H
#define QASID_COLLECTOR_H

#include "ipc/collector_auth.h"
#include "ipc/collector_store.h"
#include "runtime/dial/dial.h"
#include "mail/clean.h"
#include "mail/pop3/client.h"
#include "runtime/role/process.h"
#include "lib/tls/digest.h"

enum {
  CHUNK_AT = 48 * 1024, /* size of the chunks in which a message is handed to store */
  /* What waits for store: almost a chunk, and a piece of the client's at twice its size, with room
   * to spare. */
  HOLD_MAX = CHUNK_AT + 4 * POP3_CLIENT_IN,
  RUN_LIST_MAX = 200 * 1000, /* messages of a listing; the rest is seen when these are gone */
  RUN_SESSION_MS = 2 * 3600 * 1000,
  RUN_PER_ADDRESS = 16,
  RUN_SESSIONS = 6,           /* in one run */
  RUN_SESSION_PAUSE_MS = 500, /* between two sessions: the other server releases its lock */
  STEP_WORDS_MAX = 240,
};

struct collector {
  struct process *process;
  struct buf authorities; /* PEM: the authorities that may sign a server's certificate */
  struct tls_client
      /* created when the first run needs it, freed when no run is left: the parsed certificates
       * take megabytes */
      *tls;
  struct run *runs;
  unsigned running;
  uint64_t tags; /* given */
  bool waits;    /* a collect_ready is out */
  struct loop_later reap;
};

enum run_asks {
  ASKS_NOTHING,
  ASKS_DATES,
  ASKS_SPOOL,
  ASKS_COMMIT,
  ASKS_DELETED,
  ASKS_HOUSEKEEPING
};

/* Detects whether a message has been through this collection before: examines the header, line by
 * line (loop.c). */
struct loop_look {
  struct buf line;
  bool over, by_us, found;
};

struct run {
  struct run *next;
  struct collector *collector;
  uint64_t tag, number;
  uint32_t store; /* the store process that has the grant */
  /* the job */
  char host[COLLECT_HOST_MAX + 1], mechanism[33];
  struct buf account, user, secret;
  uint16_t port;
  enum collect_tls tls;
  uint64_t leave_s;
  bool resolving;
  /* lists of UIDLs, separated by spaces: excluded; those to skip, from earlier runs; of these,
   * those still listed; those tried now; those that this run skipped */
  struct buf left_out, suspects, waiting, probed, stepped;
  /* numbers of the messages at which its sessions were stuck: UIDLs may not be unique */
  uint64_t stuck[RUN_SESSIONS];
  size_t stuck_count;
  /* the only message that this session is for; empty: it is for all others */
  char probe[UIDL_MAX + 1];
  char step_words[STEP_WORDS_MAX]; /* of the first that was skipped */
  unsigned sessions, out;          /* excluded: listed, but not wanted */
  bool seen_list;                  /* `waiting` is true */
  struct loop_timer *pause;
  struct dial_address addresses[RUN_PER_ADDRESS];
  size_t address_count;
  /* the connection */
  struct dial *dial;
  struct pop3_client *pop;
  /* the listing */
  size_t asked,
      /* items before `asked` have their dates or have no UIDL; ask_count are being asked about */
      ask_count;
  bool listed;
  /* the message */
  enum run_asks asks;
  struct pop3_item *item; /* the item being received or committed */
  struct buf hold;        /* its octets not yet sent to store */
  /* store has a part of it; that is to be dropped when store has answered */
  /* store must discard what it has of a message before the next question; the end of the run also
   * does that, but auth may learn of that end first */
  bool discard_due;
  bool spooled, drop;
  struct mail_clean clean;
  bool settled; /* header_settle() has determined how it begins */
  struct digest_run *digest;
  struct loop_look loop;
  unsigned looping; /* messages that came through this collection before */
  /* the session's end */
  struct buf gone; /* store's rows of messages that were deleted there, u64 each */
  bool housekeeping_due, more, winding;
  enum collect_outcome refused;
  /* statistics */
  uint32_t fetched, deleted, left;
  uint64_t octets, began_ms;
  struct mail_changes changed;
  bool halted, over;
  enum collect_verdict verdict;
  char words[COLLECT_TEXT_MAX];
};

/* run.c */
bool run_begin(struct collector *c, uint64_t tag, const struct collect_job *job);
/* An answer from store. False: malformed, or no question is open. */
bool run_store_message(struct run *r, const struct ipc_msg *msg);
/* The resolver's answer. False: malformed, or no question is open. */
bool run_notified(struct run *r, const struct ipc_msg *msg);
/* Record why the run ends; the first reason is kept. */
void run_fail(struct run *r, enum collect_verdict v, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Fetch no more messages; safe ones are still deleted. */
void run_halt(struct run *r);
void run_free(struct run *r);
/* The run is over: reports the result; it is freed at the end of this turn. */
void run_end(struct run *r);
/* Records what stopped the session, for its end; the session goes on to its own end. */
void run_note(struct run *r, enum collect_verdict v, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void run_notify_store(struct run *r, uint16_t type, const struct buf *payload, enum run_asks asks);
/* Connects to the same server again. */
void run_connect(struct run *r);
/* The verdict for a session's end. */
enum collect_verdict run_verdict(const struct pop3_client *p);

/* The listing begins. */
void steps_listed(struct run *r);
/* True if this session is to fetch it. `date` as in collect_dates. */
bool steps_wants(struct run *r, const struct pop3_item *item, uint64_t date);
/* The session is over. */
void steps_session_over(struct run *r, const char *why);
/* store has answered the question that the session's end waited for. */
void steps_wind_up(struct run *r);
/* Puts what the next run is to skip. */
void steps_put(const struct run *r, struct buf *out);

/* loop.c */
void loop_look_begin(struct loop_look *l);
/* Examines the next octets of a message. True: it has been through this collection before. */
bool loop_look_at(struct run *r, struct slice octets);

/* sink.c */
struct pop3_sink run_sink(struct run *r);
bool sink_store_message(struct run *r, const struct ipc_msg *msg);

/* trace.c: the "Received: …" to be prepended to a message. */
void trace_put(const struct run *r, int64_t now_s, struct buf *out);

/* main.c */
extern const struct role_ops collector_ops;
void collector_open(struct collector *c);
/* Frees a started collector, and reports nothing. */
void collector_close(struct collector *c);
void collector_sent_result(struct run *r);
void collector_reap(struct collector *c);
struct tls_client *collector_tls(struct collector *c, struct buf *err);

#endif
