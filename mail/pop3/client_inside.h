/* SPDX-License-Identifier: ISC */
/* What the parts of the client session share: client.c (the wire, the phases), client_login.c,
 * client_list.c, client_fetch.c. Only they include this. */
#ifndef QASID_POP3_CLIENT_INSIDE_H
#define QASID_POP3_CLIENT_INSIDE_H

#include "lib/base/arena.h"
#include "mail/pop3/client.h"
#include "mail/pop3/line.h"
#include "mail/pop3/reply.h"
#include "mail/sasl/login.h"

/* What the server has been asked, in the order in which it answers. */
enum verb {
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
  enum verb verb;
  size_t item; /* of RETR, TOP, DELE */
};

struct session {
  struct pop3_client pub; /* first: what the shell sees */
  enum phase phase;

  /* what it was told */
  struct pop3_client_policy policy;
  struct pop3_client_limits limits;
  struct pop3_sink sink;
  struct buf user, secret, authzid, nonce, host, named; /* named: a mechanism; empty: the best */
  uint16_t port;

  /* the wire */
  struct pop3_framer framer;
  struct asked asked[POP3_CLIENT_WINDOW]; /* a ring */
  size_t asked_at, asked_n;
  bool inside;    /* in the lines or octets of a multi-line answer */
  uint64_t lines; /* of this answer */
  bool busy;      /* in a call of the shell: what the sink says is looked at when it ends */
  uint64_t idle_at, session_at, sink_at; /* deadlines; sink_at 0: the sink is not waited for */

  /* what the server can */
  bool secure;  /* TLS is there */
  bool capable; /* it knows CAPA */
  bool stls, user_pass, auth_codes, utf8;
  struct buf mechanisms; /* separated by spaces */
  struct buf timestamp;  /* APOP's */

  /* the login */
  struct sasl_client sasl;
  bool sasl_on, first_sent, cancelled;
  const struct sasl_way *way; /* under way, or the last */
  struct sasl_login_past tried;
  struct buf response;
  struct proto_bindings bindings; /* what `sasl` binds to */

  /* the list */
  struct arena uidls;
  size_t room, at; /* of items; where the next UIDL is looked for */

  /* fetching */
  bool finishing, marked; /* marked: some DELE was said */
  bool drain;             /* the rest of this message is nobody's */
  bool end_waits;         /* the end of this message is here, and the sink holds */
  size_t next;            /* the item to ask for next */
  size_t unsettled;
  struct pop3_item *last_short; /* the last message that came short; NULL: none did */
  uint64_t under_way;           /* octets of messages asked for, by LIST */
  uint64_t credited;            /* octets of the message when the idle time was last counted anew */
  struct pop3_unstuffer unstuff;
  struct buf piece;
};

/* --- client.c --- */
/* Says a line, of which `shown` goes to the trace (NULL: all), and waits for the answer. */
void client_send(struct session *s, enum verb verb, size_t item, struct slice line,
                 const char *shown);
/* A line of an exchange that is under way; nothing more is waited for. */
void client_send_more(struct session *s, struct slice line, const char *shown);
void client_end(struct session *s, enum pop3_end end);
/* The same after a QUIT that nobody waits for. */
void client_end_politely(struct session *s, enum pop3_end end);
/* What a refusal means by its response code; `plain` when it has none. */
enum pop3_end client_refusal(const struct pop3_reply *r, enum pop3_end plain);
void client_capa(struct session *s);
void client_quit(struct session *s);
/* The commands that may be under way. */
size_t client_window(const struct session *s);
/* What the sink said, of `item` (NULL: of the list). False: nothing more of this call. */
bool client_heed(struct session *s, struct pop3_item *item, enum pop3_sink_verdict verdict);

/* --- client_login.c --- */
void login_begin(struct session *s);
void login_answer(struct session *s, const struct pop3_reply *r); /* to AUTH, USER, PASS, APOP */
void login_forget(struct session *s);

/* --- client_list.c --- */
void list_begin(struct session *s);
void list_answer(struct session *s, const struct pop3_reply *r);
void list_line(struct session *s, struct slice line);
void list_end(struct session *s);
void uidl_answer(struct session *s, const struct pop3_reply *r);
void uidl_line(struct session *s, struct slice line);
void uidl_end(struct session *s);

/* --- client_fetch.c --- */
/* Asks for what may be asked for now; goes on to DELE and QUIT. Called whenever something has
 * changed. */
void fetch_advance(struct session *s);
void fetch_answer(struct session *s, const struct pop3_reply *r); /* to RETR, TOP */
void dele_answer(struct session *s, const struct pop3_reply *r);
/* Octets of a message. False: no more is taken now. */
bool fetch_body(struct session *s, struct slice *in);
/* The sink goes on. */
void fetch_resume(struct session *s);
/* The message at which a session that ends so has been stuck; NULL: none. */
struct pop3_item *fetch_stuck(struct session *s, enum pop3_end end);
/* The session ends: what is half here is cut. */
void fetch_cut(struct session *s);

static inline struct asked *client_head(struct session *s) { return &s->asked[s->asked_at]; }
/* The answer to the oldest command is whole. */
void client_answered(struct session *s);

#endif
