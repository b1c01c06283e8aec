/* The processes: planned from the configuration, started by re-execution, joined as the graph in
 * ipc/rooms.c says, started again when they die.
 *
 * A process that is restarted gets a new number, so nothing that was granted to its former life
 * holds; each of its neighbours gets a new channel to it. */
#include "src/parent/parent.h"

#include "ipc/parent_room.h"
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

static unsigned how_many(uint64_t wanted) {
  long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  if (wanted) return (unsigned)wanted;
  return cpus < 1 ? 1 : cpus > 4 ? 4 : (unsigned)cpus;
}

static void plan(struct parent *p, enum room_kind kind, unsigned count) {
  for (unsigned i = 0; i < count && p->proc_count < PARENT_PROCS_MAX; i++)
    p->procs[p->proc_count++] = (struct proc){ .parent = p, .kind = kind, .index = i };
}

static bool listens(const struct parent *p, enum room_kind kind) {
  for (size_t i = 0; i < p->listener_count; i++)
    if (p->listeners[i].kind == kind) return true;
  return false;
}

/* In the order of starting: whoever is asked before whoever asks. */
void procs_plan(struct parent *p) {
  plan(p, ROOM_STORE, 1);
  plan(p, ROOM_AUTH, 1);
  plan(p, ROOM_KEYS, 1);
  if (p->offline) return;
  if (p->conf->collect || p->conf->send) plan(p, ROOM_RESOLVER, 1);
  if (p->conf->collect) plan(p, ROOM_COLLECTOR, 1);
  if (p->conf->send) plan(p, ROOM_SENDER, 1);
  if (listens(p, ROOM_SMTPD)) plan(p, ROOM_SMTPD, how_many(p->conf->smtpd_processes));
  if (listens(p, ROOM_POP3D)) plan(p, ROOM_POP3D, how_many(p->conf->pop3d_processes));
}

/* --- what a process is told --- */

#define SAY(pr, name, most, fd, ...)                                                              \
  do {                                                                                            \
    struct buf *say_b = channel_begin_fd((pr)->channel, name##_type, 0, fd);                      \
    if (say_b) name##_put(say_b, &(struct name){ __VA_ARGS__ });                                  \
    channel_end((pr)->channel);                                                                   \
  } while (0)

static void say_config(struct proc *pr) {
  struct buf packed;
  buf_init(&packed, IPC_PAYLOAD_MAX - 64);
  conf_pack(pr->parent->conf, &packed);
  SAY(pr, room_config, IPC_PAYLOAD_MAX, -1, buf_slice(&packed));
  buf_free(&packed);
}

static bool is_front(enum room_kind kind) { return kind == ROOM_SMTPD || kind == ROOM_POP3D; }

static void say_certificates(struct proc *pr) {
  struct parent *p = pr->parent;
  if (!is_front(pr->kind) && pr->kind != ROOM_KEYS) return;
  for (size_t i = 0; i < p->cert_count; i++) {
    struct slice pem = buf_slice(pr->kind == ROOM_KEYS ? &p->keys[i] : &p->chains[i]);
    SAY(pr, room_certificate, 0, -1, (uint16_t)i, i + 1 == p->cert_count, pem);
  }
}

static void say_token_keys(struct proc *pr) {
  if (pr->kind == ROOM_AUTH) SAY(pr, room_token_keys, 0, -1, buf_slice(&pr->parent->token_keys));
}

static void say_tickets(struct proc *pr) {
  struct parent *p = pr->parent;
  if (is_front(pr->kind))
    SAY(pr, room_tickets, 0, -1, slice_of(p->tickets[pr->kind], p->ticket_keys * PARENT_TICKET_KEY_SIZE));
}

static void say_listeners(struct proc *pr) {
  struct parent *p = pr->parent;
  for (size_t i = 0; i < p->listener_count; i++) {
    const struct listener *l = &p->listeners[i];
    if (l->kind != pr->kind) continue;
    SAY(pr, room_listener, 0, fcntl(l->fd, F_DUPFD_CLOEXEC, 0), slice_str(l->service), l->implicit_tls);
  }
}

static void say_refused(struct proc *to, const struct offender *o) {
  uint64_t now = loop_now(to->parent->loop);
  if (!is_front(to->kind) || !to->channel || o->until_ms <= now) return;
  SAY(to, room_refuse, 0, -1, slice_of(o->who.address, o->who.n), (uint32_t)((o->until_ms - now + 999) / 1000));
}

/* A page that the process can make no smaller, which would be the parent's end if it were mapped here: it is read. */
static void say_notes(struct proc *pr) {
  if (!is_front(pr->kind)) return;
  int fd = memfd_create("qasid-notes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd >= 0 && (ftruncate(fd, sizeof(struct front_notes)) != 0 ||
                  fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)) {
    close(fd);
    fd = -1;
  }
  int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
  if (copy >= 0) SAY(pr, room_notes, 0, copy, );
  if (copy < 0 && fd >= 0) close(fd);
  pr->notes = copy < 0 ? 0 : fd + 1;
  for (size_t i = 0; i < OFFENDERS_MAX; i++) say_refused(pr, &pr->parent->offenders.rows[i]);
}

static void say_hello(struct proc *pr) {
  struct parent *p = pr->parent;
  char folder[1101], root[1101];
  setup_folder_of(p, pr->kind, folder, sizeof folder);
  if (folder[0]) snprintf(root, sizeof root, "%s", folder);
  else snprintf(root, sizeof root, "%s/empty", p->conf->data_dir);
  const struct identity *who = &p->identities[pr->kind];
  SAY(pr, room_hello, 0, -1, (uint8_t)pr->kind, pr->number, p->as_root, who->uid, who->gid, slice_str(folder), slice_str(root),
      p->started_s);
}

/* --- joining --- */

static bool make_pair(int ends[2]) {
  int size = 1024 * 1024; /* the kernel caps it; more packets can wait, fewer turns are needed */
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return false;
  for (int i = 0; i < 2; i++) setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  return true;
}

static void join(struct proc *a, struct proc *b) {
  int ends[2];
  if (!make_pair(ends)) {
    log_say(&a->parent->log, LOG_E_JOIN, "%s and %s could not be joined: %s", room_name(a->kind),
            room_name(b->kind), strerror(errno));
    kill(a->pid, SIGKILL); /* it is started again, and then joined */
    return;
  }
  SAY(a, room_channel, 0, ends[0], (uint8_t)b->kind, b->number);
  SAY(b, room_channel, 0, ends[1], (uint8_t)a->kind, a->number);
}

static void join_neighbours(struct proc *pr) {
  struct parent *p = pr->parent;
  for (size_t i = 0; i < p->proc_count; i++) {
    struct proc *other = &p->procs[i];
    if (other != pr && other->channel && ipc_wire_between(pr->kind, other->kind)) join(pr, other);
  }
}

int procs_join_cli(struct parent *p, enum room_kind kind, unsigned index, uint32_t number) {
  for (size_t i = 0; i < p->proc_count; i++) {
    struct proc *pr = &p->procs[i];
    int ends[2];
    if (pr->kind != kind || pr->index != index || !pr->channel) continue;
    if (!ipc_wire_between(ROOM_CLI, kind) || !make_pair(ends)) return -1;
    SAY(pr, room_channel, 0, ends[1], ROOM_CLI, number);
    return ends[0];
  }
  return -1;
}

/* --- life and death --- */

struct proc *procs_blame(struct parent *p, struct proc *accuser, enum room_kind kind, uint32_t number) {
  for (size_t i = 0; i < p->proc_count; i++) {
    struct proc *pr = &p->procs[i];
    if (pr->kind != kind || pr->number != number || !pr->pid) continue;
    return is_front(accuser->kind) || !ipc_wire_between(accuser->kind, kind) ? accuser : pr;
  }
  return NULL;
}

static bool on_message(void *arg, struct channel *ch, const struct ipc_msg *msg, uint8_t state) {
  struct proc *pr = arg;
  struct parent *p = pr->parent;
  if (msg->type == room_ready_type) {
    struct room_ready m;
    if (!room_ready_get(msg->payload, &m)) return false;
    snprintf(pr->missing, sizeof pr->missing, "%.*s", SLICE_ARG(m.missing));
    pr->ready = true;
    pr->applies = false; /* it began with the new configuration */
    loop_timer_cancel(pr->restart);
    reload_progress(p);
    if (m.missing.n)
      log_say(&p->log, LOG_E_SANDBOX, "%s-%u is less confined than it should be, this system lacks: %s",
              room_name(pr->kind), pr->number, pr->missing);
    parent_progress(p);
    return true;
  }
  if (msg->type == room_applied_type) {
    struct room_applied m;
    if (!room_applied_get(msg->payload, &m)) return false;
    if (m.number != p->reload.number || !pr->applies) return true; /* an answer to a former one */
    pr->applies = false;
    reload_answered(p, pr, m.refused);
    reload_progress(p);
    return true;
  }
  if (msg->type == room_failed_type) {
    struct room_failed m;
    if (!room_failed_get(msg->payload, &m)) return false;
    if (!p->was_ready && !p->stopping) {
      log_say(&p->log, LOG_E_START, "the %s could not start: %.*s", room_name(pr->kind), SLICE_ARG(m.text));
      parent_stop(p, 75);
    }
    return true;
  }
  struct room_breach m;
  if (!room_breach_get(msg->payload, &m)) return false;
  struct proc *guilty = procs_blame(p, pr, (enum room_kind)m.kind, m.number);
  if (!guilty) return true;
  log_say(&p->log, LOG_E_BREACH, "%s-%u is ended: %s-%u says that %s-%u broke a rule: %.*s",
          room_name(guilty->kind), guilty->number, room_name(pr->kind), pr->number, room_name((enum room_kind)m.kind),
          m.number, SLICE_ARG(m.text));
  kill(guilty->pid, SIGKILL);
  return true;
}

/* The process is gone or nearly; SIGCHLD tells the rest. */
static void on_lost(void *arg, struct channel *ch, const char *breach) {
  struct proc *pr = arg;
  if (breach) log_say(&pr->parent->log, LOG_E_BREACH, "%s-%u: %s", room_name(pr->kind), pr->number, breach);
  if (breach && pr->pid) kill(pr->pid, SIGKILL);
  channel_free(&pr->channel);
  loop_timer_set(pr->restart, loop_now(pr->parent->loop) + PARENT_LINGER_MS);
}

static const struct channel_ops proc_channel_ops = { on_message, on_lost };

static void child(struct parent *p, enum room_kind kind, int fd, int log) {
  char program[] = "qasid", option[] = "--room";
  char *argv[] = { program, option, (char *)(uintptr_t)room_name(kind), NULL };
#ifdef QASID_TEST_HOOKS
  /* Sanitizers and coverage are steered by their environment; a release has none. */
  char **env = environ;
#else
  char *env[] = { NULL };
#endif
  /* self_fd is close-on-exec and may be where ROOM_PARENT_FD has to be: keep it out of the way. */
  int self = fcntl(p->self_fd, F_DUPFD_CLOEXEC, 10);
  sigset_t none;
  if (dup2(log, STDERR_FILENO) < 0) _exit(71); /* both are close-on-exec; the copy is not */
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  close_range(3, ~0u, CLOSE_RANGE_CLOEXEC); /* whatever the server was started with is not for rooms */
  if (fd == 3) fcntl(fd, F_SETFD, 0);
  else dup2(fd, 3);
  fexecve(self, argv, env);
  _exit(71);
}

static bool others_serve(const struct parent *p, const struct proc *pr) {
  for (size_t i = 0; i < p->proc_count; i++)
    if (&p->procs[i] != pr && p->procs[i].kind == pr->kind && p->procs[i].ready) return true;
  return false;
}

uint64_t procs_pause(const struct parent *p, const struct proc *pr) {
  uint64_t pause = PARENT_PAUSE_MS;
  if (is_front(pr->kind) && others_serve(p, pr)) return pause;
  for (unsigned i = 1; i < pr->quick_deaths && pause < PARENT_PAUSE_MOST_MS; i++) pause *= 2;
  return pause < PARENT_PAUSE_MOST_MS ? pause : PARENT_PAUSE_MOST_MS;
}

static void plan_restart(struct proc *pr) {
  uint64_t now = loop_now(pr->parent->loop);
  bool quick = !pr->renewed && now - pr->started_ms < PARENT_STEADY_MS;
  pr->quick_deaths = quick ? pr->quick_deaths + 1 : 0;
  loop_timer_set(pr->restart, now + procs_pause(pr->parent, pr));
}

/* The process and its channel. False: there is neither, or a process that ends for want of a channel. */
static bool make_process(struct proc *pr) {
  int ends[2], log;
  char name[24];
  snprintf(name, sizeof name, "%s-%u", room_name(pr->kind), pr->number);
  if (!make_pair(ends)) return false;
  log = logs_source(pr->parent->logs, name);
  pr->pid = log < 0 ? -1 : fork();
  if (pr->pid == 0) child(pr->parent, pr->kind, ends[1], log);
  close(ends[1]);
  if (log >= 0) close(log);
  if (pr->pid < 0) {
    pr->pid = 0;
    close(ends[0]);
    return false;
  }
  pr->channel = channel_new(pr->parent->loop, ends[0], &ipc_parent_room, IPC_LEFT, &proc_channel_ops, pr);
  return pr->channel != NULL;
}

/* How long this one may take until it is ready. */
static uint64_t start_time(const struct proc *pr) {
#ifdef QASID_TEST_HOOKS
  const char *ms = getenv("QASID_TEST_START_MS");
  uint64_t n;
  if (ms && num_parse(slice_str(ms), PARENT_START_MS, &n)) return n;
#endif
  return pr->kind == ROOM_STORE || pr->kind == ROOM_AUTH ? PARENT_START_FILES_MS : PARENT_START_MS;
}

static void start(struct proc *pr) {
  struct parent *p = pr->parent;
  pr->number = ++p->last_number;
  pr->started_ms = loop_now(p->loop);
  pr->ready = pr->renewed = false;
  if (!make_process(pr)) {
    log_say(&p->log, LOG_E_START, "%s: %s; it is tried again", room_name(pr->kind), strerror(errno));
    if (!pr->pid) plan_restart(pr); /* else its end is seen */
    return;
  }
  say_hello(pr);
  say_config(pr);
  say_listeners(pr);
  say_certificates(pr);
  say_tickets(pr);
  say_token_keys(pr);
  say_notes(pr);
  join_neighbours(pr);
  SAY(pr, room_go, 0, -1, );
  loop_timer_set(pr->restart, pr->started_ms + start_time(pr));
}

static void restart(void *arg) {
  struct proc *pr = arg;
  if (pr->pid && pr->channel && !pr->ready)
    log_say(&pr->parent->log, LOG_E_START, "%s-%u was not ready %ju ms after its start; it is ended and started again",
            room_name(pr->kind), pr->number, (uintmax_t)start_time(pr));
  if (pr->pid) kill(pr->pid, SIGKILL); /* or it closed its channel and lives on: nobody could tell it anything */
  if (pr->parent->stopping || pr->pid) return;
  pr->restarts += !pr->renewed;
  start(pr);
}

/* No client waits for these, and they take processor time from those that one does wait for. */
static bool is_late(const struct proc *pr) {
  return pr->kind == ROOM_RESOLVER || pr->kind == ROOM_COLLECTOR || pr->kind == ROOM_SENDER;
}

void procs_start(struct parent *p) {
  for (size_t i = 0; i < p->proc_count; i++) {
    p->procs[i].restart = loop_timer_new(p->loop, restart, &p->procs[i]);
    if (!is_late(&p->procs[i])) start(&p->procs[i]);
  }
}

bool procs_ready(struct parent *p) {
  bool early = true, all = true;
  for (size_t i = 0; i < p->proc_count; i++) {
    all &= p->procs[i].ready;
    early &= p->procs[i].ready || is_late(&p->procs[i]);
  }
  for (size_t i = 0; early && !p->late_started && i < p->proc_count; i++)
    if (is_late(&p->procs[i])) start(&p->procs[i]);
  p->late_started |= early;
  return all;
}

static void log_death(struct proc *pr, int status) {
  struct parent *p = pr->parent;
  bool expected = (p->stopping || pr->renewed) && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  const char *hint = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? ": a system call that its sandbox forbids" : "";
  if (p->stopping && !pr->ready && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
    log_say(&p->log, LOG_E_ROOM_ENDED, "%s-%u ended before it was ready", room_name(pr->kind), pr->number);
  else if (WIFSIGNALED(status))
    log_say(&p->log, LOG_E_ROOM_DIED, "%s-%u was ended by signal %d%s", room_name(pr->kind), pr->number, WTERMSIG(status), hint);
  else
    log_say(&p->log, expected ? LOG_E_ROOM_ENDED : LOG_E_ROOM_DIED, "%s-%u ended with code %d", room_name(pr->kind), pr->number, WEXITSTATUS(status));
}

/* By what it did itself. */
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
  log_cstr(&l, LOG_F_MSG, "what this address sends ends front-ends; it is refused for offender_time");
  log_end(&l);
  for (size_t i = 0; i < p->proc_count; i++) say_refused(&p->procs[i], o);
}

static void look_for_offender(struct proc *pr, int status) {
  struct parent *p = pr->parent;
  struct front_notes notes;
  if (!pr->notes) return;
  bool read = is_fault(status) && pread(pr->notes - 1, &notes, sizeof notes, 0) == sizeof notes;
  close(pr->notes - 1);
  pr->notes = 0;
  const struct offender *o =
      read ? find_offender(&p->offenders, &notes, loop_now(p->loop), p->conf->offender_time * 1000) : NULL;
  if (o) refuse_offender(p, o);
}

void procs_reap(struct parent *p) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    for (size_t i = 0; i < p->proc_count; i++) {
      struct proc *pr = &p->procs[i];
      if (pr->pid != pid) continue;
      log_death(pr, status);
      look_for_offender(pr, status);
      channel_free(&pr->channel);
      pr->pid = 0;
      pr->ready = false;
      pr->number = 0;
      if (!pr->renewed) pr->applies = false; /* its next life has the new configuration */
      if (!p->stopping) plan_restart(pr);
    }
  }
  reload_progress(p);
  parent_progress(p);
}

/* A room that reads the machine's own files before it is confined reads them again in its next life. */
static bool renew(struct proc *pr) {
  if (pr->kind != ROOM_RESOLVER && pr->kind != ROOM_SENDER) return false;
  pr->renewed = true;
  SAY(pr, room_stop, 0, -1, );
  return true;
}

void procs_reconfigure(struct parent *p) {
  for (size_t i = 0; i < p->proc_count; i++) {
    struct proc *pr = &p->procs[i];
    pr->applies = pr->channel;
    if (!pr->channel || renew(pr)) continue;
    say_config(pr);
    say_certificates(pr);
    say_token_keys(pr);
    SAY(pr, room_apply, 0, -1, p->reload.number);
  }
}

void procs_send_tickets(struct parent *p) {
  for (size_t i = 0; i < p->proc_count; i++)
    if (p->procs[i].channel) say_tickets(&p->procs[i]);
}

static int stage_of(enum room_kind kind) {
  return is_front(kind) || kind == ROOM_COLLECTOR || kind == ROOM_SENDER ? 0 : kind == ROOM_STORE ? 2 : 1;
}

/* Who is not ready has promised nobody anything, and may have long to go, with an index to build or a log to read: it
 * finds in its next life what any crash leaves. */
bool procs_stop_stage(struct parent *p, int stage) {
  bool left = false;
  for (size_t i = 0; i < p->proc_count; i++) {
    struct proc *pr = &p->procs[i];
    if (stage_of(pr->kind) != stage || !pr->pid) continue;
    left = true;
    if (!pr->ready) kill(pr->pid, SIGKILL);
    else if (pr->channel) SAY(pr, room_stop, 0, -1, );
  }
  return !left;
}

void procs_kill(struct parent *p) {
  for (size_t i = 0; i < p->proc_count; i++)
    if (p->procs[i].pid) kill(p->procs[i].pid, SIGKILL);
}
