/* SPDX-License-Identifier: ISC */
/* The store's threads and the queues between them and the owner (workers.h). One mutex protects all
 * queues, the list of finished jobs and the flags; no database or disk call is made while it is
 * held. Each engine is used by one thread only; the writer's is the only one that writes. */
#include "src/store/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/sys.h"

enum {
  STACK = 1024 * 1024,
  STEP_MS = 20, /* between two steps of idle work */
};

struct queue {
  pthread_cond_t more;
  struct job_line line;
};

struct worker {
  struct workers *all;
  struct queue *queue;
  struct store_engine *engine;
  pthread_t thread;
  bool started;
  bool resting; /* the writer: nothing has come since the last step of idle work */
};

struct workers {
  pthread_mutex_t lock;
  /* under `lock`: */
  struct queue writes, reads, slow;
  struct job_line patient; /* for the writer */
  struct job_line done;
  pthread_cond_t some_done;
  bool stopping, broken;

  uint64_t other_ms;   /* the writer's only: when it last wrote a job that is not patient */
  uint64_t patient_ms; /* likewise: patient work pauses until then, unless the writer is idle */
  int fd;
  struct worker writer, slow_reader, readers[READERS_MAX];
  unsigned reader_count;
};

/* --- queues --- */

void job_line_put(struct job_line *l, struct store_job *job) {
  store_job_link(job, NULL);
  if (l->last)
    store_job_link(l->last, job);
  else
    l->first = job;
  l->last = job;
}

static void append(struct job_line *to, struct job_line *from) {
  if (!from->first) return;
  if (to->last)
    store_job_link(to->last, from->first);
  else
    to->first = from->first;
  to->last = from->last;
  *from = (struct job_line){ NULL, NULL };
}

/* The first jobs of the line, at most `most`. */
static struct job_line take(struct job_line *l, unsigned most) {
  struct job_line taken = { l->first, l->first };
  while (taken.last && --most && store_job_next(taken.last))
    taken.last = store_job_next(taken.last);
  if (!taken.last) return taken;
  l->first = store_job_next(taken.last);
  if (!l->first) l->last = NULL;
  store_job_link(taken.last, NULL);
  return taken;
}

/* --- the threads --- */

/* Called with the lock held. Wakes the owner for the first job finished since it last checked. */
static void return_finished(struct workers *p, struct job_line *jobs, bool broken) {
  bool first = !p->done.first;
  append(&p->done, jobs);
  p->broken |= broken;
  if (!first) return;
  pthread_cond_signal(&p->some_done);
  (void)!write(p->fd, &(uint64_t){ 1 }, sizeof(uint64_t)); /* a counter that can't overflow */
}

/* Called with the lock held, which is released meanwhile. False: a job came, or the end. */
static bool wait_idle(struct worker *w) {
  struct timespec until;
  int ms = w->resting ? STEP_MS : STORE_QUIET_MS;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += ms * 1000000L;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  w->resting = false;
  while (!w->queue->line.first && !w->all->patient.first && !w->all->stopping)
    if (pthread_cond_clockwait(&w->queue->more, &w->all->lock, CLOCK_MONOTONIC, &until) ==
        ETIMEDOUT)
      return w->resting = !w->queue->line.first && !w->all->patient.first;
  return false;
}

/* Patient work pauses in proportion to the work it caused the writer. */
static void pause_patient(struct workers *p, uint64_t begun) {
  uint64_t now = sys_mono_ms(), ms = PATIENT_REST * (now - begun + 1);
  p->patient_ms = now + (ms < PATIENT_REST_MOST_MS ? ms : PATIENT_REST_MOST_MS);
}

/* Housekeeping while nothing waits, and before the next group if it is urgent. Called with the lock
 * held, which is released meanwhile. False: there is nothing to do now. */
static bool run_housekeeping(struct worker *w) {
  struct workers *p = w->all;
  pthread_mutex_unlock(&p->lock);
  enum store_housekeeping_when housekeeping = store_housekeeping_when(w->engine);
  pthread_mutex_lock(&p->lock);
  bool now = housekeeping == STORE_HOUSEKEEPING_NOW ||
             (housekeeping == STORE_HOUSEKEEPING_IDLE && !w->queue->line.first &&
              !p->patient.first && !p->stopping) ||
             (housekeeping == STORE_HOUSEKEEPING_QUIET && wait_idle(w));
  if (!now) return false;
  pthread_mutex_unlock(&p->lock);
  uint64_t begun = sys_mono_ms();
  bool fine = store_idle(w->engine);
  if (p->patient_ms) pause_patient(p, begun); /* most of the log comes from that work */
  pthread_mutex_lock(&p->lock);
  p->broken |= !fine;
  return true;
}

/* How long patient work has to pause; 0: it may continue. */
static uint64_t patient_rests_ms(const struct workers *p) {
  uint64_t now = sys_mono_ms(), quiet = p->other_ms + QUIET_MS;
  uint64_t until = p->patient_ms < quiet ? p->patient_ms : quiet;
  return p->stopping || until <= now ? 0 : until - now;
}

static void wait_ms(struct workers *p, struct queue *q, uint64_t ms) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  uint64_t ns = (uint64_t)t.tv_nsec + ms * 1000000;
  t.tv_sec += (time_t)(ns / 1000000000);
  t.tv_nsec = (long)(ns % 1000000000);
  pthread_cond_timedwait(&q->more, &p->lock, &t);
}

/* The next group; empty: the end. Called with the lock held, which is released meanwhile. */
static struct job_line next_group(struct workers *p, struct queue *q, bool *ret_patient) {
  uint64_t rest = 0;
  while (!q->line.first && (p->patient.first ? (rest = patient_rests_ms(p)) > 0 : !p->stopping))
    if (p->patient.first)
      wait_ms(p, q, rest);
    else
      pthread_cond_wait(&q->more, &p->lock);
  struct job_line group = take(&q->line, GROUP_MAX);
  *ret_patient = p->patient.first && !patient_rests_ms(p);
  if (group.first) p->other_ms = sys_mono_ms();
  if (!*ret_patient) return group;
  struct job_line some = take(&p->patient, PATIENT_A_GROUP);
  append(&group, &some);
  return group;
}

static void *writer(void *arg) {
  struct worker *w = arg;
  struct workers *p = w->all;
  bool patient;
  pthread_mutex_lock(&p->lock);
  for (;;) {
    if (run_housekeeping(w)) continue;
    struct job_line group = next_group(p, w->queue, &patient);
    if (!group.first) break;
    pthread_mutex_unlock(&p->lock);
    uint64_t begun = sys_mono_ms();
    bool fine = store_write_group(w->engine, group.first);
    if (patient) pause_patient(p, begun);
    pthread_mutex_lock(&p->lock);
    return_finished(p, &group, !fine);
  }
  pthread_mutex_unlock(&p->lock);
  return NULL;
}

static void *reader(void *arg) {
  struct worker *w = arg;
  struct workers *p = w->all;
  pthread_mutex_lock(&p->lock);
  for (;;) {
    while (!w->queue->line.first && !p->stopping) pthread_cond_wait(&w->queue->more, &p->lock);
    struct job_line one = take(&w->queue->line, 1);
    if (!one.first) break;
    pthread_mutex_unlock(&p->lock);
    store_read(w->engine, one.first);
    pthread_mutex_lock(&p->lock);
    return_finished(p, &one, store_engine_broken(w->engine));
  }
  pthread_mutex_unlock(&p->lock);
  return NULL;
}

/* --- starting and ending --- */

static bool start(struct workers *p, struct worker *w, struct queue *q, void *(*fn)(void *),
                  struct disk *disk, const struct conf *conf, struct buf *err) {
  pthread_attr_t attr;
  w->all = p;
  w->queue = q;
  w->engine = store_engine_open(disk, conf, q == &p->writes, err);
  if (!w->engine) return false;
  store_engine_set_clock(w->engine, sys_mono_ms);
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, STACK);
  w->started = pthread_create(&w->thread, &attr, fn, w) == 0;
  pthread_attr_destroy(&attr);
  if (!w->started) buf_put_str(err, "a thread for the mail database could not be started");
  return w->started;
}

static bool start_all(struct workers *p, struct disk *disk, const struct conf *conf,
                      struct buf *err) {
  unsigned readers =
      conf->store_readers < READERS_MAX ? (unsigned)conf->store_readers : READERS_MAX;
  if (!start(p, &p->writer, &p->writes, writer, disk, conf, err)) return false;
  if (!start(p, &p->slow_reader, &p->slow, reader, disk, conf, err)) return false;
  for (; p->reader_count < readers; p->reader_count++)
    if (!start(p, &p->readers[p->reader_count], &p->reads, reader, disk, conf, err)) return false;
  return true;
}

/* The writer waits with a time-out on the monotonic clock. */
static void init_writes(struct queue *q) {
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&q->more, &attr);
  pthread_condattr_destroy(&attr);
}

struct workers *workers_new(struct disk *disk, const struct conf *conf, struct buf *err) {
  struct workers *p = calloc(1, sizeof *p);
  if (!p) {
    buf_put_str(err, "out of memory");
    return NULL;
  }
  pthread_mutex_init(&p->lock, NULL);
  init_writes(&p->writes);
  pthread_cond_init(&p->reads.more, NULL);
  pthread_cond_init(&p->slow.more, NULL);
  pthread_cond_init(&p->some_done, NULL);
  p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (p->fd < 0) buf_put_str(err, "no descriptor is left");
  if (p->fd < 0 || !start_all(p, disk, conf, err)) workers_free(&p);
  return p;
}

static void end(struct worker *w) {
  if (w->started) pthread_join(w->thread, NULL);
  store_engine_close(&w->engine);
}

void workers_free(struct workers **ws) {
  struct workers *p = *ws;
  if (!p) return;
  pthread_mutex_lock(&p->lock);
  p->stopping = true;
  pthread_cond_broadcast(&p->writes.more);
  pthread_cond_broadcast(&p->reads.more);
  pthread_cond_broadcast(&p->slow.more);
  pthread_mutex_unlock(&p->lock);
  for (unsigned i = 0; i < READERS_MAX; i++) end(&p->readers[i]);
  end(&p->slow_reader);
  end(&p->writer); /* last: it truncates the log */
  pthread_cond_destroy(&p->writes.more);
  pthread_cond_destroy(&p->reads.more);
  pthread_cond_destroy(&p->slow.more);
  pthread_cond_destroy(&p->some_done);
  pthread_mutex_destroy(&p->lock);
  if (p->fd >= 0) close(p->fd);
  free(p);
  *ws = NULL;
}

/* --- the owner's side --- */

/* How many of the waiting threads to wake: none, one, all. */
static int give(struct queue *q, struct job_line *jobs) {
  int wake = !jobs->first ? 0 : store_job_next(jobs->first) ? 2 : 1;
  append(&q->line, jobs);
  return wake;
}

/* For the writer, which is a single thread. */
static int give_writes(struct workers *p, struct job_line *jobs) {
  int wake = jobs->first ? 1 : 0;
  for (struct store_job *j = jobs->first, *next; j; j = next) {
    next = store_job_next(j);
    job_line_put(store_job_is_patient(j) ? &p->patient : &p->writes.line, j);
  }
  *jobs = (struct job_line){ NULL, NULL };
  return wake;
}

/* Called without the lock, which the woken thread would otherwise have to wait for. */
static void wake(struct queue *q, int how) {
  if (how == 2) pthread_cond_broadcast(&q->more);
  if (how == 1) pthread_cond_signal(&q->more);
}

void workers_put(struct workers *p, struct job_line *writes, struct job_line *reads,
                 struct job_line *slow) {
  pthread_mutex_lock(&p->lock);
  int write = give_writes(p, writes), read = give(&p->reads, reads), slowly = give(&p->slow, slow);
  pthread_mutex_unlock(&p->lock);
  wake(&p->writes, write);
  wake(&p->reads, read);
  wake(&p->slow, slowly);
}

int workers_fd(const struct workers *p) { return p->fd; }

struct store_job *workers_done(struct workers *p) {
  uint64_t count;
  (void)!read(p->fd, &count,
              sizeof count); /* cleared before checking, so that a later job wakes the owner
                              * again */
  pthread_mutex_lock(&p->lock);
  struct store_job *jobs = p->done.first;
  p->done = (struct job_line){ NULL, NULL };
  pthread_mutex_unlock(&p->lock);
  return jobs;
}

void workers_wait(struct workers *p) {
  pthread_mutex_lock(&p->lock);
  while (!p->done.first) pthread_cond_wait(&p->some_done, &p->lock);
  pthread_mutex_unlock(&p->lock);
}

bool workers_broken(struct workers *p) {
  pthread_mutex_lock(&p->lock);
  bool broken = p->broken;
  pthread_mutex_unlock(&p->lock);
  return broken;
}
