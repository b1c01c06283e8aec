/* SPDX-License-Identifier: ISC */
/* Packets of front-ends that were taken over, for the fuzzers of those who receive them: messages
 * pass the pair's rules, as the channel holds them (runtime/channel/channel.h), and then anything
 * goes.
 *
 * The input is a row of records: what (1 octet), a session (1), a message's place in the table (1),
 * a length (2, the most significant octet first), that many octets of payload. */
#ifndef QASID_FUZZ_HOSTILE_H
#define QASID_FUZZ_HOSTILE_H

#pragma GCC diagnostic ignored "-Wunused-function"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/ipc.h"
#include "lib/disk/disk.h"

enum { HOSTILE_SESSIONS = 8 };

/* The states of the sessions on one channel, whose left end is the front-end. */
struct hostile {
  const struct ipc_pair *pair;
  uint8_t state[HOSTILE_SESSIONS];
};

struct record {
  uint8_t what, session, which;
  struct slice payload;
};

static bool record_next(struct slice *in, struct record *ret) {
  if (in->n < 5) return false;
  *ret = (struct record){ in->p[0], in->p[1] % HOSTILE_SESSIONS, in->p[2], SLICE_NONE };
  size_t n = (size_t)(in->p[3] << 8 | in->p[4]);
  *in = slice_from(*in, 5);
  ret->payload = slice_first(*in, n);
  *in = slice_from(*in, n);
  return true;
}

/* The message of a record, as the front-end sends it. False: the channel would have ended. */
static bool hostile_message(struct hostile *h, const struct record *r, struct ipc_msg *ret) {
  const struct ipc_rule *rule = &h->pair->rules[r->which % h->pair->count];
  *ret = (struct ipc_msg){ .type = rule->type, .tag = r->session, .payload = r->payload, .fd = -1 };
  rule = ipc_rule_for(h->pair, IPC_LEFT, rule->type, h->state[r->session]);
  if (!rule || r->payload.n > rule->max) return false;
  if (rule->next != IPC_SAME) h->state[r->session] = rule->next;
  return true;
}

/* The other direction moves states too. */
static void hostile_answer(struct hostile *h, uint16_t type, uint64_t tag) {
  if (tag >= HOSTILE_SESSIONS) return;
  const struct ipc_rule *rule = ipc_rule_for(h->pair, IPC_RIGHT, type, h->state[tag]);
  if (!rule) abort(); /* it answers by the rules too */
  if (rule->next != IPC_SAME) h->state[tag] = rule->next;
}

/* A new folder, gone when the process ends. */
static char hostile_path[64];
static void hostile_remove(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", hostile_path);
  if (hostile_path[0] && system(command) != 0) abort();
}
static struct disk *hostile_disk(void) {
  int error;
  snprintf(hostile_path, sizeof hostile_path, "%s/qasid-fuzz-XXXXXX",
           access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  if (!mkdtemp(hostile_path)) abort();
  atexit(hostile_remove);
  struct disk *d = disk_posix_open(hostile_path, &error);
  if (!d) abort();
  return d;
}

#endif
