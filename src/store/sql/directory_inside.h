/* SPDX-License-Identifier: ISC */
/* Shared by directory.c (spellings, the cache), directory_read.c (the tables) and
 * directory_resolve.c (where an address leads). Only they include this. */
#ifndef QASID_STORE_SQL_DIRECTORY_INSIDE_H
#define QASID_STORE_SQL_DIRECTORY_INSIDE_H

#include "src/store/sql/directory.h"

struct dir_text {
  size_t n;
  uint8_t mem[DIR_ADDRESS_MAX];
};

/* An address in its stored form. */
struct dir_entry {
  struct slice text;    /* in the arena, or the text that was asked for */
  uint64_t account;     /* 0: an alias */
  struct slice targets; /* in the arena: each an ipc_list item (ipc_list_next) */
};

struct dir_domain {
  uint64_t id;
  bool catches_all; /* it has an entry "@domain" */
};

static inline struct slice dir_text_of(const struct dir_text *t) { return slice_of(t->mem, t->n); }

/* --- directory.c --- */

/* False if it does not fit; `t` is then unchanged. */
bool dir_text_put(struct dir_text *t, struct slice s);
/* "user+detail@domain" without its detail. False when there is none. */
bool dir_without_detail(struct slice address, const char *delimiters, struct dir_text *ret);
/* True if it is cached as a local address, so that neither it nor its domain need be read. */
bool dir_remembers(const struct directory *d, struct slice text);
/* DIR_FOUND, DIR_UNKNOWN, DIR_TROUBLE. The address with exactly that text; targets go into `a`. */
enum dir_result dir_look(struct directory *d, struct slice text, struct arena *a,
                         struct dir_entry *ret);
/* By the text itself, by its prepared form, by the prepared form of an older entry. */
enum dir_result dir_look_alike(struct directory *d, struct slice text, struct arena *a,
                               struct dir_entry *ret);
/* The postmaster of some domain, the oldest that has one; DIR_UNKNOWN: none has. */
enum dir_result dir_any_postmaster(struct directory *d, struct arena *a, struct dir_entry *ret);

/* --- directory_read.c: each DIR_FOUND, DIR_UNKNOWN or DIR_TROUBLE --- */

enum dir_result dir_read_domain(struct directory *d, struct slice name, struct dir_domain *ret);
enum dir_result dir_read_address(struct directory *d, uint64_t domain, struct slice local,
                                 struct arena *a, struct dir_entry *ret);
/* The text of an entry whose prepared form is that. */
enum dir_result dir_read_odd(struct directory *d, struct slice prepared, struct dir_text *ret);
enum dir_result dir_read_account(struct directory *d, uint64_t id, struct dir_account *ret);
/* True if an account has a quota of its own. */
enum dir_result dir_read_quotas(struct directory *d);
/* The address of the postmaster at the oldest domain that has one. */
enum dir_result dir_read_postmaster(struct directory *d, struct dir_text *ret);
/* The oldest account that has an address. */
enum dir_result dir_read_oldest(struct directory *d, uint64_t *ret);

#endif
