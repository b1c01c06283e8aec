/* SPDX-License-Identifier: ISC */
/* The administrator's commands in the store: finds the verb, checks its arguments, runs it as a job
 * in slices and sends what it answered (admin.h). An answer is gathered in the job and sent only
 * after the slice; if the slice fails, none of it is sent but the reason. Invariant: what a slice
 * changed is forgotten by the owner's directory when it is durable, before it is answered. */
#include "src/store/admin.h"

#include "runtime/admin/admin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
  ANSWER_MAX = 256 * 1024 * 1024, /* of one slice */
  SLICE_MEMORY_MAX = 16 * 1024 * 1024,
  VERB_WORDS_MAX = 2,
};

/* --- an answer in the making --- */

enum db_result admin_send(struct admin_job *a, enum cli_code code, const char *fmt, ...) {
  char text[1024];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  a->code = code;
  buf_reset(&a->text);
  buf_put_str(&a->text, text);
  return DB_OK;
}

static void put_message(void *arg, uint32_t number, uint16_t type, struct slice payload) {
  struct admin_job *a = arg;
  size_t at = ipc_open(&a->out, type, 0, 0);
  buf_put(&a->out, payload);
  ipc_close(&a->out, at);
}

static struct admin_answer answer_of(struct admin_job *a) {
  return (struct admin_answer){ put_message, a, 0, &a->out.failed };
}

void admin_columns(struct admin_job *a, const char *names) {
  const struct admin_answer to = answer_of(a);
  if (!a->columns_sent) admin_answer_columns(&to, names);
  a->columns_sent = true;
}

void admin_row(struct admin_job *a, const struct slice *values, size_t count) {
  const struct admin_answer to = answer_of(a);
  admin_answer_row(&to, values, count);
}

struct slice admin_num(struct admin_job *a, uint64_t n) {
  struct buf b;
  buf_init(&b, 32);
  buf_put_dec(&b, n);
  struct slice s = admin_copy(a, buf_slice(&b));
  buf_free(&b);
  return s;
}

void admin_output(struct admin_job *a, struct slice octets) {
  const struct admin_answer to = answer_of(a);
  admin_answer_output(&to, octets);
}

struct slice admin_copy(struct admin_job *a, struct slice s) {
  return arena_copy(&a->memory, s);
}

struct change *admin_change(struct admin_job *a, enum change_kind kind) {
  struct change *c = arena_alloc(&a->memory, sizeof *c);
  if (!c) return NULL;
  c->kind = kind;
  *a->changes_end = c;
  a->changes_end = &c->next;
  return c;
}

enum db_result admin_changed(struct admin_job *a, enum change_kind kind, struct slice text) {
  struct change *c = admin_change(a, kind);
  if (!c || !text.p) return DB_NOMEM;
  c->text = text;
  return DB_OK;
}

enum db_result admin_changed_id(struct admin_job *a, enum change_kind kind, uint64_t id) {
  struct change *c = admin_change(a, kind);
  if (!c) return DB_NOMEM;
  c->id = id;
  return DB_OK;
}

/* --- the job --- */

static void begin_slice(struct admin_job *a) {
  buf_reset(&a->out);
  buf_reset(&a->text);
  arena_reset(&a->memory);
  a->code = CLI_OK;
  a->changes = NULL;
  a->changes_end = &a->changes;
}

/* Discards what was gathered; only the reason is sent. */
static void admin_trouble(struct admin_job *a, const char *why) {
  char text[256];
  snprintf(text, sizeof text, "%s", why);
  begin_slice(a);
  admin_send(a, CLI_TROUBLE, "nothing was changed: %s", text);
}

static enum db_result run_slice(struct store_engine *e, struct store_job *j) {
  struct admin_job *a = (struct admin_job *)j;
  a->columns_before = a->columns_sent;
  begin_slice(a);
  j->again = false;
  enum db_result r = a->verb->run(e, a);
  a->undone = false;
  if (r == DB_OK && (a->out.failed || a->memory.failed)) r = DB_NOMEM;
  if (r == DB_OK) return r;
  a->columns_sent = a->columns_before;
  j->again = false;
  const char *why = a->why ? a->why(a) : db_error(e->db);
  admin_trouble(a, *why ? why : db_result_text(r));
  return r;
}

/* Another job of the group failed: it is run again, alone. */
static void undo_slice(struct store_engine *e, struct store_job *j) {
  struct admin_job *a = (struct admin_job *)j;
  a->columns_sent = a->columns_before;
  a->undone = true;
}

static bool note_change(struct store *s, const struct change *c) {
  struct maildrop_lock *lock;
  switch (c->kind) {
  case CHANGE_DOMAIN: dir_changed_domain(&s->dir, c->text); return true;
  case CHANGE_ADDRESS: dir_changed_address(&s->dir, c->text); return true;
  case CHANGE_ACCOUNT_REMOVED:
    if ((lock = lock_find(&s->locks, c->id))) lock->gone = true;
    folders_changed(&s->folders, c->id);
    dir_changed_account(&s->dir, c->id);
    rules_changed(s);
    return true;
  case CHANGE_QUOTA: dir_changed_account(&s->dir, c->id); return true;
  case CHANGE_ACCOUNT:
    dir_changed_account(&s->dir, c->id);
    rules_changed(s);
    return true;
  case CHANGE_RESTORED: s->undeleted += c->messages; __attribute__((fallthrough));
  case CHANGE_CONTENT: folders_changed(&s->folders, c->id); return true;
  case CHANGE_QUEUE_DUE: return outbound_due(s, c->text);
  }
  return true;
}

static void send_answer(struct store *s, struct session *session, struct admin_job *a) {
  struct slice rest = buf_slice(&a->out);
  struct ipc_msg m;
  uint8_t fds;
  while (rest.n && ipc_next(&rest, &m, &fds))
    s->shell.send(s->shell.arg, session->peer->kind, session->peer->number, m.type, 0, m.payload,
                  -1);
}

static void send_done(struct store *s, struct session *session, struct admin_job *a) {
  cli_done_put(&s->out, &(struct cli_done){ a->code, slice_first(buf_slice(&a->text), 4096) });
  store_send(s, session, cli_done_type);
}

static const struct job_kind admin_read_kind; /* below */

static void admin_finish(struct store *s, struct store_job *j) {
  struct admin_job *a = (struct admin_job *)j;
  bool applied = true;
  if (j->result == JOB_DONE)
    for (struct change *c = a->changes; c; c = c->next) applied &= note_change(s, c);
  if (!applied)
    admin_send(a, CLI_TROUBLE,
               "it is done, but the server has no memory to know it: restart the server");
  if (j->result != JOB_DONE && a->code == CLI_OK)
    admin_send(a, CLI_TROUBLE, "the database could not do it now; nothing was changed");
  if (j->result != JOB_DONE) j->again = false;
  if (a->to_reader) j->kind = &admin_read_kind;
  bool gone = j->session->gone;
  if (j->again && !gone) {
    send_answer(s, j->session, a);
    return; /* the session goes on waiting */
  }
  j->again = false;
  outbound_run(s, j->now_s);
  if (a->verb->ended) a->verb->ended(s, a);
  struct session *session = session_answered(s, j);
  if (!session) return;
  send_answer(s, session, a);
  send_done(s, session, a);
  session_release_if_unused(session);
}

static void admin_done(struct store_job *j) {
  struct admin_job *a = (struct admin_job *)j;
  buf_free(&a->out);
  buf_free(&a->text);
  buf_free(&a->bulk);
  arena_reset(&a->memory);
}

static const struct job_kind admin_read_kind = {
  .name = "admin",
  .run = run_slice,
  .finish = admin_finish,
  .done = admin_done,
};
static const struct job_kind admin_write_kind = {
  .name = "admin",
  .is_write = true,
  .run = run_slice,
  .undo = undo_slice,
  .finish = admin_finish,
  .done = admin_done,
};

bool store_job_is_slow(const struct store_job *job) { return job->kind == &admin_read_kind; }

uint32_t store_job_command_line(const struct store_job *job) {
  const struct session *session = job->session;
  return session && session->peer && session->peer->kind == ROLE_CLI ? session->peer->number : 0;
}

/* --- the table --- */

static const struct {
  const struct admin_verb *verbs;
  const size_t *count;
} tables[] = {
  /* clang-format off */
  { admin_directory_verbs, &admin_directory_count },
  { admin_account_verbs, &admin_account_count },
  { admin_mail_verbs, &admin_mail_count },
  { admin_deleted_verbs, &admin_deleted_count },
  { admin_queue_verbs, &admin_queue_count },
  { admin_alias_verbs, &admin_alias_count },
  { admin_bulk_verbs, &admin_bulk_count },
  { admin_rename_verbs, &admin_rename_count },
  { admin_steer_verbs, &admin_steer_count },
  { admin_sendas_verbs, &admin_sendas_count },
  { admin_why_verbs, &admin_why_count },
  { admin_plan_verbs, &admin_plan_count },
  { admin_whole_verbs, &admin_whole_count },
  /* clang-format on */
};

static const struct admin_verb *find_verb(const struct slice *words, size_t count,
                                          size_t *ret_used) {
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
    for (size_t i = 0; i < *tables[t].count; i++) {
      *ret_used = admin_matches(tables[t].verbs[i].words, words, count);
      if (*ret_used) return &tables[t].verbs[i];
    }
  return NULL;
}

/* --- the pair --- */

static struct admin_job *new_admin_job(struct session *session, struct slice payload,
                                       int64_t now_s) {
  struct admin_job *a = job_new(&admin_read_kind, sizeof *a + payload.n, session, now_s);
  if (!a) return NULL;
  memcpy(a + 1, payload.p, payload.n);
  buf_init(&a->out, ANSWER_MAX);
  buf_init(&a->text, 4096);
  arena_init(&a->memory, SLICE_MEMORY_MAX);
  a->changes_end = &a->changes;
  return a;
}

static bool take_words(struct admin_job *a, size_t payload) {
  struct cli_command q;
  struct slice word;
  if (!cli_command_get(slice_of(a + 1, payload), &q)) return false;
  while (a->count < ADMIN_WORDS_MAX && ipc_list_next(&q.words, &word)) a->words[a->count++] = word;
  return q.words.n == 0;
}

/* Finds the verb and takes its own words off. False: it was answered with what is wrong. */
static bool choose_verb(struct admin_job *a) {
  size_t used;
  const struct admin_verb *v = find_verb(a->words, a->count, &used);
  if (!v) {
    admin_send(a, CLI_USAGE, "there is no such command");
    return false;
  }
  a->count -= used;
  for (size_t i = 0; i < a->count; i++) a->words[i] = a->words[i + used];
  if (a->count < v->least || a->count > v->most) {
    admin_send(a, CLI_USAGE, "usage: qasid %s%s%s", v->words, *v->usage ? " " : "", v->usage);
    return false;
  }
  a->verb = v;
  return true;
}

static void answer_at_once(struct store *s, struct session *session, struct admin_job *a) {
  struct store_job *j = &a->job;
  send_answer(s, session, a);
  if (!session->import) send_done(s, session, a); /* else the command goes on with its input */
  job_free(&j);
  session_release_if_unused(session);
}

static bool command(struct store *s, struct session *session, const struct ipc_msg *m,
                    int64_t now_s) {
  struct admin_job *a = new_admin_job(session, m->payload, now_s);
  if (a) a->quota = s->conf->quota;
  struct store_job *j = a ? &a->job : NULL;
  if (!a || !take_words(a, m->payload.n)) {
    job_free(&j);
    return false;
  }
  a->dotless = s->conf->dotless_domains;
  a->sends = s->conf->send;
  a->keep = s->conf->undelete_time > 0;
  if (!choose_verb(a)) {
    answer_at_once(s, session, a);
  } else if (a->verb->where == ADMIN_OWNER) {
    a->verb->at_once(s, a);
    answer_at_once(s, session, a);
  } else if (a->verb->at_once && (a->verb->at_once(s, a), a->code != CLI_OK)) {
    answer_at_once(s, session, a);
  } else {
    if (a->verb->where == ADMIN_WRITE) j->kind = &admin_write_kind;
    a->bulk = session->bulk;
    session->bulk = (struct buf){ 0 };
    if (a->verb->begins) a->verb->begins(s, a);
    session_ask(s, session, j);
  }
  return true;
}

bool admin_message(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  struct session *session = session_get(p, m->tag);
  if (!session) return false;
  if (m->type == cli_command_type)
    return !session->pending && !session->import && command(s, session, m, now_s);
  if (session->import && (m->type == cli_input_type || m->type == cli_input_end_type))
    return import_message(s, session, m, now_s);
  return false;
}
