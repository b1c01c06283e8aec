/* SPDX-License-Identifier: ISC */
/* The list of the maildrop: LIST, then UIDL, matched by the messages' numbers.
 *
 * The server may send false data: numbers in any order are sorted; one that occurs twice ends the
 * session, since it would be unknown which message DELE affects. A UIDL that breaks RFC 1939 §7
 * (too long, say) is replaced by its digest. The cost is proportional to the octets received: a
 * size or number of 2^64 is no more than a line. */
#include <stdlib.h>

#include "lib/base/array.h"
#include "lib/base/codec.h"
#include "mail/pop3/client_inside.h"
#include "lib/tls/digest.h"
#include "mail/uidl.h"

/* limits.messages bounds the number. */
static bool take_room(struct pop3_client_session *s) {
  return array_reserve(&s->pub.items, &s->cap, s->pub.count + 1, sizeof *s->pub.items);
}

void list_begin(struct pop3_client_session *s) {
  s->phase = PHASE_LIST;
  client_send(s, VERB_LIST, 0, SLICE("LIST"), NULL);
  if (s->pub.pipelines) client_send(s, VERB_UIDL, 0, SLICE("UIDL"), NULL);
}

void list_answer(struct pop3_client_session *s, const struct pop3_reply *r) {
  if (r->status == POP3_OK)
    s->inside = true;
  else
    client_end_politely(s, client_refusal(r, POP3_END_NO_LIST));
}

void list_line(struct pop3_client_session *s, struct slice line) {
  uint64_t number, size;
  if (!pop3_reply_pair(line, &number, &size) || number == 0 || number > UINT32_MAX) {
    client_end(s, POP3_END_PROTOCOL);
    return;
  }
  if (s->pub.count == s->limits.messages) {
    s->pub.list_cut = true;
    return;
  }
  if (!take_room(s)) {
    client_end(s, POP3_END_NO_MEMORY);
    return;
  }
  s->pub.items[s->pub.count++] = (struct pop3_item){ .number = number, .size = size };
  s->pub.total = size > UINT64_MAX - s->pub.total ? UINT64_MAX : s->pub.total + size;
}

static int by_number(const void *a, const void *b) {
  uint64_t x = ((const struct pop3_item *)a)->number, y = ((const struct pop3_item *)b)->number;
  return x < y ? -1 : x > y;
}

void list_end(struct pop3_client_session *s) {
  struct pop3_item *items = s->pub.items;
  bool sorted = true;
  for (size_t i = 1; i < s->pub.count; i++)
    sorted = sorted && items[i - 1].number < items[i].number;
  if (!sorted) qsort(items, s->pub.count, sizeof *items, by_number);
  for (size_t i = 1; i < s->pub.count; i++)
    if (items[i - 1].number == items[i].number) {
      client_end(s, POP3_END_PROTOCOL);
      return;
    }
  if (!s->pub.pipelines) client_send(s, VERB_UIDL, 0, SLICE("UIDL"), NULL);
}

/* --- UIDL --- */

static void ask_sink(struct pop3_client_session *s) {
  s->phase = PHASE_WISHES;
  if (client_heed(s, NULL, s->sink.listed(s->sink.arg, s->pub.items, s->pub.count)) &&
      !s->pub.proto.holds)
    s->phase = PHASE_FETCH;
}

/* A refusal with a response code is a failure; without, the server does not support UIDL. */
void uidl_answer(struct pop3_client_session *s, const struct pop3_reply *r) {
  s->at = 0;
  s->pub.has_uidl = s->inside = r->status == POP3_OK;
  if (s->inside) return;
  client_answered(s);
  enum pop3_end end = client_refusal(r, POP3_END_NONE);
  if (end != POP3_END_NONE)
    client_end_politely(s, end);
  else
    ask_sink(s);
}

/* Most servers list in the same order both times. */
static struct pop3_item *find(struct pop3_client_session *s, uint64_t number) {
  struct pop3_item key = { .number = number };
  if (s->at < s->pub.count && s->pub.items[s->at].number == number) return &s->pub.items[s->at++];
  struct pop3_item *item =
      s->pub.count ? bsearch(&key, s->pub.items, s->pub.count, sizeof key, by_number) : NULL;
  if (item) s->at = (size_t)(item - s->pub.items) + 1;
  return item;
}

/* "long-" and the digest in hexadecimal: 69 octets, whatever the server's has. */
static struct slice digest_uidl(struct pop3_client_session *s, struct slice uidl) {
  uint8_t digest[DIGEST_SHA256_SIZE];
  struct buf text;
  buf_init(&text, 128);
  buf_put_str(&text, "long-");
  if (digest_of(DIGEST_SHA256, uidl, digest)) hex_put(&text, slice_of(digest, sizeof digest));
  struct slice kept = arena_copy(&s->uidls, buf_slice(&text));
  buf_free(&text);
  return kept;
}

bool uidl_is(struct pop3_client_session *s, const struct pop3_item *item, struct slice uidl) {
  if (item->made == uidl_is_valid(uidl)) return false;
  return slice_eq(item->made ? digest_uidl(s, uidl) : uidl, item->uidl);
}

void uidl_line(struct pop3_client_session *s, struct slice line) {
  uint64_t number;
  struct slice uidl;
  if (!pop3_reply_uidl(line, &number, &uidl)) return;
  struct pop3_item *item = find(s, number);
  if (!item) return; /* beyond our limit, or not in LIST */
  if (item->uidl.n) {
    client_end(s, POP3_END_PROTOCOL);
    return;
  }
  item->made = !uidl_is_valid(uidl);
  item->uidl = item->made ? digest_uidl(s, uidl) : arena_copy(&s->uidls, uidl);
  if (s->uidls.failed) client_end(s, POP3_END_NO_MEMORY);
}

static int by_uidl(const void *a, const void *b) {
  const struct pop3_item *x = *(struct pop3_item *const *)a, *y = *(struct pop3_item *const *)b;
  int order = slice_cmp(x->uidl, y->uidl);
  if (order) return order;
  if (x->size != y->size) return x->size < y->size ? -1 : 1;
  return x->number < y->number ? -1 : 1;
}

/* Telling messages with the same UIDL apart compares them all: the cost is quadratic in a number
 * that the server chooses. */
static void drop_crowded_uidls(struct pop3_item **sorted, size_t n) {
  for (size_t i = 0, end; i < n; i = end) {
    struct slice uidl = sorted[i]->uidl;
    for (end = i + 1; end < n && slice_eq(sorted[end]->uidl, uidl); end++) {
    }
    for (size_t k = i; end - i > POP3_CLIENT_TWINS && k < end; k++)
      sorted[k]->uidl = SLICE_NONE, sorted[k]->like = NULL, sorted[k]->alike = 0,
      sorted[k]->twin = false;
  }
}

static bool mark_twins(struct pop3_client_session *s) {
  size_t n = 0;
  struct pop3_item **sorted = calloc(s->pub.count + 1, sizeof *sorted);
  if (!sorted) return false;
  for (size_t i = 0; i < s->pub.count; i++)
    if (s->pub.items[i].uidl.n) sorted[n++] = &s->pub.items[i];
  if (n) qsort(sorted, n, sizeof *sorted, by_uidl);
  for (size_t i = 0; i < n; i++) {
    struct pop3_item *m = sorted[i], *before = i ? sorted[i - 1] : NULL;
    bool twins = before && slice_eq(before->uidl, m->uidl);
    if (twins) before->twin = m->twin = true;
    m->like = twins && before->size == m->size ? before->like : m;
    m->like->alike++;
  }
  drop_crowded_uidls(sorted, n);
  free(sorted);
  return true;
}

void uidl_end(struct pop3_client_session *s) {
  if (mark_twins(s))
    ask_sink(s);
  else
    client_end(s, POP3_END_NO_MEMORY);
}
