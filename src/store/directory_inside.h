/* SPDX-License-Identifier: ISC */
/* What directory.c (what the directory consists of) and directory_resolve.c (where an address
 * leads) share. Only they include this. */
#ifndef QASID_STORE_DIRECTORY_INSIDE_H
#define QASID_STORE_DIRECTORY_INSIDE_H

#include "src/store/directory.h"

struct dir_target {
  struct dir_target *next;
  size_t n;
  uint8_t text[];
};

struct dir_address {
  struct dir_address *next; /* of the same hash */
  struct dir_address *odd;  /* the next of d->odd's hash */
  struct dir_account *account;
  struct dir_target *targets;
  uint64_t mark;
  size_t n;
  uint8_t text[];
};

struct dir_grant {
  struct dir_grant *next;
  size_t n;
  uint8_t text[];
};

struct dir_domain {
  struct dir_domain *next; /* of the same hash */
  struct dir_domain *before, *after;
  uint64_t id;
  size_t n;
  uint8_t name[];
};

struct dir_text {
  size_t n;
  uint8_t mem[DIR_ADDRESS_MAX];
};

static inline struct slice dir_text_of(const struct dir_address *x) {
  return slice_of(x->text, x->n);
}

/* --- directory.c --- */

/* False when it does not fit; `t` is not changed then. */
bool dir_text_put(struct dir_text *t, struct slice s);
/* "user+detail@domain" without its detail. False when there is none. */
bool dir_without_detail(struct slice address, const char *delimiters, struct dir_text *ret);
/* Each NULL when there is none. By the text itself. */
struct dir_domain *dir_find_domain(const struct directory *d, struct slice name);
struct dir_address *dir_find_address(const struct directory *d, struct slice text);
/* By the text itself, by what it is prepared to, by what one of before is prepared to. */
struct dir_address *dir_find_alike(const struct directory *d, struct slice text);

#endif
