/* SPDX-License-Identifier: ISC */
/* The inside of the client session, shared by client.c (the wire, the phases), client_login.c,
 * client_list.c, client_fetch.c. Only they include this. */
#ifndef QASID_POP3_CLIENT_INSIDE_H
#define QASID_POP3_CLIENT_INSIDE_H

#include "lib/base/arena.h"
#include "mail/pop3/client.h"
#include "mail/pop3/line.h"
#include "mail/pop3/reply.h"
#include "mail/sasl/login.h"

/* The commands sent, in the order in which the server replies. */
enum pop3_client_verb {
  VERB_GREETING,
  VERB_CAPA,
  VERB_STLS,
  VERB_UTF8,
  VERB_AUTH,
  VERB_USER,
  VERB_PASS,
  VERB_APOP,
  VERB_LIST,
  VERB_UIDL,
  VERB_RETR,
  VERB_TOP,
  VERB_STEP, /* UIDL of one message: is the server in step? */
  VERB_DELE,
  VERB_QUIT,
  VERBS
};

enum phase {
  PHASE_OPENING, /* greeting, capabilities, STLS */
  PHASE_LOGIN,
  PHASE_LIST,
  PHASE_WISHES, /* the sink looks at the list */
  PHASE_FETCH,  /* RETR and TOP, then until all is settled */
  PHASE_DELETE,
  PHASE_QUIT,
  PHASE_OVER
};

struct asked {
  enum pop3_client_verb verb;
  size_t item; /* of RETR, TOP, STEP, DELE */
};

struct pop3_client_session {
  struct pop3_client pub; /* first: what the shell sees */
  enum phase phase;

  /* its parameters */
  struct pop3_client_policy policy;
  struct pop3_client_limits limits;
  struct pop3_sink sink;
  struct buf user, secret, authzid, nonce, host, named; /* named: a mechanism; empty: the best */
  uint16_t port;

  /* the wire */
  struct pop3_framer framer;
  struct asked asked[POP3_CLIENT_WINDOW]; /* a ring */
  size_t asked_at, asked_n;
  bool inside;    /* inside the lines or octets of a multi-line reply */
  uint64_t lines; /* of this answer */
  bool busy; /* inside a call from the shell: requests of the sink are handled when the call ends */
  uint64_t idle_at, session_at, sink_at; /* deadlines; sink_at 0: not waiting for the sink */

  /* the server's capabilities */
  bool secure;  /* TLS is there */
  bool capable; /* it knows CAPA */
  bool stls, user_pass, auth_codes, utf8;
  struct buf mechanisms; /* separated by spaces */
  struct buf timestamp;  /* APOP's */

  /* the login */
  struct sasl_client sasl;
  bool sasl_on, first_sent, cancelled;
  const struct sasl_way *way; /* in progress, or the last */
  struct sasl_login_past tried;
  struct buf response;
  struct proto_bindings bindings; /* what `sasl` binds to */

  /* the list */
  struct arena uidls;
  size_t cap, at; /* of items; where the next UIDL is looked for */

  /* fetching */
  bool finishing, marked; /* marked: some DELE was sent */
  bool drain;             /* the rest of this message is discarded */
  bool end_waits;         /* this message is complete, and the sink holds */
  size_t next;            /* the item to ask for next */
  size_t unsettled;
  struct pop3_item *last_cut; /* the last message that is, or judging by its size may be, truncated;
                               * NULL: none */
  struct pop3_item *last_came; /* the last one that was received, except with POP3_LOOK */
  bool last_whole;             /* its size proves it complete */
  struct pop3_item *unproven;  /* it may be truncated; the sink has its octets, and gets its end
                                * once it is proven complete */
  bool in_doubt;               /* replies after `last_cut` may be the rest of it: see
                                * is_in_step() */
  bool counts_lf;              /* the server counts a line end as one octet */
  bool one_by_one;             /* sizes are unreliable here: only one RETR outstanding at a time */
  uint64_t line_ends;          /* of the message being received */
  uint64_t under_way;          /* octets of messages asked for, by LIST */
  uint64_t credited;           /* octets of the message when the idle time was last restarted */
  struct pop3_unstuffer unstuff;
  struct buf piece;
};

/* --- client.c --- */
/* Sends a line, of which `shown` goes to the trace (NULL: all), and expects a reply. */
void client_send(struct pop3_client_session *s, enum pop3_client_verb verb, size_t item,
                 struct slice line, const char *shown);
/* Sends a line of an exchange in progress; no further reply is expected. */
void client_send_more(struct pop3_client_session *s, struct slice line, const char *shown);
void client_end(struct pop3_client_session *s, enum pop3_end end);
/* The same after a QUIT whose reply is not awaited. */
void client_end_politely(struct pop3_client_session *s, enum pop3_end end);
/* The result for a refusal by its response code; `plain` when it has none. */
enum pop3_end client_refusal(const struct pop3_reply *r, enum pop3_end plain);
void client_capa(struct pop3_client_session *s);
void client_quit(struct pop3_client_session *s);
/* How many commands may be outstanding. */
size_t client_window(const struct pop3_client_session *s);
/* Handles the sink's verdict on `item` (NULL: on the list). False: do nothing more in this call. */
bool client_heed(struct pop3_client_session *s, struct pop3_item *item,
                 enum pop3_sink_verdict verdict);

/* --- client_login.c --- */
void login_begin(struct pop3_client_session *s);
void login_answer(struct pop3_client_session *s,
                  const struct pop3_reply *r); /* to AUTH, USER, PASS, APOP */
void login_forget(struct pop3_client_session *s);

/* --- client_list.c --- */
void list_begin(struct pop3_client_session *s);
void list_answer(struct pop3_client_session *s, const struct pop3_reply *r);
void list_line(struct pop3_client_session *s, struct slice line);
void list_end(struct pop3_client_session *s);
void uidl_answer(struct pop3_client_session *s, const struct pop3_reply *r);
void uidl_line(struct pop3_client_session *s, struct slice line);
void uidl_end(struct pop3_client_session *s);
/* Whether the server's UIDL is the item's. */
bool uidl_is(struct pop3_client_session *s, const struct pop3_item *item, struct slice uidl);

/* --- client_fetch.c --- */
/* Sends the commands that may be sent now; goes on to DELE and QUIT. Called after every change. */
void fetch_advance(struct pop3_client_session *s);
void fetch_answer(struct pop3_client_session *s, const struct pop3_reply *r); /* to RETR, TOP */
void step_answer(struct pop3_client_session *s, const struct pop3_reply *r);
void dele_answer(struct pop3_client_session *s, const struct pop3_reply *r);
/* Octets of a message. False: no more is taken now. */
bool fetch_body(struct pop3_client_session *s, struct slice *in);
/* The sink resumes. */
void fetch_resume(struct pop3_client_session *s);
/* The message at which a session with this result was stuck; NULL: none. */
struct pop3_item *fetch_stuck(struct pop3_client_session *s, enum pop3_end end);
/* The session ends: incomplete messages are cut. */
void fetch_cut(struct pop3_client_session *s);

static inline struct asked *client_head(struct pop3_client_session *s) {
  return &s->asked[s->asked_at];
}
/* The reply to the oldest command is complete. */
void client_answered(struct pop3_client_session *s);

#endif
