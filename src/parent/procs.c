/* SPDX-License-Identifier: ISC */
/* The processes: planned from the configuration, started by re-execution, connected as the graph in
 * ipc/roles.c shows, restarted when they die.
 *
 * A process that is restarted gets a new number, so nothing that was granted to its predecessor
 * holds; each of its neighbours gets a new channel to it. A reload may put another process beside
 * one (renew.c). */
#include "src/parent/parent.h"

#include "ipc/parent_process.h"
#include "lib/base/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t how_many(const struct conf *conf, enum role kind) {
  char option[64];
  long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  if (!role_rows[kind].several) return 1;
  snprintf(option, sizeof option, "%s_processes", role_name(kind));
  uint64_t wanted = conf_number(conf, option);
  if (wanted) return wanted;
  return cpus < 1 ? 1 : cpus > 4 ? 4 : (uint64_t)cpus;
}

static bool listens(const struct parent *p, enum role kind) {
  for (size_t i = 0; i < p->listener_count; i++)
    if (p->listeners[i].kind == kind) return true;
  return false;
}

static bool is_needed(const struct parent *p, enum role kind) {
  unsigned needs = role_rows[kind].needs;
  if (!needs || p->offline) return !needs;
  return (needs & ROLE_NEEDS_LISTENER && listens(p, kind)) ||
         (needs & ROLE_NEEDS_COLLECT && p->conf->collect) ||
         (needs & ROLE_NEEDS_SEND && p->conf->send) ||
         (needs & ROLE_NEEDS_LOCAL && p->conf->local_submission);
}

static void plan(struct parent *p, enum role kind) {
  uint64_t count = is_needed(p, kind) ? how_many(p->conf, kind) : 0;
  for (unsigned i = 0; i < count && p->proc_count < PARENT_PROCS_MAX; i++)
    p->procs[p->proc_count++] = (struct proc){ .parent = p, .kind = kind, .index = i };
}

/* In starting order: processes that answer questions before those that ask. */
void procs_plan(struct parent *p) {
  for (unsigned turn = 1; turn <= ROLE_COUNT; turn++)
    for (enum role kind = 0; kind < ROLE_COUNT; kind++)
      if (role_rows[kind].start == turn) plan(p, kind);
}

/* --- what a process is sent --- */

#define SEND(proc, name, most, fd, ...)                                         \
  do {                                                                          \
    struct buf *send_b = channel_begin_fd((proc)->channel, name##_type, 0, fd); \
    if (send_b) name##_put(send_b, &(struct name){ __VA_ARGS__ });              \
    channel_end((proc)->channel);                                               \
  } while (0)

static void send_config(struct proc *proc) {
  struct buf packed;
  buf_init(&packed, IPC_PAYLOAD_MAX - 64);
  conf_pack_only(proc->parent->conf, role_rows[proc->kind].options, &packed);
  SEND(proc, process_config, IPC_PAYLOAD_MAX, -1, buf_slice(&packed));
  buf_free(&packed);
}

static bool is_given(const struct proc *proc, unsigned what) {
  return role_rows[proc->kind].given & what;
}

static void send_certificates(struct proc *proc) {
  struct parent *p = proc->parent;
  bool keys = is_given(proc, ROLE_GIVEN_PRIVATE_KEYS);
  if (!keys && !is_given(proc, ROLE_GIVEN_CERTIFICATES)) return;
  for (size_t i = 0; i < p->cert_count; i++) {
    struct slice pem = buf_slice(keys ? &p->keys[i] : &p->chains[i]);
    SEND(proc, process_certificate, 0, -1, (uint16_t)i, i + 1 == p->cert_count, pem);
  }
}

static void send_token_keys(struct proc *proc) {
  if (is_given(proc, ROLE_GIVEN_TOKEN_KEYS))
    SEND(proc, process_token_keys, 0, -1, buf_slice(&proc->parent->token_keys));
}

static void send_tickets(struct proc *proc) {
  struct parent *p = proc->parent;
  if (is_given(proc, ROLE_GIVEN_TICKETS))
    SEND(proc, process_tickets, 0, -1,
         slice_of(p->tickets[proc->kind], p->ticket_keys * PARENT_TICKET_KEY_SIZE));
}

static void send_listeners(struct proc *proc) {
  struct parent *p = proc->parent;
  for (size_t i = 0; i < p->listener_count; i++) {
    const struct listener *l = &p->listeners[i];
    if (l->kind != proc->kind) continue;
    SEND(proc, process_listener, 0, fcntl(l->fd, F_DUPFD_CLOEXEC, 0), slice_str(l->service),
         l->implicit_tls);
  }
}

static void send_refused(struct proc *to, const struct offender *o) {
  uint64_t now = loop_now(to->parent->loop);
  if (!is_given(to, ROLE_GIVEN_NOTES) || !to->channel || o->until_ms <= now) return;
  SEND(to, process_refuse, 0, -1, slice_of(o->who.address, o->who.n),
       (uint32_t)((o->until_ms - now + 999) / 1000));
}

/* Reads the page rather than mapping it: if the process truncated it, a mapping would crash the
 * parent. */
static void send_notes(struct proc *proc) {
  if (!is_given(proc, ROLE_GIVEN_NOTES)) return;
  int fd = memfd_create("qasid-notes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd >= 0 && (ftruncate(fd, sizeof(struct front_notes)) != 0 ||
                  fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)) {
    close(fd);
    fd = -1;
  }
  int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
  if (copy >= 0) SEND(proc, process_notes, 0, copy, );
  if (copy < 0 && fd >= 0) close(fd);
  proc->notes = copy < 0 ? 0 : fd + 1;
  for (size_t i = 0; i < OFFENDERS_MAX; i++) send_refused(proc, &proc->parent->offenders.rows[i]);
}

static void send_hello(struct proc *proc) {
  struct parent *p = proc->parent;
  char folder[1101], root[1101];
  setup_folder_of(p, proc->kind, folder, sizeof folder);
  if (folder[0])
    snprintf(root, sizeof root, "%s", folder);
  else
    snprintf(root, sizeof root, "%s/empty", p->conf->data_dir);
  const struct identity *who = &p->identities[proc->kind];
  SEND(proc, process_hello, 0, -1, (uint8_t)proc->kind, proc->number, p->as_root, who->uid,
       who->gid, slice_str(folder), slice_str(root), p->started_s);
}

/* --- connecting --- */

static bool make_pair(int ends[2]) {
  int size = 1024 * 1024; /* the kernel caps it; with more waiting packets, fewer turns are
                           * needed */
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return false;
  for (int i = 0; i < 2; i++) setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  return true;
}

static void join(struct proc *a, struct proc *b) {
  int ends[2];
  if (!make_pair(ends)) {
    log_print(&a->parent->log, LOG_E_JOIN, "%s and %s could not be joined: %s", role_name(a->kind),
              role_name(b->kind), strerror(errno));
    kill(a->pid, SIGKILL); /* it is restarted, and then connected */
    return;
  }
  SEND(a, process_channel, 0, ends[0], (uint8_t)b->kind, b->number);
  SEND(b, process_channel, 0, ends[1], (uint8_t)a->kind, a->number);
}

static void connect_neighbours(struct proc *proc) {
  struct parent *p = proc->parent;
  for (size_t i = 0; i < p->proc_count; i++) {
    struct proc *other = &p->procs[i];
    if (other != proc && other->channel && ipc_wire_between(proc->kind, other->kind))
      join(proc, other);
  }
}

int procs_connect_cli(struct parent *p, enum role kind, unsigned index, uint32_t number) {
  for (size_t i = 0; i < p->proc_count; i++) {
    struct proc *proc = &p->procs[i];
    int ends[2];
    if (proc->kind != kind || proc->index != index || !proc->channel || proc->retired) continue;
    if (!ipc_wire_between(ROLE_CLI, kind) || !make_pair(ends)) return -1;
    SEND(proc, process_channel, 0, ends[1], ROLE_CLI, number);
    return ends[0];
  }
  return -1;
}

/* --- life and death --- */

struct proc *procs_accuse(struct parent *p, struct proc *accuser, enum role kind, uint32_t number) {
  for (size_t i = 0; i < p->proc_count; i++) {
    struct proc *proc = &p->procs[i];
    if (proc->kind != kind || proc->number != number || !proc->pid) continue;
    bool front = role_rows[accuser->kind].class == ROLE_CLASS_FRONT;
    return front || !ipc_wire_between(accuser->kind, kind) ? accuser : proc;
  }
  return NULL;
}

/* The time limit for this one to become ready, or to report progress. */
static uint64_t start_time(const struct proc *proc) {
#ifdef QASID_TEST_HOOKS
  const char *ms = getenv("QASID_TEST_START_MS");
  uint64_t n;
  if (ms && num_parse(slice_str(ms), 60000, &n)) return n;
#endif
  return role_rows[proc->kind].ready_s * 1000ull;
}

static bool on_message(void *arg, struct channel *ch, const struct ipc_msg *msg, uint8_t state) {
  struct proc *proc = arg;
  struct parent *p = proc->parent;
  if (msg->type == process_ready_type) {
    struct process_ready m;
    if (!process_ready_get(msg->payload, &m)) return false;
    snprintf(proc->missing, sizeof proc->missing, "%.*s", SLICE_ARG(m.missing));
    proc->ready = true;
    proc->applies = false; /* it started with the new configuration */
    renew_ready(proc);
    loop_timer_cancel(proc->restart);
    reload_progress(p);
    if (m.missing.n)
      log_print(&p->log, LOG_E_SANDBOX,
                "%s-%u is less confined than it should be, this system lacks: %s",
                role_name(proc->kind), proc->number, proc->missing);
    parent_progress(p);
    return true;
  }
  if (msg->type == process_applied_type) {
    struct process_applied m;
    if (!process_applied_get(msg->payload, &m)) return false;
    if (m.number != p->reload.number || !proc->applies)
      return true; /* an answer to an earlier reload */
    proc->applies = false;
    reload_answered(p, proc, m.refused);
    reload_progress(p);
    return true;
  }
  if (msg->type == process_failed_type) {
    struct process_failed m;
    if (!process_failed_get(msg->payload, &m)) return false;
    if (!p->was_ready && !p->stopping) {
      log_print(&p->log, LOG_E_START, "the %s could not start: %.*s", role_name(proc->kind),
                SLICE_ARG(m.text));
      parent_stop(p, 75);
    }
    return true;
  }
  if (msg->type == process_advances_type) {
    loop_timer_set(proc->restart, loop_now(p->loop) + start_time(proc));
    return true;
  }
  if (msg->type == process_again_type) {
    proc->renewed = true;
    return true;
  }
  struct process_breach m;
  if (!process_breach_get(msg->payload, &m)) return false;
  struct proc *guilty = procs_accuse(p, proc, (enum role)m.kind, m.number);
  if (!guilty) return true;
  log_print(&p->log, LOG_E_BREACH, "%s-%u is ended: %s-%u says that %s-%u broke a rule: %.*s",
            role_name(guilty->kind), guilty->number, role_name(proc->kind), proc->number,
            role_name((enum role)m.kind), m.number, SLICE_ARG(m.text));
  kill(guilty->pid, SIGKILL);
  return true;
}

/* The process is gone or nearly so; SIGCHLD does the rest. */
static void on_lost(void *arg, struct channel *ch, const char *breach) {
  struct proc *proc = arg;
  if (breach)
    log_print(&proc->parent->log, LOG_E_BREACH, "%s-%u: %s", role_name(proc->kind), proc->number,
              breach);
  if (breach && proc->pid) kill(proc->pid, SIGKILL);
  channel_free(&proc->channel);
  loop_timer_set(proc->restart, loop_now(proc->parent->loop) + PARENT_LINGER_MS);
}

static const struct channel_ops proc_channel_ops = { on_message, on_lost };

static void child(struct parent *p, enum role kind, int fd, int log) {
  char program[] = "qasid", option[] = "--role";
  char *argv[] = { program, option, (char *)(uintptr_t)role_name(kind), NULL };
#ifdef QASID_TEST_HOOKS
  /* Sanitizers and coverage are configured by environment variables; a release build has none. */
  char **env = environ;
#else
  char *env[] = { NULL };
#endif
  /* self_fd is close-on-exec and may have the number PROCESS_PARENT_FD: move it out of the way. */
  int self = fcntl(p->self_fd, F_DUPFD_CLOEXEC, 10);
  sigset_t none;
  if (dup2(log, STDERR_FILENO) < 0) _exit(71); /* both are close-on-exec; the copy is not */
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  /* descriptors that the server was started with are not for the processes */
  close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
  if (fd == 3)
    fcntl(fd, F_SETFD, 0);
  else
    dup2(fd, 3);
  fexecve(self, argv, env);
  _exit(71);
}

static bool others_serve(const struct parent *p, const struct proc *proc) {
  for (size_t i = 0; i < p->proc_count; i++)
    if (&p->procs[i] != proc && p->procs[i].kind == proc->kind && p->procs[i].ready) return true;
  return false;
}

uint64_t procs_pause(const struct parent *p, const struct proc *proc) {
  uint64_t pause = PARENT_PAUSE_MS;
  if (others_serve(p, proc)) return pause;
  for (unsigned i = 1; i < proc->quick_deaths && pause < PARENT_PAUSE_MOST_MS; i++) pause *= 2;
  return pause < PARENT_PAUSE_MOST_MS ? pause : PARENT_PAUSE_MOST_MS;
}

static void plan_restart(struct proc *proc) {
  uint64_t now = loop_now(proc->parent->loop);
  bool quick = !proc->renewed && now - proc->started_ms < PARENT_STEADY_MS;
  proc->quick_deaths = quick ? proc->quick_deaths + 1 : 0;
  loop_timer_set(proc->restart, now + procs_pause(proc->parent, proc));
}

/* The process and its channel. False: neither exists, or the process ends for lack of a channel. */
static bool make_process(struct proc *proc) {
  int ends[2], log;
  char name[24];
  snprintf(name, sizeof name, "%s-%u", role_name(proc->kind), proc->number);
  if (!make_pair(ends)) return false;
  log = logs_source(proc->parent->logs, name);
  proc->pid = log < 0 ? -1 : fork();
  if (proc->pid == 0) child(proc->parent, proc->kind, ends[1], log);
  close(ends[1]);
  if (log >= 0) close(log);
  if (proc->pid < 0) {
    proc->pid = 0;
    close(ends[0]);
    return false;
  }
  proc->channel = channel_new(proc->parent->loop, ends[0], &ipc_parent_process, IPC_LEFT,
                              &proc_channel_ops, proc);
  return proc->channel != NULL;
}

void procs_start_one(struct proc *proc) {
  struct parent *p = proc->parent;
  proc->number = ++p->last_number;
  proc->started_ms = loop_now(p->loop);
  proc->ready = proc->renewed = false;
  if (!make_process(proc)) {
    log_print(&p->log, LOG_E_START, "%s: %s; it is tried again", role_name(proc->kind),
              strerror(errno));
    if (!proc->pid) plan_restart(proc); /* otherwise its end will be noticed */
    return;
  }
  renew_note_reads(proc);
  send_hello(proc);
  send_config(proc);
  send_listeners(proc);
  send_certificates(proc);
  send_tickets(proc);
  send_token_keys(proc);
  send_notes(proc);
  connect_neighbours(proc);
  SEND(proc, process_go, 0, -1, );
  loop_timer_set(proc->restart, proc->started_ms + start_time(proc));
}

static void restart(void *arg) {
  struct proc *proc = arg;
  if (proc->pid && proc->channel && !proc->ready)
    log_print(&proc->parent->log, LOG_E_START,
              "%s-%u was not ready, nor got further, for %ju ms; it is ended and started again",
              role_name(proc->kind), proc->number, (uintmax_t)start_time(proc));
  /* or it closed its channel and lives on: nothing can be sent to it */
  if (proc->pid) kill(proc->pid, SIGKILL);
  if (proc->parent->stopping || proc->pid || proc->spare) return;
  proc->restarts += !proc->renewed;
  procs_start_one(proc);
}

/* No client waits for these, and they would take processor time from those for which one does. */
static bool is_late(const struct proc *proc) { return role_rows[proc->kind].late; }

void procs_start(struct parent *p) {
  for (size_t i = 0; i < p->proc_count; i++) {
    p->procs[i].restart = loop_timer_new(p->loop, restart, &p->procs[i]);
    if (!is_late(&p->procs[i])) procs_start_one(&p->procs[i]);
  }
}

struct proc *procs_place_like(struct proc *like) {
  struct parent *p = like->parent;
  struct proc *place = NULL;
  for (size_t i = 0; i < p->proc_count && !place; i++)
    if (p->procs[i].spare && p->procs[i].kind == like->kind) place = &p->procs[i];
  if (!place && p->proc_count == PARENT_PROCS_MAX) return NULL;
  struct loop_timer *timer =
      place ? place->restart : loop_timer_new(p->loop, restart, &p->procs[p->proc_count]);
  if (!timer) return NULL;
  if (!place) place = &p->procs[p->proc_count++];
  buf_free(&place->reads);
  *place = (struct proc){ .parent = p, .kind = like->kind, .index = like->index, .restart = timer };
  return place;
}

bool procs_ready(struct parent *p) {
  bool early = true, all = true;
  for (size_t i = 0; i < p->proc_count; i++) {
    if (p->procs[i].spare) continue;
    all &= p->procs[i].ready;
    early &= p->procs[i].ready || is_late(&p->procs[i]);
  }
  for (size_t i = 0; early && !p->late_started && i < p->proc_count; i++)
    if (is_late(&p->procs[i])) procs_start_one(&p->procs[i]);
  p->late_started |= early;
  return all;
}

static void log_death(struct proc *proc, int status) {
  struct parent *p = proc->parent;
  bool expected = (p->stopping || proc->renewed || proc->retired) && WIFEXITED(status) &&
                  WEXITSTATUS(status) == 0;
  const char *hint = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS
                         ? ": a system call that its sandbox forbids"
                         : "";
  if (p->stopping && !proc->ready && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
    log_print(&p->log, LOG_E_PROCESS_ENDED, "%s-%u ended before it was ready",
              role_name(proc->kind), proc->number);
  else if (WIFSIGNALED(status))
    log_print(&p->log, LOG_E_PROCESS_DIED, "%s-%u was ended by signal %d%s", role_name(proc->kind),
              proc->number, WTERMSIG(status), hint);
  else
    log_print(&p->log, expected ? LOG_E_PROCESS_ENDED : LOG_E_PROCESS_DIED,
              "%s-%u ended with code %d", role_name(proc->kind), proc->number, WEXITSTATUS(status));
}

/* True if the process itself caused its death. */
static bool is_fault(int status) {
  static const int faults[] = { SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGTRAP };
  for (size_t i = 0; WIFSIGNALED(status) && i < sizeof faults / sizeof *faults; i++)
    if (WTERMSIG(status) == faults[i]) return true;
  return false;
}

static void refuse_offender(struct parent *p, const struct offender *o) {
  struct log_line l;
  char text[64] = "";
  inet_ntop(o->who.n == 4 ? AF_INET : AF_INET6, o->who.address, text, sizeof text);
  log_open(&l, &p->log, LOG_E_OFFENDER);
  log_cstr(&l, LOG_F_CLIENT, text);
  log_cstr(&l, LOG_F_MSG,
           "what this address sends ends front-ends; it is refused for offender_time");
  log_end(&l);
  for (size_t i = 0; i < p->proc_count; i++) send_refused(&p->procs[i], o);
}

static void look_for_offender(struct proc *proc, int status) {
  struct parent *p = proc->parent;
  struct front_notes notes;
  if (!proc->notes) return;
  bool read = is_fault(status) && pread(proc->notes - 1, &notes, sizeof notes, 0) == sizeof notes;
  close(proc->notes - 1);
  proc->notes = 0;
  const struct offender *o =
      read ? find_offender(&p->offenders, &notes, loop_now(p->loop), p->conf->offender_time * 1000)
           : NULL;
  if (o) refuse_offender(p, o);
}

void procs_reap(struct parent *p) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    for (size_t i = 0; i < p->proc_count; i++) {
      struct proc *proc = &p->procs[i];
      if (proc->pid != pid) continue;
      log_death(proc, status);
      look_for_offender(proc, status);
      channel_free(&proc->channel);
      proc->pid = 0;
      proc->ready = false;
      proc->number = 0;
      if (!proc->renewed)
        proc->applies = false; /* the restarted process gets the new
                                                  * configuration */
      if (!p->stopping && !renew_ended(proc)) plan_restart(proc);
    }
  }
  reload_progress(p);
  parent_progress(p);
}

void procs_reconfigure(struct parent *p) {
  for (size_t i = 0; i < p->proc_count; i++) {
    struct proc *proc = &p->procs[i];
    proc->applies = proc->channel && !proc->retired;
    if (!proc->applies || procs_renew(proc)) continue;
    send_config(proc);
    send_certificates(proc);
    send_token_keys(proc);
    SEND(proc, process_apply, 0, -1, p->reload.number);
  }
}

void procs_send_tickets(struct parent *p) {
  for (size_t i = 0; i < p->proc_count; i++)
    if (p->procs[i].channel) send_tickets(&p->procs[i]);
}

/* A process that is not ready has acknowledged nothing, and may take long, with an index to build
 * or a log to read: it is killed, and its successor finds what any crash leaves. */
bool procs_stop_stage(struct parent *p, int stage) {
  bool left = false;
  for (size_t i = 0; i < p->proc_count; i++) {
    struct proc *proc = &p->procs[i];
    if (role_rows[proc->kind].stop != stage || !proc->pid) continue;
    left = true;
    if (!proc->ready)
      kill(proc->pid, SIGKILL);
    else if (proc->channel)
      SEND(proc, process_stop, 0, -1, );
  }
  return !left;
}

void procs_kill(struct parent *p) {
  for (size_t i = 0; i < p->proc_count; i++)
    if (p->procs[i].pid) kill(p->procs[i].pid, SIGKILL);
}
