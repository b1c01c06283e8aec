/* SPDX-License-Identifier: ISC */
/* `qasid compact`: rewrites the databases without free pages, with a map of their pages, in pages
 * of the current size (docs/design/space.md).
 *
 *   command --there is room: the file `compact`, synced--> the process drains, exits, is restarted
 *     --`compact` is removed, synced--> db_compact() --> the store opens as usual
 *
 * So nothing has the database open while it is rewritten, and a process that dies in it does not
 * try again: the next one opens the existing file, which is complete. */
#include "src/store/owner/compact.h"

#include <errno.h>

#include "src/store/owner/admin.h"
#include "src/store/sql/schema.h"

#define WANTED "compact"
#define COPY STORE_DATABASE "-copy"

enum { COMPACT_CACHE_KIB = 16 * 1024 };

static int leave_word(struct disk *d) {
  struct disk_file *f = NULL;
  int e = d->ops->open(d, WANTED, DISK_WRITE, &f);
  if (!e) e = d->ops->sync(f);
  if (f) d->ops->close(&f);
  return e ? e : d->ops->sync_dir(d, ".");
}

void admin_compact(struct store *s, struct admin_job *a) {
  if (a->code != CLI_OK) return;
  if (leave_word(s->disk) < 0)
    admin_send(a, CLI_TROUBLE, "the disk failed, or it is full");
  else
    s->restarts = true;
}

/* --- at the start --- */

static void report(struct store *s, const char *name, struct buf *err) {
  s->compacted = COMPACT_FAILED;
  if (s->shell.log) log_print(s->shell.log, LOG_E_COMPACT_FAILED, "%s: %s", name, buf_cstr(err));
}

/* False: the disk failed. */
static bool rewrite(struct store *s, const char *name) {
  const struct db_options options = { .page_size = STORE_PAGE, .cache_kib = COMPACT_CACHE_KIB };
  struct buf err;
  int there = s->disk->ops->exists(s->disk, name);
  if (there <= 0) return there == 0;
  buf_init(&err, 1000);
  const struct db_watch watch = { s->shell.advances, s->shell.arg };
  enum db_result r = db_compact(s->disk, name, COPY, &options, &watch, &err);
  if (r != DB_OK) report(s, name, &err);
  buf_free(&err);
  return r != DB_IOERR;
}

static bool removed(struct disk *d, const char *name) {
  int e = d->ops->remove(d, name);
  return e == 0 || e == -ENOENT;
}

bool compact_if_wanted(struct store *s, struct buf *err) {
  struct disk *d = s->disk;
  int wanted = d->ops->exists(d, WANTED);
  bool fine = wanted >= 0 && removed(d, COPY);
  if (fine && wanted) {
    s->compacted = COMPACT_DONE;
    fine = removed(d, WANTED) && d->ops->sync_dir(d, ".") == 0 && rewrite(s, STORE_DATABASE) &&
           rewrite(s, HISTORY_DATABASE);
  }
  if (!fine) buf_put_str(err, "the disk failed while the mail database was to be compacted");
  return fine;
}
