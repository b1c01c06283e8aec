/* SPDX-License-Identifier: ISC */
/* A protocol session as a pure machine, and the contract between it and the shell around it.
 *
 * A session never uses a socket, a file, a clock or a random source. Its input is octets, answers
 * and ticks; its output is octets, one question at a time to another process, and "close, for
 * reason X". The same compiled session runs in the server (runtime/front), in the fuzzers and in
 * the simulated world (tests/world). It embeds `struct proto` as its first member and provides
 * `struct proto_ops`.
 *
 * A shell carries out the actions returned by proto_next(), one after another, until that is to
 * wait. That function alone decides the order of the actions, and so what may be done when; the
 * shell owns the connection, TLS, the clock and the channels. It sets proto.now_ms before every
 * call.
 *
 * So replies to a pipelined group leave together, a question never forces a flush, output above
 * out_high stops reading, and a session with much to do yields to the others.
 *
 * Ownership: slices given to input() and answer() are borrowed for the call. The session is freed
 * only by the shell, never inside a call. */
#ifndef QASID_PROTO_H
#define QASID_PROTO_H

#include "lib/base/buf.h"
#include "lib/base/log.h"

/* Output that may wait for a client: one that has not logged in or sent mail yet gets a tenth of
 * what a reader of mail gets. A buffer doubles, so the memory is at most twice the mark. */
enum {
  PROTO_OUT_HIGH = 64 * 1024,
  PROTO_OUT_STRANGER = 8 * 1024,
  PROTO_OUT_MAX = 256 * 1024,
  PROTO_IN_HIGH = 64 * 1024, /* octets read from the client at once */
  PROTO_IN_STRANGER = 8 * 1024,
  PROTO_ASK_MAX = 160 * 1024, /* octets of a question: what a message between processes may carry */
};

enum close_reason {
#define R(name, word, meaning) CLOSE_##name,
#include "runtime/proto/reasons.def"
#undef R
  CLOSE_REASONS
};
const char *close_reason_word(enum close_reason r);
const char *close_reason_meaning(enum close_reason r);

enum proto_want { PROTO_READ, PROTO_TLS, PROTO_CLOSE };

/* The one pending question: type 0 when there is none. `body` is the encoded payload; the tag is
 * the session's id. A question with `wants_answer` false (drop, cancel, close) is sent without
 * waiting: the shell clears it at once. */
struct proto_ask {
  unsigned role; /* the process asked: enum role of ipc/roles.h, a layer above this one */
  uint16_t type;
  bool wants_answer;
  bool sent; /* set by the shell: it was sent */
  struct buf body;
};

/* One line of a wire trace, passed to `trace` if that is set. `line` contains no secret: the
 * session replaces passwords and message bodies by a note before the call. */
struct proto_trace {
  /* 'C', 'S', or '*' for a remark of the server's own */
  void (*fn)(void *arg, char direction, struct slice line);
  void *arg;
};

/* The log: `open` begins a line with the session's name, service and client in it (lib/base/log.h).
 */
struct proto_log {
  void (*open)(void *arg, struct log_line *l, enum log_event event);
  void *arg;
};

/* The TLS channel bindings of a session (RFC 5056), requested when a login needs them. */
struct proto_bindings {
  uint8_t exporter[64], end_point[64]; /* RFC 9266; RFC 5929 §4 */
  uint8_t
      certificate[32]; /* SHA-256 of the certificate that the client presented in the handshake */
  size_t exporter_n, end_point_n, certificate_n; /* 0: there is none */
};
struct proto_channel {
  void (*bindings)(void *arg, struct proto_bindings *ret);
  void *arg;
  /* Puts the fingerprint of the client's certificate; NULL if it presented none. */
  size_t (*certificate)(void *arg, uint8_t to[32]);
};

struct proto {
  struct buf out;
  size_t out_high; /* no more is read from the client while `out` holds more than this */
  size_t in_most;  /* octets that the shell reads from the client at once */
  enum proto_want want;
  enum close_reason reason;
  struct proto_ask ask;
  bool more;            /* produce() has more to write */
  bool holds;           /* a client session: takes no input until its sink resumes */
  bool duplex;          /* a client session: takes input even while `out` waits, as servers may send
                         * at any time */
  uint64_t now_ms;      /* set by the shell before each call; never goes back */
  int64_t wall_s;       /* likewise: seconds since 1970, for date headers */
  uint64_t deadline_ms; /* the shell calls tick() when now_ms reaches it; 0: none */
  struct proto_trace trace;
  struct proto_log log; /* `open` is NULL: nothing is logged */
  /* set by the shell; `bindings` is NULL if there is no TLS channel */
  struct proto_channel channel;
};

/* The parameters of a new session. */
struct proto_start {
  uint64_t id;         /* the session's number, unique in its process and never reused */
  const char *session; /* the name of the session in logs and Received:, never reused */
  uint8_t peer[16];    /* the client's address */
  uint8_t peer_len;    /* 4 or 16 */
  uint16_t peer_port;
  /* of the service "local": the client's user id; peer is then the loopback */
  uint32_t uid;
  /* likewise: the identity of the one message that it carries (docs/design/pickup.md) */
  uint8_t drop[16];
  bool has_drop;
  const char *service;     /* "smtp", "submission", "submissions", "local", "pop3", "pop3s" */
  bool secure;             /* implicit TLS: the handshake is already done */
  const char *tls_version; /* "TLSv1.3" when secure */
  const char *tls_cipher;
  uint8_t nonce[16]; /* unpredictable octets: for APOP's timestamp, ids */
  uint64_t now_ms;
  int64_t wall_s;
};

/* After a handshake that the session requested. */
struct proto_secured {
  const char *tls_version;
  const char *tls_cipher;
};

/* A client session has no `new` (its owner creates it, with more than proto_start), asks nothing,
 * and lacks the functions for that: answer, role_lost, summary, valuable, yield. */
struct proto_ops {
  const char *name;
  /* Creates a session, with its greeting in `out`. NULL without memory. `service` is what the role
   * made from its configuration, shared by all sessions and outliving them. */
  struct proto *(*new)(const void *service, const struct proto_start *start);
  void (*free)(struct proto **p);
  /* Takes octets off the front of `*in`. It need not take all; the rest is passed again with more
   * octets. It takes nothing more once it asks a question, wants TLS or closes. */
  void (*input)(struct proto *p, struct slice *in);
  /* The answer to the open question (several pop_listing parts are several calls; ask.type is
   * cleared by the session with the last). type 0: the process was lost and no answer will come. */
  void (*answer)(struct proto *p, uint16_t type, struct slice payload);
  /* Writes some more into `out`, at least one octet, or clears `more`. NULL: there is never more.
   */
  void (*produce)(struct proto *p);
  void (*secured)(struct proto *p, const struct proto_secured *tls);
  /* The deadline has come, or a periodic check: the session checks its time limits. */
  void (*tick)(struct proto *p);
  /* The client is gone (reason: why); the session may still `ask` a question that wants no answer,
   * to release what it holds in other processes. It must end with want == PROTO_CLOSE. */
  void (*gone)(struct proto *p, enum close_reason why);
  /* A process this session depends on was restarted while nothing was asked. */
  void (*role_lost)(struct proto *p, unsigned role);
  /* Puts key=value pairs for the closing log line: what the session did. */
  void (*summary)(struct proto *p, void (*put)(void *arg, const char *key, struct slice value),
                  void *arg);
  /* True if the session has logged in or is delivering mail now: such a session is not the first to
   * be closed when connections run out. Octets that cost the client nothing, and past activity, do
   * not count. */
  bool (*valuable)(const struct proto *p);
  /* Another session waits for a resource that this one holds exclusively. True: this session
   * releases it, or is doing so already; in most cases it has then closed. False: it is in use.
   * NULL: sessions of this kind hold nothing. */
  bool (*yield)(struct proto *p);
};

/* The shell's next action. */
enum proto_action {
  PROTO_DO_ASK,      /* send the question; if it expects no answer, it is done */
  PROTO_DO_AWAIT,    /* wait until answer() was called or `holds` is false */
  PROTO_DO_FLUSH,    /* send `out`; when the peer takes no more, set turn.blocked */
  PROTO_DO_DRAIN,    /* wait until the peer takes more of `out` */
  PROTO_DO_PRODUCE,  /* call produce() */
  PROTO_DO_INPUT,    /* call input(); if it takes nothing, set turn.fed */
  PROTO_DO_READ,     /* read from the peer; if there is nothing, wait for it */
  PROTO_DO_TLS,      /* handshake, then clear `want` and call secured() */
  PROTO_DO_INJECTED, /* octets came in the clear where TLS was to begin: gone() with that reason */
  PROTO_DO_CLOSE,    /* close the connection, log `reason`, free the session */
  PROTO_DO_FAIL,     /* gone(), because memory ran out: `out` or the question is incomplete */
  PROTO_DO_PAUSE,    /* yield to other sessions, and continue in the loop's next turn */
  PROTO_ACTIONS
};

/* The shell's side of the state, from its entry into the loop until it waits. Zeroed at the
 * entry. */
struct proto_turn {
  size_t in;     /* octets available that the session has not taken */
  bool fed;      /* the session has seen these and took none: it needs more of them first. A read
                  * clears it, and proto_next() when the session produces or asks. */
  bool blocked;  /* the peer takes no output now */
  unsigned work; /* calls of input() and produce(), and reads; proto_next() counts them */
};

enum { PROTO_TURN_MOST = 32 /* value of `work` at which PROTO_DO_PAUSE follows */ };

enum proto_action proto_next(const struct proto *p, struct proto_turn *t);

void proto_init(struct proto *p, const struct proto_start *start);
/* The same for a session that talks to a server. Servers may send at any time: output is sent at
 * once, and while the server takes none of it, input is still read. */
void proto_client_init(struct proto *p, const struct proto_start *start);
/* Frees what proto_init() made; the session's own free() calls it. */
void proto_done(struct proto *p);
/* Starts a question and returns the buffer for its payload. */
struct buf *proto_ask(struct proto *p, unsigned role, uint16_t type, bool wants_answer);
/* Ends the session once `out` was flushed. The first reason is kept. */
void proto_close(struct proto *p, enum close_reason reason);
/* For sessions: the channel's bindings, empty if there are none. */
struct proto_bindings proto_bindings(const struct proto *p);
/* For sessions: begins a log line; the session adds its fields, then calls log_end(). False:
 * nothing is logged. */
bool proto_log(struct proto *p, struct log_line *l, enum log_event event);
/* For sessions: writes a trace line when tracing is on. */
void proto_trace(struct proto *p, char direction, struct slice line);
/* Remarks that have the same wording in every protocol: "state sasl > ready", "TLSv1.3
 * TLS_AES_256_GCM_SHA384", "logged in as alice@example.org". */
/* The lines in `out` from octet `before` on. */
void proto_trace_out(struct proto *p, size_t before);
void proto_trace_state(struct proto *p, const char *from, const char *to);
void proto_trace_tls(struct proto *p, const struct proto_secured *tls);
void proto_trace_login(struct proto *p, struct slice name);

#endif
