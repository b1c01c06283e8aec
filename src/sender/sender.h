/* SPDX-License-Identifier: ISC */
/* The role that sends mail to other servers: it takes letters from store, finds their servers
 * through the resolver, delivers them by SMTP or LMTP, and reports the outcome for each recipient
 * to store.
 *
 *   store ──letter──► sign ──► next hop ──► link ──verdicts──► result ──► store
 *
 *   sign       body hash here, signature from keys (sign.c)
 *   next hop   where mail goes by its route; asks the resolver for its hosts (nexthop.c, hosts.c)
 *   link       one connection, by runtime/dial and mail/smtp/client (link.c)
 *
 * Invariants:
 *  1. A letter is in exactly one place: being signed (or converted), a queue of its next hop, a
 *     link's session, or on its way into a result.
 *  2. Every letter is reported once, with an outcome for each recipient, unless store is lost
 *     first.
 *  3. store is offered room for as many letters as were reported; letters here never exceed
 *     SEND_CREDIT_MAX.
 *  4. At the end (retire(), stop()), letters that are in no session return to store at once;
 *     sessions finish the letters that they have; those that await the reply to their end of data
 *     get the longest time.
 *  5. A next hop without letters and links is freed NEXTHOP_REST_MS later; a link without letters
 *     sends QUIT after LINK_IDLE_MS.
 * It opens no file after its start, listens nowhere, and connects only to `remote_port` and the
 * ports of `routes`. */
#ifndef QASID_SENDER_H
#define QASID_SENDER_H

#include "ipc/sender_keys.h"
#include "ipc/sender_store.h"
#include "lib/base/arena.h"
#include "lib/base/map.h"
#include "lib/base/seldom.h"
#include "runtime/dial/dial.h"
#include "lib/dns/dns.h"
#include "mail/seven.h"
#include "runtime/admin/admin.h"
#include "runtime/role/process.h"
#include "mail/smtp/client.h"
#include "src/sender/blocked.h"
#include "src/sender/signed.h"

enum {
  NEXTHOP_HOSTS_MAX = 8,      /* mail exchangers that are tried */
  NEXTHOP_ADDRESSES_MAX = 16, /* addresses of them, in all */
  NEXTHOP_REST_MS = 60 * 1000,
  NEXTHOP_HOSTS_MS = 10 * 60 * 1000, /* after this time its hosts are looked up again */
  NEXTHOP_CONNECTIONS_FIRST = 2,
  NEXTHOP_RESOLVERS_MAX = 3, /* resolvers that one question is put to if they die */
  LINK_IDLE_MS = 2000,
  LETTER_ROUNDS_MAX = 5, /* connections that one letter is tried on */
  LETTER_MEMORY = 512 * 1024,
  /* open at keys; bounds how many signatures a TLS handshake there waits for */
  SIGN_QUESTIONS = 4,
  SIGN_LOOKED_AT = 64, /* waiting ones that are examined, to find one that asks something else */
  /* for octets from store and a signature; after that the message returns to the queue */
  SIGN_PATIENCE_MS = 60 * 1000,
  SIGN_PAUSE_MS = 50, /* after "busy" */
  /* when stopping: time for sessions in progress to end, except those at the end of data */
  STOP_MS = 5000,
  /* likewise after a reload, for a long message; sessions that then await the reply to their end of
   * data get the time-out of that (RFC 5321 §4.5.3.2.6) */
  RETIRE_MS = 20 * 60 * 1000,
  PLANS_MAX = 8, /* command lines that wait for DNS */
  OWN_ADDRESSES_MAX = 256,
  SOURCES_MAX = 32,
  WHY_MAX = 240,
  /* output of a converted letter that is held: from one piece and one header */
  CONVERTED_MAX = 512 * 1024,
  CONVERTED_PIECE = 16 * 1024,
};

struct nexthop;
struct link;
struct signing;
struct sender;

/* --- letter.c --- */
struct letter {
  struct smtp_letter smtp; /* first: the session's part. rcpts: those that have no outcome yet */
  struct letter *next;     /* in the next hop's queue */
  struct sender *sender;
  struct nexthop *nexthop;
  struct link *link; /* the link whose session has it */
  uint64_t tag;
  struct arena memory;
  struct slice id, signer;
  struct conf_route_asked way; /* its destination, and the sender's account and domain, which select
                                * routes */
  struct slice first;          /* the octets that came with it */
  struct slice prefix;         /* our fields, prepended to them; included in smtp.size */
  struct signing *signing;     /* while it is being signed; then NULL */
  uint64_t size;               /* size of the message as store has it; smtp.size: as sent */
  /* octets of it, not counting the prefix, that were given to the session or its converter */
  uint64_t at;
  struct buf chunk;           /* more of them, from store */
  struct seven *seven;        /* for a conversion to seven bits: the converter, */
  struct buf plan, converted; /* its plan, and its unsent output */
  bool asked, unreadable, recalled;
  bool stale; /* octets requested from store are no longer wanted: the message is read from the
               * beginning again */
  bool ended; /* it is reported once those octets have come */
  unsigned rounds;
  struct smtp_letter_rcpt *rcpts;
  uint64_t *rows;      /* of smtp.rcpts, in the same order */
  struct buf outcomes; /* list of struct send_outcome */
  bool obstructed;     /* the last session lacked an extension that some of its recipients need, */
  /* or refused some for a reason that may be our address: addresses of the other family are tried
   * too */
  bool other_family;
  uint8_t families; /* families tried for that reason: bits of family_bit() */
  /* of smtp.rcpts, in the same order: replies that do not count until other servers were tried (of
   * the first family; one that leaves doubt); why the last session did not decide them. No text:
   * none */
  struct send_outcome *replied, *undecided;
  bool progress;     /* the last session decided some */
  uint8_t doubts;    /* number of sessions whose reply to the end of data left doubt */
  uint16_t refused;  /* addresses of the next hop not to be tried for it: a bit each */
  uint8_t obstacles; /* and why: a bit for each enum smtp_obstacle */
  bool unreachable;
  uint64_t session; /* the last link that had it; 0: none */
  struct letter_place {
    uint8_t where; /* enum send_place */
    uint64_t session;
  } seen, told; /* by the last sweep; by store */
  char host[256], address[64], tls[48];
};

/* From store's message. NULL if *ret_malformed, or without memory. */
struct letter *letter_new(struct sender *s, uint64_t tag, const struct send_letter *m,
                          bool *ret_malformed);
void letter_free(struct letter *l);
/* The source's read(). */
enum smtp_source_verdict letter_read(struct letter *l, struct buf *out, size_t most);
/* It will be read from the beginning again. */
void letter_rewind(struct letter *l);
/* A session returned it: records its outcomes. False: some recipients are to be tried again;
 * `obstructed`: at another host. `cut`: we ended the session. */
bool letter_take_verdicts(struct letter *l, bool cut);
/* No host is left: each lacks an extension that some recipient needs, and `why` gives more. Also
 * reports it. */
void letter_give_up(struct letter *l, const char *why);
/* Every recipient without an outcome gets this one. */
void letter_decide(struct letter *l, enum send_fate fate, enum smtp_stage stage, uint16_t code,
                   const uint8_t enhanced[3], struct slice text);
/* Every recipient without an outcome is deferred, for the reason that the last session gave for it,
 * or else for this one. */
void letter_put_off(struct letter *l, const struct smtp_verdict *why);
/* All outcomes are known: reports the letter to store and frees it, once no requested octets are
 * outstanding. */
void letter_report(struct letter *l);
/* The process is about to end: recipients without an outcome return to store. Also reports it. */
void letter_return(struct letter *l);
/* Octets from store. False: not requested. */
bool letter_octets(struct letter *l, struct slice octets);

/* Tells store about letters that have not moved since the last sweep. */
void letters_sweep(struct sender *s);

/* Requests octets from the message's `offset` on. */
void letter_ask(struct letter *l, uint64_t offset);

/* --- sign.c --- */

/* Hashes the message, has it signed for its signer, and passes it to its next hop; without a signer
 * at once. */
void sign_begin(struct letter *l);
/* No host accepts 8-bit octets: converts the letter, which is in no next hop now, to seven bits,
 * has it signed again and passes it to its next hop; or gives up. */
void sign_convert(struct letter *l);
/* Octets that signing requested. */
void sign_octets(struct letter *l, struct slice octets);
/* Octets of an earlier reading came and were discarded: it may request its own now. */
void sign_resume(struct letter *l);
bool sign_answer(struct sender *s, uint64_t question, const struct dkim_signed *a);
/* keys was connected, or lost: open questions are asked again. */
void sign_keys_connected(struct sender *s, uint32_t number);
void sign_keys_lost(struct sender *s, uint32_t number);
/* Those that have waited too long return to the queue. */
void sign_sweep(struct sender *s);
/* The letter is no longer to be signed. */
void sign_drop(struct letter *l);

/* --- route.c: the option `routes` --- */
enum route_tls { ROUTE_OPPORTUNISTIC, ROUTE_REQUIRED, ROUTE_VERIFIED, ROUTE_NO_TLS };
struct route {
  bool direct; /* to the destination's own MX hosts */
  /* srv: the domain after the service; the name in the certificate and in route_passwords */
  char host[256];
  /* "_submission._tcp.example.org": use these SRV records (RFC 2782); else empty */
  char srv[256];
  uint16_t port;
  enum route_tls tls;
  bool implicit_tls, lmtp;
  struct slice user, secret; /* borrowed from the sender */
  size_t line;               /* line of the option, from 1; 0: none */
};
struct credentials {
  struct buf file; /* lines "HOST USER PASSWORD" */
};
/* False: a line of `routes` is invalid, or names a login that is missing (check-config says which);
 * the mail waits. */
bool route_for(const struct sender *s, const struct conf_route_asked *q, struct route *ret);
/* True if mail of one route may use the connections of the other: same server, same TLS, same
 * login. */
bool route_is_same(const struct route *a, const struct route *b);
/* The kind of DNS question for mail of that next hop, and its name. */
enum dns_kind route_question(const struct route *r, const char *nexthop, const char **ret_name);
/* The name that the server's certificate must be for, when the server is `host`. */
const char *route_certificate(const struct route *r, const char *host);
/* Puts "by its MX records, port 25", "smtp.example.net port 587, by \"* smtp.example.net:587\"", …,
 * and its TLS policy. */
void route_put(const struct route *r, const struct conf *c, struct buf *out);
const char *route_tls_word(const struct route *r);
/* The port of each route, for the sandbox. */
void route_ports(struct process *r);
/* Reads the file of passwords, before the process is confined. False with a sentence. */
bool route_read_credentials(const char *path, struct credentials *c, struct buf *err);

/* --- hosts.c --- */
struct nexthop_address {
  struct dial_address at;
  uint8_t host; /* index in nexthop.hosts */
};
enum hosts_found { HOSTS_FOUND, HOSTS_LATER, HOSTS_NEVER };
struct hosts {
  char names[NEXTHOP_HOSTS_MAX][256];
  size_t name_count;
  struct nexthop_address addresses[NEXTHOP_ADDRESSES_MAX];
  size_t count;
};
struct hosts_verdict {
  enum hosts_found found;
  uint8_t enhanced[3];
  char why[WHY_MAX];
};
/* Why a host or address of an answer is used or left out. */
enum hosts_fate {
  HOST_TRIED,
  HOST_PRIVATE,    /* an address of a private network in somebody else's DNS */
  HOST_OURS,       /* it is this server */
  HOST_NO_BETTER,  /* its preference is no better than that of this server */
  HOST_NO_SOURCE,  /* source_addresses has no usable address of that family */
  HOST_OTHER_PORT, /* an SRV record with a port that is not the route's */
  HOST_NO_ADDRESS,
  HOST_NO_ANSWER, /* its addresses could not be looked up now */
  HOST_FATES
};
struct hosts_line {
  const struct dns_host *host;
  struct dial_address at; /* n is 0: the host as a whole */
  enum hosts_fate fate;
};
typedef void hosts_fn(void *arg, const struct hosts_line *l);
/* Visits each of them once, in the order of trial. */
void hosts_walk(const struct sender *s, const struct dns_answer *a, const struct route *r,
                const char *nexthop, hosts_fn *fn, void *arg);
/* Adds one that is tried. *last: NULL at first. False: there are more than are tried. */
bool hosts_add(struct hosts *to, const struct hosts_line *x, const struct dns_host **last);
/* Which addresses to try, in order, and if none: why, and for how long. */
struct hosts_verdict hosts_of_answer(const struct sender *s, const struct dns_answer *a,
                                     const struct route *r, const char *name, struct hosts *ret);
/* "[192.0.2.1]", "[IPv6:2001:db8::1]": the destination of an address literal. */
bool hosts_is_literal(const struct route *r, const char *name);
struct hosts_verdict hosts_of_literal(const struct sender *s, const struct route *r,
                                      const char *name, struct hosts *ret);
/* Reads the machine's own addresses, before the process is confined. */
void hosts_read_own(struct sender *s);

/* --- nexthop.c --- */
enum nexthop_state { NEXTHOP_WAITS_FOR_DNS, NEXTHOP_ASKS, NEXTHOP_READY };
struct nexthop {
  struct nexthop *next;          /* with the same hash */
  struct nexthop *older, *newer; /* of all */
  struct nexthop *next_asking;
  struct sender *sender;
  char name[SEND_DESTINATION_MAX + 1];
  struct route route;
  enum nexthop_state state;
  uint64_t question;       /* the tag of its question at the resolver */
  unsigned resolvers_lost; /* in a row, while they had the question */
  struct hosts hosts;
  struct letter *first, **last; /* waiting */
  size_t waiting;
  struct letter *picky; /* waiting for a host that has what others lack: refused is not 0 */
  struct link *links;
  unsigned connections, want; /* connections: links that are not over; want: how many it may have */
  uint64_t rest_ms;           /* when it is freed unless mail comes; 0: it is busy */
  uint64_t found_ms;          /* when `hosts` was looked up */
  bool forgotten;             /* look it up again */
  struct nexthop *next_marked;
  bool marked; /* to be examined at the end of this turn */
};

/* Takes the letter. */
void nexthop_take(struct sender *s, struct letter *l);
void nexthop_answer(struct sender *s, uint64_t question, const struct dns_answer *a);
/* The next letter for a link of it, or NULL. */
struct letter *nexthop_next(struct link *k);
/* A letter that this host of the next hop cannot take, or (`family`: 4 or 16) none of these
 * addresses: another may. */
void nexthop_refused(struct nexthop *l, struct letter *x, const char *host, uint8_t family);
/* True if the next hop has another host that may be tried for the letter. */
bool nexthop_has_other_host(const struct nexthop *l, const struct letter *x, const char *host);
/* True if some address of the next hop is of another family and may be tried for the letter. */
bool nexthop_has_other_family(const struct nexthop *l, const struct letter *x, uint8_t family);
/* True if there is a letter for such a link. */
bool nexthop_has_work(const struct link *k);
/* Puts it at the front of the queue. */
void nexthop_put_back(struct nexthop *l, struct letter *x);
/* No address could be reached: waiting letters are deferred, unless another link goes on. */
void nexthop_failed(struct link *k);
void nexthop_free(struct nexthop *l);
/* Puts the name of the next hop for mail to the destination. */
void nexthop_put_name(const struct route *r, struct slice destination,
                      char to[static SEND_DESTINATION_MAX + 1]);
/* The next hop that mail for the destination would use now; NULL: there is none. */
const struct nexthop *nexthop_for(const struct sender *s, const struct route *r,
                                  struct slice destination);
/* Returns its waiting letters to store. */
void nexthop_drop_letters(struct nexthop *l);
/* Examines it at the end of this turn: links that are over are freed, others go on. */
void nexthop_mark(struct nexthop *l);
void nexthops_turn(struct sender *s);
/* All next hops: frees those at rest, opens connections for those that lacked one. */
void nexthops_sweep(struct sender *s);
/* The process is about to end: waiting letters return to store, sessions end after the letters they
 * have. */
void nexthops_finish(struct sender *s);
/* Interrupts sessions: all (`end`), or those that do not await the reply to an end of data. */
void nexthops_cut(struct sender *s, bool end);
void nexthops_resolver_lost(struct sender *s);
/* The choice of hosts may have changed: they are looked up again with the next letter. */
void nexthops_forget_hosts(struct sender *s);
void nexthop_ask_next(struct sender *s);

/* --- link.c --- */
struct link {
  struct link *next;
  struct nexthop *nexthop;
  /* of the current connection, never reused: the session's name in logs and in `queue list` */
  uint64_t number;
  struct dial *dial;
  struct smtp_client *client;
  size_t at; /* index of the current address in the next hop */
  /* addresses that it does not use, a bit each; if not 0, it serves picky letters only */
  uint16_t avoids;
  struct dial_address address;
  const struct source *source; /* the local address; NULL: the system's choice */
  char host[256];              /* whose it is */
  bool again;                  /* to be reconnected at the end of this turn */
  bool no_tls;                 /* TLS failed there, now or before: go without */
  bool over;
  bool worked;             /* an earlier session of it was ready */
  unsigned sent;           /* letters that the current session decided */
  struct smtp_verdict why; /* of the last address that failed */
  char why_host[256], why_address[64];
};
bool sender_link_open(struct nexthop *l, uint16_t avoids);
/* Connects to the next address, or gives up. */
void sender_link_go(struct link *k);
void sender_link_free(struct link *k);
void sender_link_wake(struct link *k);
/* The process is about to end: no new letters; a connection without a session is closed. */
void sender_link_finish(struct link *k);
/* Ends it now; its letters return to store as interrupted attempts. */
void sender_link_cut(struct link *k);

/* --- admin.c: what the command line asks --- */
struct plan;
/* False: malformed, a breach. */
bool sender_admin(struct sender *s, uint32_t number, const struct ipc_msg *msg);
/* The answer to a question of a plan. False: no plan asked it. */
bool sender_plan_answer(struct sender *s, uint64_t question, const struct dns_answer *a);
void sender_plans_resolver_lost(struct sender *s);
/* That command line has disconnected; 0: all have. */
void sender_plans_drop(struct sender *s, uint32_t number);

/* --- source.c --- */
enum source_state { SOURCE_UNKNOWN, SOURCE_NAMELESS, SOURCE_NAMED };
struct source {
  struct dial_address at; /* port 0 */
  char hello[256], pointer[256];
  enum source_state state;
  bool fits; /* its PTR record is its name */
  uint64_t question, ask_ms;
};
/* Reads the option, before the process is confined. */
void sources_read(struct sender *s);
bool source_is_used(const struct source *x);
/* The source address for mail of a next hop to an address of that family (4 or 16); *ret NULL: the
 * system chooses. False: the option is set, and none of its addresses may be used. */
bool source_for(const struct sender *s, const char *nexthop, uint8_t family,
                const struct source **ret);
/* Asks DNS what is still unknown. */
void sources_sweep(struct sender *s);
/* False: not their question. */
bool source_answer(struct sender *s, uint64_t question, const struct dns_answer *a);
void sources_resolver_lost(struct sender *s);
void source_put(const struct source *x, struct buf *out);

/* --- alarm.c: routes whose login is refused --- */
enum { ALARMS_MAX = 32 };
struct login_alarm {
  char user[256];
  char nexthop[SEND_DESTINATION_MAX + 1]; /* "[host]:port"; "": a free entry */
  char words[WHY_MAX];
};
/* The login of the session ended in this way. */
void alarm_login(const struct link *k);
/* One row for each route whose login is refused. */
void alarm_status(const struct sender *s, const struct admin_command *c);

/* --- no_tls.c --- */
struct no_tls {
  struct dial_address at;
  char nexthop[SEND_DESTINATION_MAX + 1]; /* the destination of the last mail */
  uint64_t until_ms;
  char why[SEND_NO_TLS_WHY_MAX + 1];
};
/* The entry for that address; NULL: there is none, or it has expired. */
const struct no_tls *sender_no_tls(const struct sender *s, const struct dial_address *at);
void sender_remember_no_tls(struct sender *s, const struct nexthop *l,
                            const struct dial_address *at, const char *why);
/* Sends all entries to a new store. */
void sender_send_no_tls(struct sender *s);
/* send_known_no_tls. False: malformed. */
bool sender_known_no_tls(struct sender *s, const struct ipc_msg *msg);

/* --- main.c --- */
struct sender {
  struct process *process;
  struct map letters;  /* by tag */
  struct map nexthops; /* by hash of the name */
  struct map asking;   /* next hops by the tag of their question */
  struct nexthop *oldest, *newest;
  struct nexthop *first_asking, **last_asking; /* waiting for a place at the resolver */
  /* open at the resolver: at most dns_sender_open_questions; other next hops wait */
  size_t questions;
  uint64_t asked; /* in this second: at most dns_sender_questions_per_second; likewise */
  uint64_t question;
  unsigned connections;
  uint64_t sessions; /* numbers given */
  unsigned sweeps;
  uint32_t freed;                 /* letters reported since store was last offered room */
  uint32_t store, resolver, keys; /* process numbers; 0: none */
  struct signing *first_signing, **last_signing; /* hashed, waiting for a free question to keys */
  struct {
    uint64_t number;       /* of the question; 0: free */
    struct letter *letter; /* NULL: dropped meanwhile */
  } signings[SIGN_QUESTIONS];
  uint64_t sign_question;
  struct signed_cache signatures;
  struct loop_timer *sign_pause;
  bool sign_paused;
  struct source sources[SOURCES_MAX]; /* from the option source_addresses */
  size_t source_count;
  struct login_alarm alarms[ALARMS_MAX];
  struct seldom refusals; /* for log lines about those, by the hash of the next hop */
  struct blocked blocked; /* detects a blocked remote_port */
  bool starved;           /* some next hop could not get a connection */
  struct nexthop *marked;
  struct buf authorities;
  struct tls_client *tls_any, *tls_verified;
  struct credentials credentials;
  struct dial_address own[OWN_ADDRESSES_MAX];
  size_t own_count;
  struct no_tls no_tls[SEND_NO_TLS_MAX];
  size_t no_tls_count;
  struct plan *plans;
  size_t plan_count;
  struct loop_later turn;
  struct loop_timer *sweep;
  bool ending; /* retired or stopping: no new work */
  /* when sessions are interrupted: all but those at the end of data; those too */
  uint64_t cut_ms, cut_end_ms;
  unsigned returned; /* letters returned since it began to end */
};
/* The process without the shell that runs it (runtime/role): the simulated world has its own. NULL
 * without memory. */
extern const struct role_ops sender_ops;
struct sender *sender_new(void);
void sender_free(struct sender **s);
/* All letters are store's again; nothing is left on the loop. To be called before sender_free(), if
 * start() was called. */
void sender_give_up(struct sender *s);
/* At the end of this turn: offers store the room there is, and lets next hops go on. */
void sender_turn(struct sender *s);
struct tls_client *sender_tls(struct sender *s, bool verified);
/* The result of a connection attempt; why 0: it was established. */
void sender_note_port(struct sender *s, const struct dial_address *to, int why);
/* Logs one attempt for one recipient. */
void sender_log(const struct letter *l, const struct send_outcome *o, struct slice address);

#endif
