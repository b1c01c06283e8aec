/* SPDX-License-Identifier: ISC */
/* Messages through the SMTP session, as smtpd runs it. */
#define KIT_ABORTS
#include "tests/unit/smtp_kit.h"
#include "tests/count/count.h"

#define HELLO "EHLO client.example\r\n"
#define ENVELOPE MAIL RCPT "DATA\r\n"

/* A session that said hello, and what its client sends each time. */
struct sent {
  struct kit *k;
  struct buf octets;
  unsigned messages; /* in `octets` */
};

static struct sent *sent_new(struct kit *k, unsigned messages, size_t size) {
  struct sent *s = calloc(1, sizeof *s);
  count_must(s != NULL, "no memory");
  *s = (struct sent){ .k = k, .messages = messages };
  buf_init(&s->octets, 16 * 1024 * 1024);
  for (unsigned i = 0; i < messages; i++) {
    buf_put_str(&s->octets, ENVELOPE);
    buf_put(&s->octets, count_message(size));
    buf_put_str(&s->octets, ".\r\n");
  }
  return s;
}

static void sent_end(void *arg) {
  struct sent *s = arg;
  if (s->k) kit_free(s->k);
  buf_free(&s->octets);
  free(s);
}

/* Replies of "250 2.0.0", which only a message that is kept has. By libc, which is not counted. */
static unsigned kept(struct slice heard) {
  static const char reply[] = "250 2.0.0";
  unsigned n = 0;
  const uint8_t *end = heard.p + heard.n, *at = heard.p;
  for (; (at = memmem(at, (size_t)(end - at), reply, sizeof reply - 1)); at++) n++;
  return n;
}

static void say(struct kit *k, struct slice octets, unsigned messages) {
  kit_send(k, octets);
  count_must(!k->closed && kept(buf_slice(&k->heard)) == messages, "a message was not taken");
  buf_reset(&k->heard);
}

static void reuse(void *arg) {
  struct sent *s = arg;
  say(s->k, buf_slice(&s->octets), s->messages);
}

/* A session from its greeting to QUIT. */
static void anew(void *arg) {
  struct sent *s = arg;
  s->k = kit_plain("smtp");
  kit_send(s->k, SLICE(HELLO));
  buf_reset(&s->k->heard);
  reuse(s);
  kit_send(s->k, SLICE("QUIT\r\n"));
  count_must(s->k->closed, "QUIT did not end a session");
  kit_free(s->k);
  s->k = NULL;
}

static void submit(void *arg) {
  struct sent *s = arg;
  s->k = kit_user();
  kit_send(s->k, SLICE(PLAIN));
  buf_reset(&s->k->heard);
  reuse(s);
  kit_send(s->k, SLICE("QUIT\r\n"));
  kit_free(s->k);
  s->k = NULL;
}

static void *begin_4k(void) { return sent_new(kit_met("smtp"), 1, 4096); }
static void *begin_100(void) { return sent_new(kit_met("smtp"), 100, 4096); }
static void *begin_50k(void) { return sent_new(kit_met("smtp"), 1, 51200); }
static void *begin_1m(void) { return sent_new(kit_met("smtp"), 1, 1048576); }
static void *begin_none(void) { return sent_new(NULL, 1, 4096); }

const struct count_unit count_smtp[] = {
  { "smtp-4k", 1, begin_4k, reuse, sent_end },
  { "smtp-4k-pipelined-100", 100, begin_100, reuse, sent_end },
  { "smtp-4k-session", 1, begin_none, anew, sent_end },
  { "smtp-4k-submission", 1, begin_none, submit, sent_end },
  { "smtp-50k", 1, begin_50k, reuse, sent_end },
  { "smtp-1m", 1, begin_1m, reuse, sent_end },
  { .name = NULL },
};
