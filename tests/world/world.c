/* SPDX-License-Identifier: ISC */
/* The clock, the order of events, and life and death of the whole. */
#include "tests/world/world_in.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

/* -- failures -- */

void world_fail(struct world *w, const char *fmt, ...) {
  if (w->failure) return;
  char text[512];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  w->failure = must_copy(text);
}

const char *world_failure(const struct world *w) { return w->failure; }

void world_verbose(struct world *w) { w->verbose = true; }

/* -- events -- */

static bool sooner(const struct event *a, const struct event *b) {
  return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void swap(struct event *a, struct event *b) {
  struct event t = *a;
  *a = *b;
  *b = t;
}

static void sift_up(struct world *w, size_t i) {
  for (; i && sooner(&w->events[i], &w->events[(i - 1) / 2]); i = (i - 1) / 2)
    swap(&w->events[i], &w->events[(i - 1) / 2]);
}

static void sift_down(struct world *w, size_t i) {
  for (;;) {
    size_t least = i, left = 2 * i + 1;
    for (size_t k = left; k <= left + 1 && k < w->event_count; k++)
      if (sooner(&w->events[k], &w->events[least])) least = k;
    if (least == i) return;
    swap(&w->events[i], &w->events[least]);
    i = least;
  }
}

void world_after(struct world *w, uint64_t delay_ms, void (*fn)(void *arg), void *arg) {
  w->events = must_fit(w->events, w->event_count, &w->event_role, sizeof *w->events);
  w->events[w->event_count] = (struct event){ w->now + delay_ms, w->order++, fn, arg };
  sift_up(w, w->event_count++);
}

static struct event take_first(struct world *w) {
  struct event e = w->events[0];
  w->events[0] = w->events[--w->event_count];
  sift_down(w, 0);
  return e;
}

void world_cancel(struct world *w, const void *arg) {
  size_t kept = 0;
  for (size_t i = 0; i < w->event_count; i++)
    if (w->events[i].arg != arg) w->events[kept++] = w->events[i];
  w->event_count = kept;
  for (size_t i = kept; i-- > 0;) sift_down(w, i);
}

bool world_step(struct world *w, uint64_t until_ms) {
  if (world_died(w) || !w->event_count || w->events[0].at > until_ms) return false;
  struct event e = take_first(w);
  if (e.at > w->now) w->now = e.at;
  e.fn(e.arg);
  return true;
}

bool world_run(struct world *w, uint64_t until_ms) {
  for (size_t i = 0; world_step(w, until_ms); i++)
    if (i > WORLD_STEPS_MAX) {
      world_fail(w, "no end of events");
      break;
    }
  if (world_died(w)) return false;
  if (w->now < until_ms) w->now = until_ms;
  return true;
}

uint64_t world_moment(struct world *w) {
  if (!w->chaos) return 0;
  return rng_chance(&w->rng, 1, 10) ? rng_below(&w->rng, 200) : rng_below(&w->rng, 4);
}

/* -- making and ending -- */

/* What holds in the world unless the options say otherwise. */
static const struct {
  const char *name, *line;
} own_options[] = {
  { "hostname", "hostname = \"mx.example.org\"\n" },
  { "store_free_space", "store_free_space = 1M\n" },
};

static void put_options(struct buf *to, struct slice options) {
  for (size_t i = 0; i < sizeof own_options / sizeof *own_options; i++)
    if (slice_search(options, slice_str(own_options[i].name)) < 0)
      buf_put_str(to, own_options[i].line);
  buf_put(to, options);
}

/* --- the log --- */

static void log_take(void *arg, struct slice record) {
  struct world *w = arg;
  if (w->record_octets + record.n > WORLD_LOG_MAX) return;
  memcpy(w->records + w->record_octets, record.p, record.n);
  w->record_octets += record.n;
}

void world_log_login(void *arg, const struct auth_refusal *r) {
  struct world *w = arg;
  struct log_line l;
  char session[32];
  snprintf(session, sizeof session, "w%llu", (unsigned long long)r->session);
  log_open(&l, &w->log, LOG_E_LOGIN_FAILED);
  log_cstr(&l, LOG_F_SESSION, session);
  log_cstr(&l, LOG_F_SERVICE, r->service);
  log_str(&l, LOG_F_NAME, r->name);
  log_cstr(&l, LOG_F_MECHANISM, r->mechanism);
  log_cstr(&l, LOG_F_WHY, r->why);
  log_end(&l);
}

void world_logged(const struct world *w, struct buf *out) {
  struct slice rest = slice_of(w->records, w->record_octets), record;
  enum log_level level;
  while (log_next_record(&rest, &record) == 1) {
    bool good = log_record_level(record, &level);
    assert(good);
    log_render(out, LOG_LOGFMT, &(struct log_stamp){ "", "world" }, record);
    buf_put_u8(out, '\n');
  }
}

struct world *world_new(uint64_t seed, bool chaos, struct slice options, struct disk_sim *disk,
                        struct buf *err) {
  struct buf text;
  buf_init(&text, 64 * 1024);
  put_options(&text, options);
  struct conf *conf = conf_parse(buf_slice(&text), "world", err);
  buf_free(&text);
  if (!conf) {
    disk_sim_free(&disk);
    return NULL;
  }
  struct world *w = must_alloc(sizeof *w);
  w->rng = rng_from(seed);
  w->chaos = chaos;
  w->cuts = chaos ? CUT_RANDOM : CUT_NONE;
  w->conf = conf;
  w->services = services_new(conf);
  w->lose.world = w;
  for (int k = 0; k < ROLE_COUNT; k++) w->breach[k].world = w;
  w->disk = disk ? disk : disk_sim_new(rng_next(&w->rng));
  w->records = must_alloc(WORLD_LOG_MAX);
  w->log = (struct log){ .fd = -1, .take = log_take, .arg = w };
  w->next_number = 1;
  w->next_session = 1;
  return w;
}

void world_free(struct world **wp) {
  struct world *w = *wp;
  if (!w) return;
  shell_drop_sessions(w, ROLE_COUNT);
  roles_close(w);
  disk_sim_free(&w->disk);
  services_free(&w->services);
  conf_free(&w->conf);
  free(w->events);
  free(w->records);
  free(w->failure);
  free(w);
  *wp = NULL;
}

struct disk_sim *world_disk(struct world *w) {
  return w->disk;
}

struct rng *world_rng(struct world *w) {
  return &w->rng;
}

uint64_t world_now(const struct world *w) { return w->now; }

bool world_died(const struct world *w) { return disk_sim_dead(w->disk); }

bool world_boot(struct world *w, struct buf *err) {
  if (roles_open(w, err)) return true;
  roles_close(w);
  if (!alloc_failed() || world_died(w)) return false;
  if (roles_open(w, err)) return true; /* the parent starts what could not start again */
  roles_close(w);
  return false;
}

void world_guest_add(struct world *w, enum role kind, const struct world_guest *guest) {
  w->guests[kind] = guest;
}

const struct conf *world_conf(const struct world *w) { return w->conf; }
struct log *world_log(struct world *w) {
  return &w->log;
}
int64_t world_wall_s(const struct world *w) { return world_wall(w); }

static void stop_everything(struct world *w) {
  shell_drop_sessions(w, ROLE_COUNT);
  roles_close(w);
  if (disk_sim_handles(w->disk)) world_fail(w, "%zu files left open", disk_sim_handles(w->disk));
}

void world_power_loss(struct world *w) {
  stop_everything(w);
  disk_sim_power_loss(w->disk);
}

void world_revive(struct world *w) {
  stop_everything(w);
  disk_sim_restart(w->disk);
}

bool world_kill(struct world *w, enum role role) {
  struct buf err;
  buf_init(&err, 1024);
  bool ok = process_restart(w, role, &err);
  if (!ok && alloc_failed()) ok = process_restart(w, role, &err); /* as the parent does */
  if (!ok && !world_died(w)) world_fail(w, "a process did not come back: %s", buf_cstr(&err));
  buf_free(&err);
  return ok;
}

unsigned world_store_reopened(const struct world *w) { return w->reopened; }

void world_lose_question(struct world *w, uint64_t nth, bool after) {
  w->questions = 0;
  w->lose_at = nth;
  w->lose_after = after;
}

uint64_t world_questions(const struct world *w) { return w->questions; }

void world_set_cuts(struct world *w, enum world_cuts cuts) { w->cuts = cuts; }
