/* SPDX-License-Identifier: ISC */
/* Processes that read something before they are confined, and are replaced by a reload if it has
 * changed: the sender and the resolver. Otherwise the process stays, with its sessions and its
 * state, and applies the configuration like any other.
 *
 *   resolver   ends and is started again: open questions are asked again
 *   sender     runs → (another is started beside it) → retired, when that is ready → spare
 *
 * A retired sender takes no new mail and finishes its sessions, since a message whose end of data
 * is unanswered would otherwise be sent twice. If its successor cannot be started, it goes on as it
 * is. A sender that is not ready yet has no letters, and is simply restarted. */
#include "src/parent/parent.h"

#include "ipc/parent_process.h"

#include <stdio.h>
#include <sys/stat.h>

/* --- what a process reads at its start --- */

static const struct conf_option *option_named(struct slice name) {
  size_t i = 0;
  while (i < conf_option_count && !slice_eq(slice_str(conf_options[i].name), name)) i++;
  return i < conf_option_count ? &conf_options[i] : NULL;
}

/* The file's identity and modification time; zeros: there is none. */
static void put_file(struct buf *to, const struct conf *c, struct slice name) {
  const struct conf_option *o = option_named(name);
  char text[100];
  const char *path = text;
  struct stat st;
  snprintf(text, sizeof text, "%.*s", SLICE_ARG(name));
  if (o) memcpy(&path, (const char *)c + o->offset, sizeof path);
  if (!*path || stat(path, &st) < 0) memset(&st, 0, sizeof st);
  buf_printf(to, " %ju %ju %jd %jd.%09ld", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
             (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void put_reads(const struct proc *proc, struct buf *to) {
  const struct role_row *r = &role_rows[proc->kind];
  const struct conf *c = proc->parent->conf;
  buf_init(to, IPC_PAYLOAD_MAX);
  conf_pack_only(c, r->reads, to);
  for (struct slice rest = slice_str(r->files); rest.p;) put_file(to, c, slice_split(&rest, ' '));
}

/* If a file changes between this and the process's own reading, the next reload finds it
 * changed. */
void renew_note_reads(struct proc *proc) {
  if (role_rows[proc->kind].renewal == ROLE_RELOADED) return;
  buf_free(&proc->reads);
  put_reads(proc, &proc->reads);
}

static bool reads_same(const struct proc *proc) {
  struct buf now;
  put_reads(proc, &now);
  bool same = !now.failed && !proc->reads.failed && buf_len(&now) &&
              slice_eq(buf_slice(&now), buf_slice(&proc->reads));
  buf_free(&now);
  return same;
}

/* --- the replacement --- */

static void send_empty(struct proc *proc, uint16_t type) {
  channel_begin(proc->channel, type, 0);
  channel_end(proc->channel);
}

static size_t count_retired(const struct parent *p) {
  size_t n = 0;
  for (size_t i = 0; i < p->proc_count; i++) n += p->procs[i].retired;
  return n;
}

static void put_beside(struct proc *proc) {
  struct parent *p = proc->parent;
  proc->applies = false;
  if (proc->successor) return; /* one is being started, with the current values */
  struct proc *next = count_retired(p) < PARENT_RETIRED_MAX ? procs_place_like(proc) : NULL;
  if (!next) {
    reload_answered(p, proc,
                    SLICE("too many former senders still finish their sessions; it goes "
                          "on as it is until the next reload"));
    return;
  }
  proc->successor = next;
  next->applies = true;
  procs_start_one(next);
}

bool procs_renew(struct proc *proc) {
  enum role_renewal renewal = role_rows[proc->kind].renewal;
  if (renewal == ROLE_RELOADED || reads_same(proc)) return false;
  if (renewal == ROLE_PUT_BESIDE && proc->ready) {
    put_beside(proc);
  } else {
    proc->renewed = true;
    send_empty(proc, process_stop_type);
  }
  return true;
}

void renew_ready(struct proc *proc) {
  struct parent *p = proc->parent;
  for (size_t i = 0; i < p->proc_count; i++) {
    struct proc *former = &p->procs[i];
    if (former->successor != proc) continue;
    former->successor = NULL;
    former->retired = true;
    if (former->channel) send_empty(former, process_retire_type);
  }
}

bool renew_ended(struct proc *proc) {
  if (!proc->successor && !proc->retired) return false;
  proc->successor = NULL;
  proc->retired = false;
  proc->spare = true;
  loop_timer_cancel(proc->restart);
  return true;
}
