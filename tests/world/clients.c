/* SPDX-License-Identifier: ISC */
#include "tests/world/clients.h"

#include <stdio.h>

#include "lib/base/num.h"
#include "tests/world/conv_text.h"
#include "tests/world/must.h"

/* -- what both kinds share -- */

static void readable(void *arg) {
  struct client *c = arg;
  while (c->conn) {
    struct slice text = buf_slice(world_received(c->conn));
    ptrdiff_t at = slice_search(text, SLICE("\r\n"));
    if (at < 0) return;
    struct buf line;
    buf_init(&line, 1 << 20);
    buf_put(&line, slice_first(text, (size_t)at));
    buf_drop(world_received(c->conn), (size_t)at + 2);
    c->line(c, buf_slice(&line));
    buf_free(&line);
  }
}

static void closed(void *arg) {
  struct client *c = arg;
  c->conn = NULL;
  c->used = false;
  world_cancel(c->crowd->w, c);
  if (c->lost) c->lost(c);
}

static void leave(struct client *c) {
  struct world_conn *conn = c->conn;
  c->conn = NULL;
  c->used = false;
  world_cancel(c->crowd->w, c);
  if (conn) world_drop(conn);
}

static void say(struct client *c, const char *text) {
  struct buf b;
  buf_init(&b, 4096);
  buf_put_str(&b, text);
  buf_put_str(&b, "\r\n");
  if (c->conn) world_send(c->conn, buf_slice(&b));
  buf_free(&b);
}

static bool loses_patience(struct client *c) {
  return !c->crowd->patient && rng_chance(&c->crowd->rng, 1, 60);
}

static void begin(struct client *c, struct crowd *crowd, const char *service) {
  uint8_t address[4] = { 192, 0, 2, (uint8_t)rng_between(&crowd->rng, 1, 250) };
  const struct world_client client = { c, readable, closed };
  c->crowd = crowd;
  c->used = true;
  c->conn = world_connect(crowd->w, service, address, &client);
}

/* -- SMTP -- */

enum { MAILER_GREETING, MAILER_EHLO, MAILER_ENVELOPE, MAILER_BODY, MAILER_QUIT };
enum { NAME_ALL = BOXES, NAME_NOBODY, NAMES };

/* The mailboxes that a name leads to. */
static unsigned boxes_of(unsigned name) {
  return name < BOXES ? 1u << name : name == NAME_ALL ? 7u : 0;
}

static void name_text(unsigned name, char *to, size_t room) {
  if (name < BOXES)
    snprintf(to, room, "box%u@example.org", name);
  else
    snprintf(to, room, "%s@example.org", name == NAME_ALL ? "all" : "nobody");
}

/* Command `i` of the envelope: MAIL, each RCPT, DATA. */
static void say_envelope(struct mailer *m, unsigned i) {
  char name[64], text[128];
  if (i == 0) {
    say(&m->client, "MAIL FROM:<sender@client.example>");
  } else if (i > m->rcpts) {
    say(&m->client, "DATA");
  } else {
    name_text(m->names[i - 1], name, sizeof name);
    snprintf(text, sizeof text, "RCPT TO:<%s>", name);
    say(&m->client, text);
  }
}

static void next_letter(struct mailer *m) {
  struct crowd *crowd = m->client.crowd;
  if (!m->letters_left--) {
    m->step = MAILER_QUIT;
    say(&m->client, "QUIT");
    return;
  }
  m->letter = ledger_write(crowd->ledger, &crowd->rng)->id;
  m->rcpts = (unsigned)rng_between(&crowd->rng, 1, 4);
  for (unsigned i = 0; i < m->rcpts; i++)
    m->names[i] = rng_chance(&crowd->rng, 1, 12) ? NAME_NOBODY
                                                 : (unsigned)rng_below(&crowd->rng, NAME_ALL + 1);
  m->step = MAILER_ENVELOPE;
  m->answered = 0;
  m->body_sent = false;
  unsigned at_once = m->pipelines ? m->rcpts + 2 : 1;
  for (m->sent = 0; m->sent < at_once; m->sent++) say_envelope(m, m->sent);
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

static void leave_now(void *arg) { leave(arg); }

/* What was sent may arrive first, or not. */
static void leave_soon(struct mailer *m) {
  world_after(m->client.crowd->w, rng_below(&m->client.crowd->rng, 50), leave_now, &m->client);
}

static void send_body(struct mailer *m) {
  struct crowd *crowd = m->client.crowd;
  struct buf text, wire;
  buf_init(&text, 1 << 20);
  buf_init(&wire, 1 << 21);
  letter_put(ledger_letter(crowd->ledger, m->letter), &text);
  put_stuffed(buf_slice(&text), &wire);
  m->step = MAILER_BODY;
  if (!crowd->patient && rng_chance(&crowd->rng, 1, 30)) { /* goes in the middle */
    world_send(m->client.conn,
               slice_first(buf_slice(&wire), rng_below(&crowd->rng, buf_len(&wire))));
    leave_soon(m);
  } else {
    buf_put_str(&wire, ".\r\n");
    ledger_sent(crowd->ledger, m->letter);
    m->body_sent = true;
    world_send(m->client.conn, buf_slice(&wire));
  }
  buf_free(&text);
  buf_free(&wire);
}

/* A server in trouble says 4xx; 5xx would make the sender give up. */
static void no_refusal(struct mailer *m, struct slice line) {
  if (slice_at(line, 0) == '5')
    world_fail(m->client.crowd->w, "refused for good: %.*s", SLICE_ARG(line));
  if (m->client.crowd->patient && slice_at(line, 0) != '2' && slice_at(line, 0) != '3')
    world_fail(m->client.crowd->w, "no service: %.*s", SLICE_ARG(line));
}

static void envelope_answer(struct mailer *m, struct slice line) {
  struct letter *letter = ledger_letter(m->client.crowd->ledger, m->letter);
  unsigned i = m->answered++;
  bool rcpt = i > 0 && i <= m->rcpts, data = i == m->rcpts + 1;
  bool nobody = rcpt && m->names[i - 1] == NAME_NOBODY;
  if (!nobody && !(data && !letter->boxes)) no_refusal(m, line);
  if (nobody && slice_at(line, 0) == '2') world_fail(m->client.crowd->w, "nobody was accepted");
  if (rcpt && slice_at(line, 0) == '2') letter->boxes |= boxes_of(m->names[i - 1]);
  if (data && slice_at(line, 0) == '3')
    send_body(m);
  else if (data)
    say(&m->client, "RSET"), m->step = MAILER_EHLO;
  else if (m->sent <= m->answered)
    say_envelope(m, m->sent++);
}

static void body_answer(struct mailer *m, struct slice line) {
  struct crowd *crowd = m->client.crowd;
  bool ok = slice_starts(line, SLICE("250"));
  no_refusal(m, line);
  m->body_sent = false;
  ledger_answered(crowd->ledger, m->letter, ok, crowd->unsure || slice_starts(line, SLICE("421")));
  if (ok)
    crowd->accepted++;
  else
    crowd->refused++;
  next_letter(m);
}

static void mailer_line(struct client *c, struct slice line) {
  struct mailer *m = (struct mailer *)c;
  if (slice_at(line, 3) == '-') return;
  if (slice_starts(line, SLICE("421"))) {
    if (m->step == MAILER_BODY && m->body_sent)
      ledger_answered(c->crowd->ledger, m->letter, false, true);
    if (c->crowd->patient) no_refusal(m, line);
    leave(c);
    return;
  }
  switch (m->step) {
  case MAILER_GREETING:
    m->step = MAILER_EHLO;
    say(c, "EHLO client.example");
    break;
  case MAILER_EHLO: next_letter(m); break;
  case MAILER_ENVELOPE: envelope_answer(m, line); break;
  case MAILER_BODY: body_answer(m, line); break;
  default: break;
  }
  if (c->conn && loses_patience(c)) leave(c);
}

void crowd_mailer(struct crowd *crowd) {
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    struct mailer *m = &crowd->mailers[i];
    if (m->client.used) continue;
    *m = (struct mailer){ .client = { .line = mailer_line },
                          .letters_left = (unsigned)rng_between(&crowd->rng, 1, 3),
                          .pipelines = rng_chance(&crowd->rng, 1, 2) };
    begin(&m->client, crowd, "smtp");
    return;
  }
}

/* -- POP3 -- */

enum {
  READER_GREETING,
  READER_UTF8,
  READER_APOP,
  READER_UIDL,
  READER_LIST,
  READER_ACT,
  READER_RETR,
  READER_DELE,
  READER_QUIT
};

static void act(struct reader *r);

static void reader_lost(struct client *c) {
  struct reader *r = (struct reader *)c;
  buf_free(&r->text);
}

static void reader_leave(struct reader *r) {
  buf_free(&r->text);
  leave(&r->client);
}

static void say_apop(struct reader *r) {
  struct conv_memory memory = { 0 };
  struct buf b;
  buf_init(&b, 1024);
  memcpy(memory.greeting, r->greeting, sizeof r->greeting);
  buf_printf(&b, "APOP box%u@example.org ", r->box);
  conv_expand(SLICE("{apop secret}"), &memory, &b);
  say(&r->client, buf_cstr(&b));
  buf_free(&b);
}

static void say_number(struct reader *r, const char *verb, unsigned n) {
  char text[64];
  snprintf(text, sizeof text, "%s %u", verb, n);
  say(&r->client, text);
}

uint32_t crowd_uid_of(struct slice uidl) {
  uint32_t uid = 0;
  for (size_t i = 8; i < uidl.n && i < 16; i++) {
    int c = uidl.p[i];
    uid = uid * 16 + (uint32_t)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
  }
  return uid;
}

/* A row of UIDL or LIST. */
static void take_row(struct reader *r, struct slice line) {
  struct slice value = line, first = slice_split(&value, ' ');
  uint64_t n = 0, size = 0;
  if (!num_parse(first, 511, &n) || n != ++r->number) {
    if (r->number < 511)
      world_fail(r->client.crowd->w, "a row out of order: %.*s", SLICE_ARG(line));
    return;
  }
  if (r->step == READER_UIDL)
    r->uids[n] = crowd_uid_of(value);
  else if (num_parse(value, UINT64_MAX, &size))
    r->sizes[n] = size;
}

static void finish_retr(struct reader *r) {
  struct crowd *crowd = r->client.crowd;
  if (buf_len(&r->text) != r->sizes[r->asked] || r->announced != r->sizes[r->asked])
    world_fail(crowd->w, "LIST says %llu octets, RETR %llu, and %zu came",
               (unsigned long long)r->sizes[r->asked], (unsigned long long)r->announced,
               buf_len(&r->text));
  r->letters[r->asked] =
      ledger_see(crowd->ledger, crowd->w, r->box, r->uids[r->asked], buf_slice(&r->text), !r->utf8);
  crowd->fetched++;
  buf_reset(&r->text);
}

static void say_quit(struct reader *r) {
  uint32_t leaving[512];
  size_t n = 0;
  for (unsigned i = 1; i <= r->count; i++)
    if (r->marked[i]) leaving[n++] = r->letters[i];
  r->quit = ledger_leave(r->client.crowd->ledger, r->box, leaving, n);
  r->step = READER_QUIT;
  say(&r->client, "QUIT");
}

/* Fetch something, delete something that was fetched, or go. */
static void act(struct reader *r) {
  struct rng *rng = &r->client.crowd->rng;
  r->step = READER_ACT;
  if (!r->count || !r->acts_left--) {
    say_quit(r);
    return;
  }
  unsigned n = (unsigned)rng_between(rng, 1, r->count);
  if (r->marked[n]) {
    bool reset = rng_chance(rng, 1, 6);
    if (reset) memset(r->marked, 0, sizeof r->marked);
    say(&r->client, reset ? "RSET" : "NOOP");
    return;
  }
  r->asked = n;
  r->step = r->letters[n] ? READER_DELE : READER_RETR;
  say_number(r, r->letters[n] ? "DELE" : "RETR", n);
}

static void reader_status(struct reader *r, struct slice line, bool ok) {
  struct crowd *crowd = r->client.crowd;
  struct slice rest = slice_from(line, 4), number = slice_split(&rest, ' ');
  switch (r->step) {
  case READER_RETR:
    r->inside = ok;
    if (slice_eq(number, SLICE("[UTF8]")))
      world_fail(crowd->w, "nobody measured a message: %.*s", SLICE_ARG(line));
    if (ok)
      num_parse(number, UINT64_MAX, &r->announced);
    else
      act(r);
    break;
  case READER_DELE:
    if (ok) r->marked[r->asked] = true;
    act(r);
    break;
  case READER_QUIT:
    ledger_left(crowd->ledger, r->box, r->quit, ok, crowd->unsure);
    if (ok) crowd->deleted++;
    break;
  default: act(r);
  }
}

static void reader_logged_in(struct reader *r, struct slice line, bool ok) {
  /* "has 3 messages" is behind the name and the verb; UIDL says it anew. */
  if (!ok) {
    if (r->client.crowd->patient && slice_search(line, SLICE("[IN-USE]")) < 0)
      world_fail(r->client.crowd->w, "no login: %.*s", SLICE_ARG(line));
    reader_leave(r);
    return;
  }
  r->step = READER_UIDL;
  say(&r->client, "UIDL");
}

/* The end of a multi-line response. */
static void reader_end(struct reader *r) {
  r->inside = false;
  if (r->step == READER_RETR) finish_retr(r);
  if (r->step == READER_UIDL) {
    r->count = r->number;
    r->number = 0;
    r->step = READER_LIST;
    say(&r->client, "LIST");
  } else {
    act(r);
  }
}

static void reader_inside(struct reader *r, struct slice line) {
  if (slice_eq(line, SLICE("."))) {
    reader_end(r);
  } else if (r->step == READER_RETR) {
    buf_put(&r->text, slice_from(line, slice_at(line, 0) == '.'));
    buf_put_str(&r->text, "\r\n");
  } else {
    take_row(r, line);
  }
}

static void reader_line(struct client *c, struct slice line) {
  struct reader *r = (struct reader *)c;
  bool ok = slice_starts(line, SLICE("+OK"));
  if (r->inside) {
    reader_inside(r, line);
  } else if (r->step == READER_GREETING) {
    memcpy(r->greeting, line.p, line.n < sizeof r->greeting ? line.n : sizeof r->greeting - 1);
    r->utf8 = rng_chance(&c->crowd->rng, 1, 2);
    r->step = r->utf8 ? READER_UTF8 : READER_APOP;
    if (r->utf8)
      say(c, "UTF8");
    else
      say_apop(r);
  } else if (r->step == READER_UTF8) {
    if (!ok) world_fail(c->crowd->w, "no UTF8: %.*s", SLICE_ARG(line));
    r->step = READER_APOP;
    say_apop(r);
  } else if (r->step == READER_APOP) {
    reader_logged_in(r, line, ok);
  } else if (r->step == READER_UIDL || r->step == READER_LIST) {
    r->inside = ok;
    if (!ok) reader_leave(r);
  } else {
    reader_status(r, line, ok);
  }
  if (c->conn && r->step != READER_QUIT && loses_patience(c)) reader_leave(r);
}

void crowd_reader(struct crowd *crowd, unsigned box) {
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    struct reader *r = &crowd->readers[i];
    if (r->client.used) continue;
    *r = (struct reader){ .client = { .line = reader_line, .lost = reader_lost },
                          .box = box,
                          .acts_left = (unsigned)rng_below(&crowd->rng, 16) };
    buf_init(&r->text, 1 << 22);
    begin(&r->client, crowd, "pop3");
    return;
  }
}

bool crowd_gone(const struct crowd *c) {
  for (size_t i = 0; i < CLIENTS_MAX; i++)
    if (c->mailers[i].client.conn || c->readers[i].client.conn) return false;
  for (size_t i = 0; i < MOVERS_MAX; i++)
    if (c->movers[i].conn) return false;
  return true;
}

void crowd_free(struct crowd *c) {
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    struct reader *r = &c->readers[i];
    if (r->client.used) buf_free(&r->text);
  }
  crowd_movers_free(c);
}
