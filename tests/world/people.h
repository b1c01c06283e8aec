/* SPDX-License-Identifier: ISC */
/* Who lives in the world: accounts, aliases and the mail that was there before, made through the
 * processes' own administration verbs. */
#ifndef QASID_WORLD_PEOPLE_H
#define QASID_WORLD_PEOPLE_H

#include "tests/world/world.h"

enum { PEOPLE_MAX = 16 };

struct people {
  struct {
    char name[320];
    uint64_t account;
  } all[PEOPLE_MAX];
  size_t count;
  char why[256]; /* what the last one that failed was told */
};

/* Makes the account, and its domain when it is new. legacy: its password stays recoverable, so that
 * APOP and CRAM-MD5 work. */
bool people_add(struct people *p, struct world *w, struct slice name, struct slice password,
                bool legacy);
bool people_alias(struct people *p, struct world *w, struct slice name, struct slice target);
/* Puts a message into the mailbox as an import would. uidl "-": one of the store's own. */
bool people_give(struct people *p, struct world *w, struct slice name, struct slice uidl,
                 struct slice octets);
/* 0: nobody of that name. */
uint64_t people_account(const struct people *p, struct slice name);
/* The store's own check: what it finds is a failure of the world. */
void people_check_store(struct people *p, struct world *w);

#endif
