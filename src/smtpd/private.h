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

/* The state of the conversation; bits, so that a verb's row can name several.
 *
 *   START ──EHLO──▶ READY ──MAIL──▶ MAIL ──RCPT──▶ RCPT ──DATA──▶ BODY ──end──▶ READY
 *                   │   ▲                                          any ──▶ END
 *                 AUTH  └── RSET, EHLO in any of these states; STARTTLS leads to TLS, TLS to START
 *                   └──▶ SASL ──▶ READY */
enum smtpd_state {
  ST_START = 1, /* no EHLO yet, or discarded by STARTTLS */
  ST_READY = 2, /* introduced, no transaction */
  ST_MAIL = 4,  /* a sender, no recipient yet */
  ST_RCPT = 8,  /* at least one recipient */
  ST_BODY = 16, /* between DATA and the end of the message */
  ST_SASL = 32, /* the next line is a response in an AUTH exchange */
  ST_TLS = 64,  /* waiting for the TLS handshake */
  ST_END = 128, /* the last reply was sent */
  ST_TRANSACTION = ST_MAIL | ST_RCPT,
  ST_MET = ST_READY | ST_TRANSACTION, /* has sent EHLO or HELO */
  ST_ANY = ST_START | ST_MET,
};

enum {
  SMTPD_GROUP_MAX = 1000,          /* RCPTs in one question */
  SMTPD_EXCESS_MIN = 1024 * 1024,  /* minimum octets of a refused message that are read beyond the
                                    * limit */
  SMTPD_RATE_GRACE_MS = 30 * 1000, /* grace period before the minimum rate is enforced */
  /* how long received octets of a message, or its end, make a session worth keeping */
  SMTPD_PROGRESS_MS = 30 * 1000,
  SMTPD_VALUED_RATE = 500, /* octets a second for such a message, if smtp_data_rate sets no rate */
  SMTPD_HEADER_MAX = 256 * 1024, /* of a login's message, which is held here until its header is
                                  * complete */
  /* RCPTs beyond the limit, in one transaction, before they count as errors */
  SMTPD_OVERSHOOT_MAX = 50 * 1000,
};

/* A handler returns the outcome to reply with, or this: it has replied, asked, or ended the
 * session. */
#define SMTPD_REPLIED ((enum smtp_outcome)SMTP_OUTCOMES)

/* One mail transaction, from MAIL to its end. Exists exactly in ST_MAIL, ST_RCPT and ST_BODY. */
struct transaction {
  struct buf sender; /* the reverse-path as written, without brackets */
  uint64_t size;     /* SIZE=, or 0 */
  uint8_t ret;       /* RET=, enum smtp_ret */
  bool utf8;         /* SMTPUTF8 */
  struct buf envid;  /* ENVID=, as xtext */
  struct buf rcpts;  /* accepted, as envelope records */
  uint32_t rcpt_count;
  uint32_t overshoot; /* RCPTs beyond the limit */

  /* RCPTs that were pipelined and are checked together: an outcome for each, or GROUP_ASKED, and
   * the records of those. */
  struct buf group;
  struct buf asked;
  uint32_t asked_count;

  /* The message. */
  struct smtp_data data;
  struct header_hops hops;
  struct message_id message_id;
  struct surrogate surrogate; /* its size only */
  struct siphash print;       /* over the sender and the client's octets */
  /* at most IPC_CHUNK, or SMTPD_HEADER_MAX while held; earlier octets are at store */
  struct buf body;
  struct buf authors;  /* of a login's message: a list in the encoding of smtp_commit */
  bool held;           /* a login's message whose header is incomplete: submit.c */
  bool ended;          /* its last octet was received, and more than one chunk is still here */
  size_t looked_at;    /* octets of it already given to `hops` and `surrogate` */
  bool settled;        /* header_settle() has determined how the client's message begins */
  bool eight_bit;      /* some octet is above 127 */
  struct seven *parts; /* with SMTPUTF8: finds its headers */
  struct buf plan;
  bool spooled;              /* store has octets of it */
  uint8_t ahead;             /* chunks that may be sent without an answer */
  enum smtp_outcome verdict; /* SMTP_OK, or why the message is refused at its end */
  uint64_t began_ms;         /* when the data began; moved forward by the time the client had to
                              * wait for us */
  uint64_t last_ms;          /* its last octets */
  bool logged;               /* its outcome was logged */
};

struct smtpd_session {
  struct proto proto; /* first: what the shell sees */

  /* the connection */
  const struct smtpd_service *service;
  char name[48];
  uint8_t peer[16];
  uint8_t peer_len;
  bool secure;
  bool trusted; /* its address is in relay_networks, or it is a local program */
  uint32_t uid; /* the program's user, if service->local */
  /* its next message has this identity, with the uid: it is from the drop folder */
  bool has_drop;
  uint8_t drop[16];
  char tls[64]; /* "TLSv1.3 TLS_AES_256_GCM_SHA384" */
  uint64_t end_ms;

  /* the state */
  enum smtpd_state state;
  struct smtp_line line;
  uint64_t waiting_ms; /* since when the next command is awaited */

  /* handles the answer to the one pending question, whose type is 0 if there is none */
  void (*on_answer)(struct smtpd_session *s, uint16_t type, struct slice payload);
  uint64_t asked_ms;
  bool exchange; /* an AUTH exchange of this session is open at auth */

  /* identity: survives RSET, not STARTTLS */
  struct buf helo;
  bool esmtp;
  bool logged_in;
  struct buf user;

  struct transaction *transaction;

  /* counts against the limits, and statistics */
  uint32_t lines, errors, junk, unknown, failed_logins;
  uint32_t errors_made_up, unknown_made_up; /* of those, the number made up for by accepted mail */
  uint64_t kept_ms;                         /* when its last message was kept */
  uint64_t messages, recipients, octets;
  struct mail_changes changed; /* over all accepted messages */
};

/* --- session.c --- */

/* Replies, traces, and counts against the limits; ends the session when one is passed. */
void smtpd_reply(struct smtpd_session *s, enum smtp_outcome o);
/* A reply of the same kind with a text of its own. */
void smtpd_reply_text(struct smtpd_session *s, enum smtp_outcome o, struct slice text);
/* A reply with the same codes, with the addresses that the login may use. Counts as smtpd_reply()
 * does. */
void smtpd_reply_yours(struct smtpd_session *s, enum smtp_outcome o, struct slice yours);
/* The last reply. */
void smtpd_end(struct smtpd_session *s, enum smtp_outcome o, enum close_reason why);
/* The only way from one state to another. */
void smtpd_move(struct smtpd_session *s, enum smtpd_state to);
/* Ends the transaction, if there is one: nothing of it remains, here or at store. Then ST_READY. */
void smtpd_reset(struct smtpd_session *s);
/* Starts a question; `on_answer` handles the answer. Put its payload into the buffer, then call
 * smtpd_asked(): false if there was no memory, and nothing is asked. */
bool smtpd_asked(struct smtpd_session *s);
struct buf *smtpd_ask(struct smtpd_session *s, unsigned role, uint16_t type,
                      void (*on_answer)(struct smtpd_session *s, uint16_t type,
                                        struct slice payload));
/* Sends a process a message that has no answer; put a payload into the buffer, then call
 * smtpd_asked(). */
struct buf *smtpd_notify(struct smtpd_session *s, unsigned role, uint16_t type);
/* Traces what was put into `out` since it held `before` octets. */
void smtpd_trace_out(struct smtpd_session *s, size_t before);

/* --- verbs.c --- */

/* Looks the verb up, checks every condition of its row, runs it, replies. */
void smtpd_dispatch(struct smtpd_session *s, struct slice line);
/* The part of a line that may be shown in a trace. */
struct slice smtpd_shown(const struct smtpd_session *s, struct slice line);
bool smtpd_is_verb(struct slice name);
/* True if the verb's row says that its lines hold a secret. */
bool smtpd_is_secret(struct slice line);

/* --- mail.c, rcpt.c, data.c, auth.c: the large verbs --- */

enum smtp_outcome smtpd_mail(struct smtpd_session *s, struct slice argument);
/* The parameters of MAIL and RCPT that this session accepts, bits of enum smtp_param: AUTH= if
 * logins are possible; those of DSN if reports can be sent; SMTPUTF8 in MAIL, and in RCPT if MAIL
 * had it. */
unsigned smtpd_params(const struct smtpd_session *s);
/* The domain that completes this client's addresses (for a login: RFC 6409 §8), or nothing if
 * addresses must be complete. */
struct slice smtpd_address_domain(const struct smtpd_session *s);
enum smtp_outcome smtpd_rcpt(struct smtpd_session *s, struct slice argument);
/* The next line is not a RCPT: asks about the open group, or replies to it. */
void smtpd_rcpt_group_end(struct smtpd_session *s);
enum smtp_outcome smtpd_data(struct smtpd_session *s, struct slice argument);
/* Octets in ST_BODY. */
void smtpd_body(struct smtpd_session *s, struct slice *in);
/* store lost the spooled octets. */
void smtpd_body_lost(struct smtpd_session *s);
enum smtp_outcome smtpd_auth(struct smtpd_session *s, struct slice argument);
/* A line in ST_SASL. */
void smtpd_auth_line(struct smtpd_session *s, struct slice line);
/* Ends the exchange from our side, with that reply. */
void smtpd_auth_abort(struct smtpd_session *s, enum smtp_outcome why);
/* SMTP_OK if AUTH may be used now, or the reply to it. */
enum smtp_outcome smtpd_auth_allowed(const struct smtpd_session *s);
/* The mechanisms announced to this client now; their names, each preceded by a space. */
sasl_set smtpd_mechanisms(const struct smtpd_session *s);
void smtpd_put_mechanisms(const struct smtpd_session *s, struct buf *out);

/* --- submit.c: a login's message --- */

/* The domain of the login, or its substitute. */
struct slice smtpd_login_domain(const struct smtpd_session *s);
/* The message begins: it is held if it is a login's. */
void smtpd_submit_begin(struct smtpd_session *s);
/* Octets have been added after `before`, or (`end`) the last ones. Once the header is complete it
 * is repaired, and the message is no longer held. SMTP_OK, or the reason to refuse it. */
enum smtp_outcome smtpd_submit(struct smtpd_session *s, size_t before, bool end);

/* --- log.c --- */

/* A refused RCPT. */
void smtpd_log_recipient(struct smtpd_session *s, struct slice to, enum smtp_outcome o);
/* The outcome of the transaction, for each of its recipients and for its message: `o` was replied.
 * `verdicts`: one for each recipient, as in smtp_committed, or empty. */
void smtpd_log_transaction(struct smtpd_session *s, enum smtp_outcome o, struct slice verdicts);
/* The transaction was ended by the client, or by the end of the connection. No effect if it was
 * logged. */
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
