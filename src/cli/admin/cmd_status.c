/* SPDX-License-Identifier: ISC */
/* `qasid status`: the state of the server; `--check`: the same, judged, as a Nagios plugin (one
 * line, exit code 0, 1 or 2: https://nagios-plugins.org/doc/guidelines.html). The thresholds are in
 * `judges`. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/num.h"
#include "lib/base/sys.h"
#include "lib/json/json.h"
#include "lib/tls/facts.h"
#include "src/cli/admin/commands.h"
#include "src/cli/base/drops.h"
#include "src/cli/link/ask.h"
#include "src/cli/admin/certificates.h"

enum {
  /* free space, as a multiple of store_free_space: below twice that, deleted mail is purged */
  DISK_WARN = 3,
  QUEUE_LATE_S = 3600, /* mail that is due and has not been tried for this long */
  QUOTA_FULL = 100,    /* percent */
  CHECK_S = 30,        /* time limit of --check; Nagios itself gives up after 60 */
};

enum { COUNTING = 6, STORE_AT = 3, SENDER_AT = 5 };
static const enum role counting[COUNTING] = { ROLE_SMTPD, ROLE_POP3D,    ROLE_AUTH,
                                              ROLE_STORE, ROLE_RESOLVER, ROLE_SENDER };

struct status {
  struct table server, roles, certificates, mailboxes, queue, held, drops, counters[COUNTING];
};

static struct table *status_table(struct status *s, size_t i) {
  struct table *all[] = { &s->server, &s->roles, &s->certificates, &s->mailboxes,
                          &s->queue,  &s->held,  &s->drops };
  enum { ALL = sizeof all / sizeof *all };
  return i < ALL ? all[i] : i - ALL < COUNTING ? &s->counters[i - ALL] : NULL;
}

/* --- gathering --- */

static void put_certificate(struct table *to, struct slice file, struct slice hostname,
                            struct slice pem) {
  struct tls_facts facts = { 0 };
  char date[32] = "unknown", days[32] = "";
  char host[256];
  struct buf names;
  buf_init(&names, 64 * 1024);
  snprintf(host, sizeof host, "%.*s", SLICE_ARG(slice_first(hostname, 255)));
  if (tls_facts(pem, host, &facts, &names)) {
    certificate_date(facts.ends_s, date);
    snprintf(days, sizeof days, "%lld", (long long)(facts.ends_s - sys_wall_s()) / 86400);
    if (facts.ends_s <= sys_wall_s()) snprintf(days, sizeof days, "expired");
  }
  TABLE_ROW(to, slice_first(file, 4096), slice_str(date), slice_str(days),
            facts.fits ? SLICE("yes") : SLICE("no"), buf_slice(&names));
  buf_free(&names);
}

/* The parent sends PEM; the facts are extracted here. */
static int ask_certificates(struct cli *c, struct table *to) {
  struct table t;
  table_set_columns(to, "certificate expires days for-hostname names");
  table_init(&t);
  int code = ask_parent(c, "certificates", &t, NULL);
  for (const struct table_row *r = t.first; code == CLI_EXIT_OK && r; r = r->next)
    put_certificate(to, table_cell(&t, r, "file"), table_cell(&t, r, "hostname"),
                    table_cell(&t, r, "pem"));
  table_free(&t);
  return code;
}

static int ask_store(struct cli *c, const char *what, struct table *t) {
  int code;
  struct slice words[] = { SLICE("status"), slice_str(what) };
  struct cli_link *l = link_open_running(c, ROLE_STORE, 0, &code);
  /* it is being restarted: its process says so */
  if (!l) return code == CLI_EXIT_NOT_FOUND ? CLI_EXIT_OK : code;
  code = link_ask(l, words, 2) ? ask_answer(l, t, NULL) : CLI_EXIT_UNAVAILABLE;
  link_free(&l);
  return code;
}

/* The drop folder, if this user may list it. */
static void count_drops(struct cli *c, struct table *to) {
  const struct conf *conf = cli_conf(c);
  struct drops n;
  if (!conf || !drops_count(conf, &n)) return;
  table_set_columns(to, "waiting set-aside");
  if (c->json || n.waiting + n.aside) TABLE_ROW(to, TABLE_NUMBER(n.waiting), TABLE_NUMBER(n.aside));
}

static int gather(struct cli *c, struct status *s) {
  int code = ask_parent(c, "status", &s->server, NULL);
  if (code == CLI_EXIT_OK) code = ask_parent(c, "ps", &s->roles, NULL);
  if (code == CLI_EXIT_OK) code = ask_certificates(c, &s->certificates);
  if (code == CLI_EXIT_OK) code = ask_store(c, "mailboxes", &s->mailboxes);
  if (code == CLI_EXIT_OK) code = ask_store(c, "queue", &s->queue);
  if (code == CLI_EXIT_OK) code = ask_store(c, "held", &s->held);
  count_drops(c, &s->drops);
  for (size_t i = 0; code == CLI_EXIT_OK && i < COUNTING; i++)
    code = ask_all(c, counting[i], "status", &s->counters[i]);
  return code;
}

static uint64_t number_in(const struct table *t, const struct table_row *r, const char *column) {
  uint64_t n = 0;
  num_parse(table_cell(t, r, column), UINT64_MAX, &n);
  return n;
}

/* A counter of the store; false: it is missing. */
static bool store_counter(const struct status *s, const char *what, uint64_t *ret) {
  const struct table *t = &s->counters[STORE_AT];
  for (const struct table_row *r = t->first; r; r = r->next)
    if (slice_eq(table_cell(t, r, "what"), slice_str(what)))
      return num_parse(table_cell(t, r, "number"), UINT64_MAX, ret);
  return false;
}

/* --- shown --- */

static void show(struct cli *c, const char *name, const struct table *t, bool first) {
  if (!t->columns || (!c->json && !t->row_count)) return;
  if (c->json)
    printf("%s\"%s\": ", first ? "{" : ", ", name);
  else if (!first)
    printf("\n%s\n", name);
  table_print(t, c->json);
}

static void show_all(struct cli *c, const struct status *s) {
  show(c, "server", &s->server, true);
  show(c, "processes", &s->roles, false);
  show(c, "certificates", &s->certificates, false);
  show(c, c->json ? "mailboxes" : "mailboxes near their quota", &s->mailboxes, false);
  show(c, "queue", &s->queue, false);
  show(c,
       c->json ? "held"
               : "held (qasid queue list SELECT shows it, qasid queue release SELECT lets it go)",
       &s->held, false);
  show(c, c->json ? "drops" : "drop folder of sendmail (pickup in data_dir)", &s->drops, false);
  for (size_t i = 0; i < COUNTING; i++) show(c, role_name(counting[i]), &s->counters[i], false);
  if (c->json) printf("}\n");
}

/* --- judged --- */

enum level { LEVEL_OK, LEVEL_WARNING, LEVEL_CRITICAL };
static const char *const level_words[] = { "OK", "WARNING", "CRITICAL" };

struct verdict {
  enum level level;
  struct buf why;   /* the problems, separated by ", " */
  struct buf facts; /* the state in short */
  struct buf data;  /* performance data */
  struct json_value *findings;
};

static void find(struct verdict *v, enum level level, const char *about, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void find(struct verdict *v, enum level level, const char *about, const char *fmt, ...) {
  char text[512];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  if (level > v->level) v->level = level;
  buf_printf(&v->why, "%s%s", buf_len(&v->why) ? ", " : "", text);
  struct json_value *row = json_new_object();
  json_put_text(row, "level", slice_str(level_words[level]));
  json_put_text(row, "about", slice_str(about));
  json_put_text(row, "what", slice_str(text));
  json_put_item(v->findings, row);
}

static void judge_processes(struct verdict *v, const struct status *s) {
  const struct table *t = &s->roles;
  size_t ready = 0, all = 0;
  for (const struct table_row *r = t->first; r; r = r->next) {
    struct slice kind = table_cell(t, r, "role");
    bool is_ready = slice_eq(table_cell(t, r, "state"), SLICE("ready")), other = false;
    if (slice_eq(table_cell(t, r, "state"), SLICE("finishing"))) continue; /* after a reload */
    all++;
    ready += is_ready;
    for (const struct table_row *x = t->first; x; x = x->next)
      other |= slice_eq(table_cell(t, x, "role"), kind) &&
               slice_eq(table_cell(t, x, "state"), SLICE("ready"));
    if (!is_ready)
      find(v, other ? LEVEL_WARNING : LEVEL_CRITICAL, "processes", "%.*s-%.*s %.*s",
           SLICE_ARG(kind), SLICE_ARG(table_cell(t, r, "index")),
           SLICE_ARG(table_cell(t, r, "state")));
  }
  buf_printf(&v->facts, "%zu of %zu processes ready", ready, all);
}

static void judge_certificates(struct verdict *v, const struct status *s) {
  const struct table *t = &s->certificates;
  uint64_t days, least = UINT64_MAX;
  for (const struct table_row *r = t->first; r; r = r->next) {
    struct slice file = table_cell(t, r, "certificate"), days_text = table_cell(t, r, "days");
    if (!num_parse(days_text, UINT32_MAX, &days)) {
      days = 0;
      find(v, LEVEL_CRITICAL, "certificates", "certificate %.*s %s", SLICE_ARG(file),
           days_text.n ? "has expired" : "cannot be read");
    } else if (days < CERTIFICATE_WARN_DAYS) {
      find(v, days < CERTIFICATE_CRITICAL_DAYS ? LEVEL_CRITICAL : LEVEL_WARNING, "certificates",
           "certificate %.*s expires in %llu days", SLICE_ARG(file), (unsigned long long)days);
    }
    if (days < least) least = days;
  }
  if (!t->row_count) return;
  buf_printf(&v->facts, ", certificate for %llu days", (unsigned long long)least);
  buf_printf(&v->data, " certificate_days=%llu;%d:;%d:", (unsigned long long)least,
             CERTIFICATE_WARN_DAYS, CERTIFICATE_CRITICAL_DAYS);
}

static void judge_disk(struct verdict *v, const struct status *s) {
  uint64_t space, least = 0, full = 0;
  if (!store_counter(s, "disk-free", &space))
    return; /* store is down, or its disk does not report its free space */
  store_counter(s, "disk-needed", &least);
  store_counter(s, "disk-full", &full);
  if (full)
    find(v, LEVEL_CRITICAL, "disk", "the disk is full (%llu MB free): no mail is accepted",
         (unsigned long long)space >> 20);
  else if (space < DISK_WARN * least)
    find(v, LEVEL_WARNING, "disk", "the disk is nearly full (%llu MB free)",
         (unsigned long long)space >> 20);
  buf_printf(&v->facts, ", %llu MB free", (unsigned long long)space >> 20);
  buf_printf(&v->data, " disk_free=%lluB;%llu:;%llu:", (unsigned long long)space,
             (unsigned long long)DISK_WARN * least, (unsigned long long)least);
}

static void judge_mailboxes(struct verdict *v, const struct status *s) {
  const struct table *t = &s->mailboxes;
  size_t full = 0;
  for (const struct table_row *r = t->first; r; r = r->next)
    full += number_in(t, r, "percent") >= QUOTA_FULL;
  if (t->first)
    find(v, LEVEL_WARNING, "mailboxes", "%zu mailbox%s near the quota, %zu full (%.*s has %.*s%%)",
         t->row_count, t->row_count == 1 ? "" : "es", full,
         SLICE_ARG(table_cell(t, t->first, "address")),
         SLICE_ARG(table_cell(t, t->first, "percent")));
  buf_printf(&v->data, " mailboxes_near_quota=%zu;0", t->row_count);
}

static void judge_queue(struct verdict *v, const struct status *s) {
  const struct table *t = &s->queue;
  uint64_t waiting = 0;
  for (const struct table_row *r = t->first; r; r = r->next) {
    uint64_t due = number_in(t, r, "due"), now = (uint64_t)sys_wall_s(),
             late = due && due < now ? now - due : 0, recipients = number_in(t, r, "recipients");
    if (late > QUEUE_LATE_S)
      find(v, LEVEL_WARNING, "queue", "mail in the queue is due since %llu minutes",
           (unsigned long long)late / 60);
    waiting += recipients;
    buf_printf(&v->data, " queue_%.*s=%llu", SLICE_ARG(table_cell(t, r, "state")),
               (unsigned long long)recipients);
  }
  if (t->row_count) buf_printf(&v->facts, ", %llu in the queue", (unsigned long long)waiting);
}

static void judge_sending(struct verdict *v, const struct status *s) {
  const struct table *t = &s->counters[SENDER_AT];
  for (const struct table_row *r = t->first; r; r = r->next) {
    struct slice counter = table_cell(t, r, "counter");
    bool judged =
        slice_eq(counter, SLICE("port-blocked")) || slice_eq(counter, SLICE("login-refused"));
    if (judged && number_in(t, r, "value"))
      find(v, LEVEL_CRITICAL, "sending", "%.*s", SLICE_ARG(table_cell(t, r, "meaning")));
  }
}

static void judge_drops(struct verdict *v, const struct status *s) {
  const struct table_row *r = s->drops.first;
  uint64_t aside = r ? number_in(&s->drops, r, "set-aside") : 0;
  if (aside)
    find(v, LEVEL_WARNING, "drops", "%llu files of the drop folder were set aside",
         (unsigned long long)aside);
}

static const struct {
  const char *name;
  void (*judge)(struct verdict *, const struct status *);
} judges[] = {
  /* clang-format off */
  { "processes", judge_processes }, { "certificates", judge_certificates }, { "disk", judge_disk },
  { "mailboxes", judge_mailboxes }, { "queue", judge_queue },
  { "sending", judge_sending }, { "drops", judge_drops },
  /* clang-format on */
};
enum { JUDGES = sizeof judges / sizeof *judges };

static bool is_ignored(const struct cli *c, const char *name) {
  const char *value;
  for (size_t at = 0; (value = cli_given_next(c, "ignore", &at));)
    if (strcmp(value, name) == 0) return true;
  return false;
}

/* The first value of --ignore that matches nothing, or NULL. */
static const char *wrong_ignore(const struct cli *c) {
  const char *value;
  for (size_t at = 0; (value = cli_given_next(c, "ignore", &at));) {
    bool known = false;
    for (size_t i = 0; i < JUDGES; i++) known |= strcmp(value, judges[i].name) == 0;
    if (!known) return value;
  }
  return NULL;
}

static void print_verdict(struct cli *c, struct verdict *v) {
  struct slice why = buf_slice(&v->why), facts = buf_slice(&v->facts), data = buf_slice(&v->data);
  struct slice text = v->level == LEVEL_OK ? facts : why;
  if (!c->json) {
    struct buf line;
    buf_init(&line, 64 * 1024);
    buf_printf(&line, "QASID %s - ", level_words[v->level]);
    for (size_t i = 0; i < text.n; i++)
      buf_put_u8(&line, text.p[i] < ' ' || text.p[i] == '|' ? ' ' : text.p[i]);
    if (data.n) buf_printf(&line, " |%.*s", SLICE_ARG(data));
    printf("%.*s\n", SLICE_ARG(buf_slice(&line)));
    buf_free(&line);
    return;
  }
  struct json_value *whole = json_new_object();
  json_put_text(whole, "state", slice_str(level_words[v->level]));
  json_put_number(whole, "code", v->level);
  json_put_text(whole, "text", text);
  json_put_value(whole, "findings", v->findings);
  v->findings = NULL;
  json_write(whole, stdout, false);
  json_done(&whole);
}

static int check(struct cli *c, const struct status *s, int code) {
  struct verdict v = { .findings = json_new_array() };
  buf_init(&v.why, 16 * 1024), buf_init(&v.facts, 4096), buf_init(&v.data, 4096);
  if (code != CLI_EXIT_OK)
    find(&v, LEVEL_CRITICAL, "processes", "the server does not answer (exit code %d of status)",
         code);
  for (size_t i = 0; code == CLI_EXIT_OK && i < JUDGES; i++)
    if (!is_ignored(c, judges[i].name)) judges[i].judge(&v, s);
  print_verdict(c, &v);
  json_done(&v.findings);
  buf_free(&v.why), buf_free(&v.facts), buf_free(&v.data);
  return (int)v.level;
}

/* A process that hangs must not make the plugin hang. Only write() may be called here. */
static void on_alarm(int number) {
  static const char text[] = "QASID CRITICAL - the server did not answer in time\n";
  ssize_t n = write(STDOUT_FILENO, text, sizeof text - 1);
  (void)n;
  _exit(LEVEL_CRITICAL);
}

int cmd_status(struct cli *c) {
  struct status s;
  const char *wrong = wrong_ignore(c);
  if (wrong)
    return cli_fail(
        CLI_EXIT_USAGE,
        "--ignore %s: processes, certificates, disk, mailboxes, queue or sending is meant", wrong);
  if (cli_given(c, "ignore") && !cli_given(c, "check"))
    return cli_fail(CLI_EXIT_USAGE, "--ignore needs --check");
  for (size_t i = 0; status_table(&s, i); i++) table_init(status_table(&s, i));
  if (cli_given(c, "check")) {
    signal(SIGALRM, on_alarm);
    alarm(CHECK_S);
  }
  int code = gather(c, &s);
  alarm(0);
  if (cli_given(c, "check"))
    code = check(c, &s, code);
  else if (code == CLI_EXIT_OK)
    show_all(c, &s);
  for (size_t i = 0; status_table(&s, i); i++) table_free(status_table(&s, i));
  return code;
}
