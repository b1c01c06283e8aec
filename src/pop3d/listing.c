/* SPDX-License-Identifier: ISC */
/* STAT, LIST, UIDL, LAST: answered from the snapshot. Long listings are sent in steps. */
#include "src/pop3d/state.h"

enum { LISTING_STEP = 16 * 1024 }; /* octets that one step adds */

void pop3_stat(struct pop3d_session *s, const struct pop3_args *a) {
  pop3d_ok(s, "%u %llu", s->maildrop.left, (unsigned long long)s->maildrop.octets_left);
}

/* RFC 1460: the highest message number accessed; RSET resets it, as earlier sessions are not
 * recorded. */
void pop3_last(struct pop3d_session *s, const struct pop3_args *a) {
  pop3d_ok(s, "%u", s->maildrop.last);
}

static void put_size(struct pop3d_session *s, uint32_t number, const struct maildrop_message *m,
                     struct buf *out) {
  buf_put_dec(out, number);
  buf_put_u8(out, ' ');
  buf_put_dec(out, m->octets);
}

static void put_uidl(struct pop3d_session *s, uint32_t number, const struct maildrop_message *m,
                     struct buf *out) {
  buf_put_dec(out, number);
  buf_put_u8(out, ' ');
  maildrop_put_uidl(&s->maildrop, m, out);
}

static void put_row(struct pop3d_session *s, enum pop3d_work kind, uint32_t number,
                    const struct maildrop_message *m) {
  if (kind == WORK_LIST)
    put_size(s, number, m, &s->proto.out);
  else
    put_uidl(s, number, m, &s->proto.out);
  buf_put(&s->proto.out, SLICE("\r\n"));
}

void list_more(struct pop3d_session *s) {
  size_t enough = buf_len(&s->proto.out) + LISTING_STEP;
  enum pop3d_work kind = s->work;
  while (s->next <= s->maildrop.listed && buf_len(&s->proto.out) < enough && !s->proto.out.failed) {
    const struct maildrop_message *m = maildrop_at(&s->maildrop, s->next);
    if (!m->deleted) put_row(s, kind, s->next, m);
    s->next++;
  }
  if (s->next <= s->maildrop.listed) return;
  work_done(s);
  pop3d_remark(s, "listing of %u", s->maildrop.left);
  end_of_lines(s);
}

static void list_all(struct pop3d_session *s, enum pop3d_work kind) {
  s->next = 1;
  work_on(s, kind);
  list_more(s);
}

static void list_one(struct pop3d_session *s, enum pop3d_work kind, uint64_t number) {
  const struct maildrop_message *m = named_message(s, number);
  if (!m) return;
  buf_put_str(&s->proto.out, "+OK ");
  put_row(s, kind, (uint32_t)number, m);
}

void pop3_list(struct pop3d_session *s, const struct pop3_args *a) {
  if (a->present) {
    list_one(s, WORK_LIST, a->number);
    return;
  }
  pop3d_ok(s, "%u %s (%llu %s)", s->maildrop.left, pop3d_plural(s, s->maildrop.left),
           (unsigned long long)s->maildrop.octets_left, octets_word(s, s->maildrop.octets_left));
  list_all(s, WORK_LIST);
}

void pop3_uidl(struct pop3d_session *s, const struct pop3_args *a) {
  if (a->present) {
    list_one(s, WORK_UIDL, a->number);
    return;
  }
  pop3d_ok(s, "unique-id listing follows");
  list_all(s, WORK_UIDL);
}
