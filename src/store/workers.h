/* SPDX-License-Identifier: ISC */
/* The store's threads.
 *
 *   writer        takes the writes that wait when its last sync has ended, up to GROUP_MAX, as one
 *                 group: the more mail, the larger the groups; a lone message is not delayed
 *   patient line  long work in slices: without a pause while nothing else is written; beside other
 *                 writes some jobs at a time, and then a pause of PATIENT_REST times the duration
 *                 of their group, or of a checkpoint, so that mail keeps most of the writer
 *   readers       take reads one by one
 *   slow reader   a reader for administrative commands, so that a long one does not delay mail
 *
 * The owner hands jobs over once in each turn of its loop, and is woken once for all that have
 * finished since it last checked. An engine that met a failing disk makes the workers broken; jobs
 * still come back, with JOB_TROUBLE ("try later") as their result. */
#ifndef QASID_STORE_WORKERS_H
#define QASID_STORE_WORKERS_H

#include "src/store/store.h"

enum {
  READERS_MAX = 64,
  GROUP_MAX = 1024,
  PATIENT_A_GROUP = 32,
  PATIENT_REST = 8,
  PATIENT_REST_MOST_MS = 1000, /* however long the group took */
  QUIET_MS = 50,               /* without another write: the writer is free for patient work */
};

struct workers;

struct job_line {
  struct store_job *first, *last;
};
void job_line_put(struct job_line *l, struct store_job *job);

/* Opens an engine for each thread and starts them. NULL with a sentence in `err`. */
struct workers *workers_new(struct disk *disk, const struct conf *conf, struct buf *err);
/* Ends the threads once they have done all their jobs; closes the engines. Nothing may be left in
 * workers_done(). */
void workers_free(struct workers **p);
/* Moves all jobs of the queues to the threads. */
void workers_put(struct workers *p, struct job_line *writes, struct job_line *reads,
                 struct job_line *slow);
/* Readable when workers_done() has something. */
int workers_fd(const struct workers *p);
/* All jobs finished since the last call, linked; NULL: none. */
struct store_job *workers_done(struct workers *p);
/* Waits until workers_done() has something. */
void workers_wait(struct workers *p);
bool workers_broken(struct workers *p);

#endif
