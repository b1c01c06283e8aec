/* The store's threads: one writer, some readers, and the way back to the loop.
 *
 * The writer takes everything that waits as one group: what gathered while the last sync ran is the
 * next group, and a lone job waits for nobody. Between groups, with nothing waiting, it does the
 * store's chores. */
#ifndef QASID_STORE_WORKERS_H
#define QASID_STORE_WORKERS_H

#include "src/store/store.h"

struct workers;

/* Opens a connection for each thread and starts them. NULL with a sentence in `err`. */
struct workers *workers_new(struct disk *disk, const struct conf *conf, struct buf *err);
/* Finishes what waits and ends the threads; finished jobs can still be taken out before workers_free. */
void workers_stop(struct workers *w);
void workers_free(struct workers **w);
/* Readable when workers_done() has something. */
int workers_fd(const struct workers *w);
void workers_put(struct workers *w, struct store_job *job, bool is_write);
/* All finished jobs as a list, oldest first, or NULL. */
struct store_job *workers_done(struct workers *w);
/* The disk failed: nothing more is written, every job comes back unrun. */
bool workers_broken(struct workers *w);
size_t workers_waiting(struct workers *w);

#endif
