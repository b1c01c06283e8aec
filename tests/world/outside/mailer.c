/* SPDX-License-Identifier: ISC */
#include "tests/world/outside/mailer.h"

#include <stdarg.h>
#include <stdio.h>

enum { GREETING, HELLO, PATH, RCPT, DATA, BODY, QUIT };

void mailers_init(struct mailers *m, struct world *w, struct post *post, uint64_t seed) {
  *m = (struct mailers){ .w = w, .post = post, .rng = rng_from(seed) };
}

void mailers_gone(struct mailers *m) {
  for (size_t i = 0; i < MAILERS_MAX; i++) m->them[i].conn = NULL;
}

__attribute__((format(printf, 2, 3))) static void say(struct mailer_out *m, const char *fmt, ...) {
  char text[300];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(text, sizeof text - 2, fmt, ap);
  va_end(ap);
  memcpy(text + n, "\r\n", 2);
  world_send(m->conn, slice_of((const uint8_t *)text, (size_t)n + 2));
}

static void leave(struct mailer_out *m) {
  struct world_conn *conn = m->conn;
  m->conn = NULL;
  if (conn) world_drop(conn);
}

static void next_letter(struct mailer_out *m) {
  struct mailers *all = m->all;
  if (!m->letters_left--) {
    m->step = QUIT;
    say(m, "QUIT");
    return;
  }
  struct post_letter *l = post_write(all->post, &all->rng);
  m->letter = l->id;
  m->named = 0;
  m->body_sent = false;
  m->rcpts = l->forwarded ? 1 : (unsigned)rng_between(&all->rng, 1, POST_RCPTS_MAX);
  unsigned domain = (unsigned)rng_below(&all->rng, POST_DOMAINS);
  bool together = rng_chance(&all->rng, 1, 2);
  for (unsigned i = 0; i < m->rcpts; i++)
    m->domains[i] = together ? domain : (unsigned)rng_below(&all->rng, POST_DOMAINS);
  m->step = PATH;
  if (l->forwarded)
    say(m, "MAIL FROM:<l%u@client.example> BODY=8BITMIME", l->id);
  else
    say(m, "MAIL FROM:<box%u@example.org> BODY=8BITMIME", l->box);
}

static void name_rcpt(struct mailer_out *m) {
  const struct post_letter *l = post_letter(m->all->post, m->letter);
  m->step = RCPT;
  if (l->forwarded)
    say(m, "RCPT TO:<fwd%u@example.org>", m->domains[0]);
  else
    say(m, "RCPT TO:<r%u-%u@d%u.test>", l->id, m->named, m->domains[m->named]);
}

static void rcpt_taken(struct mailer_out *m) {
  struct post_letter *l = post_letter(m->all->post, m->letter);
  struct post_rcpt *r = &l->rcpts[l->count++];
  if (l->forwarded)
    snprintf(r->address, sizeof r->address, "f%u@d%u.test", m->domains[0], m->domains[0]);
  else
    snprintf(r->address, sizeof r->address, "r%u-%u@d%u.test", l->id, m->named,
             m->domains[m->named]);
}

static void put_stuffed(struct slice text, struct buf *out) {
  while (text.n) {
    ptrdiff_t at = slice_find(text, '\n');
    size_t n = at < 0 ? text.n : (size_t)at + 1;
    if (text.p[0] == '.') buf_put_u8(out, '.');
    buf_put(out, slice_first(text, n));
    text = slice_from(text, n);
  }
}

static void send_body(struct mailer_out *m) {
  struct mailers *all = m->all;
  struct buf text, wire;
  buf_init(&text, 1 << 20);
  buf_init(&wire, 1 << 21);
  post_put(post_letter(all->post, m->letter), &text);
  put_stuffed(buf_slice(&text), &wire);
  buf_put_str(&wire, ".\r\n");
  m->step = BODY;
  m->body_sent = true;
  post_sent(all->post, m->letter);
  world_send(m->conn, buf_slice(&wire));
  buf_free(&text);
  buf_free(&wire);
}

static void body_answer(struct mailer_out *m, struct slice line) {
  bool ok = slice_starts(line, SLICE("250"));
  m->body_sent = false;
  post_answered(m->all->post, m->letter, ok, m->all->unsure || slice_starts(line, SLICE("421")));
  next_letter(m);
}

/* A server in trouble says 4xx; 5xx would make the sender give up. */
static void on_line(struct mailer_out *m, struct slice line) {
  uint8_t class = slice_at(line, 0);
  if (slice_at(line, 3) == '-') return;
  if (class == '5') world_fail(m->all->w, "refused for good: %.*s", SLICE_ARG(line));
  if (class == '4' && m->step == BODY && m->body_sent)
    post_answered(m->all->post, m->letter, false,
                  m->all->unsure || slice_starts(line, SLICE("421")));
  if (class != '2' && class != '3') {
    leave(m);
    return;
  }
  switch (m->step) {
  case GREETING:
    m->step = HELLO;
    say(m, "EHLO client.example");
    break;
  case HELLO: next_letter(m); break;
  case PATH: name_rcpt(m); break;
  case RCPT:
    rcpt_taken(m);
    if (++m->named < m->rcpts)
      name_rcpt(m);
    else
      m->step = DATA, say(m, "DATA");
    break;
  case DATA: send_body(m); break;
  case BODY: body_answer(m, line); break;
  default: break;
  }
}

static void readable(void *arg) {
  struct mailer_out *m = arg;
  while (m->conn) {
    struct slice text = buf_slice(world_received(m->conn));
    ptrdiff_t at = slice_search(text, SLICE("\r\n"));
    char line[600];
    if (at < 0) return;
    int n = snprintf(line, sizeof line, "%.*s", (int)at, (const char *)text.p);
    buf_drop(world_received(m->conn), (size_t)at + 2);
    on_line(m, slice_of((const uint8_t *)line,
                        (size_t)(n < (int)sizeof line ? n : (int)sizeof line - 1)));
  }
}

static void closed(void *arg) { ((struct mailer_out *)arg)->conn = NULL; }

void mailers_come(struct mailers *all) {
  for (size_t i = 0; i < MAILERS_MAX; i++) {
    struct mailer_out *m = &all->them[i];
    if (m->conn) continue;
    /* Who may send, and who may not but to addresses here, are told apart by where they come from;
     * both send both. */
    const uint8_t address[4] = { 192, 0, 2, (uint8_t)rng_between(&all->rng, 1, 250) };
    const struct world_client client = { m, readable, closed };
    *m = (struct mailer_out){ .all = all, .letters_left = (unsigned)rng_between(&all->rng, 1, 2) };
    m->conn = world_connect(all->w, "smtp", address, &client);
    return;
  }
}
