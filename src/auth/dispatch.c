/* SPDX-License-Identifier: ISC */
/* Hands jobs to the shell, one more than it computes at once, and takes them back. Administrative
 * commands go first. */
#include "src/auth/core.h"

bool job_salts(const struct auth *a, struct auth_job *j, struct slice name) {
  uint8_t folded[AUTH_NAME_MAX];
  return scram_salts(a->salt_key, account_fold(name, folded), &j->verifiers);
}

static struct auth_job *job_for(struct auth *a, struct login *l) {
  struct auth_job *j = auth_job_new(JOB_VERIFY, buf_slice(&l->sasl.password),
                                    slice_of(l->row->hash, l->row->hash_n));
  if (!j) return NULL;
  j->login = l;
  if (l->known && !l->row->scram_n && account_wants_scram(l->row, a->conf->scram))
    j->scram = job_salts(a, j, account_name(l->row));
  return j;
}

/* The next login's job. Logins that no longer need one (an equal one was decided meanwhile) are
 * answered. */
static struct auth_job *next_login_job(struct auth *a, uint64_t now_ms) {
  struct login *l;
  while ((l = queue_take(&a->queue))) {
    l->state = LOGIN_HASHING;
    if (login_decided(a, l, now_ms)) continue;
    struct auth_job *j = job_for(a, l);
    if (j) return j;
    login_failed(a, l, AUTH_TROUBLE);
  }
  return NULL;
}

/* The shell may finish a job inside enqueue(); the loop here continues with the resulting state. */
void auth_dispatch(struct auth *a, uint64_t now_ms) {
  if (a->dispatching) return;
  a->dispatching = true;
  unsigned most = (a->shell.threads ? a->shell.threads : 1) + 1;
  while (a->running < most) {
    struct auth_job *j = admin_take_job(a);
    if (!j) j = next_login_job(a, now_ms);
    if (!j) break;
    a->running++;
    a->shell.enqueue(a->shell.arg, j);
  }
  a->dispatching = false;
}

/* The account should have verifiers and had none: its password is available now. If they cannot be
 * stored, another login makes them. */
static void keep_scram(struct auth *a, struct account *row, const struct scram_verifiers *v) {
  uint8_t nonce[SEAL_NONCE];
  a->shell.random(a->shell.arg, nonce, sizeof nonce);
  if (account_seal_scram(&a->accounts, row, v, nonce)) accounts_keep_scram(&a->accounts, row);
}

static void finish_password(struct auth *a, struct login *l, const struct auth_job *job,
                            uint64_t now_ms) {
  if (job->result == PASSWORD_TROUBLE) {
    if (a->shell.warn && job->computed)
      a->shell.warn(a->shell.arg,
                    "the password's hash could not be computed: no memory, or the hash is damaged",
                    account_name(l->row));
    login_failed(a, l, AUTH_TROUBLE);
    return;
  }
  bool right = job->result == PASSWORD_OK && l->known;
  if (right && job->scram_made) keep_scram(a, l->row, &job->verifiers);
  if (right) cache_put(&a->cache, l->key, l->row->id, now_ms + a->conf->auth_cache_time * 1000);
  login_decide(a, l, right, l->visited, now_ms);
}

void auth_finish(struct auth *a, struct auth_job *job, uint64_t now_ms) {
  a->running--;
  a->count.hashes++;
  if (job->call)
    admin_finish(a, job->call, job);
  else
    finish_password(a, job->login, job, now_ms);
  auth_job_free(&job);
  auth_dispatch(a, now_ms);
}
