/* SPDX-License-Identifier: ISC */
/* `qasid account collect …`: the administrator's commands on collections. */
#include <time.h>

#include "lib/base/num.h"
#include "mail/uidl.h"
#include "src/auth/admin.h"

static struct slice word(const struct admin_call *c, size_t i) {
  return i < c->count ? c->words[i] : SLICE_NONE;
}

static int64_t wall(const struct auth *a) {
  return a->shell.wall ? a->shell.wall(a->shell.arg) : 0;
}

static bool refuse(struct auth *a, struct admin_call *c, const char *why) {
  call_done(a, c, CLI_USAGE, why);
  return false;
}

static void answer(struct auth *a, struct admin_call *c, enum account_result r) {
  static const struct {
    enum cli_code code;
    const char *text;
  } says[] = {
    [ACCOUNT_OK] = { CLI_OK, "" },
    [ACCOUNT_NONE] = { CLI_NOT_FOUND, "there is no collection with that number: see `qasid account "
                                      "collect list`" },
    [ACCOUNT_EXISTS] = { CLI_EXISTS, "that account collects from there already" },
    [ACCOUNT_FULL] = { CLI_TROUBLE, "the disk is full; nothing was changed" },
    [ACCOUNT_TROUBLE] = { CLI_TROUBLE,
                          "the accounts database can't be used now; nothing was changed" },
  };
  call_done(a, c, says[r].code, says[r].text);
}

/* --- add --- */

static bool copy(struct slice from, uint8_t *to, size_t most, size_t *ret_n) {
  if (from.n > most) return false;
  if (from.n) memcpy(to, from.p, from.n);
  *ret_n = from.n;
  return true;
}

/* Printable, without space: valid in a POP3 line or a hostname. */
static bool is_plain(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] == ' ' || ascii_is_control(s.p[i])) return false;
  return s.n > 0;
}

static bool is_host(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_alnum(s.p[i]) && !memchr(".-:_", s.p[i], 4)) return false;
  return s.n > 0;
}

/* No line end and no NUL: it is sent as part of a line. */
static bool is_secret(struct slice s) {
  return s.n && s.n <= COLLECT_SECRET_MAX && slice_find(s, 0) < 0 && slice_find(s, '\r') < 0 &&
         slice_find(s, '\n') < 0;
}

static bool port_is_allowed(const struct auth *a, uint64_t port) {
  const struct conf_list *ports = &a->conf->collect_ports;
  uint64_t one;
  for (size_t i = 0; i < ports->count; i++)
    if (num_parse(slice_str(ports->items[i]), 65535, &one) && one == port) return true;
  return false;
}

static bool take_tls(struct slice w, struct collection *x) {
  static const char *const words[COLLECT_TLS_KINDS] = { "implicit", "started", "none" };
  for (x->tls = 0; x->tls < COLLECT_TLS_KINDS; x->tls++)
    if (slice_eq(w, slice_str(words[x->tls]))) return true;
  return false;
}

static bool take_server(struct auth *a, struct admin_call *c, struct collection *x) {
  uint64_t port;
  if (!is_host(word(c, 3)) || !copy(word(c, 3), x->host, sizeof x->host, &x->host_n))
    return refuse(a, c, "the server's name is none");
  for (size_t i = 0; i < x->host_n; i++) x->host[i] = ascii_lower(x->host[i]);
  if (!num_parse(word(c, 4), 65535, &port) || !port)
    return refuse(a, c, "the port is a number from 1 to 65535");
  if (!port_is_allowed(a, port))
    return refuse(
        a, c,
        "the collector may not connect to that port: the option collect_ports names those it may");
  x->port = (uint16_t)port;
  x->discover = slice_eq(word(c, 6), SLICE("yes"));
  return take_tls(word(c, 5), x) || refuse(a, c, "TLS is one of implicit, started, none");
}

static bool take_user(struct auth *a, struct admin_call *c, struct collection *x) {
  struct slice mechanism = word(c, 8);
  if (!sasl_safe_utf8(word(c, 7)) || !is_plain(word(c, 7)) ||
      !copy(word(c, 7), x->user, sizeof x->user, &x->user_n))
    return refuse(
        a, c, "the user's name at the server has 1 to 320 octets, no space or control character");
  if (slice_eq(mechanism, SLICE("-"))) mechanism = SLICE_NONE;
  if ((mechanism.n && !is_plain(mechanism)) ||
      !copy(mechanism, x->mechanism, sizeof x->mechanism, &x->mechanism_n))
    return refuse(a, c, "that is not a way to log in");
  if (!is_secret(word(c, 11)))
    return refuse(a, c, "a password has 1 to 511 octets, no NUL and no end of line");
  return true;
}

static bool take_times(struct auth *a, struct admin_call *c, struct collection *x) {
  if (!num_parse(word(c, 9), COLLECT_EVERY_MOST, &x->every_s) || x->every_s < COLLECT_EVERY_LEAST)
    return refuse(a, c, "between two runs are a minute at least and a week at most");
  if (slice_eq(word(c, 10), SLICE("-")))
    x->leave_s = COLLECT_LEAVE;
  else if (!num_parse(word(c, 10), 3650ull * SCHEDULE_DAY_S, &x->leave_s))
    return refuse(a, c, "mail can be left at the server for ten years at most, or for good");
  return true;
}

static bool take_account(struct auth *a, struct admin_call *c, struct collection *x) {
  struct account row;
  enum account_result r = accounts_find(&a->accounts, word(c, 2), &row);
  if (r == ACCOUNT_OK) x->account_n = account_key(&row, x->account).n;
  explicit_bzero(&row, sizeof row);
  if (r == ACCOUNT_NONE) call_done(a, c, CLI_NOT_FOUND, "there is no such account");
  if (r == ACCOUNT_TROUBLE) answer(a, c, r);
  return r == ACCOUNT_OK;
}

bool admin_collect_add(struct auth *a, struct admin_call *c) {
  struct collection x = { .made = wall(a) };
  uint8_t nonce[SEAL_NONCE];
  if (!take_account(a, c, &x) || !take_server(a, c, &x) || !take_user(a, c, &x) ||
      !take_times(a, c, &x))
    return false;
  if (a->schedule.count >= COLLECTIONS_MAX)
    return refuse(a, c, "there are as many collections as there may be");
  a->shell.random(a->shell.arg, &x.source, sizeof x.source);
  a->shell.random(a->shell.arg, nonce, sizeof nonce);
  x.source = (x.source & INT64_MAX) | 1;
  x.next = x.made; /* at once */
  enum account_result r = collection_seal(&a->accounts, &x, word(c, 11), nonce)
                              ? collections_add(&a->accounts, &x)
                              : ACCOUNT_TROUBLE;
  if (r == ACCOUNT_OK && !schedule_added(a, &x)) {
    collections_delete(&a->accounts, x.id);
    r = ACCOUNT_TROUBLE;
  }
  if (r == ACCOUNT_OK) {
    struct buf id;
    buf_init(&id, 32);
    buf_put_dec(&id, x.id);
    const struct slice values[] = { buf_slice(&id) };
    call_columns(a, c, "id");
    call_row(a, c, values, 1);
    buf_free(&id);
  }
  answer(a, c, r);
  return false;
}

/* --- list --- */

struct collect_listing {
  struct auth *auth;
  struct admin_call *call;
  struct slice account; /* p NULL: all */
};

static void put_time(struct buf *b, int64_t t) {
  struct tm tm;
  time_t at = (time_t)t;
  if (t && gmtime_r(&at, &tm))
    buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
               tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void put_span(struct buf *b, uint64_t s) {
  static const struct {
    uint64_t of;
    char unit;
  } units[] = { { SCHEDULE_DAY_S, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
  size_t i = 0;
  while (s % units[i].of) i++;
  buf_printf(b, "%llu%c", (unsigned long long)(s / units[i].of), units[i].unit);
}

static const char *state_of(const struct auth *a, const struct collection *x) {
  if (schedule_runs_now(a, x->id)) return "running";
  if (x->paused) return "paused";
  return x->failures ? "failing" : "waiting";
}

enum { LIST_COLUMNS = 13 };

static void list_one(void *arg, const struct collection *x) {
  struct collect_listing *l = arg;
  struct buf cells[LIST_COLUMNS];
  struct slice values[LIST_COLUMNS];
  if (l->account.p && !slice_eq(l->account, slice_of(x->account, x->account_n))) return;
  for (size_t i = 0; i < LIST_COLUMNS; i++) buf_init(&cells[i], COLLECT_UIDLS_MAX);
  buf_put_dec(&cells[0], x->id);
  buf_put(&cells[1], slice_of(x->account, x->account_n));
  collection_url(x, &cells[2]);
  put_span(&cells[3], x->every_s);
  if (x->leave_s == COLLECT_LEAVE)
    buf_put_str(&cells[4], "kept");
  else if (!x->leave_s)
    buf_put_str(&cells[4], "deleted");
  else
    buf_put_str(&cells[4], "deleted after "), put_span(&cells[4], x->leave_s);
  buf_put_str(&cells[5], state_of(l->auth, x));
  put_time(&cells[6], x->last);
  put_time(&cells[7], x->paused ? 0 : x->next);
  buf_put_dec(&cells[8], x->fetched);
  buf_put_dec(&cells[9], x->total);
  buf_put(&cells[10], slice_of(x->stepped, x->stepped_n));
  buf_put(&cells[11], slice_of(x->left_out, x->left_out_n));
  buf_put(&cells[12], slice_of(x->last_words, x->last_words_n));
  for (size_t i = 0; i < LIST_COLUMNS; i++) values[i] = buf_slice(&cells[i]);
  call_row(l->auth, l->call, values, LIST_COLUMNS);
  for (size_t i = 0; i < LIST_COLUMNS; i++) buf_free(&cells[i]);
}

bool admin_collect_list(struct auth *a, struct admin_call *c) {
  uint8_t folded[AUTH_NAME_MAX];
  struct collect_listing l = { a, c, SLICE_NONE };
  if (c->count == 3) l.account = accounts_key(&a->accounts, word(c, 2), folded);
  call_columns(a, c,
               "id account server every mail-there state last-run next-run fetched in-all "
               "stepped-over left-out result");
  answer(a, c, collections_each(&a->accounts, list_one, &l));
  return false;
}

/* --- delete, pause, resume, run, password --- */

static enum account_result delete (struct auth *a, struct collection *x) {
  enum account_result r = collections_delete(&a->accounts, x->id);
  if (r == ACCOUNT_OK) schedule_deleted(a, x);
  return r;
}

static enum account_result update(struct auth *a, struct collection *x) {
  enum account_result r = collections_update(&a->accounts, x);
  if (r == ACCOUNT_OK) schedule_changed(a, x);
  return r;
}

static enum account_result pause(struct auth *a, struct collection *x) {
  x->paused = true;
  return update(a, x);
}

/* Due at once. */
static enum account_result resume(struct auth *a, struct collection *x) {
  x->paused = false;
  x->failures = 0;
  x->next = wall(a);
  return update(a, x);
}

static enum account_result run(struct auth *a, struct collection *x) {
  x->next = wall(a);
  return update(a, x);
}

static bool new_password(struct auth *a, struct admin_call *c, struct collection *x) {
  uint8_t nonce[SEAL_NONCE];
  if (!is_secret(word(c, 3)))
    return refuse(a, c, "a password has 1 to 511 octets, no NUL and no end of line");
  a->shell.random(a->shell.arg, nonce, sizeof nonce);
  answer(a, c,
         collection_seal(&a->accounts, x, word(c, 3), nonce) ? resume(a, x) : ACCOUNT_TROUBLE);
  return false;
}

/* The position of the word in a list separated by spaces; < 0: not found. */
static ptrdiff_t find_word(struct slice list, struct slice wanted) {
  for (struct slice rest = list; rest.n;) {
    struct slice one = slice_split(&rest, ' ');
    if (slice_eq(one, wanted)) return one.p - list.p;
  }
  return -1;
}

static bool add_word(uint8_t *to, size_t *n, struct slice w) {
  if (find_word(slice_of(to, *n), w) >= 0) return true;
  if (*n + w.n + 1 > COLLECT_UIDLS_MAX) return false;
  if (*n) to[(*n)++] = ' ';
  memcpy(to + *n, w.p, w.n);
  *n += w.n;
  return true;
}

static void drop_word(uint8_t *to, size_t *n, struct slice w) {
  ptrdiff_t at = find_word(slice_of(to, *n), w);
  if (at < 0) return;
  size_t from = (size_t)at, end = from + w.n;
  if (end < *n)
    end++; /* the space after it */
  else if (from)
    from--; /* or the one before it */
  memmove(to + from, to + end, *n - end);
  *n -= end - from;
}

/* Excludes a message of the other server, or includes it again. */
static bool leave_out(struct auth *a, struct admin_call *c, struct collection *x) {
  struct slice uidl = word(c, 3);
  bool out = slice_eq(word(c, 1), SLICE("leave-out"));
  if (!is_plain(uidl) || uidl.n > UIDL_MAX || !sasl_safe_utf8(uidl))
    return refuse(a, c, "a UIDL is meant, as `qasid account collect list` shows it");
  if (!out && find_word(slice_of(x->left_out, x->left_out_n), uidl) < 0) {
    call_done(a, c, CLI_NOT_FOUND, "that one is not left out");
    return false;
  }
  if (out && !add_word(x->left_out, &x->left_out_n, uidl))
    return refuse(a, c, "as many are left out as may be");
  if (out) drop_word(x->stepped, &x->stepped_n, uidl);
  if (!out) drop_word(x->left_out, &x->left_out_n, uidl);
  answer(a, c, update(a, x));
  return false;
}

bool admin_collect_change(struct auth *a, struct admin_call *c) {
  static const struct {
    const char *word;
    enum account_result (*fn)(struct auth *a, struct collection *x);
  } changes[] = { { "delete", delete }, { "pause", pause }, { "resume", resume }, { "run", run } };
  struct collection x;
  uint64_t id;
  enum account_result r =
      num_parse(word(c, 2), INT64_MAX, &id) ? collections_find(&a->accounts, id, &x) : ACCOUNT_NONE;
  if (r != ACCOUNT_OK) {
    answer(a, c, r);
    return false;
  }
  if (slice_eq(word(c, 1), SLICE("password"))) return new_password(a, c, &x);
  if (c->count == 4) return leave_out(a, c, &x);
  if (slice_eq(word(c, 1), SLICE("run")) && x.paused) {
    call_done(a, c, CLI_EXISTS, "it is paused: `qasid account collect resume` makes it run again");
    return false;
  }
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
    if (slice_eq(word(c, 1), slice_str(changes[i].word))) answer(a, c, changes[i].fn(a, &x));
  return false;
}
