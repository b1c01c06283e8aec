/* SPDX-License-Identifier: ISC */
/* Threads that compute password hashes: jobs go in on the loop's thread, are computed by one of the
 * threads, and come back through an eventfd.
 * Invariants: `todo`, `done` and `stopping` are touched under `lock` only, and no hash is computed
 * while it is held; after pool_stop() no thread takes a job, and every job put comes out once. */
#include "src/auth/pool.h"

#include "src/auth/auth.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* libcrypt works on memory of its own; 256 KiB are plenty. */
enum { POOL_STACK = 256 * 1024 };

struct job_queue {
  struct auth_job *first, *last;
};

struct pool {
  pthread_mutex_t lock;
  pthread_cond_t more;
  struct job_queue todo, done; /* under `lock`, as is `stopping` */
  bool stopping;
  int fd;
  unsigned threads;
  pthread_t ids[POOL_THREADS_MAX];
};

static void job_queue_put(struct job_queue *l, struct auth_job *job) {
  job->next = NULL;
  *(l->last ? &l->last->next : &l->first) = job;
  l->last = job;
}

static struct auth_job *job_queue_take(struct job_queue *l) {
  struct auth_job *job = l->first;
  if (!job) return NULL;
  l->first = job->next;
  if (!l->first) l->last = NULL;
  job->next = NULL;
  return job;
}

static struct auth_job *wait_for_job(struct pool *p) {
  pthread_mutex_lock(&p->lock);
  while (!p->stopping && !p->todo.first) pthread_cond_wait(&p->more, &p->lock);
  struct auth_job *job = p->stopping ? NULL : job_queue_take(&p->todo);
  pthread_mutex_unlock(&p->lock);
  return job;
}

static void *work(void *arg) {
  struct pool *p = arg;
  struct auth_job *job;
  while ((job = wait_for_job(p))) {
    auth_work(job);
    pthread_mutex_lock(&p->lock);
    job_queue_put(&p->done, job);
    pthread_mutex_unlock(&p->lock);
    /* the counter can't overflow: 2^64 jobs */
    (void)!write(p->fd, &(uint64_t){ 1 }, sizeof(uint64_t));
  }
  return NULL;
}

static void start_threads(struct pool *p, unsigned threads) {
  pthread_attr_t attr;
  if (pthread_attr_init(&attr)) return;
  pthread_attr_setstacksize(&attr, POOL_STACK);
  while (p->threads < threads && p->threads < POOL_THREADS_MAX &&
         pthread_create(&p->ids[p->threads], &attr, work, p) == 0)
    p->threads++;
  pthread_attr_destroy(&attr);
}

struct pool *pool_new(unsigned threads) {
  struct pool *p = calloc(1, sizeof *p);
  if (!p) return NULL;
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->more, NULL);
  p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (p->fd >= 0) start_threads(p, threads);
  if (!p->threads) pool_free(&p);
  return p;
}

void pool_stop(struct pool *p) {
  pthread_mutex_lock(&p->lock);
  p->stopping = true;
  pthread_cond_broadcast(&p->more);
  pthread_mutex_unlock(&p->lock);
  for (; p->threads; p->threads--) pthread_join(p->ids[p->threads - 1], NULL);
  struct auth_job *job;
  while ((job = job_queue_take(&p->todo))) job_queue_put(&p->done, job);
}

void pool_free(struct pool **pool) {
  struct pool *p = *pool;
  if (!p) return;
  pool_stop(p);
  if (p->fd >= 0) close(p->fd);
  pthread_cond_destroy(&p->more);
  pthread_mutex_destroy(&p->lock);
  free(p);
  *pool = NULL;
}

int pool_fd(const struct pool *p) { return p->fd; }
unsigned pool_threads(const struct pool *p) { return p->threads; }

void pool_put(struct pool *p, struct auth_job *job) {
  pthread_mutex_lock(&p->lock);
  job_queue_put(&p->todo, job);
  pthread_cond_signal(&p->more);
  pthread_mutex_unlock(&p->lock);
}

struct auth_job *pool_done(struct pool *p) {
  uint64_t count;
  /* cleared before checking: a job that is finished later wakes the loop again */
  (void)!read(p->fd, &count, sizeof count);
  pthread_mutex_lock(&p->lock);
  struct auth_job *job = job_queue_take(&p->done);
  pthread_mutex_unlock(&p->lock);
  return job;
}
