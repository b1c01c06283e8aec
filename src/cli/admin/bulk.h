/* SPDX-License-Identifier: ISC */
/* A file of accounts, and rows of it for auth and store (src/store/sql/admin_bulk.c,
 * src/auth/admin_bulk.c). */
#ifndef QASID_CLI_BULK_H
#define QASID_CLI_BULK_H

#include "lib/base/arena.h"
#include "lib/base/map.h"
#include "src/cli/link/ask.h"

enum { BULK_ACCOUNTS_MAX = 20000, BULK_MISTAKES_MAX = 50000 };

struct bulk_account {
  unsigned line;
  struct slice address, password, hash, quota, aliases; /* hash: given, or computed from the
                                                         * password */
  bool generated;                                       /* the password was generated here */
  struct slice id;                                      /* of the mailbox */
  bool is_new;
};

struct bulk_file {
  const char *name;
  struct buf text;
  struct arena mem;
  struct bulk_account *accounts;
  size_t count;
  size_t mistakes;
  struct bulk_mistake *first_mistakes; /* at most BULK_MISTAKES_MAX of them */
  struct map wrong_lines;
  bool json, told;
};

/* Reads the file ("-": standard input). `columns` are those that it may have, in one word:
 * "address|password|hash"; address is required, or the file has no header and each line is one
 * address. CLI_EXIT_OK even if it contains mistakes: they are counted and kept. To be closed in any
 * case. */
int bulk_read(struct bulk_file *f, const struct cli *c, const char *name, const char *columns);
void bulk_close(struct bulk_file *f);
void bulk_mistake(struct bulk_file *f, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The exit code for a file with mistakes; prints them with their lines, and that nothing was
 * changed. */
int bulk_refuse(struct bulk_file *f);
/* Hashes every password that has none, on all processors. False: no memory. */
bool bulk_hash(struct bulk_file *f);

/* One exchange with a process: all rows, made by `row`, then the verb. Rows of the answer (line,
 * what) are mistakes in the file. The answer's table is left in `t`, unless that is NULL. */
int bulk_ask(struct cli *c, struct bulk_file *f, enum role kind, const char *verb,
             void (*row)(const struct bulk_account *a, struct buf *out), struct table *t);

#endif
