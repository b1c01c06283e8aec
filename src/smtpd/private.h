/* SPDX-License-Identifier: ISC */
/* What the files of the SMTP session share. */
#ifndef QASID_SMTPD_PRIVATE_H
#define QASID_SMTPD_PRIVATE_H

#include "ipc/roles.h"
#include "ipc/front_auth.h"
#include "ipc/smtpd_store.h"
#include "lib/base/siphash.h"
#include "mail/header.h"
#include "mail/message_id.h"
#include "mail/seven.h"
#include "mail/surrogate.h"
#include "mail/sasl/sasl.h"
#include "mail/smtp/command.h"
#include "mail/smtp/data.h"
#include "mail/smtp/line.h"
#include "src/smtpd/session.h"

/* Where the conversation stands; bits, so that a verb's row can name several.
 *
 *   START ──EHLO──▶ READY ──MAIL──▶ MAIL ──RCPT──▶ RCPT ──DATA──▶ BODY ──end──▶ READY
 *                   │   ▲                                          any ──▶ END
 *                 AUTH  └── RSET, EHLO from anywhere between; STARTTLS leads to TLS, TLS to START
 *                   └──▶ SASL ──▶ READY
 */
enum smtpd_state {
  ST_START = 1, /* no EHLO yet, or forgotten with STARTTLS */
  ST_READY = 2, /* introduced, no transaction */
  ST_MAIL = 4,  /* a sender, no recipient yet */
  ST_RCPT = 8,  /* at least one recipient */
  ST_BODY = 16, /* between DATA and the end of the message */
  ST_SASL = 32, /* the next line is a response in an AUTH exchange */
  ST_TLS = 64,  /* the handshake is awaited */
  ST_END = 128, /* sent its last reply */
  ST_TRANSACTION = ST_MAIL | ST_RCPT,
  ST_MET = ST_READY | ST_TRANSACTION, /* has sent EHLO or HELO */
  ST_ANY = ST_START | ST_MET,
};

enum {
  SMTPD_GROUP_MAX = 1000,          /* RCPTs in one question */
  SMTPD_EXCESS_MIN = 1024 * 1024,  /* octets of a refused message read beyond the limit, at least */
  SMTPD_RATE_GRACE_MS = 30 * 1000, /* before the least rate is asked for */
  /* how long octets of a message, or its end, make a session worth keeping */
  SMTPD_PROGRESS_MS = 30 * 1000,
  SMTPD_VALUED_RATE = 500, /* octets a second of such a message, where smtp_data_rate asks none */
  SMTPD_HEADER_MAX = 256 * 1024, /* of a login's message: it waits here until it is whole */
  /* RCPTs beyond the limit, in one transaction, until it counts as an error */
  SMTPD_OVERSHOOT_MAX = 50 * 1000,
};

/* A handler's verdict is the outcome to reply with, or this: it has replied, or asked, or ended. */
#define SMTPD_REPLIED ((enum smtp_outcome)SMTP_OUTCOMES)

/* One mail transaction, from MAIL to its end. Exists exactly in ST_MAIL, ST_RCPT and ST_BODY. */
struct transaction {
  struct buf sender; /* the reverse-path as written, without brackets */
  uint64_t size;     /* SIZE=, or 0 */
  uint8_t ret;       /* RET=, enum smtp_ret */
  bool utf8;         /* SMTPUTF8 */
  struct buf envid;  /* ENVID=, as xtext */
  struct buf rcpts;  /* accepted, as an envelope has them */
  uint32_t rcpt_count;
  uint32_t overshoot; /* RCPTs beyond the limit */

  /* A run of RCPTs that came together and is asked about together: an outcome for each, or
   * GROUP_ASKED, and the records of those. */
  struct buf group;
  struct buf asked;
  uint32_t asked_count;

  /* The message. */
  struct smtp_data data;
  struct header_hops hops;
  struct message_id message_id;
  struct surrogate surrogate; /* its size only */
  struct siphash print;       /* of the sender and of what the client sends */
  /* at most IPC_CHUNK, or SMTPD_HEADER_MAX while held; what went before is with store */
  struct buf body;
  struct buf authors;  /* of a login's message: a list, as smtp_commit wants it */
  bool held;           /* a login's message whose header is not whole: submit.c */
  bool ended;          /* its last octet has come, and more than one chunk is still here */
  size_t looked_at;    /* octets of it that were given to `hops` and `surrogate` */
  bool settled;        /* what the client's message begins with is known: header_settle() */
  bool eight_bit;      /* some octet is above 127 */
  struct seven *parts; /* with SMTPUTF8: where its headers are */
  struct buf plan;
  bool spooled;              /* store has octets of it */
  uint8_t ahead;             /* chunks that may go there without an answer */
  enum smtp_outcome verdict; /* SMTP_OK, or why the message is refused at its end */
  uint64_t began_ms;         /* of the data; moved on by the time we made the client wait */
  uint64_t last_ms;          /* its last octets */
  bool logged;               /* what became of it */
};

struct smtpd_session {
  struct proto proto; /* first: what the shell sees */

  /* the connection */
  const struct smtpd_service *service;
  char name[48];
  uint8_t peer[16];
  uint8_t peer_len;
  bool secure;
  bool trusted; /* its address is in relay_networks, or it is a program of this machine */
  uint32_t uid; /* whose program, when service->local */
  /* its next message has this identity, with the uid: it is one of the drop folder */
  bool has_drop;
  uint8_t drop[16];
  char tls[64]; /* "TLSv1.3 TLS_AES_256_GCM_SHA384" */
  uint64_t end_ms;

  /* the state */
  enum smtpd_state state;
  struct smtp_line line;
  uint64_t waiting_ms; /* since when the next command is awaited */

  /* the one pending question: who takes its answer; type 0 is none */
  void (*on_answer)(struct smtpd_session *s, uint16_t type, struct slice payload);
  uint64_t asked_ms;
  bool exchange; /* an AUTH exchange of this session is open at auth */

  /* identity: survives RSET, not STARTTLS */
  struct buf helo;
  bool esmtp;
  bool logged_in;
  struct buf user;

  struct transaction *transaction;

  /* what is spent of each limit, and what was done */
  uint32_t lines, errors, junk, unknown, failed_logins;
  uint32_t errors_made_up, unknown_made_up; /* of those, what accepted mail made up for */
  uint64_t kept_ms;                         /* when its last message was kept */
  uint64_t messages, recipients, octets;
  struct mail_changes changed; /* in accepted messages */
};

/* --- session.c --- */

/* Replies, traces, and counts against the limits; ends the session when one is passed. */
void smtpd_reply(struct smtpd_session *s, enum smtp_outcome o);
/* A reply of the same kind with a text of its own. */
void smtpd_reply_text(struct smtpd_session *s, enum smtp_outcome o, struct slice text);
/* A reply of the same kind, with the addresses that the login may use. Counts as smtpd_reply()
 * does. */
void smtpd_reply_yours(struct smtpd_session *s, enum smtp_outcome o, struct slice yours);
/* The last reply. */
void smtpd_end(struct smtpd_session *s, enum smtp_outcome o, enum close_reason why);
/* The only way from one state to another. */
void smtpd_move(struct smtpd_session *s, enum smtpd_state to);
/* Ends the transaction, if there is one: nothing of it is left, here or with store. Then
 * ST_READY. */
void smtpd_reset(struct smtpd_session *s);
/* Starts a question; `on_answer` gets what comes back. Its payload goes to the buffer, then
 * smtpd_asked() is called: false when there was no memory for it, and nothing is asked. */
bool smtpd_asked(struct smtpd_session *s);
struct buf *smtpd_ask(struct smtpd_session *s, unsigned role, uint16_t type,
                      void (*on_answer)(struct smtpd_session *s, uint16_t type,
                                        struct slice payload));
/* Sends a process a message that has no answer; a payload goes to the buffer, then
 * smtpd_asked(). */
struct buf *smtpd_notify(struct smtpd_session *s, unsigned role, uint16_t type);
/* Traces what was put into `out` since it held `before` octets. */
void smtpd_trace_out(struct smtpd_session *s, size_t before);

/* --- verbs.c --- */

/* Looks the verb up, checks all its row says, runs it, replies. */
void smtpd_dispatch(struct smtpd_session *s, struct slice line);
/* As much of a line as may be shown. */
struct slice smtpd_shown(const struct smtpd_session *s, struct slice line);
bool smtpd_is_verb(struct slice name);
/* The verb's row says that its lines hold a secret. */
bool smtpd_is_secret(struct slice line);

/* --- mail.c, rcpt.c, data.c, auth.c: the large verbs --- */

enum smtp_outcome smtpd_mail(struct smtpd_session *s, struct slice argument);
/* The parameters of MAIL and RCPT that this session takes, bits of enum smtp_param: AUTH= where one
 * may log in; those of DSN where reports can be sent; SMTPUTF8 in MAIL, and from then on as MAIL
 * had it. */
unsigned smtpd_params(const struct smtpd_session *s);
/* The domain that this client's addresses may lack (a login's: RFC 6409 §8), or nothing where they
 * may not. */
struct slice smtpd_address_domain(const struct smtpd_session *s);
enum smtp_outcome smtpd_rcpt(struct smtpd_session *s, struct slice argument);
/* The next line is no RCPT: asks about the open group, or answers it. */
void smtpd_rcpt_group_end(struct smtpd_session *s);
enum smtp_outcome smtpd_data(struct smtpd_session *s, struct slice argument);
/* Octets in ST_BODY. */
void smtpd_body(struct smtpd_session *s, struct slice *in);
/* store lost what was spooled. */
void smtpd_body_lost(struct smtpd_session *s);
enum smtp_outcome smtpd_auth(struct smtpd_session *s, struct slice argument);
/* A line in ST_SASL. */
void smtpd_auth_line(struct smtpd_session *s, struct slice line);
/* Ends the exchange from our side, with that reply. */
void smtpd_auth_abort(struct smtpd_session *s, enum smtp_outcome why);
/* Whether AUTH may be used now: SMTP_OK, or what it gets. */
enum smtp_outcome smtpd_auth_allowed(const struct smtpd_session *s);
/* Those that are announced here and now; their names, each with a space before it. */
sasl_set smtpd_mechanisms(const struct smtpd_session *s);
void smtpd_put_mechanisms(const struct smtpd_session *s, struct buf *out);

/* --- submit.c: a login's message --- */

/* The domain of the login, or what stands for it. */
struct slice smtpd_login_domain(const struct smtpd_session *s);
/* The message begins: it is held when it is a login's. */
void smtpd_submit_begin(struct smtpd_session *s);
/* Octets of it have come behind `before`, or (`end`) the last. Its header is completed once it is
 * whole, and it is no longer held. SMTP_OK, or the reason against it. */
enum smtp_outcome smtpd_submit(struct smtpd_session *s, size_t before, bool end);

/* --- log.c --- */

/* A RCPT that is refused. */
void smtpd_log_recipient(struct smtpd_session *s, struct slice to, enum smtp_outcome o);
/* What the transaction came to, for each of its recipients and its message: `o` was replied.
 * `verdicts`: of each recipient, as smtp_committed has them, or empty. */
void smtpd_log_transaction(struct smtpd_session *s, enum smtp_outcome o, struct slice verdicts);
/* The client, or the end of the connection, ended it. Nothing when it was logged. */
void smtpd_log_abandoned(struct smtpd_session *s, const char *why);
/* Another command that is refused; nothing when it is not. `command` holds no secret. */
/* A login that auth was not asked about. */
void smtpd_log_login(struct smtpd_session *s, const char *mechanism, const char *why);
void smtpd_log_refused(struct smtpd_session *s, struct slice command, enum smtp_outcome o);

/* --- received.c --- */

/* The Received: field of RFC 5321 §4.4 with its CRLF. */
void smtpd_put_received(const struct smtpd_session *s, struct slice id, struct buf *out);
/* The queue id of the message now coming in. */
void smtpd_put_id(const struct smtpd_session *s, struct buf *out);

#endif
