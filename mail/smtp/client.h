/* SPDX-License-Identifier: ISC */
/* An SMTP (RFC 5321) and LMTP (RFC 2033) client session as a pure machine: for the sender, the
 * command line, the simulated world and the fuzzers.
 *
 * It is a `struct proto` (runtime/proto/proto.h) that talks to a server: a shell carries out what
 * proto_next() says, and calls smtp_client_wake() when the source has something. At the end `end`
 * is the result.
 *
 * The session takes letters from a *source* and returns each, with a verdict for each recipient:
 *
 *   GREETING → EHLO (→ HELO) → STARTTLS → (TLS) → EHLO → AUTH → READY
 *   READY → ENVELOPE (MAIL, RCPT …, DATA) → BODY → END → READY …      → QUIT → CLOSE
 *
 * With PIPELINING (RFC 2920) an envelope is one write, and the next letter's envelope follows the
 * end of data of the current one.
 *
 * Invariants, whatever the server does:
 *
 *   1. A recipient is DELIVERED only by a complete 2yz reply to the end of data of its own letter
 *      (LMTP: to its own recipient). No other reply, no lost connection, no 221 counts.
 *   2. Every letter that source.next() gave is returned by source.done() exactly once, with a
 *      verdict for each recipient; what the server did not decide is TEMPORARY, or UNTRIED if the
 *      end of data was not sent, so that it may be tried at another address at once. A reply is the
 *      reason of those only whom it answers: of one recipient (RCPT), or of the letter.
 *   3. No argument that contains CR, LF or NUL is sent; such a recipient fails here (5.1.3).
 *   4. A session is not used again after a reply that does not fit its command, nor after 421.
 *   5. The server's extensions (SIZE, 8BITMIME, SMTPUTF8, DSN) are those it announced in this
 *      session. If a letter needs one that this server lacks, its recipients are UNTRIED, with the
 *      obstacle.
 *   6. What the server sent before TLS is discarded (RFC 3207 §4.2). Without TLS nothing of a login
 *      is sent unless the policy has `may_show`.
 *   7. Each wait has a time-out (RFC 5321 §4.5.3.2), and a body must keep a least rate.
 *   8. Memory: one reply (SMTP_REPLY_MAX), one envelope being written, PROTO_OUT_HIGH of body. */
#ifndef QASID_SMTP_CLIENT_H
#define QASID_SMTP_CLIENT_H

#include "runtime/proto/proto.h"
#include "mail/smtp/dsn.h"
#include "mail/smtp/reply.h"

enum {
  SMTP_CLIENT_IN = 32 * 1024,    /* unread octets a shell keeps at least */
  SMTP_CLIENT_TEXT_MAX = 512,    /* octets kept of a reply */
  SMTP_CLIENT_PIECE = 32 * 1024, /* octets of a message requested at once */
  SMTP_CLIENT_SHOWN = 200,       /* octets of a malformed reply that are shown, escaped */
};

/* --- results --- */
enum smtp_end {
#define E(name, word, class, meaning) SMTP_END_##name,
#include "mail/smtp/client_ends.def"
#undef E
  SMTP_ENDS
};
enum smtp_end_class { SMTP_END_IS_DONE, SMTP_END_IS_NEXT, SMTP_END_IS_FATAL };
const char *smtp_end_meaning(enum smtp_end e);
enum smtp_end_class smtp_end_class(enum smtp_end e);

/* --- letters --- */

/* The command or event at which it was decided. */
enum smtp_stage {
  SMTP_STAGE_CONNECT,
  SMTP_STAGE_GREETING,
  SMTP_STAGE_EHLO,
  SMTP_STAGE_TLS,
  SMTP_STAGE_AUTH,
  SMTP_STAGE_MAIL,
  SMTP_STAGE_RCPT,
  SMTP_STAGE_DATA,
  SMTP_STAGE_BODY,
  SMTP_STAGE_END,
  SMTP_STAGES
};
/* The word that people know it by: "connect", "greeting", "EHLO" … "message". */
const char *smtp_stage_command(enum smtp_stage s);

enum smtp_fate {
  /* nothing was decided, and the server has not received the message: try elsewhere at once */
  SMTP_UNTRIED,
  SMTP_DELIVERED,
  SMTP_TEMPORARY,
  SMTP_PERMANENT,
};

/* An extension that the server lacks and the letter needs: the fate is then UNTRIED, since another
 * server of the destination may have it. Only a sender that has tried them all can make it
 * permanent. */
enum smtp_obstacle { SMTP_NO_OBSTACLE, SMTP_LACKS_UTF8, SMTP_LACKS_8BITMIME, SMTP_LACKS_SIZE };

/* The result for a recipient. code 0: no reply decided it (the server lacks an extension, the
 * connection was lost); `enhanced` is then ours. text: the reply's text, lines separated by LF, or
 * ours. UNTRIED: why it was not tried, if the session ended first; code 0 and no text: it was never
 * begun. */
struct smtp_verdict {
  uint8_t fate;  /* enum smtp_fate */
  uint8_t stage; /* enum smtp_stage */
  uint16_t code;
  uint8_t enhanced[3]; /* class 0: none */
  uint8_t obstacle;    /* UNTRIED: enum smtp_obstacle; enhanced and text say it in words */
  /* the reply to the end of data did not come, or was not valid SMTP: the server may have taken the
   * message */
  bool doubtful;
  /* the session's own: the server has accepted the recipient, and may still refuse the message */
  bool accepted;
  /* DELIVERED: the next server takes over what NOTIFY asks for (RFC 3461 §5.2.1) */
  bool dsn;
  struct buf text; /* of SMTP_CLIENT_TEXT_MAX; empty for DELIVERED without text */
};

struct smtp_letter_rcpt {
  struct slice address; /* the text between < and > */
  struct slice orcpt;   /* "rfc822;…" as it goes on the wire (xtext), or empty */
  uint8_t notify;       /* 0: not given */
  struct smtp_verdict verdict;
};

/* Borrowed by the session from next() to done(). */
struct smtp_letter {
  struct slice return_path; /* empty: <> */
  struct slice envid;       /* xtext as on the wire, or empty */
  uint8_t ret;              /* enum smtp_ret */
  /* its octets need 8BITMIME (RFC 6152), its header SMTPUTF8 (RFC 6531); addresses are examined
   * separately */
  bool eight_bit, utf8;
  /* a part of it is message/global or message/global-headers: a server without SMTPUTF8 gets it in
   * 7 bits (RFC 6533 §4.5) */
  bool global;
  uint64_t size; /* octets in wire form, without stuffing; 0: not announced */
  struct smtp_letter_rcpt *rcpts;
  size_t count; /* 1 or more */
  void *own;    /* the source's */
};
/* Frees the verdicts' texts. */
void smtp_letter_free_verdicts(struct smtp_letter *l);

enum smtp_source_verdict {
  SMTP_SOURCE_MORE, /* octets were put, or none; call again */
  SMTP_SOURCE_END,  /* those were the last octets */
  SMTP_SOURCE_WAIT, /* none now: smtp_client_wake() when there are */
  SMTP_SOURCE_BROKEN,
};

struct smtp_source {
  /* The next letter, or NULL: none now. Then the session waits idle_ms for smtp_client_wake(), and
   * sends QUIT. */
  struct smtp_letter *(*next)(void *arg);
  /* Puts some of the letter's octets, in wire form (CRLF, last line complete), at most `most`. */
  enum smtp_source_verdict (*read)(void *arg, struct smtp_letter *l, struct buf *out, size_t most);
  /* Each recipient has its verdict. The session does not touch the letter again. */
  void (*done)(void *arg, struct smtp_letter *l);
  void *arg;
};

/* --- what the session may do --- */
enum smtp_client_tls {
  SMTP_TLS_IF_OFFERED, /* STARTTLS when it is announced; refused: without */
  SMTP_TLS_MUST,
  SMTP_TLS_NEVER,
  SMTP_TLS_IMPLICIT,     /* the handshake is already done */
  SMTP_TLS_ONCE_OFFERED, /* STARTTLS when it is announced; refused: the session ends */
};

struct smtp_client_policy {
  enum smtp_client_tls tls;
  bool lmtp;
  bool may_show;   /* a login may go without TLS */
  bool second_try; /* if a mechanism that does not reveal the password is refused, try one that
                    * does: only if the certificate was verified (mail/sasl/login.h) */
  bool no_pipeline;
  /* If any recipient of a letter is refused, none gets it: DATA waits for the replies to all RCPTs.
   * The others stay UNTRIED. */
  bool all_or_none;
  bool envelope_only; /* DATA is never sent: to see what a server answers */
};

/* An observer of every reply. `command` is the one that it answers: "greeting", "EHLO", "MAIL" …;
 * "message" for the end of data. */
struct smtp_client_watch {
  void (*reply)(void *arg, const char *command, unsigned code, struct slice text);
  void *arg;
};

/* Milliseconds; 0: the default, which is RFC 5321 §4.5.3.2's. */
struct smtp_client_limits {
  uint64_t greeting_ms, command_ms; /* 5 minutes */
  uint64_t data_ms;                 /* reply to DATA: 2 minutes */
  uint64_t block_ms;                /* for each piece of a body to be taken: 3 minutes */
  uint64_t end_ms;                  /* reply to the end of data: 10 minutes */
  uint64_t quit_ms;                 /* 5 seconds: nothing depends on it */
  uint64_t idle_ms;                 /* with no letter at hand: 0, QUIT at once */
  uint64_t session_ms;              /* no new letter after that: 1 hour */
  uint32_t letters;                 /* of one session: 1,000 */
};

struct smtp_client_start {
  const char *hello; /* our name in EHLO */
  const char *host;  /* the server's name, for mechanisms that send it */
  uint16_t port;
  struct slice user, secret; /* a login; user empty: none. Copied, and wiped at the end */
  const char *mechanism;     /* NULL: the best that is offered */
  uint8_t nonce[18];
  struct smtp_client_policy policy;
  struct smtp_client_limits limits;
  struct smtp_source source;
  struct smtp_client_watch watch; /* `reply` may be NULL */
  struct proto_trace trace;
  struct proto_channel channel;
  uint64_t now_ms;
};

struct smtp_client {
  struct proto proto;
  enum smtp_end end;     /* NONE until proto.want is PROTO_CLOSE */
  enum smtp_stage stage; /* where it ended, or is now */
  bool ready;            /* it reached READY: the server accepts mail */
  bool idle;             /* no transaction is open and no letter was available */
  bool offers_tls;
  uint32_t letters; /* handed over so far */
  uint64_t octets;  /* of bodies */
  /* The reply that ended the session before READY, or the last that was not a success. */
  struct smtp_verdict last;
  const char *mechanism;
  bool pipelining, eight_bit, has_size, dsn, utf8, enhanced; /* what the server offers */
  uint64_t size_limit;                                       /* 0: not announced */
};

/* NULL without memory. */
struct smtp_client *smtp_client_new(const struct smtp_client_start *start);
void smtp_client_free(struct smtp_client **c);
void smtp_client_input(struct smtp_client *c, struct slice *in);
void smtp_client_produce(struct smtp_client *c);
void smtp_client_secured(struct smtp_client *c);
void smtp_client_tick(struct smtp_client *c);
void smtp_client_gone(struct smtp_client *c, enum smtp_end why);
/* The same functions, for a shell that knows no protocol (runtime/dial). */
extern const struct proto_ops smtp_client_ops;
/* The source has a letter, or the octets that it lacked. */
void smtp_client_wake(struct smtp_client *c);
/* No more letters; QUIT once the open transactions are done. */
void smtp_client_finish(struct smtp_client *c);
/* The letter whose end of data has been sent and is not yet answered; NULL: none. Until then it is
 * unknown whether the server has taken it. */
const struct smtp_letter *smtp_client_at_end(const struct smtp_client *c);

#endif
