/* SPDX-License-Identifier: ISC */
/* The process around the passes: its folder, its timers, and the front-ends it is connected to. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "src/pickup/pickup.h"
#include "src/roles.h"

static void on_timer(void *arg) {
  struct pickup *p = arg;
  if (process_single(p->process, ROLE_SMTPD))
    look_go(p);
  else /* it is still starting */
    loop_timer_set(p->timer, loop_now(p->process->loop) + PICKUP_REST_MS);
}

static bool start(struct process *r, struct buf *err) {
  struct pickup *p = r->arg;
  p->process = r;
  p->folder = openat(AT_FDCWD, r->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (p->folder < 0) {
    buf_printf(err, "the drop folder cannot be opened: %s", strerror(errno));
    return false;
  }
  p->names = malloc(PICKUP_NAMES);
  p->timer = loop_timer_new(r->loop, on_timer, p);
  p->talk_timer = loop_timer_new(r->loop, talk_on_timer, p);
  p->notice = notice_new();
  if (!p->names || !p->timer || !p->talk_timer || !p->notice) {
    buf_put_str(err, "out of memory");
    return false;
  }
  loop_timer_set(p->timer, loop_now(r->loop));
  return true;
}

/* smtpd sends nothing, except on the connections. */
static bool message(struct process *r, enum role kind, uint32_t number, const struct ipc_msg *msg,
                    uint8_t state) {
  return false;
}

static void end(struct process *r) {
  struct pickup *p = r->arg;
  submit_free(p);
  talk_free(&p->talk);
  notice_free(&p->notice);
  loop_timer_free(&p->timer);
  loop_timer_free(&p->talk_timer);
  map_free(&p->taken);
  map_free(&p->later);
  free(p->names);
  if (p->folder >= 0) close(p->folder);
}

/* A stop ends the session: what store has committed by then is recognized when it is submitted
 * again. */
static const struct role_ops ops = {
  .kind = ROLE_PICKUP,
  .start = start,
  .message = message,
  .end = end,
};

int pickup_main(int argc, char **argv) {
  struct pickup p = { .folder = -1 };
  map_init(&p.taken);
  map_init(&p.later);
  return process_run(&ops, &p);
}
