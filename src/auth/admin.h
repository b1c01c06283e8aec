/* A command of the administrator's, and how it is answered: for admin.c and the files of its verbs. */
#ifndef QASID_AUTH_ADMIN_H
#define QASID_AUTH_ADMIN_H

#include "ipc/cli_room.h"
#include "src/auth/core.h"

enum { WORDS_MAX = 16 };

enum after { AFTER_ADD, AFTER_PASSWD, AFTER_LEGACY, AFTER_IMPORT };

/* A command under way: from its words to cli_done. */
struct admin_call {
  uint32_t number;     /* the command line's channel; 0: it is gone */
  struct slice words[WORDS_MAX];
  size_t count;
  uint64_t now_ms;
  /* when it goes on after a hash */
  enum after after;
  bool legacy;         /* the password is to be kept under seal too */
  bool wishes;         /* `wish` was said; else it stays as it is */
  enum account_scram wish;
  struct account row;
  struct buf password;
  struct admin_call *next;
};

/* Ends the command. */
void call_done(struct auth *a, struct admin_call *c, enum cli_code code, const char *text);
void call_columns(struct auth *a, struct admin_call *c, const char *const *names, size_t n);
void call_row(struct auth *a, struct admin_call *c, const struct slice *values, size_t n);

/* admin_collect.c: rows of admin.c's table. */
bool admin_collect_add(struct auth *a, struct admin_call *c);
bool admin_collect_list(struct auth *a, struct admin_call *c);
bool admin_collect_change(struct auth *a, struct admin_call *c);

#endif
