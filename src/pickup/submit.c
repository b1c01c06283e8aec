/* SPDX-License-Identifier: ISC */
/* One message being submitted to smtpd: its envelope is read from the file, its octets while they
 * are sent.
 *
 *   submit_begin() ──▶ the session (talk.c) ──▶ its reports, if any are due (tell.c)
 *                                                 └─▶ submit_end() ──▶ look_submitted() */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "mail/address.h"
#include "src/pickup/submission.h"

enum { MEMORY_MAX = 4 * 1024 * 1024 };

/* --- the letter --- */

static bool copy_address(struct drop_submission *s, const struct address *a, struct slice *ret) {
  struct buf text;
  buf_init(&text, 2 * ADDRESS_PATH_MAX);
  address_put(&text, a);
  struct slice path = buf_slice(&text);
  *ret = path.n ? arena_copy(&s->memory, path) : SLICE_NONE;
  bool ok = !text.failed && (!path.n || ret->p);
  buf_free(&text);
  return ok;
}

static bool copy(struct drop_submission *s, struct slice from, struct slice *ret) {
  *ret = from.n ? arena_copy(&s->memory, from) : SLICE_NONE;
  return !from.n || ret->p;
}

static bool take_recipients(struct drop_submission *s, const struct drop *d, struct slice domain) {
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

static bool take_envelope(struct drop_submission *s, const struct drop *d, struct slice domain) {
  struct smtp_mail mail;
  if (!drop_from(d, domain, &mail)) return false;
  s->letter = (struct smtp_letter){ .ret = mail.ret,
                                    .eight_bit = mail.body == SMTP_BODY_8BITMIME,
                                    .size = d->size };
  s->at = s->begin = d->head;
  s->end = d->head + d->size;
  return copy_address(s, &mail.sender, &s->letter.return_path) &&
         copy(s, mail.envid, &s->letter.envid) && take_recipients(s, d, domain);
}

bool submit_read(int fd, uint8_t *to, size_t n, uint64_t at) {
  while (n) {
    ssize_t got = pread(fd, to, n, (off_t)at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got, n -= (size_t)got, at += (size_t)got;
  }
  return true;
}

/* NULL, or the reason. */
static const char *read_envelope(struct drop_submission *s, bool *ret_malformed) {
  const struct conf *c = s->pickup->process->conf;
  struct slice domain = slice_str(*c->login_domain ? c->login_domain : c->hostname);
  struct drop d;
  size_t n = s->found.size < DROP_HEAD_MAX ? (size_t)s->found.size : DROP_HEAD_MAX;
  uint8_t *head = malloc(n + 1);
  const char *wrong = head ? NULL : "no memory";
  *ret_malformed = false;
  if (!wrong && !submit_read(s->found.fd, head, n, 0)) wrong = "it cannot be read";
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
  struct drop_submission *s = arg;
  if (s->given) return NULL;
  s->given = true;
  return &s->letter;
}

/* Its owner may write to it while it is read; then it is shorter, or other octets are sent. */
static enum smtp_source_verdict on_read(void *arg, struct smtp_letter *l, struct buf *out,
                                        size_t most) {
  struct drop_submission *s = arg;
  uint64_t left = s->end - s->at;
  size_t n = left < most ? (size_t)left : most;
  uint8_t *to = n ? buf_reserve(out, n) : NULL;
  if (n && (!to || !submit_read(s->found.fd, to, n, s->at))) return SMTP_SOURCE_BROKEN;
  buf_added(out, n);
  s->at += n;
  return s->at == s->end ? SMTP_SOURCE_END : SMTP_SOURCE_MORE;
}

static void on_done(void *arg, struct smtp_letter *l) {
} /* its verdicts are examined when the session is over */

/* --- the end --- */

void submit_free(struct pickup *p) {
  struct drop_submission *s = p->now;
  if (!s) return;
  p->now = NULL;
  talk_free(&p->talk);
  own_mail_free(&s->tell.mail);
  smtp_letter_free_verdicts(&s->letter);
  close(s->found.fd);
  arena_reset(&s->memory);
  free(s);
}

void submit_end(struct drop_submission *s, enum outcome o) {
  struct pickup *p = s->pickup;
  const struct found f = s->found;
  char words[sizeof s->words];
  memcpy(words, s->words, sizeof words);
  submit_free(p);
  look_submitted(p, &f, o, words);
}

static void on_over(void *arg) { tell_go(arg); }

/* --- the beginning --- */

const char *submit_begin(struct pickup *p, const struct found *f, bool *ret_malformed) {
  struct drop_submission *s = calloc(1, sizeof *s);
  *ret_malformed = false;
  if (!s) {
    close(f->fd);
    return "no memory";
  }
  *s = (struct drop_submission){ .pickup = p, .found = *f };
  arena_init(&s->memory, MEMORY_MAX);
  p->now = s;
  const char *wrong = read_envelope(s, ret_malformed);
  struct talk_about about = { f->uid, { 0 }, { on_next, on_read, on_done, s }, on_over, s };
  memcpy(about.id, f->id, sizeof about.id);
  if (!wrong && !talk_begin(p, &about)) wrong = "no memory, or no socket";
  if (wrong) submit_free(p);
  return wrong;
}
