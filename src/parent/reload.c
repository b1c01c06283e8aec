/* SPDX-License-Identifier: ISC */
/* A reload: checked first, then sent to every process, then awaited.
 *
 *   at rest → parent_reload(): an error in the file, in a certificate or a key refuses all of it
 *           → otherwise it is sent to every process, with process_apply as the last message
 *   waits   until each has answered or was restarted, or for PARENT_RELOAD_MS at most; then its
 *           result is reported
 *
 * A reload requested during another starts over; answers to the former one are ignored. */
#include "src/parent/parent.h"

#include "lib/base/crc32c.h"
#include "runtime/role/process.h"

#include <stdarg.h>
#include <stdio.h>

static void report(struct parent *p, enum log_event event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void report(struct parent *p, enum log_event event, const char *fmt, ...) {
  char text[1400];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  log_print(&p->log, event, "%s", text);
  buf_printf(&p->reload.report, "%s\n", text);
  if (event == LOG_E_RELOAD_REFUSED) p->reload.refused = true;
}

/* A comma-separated list of names of options, with text before it; nothing when it is empty. */
static void log_options(struct parent *p, enum log_event event, const char *before,
                        void (*list)(const struct conf *, const struct conf *, struct buf *),
                        const struct conf *next) {
  struct buf names;
  buf_init(&names, 4096);
  list(p->conf, next, &names);
  if (buf_len(&names)) report(p, event, "%s: %.*s", before, SLICE_ARG(buf_slice(&names)));
  buf_free(&names);
}

/* The file's configuration as far as it can take effect now; NULL with sentences in `err`. */
static struct conf *next_configuration(struct parent *p, struct buf *err) {
  struct conf *file = conf_load(p->config_path, err);
  if (!file) return NULL;
  log_options(p, LOG_E_RELOAD_PART, "these take effect at the next start only", conf_restart_needed,
              file);
  struct conf *next = conf_reloaded(p->conf, file);
  conf_free(&file);
  if (next)
    parent_name_host(p, next);
  else
    buf_put_str(err, "out of memory");
  return next;
}

/* The keys process and the ports 465 and 995 exist from the start or not at all. */
static bool tls_stays(const struct parent *p, const struct conf *next, struct buf *err) {
  if ((p->cert_count == 0) == (next->tls_certificates.count == 0)) return true;
  buf_put_str(err, "tls_certificates: TLS begins or ends with a restart only");
  return false;
}

/* --- the end --- */

static void over(struct parent *p) {
  struct reload *r = &p->reload;
  r->waits = false;
  loop_timer_cancel(r->timer);
  if (!r->refused) report(p, LOG_E_RELOAD, "done");
  notify_state("READY=1");
  control_reloaded(p, r->refused, buf_slice(&r->report));
  buf_free(&r->report);
}

void reload_answered(struct parent *p, const struct proc *proc, struct slice refused) {
  if (refused.n && p->reload.waits)
    report(p, LOG_E_RELOAD_REFUSED, "%s-%u refuses: %.*s", role_name(proc->kind), proc->number,
           SLICE_ARG(refused));
}

void reload_progress(struct parent *p) {
  if (!p->reload.waits) return;
  for (size_t i = 0; i < p->proc_count; i++)
    if (p->procs[i].applies) return;
  over(p);
}

static void late(void *arg) {
  struct parent *p = arg;
  for (size_t i = 0; i < p->proc_count; i++) {
    struct proc *proc = &p->procs[i];
    if (proc->applies)
      report(p, LOG_E_RELOAD_REFUSED, "%s-%u has not answered yet", role_name(proc->kind),
             proc->number);
    proc->applies = false;
  }
  over(p);
}

/* --- the beginning --- */

static uint32_t certificates_sum(const struct parent *p) {
  uint32_t sum = 0;
  for (size_t i = 0; i < p->cert_count; i++)
    sum = crc32c(crc32c(sum, buf_slice(&p->chains[i])), buf_slice(&p->keys[i]));
  return sum;
}

static bool prepare(struct parent *p, struct conf *next, struct buf *err) {
  uint32_t certificates = certificates_sum(p), token_keys = crc32c(0, buf_slice(&p->token_keys));
  if (p->offline) return true;
  if (!tls_stays(p, next, err) || !parent_read_files(p, next, err)) return false;
  if (certificates != certificates_sum(p))
    report(p, LOG_E_RELOAD, "changed: the certificates or their keys");
  if (token_keys != crc32c(0, buf_slice(&p->token_keys)))
    report(p, LOG_E_RELOAD, "changed: the key set of oauth_keys");
  return true;
}

/* The log's file is reopened in any case: if it was moved, nothing more should be written to it. */
static void reopen_log(struct parent *p, const struct conf *conf) {
  struct buf err;
  buf_init(&err, 2048);
  if (!p->offline && !logs_configure(p->logs, conf, &err))
    report(p, LOG_E_RELOAD_REFUSED, "%.*s; lines go where they went", SLICE_ARG(buf_slice(&err)));
  buf_free(&err);
}

static void refuse(struct parent *p, struct slice why) {
  reopen_log(p, p->conf);
  while (why.n) {
    struct slice line = slice_split(&why, '\n');
    if (line.n) report(p, LOG_E_RELOAD_REFUSED, "%.*s", SLICE_ARG(line));
  }
  report(p, LOG_E_RELOAD_REFUSED, "nothing changed: the running configuration stays");
  over(p);
}

void parent_reload(struct parent *p) {
  struct reload *r = &p->reload;
  struct buf err;
  if (!r->timer) r->timer = loop_timer_new(p->loop, late, p);
  if (p->stopping || !r->timer) {
    control_reloaded(p, true, p->stopping ? SLICE("the server stops") : SLICE("no memory"));
    return;
  }
  buf_init(&err, 16 * 1024);
  buf_free(&r->report);
  buf_init(&r->report, 4000);
  r->refused = false;
  r->number++;
  notify_state("RELOADING=1");
  struct conf *next = next_configuration(p, &err);
  if (next && prepare(p, next, &err)) {
    log_options(p, LOG_E_RELOAD, "changed", conf_changes, next);
    conf_free(&p->conf);
    p->conf = next;
    process_log_setup(&p->log, next);
    reopen_log(p, next);
    procs_reconfigure(p);
    r->waits = true;
    loop_timer_set(r->timer, loop_now(p->loop) + PARENT_RELOAD_MS);
    reload_progress(p);
  } else {
    conf_free(&next);
    refuse(p, buf_slice(&err));
  }
  buf_free(&err);
}
