/* Hands jobs to the shell, as many as it computes at once and one more, and takes them back. Commands of
 * the administrator go first. */
#include "src/auth/core.h"

static struct auth_job *job_for(struct auth *a, struct login *l) {
  struct slice hash = l->proof == PROOF_PASSWORD ? slice_of(l->row->hash, l->row->hash_n) : SLICE_NONE;
  struct auth_job *j =
      auth_job_new(l->proof == PROOF_PASSWORD ? JOB_VERIFY : JOB_SCRAM, buf_slice(&l->sasl.password), hash);
  if (!j) return NULL;
  j->login = l;
  if (j->kind == JOB_SCRAM) {
    j->digest = l->sasl.mech->digest;
    login_scram_salt(a, l, j->salt);
  }
  return j;
}

/* The next login's job. Those that need none any more (a like one was decided meanwhile) are answered. */
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

/* The shell may finish a job inside enqueue(); the loop here goes on with what that left. */
void dispatch(struct auth *a, uint64_t now_ms) {
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

static void finish_password(struct auth *a, struct login *l, const struct auth_job *job, uint64_t now_ms) {
  if (job->result == PASSWORD_TROUBLE) {
    if (a->shell.warn && job->computed)
      a->shell.warn(a->shell.arg,
                    "the password's hash could not be computed: no memory, or the hash is damaged",
                    account_name(l->row));
    login_failed(a, l, AUTH_TROUBLE);
    return;
  }
  bool right = job->result == PASSWORD_OK && l->known;
  if (right)
    cache_put(&a->cache, l->key, l->row->id, l->network, now_ms + a->conf->auth_cache_time * 1000);
  login_decide(a, l, right, false, now_ms);
}

static void finish_scram(struct auth *a, struct login *l, const struct auth_job *job, uint64_t now_ms) {
  struct sasl_secret secret = { .known = l->known, .keys = &job->keys };
  if (job->result != PASSWORD_OK) login_failed(a, l, AUTH_TROUBLE);
  else login_decide(a, l, sasl_server_secret(&l->sasl, &secret, &l->last) == SASL_CHALLENGE, false, now_ms);
}

void auth_finish(struct auth *a, struct auth_job *job, uint64_t now_ms) {
  a->running--;
  a->count.hashes++;
  if (job->call) admin_finish(a, job->call, job);
  else if (job->kind == JOB_SCRAM) finish_scram(a, job->login, job, now_ms);
  else finish_password(a, job->login, job, now_ms);
  auth_job_free(&job);
  dispatch(a, now_ms);
}
