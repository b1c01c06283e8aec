/* SPDX-License-Identifier: ISC */
/* Plays a conversation in the world. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/num.h"
#include "lib/tls/tls.h"
#include "tests/world/alloc_fail.h"
#include "tests/world/conv_in.h"
#include "tests/world/must.h"

/* The first thing that is not as the text says ends the play; in a disturbed one that is allowed.
 */
void conv_differ(struct play *p, const char *fmt, ...) {
  if (p->stop) return;
  p->stop = true;
  if (p->disturbed) return;
  p->outcome->passed = false;
  int n = snprintf(p->outcome->why, sizeof p->outcome->why, "%s:%u: ", p->c->name,
                   p->step ? p->step->line : 0);
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(p->outcome->why + n, sizeof p->outcome->why - (size_t)n, fmt, ap);
  va_end(ap);
}

/* -- clients -- */

static void on_readable(void *arg) {
  struct actor *a = arg;
  struct buf *b = world_received(a->conn);
  buf_put(&a->text, buf_slice(b));
  buf_reset(b);
}

static void on_closed(void *arg) {
  struct actor *a = arg;
  a->conn = NULL;
  a->closed = true;
  a->reason = world_last_reason(a->play->w);
}

static struct actor *actor_of(struct play *p, const char *name) {
  for (size_t i = 0; i < p->actor_count; i++)
    if (!strcmp(p->actors[i].name, name)) return &p->actors[i];
  if (p->actor_count == ACTORS) return NULL;
  struct actor *a = &p->actors[p->actor_count++];
  *a = (struct actor){ .play = p };
  memcpy(a->name, name, strlen(name) + 1);
  buf_init(&a->text, SIZE_MAX / 4);
  buf_init(&a->reply, SIZE_MAX / 4);
  return a;
}

/* Lets the world go on until that is so. */
bool conv_wait(struct play *p, bool (*so)(const struct actor *a), const struct actor *a) {
  uint64_t until = world_now(p->w) + PATIENCE_MS;
  for (size_t i = 0; !so(a) && i < 5000000; i++)
    if (!world_step(p->w, until)) break;
  return so(a);
}

static bool has_line(const struct actor *a) {
  return a->closed || slice_find(buf_slice(&a->text), '\n') >= 0;
}

/* The next line without its CRLF; it stays valid until the next is taken. False: none comes. */
static bool take_line(struct play *p, struct actor *a, struct slice *ret) {
  conv_wait(p, has_line, a);
  struct slice text = buf_slice(&a->text);
  ptrdiff_t at = slice_find(text, '\n');
  if (at < 1 || text.p[at - 1] != '\r') {
    if (at >= 0) conv_differ(p, "a line without CRLF");
    return false;
  }
  *ret = slice_first(text, (size_t)at - 1);
  buf_drop(&a->text, (size_t)at + 1);
  return true;
}

static void keep(char *to, size_t room, struct slice s) {
  size_t n = s.n < room ? s.n : room - 1;
  memcpy(to, s.p, n);
  to[n] = 0;
}

/* A challenge, or a greeting with a timestamp in it. */
static void note_line(struct play *p, struct slice line) {
  size_t mark = slice_starts(line, SLICE("334 ")) ? 4 : slice_starts(line, SLICE("+ ")) ? 2 : 0;
  if (mark) keep(p->memory.challenge, sizeof p->memory.challenge, slice_from(line, mark));
  if (slice_starts(line, SLICE("+OK ")) && slice_find(line, '<') > 0 && !p->memory.greeting[0])
    keep(p->memory.greeting, sizeof p->memory.greeting, line);
}

/* -- the steps -- */

static bool step_connect(struct play *p, struct actor *a) {
  struct slice rest = p->step->text, service = slice_split(&rest, ' ');
  uint8_t address[4] = { 192, 0, 2, 1 };
  char name[24] = { 0 };
  if (slice_starts(rest, SLICE("from "))) {
    rest = slice_from(rest, 5);
    for (size_t i = 0; i < 4; i++) {
      uint64_t n = 0;
      num_parse(slice_split(&rest, '.'), 255, &n);
      address[i] = (uint8_t)n;
    }
  }
  if (a->conn) world_drop(a->conn);
  if (service.n < sizeof name) memcpy(name, service.p, service.n);
  a->connected = true;
  a->closed = false;
  a->pop = slice_starts(service, SLICE("pop3"));
  buf_reset(&a->text);
  p->memory.greeting[0] = 0;
  const struct world_client client = { a, on_readable, on_closed };
  a->conn = world_connect(p->w, name, address, &client);
  return true;
}

static bool step_client(struct play *p, struct actor *a) {
  struct buf b;
  buf_init(&b, 256 << 20);
  for (unsigned i = 0; i < p->step->times; i++) {
    conv_expand(p->step->text, &p->memory, &b);
    buf_put_str(&b, "\r\n");
  }
  if (a->conn) world_send(a->conn, buf_slice(&b));
  buf_free(&b);
  return true;
}

static bool step_raw(struct play *p, struct actor *a) {
  struct buf expanded, b;
  buf_init(&expanded, 256 << 20);
  buf_init(&b, 256 << 20);
  conv_expand(p->step->text, &p->memory, &expanded);
  conv_unescape(buf_slice(&expanded), &b);
  if (a->conn) world_send(a->conn, buf_slice(&b));
  buf_free(&expanded);
  buf_free(&b);
  return true;
}

static bool step_server(struct play *p, struct actor *a) {
  for (unsigned i = 0; i < p->step->times; i++) {
    struct slice line;
    if (!take_line(p, a, &line)) {
      conv_differ(p, "no line came, expected: %.*s", SLICE_ARG(p->step->text));
      return false;
    }
    if (!conv_match(p->step->text, line, &p->memory)) {
      conv_differ(p, "the server said: %.*s", SLICE_ARG(slice_first(line, 300)));
      return false;
    }
    note_line(p, line);
  }
  return true;
}

/* SMTP: "250-" goes on, "250 " ends. POP3: the status line, and after +OK all up to ".". */
static bool more_of_reply(const struct actor *a, struct slice line, bool first) {
  if (!a->pop) return slice_at(line, 3) == '-';
  return first ? slice_starts(line, SLICE("+OK")) : !slice_eq(line, SLICE("."));
}

static bool step_reply(struct play *p, struct actor *a) {
  struct slice line;
  buf_reset(&a->reply);
  for (bool first = true, more = true; more; first = false) {
    if (!take_line(p, a, &line)) {
      conv_differ(p, "the reply does not end: %.*s", SLICE_ARG(p->step->text));
      return false;
    }
    buf_put(&a->reply, line);
    buf_put_u8(&a->reply, '\n');
    more = more_of_reply(a, line, first);
    bool looked_at = a->pop ? first : !more;
    if (looked_at && !conv_match(p->step->text, line, &p->memory))
      conv_differ(p, "the server said: %.*s", SLICE_ARG(slice_first(line, 300)));
  }
  return true;
}

static bool step_has(struct play *p, struct actor *a) {
  bool there = conv_any_line(p, buf_slice(&a->reply), p->step->text);
  if (there != (p->step->kind == CONV_HAS))
    conv_differ(p, "the reply has %s: %.*s", there ? "this" : "no such line",
                SLICE_ARG(p->step->text));
  return true;
}

static bool wants_secure(const struct actor *a) {
  return a->closed || (a->conn && world_wants_secure(a->conn));
}

static bool secure_with(struct play *p, struct actor *a) {
  struct slice file = p->step->text, word = slice_split(&file, ' ');
  uint8_t fingerprint[TLS_FINGERPRINT], pem[8192];
  char path[256];
  snprintf(path, sizeof path, "tests/conv/%.*s", SLICE_ARG(slice_first(file, 100)));
  FILE *f = slice_eq(word, SLICE("with")) ? fopen(path, "r") : NULL;
  size_t n = f ? fread(pem, 1, sizeof pem, f) : 0;
  if (f) fclose(f);
  if (tls_fingerprint(slice_of(pem, n), fingerprint))
    world_secure_with(a->conn, fingerprint);
  else
    conv_differ(p, "%s has no certificate", path);
  return true;
}

static bool step_secure(struct play *p, struct actor *a) {
  if (!conv_wait(p, wants_secure, a) || !a->conn) {
    conv_differ(p, "no handshake is waited for");
    return false;
  }
  if (p->step->text.n) return secure_with(p, a);
  world_secure(a->conn);
  return true;
}

static bool step_drop(struct play *p, struct actor *a) {
  if (a->conn) {
    /* What is under way arrives first: a close is behind the octets. */
    world_run(p->w, world_now(p->w) + 10);
    if (a->conn) world_drop(a->conn);
  }
  if (slice_eq(p->step->text, SLICE("unread"))) buf_reset(&a->text);
  a->conn = NULL;
  a->connected = false;
  return true;
}

static bool step_pause(struct play *p, struct actor *a) {
  if (a->conn) world_pause(a->conn, p->step->kind == CONV_PAUSE);
  return true;
}

static bool step_clock(struct play *p, struct actor *a) {
  struct slice s = p->step->text;
  uint64_t n = 0, unit = 1000;
  (void)a;
  if (s.n > 2) {
    uint8_t letter = s.p[s.n - 1];
    unit = letter == 'm' ? 60000 : letter == 'h' ? 3600000 : letter == 'd' ? 86400000 : 1000;
    num_parse(slice_from(slice_first(s, s.n - 1), 1), 1000000, &n);
  }
  world_run(p->w, world_now(p->w) + n * unit);
  return true;
}

static enum role role_of(struct slice name) {
  for (int k = 0; k < ROLE_COUNT; k++)
    if (slice_eq(name, slice_str(role_name(k)))) return k;
  return ROLE_COUNT;
}

static bool step_kill(struct play *p, struct actor *a) {
  (void)a;
  world_run(p->w, world_now(p->w) + 10);
  world_kill(p->w, role_of(p->step->text));
  return true;
}

static bool step_restart(struct play *p, struct actor *a) {
  struct buf err;
  (void)a;
  buf_init(&err, 1024);
  world_run(p->w, world_now(p->w) + 10);
  world_power_loss(p->w);
  if (!world_boot(p->w, &err)) conv_differ(p, "it does not start again: %s", buf_cstr(&err));
  buf_free(&err);
  return true;
}

static bool step_qasid(struct play *p, struct actor *a) {
  const char *words[16];
  char text[512] = { 0 };
  size_t count = 0;
  keep(text, sizeof text, p->step->text);
  for (char *at = text; at && count < 16; count++) {
    char *space = strchr(at, ' ');
    words[count] = at;
    if (space) *space++ = 0;
    at = space;
  }
  buf_reset(&a->reply);
  world_run(p->w, world_now(p->w) + 10);
  static const char *const of_auth[] = { "certificate", "legacy", "enable", "disable" };
  bool auths = false;
  for (size_t i = 0; count > 1 && i < sizeof of_auth / sizeof *of_auth; i++)
    auths |= strcmp(words[0], "account") == 0 && strcmp(words[1], of_auth[i]) == 0;
  int code = world_admin(p->w, auths ? ROLE_AUTH : ROLE_STORE, words, count, SLICE_NONE, &a->reply);
  if (code)
    conv_differ(p, "the command says (%d): %.*s", code,
                SLICE_ARG(slice_first(buf_slice(&a->reply), 300)));
  return true;
}

static bool step_disk(struct play *p, struct actor *a) {
  struct disk_sim *d = world_disk(p->w);
  (void)a;
  world_run(p->w, world_now(p->w) + 10);
  if (slice_eq(p->step->text, SLICE("full")))
    disk_sim_space(d, disk_sim_used(d) + 512 * 1024);
  else if (slice_eq(p->step->text, SLICE("brimful")))
    disk_sim_space(d, disk_sim_used(d));
  else if (slice_eq(p->step->text, SLICE("room")))
    disk_sim_space(d, UINT64_MAX);
  else if (slice_eq(p->step->text, SLICE("fail-sync")))
    disk_sim_plan(d, &(struct disk_plan){ .fail_sync_at = 1 });
  else
    conv_differ(p, "no such state of a disk");
  return true;
}

/* -- setting the scene -- */

static bool step_account(struct play *p, struct actor *a) {
  struct slice rest = p->step->text, name = slice_split(&rest, ' ');
  bool quoted = slice_at(rest, 0) == '"';
  rest = slice_from(rest, quoted);
  struct slice password = slice_split(&rest, quoted ? '"' : ' ');
  (void)a;
  if (!people_add(&p->c->people, p->w, name, password, slice_eq(rest, SLICE("legacy"))))
    conv_differ(p, "the account was not made: %s", p->c->people.why);
  return true;
}

static bool step_alias(struct play *p, struct actor *a) {
  struct slice target = p->step->text, name = slice_split(&target, ' ');
  (void)a;
  if (!people_alias(&p->c->people, p->w, name, target))
    conv_differ(p, "the alias was not made: %s", p->c->people.why);
  return true;
}

/* The lines behind `| `, each with CRLF. */
static void put_body(struct slice body, struct buf *out) {
  while (body.n) {
    struct slice line = slice_split(&body, '\n');
    buf_put(out, slice_from(line, slice_starts(line, SLICE("| ")) ? 2 : 1));
    buf_put_str(out, "\r\n");
  }
}

static bool step_message(struct play *p, struct actor *a) {
  struct slice rest = p->step->text, name = slice_split(&rest, ' ');
  struct slice uidl = slice_starts(rest, SLICE("uidl=")) ? slice_from(rest, 5) : SLICE("-");
  struct buf octets;
  (void)a;
  buf_init(&octets, 1 << 20);
  put_body(p->step->body, &octets);
  if (!people_give(&p->c->people, p->w, name, uidl, buf_slice(&octets)))
    conv_differ(p, "the message was not imported: %s", p->c->people.why);
  buf_free(&octets);
  return true;
}

static bool step_log(struct play *p, struct actor *a) {
  struct slice pattern = p->step->text;
  struct buf lines;
  (void)a;
  buf_init(&lines, 4 << 20);
  world_run(p->w, world_now(p->w) + 10);
  world_logged(p->w, &lines);
  if (conv_any_line(p, buf_slice(&lines), pattern) == p->step->none)
    conv_differ(p, "the log:\n%.*s", SLICE_ARG(buf_slice(&lines)));
  buf_free(&lines);
  return true;
}

static bool (*const handlers[CONV_KINDS])(struct play *p, struct actor *a) = {
  [CONV_CONNECT] = step_connect, [CONV_CLIENT] = step_client,   [CONV_RAW] = step_raw,
  [CONV_SERVER] = step_server,   [CONV_REPLY] = step_reply,     [CONV_HAS] = step_has,
  [CONV_HASNT] = step_has,       [CONV_SECURE] = step_secure,   [CONV_DROP] = step_drop,
  [CONV_PAUSE] = step_pause,     [CONV_RESUME] = step_pause,    [CONV_EXPECT] = conv_expect,
  [CONV_CLOCK] = step_clock,     [CONV_KILL] = step_kill,       [CONV_RESTART] = step_restart,
  [CONV_DISK] = step_disk,       [CONV_QASID] = step_qasid,     [CONV_ACCOUNT] = step_account,
  [CONV_ALIAS] = step_alias,     [CONV_MESSAGE] = step_message, [CONV_LOG] = step_log,
};

/* -- a play -- */

static bool sets_scene(const struct conv_step *s) {
  return s->kind == CONV_ACCOUNT || s->kind == CONV_ALIAS || s->kind == CONV_MESSAGE;
}

/* The disturbance begins with the first step that is not of the scene. */
static void begin_disturbance(struct play *p) {
  const struct conv_run *how = p->how;
  p->disturbed = how->fail_alloc || how->lose_question;
  world_set_cuts(p->w, how->cuts);
  world_lose_question(p->w, how->lose_question, how->lose_after);
  alloc_fail = (struct alloc_fail){ .armed = true, .fail_at = how->fail_alloc };
}

static void play_steps(struct play *p, bool scene) {
  for (size_t i = 0; i < p->c->count && !p->stop && !world_failure(p->w); i++) {
    p->step = &p->c->steps[i];
    if (sets_scene(p->step) != scene) continue;
    struct actor *a = actor_of(p, p->step->actor);
    if (!a)
      conv_differ(p, "too many connections");
    else
      handlers[p->step->kind](p, a);
  }
}

/* Nothing may be left unsaid, and everything must be in order at the end. */
static void end_play(struct play *p) {
  world_run(p->w, world_now(p->w) + 10);
  p->outcome->allocs = alloc_fail.count;
  p->outcome->questions = world_questions(p->w);
  alloc_fail = (struct alloc_fail){ 0 };
  for (size_t i = 0; i < p->actor_count; i++) {
    struct actor *a = &p->actors[i];
    if (buf_len(&a->text))
      conv_differ(p, "%s also said: %.*s", a->name,
                  SLICE_ARG(slice_first(buf_slice(&a->text), 200)));
    if (a->conn) world_drop(a->conn);
    a->conn = NULL;
  }
  world_run(p->w, world_now(p->w) + PATIENCE_MS);
  if (world_sessions(p->w)) world_fail(p->w, "%zu sessions are still there", world_sessions(p->w));
  people_check_store(&p->c->people, p->w);
  world_revive(p->w); /* everything closes; what is still open is a failure */
}

/* A world on `disk`, which it takes; NULL: a new one. */
static bool open_world(struct play *p, struct disk_sim *disk) {
  struct buf err;
  buf_init(&err, 4096);
  p->w = world_new(p->how->seed, false, buf_slice(&p->c->options), disk, &err);
  if (p->w && p->how->verbose) world_verbose(p->w);
  bool ok = p->w && world_boot(p->w, &err);
  if (!ok) conv_differ(p, "no world: %s", buf_cstr(&err));
  buf_free(&err);
  return ok;
}

static void note_failure(struct play *p) {
  if (!p->w || !world_failure(p->w)) return;
  p->stop = true;
  p->outcome->passed = false;
  snprintf(p->outcome->why, sizeof p->outcome->why, "%s: %s", p->c->name, world_failure(p->w));
}

/* Accounts, aliases and old mail: made once. */
static void set_scene(struct play *p) {
  if (open_world(p, NULL)) {
    play_steps(p, true);
    world_run(p->w, world_now(p->w) + 1000);
    world_revive(p->w);
    note_failure(p);
    if (!p->stop) p->c->scene = disk_sim_clone(world_disk(p->w), 1);
  }
  world_free(&p->w);
}

static void play_conversation(struct play *p) {
  if (open_world(p, disk_sim_clone(p->c->scene, p->how->seed))) {
    begin_disturbance(p);
    play_steps(p, false);
    end_play(p);
    note_failure(p);
  }
  world_free(&p->w);
}

void conv_play(struct conv *c, const struct conv_run *how, struct conv_outcome *ret) {
  struct play *p = must_alloc(sizeof *p);
  *ret = (struct conv_outcome){ .passed = true };
  p->c = c;
  p->how = how;
  p->outcome = ret;
  if (!c->scene) set_scene(p);
  if (!p->stop) play_conversation(p);
  for (size_t i = 0; i < p->actor_count; i++) {
    buf_free(&p->actors[i].text);
    buf_free(&p->actors[i].reply);
  }
  free(p);
}
