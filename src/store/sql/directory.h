/* SPDX-License-Identifier: ISC */
/* Who receives mail for an address: domains, addresses with their targets, accounts with their
 * limits and the addresses they may send as. All of it is in the database; a directory reads what
 * is asked through a connection, by indexes, and caches some of it (docs/design/directory.md).
 *
 * It belongs to the owner of that connection: the store's owner has one over a connection of its
 * own; a job can make one over its engine's, which sees that transaction, with
 * DIR_REMEMBERS_NOTHING.
 *
 * The cache contains committed data only, since another connection reads nothing else. After a
 * change of the tables is durable, dir_changed_*() must be called for what changed; until then
 * either state may be seen. */
#ifndef QASID_STORE_SQL_DIRECTORY_H
#define QASID_STORE_SQL_DIRECTORY_H

#include "lib/base/arena.h"
#include "lib/base/id_cache.h"
#include "lib/base/map.h"
#include "lib/base/recall.h"
#include "lib/db/db.h"

enum {
  DIR_DEPTH_MAX = 10, /* aliases that lead to aliases; Postfix's virtual_alias_recursion_limit is
                         1000, far more than any real configuration has */
  DIR_ACCOUNTS_MAX = 10000,  /* accounts that one message can reach */
  DIR_VISITS_MAX = 20000,    /* addresses visited for one address of a message */
  DIR_ELSEWHERE_MAX = 10000, /* remote addresses, likewise */
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
  /* how much it may send, by enum dir_sends; 0: unlimited; DIR_DEFAULT: the option's */
  uint32_t sends[DIR_SENDS];
};
#define DIR_LIMITS_DEFAULT                                            \
  (struct dir_limits) {                                               \
    DIR_QUOTA_DEFAULT, DIR_DEFAULT, DIR_DEFAULT, {                    \
      DIR_DEFAULT, DIR_DEFAULT, DIR_DEFAULT, DIR_DEFAULT, DIR_DEFAULT \
    }                                                                 \
  }

/* Memory is allocated as it is used. */
enum dir_memory { DIR_REMEMBERS_NOTHING, DIR_REMEMBERS_MUCH };

struct dir_account {
  uint64_t id, inbox;
  struct dir_limits limits;
};

struct directory {
  struct db *db;        /* borrowed */
  const char *hostname; /* this server's own; borrowed; NULL or "": none */
  bool remembers;
  /* A domain's name → its id, doubled, plus 1 if an address catches all of it. An address → its
   * account; 0: an alias, or forwarded, which is in `forwards` with its targets. An address or a
   * domain → 0: nonexistent; these are separate, so that a dictionary attack does not evict
   * existing ones. */
  struct id_cache domains, addresses, unknown;
  struct recall forwards;
  struct recall accounts;    /* id → struct dir_account */
  bool odd;                  /* some address is stored in a spelling that a new one would not get */
  bool quotas_known, quotas; /* whether some account has a quota of its own */
  bool failed;               /* the database could not be read: it must be reopened */
  bool postmaster_known;
  size_t postmaster_n; /* 0: no domain has one */
  uint8_t postmaster[DIR_ADDRESS_MAX];
};

void dir_init(struct directory *d, enum dir_memory memory);
void dir_free(struct directory *d);
/* From now on it reads through `db`, of which nothing else holds a row meanwhile. */
enum db_result dir_open(struct directory *d, struct db *db);

/* Columns of the table `account` in a query, and their values from `column` on. */
#define DIR_LIMITS                                                                         \
  "quota, login_delay, expire, messages_per_hour, recipients_per_hour, messages_per_day, " \
  "recipients_per_day,"                                                                    \
  " new_recipients_per_day"
enum { DIR_LIMIT_COLUMNS = 3 + DIR_SENDS };

/* Changes to the tables that are durable; texts are in their stored form. */
void dir_changed_domain(struct directory *d, struct slice name);
void dir_changed_address(struct directory *d, struct slice text); /* or its targets */
void dir_changed_account(struct directory *d, uint64_t id);

enum dir_result {
  DIR_FOUND,
  DIR_UNKNOWN,   /* local domain, no such address */
  DIR_ELSEWHERE, /* not our domain */
  DIR_TROUBLE,   /* no memory, or a limit above was exceeded */
};

/* `name` in lower case. DIR_FOUND: it is local; DIR_ELSEWHERE; DIR_TROUBLE. */
enum dir_result dir_find_domain(struct directory *d, struct slice name);
static inline bool dir_is_ours(struct directory *d, struct slice name) {
  return dir_find_domain(d, name) == DIR_FOUND;
}
/* DIR_FOUND, DIR_UNKNOWN, DIR_TROUBLE. One that is being deleted is still found. */
enum dir_result dir_account(struct directory *d, uint64_t id, struct dir_account *ret);
/* True if an account has a quota of its own, or that is unknown. */
bool dir_has_quotas(struct directory *d);
/* Its address, for people; nothing: it is being deleted. */
void dir_put_name(struct directory *d, uint64_t account, struct buf *out);
/* True if the account was granted that address ("@domain" for any of a domain, "<>" for the null
 * sender); `address` is as typed, "" for the null sender. */
bool dir_is_granted(struct directory *d, uint64_t account, struct slice address,
                    const char *delimiters);
/* For people: its address, the aliases that lead to it directly, its grants; as many as fit. */
void dir_put_names(struct directory *d, uint64_t account, struct buf *out);

/* A remote address, and the local one that leads to it. */
struct dir_elsewhere {
  struct slice target, forwarder;
};

/* The accounts of one message, each once, and the remote addresses to which aliases and accounts
 * lead, likewise. */
struct dir_found {
  uint64_t *accounts; /* owned */
  size_t count, cap;
  struct dir_elsewhere *elsewhere; /* owned; the texts are in `texts` */
  size_t elsewhere_count, elsewhere_cap;
  struct map has; /* the accounts; empty while there are few */
  /* for `elsewhere`: by hash, the index of the first with that hash, counted from 1 */
  struct map targets;
  struct arena texts;
};

void dir_found_init(struct dir_found *f);
/* Begins a message (or a single question). */
void dir_begin(struct dir_found *f);
void dir_found_free(struct dir_found *f);
/* Adds the accounts and remote addresses that `address` reaches and that are not in `f` yet.
 * `delimiters`: see the option recipient_delimiter. DIR_FOUND with nothing added: all of them were
 * there already.
 *
 * <Postmaster>, and postmaster at each of our domains, at `hostname` and at an address literal,
 * with a detail or without, always reach somebody if there is any account at all (RFC 5321 §4.5.1,
 * RFC 1123 §5.2.17): that address if it exists, else any domain's postmaster, else the oldest
 * account that has an address. The address in the literal is not checked: a server behind NAT does
 * not know its own, and mail to another server's postmaster does not come here. */
enum dir_result dir_resolve(struct directory *d, struct slice address, const char *delimiters,
                            struct dir_found *f);

/* The entry for an address in a local domain, in `out`: the address itself, without its detail, or
 * "@domain"; nothing: there is none. *ret_forwards: it has targets; else it is an account. */
void dir_entry(struct directory *d, struct slice address, const char *delimiters, struct buf *out,
               bool *ret_forwards);

/* Puts `s` into `out` in the form used for look-ups (lib/unicode/prepare.h): in lower case, and
 * non-ASCII characters in one spelling. */
void dir_fold(struct buf *out, struct slice s);
/* True if two addresses are the same in any spelling. */
bool dir_is_same(struct slice x, struct slice y);
/* The same for the domain of an address: the text after its last "@"; all of it without one. */
void dir_fold_domain(struct buf *out, struct slice address);

#endif
