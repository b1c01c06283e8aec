/* SPDX-License-Identifier: ISC */
/* The server as a whole: start, reload, stop. parent.h has the states. */
#include "src/parent/parent.h"

#include "lib/base/sys.h"
#include "runtime/role/process.h"
#include "src/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READY_FD = 3 }; /* of `serve --offline`: where "ready" is written for the command line */

/* --- the configuration --- */

static void parent_log_lines(struct parent *p, enum log_event event, struct slice text) {
  while (text.n) {
    struct slice line = slice_split(&text, '\n');
    if (line.n) log_print(&p->log, event, "%.*s", SLICE_ARG(line));
  }
}

void parent_name_host(struct parent *p, struct conf *conf) {
  if (conf->hostname[0]) return;
  if (gethostname(p->hostname, sizeof p->hostname - 1) != 0 || !p->hostname[0])
    snprintf(p->hostname, sizeof p->hostname, "localhost");
  if (!conf_set_hostname(conf, p->hostname))
    log_print(&p->log, LOG_E_NO_MEMORY, "the host's name is lost");
}

/* Read everything before changing anything: one unreadable file leaves the old set in force. */
bool parent_read_files(struct parent *p, const struct conf *conf, struct buf *err) {
  return setup_anchor(conf, err) && setup_logins(p, conf, err) && setup_token_keys(p, conf, err) &&
         setup_certificates(p, conf, err);
}

/* --- the state of the whole --- */

static void all_ready(struct parent *p) {
  p->was_ready = true;
  log_print(&p->log, LOG_E_READY, "Qasid %s: %zu processes, %zu listeners, %ju ms after the start",
            QASID_VERSION, p->proc_count, p->listener_count,
            (uintmax_t)(loop_now(p->loop) - p->start_ms));
  notify_state("READY=1");
  if (!p->offline) return;
  ssize_t n = write(READY_FD, "ready\n", 6);
  (void)n;
  close(READY_FD);
}

void parent_progress(struct parent *p) {
  if (p->stopping) {
    while (p->stop_stage < 3 && procs_stop_stage(p, p->stop_stage)) p->stop_stage++;
    if (p->stop_stage == 3) loop_stop(p->loop);
    return;
  }
  if (procs_ready(p) && !p->was_ready) all_ready(p);
}

static void stop_late(void *arg) {
  struct parent *p = arg;
  log_print(&p->log, LOG_E_STOP_LATE, "some processes did not end in time and are killed");
  procs_kill(p);
}

void parent_stop(struct parent *p, int exit_code) {
  if (p->stopping) return;
  p->stopping = true;
  p->exit_code = exit_code;
  notify_state("STOPPING=1");
  log_print(&p->log, LOG_E_STOP, "finishing what was acknowledged");
  p->stop_timer = loop_timer_new(p->loop, stop_late, p);
  if (p->stop_timer)
    loop_timer_set(p->stop_timer,
                   loop_now(p->loop) + PARENT_STOP_MS + p->conf->sender_stop_time * 1000);
  parent_progress(p);
}

static void on_signal(void *arg, int signo) {
  struct parent *p = arg;
  if (signo == SIGCHLD)
    procs_reap(p);
  else if (signo == SIGHUP)
    parent_reload(p);
  else
    parent_stop(p, 0);
}

static void turn_tickets(void *arg) {
  struct parent *p = arg;
  setup_tickets(p);
  procs_send_tickets(p);
  loop_timer_set(p->ticket_timer, loop_now(p->loop) + p->conf->tls_ticket_life * 500);
}

/* --- start --- */

static bool prepare(struct parent *p, struct buf *err) {
  p->conf = conf_load(p->config_path, err);
  if (!p->conf) return false;
  parent_name_host(p, p->conf);
  process_log_setup(&p->log, p->conf);
  p->as_root = geteuid() == 0;
  setup_tickets(p);
  return control_is_free(p, err) && setup_identities(p, err) && setup_folders(p, err) &&
         (p->offline || parent_read_files(p, p->conf, err)) &&
         (p->offline || setup_listeners(p, err)) && control_open(p, err) &&
         (p->offline || setup_local_listener(p, err)) && (!p->as_root || rights_reduce(err)) &&
         (p->offline || logs_configure(p->logs, p->conf, err));
}

/* The private keys are in this process's memory: prevents core files, and access by other
 * processes. */
static void hide_memory(void) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
  setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
}

static void raise_descriptors(void) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

static void warn_bare(struct parent *p) {
  if (p->cert_count == 0 && !p->offline)
    log_print(&p->log, LOG_E_TLS_NONE,
              "no certificate (tls_certificates): nothing is encrypted, ports 465 and 995 are not "
              "served");
}

static int serve(struct parent *p) {
  static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
  struct loop_signal *handlers[4];
  for (int i = 0; i < 4; i++) handlers[i] = loop_signal_new(p->loop, signals[i], on_signal, p);
  p->ticket_timer = loop_timer_new(p->loop, turn_tickets, p);
  if (p->ticket_timer)
    loop_timer_set(p->ticket_timer, loop_now(p->loop) + p->conf->tls_ticket_life * 500);
  warn_bare(p);
  procs_plan(p);
  procs_start(p);
  loop_run(p->loop);
  control_close(p);
  for (int i = 0; i < 4; i++) loop_signal_free(&handlers[i]);
  log_print(&p->log, LOG_E_STOPPED, "after %ju s",
            (uintmax_t)((loop_now(p->loop) - p->start_ms) / 1000));
  return p->exit_code;
}

int parent_main(int argc, char **argv) {
  struct parent *p = calloc(1, sizeof *p);
  if (!p) return 71;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--offline") == 0)
      p->offline = true;
    else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
      p->config_path = argv[++i];
  }
  p->control_fd = -1;
  p->self_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  p->loop = loop_new();
  p->logs = p->loop ? logs_new(p->loop) : NULL;
  if (!p->logs) return 71;
  logs_own(p->logs, &p->log);
  signal(SIGPIPE, SIG_IGN);
  umask(0077);
  raise_descriptors();
  hide_memory();
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  struct buf err;
  buf_init(&err, 16 * 1024);
  int code = 78;
  if (!p->config_path || p->self_fd < 0) {
    log_print(&p->log, LOG_E_START, "no configuration, or no /proc");
  } else {
    p->start_ms = loop_now(p->loop);
    p->started_s = (uint32_t)sys_wall_s();
    if (prepare(p, &err))
      code = serve(p);
    else
      parent_log_lines(p, LOG_E_START, buf_slice(&err));
    if (p->exit_code) code = p->exit_code;
  }
  buf_free(&err);
  logs_free(&p->logs);
  return code;
}
