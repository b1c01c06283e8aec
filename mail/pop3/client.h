/* SPDX-License-Identifier: ISC */
/* A POP3 client session (RFC 1939, 2449, 2595, 3206, 5034) as a pure machine, for the command line,
 * the collector, migrations, the simulated world and the fuzzers.
 *
 * It is a `struct proto` (runtime/proto/proto.h) that talks to a server: octets in by
 * pop3_client_input(), octets out in proto.out, PROTO_READ / PROTO_TLS / PROTO_CLOSE in proto.want,
 * a deadline. It asks no room; whom it gives the messages to is the *sink*. A shell does this, in a
 * loop:
 *
 *   1. out has octets                 send them (all before TLS)
 *   2. want == PROTO_CLOSE            close; `end` says how it went; free
 *   3. want == PROTO_TLS              octets of the server in hand, or any before the handshake's
 * own: pop3_client_gone(c, POP3_END_INJECTION); else handshake, and pop3_client_secured(), or
 * _gone(c, POP3_END_TLS_FAILED)
 *   4. holds == true                  read nothing and call no input() until the sink has spoken
 *   5. octets in hand                 input(); what it leaves comes again with more behind it
 *   6. nothing in hand                wait for octets, the sink, or deadline_ms →
 * pop3_client_tick()
 *   7. the connection ends            pop3_client_gone(c, POP3_END_GONE)
 *
 * proto.now_ms is set before each call, and never goes back. After every call look at 1 to 4 again.
 * A shell keeps at least POP3_CLIENT_IN of unread octets, and never needs more.
 *
 *   GREETING → CAPA → STLS → (TLS) → CAPA → UTF8 → LOGIN → LIST, UIDL → sink.listed → RETR, TOP … →
 * settled → DELE … → QUIT → CLOSE
 *
 * What holds, whatever the server does:
 *   1. DELE is said of a message only when it came whole in this very session, its item is `safe`
 * and the sink wished it gone, and after the last RETR; so a session that breaks before QUIT has
 * deleted nothing (RFC 1939 §6). There is no way to delete what was not fetched in it: a UIDL alone
 * proves nothing, since RFC 1939 §7 lets a server give it to another message, and some give two
 * messages the same one.
 *   2. sink.end is called for a message that came whole, up to its final "."; sink.cut for one that
 * was begun and will not be. Never both; neither only after the sink said NO or OVER.
 *   3. What came shorter than the server announced is not deleted unless the policy says so:
 * servers exist that end a message with "." when they can't read on. Nor is what came behind it in
 * the same session: servers exist that do not stuff a dot, so that the rest of the message looks
 * like answers.
 *   4. Nothing of a login is said in the clear but where the policy has `clear` or `may_show`; a
 * password only where it has `may_show`.
 *   5. What the server said before TLS counts for nothing after it (RFC 2595 §4).
 *   6. Memory: the list (limits.messages), lines, and nothing of the messages.
 *
 * The session's memory is its own; strings in pop3_client_start are copied, secrets wiped at the
 * end. */
#ifndef QASID_POP3_CLIENT_H
#define QASID_POP3_CLIENT_H

#include "lib/base/slice.h"
#include "runtime/proto/proto.h"

enum {
  /* a status or list line; RFC 2449 §4 has 512, some servers are chatty */
  POP3_CLIENT_LINE_MAX = 4096,
  POP3_CLIENT_IN = 32 * 1024,
  POP3_CLIENT_TEXT_MAX = 512, /* octets of the server's words that are kept */
  POP3_CLIENT_WINDOW = 64,    /* commands that can be under way */
  /* messages of one list with one UIDL: where more have it, it names none of them */
  POP3_CLIENT_TWINS = 500,
};

/* --- how it ends --- */
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
  POP3_MOVE,  /* fetch, and once it is safe delete it at the server; what is here already is fetched
               * again, and  safe when it has the same octets */
  /* TOP: the header and `lines` of the body, to begin/piece/end; never safe, never deleted */
  POP3_LOOK,
};

enum pop3_item_state {
  POP3_LISTED, /* nothing was done yet */
  POP3_ASKED,  /* RETR or TOP is under way */
  POP3_COMING, /* begun */
  POP3_WHOLE,  /* ended; the sink has not settled yet */
  POP3_SAFE,   /* the sink has it for good */
  /* safe, and not deleted: it came shorter than announced, or behind one that did */
  POP3_KEPT_BACK,
  POP3_DELETED, /* DELE was answered +OK; it is gone when `end` is DONE */
  POP3_REFUSED, /* the server refused RETR or TOP; its words were given to sink.refused */
  POP3_FAILED,  /* cut off, too large, or the sink did not want it after all */
};

struct pop3_item {
  uint64_t number; /* the server's, 1 … 2^32 - 1 */
  uint64_t size;   /* as announced by LIST; a hint */
  uint64_t octets; /* as came, un-stuffed */
  /* 1 to 70 of 0x21 … 0x7e; empty: the server gave none, or gave it to too many */
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
  /* the server's UIDL is none that RFC 1939 §7 allows: `uidl` is a digest of it */
  bool made;
  bool is_short; /* fewer octets came than were announced */
  bool doubtful; /* it came behind one that was short */
};

/* --- who takes the messages --- */
enum pop3_sink_verdict {
  POP3_SINK_ON,   /* taken; go on */
  POP3_SINK_HOLD, /* taken; give nothing more until pop3_client_resume() */
  /* not this message: it is FAILED, its rest is thrown away, it is named no more */
  POP3_SINK_NO,
  /* nothing any more: the session ends with POP3_END_SINK without QUIT, nothing is called */
  POP3_SINK_OVER,
};

/* Messages come one after another, in the order of the list; the sink may have several that it has
 * not settled (limits.unsettled). No function may call back into the session but
 * pop3_client_settle(). */
struct pop3_sink {
  /* The maildrop, in the order of numbers. Sets `wish` (and `own`, `lines`). HOLD: the wishes are
   * complete at pop3_client_resume(). Not called when the session is for the login only. */
  enum pop3_sink_verdict (*listed)(void *arg, struct pop3_item *items, size_t count);
  /* A message begins. */
  enum pop3_sink_verdict (*begin)(void *arg, struct pop3_item *item);
  /* Its next octets, with CRLF as they came and dots un-stuffed; borrowed. */
  enum pop3_sink_verdict (*piece)(void *arg, struct pop3_item *item, struct slice octets);
  /* It is whole. Answer by pop3_client_settle(), at once or later (but for POP3_LOOK). */
  enum pop3_sink_verdict (*end)(void *arg, struct pop3_item *item);
  /* It was begun and will not end. */
  void (*cut)(void *arg, struct pop3_item *item);
  /* The server refused RETR, TOP or DELE for it: its words, not made safe for a terminal. May be
   * NULL. */
  void (*refused)(void *arg, struct pop3_item *item, struct slice words);
  void *arg;
};

/* --- what the session may do --- */
enum pop3_client_tls {
  /* STLS when it is announced: hides from who listens, not from who interferes */
  POP3_TLS_IF_OFFERED,
  POP3_TLS_MUST,
  POP3_TLS_NEVER,
  POP3_TLS_IMPLICIT, /* the handshake is done already; give the bindings by proto.channel */
};

struct pop3_client_policy {
  enum pop3_client_tls tls;
  bool clear; /* a login may be tried without TLS, by what shows no password: the user said so. Else
               * who strips STLS off gets a digest over a challenge of his own */
  bool may_show; /* passwords may go without TLS too: the machine itself, or the user said so */
  /* When a mechanism that shows nothing is refused, try one that shows the password, for accounts
   * whose server keeps only a hash: where the certificate was verified. */
  bool second_try;
  bool login_only;   /* QUIT after the login: for asking whether it works */
  bool delete_short; /* see 3 above */
  bool
      no_quit; /* when all is fetched just go: nothing is deleted, whatever was wished, and a server
                * that removes what was fetched at QUIT (RFC 2449 §6.7, EXPIRE 0) removes nothing */
  bool no_pipeline; /* one command after another, whatever is announced */
};

/* What a hostile server can make us take. 0: the default. */
struct pop3_client_limits {
  /* of the list (100 octets each and the UIDL): 1,000,000; later ones are left out */
  uint32_t messages;
  uint64_t message;       /* octets of one message: 2^32; a larger one is not fetched */
  uint32_t window;        /* RETR under way: 16, at most POP3_CLIENT_WINDOW */
  uint64_t window_octets; /* of messages under way, by what LIST said: 4 MB. One is always */
  uint32_t unsettled;     /* ended messages that the sink has not settled: 256 */
  uint64_t idle_ms;       /* for each answer, and for each 4096 octets of a message: 2 minutes */
  uint64_t session_ms;    /* in all: 6 hours. Without it a server that trickles holds us for ever */
  uint64_t sink_ms;       /* that the sink may hold: 10 minutes */
};

struct pop3_client_start {
  struct slice user; /* no CR, LF, NUL in any of these */
  /* the password; for OAUTHBEARER and XOAUTH2 the token; empty for EXTERNAL */
  struct slice secret;
  /* act for: a master user's login where the mechanism has it; empty: none */
  struct slice authzid;
  /* "APOP", "USER" or SASL's name, in any case; NULL: the best that is offered */
  const char *mechanism;
  const char *host; /* the server's name, for mechanisms that send it */
  uint16_t port;
  uint8_t nonce[18]; /* octets that nobody can guess, new for each session */
  struct pop3_client_policy policy;
  struct pop3_client_limits limits;
  struct pop3_sink sink; /* unused with login_only */
  struct proto_trace trace;
  struct proto_channel channel;
  uint64_t now_ms;
};

struct pop3_client {
  struct proto proto;
  bool holds;        /* the sink is waited for, and nothing is read meanwhile */
  bool settling;     /* nothing is under way but what the sink has not settled: it should now */
  enum pop3_end end; /* NONE until proto.want is PROTO_CLOSE */
  /* What the server said last that was no success, or at the end: with its response code, not made
   * safe for a terminal. */
  char text[POP3_CLIENT_TEXT_MAX];
  size_t text_n;
  /* what the login was made with: "APOP", "USER", "SCRAM-SHA-256", …; NULL before */
  const char *mechanism;
  bool logged_in; /* ended LATER or BROKEN with it: the login is good */
  bool has_uidl;  /* the server answered UIDL */
  bool pipelines;
  bool list_cut; /* the list was longer than limits.messages */
  struct pop3_item *items;
  size_t count;
  struct pop3_item *stuck; /* at which message it ended before its time: the one that was under way,
                            * or that put the session out of step; NULL: none is known */
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
/* The connection is over, because `why`; when it had said QUIT it may be that all was done. */
void pop3_client_gone(struct pop3_client *c, enum pop3_end why);

/* --- from the sink --- */
/* It goes on after HOLD. */
void pop3_client_resume(struct pop3_client *c);
/* What became of a message that has ended: safe (true: on the disk, whatever happens now) or not.
 */
void pop3_client_settle(struct pop3_client *c, struct pop3_item *item, bool safe);
/* Fetch nothing more, settle and delete what there is, and QUIT: for a session that is to stop. */
void pop3_client_finish(struct pop3_client *c);

#endif
