/* SPDX-License-Identifier: ISC */
/* One message on its way to smtpd: a socket pair, an SMTP client session (mail/smtp/client.h) with
 * a letter of the file, and the shell around it, which has no TLS and dials nobody.
 *
 *   submit_begin() ──▶ the session ──▶ over (by QUIT, a lost connection, no memory)
 *                                        └─▶ look_submitted() with the verdicts */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/pickup_smtpd.h"
#include "lib/base/arena.h"
#include "lib/base/sys.h"
#include "mail/address.h"
#include "mail/smtp/client.h"
#include "src/pickup/pickup.h"

enum { READ_MOST = 32 * 1024, MEMORY_MAX = 4 * 1024 * 1024 };

struct submission {
  struct pickup *pickup;
  struct found found;
  struct arena memory; /* the envelope */
  struct smtp_letter letter;
  uint64_t at, end; /* octets of the file: read up to, and where the message ends */
  bool given;       /* the session has the letter, or had it */
  int socket;
  struct loop_io *io;
  struct smtp_client *client;
  struct buf in;
  bool lost, over;
};

/* --- the letter --- */

static bool copy_address(struct submission *s, const struct address *a, struct slice *ret) {
  struct buf text;
  buf_init(&text, 2 * ADDRESS_PATH_MAX);
  address_put(&text, a);
  struct slice path = buf_slice(&text);
  *ret = path.n ? arena_copy(&s->memory, path) : SLICE_NONE;
  bool ok = !text.failed && (!path.n || ret->p);
  buf_free(&text);
  return ok;
}

static bool copy(struct submission *s, struct slice from, struct slice *ret) {
  *ret = from.n ? arena_copy(&s->memory, from) : SLICE_NONE;
  return !from.n || ret->p;
}

static bool take_recipients(struct submission *s, const struct drop *d, struct slice domain) {
  struct slice rest = d->recipients;
  struct smtp_recipient to;
  s->letter.rcpts = arena_alloc(&s->memory, d->count * sizeof *s->letter.rcpts);
  if (!s->letter.rcpts) return false;
  for (; drop_next(&rest, domain, &to); s->letter.count++) {
    struct smtp_letter_rcpt *r = &s->letter.rcpts[s->letter.count];
    *r = (struct smtp_letter_rcpt){ .notify = to.notify };
    if (!copy_address(s, &to.address, &r->address) || !copy(s, to.orcpt, &r->orcpt)) return false;
  }
  return true;
}

static bool take_envelope(struct submission *s, const struct drop *d, struct slice domain) {
  struct smtp_mail mail;
  if (!drop_from(d, domain, &mail)) return false;
  s->letter = (struct smtp_letter){ .ret = mail.ret,
                                    .eight_bit = mail.body == SMTP_BODY_8BITMIME,
                                    .size = d->size };
  s->at = d->head;
  s->end = d->head + d->size;
  return copy_address(s, &mail.sender, &s->letter.return_path) &&
         copy(s, mail.envid, &s->letter.envid) && take_recipients(s, d, domain);
}

/* All of [at, at+n) of the file. */
static bool read_file(int fd, uint8_t *to, size_t n, uint64_t at) {
  while (n) {
    ssize_t got = pread(fd, to, n, (off_t)at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got, n -= (size_t)got, at += (size_t)got;
  }
  return true;
}

/* NULL, or why not. */
static const char *read_envelope(struct submission *s, bool *ret_malformed) {
  const struct conf *c = s->pickup->process->conf;
  struct slice domain = slice_str(*c->login_domain ? c->login_domain : c->hostname);
  struct drop d;
  size_t n = s->found.size < DROP_HEAD_MAX ? (size_t)s->found.size : DROP_HEAD_MAX;
  uint8_t *head = malloc(n + 1);
  const char *wrong = head ? NULL : "no memory";
  *ret_malformed = false;
  if (!wrong && !read_file(s->found.fd, head, n, 0)) wrong = "it cannot be read";
  if (!wrong) {
    wrong = drop_read(slice_of(head, n), s->found.size, domain, &d);
    *ret_malformed = wrong != NULL;
  }
  if (!wrong && !take_envelope(s, &d, domain)) wrong = "no memory";
  free(head);
  return wrong;
}

/* --- the source --- */

static struct smtp_letter *on_next(void *arg) {
  struct submission *s = arg;
  if (s->given) return NULL;
  s->given = true;
  return &s->letter;
}

/* Its owner may write into it while it is read; then it is shorter, or other octets are sent. */
static enum smtp_source_verdict on_read(void *arg, struct smtp_letter *l, struct buf *out,
                                        size_t most) {
  struct submission *s = arg;
  uint64_t left = s->end - s->at;
  size_t n = left < most ? (size_t)left : most;
  uint8_t *to = n ? buf_reserve(out, n) : NULL;
  if (n && (!to || !read_file(s->found.fd, to, n, s->at))) return SMTP_SOURCE_BROKEN;
  buf_added(out, n);
  s->at += n;
  return s->at == s->end ? SMTP_SOURCE_END : SMTP_SOURCE_MORE;
}

static void on_done(void *arg, struct smtp_letter *l) {
} /* its verdicts are looked at when all is over */

/* --- the end --- */

/* What became of it; the words of the first verdict that is not a success. */
static enum outcome sum_up(const struct submission *s, char *words, size_t room) {
  enum outcome o = s->letter.count ? OUTCOME_TAKEN : OUTCOME_LATER;
  size_t n = 0;
  for (size_t i = 0; i < s->letter.count; i++) {
    const struct smtp_letter_rcpt *r = &s->letter.rcpts[i];
    if (r->verdict.fate == SMTP_DELIVERED) continue;
    enum outcome one = r->verdict.fate == SMTP_PERMANENT ? OUTCOME_REFUSED : OUTCOME_LATER;
    if (one == OUTCOME_LATER || o == OUTCOME_TAKEN) o = one;
    if (n++) continue;
    struct slice text = buf_slice(&r->verdict.text);
    text = slice_split(&text, '\n');
    snprintf(words, room, "%.*s: %u %.*s", SLICE_ARG(r->address), r->verdict.code, SLICE_ARG(text));
  }
  size_t used = strlen(words);
  if (n > 1) snprintf(words + used, room - used, " (and %zu more recipients)", n - 1);
  return o;
}

void submit_free(struct pickup *p) {
  struct submission *s = p->now;
  if (!s) return;
  p->now = NULL;
  loop_timer_cancel(p->talk_timer);
  smtp_client_free(&s->client);
  smtp_letter_free_verdicts(&s->letter);
  loop_io_free(&s->io);
  if (s->socket >= 0) close(s->socket);
  close(s->found.fd);
  buf_free(&s->in);
  arena_reset(&s->memory);
  free(s);
}

static void finish(struct submission *s) {
  struct pickup *p = s->pickup;
  char words[400] = "";
  const struct found f = s->found;
  enum outcome o = sum_up(s, words, sizeof words);
  submit_free(p);
  look_submitted(p, &f, o, words);
}

/* --- the shell --- */

static void lose(struct submission *s, enum close_reason why) {
  struct proto *p = &s->client->proto;
  s->lost = true;
  if (p->want != PROTO_CLOSE) smtp_client_ops.gone(p, why);
}

static void flush(struct submission *s, struct proto_turn *t) {
  struct buf *out = &s->client->proto.out;
  ssize_t n = send(s->socket, buf_slice(out).p, buf_len(out), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n > 0) buf_drop(out, (size_t)n);
  if (n < 0 && errno != EAGAIN && errno != EINTR) lose(s, CLOSE_PEER_GONE);
  t->blocked = n < 0 && errno == EAGAIN;
}

static void input(struct submission *s, struct proto_turn *t) {
  struct slice in = buf_slice(&s->in);
  size_t before = in.n;
  smtp_client_input(s->client, &in);
  buf_drop(&s->in, before - in.n);
  t->fed = in.n == before;
}

/* False: nothing is there. */
static bool receive(struct submission *s, struct proto_turn *t) {
  uint8_t *to = buf_reserve(&s->in, READ_MOST);
  ssize_t n = to ? recv(s->socket, to, READ_MOST, MSG_DONTWAIT) : -1;
  if (to && n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n > 0) buf_added(&s->in, (size_t)n);
  if (n <= 0) lose(s, to ? CLOSE_PEER_GONE : CLOSE_NO_MEMORY);
  t->fed = false;
  return true;
}

/* False: it waits. */
static bool step(struct submission *s, struct proto_turn *t, int *want, bool *pause) {
  struct proto *p = &s->client->proto;
  t->in = buf_len(&s->in);
  switch (proto_next(p, t)) {
  case PROTO_DO_FLUSH: flush(s, t); return true;
  case PROTO_DO_PRODUCE:
    smtp_client_produce(s->client);
    t->fed = false;
    return true;
  case PROTO_DO_INPUT: input(s, t); return true;
  case PROTO_DO_READ:
    if (receive(s, t)) return true;
    *want = LOOP_READ | (t->blocked ? LOOP_WRITE : 0);
    return false;
  case PROTO_DO_CLOSE: s->over = true; return false;
  case PROTO_DO_FAIL: lose(s, CLOSE_NO_MEMORY); return true;
  case PROTO_DO_PAUSE: *pause = true; return false;
  default: *want = t->blocked ? LOOP_WRITE : 0; return false;
  }
}

static void drive(struct submission *s) {
  struct proto_turn turn = { 0 };
  int want = 0;
  struct proto *p = &s->client->proto;
  bool pause = false;
  p->now_ms = loop_now(s->pickup->process->loop);
  while (!s->lost && step(s, &turn, &want, &pause)) {
  }
  if (s->over || s->lost) {
    finish(s);
    return;
  }
  loop_io_want(s->io, want);
  if (pause || p->deadline_ms)
    loop_timer_set(s->pickup->talk_timer, pause ? p->now_ms : p->deadline_ms);
  else
    loop_timer_cancel(s->pickup->talk_timer);
}

static void on_io(void *arg, int ready) { drive(arg); }

void submit_on_timer(void *arg) {
  struct submission *s = ((struct pickup *)arg)->now;
  if (!s) return;
  s->client->proto.now_ms = loop_now(s->pickup->process->loop);
  smtp_client_tick(s->client);
  drive(s);
}

/* --- the beginning --- */

static const char *open_session(struct submission *s) {
  struct pickup *p = s->pickup;
  struct smtp_client_start start = {
    .hello = p->process->conf->hostname,
    .host = "smtpd",
    .policy = { .tls = SMTP_TLS_NEVER },
    .source = { on_next, on_read, on_done, s },
    .now_ms = loop_now(p->process->loop),
  };
  sys_random(start.nonce, sizeof start.nonce);
  s->client = smtp_client_new(&start);
  if (s->client) s->io = loop_io_new(p->process->loop, s->socket, on_io, s);
  return s->io ? NULL : "no memory";
}

static const char *connect_to_smtpd(struct submission *s) {
  struct process *r = s->pickup->process;
  struct buf b;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return "no socket";
  s->socket = ends[0];
  const char *wrong = open_session(s);
  if (wrong) {
    close(ends[1]);
    return wrong;
  }
  buf_init(&b, 64);
  pickup_submit_put(
      &b, &(struct pickup_submit){ s->found.uid, slice_of(s->found.id, sizeof s->found.id) });
  process_send(r, ROLE_SMTPD, process_single(r, ROLE_SMTPD), pickup_submit_type, 0, buf_slice(&b),
               ends[1]);
  buf_free(&b);
  return NULL;
}

const char *submit_begin(struct pickup *p, const struct found *f, bool *ret_malformed) {
  struct submission *s = calloc(1, sizeof *s);
  *ret_malformed = false;
  if (!s) {
    close(f->fd);
    return "no memory";
  }
  *s = (struct submission){ .pickup = p, .found = *f, .socket = -1 };
  arena_init(&s->memory, MEMORY_MAX);
  buf_init(&s->in, READ_MOST + SMTP_CLIENT_IN);
  p->now = s;
  const char *wrong = read_envelope(s, ret_malformed);
  if (!wrong) wrong = connect_to_smtpd(s);
  if (wrong) submit_free(p);
  return wrong;
}
