/* SPDX-License-Identifier: ISC */
/* Messages through the SMTP client session, as the sender runs it, to a server that takes all. */
#include "mail/smtp/client.h"
#include "tests/count/count.h"

#include <stdio.h>
#include <stdlib.h>

enum { LETTERS = 10 };

struct sending {
  struct smtp_client *c;
  struct smtp_letter letters[LETTERS];
  struct smtp_letter_rcpt rcpts[LETTERS];
  struct slice message;
  size_t at, next, done; /* at: of the message, octets read */
};

static struct smtp_letter *on_next(void *arg) {
  struct sending *s = arg;
  if (s->next == LETTERS) return NULL;
  s->at = 0;
  return &s->letters[s->next++];
}

static enum smtp_source_verdict on_read(void *arg, struct smtp_letter *l, struct buf *out,
                                        size_t most) {
  struct sending *s = arg;
  struct slice piece = slice_first(slice_from(s->message, s->at), most);
  buf_put(out, piece);
  s->at += piece.n;
  return s->at == s->message.n ? SMTP_SOURCE_END : SMTP_SOURCE_MORE;
}

static void on_done(void *arg, struct smtp_letter *l) {
  struct sending *s = arg;
  count_must(l->rcpts[0].verdict.fate == SMTP_DELIVERED, "a letter was not delivered");
  smtp_letter_free_verdicts(l);
  s->done++;
}

static void *begin(void) {
  struct sending *s = calloc(1, sizeof *s);
  count_must(s != NULL, "no memory");
  s->message = count_message(4096);
  return s;
}

/* What the session has to say leaves. */
static void flush(struct sending *s) {
  do {
    if (s->c->proto.more) smtp_client_produce(s->c);
    buf_reset(&s->c->proto.out);
  } while (s->c->proto.more);
}

static void hear(struct sending *s, const char *replies) {
  struct slice in = slice_str(replies);
  while (in.n) {
    size_t before = in.n;
    smtp_client_input(s->c, &in);
    flush(s);
    count_must(in.n < before, "the session takes no reply");
  }
}

/* Ten letters in one session: the envelopes are pipelined. */
static void ten_letters(void *arg) {
  struct sending *s = arg;
  struct smtp_client_start start = {
    .hello = "us.example",
    .host = "mx.example",
    .port = 25,
    .now_ms = 1000,
    .policy = { .tls = SMTP_TLS_NEVER },
    .source = { on_next, on_read, on_done, s },
  };
  for (size_t i = 0; i < LETTERS; i++) {
    s->rcpts[i] = (struct smtp_letter_rcpt){ .address = SLICE("bob@there.example") };
    s->letters[i] = (struct smtp_letter){ .return_path = SLICE("alice@us.example"),
                                          .size = s->message.n,
                                          .rcpts = &s->rcpts[i],
                                          .count = 1 };
  }
  s->next = s->done = 0;
  s->c = smtp_client_new(&start);
  count_must(s->c != NULL, "no memory");
  hear(s, "220 mx.example ESMTP\r\n");
  hear(s, "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n"
          "250 ENHANCEDSTATUSCODES\r\n");
  for (size_t i = 0; i < LETTERS; i++) {
    hear(s, "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 Go ahead\r\n");
    hear(s, "250 2.0.0 Ok: queued as 1\r\n");
  }
  hear(s, "221 2.0.0 Bye\r\n");
  count_must(s->done == LETTERS && s->c->proto.want == PROTO_CLOSE, "letters are left over");
  smtp_client_free(&s->c);
}

const struct count_unit count_client[] = {
  { "client-4k", LETTERS, begin, ten_letters, free },
  { .name = NULL },
};
