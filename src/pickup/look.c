/* SPDX-License-Identifier: ISC */
/* A pass over the drop folder: examines each name and decides what to do with it. Any local user
 * may have created it, so it is opened without following links and without blocking, and examined
 * through its descriptor. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/codec.h"
#include "lib/base/fd.h"
#include "lib/base/sys.h"
#include "src/pickup/pickup.h"

/* --- lines of the log --- */

enum { LINE_ROOM = 768 };

static void put_line(struct pickup *p, const char *line) {
  if (p->lines >= PICKUP_LINES_MAX) {
    p->unlogged++;
    return;
  }
  p->lines++;
  log_print(&p->process->log, LOG_E_DROP, "%s", line);
}

void look_note(struct pickup *p, const char *fmt, ...) {
  char text[LINE_ROOM];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  put_line(p, text);
}

/* --- later --- */

static uint64_t key_of(const char *name) { return slice_hash(slice_str(name)) | 1; }

static void put_off(struct pickup *p, const char *name, uint64_t ms) {
  if (p->later.count >= PICKUP_LATER_MAX) {
    map_free(&p->later);
    map_init(&p->later);
  }
  map_put(&p->later, key_of(name), loop_now(p->process->loop) + ms);
}

static bool is_put_off(struct pickup *p, const char *name) {
  uint64_t at;
  if (!map_get(&p->later, key_of(name), &at)) return false;
  if (at > loop_now(p->process->loop)) return true;
  map_remove(&p->later, key_of(name));
  return false;
}

/* --- set aside --- */

static void set_aside(struct pickup *p, const char *name, long uid, const char *why) {
  uint8_t bits[8];
  char to[64], owner[40] = "", line[LINE_ROOM];
  int n = snprintf(to, sizeof to, DROP_ASIDE "/");
  sys_random(bits, sizeof bits);
  hex_text(to + n, slice_of(bits, sizeof bits));
  if (uid >= 0) snprintf(owner, sizeof owner, " of uid %ld", uid);
  if (renameat(p->folder, name, p->folder, to) == 0) {
    snprintf(line, sizeof line, "the file %s%s is set aside as %s: %s", name, owner, to, why);
    put_line(p, line);
    notice_add(p, line);
  } else if (errno != ENOENT) {
    look_note(p, "%s%s cannot be moved and stays where it is: %s", name, owner, why);
    put_off(p, name, PICKUP_STUCK_MS);
  }
}

/* A link, a FIFO, a socket, a folder: there is no mail in it. The sandbox allows none of these to
 * be moved; a non-empty folder cannot be removed either. */
static void remove_odd(struct pickup *p, const char *name, long uid) {
  if (unlinkat(p->folder, name, 0) == 0 || unlinkat(p->folder, name, AT_REMOVEDIR) == 0) {
    look_note(p, "%s of uid %ld is no file, and is removed", name, uid);
  } else if (errno != ENOENT) {
    look_note(p, "%s of uid %ld is no file, and cannot be removed: %s", name, uid, strerror(errno));
    put_off(p, name, PICKUP_STUCK_MS);
  }
}

/* --- one name --- */

/* True for a reason that is not the file's fault: it is examined again later. */
static bool is_ours(int error) {
  return error == ENOENT || error == EMFILE || error == ENFILE || error == ENOMEM || error == EINTR;
}

/* Examines it by name, without opening it. */
static bool look_from_outside(struct pickup *p, const char *name, struct stat *ret) {
  int fd = openat(p->folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  bool known = fd >= 0 && fd_stat(fd, ret) == 0;
  if (fd >= 0) close(fd);
  return known;
}

/* Why it must not be submitted; it may be another file by the time it is opened. One that is larger
 * than message_size_limit is submitted: smtpd refuses it, and its sender gets a report. */
static const char *judge(const struct stat *st) {
  if (!S_ISREG(st->st_mode) || st->st_size < 0) return "it is no file";
  return st->st_nlink != 1 ? "it has a second name" : NULL;
}

static bool has_turn(struct pickup *p, uint32_t uid) {
  uint64_t n = 0;
  map_get(&p->taken, uid, &n);
  if (n >= PICKUP_USER_MAX || !map_put(&p->taken, uid, n + 1)) p->skipped = true;
  return n < PICKUP_USER_MAX;
}

static void submit(struct pickup *p, struct found *f) {
  bool malformed;
  const char *why = submit_begin(p, f, &malformed);
  if (why && malformed) set_aside(p, f->name, f->uid, why);
  if (why && !malformed) put_off(p, f->name, PICKUP_LATER_MS);
}

static void look_at_file(struct pickup *p, struct found *f) {
  struct stat st;
  f->fd = openat(p->folder, f->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (f->fd < 0) {
    if (!is_ours(errno)) set_aside(p, f->name, -1, strerror(errno));
    return;
  }
  if (fd_stat(f->fd, &st) != 0) st = (struct stat){ 0 }; /* not a regular file */
  const char *wrong = judge(&st);
  f->uid = st.st_uid;
  f->size = (uint64_t)st.st_size;
  f->changed_s = st.st_mtime;
  if (!wrong && has_turn(p, f->uid)) {
    submit(p, f);
    return;
  }
  close(f->fd);
  if (wrong) set_aside(p, f->name, st.st_uid, wrong);
}

static void examine_name(struct pickup *p, const char *name) {
  struct found f = { .fd = -1 };
  struct stat st;
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, DROP_ASIDE) == 0) return;
  if (is_put_off(p, name) || !look_from_outside(p, name, &st)) return;
  if (!S_ISREG(st.st_mode)) {
    remove_odd(p, name, st.st_uid);
  } else if (slice_starts(slice_str(name), SLICE(DROP_UNFINISHED))) {
    if (st.st_mtime + PICKUP_UNFINISHED_S < sys_wall_s())
      set_aside(p, name, st.st_uid, "it was never finished");
  } else if (!drop_is_name(slice_str(name), f.id)) {
    set_aside(p, name, st.st_uid, "sendmail gives no such name");
  } else {
    memcpy(f.name, name, sizeof f.name);
    look_at_file(p, &f);
  }
}

void look_submitted(struct pickup *p, const struct found *f, enum outcome o, const char *words) {
  if (o == OUTCOME_REFUSED) {
    set_aside(p, f->name, f->uid, words);
  } else if (o == OUTCOME_LATER) {
    put_off(p, f->name, PICKUP_LATER_MS);
  } else if (unlinkat(p->folder, f->name, 0) != 0 && errno != ENOENT) {
    look_note(p, "%s is done with and cannot be removed: %s", f->name, strerror(errno));
    put_off(p, f->name, PICKUP_STUCK_MS);
  }
  loop_timer_set(p->timer, loop_now(p->process->loop));
}

/* --- the pass --- */

static void begin_pass(struct pickup *p) {
  p->passing = true;
  p->skipped = false;
  p->name_n = p->name_at = 0;
  p->lines = p->unlogged = 0;
  map_free(&p->taken);
  map_init(&p->taken);
  lseek(p->folder, 0, SEEK_SET);
}

/* Makes removals durable, so that few messages are submitted again after a power loss. */
static void end_pass(struct pickup *p) {
  if (p->unlogged)
    log_print(&p->process->log, LOG_E_DROP, "%zu more lines about files in the drop folder",
              p->unlogged);
  if (p->taken.count) fsync(p->folder);
  p->passing = false;
  notice_send(p);
  uint64_t rest = p->skipped ? 0 : PICKUP_REST_MS;
  loop_timer_set(p->timer, loop_now(p->process->loop) + rest);
}

/* NULL: there are no more. */
static const char *next_name(struct pickup *p) {
  if (p->name_at == p->name_n) {
    ssize_t n = getdents64(p->folder, p->names, PICKUP_NAMES);
    p->name_n = n > 0 ? (size_t)n : 0;
    p->name_at = 0;
    if (!p->name_n) return NULL;
  }
  const struct dirent64 *entry = (const struct dirent64 *)(const void *)(p->names + p->name_at);
  p->name_at += entry->d_reclen;
  return entry->d_name;
}

void look_go(struct pickup *p) {
  if (p->talk) return;
  if (!p->passing) begin_pass(p);
  for (unsigned i = 0; i < PICKUP_TURN_MAX && !p->talk; i++) {
    const char *name = next_name(p);
    if (!name) {
      end_pass(p);
      return;
    }
    examine_name(p, name);
  }
  if (!p->talk) loop_timer_set(p->timer, loop_now(p->process->loop));
}
