/* SPDX-License-Identifier: ISC */
/* Migrates mail from another POP3 server, account by account, so that no client notices.
 *
 *   migrate_accounts.c  the file of accounts
 *   migrate_old.c       the old server, as a client sees it
 *   migrate_plan.c      compares what the old server lists with what is here: pure
 *   migrate_one.c       one account: log in, list, fetch what is new, perhaps delete, perhaps prove
 *   cmd_migrate.c       the command: several accounts at once, a process each; its output
 *
 * Nothing is deleted at the old server: neither DELE nor QUIT is ever sent, without which a server
 * must not remove anything (RFC 1939 §6). (Some mark a message as read when it is fetched.) A
 * message is counted as moved once it is durable here; whatever ends a run in the middle, the next
 * one takes up what is missing.
 *
 * A UIDL alone does not identify a message: a server may use it again (RFC 1939 §7), and some give
 * two messages the same one. A message counts as here, unread, while no other has its UIDL and the
 * size that the old server lists is that of the message here (or its size with line feeds alone,
 * which some servers count). Whatever is in doubt is fetched, and the octets decide: the same, or
 * another message, which comes over under another UIDL. */
#ifndef QASID_CLI_MIGRATE_H
#define QASID_CLI_MIGRATE_H

#include "lib/base/arena.h"
#include "src/cli/base/cli.h"
#include "src/cli/link/importer.h"
#include "src/cli/base/url.h"

/* --- accounts --- */

struct migrate_account {
  unsigned line;
  const char *address;   /* here */
  struct slice login;    /* there; the address when the file names no other */
  struct slice password; /* p NULL: the file has none */
  bool make;             /* it is not here, and is to be made */
};
struct migrate_accounts {
  struct buf text; /* wiped at the end: passwords */
  struct arena mem;
  struct migrate_account *list;
  size_t count;
};
/* Lines "ADDRESS[<TAB>LOGIN[<TAB>PASSWORD]]"; the password is all that follows the second tab,
 * whatever it is. Empty lines and lines that begin with # are passed over. An empty LOGIN is the
 * address. False with a sentence in `err` that names the line. */
bool migrate_accounts_parse(struct migrate_accounts *a, struct buf *err);
/* The same from a file, "-" being standard input. */
bool migrate_accounts_read(struct migrate_accounts *a, const char *path, struct buf *err);
void migrate_accounts_free(struct migrate_accounts *a);

/* --- the plan --- */

enum migrate_state {
  MIGRATE_NEW, /* not here yet */
  /* a message with its UIDL is here, or was: it is fetched, and its octets are compared */
  MIGRATE_DOUBT,
  MIGRATE_HERE,
  MIGRATE_GONE, /* was here, and its owner deleted it */
};
/* A message of the old server. */
struct migrate_message {
  uint64_t number, size; /* as it lists them */
  struct slice shown;    /* its UIDL there; empty: none that can be kept */
  struct slice uidl;     /* its UIDL here: the same, if it can be kept; empty: not known yet */
  bool renamed;
  bool shared;   /* another message there has its UIDL */
  bool reused;   /* its UIDL is another message's here */
  bool imported; /* it came in this run as a new one */
  /* its octets were compared: it is `known_uid`, or (0) one that its owner deleted */
  bool known;
  uint64_t known_uid;
  enum migrate_state state;
  struct migrate_here *here;
  bool ended; /* it came, or was refused */
  bool hashed;
  struct importer_kept kept; /* what came, as it is kept here */
};
#define MIGRATE_ANY UINT64_MAX
/* A message of the account here. */
struct migrate_here {
  struct slice uidl;
  uint64_t uid;
  uint64_t size;       /* MIGRATE_ANY: not known, of one that is gone */
  uint64_t lines, sum; /* MIGRATE_ANY: not known */
  bool imported;       /* its UIDL came with it; else Qasid made it */
  bool gone;
  bool claimed; /* the old server has it */
  bool taken;   /* a message of the old server was compared, and is this one */
  bool hashed;
  uint8_t hash[32];
};
struct migrate_plan {
  struct arena mem;
  struct migrate_message *old; /* in the old server's order */
  size_t old_count, old_cap;
  struct migrate_here *here; /* by UIDL */
  size_t here_count, here_cap;
  size_t new_count, doubt_count, gone_count, renamed; /* renamed: those whose UIDL cannot be kept */
  bool every_octet; /* what is known by its UIDL and size is in doubt too */
  size_t left_over; /* came from the old server, and is there no longer */
};
void migrate_plan_init(struct migrate_plan *p);
void migrate_plan_free(struct migrate_plan *p);
/* One more of each; false without memory. */
bool migrate_plan_old(struct migrate_plan *p, uint64_t number, uint64_t size, struct slice uidl);
bool migrate_plan_here(struct migrate_plan *p, struct slice uidl, uint64_t uid, bool imported,
                       uint64_t size, uint64_t sum);
/* What is here, what is there, is read anew. */
void migrate_plan_forget_here(struct migrate_plan *p);
void migrate_plan_forget_old(struct migrate_plan *p);
/* Compares. A UIDL may be one that cannot be kept: RFC 1939 §7 does not allow it (it comes as an
 * empty one), or another message has it too, there or here. Such a message is known by its octets
 * alone: it is fetched in every run, and its UIDL here is "old-" and their SHA-256. That it is gone
 * there cannot be known, and so it is never left over. */
bool migrate_plan_make(struct migrate_plan *p);
/* A message came whole (m->kept): decides what is in doubt, and gives it the UIDL that it is to
 * have here. False without memory. */
bool migrate_plan_came(struct migrate_plan *p, struct migrate_message *m);
bool migrate_is_left_over(const struct migrate_here *h);

/* --- the old server --- */

struct migrate_from {
  struct url url;
  const char *master; /* NULL: each account's own password */
  struct slice master_password;
  const char *master_form; /* "%u*%m", or "authzid" */
};

/* Who takes the messages. */
struct migrate_sink {
  /* The plan has all of the old server's list. Sets which ones are wanted. False: stop. */
  bool (*listed)(void *arg);
  bool (*wants)(void *arg, const struct migrate_message *m);
  /* Octets of the message under way, un-stuffed. False: stop. */
  bool (*piece)(void *arg, struct slice octets);
  /* It is whole, or (came false) the old server refused it, and goes on. False: stop. */
  bool (*end)(void *arg, struct migrate_message *m, bool came);
  void *arg;
};
/* Logs in as the account, lists into the plan, and gives the sink what it wants, in the old
 * server's order. The exit code; errors were printed. *ret_stuck: the message at which the session
 * ended before its time. */
int migrate_old_read(struct cli *c, const struct migrate_from *from,
                     const struct migrate_account *account, struct migrate_plan *plan,
                     const struct migrate_sink *sink, struct migrate_message **ret_stuck);

/* --- one account --- */

enum { MIGRATE_NOTE = 400 };
/* Shared memory between the command and the process that works on the account. */
struct migrate_result {
  int code;                       /* CLI_EXIT_OK, or why not */
  uint64_t messages;              /* at the old server */
  uint64_t fetched, octets;       /* now */
  uint64_t coming, coming_octets; /* of them all, as announced */
  uint64_t deleted;               /* here, because the old server has them no more */
  uint64_t gone;                  /* their owner deleted them here */
  /* --prove */
  bool compared;
  uint64_t same, missing, renamed, doubtful, left_over;
  bool octets_compared;
  uint64_t octets_same, octets_differ;
  /* what the door changed (mail/clean.h): in those that came, or in those whose octets were
   * compared */
  uint64_t changed_messages;
  struct mail_changes changed;
  char note[MIGRATE_NOTE]; /* the first that is not as it should be */
  char reason[MIGRATE_NOTE];
};
/* No client will download anything twice. */
bool migrate_is_proven(const struct migrate_result *r);

struct migrate_job {
  struct cli *c;
  const struct migrate_from *from;
  const struct migrate_account *account;
  bool mirror, prove, prove_octets, accept_short;
  bool hashes; /* an account that is made: its password is a hash */
  struct migrate_result *result;
};
/* The exit code; errors were printed on standard error, the last line of which is the reason. */
int migrate_one(struct migrate_job *j);

#endif
