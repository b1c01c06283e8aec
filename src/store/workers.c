/* One lock over three queues (to write, to read, done). A thread works with the lock open.
 *
 * Invariants:
 *  1. A job is in one queue or in one thread's hands.
 *  2. The event descriptor is written when `done` turns from empty to not, and read when it is taken:
 *     one wake-up for a group. */
#include "src/store/workers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
  struct store_job *first, *last;
  size_t count;
};

struct worker {
  struct workers *all;
  struct store_engine *engine;
  pthread_t thread;
  bool started;
};

struct workers {
  pthread_mutex_t lock;
  pthread_cond_t to_write, to_read;
  struct queue write, read, done;
  bool stop, broken;
  int fd;
  size_t count; /* workers[0] is the writer */
  struct worker workers[];
};

static void push(struct queue *q, struct store_job *job) {
  store_job_link(job, NULL);
  if (q->last) store_job_link(q->last, job);
  else q->first = job;
  q->last = job;
  q->count++;
}

static struct store_job *take_all(struct queue *q) {
  struct store_job *jobs = q->first;
  *q = (struct queue){ 0 };
  return jobs;
}

static struct store_job *take_one(struct queue *q) {
  struct store_job *job = q->first;
  q->first = store_job_next(job);
  if (!q->first) q->last = NULL;
  q->count--;
  store_job_link(job, NULL);
  return job;
}

/* With the lock held. */
static void give_back(struct workers *w, struct store_job *jobs) {
  bool wake = !w->done.first && jobs;
  while (jobs) {
    struct store_job *next = store_job_next(jobs);
    push(&w->done, jobs);
    jobs = next;
  }
  uint64_t one = 1;
  if (wake && write(w->fd, &one, sizeof one) != sizeof one) abort();
}

/* What the writer does while nobody waits. False: the disk failed. */
static bool chores(struct workers *w, struct store_engine *e, enum store_chores least) {
  bool good = true;
  if (store_chores(e) < least) return true;
  pthread_mutex_unlock(&w->lock);
  good = store_idle(e);
  pthread_mutex_lock(&w->lock);
  return good;
}

static void *write_jobs(void *arg) {
  struct worker *me = arg;
  struct workers *w = me->all;
  pthread_mutex_lock(&w->lock);
  for (;;) {
    while (!w->write.first && !w->stop && !w->broken && store_chores(me->engine) != STORE_NO_CHORES)
      if (!chores(w, me->engine, STORE_CHORES_IDLE)) w->broken = true;
    while (!w->write.first && !w->stop) pthread_cond_wait(&w->to_write, &w->lock);
    if (!w->write.first) break;
    struct store_job *jobs = take_all(&w->write);
    if (!w->broken) {
      pthread_mutex_unlock(&w->lock);
      bool good = store_write_group(me->engine, jobs);
      pthread_mutex_lock(&w->lock);
      if (!good) w->broken = true;
    }
    give_back(w, jobs);
    if (!w->broken && !chores(w, me->engine, STORE_CHORES_NOW)) w->broken = true;
  }
  pthread_mutex_unlock(&w->lock);
  return NULL;
}

static void *read_jobs(void *arg) {
  struct worker *me = arg;
  struct workers *w = me->all;
  pthread_mutex_lock(&w->lock);
  for (;;) {
    while (!w->read.first && !w->stop) pthread_cond_wait(&w->to_read, &w->lock);
    if (!w->read.first) break;
    struct store_job *job = take_one(&w->read);
    if (!w->broken) {
      pthread_mutex_unlock(&w->lock);
      store_read(me->engine, job);
      pthread_mutex_lock(&w->lock);
    }
    give_back(w, job);
  }
  pthread_mutex_unlock(&w->lock);
  return NULL;
}

struct workers *workers_new(struct disk *disk, const struct conf *conf, struct buf *err) {
  size_t count = 1 + conf->store_readers;
  struct workers *w = calloc(1, sizeof *w + count * sizeof *w->workers);
  if (!w) return NULL;
  w->count = count;
  w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->to_write, NULL);
  pthread_cond_init(&w->to_read, NULL);
  bool good = w->fd >= 0;
  for (size_t i = 0; good && i < count; i++) {
    struct worker *me = &w->workers[i];
    me->all = w;
    me->engine = store_engine_open(disk, conf, i == 0, err);
    good = me->engine && pthread_create(&me->thread, NULL, i == 0 ? write_jobs : read_jobs, me) == 0;
    me->started = good;
  }
  if (good) return w;
  if (buf_len(err) == 0) buf_put_str(err, "the threads of the store could not be started");
  workers_stop(w);
  workers_free(&w);
  return NULL;
}

void workers_stop(struct workers *w) {
  pthread_mutex_lock(&w->lock);
  w->stop = true;
  pthread_cond_broadcast(&w->to_write);
  pthread_cond_broadcast(&w->to_read);
  pthread_mutex_unlock(&w->lock);
  for (size_t i = 0; i < w->count; i++) {
    if (w->workers[i].started) pthread_join(w->workers[i].thread, NULL);
    w->workers[i].started = false;
  }
}

void workers_free(struct workers **wp) {
  struct workers *w = *wp;
  if (!w) return;
  for (size_t i = w->count; i-- > 0;) store_engine_close(&w->workers[i].engine);
  if (w->fd >= 0) close(w->fd);
  pthread_cond_destroy(&w->to_write);
  pthread_cond_destroy(&w->to_read);
  pthread_mutex_destroy(&w->lock);
  free(w);
  *wp = NULL;
}

int workers_fd(const struct workers *w) { return w->fd; }

void workers_put(struct workers *w, struct store_job *job, bool is_write) {
  struct queue *q = is_write ? &w->write : &w->read;
  pthread_mutex_lock(&w->lock);
  /* The writer sleeps only when its queue is empty; a reader may sleep beside a queue that is not. */
  bool wake = !is_write || !q->first;
  push(q, job);
  pthread_mutex_unlock(&w->lock);
  if (wake) pthread_cond_signal(is_write ? &w->to_write : &w->to_read);
}

struct store_job *workers_done(struct workers *w) {
  uint64_t ignored;
  pthread_mutex_lock(&w->lock);
  struct store_job *jobs = take_all(&w->done);
  ssize_t n = jobs ? read(w->fd, &ignored, sizeof ignored) : 0;
  (void)n; /* written under the same lock */
  pthread_mutex_unlock(&w->lock);
  return jobs;
}

bool workers_broken(struct workers *w) {
  pthread_mutex_lock(&w->lock);
  bool broken = w->broken;
  pthread_mutex_unlock(&w->lock);
  return broken;
}

size_t workers_waiting(struct workers *w) {
  pthread_mutex_lock(&w->lock);
  size_t n = w->write.count + w->read.count;
  pthread_mutex_unlock(&w->lock);
  return n;
}
