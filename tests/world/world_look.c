/* SPDX-License-Identifier: ISC */
/* Reads a mailbox over the store's own channel, as a front-end and an auth that the world plays:
 * what a test believes about a mailbox should not come from the code that it tests more than it
 * must. */
#include "tests/world/world_in.h"

#include "ipc/auth_store.h"
#include "ipc/pop3d_store.h"

/* What can't be read is a failure, unless memory had to run out. */
static void trouble(struct world *w, const char *what, uint32_t uid) {
  if (!alloc_failed()) world_fail(w, "look: %s %u", what, uid);
}

struct look {
  struct world_box *box;
  struct link *link;
  enum ipc_side store;
  uint64_t session;
  bool sizes_only, done, failed;
  size_t rows, at; /* listed so far; the one now being read */
  struct buf octets;
};

static void say(struct look *k, uint16_t type, struct slice payload) {
  link_send(k->link, k->store, type, k->session, payload);
}

static void end_look(struct look *k, bool failed) {
  k->failed |= failed;
  k->done = true;
}

/* Asks for the next octets, or closes when all is read. */
static void read_on(struct look *k) {
  if (k->sizes_only || k->at == k->box->count) {
    end_look(k, false);
    return;
  }
  struct buf b;
  buf_init(&b, 64);
  pop_read_put(&b, &(struct pop_read){ k->box->mails[k->at].uid, buf_len(&k->octets), IPC_CHUNK });
  say(k, pop_read_type, buf_slice(&b));
  buf_free(&b);
}

static void take_opened(struct world *w, struct look *k, struct slice payload) {
  struct pop_opened o = { 0 };
  if (!pop_opened_get(payload, &o) || o.outcome != POP_DONE) {
    trouble(w, "the maildrop does not open, outcome", o.outcome);
    end_look(k, true);
    return;
  }
  k->box->uidvalidity = o.uidvalidity;
  k->box->count = o.count;
  k->box->mails = must_alloc((o.count + 1) * sizeof *k->box->mails);
}

static void put_uidl(struct world_mail *m, uint32_t validity, struct slice own) {
  static const char hex[] = "0123456789abcdef";
  memset(m->uidl, 0, sizeof m->uidl);
  if (own.n) {
    memcpy(m->uidl, own.p, own.n < sizeof m->uidl ? own.n : sizeof m->uidl - 1);
    return;
  }
  for (int i = 0; i < 8; i++) {
    m->uidl[i] = hex[validity >> (28 - 4 * i) & 15];
    m->uidl[8 + i] = hex[m->uid >> (28 - 4 * i) & 15];
  }
}

static void take_listing(struct world *w, struct look *k, struct slice payload) {
  struct pop_listing part;
  if (!pop_listing_get(payload, &part)) {
    trouble(w, "malformed listing of", k->box->uidvalidity);
    end_look(k, true);
    return;
  }
  struct wire rows = wire_open(part.rows);
  while (rows.rest.n && !rows.bad && k->rows < k->box->count) {
    struct world_mail *m = &k->box->mails[k->rows++];
    m->uid = wire_get_u32(&rows);
    m->size = wire_get_u64(&rows);
    uint8_t last = wire_get_u8(&rows), n = last & POP_ROW_UIDL;
    if (last & POP_ROW_SURROGATE) wire_get_u64(&rows);
    put_uidl(m, k->box->uidvalidity, slice_first(rows.rest, n));
    rows.rest = slice_from(rows.rest, n);
  }
  if (!wire_done(&rows)) world_fail(w, "look: more rows than messages");
  if (!part.last) return;
  if (k->rows != k->box->count)
    world_fail(w, "look: %zu rows for %zu messages", k->rows, k->box->count);
  read_on(k);
}

static void take_chunk(struct world *w, struct look *k, struct slice payload) {
  struct pop_chunk chunk;
  struct world_mail *m = &k->box->mails[k->at];
  if (!pop_chunk_get(payload, &chunk) || chunk.outcome != POP_DONE) {
    trouble(w, "can't read message", m->uid);
    end_look(k, true);
    return;
  }
  buf_put(&k->octets, chunk.data);
  if (!chunk.data.n || buf_len(&k->octets) >= m->size) {
    uint8_t *p = must_alloc(buf_len(&k->octets));
    if (buf_len(&k->octets)) memcpy(p, buf_slice(&k->octets).p, buf_len(&k->octets));
    m->octets = slice_of(p, buf_len(&k->octets));
    buf_reset(&k->octets);
    k->at++;
  }
  read_on(k);
}

static bool take_granted(struct look *k, struct slice payload) {
  struct auth_granted g;
  if (!auth_granted_get(payload, &g)) return false;
  if (g.known)
    say(k, pop_open_type, SLICE_NONE);
  else
    end_look(k, true);
  return true;
}

bool look_message(struct world *w, enum role to, const struct ipc_msg *msg) {
  struct look *k = w->look;
  if (!k || msg->tag != k->session) return true;
  if (to == ROLE_AUTH) return take_granted(k, msg->payload);
  switch (msg->type) {
  case pop_opened_type: take_opened(w, k, msg->payload); break;
  case pop_listing_type: take_listing(w, k, msg->payload); break;
  case pop_chunk_type: take_chunk(w, k, msg->payload); break;
  default: return false;
  }
  return true;
}

/* The two channels of the world's own processes. */
static void join_look(struct world *w) {
  enum ipc_side far;
  if (link_find(w, ROLE_STORE, ROLE_AUTH, LOOK_AUTH, &far)) return;
  uint32_t auth = w->numbers[ROLE_AUTH], front = w->numbers[ROLE_POP3D];
  w->numbers[ROLE_AUTH] = LOOK_AUTH;
  w->numbers[ROLE_POP3D] = LOOK_FRONT;
  link_new(w, &ipc_auth_store, ROLE_AUTH, ROLE_STORE);
  link_new(w, &ipc_pop3d_store, ROLE_POP3D, ROLE_STORE);
  w->numbers[ROLE_AUTH] = auth;
  w->numbers[ROLE_POP3D] = front;
}

static void ask_for_grant(struct world *w, struct look *k, uint64_t account) {
  enum ipc_side far;
  struct link *l = link_find(w, ROLE_STORE, ROLE_AUTH, LOOK_AUTH, &far);
  struct buf b;
  buf_init(&b, 64);
  auth_grant_put(&b, &(struct auth_grant){ LOOK_FRONT, k->session, account });
  link_send(l, !far, auth_grant_type, k->session, buf_slice(&b));
  buf_free(&b);
  k->link = link_find(w, ROLE_STORE, ROLE_POP3D, LOOK_FRONT, &k->store);
  k->store = !k->store;
}

struct world_box *world_look(struct world *w, uint64_t account, bool sizes_only) {
  struct look k = { .box = must_alloc(sizeof *k.box),
                    .session = w->next_session++,
                    .sizes_only = sizes_only };
  uint32_t number = w->numbers[ROLE_STORE];
  buf_init(&k.octets, SIZE_MAX / 4);
  join_look(w);
  w->look = &k;
  ask_for_grant(w, &k, account);
  for (size_t i = 0; !k.done && i < WORLD_STEPS_MAX && w->numbers[ROLE_STORE] == number; i++)
    if (!world_step(w, w->now + 60 * 1000)) break;
  w->look = NULL;
  if (w->numbers[ROLE_STORE] == number && !world_died(w))
    say(&k, pop_close_type, SLICE("\0\0\0\0"));
  buf_free(&k.octets);
  if (!k.done || k.failed) world_box_free(&k.box);
  return k.box;
}

void world_box_free(struct world_box **bp) {
  struct world_box *b = *bp;
  if (!b) return;
  for (size_t i = 0; b->mails && i < b->count; i++) free((void *)(uintptr_t)b->mails[i].octets.p);
  free(b->mails);
  free(b);
  *bp = NULL;
}
