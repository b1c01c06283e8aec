/* SPDX-License-Identifier: ISC */
/* A POP3 client session (RFC 1939, 2449, 2595, 3206, 5034) as a pure machine, for the command line,
 * the collector, migrations, the simulated world and the fuzzers.
 *
 * It is a `struct proto` (runtime/proto/proto.h) that talks to a server: a shell carries out what
 * proto_next() says. It asks no other process; it gives the messages to the *sink*, and while that
 * holds (proto.holds) takes no input. When `settling` is set the sink should settle. At the end
 * `end` is the result. A shell keeps at least POP3_CLIENT_IN of unread octets.
 *
 *   GREETING → CAPA → STLS → (TLS) → CAPA → UTF8 → LOGIN → LIST, UIDL → sink.listed →
 *   RETR, TOP … → settled → DELE … → QUIT → CLOSE
 *
 * Invariants, whatever the server does:
 *
 *   1. DELE is sent for a message only if it was received whole in this very session, its item is
 *      `safe` and the sink wished to move it, and only after the last RETR; so a session that
 *      breaks before QUIT has deleted nothing (RFC 1939 §6). A message that was not fetched in
 *      the session cannot be deleted: a UIDL alone proves nothing, since RFC 1939 §7 lets a server
 *      give it to another message, and some give two messages the same one.
 *   2. sink.end is called for a message that was received whole, up to its final "."; sink.cut for
 *      one that was begun and will not be. Never both; neither only after the sink returned NO or
 *      OVER.
 *   3. A message shorter than the server announced is not deleted unless the policy permits it:
 *      some servers end a message with "." when they cannot read on. Some
 *      servers do not stuff a dot, so that the rest of the message looks like replies: behind a
 *      short one nothing is taken until the server has named a UIDL of its list; a server without
 *      UIDLs can be asked for none, and what it sends then is not deleted either. The same holds
 *      for a message that may be short (the server counts line ends as one octet, say), and its
 *      own end waits for the proof.
 *   4. Nothing of a login is sent in the clear unless the policy has `clear` or `may_show`; a
 *      password only if it has `may_show`.
 *   5. What the server sent before TLS is discarded (RFC 2595 §4).
 *   6. Memory: the list (limits.messages), lines, and nothing of the messages.
 *
 * The session owns its memory; strings in pop3_client_start are copied, secrets wiped at the
 * end. */
#ifndef QASID_POP3_CLIENT_H
#define QASID_POP3_CLIENT_H

#include "lib/base/slice.h"
#include "runtime/proto/proto.h"

enum {
  /* a status or list line; RFC 2449 §4 has 512, some servers send longer ones */
  POP3_CLIENT_LINE_MAX = 4096,
  POP3_CLIENT_IN = 32 * 1024,
  POP3_CLIENT_TEXT_MAX = 512, /* octets kept of the server's text */
  POP3_CLIENT_WINDOW = 64,    /* commands that can be outstanding */
  /* messages of one list with one UIDL: if more have it, it identifies none of them */
  POP3_CLIENT_TWINS = 500,
};

/* --- results --- */
enum pop3_end {
#define E(name, word, class, meaning) POP3_END_##name,
#include "mail/pop3/client_ends.def"
#undef E
  POP3_ENDS
};
enum pop3_end_class { POP3_END_IS_DONE, POP3_END_IS_LATER, POP3_END_IS_LOGIN, POP3_END_IS_BROKEN };
const char *pop3_end_word(enum pop3_end e);
const char *pop3_end_meaning(enum pop3_end e);
enum pop3_end_class pop3_end_class(enum pop3_end e);

/* --- the list --- */
enum pop3_wish {
  POP3_LEAVE, /* neither fetch nor delete: the default */
  POP3_FETCH, /* fetch, leave at the server */
  POP3_MOVE,  /* fetch, and once it is safe delete it at the server; a message that is here already
               * is fetched again, and is safe if it has the same octets */
  /* TOP: the header and `lines` of the body, to begin/piece/end; never safe, never deleted */
  POP3_LOOK,
};

enum pop3_item_state {
  POP3_LISTED, /* nothing was done yet */
  POP3_ASKED,  /* RETR or TOP is outstanding */
  POP3_COMING, /* begun */
  POP3_WHOLE,  /* received whole; the sink has not settled it yet */
  POP3_SAFE,   /* the sink has stored it durably */
  /* safe, but not deleted: it came shorter than announced, or followed one that did */
  POP3_KEPT_BACK,
  POP3_DELETED, /* DELE was answered +OK; it is gone when `end` is DONE */
  POP3_REFUSED, /* the server refused RETR or TOP; sink.refused received its text */
  POP3_FAILED,  /* cut off, too large, or rejected by the sink */
};

struct pop3_item {
  uint64_t number; /* the server's, 1 … 2^32 - 1 */
  uint64_t size;   /* as announced by LIST; a hint */
  uint64_t octets; /* as received, un-stuffed */
  /* 1 to 70 octets of 0x21 … 0x7e; empty: the server gave none, or gave it to too many */
  struct slice uidl;
  /* the first of those with this UIDL and this size; itself when it is alone */
  struct pop3_item *like;
  uint32_t alike; /* of the first: how many there are */
  uint32_t kept;  /* of the first: how many of them are `safe` */
  void *own;      /* the sink's */
  uint32_t lines; /* for POP3_LOOK */
  uint8_t wish;   /* enum pop3_wish: the sink's, in `listed` */
  uint8_t state;  /* enum pop3_item_state */
  /* another message of the list has this UIDL too (RFC 1939 §7 lets copies share one) */
  bool twin;
  /* the server's UIDL violates RFC 1939 §7: `uidl` is a digest of it */
  bool made;
  bool is_short; /* fewer octets came than were announced */
  bool doubtful; /* it followed a short message, and no UIDL has confirmed that the session is in
                  * step */
};

/* --- the receiver of the messages --- */
enum pop3_sink_verdict {
  POP3_SINK_ON,   /* accepted; continue */
  POP3_SINK_HOLD, /* accepted; nothing more until pop3_client_resume() */
  /* reject this message: it is FAILED, its rest is discarded, no further call is made for it */
  POP3_SINK_NO,
  /* stop: the session ends with POP3_END_SINK without QUIT, and no further call is made */
  POP3_SINK_OVER,
};

/* Messages come one after another, in the order of the list; the sink may have several that it has
 * not settled (limits.unsettled). No function may call back into the session except
 * pop3_client_settle(). */
struct pop3_sink {
  /* The maildrop, in the order of numbers. Sets `wish` (and `own`, `lines`). HOLD: the wishes are
   * complete at pop3_client_resume(). Not called when the session is for the login only. */
  enum pop3_sink_verdict (*listed)(void *arg, struct pop3_item *items, size_t count);
  /* A message begins. */
  enum pop3_sink_verdict (*begin)(void *arg, struct pop3_item *item);
  /* Its next octets, with CRLF as they came and dots un-stuffed; borrowed. */
  enum pop3_sink_verdict (*piece)(void *arg, struct pop3_item *item, struct slice octets);
  /* The message is complete. The sink answers with pop3_client_settle(), at once or later (not for
   * POP3_LOOK). */
  enum pop3_sink_verdict (*end)(void *arg, struct pop3_item *item);
  /* The message was begun and will not be completed. */
  void (*cut)(void *arg, struct pop3_item *item);
  /* The server refused RETR, TOP or DELE for it: its text, not sanitised for a terminal. May be
   * NULL. */
  void (*refused)(void *arg, struct pop3_item *item, struct slice words);
  void *arg;
};

/* --- what the session may do --- */
enum pop3_client_tls {
  /* STLS when it is announced: protects from passive eavesdroppers only */
  POP3_TLS_IF_OFFERED,
  POP3_TLS_MUST,
  POP3_TLS_NEVER,
  POP3_TLS_IMPLICIT, /* the handshake is already done; pass the bindings by proto.channel */
};

struct pop3_client_policy {
  enum pop3_client_tls tls;
  bool clear;    /* a login may be tried without TLS, by mechanisms that do not reveal the password:
                  * the user allowed it. Otherwise an attacker who strips STLS gets a digest over a
                  * challenge of his own */
  bool may_show; /* passwords may be sent without TLS too: the server is on this machine, or the
                    user allowed it */
  /* If a mechanism that does not reveal the password is refused, try one that does, for accounts
   * whose server keeps only a hash: if the certificate was verified. */
  bool second_try;
  bool login_only;   /* QUIT after the login: to test whether it works */
  bool delete_short; /* see 3 above */
  bool no_quit;     /* disconnect without QUIT when all is fetched: nothing is deleted, whatever was
                * wished, and a server that removes what was fetched at QUIT (RFC 2449 §6.7, EXPIRE
                * 0) removes nothing */
  bool no_pipeline; /* one command after another, whatever is announced */
};

/* Limits against a hostile server. 0: the default. */
struct pop3_client_limits {
  /* of the list (100 octets each and the UIDL): 1,000,000; later ones are ignored */
  uint32_t messages;
  uint64_t message; /* octets of one message: 2^32; a larger one is not fetched */
  uint32_t window;  /* RETR under way: 16, at most POP3_CLIENT_WINDOW */
  uint64_t
      window_octets;   /* of outstanding messages, by LIST: 4 MB. One message is always allowed */
  uint32_t unsettled;  /* complete messages that the sink has not settled: 256 */
  uint64_t idle_ms;    /* for each answer, and for each 4096 octets of a message: 2 minutes */
  uint64_t session_ms; /* in all: 6 hours. Without it a server that trickles could hold the session
                          for ever */
  uint64_t sink_ms;    /* how long the sink may hold: 10 minutes */
};

struct pop3_client_start {
  struct slice user; /* no CR, LF, NUL in any of these */
  /* the password; for OAUTHBEARER and XOAUTH2 the token; empty for EXTERNAL */
  struct slice secret;
  /* act for: a master user's login where the mechanism has it; empty: none */
  struct slice authzid;
  /* "APOP", "USER" or a SASL mechanism, in any case; NULL: the best that is offered */
  const char *mechanism;
  const char *host; /* the server's name, for mechanisms that send it */
  uint16_t port;
  uint8_t nonce[18]; /* unpredictable octets, new for each session */
  struct pop3_client_policy policy;
  struct pop3_client_limits limits;
  struct pop3_sink sink; /* unused with login_only */
  struct proto_trace trace;
  struct proto_channel channel;
  uint64_t now_ms;
};

struct pop3_client {
  struct proto proto;
  bool
      settling; /* nothing is outstanding but unsettled messages: the sink should settle them now */
  enum pop3_end end; /* NONE until proto.want is PROTO_CLOSE */
  /* The server's last reply that was not a success, or the one at the end: with its response code,
   * not sanitised for a terminal. */
  char text[POP3_CLIENT_TEXT_MAX];
  size_t text_n;
  /* the mechanism of the login: "APOP", "USER", "SCRAM-SHA-256", …; NULL before */
  const char *mechanism;
  bool logged_in; /* ended LATER or BROKEN with it: the login is good */
  bool has_uidl;  /* the server answered UIDL */
  bool pipelines;
  bool list_cut; /* the list was longer than limits.messages */
  struct pop3_item *items;
  size_t count;
  struct pop3_item *stuck; /* the message at which the session ended early: the one being received,
                              or the one that put the session out of step; NULL: unknown */
  uint64_t total;          /* octets of all items, by LIST; 2^64 - 1 when it is more */
};

/* NULL without memory. */
struct pop3_client *pop3_client_new(const struct pop3_client_start *start);
void pop3_client_free(struct pop3_client **c);
/* Takes octets off the front of `*in`. */
void pop3_client_input(struct pop3_client *c, struct slice *in);
/* The handshake that it wanted is done. */
void pop3_client_secured(struct pop3_client *c);
void pop3_client_tick(struct pop3_client *c);
/* The connection ended, because of `why`; after QUIT was sent everything may have been done. */
void pop3_client_gone(struct pop3_client *c, enum pop3_end why);
/* The same functions, for a shell that knows no protocol (runtime/dial). */
extern const struct proto_ops pop3_client_ops;

/* --- from the sink --- */
/* Continues after HOLD. */
void pop3_client_resume(struct pop3_client *c);
/* The result for a complete message: safe (true: durable, whatever happens now) or not. */
void pop3_client_settle(struct pop3_client *c, struct pop3_item *item, bool safe);
/* Fetch nothing more, settle and delete what was fetched, and QUIT: for a session that is to
 * stop. */
void pop3_client_finish(struct pop3_client *c);

#endif
