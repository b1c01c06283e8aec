/* SPDX-License-Identifier: ISC */
/* The lists of system calls, for sandbox.c. */
#ifndef QASID_SANDBOX_PROFILES_H
#define QASID_SANDBOX_PROFILES_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/roles.h"

enum sandbox_test {
  ALWAYS,
  EQUAL,    /* argument == value, as 32-bit numbers */
  IS_NULL,  /* a pointer that is NULL */
  OWN_PID,  /* argument == this process */
  BITS_OFF, /* none of value's bits is set in the argument */
  BITS_ON,  /* all of value's bits are */
  AMONG,    /* the argument without the bits of `but` == value */
};

/* One condition on one argument, counted from 0. */
struct sandbox_condition {
  enum sandbox_test test;
  unsigned argument;
  uint64_t value, but;
};

/* A system call that some roles may make if both conditions hold. Rows of the same call are
 * alternatives. */
struct sandbox_call {
  int number;
  unsigned roles; /* bits 1 << enum role */
  struct sandbox_condition a, b;
  /* 0: allowed; else the errno that the call fails with instead of ending the process */
  int refuse;
};

/* The rows; *ret_count of them. The second list is for builds with sanitizers and empty in others.
 */
const struct sandbox_call *sandbox_calls(size_t *ret_count);
const struct sandbox_call *sandbox_tool_calls(size_t *ret_count);

#endif
