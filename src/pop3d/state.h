/* SPDX-License-Identifier: ISC */
/* The session's memory, and the functions shared by its files. Only src/pop3d includes this. */
#ifndef QASID_POP3D_STATE_H
#define QASID_POP3D_STATE_H

#include "ipc/roles.h"
#include "ipc/pop3d_store.h"
#include "mail/pop3/command.h"
#include "mail/surrogate.h"
#include "mail/pop3/line.h"
#include "mail/pop3/stuff.h"
#include "src/pop3d/maildrop.h"
#include "src/pop3d/lang.h"
#include "src/pop3d/session.h"

/* Bits, so that a verb can name several. */
enum pop3d_state {
  ST_AUTHORIZATION = 1,
  ST_SASL = 2, /* inside AUTH: lines are responses, not commands */
  ST_TRANSACTION = 4,
  ST_UPDATE = 8 /* QUIT was received; nothing is read any more */
};

/* The purpose of the pending question. */
enum pop3d_wait {
  WAIT_NOTHING,
  WAIT_LOGIN,
  WAIT_OPEN,
  WAIT_LISTING,
  WAIT_CHUNK,
  WAIT_QUIT,
  WAIT_RULES,
  WAITS
};

/* The work that produce() continues. */
enum pop3d_work { WORK_NOTHING, WORK_LIST, WORK_UIDL, WORK_READ, WORK_DELETE, WORKS };

/* The kind of login, which decides the wording of "+OK". */
enum pop3d_login { LOGIN_PASS, LOGIN_APOP, LOGIN_AUTH };

/* A message that is converted while it is sent: the converted octets waiting for the stuffer. */
struct converted {
  struct surrogate made;
  struct buf text;
  bool unknown; /* not measured: if it needs conversion, it is refused */
  bool ended;   /* all of the message was read */
};

struct pop3d_session {
  struct proto proto; /* first */

  /* the connection */
  const struct pop3d_service *service;
  uint64_t nonce[2]; /* the numbers in the greeting's timestamp */
  uint8_t peer[16];
  uint8_t peer_len;
  bool secure;
  struct pop3_framer framer;

  /* state */
  enum pop3d_state state;
  enum pop3d_wait wait;
  enum pop3d_work work;
  bool apop;            /* the greeting had a timestamp */
  bool auth_lost;       /* auth was restarted inside AUTH */
  bool store_lost;      /* store was restarted while auth was asked: a grant is lost with it */
  uint8_t language;     /* of replies; an index of languages */
  bool utf8;            /* the client sent UTF8: messages are sent unchanged */
  bool granted;         /* store may hold a grant or a lock of this session */
  bool took_over;       /* from an idle session */
  bool quit_unanswered; /* store was lost while it executed the QUIT */

  /* identity */
  struct buf user;    /* the name given by the client */
  struct buf account; /* the canonical name, once auth has accepted the login */
  enum pop3d_login login;

  /* the open maildrop */
  uint32_t login_delay; /* POP_NO_DELAY: not to be announced */
  uint32_t expire;      /* days, POP_NEVER */
  struct maildrop maildrop;
  uint32_t next;        /* LIST, UIDL, QUIT: the number to continue with */
  uint32_t reading;     /* RETR, TOP: the message number */
  uint32_t read_before; /* the number read before that; 0: none */
  uint32_t read_most;   /* the most octets requested so far */
  struct pop3_stuffer stuffer;
  struct converted *converted; /* NULL: the message is sent unchanged */
  uint32_t sum;                /* of what was read of it so far */
  uint32_t sum_kept;           /* of all of it, from when it was stored */
  bool summed;                 /* that is known */
  bool top;
  bool begun; /* the response's first line was sent */

  /* counts against the limits, and statistics */
  uint64_t login_deadline_ms;
  uint64_t active_ms;               /* when the client last sent or was sent something */
  uint32_t errors, failures, early; /* early: commands before the login */
  uint32_t retrieved, deleted;
  uint64_t octets;
};

/* The row of a verb: everything that applies to it. */
struct pop3d_verb {
  const char *name;
  enum pop3_arg arg;
  uint8_t states;
  uint8_t flags;
  void (*handler)(struct pop3d_session *s, const struct pop3_args *a);
  const char *capability; /* its line in CAPA, or NULL */
  const char *spec;
};

enum {
  V_PASSWORD = 1,    /* carries a password in the clear: needs TLS, or the option plaintext_auth */
  V_SECRET = 2,      /* its argument is not for a trace */
  V_KEEPS_USER = 4,  /* keeps the name given by USER; any other command discards it */
  V_STLS = 8,        /* announced only where it can be used */
  V_MECHANISMS = 16, /* announced with the mechanisms that can be used now */
  V_LAST = 32        /* exists only with the option pop3_last */
};

/* verbs.c */
const struct pop3d_verb *verb_find(const struct pop3d_session *s, struct slice name);
const struct pop3d_verb *verb_at(size_t i); /* NULL behind the last */

/* Discards the client's identity. */
void session_forget_user(struct pop3d_session *s);
/* Changes the state, and traces it. */
void session_to(struct pop3d_session *s, enum pop3d_state state);
/* The question was answered: none is open. */
void pop3d_answered(struct pop3d_session *s);
/* Notifies auth or store, if it holds something for this session, that it ends without QUIT. */
void pop3d_release(struct pop3d_session *s);
/* A process failed: reports it, unless that would be inside a multi-line response, and closes. */
void session_abort(struct pop3d_session *s, enum close_reason reason);
bool plaintext_allowed(const struct pop3d_session *s);
/* True if a login is possible here at all. (The option require_tls_login; auth.c.) */
bool login_allowed(const struct pop3d_session *s);
/* Makes produce() continue with `work`. */
void work_on(struct pop3d_session *s, enum pop3d_work work);
void work_done(struct pop3d_session *s);

/* reply.c: one line each, traced, in the session's language when messages.def has `fmt`. No CRLF in
 * it. */
void pop3d_ok(struct pop3d_session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void pop3d_err(struct pop3d_session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A refused command: an -ERR that counts towards pop3_error_limit. */
void pop3d_refuse(struct pop3d_session *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void end_of_lines(struct pop3d_session *s);
/* A remark in the trace: "(120 octets of message)". */
void pop3d_remark(struct pop3d_session *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Writes a command to the trace without its secrets. */
void trace_command(struct pop3d_session *s, const struct pop3d_verb *v, struct slice line);
/* "message" or "messages", "octet" or "octets", in the session's language. */
const char *pop3d_plural(const struct pop3d_session *s, uint64_t n);
const char *octets_word(const struct pop3d_session *s, uint64_t n);
/* The message named by a command, or NULL after an -ERR. */
struct maildrop_message *named_message(struct pop3d_session *s, uint64_t number);

/* login.c */
/* Logs a login that auth was not asked about. */
void log_login(struct pop3d_session *s, struct slice name, const char *mechanism, const char *why);
/* Logs damage of the session's account, at most once a minute. uid: the message's; 0: none is
 * known. */
void log_damage(struct pop3d_session *s, uint32_t uid, const char *what);
void pop3_user(struct pop3d_session *s, const struct pop3_args *a);
void pop3_pass(struct pop3d_session *s, const struct pop3_args *a);
void pop3_apop(struct pop3d_session *s, const struct pop3_args *a);
void put_timestamp(const struct pop3d_session *s, struct buf *out);
void login_ok(struct pop3d_session *s, struct slice payload);
void login_fail(struct pop3d_session *s, struct slice payload);
void login_no_auth(struct pop3d_session *s); /* auth is gone */
void open_answer(struct pop3d_session *s, struct slice payload);
void listing_answer(struct pop3d_session *s, struct slice payload);
void open_no_store(struct pop3d_session *s);

/* auth.c */
void pop3_auth(struct pop3d_session *s, const struct pop3_args *a);
void auth_line(struct pop3d_session *s, struct slice line, const char *fault); /* NULL: none */
void auth_challenged(struct pop3d_session *s, struct slice payload);
bool announces_mechanisms(const struct pop3d_session *s);
void put_mechanisms(const struct pop3d_session *s, struct buf *out, const char *before,
                    const char *after);

/* capa.c */
void pop3_lang(struct pop3d_session *s, const struct pop3_args *a);
void pop3_capa(struct pop3d_session *s, const struct pop3_args *a);
void rules_answer(struct pop3d_session *s, struct slice payload);
void capa_no_store(struct pop3d_session *s); /* store is lost: replies to CAPA without store's
                                              * values */
void pop3_stls(struct pop3d_session *s, const struct pop3_args *a);
void pop3_utf8(struct pop3d_session *s, const struct pop3_args *a);

/* listing.c */
void pop3_stat(struct pop3d_session *s, const struct pop3_args *a);
void pop3_list(struct pop3d_session *s, const struct pop3_args *a);
void pop3_uidl(struct pop3d_session *s, const struct pop3_args *a);
void pop3_last(struct pop3d_session *s, const struct pop3_args *a);
void list_more(struct pop3d_session *s);

/* mark.c */
void pop3_dele(struct pop3d_session *s, const struct pop3_args *a);
void pop3_noop(struct pop3d_session *s, const struct pop3_args *a);
void pop3_rset(struct pop3d_session *s, const struct pop3_args *a);

/* retr.c */
void pop3_retr(struct pop3d_session *s, const struct pop3_args *a);
void pop3_top(struct pop3d_session *s, const struct pop3_args *a);
void read_more(struct pop3d_session *s);

/* convert.c */
enum converted_taken {
  CONVERTED_SOME, /* there are octets to send, or the end */
  CONVERTED_NONE, /* nothing to send before more of the message is read */
  /* a message that was not measured needs conversion: the announced size is wrong */
  CONVERTED_REFUSED,
  CONVERTED_FAILED /* no memory */
};
/* The message about to be read needs conversion. False without memory. */
bool converted_open(struct pop3d_session *s, const struct maildrop_message *m);
/* Adds its next octets; none at its end. */
enum converted_taken converted_take(struct pop3d_session *s, struct slice piece);
/* Gives the stuffer some of the waiting octets; the end after the last. */
enum pop3_stuff converted_stuff(struct pop3d_session *s);
/* True if octets wait for the stuffer. */
bool converted_waits(const struct pop3d_session *s);
/* Frees its memory. */
void converted_free(struct pop3d_session *s);
/* After the whole message was read: true if it is what was stored, as far as that is known. */
bool read_is_right(const struct pop3d_session *s);
void chunk_answer(struct pop3d_session *s, struct slice payload);
void chunk_take(struct pop3d_session *s, const struct pop_chunk *m);

/* quit.c */
void pop3_quit(struct pop3d_session *s, const struct pop3_args *a);
void delete_more(struct pop3d_session *s);
void quit_answer(struct pop3d_session *s, struct slice payload);

#endif
