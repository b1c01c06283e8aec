/* SPDX-License-Identifier: ISC */
/* Who receives mail for an address: the directory of domains, addresses and accounts, whole in the
 * owner's memory (about 250 octets an account), so that a RCPT costs a look-up in a table and no
 * query. It is read from the database at start; each administrative change is applied to it once it
 * is durable.
 *
 * It also keeps what each account's mail amounts to, so that quotas are exact: `octets` is what is
 * durable, `coming` what is in write jobs now under way. */
#ifndef QASID_STORE_DIRECTORY_H
#define QASID_STORE_DIRECTORY_H

#include "lib/base/map.h"
#include "lib/db/db.h"

enum {
  DIR_DEPTH_MAX = 10, /* aliases that lead to aliases; Postfix's virtual_alias_recursion_limit is
                         1000, far more than any real configuration has */
  DIR_ACCOUNTS_MAX = 10000,  /* accounts that one message reaches */
  DIR_VISITS_MAX = 20000,    /* addresses looked at for one address of a message */
  DIR_ELSEWHERE_MAX = 10000, /* addresses elsewhere, likewise */
  DIR_ADDRESS_MAX = 512,
};
#define DIR_QUOTA_DEFAULT UINT64_MAX
#define DIR_DEFAULT UINT32_MAX
#define DIR_NEVER (UINT32_MAX - 1)

enum dir_sends {
  DIR_MESSAGES_HOUR,
  DIR_RECIPIENTS_HOUR,
  DIR_MESSAGES_DAY,
  DIR_RECIPIENTS_DAY,
  DIR_NEW_DAY,
  DIR_SENDS
};

/* An account's own limits. */
struct dir_limits {
  uint64_t quota;       /* octets; 0: none; DIR_QUOTA_DEFAULT: the option's */
  uint32_t login_delay; /* seconds; 0: none; DIR_DEFAULT: the option's */
  uint32_t expire;      /* days; DIR_NEVER; DIR_DEFAULT: the option's */
  /* how much it may send, by enum dir_sends; 0: any number; DIR_DEFAULT: the option's */
  uint32_t sends[DIR_SENDS];
};
#define DIR_LIMITS_DEFAULT                                            \
  (struct dir_limits) {                                               \
    DIR_QUOTA_DEFAULT, DIR_DEFAULT, DIR_DEFAULT, {                    \
      DIR_DEFAULT, DIR_DEFAULT, DIR_DEFAULT, DIR_DEFAULT, DIR_DEFAULT \
    }                                                                 \
  }

struct session;

struct dir_account {
  uint64_t id, inbox;
  struct dir_limits limits;
  uint64_t octets, messages, coming;
  uint64_t deleted, deleted_octets; /* messages that can be brought back; no quota counts them */
  size_t addresses; /* that are its own; 0: it is being deleted, and gets nothing any more */
  struct session *locked_by; /* the session that has the maildrop open */
  uint8_t waiters;           /* logins that wait for it, at most POP_WAITERS_MAX */
  bool asked;      /* the session that has it was asked whether it is idle, and has not answered */
  int64_t login_s; /* when it was last opened, 0: not since the start */
  /* when the postmaster was last notified that its mail is held; 0: not since the start */
  int64_t braked_s;
  struct dir_grant *grants; /* as whom it may send besides its own addresses */
  uint64_t mark;            /* of the last message that was for it */
  struct dir_account *older, *newer;
};

struct dir_address;
struct dir_domain;

struct directory {
  struct map accounts;  /* by id */
  struct map addresses; /* by hash of the text; those of one hash are chained */
  /* those whose text is not as it would be prepared by now: by hash of that; likewise */
  struct map odd;
  struct map domains; /* by hash of the name; likewise */
  struct dir_account *oldest, *newest;
  struct dir_domain *first_domain, *last_domain; /* by id */
  size_t address_count, domain_count;
  uint64_t deleted, deleted_octets; /* of all accounts */
  const char *hostname;             /* this server's own; borrowed; NULL or "": none */
  uint64_t mark;                    /* of the present message */
  uint64_t follow;                  /* of the present way through the aliases */
  struct dir_address *postmaster;   /* of some domain; valid when postmaster_known */
  bool postmaster_known;
};

void dir_init(struct directory *d);
void dir_free(struct directory *d);
/* Reads all of it. */
enum db_result dir_load(struct directory *d, struct db *db);

/* Changes. False without memory. Texts are as they are kept: prepared (dir_fold), or those of
 * before. */
bool dir_put_domain(struct directory *d, uint64_t id, struct slice name);
/* `name` in lower case. */
bool dir_is_ours(const struct directory *d, struct slice name);
void dir_remove_domain(struct directory *d, struct slice name);
/* Also changes the limits of one that is there. */
bool dir_put_account(struct directory *d, uint64_t id, uint64_t inbox,
                     const struct dir_limits *limits);
/* Columns of the table `account` in a query, and what they say there from `column` on. */
#define DIR_LIMITS                                                                         \
  "quota, login_delay, expire, messages_per_hour, recipients_per_hour, messages_per_day, " \
  "recipients_per_day,"                                                                    \
  " new_recipients_per_day"
enum { DIR_LIMIT_COLUMNS = 3 + DIR_SENDS };
struct dir_limits dir_limits_of(struct db_stmt *s, int column);
void dir_remove_account(struct directory *d, uint64_t id);
struct dir_account *dir_account(struct directory *d, uint64_t id);
/* An address of its own, for a person to read; empty: it has none. Walks through all addresses. */
struct slice dir_name_of(const struct directory *d, const struct dir_account *a);
/* So many deleted messages more (or fewer) that can be brought back. */
void dir_deleted(struct directory *d, uint64_t account, int64_t messages, int64_t octets);
/* account 0: an alias, whose targets follow with dir_add_target. Replaces what was there. An
 * account with targets is forwarded to them, and keeps its mail where its own address is one of
 * them. The text "@domain" catches all of a domain that has no address of its own. A target may be
 * elsewhere. */
bool dir_put_address(struct directory *d, struct slice text, uint64_t account);
bool dir_add_target(struct directory *d, struct slice text, struct slice target);
void dir_remove_target(struct directory *d, struct slice text, struct slice target);
void dir_remove_address(struct directory *d, struct slice text);

/* An account may send as that address, "@domain" for any of a domain, or "<>" for nobody. False
 * without memory. */
bool dir_put_grant(struct directory *d, uint64_t account, struct slice text);
void dir_remove_grant(struct directory *d, uint64_t account, struct slice text);
/* Whether it may by a grant; `address` is as typed, "" for nobody. */
bool dir_is_granted(const struct dir_account *a, struct slice address, const char *delimiters);
/* For a person to read: its addresses, the aliases that lead to them directly, what was granted; as
 * many as fit. Walks through all addresses. */
void dir_put_names(const struct directory *d, const struct dir_account *a, struct buf *out);

enum dir_result {
  DIR_FOUND,
  DIR_UNKNOWN,   /* our domain, no such address */
  DIR_ELSEWHERE, /* not our domain */
  DIR_TROUBLE,   /* no memory, or a limit above was passed */
};

/* An address elsewhere, over the one here that leads to it. Both are the directory's: until it
 * changes. */
struct dir_elsewhere {
  struct slice target, forwarder;
};

/* The accounts of one message, each once, and the addresses elsewhere to which aliases and accounts
 * lead, likewise. */
struct dir_found {
  struct dir_account **accounts; /* owned */
  size_t count, cap;
  struct dir_elsewhere *elsewhere; /* owned */
  size_t elsewhere_count, elsewhere_cap;
  /* of `elsewhere`: by hash, the place of the first of that hash, counted from 1 */
  struct map targets;
};

/* Begins a message (or a single question). */
void dir_begin(struct directory *d, struct dir_found *f);
void dir_found_free(struct dir_found *f);
/* Adds the accounts and addresses elsewhere that `address` reaches and that are not in `f` yet.
 * `delimiters`: see the option recipient_delimiter. DIR_FOUND with nothing added: all of them were
 * there already.
 *
 * <Postmaster>, and postmaster at each of our domains, at `hostname` and at an address in brackets,
 * with a detail or without, always reach somebody when there is any account at all (RFC 5321
 * §4.5.1, RFC 1123 §5.2.17): that address if there is one, else any domain's postmaster, else the
 * oldest account that has an address. Whose address it is in the brackets is not asked: a server
 * behind NAT does not know its own, and mail for another's postmaster has no business here. */
enum dir_result dir_resolve(struct directory *d, struct slice address, const char *delimiters,
                            struct dir_found *f);

/* The entry as which an address of a domain of ours is looked up: itself, itself without its
 * detail, or "@domain"; empty: there is none. *ret_forwards: it has targets; else it is an account.
 */
struct slice dir_entry(struct directory *d, struct slice address, const char *delimiters,
                       bool *ret_forwards);

/* Puts `s` into `out` as names are looked up (lib/unicode/prepare.h): in lower case, and beyond
 * ASCII in one spelling. */
void dir_fold(struct buf *out, struct slice s);
/* Two addresses are the same, however they are spelled. */
bool dir_is_same(struct slice x, struct slice y);
/* The same for the domain of an address: what is behind its last "@"; all of one without. */
void dir_fold_domain(struct buf *out, struct slice address);

#endif
