/* SPDX-License-Identifier: ISC */
/* A process gives up the rights that it does not need, for good.
 *
 * Each process calls it once, after it has opened what it was given and before it reads anything
 * from outside. In this order: empty root folder and own user (when started as root), no new
 * privileges, no core dump, no ptrace by its own user, resource limits (address space, file size,
 * descriptors, threads), Landlock (files, network, signals), seccomp (a list of system calls; any
 * other ends the process). seccomp confines threads that exist already, Landlock does not: start
 * threads afterwards (auth and store may).
 *
 * An unprivileged process is confined by all steps but the first; a system without Landlock or
 * seccomp leaves the process less confined, which is reported in `missing`, never ignored. */
#ifndef QASID_SANDBOX_H
#define QASID_SANDBOX_H

#include <sys/types.h>

#include "ipc/roles.h"
#include "lib/base/buf.h"

struct sandbox_profile {
  enum role role;       /* selects the rows of runtime/sandbox/profiles.c */
  bool started_as_root; /* then: root folder, user and group below */
  /* the new root folder: an empty one, or `folder` itself. NULL: not changed */
  const char *root_dir; /* cleared by sandbox_enter() if the system provides none */
  uid_t uid;            /* never 0 */
  gid_t gid;
  const char *folder; /* auth, store: the one folder that may be read and written, as a path before
                         the root folder changes; it must exist. NULL: no file can be opened */
  /* a process that makes sockets: the TCP ports it may connect to, if Landlock supports ports */
  const uint16_t *dials;
  size_t dial_count;
  bool binds; /* its sockets may be bound to an address, at a port that the kernel chooses */
  /* The limits. A smaller hard limit of this process stays. 0 in the first two: unchanged. */
  uint64_t descriptors; /* RLIMIT_NOFILE; receives the value in force */
  uint64_t memory;      /* RLIMIT_AS in octets. (Not under sanitizers.) */
  uint64_t file_size;   /* RLIMIT_FSIZE in octets, with a folder. Without one no file grows but the
                           log, if standard error is a file */
  /* RLIMIT_NPROC: threads of its user, on the whole machine. (Not under sanitizers.) */
  uint64_t threads;
};

/* False: the process must not continue; `err` says what failed. True: confined; `missing` then
 * lists, separated by "; ", what this system did not provide (at most 512 octets); empty when
 * everything is in force. */
bool sandbox_enter(struct sandbox_profile *p, struct buf *missing, struct buf *err);

/* Prints for each role how many system calls it may make, a line of SECURITY.md each. */
void sandbox_put_counts(struct buf *to);
/* How many system calls a process may make, with or without conditions on the arguments: a number
 * to review. */
size_t sandbox_syscalls(enum role role);

#ifdef QASID_TEST_HOOKS
/* Attempts a forbidden operation ("execve", "open", "socket", …; see probe.c) inside a confined
 * process. Returns the errno it was refused with, 0 when it was allowed, -1 for an unknown word; or
 * the process is killed. */
int sandbox_probe(const char *what);
/* The words that sandbox_probe() knows, from 0 until NULL. */
const char *sandbox_probe_word(size_t i);
#endif

#endif
