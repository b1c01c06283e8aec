/* SPDX-License-Identifier: ISC */
/* Threads that compute hashes, so that the loop never does. */
#ifndef QASID_AUTH_POOL_H
#define QASID_AUTH_POOL_H

#include "src/auth/job.h"

struct pool;

enum { POOL_THREADS_MAX = 64 };

/* Starts `threads`. NULL when none could be started; fewer than asked is no error. */
struct pool *pool_new(unsigned threads);
/* Ends the threads, each after its current job, and frees the pool. Remaining jobs must have been
 * taken out with pool_stop() and pool_done(). */
void pool_free(struct pool **p);
/* Readable when pool_done() has something. */
int pool_fd(const struct pool *p);
unsigned pool_threads(const struct pool *p);
void pool_put(struct pool *p, struct auth_job *job);
/* A job that is computed, or NULL. */
struct auth_job *pool_done(struct pool *p);
/* Waits for the current jobs; the others come out of pool_done() uncomputed, with
 * PASSWORD_TROUBLE. */
void pool_stop(struct pool *p);

#endif
