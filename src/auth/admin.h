/* SPDX-License-Identifier: ISC */
/* A command of the administrator, and its answer: for admin.c and the files of its verbs. */
#ifndef QASID_AUTH_ADMIN_H
#define QASID_AUTH_ADMIN_H

#include "runtime/admin/admin.h"
#include "src/auth/core.h"

enum { WORDS_MAX = 16 };

enum after { AFTER_ADD, AFTER_PASSWD, AFTER_LEGACY };

/* A command in progress: from its words to cli_done. */
struct admin_call {
  uint32_t number; /* the command line's channel; 0: it has disconnected */
  struct slice words[WORDS_MAX];
  size_t count;
  uint64_t now_ms;
  /* how it continues after a hash */
  enum after after;
  bool legacy; /* the password is to be stored sealed too */
  bool wishes; /* `wish` was given; otherwise it is unchanged */
  enum account_scram wish;
  struct account row;
  struct buf password;
  struct admin_call *next;
};

/* Ends the command. */
void call_done(struct auth *a, struct admin_call *c, enum cli_code code, const char *text);
/* Names, separated by spaces. */
void call_columns(struct auth *a, struct admin_call *c, const char *names);
void call_row(struct auth *a, struct admin_call *c, const struct slice *values, size_t n);

struct call_listing {
  struct auth *auth;
  struct admin_call *call;
};

/* A word of the command, or an empty slice after the last. */
struct slice call_word(const struct admin_call *c, size_t i);
/* Puts the name, in its stored form, into c->row. False if it is not valid for an account, which
 * was answered. */
bool call_take_name(struct auth *a, struct admin_call *c, struct slice name);
/* Puts the current row into c->row. False if there is none, which was answered. */
bool call_find(struct auth *a, struct admin_call *c, struct slice name);
/* Writes c->row under a new stamp, and answers with the result. */
void call_update(struct auth *a, struct admin_call *c);
/* Ends the command with the code for that result. */
void call_done_account(struct auth *a, struct admin_call *c, enum account_result r);
void call_put_time(struct buf *b, int64_t t);

/* admin_certificate.c: a row of admin.c's table. */
bool admin_certificate(struct auth *a, struct admin_call *c);

/* A row changed: gives it a new stamp, and drops what was cached for it. */
void account_changed(struct auth *a, struct account *r);

/* admin_rename.c: a row of admin.c's table. */
bool admin_rename(struct auth *a, struct admin_call *c);

/* admin_bulk.c: rows of admin.c's table; and dropping the rows that a command line has put. */
bool admin_bulk_put(struct auth *a, struct admin_call *c);
bool admin_bulk_apply(struct auth *a, struct admin_call *c);
bool admin_bulk_delete(struct auth *a, struct admin_call *c);
void bulk_lost(struct auth *a, uint32_t number);
void bulk_free(struct auth *a);

/* admin_collect.c: rows of admin.c's table. */
bool admin_collect_add(struct auth *a, struct admin_call *c);
bool admin_collect_list(struct auth *a, struct admin_call *c);
bool admin_collect_change(struct auth *a, struct admin_call *c);

#endif
