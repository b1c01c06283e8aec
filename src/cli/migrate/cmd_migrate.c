/* SPDX-License-Identifier: ISC */
/* `qasid migrate pop3`: accounts are created if requested, then each is migrated by a process of
 * its own, some at a time. What a process writes to standard error is kept until it ends; its last
 * line is the reason why it failed. Their results are in shared memory. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/num.h"
#include "src/cli/link/ask.h"
#include "src/cli/migrate/commands.h"
#include "src/cli/migrate/migrate.h"
#include "src/cli/base/progress.h"
#include "src/cli/base/secret.h"
#include "src/cli/base/terminal.h"

enum { JOBS = 4, JOBS_MAX = 64, STDERR_MAX = 1024 * 1024 };

struct running {
  pid_t pid;
  int err_text; /* file for its standard error */
  size_t account;
};

struct migrate {
  struct cli *c;
  struct migrate_from from;
  struct migrate_accounts accounts;
  struct migrate_result *results;
  struct running running[JOBS_MAX];
  size_t jobs, busy;
  bool mirror, prove, prove_octets, accept_short;
  struct progress progress;
  pid_t pid;        /* the command's own */
  sigset_t signals; /* the signal mask before */
};

/* --- options --- */

/* HOST[:PORT] is pop3://HOST[:PORT]; port 995 means TLS from the first octet (RFC 8314 §3.2). */
static int take_from(struct migrate *m) {
  const char *from = cli_given(m->c, "from");
  struct buf url, err;
  buf_init(&url, 2048), buf_init(&err, 2048);
  if (!strstr(from, "://")) buf_put_str(&url, "pop3://");
  buf_put_str(&url, from);
  const char *text = buf_cstr(&url);
  bool ok = text && url_parse(text, "pop3", 110, 995, &m->from.url, &err);
  if (ok && m->from.url.user[0])
    buf_put_str(&err, "--from names a server alone; users stand in the file of accounts");
  if (ok && m->from.url.port == 995) m->from.url.tls = true;
  int code = ok && !buf_len(&err) ? CLI_EXIT_OK
                                  : cli_fail(CLI_EXIT_USAGE, "%.*s", SLICE_ARG(buf_slice(&err)));
  buf_free(&url), buf_free(&err);
  return code;
}

static int take_options(struct migrate *m) {
  const struct cli *c = m->c;
  const char *jobs = cli_given(c, "jobs"), *prove = cli_given(c, "prove"),
             *form = cli_given(c, "master-form");
  uint64_t number = JOBS;
  m->from.master = cli_given(c, "master");
  m->from.master_form = form ? form : "%u*%m";
  m->mirror = cli_given(c, "mirror-deletions") != NULL;
  m->accept_short = cli_given(c, "accept-short") != NULL;
  m->prove = prove != NULL;
  m->prove_octets = prove && strcmp(prove, "full") == 0;
  if (!cli_given(c, "from") || !cli_given(c, "accounts"))
    return cli_fail(CLI_EXIT_USAGE, "--from HOST and --accounts FILE are needed");
  if (prove && *prove && !m->prove_octets)
    return cli_fail(CLI_EXIT_USAGE, "--prove, or --prove=full");
  if (jobs && (!num_parse(slice_str(jobs), JOBS_MAX, &number) || !number))
    return cli_fail(CLI_EXIT_USAGE, "--jobs is a number from 1 to %d", JOBS_MAX);
  if (cli_given(c, "hashes") && !m->from.master)
    return cli_fail(CLI_EXIT_USAGE, "--hashes needs --master: nobody can log in with a hash");
  if (!m->from.master && (form || cli_given(c, "master-password-stdin")))
    return cli_fail(CLI_EXIT_USAGE, "--master USER is missing");
  if (strcmp(m->from.master_form, "authzid") != 0 && !strstr(m->from.master_form, "%u"))
    return cli_fail(CLI_EXIT_USAGE,
                    "--master-form is authzid, or has %%u where the account's login belongs");
  if (cli_given(c, "master-password-stdin") && strcmp(cli_given(c, "accounts"), "-") == 0)
    return cli_fail(CLI_EXIT_USAGE,
                    "the accounts and the master's password cannot both be standard input");
  m->jobs = (size_t)number;
  return take_from(m);
}

static int take_master_password(struct migrate *m, struct buf *password) {
  if (!m->from.master) return CLI_EXIT_OK;
  if (!buf_reserve(password, SECRET_MAX)) return cli_fail(CLI_EXIT_SYSTEM, "no memory");
  bool got = cli_given(m->c, "master-password-stdin")
                 ? read_secret_line(STDIN_FILENO, password)
                 : ask_secret("Master user's password: ", password);
  if (!got || !buf_len(password))
    return cli_fail(CLI_EXIT_NO_INPUT, "the master user has no password");
  m->from.master_password = buf_slice(password);
  return CLI_EXIT_OK;
}

static int read_accounts(struct migrate *m) {
  const char *path = cli_given(m->c, "accounts");
  struct stat st;
  struct buf err;
  buf_init(&err, 4096);
  int code = CLI_EXIT_OK;
  if (!migrate_accounts_read(&m->accounts, path, &err))
    code = cli_fail(CLI_EXIT_NO_INPUT, "%.*s", SLICE_ARG(buf_slice(&err)));
  else if (!m->accounts.count)
    code = cli_fail(CLI_EXIT_NO_INPUT, "%s names no account", path);
  else if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && (st.st_mode & 077))
    cli_fail(0, "note: %s can be read by others; chmod 600 keeps its passwords", path);
  buf_free(&err);
  return code;
}

/* --- accounts that are to be made --- */

static int by_name(const void *a, const void *b) {
  return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

static void fail_account(struct migrate *m, size_t at, int code, const char *why) {
  m->results[at].code = code;
  snprintf(m->results[at].reason, MIGRATE_NOTE, "%s", why);
}

static void read_stderr(int fd, struct buf *ret) {
  off_t at = 0;
  uint8_t *to;
  ssize_t n;
  while ((to = buf_reserve(ret, 4096)) && (n = pread(fd, to, 4096, at)) > 0) {
    buf_added(ret, (size_t)n);
    at += n;
  }
}

/* The last line that begins with "qasid: ", without that. */
static void keep_reason(struct migrate_result *r, struct slice err_text) {
  while (err_text.n) {
    struct slice line = slice_split(&err_text, '\n');
    if (slice_starts(line, SLICE("qasid: ")))
      snprintf(r->reason, sizeof r->reason, "%.*s",
               SLICE_ARG(slice_first(slice_from(line, 7), MIGRATE_NOTE - 1)));
  }
}

/* The process of an account creates it, once the old server has accepted the login: a wrong
 * password creates no account. */
static void look_at_missing(struct migrate *m, size_t at) {
  struct migrate_account *a = &m->accounts.list[at];
  a->make = cli_given(m->c, "create") && a->password.p;
  if (!cli_given(m->c, "create"))
    fail_account(m, at, CLI_EXIT_NOT_FOUND, "there is no such account here; --create makes it");
  else if (!a->make)
    fail_account(m, at, CLI_EXIT_NO_INPUT,
                 "it has no password in the file to be made with; `qasid account add`");
}

/* Checks which accounts exist. The others are created, or fail. */
static int look_at_accounts(struct migrate *m) {
  struct slice words[] = { SLICE("account"), SLICE("list") };
  struct table t;
  table_init(&t);
  int code = ask_table(m->c, ROLE_STORE, words, 2, &t, NULL);
  const char **names = calloc(t.row_count + 1, sizeof *names);
  size_t n = 0;
  if (!names && code == CLI_EXIT_OK) code = cli_fail(CLI_EXIT_SYSTEM, "no memory");
  for (const struct table_row *r = t.first; code == CLI_EXIT_OK && r; r = r->next) {
    names[n] = arena_cstr(&t.mem, table_cell(&t, r, "address"));
    if (names[n]) n++;
  }
  if (n) qsort(names, n, sizeof *names, by_name);
  for (size_t i = 0; code == CLI_EXIT_OK && i < m->accounts.count; i++)
    if (!n || !bsearch(&m->accounts.list[i].address, names, n, sizeof *names, by_name))
      look_at_missing(m, i);
  free(names);
  table_free(&t);
  return code;
}

/* --- messages to the user --- */

/* Advice for the user. */
static const char *advice(int code) {
  switch (code) {
  case CLI_EXIT_REFUSED: return "; is its line in the file right?";
  case CLI_EXIT_UNAVAILABLE:
  case CLI_EXIT_TEMPORARY:
  case CLI_EXIT_IO: return "; run it again later";
  }
  return "";
}

static const char *plural(uint64_t n) { return n == 1 ? "" : "s"; }

/* " (3 messages had … and were made over: 2 bare LFs)". */
static void put_changes(struct buf *b, const struct migrate_result *r) {
  if (!r->changed_messages) return;
  buf_put_str(b, " (");
  mail_changes_report(b, r->changed_messages, &r->changed);
  buf_put_str(b, ")");
}

static void put_proof(struct buf *b, const struct migrate_result *r) {
  if (!r->compared) return;
  buf_printf(b, "; %llu of %llu the same by UIDL and %s", (unsigned long long)r->same,
             (unsigned long long)r->messages,
             !r->octets_compared   ? "size"
             : r->changed_messages ? "every octet as it is kept"
                                   : "every octet");
  if (r->octets_compared) put_changes(b, r);
  if (r->gone)
    buf_printf(b, ", %llu that were deleted here by their owner", (unsigned long long)r->gone);
  if (migrate_is_proven(r)) {
    buf_put_str(b, ": no client will download anything twice");
    return;
  }
  if (r->missing) buf_printf(b, ", %llu not here", (unsigned long long)r->missing);
  if (r->doubtful)
    buf_printf(b, ", %llu that are other messages here", (unsigned long long)r->doubtful);
  if (r->renamed) buf_printf(b, ", %llu that cannot be kept", (unsigned long long)r->renamed);
  if (r->octets_differ)
    buf_printf(b, ", %llu with other octets", (unsigned long long)r->octets_differ);
  if (r->left_over)
    buf_printf(b, ", %llu here that were deleted there (--mirror-deletions)",
               (unsigned long long)r->left_over);
  buf_printf(b, ": %s", r->note);
}

static void put_account(struct buf *b, const struct migrate_account *a,
                        const struct migrate_result *r) {
  buf_printf(b, "%s: ", a->address);
  if (r->code != CLI_EXIT_OK) {
    buf_printf(b, "FAILED: %s%s", r->reason[0] ? r->reason : "it ended without a reason",
               advice(r->code));
    if (r->fetched) buf_printf(b, " (%llu came before)", (unsigned long long)r->fetched);
    put_changes(b, r);
    return;
  }
  buf_printf(b, "%llu message%s, %llu fetched", (unsigned long long)r->messages,
             plural(r->messages), (unsigned long long)r->fetched);
  if (r->fetched) buf_printf(b, " (%llu octets)", (unsigned long long)r->octets);
  if (!r->octets_compared) put_changes(b, r);
  if (r->deleted) buf_printf(b, ", %llu deleted here", (unsigned long long)r->deleted);
  put_proof(b, r);
}

static void print_account(struct migrate *m, size_t at) {
  struct buf line, safe;
  progress_clear(&m->progress);
  buf_init(&line, 8192), buf_init(&safe, 64 * 1024);
  put_account(&line, &m->accounts.list[at], &m->results[at]);
  text_put_safe(&safe, buf_slice(&line));
  fprintf(stderr, "%.*s\n", SLICE_ARG(buf_slice(&safe)));
  buf_free(&line), buf_free(&safe);
}

/* --- a process each --- */

static void start(struct migrate *m, size_t at) {
  struct running *r = &m->running[m->busy];
  *r = (struct running){ .err_text = memfd_create("qasid-said", MFD_CLOEXEC), .account = at };
  fflush(stdout), fflush(stderr);
  r->pid = r->err_text < 0 ? -1 : fork();
  if (r->pid == 0) {
    struct migrate_job job = {
      m->c,           &m->from,        &m->accounts.list[at], m->mirror,
      m->prove,       m->prove_octets, m->accept_short,       cli_given(m->c, "hashes") != NULL,
      &m->results[at]
    };
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != m->pid) _exit(CLI_EXIT_SYSTEM); /* the parent is gone already */
    sigprocmask(SIG_SETMASK, &m->signals, NULL);
    dup2(r->err_text, STDERR_FILENO);
    int code = migrate_one(&job);
    fflush(stderr);
    _exit(code);
  }
  if (r->pid > 0) {
    m->busy++;
    return;
  }
  if (r->err_text >= 0) close(r->err_text);
  fail_account(m, at, CLI_EXIT_SYSTEM, "no process for it");
  print_account(m, at);
}

/* Its output besides the reason is the conversation (--verbose). */
static void show_stderr(const struct migrate *m, const struct running *r, struct slice err_text) {
  while (err_text.n) {
    struct slice line = slice_split(&err_text, '\n');
    if (!slice_starts(line, SLICE("qasid: ")))
      fprintf(stderr, "%s  %.*s\n", m->accounts.list[r->account].address, SLICE_ARG(line));
  }
}

static void finish(struct migrate *m, struct running *r, int status) {
  struct migrate_result *result = &m->results[r->account];
  struct buf err_text;
  buf_init(&err_text, STDERR_MAX);
  read_stderr(r->err_text, &err_text);
  result->code = WIFEXITED(status) ? WEXITSTATUS(status) : CLI_EXIT_SOFTWARE;
  if (result->code != CLI_EXIT_OK) keep_reason(result, buf_slice(&err_text));
  if (!WIFEXITED(status))
    snprintf(result->reason, MIGRATE_NOTE, "its process was ended by signal %d", WTERMSIG(status));
  show_stderr(m, r, buf_slice(&err_text));
  print_account(m, r->account);
  buf_free(&err_text);
  close(r->err_text);
  *r = m->running[--m->busy];
}

/* Collects processes that have ended. False: none has. */
static bool reap(struct migrate *m) {
  bool some = false;
  int status;
  for (size_t i = 0; i < m->busy;) {
    if (waitpid(m->running[i].pid, &status, WNOHANG) == m->running[i].pid)
      finish(m, &m->running[i], status), some = true; /* another process takes its entry now */
    else
      i++;
  }
  return some;
}

/* Over all accounts in progress. */
static void show_progress(struct migrate *m) {
  struct progress *p = &m->progress;
  p->messages = p->octets = p->all_messages = p->all_octets = 0;
  for (size_t i = 0; i < m->accounts.count; i++) {
    const struct migrate_result *r = &m->results[i];
    p->messages += r->fetched, p->octets += r->octets;
    p->all_messages += r->coming, p->all_octets += r->coming_octets;
  }
  if (p->all_messages) progress_step(p);
}

/* Waits until one has ended. SIGCHLD is blocked (work()), so it stays pending if it comes before
 * this. */
static void wait_for_one(struct migrate *m) {
  sigset_t child;
  const struct timespec now_and_then = { 0, 200 * 1000 * 1000 };
  sigemptyset(&child), sigaddset(&child, SIGCHLD);
  while (!reap(m)) {
    sigtimedwait(&child, NULL, &now_and_then);
    show_progress(m);
  }
}

static void work(struct migrate *m) {
  sigset_t child;
  sigemptyset(&child), sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, &m->signals);
  progress_start(&m->progress, m->c->json, 0, 0);
  for (size_t i = 0; i < m->accounts.count; i++) {
    if (m->results[i].code != CLI_EXIT_OK) {
      print_account(m, i);
      continue;
    }
    while (m->busy == m->jobs) wait_for_one(m);
    start(m, i);
  }
  while (m->busy) wait_for_one(m);
  progress_clear(&m->progress);
  sigprocmask(SIG_SETMASK, &m->signals, NULL);
}

/* --- the sum --- */

static bool add_row(struct table *t, const struct migrate_account *a,
                    const struct migrate_result *r) {
  struct slice result = r->code != CLI_EXIT_OK ? slice_str(r->reason)
                        : !r->compared         ? SLICE("moved")
                        : migrate_is_proven(r) ? SLICE("proven")
                                               : slice_str(r->note);
  return TABLE_ROW(t, slice_str(a->address), TABLE_NUMBER(r->messages), TABLE_NUMBER(r->fetched),
                   TABLE_NUMBER(r->deleted), TABLE_NUMBER(r->same), result);
}

static int print_summary(struct migrate *m) {
  struct table t;
  size_t failed = 0, unproven = 0;
  table_init(&t);
  bool ok = table_set_columns(&t, "address messages fetched deleted same result");
  for (size_t i = 0; ok && i < m->accounts.count; i++) {
    const struct migrate_result *r = &m->results[i];
    failed += r->code != CLI_EXIT_OK;
    unproven += r->code == CLI_EXIT_OK && m->prove && !migrate_is_proven(r);
    ok = add_row(&t, &m->accounts.list[i], r);
  }
  if (ok) table_print(&t, m->c->json);
  table_free(&t);
  if (!ok) return cli_fail(CLI_EXIT_SYSTEM, "no memory");
  if (failed)
    return cli_fail(CLI_EXIT_TEMPORARY,
                    "%zu of %zu accounts failed; what came is kept, run it again", failed,
                    m->accounts.count);
  if (unproven)
    return cli_fail(CLI_EXIT_DATA, "%zu of %zu accounts are not the same here and there", unproven,
                    m->accounts.count);
  return CLI_EXIT_OK;
}

int cmd_migrate(struct cli *c) {
  struct migrate m = { .c = c, .pid = getpid() };
  struct buf password;
  size_t size = 0;
  buf_init(&password, SECRET_MAX);
  int code = take_options(&m);
  if (code == CLI_EXIT_OK) code = read_accounts(&m);
  if (code == CLI_EXIT_OK) code = take_master_password(&m, &password);
  if (code == CLI_EXIT_OK) {
    size = m.accounts.count * sizeof *m.results;
    m.results = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (m.results == MAP_FAILED) code = cli_fail(CLI_EXIT_SYSTEM, "no memory");
  }
  if (code == CLI_EXIT_OK) code = look_at_accounts(&m);
  if (code == CLI_EXIT_OK) {
    work(&m);
    code = print_summary(&m);
  }
  if (size && m.results != MAP_FAILED) munmap(m.results, size);
  migrate_accounts_free(&m.accounts);
  buf_wipe(&password);
  return code;
}
