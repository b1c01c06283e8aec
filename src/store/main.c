/* The room around the store: the loop, the threads, the folder. When the disk fails, everybody is
 * answered and the room ends; the parent starts it again, from what is on the disk. */
#include "lib/base/sys.h"
#include "lib/room/room.h"
#include "src/roles.h"
#include "src/store/workers.h"

#include <string.h>

struct store_room {
  struct room *room;
  struct disk *disk;
  struct store *store;
  struct workers *workers;
  struct loop_io *wake;
};

static void core_send(void *arg, enum room_kind kind, uint32_t number, uint16_t type, uint64_t tag,
                      struct slice payload, int fd) {
  struct store_room *s = arg;
  room_send(s->room, kind, number, type, tag, payload, fd);
}

static void core_enqueue(void *arg, struct store_job *job, bool is_write) {
  struct store_room *s = arg;
  workers_put(s->workers, job, is_write);
}

static void core_set_state(void *arg, enum room_kind kind, uint32_t number, uint64_t tag, uint8_t state) {
  struct store_room *s = arg;
  struct channel *ch = room_channel_to(s->room, kind, number);
  if (ch) channel_set_state(ch, tag, state);
}

static void take_done(struct store_room *s) {
  struct store_job *job = workers_done(s->workers);
  while (job) {
    struct store_job *next = store_job_next(job);
    store_finish(s->store, job);
    job = next;
  }
}

static void on_wake(void *arg, int ready) {
  struct store_room *s = arg;
  take_done(s);
  if (!workers_broken(s->workers)) return;
  log_say(&s->room->log, LOG_ERROR_, "disk",
          "the disk failed; what was not acknowledged is answered \"try later\" and the store starts again from the disk");
  workers_stop(s->workers);
  take_done(s);
  room_exit(s->room, 75);
}

static bool start(struct room *r, struct buf *err) {
  struct store_room *s = r->arg;
  const struct store_shell shell = { s, core_send, core_enqueue, core_set_state };
  int error = 0;
  s->room = r;
  s->disk = disk_posix_open(r->folder, &error);
  if (!s->disk) {
    buf_printf(err, "the folder of the mail can't be opened: %s", strerror(error));
    return false;
  }
  s->store = store_new(s->disk, r->conf, &shell, err);
  if (s->store) s->workers = workers_new(s->disk, r->conf, err);
  if (s->workers) s->wake = loop_io_new(r->loop, workers_fd(s->workers), on_wake, s);
  return s->wake != NULL;
}

static bool message(struct room *r, enum room_kind kind, uint32_t number, const struct ipc_msg *msg, uint8_t state) {
  struct store_room *s = r->arg;
  return store_message(s->store, kind, number, msg, sys_wall_s());
}

static void peer_lost(struct room *r, enum room_kind kind, uint32_t number) {
  struct store_room *s = r->arg;
  store_room_lost(s->store, kind, number);
}

static void reload(struct room *r, const struct conf *before) {
  struct store_room *s = r->arg;
  store_reconfigure(s->store, r->conf);
}

/* What was handed to the writer is finished and answered. */
static void stop(struct room *r) {
  struct store_room *s = r->arg;
  workers_stop(s->workers);
  take_done(s);
  loop_io_free(&s->wake);
  workers_free(&s->workers);
  store_free(&s->store);
  disk_posix_close(&s->disk);
  room_exit(r, 0);
}

int store_main(int argc, char **argv) {
  static const struct room_ops ops = {
    .kind = ROOM_STORE,
    .start = start,
    .message = message,
    .peer_lost = peer_lost,
    .reload = reload,
    .stop = stop,
  };
  struct store_room s = { 0 };
  return room_run(&ops, &s);
}
