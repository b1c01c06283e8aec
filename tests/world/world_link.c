/* SPDX-License-Identifier: ISC */
/* Channels between processes, as runtime/channel/channel.c has them but for the sockets: messages
 * are encoded by ipc_open/ipc_close, travel in packets, are cut by ipc_next, and the receiver's
 * rules are checked before a process sees them. In this world nobody is hostile behind a channel,
 * so a broken rule is a failure of the run. */
#include "tests/world/world_in.h"

#include <stdio.h>

struct link *link_new(struct world *w, const struct ipc_pair *pair, enum role left,
                      enum role right) {
  struct link *l = must_alloc(sizeof *l);
  l->w = w;
  l->pair = pair;
  for (int side = 0; side < 2; side++) {
    struct link_end *e = &l->ends[side];
    e->link = l;
    e->kind = side == IPC_LEFT ? left : right;
    e->number = w->numbers[e->kind];
    map_init(&e->states);
    buf_init(&e->queue, WORLD_QUEUE_MAX);
  }
  l->next = w->links;
  return w->links = l;
}

static void link_free(struct link *l) {
  for (int side = 0; side < 2; side++) {
    world_cancel(l->w, &l->ends[side]);
    map_free(&l->ends[side].states);
    buf_free(&l->ends[side].queue);
  }
  free(l);
}

struct link *link_find(struct world *w, enum role mine, enum role far, uint32_t number,
                       enum ipc_side *ret_far) {
  for (struct link *l = w->links; l; l = l->next)
    for (int side = 0; side < 2; side++) {
      const struct link_end *e = &l->ends[side];
      if (e->kind != far || l->ends[!side].kind != mine) continue;
      if (number ? e->number != number
                 : e->number >= LOOK_AUTH || l->ends[!side].number >= LOOK_AUTH)
        continue;
      *ret_far = side;
      return l;
    }
  return NULL;
}

void links_cut(struct world *w, enum role role) {
  for (struct link **at = &w->links; *at;) {
    struct link *l = *at;
    if (role != ROLE_COUNT && l->ends[0].kind != role && l->ends[1].kind != role) {
      at = &l->next;
      continue;
    }
    *at = l->next;
    l->cut = true;
    if (!l->busy) link_free(l);
  }
}

void link_set_state(struct link *l, enum ipc_side side, uint64_t tag, uint8_t state) {
  struct map *m = &l->ends[side].states;
  if (state == 0)
    map_remove(m, tag);
  else if (!map_put(m, tag, state))
    abort();
}

static uint8_t state_of(const struct link *l, enum ipc_side side, uint64_t tag) {
  uint64_t state = 0;
  map_get(&l->ends[side].states, tag, &state);
  return (uint8_t)state;
}

static bool hand_over(struct world *w, const struct link_end *to, const struct link_end *from,
                      const struct ipc_msg *msg) {
  if (to->number >= LOOK_AUTH) return look_message(w, to->kind, msg);
  switch (to->kind) {
  case ROLE_STORE: return store_take(w, from, msg);
  case ROLE_AUTH: return auth_take(w, from, msg);
  case ROLE_SMTPD:
  case ROLE_POP3D: shell_answer(w, to->kind, from->kind, msg); return true;
  case ROLE_CLI: return world_admin_message(w, msg);
  default: return guest_take(w, to->kind, from, msg);
  }
}

/* NULL, or what was wrong with the next message of the packet. */
static const char *take_one(struct link *l, enum ipc_side to, struct slice *packet,
                            struct ipc_msg *msg) {
  uint8_t fds;
  if (!ipc_next(packet, msg, &fds)) return "malformed packet";
  uint8_t state = state_of(l, to, msg->tag);
  const struct ipc_rule *rule =
      ipc_rule_for(l->pair, to == IPC_LEFT ? IPC_RIGHT : IPC_LEFT, msg->type, state);
  if (!rule) return "message not allowed now";
  if (msg->payload.n > rule->max) return "message too large";
  if (fds != rule->fds) return "wrong number of descriptors";
  if (rule->next != IPC_SAME) link_set_state(l, to, msg->tag, rule->next);
  msg->rule = rule;
  return hand_over(l->w, &l->ends[to], &l->ends[!to], msg) ? NULL : "malformed message";
}

static void deliver(void *arg) {
  struct link_end *end = arg;
  struct link *l = end->link;
  struct world *w = l->w;
  struct buf packet = end->queue;
  buf_init(&end->queue, WORLD_QUEUE_MAX);
  end->due = false;
  l->busy = true;
  struct slice rest = buf_slice(&packet);
  while (rest.n && !l->cut && !world_died(w)) {
    struct ipc_msg msg = { 0 };
    const char *wrong = take_one(l, end == &l->ends[IPC_RIGHT], &rest, &msg);
    const struct ipc_rule *rule = ipc_rule_named(l->pair, msg.type);
    if (!wrong) continue;
    /* A process without memory for a message calls it malformed; its sender is then ended, as for a
     * breach. */
    if (alloc_failed() && !l->cut)
      world_kill_soon(w, l->ends[end == &l->ends[0]].kind);
    else
      world_fail(w, "%s: %s: %s", l->pair->name, rule ? rule->name : "?", wrong);
    break;
  }
  l->busy = false;
  buf_free(&packet);
  if (l->cut) link_free(l);
}

void link_send(struct link *l, enum ipc_side to, uint16_t type, uint64_t tag,
               struct slice payload) {
  struct link_end *end = &l->ends[to];
  const struct ipc_rule *rule = ipc_rule_named(l->pair, type);
  if (l->w->verbose)
    fprintf(stderr, "%8llu   %s -> %s %llu: %zu octets\n", (unsigned long long)l->w->now,
            l->pair->name, rule ? rule->name : "?", (unsigned long long)tag, payload.n);
  size_t at = ipc_open(&end->queue, type, tag, 0);
  buf_put(&end->queue, payload);
  ipc_close(&end->queue, at);
  if (end->queue.failed)
    world_fail(l->w, "%s: more than %d octets wait", l->pair->name, WORLD_QUEUE_MAX);
  if (rule && rule->next != IPC_SAME) link_set_state(l, !to, tag, rule->next);
  if (end->due) return;
  end->due = true;
  world_after(l->w, world_moment(l->w), deliver, end);
}
