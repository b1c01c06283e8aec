/* SPDX-License-Identifier: ISC */
/* The administrative commands that auth answers: `qasid account …` and auth's part of `qasid
 * status`. Each row of the table is one command. A command that needs a hash continues in
 * admin_finish(). */
#include "src/auth/admin.h"
#include "src/auth/backup.h"
#include "src/auth/core.h"

#include "ipc/cli_process.h"

#include "lib/base/codec.h"
#include "lib/base/num.h"

#include <stdlib.h>
#include <time.h>

/* --- answers --- */

static void send_to_cli(void *arg, uint32_t number, uint16_t type, struct slice payload) {
  const struct auth *a = arg;
  if (number) a->shell.send(a->shell.arg, ROLE_CLI, number, type, 0, payload);
}

static struct admin_answer answer_of(struct auth *a, const struct admin_call *c) {
  return (struct admin_answer){ send_to_cli, a, c->number, NULL };
}

void call_done(struct auth *a, struct admin_call *c, enum cli_code code, const char *text) {
  const struct admin_answer to = answer_of(a, c);
  admin_answer_done(&to, code, slice_str(text));
}

void call_columns(struct auth *a, struct admin_call *c, const char *names) {
  const struct admin_answer to = answer_of(a, c);
  admin_answer_columns(&to, names);
}

void call_row(struct auth *a, struct admin_call *c, const struct slice *values, size_t n) {
  const struct admin_answer to = answer_of(a, c);
  admin_answer_row(&to, values, n);
}

void call_done_account(struct auth *a, struct admin_call *c, enum account_result r) {
  static const struct {
    enum cli_code code;
    const char *text;
  } says[] = {
    [ACCOUNT_OK] = { CLI_OK, "" },
    [ACCOUNT_NONE] = { CLI_NOT_FOUND, "there is no such account" },
    [ACCOUNT_EXISTS] = { CLI_EXISTS, "there is such an account already" },
    [ACCOUNT_FULL] = { CLI_TROUBLE, "the disk is full; nothing was changed" },
    [ACCOUNT_TROUBLE] = { CLI_TROUBLE,
                          "the accounts database can't be used now; nothing was changed" },
  };
  call_done(a, c, says[r].code, says[r].text);
}

/* --- a command's life --- */

static void call_free(struct auth *a, struct admin_call *c) {
  struct admin_call **at = &a->calls;
  while (*at && *at != c) at = &(*at)->next;
  if (*at) *at = c->next;
  buf_wipe(&c->password);
  explicit_bzero(c, sizeof *c);
  free(c);
}

/* Continues in admin_finish() with the job's result. */
static bool go_on_after(struct auth *a, struct admin_call *c, enum after after,
                        enum auth_job_kind kind, struct slice password, struct slice hash) {
  struct auth_job *j = auth_job_new(kind, password, hash);
  buf_reserve(&c->password, password.n);
  buf_put(&c->password, password);
  if (!j || c->password.failed) {
    auth_job_free(&j);
    call_done(a, c, CLI_TROUBLE, "no memory");
    return false;
  }
  a->shell.random(a->shell.arg, j->random, sizeof j->random);
  struct account will = c->row;
  if (c->wishes) will.scram_wish = c->wish;
  if (c->legacy) will.sealed_n = 1;
  j->scram = account_wants_scram(&will, a->conf->scram) && job_salts(a, j, account_name(&c->row));
  explicit_bzero(&will, sizeof will);
  j->call = c;
  c->after = after;
  *(a->admin_last ? &a->admin_last->next : &a->admin_first) = j;
  a->admin_last = j;
  return true;
}

struct auth_job *admin_take_job(struct auth *a) {
  struct auth_job *j = a->admin_first;
  if (!j) return NULL;
  a->admin_first = j->next;
  if (!j->next) a->admin_last = NULL;
  j->next = NULL;
  return j;
}

void admin_lost(struct auth *a, uint32_t number) {
  for (struct admin_call *c = a->calls; c; c = c->next)
    if (c->number == number) c->number = 0;
  bulk_lost(a, number);
}

void admin_free(struct auth *a) {
  struct auth_job *j;
  while ((j = admin_take_job(a))) auth_job_free(&j);
  while (a->calls) call_free(a, a->calls);
  bulk_free(a);
}

void account_changed(struct auth *a, struct account *r) {
  a->shell.random(a->shell.arg, &r->stamp, sizeof r->stamp);
  r->stamp &= INT64_MAX;
  r->stamp |= 1;
  r->changed = a->shell.wall ? a->shell.wall(a->shell.arg) : 0;
  cache_drop(&a->cache, r->id);
}

static bool seal(struct auth *a, struct account *r, struct slice secret) {
  uint8_t nonce[SEAL_NONCE];
  a->shell.random(a->shell.arg, nonce, sizeof nonce);
  return account_seal(&a->accounts, r, secret, nonce);
}

/* Stores the verifiers that the job made, or none: those of the previous password are void. */
static bool seal_scram(struct auth *a, struct account *r, const struct auth_job *job) {
  uint8_t nonce[SEAL_NONCE];
  explicit_bzero(r->scram, sizeof r->scram);
  r->scram_n = 0;
  if (!job->scram_made) return true;
  a->shell.random(a->shell.arg, nonce, sizeof nonce);
  return account_seal_scram(&a->accounts, r, &job->verifiers, nonce);
}

/* --- account add, import, passwd, legacy --- */

struct slice call_word(const struct admin_call *c, size_t i) {
  return i < c->count ? c->words[i] : SLICE_NONE;
}

/* The name in its stored form: its domain in lower case. */
bool call_take_name(struct auth *a, struct admin_call *c, struct slice name) {
  const char *why = account_name_refused(name);
  if (why)
    call_done(a, c, CLI_USAGE, why);
  else
    account_set_name(&c->row, name);
  return !why;
}

static bool take_id(struct auth *a, struct admin_call *c, struct slice id) {
  if (num_parse(id, INT64_MAX, &c->row.id) && c->row.id) return true;
  call_done(a, c, CLI_USAGE, "the account's number must be a number from 1");
  return false;
}

static bool password_ok(struct auth *a, struct admin_call *c, struct slice password) {
  if (password.n && password.n <= PASSWORD_MAX && slice_find(password, 0) < 0) return true;
  call_done(a, c, CLI_USAGE, "a password has 1 to 511 octets and no NUL");
  return false;
}

/* The current row, to be changed. */
bool call_find(struct auth *a, struct admin_call *c, struct slice name) {
  enum account_result r = accounts_find(&a->accounts, name, &c->row);
  if (r == ACCOUNT_OK) return true;
  call_done_account(a, c, r);
  return false;
}

static bool is_free(struct auth *a, struct admin_call *c) {
  struct account other;
  enum account_result r = accounts_find(&a->accounts, account_name(&c->row), &other);
  if (r == ACCOUNT_NONE) return true;
  call_done_account(a, c, r == ACCOUNT_OK ? ACCOUNT_EXISTS : r);
  return false;
}

static bool take_flag(struct admin_call *c, struct slice flag) {
  if (slice_eq(flag, SLICE("--legacy-auth"))) {
    c->legacy = true;
    return true;
  }
  c->wishes = true;
  c->wish = slice_eq(flag, SLICE("--scram")) ? SCRAM_ALWAYS : SCRAM_NEVER;
  return c->wish == SCRAM_ALWAYS || slice_eq(flag, SLICE("--no-scram"));
}

/* The words from `at` on except the last, which is the password. */
static bool take_flags(struct auth *a, struct admin_call *c, size_t at) {
  for (; at + 1 < c->count; at++) {
    if (take_flag(c, call_word(c, at))) continue;
    call_done(a, c, CLI_USAGE, "that is none of --legacy-auth, --scram, --no-scram");
    return false;
  }
  if (c->wish != SCRAM_ALWAYS || scram_takes(call_word(c, at))) return true;
  call_done(
      a, c, CLI_USAGE,
      "SCRAM takes no password with control characters, with others that cannot be seen, or with "
      "letters of both "
      "directions (RFC 4013 §2); this one goes without --scram");
  return false;
}

static bool account_add(struct auth *a, struct admin_call *c) {
  struct slice password = call_word(c, c->count - 1);
  if (!take_flags(a, c, 4) || !call_take_name(a, c, call_word(c, 2)) ||
      !take_id(a, c, call_word(c, 3)) || !password_ok(a, c, password) || !is_free(a, c))
    return false;
  return go_on_after(a, c, AFTER_ADD, JOB_HASH, password, SLICE_NONE);
}

/* A hash is stored as given: its form is checked, and nothing is computed. */
static bool import_hash(struct auth *a, struct admin_call *c, struct slice hash) {
  struct account *r = &c->row;
  if (!password_is_whole(hash)) {
    call_done(a, c, CLI_USAGE, "libcrypt does not take that hash, or it is not whole");
    return false;
  }
  r->hash_n = hash.n;
  memcpy(r->hash, hash.p, hash.n);
  account_changed(a, r);
  r->created = r->changed;
  r->enabled = true;
  call_done_account(a, c, accounts_add(&a->accounts, r));
  return false;
}

/* A password in clear is hashed. */
static bool account_import(struct auth *a, struct admin_call *c) {
  struct slice field = SLICE_NONE;
  enum password_import kind = password_import(call_word(c, 4), &field);
  if (!call_take_name(a, c, call_word(c, 2)) || !take_id(a, c, call_word(c, 3)) || !is_free(a, c))
    return false;
  if (kind == IMPORT_UNKNOWN) {
    call_done(
        a, c, CLI_USAGE,
        "that hash is not verified here: yescrypt, bcrypt, SHA-512-crypt, SHA-256-crypt and "
        "MD5-crypt "
        "are, with {CRYPT}, {BLF-CRYPT}, {SHA512-CRYPT}, {SHA256-CRYPT}, {MD5-CRYPT} or without; "
        "{PLAIN} is hashed anew");
    return false;
  }
  if (kind == IMPORT_CLEAR)
    return password_ok(a, c, field) && go_on_after(a, c, AFTER_ADD, JOB_HASH, field, SLICE_NONE);
  return import_hash(a, c, field);
}

/* The sealed secret and the verifiers, if there are any, change with the password. */
static bool account_passwd(struct auth *a, struct admin_call *c) {
  struct slice password = call_word(c, c->count - 1);
  if (!take_flags(a, c, 3) || !call_find(a, c, call_word(c, 2)) || !password_ok(a, c, password))
    return false;
  c->legacy = c->row.sealed_n > 0;
  return go_on_after(a, c, AFTER_PASSWD, JOB_HASH, password, SLICE_NONE);
}

void call_update(struct auth *a, struct admin_call *c) {
  account_changed(a, &c->row);
  call_done_account(a, c, accounts_update(&a->accounts, &c->row));
}

static bool account_legacy(struct auth *a, struct admin_call *c) {
  bool on = slice_eq(call_word(c, 3), SLICE("on")), off = slice_eq(call_word(c, 3), SLICE("off"));
  if ((!on && !off) || (on && c->count != 5)) {
    call_done(a, c, CLI_USAGE, "account legacy NAME on PASSWORD, or account legacy NAME off");
    return false;
  }
  if (!call_find(a, c, call_word(c, 2))) return false;
  c->legacy = on;
  if (on)
    return password_ok(a, c, call_word(c, 4)) &&
           go_on_after(a, c, AFTER_LEGACY, JOB_VERIFY, call_word(c, 4),
                       slice_of(c->row.hash, c->row.hash_n));
  explicit_bzero(c->row.sealed, sizeof c->row.sealed);
  c->row.sealed_n = 0;
  if (!account_wants_scram(&c->row, a->conf->scram)) c->row.scram_n = 0;
  call_update(a, c);
  return false;
}

/* After the hash: writes the row. Other changes made meanwhile are kept. */
static enum account_result apply(struct auth *a, struct admin_call *c, const struct auth_job *job) {
  struct account *r = &c->row;
  if (c->after != AFTER_ADD) {
    uint64_t before = r->stamp;
    enum account_result found = accounts_find(&a->accounts, account_name(r), r);
    if (found != ACCOUNT_OK) return found;
    if (c->after == AFTER_LEGACY && r->stamp != before)
      return ACCOUNT_TROUBLE; /* the password was changed meanwhile */
  }
  if (c->after != AFTER_LEGACY) {
    r->hash_n = buf_len(&job->hash);
    memcpy(r->hash, buf_slice(&job->hash).p, r->hash_n);
  }
  if (c->legacy && !seal(a, r, buf_slice(&c->password))) return ACCOUNT_TROUBLE;
  if (!seal_scram(a, r, job)) return ACCOUNT_TROUBLE;
  if (c->wishes) r->scram_wish = c->wish;
  account_changed(a, r);
  if (c->after == AFTER_PASSWD || c->after == AFTER_LEGACY) return accounts_update(&a->accounts, r);
  r->created = r->changed;
  r->enabled = true;
  return accounts_add(&a->accounts, r);
}

void admin_finish(struct auth *a, struct admin_call *c, struct auth_job *job) {
  bool wrong = job->result == PASSWORD_WRONG || job->result == PASSWORD_REFUSED;
  if (job->result == PASSWORD_TROUBLE)
    call_done(a, c, CLI_TROUBLE, "the password could not be hashed: no memory");
  else if (c->after == AFTER_LEGACY && wrong)
    call_done(a, c, CLI_USAGE, "that is not the account's password");
  else
    call_done_account(a, c, apply(a, c, job));
  auth_offers_look(a);
  call_free(a, c);
}

/* --- the others --- */

static bool account_delete(struct auth *a, struct admin_call *c) {
  if (!call_find(a, c, call_word(c, 2))) return false;
  enum account_result r = schedule_account_deleted(a, &c->row);
  if (r != ACCOUNT_OK) {
    call_done_account(a, c, r);
    return false;
  }
  cache_drop(&a->cache, c->row.id);
  call_done_account(a, c, accounts_delete(&a->accounts, call_word(c, 2)));
  return false;
}

static bool account_enable(struct auth *a, struct admin_call *c) {
  if (!call_find(a, c, call_word(c, 2))) return false;
  c->row.enabled = slice_eq(call_word(c, 1), SLICE("enable"));
  call_update(a, c);
  return false;
}

void call_put_time(struct buf *b, int64_t t) {
  struct tm tm;
  time_t at = (time_t)t;
  if (gmtime_r(&at, &tm))
    buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
               tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* The scheme is the part of a hash between its first two "$". */
static struct slice scheme_of(const struct account *r) {
  struct slice rest = slice_from(slice_of(r->hash, r->hash_n), 1), id = slice_split(&rest, '$');
  if (slice_eq(id, SLICE("y"))) return SLICE("yescrypt");
  if (slice_eq(id, SLICE("6"))) return SLICE("sha512-crypt");
  if (slice_eq(id, SLICE("5"))) return SLICE("sha256-crypt");
  return slice_eq(id, SLICE("1")) ? SLICE("md5-crypt") : SLICE("bcrypt");
}

static void list_one(void *arg, const struct account *r) {
  struct call_listing *l = arg;
  struct buf id, created, since;
  buf_init(&id, 32);
  buf_init(&created, 32);
  buf_init(&since, 32);
  buf_put_dec(&id, r->id);
  call_put_time(&created, r->created);
  call_put_time(&since, r->changed);
  const struct slice values[] = {
    account_name(r),
    buf_slice(&id),
    r->enabled ? SLICE("yes") : SLICE("no"),
    r->sealed_n ? SLICE("yes") : SLICE("no"),
    r->scram_n ? SLICE("yes") : SLICE("no"),
    scheme_of(r),
    buf_slice(&created),
    buf_slice(&since),
  };
  call_row(l->auth, l->call, values, sizeof values / sizeof *values);
  buf_free(&id);
  buf_free(&created);
  buf_free(&since);
}

static bool account_list(struct auth *a, struct admin_call *c) {
  call_columns(a, c, "name id enabled legacy scram hash created changed");
  call_done_account(a, c, accounts_each(&a->accounts, list_one, &(struct call_listing){ a, c }));
  return false;
}

static void count_row(struct auth *a, struct admin_call *c, const char *what, uint64_t n) {
  struct buf number;
  buf_init(&number, 32);
  buf_put_dec(&number, n);
  const struct slice values[] = { slice_str(what), buf_slice(&number) };
  call_row(a, c, values, 2);
  buf_free(&number);
}

static bool status(struct auth *a, struct admin_call *c) {
  call_columns(a, c, "what count");
  count_row(a, c, "accounts", accounts_count(&a->accounts));
#define C(id, words) count_row(a, c, words, a->count.id);
  AUTH_COUNTERS(C)
#undef C
  count_row(a, c, "collections", a->schedule.count);
  count_row(a, c, "collections run", a->schedule.runs);
  count_row(a, c, "collections run that failed", a->schedule.failed);
  count_row(a, c, "messages collected", a->schedule.fetched);
  count_row(a, c, "waiting for a hash", a->queue.count);
  count_row(a, c, "answers held back", a->delayed.count);
  count_row(a, c, "passwords in memory", a->cache.places.count);
  count_row(a, c, "networks in memory", a->addresses.by_network.count);
  call_done(a, c, CLI_OK, "");
  return false;
}

/* --- backup --- */

static void put_output(void *arg, struct slice octets) {
  struct call_listing *l = arg;
  const struct admin_answer to = answer_of(l->auth, l->call);
  admin_answer_output(&to, octets);
}

static bool backup(struct auth *a, struct admin_call *c) {
  struct buf err;
  buf_init(&err, 512);
  int64_t now = a->shell.wall ? a->shell.wall(a->shell.arg) : 0;
  bool ok =
      backup_put(&a->accounts, now, IPC_CHUNK, put_output, &(struct call_listing){ a, c }, &err);
  const char *text = buf_cstr(&err);
  call_done(a, c, ok ? CLI_OK : CLI_TROUBLE, text ? text : "");
  buf_free(&err);
  return false;
}

/* --- the table --- */

static const struct auth_verb {
  const char *words;
  uint8_t least, most; /* words in all */
  /* True: the command continues after a hash; otherwise it is done. */
  bool (*run)(struct auth *a, struct admin_call *c);
  const char *usage;
} verbs[] = {
  { "account add", 5, 7, account_add,
    "account add NAME ID [--legacy-auth] [--scram|--no-scram] PASSWORD" },
  { "account import", 5, 5, account_import, "account import NAME ID {SCHEME}HASH" },
  { "account passwd", 4, 5, account_passwd, "account passwd NAME [--scram|--no-scram] PASSWORD" },
  { "account legacy", 4, 5, account_legacy,
    "account legacy NAME on PASSWORD | account legacy NAME off" },
  { "account enable", 3, 3, account_enable, "account enable NAME" },
  { "account disable", 3, 3, account_enable, "account disable NAME" },
  { "account delete", 3, 3, account_delete, "account delete NAME" },
  { "account rename", 4, 4, admin_rename, "account rename OLD NEW" },
  { "account certificate", 3, 5, admin_certificate,
    "account certificate add|delete NAME FINGERPRINT | account certificate list [NAME]" },
  { "account list", 2, 2, account_list, "account list" },
  { "collect add", 12, 12, admin_collect_add,
    "collect add NAME HOST PORT implicit|started|none DISCOVER USER MECHANISM EVERY LEAVE "
    "PASSWORD" },
  { "collect list", 2, 3, admin_collect_list, "collect list [NAME]" },
  { "collect delete", 3, 3, admin_collect_change, "collect delete ID" },
  { "collect pause", 3, 3, admin_collect_change, "collect pause ID" },
  { "collect resume", 3, 3, admin_collect_change, "collect resume ID" },
  { "collect run", 3, 3, admin_collect_change, "collect run ID" },
  { "collect leave-out", 4, 4, admin_collect_change, "collect leave-out ID UIDL" },
  { "collect take-in", 4, 4, admin_collect_change, "collect take-in ID UIDL" },
  { "collect password", 4, 4, admin_collect_change, "collect password ID PASSWORD" },
  { "bulk put", 3, 3, admin_bulk_put, "bulk put ROWS" },
  { "bulk check", 2, 2, admin_bulk_apply, "bulk check" },
  { "bulk add", 2, 2, admin_bulk_apply, "bulk add" },
  { "bulk check-passwd", 2, 2, admin_bulk_apply, "bulk check-passwd" },
  { "bulk passwd", 2, 2, admin_bulk_apply, "bulk passwd" },
  { "bulk which", 2, 2, admin_bulk_delete, "bulk which" },
  { "bulk delete", 2, 2, admin_bulk_delete, "bulk delete" },
  { "status", 1, 1, status, "status" },
  { "backup", 1, 1, backup, "backup" },
};

static const struct auth_verb *verb_of(const struct admin_call *c) {
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
    if (admin_matches(verbs[i].words, c->words, c->count)) return &verbs[i];
  return NULL;
}

static void usage(struct auth *a, struct admin_call *c, const struct auth_verb *v) {
  struct buf b;
  buf_init(&b, 4096);
  for (size_t i = 0; !v && i < sizeof verbs / sizeof *verbs; i++)
    buf_printf(&b, "%s%s", i ? "; " : "", verbs[i].usage);
  if (v) buf_put_str(&b, v->usage);
  const char *text = buf_cstr(&b);
  call_done(a, c, CLI_USAGE, text ? text : "");
  buf_free(&b);
}

static bool take_words(struct admin_call *c, struct slice list) {
  struct slice w;
  while (ipc_list_next(&list, &w)) {
    if (c->count == WORDS_MAX) return true;
    c->words[c->count++] = w;
  }
  return list.n == 0;
}

bool admin_command(struct auth *a, uint32_t number, struct slice payload, uint64_t now_ms) {
  struct cli_command m;
  if (!cli_command_get(payload, &m)) return false;
  struct admin_call *c = calloc(1, sizeof *c);
  if (!c) return false;
  *c = (struct admin_call){ .number = number, .now_ms = now_ms, .next = a->calls };
  buf_init(&c->password, PASSWORD_MAX);
  a->calls = c;
  bool well_formed = take_words(c, m.words);
  const struct auth_verb *v = verb_of(c);
  bool fits = v && c->count >= v->least && c->count <= v->most;
  bool goes_on = well_formed && fits && v->run(a, c);
  if (well_formed && !fits) usage(a, c, v);
  if (well_formed && !goes_on) auth_offers_look(a);
  if (goes_on)
    c->count = 0; /* the words are valid only during this message */
  else
    call_free(a, c);
  auth_dispatch(a, now_ms);
  return well_formed;
}
