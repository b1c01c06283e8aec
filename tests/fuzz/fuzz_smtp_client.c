/* SPDX-License-Identifier: ISC */
/* An SMTP or LMTP client session against a server that says anything: the first octets choose what
 * the client may do and has to send, the rest is what comes from the server. Whatever comes, a
 * recipient is delivered only by a reply of 2yz to an end of data that has left, each letter comes
 * back once with a verdict for each recipient, and no argument ends a line of ours. */
#include <stdlib.h>

#include "mail/smtp/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LETTERS = 3, RCPTS = 3 };

struct play {
  struct smtp_client *c;
  struct smtp_letter letters[LETTERS];
  struct smtp_letter_rcpt rcpts[LETTERS][RCPTS];
  size_t next, count, done, ends; /* ends: of data, that were sent */
  unsigned reads;
  bool waits, broken;
};

static struct smtp_letter *on_next(void *arg) {
  struct play *p = arg;
  return p->next < p->count ? &p->letters[p->next++] : NULL;
}

static enum smtp_source_verdict on_read(void *arg, struct smtp_letter *l, struct buf *out,
                                        size_t most) {
  struct play *p = arg;
  p->reads++;
  if (p->waits && p->reads % 2) return SMTP_SOURCE_WAIT;
  if (p->broken && p->reads % 5 == 0) return SMTP_SOURCE_BROKEN;
  buf_put_str(out, "Subject: x\r\n\r\n.dot\r\n");
  return SMTP_SOURCE_END;
}

static void on_done(void *arg, struct smtp_letter *l) {
  struct play *p = arg;
  p->done++;
  for (size_t i = 0; i < l->count; i++) {
    const struct smtp_verdict *v = &l->rcpts[i].verdict;
    if (v->fate == SMTP_DELIVERED && (v->stage != SMTP_STAGE_END || v->code / 100 != 2)) abort();
    if (v->fate == SMTP_DELIVERED && !p->ends) abort();
    if (v->fate == SMTP_PERMANENT && v->code && v->code / 100 != 5) abort();
    if (v->doubtful && v->fate != SMTP_TEMPORARY) abort();
    if (v->accepted || v->text.failed) abort();
  }
  smtp_letter_free_verdicts(l);
}

/* What it says is whole lines, each of printable text or a part of the message. */
static void take_out(struct play *p) {
  struct slice out = buf_slice(&p->c->proto.out), rest = out;
  while (rest.n) {
    struct slice line = slice_split(&rest, '\n');
    if (slice_eq(line, SLICE(".\r"))) p->ends++;
    for (size_t i = 0; i + 1 < line.n; i++)
      if (line.p[i] == '\r' || !line.p[i]) abort();
  }
  buf_drop(&p->c->proto.out, out.n);
}

static void pump(struct play *p) {
  take_out(p);
  for (int i = 0; p->c->proto.more && i < 1000; i++) {
    smtp_client_produce(p->c);
    take_out(p);
  }
}

static void fill(struct play *p, const uint8_t *choice) {
  static const char *const addresses[] = { "a@b.example", "\"q\\\"q\"@b.example", "x\r\nDATA",
                                           "u\xc3\xbc@b.example" };
  p->count = choice[2] % (LETTERS + 1);
  p->waits = choice[2] & 16;
  p->broken = choice[2] & 32;
  for (size_t i = 0; i < p->count; i++) {
    p->letters[i] = (struct smtp_letter){
      .return_path = slice_str(addresses[(choice[3] + i) & 3]),
      .envid = choice[3] & 4 ? SLICE("id+3Dx") : SLICE_NONE,
      .ret = choice[3] & 8 ? SMTP_RET_HDRS : 0,
      .eight_bit = choice[3] & 16,
      .utf8 = choice[3] & 32,
      .size = 20,
      .rcpts = p->rcpts[i],
      .count = 1 + (choice[3] >> 6) % RCPTS,
    };
    for (size_t j = 0; j < p->letters[i].count; j++)
      p->rcpts[i][j] =
          (struct smtp_letter_rcpt){ .address = slice_str(addresses[((choice[1] >> 6) + j) & 3]),
                                     .notify = choice[1] & 15 };
  }
}

static bool begin(struct play *p, const uint8_t *choice) {
  struct smtp_client_start start = {
    .hello = "us.example",
    .host = "mx.example",
    .port = 25,
    .now_ms = 1000,
    .user = choice[0] & 64 ? SLICE("user") : SLICE_NONE,
    .secret = choice[0] & 64 ? SLICE("secret") : SLICE_NONE,
    .policy = { .tls = choice[2] & 4 && !(choice[0] & 3) ? SMTP_TLS_ONCE_OFFERED : choice[0] & 3,
                .lmtp = choice[0] & 4,
                .may_show = choice[0] & 8,
                .second_try = choice[0] & 16,
                .no_pipeline = choice[0] & 32,
                .all_or_none = choice[2] & 64,
                .envelope_only = choice[2] & 128 },
    .limits = { .idle_ms = choice[1] & 16 ? 1000 : 0, .letters = choice[1] & 32 ? 1 : 0 },
    .source = { on_next, on_read, on_done, p },
  };
  p->c = smtp_client_new(&start);
  return p->c != NULL;
}

/* 0xff stands for a handshake, 0xfe for octets of the source, 0xfd for time, 0xfc for the wish to
 * end. */
static void mark(struct play *p, int what) {
  if (what == 0xff && p->c->proto.want == PROTO_TLS) smtp_client_secured(p->c);
  if (what == 0xfe) smtp_client_wake(p->c);
  if (what == 0xfd) p->c->proto.now_ms += 60000, smtp_client_tick(p->c);
  if (what == 0xfc) smtp_client_finish(p->c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct play p = { 0 };
  struct buf in;
  if (size < 4) return 0;
  fill(&p, data);
  if (!begin(&p, data)) return 0;
  buf_init(&in, 1 << 20);
  for (struct slice rest = slice_of(data + 4, size - 4); rest.n && p.c->end == SMTP_END_NONE;) {
    size_t n = 0;
    while (n < rest.n && rest.p[n] < 0xfc) n++;
    buf_put(&in, slice_first(rest, n));
    struct slice s = buf_slice(&in);
    if (p.c->proto.want == PROTO_READ) smtp_client_input(p.c, &s);
    buf_drop(&in, buf_len(&in) - s.n);
    pump(&p);
    mark(&p, slice_at(rest, n));
    pump(&p);
    rest = slice_from(rest, n + 1);
    if ((p.c->end != SMTP_END_NONE) != (p.c->proto.want == PROTO_CLOSE)) abort();
  }
  smtp_client_gone(p.c, SMTP_END_GONE);
  if (p.done != p.next || (data[2] & 128 && p.ends)) abort();
  smtp_client_free(&p.c);
  buf_free(&in);
  return 0;
}
