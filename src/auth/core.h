/* SPDX-License-Identifier: ISC */
/* Inside auth: declarations shared by its files.
 *
 * A login's states, and what moves it on (in login.c unless noted):
 *
 *   TALKING   the mechanism waits for the client         → login_credential() (login_credential.c)
 *   WAITING   in the queue for a hash                    → auth_dispatch() (dispatch.c)
 *   HASHING   the shell computes it                      → auth_finish() (dispatch.c)
 *   HELD      decided; the answer is delayed             → auth_tick() (auth.c)
 *   GRANTING  right; store is asked to grant the session → auth_granted, or its time is over
 *
 * Every answer to a front-end leaves through login_failed(), login_challenge() or login_accept(). A
 * login whose client is gone has no front; in HASHING and HELD it lives on, because its place
 * counts (but see AUTH_LEFT). */
#ifndef QASID_AUTH_CORE_H
#define QASID_AUTH_CORE_H

#include "lib/base/heap.h"
#include "src/auth/accounts.h"
#include "src/auth/addresses.h"
#include "src/auth/auth.h"
#include "src/auth/cache.h"
#include "src/auth/schedule.h"
#include "src/auth/job.h"
#include "src/auth/queue.h"
#include "src/auth/token.h"
#include "src/auth/visits.h"

enum {
  AUTH_GRANT_MS = 10000, /* store must answer a grant by then */
  /* Maximum logins whose clients hung up, for one front-end and for all: further ones give up their
   * places. */
  AUTH_LEFT_PER_FRONT = 4096,
  AUTH_LEFT = 16384,
  AUTH_GRANTED = 200000, /* sessions of one front-end whose grants are remembered */
};

/* A front-end process with logins in progress. */
struct auth_front {
  enum role kind;
  uint32_t number;
  struct map logins; /* tag → login */
  /* smtpd: tag → account of the logged-in sessions, for a restarted store */
  struct map granted;
  size_t left; /* logins that continue although their clients have hung up */
  struct auth_front *next;
};

enum login_state { LOGIN_TALKING, LOGIN_WAITING, LOGIN_HASHING, LOGIN_HELD, LOGIN_GRANTING };
enum login_proof {
  PROOF_PASSWORD,
  PROOF_CRAM,
  PROOF_SCRAM,
  PROOF_APOP,
  PROOF_TOKEN,
  PROOF_CERTIFICATE
};

struct login {
  /* who asks */
  struct auth_front *front; /* NULL: the client is gone, no answer is sent */
  uint32_t left;            /* then: the number of the client's front-end */
  bool uncounted;           /* its network is one of auth_trusted_networks */
  uint64_t tag, network;
  enum role kind; /* of the front-end; stays when the client goes */
  uint32_t front_number;
  uint8_t peer[16];
  uint8_t peer_n;
  /* state */
  enum login_state state;
  uint64_t asked_ms;      /* when the credential was complete */
  uint64_t serial;        /* GRANTING: our tag at store */
  struct heap_node delay; /* in auth.delayed, by the time when its answer is due */
  /* the credential; name and password are in `sasl`, however they were received */
  enum login_proof proof;
  const char *service;   /* of the client's listener, as in the log */
  const char *mechanism; /* as in the log: a SASL name, USER or APOP; NULL: unknown */
  struct sasl_server sasl;
  const char *token_why; /* why the token was refused; NULL: it was not */
  struct buf last;       /* the mechanism's last message with success, or (tokens) with failure */
  uint8_t certificate[ACCOUNT_FINGERPRINT]; /* the client's, as reported by the front-end */
  bool reported;                            /* its failure was logged */
  bool mismatch;                            /* it asked to act for another user */
  uint8_t key[CACHE_KEY];
  /* what it is verified against */
  struct account *row; /* the stand-in row when there is no such account */
  bool known, right;
  struct auth_address *address; /* in whose queue it waits */
  unsigned *place;              /* the counter of places that it is in; NULL: it takes none */
  bool visited;                 /* its user has logged in from there before */
  struct login *line_next, *line_before;
};

/* Each is one row of `qasid status`. */
#define AUTH_COUNTERS(C)                       \
  C(logins, "logins")                          \
  C(wrong, "wrong name or password")           \
  C(malformed, "malformed exchanges")          \
  C(unavailable, "mechanisms refused")         \
  C(trouble, "told to try later")              \
  C(too_soon, "too soon after the last login") \
  C(cache_hits, "passwords remembered")        \
  C(repeats, "wrong passwords repeated")       \
  C(hashes, "hashes computed")                 \
  C(tokens, "access tokens refused")           \
  C(unreadable, "sealed secrets that could not be read")
struct auth_counters {
#define C(id, words) uint64_t id;
  AUTH_COUNTERS(C)
#undef C
};

/* quiet.c: the database's log and its free space. */
struct auth_quiet {
  struct db_giving giving;
  uint64_t seen; /* commits that were examined */
  uint64_t at_ms;
};

struct auth {
  const struct conf *conf;
  struct auth_shell shell;
  struct accounts accounts;
  struct account nobody; /* stands in for accounts that do not exist */
  uint8_t salt_key[DIGEST_SHA256_SIZE];
  struct cache cache;
  struct addresses addresses;
  struct visits visits;
  size_t left; /* logins that continue although their clients have hung up */
  struct auth_queue queue;
  struct token_verifier *verifier; /* NULL: tokens are not accepted */
  struct heap delayed;             /* logins whose answer is delayed, or that wait for store's */
  struct auth_front *fronts;
  struct map grants; /* serial → login */
  bool apop;         /* an account could log in by APOP: what front-ends were last told */
  uint64_t serial;
  unsigned running; /* jobs at the shell */
  bool dispatching;
  struct admin_call *calls;                  /* commands in progress */
  struct bulk *bulks;                        /* rows that command lines have put (admin_bulk.c) */
  struct auth_job *admin_first, *admin_last; /* their jobs, waiting */
  struct auth_counters count;
  struct collect_schedule schedule;
  struct auth_quiet quiet;
};

/* auth.c */
/* The front-end with that number, if it has had a login and is still connected. */
struct auth_front *auth_front(const struct auth *a, uint32_t number);

/* refusal.c */
/* The service of that name, NULL if front-ends of `kind` have none. */
const char *auth_service(enum role kind, struct slice name);
/* Logs a failed login: the account, from where, how, and why. */
void auth_report(struct auth *a, const struct login *l, const char *why);
/* Why a credential was wrong. */
const char *auth_wrong_words(const struct login *l);
const char *auth_failure_words(enum auth_failure why);

/* login.c */
bool login_start(struct auth *a, struct auth_front *f, uint64_t tag, struct slice payload,
                 uint64_t now_ms);
bool login_step(struct auth *a, struct auth_front *f, uint64_t tag, struct slice payload,
                uint64_t now_ms);
bool login_password(struct auth *a, struct auth_front *f, uint64_t tag, struct slice payload,
                    uint64_t now_ms);
bool login_apop(struct auth *a, struct auth_front *f, uint64_t tag, struct slice payload,
                uint64_t now_ms);
void login_cancel(struct auth *a, struct login *l);
/* Withdraws the grant of a session, if there is one. */
void login_revoke(struct auth *a, uint32_t front, uint64_t session);
/* store was restarted: repeats the grants that it does not know. */
void login_repeat_grants(struct auth *a);
/* store reports that a logged-in session of that front-end is over. */
void login_over(struct auth *a, uint32_t front, uint64_t session);
/* True when no hash is needed (any more) to decide it; it is decided by then. */
bool login_decided(struct auth *a, struct login *l, uint64_t now_ms);
/* at_once: it was proved by something cheap; a right answer is not delayed (addresses.h, rule
 * 3). */
void login_decide(struct auth *a, struct login *l, bool right, bool at_once, uint64_t now_ms);
/* Its delay is over: sends the answer, or for GRANTING gives up waiting. */
void login_due(struct auth *a, struct login *l, uint64_t now_ms);
/* The login whose delay ends first (delay.key is when), or NULL. */
struct login *login_first_due(const struct auth *a);
void login_granted(struct auth *a, struct login *l, bool known, uint32_t wait_s);
void login_failed(struct auth *a, struct login *l, enum auth_failure why);

/* login_credential.c */
/* The client has sent everything. The login may be over when this returns. */
void login_credential(struct auth *a, struct login *l, uint64_t now_ms);
/* A verifier's result: why the token is refused (static; NULL: it is good), and which account it
 * names. */
void login_token_judged(struct auth *a, struct login *l, const char *why, struct slice name,
                        uint64_t now_ms);
/* Applies the option login_domain: completes a login without a domain. */
void login_qualify(const struct auth *a, struct buf *name);
/* The salt of the name's password: from its row, or, without one, what it would be. False: unknown
 * at the moment. */
bool login_scram_salt(struct auth *a, const struct login *l, struct scram_verifier *ret);

/* auth.c: the accounts may have changed. */
void auth_offers_look(struct auth *a);

/* dispatch.c */
void auth_dispatch(struct auth *a, uint64_t now_ms);
/* SCRAM's salts for an account of that name. */
bool job_salts(const struct auth *a, struct auth_job *j, struct slice name);

/* admin.c */
bool admin_command(struct auth *a, uint32_t number, struct slice payload, uint64_t now_ms);
void admin_finish(struct auth *a, struct admin_call *call, struct auth_job *job);
void admin_lost(struct auth *a, uint32_t number);
void admin_free(struct auth *a);
struct auth_job *admin_take_job(struct auth *a);

#endif
