/* SPDX-License-Identifier: ISC */
/* The resource limits of each role (setrlimit(2)): sized by what the role does and by the options,
 * so that a process which was compromised, or has a bug, reaches its own limit and not the
 * machine's.
 *
 * A limit that is reached fails the one allocation, file or connection that wanted more; the
 * process goes on. The system's hard limits apply too: the smaller of the two is in force. */
#include "runtime/role/limits.h"

#include <unistd.h>

#define MB (1024ull * 1024)

enum {
  /* of a front-end: listeners, and other descriptors not for clients (runtime/front/private.h) */
  SPARE = 64,
  AHEAD = 32 * 1024,           /* messages opened ahead for clients that fetch one after the
                                * other */
  NEIGHBOURS = 256,            /* a channel to every process, and some command lines */
  STORE_DESCRIPTORS = 65536,   /* a spool or an open body for each of this many sessions */
  RESOLVER_DESCRIPTORS = 4096, /* each question has sockets of its own */
  KEY_FILE = 1024 * 1024,      /* octets of a file that keys writes: a domain's keys take 8 KB */
  /* the maximum of auth or store, twice: a previous process may be ending */
  THREADS = 256,
  /* if started without root, all roles and their user's other programs are counted together */
  THREADS_SHARED = 4096,
};

static uint64_t front_descriptors(const struct conf *conf, bool sends_files) {
  uint64_t clients = conf->connections_per_process + SPARE + NEIGHBOURS;
  /* A message that is being read is a descriptor beside the socket. */
  return sends_files ? 2 * clients + AHEAD : clients;
}

static uint64_t descriptors(const struct process *r) {
  switch (r->kind) {
  case ROLE_SMTPD: return front_descriptors(r->conf, false);
  case ROLE_POP3D: return front_descriptors(r->conf, true);
  case ROLE_STORE: return STORE_DESCRIPTORS;
  case ROLE_RESOLVER: return RESOLVER_DESCRIPTORS;
  case ROLE_COLLECTOR: return NEIGHBOURS + 4 * r->conf->collect_connections;
  case ROLE_SENDER: return NEIGHBOURS + 2 * r->conf->sender_connections;
  default: return NEIGHBOURS;
  }
}

/* Each thread has a stack of 8 MB and an arena of malloc's, which is 64 MB of addresses; a hash
 * takes 32 MB. */
static uint64_t memory(const struct process *r) {
  const uint64_t a_thread = 128 * MB;
  long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  uint64_t hashing = r->conf->auth_threads ? r->conf->auth_threads : cpus > 0 ? (uint64_t)cpus : 1;
  switch (r->kind) {
  case ROLE_KEYS: return 256 * MB;
  case ROLE_AUTH: return r->conf->process_memory + (hashing + 8) * a_thread;
  case ROLE_STORE: return r->conf->process_memory + (r->conf->store_readers + 8) * a_thread;
  default: return r->conf->process_memory;
  }
}

void process_limits(const struct process *r, struct sandbox_profile *p) {
  bool works_with_files = r->kind == ROLE_AUTH || r->kind == ROLE_STORE;
  p->descriptors = descriptors(r);
  p->memory = memory(r);
  p->file_size = works_with_files ? r->conf->largest_file : r->kind == ROLE_KEYS ? KEY_FILE : 0;
  p->threads = !works_with_files ? 0 : r->started_as_root ? THREADS : THREADS_SHARED;
}
