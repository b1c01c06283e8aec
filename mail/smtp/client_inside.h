/* SPDX-License-Identifier: ISC */
/* The inside of the client session, shared by client.c (the wire, the clocks, the opening),
 * client_login.c, client_verdict.c, client_send.c (letters). Only they include this. */
#ifndef QASID_SMTP_CLIENT_INSIDE_H
#define QASID_SMTP_CLIENT_INSIDE_H

#include "mail/sasl/login.h"
#include "mail/smtp/client.h"
#include "mail/smtp/data.h"

enum smtp_phase {
  SMTP_PHASE_GREETING,
  SMTP_PHASE_EHLO,
  SMTP_PHASE_HELO,
  SMTP_PHASE_STARTTLS,
  SMTP_PHASE_AUTH,
  SMTP_PHASE_SEND, /* letters; idle when no transaction is open */
  SMTP_PHASE_RSET,
  SMTP_PHASE_QUIT,
  SMTP_PHASE_OVER,
};

/* An open transaction. Replies come in the order MAIL, RCPT of each recipient that is not refused
 * here, DATA, end of data (LMTP: one for each accepted recipient). */
enum smtp_step { SMTP_STEP_MAIL, SMTP_STEP_RCPT, SMTP_STEP_DATA, SMTP_STEP_END, SMTP_STEP_DONE };
struct smtp_transaction {
  struct smtp_letter *letter; /* NULL: the slot is free */
  enum smtp_step to_send;     /* what is to be sent next; END: the body */
  size_t to_send_rcpt;
  enum smtp_step to_receive; /* what the next reply belongs to */
  size_t to_receive_rcpt;
  size_t accepted; /* recipients */
  bool mail_taken; /* so the server has a transaction open */
  bool void_body;  /* 354 with no recipient: an empty message is owed (RFC 2920 §3.1) */
  bool body_begun, body_ended;
};

struct smtp_session {
  struct smtp_client pub; /* first: what the shell sees */
  enum smtp_phase phase;

  /* its parameters */
  struct smtp_client_policy policy;
  struct smtp_client_limits limits;
  struct smtp_source source;
  struct smtp_client_watch watch;
  struct buf hello, user, secret, nonce, host, named;
  uint16_t port;

  /* the wire */
  struct smtp_reply reply;
  uint64_t wait_at, session_at;
  bool secure, finishing, odd;   /* odd: a reply did not fit its command; the session is not used
                                  * again */
  struct smtp_verdict *answered; /* the recipient whose RCPT a 421 answered */

  /* what the server offers */
  bool starttls;
  struct buf mechanisms;

  /* the login */
  struct sasl_client sasl;
  bool sasl_on, first_sent, cancelled, logged_in;
  const struct sasl_way *way; /* in progress, or the last */
  struct sasl_login_past tried;
  struct buf response;
  struct proto_bindings bindings;

  /* transactions[0] is the one whose replies come next, transactions[1] follows it */
  struct smtp_transaction transactions[2];
  bool good;  /* the last end of data was answered 2yz */
  bool waits; /* the source has no octets now */
  struct smtp_stuff stuff;
  struct buf piece;
  uint64_t past_end; /* octets put into proto.out after the last end of data */
};

/* --- client.c --- */
void smtp_client_send(struct smtp_session *s, struct slice line, const char *shown);
/* Expects a reply within `ms`. */
void smtp_client_await(struct smtp_session *s, uint64_t ms);
/* Ends the session; the letters of open transactions get their verdicts. */
void smtp_client_end(struct smtp_session *s, enum smtp_end end);
void smtp_client_quit(struct smtp_session *s);
/* Keeps the reply as `last`. */
void smtp_client_keep(struct smtp_session *s, enum smtp_stage stage, enum smtp_fate fate);
/* EHLO, TLS and the login are done. */
void smtp_client_ready(struct smtp_session *s);

/* --- client_login.c --- */
void smtp_login_begin(struct smtp_session *s);
void smtp_login_reply(struct smtp_session *s);
void smtp_login_forget(struct smtp_session *s);

/* --- client_verdict.c --- */
/* Decided here, before any command was sent. */
bool smtp_verdict_is_local(const struct smtp_verdict *v);
/* The server may still decide it. */
bool smtp_verdict_is_open(const struct smtp_verdict *v);
/* The reply decides this recipient. */
void smtp_verdict_decide(struct smtp_session *s, struct smtp_verdict *v, enum smtp_stage stage,
                         enum smtp_fate fate);
/* We decide: the server lacks something, or the connection is gone. enhanced: "4.4.2". */
void smtp_verdict_decide_here(struct smtp_verdict *v, enum smtp_stage stage, enum smtp_fate fate,
                              const char enhanced[static 5], const char *why);
/* False: an argument that could end its line, or its path. */
bool smtp_send_is_sendable(struct slice arg);
/* Decides verdicts that need no command. False: nothing of the letter is to be sent. */
bool smtp_send_look_at(struct smtp_session *s, struct smtp_letter *l);

/* --- client_send.c --- */
/* Sends what may be sent now: the next letter, the next command. */
void smtp_send_advance(struct smtp_session *s);
void smtp_send_reply(struct smtp_session *s);
void smtp_send_rset_reply(struct smtp_session *s);
/* The reply closes the session: records which recipient it answers. */
void smtp_send_shut_down(struct smtp_session *s);
void smtp_send_body(struct smtp_session *s);
/* The session is over: returns the letters of open transactions. */
void smtp_send_abandon(struct smtp_session *s, enum smtp_end why);

#endif
