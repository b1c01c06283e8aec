/* SPDX-License-Identifier: ISC */
/* Units of work whose instructions are counted (tests/count/held): each a piece of what a server
 * does, always the same. */
#ifndef QASID_TESTS_COUNT_H
#define QASID_TESTS_COUNT_H

#include "lib/base/slice.h"

/* begin() makes what the unit needs, once() does it, as often as wanted, end() frees it. What goes
 * wrong ends the program: a figure of work that failed is worth nothing. */
struct count_unit {
  const char *name;
  unsigned items; /* messages, commands … that one call of once() is */
  void *(*begin)(void);
  void (*once)(void *arg);
  void (*end)(void *arg);
};

/* Each ends with a row without a name. */
extern const struct count_unit count_smtp[], count_pop3[], count_client[], count_store[];

enum { COUNT_MESSAGE_MAX = 1024 * 1024 };
/* A message of so many octets with a header, in lines of 78, in wire form and without dots at the
 * start of a line. Valid until the next call. */
struct slice count_message(size_t octets);
/* Ends the program unless it is true. */
void count_must(bool is_so, const char *what);

#endif
