/* SPDX-License-Identifier: ISC */
/* The administrative commands in the store: finds the verb, checks its arguments, runs it as a job
 * in slices and sends its answer (admin.h). An answer is collected in the job and sent only after
 * the slice; if the slice fails, only the reason is sent. Invariant: the owner's directory drops
 * what a slice changed once it is durable, before it is answered. */
#include "src/store/owner/admin.h"

#include <stdlib.h>

#include "runtime/admin/admin.h"
#include "src/store/owner/finish.h"

enum {
  ANSWER_MAX = 256 * 1024 * 1024, /* of one slice */
  SLICE_MEMORY_MAX = 16 * 1024 * 1024,
  VERB_WORDS_MAX = 2,
};

/* --- the table --- */

struct verb {
  const char *words;    /* "account add" */
  const char *usage;    /* what follows them */
  uint16_t least, most; /* arguments */
  enum admin_where where;
  admin_fn *before, *after;
};
static const struct verb verbs[] = {
#define READ ADMIN_READ
#define WRITE ADMIN_WRITE
#define OWNER ADMIN_OWNER
#define VERB(name, words, usage, least, most, where, run, before, after) \
  [VERB_##name] = { words, usage, least, most, where, before, after },
#include "src/store/jobs/verbs.def"
#undef VERB
};

/* ADMIN_VERBS: there is no such command. */
static enum admin_verb find_verb(const struct slice *words, size_t count, size_t *ret_used) {
  int v = 0;
  while (v < ADMIN_VERBS && !(*ret_used = admin_matches(verbs[v].words, words, count))) v++;
  return (enum admin_verb)v;
}

/* --- the job --- */

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
  case CHANGE_QUEUE_TO_FAIL: outbound_expire(s, s->outbound.now_s); return true;
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

/* The command has ended: body files may be removed again. Without memory, freed files stay until
 * the sweep at the next start. */
static void release_files(struct store *s, struct admin_job *a) {
  struct release_job *r = job_new(KIND_RELEASE, sizeof *r, NULL, 0);
  a->holding = false;
  if (!r) return;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &r->job, true);
}

void command_finish(struct store *s, struct store_job *j) {
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
  if (a->to_reader) j->kind = KIND_COMMAND_READ;
  bool gone = j->session->gone;
  if (j->again && !gone) {
    send_answer(s, j->session, a);
    return; /* the session continues to wait */
  }
  j->again = false;
  outbound_run(s, j->now_s);
  if (verbs[a->verb].after) verbs[a->verb].after(s, a);
  if (a->holding) release_files(s, a);
  struct session *session = session_answered(s, j);
  if (!session) return;
  send_answer(s, session, a);
  send_done(s, session, a);
  session_release_if_unused(session);
}

uint32_t store_job_command_line(const struct store_job *job) {
  const struct session *session = job->session;
  return session && session->peer && session->peer->kind == ROLE_CLI ? session->peer->number : 0;
}

/* --- the pair --- */

static struct admin_job *new_admin_job(struct session *session, struct slice payload,
                                       int64_t now_s) {
  struct admin_job *a = job_new(KIND_COMMAND_READ, sizeof *a + payload.n, session, now_s);
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

/* Finds the verb and removes its words. False: it was answered with the error. */
static bool choose_verb(struct admin_job *a) {
  size_t used;
  a->verb = find_verb(a->words, a->count, &used);
  if (a->verb == ADMIN_VERBS) {
    admin_send(a, CLI_USAGE, "there is no such command");
    return false;
  }
  const struct verb *v = &verbs[a->verb];
  a->count -= used;
  for (size_t i = 0; i < a->count; i++) a->words[i] = a->words[i + used];
  if (a->count < v->least || a->count > v->most) {
    admin_send(a, CLI_USAGE, "usage: qasid %s%s%s", v->words, *v->usage ? " " : "", v->usage);
    return false;
  }
  return true;
}

static void answer_at_once(struct store *s, struct session *session, struct admin_job *a) {
  send_answer(s, session, a);
  if (!session->import)
    send_done(s, session, a); /* otherwise the command continues with its
                                                   * input */
  job_free(a);
  session_release_if_unused(session);
}

static bool command(struct store *s, struct session *session, const struct ipc_msg *m,
                    int64_t now_s) {
  struct admin_job *a = new_admin_job(session, m->payload, now_s);
  if (a) a->quota = s->conf->quota;
  if (!a || !take_words(a, m->payload.n)) {
    job_free(a);
    return false;
  }
  a->dotless = s->conf->dotless_domains;
  a->sends = s->conf->send;
  a->keep = s->conf->undelete_time > 0;
  if (!choose_verb(a)) {
    answer_at_once(s, session, a);
    return true;
  }
  const struct verb *v = &verbs[a->verb];
  if (v->before) v->before(s, a);
  if (v->where == ADMIN_OWNER || a->code != CLI_OK) {
    answer_at_once(s, session, a);
    return true;
  }
  if (v->where == ADMIN_WRITE) a->job.kind = KIND_COMMAND_WRITE;
  a->bulk = session->bulk;
  session->bulk = (struct buf){ 0 };
  session_ask(s, session, &a->job);
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
